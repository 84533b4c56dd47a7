//! A broker's own files as events: exact or refused whole, with every fault at once.

mod common;

use common::{Folder, fields, folder, nightly};
use encoding_rs::GB18030;
use plimsoll_drop::{Outcome, Sources};
use serde_json::json;
use std::path::Path;

#[test]
fn the_files_of_a_night_become_openings() {
    let mut counter = nightly();
    let reports = counter.waited();
    let [accounts, openings] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((accounts.outcome, accounts.rows, accounts.faults), (Outcome::Done, 2, 0), "{reports:?}");
    assert_eq!((openings.rows, openings.events, openings.files.len()), (6, 2, 3), "{reports:?}");
    let accounts = fields(&counter.submitted[0]);
    assert_eq!(accounts.len(), 2);
    assert_eq!(
        accounts[0],
        json!({"v": 1, "type": "account", "id": accounts[0]["id"], "source": "counter",
            "at": "2026-01-19T17:30:00.000+08:00", "account": "66000001", "customer": "C1",
            "client_class": "individual", "branch": "上海,静安", "credit_line": 5_000_000, "opened": "2020-03-01"})
    );
    assert_eq!(accounts[1]["opened"], json!(null), "0 is no date");
    let openings = fields(&counter.submitted[1]);
    let first = json!({"account": "66000001", "cash": "1234.56",
        "positions": [
            {"security": "600519.SH", "quantity": 1000, "frozen": 0},
            {"security": "000001.SZ", "quantity": 50, "frozen": 50},
        ],
        "contracts": [{"contract": "D1", "side": "financing", "security": "600519.SH", "quantity": 500,
            "amount": "500000.5", "interest": "12.3", "rate": "0.0835", "opened": "2026-01-05",
            "due": "2026-07-05"}]});
    for (name, value) in first.as_object().expect("fields") {
        assert_eq!(&openings[0][name], value, "{name}");
    }
    assert_eq!(openings[1]["contracts"][0]["side"], "short");
    assert_eq!(openings[1]["positions"], json!(null));
    let id = openings[0]["id"].as_str().expect("an id");
    assert!(id.len() == 41 && id.ends_with("-66000001"), "{id}");
    assert_eq!(counter.poll().len(), 0);
    let names = counter.names("done");
    assert!(names.contains(&"20260119.ok".to_owned()) && names.len() == 7, "{names:?}");
    assert_eq!(counter.names(""), ["bad", "done"]);
}

/// A map of one type of file, `a*.csv`, of `transfer` events.
fn transfers(more: &str) -> Folder {
    folder(&format!(
        r#"
        [[folder]]
        name = "f"
        path = "."
        settle_ms = 0
        [[folder.map]]
        files = "a*.csv"
        type = "transfer"
        source = "s"
        id = "{{id}}"
        at = "{{when}}"
        fields = {{ account = "{{acc}}", security = "{{sec}}", quantity = "{{n}}" }}
        {more}
        "#
    ))
}

const HEAD: &str = "id,when,acc,sec,n\n";

#[test]
fn every_fault_is_named_by_line_and_column_and_nothing_is_submitted() {
    let mut folder = transfers("columns = { n = { times = \"100\" }, acc = { values = { x = \"A1\" } } }");
    let rows = "1,20260119 93003,x,600519.SH,1.5\n\
        2,noon,x,600519.SH,1\n\
        3,20260119 93003,y,600519.SH,1\n\
        4,20260119 93003,x,600519,1\n\
        5,20260119 93003,x,600519.SH,1.555\n\
        6,20260119 93003,x,600519.SH,\"1,000\"\n\
        7,20260119 93003,x,600519.SH,\n\
        ,20260119 93003,x,600519.SH,1\n\
        9,20260119 93003,x,600519.SH,99999999999999\n";
    folder.write("a.csv", format!("{HEAD}{rows}").as_bytes());
    let report = folder.taken();
    assert_eq!((report.outcome, report.faults, report.rows), (Outcome::Bad, 8, 9));
    let told: Vec<_> = report
        .details
        .iter()
        .map(|fault| (fault.line.unwrap_or(0), fault.column.as_deref().unwrap_or(""), fault.code.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (3, "when", "bad_value"),
            (4, "acc", "unknown_value"),
            (5, "sec", "bad_value"),
            (6, "n", "bad_value"),
            (7, "n", "bad_value"),
            (8, "n", "missing_field"),
            (9, "id", "missing_field"),
            (10, "n", "bad_value"),
        ]
    );
    assert!(folder.submitted.is_empty());
    assert_eq!(folder.names("bad"), ["a.csv", "a.csv.report.json"]);
}

