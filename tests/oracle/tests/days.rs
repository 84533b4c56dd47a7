//! Interest by the day, ex-dates, suspension: figures worked out by hand.

mod common;

use common::{Events, codes, effects, state};

const S: &str = "600001.SH";

/// 100 000 at 8.35 % and a short of 80 000 at 10.6 %, opened on Friday 2026-01-16.
fn debts() -> Events {
    let mut e = Events::new();
    e.security("01-16T09:00:00", S).account("01-16T09:00:00", "A");
    e.quote("01-16T09:00:00", S, "8");
    e.add("01-16T10:00:00", "opening", &format!(
        r#""account":"A","cash":"500000","contracts":[{{"contract":"F","side":"financing","security":"{S}","quantity":0,"amount":"100000","rate":"0.0835","opened":"2026-01-16","due":"2026-07-16"}},{{"contract":"S","side":"short","security":"{S}","quantity":10000,"amount":"80000","rate":"0.106","opened":"2026-01-16"}}]"#
    ));
    e
}

#[test]
fn interest_is_rounded_half_up_each_day() {
    // A day costs 23.1944 and 23.5556; Friday's night at its end, the weekend before Monday opens.
    let mut e = debts();
    e.day("01-16T15:30:00", "day_end", "01-16");
    assert_eq!(state(&e.run(), "A", "interest"), "46.7500");
    e.day("01-19T09:00:00", "day_start", "01-19");
    assert_eq!(state(&e.run(), "A", "interest"), "140.2500");
    e.day("01-19T15:30:00", "day_end", "01-19");
    assert_eq!(state(&e.run(), "A", "interest"), "187.0000");
}

#[test]
fn half_a_unit_rounds_up() {
    // 0.0018 yuan at 10 % of 360 days is 0.0000005 a day; 1.80 yuan at 1 % is exactly 0.00005: up to 0.0001.
    let mut e = Events::new();
    e.security("01-16T09:00:00", S).account("01-16T09:00:00", "A");
    e.add("01-16T10:00:00", "opening", &format!(
        r#""account":"A","cash":"0","contracts":[{{"contract":"F","side":"financing","security":"{S}","quantity":0,"amount":"1.8","rate":"0.01","opened":"2026-01-16"}}]"#
    ));
    e.day("01-16T15:30:00", "day_end", "01-16");
    assert_eq!(state(&e.run(), "A", "interest"), "0.0001");
    assert_eq!(state(&e.run_with("[interest]\nyear_days = 365"), "A", "interest"), "0.0000");
}

#[test]
fn days_go_forward_only() {
    let mut e = debts();
    e.day("01-16T15:30:00", "day_end", "01-16");
    e.day("01-16T15:31:00", "day_start", "01-16");
    e.day("01-16T15:32:00", "day_end", "01-16");
    e.day("01-19T09:00:00", "day_start", "01-19");
    e.day("01-19T09:01:00", "day_end", "01-17");
    e.day("01-19T15:00:00", "day_end", "01-19");
    assert_eq!(codes(&e.run()), ["date_order", "date_order", "date_order"]);
}

