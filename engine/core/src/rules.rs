//! Effective-dated rule tables in the form the core reads (`rules/*.csv`, domain.md §6.1, §7).

use std::cmp::Reverse;

use crate::effect::{Acts, Tier};
use crate::input::{Basis, Board, Class, ClientClass, ContractSide, IndexName, Line};
use crate::num::{Bp, Date, Money, Time};
use crate::policy::SuspendedMark;

/// When a row of `haircut_caps` applies, from the most to the least specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapCondition {
    /// `risk_warning|delisting`
    RiskWarningOrDelisting,
    /// `pe_static >= 300 or pe_static < 0`
    PriceEarnings,
    /// `board = bse and index in …`
    BseIndex(Vec<IndexName>),
    /// `board = bse`
    Bse,
    /// `index in …`
    IndexIn(Vec<IndexName>),
    /// `other`
    Other,
    /// no condition
    Always,
}

/// A row of `haircut_caps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapRow {
    /// First day in force.
    pub from: Date,
    /// Class; `None` is any.
    pub class: Option<Class>,
    /// Condition.
    pub condition: CapCondition,
    /// Highest haircut.
    pub cap: Bp,
}

/// A row of `margin_ratio_minimums`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinimumRow {
    /// First instant in force.
    pub from: Time,
    /// Financing or short.
    pub side: ContractSide,
    /// Class of client; `None` is any.
    pub class: Option<ClientClass>,
    /// The minimum.
    pub minimum: Bp,
    /// Whether an extension takes the new figure.
    pub reprice: bool,
}

/// A row of `restriction_presets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestrictionRow {
    /// Preset.
    pub preset: Box<str>,
    /// Tier; `None` for a row of another cause.
    pub tier: Option<Tier>,
    /// Acts refused.
    pub refused: Acts,
}

/// A row of `line_presets`; empty columns are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePresetRow {
    /// Preset.
    pub preset: Box<str>,
    /// `free`, `watch`, `warning`, `call`, `immediate`, `restore_call`, `restore_sale`.
    pub lines: [Option<Line>; 7],
    /// Sale floor: last settlement's need.
    pub sale_floor: Option<bool>,
    /// Days to cure.
    pub deadline_days: Option<u32>,
    /// Minutes since midnight.
    pub deadline_minute: Option<u32>,
    /// When calls are decided.
    pub call_basis: Option<Basis>,
    /// When `immediate` acts.
    pub immediate_basis: Option<Basis>,
    /// Trading days of suspension before the policy for suspended securities acts.
    pub suspended_days: Option<u32>,
    /// That policy.
    pub suspended: Option<SuspendedMark>,
}

/// A row of `boards` without a condition of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardRow {
    /// First day in force.
    pub from: Date,
    /// Last day in force.
    pub to: Option<Date>,
    /// Board; `None` is any.
    pub board: Option<Board>,
    /// Class.
    pub class: Class,
    /// Price step.
    pub tick: Option<Money>,
    /// Daily limit, and that of a security with a risk warning.
    pub limit: Option<Bp>,
    /// See `limit`.
    pub limit_st: Option<Bp>,
}

/// One table, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleTable {
    /// `boards`
    Boards(Vec<BoardRow>),
    /// `haircut_caps`
    HaircutCaps(Vec<CapRow>),
    /// `margin_ratio_minimums`
    MarginMinimums(Vec<MinimumRow>),
    /// `restriction_presets`
    RestrictionPresets(Vec<RestrictionRow>),
    /// `line_presets`
    LinePresets(Vec<LinePresetRow>),
    /// A known table that no feature of the core reads yet; checked at the door.
    Unread,
}

/// The tables in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `boards`
    pub boards: Vec<BoardRow>,
    /// `haircut_caps`
    pub caps: Vec<CapRow>,
    /// `margin_ratio_minimums`
    pub minimums: Vec<MinimumRow>,
    /// `restriction_presets`
    pub restrictions: Vec<RestrictionRow>,
    /// `line_presets`
    pub line_presets: Vec<LinePresetRow>,
}

