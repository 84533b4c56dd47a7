//! One table per event type: its fields beyond the envelope, which of them must be there, and what
//! each may hold. The decoder and the JSON Schema both read these tables, and nothing else.

use plimsoll_engine::input::{
    ActionKind, Basis, Board, CashReason, Class, ClientClass, ContractSide, InterestKind, OrderStatus, Phase,
    Side,
};
use plimsoll_engine::num::{BP_BOUND, MONEY_BOUND, PER_SHARE_BOUND, PRICE_BOUND, QUANTITY_BOUND};

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must be there, and not null.
    Required,
    /// It must be there; null has a meaning of its own.
    Nullable,
    /// It may be null or absent, with the same meaning.
    Optional,
}

/// A decimal: how many decimals count, and its bounds in units of the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// Significant decimals.
    pub decimals: u32,
    /// Least value.
    pub min: i64,
    /// Greatest value.
    pub max: i64,
}

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is not empty.
    Name,
    /// A text that is not empty, or an integer.
    Label,
    /// A security code with its exchange.
    Security,
    /// A date.
    Date,
    /// A time of day, `HH:MM`.
    Minute,
    /// A truth value.
    Bool,
    /// A decimal.
    Decimal(Decimal),
    /// An integer between these.
    Integer(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any of these words, as a list.
    Words(&'static [&'static str]),
    /// A ratio line, or `none`.
    Line,
    /// A list of names.
    Names,
    /// A list of dates.
    Dates,
    /// A list of anything.
    List,
    /// A list of objects of this table.
    Objects(&'static Table),
    /// A list of rows of a rule table.
    Rows,
    /// A policy.
    Policy,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// What it may hold.
    pub kind: Kind,
}

/// The fields of one kind of object, in the order in which they are judged.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Name of the event type or object.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// No table has more fields than this.
pub const MAX_FIELDS: usize = 26;

impl Table {
    const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        assert!(fields.len() <= MAX_FIELDS);
        Table { name, fields }
    }

    /// Where a field stands; asked when compiling, where a wrong name ends the build.
    #[must_use]
    pub const fn at(&self, name: &str) -> usize {
        let mut at = 0;
        while at < self.fields.len() {
            if same(self.fields[at].name, name) {
                return at;
            }
            at += 1;
        }
        panic!("no such field")
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn req(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Required, kind }
}

const fn opt(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Optional, kind }
}

const fn nullable(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Nullable, kind }
}

const fn decimal(decimals: u32, min: i64, max: i64) -> Kind {
    Kind::Decimal(Decimal { decimals, min, max })
}

/// A price, 0 allowed.
pub const PRICE: Kind = decimal(4, 0, PRICE_BOUND - 1);
/// A price above 0.
pub const POSITIVE_PRICE: Kind = decimal(4, 1, PRICE_BOUND - 1);
/// Money of either sign.
pub const MONEY: Kind = decimal(4, 1 - MONEY_BOUND, MONEY_BOUND - 1);
/// Money that is not negative.
pub const AMOUNT: Kind = decimal(4, 0, MONEY_BOUND - 1);
/// Ratio lines and margin ratios.
pub const RATIO: Kind = decimal(4, 0, BP_BOUND as i64);
/// A haircut.
pub const HAIRCUT: Kind = decimal(4, 0, 10_000);
/// Cost, interest and fee rates.
pub const RATE: Kind = decimal(8, 0, 99_999_999);
/// Dividend per share, bonus and rights ratio.
pub const PER_SHARE: Kind = decimal(8, 0, PER_SHARE_BOUND);
/// The same where it must be above 0.
pub const POSITIVE_PER_SHARE: Kind = decimal(8, 1, PER_SHARE_BOUND);
/// A part of a whole.
const SHARE: Kind = decimal(8, 0, 100_000_000);
/// A number of shares, 0 allowed.
const QUANTITY: Kind = Kind::Integer(0, QUANTITY_BOUND - 1);
/// A number of shares above 0.
const POSITIVE_QUANTITY: Kind = Kind::Integer(1, QUANTITY_BOUND - 1);
/// A number of shares of either sign.
const SIGNED_QUANTITY: Kind = Kind::Integer(1 - QUANTITY_BOUND, QUANTITY_BOUND - 1);
/// A number of days of an agreement or a policy.
const DAYS: Kind = Kind::Integer(0, 36_500);
/// How last settlement's need bounds a sale.
const SALE_FLOOR: Kind = Kind::Word(&["none", "last_settlement"]);
const BASIS: Kind = Kind::Word(Basis::WORDS);
const SIDE: Kind = Kind::Word(Side::WORDS);
const CLIENT_CLASS: Kind = Kind::Word(ClientClass::WORDS);

