//! Random streams through the binary and the oracle: every figure of every state line after every epoch, and
//! every effect.
//!
//! `PLIMSOLL_STREAMS_ACCOUNT_EPOCHS` says how much is compared (1 000 000; 20 000 with `PLIMSOLL_QUICK=1`),
//! `PLIMSOLL_SEED` where the seeds begin. A failing stream is made small and written to a file.

use plimsoll_tests::folder::Folder;
use plimsoll_tests::streams::Stream;
use plimsoll_tests::streams::coverage::Coverage;
use plimsoll_tests::streams::driver::check;
use std::env;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Shares say something about the generator from here on.
const JUDGED_FROM: u64 = 200_000;
/// Failing streams after which a run stops.
const ENOUGH: usize = 3;

fn number(name: &str) -> Option<u64> {
    env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no whole number: {text}")))
}

fn wanted() -> u64 {
    let quick = env::var("PLIMSOLL_QUICK").is_ok_and(|v| v == "1");
    let usual = if quick { 20_000 } else { 1_000_000 };
    number("PLIMSOLL_STREAMS_ACCOUNT_EPOCHS").unwrap_or(usual)
}

#[test]
fn a_seed_fixes_its_stream() {
    for seed in 0..20 {
        assert_eq!(Stream::of(seed).bytes(), Stream::of(seed).bytes());
    }
    assert_ne!(Stream::of(1).bytes(), Stream::of(2).bytes());
}

#[test]
fn the_kept_streams_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../streams");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of kept streams")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "ndjson"))
        .collect();
    paths.sort();
    let scratch = Folder::new("streams");
    let mut failures = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a kept stream");
        let stream = Stream {
            seed: 0,
            lines: text.lines().map(str::to_owned).collect(),
            policy: fs::read_to_string(path.with_extension("policy.toml")).ok(),
        };
        for lanes in 1..=3 {
            if let Err(why) = check(&scratch, &stream, lanes, &mut Coverage::default()) {
                failures.push(format!("{}: {why}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn random_streams_agree_and_reach_everything() {
    let wanted = wanted();
    let next = AtomicU64::new(number("PLIMSOLL_SEED").unwrap_or(1));
    let done = AtomicU64::new(0);
    let total = Mutex::new(Coverage::default());
    let failures = Mutex::new(Vec::new());
    let work = || {
        let scratch = Folder::new("streams");
        let mut coverage = Coverage::default();
        let mut counted = 0;
        while done.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let lanes = 1 + (seed % 3) as usize;
            let result = check(&scratch, &Stream::of(seed), lanes, &mut coverage);
            done.fetch_add(coverage.account_epochs - counted, Ordering::Relaxed);
            counted = coverage.account_epochs;
            if let Err(why) = result {
                let mut failures = failures.lock().expect("no thread has panicked");
                eprintln!("{why}");
                failures.push(why);
                if failures.len() >= ENOUGH {
                    done.fetch_add(wanted, Ordering::Relaxed);
                }
            }
        }
        total.lock().expect("no thread has panicked").add(&coverage);
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let total = total.into_inner().expect("no thread has panicked");
    let failures = failures.into_inner().expect("no thread has panicked");
    println!("{}", total.table());
    assert!(failures.is_empty(), "{} streams differ:\n{}", failures.len(), failures.join("\n"));
    if wanted >= JUDGED_FROM {
        let thin = total.thin();
        assert!(thin.is_empty(), "below 0.5 % of their group:\n{}", thin.join("\n"));
    }
}
