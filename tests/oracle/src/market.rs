//! Securities and what they are worth: stored prices, suspension, marks, haircuts, margin ratios.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_traits::Zero;

use crate::num::half_up;
use crate::policy::{Policy, Suspended};
use crate::tables::{Condition, Row, Tables, condition, units};
use crate::time;
use crate::wire::Fields;

/// A price and the day it was set on.
#[derive(Clone, Debug)]
pub struct Stored {
    pub price: BigInt,
    pub set_on: i64,
}

/// One security: the fields of its record that decide something, and its prices.
#[derive(Clone, Debug, Default)]
pub struct Security {
    pub code: String,
    class: String,
    board: String,
    indices: Vec<String>,
    risk_warning: bool,
    delisting: bool,
    suspended: bool,
    suspended_since: Option<i64>,
    collateral: bool,
    haircut: i64,
    financing_margin: Option<i64>,
    short_margin: Option<i64>,
    pe_static: Option<BigInt>,
    /// Date of the record that first said it is suspended, and the index levels then.
    first_suspended: Option<i64>,
    levels_then: BTreeMap<String, BigInt>,
    pub last: Option<Stored>,
    pub prev: Option<Stored>,
    pub manual: Option<Stored>,
    /// An `unmarked` alarm was raised and it has had no mark since.
    pub alarmed: bool,
}

impl Security {
    /// Puts a checked `security` event in place of the whole record; prices stay.
    pub fn upsert(&mut self, f: &Fields, at: i64, levels: &BTreeMap<String, BigInt>) {
        let suspended = f.flag("suspended");
        let (first_suspended, levels_then) = match (suspended, self.suspended) {
            (false, _) => (None, BTreeMap::new()),
            (true, true) => (self.first_suspended, std::mem::take(&mut self.levels_then)),
            (true, false) => (Some(time::local_date(at)), levels.clone()),
        };
        *self = Security {
            code: f.need("security").to_owned(),
            class: f.need("class").to_owned(),
            board: f.need("board").to_owned(),
            indices: f.texts("indices"),
            risk_warning: f.flag("risk_warning"),
            delisting: f.flag("delisting"),
            suspended,
            suspended_since: f.date("suspended_since"),
            collateral: f.flag("collateral"),
            haircut: f.ratio("haircut").unwrap_or(0),
            financing_margin: f.ratio("financing_margin"),
            short_margin: f.ratio("short_margin"),
            pe_static: f.decimal("pe_static", 4),
            first_suspended,
            levels_then,
            last: self.last.take(),
            prev: self.prev.take(),
            manual: self.manual.take(),
            alarmed: self.alarmed,
        };
    }

    /// The margin ratio a contract opened by a fill at that instant would get.
    pub fn margin_ratio(&self, short: bool, client_class: &str, at: i64, tables: &Tables) -> i64 {
        let published = if short { self.short_margin } else { self.financing_margin };
        let minimum = tables.minimum(short, client_class, at).map(|(ratio, _)| ratio);
        published.unwrap_or(0).max(minimum.unwrap_or(0))
    }

    /// The effective haircut on a date.
    pub fn effective_haircut(&self, caps: &[(&Row, Condition)]) -> i64 {
        if !self.collateral {
            return 0;
        }
        self.cap(caps).unwrap_or(0).min(self.haircut)
    }

