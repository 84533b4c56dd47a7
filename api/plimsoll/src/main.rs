//! The binary `plimsoll`: the only place that wires things together.
#![forbid(unsafe_code)]

mod ask;
mod broker;
mod check;
mod data;
mod demo;
mod doctor;
mod lifeline;
mod replay;
mod serve;
mod session;
mod sources;
mod summary;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use plimsoll_log::Fault;
use plimsoll_service::recover::Failure;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A real-time risk engine for margin financing and securities lending (融资融券).
#[derive(Parser, Debug)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Replay event files: effects out, and the state of every account at the end.
    Replay(replay::ReplayArgs),
    /// Check policy and event files without running them: every fault with file, line and code.
    Check(check::CheckArgs),
    /// Generate a seeded broker: securities, accounts, openings, days of trading.
    Generate(data::GenerateArgs),
    /// Turn the real market files into event files.
    Import(data::ImportArgs),
    /// Print the day table of a replay from its effects.
    Report(data::ReportArgs),
    /// Ask what shocked prices would do: tiers, calls and their sum, forced sales by security.
    Scenario(ask::ScenarioArgs),
    /// Ask what hypothetical events would do to one account.
    WhatIf(ask::WhatIfArgs),
    /// Print the breach prices of an account.
    Breach(ask::BreachArgs),
    /// Print the liquidation map of a security: prices at which accounts cross their lines.
    Map(ask::MapArgs),
    /// Serve the run of a directory over HTTP: events in, effects and answers out.
    Serve(serve::ServeArgs),
    /// Send a simulated broker to a server: accounts, then a day of snapshots, at an adjustable speed.
    Broker(broker::BrokerArgs),
    /// Serve a directory with a simulated broker in another process: a day with a crash, now.
    Demo(demo::DemoArgs),
    /// Check the log of a directory: every epoch of it, the chain, the snapshots; with what is in it.
    Doctor(doctor::DoctorArgs),
    /// Print the JSON Schemas of inputs, effects, state lines and the policy.
    Schema,
}

/// Why a command ends: words for people, and the exit status.
pub struct Ended {
    text: String,
    status: u8,
}

impl From<String> for Ended {
    fn from(text: String) -> Self {
        Ended { text, status: 1 }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended { text: failure.to_string(), status: failure.status() }
    }
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Failure::from(fault).into()
    }
}

fn run(command: &Command) -> Result<(), Ended> {
    let done = match command {
        Command::Replay(args) => return replay::run(args),
        Command::Serve(args) => return serve::run(args),
        Command::Demo(args) => return demo::run(args),
        Command::Doctor(args) => return doctor::run(args, &mut io::stdout().lock()),
        Command::Check(args) => check::run(args, &mut io::stdout().lock()),
        Command::Broker(args) => broker::run(args),
        Command::Generate(args) => data::generate(args),
        Command::Import(args) => data::import(args),
        Command::Report(args) => data::report(args),
        Command::Scenario(args) => ask::scenario(args, &mut io::stdout().lock()),
        Command::WhatIf(args) => ask::what_if(args, &mut io::stdout().lock()),
        Command::Breach(args) => ask::breach(args, &mut io::stdout().lock()),
        Command::Map(args) => ask::map(args, &mut io::stdout().lock()),
        Command::Schema => {
            let text = plimsoll_wire::schema::document();
            writeln!(io::stdout(), "{text:#}").map_err(|cause| format!("cannot write: {cause}"))
        }
    };
    done.map_err(Ended::from)
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended { text, status }) => {
            eprintln!("{text}");
            ExitCode::from(status)
        }
    }
}
