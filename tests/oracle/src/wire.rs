//! Events as written: the envelope, the fields of every type, and the first fault of one event by documented precedence.

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use crate::json::{Object, Value};
use crate::num::{decimal, pow10};
use crate::time;

/// What a readable envelope says.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub version_one: bool,
    pub kind: String,
    pub source: String,
    pub id: String,
    pub at: i64,
}

/// A refusal: the code and a free text.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: &'static str,
    pub detail: String,
}

/// Shorthand for a refused input.
pub fn refuse<T>(code: &'static str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, detail: detail.into() })
}

/// Reads the envelope; the bound against the clock is the cutter's.
pub fn envelope(object: &Object) -> Option<Envelope> {
    let word = |name| match object.get(name) {
        Some(Value::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let version = match object.get("v") {
        Some(Value::Number(text)) if is_integer(text) => text,
        _ => return None,
    };
    let at = match object.get("at") {
        Some(Value::Text(text)) => time::instant(text)?,
        _ => return None,
    };
    Some(Envelope {
        version_one: version == "1",
        kind: word("type")?,
        source: word("source")?,
        id: word("id")?,
        at,
    })
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A valid `source_seq`, if the event has one.
pub fn source_seq(object: &Object) -> Option<u64> {
    match object.get("source_seq") {
        Some(Value::Number(text)) if is_integer(text) => {
            let n = decimal(text, 0)?;
            u64::try_from(&n).ok().filter(|n| *n < 1 << 63)
        }
        _ => None,
    }
}

/// How a field's value is read.
#[derive(Clone, Copy)]
pub enum Form {
    Text,
    Texts,
    Date,
    Dates,
    Minute,
    Flag,
    Code,
    Price,
    Quantity,
    SignedQuantity,
    Money,
    SignedMoney,
    Ratio,
    TierLine,
    Haircut,
    Rate,
    Static,
    Word(&'static [&'static str]),
    Structs(&'static [Field]),
    Rows,
    Tree,
    /// Read, or not looked at, by the rule of its own type.
    Elsewhere,
}

#[derive(Clone, Copy, PartialEq)]
enum Need {
    Required,
    Optional,
    /// Must stand there, but null is a value of its own.
    OrNull,
}

/// One field of an event or of an object in it.
#[derive(Clone, Copy)]
pub struct Field {
    name: &'static str,
    need: Need,
    form: Form,
}

const fn req(name: &'static str, form: Form) -> Field {
    Field { name, need: Need::Required, form }
}

const fn opt(name: &'static str, form: Form) -> Field {
    Field { name, need: Need::Optional, form }
}

pub const CLASSES: &[&str] = &[
    "a_share",
    "etf",
    "treasury",
    "bond",
    "convertible",
    "fund",
    "money_fund",
    "warrant",
    "depositary_receipt",
    "reit",
    "other",
];
pub const BOARDS: &[&str] = &["main", "star", "chinext", "bse", "hk", "kr"];
pub const CLIENT_CLASSES: &[&str] = &["individual", "institution", "product", "private_fund"];
pub const BASES: &[&str] = &["settlement", "intraday"];
pub const SALE_FLOORS: &[&str] = &["none", "last_settlement"];
const PHASES: &[&str] = &[
    "pre_open",
    "open_auction",
    "auction_no_cancel",
    "continuous",
    "break",
    "close_auction",
    "closed",
    "after_hours",
    "suspended",
    "halted",
];
const FILL_SIDES: &[&str] = &[
    "collateral_buy",
    "collateral_sell",
    "margin_buy",
    "short_sell",
    "sell_to_repay",
    "buy_to_cover",
    "subscribe",
];
const LATER: &[&str] = &[
    "haircut",
    "outlook",
    "signal",
    "relation",
    "exposure",
    "decision",
    "task",
    "delivery",
    "reply",
    "preference",
    "freeze",
    "sale_quota",
    "borrow",
    "short_stat",
    "market_stat",
    "trade_report",
    "capital",
];

const SECURITY: &[Field] = &[
    req("security", Form::Code),
    req("name", Form::Text),
    req("class", Form::Word(CLASSES)),
    req("board", Form::Word(BOARDS)),
    opt("indices", Form::Texts),
    opt("risk_warning", Form::Flag),
    opt("delisting", Form::Flag),
    opt("suspended", Form::Flag),
    opt("suspended_since", Form::Date),
    req("collateral", Form::Flag),
    req("financing", Form::Flag),
    req("shorting", Form::Flag),
    req("haircut", Form::Haircut),
    opt("financing_margin", Form::Ratio),
    opt("short_margin", Form::Ratio),
    opt("total_shares", Form::Quantity),
    opt("float_shares", Form::Quantity),
    opt("pe_static", Form::Static),
    opt("average_turnover", Form::Money),
    opt("group", Form::Text),
    opt("lot", Form::Quantity),
    opt("tick", Form::Price),
    opt("sell_after", Form::Word(&["T0", "T1"])),
    opt("listed_on", Form::Date),
    opt("pledge_share", Form::Ratio),
];
const QUOTE: &[Field] = &[
    req("security", Form::Code),
    opt("price", Form::Price),
    opt("prev_close", Form::Price),
    opt("bid1", Form::Price),
    opt("ask1", Form::Price),
    opt("limit_up", Form::Price),
    opt("limit_down", Form::Price),
    opt("phase", Form::Word(PHASES)),
    opt("volume", Form::Quantity),
    opt("turnover", Form::Money),
    opt("last", Form::Flag),
];
const INDEX: &[Field] = &[req("index", Form::Text), req("level", Form::Price)];
const MARK: &[Field] = &[
    req("security", Form::Code),
    Field { name: "price", need: Need::OrNull, form: Form::Price },
    req("by", Form::Text),
    req("reason", Form::Text),
];
const CORPORATE_ACTION: &[Field] = &[
    req("security", Form::Code),
    req("kind", Form::Word(&["cash_dividend", "bonus", "split", "rights"])),
    req("ex_date", Form::Date),
    opt("record_date", Form::Date),
    opt("pay_date", Form::Date),
    opt("list_date", Form::Date),
    opt("per_share", Form::Elsewhere),
    opt("ratio", Form::Elsewhere),
    opt("price", Form::Elsewhere),
    opt("compensation", Form::Elsewhere),
];
const ACCOUNT: &[Field] = &[
    req("account", Form::Text),
    req("customer", Form::Text),
    opt("name", Form::Text),
    req("client_class", Form::Word(CLIENT_CLASSES)),
    opt("branch", Form::Text),
    opt("manager", Form::Text),
    opt("rating", Form::Text),
    opt("credit_line", Form::Money),
    opt("contacts", Form::Texts),
    opt("opened", Form::Date),
];
const LINES: &[Field] = &[
    req("account", Form::Text),
    opt("free", Form::Ratio),
    opt("watch", Form::TierLine),
    opt("warning", Form::TierLine),
    opt("call", Form::TierLine),
    opt("immediate", Form::TierLine),
    opt("restore_call", Form::Ratio),
    opt("restore_sale", Form::Ratio),
    opt("sale_floor", Form::Word(SALE_FLOORS)),
    opt("deadline_days", Form::Quantity),
    opt("deadline_time", Form::Minute),
    opt("call_basis", Form::Word(BASES)),
    opt("immediate_basis", Form::Word(BASES)),
    opt("agreement", Form::Text),
    opt("valid_from", Form::Date),
];
const POSITION: &[Field] = &[
    req("security", Form::Code),
    req("quantity", Form::Quantity),
    opt("sellable", Form::Quantity),
    opt("frozen", Form::Quantity),
];
const CONTRACT: &[Field] = &[
    req("contract", Form::Text),
    req("side", Form::Word(&["financing", "short"])),
    req("security", Form::Code),
    req("quantity", Form::Quantity),
    req("amount", Form::Money),
    opt("interest", Form::Money),
    opt("rate", Form::Rate),
    req("opened", Form::Date),
    opt("due", Form::Date),
    opt("margin_ratio", Form::Ratio),
];
const OPENING: &[Field] = &[
    req("account", Form::Text),
    req("cash", Form::SignedMoney),
    opt("positions", Form::Structs(POSITION)),
    opt("contracts", Form::Structs(CONTRACT)),
    opt("other_collateral", Form::Money),
    opt("receivables", Form::Structs(&[req("amount", Form::Money), opt("pay_date", Form::Date)])),
];
const CASH: &[Field] = &[
    req("account", Form::Text),
    req("amount", Form::SignedMoney),
    req("reason", Form::Word(&["deposit", "withdrawal", "fee", "dividend", "adjustment"])),
];
const TRANSFER: &[Field] =
    &[req("account", Form::Text), req("security", Form::Code), req("quantity", Form::SignedQuantity)];
const FILL: &[Field] = &[
    req("account", Form::Text),
    req("side", Form::Word(FILL_SIDES)),
    req("security", Form::Code),
    req("quantity", Form::Quantity),
    req("price", Form::Price),
    opt("fee", Form::Money),
    opt("contract", Form::Text),
    opt("order", Form::Text),
    opt("rate", Form::Rate),
    opt("due", Form::Date),
    opt("margin_ratio", Form::Ratio),
];
const REPAY: &[Field] = &[
    req("account", Form::Text),
    req("contract", Form::Text),
    opt("amount", Form::Money),
    opt("quantity", Form::Quantity),
];
const INTEREST: &[Field] = &[
    req("account", Form::Text),
    req("contract", Form::Text),
    req("amount", Form::SignedMoney),
    req("kind", Form::Word(&["settled", "adjust", "penalty"])),
];
const EXTEND: &[Field] = &[
    req("account", Form::Text),
    req("contract", Form::Text),
    req("due", Form::Date),
    opt("rate", Form::Rate),
    opt("margin_ratio", Form::Ratio),
];
const ORDER: &[Field] = &[
    req("account", Form::Text),
    req("order", Form::Text),
    req("side", Form::Word(FILL_SIDES)),
    req("security", Form::Code),
    req("quantity", Form::Quantity),
    req("price", Form::Price),
    req("status", Form::Word(&["open", "filled", "cancelled"])),
    req("remaining", Form::Quantity),
];
const OTHER_COLLATERAL: &[Field] =
    &[req("account", Form::Text), req("value", Form::Money), opt("note", Form::Text)];
const DAY: &[Field] = &[req("date", Form::Date)];
const POLICY: &[Field] = &[req("version", Form::Text), req("policy", Form::Tree), req("by", Form::Text)];
const RULES: &[Field] = &[req("version", Form::Text), req("table", Form::Text), req("rows", Form::Rows)];
const CALENDAR: &[Field] =
    &[req("version", Form::Text), req("dates", Form::Dates), opt("sessions", Form::Rows)];

/// The fields every event may have beside its own.
const ENVELOPE: [&str; 6] = ["v", "type", "id", "source", "at", "source_seq"];

fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "security" => SECURITY,
        "quote" => QUOTE,
        "index" => INDEX,
        "mark" => MARK,
        "corporate_action" => CORPORATE_ACTION,
        "account" => ACCOUNT,
        "lines" => LINES,
        "opening" => OPENING,
        "cash" => CASH,
        "transfer" => TRANSFER,
        "fill" => FILL,
        "repay" => REPAY,
        "interest" => INTEREST,
        "extend" => EXTEND,
        "order" => ORDER,
        "other_collateral" => OTHER_COLLATERAL,
        "day_start" | "day_end" => DAY,
        "clock" => &[],
        "policy" => POLICY,
        "rules" => RULES,
        "calendar" => CALENDAR,
        _ => return None,
    })
}

