//! Tiers: lines to the last unit, hysteresis as an interval, both bases, causes and restrictions.

mod common;

use common::{Events, effects, field, state};

const S: &str = "600001.SH";

/// An account with cash alone against a debt of 1 000.0000.
fn book(cash: &str) -> Events {
    let mut e = Events::new();
    e.security("01-19T09:00:00", S).account("01-19T09:00:00", "A");
    e.add("01-19T09:00:00", "opening", &format!(
        r#""account":"A","cash":"{cash}","contracts":[{{"contract":"F","side":"financing","security":"{S}","quantity":0,"amount":"1000","opened":"2026-01-19"}}]"#
    ));
    e
}

fn cash(e: &mut Events, minute: usize, amount: &str) {
    let at = format!("01-19T10:{minute:02}:00");
    e.add(&at, "cash", &format!(r#""account":"A","amount":"{amount}","reason":"adjustment""#));
}

#[test]
fn each_line_is_strict_to_the_last_unit() {
    for (at_line, below, above) in [
        ("1800", "watch", "normal"),
        ("1500", "warning", "watch"),
        ("1300", "call", "warning"),
        ("1150", "immediate", "call"),
        ("1000", "insolvent", "immediate"),
    ] {
        let whole: i64 = at_line.parse().expect("a number");
        for (units, tier) in
            [(whole * 10_000 - 1, below), (whole * 10_000, above), (whole * 10_000 + 1, above)]
        {
            let text = format!("{}.{:04}", units / 10_000, units % 10_000);
            assert_eq!(state(&book(&text).run(), "A", "tier"), tier, "{text}");
        }
    }
    let inclusive = "[lines]\ninclusive = [\"call\", \"watch\"]";
    assert_eq!(state(&book("1300").run_with(inclusive), "A", "tier"), "call");
    assert_eq!(state(&book("1800").run_with(inclusive), "A", "tier"), "watch");
    assert_eq!(state(&book("1150").run_with(inclusive), "A", "tier"), "call");
}

#[test]
fn what_changes_nothing_is_one_interval() {
    let mut e = book("1299");
    cash(&mut e, 1, "1");
    cash(&mut e, 2, "19.9999");
    assert_eq!(effects(&e.run()), ["1 none>call", "restricted"]);
    cash(&mut e, 3, "0.0001");
    let out = e.run();
    assert_eq!(effects(&out), ["1 none>call", "restricted", "4 call>warning", "lifted"]);
    let change = out.effects.lines().nth(2).expect("a change");
    assert_eq!(field(change, "line"), "1.30");
    assert_eq!(field(change, "ratio"), "1.320000");
    assert_eq!(field(change, "amount"), "0.0001");
    assert!(out.effects.contains(r#""type":"lifted","shard":0,"seq":4,"n":1,"#));
    assert!(out.effects.contains(r#""acts":["collateral_buy"],"#));
}

#[test]
fn the_band_is_gone_at_the_end_of_the_day() {
    let mut e = book("1299");
    cash(&mut e, 1, "5");
    e.day("01-19T15:30:00", "day_end", "01-19");
    let out = e.run();
    assert_eq!(effects(&out), ["1 none>call", "restricted", "3 call>warning", "lifted"]);
    let change = out.effects.lines().nth(2).expect("a change");
    assert_eq!(field(change, "basis"), "settlement");
    assert!(
        change.ends_with(r#""cause":{"kind":"band","key":null,"input":null,"amount":null}}"#),
        "{change}"
    );
}

#[test]
fn an_absent_line_is_never_entered() {
    let mut e = book("1200");
    e.add("01-19T11:00:00", "lines", r#""account":"A","call":"none""#);
    let out = e.run();
    assert_eq!(state(&out, "A", "tier"), "warning");
    // Raised by the band warning still holds, so the lines event moves it.
    assert_eq!(effects(&out)[2..], ["2 call>warning", "lifted"]);
    let change = out.effects.lines().nth(2).expect("a change");
    assert_eq!(field(change, "line"), "1.15");
    assert!(
        change
            .contains(r#""cause":{"kind":"lines","key":"A","input":{"source":"s","id":"e4"},"amount":null}"#)
    );
}

#[test]
fn lines_wait_for_their_date() {
    let mut e = book("1450");
    e.add("01-19T11:00:00", "lines", r#""account":"A","warning":"1.46","call":"1.455","restore_call":"1.46","restore_sale":"1.46","valid_from":"2026-01-20""#);
    e.add("01-19T12:00:00", "clock", "");
    e.add("01-20T00:00:00", "clock", "");
    let out = e.run();
    assert_eq!(effects(&out)[2..], ["4 warning>call", "restricted"]);
    assert!(out.effects.contains(r#"{"kind":"lines","key":"A","input":null,"amount":null}"#));
}

#[test]
fn bad_lines() {
    for fields in [
        r#""watch":"1.5""#,
        r#""immediate":"1.00""#,
        r#""free":"2.99""#,
        r#""call":"1.41""#,
        r#""restore_sale":"1.39""#,
        r#""call":"none","restore_call":"1.5""#,
    ] {
        let mut e = book("5000");
        e.add("01-19T11:00:00", "lines", &format!(r#""account":"A",{fields}"#));
        assert_eq!(effects(&e.run()), ["refused bad_lines"], "{fields}");
    }
}

#[test]
fn the_largest_move_is_the_cause() {
    let mut e = Events::new();
    e.security("01-19T09:00:00", S).account("01-19T09:00:00", "A").quote("01-19T09:00:00", S, "10");
    e.add("01-19T09:00:00", "opening", &format!(
        r#""account":"A","cash":"500","positions":[{{"security":"{S}","quantity":100}}],"contracts":[{{"contract":"F","side":"financing","security":"{S}","quantity":0,"amount":"1000","opened":"2026-01-19"}}]"#
    ));
    e.add("01-19T10:00:00", "cash", r#""account":"A","amount":"-99","reason":"fee""#);
    e.quote("01-19T10:00:00", S, "9");
    let out = e.run();
    let change = out.effects.lines().nth(1).expect("a change");
    assert!(change.contains(r#""from":"watch","to":"warning","ratio":"1.301000""#), "{change}");
    let cause = r#""cause":{"kind":"price","key":"600001.SH","input":{"source":"s","id":"e6"},"amount":"-100.0000"}}"#;
    assert!(change.ends_with(cause), "{change}");
}

#[test]
fn acts_against_the_restrictions_of_the_epochs_beginning() {
    let mut e = book("1499");
    let fill = |side: &str| {
        format!(r#""account":"A","side":"{side}","security":"{S}","quantity":1,"price":"1","fee":"0""#)
    };
    e.quote("01-19T10:00:00", S, "1");
    e.add("01-19T10:01:00", "fill", &fill("collateral_buy"));
    e.add("01-19T10:02:00", "fill", &fill("margin_buy"));
    e.add("01-19T10:02:00", "fill", &fill("short_sell"));
    e.add("01-19T10:03:00", "cash", r#""account":"A","amount":"-300","reason":"withdrawal""#);
    e.add("01-19T10:03:00", "fill", &fill("collateral_buy"));
    let against = "alarm against_restriction A";
    let expected =
        ["1 none>warning", "restricted", against, against, against, "5 warning>call", "restricted"];
    assert_eq!(effects(&e.run()), expected);
}

#[test]
fn to_none_and_back() {
    let mut e = book("1200");
    e.add("01-19T10:00:00", "repay", r#""account":"A","contract":"F","amount":"1000""#);
    let out = e.run();
    assert_eq!(effects(&out)[2..], ["2 call>none", "lifted"]);
    let change = out.effects.lines().nth(2).expect("a change");
    assert!(change.contains(r#""ratio":null,"assets":"200.0000","debts":"0.0000","line":null"#), "{change}");
    // A fell by 1000 and 1.30 × D by 1300.
    assert!(change.contains(
        r#""cause":{"kind":"repay","key":"F","input":{"source":"s","id":"e4"},"amount":"300.0000"}"#
    ));
}

#[test]
fn presets_and_classes() {
    let policy = "[lines]\npreset = \"broker_c\"\n[lines.individual]\nwatch = 1.7\n";
    assert_eq!(state(&book("1699").run_with(policy), "A", "tier"), "watch");
    assert_eq!(state(&book("1701").run_with(policy), "A", "tier"), "normal");
    assert_eq!(state(&book("1440").run_with(policy), "A", "tier"), "warning");
    assert_eq!(state(&book("1120").run_with(policy), "A", "tier"), "call");
}
