//! Feeds for measurements: epochs of prices without files, from the same prices and the same
//! counter as the files.

use crate::chance::{Dice, Purpose};
use crate::config::{FALL_SNAPSHOTS, Scenario};
use crate::counter::{Counter, Fact};
use crate::path::Path;
use crate::prices::{Move, PERMILLE, Prices, WHOLE};
use crate::universe::Universe;
use plimsoll_engine::num::Money;

/// The kinds of feeds of performance.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedKind {
    /// Snapshots that move every security by about 0.1 %.
    Calm,
    /// −10 % in 100 snapshots, then half of it back.
    Crash,
    /// Single quotes, by popularity.
    Ticks,
    /// Calm snapshots with facts of the counter between them.
    Mixed,
    /// Prices oscillate where the lines of many accounts are.
    Adversarial,
}

impl FeedKind {
    /// The kind of a name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "calm" => Some(FeedKind::Calm),
            "crash" => Some(FeedKind::Crash),
            "ticks" => Some(FeedKind::Ticks),
            "mixed" => Some(FeedKind::Mixed),
            "adversarial" => Some(FeedKind::Adversarial),
            _ => None,
        }
    }
}

/// A price that becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Place of the security.
    pub security: u32,
    /// Its price.
    pub price: Money,
}

/// One epoch: prices, or facts between two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedEpoch {
    /// Prices, each security once.
    pub ticks: Vec<Tick>,
    /// Facts.
    pub facts: Vec<Fact>,
}

/// What a mixed feed reports after each snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Facts of an epoch.
    pub at_once: usize,
    /// Epochs of facts before the next snapshot.
    pub epochs: u64,
}

/// Snapshots of the crash, down and half of the way up.
const CRASH_SNAPSHOTS: usize = 200;
/// The common fall, in 1/2²⁰, after which an account at the median ratio of 2.70 has 1.80: there,
/// prices then swing.
const TO_THE_LINES: Move = -WHOLE / 3;
/// How far prices swing to each side, in thousandths.
const SWING: i64 = 3;

/// A feed without end.
pub struct Feed<'a> {
    kind: FeedKind,
    prices: Prices<'a>,
    counter: Option<(Counter<'a>, Facts)>,
    path: Path,
    dice: Dice,
    epochs: u64,
}

impl<'a> Feed<'a> {
    /// A feed of a kind over securities.
    #[must_use]
    pub fn new(kind: FeedKind, universe: &'a Universe, seed: u64) -> Self {
        let scenario = if kind == FeedKind::Crash { Scenario::Crash } else { Scenario::Calm };
        Feed {
            kind,
            prices: Prices::new(universe, seed, kind as u64 + 1, CRASH_SNAPSHOTS),
            counter: None,
            path: Path::new(scenario, CRASH_SNAPSHOTS, FALL_SNAPSHOTS),
            dice: Dice::new(seed, Purpose::Prices, u64::MAX - kind as u64),
            epochs: 0,
        }
    }

    /// Lets a mixed feed report facts after each snapshot (30 000 are 10 000 a second).
    #[must_use]
    pub fn with_counter(mut self, counter: Counter<'a>, facts: Facts) -> Self {
        self.counter = Some((counter, facts));
        self
    }

    /// Draws the next epoch.
    pub fn next_epoch(&mut self, into: &mut FeedEpoch) {
        into.ticks.clear();
        into.facts.clear();
        self.epochs += 1;
        match (self.kind, &mut self.counter) {
            (FeedKind::Ticks, _) => {
                let security = self.prices.universe().draw(&mut self.dice);
                self.prices.step(security, 0);
                into.ticks.push(Tick { security, price: self.prices.price(security) });
                return;
            }
            (FeedKind::Mixed, Some((counter, facts))) if self.epochs % (facts.epochs + 1) != 1 => {
                into.facts.extend((0..facts.at_once).filter_map(|_| counter.fact(&self.prices)));
                return;
            }
            (FeedKind::Adversarial, _) => {
                let common = self.swing();
                self.prices.snapshot(common);
            }
            _ => {
                let common = self.path.next(&mut self.prices);
                self.prices.snapshot(common);
            }
        }
        let count = self.prices.universe().securities.len() as u32;
        into.ticks.extend(
            (0..count)
                .filter(|&security| self.prices.trades(security))
                .map(|security| Tick { security, price: self.prices.price(security) }),
        );
    }

    /// To the lines at once, then half a swing down, and full swings up and down from there.
    fn swing(&self) -> Move {
        match self.epochs {
            1 => TO_THE_LINES,
            2 => -SWING * PERMILLE,
            epoch if epoch % 2 == 1 => 2 * SWING * PERMILLE,
            _ => -2 * SWING * PERMILLE,
        }
    }
}