/// What the caps look at in a security.
pub(crate) struct CapSubject<'a> {
    pub class: Class,
    pub bse: bool,
    pub indices: &'a [IndexName],
    pub flagged: bool,
    pub pe_static: Option<i64>,
}

/// PE ratios from here on take the haircut away (`haircut_caps.csv`, from 2016-12-12).
const PE_LIMIT: i64 = 300 * 10_000;

impl Rules {
    /// Replaces one table.
    pub fn replace(&mut self, table: RuleTable) {
        match table {
            RuleTable::Boards(rows) => self.boards = rows,
            RuleTable::HaircutCaps(rows) => self.caps = rows,
            RuleTable::MarginMinimums(rows) => self.minimums = rows,
            RuleTable::RestrictionPresets(rows) => self.restrictions = rows,
            RuleTable::LinePresets(rows) => self.line_presets = rows,
            RuleTable::Unread => {}
        }
    }

    /// The regulatory cap on a haircut by class and date; 0 where no row covers it (domain.md §7).
    ///
    /// Conditions are tried from the most to the least specific; of the rows of one condition the
    /// latest in force holds. A depositary receipt takes the PE rule of shares (note of its row).
    pub(crate) fn cap(&self, subject: &CapSubject<'_>, date: Date) -> Bp {
        let member = |list: &[IndexName]| subject.indices.iter().any(|index| list.contains(index));
        let mut best: Option<(u8, bool, Date, Reverse<Bp>)> = None;
        for row in &self.caps {
            if row.from > date {
                continue;
            }
            let priced_as_share = row.condition == CapCondition::PriceEarnings
                && row.class == Some(Class::AShare)
                && subject.class == Class::DepositaryReceipt;
            if row.class.is_some_and(|class| class != subject.class) && !priced_as_share {
                continue;
            }
            let rank = match &row.condition {
                CapCondition::RiskWarningOrDelisting if subject.flagged => 6,
                CapCondition::PriceEarnings
                    if subject.pe_static.is_some_and(|pe| !(0..PE_LIMIT).contains(&pe)) =>
                {
                    5
                }
                CapCondition::BseIndex(list) if subject.bse && member(list) => 4,
                CapCondition::Bse if subject.bse => 3,
                CapCondition::IndexIn(list) if member(list) => 2,
                CapCondition::Other => 1,
                CapCondition::Always => 0,
                _ => continue,
            };
            // Of rows alike the lower cap holds.
            best = best.max(Some((rank, row.class.is_some(), row.from, Reverse(row.cap))));
        }
        best.map_or(0, |b| b.3.0)
    }

    /// The row for a board and class on a date: the latest in force, one for the board before one for
    /// any.
    pub(crate) fn board(&self, board: Board, class: Class, date: Date) -> Option<&BoardRow> {
        self.boards
            .iter()
            .filter(|row| row.class == class && row.board.is_none_or(|b| b == board))
            .filter(|row| row.from <= date && row.to.is_none_or(|to| date <= to))
            .max_by_key(|row| (row.board.is_some(), row.from))
    }

    /// The minimum margin ratio for a contract opened at `at`, and whether an extension reprices.
    pub(crate) fn minimum(&self, side: ContractSide, class: ClientClass, at: Time) -> (Bp, bool) {
        self.minimums
            .iter()
            .filter(|row| row.side == side && row.from <= at && row.class.is_none_or(|c| c == class))
            .max_by_key(|row| (row.from, row.class.is_some()))
            .map_or((0, false), |row| (row.minimum, row.reprice))
    }

    /// Acts refused in each tier by a preset: a tier without a row takes that of the nearest
    /// milder tier, or nothing (`rules/README.md`).
    #[must_use]
    pub fn restrictions_of(&self, preset: &str) -> [Acts; 7] {
        let mut by_tier = [Acts::default(); 7];
        let mut milder = Acts::default();
        for &tier in Tier::ALL {
            if let Some(row) =
                self.restrictions.iter().find(|row| &*row.preset == preset && row.tier == Some(tier))
            {
                milder = row.refused;
            }
            by_tier[tier as usize] = milder;
        }
        by_tier
    }
}
