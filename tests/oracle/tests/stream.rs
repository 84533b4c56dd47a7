//! The stream itself: epochs, duplicates, gaps, the 370-day rule, the order of refusals, and bytes that are no events.

mod common;

use common::{Events, codes, effects, epochs, field, state};
use plimsoll_oracle::{AsOf, Fatal, Want, replay};

const S: &str = "600001.SH";

fn book() -> Events {
    let mut e = Events::new();
    e.security("01-19T09:00:00", S).security("01-19T09:00:00", "600002.SH").account("01-19T09:00:00", "A");
    e.add("01-19T09:00:00", "opening", &format!(
        r#""account":"A","cash":"1000","positions":[{{"security":"{S}","quantity":100}}],"contracts":[{{"contract":"F","side":"financing","security":"{S}","quantity":100,"amount":"500","interest":"10","opened":"2026-01-19"}},{{"contract":"S","side":"short","security":"600002.SH","quantity":10,"amount":"100","opened":"2026-01-19"}}]"#
    ));
    e
}

#[test]
fn epochs_are_cut_by_the_lines_alone() {
    let mut e = book();
    assert_eq!(epochs(&e.run()), 1);
    e.quote("01-19T10:00:00", S, "1").quote("01-19T10:00:00", "600002.SH", "1");
    assert_eq!(epochs(&e.run()), 2);
    e.quote("01-19T10:00:00", S, "2");
    assert_eq!(epochs(&e.run()), 3);
    // The same instant written at another offset stays in the epoch, a line without an envelope too.
    e.raw(r#"{"v":1,"type":"clock","id":"z","source":"z","at":"2026-01-19T02:00:00Z"}"#).raw("{}");
    assert_eq!(epochs(&e.run()), 3);
    // A day stands alone, and what has no envelope belongs to it.
    e.day("01-19T10:00:00", "day_start", "01-19").raw("{}").add("01-19T10:00:00", "clock", "");
    let out = e.run();
    assert_eq!(epochs(&out), 5);
    let seqs: Vec<&str> = out.effects.lines().map(|line| field(line, "seq")).collect();
    // Two securities without a mark at first, then the two lines without an envelope.
    assert_eq!(seqs, ["1", "1", "3", "4"]);
    // An older event is an epoch of its own, at the clock reached.
    e.add("01-18T10:00:00", "nonsense", "");
    let out = e.run();
    let last = out.effects.lines().last().expect("an effect");
    assert_eq!(field(last, "at"), "2026-01-19T10:00:00.000+08:00");
    assert_eq!(field(last, "seq"), "6");
}

#[test]
fn an_epoch_holds_65_536_lines() {
    let mut e = Events::new();
    e.account("01-19T09:00:00", "A");
    for _ in 0..65_535 {
        e.add("01-19T09:00:00", "clock", "");
    }
    e.raw("{}");
    assert_eq!(epochs(&e.run()), 1);
    e.add("01-19T09:00:00", "clock", "");
    assert_eq!(epochs(&e.run()), 2);
}

#[test]
fn duplicates_and_gaps() {
    let mut e = book();
    let deposit = r#""account":"A","amount":"1","reason":"deposit""#;
    let numbered = |n: u64| format!(r#"{deposit},"source_seq":{n}"#);
    e.named("01-19T10:00:00", "cash", "x", deposit).named("01-19T10:00:00", "cash", "x", deposit);
    e.named("01-19T10:00:00", "cash", "n1", &numbered(5)).named("01-19T10:00:00", "cash", "n2", &numbered(5));
    e.named("01-19T10:00:00", "cash", "n3", &numbered(6)).named("01-19T10:00:00", "cash", "n4", &numbered(8));
    let out = e.run();
    assert_eq!(state(&out, "A", "cash"), "1004.0000");
    assert_eq!(effects(&out).last().map(String::as_str), Some("alarm gap s"));
    // What was refused counts as seen; a bad number makes an event go by its id.
    e.named("01-19T10:01:00", "cash", "y", r#""account":"A","amount":"x","reason":"deposit""#);
    e.named("01-19T10:01:00", "cash", "y", deposit);
    e.named("01-19T10:01:00", "cash", "w", &format!(r#"{deposit},"source_seq":"9""#));
    e.named("01-19T10:01:00", "cash", "w", deposit);
    let out = e.run();
    assert_eq!(codes(&out), ["bad_value", "bad_value"]);
    assert_eq!(state(&out, "A", "cash"), "1004.0000");
    // Another version spends its id.
    e.raw(r#"{"v":2,"type":"cash","id":"q","source":"s","at":"2026-01-19T10:02:00+08:00"}"#);
    e.named("01-19T10:02:00", "cash", "q", deposit);
    let out = e.run();
    assert_eq!(codes(&out).last().map(String::as_str), Some("version"));
    assert_eq!(state(&out, "A", "cash"), "1004.0000");
}

#[test]
fn not_more_than_370_days_ahead() {
    let line = |kind: &str, id: &str, at: &str| {
        format!(r#"{{"v":1,"type":"{kind}","id":"{id}","source":"s","at":"{at}"}}"#)
    };
    let mut e = Events::new();
    e.raw(&line("nonsense", "1", "2000-01-01T00:00:00Z"));
    e.raw(&line("nonsense", "2", "2001-01-05T00:00:00Z"));
    e.raw(&line("nonsense", "3", "2002-01-10T00:00:00.000001Z"));
    e.raw(&line("clock", "4", "2026-01-19T00:00:00Z"));
    e.raw(&line("nonsense", "5", "2026-01-19T00:00:00Z"));
    assert_eq!(codes(&e.run()), ["unknown_type", "unknown_type", "malformed", "unknown_type"]);
}

#[test]
fn malformed_names_what_it_can() {
    let mut e = Events::new();
    e.raw(r#"{"v":1,"type":"clock","id":"a","source":"s","at":"2026-01-19T10:00:00","x":{"k":1,"k":2}}"#);
    e.raw(r#"{"v":1,"type":"clock","id":"a","id":"b","source":"s","at":"2026-01-19T10:00:00Z"}"#);
    e.raw(r#"{"v":1.0,"type":"clock","id":7,"source":"","at":"2026-01-19T10:00:00Z"}"#);
    let out = e.run();
    let inputs: Vec<&str> =
        out.effects.lines().map(|l| &l[l.find("\"id\":\"refused").expect("an id")..]).collect();
    assert!(
        inputs[0].starts_with(r#""id":"refused/s/a/1","input":{"source":"s","id":"a"},"code":"malformed""#)
    );
    assert!(
        inputs[1].starts_with(r#""id":"refused/s//1","input":{"source":"s","id":null}"#),
        "{}",
        inputs[1]
    );
    assert!(inputs[2].starts_with(r#""id":"refused///1","input":{"source":null,"id":null}"#));
}

/// Pairs of faults in one event: the first by documented order is the code.
#[test]
fn precedence() {
    let cash = |fields: &str| format!(r#""account":"A",{fields}"#);
    let cases = [
        ("nonsense", r#""source_seq":"x","zz":1"#.to_owned(), "unknown_type"),
        ("haircut", r#""zz":1"#.to_owned(), "not_enabled"),
        ("cash", cash(r#""zz":1"#), "unknown_field"),
        ("cash", cash(r#""amount":"x""#), "missing_field"),
        ("cash", r#""account":"X","amount":"0.00001","reason":"deposit""#.to_owned(), "bad_value"),
        ("cash", r#""account":"X","amount":"1e3","reason":"deposit""#.to_owned(), "bad_value"),
        ("cash", r#""account":"X","amount":-1,"reason":"deposit""#.to_owned(), "bad_value"),
        ("cash", r#""account":null,"amount":1,"reason":"deposit""#.to_owned(), "bad_value"),
        ("quote", r#""security":"600009.SH","price":"0""#.to_owned(), "quarantined"),
        ("quote", r#""security":"600009.SH","price":"3","limit_up":"2""#.to_owned(), "quarantined"),
        ("quote", r#""security":"600009.SH","bid1":"3","ask1":"2""#.to_owned(), "quarantined"),
        ("quote", r#""security":"600009.SH","price":"1""#.to_owned(), "unknown_security"),
        ("transfer", r#""account":"X","security":"600009.SH","quantity":-999"#.to_owned(), "unknown_account"),
        ("transfer", r#""account":"A","security":"600009.SH","quantity":-999"#.to_owned(), "unknown_security"),
        ("transfer", format!(r#""account":"A","security":"{S}","quantity":-1"#), "insufficient_position"),
        ("repay", cash(r#""contract":"Z","amount":"9999""#), "unknown_contract"),
        ("repay", cash(r#""contract":"F","amount":"9999""#), "insufficient_cash"),
        ("repay", cash(r#""contract":"F","amount":"510.0001""#), "exceeds_debt"),
        ("repay", cash(r#""contract":"F","quantity":1"#), "bad_value"),
        ("repay", cash(r#""contract":"F""#), "bad_value"),
        ("repay", cash(r#""contract":"S","quantity":11"#), "insufficient_position"),
        ("interest", cash(r#""contract":"F","amount":"10.0001","kind":"settled""#), "exceeds_debt"),
        ("interest", cash(r#""contract":"F","amount":"-10.0001","kind":"adjust""#), "exceeds_debt"),
        ("cash", cash(r#""amount":"-1000.01","reason":"withdrawal""#), "insufficient_cash"),
        ("cash", cash(r#""amount":"9999999999999.9999","reason":"deposit""#), "out_of_range"),
        (
            "fill",
            format!(r#""account":"A","side":"margin_buy","security":"{S}","quantity":1,"price":"1","contract":"S""#),
            "contract_exists",
        ),
        (
            "fill",
            format!(r#""account":"A","side":"sell_to_repay","security":"{S}","quantity":999,"price":"1","contract":"S""#),
            "unknown_contract",
        ),
        (
            "fill",
            format!(r#""account":"A","side":"buy_to_cover","security":"{S}","quantity":1,"price":"1""#),
            "exceeds_debt",
        ),
        (
            "fill",
            format!(r#""account":"A","side":"collateral_sell","security":"{S}","quantity":101,"price":"1""#),
            "insufficient_position",
        ),
        ("rules", r#""version":"1","table":"none_such","rows":[]"#.to_owned(), "bad_value"),
        ("policy", r#""version":"1","by":"x","policy":{"lines":{"call":"1.6"}}"#.to_owned(), "bad_lines"),
        ("policy", r#""version":"1","by":"x","policy":{"lines":{"call":"1.6","x":1}}"#.to_owned(), "bad_value"),
        (
            "opening",
            format!(r#""account":"X","cash":0,"positions":[{{"security":"{S}","quantity":1,"zz":1}}],"zzz":1"#),
            "unknown_field",
        ),
        ("opening", r#""account":"X","cash":0,"positions":[{"security":"600009.SH"}]"#.to_owned(), "missing_field"),
        (
            "corporate_action",
            format!(r#""security":"{S}","kind":"bonus","ex_date":"2026-01-33""#),
            "missing_field",
        ),
        (
            "security",
            r#""security":"00700.HK","name":"n","class":"a_share","board":"hk","collateral":true,"financing":true,"shorting":true,"haircut":"0.5""#.to_owned(),
            "currency",
        ),
    ];
    for (kind, fields, code) in cases {
        let mut e = book();
        e.add("01-19T09:00:00", kind, &fields);
        let out = e.run();
        let found = codes(&out);
        assert_eq!(found, [code], "{kind} {fields}");
    }
}

#[test]
fn older_quotes_of_one_source_are_refused() {
    let mut e = book();
    e.quote("01-19T10:00:00", S, "5").quote("01-19T09:59:59", S, "0").quote("01-19T10:00:00", S, "6");
    let out = e.run();
    assert_eq!(codes(&out), ["time_backwards"]);
    assert_eq!(state(&out, "A", "long_value"), "600.0000");
}

#[test]
fn a_refused_fact_makes_its_account_suspect_once() {
    let mut e = book();
    let bad = r#""account":"A","amount":"-9999","reason":"withdrawal""#;
    e.quote("01-19T10:00:00", S, "5").quote("01-19T10:00:00", "600002.SH", "5");
    e.add("01-19T10:00:00", "cash", bad).add("01-19T10:00:00", "cash", bad);
    e.add("01-19T10:01:00", "opening", r#""account":"A","cash":"1""#).add("01-19T10:02:00", "cash", bad);
    let seen: Vec<String> =
        effects(&e.run()).into_iter().filter(|x| x.starts_with("alarm suspect")).collect();
    assert_eq!(seen.len(), 2);
}

#[test]
fn what_is_no_event_stops_the_replay() {
    let run = |bytes: &[u8]| replay(&[("f", bytes)], None, Want::default());
    let fatal = |line| Err(Fatal::NoEvent { file: "f".to_owned(), line });
    for bad in [
        &b"x"[..],
        b"[]",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\xff\"}",
        b"{} {}",
        b"{\"a\":01}",
        b"{\"a\":1.}",
    ] {
        assert_eq!(run(bad), fatal(1));
        let later = [b"\n \r\n{}\n", bad].concat();
        assert_eq!(run(&later), fatal(4));
    }
    assert!(run("[".repeat(1_000_000).as_bytes()).is_err());
    assert!(run(b"").is_ok());
}

#[test]
fn as_of() {
    let mut e = book();
    e.quote("01-19T10:00:00", S, "5").quote("01-19T10:00:01", S, "6").raw("no event");
    let run = |as_of: &str| {
        let want = Want { as_of: AsOf::parse(as_of), ..Want::default() };
        replay(&[("f", e.text.as_bytes())], None, want).map(|out| field(&out.state, "long_value").to_owned())
    };
    assert_eq!(run("2").as_deref(), Ok("500.0000"));
    assert_eq!(run("1").as_deref(), Ok("null"));
    assert_eq!(run("2026-01-19T10:00:00.5+08:00").as_deref(), Ok("500.0000"));
    assert!(run("3").is_err());
}

/// Damaged copies of a good file: whatever comes out, nothing panics.
#[test]
fn no_bytes_panic() {
    let mut e = book();
    e.quote("01-19T10:00:00", S, "5");
    e.add(
        "01-19T10:00:00",
        "fill",
        &format!(r#""account":"A","side":"sell_to_repay","security":"{S}","quantity":40,"price":"5""#),
    );
    e.day("01-19T15:00:00", "day_end", "01-19").day("01-20T09:00:00", "day_start", "01-20");
    let good = e.text.into_bytes();
    let mut seed = 12_345u64;
    let mut random = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for _ in 0..1_000 {
        let mut bytes = good.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = b"0123456789-+.eE\"{}[],:nul\\ TZ"[random(28)],
                1 => drop(bytes.drain(at..(at + random(9)).min(bytes.len()))),
                _ => bytes.insert(at, b"0123456789"[random(10)]),
            }
        }
        let _ = replay(&[("f", &bytes)], None, Want { trace: true, ..Want::default() });
    }
}
