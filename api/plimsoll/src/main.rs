//! The binary `plimsoll`: the only place that wires things together.
#![forbid(unsafe_code)]

mod ask;
mod check;
mod data;
mod lanes;
mod replay;
mod session;
mod summary;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Print the JSON Schemas of inputs, effects, state lines and the policy.
    Schema,
}

fn run(command: &Command) -> Result<(), String> {
    match command {
        Command::Replay(args) => replay::run(args),
        Command::Check(args) => check::run(args, &mut io::stdout().lock()),
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
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(1)
        }
    }
}
