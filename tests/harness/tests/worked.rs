//! The published examples as event files, where they are there, and the one exact state line of the contract.

use plimsoll_tests::folder::Folder;
use plimsoll_tests::scenario::run;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn published() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples/worked");
    beside.is_dir().then_some(beside)
}

#[test]
fn published_examples() {
    let Some(folder) = published() else {
        println!("skipped: no ../shared");
        return;
    };
    let text = fs::read_to_string(folder.join("expected.json")).expect("expected.json is there");
    let all: Value = serde_json::from_str(&text).expect("expected.json is JSON");
    let all = all.as_object().expect("an object of examples");
    let mut differences = Vec::new();
    for (name, example) in all {
        let events = fs::read_to_string(folder.join(format!("{name}.ndjson"))).expect("events");
        let lines: Vec<String> = events.lines().map(str::to_owned).collect();
        let policy = fs::read_to_string(folder.join(format!("{name}.policy.toml"))).ok();
        let own = Folder::new("worked");
        let replayed = run::replay(&own, &lines, policy.as_deref(), &[]).expect("a replay");
        assert_eq!(replayed.status, Some(0), "{name}: {}", replayed.said);
        for (account, wanted) in example["expect"].as_object().expect("accounts") {
            let state = replayed.state.iter().find(|s| s["account"] == **account);
            let state = state.unwrap_or_else(|| panic!("{name}: no state of {account}"));
            for (field, want) in wanted.as_object().expect("fields") {
                if state[field] != *want {
                    differences
                        .push(format!("{name} {account} {field}: expected {want}, got {}", state[field]));
                }
            }
        }
    }
    println!("{} published examples", all.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Bytes, not values: fields in their order, no spaces, one line feed.
#[test]
fn the_state_line_to_the_byte() {
    let at = "2026-01-19T09:30:00.000+08:00";
    let lines: Vec<String> = [
        r#""type":"security","id":"e1","security":"600001.SH","name":"x","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.65""#,
        r#""type":"account","id":"e2","account":"A1","customer":"C1","client_class":"individual""#,
        r#""type":"opening","id":"e3","account":"A1","cash":"0","positions":[{"security":"600001.SH","quantity":125000}],"contracts":[{"contract":"F1","side":"financing","security":"600001.SH","quantity":125000,"amount":"1000000","opened":"2026-01-19","margin_ratio":"1.00"}]"#,
        r#""type":"quote","id":"e4","security":"600001.SH","price":"10""#,
    ]
    .iter()
    .map(|fields| format!(r#"{{"v":1,"source":"desk","at":"{at}",{fields}}}"#))
    .collect();
    let policy = "[costs]\ncommission = \"0\"\nstamp_duty = \"0\"\ntransfer_fee = \"0\"\nslippage = \"0\"\n";
    let folder = Folder::new("worked");
    let replayed = run::replay(&folder, &lines, Some(policy), &[]).expect("a replay");
    assert_eq!(replayed.status, Some(0), "{}", replayed.said);
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    let state = concat!(
        r#""account":"A1","customer":"C1","tier":"call","ratio":"1.250000","assets":"1250000.0000","debts":"1000000.0000","#,
        r#""cash":"0.0000","receivables":"0.0000","long_value":"1250000.0000","short_value":"0.0000","principal":"1000000.0000","#,
        r#""interest":"0.0000","available_margin":"-837500.00000000","withdrawable":"0.0000","adjusted_ratio":"0.812500","#,
        r#""cure":{"restore":"1.40","add":"150000.00","repay":"107142.86","repay_own":"375000.00","return_own":null,"#,
        r#""sell":"375000.00","cover":null,"sell_to_cover":null}}"#,
        "\n",
    );
    assert_eq!(read("state.ndjson"), format!("{{{state}"));
    assert_eq!(read("trace.ndjson"), format!("{{\"seq\":1,{state}"));
    let cause =
        r#""cause":{"kind":"opening","key":"A1","input":{"source":"desk","id":"e3"},"amount":"-50000.0000"}"#;
    let effects = format!(
        concat!(
            r#"{{"v":1,"type":"tier_changed","shard":0,"seq":1,"n":0,"at":"{at}","id":"tier_changed/A1/1","account":"A1","#,
            r#""from":"none","to":"call","ratio":"1.250000","assets":"1250000.0000","debts":"1000000.0000","line":"1.30","#,
            r#""basis":"intraday",{cause}}}"#,
            "\n",
            r#"{{"v":1,"type":"restricted","shard":0,"seq":1,"n":1,"at":"{at}","id":"restricted/A1/1","account":"A1","#,
            r#""acts":["financing","shorting","collateral_buy","withdraw","transfer_out"],{cause}}}"#,
            "\n",
        ),
        at = at,
        cause = cause
    );
    assert_eq!(read("effects.ndjson"), effects);
}
