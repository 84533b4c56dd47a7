//! `plimsoll-bench`: opens a book and runs feeds over it, one line of figures each.

use clap::Parser;
use plimsoll_bench::Threads;
use plimsoll_bench::book::Shape;
use plimsoll_bench::measure::{ask, facts, feed, opened, settle};
use plimsoll_broker::{FeedKind, Profile};
use plimsoll_engine::Paths;

/// Measures the core through `step`.
#[derive(Parser, Debug)]
struct Args {
    /// Accounts of the book.
    #[arg(long, default_value_t = 200_000)]
    accounts: u64,
    /// As in China: 17 of 75 accounts owe. Otherwise every account does.
    #[arg(long)]
    china: bool,
    /// Lanes and threads.
    #[arg(long, default_value_t = 2)]
    lanes: usize,
    /// Nothing skipped: a pass over every account with debts.
    #[arg(long)]
    sweep: bool,
    /// Seed of book and feeds.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Feeds in order, `kind:epochs`; `ticks256` puts 256 quotes into an epoch, `facts` puts one into an epoch,
    /// `day_end` settles day after day, `scenario` asks.
    #[arg(required = true)]
    feeds: Vec<String>,
}

fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let args = Args::parse();
    let shape = Shape {
        accounts: args.accounts,
        profile: if args.china { Profile::China } else { Profile::Stress },
        lanes: args.lanes,
        paths: if args.sweep { Paths::Sweep } else { Paths::Auto },
        seed: args.seed,
    };
    let exec = Threads::new(args.lanes);
    let (mut bench, took) = opened(&shape, &exec);
    println!(
        "open: accounts {} seconds {:.2} memory_mib {}",
        args.accounts,
        took.as_secs_f64(),
        memory_mib()
    );
    for asked in &args.feeds {
        let (word, epochs) = asked.split_once(':').unwrap_or((asked, "1"));
        let epochs: usize = epochs.parse().expect("a number of epochs");
        if word == "day_end" {
            let run = settle(&mut bench, epochs, &exec);
            println!("{}", run.line(word));
            continue;
        }
        if word == "scenario" {
            ask(&bench, &shape, &exec).iter().for_each(|run| println!("{run}"));
            continue;
        }
        let batch = if word == "ticks256" { 256 } else { 1 };
        if word == "facts" {
            println!("{}", facts(&mut bench, &shape, epochs, &exec).line(asked));
            continue;
        }
        let kind = FeedKind::parse(word.trim_end_matches("256")).expect("a kind of feed");
        println!("{}", feed(&mut bench, &shape, kind, (epochs, batch, 300), &exec).line(asked));
    }
    println!("end: memory_mib {}", memory_mib());
}
