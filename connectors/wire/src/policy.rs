//! The policy: a TOML file or the object of a `policy` input, read into a draft with every fault
//! listed at once.

use crate::fields::{
    Kind, MAX_FIELDS, POLICY_CALL, POLICY_COSTS, POLICY_INTEREST, POLICY_LINES, POLICY_MARKING, POLICY_REPAY,
    POLICY_SECTIONS, Table,
};
use crate::read::{NO_LINE, judge};
use crate::value::{Fields, Value};
use plimsoll_engine::input::{Basis, ClientClass, Line};
use plimsoll_engine::policy::{
    CallDraft, CollateralSell, LineName, Lines, LinesDraft, PolicyDraft, Release, RepayContract, RepayOrder,
    SuspendedMark,
};
use plimsoll_engine::rules::Rules;
use std::fmt;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, sections before it: `lines.product.watch`; empty for the whole file.
    pub path: String,
    /// The line of the file, from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if self.path.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Reads the object of a `policy` input.
///
/// # Errors
/// Every fault, in the order of the object.
pub fn from_fields(fields: &Fields<'_>) -> Result<PolicyDraft, Vec<Fault>> {
    let mut reader = Reader::default();
    let draft = reader.policy(fields);
    if reader.faults.is_empty() { Ok(draft) } else { Err(reader.faults) }
}

/// Reads a policy file and checks it against the tables in force.
///
/// # Errors
/// Every fault of the file: of its form, its keys, its values, its presets, and of the order of
/// the lines it comes to.
pub fn from_toml(text: &str, rules: &Rules) -> Result<PolicyDraft, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::default();
    for error in errors {
        let line = error.span().map(|span| line_of(text, span.start));
        reader.faults.push(Fault { path: String::new(), line, message: error.message().to_owned() });
    }
    let mut lines = Vec::new();
    let fields = fields_of(table.get_ref(), text, "", &mut lines);
    let draft = reader.policy(&fields);
    reader.order(&draft, rules);
    let mut faults = reader.faults;
    for fault in &mut faults {
        let known = lines.iter().find(|(path, _)| *path == fault.path && !path.is_empty());
        fault.line = fault.line.or(known.map(|(_, line)| *line));
    }
    if faults.is_empty() { Ok(draft) } else { Err(faults) }
}

fn line_of(text: &str, at: usize) -> u32 {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() as u32 + 1
}

/// A TOML table as a record, its numbers as they stand in the file, and the line of every key.
fn fields_of<'t>(
    table: &'t DeTable<'_>,
    text: &str,
    path: &str,
    lines: &mut Vec<(String, u32)>,
) -> Fields<'t> {
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut fields = Fields::with_capacity(keys.len());
    for (key, value) in keys {
        let path = join(path, key.get_ref());
        lines.push((path.clone(), line_of(text, key.span().start)));
        fields.push((key.get_ref().as_ref().into(), value_of(value.get_ref(), text, &path, lines)));
    }
    fields
}