/// Everything about an event of version 1 that needs no state: from `unknown_type` to `bad_value`.
pub fn check(kind: &str, object: &Object) -> Result<(), Refusal> {
    let Some(fields) = fields_of(kind) else {
        return if LATER.contains(&kind) {
            refuse("not_enabled", kind)
        } else {
            refuse("unknown_type", kind)
        };
    };
    if let Some(name) = unknown_field(fields, &ENVELOPE, object) {
        return refuse("unknown_field", name);
    }
    if let Some(name) = missing_field(fields, object).or_else(|| missing_need(kind, object)) {
        return refuse("missing_field", name);
    }
    if object.get("source_seq").is_some_and(|v| *v != Value::Null) && source_seq(object).is_none() {
        return refuse("bad_value", "source_seq");
    }
    if let Some(name) = bad_field(fields, object).or_else(|| bad_together(kind, &Fields(object))) {
        return refuse("bad_value", name);
    }
    Ok(())
}

fn structs<'a>(
    object: &'a Object,
    field: &Field,
) -> Option<(&'static [Field], impl Iterator<Item = &'a Object>)> {
    match (field.form, object.get(field.name)) {
        (Form::Structs(inner), Some(Value::List(items))) => {
            let objects = items.iter().filter_map(|item| match item {
                Value::Object(object) => Some(object),
                _ => None,
            });
            Some((inner, objects))
        }
        _ => None,
    }
}

