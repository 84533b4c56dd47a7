//! JSON Schema (2020-12) of everything on the wire, made from the tables that decode and print it.

use crate::fields::{Decimal, Field, Kind, LATER, Need, POLICY_SECTIONS, Table, Type};
use crate::rules::{Cell, Column, SHEETS, Sheet};
use plimsoll_engine::effect::{Act, CauseKind, Tier};
use plimsoll_engine::input::{Basis, ClientClass, Code};
use serde_json::{Map, Value, json};

/// What a field of an effect or state line holds.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text.
    Text,
    /// A time at +08:00.
    Time,
    /// A count.
    Count,
    /// A decimal with this many decimals.
    Fixed(u32),
    /// A line: 2 to 4 decimals.
    Line,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// An object.
    Object(&'static [Part]),
    /// A list of objects.
    Objects(&'static [Part]),
    /// Anything: what a later feature will specify.
    Open,
}

/// A field of an effect or state line.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be null.
    pub nullable: bool,
}

const fn part(name: &'static str, shape: Shape) -> Part {
    Part { name, shape, nullable: false }
}

const fn maybe(name: &'static str, shape: Shape) -> Part {
    Part { name, shape, nullable: true }
}

const INPUT: &[Part] = &[maybe("source", Shape::Text), maybe("id", Shape::Text)];
const CAUSE: &[Part] = &[
    part("kind", Shape::Word(CauseKind::WORDS)),
    maybe("key", Shape::Text),
    maybe("input", Shape::Object(INPUT)),
    maybe("amount", Shape::Fixed(4)),
];
const TIER: Shape = Shape::Word(Tier::WORDS);
const RESTRICTION: &[Part] = &[
    part("account", Shape::Text),
    part("acts", Shape::Words(Act::WORDS)),
    part("cause", Shape::Object(CAUSE)),
];
const CALL: &[Part] = &[
    part("account", Shape::Text),
    part("case", Shape::Open),
    part("restore", Shape::Open),
    part("deadline", Shape::Open),
    part("amounts", Shape::Open),
    part("agreement", Shape::Open),
];
const PLAN_LINE: &[Part] = &[
    part("security", Shape::Text),
    part("side", Shape::Open),
    part("quantity", Shape::Open),
    part("limit_price", Shape::Open),
    maybe("contract", Shape::Text),
    part("why", Shape::Open),
];
const SKIPPED: &[Part] = &[part("security", Shape::Text), part("reason", Shape::Text)];
const PLAN_BODY: &[Part] = &[
    part("lines", Shape::Objects(PLAN_LINE)),
    part("skipped", Shape::Objects(SKIPPED)),
    part("value", Shape::Open),
    part("expected_ratio", Shape::Open),
    part("residual", Shape::Open),
];
const PLAN: &[Part] = &[
    part("account", Shape::Text),
    part("case", Shape::Open),
    part("plan", Shape::Object(PLAN_BODY)),
    part("plan_hash", Shape::Open),
    part("gates", Shape::Open),
];
const APPROVAL: &[Part] =
    &[part("case", Shape::Open), part("plan_hash", Shape::Open), maybe("by", Shape::Text)];