    /// The cap in force: zero rules first, then the most specific row.
    fn cap(&self, caps: &[(&Row, Condition)]) -> Option<i64> {
        let mut best: Option<(i64, i64)> = None;
        for (row, condition) in caps {
            let own = row["class"] == self.class;
            let any = row["class"] == "any";
            let index_in = |names: &[String]| self.indices.iter().any(|i| names.contains(i));
            let rank = match condition {
                Condition::RiskWarningOrDelisting
                    if (self.risk_warning || self.delisting) && (own || any) =>
                {
                    100
                }
                Condition::Pe(high, low) => {
                    let out = |pe: &BigInt| *pe >= BigInt::from(*high) || *pe < BigInt::from(*low);
                    // Receipts follow shares in this rule.
                    let receipt = self.class == "depositary_receipt" && row["class"] == "a_share";
                    if (own || any || receipt) && self.pe_static.as_ref().is_some_and(out) {
                        100
                    } else {
                        continue;
                    }
                }
                Condition::BoardAndIndex(board, names) if *board == self.board && index_in(names) => 4,
                Condition::Board(board) if *board == self.board => 3,
                Condition::IndexIn(names) if index_in(names) => 2,
                Condition::Other | Condition::Always => 1,
                _ => continue,
            };
            if rank < 100 && !own && !any {
                continue;
            }
            let rank = if rank < 100 && own { rank + 10 } else { rank };
            let cap = units(&row["cap"]);
            best = match best {
                Some((b, c)) if b > rank || (b == rank && c <= cap) => Some((b, c)),
                _ => Some((rank, cap)),
            };
        }
        best.map(|(_, cap)| cap)
    }
}

/// Rows of the caps table in force on a date: of rows with the same keys the latest.
pub fn caps_in_force(date: i64, tables: &Tables) -> Vec<(&Row, Condition)> {
    let mut latest: BTreeMap<(&str, &str), (i64, &Row)> = BTreeMap::new();
    for row in tables.haircut_caps.iter().filter(|row| row["market"] == "cn") {
        let Some(from) = time::date(&row["effective_from"]).filter(|from| *from <= date) else { continue };
        let key = (row["class"].as_str(), row["condition"].as_str());
        if latest.get(&key).is_none_or(|(held, _)| from >= *held) {
            latest.insert(key, (from, row));
        }
    }
    latest.into_values().filter_map(|(_, row)| Some((row, condition(&row["condition"])?))).collect()
}

/// All that is common to the accounts.
#[derive(Default)]
pub struct Market {
    pub securities: Vec<Security>,
    pub by_code: BTreeMap<String, usize>,
    pub levels: BTreeMap<String, BigInt>,
    pub calendar: Option<BTreeSet<i64>>,
    pub day_starts: BTreeSet<i64>,
}

impl Market {
    /// Whether more than `limit` trading days lie from one date to another, both included.
    fn more_trading_days(&self, from: i64, to: i64, limit: &BigInt) -> bool {
        if from > to {
            return false;
        }
        let named = self.calendar.as_ref().unwrap_or(&self.day_starts).range(from..=to).count();
        let mut count = BigInt::from(named);
        if self.calendar.is_none() {
            // Before the first day that was started every Monday to Friday counts.
            let last = self.day_starts.first().map_or(to, |first| to.min(first - 1));
            let mut day = last;
            while day >= from && count <= *limit {
                count += i64::from(time::is_weekday(day));
                day -= 1;
            }
        }
        count > *limit
    }

    /// The mark of a security, if it has one.
    pub fn mark(&self, security: usize, today: i64, policy: &Policy) -> Option<BigInt> {
        let s = &self.securities[security];
        if let Some(manual) = &s.manual {
            return Some(manual.price.clone());
        }
        let price = &s.last.as_ref().or(s.prev.as_ref())?.price;
        let since = s.suspended_since.or(s.first_suspended);
        let long = || since.is_some_and(|since| self.more_trading_days(since, today, &policy.suspended_days));
        if policy.suspended == Suspended::Last || !s.suspended || !long() {
            return Some(price.clone());
        }
        if policy.suspended == Suspended::Zero {
            return Some(BigInt::zero());
        }
        for index in &s.indices {
            if let (Some(now), Some(then)) = (self.levels.get(index), s.levels_then.get(index))
                && !then.is_zero()
            {
                return Some(half_up(&(price * now), then));
            }
        }
        Some(price.clone())
    }
}
