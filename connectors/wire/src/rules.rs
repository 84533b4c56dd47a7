//! Rule tables: the files of `rules/`, carried in the binary, and `rules` inputs that replace one.
//!
//! Both go through one reader. A cell is readable if it is of its column's kind or one of the words
//! the column knows beside it; a condition is readable if the table's own rows use it.

use crate::decimal;
use crate::names::Interner;
use crate::time::{parse_date, parse_minute};
use crate::value::Value;
use plimsoll_engine::effect::{Act, Acts, Tier};
use plimsoll_engine::input::{Basis, Board, Class, ClientClass, ContractSide, IndexName, Line, Phase};
use plimsoll_engine::num::{BP_BOUND, Bp, Time};
use plimsoll_engine::policy::{LineName, SuspendedMark};
use plimsoll_engine::rules::{
    BoardRow, CapCondition, CapRow, LinePresetRow, MinimumRow, RestrictionRow, RuleTable, Rules,
};

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// Anything.
    Text,
    /// Anything but nothing.
    Key,
    /// A date.
    Date,
    /// A date, or a date and a time of day at +08:00.
    Moment,
    /// A time of day.
    Minute,
    /// A whole number.
    Whole,
    /// A decimal of at most 8 decimals.
    Number,
    /// A ratio of at most 4 decimals and 100.
    Ratio,
    /// A part of one with at most 4 decimals.
    Part,
    /// One of these.
    Words(&'static [&'static str]),
    /// One or more of these with `|` between them.
    Several(&'static [&'static str]),
    /// A condition that the table's own rows use.
    Condition,
}

/// A column: its name, what it holds, and words it knows besides (the empty one for "not said").
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub cell: Cell,
    /// Words besides.
    pub besides: &'static [&'static str],
}

/// A table: a file of `rules/`.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    /// Name of the file without its ending.
    pub name: &'static str,
    /// Its text.
    pub csv: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

const fn col(name: &'static str, cell: Cell) -> Column {
    Column { name, cell, besides: &[] }
}

