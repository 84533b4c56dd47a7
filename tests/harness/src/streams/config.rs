//! Policies, as a file or as an event, and rule tables.

use super::json::{Object, Value, decimal, text};
use super::stream::Generator;
use std::fmt::Write as _;

/// The lines and where they may lie, in units of 1/10 000. The ranges do not overlap, so that any mixture of
/// account, class and policy descends.
pub(super) const LINE_RANGES: [(&str, i64, i64); 7] = [
    ("free", 30_000, 40_000),
    ("watch", 16_000, 24_000),
    ("warning", 14_000, 15_900),
    ("call", 12_000, 13_800),
    ("immediate", 10_100, 11_900),
    ("restore_call", 13_800, 14_000),
    ("restore_sale", 14_000, 16_000),
];

const CAPS: [(&str, &str); 16] = [
    ("a_share", "index in SSE180|SZSE100"),
    ("a_share", "other"),
    ("a_share", "board = bse"),
    ("a_share", "board = bse and index in BSE50"),
    ("a_share", "pe_static >= 300 or pe_static < 0"),
    ("any", "risk_warning|delisting"),
    ("etf", ""),
    ("treasury", ""),
    ("money_fund", ""),
    ("fund", ""),
    ("bond", ""),
    ("convertible", ""),
    ("warrant", ""),
    ("depositary_receipt", ""),
    ("reit", ""),
    ("other", ""),
];

const PRESET_COLUMNS: [&str; 17] = [
    "preset",
    "free",
    "watch",
    "warning",
    "call",
    "immediate",
    "restore_call",
    "restore_sale",
    "sale_floor",
    "deadline_days",
    "deadline_basis",
    "deadline_time",
    "call_basis",
    "immediate_basis",
    "suspended_days",
    "suspended_mark",
    "as_of",
];

fn row(columns: &[(&str, String)]) -> Value {
    let fields = columns.iter().map(|(k, v)| ((*k).to_owned(), text(v.clone()))).collect();
    Value::Object(Object(fields))
}

impl Generator {
    /// A line in a range that likes its edges and round figures.
    pub fn config_line(&mut self, low: i64, high: i64) -> i64 {
        match self.rng.below(6) {
            0 => low,
            1 => high,
            2 => self.rng.range(low, high),
            _ => self.rng.range(low / 100, high / 100) * 100,
        }
    }

    fn lines_section(&mut self, class: bool) -> Object {
        let mut lines = Object::default();
        let few = if class { 250 } else { 500 };
        for (name, low, high) in LINE_RANGES {
            if !self.rng.chance(few) {
                continue;
            }
            let tier = !name.starts_with("restore") && name != "free";
            if tier && self.rng.chance(150) {
                lines.set(name, text("none"));
                continue;
            }
            let line = self.config_line(low, high);
            lines.set(name, Value::Dec(line.into(), 4));
            if tier {
                self.policy_lines.push(line);
            }
        }
        if self.rng.chance(300) {
            let bands = [0, 1, 200, 200, 500, 1000];
            lines.set("recovery_band", Value::Dec(*self.rng.pick(&bands), 4));
        }
        if self.rng.chance(400) {
            let mut names = Vec::new();
            for name in ["watch", "warning", "call", "immediate"] {
                if self.rng.chance(500) {
                    names.push(text(name));
                }
            }
            lines.set("inclusive", Value::List(names));
        }
        if !class && self.rng.chance(250) {
            let presets = ["default", "eastmoney_2023", "tongxin_2015", "broker_c", "broker_d"];
            lines.set("preset", text(*self.rng.pick(&presets)));
        }
        lines
    }

    fn policy_body(&mut self) -> Object {
        let mut lines = self.lines_section(false);
        for class in ["individual", "institution", "product", "private_fund"] {
            if self.rng.chance(200) {
                let section = self.lines_section(true);
                lines.set(class, Value::Object(section));
            }
        }
        let mut policy = Object::from([("lines", Value::Object(lines))]);
        let words: [(&str, &str, &[&str]); 10] = [
            ("call", "basis", &["settlement", "intraday"]),
            ("call", "immediate_basis", &["settlement", "intraday"]),
            ("call", "deadline_time", &["15:00", "11:30"]),
            ("call", "sale_floor", &["none", "last_settlement"]),
            ("marking", "suspended", &["last", "zero", "index"]),
            ("marking", "suspended", &["index", "zero", "index"]),
            ("repay", "order", &["interest_first", "principal_first"]),
            ("repay", "contract", &["own", "first_due", "highest_rate"]),
            ("repay", "release", &["proportional", "at_close"]),
            ("repay", "collateral_sell", &["repays", "keeps"]),
        ];
        for (section, key, choices) in words {
            if self.rng.chance(400) {
                let choice = *self.rng.pick(choices);
                set_in(&mut policy, section, key, text(choice));
            }
        }
        self.policy_numbers(&mut policy);
        policy
    }