#[test]
fn files_of_another_layout_are_bad() {
    let mut folder = transfers("columns = { n = {} }");
    for (content, line, column, code) in [
        ("id,when,acc,sec\n", None, Some("n"), "missing_column"),
        ("id,when,acc,sec,n,n\n", None, Some("n"), "repeated_column"),
        ("id,when,acc,sec,n\n1,2\n", Some(2), None, "malformed"),
        ("id,when,acc,sec,n\n1,20260119 93003,x,600519.SH,1\n\u{e9},\n", Some(3), None, "malformed"),
        ("", None, Some("acc"), "missing_column"),
        (
            "id,when,acc,sec,n\n\n\"1\",20260119 93003,\"A\n1\",600519.SH,1\n\r\n\n2,,,,\n",
            Some(7),
            Some("when"),
            "missing_field",
        ),
    ] {
        folder.write("a.csv", content.as_bytes());
        let report = folder.taken();
        let fault = report.details.iter().find(|fault| fault.code == code).expect(code);
        assert_eq!((fault.line, fault.column.as_deref()), (line, column), "{content}");
    }
    let (gbk, _, _) = GB18030.encode("id,when,acc,sec,n\n1,20260119 93003,张三,600519.SH,1\n");
    folder.write("a.csv", &gbk);
    let report = folder.taken();
    assert_eq!((report.details[0].line, report.details[0].code.as_str()), (Some(2), "encoding"));
    folder.write("b.csv", b"x\n");
    assert_eq!(folder.taken().details[0].code, "no_map");
    folder.write("b.ndjson", b"{}\n\n[1]\n{\"a\":1}x\n");
    let report = folder.taken();
    let lines: Vec<_> = report.details.iter().map(|fault| (fault.line, fault.code.as_str())).collect();
    assert_eq!(lines, [(Some(3), "malformed"), (Some(4), "malformed")]);
    folder.write("b.parquet", b"PAR1 and nothing that is one");
    assert_eq!(folder.taken().details[0].code, "unreadable");
    assert!(folder.submitted.is_empty());
    // Seven of one name, none written over.
    let copies = folder.names("bad").iter().filter(|name| name.starts_with("a.csv")).count();
    assert_eq!(copies, 14, "{:?}", folder.names("bad"));
}

#[test]
fn a_file_without_header_has_columns_by_number() {
    let mut folder = folder(
        r#"
        [[folder]]
        name = "f"
        path = "."
        settle_ms = 0
        [[folder.map]]
        files = "index_{date}.txt"
        type = "index"
        source = "s"
        at = "15:00"
        header = false
        skip = 1
        delimiter = "\t"
        fields = { index = "{1}", level = "{3}" }
        "#,
    );
    folder.write("index_20260119.txt", "日终\n000300.SH\tx\t4000.12\n\"000905.SH\"\t\t.5\n".as_bytes());
    let report = folder.taken();
    assert_eq!((report.outcome, report.events), (Outcome::Done, 2), "{report:?}");
    let events = fields(&folder.submitted.concat());
    assert_eq!((&events[0]["level"], &events[1]["level"]), (&json!("4000.12"), &json!("0.5")));
    assert_eq!(events[0]["at"], "2026-01-19T15:00:00.000+08:00");
    assert!(events[0]["id"].as_str().expect("an id").ends_with("-2"));
}