const fn or(name: &'static str, cell: Cell, besides: &'static [&'static str]) -> Column {
    Column { name, cell, besides }
}

const EMPTY: &[&str] = &[""];
const NONE: &[&str] = &["", "none"];
const ANY: &[&str] = &["any"];
const ANSWER: Cell = Cell::Words(&["yes", "no", "unverified"]);
const YES_NO: Cell = Cell::Words(&["yes", "no"]);
const MARKET: Cell = Cell::Words(&["cn", "hk", "kr"]);
const BOARD: Cell = Cell::Words(Board::WORDS);
const CLIENT: Cell = Cell::Words(ClientClass::WORDS);
const BASIS: Cell = Cell::Words(Basis::WORDS);

macro_rules! sheets {
    ($($(#[$doc:meta])* $sheet:ident $name:literal [$($column:expr),+ $(,)?])+) => {
        $($(#[$doc])* pub static $sheet: Sheet = Sheet {
            name: $name,
            csv: include_str!(concat!("../rules/", $name, ".csv")),
            columns: &[$($column),+],
        };)+
        /// Every table.
        pub static SHEETS: &[&Sheet] = &[$(&$sheet),+];
    };
}

sheets! {
    /// Boards: lots, ticks, limits by board, class and date.
    BOARDS "boards" [
        col("valid_from", Cell::Date), or("valid_to", Cell::Date, EMPTY), or("board", BOARD, ANY),
        col("class", Cell::Words(Class::WORDS)), col("condition", Cell::Condition),
        or("lot", Cell::Whole, &["", "lot"]), or("buy_minimum", Cell::Whole, &["", "lot"]),
        or("buy_step", Cell::Whole, &["", "lot"]), or("sell_step", Cell::Whole, &["", "lot"]),
        col("odd_lot", Cell::Text), or("max_limit_order", Cell::Whole, &["", "3000 lots"]),
        or("max_market_order", Cell::Whole, EMPTY), or("tick", Cell::Number, &["", "table"]),
        or("sell_after", Cell::Words(&["T0", "T1"]), EMPTY), or("daily_limit", Cell::Number, NONE),
        or("daily_limit_st", Cell::Number, NONE), or("no_limit_days", Cell::Whole, NONE),
        or("cage", Cell::Number, NONE), or("cage_floor_ticks", Cell::Whole, NONE),
        or("after_hours", ANSWER, EMPTY), col("note", Cell::Text), col("source", Cell::Text),
    ]
    /// Concentration limits of published agreements.
    CONCENTRATION_PRESETS "concentration_presets" [
        col("preset", Cell::Key), or("client", CLIENT, ANY), or("ratio_from", Cell::Ratio, EMPTY),
        or("ratio_to", Cell::Ratio, EMPTY), col("key", Cell::Key), or("limit", Cell::Number, NONE),
        col("kind", Cell::Words(&["single", "group", "board"])), col("note", Cell::Text),
        col("valid_from", Cell::Date), col("source", Cell::Text),
    ]
    /// Limits of the firm.
    FIRM_LIMITS "firm_limits" [
        col("limit", Cell::Key), col("scope", Cell::Words(&["customer", "security", "firm", "account"])),
        col("figure", Cell::Text), or("breach", Cell::Number, NONE), or("warn", Cell::Number, NONE),
        col("basis", Cell::Text), col("valid_from", Cell::Date), or("valid_to", Cell::Date, EMPTY),
        col("source", Cell::Text),
    ]
    /// Regulatory caps on haircuts.
    HAIRCUT_CAPS "haircut_caps" [
        col("effective_from", Cell::Date), col("market", MARKET),
        or("class", Cell::Words(Class::WORDS), ANY), col("condition", Cell::Condition),
        col("cap", Cell::Part), col("note", Cell::Text), col("source", Cell::Text),
    ]
    /// Lines of published agreements.
    LINE_PRESETS "line_presets" [
        col("preset", Cell::Key), or("free", Cell::Ratio, EMPTY), or("watch", Cell::Ratio, NONE),
        or("warning", Cell::Ratio, NONE), or("call", Cell::Ratio, NONE),
        or("immediate", Cell::Ratio, NONE), or("restore_call", Cell::Ratio, EMPTY),
        or("restore_sale", Cell::Ratio, EMPTY),
        or("sale_floor", Cell::Words(&["none", "last_settlement"]), EMPTY),
        or("deadline_days", Cell::Whole, EMPTY),
        or("deadline_basis", Cell::Words(&["clearing", "time"]), EMPTY),
        or("deadline_time", Cell::Minute, EMPTY), or("call_basis", BASIS, EMPTY),
        or("immediate_basis", BASIS, EMPTY), or("suspended_days", Cell::Whole, EMPTY),
        or("suspended_mark", Cell::Words(SuspendedMark::WORDS), EMPTY),
        or("as_of", Cell::Date, EMPTY), col("source", Cell::Text),
    ]
    /// Minimum margin ratios by date.
    MARGIN_RATIO_MINIMUMS "margin_ratio_minimums" [
        col("effective_from", Cell::Moment), col("side", Cell::Words(ContractSide::WORDS)),
        or("client_class", CLIENT, ANY), col("minimum", Cell::Ratio), col("applies_to", Cell::Text),
        col("on_extension", Cell::Words(&["keep", "reprice"])), or("announced", Cell::Date, EMPTY),
        col("source", Cell::Text),
    ]
    /// Rules on the sale of large and special holdings.
    REDUCTION_RULES "reduction_rules" [
        col("effective_from", Cell::Date), or("effective_to", Cell::Date, EMPTY),
        or("market", MARKET, &["bse"]), col("code", Cell::Key), col("holder", Cell::Text),
        col("way", Cell::Text), col("figure", Cell::Text), or("limit", Cell::Number, NONE),
        col("window", Cell::Text), or("binds_default_disposal", ANSWER, EMPTY),
        col("note", Cell::Text), col("source", Cell::Text),
    ]
    /// Acts refused by tier.
    RESTRICTION_PRESETS "restriction_presets" [
        col("preset", Cell::Key), or("tier", Cell::Words(Tier::WORDS), ANY),
        col("financing", YES_NO), col("shorting", YES_NO), col("collateral_buy", YES_NO),
        col("withdraw", YES_NO), col("transfer_out", YES_NO), col("extend", YES_NO),
        col("still_open", Cell::Text), col("cause", Cell::Key), or("as_of", Cell::Date, EMPTY),
        col("source", Cell::Text),
    ]
    /// Costs of a sale or purchase.
    SALE_COSTS "sale_costs" [
        col("effective_from", Cell::Date), col("market", MARKET), col("item", Cell::Key),
        or("rate", Cell::Number, NONE), col("side", Cell::Words(&["buy", "sell", "both"])),
        col("note", Cell::Text), or("class", Cell::Several(Class::WORDS), ANY),
        col("condition", Cell::Condition), or("minimum", Cell::Number, NONE), col("source", Cell::Text),
    ]
    /// Hours by phase.
    SESSIONS "sessions" [
        col("valid_from", Cell::Date), or("valid_to", Cell::Date, EMPTY), or("board", BOARD, ANY),
        col("phase", Cell::Words(Phase::WORDS)), col("start", Cell::Minute), col("end", Cell::Minute),
        or("accepts_orders", ANSWER, EMPTY), or("accepts_cancels", ANSWER, EMPTY),
        col("matching", Cell::Text), col("note", Cell::Text), col("source", Cell::Text),
    ]
}

/// One row, by column.
type Row<'a> = Vec<std::borrow::Cow<'a, str>>;

impl Sheet {
    /// The table of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Sheet> {
        SHEETS.iter().find(|sheet| sheet.name == name).copied()
    }

    fn place(&self, column: &str) -> usize {
        self.columns.iter().position(|known| known.name == column).expect("a column of the table")
    }

    /// The table's own rows.
    fn own_rows(&self) -> Vec<Row<'static>> {
        csv_rows(self.csv).skip(1).collect()
    }

    /// The rows of an input, each an object of every column as text.
    fn input_rows<'v>(&self, rows: &'v [Value<'_>]) -> Result<Vec<Row<'v>>, String> {
        let mut read = Vec::with_capacity(rows.len());
        for (number, row) in rows.iter().enumerate() {
            let Value::Object(fields) = row else { return Err(format!("row {number}: not an object")) };
            if let Some((name, _)) =
                fields.iter().find(|(name, _)| self.columns.iter().all(|c| c.name != name))
            {
                return Err(format!("row {number}: unknown column {name:?}"));
            }
            let cell = |column: &Column| match fields.iter().find(|(name, _)| name == column.name) {
                Some((_, Value::Text(text))) => Ok(text.as_ref().into()),
                Some(_) => Err(format!("row {number}: {} is no text", column.name)),
                None => Err(format!("row {number}: {} is missing", column.name)),
            };
            read.push(self.columns.iter().map(cell).collect::<Result<Row<'v>, _>>()?);
        }
        Ok(read)
    }

    /// Whether every cell is readable.
    fn check(&self, rows: &[Row<'_>]) -> Result<(), String> {
        let own = self.own_rows();
        for (number, row) in rows.iter().enumerate() {
            for (at, (column, text)) in self.columns.iter().zip(row).enumerate() {
                let known = column.besides.contains(&text.as_ref())
                    || match column.cell {
                        Cell::Condition => own.iter().any(|row| row[at] == *text),
                        _ => readable(column.cell, text),
                    };
                if !known {
                    return Err(format!("row {number}: {} cannot be read: {text:?}", column.name));
                }
            }
        }
        Ok(())
    }

    /// Checks the rows and brings them into the form the core reads.
    fn table(&self, rows: &[Row<'_>], indices: &mut Interner) -> Result<RuleTable, String> {
        self.check(rows)?;
        let row = |row: &Row<'_>| row.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let cells = Cells { sheet: self };
        Ok(match self.name {
            "boards" => RuleTable::Boards(rows.iter().map(row).filter_map(|row| cells.board(&row)).collect()),
            "haircut_caps" => RuleTable::HaircutCaps(
                rows.iter().map(row).filter_map(|row| cells.cap(&row, indices)).collect(),
            ),
            "margin_ratio_minimums" => RuleTable::MarginMinimums(
                rows.iter().map(row).filter_map(|row| cells.minimum(&row)).collect(),
            ),
            "restriction_presets" => RuleTable::RestrictionPresets(
                rows.iter().map(row).map(|row| cells.restriction(&row)).collect(),
            ),
            "line_presets" => {
                RuleTable::LinePresets(rows.iter().map(row).map(|row| cells.line_preset(&row)).collect())
            }
            _ => RuleTable::Unread,
        })
    }
}

fn readable(cell: Cell, text: &str) -> bool {
    match cell {
        Cell::Text => true,
        Cell::Key => !text.is_empty(),
        Cell::Date => parse_date(text).is_some(),
        Cell::Moment => moment(text).is_some(),
        Cell::Minute => parse_minute(text).is_some(),
        Cell::Whole => whole(text).is_some(),
        Cell::Number => decimal::parse(text, 8).is_ok_and(|number| number >= 0),
        Cell::Ratio => ratio(text).is_some(),
        Cell::Part => ratio(text).is_some_and(|bp| bp <= 10_000),
        Cell::Words(words) => words.contains(&text),
        Cell::Several(words) => text.split('|').all(|word| words.contains(&word)),
        Cell::Condition => false,
    }
}

fn ratio(text: &str) -> Option<Bp> {
    let number = decimal::parse(text, 4).ok()?;
    Bp::try_from(number).ok().filter(|&bp| bp <= BP_BOUND)
}

fn whole(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A date, from its first instant on, or a date and a time of day at +08:00.
fn moment(text: &str) -> Option<Time> {
    const MINUTE_US: i64 = 60_000_000;
    match text.split_once('T') {
        None => Some(parse_date(text)?.start()),
        Some((date, minute)) => {
            Some(Time(parse_date(date)?.start().0 + i64::from(parse_minute(minute)?) * MINUTE_US))
        }
    }
}

/// Readable rows of one table as the core wants them.
struct Cells<'s> {
    sheet: &'s Sheet,
}

impl Cells<'_> {
    fn text<'r>(&self, row: &'r [String], column: &str) -> &'r str {
        &row[self.sheet.place(column)]
    }

    /// A cap; none for a row of another market, which no security of version 1 belongs to.
    fn cap(&self, row: &[String], indices: &mut Interner) -> Option<CapRow> {
        if self.text(row, "market") != "cn" {
            return None;
        }
        Some(CapRow {
            from: parse_date(self.text(row, "effective_from"))?,
            class: Class::parse(self.text(row, "class")),
            condition: condition(self.text(row, "condition"), indices),
            cap: ratio(self.text(row, "cap"))?,
        })
    }

    /// Ticks and limits of a board; none for a row with a condition, which amends another row for
    /// some of its securities.
    fn board(&self, row: &[String]) -> Option<BoardRow> {
        if !self.text(row, "condition").is_empty() {
            return None;
        }
        Some(BoardRow {
            from: parse_date(self.text(row, "valid_from"))?,
            to: parse_date(self.text(row, "valid_to")),
            board: Board::parse(self.text(row, "board")),
            class: Class::parse(self.text(row, "class"))?,
            tick: decimal::parse(self.text(row, "tick"), 4).ok().and_then(|tick| i64::try_from(tick).ok()),
            limit: ratio(self.text(row, "daily_limit")),
            limit_st: ratio(self.text(row, "daily_limit_st")),
        })
    }

    fn minimum(&self, row: &[String]) -> Option<MinimumRow> {
        Some(MinimumRow {
            from: moment(self.text(row, "effective_from"))?,
            side: ContractSide::parse(self.text(row, "side"))?,
            class: ClientClass::parse(self.text(row, "client_class")),
            minimum: ratio(self.text(row, "minimum"))?,
            reprice: self.text(row, "on_extension") == "reprice",
        })
    }

    fn restriction(&self, row: &[String]) -> RestrictionRow {
        let by_tier = self.text(row, "cause") == "tier";
        let mut refused = Acts::default();
        for &act in Act::ALL {
            if self.text(row, act.word()) == "yes" {
                refused.0 |= 1 << act as u8;
            }
        }
        RestrictionRow {
            preset: self.text(row, "preset").into(),
            tier: Tier::parse(self.text(row, "tier")).filter(|_| by_tier),
            refused,
        }
    }

    fn line_preset(&self, row: &[String]) -> LinePresetRow {
        let mut lines = [None; 7];
        for (line, name) in lines.iter_mut().zip(LineName::WORDS) {
            *line = match self.text(row, name) {
                "none" => Some(Line::Absent),
                text => ratio(text).map(Line::At),
            };
        }
        let floor = self.text(row, "sale_floor");
        LinePresetRow {
            preset: self.text(row, "preset").into(),
            lines,
            sale_floor: (!floor.is_empty()).then_some(floor == "last_settlement"),
            deadline_days: whole(self.text(row, "deadline_days")),
            deadline_minute: parse_minute(self.text(row, "deadline_time")),
            call_basis: Basis::parse(self.text(row, "call_basis")),
            immediate_basis: Basis::parse(self.text(row, "immediate_basis")),
            suspended_days: whole(self.text(row, "suspended_days")),
            suspended: SuspendedMark::parse(self.text(row, "suspended_mark")),
        }
    }
}

/// A condition of `haircut_caps`, one of those its own rows use.
fn condition(text: &str, indices: &mut Interner) -> CapCondition {
    let mut list = |names: &str| names.split('|').map(|name| IndexName(indices.intern(name))).collect();
    if let Some(names) = text.strip_prefix("board = bse and index in ") {
        return CapCondition::BseIndex(list(names));
    }
    if let Some(names) = text.strip_prefix("index in ") {
        return CapCondition::IndexIn(list(names));
    }
    match text {
        "risk_warning|delisting" => CapCondition::RiskWarningOrDelisting,
        "pe_static >= 300 or pe_static < 0" => CapCondition::PriceEarnings,
        "board = bse" => CapCondition::Bse,
        "other" => CapCondition::Other,
        _ => CapCondition::Always,
    }
}

/// The tables as the product carries them.
///
/// # Panics
/// When a file of `rules/` is not readable; a test reads them all.
#[must_use]
pub fn defaults(indices: &mut Interner) -> Rules {
    let mut rules = Rules::default();
    for sheet in SHEETS {
        match sheet.table(&sheet.own_rows(), indices) {
            Ok(table) => rules.replace(table),
            Err(what) => panic!("rules/{}.csv: {what}", sheet.name),
        }
    }
    rules
}

/// Reads the rows of a `rules` input.
///
/// # Errors
/// What cannot be read.
pub fn from_rows(table: &str, rows: &[Value<'_>], indices: &mut Interner) -> Result<RuleTable, String> {
    let sheet = Sheet::named(table).ok_or_else(|| format!("no table {table:?}"))?;
    sheet.table(&sheet.input_rows(rows)?, indices)
}

/// Judges the sessions of a `calendar` input.
///
/// # Errors
/// What cannot be read.
pub fn check_sessions(rows: &[Value<'_>]) -> Result<(), String> {
    SESSIONS.check(&SESSIONS.input_rows(rows)?)
}

/// The rows of a CSV text, quotes taken off.
fn csv_rows(text: &str) -> impl Iterator<Item = Row<'static>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        loop {
            let (cell, after) = csv_cell(rest);
            row.push(cell.into());
            let end = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'));
            rest = end.or_else(|| after.strip_prefix(',')).unwrap_or("");
            if end.is_some() || after.is_empty() {
                return Some(row);
            }
        }
    })
}

