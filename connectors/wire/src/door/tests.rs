use super::*;
use crate::time::{parse_time, write_time};
use plimsoll_engine::input::AccountInput;
use proptest::prelude::*;

const AT: &str = "2026-01-19T09:30:00.000+08:00";

fn event(kind: &str, at: &str, rest: &str) -> String {
    format!(r#"{{"v":1,"type":"{kind}","id":"e","source":"s","at":"{at}"{rest}}}"#)
}

fn second(n: u32) -> String {
    format!("2026-01-19T09:30:{n:02}+08:00")
}

fn quote(at: &str, security: &str) -> String {
    event("quote", at, &format!(r#","security":"{security}","price":"10""#))
}

fn run<L: AsRef<str>>(lines: &[L]) -> Vec<CutEpoch> {
    let mut door = Door::new();
    let mut cuts: Vec<CutEpoch> =
        lines.iter().filter_map(|line| door.line(line.as_ref().as_bytes()).unwrap()).collect();
    cuts.extend(door.finish());
    for (at, cut) in cuts.iter().enumerate() {
        assert_eq!(cut.epoch.number, at as u64 + 1);
        assert!(at == 0 || cuts[at - 1].epoch.clock <= cut.epoch.clock);
    }
    cuts
}

/// Entries by epoch.
fn sizes<L: AsRef<str>>(lines: &[L]) -> Vec<usize> {
    run(lines).iter().map(|cut| cut.epoch.entries.len()).collect()
}

fn code(entry: &Entry) -> Option<Code> {
    match entry.body {
        Body::Refused { code, .. } => Some(code),
        Body::Input(_) => None,
    }
}

#[test]
fn an_epoch_is_a_run_of_one_instant() {
    let clock = |at: &str| event("clock", at, "");
    assert_eq!(sizes(&[clock(&second(1)), clock(&second(1)), clock(&second(2))]), [2, 1]);
    assert_eq!(sizes(&[clock(&second(2)), clock(&second(1)), clock(&second(2))]), [1, 1, 1]);
    // The same instant, written otherwise.
    assert_eq!(sizes(&[clock("2026-01-19T09:30:00+08:00"), clock("2026-01-19T01:30:00.000Z")]), [2]);
    assert_eq!(sizes::<&str>(&[]), [0; 0]);
    let back = run(&[clock(&second(2)), clock(&second(1))]);
    assert_eq!(back[0].epoch.clock, back[1].epoch.clock);
    assert!(back[1].epoch.entries[0].at < back[1].epoch.clock);
}

#[test]
fn one_price_per_security_per_epoch() {
    let q = |security| quote(AT, security);
    assert_eq!(sizes(&[q("600519.SH"), q("000001.SZ"), q("600519.SH"), q("000001.SZ")]), [2, 2]);
    // Refused quotes name their security too, of another version as well.
    let bad = event("quote", AT, r#","security":"600519.SH","price":"x""#);
    assert_eq!(sizes(&[&bad, &q("600519.SH")]), [1, 1]);
    assert_eq!(sizes(&[q("600519.SH").replace("\"v\":1", "\"v\":2"), q("600519.SH")]), [1, 1]);
    let none = event("quote", AT, r#","security":7"#);
    assert_eq!(sizes(&[&none, &none]), [2]);
    let index = |name: &str| event("index", AT, &format!(r#","index":"{name}","level":"1""#));
    assert_eq!(sizes(&[index("SSE180"), index("600519.SH"), q("600519.SH"), index("SSE180")]), [3, 1]);
}

#[test]
fn a_name_that_becomes_known_is_still_the_same() {
    let security = event(
        "security",
        AT,
        r#","security":"600519.SH","name":"","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.5""#,
    );
    let (q, r) = (quote(AT, "600519.SH"), quote(AT, "000001.SZ"));
    assert_eq!(sizes(&[&q, &security, &q, &q, &r, &q]), [2, 1, 2, 1]);
    assert_eq!(sizes(&[&security, &q, &r, &q, &security, &r, &q]), [3, 3, 1]);
    let cuts = run(&[&security, &q]);
    let Body::Input(Input::Quote(quote)) = &cuts[0].epoch.entries[1].body else { panic!() };
    assert_eq!(quote.security, Some(SecurityName(0)));
    assert!(!cuts[0].epoch.entries[1].identified && cuts[0].epoch.entries[0].identified);
}

#[test]
fn some_types_stand_alone() {
    let clock = event("clock", AT, "");
    for kind in ["day_start", "day_end", "policy", "rules", "calendar"] {
        // Even refused, and of another version.
        let alone = event(kind, AT, r#","colour":1"#);
        assert_eq!(sizes(&[&clock, &clock, &alone, &clock]), [2, 1, 1]);
        assert_eq!(sizes(&[alone.replace("\"v\":1", "\"v\":9"), clock.clone()]), [1, 1]);
        assert_eq!(sizes(&[&alone, &alone]), [1, 1]);
        assert_eq!(sizes(&[alone.as_str(), "{}", &clock]), [2, 1]);
    }
}

#[test]
fn an_epoch_has_an_end() {
    let mut lines = vec![event("clock", AT, ""); MAX_LINES + 1];
    assert_eq!(sizes(&lines), [MAX_LINES, 1]);
    lines[0] = "{}".into();
    lines[MAX_LINES - 1] = "{}".into();
    assert_eq!(sizes(&lines), [MAX_LINES, 1]);
    // Only a readable event cuts.
    lines[MAX_LINES] = "{}".into();
    assert_eq!(sizes(&lines), [MAX_LINES + 1]);
}

#[test]
fn what_has_no_envelope_belongs_to_the_open_epoch() {
    let clock = |n| event("clock", &second(n), "");
    assert_eq!(sizes(&["{}", "{}", &clock(1), "{}", &clock(1), &clock(2)]), [5, 1]);
    let cuts = run(&["{}", r#"{"source":"x","id":"7","at":"2030-01-01T00:00:00Z"}"#]);
    assert_eq!((cuts.len(), cuts[0].epoch.clock), (1, Time(0)));
    let entries = &cuts[0].epoch.entries;
    assert!(entries.iter().all(|entry| code(entry) == Some(Code::Malformed) && entry.at == Time(0)));
    assert_eq!((entries[0].source, cuts[0].epoch.id_of(&entries[0])), (None, &b""[..]));
    assert_eq!((entries[1].source, cuts[0].epoch.id_of(&entries[1])), (Some(SourceName(0)), &b"7"[..]));
    let cuts = run(&[clock(1), "{}".into(), clock(1).replace("\"s\"", "\"\"")]);
    assert!(cuts[0].epoch.entries.iter().all(|entry| entry.at == cuts[0].epoch.clock));
    assert_eq!(cuts[0].details.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_repeated_key_is_malformed_and_moves_no_clock() {
    let line =
        r#"{"v":1,"type":"clock","id":"e","source":"s","at":"2027-01-19T09:30:00+08:00","x":{"a":1,"a":2}}"#;
    let cuts = run(&[event("clock", AT, ""), line.into(), event("clock", AT, "")]);
    assert_eq!(cuts.len(), 1);
    assert_eq!(code(&cuts[0].epoch.entries[1]), Some(Code::Malformed));
    assert_eq!(cuts[0].epoch.entries[1].source, Some(SourceName(0)));
}

#[test]
fn nothing_comes_from_the_far_future() {
    let order = |at: &str| event("order", at, "");
    let cuts = run(&[
        order("2026-01-19T00:00:00+08:00"),
        order("2027-01-24T00:00:00+08:00"),
        order("2028-01-30T00:00:00+08:00"),
        event("clock", "2030-01-01T00:00:00+08:00", ""),
        order("2030-01-01T00:00:00+08:00"),
    ]);
    let codes: Vec<_> = cuts.iter().flat_map(|cut| &cut.epoch.entries).map(code).collect();
    let missing = Some(Code::MissingField);
    assert_eq!(codes, [missing, missing, Some(Code::Malformed), None, missing]);
    assert_eq!(cuts.len(), 3);
}

#[test]
fn versions_are_refused_and_numbers_kept() {
    let line = event("cash", AT, r#","source_seq":7,"anything":1"#).replace("\"v\":1", "\"v\":2");
    let cuts = run(&[line, event("clock", AT, r#","source_seq":-1"#)]);
    let entries = &cuts[0].epoch.entries;
    assert_eq!((code(&entries[0]), entries[0].source_seq), (Some(Code::Version), Some(7)));
    assert_eq!((code(&entries[1]), entries[1].source_seq), (Some(Code::BadValue), None));
}

#[test]
fn a_refused_fact_names_its_known_account() {
    let account = event("account", AT, r#","account":"A1","customer":"C","client_class":"individual""#);
    let facts = ["fill", "repay", "transfer", "cash"];
    let fact_of = |kind: &str, rest: &str| {
        let cuts = run(&[account.clone(), event(kind, AT, rest)]);
        match cuts[0].epoch.entries[1].body {
            Body::Refused { fact_of, .. } => fact_of,
            Body::Input(_) => panic!(),
        }
    };
    for kind in facts {
        assert_eq!(fact_of(kind, r#","account":"A1""#).map(|name| name.0), Some(0));
        assert_eq!(fact_of(kind, r#","account":"A1","colour":1"#).map(|name| name.0), Some(0));
        assert_eq!(fact_of(kind, r#","account":"A2""#), None);
        assert_eq!(fact_of(kind, r#","account":1"#), None);
    }
    assert_eq!(fact_of("interest", r#","account":"A1""#), None);
    let other = event("cash", AT, r#","account":"A1""#).replace("\"v\":1", "\"v\":2");
    let cuts = run(&[account.clone(), other]);
    assert!(matches!(cuts[0].epoch.entries[1].body, Body::Refused { fact_of: None, .. }));
    let cash = event("cash", AT, r#","account":"A1","amount":1,"reason":"deposit""#);
    let cuts = run(&[account.clone(), cash]);
    let Body::Input(Input::OfAccount(Some(_), AccountInput::Cash(10_000, _))) = cuts[0].epoch.entries[1].body
    else {
        panic!()
    };
}

#[test]
fn a_record_is_judged_like_a_line() {
    let lines = [
        event("account", AT, r#","account":"A1","customer":"C","client_class":"individual""#),
        quote(AT, "600519.SH"),
        quote(AT, "600519.SH"),
        event("fill", &second(5), r#","account":"A1","side":"x""#),
    ];
    let mut door = Door::new();
    let mut cuts = Vec::new();
    for line in &lines {
        let mut fields = Fields::new();
        json::parse(line.as_bytes(), &mut fields).unwrap();
        cuts.extend(door.record(&fields));
    }
    cuts.extend(door.finish());
    assert_eq!(cuts, run(&lines));
}

#[test]
fn a_recycled_epoch_leaves_nothing_behind() {
    let lines: Vec<String> = (1..9).map(|n| event("clock", &second(n), r#","x":1"#)).collect();
    let mut door = Door::new();
    let mut cuts = Vec::new();
    for line in &lines {
        if let Some(cut) = door.line(line.as_bytes()).unwrap() {
            cuts.push(cut.clone());
            door.recycle(cut);
        }
    }
    cuts.extend(door.finish());
    assert_eq!(cuts, run(&lines));
}

fn any_line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "1",
        "2",
        "null",
        "\"e\"",
        "\"s\"",
        "\"\"",
        "\"quote\"",
        "\"clock\"",
        "\"opening\"",
        "[]",
        "{\"a\":1}",
        "\"2026-01-19T09:30:00+08:00\"",
        "\"600519.SH\"",
        "-1",
        "1e9",
        "[{\"security\":1}]",
    ]);
    let key = prop::sample::select(vec![
        "v",
        "type",
        "id",
        "source",
        "at",
        "source_seq",
        "security",
        "price",
        "account",
        "positions",
        "cash",
    ]);
    prop::collection::vec((key, word), 0..9).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, word)| format!("\"{key}\":{word}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn any_bytes_are_an_entry_or_no_event(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..9)) {
        let mut door = Door::new();
        for line in &lines {
            let _ = door.line(line);
        }
        let _ = door.finish();
    }

    #[test]
    fn every_object_becomes_one_entry(lines in prop::collection::vec(any_line(), 0..30)) {
        let cuts = run(&lines);
        prop_assert_eq!(cuts.iter().map(|cut| cut.epoch.entries.len()).sum::<usize>(), lines.len());
        for cut in &cuts {
            let refused = cut.epoch.entries.iter().filter(|entry| code(entry).is_some()).count();
            prop_assert_eq!(cut.details.len(), refused);
        }
    }
}

#[test]
fn a_live_epoch_has_the_clock_it_is_given_and_is_cut_by_its_limits_alone() {
    let clock = |n: u32| parse_time(&second(n)).expect("a time");
    let mut door = Door::live(Names::default(), 7, clock(10));
    door.begin(clock(20));
    // Instants cut nothing, a price for the second time does; the epoch it opens has the same clock.
    let mut line = |line: &str| door.line(line.as_bytes()).expect("an object");
    assert_eq!(line(&event("clock", &second(1), "")), None);
    assert_eq!(line(&quote(&second(2), "600519.SH")), None);
    assert_eq!(line(&quote(&second(2), "000001.SZ")), None);
    let cut = line(&quote(&second(3), "600519.SH")).expect("cut");
    assert_eq!((cut.epoch.number, cut.epoch.clock, cut.epoch.entries.len()), (7, clock(20), 3));
    door.begin(clock(30));
    assert_eq!(door.waiting(), 1);
    let cut = door.finish().expect("one waits");
    assert_eq!((cut.epoch.number, cut.epoch.clock, cut.epoch.entries.len()), (8, clock(20), 1));
    // The clock does not step back with the wall's.
    door.begin(clock(5));
    assert_eq!(door.line(event("day_start", &second(1), r#","date":"2026-01-19""#).as_bytes()), Ok(None));
    let cut =
        door.line(event("clock", &second(1), "").as_bytes()).expect("an object").expect("it stands alone");
    assert_eq!((cut.epoch.number, cut.epoch.clock), (9, clock(20)));
}

#[test]
fn a_live_event_may_be_a_minute_after_the_clock_and_not_more() {
    for kind in ["clock", "quote"] {
        for (ahead, malformed) in [(59_999_999, false), (60_000_000, false), (60_000_001, true)] {
            let now = parse_time(AT).expect("a time");
            let mut door = Door::live(Names::default(), 1, now);
            let mut at = Vec::new();
            write_time(&mut at, Time(now.0 + ahead));
            let at = String::from_utf8(at).expect("text");
            door.line(event(kind, &at, r#","security":"600519.SH","price":"10""#).as_bytes())
                .expect("an object");
            let cut = door.finish().expect("one waits");
            assert_eq!(code(&cut.epoch.entries[0]) == Some(Code::Malformed), malformed, "{kind} {ahead}");
            assert_eq!(cut.epoch.clock, now);
        }
    }
}

/// Quotes of several layouts, and what may be wrong with a line of one.
fn alike_line() -> impl Strategy<Value = Vec<u8>> {
    let of = |all: &'static [&'static str]| prop::sample::select(all);
    let mostly = move |good: &'static [&'static str], other| prop_oneof![9 => of(good), 1 => of(other)];
    let ids = mostly(&["e1", "e2", "é"], &["", "a\\u0041", "\\\"", "e\u{1}"]);
    let sources = mostly(&["s"], &["t", ""]);
    let times =
        mostly(&[AT], &["2026-01-19T01:30:00Z", "2026-01-19T09:31:01+08:00", "2026-13-01T00:00:00Z", ""]);
    let securities = mostly(&["600519.SH", "000001.SZ", "920001.BJ"], &["999999.SH", "600519", ""]);
    let prices =
        mostly(&["10", "10.0100", "0", "9.9"], &["-1", "10.00001", "1e1", "99999999999999999999", ""]);
    let numbers =
        mostly(&["0", "7", "18"], &["07", "-1", "1.5", "\"7\"", "null", "99999999999999999999", ""]);
    let parts = (ids, sources, times, securities, prices, numbers);
    (0..6_usize, parts, 0..60_usize).prop_map(|(layout, (id, source, at, security, price, number), flaw)| {
        let body = match layout {
            0 => format!(r#""price":"{price}""#),
            1 => format!(r#""price":"{price}","prev_close":"10","phase":"auction","last":true"#),
            2 => format!(r#""source_seq":{number},"price":"{price}","volume":100"#),
            3 => format!(r#""prev_close":"{price}","price":null,"last":false"#),
            4 => format!(r#""volume":{number},"price":"{price}","turnover":"1.5000""#),
            _ => String::new(),
        };
        let line = if layout == 5 {
            format!(r#"{{"price":"{price}","security":"{security}","at":"{at}","source":"{source}","id":"{id}","type":"quote","v":1}}"#)
        } else {
            format!(r#"{{"v":1,"type":"quote","id":"{id}","source":"{source}","at":"{at}","security":"{security}",{body}}}"#)
        };
        let mut line = match flaw {
            0 => line.replace("quote", "index"),
            1 => line.replace("\"v\":1", "\"v\":2"),
            2 => line.replace(":1,", ": 1 ,"),
            3 => format!("{line} "),
            4 => line.replace('}', ",\"id\":\"e1\"}"),
            5 => line.replace('}', ",\"color\":\"red\"}"),
            6 => line.replace("\"security\"", "\"secur\\u0069ty\""),
            7 => line[..line.len() - 1].to_owned(),
            _ => line,
        }
        .into_bytes();
        if flaw == 8 {
            line[20] = 0xff;
        }
        line
    })
}

/// The first version took a line without a time for one that was laid out like the one before, at 1970.
#[test]
fn a_line_like_the_one_before_is_what_it_is_alone() {
    let (mut alike, mut lines) = (0, 0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(2_000));
    let security = event(
        "security",
        AT,
        r#","security":"600519.SH","name":"","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.5""#,
    );
    let strategy = (any::<bool>(), prop::collection::vec(alike_line(), 1..60));
    let counted = std::cell::RefCell::new((&mut alike, &mut lines));
    let check = |(live, given): (bool, Vec<Vec<u8>>)| {
        let start = parse_time(AT).expect("a time");
        let door = || if live { Door::live(Names::default(), 1, start) } else { Door::new() };
        let (mut remembers, mut forgets) = (door(), door());
        for at in ["600519.SH", "000001.SZ", "920001.BJ"] {
            let security = security.replace("600519.SH", at).replace("\"e\"", &format!("\"{at}\""));
            prop_assert_eq!(remembers.line(security.as_bytes()), forgets.line(security.as_bytes()));
        }
        for line in &given {
            let mut counted = counted.borrow_mut();
            *counted.0 += u32::from(remembers.alike.quote(line).is_some());
            *counted.1 += 1;
            forgets.alike = Alike::default();
            prop_assert_eq!(remembers.line(line), forgets.line(line), "{}", String::from_utf8_lossy(line));
        }
        prop_assert_eq!(remembers.finish(), forgets.finish());
        Ok(())
    };
    runner.run(&strategy, check).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{alike} of {lines} lines were laid out like one before them");
    assert!(alike > lines / 20 && alike > 2_000, "{alike} of {lines}");
}
