//! `plimsoll-bench`: opens a book and runs feeds over it, one line of figures each.

use clap::Parser;
use plimsoll_bench::Threads;
use plimsoll_bench::book::Shape;
use plimsoll_bench::machine::memory_mib;
use plimsoll_bench::measure::{
    TEN_THOUSAND_A_SECOND, WHILE_SAVING, ask, columns, facts, feed, load, opened, save, saving, settle,
    sustained,
};
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
    /// A line of every epoch besides: time, path, rows looked at, accounts judged, tier changes.
    #[arg(long)]
    each: bool,
    /// Words in order. Feeds are `kind:epochs`: `ticks256` puts 256 quotes into an epoch, `facts` one fact,
    /// `mixed` is 100 epochs of 300 facts after each snapshot (10 000 a second), `day_end` settles day after day.
    /// `scenario` asks; `columns` says what they use and the time to read as much once; `save` and `load` do so;
    /// `saving:epochs` is the mixed feed with the state saved beside every other stretch of it.
    #[arg(required = true)]
    feeds: Vec<String>,
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
        "open: accounts {} seconds {:.2} per_second {:.0} memory_mib {}",
        args.accounts,
        took.as_secs_f64(),
        args.accounts as f64 / took.as_secs_f64(),
        memory_mib("VmRSS")
    );
    for asked in &args.feeds {
        let (word, epochs) = asked.split_once(':').unwrap_or((asked, "1"));
        let epochs: usize = epochs.parse().expect("a number of epochs");
        let run = match word {
            "scenario" => {
                ask(&bench, &shape, &exec).iter().for_each(|line| println!("{line}"));
                continue;
            }
            "columns" => {
                columns(&bench, &shape).iter().for_each(|line| println!("{line}"));
                continue;
            }
            "save" => {
                println!("{}", save(&bench));
                continue;
            }
            "saving" => {
                let lines = saving(&mut bench, &shape, (epochs, WHILE_SAVING), &exec);
                lines.iter().for_each(|line| println!("{line}"));
                continue;
            }
            "load" => {
                println!("{}", load(&mut bench, &shape, &exec));
                continue;
            }
            "day_end" => settle(&mut bench, epochs, &exec),
            "facts" => facts(&mut bench, &shape, epochs, &exec),
            _ => {
                let batch = if word == "ticks256" { 256 } else { 1 };
                let kind = FeedKind::parse(word.trim_end_matches("256")).expect("a kind of feed");
                feed(&mut bench, &shape, kind, (epochs, batch, TEN_THOUSAND_A_SECOND), &exec)
            }
        };
        println!("{}", run.line(asked));
        if word == "mixed" {
            println!("{}", sustained(&run, TEN_THOUSAND_A_SECOND));
        }
        if args.each {
            run.each_lines().for_each(|line| println!("{line}"));
        }
    }
    println!("end: memory_mib {}", memory_mib("VmRSS"));
}
