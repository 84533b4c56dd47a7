//! The commands that ask a book: a saved state answers like the events it was saved from, and what
//! cannot be asked is named.

use plimsoll_tests::folder::Folder;
use plimsoll_tests::scenario::run::binary;
use std::fs;
use std::process::{Command, Output};

/// A book of one security and one account at a ratio of 1.40, its line `call` at 1.30.
const BOOK: &str = r#"{"v":1,"type":"security","id":"1","source":"t","at":"2026-01-19T09:00:00+08:00","security":"600519.SH","name":"A","class":"a_share","board":"main","indices":["SSE180"],"collateral":true,"financing":true,"shorting":true,"haircut":"0.70","average_turnover":"100000","group":"G"}
{"v":1,"type":"quote","id":"2","source":"t","at":"2026-01-19T09:00:00+08:00","security":"600519.SH","prev_close":"10.00"}
{"v":1,"type":"account","id":"3","source":"t","at":"2026-01-19T09:00:00+08:00","account":"A1","customer":"C1","client_class":"individual"}
{"v":1,"type":"opening","id":"4","source":"t","at":"2026-01-19T09:00:00+08:00","account":"A1","cash":"0","positions":[{"security":"600519.SH","quantity":1400}],"contracts":[{"contract":"K","side":"financing","security":"600519.SH","quantity":1000,"amount":"10000","opened":"2026-01-19"}]}
"#;

struct Asked {
    scratch: Folder,
}

impl Asked {
    fn new() -> Self {
        let asked = Asked { scratch: Folder::new("ask") };
        fs::write(asked.scratch.0.join("book.ndjson"), BOOK).expect("a file");
        let replay = asked.run(&["replay", "book.ndjson", "--save", "book.state"]);
        assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
        asked
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let program = binary().unwrap_or_else(|why| panic!("{why}"));
        let done = Command::new(program).current_dir(&self.scratch.0).args(arguments).output();
        done.expect("the binary runs")
    }

    /// The answer of a saved state, which is that of the events.
    fn answer(&self, command: &str, arguments: &[&str]) -> String {
        let [saved, replayed] = ["book.state", "book.ndjson"].map(|book| {
            let done = self.run(&[&[command, book], arguments].concat());
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).expect("text")
        });
        assert_eq!(saved, replayed, "{command} {arguments:?}");
        saved
    }

    fn refusal(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
        assert!(done.stdout.is_empty(), "{arguments:?}");
        String::from_utf8(done.stderr).expect("text")
    }
}

#[test]
fn breach_prices_name_tier_line_price_and_limit_days() {
    let text = Asked::new().answer("breach", &["--account", "A1"]);
    // 1 400 p < 1.30 × 10 000 holds from 9.28 down, which one limit day from 10.00 reaches.
    let line = text.lines().find(|line| line.contains(" call ")).expect("a line of call");
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!(cells, ["600519.SH", "10.0000", "call", "1.30", "9.2800", "fall", "1"]);
    let insolvent = text.lines().find(|line| line.contains("insolvent")).expect("a line of insolvent");
    // 9.00, 8.10, 7.29, 6.56: 7.14 is reached on the fourth.
    assert!(insolvent.split_whitespace().eq([
        "600519.SH",
        "10.0000",
        "insolvent",
        "1.00",
        "7.1400",
        "fall",
        "4"
    ]));
}

#[test]
fn a_map_counts_accounts_by_price_and_what_they_would_sell() {
    let text = Asked::new().answer("map", &["--security", "600519.SH"]);
    assert!(text.contains("600519.SH mark 10.0000; 1400 shares held by 1 accounts in debt"), "{text}");
    let line = text.lines().find(|line| line.starts_with("9.2800")).expect("the price of call");
    assert!(line.split_whitespace().eq(["9.2800", "0", "0", "1", "0", "0", "0"]), "{line}");
    let immediate = text.lines().find(|line| line.starts_with("8.2100")).expect("the price of immediate");
    // 1 400 × 8.21 = 11 494: 2 506 to the line of 1.40, over 1.40 × (1 − 0.076 %) − 1, is 6 281.71.
    assert!(immediate.split_whitespace().eq(["8.2100", "0", "0", "0", "1", "0", "766"]), "{immediate}");
}

