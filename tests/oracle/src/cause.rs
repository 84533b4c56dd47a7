//! The cause of a tier change: the largest contribution within the epoch to the move of A − line·D.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use crate::account::{Balance, InputRef};
use crate::json::quoted;
use crate::num::truncated_text;

/// A change of one account by one input.
pub struct Move {
    pub account: usize,
    /// Place of the input in its epoch.
    pub order: usize,
    pub kind: String,
    pub key: String,
    pub input: InputRef,
    pub before: Balance,
    pub after: Balance,
    /// For a corporate action: the security and its mark just before and just after.
    pub action: Option<(usize, Option<BigInt>, Option<BigInt>)>,
}

/// The last input of the epoch that changed a security's mark.
pub struct MarkChange {
    pub order: usize,
    pub kind: &'static str,
    pub input: InputRef,
}

/// What an epoch did, as far as causes ask for it.
#[derive(Default)]
pub struct Happened {
    pub marks_before: Vec<Option<BigInt>>,
    pub mark_changes: BTreeMap<usize, MarkChange>,
    pub moves: Vec<Move>,
    /// The policy input taken.
    pub policy: Option<InputRef>,
    /// Accounts whose own lines changed, by which input; `None` by a timer.
    pub lines: BTreeMap<usize, Option<InputRef>>,
    /// Accounts whose debts an accrual raised, and the day event.
    pub accrued: Vec<usize>,
    pub day: Option<InputRef>,
}

/// A source and id, or null.
pub fn input_text(input: Option<&InputRef>) -> String {
    let Some(input) = input else { return "null".to_owned() };
    let part = |text: &Option<String>| text.as_ref().map_or_else(|| "null".to_owned(), |t| quoted(t));
    format!("{{\"source\":{},\"id\":{}}}", part(&input.source), part(&input.id))
}

fn cause_text(kind: &str, key: Option<&str>, input: Option<&InputRef>, amount: Option<&BigInt>) -> String {
    let key = key.map_or_else(|| "null".to_owned(), quoted);
    let amount = amount.map_or_else(|| "null".to_owned(), |a| format!("\"{}\"", truncated_text(a)));
    format!("{{\"kind\":\"{kind}\",\"key\":{key},\"input\":{},\"amount\":{amount}}}", input_text(input))
}

/// A − L·D of a balance in 1/10^8, with the mark of each security as given; no mark counts as zero.
fn margin_over_line(b: &Balance, line: i64, mark: &impl Fn(usize) -> BigInt) -> BigInt {
    let held: BigInt = b.positions.iter().map(|(s, q)| q * mark(*s)).sum();
    let assets = &b.cash + b.receivables_sum() + &b.other_collateral + held;
    let debt = |c: &crate::account::Contract| match c.short {
        true => &c.quantity * mark(c.security) + &c.interest,
        false => &c.amount + &c.interest,
    };
    let debts: BigInt = b.contracts.iter().map(debt).sum();
    assets * 10_000 - debts * line
}

struct Contribution<'a> {
    value: BigInt,
    /// Place of the input in its epoch; before all of them where only time passed.
    order: Option<usize>,
    kind: &'a str,
    key: &'a str,
    input: Option<&'a InputRef>,
}

/// Names the cause for one account: `now` its balance, `marks` those at the end, `codes` the securities' names.
pub fn cause(
    happened: &Happened,
    account: (usize, &str, &Balance),
    line: i64,
    worsening: bool,
    marks: &[Option<BigInt>],
    codes: &[&str],
) -> String {
    let (ordinal, name, now) = account;
    let mut all = by_inputs(happened, ordinal, line, marks);
    all.extend(by_marks(happened, ordinal, now, line, marks, codes));
    let mut best: Option<&Contribution> = None;
    for one in &all {
        let counts = if worsening { one.value.is_negative() } else { one.value.is_positive() };
        let better = |b: &Contribution| {
            let (mine, theirs) = (one.value.abs(), b.value.abs());
            mine > theirs || (mine == theirs && one.order < b.order)
        };
        if counts && best.is_none_or(better) {
            best = Some(one);
        }
    }
    if let Some(best) = best {
        return cause_text(best.kind, Some(best.key), best.input, Some(&best.value));
    }
    if let Some(policy) = &happened.policy {
        return cause_text("policy", None, Some(policy), None);
    }
    if let Some(input) = happened.lines.get(&ordinal) {
        return cause_text("lines", Some(name), input.as_ref(), None);
    }
    if worsening && happened.accrued.contains(&ordinal) {
        return cause_text("interest", None, happened.day.as_ref(), None);
    }
    cause_text("band", None, None, None)
}

/// What each input of the account changed, quantities at the marks of the end; a corporate action at those around it.
fn by_inputs<'a>(
    happened: &'a Happened,
    ordinal: usize,
    line: i64,
    marks: &[Option<BigInt>],
) -> Vec<Contribution<'a>> {
    let at_end = |security: usize| marks[security].clone().unwrap_or_default();
    let mut out: Vec<Contribution> = Vec::new();
    for m in happened.moves.iter().filter(|m| m.account == ordinal) {
        let value = match &m.action {
            None => margin_over_line(&m.after, line, &at_end) - margin_over_line(&m.before, line, &at_end),
            Some((security, before, after)) => {
                let with = |own: &Option<BigInt>, s: usize| {
                    if s == *security { own.clone().unwrap_or_default() } else { at_end(s) }
                };
                margin_over_line(&m.after, line, &|s| with(after, s))
                    - margin_over_line(&m.before, line, &|s| with(before, s))
            }
        };
        // Actions of several ex-dates of one security that one day applied count as one.
        let same = |c: &&mut Contribution| {
            m.action.is_some() && c.kind == m.kind && c.key == m.key && c.order == Some(m.order)
        };
        match out.iter_mut().find(same) {
            Some(earlier) => earlier.value += value,
            None => out.push(Contribution {
                value,
                order: Some(m.order),
                kind: &m.kind,
                key: &m.key,
                input: Some(&m.input),
            }),
        }
    }
    out
}

/// Per security the change of its mark times what was held less line times what was owed at the start.
fn by_marks<'a>(
    happened: &'a Happened,
    ordinal: usize,
    now: &Balance,
    line: i64,
    marks: &[Option<BigInt>],
    codes: &[&'a str],
) -> Vec<Contribution<'a>> {
    let mine = || happened.moves.iter().filter(|m| m.account == ordinal);
    let start = mine().next().map_or(now, |m| &m.before);
    let mut out = Vec::new();
    for security in 0..marks.len() {
        let weight: BigInt = start.position(security) * 10_000 - start.owed(security) * line;
        if weight.is_zero() {
            continue;
        }
        let adjusted = mine().rev().find_map(|m| m.action.as_ref().filter(|a| a.0 == security).map(|a| &a.2));
        let before = adjusted.unwrap_or_else(|| happened.marks_before.get(security).unwrap_or(&None));
        if let (Some(before), Some(after)) = (before, &marks[security]) {
            let change = happened.mark_changes.get(&security);
            out.push(Contribution {
                value: (after - before) * weight,
                order: change.map(|c| c.order),
                kind: change.map_or("price", |c| c.kind),
                key: codes[security],
                input: change.map(|c| &c.input),
            });
        }
    }
    out
}
