//! Effects and state lines as NDJSON, byte for byte as events.md has them.

use crate::decimal::{write, write_integer, write_line, write_ratio};
use crate::door::CutEpoch;
use crate::names::Names;
use crate::time::write_time;
use plimsoll_engine::effect::{
    Act, Acts, Alarm, Cause, CauseKey, Cure, Effect, Figures, Out, Tier, TierChanged, Valued,
};
use plimsoll_engine::input::AccountName;
use std::ops::Range;

/// Decimals of money in the core and on the wire.
const MONEY: u32 = 4;
/// Decimals of haircut-weighted money.
const WEIGHTED: u32 = 8;
/// Decimals of exits.
const FEN: u32 = 2;
/// Units of weighted money in one of money.
const WEIGHT: i128 = 10_000;

/// Writes the bytes of a text as they stand between the quotes of a JSON string.
pub fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut plain = 0;
    for (at, &byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text[plain..at]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        plain = at + 1;
    }
    out.extend_from_slice(&text[plain..]);
}

/// Writes a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// A line under construction.
struct Line<'o> {
    out: &'o mut Vec<u8>,
}

/// The type of an effect on the wire.
#[must_use]
pub fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Refused { .. } => "refused",
        Effect::Alarm(..) => "alarm",
        Effect::TierChanged(_) => "tier_changed",
        Effect::Restricted(..) => "restricted",
        Effect::Lifted(..) => "lifted",
    }
}

impl Line<'_> {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// `,"key":`
    fn key(&mut self, key: &str) {
        self.raw(",\"");
        self.raw(key);
        self.raw("\":");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_text(self.out, text);
    }

    /// A field whose text is written by `write`, between quotes; null where there is none.
    fn quoted<T>(&mut self, key: &str, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
        self.key(key);
        match value {
            Some(value) => {
                self.out.push(b'"');
                write(self.out, value);
                self.out.push(b'"');
            }
            None => self.raw("null"),
        }
    }

    fn money(&mut self, key: &str, value: Option<i128>) {
        self.quoted(key, value, |out, value| write(out, value, MONEY, MONEY));
    }

    fn ratio(&mut self, key: &str, value: Option<(i128, i128)>) {
        self.quoted(key, value, |out, (numerator, denominator)| write_ratio(out, numerator, denominator));
    }

    fn integer(&mut self, key: &str, value: u64) {
        self.key(key);
        write_integer(self.out, i128::from(value));
    }

    fn end(&mut self) {
        self.raw("}\n");
    }
}

/// Prints the effects of one epoch.
pub fn effects(out: &mut Vec<u8>, names: &Names, cut: &CutEpoch, answer: &Out) {
    some_effects(out, names, cut, answer, 0..answer.effects.len());
}

/// Prints some of them, by their places.
pub fn some_effects(out: &mut Vec<u8>, names: &Names, cut: &CutEpoch, answer: &Out, which: Range<usize>) {
    let mut at = Vec::with_capacity(32);
    write_time(&mut at, cut.epoch.clock);
    let printer = Printer { names, cut, at: &at };
    for (n, effect) in which.clone().zip(&answer.effects[which]) {
        printer.effect(&mut Line { out }, n, effect);
    }
}

struct Printer<'p> {
    names: &'p Names,
    cut: &'p CutEpoch,
    at: &'p [u8],
}