/// A long of 3 000 and a short of 10 000 at a close of 8.00 the day before the ex-date.
fn ex_date() -> Events {
    let mut e = Events::new();
    e.security("01-16T09:00:00", S).account("01-16T09:00:00", "L").account("01-16T09:00:00", "S");
    e.day("01-16T09:01:00", "day_start", "01-16");
    e.add(
        "01-16T09:02:00",
        "opening",
        &format!(r#""account":"L","cash":"0","positions":[{{"security":"{S}","quantity":3000}}]"#),
    );
    e.add("01-16T09:02:00", "opening", &format!(
        r#""account":"S","cash":"200000","contracts":[{{"contract":"S","side":"short","security":"{S}","quantity":10000,"amount":"80000","opened":"2026-01-16"}}]"#
    ));
    e.quote("01-16T14:59:00", S, "8");
    e.day("01-16T15:30:00", "day_end", "01-16");
    e
}

#[test]
fn dividend_and_bonus_of_one_day() {
    // ref = (8.00 − 0.50) / 1.5 = 5.00
    let mut e = ex_date();
    e.add("01-16T16:00:00", "corporate_action", &format!(
        r#""security":"{S}","kind":"cash_dividend","ex_date":"2026-01-19","pay_date":"2026-01-20","per_share":"0.5""#
    ));
    e.add(
        "01-16T16:00:00",
        "corporate_action",
        &format!(r#""security":"{S}","kind":"bonus","ex_date":"2026-01-19","ratio":"0.5""#),
    );
    e.day("01-19T09:00:00", "day_start", "01-19");
    let out = e.run();
    assert_eq!(state(&out, "L", "assets"), "24000.0000");
    assert_eq!(state(&out, "L", "long_value"), "22500.0000");
    assert_eq!(state(&out, "L", "receivables"), "1500.0000");
    assert_eq!(state(&out, "S", "debts"), "80000.0000");
    assert_eq!(state(&out, "S", "short_value"), "75000.0000");
    assert_eq!(state(&out, "S", "interest"), "5000.0000");
    e.day("01-20T09:00:00", "day_start", "01-20");
    let out = e.run();
    assert_eq!(state(&out, "L", "receivables"), "0.0000");
    assert_eq!(state(&out, "L", "cash"), "1500.0000");
}

#[test]
fn rights_not_taken_up() {
    // ref = (8.00 + 0.3 × 5.40) / 1.3 = 7.40; a short owes 0.60 a share.
    let mut e = ex_date();
    e.add(
        "01-16T16:00:00",
        "corporate_action",
        &format!(r#""security":"{S}","kind":"rights","ex_date":"2026-01-19","ratio":"0.3","price":"5.40""#),
    );
    e.day("01-19T09:00:00", "day_start", "01-19");
    let out = e.run();
    assert_eq!(state(&out, "L", "assets"), "22200.0000");
    assert_eq!(state(&out, "S", "short_value"), "74000.0000");
    assert_eq!(state(&out, "S", "interest"), "6000.0000");
    // Subscribed: 3 900 × 7.40 − 900 × 5.40.
    e.add(
        "01-19T10:00:00",
        "fill",
        &format!(r#""account":"L","side":"subscribe","security":"{S}","quantity":900,"price":"5.4""#),
    );
    assert_eq!(state(&e.run(), "L", "assets"), "24000.0000");
}

#[test]
fn a_late_action_spares_prices_of_its_own_day() {
    let mut e = ex_date();
    e.day("01-19T09:00:00", "day_start", "01-19");
    e.quote("01-19T09:30:00", S, "4.1");
    e.add(
        "01-19T10:00:00",
        "corporate_action",
        &format!(r#""security":"{S}","kind":"split","ex_date":"2026-01-19","ratio":"2""#),
    );
    let out = e.run();
    assert_eq!(state(&out, "L", "long_value"), "24600.0000");
    assert_eq!(state(&out, "S", "short_value"), "82000.0000");
}

#[test]
fn suspended_longer_than_allowed() {
    let base = r#""security":"600001.SH","name":"n","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.65","indices":["I"],"suspended":true"#;
    let mut e = Events::new();
    e.security("01-16T09:00:00", S).account("01-16T09:00:00", "A");
    e.add(
        "01-16T09:00:00",
        "opening",
        &format!(r#""account":"A","cash":"0","positions":[{{"security":"{S}","quantity":100}}]"#),
    );
    e.quote("01-16T09:00:00", S, "10");
    e.add("01-16T09:00:00", "index", r#""index":"I","level":"3000""#);
    e.add("01-16T10:00:00", "security", base);
    e.add("01-19T09:00:00", "index", r#""index":"I","level":"2000""#);
    let value = |e: &Events, mode: &str| {
        let policy = format!("[marking]\nsuspended = \"{mode}\"\nsuspended_days = 2");
        state(&e.run_with(&policy), "A", "long_value").to_owned()
    };
    // Friday and Monday are two trading days; Tuesday is the third.
    assert_eq!(value(&e, "zero"), "1000.0000");
    e.add("01-20T09:00:00", "clock", "");
    assert_eq!(value(&e, "zero"), "0.0000");
    assert_eq!(value(&e, "index"), "666.6700");
    assert_eq!(value(&e, "last"), "1000.0000");
}

#[test]
fn unmarked_is_never_zero_and_named_once() {
    let mut e = debts();
    let bare = "600002.SH";
    e.security("01-16T11:00:00", bare);
    e.add("01-16T11:00:00", "transfer", &format!(r#""account":"A","security":"{bare}","quantity":100"#));
    e.add("01-16T11:01:00", "clock", "");
    let out = e.run();
    assert_eq!(effects(&out), ["alarm unmarked 600002.SH"]);
    assert_eq!(state(&out, "A", "assets"), "null");
    assert_eq!(state(&out, "A", "tier"), "normal");
    assert_eq!(state(&out, "A", "short_value"), "80000.0000");
    e.add("01-16T11:02:00", "mark", &format!(r#""security":"{bare}","price":"1","by":"d","reason":"r""#));
    e.add("01-16T11:03:00", "mark", &format!(r#""security":"{bare}","price":null,"by":"d","reason":"r""#));
    assert_eq!(effects(&e.run()).len(), 2);
}