#[test]
fn a_scenario_says_tiers_calls_and_sales() {
    let asked = Asked::new();
    for shock in
        ["market=-0.08", "600519.SH=-0.08", "board:main=-0.08", "group:G=-0.08", "index:SSE180=-0.08"]
    {
        let text = asked.answer("scenario", &["--shock", shock]);
        // 1 400 × 9.20 = 12 880: to 1.40 of 10 000 lack 1 120.
        assert!(text.contains("calls 1 for 1120.00 yuan in all"), "{shock}: {text}");
        let call = text.lines().find(|line| line.starts_with("call ")).expect("a line of call");
        assert!(call.split_whitespace().eq(["call", "0", "1", "1"]), "{call}");
    }
    fs::write(asked.scratch.0.join("betas.csv"), "600519.SH,2.0\n").expect("a file");
    let text = asked.answer("scenario", &["--shock", "index:SSE180=-0.10", "--betas", "betas.csv"]);
    // Twice ten per cent: 1.12, below immediate.
    let immediate = text.lines().find(|line| line.starts_with("immediate ")).expect("a line");
    assert!(immediate.split_whitespace().eq(["immediate", "0", "1", "1"]), "{text}");
    // 2 800 over 1.40 × (1 − 0.076 %) − 1, of a turnover of 100 000 a day.
    let sale = text.lines().find(|line| line.starts_with("600519.SH")).expect("a sale");
    assert!(sale.split_whitespace().eq(["600519.SH", "7018.67", "7.0", "%"]), "{sale}");
}

#[test]
fn a_what_if_fills_in_the_envelope_and_gives_effects_and_both_states() {
    let asked = Asked::new();
    let event = r#"{"type":"cash","amount":"-0","reason":"deposit"}"#;
    let text = asked.answer("what-if", &["--account", "A1", "--event", event]);
    assert!(text.lines().next().is_some_and(|line| line.contains(r#""ratio":"1.400000""#)), "{text}");
    let fall = r#"{"type":"quote","security":"600519.SH","price":"9.28"}"#;
    let text = asked.answer("what-if", &["--account", "A1", "--event", fall]);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].contains(r#""type":"tier_changed""#) && lines[1].contains(r#""to":"call""#), "{text}");
    assert!(lines[2].contains(r#""type":"restricted""#), "{text}");
    assert!(lines.last().is_some_and(|line| line.contains(r#""tier":"call""#)), "{text}");
    let refused = asked.answer("what-if", &["--account", "A1", "--event", r#"{"type":"cash"}"#]);
    assert!(refused.contains(r#""code":"missing_field""#), "{refused}");
}

#[test]
fn what_cannot_be_asked_is_named() {
    let asked = Asked::new();
    let state = fs::read(asked.scratch.0.join("book.state")).expect("a state");
    fs::write(asked.scratch.0.join("cut.state"), &state[..state.len() / 2]).expect("a file");
    let mut flipped = state;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(asked.scratch.0.join("flipped.state"), &flipped).expect("a file");
    for (arguments, said) in [
        (&["breach", "book.state", "--account", "A2"][..], "no account \"A2\" in this book"),
        (&["map", "book.state", "--security", "600000.SH"], "no security \"600000.SH\" in this book"),
        (&["breach", "cut.state", "--account", "A1"], "cut.state: its checksum is another"),
        (&["breach", "flipped.state", "--account", "A1"], "flipped.state: its checksum is another"),
        (&["breach", "absent.state", "--account", "A1"], "absent.state"),
        (&["scenario", "book.state", "--shock", "market"], "is no TARGET=MOVE"),
        (&["scenario", "book.state", "--shock", "market=1e3"], "is no move from -1 to 100"),
        (&["scenario", "book.state", "--shock", "market=-1.5"], "is no move from -1 to 100"),
        (&["scenario", "book.state", "--shock", "board:moon=-0.1"], "no board \"moon\""),
        (&["scenario", "book.state", "--shock", "planet:x=-0.1"], "neither board, group nor index"),
        (&["what-if", "book.state", "--account", "A1", "--event", "[]"], "event 1: not an object"),
        (&["what-if", "book.state", "--account", "A1", "--event", "{"], "event 1:"),
    ] {
        let text = asked.refusal(arguments);
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}