/// `security`
pub static SECURITY: Table = Table::new(
    "security",
    &[
        req("security", Kind::Security),
        req("name", Kind::Text),
        req("class", Kind::Word(Class::WORDS)),
        req("board", Kind::Word(Board::WORDS)),
        opt("indices", Kind::Names),
        opt("risk_warning", Kind::Bool),
        opt("delisting", Kind::Bool),
        opt("suspended", Kind::Bool),
        opt("suspended_since", Kind::Date),
        req("collateral", Kind::Bool),
        req("financing", Kind::Bool),
        req("shorting", Kind::Bool),
        req("haircut", HAIRCUT),
        opt("financing_margin", RATIO),
        opt("short_margin", RATIO),
        opt("total_shares", QUANTITY),
        opt("float_shares", QUANTITY),
        opt("pe_static", MONEY),
        opt("average_turnover", AMOUNT),
        opt("group", Kind::Text),
        opt("lot", QUANTITY),
        opt("tick", PRICE),
        opt("sell_after", Kind::Word(&["T0", "T1"])),
        opt("listed_on", Kind::Date),
        opt("pledge_share", SHARE),
    ],
);

/// `quote`
pub static QUOTE: Table = Table::new(
    "quote",
    &[
        req("security", Kind::Security),
        opt("price", PRICE),
        opt("prev_close", PRICE),
        opt("bid1", PRICE),
        opt("ask1", PRICE),
        opt("limit_up", PRICE),
        opt("limit_down", PRICE),
        opt("phase", Kind::Word(Phase::WORDS)),
        opt("volume", QUANTITY),
        opt("turnover", AMOUNT),
        opt("last", Kind::Bool),
    ],
);

/// `index`
pub static INDEX: Table = Table::new("index", &[req("index", Kind::Name), req("level", AMOUNT)]);

/// `mark`
pub static MARK: Table = Table::new(
    "mark",
    &[
        req("security", Kind::Security),
        nullable("price", PRICE),
        req("by", Kind::Text),
        req("reason", Kind::Text),
    ],
);

/// `corporate_action`; the kind decides which of the last four fields are read.
pub static CORPORATE_ACTION: Table = Table::new(
    "corporate_action",
    &[
        req("security", Kind::Security),
        req("kind", Kind::Word(ActionKind::WORDS)),
        req("ex_date", Kind::Date),
        opt("record_date", Kind::Date),
        opt("pay_date", Kind::Date),
        opt("list_date", Kind::Date),
        opt("per_share", POSITIVE_PER_SHARE),
        opt("ratio", POSITIVE_PER_SHARE),
        opt("price", POSITIVE_PRICE),
        opt("compensation", PER_SHARE),
    ],
);

/// `account`
pub static ACCOUNT: Table = Table::new(
    "account",
    &[
        req("account", Kind::Name),
        req("customer", Kind::Name),
        opt("name", Kind::Text),
        req("client_class", CLIENT_CLASS),
        opt("branch", Kind::Text),
        opt("manager", Kind::Text),
        opt("rating", Kind::Text),
        opt("credit_line", AMOUNT),
        opt("contacts", Kind::List),
        opt("opened", Kind::Date),
    ],
);

/// `lines`
pub static LINES: Table = Table::new(
    "lines",
    &[
        req("account", Kind::Name),
        opt("free", RATIO),
        opt("watch", Kind::Line),
        opt("warning", Kind::Line),
        opt("call", Kind::Line),
        opt("immediate", Kind::Line),
        opt("restore_call", RATIO),
        opt("restore_sale", RATIO),
        opt("sale_floor", SALE_FLOOR),
        opt("deadline_days", DAYS),
        opt("deadline_time", Kind::Minute),
        opt("call_basis", BASIS),
        opt("immediate_basis", BASIS),
        opt("agreement", Kind::Text),
        opt("valid_from", Kind::Date),
    ],
);

/// A position of an `opening`.
pub static POSITION: Table = Table::new(
    "position",
    &[
        req("security", Kind::Security),
        req("quantity", QUANTITY),
        opt("sellable", QUANTITY),
        opt("frozen", QUANTITY),
    ],
);

