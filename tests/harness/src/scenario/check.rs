//! What came back against what is told. A scenario is complete: an effect it does not tell is an error.

use crate::folder::Folder;
use crate::scenario::epochs::Epochs;
use crate::scenario::expect::Expect;
use crate::scenario::parse::{Case, epochs_of};
use crate::scenario::run::{self, Replayed};
use crate::scenario::text;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Runs one case; the answer is one text for each difference.
#[must_use]
pub fn run_case(case: &Case) -> Vec<String> {
    let folder = Folder::new("scenario");
    let replayed = match run::replay(&folder, &case.lines, case.policy.as_deref(), &case.flags) {
        Ok(replayed) => replayed,
        Err(e) => return vec![format!("{}: {e}", case.label)],
    };
    let mut found = differences(case, &replayed);
    if !found.is_empty() {
        found.push(format!("{}: files in {}", case.label, folder.keep().display()));
    }
    found
}

fn differences(case: &Case, replayed: &Replayed) -> Vec<String> {
    let epochs = epochs_of(case);
    let mut found = Vec::new();
    exit(case, replayed, &mut found);
    if found.is_empty() {
        effects(case, &epochs, replayed, &mut found);
        states(case, &epochs, replayed, &mut found);
        forms(case, &epochs, replayed, &mut found);
    }
    found
}

/// The exit status, and the words of a replay that stops.
fn exit(case: &Case, replayed: &Replayed, found: &mut Vec<String>) {
    let stops = case.expects.iter().find_map(|e| match &e.what {
        Expect::Stops(words) => Some((e.line, words)),
        _ => None,
    });
    match (stops, replayed.status) {
        (None, Some(0)) => {}
        (None, status) => {
            found.push(format!("{}: exit status {status:?}, it said: {}", case.label, replayed.said.trim()))
        }
        (Some((line, words)), Some(1)) => {
            for word in words {
                if !replayed.said.contains(word.as_str()) {
                    found.push(format!(
                        "{}:{line}: stopped without a word of `{word}`: {}",
                        case.file,
                        replayed.said.trim()
                    ));
                }
            }
            if !replayed.state.is_empty() {
                found.push(format!("{}:{line}: a replay that stopped wrote a state", case.file));
            }
        }
        (Some((line, _)), status) => found.push(format!(
            "{}:{line}: should stop with status 1, ended with {status:?}: {}",
            case.file,
            replayed.said.trim()
        )),
    }
}

/// Refusals and alarms of inputs come first, then `unmarked` alarms, then the accounts' effects.
fn rank(kind: &str, alarm: Option<&str>) -> u8 {
    match (kind, alarm) {
        ("alarm", Some("unmarked")) => 1,
        ("refused" | "alarm", _) => 0,
        _ => 2,
    }
}

