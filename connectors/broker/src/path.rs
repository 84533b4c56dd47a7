//! The common move of a scenario, snapshot by snapshot.

use crate::config::Scenario;
use crate::prices::{Move, Prices};

/// ln 0.9 in 1/2²⁰: the way down.
const FALL: Move = -110_479;
/// ln (0.95 / 0.9) in 1/2²⁰: half of the way back.
const RECOVERY: Move = 56_694;

/// The common moves of one day or feed.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    scenario: Scenario,
    snapshots: usize,
    /// Snapshots of the way down.
    fall: usize,
    done: usize,
}

impl Path {
    /// The path of a scenario over so many snapshots; a crash falls in `fall` of them, where the day has
    /// room for as many again.
    #[must_use]
    pub fn new(scenario: Scenario, snapshots: usize, fall: usize) -> Self {
        Path { scenario, snapshots, fall: fall.min(snapshots / 2).max(1), done: 0 }
    }

    /// The common move of the next snapshot.
    pub fn next(&mut self, prices: &mut Prices<'_>) -> Move {
        let common = prices.common();
        let fall = self.fall;
        let recovery = (self.snapshots - fall.min(self.snapshots)).max(1);
        let drift = match self.scenario {
            Scenario::Calm => 0,
            // Differences of the whole way, so that no step's rounding adds up.
            Scenario::Crash if self.done < fall => part(FALL, self.done, fall),
            Scenario::Crash => part(RECOVERY, self.done - fall, recovery),
        };
        self.done += 1;
        common / if self.scenario == Scenario::Crash { 2 } else { 1 } + drift
    }
}

/// The step after `done` of `steps` even steps of a way.
fn part(way: Move, done: usize, steps: usize) -> Move {
    let at = |step: usize| way * step.min(steps) as i64 / steps as i64;
    at(done + 1) - at(done)
}
