//! `plimsoll-bench-service`: the service over HTTP, one line of figures a measure.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use plimsoll_bench::service::{Plan, run};

/// Measures the service through its own face: a process, sockets, its log.
#[derive(Parser, Debug)]
struct Args {
    /// The binary `plimsoll`.
    #[arg(long)]
    binary: PathBuf,
    /// Where the server's directory is made; what is there goes.
    #[arg(long)]
    data: PathBuf,
    /// Accounts, every one in debt.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u64,
    /// Batches of 1 000 events.
    #[arg(long, default_value_t = 2_000)]
    batches: usize,
    /// Single events at 1 000 a second.
    #[arg(long, default_value_t = 20_000)]
    singles: usize,
    /// Snapshots in one body, as many in batches, as many with clients of the stream.
    #[arg(long, default_value_t = 100)]
    snapshots: usize,
    /// Milliseconds from one to the next.
    #[arg(long, default_value_t = 3_000)]
    every_ms: u64,
    /// Clients of the stream, one of which never reads.
    #[arg(long, default_value_t = 1_000)]
    listeners: usize,
    /// Restarts after a plain end, and after SIGKILL.
    #[arg(long, default_value_t = 10)]
    restarts: usize,
}

fn main() {
    let Args { binary, data, accounts, batches, singles, snapshots, every_ms, listeners, restarts } =
        Args::parse();
    let every = Duration::from_millis(every_ms);
    let plan = Plan { binary, data, accounts, batches, singles, snapshots, every, listeners, restarts };
    run(&plan, |line| println!("{line}"));
}
