//! Feeds move as their kinds say.

use plimsoll_broker::{Book, Counter, Facts, Feed, FeedEpoch, FeedKind, Profile, Universe};
use plimsoll_engine::num::Date;

const FIRST_DAY: Date = Date(20_472);

fn universe() -> Universe {
    Universe::new(5, 1_000, FIRST_DAY, 8)
}

/// Mean price in parts of the close, 1/10 000.
fn level(universe: &Universe, epoch: &FeedEpoch) -> i64 {
    let parts = epoch
        .ticks
        .iter()
        .map(|tick| tick.price * 10_000 / universe.securities[tick.security as usize].close);
    parts.sum::<i64>() / epoch.ticks.len() as i64
}

fn run(feed: &mut Feed<'_>, epochs: usize) -> FeedEpoch {
    let mut epoch = FeedEpoch::default();
    (0..epochs).for_each(|_| feed.next_epoch(&mut epoch));
    epoch
}

#[test]
fn a_crash_takes_a_tenth_and_gives_half_back() {
    let universe = universe();
    let mut feed = Feed::new(FeedKind::Crash, &universe, 1);
    let down = level(&universe, &run(&mut feed, 100));
    assert!((8_900..9_250).contains(&down), "{down}");
    let up = level(&universe, &run(&mut feed, 100));
    assert!((9_350..9_700).contains(&up), "{up}");
}

#[test]
fn a_calm_snapshot_moves_about_a_thousandth() {
    let universe = universe();
    let mut feed = Feed::new(FeedKind::Calm, &universe, 1);
    let before = run(&mut feed, 1);
    let after = run(&mut feed, 1);
    let moves: i64 = before
        .ticks
        .iter()
        .zip(&after.ticks)
        .map(|(a, b)| (b.price - a.price).abs() * 1_000_000 / a.price)
        .sum();
    let mean = moves / before.ticks.len() as i64;
    assert!((400..1_600).contains(&mean), "{mean} millionths");
}

#[test]
fn ticks_come_one_by_one_and_popular_ones_more_often() {
    let universe = universe();
    let mut feed = Feed::new(FeedKind::Ticks, &universe, 1);
    let mut hits = vec![0; universe.securities.len()];
    let mut epoch = FeedEpoch::default();
    for _ in 0..20_000 {
        feed.next_epoch(&mut epoch);
        assert_eq!(epoch.ticks.len(), 1);
        hits[epoch.ticks[0].security as usize] += 1;
    }
    let of = |rank: usize| hits[universe.ranking[rank] as usize];
    assert!(of(0) > 100 && of(0) > 4 * of(500));
}

#[test]
fn adversarial_prices_swing_around_the_lines() {
    let universe = universe();
    let mut feed = Feed::new(FeedKind::Adversarial, &universe, 1);
    let levels: Vec<i64> = (0..40).map(|_| level(&universe, &run(&mut feed, 1))).collect();
    assert!(levels[1..].windows(2).all(|pair| (pair[0] - pair[1]).abs() > 10), "{levels:?}");
    let spread = levels[1..].iter().max().unwrap() - levels[1..].iter().min().unwrap();
    assert!(spread < 150, "{levels:?}");
}

#[test]
fn a_mixed_feed_has_facts_between_snapshots() {
    let universe = universe();
    let book = Book::new(&universe, 5, 500, Profile::Stress, 8, FIRST_DAY);
    let counter = Counter::new(&book, 5, Profile::Stress, FIRST_DAY);
    let mut feed =
        Feed::new(FeedKind::Mixed, &universe, 1).with_counter(counter, Facts { at_once: 300, epochs: 1 });
    let (snapshot, facts) = (run(&mut feed, 1), run(&mut feed, 1));
    assert!(snapshot.facts.is_empty() && !snapshot.ticks.is_empty());
    assert!(facts.ticks.is_empty() && facts.facts.len() > 200);
}