#[test]
fn tables_of_a_broker_are_exact_and_floats_need_leave() {
    let map = |columns: &str| {
        format!(
            r#"
            [[folder]]
            name = "f"
            path = "."
            settle_ms = 0
            [[folder.map]]
            files = "*.parquet"
            type = "fill"
            source = "s"
            id = "{{n}}"
            at = "{{when}}"
            fields = {{ account = "{{账户}}", side = "margin_buy", security = "{{证券}}", quantity = "{{数量}}",
                price = "{{价格}}", fee = "{{费用}}", due = "{{到期}}" }}
            columns = {{ {columns} }}
            "#
        )
    };
    let mut refused = folder(&map(""));
    common::broker_table(&refused.path().join("fills.parquet"));
    let report = refused.taken();
    let fault = &report.details[0];
    assert_eq!((fault.code.as_str(), fault.column.as_deref(), report.faults), ("floating", Some("费用"), 1));
    let mut folder = folder(&map(r#""费用" = { float_places = 2 }, "数量" = { times = "100" }"#));
    common::broker_table(&folder.path().join("fills.parquet"));
    let report = folder.taken();
    assert_eq!((report.outcome, report.events), (Outcome::Done, 2), "{report:?}");
    let events = fields(&folder.submitted.concat());
    for (name, value) in [
        ("price", json!("12.3456")),
        ("fee", json!("0.3")),
        ("quantity", json!(500)),
        ("due", json!("2026-07-19")),
        ("at", json!("2026-01-19T09:30:03.000+08:00")),
        ("security", json!("600519.SH")),
    ] {
        assert_eq!(events[0][name], value, "{name}");
    }
    assert_eq!((&events[1]["fee"], &events[1]["due"]), (&json!(null), &json!(null)));
}

#[test]
fn a_configuration_is_told_all_its_faults_at_once() {
    let text = r#"
        [[folder]]
        path = 5
        colour = "red"
        settle_ms = -1
        [[folder.map]]
        files = "*a*b*c*d*e.csv"
        type = "cash"
        source = "s"
        at = "17:30"
        encoding = "utf-16"
        fields = { account = "{a}", amount = "{b", nothing = "x", reason = [] }
        columns = { a = { times = "x", size = 1 }, z = {} }
        [[folder.map]]
        type = "opening"
        source = "s"
        at = "modified"
        id = "{line}"
        part = [
          { files = "a_{date}.csv", fields = { account = "{a}" } },
          { files = "b.csv", list = "positions", fields = { security = "{s}" } },
        ]
        [[folder.map]]
        type = "opinion"
        source = "s"
        at = "noon"
        [[follow]]
        name = "x"
    "#;
    let faults = Sources::parse(text, Path::new("/")).expect_err("faults").join("\n");
    for wanted in [
        "folder[0].name: missing",
        "folder[0].path: not a text",
        "folder[0].colour: unknown key",
        "folder[0].settle_ms: not a whole number",
        "folder[0].map[0].files: a name with at most 4 stars",
        "folder[0].map[0].encoding: neither",
        "folder[0].map[0].fields.amount: \"{b\"",
        "folder[0].map[0].fields.nothing: no field of cash",
        "folder[0].map[0].fields.reason: not a text",
        "folder[0].map[0].columns.a.times: not a decimal",
        "folder[0].map[0].columns.a.size: unknown key",
        "folder[0].map[0].columns.z: no field reads it",
        "folder[0].map[0].id: missing",
        "folder[0].map[0].at: the names of the files have no {date}",
        "folder[0].map[1].group_by: missing",
        "folder[0].map[1]: files that belong together",
        "folder[0].map[1].part[1].list: no list of the type",
        "folder[0].map[1].fields.cash: missing",
        "folder[0].map[2].type: no event type \"opinion\"",
        "folder[0].map[2].at: neither",
        "follow[0].path: missing",
    ] {
        assert!(faults.contains(wanted), "{wanted} is not in\n{faults}");
    }
}