/// A contract of an `opening`.
pub static CONTRACT: Table = Table::new(
    "contract",
    &[
        req("contract", Kind::Name),
        req("side", Kind::Word(ContractSide::WORDS)),
        req("security", Kind::Security),
        req("quantity", QUANTITY),
        req("amount", AMOUNT),
        opt("interest", AMOUNT),
        opt("rate", RATE),
        req("opened", Kind::Date),
        opt("due", Kind::Date),
        opt("margin_ratio", RATIO),
    ],
);

/// A receivable of an `opening`.
pub static RECEIVABLE: Table =
    Table::new("receivable", &[req("amount", AMOUNT), opt("pay_date", Kind::Date)]);

/// `opening`
pub static OPENING: Table = Table::new(
    "opening",
    &[
        req("account", Kind::Name),
        req("cash", MONEY),
        opt("positions", Kind::Objects(&POSITION)),
        opt("contracts", Kind::Objects(&CONTRACT)),
        opt("other_collateral", AMOUNT),
        opt("receivables", Kind::Objects(&RECEIVABLE)),
    ],
);

/// `cash`
pub static CASH: Table = Table::new(
    "cash",
    &[req("account", Kind::Name), req("amount", MONEY), req("reason", Kind::Word(CashReason::WORDS))],
);

/// `transfer`
pub static TRANSFER: Table = Table::new(
    "transfer",
    &[req("account", Kind::Name), req("security", Kind::Security), req("quantity", SIGNED_QUANTITY)],
);

/// `fill`
pub static FILL: Table = Table::new(
    "fill",
    &[
        req("account", Kind::Name),
        req("side", SIDE),
        req("security", Kind::Security),
        req("quantity", POSITIVE_QUANTITY),
        req("price", POSITIVE_PRICE),
        opt("fee", AMOUNT),
        opt("contract", Kind::Name),
        opt("order", Kind::Name),
        opt("rate", RATE),
        opt("due", Kind::Date),
        opt("margin_ratio", RATIO),
    ],
);

/// `repay`
pub static REPAY: Table = Table::new(
    "repay",
    &[
        req("account", Kind::Name),
        req("contract", Kind::Name),
        opt("amount", decimal(4, 1, MONEY_BOUND - 1)),
        opt("quantity", POSITIVE_QUANTITY),
    ],
);

/// `interest`
pub static INTEREST: Table = Table::new(
    "interest",
    &[
        req("account", Kind::Name),
        req("contract", Kind::Name),
        req("amount", MONEY),
        req("kind", Kind::Word(InterestKind::WORDS)),
    ],
);

/// `extend`
pub static EXTEND: Table = Table::new(
    "extend",
    &[
        req("account", Kind::Name),
        req("contract", Kind::Name),
        req("due", Kind::Date),
        opt("rate", RATE),
        opt("margin_ratio", RATIO),
    ],
);

/// `order`
pub static ORDER: Table = Table::new(
    "order",
    &[
        req("account", Kind::Name),
        req("order", Kind::Name),
        req("side", SIDE),
        req("security", Kind::Security),
        req("quantity", POSITIVE_QUANTITY),
        req("price", POSITIVE_PRICE),
        req("status", Kind::Word(OrderStatus::WORDS)),
        req("remaining", QUANTITY),
    ],
);

/// `other_collateral`
pub static OTHER_COLLATERAL: Table = Table::new(
    "other_collateral",
    &[req("account", Kind::Name), req("value", AMOUNT), opt("note", Kind::Text)],
);

/// `day_start`
pub static DAY_START: Table = Table::new("day_start", &[req("date", Kind::Date)]);

/// `day_end`
pub static DAY_END: Table = Table::new("day_end", &[req("date", Kind::Date)]);

/// `clock`
pub static CLOCK: Table = Table::new("clock", &[]);

/// `policy`
pub static POLICY: Table =
    Table::new("policy", &[req("version", Kind::Label), req("policy", Kind::Policy), req("by", Kind::Text)]);

/// `rules`
pub static RULES: Table =
    Table::new("rules", &[req("version", Kind::Label), req("table", Kind::Name), req("rows", Kind::Rows)]);

/// `calendar`
pub static CALENDAR: Table = Table::new(
    "calendar",
    &[req("version", Kind::Label), req("dates", Kind::Dates), opt("sessions", Kind::Rows)],
);