fn value_of<'t>(value: &'t DeValue<'_>, text: &str, path: &str, lines: &mut Vec<(String, u32)>) -> Value<'t> {
    /// Of the kind of a number, and read by nothing.
    const UNREADABLE: Value<'_> = Value::Number("");
    match value {
        DeValue::String(text) => Value::Text(text.as_ref().into()),
        DeValue::Integer(number) if number.radix() == 10 => Value::Number(number.as_str()),
        DeValue::Integer(_) | DeValue::Datetime(_) => UNREADABLE,
        DeValue::Float(number) => Value::Number(number.as_str()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Array(list) => {
            Value::List(list.iter().map(|element| value_of(element.get_ref(), text, path, lines)).collect())
        }
        DeValue::Table(table) => Value::Object(fields_of(table, text, path, lines)),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The keys of one section that could be read, by their place in its table.
struct Section<'v> {
    numbers: [Option<i64>; MAX_FIELDS],
    preset: Option<&'v str>,
}

impl Section<'_> {
    fn of(&self, table: &Table, name: &str) -> Option<i64> {
        self.numbers[table.at(name)]
    }

    fn word<T: Copy>(&self, table: &Table, name: &str, all: &[T]) -> Option<T> {
        self.of(table, name).map(|at| all[at as usize])
    }

    fn small(&self, table: &Table, name: &str) -> Option<u32> {
        self.of(table, name).map(|number| number as u32)
    }

    fn lines(&self) -> LinesDraft {
        let table = &POLICY_LINES;
        let mut lines = [None; 7];
        for (line, name) in lines.iter_mut().zip(LineName::WORDS) {
            *line = self.of(table, name).map(line_of_number);
        }
        // The words that may compare with "or equal" follow `free` in the order of the lines.
        let inclusive = self.of(table, "inclusive").map(|set| (set as u8) << LineName::Watch as u8);
        LinesDraft {
            preset: self.preset.map(Into::into),
            lines,
            recovery_band: self.small(table, "recovery_band"),
            inclusive,
        }
    }
}

/// The line a judged number stands for.
pub(crate) fn line_of_number(number: i64) -> Line {
    if number == NO_LINE { Line::Absent } else { Line::At(number as u32) }
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, path: String, message: impl Into<String>) {
        self.faults.push(Fault { path, line: None, message: message.into() });
    }

    fn policy(&mut self, fields: &Fields<'_>) -> PolicyDraft {
        let mut draft = PolicyDraft::default();
        for (key, value) in fields {
            let Some(table) = POLICY_SECTIONS.iter().find(|table| table.name == key) else {
                self.fault(key.to_string(), "unknown key");
                continue;
            };
            match value {
                Value::Null => {}
                Value::Object(keys) => self.named_section(table, keys, &mut draft),
                _ => self.fault(key.to_string(), "not a section"),
            }
        }
        draft
    }

    fn named_section(&mut self, table: &Table, keys: &Fields<'_>, draft: &mut PolicyDraft) {
        match table.name {
            "lines" => self.lines(keys, draft),
            "call" => {
                let section = self.section(table, keys, "call");
                draft.call = CallDraft {
                    basis: section.word(table, "basis", Basis::ALL),
                    immediate_basis: section.word(table, "immediate_basis", Basis::ALL),
                    deadline_days: section.small(&POLICY_CALL, "deadline_days"),
                    deadline_minute: section.small(&POLICY_CALL, "deadline_time"),
                    sale_floor: section.of(&POLICY_CALL, "sale_floor").map(|at| at == 1),
                };
            }
            "costs" => {
                let section = self.section(table, keys, "costs");
                draft.costs = ["commission", "stamp_duty", "transfer_fee", "slippage"]
                    .map(|name| section.small(&POLICY_COSTS, name));
                draft.commission_minimum = section.of(&POLICY_COSTS, "commission_minimum");
            }
            "marking" => {
                let section = self.section(table, keys, "marking");
                draft.suspended = section.word(&POLICY_MARKING, "suspended", SuspendedMark::ALL);
                draft.suspended_days = section.small(&POLICY_MARKING, "suspended_days");
            }
            "interest" => {
                let section = self.section(table, keys, "interest");
                draft.year_days = section.small(&POLICY_INTEREST, "year_days");
            }
            _ => {
                let section = self.section(table, keys, "repay");
                draft.repay_order = section.word(&POLICY_REPAY, "order", RepayOrder::ALL);
                draft.repay_contract = section.word(&POLICY_REPAY, "contract", RepayContract::ALL);
                draft.release = section.word(&POLICY_REPAY, "release", Release::ALL);
                draft.collateral_sell = section.word(&POLICY_REPAY, "collateral_sell", CollateralSell::ALL);
            }
        }
    }

    /// `[lines]` and its class sections.
    fn lines(&mut self, keys: &Fields<'_>, draft: &mut PolicyDraft) {
        let (classes, own): (Vec<_>, Vec<_>) =
            keys.iter().cloned().partition(|(key, _)| ClientClass::parse(key).is_some());
        draft.lines = self.section(&POLICY_LINES, &own, "lines").lines();
        for (key, value) in &classes {
            let path = join("lines", key);
            match (ClientClass::parse(key), value) {
                (_, Value::Null) => {}
                (Some(class), Value::Object(keys)) => {
                    let section = self.section(&POLICY_LINES, keys, &path);
                    draft.classes[class as usize] = Some(section.lines());
                }
                _ => self.fault(path, "not a section"),
            }
        }
    }

    fn section<'v>(&mut self, table: &Table, keys: &'v Fields<'_>, path: &str) -> Section<'v> {
        let mut section = Section { numbers: [None; MAX_FIELDS], preset: None };
        for (key, value) in keys {
            let path = join(path, key);
            let Some(at) = table.fields.iter().position(|field| field.name == key) else {
                self.fault(path, "unknown key");
                continue;
            };
            if *value == Value::Null {
                continue;
            }
            match judge(&table.fields[at].kind, value) {
                Ok(number) => section.numbers[at] = Some(number),
                Err(what) => self.fault(path, explain(what, &table.fields[at].kind)),
            }
            if let (Kind::Name, Value::Text(text)) = (table.fields[at].kind, value) {
                section.preset = Some(text.as_ref()).filter(|text| !text.is_empty());
            }
        }
        section
    }

    /// The faults that show only against the tables: unknown presets, and lines out of order in a
    /// section none of whose own faults could be the reason.
    fn order(&mut self, draft: &PolicyDraft, rules: &Rules) {
        let Ok(default) = PolicyDraft::default().resolve(rules) else { return };
        let Some(house) = self.ordered("lines", &draft.lines, default.lines[0], rules) else { return };
        for (class, lines) in ClientClass::ALL.iter().zip(&draft.classes) {
            if let Some(lines) = lines {
                self.ordered(&join("lines", class.word()), lines, house, rules);
            }
        }
    }

    /// The lines of a section over those of its base, if they can be told.
    fn ordered(&mut self, path: &str, draft: &LinesDraft, base: Lines, rules: &Rules) -> Option<Lines> {
        let own =
            |fault: &Fault| fault.path.strip_prefix(path).is_some_and(|key| key.matches('.').count() <= 1);
        let clean = !self.faults.iter().any(own);
        let mut lines = base;
        if let Some(name) = &draft.preset {
            let Some(row) = rules.line_presets.iter().find(|row| row.preset == *name) else {
                self.fault(join(path, "preset"), format!("no preset {name:?} in line_presets"));
                return None;
            };
            lines = lines.with(&row.lines);
        }
        lines = lines.with(&draft.lines);
        if clean && let Err(refusal) = lines.check() {
            self.fault(path.to_owned(), refusal.detail);
        }
        clean.then_some(lines)
    }
}

