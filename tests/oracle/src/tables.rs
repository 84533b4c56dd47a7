//! Rule tables: reading CSV, checking the rows of a `rules` input, and the four tables that decide something here.

use std::collections::BTreeMap;
use std::path::Path;

use num_bigint::BigInt;
use num_traits::Signed;

use crate::json::{Object, Value};
use crate::num::decimal;
use crate::time;
use crate::wire::{BASES, BOARDS, CLASSES, CLIENT_CLASSES, SALE_FLOORS};

/// A row by column name.
pub type Row = BTreeMap<String, String>;

/// The tables in force.
#[derive(Clone)]
pub struct Tables {
    pub haircut_caps: Vec<Row>,
    pub margin_ratio_minimums: Vec<Row>,
    pub line_presets: Vec<Row>,
    pub restriction_presets: Vec<Row>,
}

pub const TIERS: [&str; 7] = ["none", "normal", "watch", "warning", "call", "immediate", "insolvent"];
pub const ACTS: [&str; 6] = ["financing", "shorting", "collateral_buy", "withdraw", "transfer_out", "extend"];

/// What a cell may hold.
#[derive(Clone, Copy)]
enum Cell {
    Any,
    Name,
    Date,
    DateOrEmpty,
    Moment,
    /// A decimal of at most that many places, up to a bound in whole numbers.
    Decimal(u32, u32),
    /// As before, or empty, or one of the words.
    DecimalOr(u32, u32, &'static [&'static str]),
    CountOr(&'static [&'static str]),
    Word(&'static [&'static str]),
    WordOr(&'static [&'static str], &'static [&'static str]),
    Clock,
    ClockOrEmpty,
    YesNo,
    CapCondition,
    ClassList,
}

type Columns = &'static [(&'static str, Cell)];

const EMPTY: &[&str] = &[""];
const LINE: Cell = Cell::DecimalOr(4, 100, &["", "none"]);
const NUMBER: Cell = Cell::DecimalOr(4, 100, &[""]);