fn unknown_field(fields: &[Field], besides: &[&str], object: &Object) -> Option<String> {
    let unknown = |key: &str| !besides.contains(&key) && fields.iter().all(|f| f.name != key);
    if let Some((key, _)) = object.0.iter().find(|(key, _)| unknown(key)) {
        return Some(key.clone());
    }
    let nested = |field| {
        structs(object, field).and_then(|(inner, mut all)| all.find_map(|o| unknown_field(inner, &[], o)))
    };
    fields.iter().find_map(nested)
}

fn missing_field(fields: &[Field], object: &Object) -> Option<String> {
    let missing = |f: &&Field| f.need != Need::Optional && object.get(f.name).is_none();
    if let Some(field) = fields.iter().find(missing) {
        return Some(field.name.to_owned());
    }
    let nested =
        |field| structs(object, field).and_then(|(inner, mut all)| all.find_map(|o| missing_field(inner, o)));
    fields.iter().find_map(nested)
}

fn bad_field(fields: &[Field], object: &Object) -> Option<String> {
    for field in fields {
        let bad = match object.get(field.name) {
            None => false,
            Some(Value::Null) => field.need == Need::Required,
            Some(value) => !readable(field.form, value),
        };
        if bad {
            return Some(field.name.to_owned());
        }
        if let Some((inner, mut all)) = structs(object, field)
            && let Some(name) = all.find_map(|o| bad_field(inner, o))
        {
            return Some(format!("{}.{name}", field.name));
        }
    }
    None
}

