//! Policies: read from a tree (a TOML file or the object of a `policy` input), all faults listed, lines resolved and checked.

use std::collections::BTreeMap;

use num_bigint::BigInt;

use crate::json::{Object, Value};
use crate::num::Frac;
use crate::tables::{Tables, units};
use crate::wire::{BASES, CLIENT_CLASSES, Fields, Form, SALE_FLOORS, readable};

/// The four lines that belong to a tier, mildest first.
pub const TIER_LINES: [&str; 4] = ["watch", "warning", "call", "immediate"];

/// Lines as far as one place states them; `Some(None)` takes a tier's line away.
#[derive(Clone, Default, Debug)]
pub struct Stated {
    pub free: Option<i64>,
    pub tiers: [Option<Option<i64>>; 4],
    pub restore_call: Option<i64>,
    pub restore_sale: Option<i64>,
    pub band: Option<i64>,
    pub inclusive: Option<[bool; 4]>,
}

impl Stated {
    /// This with what the other states put over it.
    pub fn under(&self, over: &Stated) -> Stated {
        Stated {
            free: over.free.or(self.free),
            tiers: [0, 1, 2, 3].map(|i| over.tiers[i].or(self.tiers[i])),
            restore_call: over.restore_call.or(self.restore_call),
            restore_sale: over.restore_sale.or(self.restore_sale),
            band: over.band.or(self.band),
            inclusive: over.inclusive.or(self.inclusive),
        }
    }

    /// Reads the line fields of a checked `lines` event.
    pub fn of_event(f: &Fields) -> Stated {
        let tier =
            |name: &str| if f.text(name) == Some("none") { Some(None) } else { f.ratio(name).map(Some) };
        Stated {
            free: f.ratio("free"),
            tiers: TIER_LINES.map(tier),
            restore_call: f.ratio("restore_call"),
            restore_sale: f.ratio("restore_sale"),
            band: None,
            inclusive: None,
        }
    }
}

/// Lines resolved, in 1/10 000.
#[derive(Clone, Debug)]
pub struct Lines {
    pub free: i64,
    pub tiers: [Option<i64>; 4],
    pub restore_call: i64,
    pub restore_sale: i64,
    pub band: i64,
    pub inclusive: [bool; 4],
}

impl Lines {
    fn of(stated: &Stated) -> Lines {
        const DEFAULT: [i64; 4] = [18_000, 15_000, 13_000, 11_500];
        Lines {
            free: stated.free.unwrap_or(30_000),
            tiers: [0, 1, 2, 3].map(|i| stated.tiers[i].unwrap_or(Some(DEFAULT[i]))),
            restore_call: stated.restore_call.unwrap_or(14_000),
            restore_sale: stated.restore_sale.unwrap_or(14_000),
            band: stated.band.unwrap_or(200),
            inclusive: stated.inclusive.unwrap_or([false; 4]),
        }
    }

    /// What is wrong with the order of these lines, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let present: Vec<i64> = self.tiers.iter().flatten().copied().collect();
        if present.windows(2).any(|pair| pair[0] <= pair[1]) {
            return Some("lines do not descend strictly from watch to immediate");
        }
        if present.iter().chain([&self.restore_call, &self.restore_sale]).any(|line| *line <= 10_000) {
            return Some("a line lies at or below 1.00");
        }
        if self.free < 30_000 {
            return Some("free lies below 3.00");
        }
        if self.restore_call > self.restore_sale {
            return Some("restore_call lies above restore_sale");
        }
        self.tiers[2].is_some_and(|call| call > self.restore_call).then_some("call lies above restore_call")
    }
}

/// Flat cost rates as fractions of the turnover.
#[derive(Clone, Debug)]
pub struct Costs {
    pub sale: Frac,
    pub purchase: Frac,
}

/// How suspended securities are marked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suspended {
    Last,
    Zero,
    Index,
}

/// A policy in force.
#[derive(Clone, Debug)]
pub struct Policy {
    lines: Stated,
    classes: BTreeMap<String, Stated>,
    pub costs: Costs,
    pub suspended: Suspended,
    pub suspended_days: BigInt,
    pub year_days: i64,
    pub principal_first: bool,
    pub release_at_close: bool,
    pub collateral_sell_keeps: bool,
    /// `own`, `first_due` or `highest_rate`.
    pub repay_contract: String,
    pub restrictions: [[bool; 6]; 7],
}