fn effects(case: &Case, epochs: &Epochs, replayed: &Replayed, found: &mut Vec<String>) {
    type Told<'a> = (usize, &'static str, &'a [(String, Value)]);
    let mut told: BTreeMap<u64, Vec<Told>> = BTreeMap::new();
    let mut quiet: Vec<(usize, u64)> = Vec::new();
    for expected in &case.expects {
        let epoch = epoch_of(epochs, expected.after);
        match &expected.what {
            Expect::Effect { kind, members } => {
                told.entry(epoch).or_default().push((expected.line, kind, members));
            }
            Expect::Nothing => quiet.push((expected.line, epoch)),
            Expect::State { .. } | Expect::Stops(_) => {}
        }
    }
    let mut came: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for effect in &replayed.effects {
        let epoch = effect["seq"].as_u64().unwrap_or(0);
        came.entry(epoch).or_default().push(effect);
    }
    for (line, epoch) in quiet {
        for effect in came.get(&epoch).into_iter().flatten() {
            found.push(format!("{}:{line}: expected nothing, got {}", case.file, show(effect)));
        }
    }
    let mut all: Vec<u64> = told.keys().chain(came.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    for epoch in all {
        let mut told = told.remove(&epoch).unwrap_or_default();
        told.sort_by_key(|(_, kind, members)| {
            let alarm = members.iter().find(|(p, _)| p == "kind");
            rank(kind, alarm.and_then(|(_, v)| v.as_str()))
        });
        let came = came.remove(&epoch).unwrap_or_default();
        for nth in 0..told.len().max(came.len()) {
            match (told.get(nth), came.get(nth)) {
                (Some((line, kind, members)), Some(effect)) => {
                    compare_effect(case, *line, kind, members, effect, found);
                }
                (Some((line, kind, members)), None) => found.push(format!(
                    "{}:{line}: epoch {epoch}: expected {kind} {}, nothing came",
                    case.file,
                    show_members(members)
                )),
                (None, Some(effect)) => found.push(format!(
                    "{}: epoch {epoch} (after line {}): not told: {}",
                    case.label,
                    line_of_epoch(case, epochs, epoch),
                    show(effect)
                )),
                (None, None) => {}
            }
        }
    }
}

fn compare_effect(
    case: &Case,
    line: usize,
    kind: &str,
    members: &[(String, Value)],
    effect: &Value,
    found: &mut Vec<String>,
) {
    if effect["type"] != kind {
        found.push(format!(
            "{}:{line}: expected {kind} {}, got {}",
            case.file,
            show_members(members),
            show(effect)
        ));
        return;
    }
    for (path, want) in members {
        let got = member(effect, path);
        if !same(want, got) {
            found.push(format!(
                "{}:{line}: {kind} {path}: expected {}, got {} in {}",
                case.file,
                plain(want),
                plain(got),
                show(effect)
            ));
        }
    }
}

fn states(case: &Case, epochs: &Epochs, replayed: &Replayed, found: &mut Vec<String>) {
    let stopped = replayed.status != Some(0);
    for expected in &case.expects {
        let Expect::State { account, members } = &expected.what else {
            continue;
        };
        let epoch = epoch_of(epochs, expected.after);
        let place = format!("{}:{}", case.file, expected.line);
        let state = replayed
            .trace
            .iter()
            .find(|s| s["seq"].as_u64() == Some(epoch) && s["account"] == account.as_str());
        let Some(state) = state else {
            found.push(format!("{place}: no state of {account} after epoch {epoch}"));
            continue;
        };
        for (path, want) in members {
            let got = member(state, path);
            if !same(want, got) {
                found.push(format!(
                    "{place}: {account} {path}: expected {}, got {} (epoch {epoch})",
                    plain(want),
                    plain(got)
                ));
            }
        }
    }
    if !stopped {
        end_state(case, replayed, found);
    }
}

/// The state at the end is the trace of the last epoch.
fn end_state(case: &Case, replayed: &Replayed, found: &mut Vec<String>) {
    let last = replayed.trace.iter().filter_map(|s| s["seq"].as_u64()).max();
    let traced: Vec<Value> = replayed
        .trace
        .iter()
        .filter(|s| s["seq"].as_u64() == last)
        .map(|s| {
            let mut s = s.clone();
            if let Some(members) = s.as_object_mut() {
                members.remove("seq");
            }
            s
        })
        .collect();
    if traced != replayed.state {
        found.push(format!("{}: --state and the last epoch of --trace differ", case.label));
    }
}

/// What holds for every effect and state line, whatever the scenario.
fn forms(case: &Case, epochs: &Epochs, replayed: &Replayed, found: &mut Vec<String>) {
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut place = (0, 0);
    for effect in &replayed.effects {
        let seq = effect["seq"].as_u64().unwrap_or(0);
        place = if seq == place.0 { (seq, place.1 + 1) } else { (seq, 0) };
        let key = effect_key(effect);
        let counter = next.entry(key.clone()).or_insert(0);
        *counter += 1;
        let clock = usize::try_from(seq).ok().and_then(|s| {
            let at = s.checked_sub(1)?;
            epochs.clocks.get(at)
        });
        let wanted = [
            ("v", Value::from(1)),
            ("shard", Value::from(0)),
            ("n", Value::from(place.1)),
            ("id", Value::from(format!("{key}/{counter}"))),
            ("at", clock.map_or(Value::Null, |c| Value::from(c.as_str()))),
        ];
        for (name, want) in wanted {
            if effect[name] != want {
                found.push(format!("{}: {name} should be {want} in {}", case.label, show(effect)));
            }
        }
        shapes(&case.label, effect, &EFFECT_SHAPES, found);
    }
    for state in &replayed.trace {
        shapes(&case.label, state, &STATE_SHAPES, found);
    }
    let cut_short = replayed.status != Some(0) || !case.flags.is_empty();
    let last = replayed.trace.iter().filter_map(|s| s["seq"].as_u64()).max();
    if let (Some(last), false) = (last, cut_short) {
        let count = epochs.clocks.len() as u64;
        if last != count {
            found.push(format!(
                "{}: the stream has {count} epochs, the replay cut it into {last}",
                case.label
            ));
        }
    }
}

fn effect_key(effect: &Value) -> String {
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let kind = word(&effect["type"]);
    match kind.as_str() {
        "refused" => format!("refused/{}/{}", word(&effect["input"]["source"]), word(&effect["input"]["id"])),
        "alarm" => format!("alarm/{}/{}", word(&effect["kind"]), word(&effect["key"])),
        _ => format!("{kind}/{}", word(&effect["account"])),
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Places(usize),
    Line,
}

const EFFECT_SHAPES: [(&str, Shape); 5] = [
    ("ratio", Shape::Places(6)),
    ("assets", Shape::Places(4)),
    ("debts", Shape::Places(4)),
    ("line", Shape::Line),
    ("cause.amount", Shape::Places(4)),
];

const STATE_SHAPES: [(&str, Shape); 20] = [
    ("ratio", Shape::Places(6)),
    ("assets", Shape::Places(4)),
    ("debts", Shape::Places(4)),
    ("cash", Shape::Places(4)),
    ("receivables", Shape::Places(4)),
    ("long_value", Shape::Places(4)),
    ("short_value", Shape::Places(4)),
    ("principal", Shape::Places(4)),
    ("interest", Shape::Places(4)),
    ("available_margin", Shape::Places(8)),
    ("withdrawable", Shape::Places(4)),
    ("adjusted_ratio", Shape::Places(6)),
    ("cure.restore", Shape::Line),
    ("cure.add", Shape::Places(2)),
    ("cure.repay", Shape::Places(2)),
    ("cure.repay_own", Shape::Places(2)),
    ("cure.return_own", Shape::Places(2)),
    ("cure.sell", Shape::Places(2)),
    ("cure.cover", Shape::Places(2)),
    ("cure.sell_to_cover", Shape::Places(2)),
];

fn shapes(label: &str, object: &Value, all: &[(&str, Shape)], found: &mut Vec<String>) {
    for (path, shape) in all {
        let got = member(object, path);
        let good = match (got, shape) {
            (Value::Null, _) => true,
            (Value::String(text), Shape::Places(places)) => text::has_places(text, *places),
            (Value::String(text), Shape::Line) => text::is_line(text),
            _ => false,
        };
        if !good {
            found.push(format!("{label}: {path} is not in its form: {}", show(object)));
        }
    }
}

/// A member by its path; null where there is none.
fn member<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(object, |o, name| &o[name])
}

/// Decimals are the same by value, everything else by its text.
fn same(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::String(a), Value::String(b)) => {
            a == b || text::compare_decimals(a, b) == Some(Ordering::Equal)
        }
        _ => want == got,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn show_members(members: &[(String, Value)]) -> String {
    let each: Vec<String> = members.iter().map(|(path, value)| format!("{path} {}", plain(value))).collect();
    each.join(", ")
}

/// An effect without its envelope.
fn show(effect: &Value) -> String {
    let mut shown = effect.clone();
    if let Some(members) = shown.as_object_mut() {
        for name in ["v", "shard", "seq", "n", "at"] {
            members.remove(name);
        }
    }
    shown.to_string()
}

fn epoch_of(epochs: &Epochs, after: usize) -> u64 {
    after.checked_sub(1).and_then(|at| epochs.of_line.get(at)).copied().unwrap_or(0)
}

/// The event of an epoch's last line, counted from 1, for messages about what nobody told.
fn line_of_epoch(case: &Case, epochs: &Epochs, epoch: u64) -> String {
    let last = epochs.of_line.iter().rposition(|&e| e == epoch);
    last.map_or_else(|| "none".to_owned(), |at| format!("{} of the stream: {}", at + 1, case.lines[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;
    use serde_json::json;

    const STORY: &str = "at 2026-01-19 09:30:00
account A1 individual
next
cash A1 -5 withdrawal
refused insufficient_cash
expect alarm suspect A1
expect A1 tier none cash 0
";

    fn case(text: &str) -> Case {
        parse::cases(text, "story").unwrap().remove(0)
    }

    fn state(seq: u64) -> Value {
        json!({"seq":seq,"account":"A1","tier":"none","cash":"0.0000","cure":null})
    }

    fn told() -> Replayed {
        let at = "2026-01-19T09:30:01.000+08:00";
        let end = json!({"account":"A1","tier":"none","cash":"0.0000","cure":null});
        Replayed {
            status: Some(0),
            effects: vec![
                json!({"v":1,"type":"refused","shard":0,"seq":2,"n":0,"at":at,"id":"refused/desk/e2/1",
                    "input":{"source":"desk","id":"e2"},"code":"insufficient_cash","detail":""}),
                json!({"v":1,"type":"alarm","shard":0,"seq":2,"n":1,"at":at,"id":"alarm/suspect/A1/1",
                    "kind":"suspect","key":"A1","detail":""}),
            ],
            trace: vec![state(1), state(2)],
            state: vec![end],
            ..Replayed::default()
        }
    }

    fn one_difference(replayed: &Replayed, words: &str) {
        let found = differences(&case(STORY), replayed);
        assert!(found.iter().any(|f| f.contains(words)), "no word of `{words}` in {found:?}");
    }

    #[test]
    fn what_is_as_told_is_no_difference() {
        assert_eq!(differences(&case(STORY), &told()), Vec::<String>::new());
    }

    #[test]
    fn an_effect_nobody_told_is_a_difference() {
        let text = STORY.replace("expect alarm suspect A1\n", "");
        let found = differences(&case(&text), &told());
        assert!(found.iter().any(|f| f.contains("not told")), "{found:?}");
    }

    #[test]
    fn an_effect_that_does_not_come_is_a_difference() {
        let mut replayed = told();
        replayed.effects.pop();
        one_difference(&replayed, "story:6: epoch 2: expected alarm");
    }

    #[test]
    fn another_code_another_figure_and_another_place_are_differences() {
        let mut replayed = told();
        replayed.effects[0]["code"] = json!("bad_value");
        one_difference(&replayed, "story:5: refused code");
        let mut replayed = told();
        replayed.trace[1]["cash"] = json!("-5.0000");
        one_difference(&replayed, "story:7: A1 cash: expected 0, got -5.0000");
        let mut replayed = told();
        for effect in &mut replayed.effects {
            effect["seq"] = json!(1);
        }
        one_difference(&replayed, "nothing came");
        let mut replayed = told();
        replayed.effects.swap(0, 1);
        one_difference(&replayed, "expected refused");
    }

    #[test]
    fn ids_clocks_forms_and_the_cut_are_always_looked_at() {
        let mut replayed = told();
        replayed.effects[1]["id"] = json!("alarm/suspect/A1/2");
        one_difference(&replayed, "id should be");
        let mut replayed = told();
        replayed.effects[0]["at"] = json!("2026-01-19T09:30:00.000+08:00");
        one_difference(&replayed, "at should be");
        let mut replayed = told();
        replayed.trace[0]["cash"] = json!("0");
        one_difference(&replayed, "not in its form");
        let mut replayed = told();
        replayed.trace.push(state(3));
        one_difference(&replayed, "the stream has 2 epochs");
        let mut replayed = told();
        replayed.state.clear();
        one_difference(&replayed, "differ");
    }

    #[test]
    fn a_replay_that_fails_is_a_difference() {
        let mut replayed = told();
        replayed.status = Some(101);
        one_difference(&replayed, "exit status");
    }
}
