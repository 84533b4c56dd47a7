//! The order of refusals, pair by pair: an event with two faults is refused for the earlier one.
//!
//! Each shape is a good event and the ways in which it can be spoiled, each by
//! members of its own. Every fault alone must give its code, and every two that
//! touch different members must give the earlier code. Two faults that share a
//! member are spelt out below.

use plimsoll_tests::CODES as ORDER;
use plimsoll_tests::folder::Folder;
use plimsoll_tests::scenario::run;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Neighbours in the order that no event can have at once, and why.
const APART: [(&str, &str, &str); 9] = [
    ("unknown_type", "not_enabled", "a type is one or the other"),
    (
        "unknown_security",
        "currency",
        "currency is the fault of a security event, which names what need not be known",
    ),
    ("currency", "unknown_contract", "a security event names no contract"),
    ("unknown_contract", "date_order", "a day event names no contract"),
    ("date_order", "contract_exists", "a day event names no contract"),
    ("contract_exists", "bad_lines", "a fill states no lines"),
    ("bad_lines", "insufficient_position", "a lines event moves no shares"),
    (
        "insufficient_position",
        "insufficient_cash",
        "no event takes both shares and a payment bounded by cash",
    ),
    ("quarantined", "unknown_account", "a quote names no account"),
];

const AT: &str = "2026-01-19T10:00:00.000+08:00";