/// One cell and what follows it.
fn csv_cell(text: &str) -> (String, &str) {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        return (text[..end].trim_end_matches('\r').to_owned(), &text[end..]);
    };
    let mut cell = String::new();
    while let Some(end) = rest.find('"') {
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => break,
        }
    }
    (cell, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_engine::num::Date;

    #[test]
    fn every_file_has_the_columns_of_its_table() {
        for sheet in SHEETS {
            let header = csv_rows(sheet.csv).next().unwrap();
            let columns: Vec<_> = sheet.columns.iter().map(|column| column.name).collect();
            assert_eq!(header, columns, "{}", sheet.name);
            let rows = sheet.own_rows();
            assert!(!rows.is_empty());
            assert!(rows.iter().all(|row| row.len() == columns.len()), "{}", sheet.name);
            assert_eq!(sheet.check(&rows), Ok(()), "{}", sheet.name);
        }
    }

    #[test]
    fn cells_lose_their_quotes_and_nothing_else() {
        let rows: Vec<_> = csv_rows("a,\"b, \"\"c\"\"\",\n\"x\ny\",,z\r\n").collect();
        assert_eq!(rows, [vec!["a", "b, \"c\"", ""], vec!["x\ny", "", "z"]]);
    }

    #[test]
    fn the_tables_of_the_core() {
        let mut indices = Interner::default();
        let rules = defaults(&mut indices);
        assert_eq!(rules.caps.len(), 16);
        assert_eq!(rules.minimums.len(), 9);
        assert_eq!(rules.line_presets.len(), 5);
        assert_eq!(rules.restrictions.len(), 17);
        let share = &rules.caps[0];
        let named = |name| IndexName(indices.find(name).unwrap());
        assert_eq!(share.condition, CapCondition::IndexIn(vec![named("SSE180"), named("SZSE100")]));
        assert_eq!((share.class, share.cap), (Some(Class::AShare), 7000));
        let conditions =
            |wanted: CapCondition| rules.caps.iter().filter(|row| row.condition == wanted).count();
        assert_eq!(conditions(CapCondition::PriceEarnings), 1);
        assert_eq!(conditions(CapCondition::RiskWarningOrDelisting), 1);
        assert_eq!(conditions(CapCondition::Bse), 1);
        assert_eq!(conditions(CapCondition::BseIndex(vec![named("BSE50")])), 1);
        assert_eq!(conditions(CapCondition::Other), 1);
        assert_eq!(conditions(CapCondition::Always), 10);
        let mid_day = rules.minimums.iter().find(|row| row.minimum == 8000).unwrap();
        assert_eq!(mid_day.from, crate::time::parse_time("2023-09-08T15:00:00+08:00").unwrap());
        assert_eq!(rules.minimums.iter().filter(|row| row.reprice).count(), 2);
        let default = rules.restrictions_of("default");
        let refused = |tier: Tier| default[tier as usize].iter().map(Act::word).collect::<Vec<_>>();
        assert_eq!(refused(Tier::Watch), Vec::<&str>::new());
        assert_eq!(refused(Tier::Warning), ["financing", "shorting", "withdraw", "transfer_out"]);
        assert_eq!(
            refused(Tier::Call),
            ["financing", "shorting", "collateral_buy", "withdraw", "transfer_out"]
        );
        let eastmoney = &rules.line_presets[1];
        assert_eq!(eastmoney.lines[LineName::Watch as usize], None);
        assert_eq!(eastmoney.immediate_basis, Some(Basis::Settlement));
        assert_eq!(eastmoney.suspended, Some(SuspendedMark::Zero));
    }

    fn minimum_row() -> Vec<(&'static str, &'static str)> {
        vec![
            ("effective_from", "2027-01-04"),
            ("side", "short"),
            ("client_class", "any"),
            ("minimum", "1.10"),
            ("applies_to", "new"),
            ("on_extension", "keep"),
            ("announced", ""),
            ("source", "desk"),
        ]
    }

    fn read(table: &str, row: &[(&str, &str)]) -> Result<RuleTable, String> {
        let object = row.iter().map(|(k, v)| ((*k).into(), Value::Text((*v).into()))).collect();
        from_rows(table, &[Value::Object(object)], &mut Interner::default())
    }

    #[test]
    fn an_input_replaces_a_table() {
        let RuleTable::MarginMinimums(rows) = read("margin_ratio_minimums", &minimum_row()).unwrap() else {
            panic!("another table")
        };
        let from = Date::from_ymd(2027, 1, 4).unwrap().start();
        let want =
            MinimumRow { from, side: ContractSide::Short, class: None, minimum: 11_000, reprice: false };
        assert_eq!(rows, [want]);
        assert!(read("nothing", &minimum_row()).is_err());
        assert!(read("README", &[]).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (column, text) in [
            ("effective_from", "2027-02-29"),
            ("effective_from", "2027-01-04T25:00"),
            ("side", "long"),
            ("client_class", ""),
            ("minimum", "none"),
            ("minimum", "1.00001"),
            ("minimum", "101"),
            ("on_extension", "yes"),
            ("announced", "soon"),
        ] {
            let mut row = minimum_row();
            row.iter_mut().find(|(name, _)| *name == column).unwrap().1 = text;
            assert!(read("margin_ratio_minimums", &row).is_err(), "{column} {text}");
        }
        for at in 0..minimum_row().len() {
            let mut row = minimum_row();
            row.remove(at);
            assert!(read("margin_ratio_minimums", &row).is_err());
        }
        let mut row = minimum_row();
        row.push(("colour", "red"));
        assert!(read("margin_ratio_minimums", &row).is_err());
        let cap = |condition| {
            let row = [
                ("effective_from", "2027-01-04"),
                ("market", "cn"),
                ("class", "a_share"),
                ("condition", condition),
                ("cap", "0.50"),
                ("note", ""),
                ("source", "desk"),
            ];
            read("haircut_caps", &row)
        };
        assert!(cap("board = bse").is_ok());
        assert!(cap("the moon is full").is_err());
    }
}