    fn policy_numbers(&mut self, policy: &mut Object) {
        if self.rng.chance(200) {
            let days = self.rng.range(1, 3);
            set_in(policy, "call", "deadline_days", Value::Int(days.into()));
        }
        if self.rng.chance(400) {
            let days = *self.rng.pick(&[0, 1, 2, 5, 29, 30, 31]);
            set_in(policy, "marking", "suspended_days", Value::Int(days));
        }
        self.year_days = 360;
        if self.rng.chance(300) {
            self.year_days = 365;
            set_in(policy, "interest", "year_days", Value::Int(365));
        }
        let costs =
            [("commission", 25_000), ("stamp_duty", 50_000), ("transfer_fee", 1000), ("slippage", 100_000)];
        for (key, usual) in costs {
            if self.rng.chance(250) {
                let cost = *self.rng.pick(&[0, usual, 30_000_000, 90_000_000]);
                set_in(policy, "costs", key, Value::Dec(cost, 8));
            }
        }
        if self.rng.chance(200) {
            set_in(policy, "costs", "commission_minimum", Value::Dec(50_000, 4));
        }
    }

    /// The policy file of a stream that begins with one.
    pub fn first_policy(&mut self) {
        let body = self.policy_body();
        self.policy_file = Some(toml(&body));
    }

    /// Another policy.
    pub fn policy(&mut self) {
        let body = self.policy_body();
        self.send_policy(body);
    }

    fn send_policy(&mut self, body: Object) {
        self.versions += 1;
        let version = format!("p{}", self.versions);
        self.send(
            "policy",
            [("version", text(version)), ("policy", Value::Object(body)), ("by", text("chief risk officer"))],
        );
    }

    /// A policy under which a suspended security is worth nothing from its second trading day on.
    pub fn zeroing_policy(&mut self) {
        let mut body = Object::default();
        set_in(&mut body, "marking", "suspended", text("zero"));
        set_in(&mut body, "marking", "suspended_days", Value::Int(1));
        self.year_days = 360;
        self.send_policy(body);
    }

    /// A rule table anew.
    pub fn rules(&mut self) {
        let (table, rows) = match self.rng.below(5) {
            0 | 1 => ("haircut_caps", self.cap_rows()),
            2 => ("margin_ratio_minimums", self.minimum_rows()),
            3 => ("restriction_presets", self.restriction_rows()),
            _ => ("line_presets", self.preset_rows()),
        };
        self.versions += 1;
        let version = format!("r{}", self.versions);
        self.send("rules", [("version", text(version)), ("table", text(table)), ("rows", Value::List(rows))]);
    }

    fn cap_rows(&mut self) -> Vec<Value> {
        let mut rows = Vec::new();
        for (class, condition) in CAPS {
            let caps = ["0.00", "0.65", "0.70", "0.5", "0.9999", "0.95"];
            let zero = condition.starts_with("risk") || condition.starts_with("pe_");
            let cap = if zero { "0.00" } else { *self.rng.pick(&caps) };
            if self.rng.chance(120) {
                continue;
            }
            let dates = ["2010-03-31", "2015-06-01", "2016-12-12", "2023-02-13"];
            rows.push(row(&[
                ("effective_from", (*self.rng.pick(&dates)).to_owned()),
                ("market", "cn".to_owned()),
                ("class", class.to_owned()),
                ("condition", condition.to_owned()),
                ("cap", cap.to_owned()),
                ("note", String::new()),
                ("source", "random".to_owned()),
            ]));
        }
        rows
    }

