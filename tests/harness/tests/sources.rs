//! Folders as a broker's night leaves them, watched by a real process that is killed and started again.

use std::path::Path;
use std::time::{Duration, Instant};

use encoding_rs::GB18030;
use plimsoll_engine::num::Time;
use plimsoll_files::rows::{Quote, Stamp};
use plimsoll_files::{EventFile, EventWriter, Format};
use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::Server;
use plimsoll_wire::time::parse_time;
use serde_json::{Value, json};

/// A folder that a server watches.
struct Night {
    base: Folder,
    server: Option<Server>,
}

impl Drop for Night {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }
}

/// The example's configuration; longer than this nothing takes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Night {
    fn new(name: &str) -> Self {
        let base = Folder::new(&format!("sources-{name}"));
        std::fs::create_dir_all(base.join("counter")).expect("a folder");
        std::fs::create_dir_all(base.join("quotes")).expect("a folder");
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../connectors/drop/examples/nightly.toml");
        let example = std::fs::read_to_string(example).expect("the example");
        std::fs::write(base.join("sources.toml"), example.replace("settle_ms = 2000", "settle_ms = 300"))
            .expect("written");
        let mut night = Night { base, server: None };
        night.start();
        night
    }

    fn start(&mut self) {
        let sources = self.base.join("sources.toml");
        let more = ["--sources", sources.to_str().expect("text")];
        let server = Server::start(&self.base.join("data"), &more);
        self.server = Some(server.unwrap_or_else(|(status, said)| panic!("{status:?}: {said}")));
    }

    fn kill(&mut self) {
        self.server.take().expect("a server").kill();
    }

    fn account(&self, account: &str) -> Value {
        self.server.as_ref().expect("a server").get(&format!("/v1/accounts/{account}")).json()
    }

    fn epoch(&self) -> Value {
        self.server.as_ref().expect("a server").get("/v1/summary").json()["epoch"].clone()
    }

    /// Leaves a file in a folder of it, under its name at once.
    fn drop(&self, folder: &str, name: &str, content: &[u8]) {
        let folder = self.base.join(folder);
        std::fs::write(folder.join(format!("{name}.part")), content).expect("written");
        std::fs::rename(folder.join(format!("{name}.part")), folder.join(name)).expect("renamed");
    }

    fn leave(&self, files: &[(&str, String)]) {
        files.iter().for_each(|(name, text)| self.drop("counter", name, &GB18030.encode(text).0));
    }

    fn wait_for(&self, path: &str) {
        let (path, begun) = (self.base.join(path), Instant::now());
        while !path.exists() {
            assert!(begun.elapsed() < PATIENCE, "{} does not come", path.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A report, once it is there.
    fn report(&self, path: &str) -> Value {
        let path = format!("{path}.report.json");
        self.wait_for(&path);
        // The files follow their report.
        std::thread::sleep(Duration::from_millis(100));
        serde_json::from_slice(&std::fs::read(self.base.join(path)).expect("read")).expect("JSON")
    }
}

fn line(kind: &str, id: &str, rest: &str) -> String {
    format!(
        r#"{{"v":1,"type":"{kind}","id":"{id}","source":"test","at":"2026-01-19T09:00:00+08:00",{rest}}}{}"#,
        "\n"
    )
}

/// The security everybody holds, at 10 yuan.
fn market() -> String {
    let security = r#""security":"600519.SH","name":"x","class":"a_share","board":"main","collateral":true,
        "financing":true,"shorting":true,"haircut":"0.7""#
        .replace('\n', "");
    line("security", "s1", &security) + &line("quote", "q1", r#""security":"600519.SH","price":"10""#)
}

/// A night of so many accounts: each has 100 yuan and 1 000 shares and owes 5 000 yuan.
fn night(accounts: u32) -> Vec<(&'static str, String)> {
    let each = |head: &str, row: &dyn Fn(u32) -> String| {
        std::iter::once(head.to_owned()).chain((1..=accounts).map(row)).collect::<String>()
    };
    vec![
        (
            "account_20260119.csv",
            each("客户号,资金账号,客户类别,营业部,授信额度,开户日期\n", &|n| {
                format!("C{n},A{n},0,上海,100,20200301\n")
            }),
        ),
        ("cash_20260119.csv", each("资金账号,资金余额\n", &|n| format!("A{n},10000\n"))),
        (
            "positions_20260119.csv",
            each("资金账号,证券代码,市场,持仓数量,冻结数量\n", &|n| {
                format!("A{n},600519,1,10,0\n")
            }),
        ),
        (
            "contracts_20260119.csv",
            each(
                "资金账号|合约编号|负债类型|证券代码|市场|合约数量|合约金额|未还利息|年利率|开仓日期|到期日\n",
                &|n| format!("A{n}|D{n}|融资|600519|1|500|5000.00||8.35|20260105|0\n"),
            ),
        ),
        ("20260119.ok", String::new()),
    ]
}

const ACCOUNTS: &str = "counter/done/account_20260119.csv";
const OPENINGS: &str = "counter/done/cash_20260119.csv";

#[test]
fn the_files_of_a_night_are_taken_once_and_bad_ones_are_set_aside() {
    let night_of_two = night(2);
    let mut here = Night::new("night");
    here.drop("counter", "a_market.ndjson", market().as_bytes());
    here.wait_for("counter/done/a_market.ndjson");
    here.leave(&night_of_two);
    let report = here.report(OPENINGS);
    assert_eq!(
        (&report["events"], &report["accepted"], &report["refused"]),
        (&json!(2), &json!(2), &json!(0))
    );
    assert_eq!(here.report(ACCOUNTS)["accepted"], 2);
    let shown = here.account("A2");
    // (100 + 1 000 × 10) / 5 000.
    assert_eq!(shown["account"]["ratio"], "2.020000", "{shown}");
    assert_eq!(
        (&shown["holdings"][0]["tied"], &shown["contracts"][0]["contract"]),
        (&json!(500), &json!("D2"))
    );

    // The same night again.
    here.leave(&night_of_two);
    let again = here.report(&format!("{OPENINGS}.2"));
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(2)), "{again}");

    // Another, with one cell that is no number.
    let (epoch, mut bad) = (here.epoch(), night(2));
    bad[1].1 = bad[1].1.replace("A2,10000", "A2,壹万");
    bad.remove(0);
    here.leave(&bad);
    let report = here.report("counter/bad/cash_20260119.csv");
    let fault = &report["details"][0];
    assert_eq!(
        (&fault["file"], &fault["line"], &fault["column"], &fault["code"]),
        (&json!("cash_20260119.csv"), &json!(3), &json!("资金余额"), &json!("bad_value"))
    );
    assert_eq!((&report["outcome"], &here.epoch()), (&json!("bad"), &epoch), "nothing is applied");

    // One that is still being written, and an event that is refused.
    std::fs::write(here.base.join("counter/b.ndjson"), "{\"half").expect("written");
    std::thread::sleep(Duration::from_millis(200));
    assert!(here.base.join("counter/b.ndjson").exists());
    let refused = line("cash", "c1", r#""account":"A9","amount":"1","reason":"deposit""#);
    here.drop("counter", "b.ndjson", ("\n".to_owned() + &refused).as_bytes());
    let report = here.report("counter/done/b.ndjson");
    let told = &report["details"][0];
    assert_eq!((&told["line"], &told["code"]), (&json!(2), &json!("unknown_account")), "{report}");
    assert_eq!(here.server.take().expect("a server").end(), Some(0));
}

/// Killed again and again while openings are submitted: each is applied once, and the files are done.
#[test]
fn a_file_that_a_crash_cut_off_is_finished_and_nothing_is_twice() {
    const COUNT: u32 = 12_000;
    let mut here = Night::new("killed");
    here.drop("counter", "a_market.ndjson", market().as_bytes());
    here.wait_for("counter/done/a_market.ndjson");
    let files = night(COUNT);
    let flow = (1..=COUNT).map(|n| {
        line("cash", &format!("c{n}"), &format!(r#""account":"A{n}","amount":"1","reason":"deposit""#))
    });
    here.leave(&files);
    here.wait_for(OPENINGS);
    let before = here.epoch().as_u64().expect("a number");
    here.drop("counter", "b.ndjson", flow.collect::<String>().as_bytes());
    let (begun, mut kills) = (Instant::now(), 0_u32);
    while !here.base.join("counter/done/b.ndjson").exists() {
        assert!(begun.elapsed() < PATIENCE);
        // A part of it is in the log.
        let half = before + 1 + 3 * u64::from(kills);
        if kills < 3 && here.epoch().as_u64() >= Some(half) && here.base.join("counter/b.ndjson").exists() {
            here.kill();
            kills += 1;
            here.start();
        }
    }
    let report = here.report("counter/done/b.ndjson");
    println!("{kills} kills, report {report}");
    assert!(kills > 0);
    let sum = report["accepted"].as_u64().unwrap_or(0) + report["duplicates"].as_u64().unwrap_or(0);
    assert_eq!((sum, report["duplicates"].as_u64() > Some(0)), (u64::from(COUNT), true), "{report}");
    for account in [1, COUNT / 2, COUNT] {
        assert_eq!(here.account(&format!("A{account}"))["account"]["cash"], "101.0000");
    }
}

/// A table of one quote.
fn snapshot(path: &Path, at: Time, price: i64) {
    let mut writer = EventWriter::create(path, Format::Parquet, "feed").expect("a table");
    let quote = Quote {
        security: "600519.SH",
        price: Some(price),
        prev_close: None,
        bid1: None,
        ask1: None,
        limit_up: None,
        limit_down: None,
        phase: None,
        volume: None,
        turnover: None,
        last: None,
    };
    let stamp = Stamp { id: &format!("q{}", at.0), at, source_seq: None };
    writer.write(&stamp, &quote).expect("written");
    writer.finish().expect("finished");
}

/// Some changed bytes reach an assertion of the reader of Parquet, and a panic ends a release of the binary:
/// but not while it serves.
#[test]
fn damaged_tables_are_set_aside_and_the_service_goes_on() {
    let here = Night::new("damaged");
    let whole = here.base.join("whole");
    snapshot(&whole, parse_time("2026-01-19T09:30:00+08:00").expect("a time"), 100_000);
    let mut bytes = std::fs::read(&whole).expect("read");
    let seal = bytes.windows(15).rposition(|bytes| bytes == b"plimsoll-crc32:").expect("a seal");
    bytes[seal] = b'x';
    // The panics of checked arithmetic: here, where they unwind, they can be told from errors.
    let panics = |bytes: &[u8]| {
        std::fs::write(&whole, bytes).expect("written");
        let read = EventFile::open(&whole)
            .and_then(|mut file| file.for_each(|_| std::ops::ControlFlow::<()>::Continue(())).map(|_| ()));
        read.is_err_and(|error| error.to_string().contains("attempt to "))
    };
    let changed = (4..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, 1 << bit)));
    let mut changed = changed.map(|(place, mask): (usize, u8)| {
        let mut changed = bytes.clone();
        changed[place] ^= mask;
        changed
    });
    let broken = changed.find(|bytes| panics(bytes)).expect("one that breaks the reader");
    for n in 0..3 {
        here.drop("quotes", &format!("{n}.parquet"), &broken);
    }
    here.drop("quotes", "z.ndjson", market().as_bytes());
    here.wait_for("quotes/done/z.ndjson");
    for n in 0..3 {
        let report = here.report(&format!("quotes/bad/{n}.parquet"));
        assert!(report["details"][0]["detail"].to_string().contains("attempt to "), "{report}");
    }
    assert_eq!(here.server.as_ref().expect("a server").get("/v1/securities/600519.SH").status, 200);
}

#[test]
fn quotes_come_by_a_stream_of_tables_and_by_a_followed_file() {
    let mut here = Night::new("quotes");
    here.drop("counter", "a_market.ndjson", market().as_bytes());
    here.leave(&night(1));
    here.wait_for(OPENINGS);
    let begun: Time = parse_time("2026-01-19T09:30:00+08:00").expect("a time");
    // Written out of order, taken by name.
    for n in (0..20_i64).rev() {
        let at = Time(begun.0 + n * 3_000_000);
        snapshot(&here.base.join(format!("quotes/{n:03}.parquet.part")), at, 100_000 + n * 1_000);
    }
    here.kill();
    for n in 0..20 {
        let path = here.base.join(format!("quotes/{n:03}.parquet"));
        std::fs::rename(path.with_extension("parquet.part"), path).expect("renamed");
    }
    here.start();
    here.wait_for("quotes/done/019.parquet");
    // (100 + 1 000 × 11.9) / 5 000, and nothing was refused as late: there is no report.
    assert_eq!(here.account("A1")["account"]["ratio"], "2.400000");
    assert!(!here.base.join("quotes/done/019.parquet.report.json").exists());
    let late = line("quote", "f1", r#""security":"600519.SH","price":"12.9""#).replace("09:00", "10:00");
    std::fs::write(here.base.join("gateway.ndjson"), late).expect("written");
    let begun = Instant::now();
    while here.account("A1")["account"]["ratio"] != "2.600000" {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn a_configuration_with_faults_keeps_the_service_from_starting() {
    let here = Night::new("faults");
    let path = here.base.join("bad.toml");
    std::fs::write(&path, "[[folder]]\nname = \"x\"\n[[follow]]\npath = \"y\"\n").expect("written");
    let refused = Server::start(&here.base.join("other"), &["--sources", path.to_str().expect("text")]);
    let (status, said) = refused.expect_err("refused");
    assert_eq!(status, Some(1));
    assert!(said.contains("folder[0].path: missing") && said.contains("follow[0].name: missing"), "{said}");
}
