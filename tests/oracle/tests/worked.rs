//! The published examples, two of them from a copy of this crate's own, the rest where the shared folder is present.

mod common;

use std::path::Path;

use common::field;
use plimsoll_oracle::{Want, replay};

fn state_of(events: &str, policy: Option<&str>) -> String {
    replay(&[("case", events.as_bytes())], policy, Want::default()).expect("a case reads").state
}

#[test]
fn textbook_two_and_a_quarter() {
    let state = state_of(include_str!("../cases/two_and_a_quarter.ndjson"), None);
    assert_eq!(field(&state, "ratio"), "2.250000");
    assert_eq!(field(&state, "assets"), "450000.0000");
    assert_eq!(field(&state, "debts"), "200000.0000");
    assert_eq!(field(&state, "tier"), "normal");
    assert_eq!(field(&state, "available_margin"), "20000.00000000");
    assert_eq!(field(&state, "cure"), "null");
}

#[test]
fn examination_short_squeezed() {
    let policy = include_str!("../cases/short_squeezed.policy.toml");
    let state = state_of(include_str!("../cases/short_squeezed.ndjson"), Some(policy));
    assert_eq!(field(&state, "tier"), "call");
    assert_eq!(field(&state, "available_margin"), "-300000.00000000");
    let cure = r#""cure":{"restore":"1.30","add":"100000.00","repay":null,"repay_own":null,"return_own":null,"sell":null,"cover":"333333.34","sell_to_cover":null}}"#;
    assert!(state.trim_end().ends_with(cure), "{state}");
}

/// One expected figure: case, field, text as it stands in the state line.
const EXPECTED: &[(&str, &str)] = &[
    ("two_and_a_quarter", r#""ratio":"2.250000""#),
    ("short_squeezed", r#""ratio":"1.200000""#),
    ("short_squeezed", r#""debts":"1000000.0000""#),
    ("sell_six_of_twelve", r#""ratio":"1.200000""#),
    ("sell_six_of_twelve", r#""tier":"call""#),
    (
        "sell_six_of_twelve",
        r#""cure":{"restore":"1.50","add":"30000.00","repay":"20000.00","repay_own":"60000.00","return_own":null,"sell":"60000.00","cover":null,"sell_to_cover":null}"#,
    ),
    ("haircuts_stay_out", r#""ratio":"1.904761""#),
    ("haircuts_stay_out", r#""tier":"normal""#),
    ("haircuts_stay_out", r#""cure":null"#),
    ("losses_count_in_full", r#""assets":"2800000.0000""#),
    ("losses_count_in_full", r#""debts":"1190000.0000""#),
    ("losses_count_in_full", r#""ratio":"2.352941""#),
    ("losses_count_in_full", r#""available_margin":"87000.00000000""#),
    ("withdraw_down_to_three", r#""ratio":"3.750000""#),
    ("withdraw_down_to_three", r#""withdrawable":"600000.0000""#),
];

#[test]
fn shared_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples/worked");
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return;
    }
    for (case, expected) in EXPECTED {
        let events = std::fs::read_to_string(folder.join(format!("{case}.ndjson"))).expect("a case");
        let policy = std::fs::read_to_string(folder.join(format!("{case}.policy.toml"))).ok();
        let state = state_of(&events, policy.as_deref());
        assert!(state.contains(expected), "{case}: {expected} in {state}");
    }
}