impl Printer<'_> {
    fn effect(&self, line: &mut Line<'_>, n: usize, effect: &Effect) {
        match effect {
            Effect::Refused { input, count, code, detail } => {
                self.head(line, "refused", n, *count, |out| {
                    let (source, id) = self.input(*input);
                    write_escaped(out, source.unwrap_or_default().as_bytes());
                    out.push(b'/');
                    write_escaped(out, id);
                });
                self.input_field(line, Some(*input));
                line.text("code", code.word());
                line.text("detail", self.detail(*input, detail));
            }
            Effect::Alarm(alarm, count) => self.alarm(line, n, *count, *alarm),
            Effect::TierChanged(change) => self.tier_changed(line, n, change),
            Effect::Restricted(account, acts, cause, count) => {
                self.restriction(line, "restricted", n, *count, (*account, *acts, cause));
            }
            Effect::Lifted(account, acts, cause, count) => {
                self.restriction(line, "lifted", n, *count, (*account, *acts, cause));
            }
        }
        line.end();
    }

    /// Everything up to and with the id, whose key `key` writes.
    fn head(&self, line: &mut Line<'_>, kind: &str, n: usize, count: u32, key: impl FnOnce(&mut Vec<u8>)) {
        line.raw("{\"v\":1");
        line.text("type", kind);
        line.integer("shard", 0);
        line.integer("seq", self.cut.epoch.number);
        line.integer("n", n as u64);
        line.key("at");
        line.out.push(b'"');
        line.out.extend_from_slice(self.at);
        line.out.push(b'"');
        line.key("id");
        line.out.push(b'"');
        line.raw(kind);
        line.out.push(b'/');
        key(line.out);
        line.out.push(b'/');
        write_integer(line.out, i128::from(count));
        line.out.push(b'"');
    }

    /// Source and id of an entry; no id is an empty one.
    fn input(&self, input: u32) -> (Option<&str>, &[u8]) {
        let entry = &self.cut.epoch.entries[input as usize];
        (entry.source.map(|source| self.names.source(source)), self.cut.epoch.id_of(entry))
    }

    fn input_field(&self, line: &mut Line<'_>, input: Option<u32>) {
        line.key("input");
        let Some(input) = input else { return line.raw("null") };
        let (source, id) = self.input(input);
        line.raw("{\"source\":");
        match source {
            Some(source) => write_text(line.out, source),
            None => line.raw("null"),
        }
        line.quoted("id", Some(id).filter(|id| !id.is_empty()), write_escaped);
        line.raw("}");
    }

    /// The door's words where it refused, else the core's.
    fn detail<'a>(&'a self, input: u32, core: &'a str) -> &'a str {
        let details = &self.cut.details;
        match details.binary_search_by_key(&input, |(at, _)| *at) {
            Ok(at) => &details[at].1,
            Err(_) => core,
        }
    }

    fn alarm(&self, line: &mut Line<'_>, n: usize, count: u32, alarm: Alarm) {
        let (kind, key, detail) = match alarm {
            Alarm::Gap(source, last, came) => {
                ("gap", self.names.source(source), format!("after {last} came {came}"))
            }
            Alarm::Unmarked(security) => (
                "unmarked",
                self.names.security(security),
                "it never had a price, and an account with debt holds or owes it".into(),
            ),
            Alarm::Suspect(account) => {
                ("suspect", self.names.account(account), "a fact of this account was refused".into())
            }
            Alarm::AgainstRestriction(account, act) => (
                "against_restriction",
                self.names.account(account),
                format!("{} although restricted", act.word()),
            ),
        };
        self.head(line, "alarm", n, count, |out| {
            out.extend_from_slice(kind.as_bytes());
            out.push(b'/');
            write_escaped(out, key.as_bytes());
        });
        line.text("kind", kind);
        line.text("key", key);
        line.text("detail", &detail);
    }

    fn account_head(&self, line: &mut Line<'_>, kind: &str, n: usize, count: u32, account: AccountName) {
        let name = self.names.account(account);
        self.head(line, kind, n, count, |out| write_escaped(out, name.as_bytes()));
        line.text("account", name);
    }

    fn tier_changed(&self, line: &mut Line<'_>, n: usize, change: &TierChanged) {
        self.account_head(line, "tier_changed", n, change.count, change.account);
        line.text("from", change.from.word());
        line.text("to", change.to.word());
        let indebted = change.to != Tier::None && change.debts > 0;
        line.ratio("ratio", change.assets.filter(|_| indebted).map(|assets| (assets, change.debts)));
        line.money("assets", change.assets);
        line.money("debts", Some(change.debts));
        line.quoted("line", change.line, write_line);
        line.text("basis", if change.settlement { "settlement" } else { "intraday" });
        self.cause(line, change.account, &change.cause);
    }

    fn restriction(
        &self,
        line: &mut Line<'_>,
        kind: &str,
        n: usize,
        count: u32,
        (account, acts, cause): (AccountName, Acts, &Cause),
    ) {
        self.account_head(line, kind, n, count, account);
        line.key("acts");
        line.out.push(b'[');
        for (at, act) in acts.iter().map(Act::word).enumerate() {
            if at > 0 {
                line.out.push(b',');
            }
            write_text(line.out, act);
        }
        line.out.push(b']');
        self.cause(line, account, cause);
    }

    fn cause(&self, line: &mut Line<'_>, account: AccountName, cause: &Cause) {
        line.key("cause");
        line.raw("{\"kind\":");
        write_text(line.out, cause.kind.word());
        let key = match cause.key {
            CauseKey::Nothing => None,
            CauseKey::Security(name) => Some(self.names.security(name)),
            CauseKey::Account => Some(self.names.account(account)),
            CauseKey::Contract(name) => Some(self.names.contract(name)),
        };
        line.quoted("key", key.map(str::as_bytes), write_escaped);
        self.input_field(line, cause.input);
        line.money("amount", cause.amount);
        line.raw("}");
    }
}

