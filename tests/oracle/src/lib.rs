//! A second reading of the contract of events and arithmetic, naive on purpose.
//!
//! It parses the event files itself, cuts epochs itself, keeps balances in plain maps of big integers and computes every
//! account from scratch at the end of every epoch. It shares no code with the product, so that the two can be compared to
//! the last byte. Where the contract leaves a choice, `READINGS.md` beside this crate says which one was taken.

mod account;
mod actions;
mod cause;
mod cutter;
mod engine;
mod fills;
#[cfg(test)]
mod fills_tests;
mod inputs;
mod json;
mod market;
mod metrics;
mod num;
mod policy;
mod tables;
mod tiers;
mod time;
mod toml;
mod wire;

use std::fmt;
use std::path::PathBuf;

use cutter::Cutter;
use engine::Engine;

/// Where a replay stops early.
#[derive(Clone, Copy, Debug)]
pub enum AsOf {
    /// Before the first epoch later than this instant, in microseconds since 1970 in UTC.
    Time(i64),
    /// After this epoch.
    Seq(u64),
}

impl AsOf {
    /// Reads the argument of `--as-of`: digits alone are an epoch, anything else is a time.
    pub fn parse(text: &str) -> Option<AsOf> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(AsOf::Seq);
        }
        time::instant(text).map(AsOf::Time)
    }
}

/// What a replay should do besides the default.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// Where to stop.
    pub as_of: Option<AsOf>,
    /// Whether to write the state lines of all accounts after every epoch.
    pub trace: bool,
    /// A folder of rule tables in place of the shipped ones.
    pub rules: Option<PathBuf>,
}

/// What a replay wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Effects as lines.
    pub effects: String,
    /// One line for every account at the end.
    pub state: String,
    /// The same after every epoch, if wanted.
    pub trace: String,
}

/// Why a replay could not be done at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Fatal {
    /// A line that is no JSON object in UTF-8.
    NoEvent {
        /// Name of the file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
    },
    /// Faults of the policy file.
    Policy(Vec<String>),
    /// Rule tables that do not read.
    Rules(String),
}

impl fmt::Display for Fatal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fatal::NoEvent { file, line } => write!(out, "{file}:{line}: no JSON object in UTF-8"),
            Fatal::Policy(faults) => write!(out, "policy: {}", faults.join("; ")),
            Fatal::Rules(what) => write!(out, "rules: {what}"),
        }
    }
}

impl std::error::Error for Fatal {}

/// Replays event files in the order given under a policy.
pub fn replay(inputs: &[(&str, &[u8])], policy: Option<&str>, want: Want) -> Result<Output, Fatal> {
    let tables = tables::Tables::load(want.rules.as_deref()).map_err(Fatal::Rules)?;
    let tree = toml::parse(policy.unwrap_or("")).map_err(|what| Fatal::Policy(vec![what]))?;
    let policy = policy::read(&tree, &tables)
        .map_err(|faults| Fatal::Policy(faults.into_iter().map(|fault| fault.text).collect()))?;
    let mut engine = Engine::new(tables, policy, want.trace);
    run(inputs, &mut engine, want.as_of)?;
    Ok(Output { state: engine.state(), effects: engine.effects, trace: engine.trace.unwrap_or_default() })
}

/// Feeds the lines through the cutter; returns early where the replay is to stop.
fn run(inputs: &[(&str, &[u8])], engine: &mut Engine, as_of: Option<AsOf>) -> Result<(), Fatal> {
    let mut cutter = Cutter::default();
    let done = |engine: &Engine| matches!(as_of, Some(AsOf::Seq(seq)) if engine.seq >= seq);
    let too_late =
        |clock: Option<i64>| matches!((as_of, clock), (Some(AsOf::Time(t)), Some(clock)) if clock > t);
    if done(engine) {
        return Ok(());
    }
    let mut open = false;
    for (file, bytes) in inputs {
        for (number, bytes) in bytes.split(|b| *b == b'\n').enumerate() {
            if bytes.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
                continue;
            }
            let line = cutter.read(bytes);
            let line = line.ok_or_else(|| Fatal::NoEvent { file: (*file).to_owned(), line: number + 1 })?;
            if cutter.cuts(&line) {
                engine.epoch(&cutter.close());
                if done(engine) {
                    return Ok(());
                }
            }
            if too_late(cutter.clock_with(&line)) {
                return Ok(());
            }
            cutter.add(line);
            open = true;
        }
    }
    if open {
        engine.epoch(&cutter.close());
    }
    Ok(())
}