/// The fields of every effect beyond those that all carry, in the order in which they are printed.
pub const EFFECTS: &[(&str, &[Part])] = &[
    (
        "tier_changed",
        &[
            part("account", Shape::Text),
            part("from", TIER),
            part("to", TIER),
            maybe("ratio", Shape::Fixed(6)),
            maybe("assets", Shape::Fixed(4)),
            part("debts", Shape::Fixed(4)),
            maybe("line", Shape::Line),
            part("basis", Shape::Word(Basis::WORDS)),
            part("cause", Shape::Object(CAUSE)),
        ],
    ),
    ("restricted", RESTRICTION),
    ("lifted", RESTRICTION),
    ("call_issued", CALL),
    ("call_reduced", CALL),
    ("call_met", CALL),
    ("call_expired", CALL),
    ("plan_proposed", PLAN),
    ("plan_changed", PLAN),
    ("plan_withdrawn", PLAN),
    ("approval_needed", APPROVAL),
    ("approved", APPROVAL),
    ("rejected_plan", APPROVAL),
    (
        "task",
        &[
            part("task", Shape::Open),
            part(
                "kind",
                Shape::Word(&["sell", "buy_to_cover", "cancel_order", "call_client", "file_report"]),
            ),
            part("case", Shape::Open),
            part("payload", Shape::Open),
            part("not_after", Shape::Open),
            part("shard", Shape::Count),
            part("fence", Shape::Open),
        ],
    ),
    (
        "notification",
        &[
            part("notification", Shape::Open),
            part("account", Shape::Text),
            part("customer", Shape::Text),
            part("kind", Shape::Open),
            part("tier", Shape::Open),
            part("channel", Shape::Open),
            part("locale", Shape::Open),
            part("data", Shape::Open),
            part("template_set", Shape::Open),
            part("dedup", Shape::Open),
        ],
    ),
    (
        "case_closed",
        &[
            part("account", Shape::Text),
            part("case", Shape::Open),
            part("outcome", Shape::Word(&["restored", "cured", "exhausted", "cancelled"])),
            maybe("residual", Shape::Open),
        ],
    ),
    (
        "limit_changed",
        &[
            part("scope", Shape::Open),
            part("key", Shape::Open),
            part("limit", Shape::Open),
            part("figure", Shape::Open),
            part("threshold", Shape::Open),
            part("state", Shape::Word(&["ok", "warn", "breach"])),
        ],
    ),
    (
        "haircut_changed",
        &[
            part("security", Shape::Text),
            part("from", Shape::Open),
            part("to", Shape::Open),
            part("effective", Shape::Open),
            part("reasons", Shape::Open),
        ],
    ),
    (
        "outlook",
        &[
            part("account", Shape::Text),
            part("horizon", Shape::Open),
            part("line", Shape::Open),
            part("probability", Shape::Open),
            part("distance", Shape::Open),
            part("drivers", Shape::Open),
        ],
    ),
    ("alarm", &[part("kind", Shape::Word(ALARMS)), part("key", Shape::Text), part("detail", Shape::Text)]),
    (
        "refused",
        &[
            part("input", Shape::Object(INPUT)),
            part("code", Shape::Word(Code::WORDS)),
            part("detail", Shape::Text),
        ],
    ),
];

/// Kinds of alarms, those of later features after the first four.
const ALARMS: &[&str] = &[
    "gap",
    "unmarked",
    "suspect",
    "against_restriction",
    "stale",
    "quarantined",
    "mass_trigger",
    "clock",
    "fenced",
    "invariant",
];

/// The fields of a state line, in the order in which they are printed.
pub const STATE: &[Part] = &[
    part("account", Shape::Text),
    part("customer", Shape::Text),
    part("tier", TIER),
    maybe("ratio", Shape::Fixed(6)),
    maybe("assets", Shape::Fixed(4)),
    maybe("debts", Shape::Fixed(4)),
    part("cash", Shape::Fixed(4)),
    part("receivables", Shape::Fixed(4)),
    maybe("long_value", Shape::Fixed(4)),
    maybe("short_value", Shape::Fixed(4)),
    part("principal", Shape::Fixed(4)),
    part("interest", Shape::Fixed(4)),
    maybe("available_margin", Shape::Fixed(8)),
    maybe("withdrawable", Shape::Fixed(4)),
    maybe("adjusted_ratio", Shape::Fixed(6)),
    maybe("cure", Shape::Object(CURE)),
];

const CURE: &[Part] = &[
    part("restore", Shape::Line),
    part("add", Shape::Fixed(2)),
    maybe("repay", Shape::Fixed(2)),
    maybe("repay_own", Shape::Fixed(2)),
    maybe("return_own", Shape::Fixed(2)),
    maybe("sell", Shape::Fixed(2)),
    maybe("cover", Shape::Fixed(2)),
    maybe("sell_to_cover", Shape::Fixed(2)),
];

/// The whole contract as one document: every schema under `$defs`, and a line of input is any of
/// the inputs.
#[must_use]
pub fn document() -> Value {
    let mut defs = Map::new();
    let mut inputs = Vec::new();
    for &kind in Type::ALL {
        inputs.push(kind.table().name);
        defs.insert(format!("input.{}", kind.table().name), input(kind));
    }
    for name in LATER {
        inputs.push(name);
        let mut schema = closed(envelope(name), &["v", "type", "id", "source", "at"]);
        schema["additionalProperties"] = true.into();
        schema["description"] = "known, and refused not_enabled until its feature exists".into();
        defs.insert(format!("input.{name}"), schema);
    }
    for (name, parts) in EFFECTS {
        defs.insert(format!("effect.{name}"), effect(name, parts));
    }
    for sheet in SHEETS {
        defs.insert(format!("rows.{}", sheet.name), row(sheet));
    }
    defs.insert("state".into(), object_of(STATE));
    defs.insert("policy".into(), policy());
    let inputs: Vec<Value> =
        inputs.iter().map(|name| json!({ "$ref": format!("#/$defs/input.{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:plimsoll:events:1",
        "title": "Events of Plimsoll, version 1",
        "anyOf": inputs,
        "$defs": defs,
    })
}

fn closed(properties: Map<String, Value>, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn envelope(kind: &str) -> Map<String, Value> {
    let name = || json!({ "type": "string", "minLength": 1 });
    let time = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})$";
    let number = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX });
    Map::from_iter([
        ("v".to_owned(), json!({ "const": 1 })),
        ("type".to_owned(), json!({ "const": kind })),
        ("id".to_owned(), name()),
        ("source".to_owned(), name()),
        ("at".to_owned(), json!({ "type": "string", "format": "date-time", "pattern": time })),
        ("source_seq".to_owned(), or_null(number)),
    ])
}