/// What is wrong with a value, and what would be right.
fn explain(what: &str, kind: &Kind) -> String {
    match kind {
        Kind::Word(words) | Kind::Words(words) => format!("{what} ({})", words.join(", ")),
        Kind::Decimal(of) if what == "too many decimals" => format!("{what}: at most {}", of.decimals),
        _ => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::names::Names;

    fn rules() -> Rules {
        crate::rules::defaults(&mut Names::default().indices)
    }

    const WHOLE: &str = r#"
        [lines]
        preset = "broker_c"
        free = "3.10"
        watch = 1.80
        warning = "none"
        recovery_band = 0.03
        inclusive = ["call", "watch"]
        [lines.product]
        call = "1.35"
        restore_call = "1.45"
        [call]
        basis = "intraday"
        deadline_time = "14:30"
        sale_floor = "last_settlement"
        [costs]
        commission = 0.00025
        commission_minimum = 5
        slippage = "0"
        [marking]
        suspended = "zero"
        suspended_days = 20
        [interest]
        year_days = 365
        [repay]
        order = "principal_first"
        contract = "highest_rate"
        release = "at_close"
        collateral_sell = "keeps"
    "#;

    #[test]
    fn a_whole_file_is_read() {
        let draft = from_toml(WHOLE, &rules()).unwrap();
        assert_eq!(draft.lines.preset.as_deref(), Some("broker_c"));
        assert_eq!(
            draft.lines.lines,
            [Some(Line::At(31_000)), Some(Line::At(18_000)), Some(Line::Absent), None, None, None, None]
        );
        assert_eq!(draft.lines.recovery_band, Some(300));
        let bit = |name: LineName| 1_u8 << name as u8;
        assert_eq!(draft.lines.inclusive, Some(bit(LineName::Call) | bit(LineName::Watch)));
        let product = draft.classes[ClientClass::Product as usize].as_ref().unwrap();
        assert_eq!(product.lines[LineName::Call as usize], Some(Line::At(13_500)));
        assert_eq!(draft.call.basis, Some(Basis::Intraday));
        assert_eq!(draft.call.deadline_minute, Some(870));
        assert_eq!(draft.call.sale_floor, Some(true));
        assert_eq!(draft.costs, [Some(25_000), None, None, Some(0)]);
        assert_eq!(draft.commission_minimum, Some(50_000));
        assert_eq!(draft.suspended, Some(SuspendedMark::Zero));
        assert_eq!((draft.suspended_days, draft.year_days), (Some(20), Some(365)));
        assert_eq!(draft.repay_order, Some(RepayOrder::PrincipalFirst));
        assert_eq!(draft.repay_contract, Some(RepayContract::HighestRate));
        assert_eq!(draft.release, Some(Release::AtClose));
        assert_eq!(draft.collateral_sell, Some(CollateralSell::Keeps));
    }

    #[test]
    fn the_defaults_written_out_change_nothing() {
        let written = r#"
            [lines]
            free = "3.00"
            watch = "1.80"
            warning = "1.50"
            call = "1.30"
            immediate = "1.15"
            restore_call = "1.40"
            restore_sale = "1.40"
            recovery_band = "0.02"
            inclusive = []
            [call]
            basis = "settlement"
            immediate_basis = "intraday"
            deadline_days = 1
            deadline_time = "15:00"
            sale_floor = "none"
            [costs]
            commission = "0.00025"
            commission_minimum = "5.00"
            stamp_duty = "0.0005"
            transfer_fee = "0.00001"
            slippage = "0"
            [marking]
            suspended = "last"
            suspended_days = 30
            [interest]
            year_days = 360
            [repay]
            order = "interest_first"
            contract = "own"
            release = "proportional"
            collateral_sell = "repays"
        "#;
        let rules = rules();
        let empty = from_toml("", &rules).unwrap();
        assert_eq!(empty, PolicyDraft::default());
        let resolved = |text| from_toml(text, &rules).unwrap().resolve(&rules).unwrap();
        assert_eq!(resolved(written), resolved(""));
    }

    #[test]
    fn ten_faults_are_ten_lines() {
        let text = r#"colour = "red"
[lines]
watch = "high"
warning = 1.23456
call = "-1.30"
recovery_band = 1e-2
inclusive = ["free"]
[lines.bank]
[call]
deadline_time = "25:00"
basis = "never"
[costs]
commission = "1"
[interest]
year_days = "360"
[lines.product]
preset = "nobody"
"#;
        let faults = from_toml(text, &rules()).unwrap_err();
        let mut lines: Vec<u32> = faults.iter().map(|fault| fault.line.unwrap()).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 3, 4, 5, 6, 7, 8, 10, 11, 13, 15], "{faults:#?}");
        let draft = from_toml("[lines]\nwatch = \"1.20\"\n[lines.product]\ncall = \"2.00\"", &rules());
        assert_eq!(draft.unwrap_err().len(), 2);
        let preset = from_toml("[lines.product]\npreset = \"nobody\"", &rules()).unwrap_err();
        assert_eq!((preset[0].path.as_str(), preset[0].line), ("lines.product.preset", Some(2)));
    }

    #[test]
    fn faults_of_form_are_listed_with_the_others() {
        let faults = from_toml("[lines]\nwatch = \n[costs]\nslippage = \"x\"\n", &rules()).unwrap_err();
        assert!(faults.len() >= 2, "{faults:#?}");
        assert!(faults.iter().any(|fault| fault.path == "costs.slippage" && fault.line == Some(4)));
        assert!(from_toml("[lines]\nwatch = 1.8\nwatch = 1.9\n", &rules()).is_err());
    }

    #[test]
    fn an_object_reads_like_a_file() {
        let line = br#"{"lines":{"watch":1.75,"product":{"call":"1.35"},"warning":null},"costs":{"commission":0.0003},"repay":null}"#;
        let mut fields = Fields::new();
        json::parse(line, &mut fields).unwrap();
        let file = "[lines]\nwatch = 1.75\n[lines.product]\ncall = \"1.35\"\n[costs]\ncommission = 0.0003\n";
        assert_eq!(from_fields(&fields).unwrap(), from_toml(file, &rules()).unwrap());
        json::parse(br#"{"lines":[],"call":{"x":1},"interest":{"year_days":0}}"#, &mut fields).unwrap();
        let paths: Vec<_> = from_fields(&fields).unwrap_err().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["lines", "call.x", "interest.year_days"]);
    }

    #[test]
    fn every_published_preset_is_a_policy() {
        let rules = rules();
        for row in &rules.line_presets {
            let text = format!("[lines]\npreset = \"{}\"\n", row.preset);
            assert!(from_toml(&text, &rules).unwrap().resolve(&rules).is_ok(), "{}", row.preset);
        }
    }
}