/// The fields the kind of a corporate action needs.
fn needs(fields: &Fields) -> &'static [&'static str] {
    match fields.text("kind") {
        Some("cash_dividend") => &["per_share"],
        Some("bonus" | "split") => &["ratio"],
        Some("rights") => &["ratio", "price"],
        _ => &[],
    }
}

fn missing_need(kind: &str, own: &Object) -> Option<String> {
    if kind != "corporate_action" {
        return None;
    }
    needs(&Fields(own)).iter().find(|name| own.get(name).is_none()).map(|name| (*name).to_owned())
}

pub fn max_money() -> BigInt {
    pow10(17)
}

pub fn max_quantity() -> BigInt {
    BigInt::from(1u64 << 40)
}

fn within(value: Option<BigInt>, low: BigInt, high: BigInt) -> bool {
    value.is_some_and(|v| low <= v && v <= high)
}

/// The text of a decimal: a JSON number or text.
fn decimal_text(value: &Value) -> Option<&str> {
    match value {
        Value::Number(text) | Value::Text(text) => Some(text),
        _ => None,
    }
}

fn integer_of(value: &Value) -> Option<BigInt> {
    match value {
        Value::Number(text) if is_integer(text) => decimal(text, 0),
        _ => None,
    }
}

fn decimal_of(value: &Value, scale: u32) -> Option<BigInt> {
    decimal(decimal_text(value)?, scale)
}