fn input(kind: Type) -> Value {
    let table = kind.table();
    let mut properties = envelope(table.name);
    let mut required = vec!["v", "type", "id", "source", "at"];
    add_fields(table, &mut properties, &mut required);
    let mut schema = closed(properties, &required);
    if kind == Type::Rules {
        let row = |sheet: &&Sheet| {
            let rows = json!({ "items": { "$ref": format!("#/$defs/rows.{}", sheet.name) } });
            json!({ "properties": { "table": { "const": sheet.name }, "rows": rows } })
        };
        schema["oneOf"] = SHEETS.iter().map(row).collect();
    }
    if kind == Type::Calendar {
        let rows = json!({ "type": "array", "items": { "$ref": "#/$defs/rows.sessions" } });
        schema["properties"]["sessions"] = or_null(rows);
    }
    schema
}

fn add_fields(table: &Table, properties: &mut Map<String, Value>, required: &mut Vec<&'static str>) {
    for Field { name, need, kind } in table.fields {
        let schema = of_kind(kind);
        let schema = if *need == Need::Required { schema } else { or_null(schema) };
        properties.insert((*name).to_owned(), schema);
        if *need != Need::Optional {
            required.push(name);
        }
    }
}

fn of_table(table: &Table) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    add_fields(table, &mut properties, &mut required);
    closed(properties, &required)
}

fn of_kind(kind: &Kind) -> Value {
    let list = |items: Value| json!({ "type": "array", "items": items });
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Name => json!({ "type": "string", "minLength": 1 }),
        Kind::Label => json!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "integer" }] }),
        Kind::Security => json!({ "type": "string", "pattern": r"^[0-9A-Za-z]+\.(SH|SZ|BJ|HK|KR)$" }),
        Kind::Date => json!({ "type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$" }),
        Kind::Minute => json!({ "type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Decimal(of) => decimal(of),
        Kind::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Words(words) => list(json!({ "enum": words })),
        Kind::Line => json!({ "anyOf": [{ "const": "none" }, of_kind(&crate::fields::RATIO)] }),
        Kind::Names => list(of_kind(&Kind::Name)),
        Kind::Dates => list(of_kind(&Kind::Date)),
        Kind::List => json!({ "type": "array" }),
        Kind::Objects(table) => list(of_table(table)),
        Kind::Rows => list(json!({ "type": "object", "additionalProperties": { "type": "string" } })),
        Kind::Policy => json!({ "$ref": "#/$defs/policy" }),
    }
}

/// A decimal as text or number. Bounds that are whole yuan or whole ratios are stated; all are
/// checked by the decoder.
fn decimal(of: &Decimal) -> Value {
    let unit = 10_i64.pow(of.decimals);
    let mut number = json!({ "type": "number" });
    for (bound, inclusive, exclusive, step) in
        [(of.min, "minimum", "exclusiveMinimum", -1), (of.max, "maximum", "exclusiveMaximum", 1)]
    {
        if bound % unit == 0 {
            number[inclusive] = (bound / unit).into();
        } else if (bound + step) % unit == 0 {
            number[exclusive] = ((bound + step) / unit).into();
        }
    }
    json!({
        "description": format!("at most {} significant decimals", of.decimals),
        "anyOf": [
            { "type": "string", "pattern": format!(r"^-?\d+(\.\d{{1,{}}}0*)?$", of.decimals) },
            number,
        ],
    })
}

fn policy() -> Value {
    let mut properties = Map::new();
    for table in POLICY_SECTIONS {
        let mut section = of_table(table);
        if table.name == "lines" {
            let class = of_table(table);
            for word in ClientClass::WORDS {
                section["properties"][word] = or_null(class.clone());
            }
        }
        properties.insert(table.name.to_owned(), or_null(section));
    }
    closed(properties, &[])
}

