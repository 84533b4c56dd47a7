//! What the streams really reached, counted from what came back and not from what was meant.

use crate::CODES;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

/// Tiers a `tier_changed` may name.
const TIERS: [&str; 7] = ["none", "normal", "watch", "warning", "call", "immediate", "insolvent"];
/// A group of buckets whose shares are judged against the group's total.
struct Group {
    name: &'static str,
    /// Whether a bucket below 0.5 % fails.
    judged: bool,
    buckets: fn() -> Vec<String>,
}

fn owned(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn tier_buckets() -> Vec<String> {
    let bases = ["intraday", "settlement"];
    TIERS.iter().flat_map(|tier| bases.map(|basis| format!("{tier} {basis}"))).collect()
}

const GROUPS: [Group; 9] = [
    Group { name: "tier x basis", judged: true, buckets: tier_buckets },
    Group { name: "fill side", judged: true, buckets: || owned(&super::swarm::SIDES) },
    Group { name: "refusal code", judged: true, buckets: || owned(&CODES) },
    Group { name: "board", judged: true, buckets: || owned(&["main", "star", "chinext", "bse"]) },
    Group { name: "path", judged: true, buckets: || owned(&["fast", "wide"]) },
    Group {
        name: "alarm",
        judged: true,
        buckets: || owned(&["gap", "unmarked", "suspect", "against_restriction"]),
    },
    Group {
        name: "cause",
        judged: false,
        buckets: || {
            owned(&[
                "price",
                "mark",
                "security",
                "calendar",
                "opening",
                "cash",
                "transfer",
                "fill",
                "repay",
                "interest",
                "other_collateral",
                "corporate_action",
                "lines",
                "policy",
                "band",
            ])
        },
    },
    Group { name: "restriction", judged: true, buckets: || owned(&["restricted", "lifted"]) },
    Group { name: "figures", judged: false, buckets: || owned(&["unmarked", "cure", "no debt"]) },
];

/// Counts by group and bucket.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<(&'static str, String), u64>,
    /// Account lines of the trace.
    pub account_epochs: u64,
    /// Streams counted.
    pub streams: u64,
}

/// The text of a member in a line the programs wrote; their lines have no spaces.
pub(super) fn member<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let start = line.find(key)? + key.len();
    line[start..].split('"').next()
}

fn units(decimal: &str) -> Option<i128> {
    let (whole, part) = decimal.split_once('.')?;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    Some(whole.parse::<i128>().ok()? * 10_000 + sign * part.parse::<i128>().ok()?)
}

impl Coverage {
    fn count(&mut self, group: &'static str, bucket: &str) {
        *self.counts.entry((group, bucket.to_owned())).or_default() += 1;
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
        self.account_epochs += other.account_epochs;
        self.streams += other.streams;
    }

    /// Counts one stream by its lines and what came back.
    pub fn take(&mut self, lines: &[String], effects: &str, trace: &str) {
        self.streams += 1;
        let mut refused = HashSet::new();
        for line in effects.lines() {
            self.take_effect(line, &mut refused);
        }
        self.take_inputs(lines, &refused);
        for line in trace.lines() {
            self.take_figures(line);
        }
    }

    fn take_effect(&mut self, line: &str, refused: &mut HashSet<String>) {
        match member(line, "\"type\":\"") {
            Some("tier_changed") => {
                let to = member(line, ",\"to\":\"").unwrap_or("");
                let basis = member(line, ",\"basis\":\"").unwrap_or("");
                self.count("tier x basis", &format!("{to} {basis}"));
                let cause = member(line, "\"cause\":{\"kind\":\"").unwrap_or("");
                self.count("cause", cause);
            }
            Some("refused") => {
                self.count("refusal code", member(line, "},\"code\":\"").unwrap_or(""));
                if let Ok(effect) = serde_json::from_str::<Value>(line) {
                    refused.insert(name(&effect["input"]));
                }
            }
            Some("alarm") => self.count("alarm", member(line, "\"kind\":\"").unwrap_or("")),
            Some("restricted") => self.count("restriction", "restricted"),
            Some("lifted") => self.count("restriction", "lifted"),
            _ => {}
        }
    }