impl Policy {
    /// The lines of an account: its own, then its class's, then the policy's, then the default, each by itself.
    pub fn resolve(&self, client_class: &str, own: &Stated) -> Lines {
        let class = self.classes.get(client_class).cloned().unwrap_or_default();
        Lines::of(&self.lines.under(&class).under(own))
    }
}

/// A fault of a policy; `order` if only the order of lines is wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    pub text: String,
    pub order: bool,
}

/// Collects values of one section and the faults met.
struct Section<'a> {
    name: &'a str,
    object: Option<&'a Object>,
    faults: &'a mut Vec<Fault>,
    known: Vec<&'static str>,
}

fn fault(text: String) -> Fault {
    Fault { text, order: false }
}

impl<'a> Section<'a> {
    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.object?.get(key).filter(|v| **v != Value::Null)
    }

    fn read(&mut self, key: &'static str, form: Form) -> Option<&'a Value> {
        let value = self.value(key)?;
        if readable(form, value) {
            return Some(value);
        }
        self.faults.push(fault(format!("{}.{key}: not a value of this key", self.name)));
        None
    }

    fn number(&mut self, key: &'static str, form: Form, scale: u32) -> Option<BigInt> {
        match self.read(key, form)? {
            Value::Number(text) | Value::Text(text) => crate::num::decimal(text, scale),
            _ => None,
        }
    }

    fn line(&mut self, key: &'static str) -> Option<i64> {
        self.number(key, Form::Ratio, 4).and_then(|v| i64::try_from(v).ok())
    }

    fn tier_line(&mut self, key: &'static str) -> Option<Option<i64>> {
        match self.read(key, Form::TierLine)? {
            Value::Text(text) if text == "none" => Some(None),
            Value::Number(text) | Value::Text(text) => Some(Some(units(text))),
            _ => None,
        }
    }

    fn rate(&mut self, key: &'static str, default: i64) -> Frac {
        Frac::scaled(self.number(key, Form::Rate, 8).unwrap_or(BigInt::from(default)), 8)
    }

    fn word(&mut self, key: &'static str, words: &'static [&'static str]) -> Option<&'a str> {
        match self.read(key, Form::Word(words))? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn inclusive(&mut self) -> Option<[bool; 4]> {
        let value = self.value("inclusive")?;
        if let Value::List(items) = value {
            let position = |v: &Value| match v {
                Value::Text(name) => TIER_LINES.iter().position(|line| line == name),
                _ => None,
            };
            let places: Option<Vec<usize>> = items.iter().map(position).collect();
            if let Some(places) = places {
                return Some([0, 1, 2, 3].map(|i| places.contains(&i)));
            }
        }
        self.faults.push(fault(format!("{}.inclusive: a list of line names", self.name)));
        None
    }

    /// Complains about every key not asked for, but the ones named.
    fn close(self, besides: &[&str]) {
        for (key, _) in self.object.map(|o| o.0.as_slice()).unwrap_or_default() {
            if !self.known.contains(&key.as_str()) && !besides.contains(&key.as_str()) {
                self.faults.push(fault(format!("{}.{key}: unknown key", self.name)));
            }
        }
    }
}

/// A section of the tree; anything but a table there is a fault.
fn section<'a>(tree: &'a Object, name: &'a str, faults: &'a mut Vec<Fault>) -> Section<'a> {
    let object = match tree.get(name) {
        Some(Value::Object(object)) => Some(object),
        None | Some(Value::Null) => None,
        Some(_) => {
            faults.push(fault(format!("{name}: not a table")));
            None
        }
    };
    Section { name, object, faults, known: Vec::new() }
}

/// The row of a preset, with empty cells left out.
type Preset = BTreeMap<String, String>;

fn preset(s: &mut Section, tables: &Tables) -> Preset {
    let Some(value) = s.read("preset", Form::Text) else { return Preset::new() };
    let row = tables.line_presets.iter().find(|row| Value::Text(row["preset"].clone()) == *value);
    match row {
        Some(row) => row.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.clone(), v.clone())).collect(),
        None => {
            s.faults.push(fault(format!("{}.preset: no such preset", s.name)));
            Preset::new()
        }
    }
}

/// The lines a section states, over those of its preset.
fn stated(mut s: Section, tables: &Tables, besides: &[&str]) -> (Stated, Preset) {
    let preset = preset(&mut s, tables);
    let cell = |name: &str| preset.get(name).map(|text| (text != "none").then(|| units(text)));
    let base = Stated {
        free: cell("free").flatten(),
        tiers: TIER_LINES.map(cell),
        restore_call: cell("restore_call").flatten(),
        restore_sale: cell("restore_sale").flatten(),
        band: None,
        inclusive: None,
    };
    let own = Stated {
        free: s.line("free"),
        tiers: TIER_LINES.map(|key| s.tier_line(key)),
        restore_call: s.line("restore_call"),
        restore_sale: s.line("restore_sale"),
        band: s.line("recovery_band"),
        inclusive: s.inclusive(),
    };
    s.close(besides);
    (base.under(&own), preset)
}