const HAIRCUT_CAPS: Columns = &[
    ("effective_from", Cell::Date),
    ("market", Cell::Name),
    ("class", Cell::WordOr(CLASSES, &["any"])),
    ("condition", Cell::CapCondition),
    ("cap", Cell::Decimal(4, 1)),
    ("note", Cell::Any),
    ("source", Cell::Any),
];
const MINIMUMS: Columns = &[
    ("effective_from", Cell::Moment),
    ("side", Cell::Word(&["financing", "short"])),
    ("client_class", Cell::WordOr(CLIENT_CLASSES, &["any"])),
    ("minimum", Cell::Decimal(4, 100)),
    ("applies_to", Cell::Any),
    ("on_extension", Cell::Word(&["keep", "reprice"])),
    ("announced", Cell::DateOrEmpty),
    ("source", Cell::Any),
];
const RESTRICTIONS: Columns = &[
    ("preset", Cell::Name),
    ("tier", Cell::WordOr(&TIERS, &["any"])),
    ("financing", Cell::YesNo),
    ("shorting", Cell::YesNo),
    ("collateral_buy", Cell::YesNo),
    ("withdraw", Cell::YesNo),
    ("transfer_out", Cell::YesNo),
    ("extend", Cell::YesNo),
    ("still_open", Cell::Any),
    ("cause", Cell::Any),
    ("as_of", Cell::DateOrEmpty),
    ("source", Cell::Any),
];
const LINE_PRESETS: Columns = &[
    ("preset", Cell::Name),
    ("free", NUMBER),
    ("watch", LINE),
    ("warning", LINE),
    ("call", LINE),
    ("immediate", LINE),
    ("restore_call", NUMBER),
    ("restore_sale", NUMBER),
    ("sale_floor", Cell::WordOr(SALE_FLOORS, EMPTY)),
    ("deadline_days", Cell::CountOr(EMPTY)),
    ("deadline_basis", Cell::Word(&["clearing", "time", ""])),
    ("deadline_time", Cell::ClockOrEmpty),
    ("call_basis", Cell::WordOr(BASES, EMPTY)),
    ("immediate_basis", Cell::WordOr(BASES, EMPTY)),
    ("suspended_days", Cell::CountOr(EMPTY)),
    ("suspended_mark", Cell::Word(&["last", "zero", "index", ""])),
    ("as_of", Cell::DateOrEmpty),
    ("source", Cell::Any),
];
const BOARD_CONDITIONS: &[&str] = &[
    "",
    "underlying in bond|money|gold|commodity|cross_border",
    "on the exchange list of 20 % funds (STAR or ChiNext index)",
    "cross-border LOF whose underlying turns over in a day",
    "exchange = SZSE",
    "first trading day",
];
const BOARD_ROWS: Columns = &[
    ("valid_from", Cell::Date),
    ("valid_to", Cell::DateOrEmpty),
    ("board", Cell::WordOr(BOARDS, &["any"])),
    ("class", Cell::Word(CLASSES)),
    ("condition", Cell::Word(BOARD_CONDITIONS)),
    ("lot", Cell::CountOr(&["", "lot"])),
    ("buy_minimum", Cell::CountOr(&["", "lot"])),
    ("buy_step", Cell::CountOr(&["", "lot"])),
    ("sell_step", Cell::CountOr(&["", "lot"])),
    ("odd_lot", Cell::Any),
    ("max_limit_order", Cell::CountOr(&["", "3000 lots"])),
    ("max_market_order", Cell::CountOr(EMPTY)),
    ("tick", Cell::DecimalOr(4, 100, &["", "table"])),
    ("sell_after", Cell::Word(&["T0", "T1", ""])),
    ("daily_limit", Cell::DecimalOr(4, 100, &["", "none"])),
    ("daily_limit_st", Cell::DecimalOr(4, 100, &["", "none"])),
    ("no_limit_days", Cell::CountOr(EMPTY)),
    ("cage", Cell::DecimalOr(4, 100, &["", "none", "void"])),
    ("cage_floor_ticks", Cell::CountOr(EMPTY)),
    ("after_hours", Cell::Word(&["yes", "no", "unverified", ""])),
    ("note", Cell::Any),
    ("source", Cell::Any),
];
const CONCENTRATION: Columns = &[
    ("preset", Cell::Name),
    ("client", Cell::WordOr(CLIENT_CLASSES, &["any"])),
    ("ratio_from", NUMBER),
    ("ratio_to", NUMBER),
    ("key", Cell::Name),
    ("limit", Cell::Decimal(4, 100)),
    ("kind", Cell::Word(&["single", "group", "board"])),
    ("note", Cell::Any),
    ("valid_from", Cell::DateOrEmpty),
    ("source", Cell::Any),
];
const FIRM_LIMITS: Columns = &[
    ("limit", Cell::Name),
    ("scope", Cell::Word(&["customer", "security", "firm", "account"])),
    ("figure", Cell::Any),
    ("breach", Cell::Decimal(4, 100)),
    ("warn", Cell::Decimal(4, 100)),
    ("basis", Cell::Any),
    ("valid_from", Cell::Date),
    ("valid_to", Cell::DateOrEmpty),
    ("source", Cell::Any),
];
const REDUCTIONS: Columns = &[
    ("effective_from", Cell::Date),
    ("effective_to", Cell::DateOrEmpty),
    ("market", Cell::Name),
    ("code", Cell::Name),
    ("holder", Cell::Any),
    ("way", Cell::Any),
    ("figure", Cell::Any),
    ("limit", NUMBER),
    ("window", Cell::Any),
    ("binds_default_disposal", Cell::Word(&["yes", "no", "unverified"])),
    ("note", Cell::Any),
    ("source", Cell::Any),
];
const SALE_COSTS: Columns = &[
    ("effective_from", Cell::Date),
    ("market", Cell::Name),
    ("item", Cell::Word(&["stamp_duty", "transfer_fee", "commission"])),
    ("rate", Cell::Decimal(8, 1)),
    ("side", Cell::Word(&["sell", "buy", "both"])),
    ("note", Cell::Any),
    ("class", Cell::ClassList),
    ("condition", Cell::Word(&["", "exchange = SH", "exchange = SZ", "exchange = BJ", "exchange = SH|SZ"])),
    ("minimum", Cell::Decimal(4, 1_000_000)),
    ("source", Cell::Any),
];
const SESSION_PHASES: &[&str] = &[
    "pre_open",
    "open_auction",
    "auction_no_cancel",
    "continuous",
    "break",
    "close_auction",
    "closed",
    "after_hours",
];
const SESSIONS: Columns = &[
    ("valid_from", Cell::Date),
    ("valid_to", Cell::DateOrEmpty),
    ("board", Cell::WordOr(BOARDS, &["any"])),
    ("phase", Cell::Word(SESSION_PHASES)),
    ("start", Cell::Clock),
    ("end", Cell::Clock),
    ("accepts_orders", Cell::Word(&["yes", "no", "unverified"])),
    ("accepts_cancels", Cell::Word(&["yes", "no", "unverified"])),
    ("matching", Cell::Any),
    ("note", Cell::Any),
    ("source", Cell::Any),
];