fn row(sheet: &Sheet) -> Value {
    let cell = |column: &Column| {
        let words = match column.cell {
            Cell::Words(words) => words,
            _ => return json!({ "type": "string" }),
        };
        json!({ "enum": words.iter().chain(column.besides).collect::<Vec<_>>() })
    };
    let properties = sheet.columns.iter().map(|column| (column.name.to_owned(), cell(column))).collect();
    let required: Vec<_> = sheet.columns.iter().map(|column| column.name).collect();
    closed(properties, &required)
}

fn effect(name: &str, parts: &[Part]) -> Value {
    let mut schema = object_of(parts);
    let count = || json!({ "type": "integer", "minimum": 0 });
    let head = [
        ("v", json!({ "const": 1 })),
        ("type", json!({ "const": name })),
        ("shard", count()),
        ("seq", count()),
        ("n", count()),
        ("at", of_shape(&Shape::Time)),
        ("id", json!({ "type": "string" })),
    ];
    let mut required: Vec<Value> = head.iter().map(|(name, _)| (*name).into()).collect();
    // A task names its shard itself, like every effect.
    let own = schema["required"].as_array().into_iter().flatten();
    let more: Vec<Value> = own.filter(|name| !required.contains(name)).cloned().collect();
    required.extend(more);
    for (name, property) in head {
        schema["properties"][name] = property;
    }
    schema["required"] = required.into();
    schema
}

fn object_of(parts: &[Part]) -> Value {
    let property = |part: &Part| {
        let schema = of_shape(&part.shape);
        (part.name.to_owned(), if part.nullable { or_null(schema) } else { schema })
    };
    let required: Vec<_> = parts.iter().map(|part| part.name).collect();
    closed(parts.iter().map(property).collect(), &required)
}

fn of_shape(shape: &Shape) -> Value {
    let text = |pattern: String| json!({ "type": "string", "pattern": pattern });
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Time => text(r"^\d{4,5}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.(\d{3}|\d{6})\+08:00$".into()),
        Shape::Count => json!({ "type": "integer", "minimum": 0 }),
        Shape::Fixed(decimals) => text(format!(r"^-?\d+\.\d{{{decimals}}}$")),
        Shape::Line => text(r"^\d+\.\d{2,4}$".into()),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        Shape::Object(parts) => object_of(parts),
        Shape::Objects(parts) => json!({ "type": "array", "items": object_of(parts) }),
        Shape::Open => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::INCLUSIVE;

    #[test]
    fn everything_on_the_wire_has_a_schema() {
        let document = document();
        let defs = document["$defs"].as_object().unwrap();
        for &kind in Type::ALL {
            let schema = &defs[&format!("input.{}", kind.table().name)];
            assert_eq!(schema["additionalProperties"], false);
            for field in kind.table().fields {
                assert!(schema["properties"][field.name].is_object());
                let required = schema["required"].as_array().unwrap().contains(&field.name.into());
                assert_eq!(required, field.need != Need::Optional);
            }
        }
        for name in LATER {
            assert_eq!(defs[&format!("input.{name}")]["additionalProperties"], true);
        }
        assert_eq!(document["anyOf"].as_array().unwrap().len(), Type::ALL.len() + LATER.len());
        assert!(defs["policy"]["properties"]["lines"]["anyOf"][0]["properties"]["product"].is_object());
        let inclusive = &defs["policy"]["properties"]["lines"]["anyOf"][0]["properties"]["inclusive"];
        assert_eq!(inclusive["anyOf"][0]["items"]["enum"], json!(INCLUSIVE));
    }

    #[test]
    fn references_lead_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|inner| references(inner, found));
                }
                Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > Type::ALL.len());
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn bounds_are_exact() {
        let document = document();
        let of = |kind: &str, field: &str| document["$defs"][kind]["properties"][field].clone();
        assert_eq!(
            of("input.security", "haircut")["anyOf"][1],
            json!({ "type": "number", "minimum": 0, "maximum": 1 })
        );
        let cash = of("input.cash", "amount");
        assert_eq!(cash["anyOf"][1]["exclusiveMaximum"], 10_000_000_000_000_i64);
        assert_eq!(cash["anyOf"][1]["exclusiveMinimum"], -10_000_000_000_000_i64);
        assert_eq!(of("input.fill", "price")["anyOf"][1]["exclusiveMinimum"], 0);
        assert_eq!(of("input.fill", "quantity")["maximum"], (1_i64 << 40) - 1);
    }
}