fn costs(mut s: Section) -> Costs {
    let commission = s.rate("commission", 25_000);
    let _ = s.read("commission_minimum", Form::Money);
    let stamp_duty = s.rate("stamp_duty", 50_000);
    let transfer_fee = s.rate("transfer_fee", 1_000);
    let slippage = s.rate("slippage", 0);
    s.close(&[]);
    let purchase = commission.plus(&transfer_fee).plus(&slippage);
    Costs { sale: purchase.plus(&stamp_duty), purchase }
}

fn year_days(mut s: Section) -> i64 {
    let days = s.number("year_days", Form::Quantity, 0).unwrap_or(BigInt::from(360));
    let days = i64::try_from(days).unwrap_or(0);
    if !matches!(days, 360 | 365) {
        s.faults.push(fault("interest.year_days: 360 or 365".to_owned()));
    }
    s.close(&[]);
    days.max(1)
}

/// Reads a whole policy; preset tables are those in force now.
pub fn read(tree: &Object, tables: &Tables) -> Result<Policy, Vec<Fault>> {
    let mut faults = Vec::new();
    const SECTIONS: [&str; 6] = ["lines", "call", "costs", "marking", "interest", "repay"];
    for (key, _) in tree.0.iter().filter(|(key, _)| !SECTIONS.contains(&key.as_str())) {
        faults.push(fault(format!("{key}: unknown section")));
    }
    let (lines, preset) = stated(section(tree, "lines", &mut faults), tables, CLIENT_CLASSES);
    let mut classes = BTreeMap::new();
    if let Some(Value::Object(whole)) = tree.get("lines") {
        for class in CLIENT_CLASSES {
            let (own, _) = stated(section(whole, class, &mut faults), tables, &[]);
            classes.insert((*class).to_owned(), own);
        }
    }
    let mut call = section(tree, "call", &mut faults);
    let _ = (
        call.word("basis", BASES),
        call.word("immediate_basis", BASES),
        call.word("sale_floor", SALE_FLOORS),
    );
    let _ = (call.read("deadline_days", Form::Quantity), call.read("deadline_time", Form::Minute));
    call.close(&[]);
    let costs = costs(section(tree, "costs", &mut faults));
    let mut marking = section(tree, "marking", &mut faults);
    let word = marking.word("suspended", &["last", "zero", "index"]);
    let suspended = match word.or(preset.get("suspended_mark").map(String::as_str)) {
        Some("zero") => Suspended::Zero,
        Some("index") => Suspended::Index,
        _ => Suspended::Last,
    };
    let preset_days = preset.get("suspended_days").and_then(|text| crate::num::decimal(text, 0));
    let suspended_days = marking.number("suspended_days", Form::Quantity, 0).or(preset_days);
    marking.close(&[]);
    let year_days = year_days(section(tree, "interest", &mut faults));
    let mut repay = section(tree, "repay", &mut faults);
    let policy = Policy {
        lines,
        classes,
        costs,
        suspended,
        suspended_days: suspended_days.unwrap_or(BigInt::from(30)),
        year_days,
        principal_first: repay.word("order", &["interest_first", "principal_first"])
            == Some("principal_first"),
        repay_contract: repay
            .word("contract", &["own", "first_due", "highest_rate"])
            .unwrap_or("own")
            .to_owned(),
        release_at_close: repay.word("release", &["proportional", "at_close"]) == Some("at_close"),
        collateral_sell_keeps: repay.word("collateral_sell", &["repays", "keeps"]) == Some("keeps"),
        restrictions: tables.restrictions(),
    };
    repay.close(&[]);
    order_faults(&policy, &mut faults);
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

/// Lines out of order, in the policy itself or in a class section.
fn order_faults(policy: &Policy, faults: &mut Vec<Fault>) {
    for class in CLIENT_CLASSES.iter().chain(&[""]) {
        if let Some(what) = policy.resolve(class, &Stated::default()).fault() {
            let place = if class.is_empty() { "lines".to_owned() } else { format!("lines.{class}") };
            faults.push(Fault { text: format!("{place}: {what}"), order: true });
        }
    }
}
