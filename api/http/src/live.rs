//! The picture of the run that a page shows: tiers now and over the day, newest warnings, health.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use plimsoll_engine::Engine;
use plimsoll_engine::effect::Tier;
use plimsoll_engine::num::Time;
use plimsoll_log::Epoch;
use plimsoll_service::run::Committed;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Samples of a day that are kept, at most; their distance doubles where there would be more.
const SAMPLES: usize = 500;
/// Their distance at first.
const SAMPLE_US: i64 = 1_000_000;
/// Warnings that are kept.
const NEWEST: usize = 50;
/// Commits by which pace and latency are told.
const COMMITS: usize = 512;
/// The time over which the pace is told.
const PACE: Duration = Duration::from_secs(5);

/// Accounts by tier.
pub(crate) type Tiers = [u64; Tier::ALL.len()];

/// What is kept of the run beside its book.
#[derive(Debug)]
pub struct Live {
    day: Vec<(Time, Tiers)>,
    every_us: i64,
    newest: VecDeque<Box<RawValue>>,
    commits: VecDeque<(Instant, u64, Duration)>,
}

#[derive(Deserialize)]
struct Change<'a> {
    r#type: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

impl Default for Live {
    fn default() -> Self {
        Live { day: Vec::new(), every_us: SAMPLE_US, newest: VecDeque::new(), commits: VecDeque::new() }
    }
}

impl Live {
    /// Takes an epoch that was recomputed on the way to here.
    pub fn recovered(&mut self, engine: &Engine, epoch: &Epoch) {
        // A state hash stands in the epoch that begins a day.
        self.take(engine, epoch.record.state.is_some(), &epoch.effects);
    }

    /// Takes an epoch that was committed now.
    pub(crate) fn committed(&mut self, engine: &Engine, epoch: &Committed) {
        self.take(engine, epoch.begins_a_day, &epoch.effects);
        self.commits.push_back((Instant::now(), epoch.inputs as u64, epoch.commit));
        self.commits.drain(..self.commits.len().saturating_sub(COMMITS));
    }

    fn take(&mut self, engine: &Engine, begins_a_day: bool, effects: &[u8]) {
        if begins_a_day {
            (self.day, self.every_us) = (Vec::new(), SAMPLE_US);
        }
        let clock = engine.clock();
        if self.day.last().is_none_or(|(last, _)| clock.0 - last.0 >= self.every_us) {
            self.day.push((clock, engine.tiers()));
        }
        if self.day.len() > SAMPLES {
            let mut place = 0;
            self.day.retain(|_| {
                place += 1;
                place & 1 == 1
            });
            self.every_us *= 2;
        }
        let lines = effects.rsplit(|&byte| byte == b'\n');
        let mut newest: Vec<Box<RawValue>> = lines.filter_map(warning).take(NEWEST).collect();
        while let Some(oldest) = newest.pop() {
            self.newest.push_front(oldest);
        }
        self.newest.truncate(NEWEST);
    }

    /// Tiers over the day.
    pub(crate) fn day(&self) -> &[(Time, Tiers)] {
        &self.day
    }

    /// Warnings, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &RawValue> {
        self.newest.iter().map(AsRef::as_ref)
    }

    /// Events a second over the last seconds.
    pub(crate) fn pace(&self) -> u64 {
        let lately = self.commits.iter().rev().take_while(|(at, ..)| at.elapsed() <= PACE);
        lately.map(|(_, events, _)| events).sum::<u64>() / PACE.as_secs()
    }

    /// What 99 of 100 of the last commits took at most.
    pub(crate) fn commit_p99(&self) -> Duration {
        let mut took: Vec<Duration> = self.commits.iter().map(|(.., took)| *took).collect();
        took.sort_unstable();
        took.get((took.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// An effect that tells of a worse tier than before, watch or worse.
fn warning(line: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(line).ok()?;
    let change: Change<'_> = serde_json::from_str(text).ok()?;
    let place = |word: Option<&str>| Tier::ALL.iter().position(|tier| Some(tier.word()) == word);
    let (from, to) = place(change.from).zip(place(change.to))?;
    let worse = change.r#type == "tier_changed" && to > from && to >= Tier::Watch as usize;
    worse.then(|| RawValue::from_string(text.to_owned()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_got_worse_is_a_warning() {
        let line = |kind: &str, from: &str, to: &str| {
            warning(format!(r#"{{"v":1,"type":"{kind}","from":"{from}","to":"{to}"}}"#).as_bytes()).is_some()
        };
        assert!(line("tier_changed", "normal", "watch"));
        assert!(line("tier_changed", "call", "insolvent"));
        assert!(!line("tier_changed", "watch", "normal"));
        assert!(!line("tier_changed", "none", "normal"));
        assert!(!line("restricted", "normal", "call"));
        assert!(warning(b"").is_none());
    }
}