/// The event types of version 1, each with its table.
macro_rules! types {
    ($($variant:ident $word:literal $table:ident),+ $(,)?) => {
        /// An event type that version 1 takes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Type { $(#[doc = concat!("`", $word, "`")] $variant),+ }

        impl Type {
            /// Every type, in the order of events.md.
            pub const ALL: &'static [Type] = &[$(Type::$variant),+];

            /// The type of a word of the wire.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Type::$variant),)+ _ => None }
            }

            /// The fields of the type.
            #[must_use]
            pub fn table(self) -> &'static Table {
                match self { $(Type::$variant => &$table),+ }
            }
        }
    };
}
types! {
    Security "security" SECURITY, Quote "quote" QUOTE, Index "index" INDEX, Mark "mark" MARK,
    CorporateAction "corporate_action" CORPORATE_ACTION, Account "account" ACCOUNT,
    Lines "lines" LINES, Opening "opening" OPENING, Cash "cash" CASH, Transfer "transfer" TRANSFER,
    Fill "fill" FILL, Repay "repay" REPAY, Interest "interest" INTEREST, Extend "extend" EXTEND,
    Order "order" ORDER, OtherCollateral "other_collateral" OTHER_COLLATERAL,
    DayStart "day_start" DAY_START, DayEnd "day_end" DAY_END, Clock "clock" CLOCK,
    Policy "policy" POLICY, Rules "rules" RULES, Calendar "calendar" CALENDAR,
}

impl Type {
    /// Whether events of the type report what has happened at the counter (events.md, "Facts").
    #[must_use]
    pub fn is_fact(self) -> bool {
        matches!(self, Type::Fill | Type::Repay | Type::Transfer | Type::Cash)
    }
}

/// Types of later features: known, and refused `not_enabled`.
pub const LATER: &[&str] = &[
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

/// Words of `[lines] inclusive`: the lines that may compare with "or equal".
pub const INCLUSIVE: &[&str] = &["watch", "warning", "call", "immediate"];

/// `[lines]` of a policy and its class sections.
pub static POLICY_LINES: Table = Table::new(
    "lines",
    &[
        opt("preset", Kind::Name),
        opt("free", RATIO),
        opt("watch", Kind::Line),
        opt("warning", Kind::Line),
        opt("call", Kind::Line),
        opt("immediate", Kind::Line),
        opt("restore_call", RATIO),
        opt("restore_sale", RATIO),
        opt("recovery_band", RATIO),
        opt("inclusive", Kind::Words(INCLUSIVE)),
    ],
);

/// `[call]` of a policy.
pub static POLICY_CALL: Table = Table::new(
    "call",
    &[
        opt("basis", BASIS),
        opt("immediate_basis", BASIS),
        opt("deadline_days", DAYS),
        opt("deadline_time", Kind::Minute),
        opt("sale_floor", SALE_FLOOR),
    ],
);

/// `[costs]` of a policy.
pub static POLICY_COSTS: Table = Table::new(
    "costs",
    &[
        opt("commission", RATE),
        opt("commission_minimum", AMOUNT),
        opt("stamp_duty", RATE),
        opt("transfer_fee", RATE),
        opt("slippage", RATE),
    ],
);

/// `[marking]` of a policy.
pub static POLICY_MARKING: Table = Table::new(
    "marking",
    &[
        opt("suspended", Kind::Word(plimsoll_engine::policy::SuspendedMark::WORDS)),
        opt("suspended_days", DAYS),
    ],
);

/// `[interest]` of a policy.
pub static POLICY_INTEREST: Table = Table::new("interest", &[opt("year_days", Kind::Integer(1, 366))]);

/// `[repay]` of a policy.
pub static POLICY_REPAY: Table = Table::new(
    "repay",
    &[
        opt("order", Kind::Word(plimsoll_engine::policy::RepayOrder::WORDS)),
        opt("contract", Kind::Word(plimsoll_engine::policy::RepayContract::WORDS)),
        opt("release", Kind::Word(plimsoll_engine::policy::Release::WORDS)),
        opt("collateral_sell", Kind::Word(plimsoll_engine::policy::CollateralSell::WORDS)),
    ],
);

/// The sections of a policy.
pub static POLICY_SECTIONS: &[&Table] =
    &[&POLICY_LINES, &POLICY_CALL, &POLICY_COSTS, &POLICY_MARKING, &POLICY_INTEREST, &POLICY_REPAY];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_the_table_of_its_name() {
        for &kind in Type::ALL {
            assert_eq!(Type::parse(kind.table().name), Some(kind));
            let mut names: Vec<_> = kind.table().fields.iter().map(|field| field.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), kind.table().fields.len());
        }
        assert!(LATER.iter().all(|word| Type::parse(word).is_none()));
    }
}