fn columns(table: &str) -> Option<Columns> {
    Some(match table {
        "haircut_caps" => HAIRCUT_CAPS,
        "margin_ratio_minimums" => MINIMUMS,
        "restriction_presets" => RESTRICTIONS,
        "line_presets" => LINE_PRESETS,
        "boards" => BOARD_ROWS,
        "concentration_presets" => CONCENTRATION,
        "firm_limits" => FIRM_LIMITS,
        "reduction_rules" => REDUCTIONS,
        "sale_costs" => SALE_COSTS,
        "sessions" => SESSIONS,
        _ => return None,
    })
}

fn cell_reads(cell: Cell, text: &str) -> bool {
    let number = |scale, bound: u32| {
        let most = BigInt::from(bound) * crate::num::pow10(scale);
        decimal(text, scale).is_some_and(|v| !v.is_negative() && v <= most)
    };
    let count = || !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match cell {
        Cell::Any => true,
        Cell::Name => !text.is_empty(),
        Cell::Date => time::date(text).is_some(),
        Cell::DateOrEmpty => text.is_empty() || time::date(text).is_some(),
        Cell::Moment => time::local_moment(text).is_some(),
        Cell::Decimal(scale, bound) => number(scale, bound),
        Cell::DecimalOr(scale, bound, words) => words.contains(&text) || number(scale, bound),
        Cell::CountOr(words) => words.contains(&text) || count(),
        Cell::Word(words) => words.contains(&text),
        Cell::WordOr(words, more) => words.contains(&text) || more.contains(&text),
        Cell::Clock => time::minutes(text).is_some(),
        Cell::ClockOrEmpty => text.is_empty() || time::minutes(text).is_some(),
        Cell::YesNo => matches!(text, "yes" | "no"),
        Cell::CapCondition => condition(text).is_some(),
        Cell::ClassList => text == "any" || text.split('|').all(|class| CLASSES.contains(&class)),
    }
}

/// Reads the rows of a `rules` or `calendar` input as a table of that name.
pub fn rows_of(table: &str, rows: &[&Object]) -> Result<Vec<Row>, String> {
    let columns = columns(table).ok_or_else(|| format!("no table {table}"))?;
    let mut out = Vec::new();
    for (number, object) in rows.iter().enumerate() {
        if object.0.len() != columns.len() {
            return Err(format!("row {number}: not the columns of {table}"));
        }
        let mut row = Row::new();
        for (name, cell) in columns {
            match object.get(name) {
                Some(Value::Text(text)) if cell_reads(*cell, text) => {
                    row.insert((*name).to_owned(), text.clone())
                }
                _ => return Err(format!("row {number}: {name}")),
            };
        }
        out.push(row);
    }
    Ok(out)
}

/// Comma-separated values with quotes, as lists of cells.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

fn read_table(table: &str, text: &str) -> Result<Vec<Row>, String> {
    let mut rows = csv(text).into_iter();
    let header = rows.next().unwrap_or_default();
    let objects: Vec<Object> = rows
        .map(|cells| Object(header.iter().cloned().zip(cells.into_iter().map(Value::Text)).collect()))
        .collect();
    rows_of(table, &objects.iter().collect::<Vec<_>>()).map_err(|what| format!("{table}.csv: {what}"))
}

impl Tables {
    /// The tables as shipped, or those of a folder.
    pub fn load(folder: Option<&Path>) -> Result<Tables, String> {
        let read = |table: &str, shipped: &str| match folder {
            None => read_table(table, shipped),
            Some(folder) => {
                let path = folder.join(format!("{table}.csv"));
                let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                read_table(table, &text)
            }
        };
        Ok(Tables {
            haircut_caps: read("haircut_caps", include_str!("../rules/haircut_caps.csv"))?,
            margin_ratio_minimums: read(
                "margin_ratio_minimums",
                include_str!("../rules/margin_ratio_minimums.csv"),
            )?,
            line_presets: read("line_presets", include_str!("../rules/line_presets.csv"))?,
            restriction_presets: read(
                "restriction_presets",
                include_str!("../rules/restriction_presets.csv"),
            )?,
        })
    }

    /// Puts checked rows in place of a table; the tables that decide nothing here are only checked.
    pub fn replace(&mut self, table: &str, rows: Vec<Row>) {
        match table {
            "haircut_caps" => self.haircut_caps = rows,
            "margin_ratio_minimums" => self.margin_ratio_minimums = rows,
            "line_presets" => self.line_presets = rows,
            "restriction_presets" => self.restriction_presets = rows,
            _ => {}
        }
    }