/// A security's code: six digits of Shanghai, Shenzhen, Beijing or Korea, five of Hong Kong.
fn is_code(text: &str) -> bool {
    let Some((number, market)) = text.split_once('.') else { return false };
    let width = match market {
        "SH" | "SZ" | "BJ" | "KR" => 6,
        "HK" => 5,
        _ => return false,
    };
    number.len() == width && number.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a value that is not null reads as its form says.
pub fn readable(form: Form, value: &Value) -> bool {
    let zero = BigInt::zero;
    let text = match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let all = |test: fn(&Value) -> bool| matches!(value, Value::List(items) if items.iter().all(test));
    match form {
        Form::Text => text.is_some(),
        Form::Texts => all(|v| matches!(v, Value::Text(_))),
        Form::Date => text.is_some_and(|t| time::date(t).is_some()),
        Form::Dates => all(|v| readable(Form::Date, v)),
        Form::Minute => text.is_some_and(|t| time::minutes(t).is_some()),
        Form::Flag => matches!(value, Value::Flag(_)),
        Form::Code => text.is_some_and(is_code),
        Form::Word(words) => text.is_some_and(|t| words.contains(&t)),
        Form::Price => within(decimal_of(value, 4), zero(), BigInt::from((1u64 << 31) - 1)),
        Form::Quantity => within(integer_of(value), zero(), max_quantity() - 1),
        Form::SignedQuantity => within(integer_of(value), 1 - max_quantity(), max_quantity() - 1),
        Form::Money => within(decimal_of(value, 4), zero(), max_money() - 1),
        Form::SignedMoney | Form::Static => within(decimal_of(value, 4), 1 - max_money(), max_money() - 1),
        Form::Ratio => within(decimal_of(value, 4), zero(), BigInt::from(1_000_000)),
        Form::TierLine => text == Some("none") || readable(Form::Ratio, value),
        Form::Haircut => within(decimal_of(value, 4), zero(), BigInt::from(10_000)),
        Form::Rate => within(decimal_of(value, 8), zero(), pow10(8) - 1),
        Form::Structs(_) | Form::Rows => all(|v| matches!(v, Value::Object(_))),
        Form::Tree => matches!(value, Value::Object(_)),
        Form::Elsewhere => true,
    }
}

/// Faults that take two fields to see, or zero where zero is none.
fn bad_together(kind: &str, f: &Fields) -> Option<String> {
    let positive = |name: &str, scale| f.decimal(name, scale).is_none_or(|v| v.is_positive());
    let fault = |bad: bool, name: &str| bad.then(|| name.to_owned());
    match kind {
        "corporate_action" => bad_action(f),
        "cash" => {
            let amount = f.money("amount");
            let wrong = match f.text("reason") {
                Some("deposit") => !amount.is_positive(),
                Some("withdrawal") => !amount.is_negative(),
                _ => amount.is_zero(),
            };
            fault(wrong, "amount")
        }
        "transfer" => fault(f.quantity("quantity").is_zero(), "quantity"),
        "fill" => fault(!positive("quantity", 0), "quantity").or(fault(!positive("price", 4), "price")),
        "order" => fault(!positive("quantity", 0), "quantity")
            .or(fault(!positive("price", 4), "price"))
            .or(fault(f.quantity("remaining") > f.quantity("quantity"), "remaining")),
        "repay" => fault(f.get("amount").is_some() == f.get("quantity").is_some(), "amount or quantity")
            .or(fault(!positive("amount", 4), "amount"))
            .or(fault(!positive("quantity", 0), "quantity")),
        "interest" => fault(f.text("kind") != Some("adjust") && !positive("amount", 4), "amount"),
        "opening" => bad_opening(f),
        _ => None,
    }
}

fn bad_action(f: &Fields) -> Option<String> {
    let eight = |v: &Value, low: i64| within(decimal_of(v, 8), BigInt::from(low), pow10(11));
    for name in needs(f) {
        let good = match f.get(name) {
            None => false,
            Some(value) if *name == "price" => {
                readable(Form::Price, value) && decimal_of(value, 4).is_some_and(|v| v.is_positive())
            }
            Some(value) => eight(value, 1),
        };
        if !good {
            return Some((*name).to_owned());
        }
    }
    let compensation = f.get("compensation").filter(|_| f.text("kind") == Some("rights"));
    compensation.filter(|v| !eight(v, 0)).map(|_| "compensation".to_owned())
}

/// A security or contract twice, or more shares tied than held.
fn bad_opening(f: &Fields) -> Option<String> {
    let (positions, contracts) = (f.structs("positions"), f.structs("contracts"));
    let repeated = |all: &[Fields], name: &str| {
        let mut keys: Vec<_> = all.iter().map(|one| one.text(name)).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    };
    if repeated(&positions, "security") {
        return Some("positions: a security twice".to_owned());
    }
    if repeated(&contracts, "contract") {
        return Some("contracts: a contract twice".to_owned());
    }
    for contract in contracts.iter().filter(|c| c.text("side") == Some("financing")) {
        let same = |other: &&Fields| other.text("security") == contract.text("security");
        let held: BigInt = positions.iter().filter(same).map(|p| p.quantity("quantity")).sum();
        let financing = contracts.iter().filter(|c| c.text("side") == Some("financing"));
        let tied: BigInt = financing.filter(same).map(|c| c.quantity("quantity")).sum();
        if tied > held {
            return Some("contracts: tied quantities above the position".to_owned());
        }
    }
    None
}

/// The fields of a checked event; null and absent are the same, and what was not there reads as zero or `None`.
pub struct Fields<'a>(pub &'a Object);

