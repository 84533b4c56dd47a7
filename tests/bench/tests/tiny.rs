//! Every benchmark, tiny: the same work gives the same digest on every machine, for any number of
//! lanes, whatever way the core finds the accounts near a line.

use std::time::Duration;

use plimsoll_bench::Threads;
use plimsoll_bench::book::Shape;
use plimsoll_bench::measure::{
    Run, columns, facts, feed, load, opened, save, saved, saving, settle, sustained,
};
use plimsoll_bench::service::{self, Plan};
use plimsoll_broker::{Facts, FeedKind, Profile};
use plimsoll_engine::Paths;

/// After each snapshot of a mixed feed.
const FACTS: Facts = Facts { at_once: 200, epochs: 1 };
/// Epochs, and snapshots or quotes put into one.
const FEEDS: [(FeedKind, (usize, usize, Facts)); 6] = [
    (FeedKind::Calm, (20, 1, FACTS)),
    (FeedKind::Crash, (60, 1, FACTS)),
    (FeedKind::Ticks, (400, 1, FACTS)),
    (FeedKind::Ticks, (10, 256, FACTS)),
    (FeedKind::Mixed, (10, 1, FACTS)),
    (FeedKind::Adversarial, (20, 1, FACTS)),
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

#[test]
fn the_words_besides_feeds_say_what_they_measured() {
    let shape = Shape { accounts: 2_000, profile: Profile::Stress, lanes: 2, paths: Paths::Auto, seed: 7 };
    let exec = Threads::new(shape.lanes);
    let (mut bench, _) = opened(&shape, &exec);

    // A snapshot and three epochs of facts, twice.
    let paced = Facts { at_once: 50, epochs: 3 };
    let run = feed(&mut bench, &shape, FeedKind::Mixed, (8, 1, paced), &exec);
    let said = sustained(&run, paced);
    assert!(said.starts_with("sustained: snapshots 2 facts 300 feed_ms 6000 "), "{said}");
    let lines: Vec<_> = run.each_lines().collect();
    assert_eq!(lines.len(), 8);
    let snapshots = lines.iter().map(|line| line.contains("path Rows"));
    assert!(snapshots.eq((0..8).map(|epoch| epoch % 4 == 0)), "{lines:#?}");
    assert_eq!(run.each.iter().map(|each| each.changes).sum::<u64>(), run.changes);
    assert_eq!(facts(&mut bench, &shape, 20, &exec).times.len(), 20);

    let bytes = bench.engine.column_bytes();
    assert!(bytes.positions > 8 * 2_000 * 9 / 10 && bytes.words >= 4 * bytes.positions, "{bytes:?}");
    let [said, read] = columns(&bench, &shape);
    assert!(said.starts_with(&format!("columns: positions {} ", bytes.positions)), "{said}");
    assert!(read.starts_with(&format!("read_once: bytes {} us ", bytes.words + bytes.bounds)), "{read}");

    let (digest, len) = saved(&bench.engine);
    let state = bench.engine.save();
    assert_eq!(digest, blake3::hash(&state).to_hex()[..16].to_owned());
    let said = save(&bench);
    assert!(said.starts_with(&format!("save: bytes {len} ")) && said.ends_with(&digest), "{said}");
    // A save of 2 000 accounts is three pieces, with two steps between them.
    let said = saving(&mut bench, &shape, (40, paced), &exec);
    assert!(
        said[0].starts_with("steps_alone: times ") && said[1].starts_with("steps_beside: times "),
        "{said:?}"
    );
    assert!(said[2].contains(" saves 8 "), "{said:?}");
    let (digest, _) = saved(&bench.engine);
    let said = load(&mut bench, &shape, &exec);
    assert!(said.starts_with("load: accounts 2000 ") && said.ends_with(&digest), "{said}");
    // The book goes on.
    assert_eq!(feed(&mut bench, &shape, FeedKind::Calm, (3, 1, FACTS), &exec).times.len(), 3);
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

#[test]
fn the_service_is_measured_over_its_own_face() {
    let Some(binary) = std::env::var_os("PLIMSOLL_BIN") else {
        println!("skipped: PLIMSOLL_BIN names no binary");
        return;
    };
    let data = std::env::temp_dir().join(format!("plimsoll-bench-{}", std::process::id()));
    let plan = Plan {
        binary: binary.into(),
        data: data.clone(),
        accounts: 500,
        batches: 8,
        singles: 200,
        snapshots: 4,
        every: Duration::from_millis(50),
        listeners: 20,
        restarts: 2,
    };
    let mut lines = Vec::new();
    service::run(&plan, |line| lines.push(line));
    let words = [
        "open:",
        "batches:",
        "singles:",
        "first:",
        "snapshots:",
        "pieces:",
        "listened:",
        "pauses:",
        "sizes:",
        "restarts:",
        "kills:",
        "end:",
    ];
    assert_eq!(lines.len(), words.len());
    assert!(lines.iter().zip(words).all(|(line, word)| line.starts_with(word)), "{lines:?}");
    let tiers: u64 = lines[11].split([':', ',', ' ', '}']).filter_map(|word| word.parse::<u64>().ok()).sum();
    assert_eq!(tiers, 500, "every account has a tier: {}", lines[11]);
    std::fs::remove_dir_all(&data).expect("removed");
    std::fs::remove_file(data.with_extension("log")).expect("removed");
}