    /// Counts what was accepted: neither refused nor seen before.
    fn take_inputs(&mut self, lines: &[String], refused: &HashSet<String>) {
        let mut seen = HashSet::new();
        let mut highest: HashMap<String, i64> = HashMap::new();
        let mut boards = BTreeSet::new();
        for line in lines {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let first = match event["source_seq"].as_i64() {
                Some(number) => {
                    let source = event["source"].as_str().unwrap_or("").to_owned();
                    let highest = highest.entry(source).or_insert(-1);
                    let first = number > *highest;
                    *highest = number.max(*highest);
                    first
                }
                None => seen.insert(name(&event)),
            };
            if !first || refused.contains(&name(&event)) {
                continue;
            }
            match event["type"].as_str() {
                Some("fill") => {
                    self.count("fill side", event["side"].as_str().unwrap_or(""));
                }
                Some("security") => {
                    let pair = (event["security"].as_str(), event["board"].as_str());
                    if let (Some(code), Some(board)) = pair {
                        boards.insert((code.to_owned(), board.to_owned()));
                    }
                }
                _ => {}
            }
        }
        for (_, board) in boards {
            self.count("board", &board);
        }
    }

    fn take_figures(&mut self, line: &str) {
        self.account_epochs += 1;
        let assets = member(line, "\"assets\":\"").and_then(units);
        let debts = member(line, "\"debts\":\"").and_then(units);
        if line.contains("\"assets\":null") || line.contains("\"debts\":null") {
            self.count("figures", "unmarked");
        } else if line.contains("\"ratio\":null") {
            self.count("figures", "no debt");
        }
        if line.contains("\"cure\":{") {
            self.count("figures", "cure");
        }
        // What a 64-bit test of A x 10 000 against line x D has to hold, with the line a little above 3.
        let (assets, debts) = (assets.unwrap_or(0), debts.unwrap_or(0));
        let wide = (assets.abs() * 10_000).max(debts * 30_000) > i128::from(i64::MAX);
        self.count("path", if wide { "wide" } else { "fast" });
    }

    fn total(&self, group: &str) -> u64 {
        self.counts.iter().filter(|((g, _), _)| *g == group).map(|(_, n)| n).sum()
    }

    /// All counts as a table.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} streams, {} account-epochs", self.streams, self.account_epochs);
        for group in &GROUPS {
            let total = self.total(group.name);
            let _ = writeln!(out, "{} ({total})", group.name);
            let mut buckets = (group.buckets)();
            for (name, bucket) in self.counts.keys() {
                if *name == group.name && !buckets.contains(bucket) {
                    buckets.push(bucket.clone());
                }
            }
            for bucket in buckets {
                let count = self.counts.get(&(group.name, bucket.clone())).copied().unwrap_or(0);
                let share = count * 10_000 / total.max(1);
                let _ = writeln!(out, "  {bucket:<24}{count:>10}{:>5}.{:02} %", share / 100, share % 100);
            }
        }
        out
    }

    /// The buckets below 0.5 % of their group.
    pub fn thin(&self) -> Vec<String> {
        let mut thin = Vec::new();
        for group in GROUPS.iter().filter(|group| group.judged) {
            let total = self.total(group.name);
            for bucket in (group.buckets)() {
                let count = self.counts.get(&(group.name, bucket.clone())).copied().unwrap_or(0);
                if count * 200 < total.max(1) {
                    thin.push(format!("{}: {bucket} {count} of {total}", group.name));
                }
            }
        }
        thin
    }
}

fn name(event: &Value) -> String {
    let part = |key: &str| event[key].as_str().unwrap_or("").to_owned();
    format!("{}/{}", part("source"), part("id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_units_are_read_from_a_line() {
        let line = r#"{"type":"tier_changed","to":"call","assets":"-12.0340"}"#;
        assert_eq!(member(line, "\"to\":\""), Some("call"));
        assert_eq!(member(line, "\"assets\":\"").and_then(units), Some(-120_340));
    }
}
