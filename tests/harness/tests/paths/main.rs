//! However the core finds the accounts near a line — lists of holders, passes over rows, or a plain
//! sweep of all of them, over one lane or three — it gives the same effects, in the same order, with
//! the same causes, and the tiers that a plain recomputation gives.
//!
//! `PLIMSOLL_PATHS_EPOCHS` sets how many epochs are compared; `scripts/soak paths` takes a million.

mod answers;
mod world;

use plimsoll_engine::effect::{Effect, Out, Tier};
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::rules::Rules;
use plimsoll_engine::{Engine, Path, Paths, Sequential};
use world::{Feed, World};

const BAND: i128 = 200;
/// Epochs compared by a run of the tests.
const FULL: u64 = 20_000;
/// Epochs of one book.
const EPOCHS: u64 = 500;

/// The tier of assets and debts above zero by the text of domain.md §6, and nothing else.
fn recomputed(lines: &[Option<i128>; 5], tier: Tier, assets: i128, debts: i128, settles: bool) -> Tier {
    let by = |band: i128| {
        let below = |line: &Option<i128>| line.is_some_and(|line| assets * 10_000 < (line + band) * debts);
        (0..5).rev().find(|&k| below(&lines[k])).map_or(Tier::Normal, |k| Tier::ALL[k + 2])
    };
    let (raw, calm) = (by(0), by(if settles { 0 } else { BAND }));
    match tier {
        Tier::None => raw,
        _ if raw > tier => raw,
        _ if calm < tier => calm,
        _ => tier,
    }
}

/// Compares every account that has a ratio with the tier a plain recomputation moves it to.
fn compare_tiers(world: &World, engine: &Engine, tiers: &mut [Tier], settles: bool, seed: u64) {
    for (account, tier) in tiers.iter_mut().enumerate() {
        let view = engine.account(account as u32);
        if let Some(valued) = &view.figures.valued {
            let (assets, debts) = (valued.assets, valued.debts);
            let plain = match debts {
                0 => Tier::None,
                _ => recomputed(&world.lines[account], *tier, assets, debts, settles),
            };
            assert_eq!(view.tier, plain, "seed {seed}, epoch {}, account {account}", engine.epoch());
        }
        *tier = view.tier;
    }
}

fn engine(lanes: usize, paths: Paths) -> Engine {
    Engine::new(&PolicyDraft::default(), Rules::default(), lanes).expect("a policy").with_paths(paths)
}

/// What a kind of epochs came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    epochs: u64,
    /// Epochs and crossings by path, in the order of [`Path`].
    by_path: [(u64, u64); 4],
}

fn crossings(out: &Out) -> u64 {
    out.effects.iter().filter(|effect| matches!(effect, Effect::TierChanged(_))).count() as u64
}

/// Runs one book down every path.
fn run(seed: u64, tallies: &mut [Tally; 2]) {
    let mut world = World::new(seed);
    let mut auto = engine(1 + seed as usize % 3, Paths::Auto);
    let others = [(1, Paths::Sweep), (3, Paths::Holders)];
    let mut others = others.map(|(lanes, paths)| (engine(lanes, paths), Out::default()));
    let (mut out, mut tiers) = (Out::default(), vec![Tier::None; world.accounts]);
    for number in 1..=EPOCHS {
        let settles = world.next_epoch();
        let stats = auto.step(&world.epoch, &Sequential, &mut out);
        for (other, given) in &mut others {
            other.step(&world.epoch, &Sequential, given);
            assert!(*given == out, "seed {seed}, epoch {number}:\n{given:?}\n{out:?}");
        }
        if number > 1 {
            compare_tiers(&world, &auto, &mut tiers, settles, seed);
        }
        let ticks = world.feed == Feed::Ticks;
        let tally = &mut tallies[usize::from(!ticks)];
        tally.epochs += 1;
        tally.by_path[stats.path as usize].0 += 1;
        tally.by_path[stats.path as usize].1 += crossings(&out);
        world.stepped();
    }
    for (other, _) in &others {
        assert_eq!(other.state_hash(), auto.state_hash(), "seed {seed}");
    }
}

/// A lane forgets agreements that nobody is under any more: here there are far more than accounts.
#[test]
fn lines_of_agreements_that_come_and_go_are_those_in_force() {
    const AGREEMENTS: u64 = 1_000;
    let (mut world, mut engine) = (World::new(1), engine(2, Paths::Auto));
    let (mut out, mut tiers) = (Out::default(), vec![Tier::None; world.accounts]);
    let mut changes = 0;
    for number in 1..=2 * AGREEMENTS {
        match number {
            1 | 2 => drop(world.next_epoch()),
            _ if number.is_multiple_of(2) => world.state_lines(number as usize % world.accounts),
            _ => world.prices(),
        }
        engine.step(&world.epoch, &Sequential, &mut out);
        if number > 1 {
            compare_tiers(&world, &engine, &mut tiers, false, 1);
        }
        changes += crossings(&out);
        world.stepped();
    }
    assert!(changes > 100, "{changes}");
}

#[test]
fn every_path_gives_the_same_effects_and_the_tiers_of_a_plain_recomputation() {
    let asked = std::env::var("PLIMSOLL_PATHS_EPOCHS").ok().and_then(|text| text.parse().ok());
    let epochs: u64 = asked.unwrap_or(FULL);
    let mut tallies = [Tally::default(); 2];
    for seed in 0..epochs.div_ceil(EPOCHS) {
        run(seed, &mut tallies);
    }
    let paths = [Path::Inputs, Path::Holders, Path::Rows, Path::Every];
    for (name, tally) in ["ticks", "snapshots"].iter().zip(&tallies) {
        println!("{name}: {} epochs", tally.epochs);
        for (path, (epochs, crossings)) in paths.iter().zip(tally.by_path) {
            println!("  {path:?}: {epochs} epochs, {crossings} crossings");
        }
    }
    if epochs < FULL {
        println!("too few epochs to ask for their coverage");
        return;
    }
    // Each path where it is the one to take: lists for ticks, passes for snapshots.
    for (tally, path) in
        [(&tallies[0], Path::Holders), (&tallies[1], Path::Rows), (&tallies[1], Path::Inputs)]
    {
        let (epochs, crossings) = tally.by_path[path as usize];
        assert!(5 * epochs >= tally.epochs, "{path:?} decided {epochs} of {}", tally.epochs);
        assert!(crossings >= 1_000, "{path:?} found {crossings} crossings");
    }
}