    fn minimum_rows(&mut self) -> Vec<Value> {
        let mut rows = Vec::new();
        for side in ["financing", "short"] {
            for date in ["2010-03-31", "2015-11-23", "2023-09-08T15:00", "2024-07-22"] {
                for class in ["any", "private_fund"] {
                    if date != "2010-03-31" && self.rng.chance(400) {
                        continue;
                    }
                    let minimum = *self.rng.pick(&["0.50", "0.80", "1.00", "1.2"]);
                    let extension = *self.rng.pick(&["keep", "reprice"]);
                    rows.push(row(&[
                        ("effective_from", date.to_owned()),
                        ("side", side.to_owned()),
                        ("client_class", class.to_owned()),
                        ("minimum", minimum.to_owned()),
                        ("applies_to", "new".to_owned()),
                        ("on_extension", extension.to_owned()),
                        ("announced", String::new()),
                        ("source", "random".to_owned()),
                    ]));
                }
            }
        }
        rows
    }

    fn restriction_rows(&mut self) -> Vec<Value> {
        let acts = ["financing", "shorting", "collateral_buy", "withdraw", "transfer_out", "extend"];
        let mut rows = Vec::new();
        for tier in ["none", "normal", "watch", "warning", "call", "immediate", "insolvent"] {
            if tier != "none" && self.rng.chance(150) {
                continue;
            }
            let mut columns = vec![("preset", "default".to_owned()), ("tier", tier.to_owned())];
            let hard = if matches!(tier, "none" | "normal") { 0 } else { 600 };
            for act in acts {
                let answer = if self.rng.chance(hard) { "yes" } else { "no" };
                columns.push((act, answer.to_owned()));
            }
            columns.push(("still_open", "deposit".to_owned()));
            columns.push(("cause", "tier".to_owned()));
            columns.push(("as_of", String::new()));
            columns.push(("source", "random".to_owned()));
            rows.push(row(&columns));
        }
        rows
    }

    fn preset_rows(&mut self) -> Vec<Value> {
        let usual = [
            ["default", "3.00", "1.80", "1.50", "1.30", "1.15", "1.40", "1.40"],
            ["eastmoney_2023", "3.00", "", "1.50", "1.30", "1.20", "1.50", "1.50"],
            ["tongxin_2015", "3.00", "", "1.40", "1.20", "", "1.40", "1.40"],
            ["broker_c", "3.00", "", "1.45", "1.31", "1.10", "1.31", "1.45"],
            ["broker_d", "3.10", "1.77", "1.50", "1.30", "", "1.35", "1.50"],
        ];
        let mut rows = Vec::new();
        for preset in usual {
            let rest = [
                "none",
                "1",
                "clearing",
                *self.rng.pick(&["", "15:00"]),
                *self.rng.pick(&["", "settlement", "intraday"]),
                *self.rng.pick(&["", "settlement", "intraday"]),
                *self.rng.pick(&["", "30", "2"]),
                *self.rng.pick(&["", "last", "zero"]),
                "",
            ];
            let cells = preset.iter().chain(rest.iter());
            let mut columns: Vec<(&str, String)> =
                PRESET_COLUMNS.iter().zip(cells).map(|(k, v)| (*k, (*v).to_owned())).collect();
            columns.push(("source", "random".to_owned()));
            rows.push(row(&columns));
        }
        rows
    }
}

fn set_in(policy: &mut Object, section: &str, key: &str, value: Value) {
    if policy.get(section).is_none() {
        policy.set(section, Value::Object(Object::default()));
    }
    if let Some((_, Value::Object(inner))) = policy.0.iter_mut().find(|(k, _)| k == section) {
        inner.set(key, value);
    }
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Int(n) => n.to_string(),
        Value::Dec(units, scale) => format!("\"{}\"", decimal(*units, *scale)),
        Value::Text(t) => format!("\"{t}\""),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        _ => String::new(),
    }
}

/// A policy as the text of a file: plain keys of a section first, then its class sections.
fn toml(policy: &Object) -> String {
    let mut out = String::new();
    for (section, body) in &policy.0 {
        let Value::Object(body) = body else { continue };
        let _ = writeln!(out, "[{section}]");
        for (key, value) in body.0.iter().filter(|(_, v)| !matches!(v, Value::Object(_))) {
            let _ = writeln!(out, "{key} = {}", toml_value(value));
        }
        for (class, inner) in &body.0 {
            let Value::Object(inner) = inner else {
                continue;
            };
            let _ = writeln!(out, "[{section}.{class}]");
            for (key, value) in &inner.0 {
                let _ = writeln!(out, "{key} = {}", toml_value(value));
            }
        }
    }
    out
}
