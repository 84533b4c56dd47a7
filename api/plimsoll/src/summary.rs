//! What a risk officer wants to know of a replay: tiers over the day, the worst accounts, what was
//! refused, and how fast it went.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use plimsoll_engine::effect::{Alarm, Effect, Out, Tier, Verdict};
use plimsoll_engine::input::Code;
use plimsoll_engine::num::{Time, YUAN};
use plimsoll_engine::{AccountView, Engine};
use plimsoll_wire::names::Names;
use plimsoll_wire::time::write_time;

/// Tiers are shown once per this much of engine time.
const SLICE_US: i64 = 30 * 60 * 1_000_000;
/// At most this many slices are shown; a long replay shows its last ones.
const SLICES: usize = 40;
/// So many of the worst accounts are listed.
const WORST: usize = 10;

/// Accounts in each tier that is announced: watch … insolvent.
type Tally = [i64; 5];

/// What is counted along the way.
#[derive(Default)]
pub struct Summary {
    inputs: u64,
    duplicates: u64,
    refused: BTreeMap<Code, u64>,
    alarms: BTreeMap<&'static str, u64>,
    worsened: u64,
    now: Tally,
    over_time: Vec<(Time, Tally)>,
}

impl Summary {
    /// Counts one epoch.
    pub fn count(&mut self, clock: Time, out: &Out) {
        self.inputs += out.verdicts.len() as u64;
        for verdict in &out.verdicts {
            match verdict {
                Verdict::Accepted => {}
                Verdict::Duplicate => self.duplicates += 1,
                Verdict::Refused(code) => *self.refused.entry(*code).or_default() += 1,
            }
        }
        for effect in &out.effects {
            match effect {
                Effect::TierChanged(changed) => {
                    self.worsened += u64::from(changed.to > changed.from);
                    self.add(changed.from, -1);
                    self.add(changed.to, 1);
                }
                Effect::Alarm(alarm, _) => *self.alarms.entry(word(alarm)).or_default() += 1,
                Effect::Refused { .. } | Effect::Restricted(..) | Effect::Lifted(..) => {}
            }
        }
        let slice = clock.0.div_euclid(SLICE_US);
        match self.over_time.last_mut() {
            Some((at, tally)) if at.0.div_euclid(SLICE_US) == slice => {
                *at = clock;
                *tally = self.now;
            }
            _ => self.over_time.push((clock, self.now)),
        }
    }

    fn add(&mut self, tier: Tier, by: i64) {
        if tier >= Tier::Watch {
            self.now[tier as usize - Tier::Watch as usize] += by;
        }
    }

    /// The text of it.
    #[must_use]
    pub fn text(&self, engine: &Engine, names: &Names, took: Duration) -> String {
        let mut text = String::new();
        self.tiers(&mut text);
        worst(&mut text, engine, names);
        let seconds = took.as_secs_f64().max(1e-9);
        let _ = writeln!(
            text,
            "\n{} inputs in {} epochs over {} accounts, {:.2} s: {:.0} inputs/s",
            self.inputs,
            engine.epoch(),
            engine.accounts(),
            seconds,
            self.inputs as f64 / seconds
        );
        let _ =
            writeln!(text, "{} changes of tier to the worse, {} duplicates", self.worsened, self.duplicates);
        for (code, count) in &self.refused {
            let _ = writeln!(text, "refused {}: {count}", code.word());
        }
        for (kind, count) in &self.alarms {
            let _ = writeln!(text, "alarm {kind}: {count}");
        }
        text
    }

    fn tiers(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "{:<29} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "accounts per tier", "watch", "warning", "call", "immediate", "insolvent"
        );
        let hidden = self.over_time.len().saturating_sub(SLICES);
        for (at, tally) in &self.over_time[hidden..] {
            let mut time = Vec::new();
            write_time(&mut time, *at);
            let _ = write!(text, "{:<29}", String::from_utf8_lossy(&time));
            for count in tally {
                let _ = write!(text, " {count:>9}");
            }
            text.push('\n');
        }
    }
}

fn word(alarm: &Alarm) -> &'static str {
    match alarm {
        Alarm::Gap(..) => "gap",
        Alarm::Unmarked(_) => "unmarked",
        Alarm::Suspect(_) => "suspect",
        Alarm::AgainstRestriction(..) => "against_restriction",
    }
}

fn worst(text: &mut String, engine: &Engine, names: &Names) {
    let mut all: Vec<AccountView> = (0..engine.accounts())
        .map(|ordinal| engine.account(ordinal))
        .filter(|view| view.figures.valued.as_ref().is_some_and(|v| v.debts > 0))
        .collect();
    let parts = |view: &AccountView| view.figures.valued.as_ref().map_or((0, 1), |v| (v.assets, v.debts));
    all.sort_by_cached_key(|view| {
        let (assets, debts) = parts(view);
        // Exact enough to rank: the ratio in millionths.
        assets * 1_000_000 / debts
    });
    let _ = writeln!(
        text,
        "\n{:<16} {:<10} {:>10} {:>18} {:>18}",
        "worst accounts", "tier", "ratio", "assets", "debts"
    );
    for view in all.iter().take(WORST) {
        let (assets, debts) = parts(view);
        let millionths = assets * 1_000_000 / debts;
        let sign = if millionths < 0 { "-" } else { "" };
        let ratio = format!("{sign}{}.{:06}", millionths.abs() / 1_000_000, millionths.abs() % 1_000_000);
        let yuan = |money: i128| money / i128::from(YUAN);
        let _ = writeln!(
            text,
            "{:<16} {:<10} {ratio:>10} {:>18} {:>18}",
            names.account(view.account),
            view.tier.word(),
            yuan(assets),
            yuan(debts)
        );
    }
}

/// How long each input took, and the memory held.
#[must_use]
pub fn timings(files: &[(String, u64, Duration)]) -> String {
    let mut text = format!("{:>12} {:>9} {:>13}  input\n", "records", "seconds", "records/s");
    for (name, records, took) in files {
        let seconds = took.as_secs_f64().max(1e-9);
        let name = name.rsplit('/').next().unwrap_or(name);
        let _ = writeln!(text, "{records:>12} {seconds:>9.4} {:>13.0}  {name}", *records as f64 / seconds);
    }
    if let (Some(now), Some(peak)) = (memory_kib("VmRSS:"), memory_kib("VmHWM:")) {
        let _ = writeln!(text, "memory {} MiB, at most {} MiB", now / 1024, peak / 1024);
    }
    text
}

/// A figure of the process's memory, where the system tells.
fn memory_kib(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