/// What one account shows.
#[derive(Clone, Copy, Debug)]
pub struct State<'s> {
    /// Its name.
    pub account: &'s str,
    /// Its customer's name.
    pub customer: &'s str,
    /// Its tier.
    pub tier: Tier,
    /// Its figures.
    pub figures: &'s Figures,
}

/// Prints a state line.
pub fn state(out: &mut Vec<u8>, state: &State<'_>) {
    out.extend_from_slice(b"{\"account\":");
    state_fields(out, state);
}

/// Prints a state line with the number of the epoch it was taken after in front.
pub fn trace(out: &mut Vec<u8>, seq: u64, state: &State<'_>) {
    out.extend_from_slice(b"{\"seq\":");
    write_integer(out, i128::from(seq));
    out.extend_from_slice(b",\"account\":");
    state_fields(out, state);
}

fn state_fields(out: &mut Vec<u8>, state: &State<'_>) {
    write_text(out, state.account);
    let figures = state.figures;
    let valued = figures.valued.as_ref();
    let indebted = valued.filter(|valued| valued.debts > 0);
    let mut line = Line { out };
    line.text("customer", state.customer);
    line.text("tier", state.tier.word());
    line.ratio("ratio", indebted.map(|v| (v.assets, v.debts)));
    line.money("assets", figures.assets());
    line.money("debts", figures.debts());
    line.money("cash", Some(figures.cash));
    line.money("receivables", Some(figures.receivables));
    line.money("long_value", figures.long_value);
    line.money("short_value", figures.short_value);
    line.money("principal", Some(figures.principal));
    line.money("interest", Some(figures.interest));
    let margin = valued.map(|v| v.available_margin);
    line.quoted("available_margin", margin, |out, value| write(out, value, WEIGHTED, WEIGHTED));
    line.money("withdrawable", valued.map(|v| v.withdrawable));
    line.ratio("adjusted_ratio", indebted.map(|v| (v.adjusted_assets, v.debts * WEIGHT)));
    cure(&mut line, valued);
    line.end();
}

fn cure(line: &mut Line<'_>, valued: Option<&Valued>) {
    line.key("cure");
    let Some(cure) = valued.and_then(|valued| valued.cure) else { return line.raw("null") };
    let Cure { restore, add, repay, repay_own, return_own, sell, cover, sell_to_cover } = cure;
    line.raw("{\"restore\":\"");
    write_line(line.out, restore);
    line.raw("\"");
    for (key, amount) in [
        ("add", Some(add)),
        ("repay", repay),
        ("repay_own", repay_own),
        ("return_own", return_own),
        ("sell", sell),
        ("cover", cover),
        ("sell_to_cover", sell_to_cover),
    ] {
        line.quoted(key, amount, |out, value| write(out, value, FEN, FEN));
    }
    line.raw("}");
}

#[cfg(test)]
mod tests;
