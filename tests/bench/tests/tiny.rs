//! Every benchmark, tiny: the same work gives the same digest on every machine, for any number of
//! lanes, whatever way the core finds the accounts near a line.

use plimsoll_bench::Threads;
use plimsoll_bench::book::Shape;
use plimsoll_bench::measure::{Run, feed, opened, settle};
use plimsoll_broker::{FeedKind, Profile};
use plimsoll_engine::Paths;

/// Epochs, snapshots or quotes put into one, facts after a snapshot.
const FEEDS: [(FeedKind, (usize, usize, usize)); 6] = [
    (FeedKind::Calm, (20, 1, 0)),
    (FeedKind::Crash, (60, 1, 0)),
    (FeedKind::Ticks, (400, 1, 0)),
    (FeedKind::Ticks, (10, 256, 0)),
    (FeedKind::Mixed, (10, 1, 200)),
    (FeedKind::Adversarial, (20, 1, 0)),
];

fn runs(profile: Profile, lanes: usize, paths: Paths) -> Vec<Run> {
    let shape = Shape { accounts: 2_000, profile, lanes, paths, seed: 7 };
    let exec = Threads::new(lanes);
    let (mut bench, _) = opened(&shape, &exec);
    let mut runs: Vec<_> =
        FEEDS.iter().map(|&(kind, sizes)| feed(&mut bench, &shape, kind, sizes, &exec)).collect();
    runs.push(settle(&mut bench, 3, &exec));
    runs
}

fn digests(runs: &[Run]) -> Vec<(u64, &str)> {
    runs.iter().map(|run| (run.changes, run.digest.as_str())).collect()
}

#[test]
fn every_bench_does_the_same_work_whatever_way_it_goes() {
    for (profile, wanted) in [(Profile::Stress, STRESS), (Profile::China, CHINA)] {
        let auto = runs(profile, 2, Paths::Auto);
        assert_eq!(digests(&auto), wanted, "{profile:?}");
        assert_eq!(digests(&runs(profile, 1, Paths::Sweep)), wanted, "{profile:?}: sweep");
        assert_eq!(digests(&runs(profile, 3, Paths::Holders)), wanted, "{profile:?}: lists");
        let line = auto[0].line("calm");
        assert!(line.starts_with("calm: epochs 20 p50_us ") && line.ends_with(wanted[0].1), "{line}");
    }
}

const STRESS: [(u64, &str); 7] = [
    (5, "7ede4ab185e0c680"),
    (93, "b4b5ac32ba2a39bc"),
    (16, "ab7ef1c421dfd960"),
    (24, "1b826d42984be837"),
    (52, "5fcc10587e9d847e"),
    (896, "0d845fce57cde217"),
    (10, "c5ebd3bcaf31a363"),
];
const CHINA: [(u64, &str); 7] = [
    (4, "13629653634feb44"),
    (24, "b76d005fbb2bf272"),
    (4, "e78479b5f2b26ffb"),
    (8, "9474910e22039cdf"),
    (13, "eb471cacf65285bd"),
    (206, "dbb83886649c5108"),
    (0, "af1349b9f5f9a1a6"),
];