/// A member to set, or to take away where there is no value.
type Change = (&'static str, Option<Value>);

struct Shape {
    base: Value,
    faults: Vec<(&'static str, Vec<Change>)>,
}

fn shape(base: Value, own: Vec<(&'static str, Vec<Change>)>) -> Shape {
    // What can be wrong with any event.
    let mut faults = vec![
        ("malformed", vec![("id", Some(json!("")))]),
        ("version", vec![("v", Some(json!(2)))]),
        ("unknown_type", vec![("type", Some(json!("dance")))]),
        ("not_enabled", vec![("type", Some(json!("signal")))]),
        ("unknown_field", vec![("colour", Some(json!("blue")))]),
    ];
    faults.extend(own);
    Shape { base, faults }
}

fn set(name: &'static str, value: Value) -> Change {
    (name, Some(value))
}

fn without(name: &'static str) -> Change {
    (name, None)
}

fn facts() -> Vec<Shape> {
    let huge = || vec![set("quantity", json!(1_099_511_627_775_u64)), set("price", json!("214748.3647"))];
    vec![
        shape(
            json!({"type":"fill","account":"A1","side":"sell_to_repay","security":"600001.SH","quantity":10,"price":"10","contract":"F1"}),
            vec![
                ("missing_field", vec![without("price")]),
                ("bad_value", vec![set("fee", json!("-1"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_security", vec![set("security", json!("600009.SH"))]),
                ("unknown_contract", vec![set("contract", json!("F9"))]),
                ("insufficient_position", vec![set("quantity", json!(1000))]),
            ],
        ),
        shape(
            json!({"type":"fill","account":"A1","side":"margin_buy","security":"600001.SH","quantity":10,"price":"10","contract":"F2"}),
            vec![
                ("missing_field", vec![without("side")]),
                ("bad_value", vec![set("rate", json!("1"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_security", vec![set("security", json!("600009.SH"))]),
                ("contract_exists", vec![set("contract", json!("S1"))]),
                ("out_of_range", huge()),
            ],
        ),
        shape(
            json!({"type":"fill","account":"A1","side":"buy_to_cover","security":"600002.SH","quantity":1,"price":"10"}),
            vec![
                ("bad_value", vec![set("due", json!("never"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_contract", vec![set("contract", json!("S9"))]),
                ("exceeds_debt", vec![set("security", json!("600001.SH"))]),
                ("out_of_range", huge()),
            ],
        ),
        shape(
            json!({"type":"transfer","account":"A1","security":"600001.SH","quantity":-1}),
            vec![
                ("missing_field", vec![without("quantity")]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_security", vec![set("security", json!("600009.SH"))]),
                ("insufficient_position", vec![set("quantity", json!(-1000))]),
            ],
        ),
        shape(
            json!({"type":"repay","account":"A1","contract":"F1","amount":"10"}),
            vec![
                ("missing_field", vec![without("contract")]),
                ("bad_value", vec![set("quantity", json!(5))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_contract", vec![set("contract", json!("F9"))]),
                ("insufficient_cash", vec![set("amount", json!("1200"))]),
                ("exceeds_debt", vec![set("amount", json!("600"))]),
            ],
        ),
        shape(
            json!({"type":"cash","account":"A1","amount":"-10","reason":"withdrawal"}),
            vec![
                ("missing_field", vec![without("amount")]),
                ("bad_value", vec![set("reason", json!("gift"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("insufficient_cash", vec![set("amount", json!("-1200"))]),
            ],
        ),
    ]
}

fn others() -> Vec<Shape> {
    vec![
        shape(
            json!({"type":"quote","source":"feed","security":"600001.SH","price":"10","limit_up":"11"}),
            vec![
                ("missing_field", vec![without("security")]),
                ("bad_value", vec![set("volume", json!(-1))]),
                ("time_backwards", vec![set("at", json!("2026-01-19T09:29:59+08:00"))]),
                ("quarantined", vec![set("price", json!("0"))]),
                ("unknown_security", vec![set("security", json!("600009.SH"))]),
            ],
        ),
        shape(
            json!({"type":"security","security":"600003.SH","name":"x","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.5"}),
            vec![
                ("missing_field", vec![without("name")]),
                ("bad_value", vec![set("haircut", json!("1.5"))]),
                ("currency", vec![set("security", json!("00700.HK")), set("board", json!("hk"))]),
            ],
        ),
        shape(
            json!({"type":"opening","account":"A1","cash":"10","positions":[{"security":"600001.SH","quantity":1}]}),
            vec![
                ("missing_field", vec![without("cash")]),
                ("bad_value", vec![set("other_collateral", json!("-1"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_security", vec![set("positions", json!([{"security":"600009.SH","quantity":1}]))]),
            ],
        ),
        shape(
            json!({"type":"interest","account":"A1","contract":"F1","amount":"0.5","kind":"settled"}),
            vec![
                ("missing_field", vec![without("kind")]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_contract", vec![set("contract", json!("F9"))]),
                ("exceeds_debt", vec![set("amount", json!("2"))]),
            ],
        ),
        shape(
            json!({"type":"order","account":"A1","order":"O1","side":"collateral_buy","security":"600001.SH","quantity":10,"price":"10","status":"open","remaining":5}),
            vec![
                ("missing_field", vec![without("order")]),
                ("bad_value", vec![set("remaining", json!(11))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_security", vec![set("security", json!("600009.SH"))]),
            ],
        ),
        shape(
            json!({"type":"extend","account":"A1","contract":"F1","due":"2026-12-31"}),
            vec![
                ("missing_field", vec![without("due")]),
                ("bad_value", vec![set("rate", json!("1"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("unknown_contract", vec![set("contract", json!("F9"))]),
            ],
        ),
    ]
}

fn settings() -> Vec<Shape> {
    vec![
        shape(
            json!({"type":"lines","account":"A1","watch":"1.90"}),
            vec![
                ("bad_value", vec![set("call", json!("cheap"))]),
                ("unknown_account", vec![set("account", json!("Z9"))]),
                ("bad_lines", vec![set("watch", json!("1.10"))]),
            ],
        ),
        shape(
            json!({"type":"policy","version":"p2","policy":{},"by":"risk"}),
            vec![
                ("missing_field", vec![without("version")]),
                ("bad_value", vec![set("by", json!(true))]),
                ("bad_lines", vec![set("policy", json!({"lines":{"watch":"1.10"}}))]),
            ],
        ),
        shape(
            json!({"type":"day_start","date":"2026-01-20"}),
            vec![("date_order", vec![set("date", json!("2026-01-19"))])],
        ),
    ]
}

/// Two faults of one member.
fn by_hand() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "insufficient_cash",
            "exceeds_debt",
            json!({"type":"repay","account":"A1","contract":"F1","amount":"5000"}),
        ),
        (
            "insufficient_position",
            "exceeds_debt",
            json!({"type":"repay","account":"A1","contract":"S1","quantity":1000}),
        ),
        (
            "insufficient_position",
            "out_of_range",
            json!({"type":"fill","account":"A1","side":"collateral_sell","security":"600001.SH","quantity":1_099_511_627_775_u64,"price":"214748.3647"}),
        ),
        (
            "insufficient_cash",
            "out_of_range",
            json!({"type":"cash","account":"NEG","amount":"-9999999999999.9999","reason":"withdrawal"}),
        ),
        (
            "exceeds_debt",
            "out_of_range",
            json!({"type":"fill","account":"A1","side":"buy_to_cover","security":"600001.SH","quantity":1_099_511_627_775_u64,"price":"214748.3647"}),
        ),
        (
            "bad_value",
            "bad_lines",
            json!({"type":"policy","version":"p2","policy":{"lines":{"watch":"1.10"},"repay":{"order":"never"}},"by":"risk"}),
        ),
        ("version", "malformed", json!({"type":"clock","v":2,"source":5})),
        (
            "unknown_security",
            "unknown_contract",
            json!({"type":"fill","account":"A1","side":"buy_to_cover","security":"600009.SH","quantity":1,"price":"10","contract":"S9"}),
        ),
    ]
}

/// The book the faulty events meet. None of them may change it.
fn book() -> Vec<Value> {
    let security = |code: &str| json!({"type":"security","security":code,"name":code,"class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.65"});
    let contract = |name: &str, side: &str, security: &str, quantity: u32, amount: &str| json!({"contract":name,"side":side,"security":security,"quantity":quantity,"amount":amount,"interest":"1","opened":"2026-01-19","margin_ratio":"1.00"});
    vec![
        json!({"type":"day_start","date":"2026-01-19"}),
        security("600001.SH"),
        security("600002.SH"),
        json!({"type":"account","account":"A1","customer":"C1","client_class":"individual"}),
        json!({"type":"account","account":"NEG","customer":"C2","client_class":"individual"}),
        json!({"type":"opening","account":"A1","cash":"1000","positions":[{"security":"600001.SH","quantity":100}],
            "contracts":[contract("F1","financing","600001.SH",0,"500"),contract("S1","short","600002.SH",10,"100")]}),
        json!({"type":"opening","account":"NEG","cash":"-5"}),
        json!({"type":"quote","source":"feed","security":"600001.SH","price":"10"}),
        json!({"type":"quote","source":"feed","security":"600002.SH","price":"10"}),
    ]
}

/// The event as a line: the usual envelope where it states none.
fn line(event: &Value, nth: usize) -> String {
    let mut members: Map<String, Value> = event.as_object().cloned().unwrap_or_default();
    for (name, value) in
        [("v", json!(1)), ("id", json!(format!("e{nth}"))), ("source", json!("desk")), ("at", json!(AT))]
    {
        members.entry(name).or_insert(value);
    }
    // A refusal without an id is known again by its source.
    if members["id"] == "" {
        members.insert("source".to_owned(), json!(format!("e{nth}")));
    }
    Value::Object(members).to_string()
}

fn spoil(base: &Value, changes: &[&[Change]]) -> Value {
    let mut members: Map<String, Value> = base.as_object().cloned().unwrap_or_default();
    for (name, value) in changes.iter().copied().flatten() {
        match value {
            Some(value) => members.insert((*name).to_owned(), value.clone()),
            None => members.remove(*name),
        };
    }
    Value::Object(members)
}

fn apart(a: &[Change], b: &[Change]) -> bool {
    a.iter().all(|(x, _)| b.iter().all(|(y, _)| x != y))
}

fn rank(code: &str) -> usize {
    ORDER.iter().position(|c| *c == code).unwrap_or_else(|| panic!("{code} is not in the order"))
}

/// A quote of an unknown security is not older than anything: no such pair.
fn impossible(a: &str, b: &str) -> bool {
    (a, b) == ("time_backwards", "unknown_security")
}

/// One event with the codes of its faults, the one expected first.
struct Faulty {
    codes: Vec<&'static str>,
    event: Value,
}

fn all_faulty() -> Vec<Faulty> {
    let mut out = Vec::new();
    for shape in facts().into_iter().chain(others()).chain(settings()) {
        for (at, (code, changes)) in shape.faults.iter().enumerate() {
            out.push(Faulty { codes: vec![code], event: spoil(&shape.base, &[changes]) });
            for (other, more) in &shape.faults[at + 1..] {
                if code == other || !apart(changes, more) || impossible(code, other) {
                    continue;
                }
                let mut codes = vec![*code, *other];
                codes.sort_by_key(|c| rank(c));
                out.push(Faulty { codes, event: spoil(&shape.base, &[changes, more]) });
            }
        }
    }
    out.extend(by_hand().into_iter().map(|(first, second, event)| {
        let mut codes = vec![first, second];
        codes.sort_by_key(|c| rank(c));
        Faulty { codes, event }
    }));
    out
}

#[test]
fn the_earlier_fault_is_the_code() {
    let faulty = all_faulty();
    let lines: Vec<String> = book()
        .iter()
        .chain(faulty.iter().map(|f| &f.event))
        .enumerate()
        .map(|(nth, event)| line(event, nth))
        .collect();
    let folder = Folder::new("precedence");
    let replayed = run::replay(&folder, &lines, None, &[]).expect("a replay");
    assert_eq!(replayed.status, Some(0), "{}", replayed.said);
    let refusals: Vec<&Value> = replayed.effects.iter().filter(|e| e["type"] == "refused").collect();
    let mut wrong = Vec::new();
    for (nth, f) in faulty.iter().enumerate() {
        let own = format!("e{}", book().len() + nth);
        let codes: Vec<&str> = refusals
            .iter()
            .filter(|e| e["input"]["id"] == *own || e["input"]["source"] == *own)
            .filter_map(|e| e["code"].as_str())
            .collect();
        if codes != [f.codes[0]] {
            wrong.push(format!("{:?} gave {codes:?}: {}", f.codes, f.event));
        }
    }
    assert!(wrong.is_empty(), "{} of {} in another order\n{}", wrong.len(), faulty.len(), wrong.join("\n"));
    assert_eq!(refusals.len(), faulty.len(), "only the faulty ones are refused");
}

#[test]
fn all_neighbours_are_there_or_said_to_be_apart() {
    let pairs: BTreeSet<(&str, &str)> =
        all_faulty().iter().filter(|f| f.codes.len() == 2).map(|f| (f.codes[0], f.codes[1])).collect();
    println!("{} pairs of {}", pairs.len(), ORDER.len() * 19 / 2);
    for two in ORDER.windows(2) {
        let said = APART.iter().any(|(a, b, _)| [*a, *b] == two);
        let there = pairs.contains(&(two[0], two[1]));
        assert!(said != there, "{} and {}: neither tested nor said to be apart, or both", two[0], two[1]);
    }
    let alone: BTreeSet<&str> =
        all_faulty().iter().filter(|f| f.codes.len() == 1).map(|f| f.codes[0]).collect();
    assert_eq!(alone.len(), ORDER.len(), "every code alone: {alone:?}");
}