impl<'a> Fields<'a> {
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| **value != Value::Null)
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn need(&self, name: &str) -> &'a str {
        self.text(name).unwrap_or("")
    }

    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::Flag(true))
    }

    pub fn date(&self, name: &str) -> Option<i64> {
        time::date(self.text(name)?)
    }

    pub fn decimal(&self, name: &str, scale: u32) -> Option<BigInt> {
        decimal_of(self.get(name)?, scale)
    }

    /// Money or a price, in 1/10 000 yuan.
    pub fn money(&self, name: &str) -> BigInt {
        self.decimal(name, 4).unwrap_or_default()
    }

    pub fn quantity(&self, name: &str) -> BigInt {
        self.decimal(name, 0).unwrap_or_default()
    }

    /// A line, haircut or margin ratio, in 1/10 000.
    pub fn ratio(&self, name: &str) -> Option<i64> {
        i64::try_from(self.decimal(name, 4)?).ok()
    }

    /// A yearly rate, in 1/10^8.
    pub fn rate(&self, name: &str) -> Option<i64> {
        i64::try_from(self.decimal(name, 8)?).ok()
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let text = |v: &Value| match v {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        match self.get(name) {
            Some(Value::List(items)) => items.iter().filter_map(text).collect(),
            _ => Vec::new(),
        }
    }

    pub fn structs(&self, name: &str) -> Vec<Fields<'a>> {
        let object = |v: &'a Value| match v {
            Value::Object(object) => Some(Fields(object)),
            _ => None,
        };
        match self.get(name) {
            Some(Value::List(items)) => items.iter().filter_map(object).collect(),
            _ => Vec::new(),
        }
    }
}