    /// The acts refused in each tier by the preset `default`: a tier without a row takes that of the nearest milder one.
    pub fn restrictions(&self) -> [[bool; 6]; 7] {
        let mut out = [[false; 6]; 7];
        for tier in 0..7 {
            let row = |name: &str| {
                self.restriction_presets.iter().find(|r| r["preset"] == "default" && r["tier"] == name)
            };
            out[tier] = match row(TIERS[tier]) {
                Some(row) => ACTS.map(|act| row[act] == "yes"),
                None if tier > 0 => out[tier - 1],
                None => row("any").map_or([false; 6], |row| ACTS.map(|act| row[act] == "yes")),
            };
        }
        out
    }

    /// The minimum margin ratio in force at an instant and whether an extension takes it; `None` before the first rule.
    pub fn minimum(&self, short: bool, client_class: &str, at: i64) -> Option<(i64, bool)> {
        let side = if short { "short" } else { "financing" };
        let mut best: Option<(i64, bool, &Row)> = None;
        for row in &self.margin_ratio_minimums {
            let Some(from) = time::local_moment(&row["effective_from"]) else { continue };
            let own = row["client_class"] == client_class;
            if row["side"] != side || from > at || !(own || row["client_class"] == "any") {
                continue;
            }
            // Later rows win; of rows of one date the one for the class.
            if best.is_none_or(|(b, b_own, _)| (from, own) >= (b, b_own)) {
                best = Some((from, own, row));
            }
        }
        best.map(|(_, _, row)| (units(&row["minimum"]), row["on_extension"] == "reprice"))
    }
}

/// A checked decimal of a table in 1/10 000.
pub fn units(text: &str) -> i64 {
    decimal(text, 4).and_then(|v| i64::try_from(v).ok()).unwrap_or(0)
}

/// A condition of the caps table.
#[derive(Debug, PartialEq)]
pub enum Condition {
    Always,
    Other,
    IndexIn(Vec<String>),
    Board(String),
    BoardAndIndex(String, Vec<String>),
    RiskWarningOrDelisting,
    /// `pe_static >= high or pe_static < low`, in 1/10 000.
    Pe(i64, i64),
}

/// Reads a condition of the caps table; `None` if the table does not know it.
pub fn condition(text: &str) -> Option<Condition> {
    let names = |list: &str| {
        let names: Vec<String> = list.split('|').map(str::to_owned).collect();
        names.iter().all(|n| !n.is_empty() && !n.contains(' ')).then_some(names)
    };
    let board = |name: &str| BOARDS.contains(&name).then(|| name.to_owned());
    match text {
        "" => return Some(Condition::Always),
        "other" => return Some(Condition::Other),
        "risk_warning|delisting" => return Some(Condition::RiskWarningOrDelisting),
        _ => {}
    }
    if let Some(list) = text.strip_prefix("index in ") {
        return names(list).map(Condition::IndexIn);
    }
    if let Some(rest) = text.strip_prefix("board = ") {
        return match rest.split_once(" and index in ") {
            Some((name, list)) => Some(Condition::BoardAndIndex(board(name)?, names(list)?)),
            None => board(rest).map(Condition::Board),
        };
    }
    let (high, low) = text.strip_prefix("pe_static >= ")?.split_once(" or pe_static < ")?;
    let bound = |text| i64::try_from(decimal(text, 4)?).ok();
    Some(Condition::Pe(bound(high)?, bound(low)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every table of the shared folder passes the check its `rules` input would have to pass.
    #[test]
    fn shared_tables_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/rules");
        if !folder.is_dir() {
            println!("skipped: {} is absent", folder.display());
            return;
        }
        for table in [
            "boards",
            "concentration_presets",
            "firm_limits",
            "haircut_caps",
            "line_presets",
            "margin_ratio_minimums",
            "reduction_rules",
            "restriction_presets",
            "sale_costs",
            "sessions",
        ] {
            let text = std::fs::read_to_string(folder.join(format!("{table}.csv"))).expect("a table");
            assert!(!read_table(table, &text).expect("rows").is_empty());
        }
    }

    #[test]
    fn minimums_by_date_and_class() {
        let tables = Tables::load(None).expect("tables");
        let at = |text: &str| time::local_moment(text).expect("a moment");
        let minimum = |short, class: &str, text: &str| tables.minimum(short, class, at(text));
        assert_eq!(minimum(false, "individual", "2010-03-30"), None);
        assert_eq!(minimum(false, "individual", "2023-09-08T14:59"), Some((10_000, false)));
        assert_eq!(minimum(false, "individual", "2023-09-08T15:00"), Some((8_000, false)));
        assert_eq!(minimum(true, "private_fund", "2023-10-30"), Some((10_000, false)));
        assert_eq!(minimum(true, "product", "2023-10-30"), Some((8_000, false)));
        assert_eq!(minimum(true, "private_fund", "2024-07-22"), Some((12_000, true)));
    }
}
