//! The files of a small broker: the same bytes for the same seed, the same events in every form,
//! and facts that can have happened.

#[path = "../../files/tests/common/mod.rs"]
mod common;

use plimsoll_broker::{Config, Manifest, Profile, Scenario, generate};
use plimsoll_files::Format;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn config(out: PathBuf) -> Config {
    Config {
        out,
        accounts: 400,
        securities: 150,
        days: 2,
        scenario: Scenario::Crash,
        snapshots: 16,
        bursts: 5,
        ..Config::default()
    }
}

fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap() != "manifest.json");
    files.sort();
    files
}

/// All events in the order in which a replay of the folder by name reads them.
fn events(folder: &Path) -> Vec<Json> {
    let files = event_files(folder);
    files
        .iter()
        .flat_map(|path| {
            let (records, error) = common::read(path);
            assert!(error.is_none(), "{error:?}");
            records
        })
        .collect()
}

fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.map(|path| (path.file_name().unwrap().into(), std::fs::read(&path).unwrap())).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for format in [Format::Ndjson, Format::NdjsonZst, Format::Parquet] {
        let folder = common::folder(&format!("same_seed_{}", format.extension()));
        let of = |name: &str, seed| {
            let out = folder.join(name);
            generate(&Config { format, seed, ..config(out.clone()) }).unwrap();
            bytes(&out)
        };
        let first = of("a", 1);
        assert_eq!(first, of("b", 1));
        assert_ne!(first, of("c", 2));
    }
}

#[test]
fn every_form_holds_the_same_events_in_order() {
    let folder = common::folder("same_events");
    let mut forms = Vec::new();
    for format in [Format::Ndjson, Format::NdjsonZst, Format::Parquet] {
        let out = folder.join(format.extension());
        let manifest = generate(&Config { format, ..config(out.clone()) }).unwrap();
        let events = events(&out);
        assert_eq!(manifest.events(), events.len() as u64);
        let listed: Vec<PathBuf> = manifest.files.iter().map(|file| out.join(&file.name)).collect();
        assert_eq!(listed, event_files(&out));
        forms.push(events);
    }
    assert!(forms[0] == forms[1]);
    assert!(forms[0] == forms[2]);
    let times: Vec<&str> = forms[0].iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
}

#[test]
fn the_manifest_is_json_and_tells_what_came_out() {
    let out = common::folder("manifest");
    let manifest = generate(&config(out.clone())).unwrap();
    let read: Json = serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(read["events"], manifest.events());
    assert_eq!(read["asked"]["seed"], "1");
    assert_eq!(read["book"]["accounts"], 400);
    assert!(read["book"]["ratio_median"].as_str().unwrap().starts_with("2."));
}

#[test]
fn what_cannot_be_generated_is_named() {
    let config = Config { securities: 7, ..config(common::folder("refused")) };
    let error = generate(&config).unwrap_err().to_string();
    assert_eq!(error, "securities is 7, but goes from 40 to 10000");
}

/// Balances as a counter keeps them, read from the events alone: exact for shares, and for cash
/// and principals what is sure without interest.
#[derive(Default)]
struct Ledger {
    /// In 1/10 000 yuan.
    cash: i64,
    shares: BTreeMap<String, i64>,
    /// Side, security, quantity, principal of each contract.
    contracts: BTreeMap<String, (String, String, i64, i64)>,
}

fn money(value: &Json) -> i64 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.trim_start_matches('-').split_once('.').unwrap();
    let size = format!("{whole}{part:0<4}").parse::<i64>().unwrap();
    if text.starts_with('-') { -size } else { size }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap().to_owned()
}

impl Ledger {
    fn open(&mut self, event: &Json) {
        self.cash = money(&event["cash"]);
        for position in event["positions"].as_array().unwrap() {
            let quantity = position["quantity"].as_i64().unwrap();
            assert!(quantity > 0);
            let again = self.shares.insert(text(&position["security"]), quantity);
            assert!(again.is_none());
        }
        for contract in event["contracts"].as_array().unwrap() {
            self.add(contract, contract["quantity"].as_i64().unwrap(), money(&contract["amount"]));
        }
        let mut tied: BTreeMap<&str, i64> = BTreeMap::new();
        for (side, security, quantity, _) in self.contracts.values() {
            if side == "financing" {
                *tied.entry(security).or_default() += quantity;
            }
        }
        assert!(tied.iter().all(|(security, tied)| tied <= &self.shares[*security]));
    }

    fn add(&mut self, contract: &Json, quantity: i64, amount: i64) {
        let side = match contract["side"].as_str().unwrap() {
            "margin_buy" | "financing" => "financing",
            _ => "short",
        };
        let entry = (side.to_owned(), text(&contract["security"]), quantity, amount);
        let again = self.contracts.insert(text(&contract["contract"]), entry);
        assert!(again.is_none(), "{contract}");
    }

    fn hold(&mut self, event: &Json, quantity: i64) {
        let held = self.shares.entry(text(&event["security"])).or_default();
        *held += quantity;
        assert!(*held >= 0, "{event}");
    }

    fn fill(&mut self, event: &Json) {
        let quantity = event["quantity"].as_i64().unwrap();
        let (gross, fee) = (quantity * money(&event["price"]), money(&event["fee"]));
        assert!(quantity > 0 && gross > 0 && fee >= 0);
        match event["side"].as_str().unwrap() {
            "collateral_buy" => {
                self.cash -= gross + fee;
                self.hold(event, quantity);
            }
            "collateral_sell" => {
                self.cash += gross - fee;
                self.hold(event, -quantity);
            }
            "margin_buy" => {
                self.cash -= fee;
                self.hold(event, quantity);
                self.add(event, quantity, gross);
            }
            "short_sell" => {
                self.cash += gross - fee;
                self.add(event, quantity, gross);
            }
            "sell_to_repay" => {
                self.cash += (gross - fee).min(0);
                self.hold(event, -quantity);
                let contract = self.contracts.get_mut(event["contract"].as_str().unwrap()).unwrap();
                assert!(contract.0 == "financing" && contract.1 == text(&event["security"]));
                contract.3 = (contract.3 - (gross - fee).max(0)).max(0);
            }
            side => {
                assert_eq!(side, "buy_to_cover");
                self.cash -= gross + fee;
                let contract = self.contracts.get_mut(event["contract"].as_str().unwrap()).unwrap();
                assert!(contract.0 == "short" && contract.1 == text(&event["security"]));
                contract.2 -= quantity;
                assert!(contract.2 >= 0, "{event}");
            }
        }
    }

    fn apply(&mut self, event: &Json) {
        match event["type"].as_str().unwrap() {
            "opening" => self.open(event),
            "fill" => self.fill(event),
            "cash" => self.cash += money(&event["amount"]),
            "transfer" => {
                let quantity = event["quantity"].as_i64().unwrap();
                let security = text(&event["security"]);
                let tied = self.contracts.values().any(|c| c.0 == "financing" && c.1 == security);
                assert!(quantity > 0 || !tied, "{event}");
                self.hold(event, quantity);
            }
            "repay" => {
                let amount = money(&event["amount"]);
                self.cash -= amount;
                let contract = self.contracts.get_mut(event["contract"].as_str().unwrap()).unwrap();
                contract.3 -= amount;
                assert!(amount > 0 && contract.3 >= 0, "{event}");
            }
            _ => return,
        }
        assert!(self.cash >= 0, "{event}");
    }
}

fn assert_possible(config: &Config) -> Manifest {
    let manifest = generate(config).unwrap();
    let mut ledgers: BTreeMap<String, Ledger> = BTreeMap::new();
    let mut limits: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for event in events(&config.out) {
        if event["type"] == "quote" {
            assert_quote(&event, &mut limits);
        } else if let Some(account) = event["account"].as_str() {
            if event["type"] == "account" {
                assert!(!ledgers.contains_key(account));
                ledgers.insert(account.to_owned(), Ledger::default());
            }
            ledgers.get_mut(account).unwrap().apply(&event);
        }
    }
    assert_eq!(ledgers.len() as u64, config.accounts);
    manifest
}

/// No quote lies outside the day's limits or has its book crossed.
fn assert_quote(event: &Json, limits: &mut BTreeMap<String, (i64, i64)>) {
    let security = text(&event["security"]);
    let of = |name: &str| event.get(name).map(money);
    if let (Some(up), Some(down)) = (of("limit_up"), of("limit_down")) {
        limits.insert(security.clone(), (down, up));
    }
    if let (Some(bid), Some(ask)) = (of("bid1"), of("ask1")) {
        assert!(bid < ask, "{event}");
    }
    if let (Some(price), Some(&(down, up))) = (of("price"), limits.get(&security)) {
        assert!((down..=up).contains(&price), "{event}");
    }
}

#[test]
fn facts_can_have_happened() {
    let mut config = config(common::folder("possible"));
    config.accounts = 1_500;
    let crash = assert_possible(&config);
    config = Config { scenario: Scenario::Calm, days: 3, seed: 9, ..config };
    config.out = common::folder("possible_calm");
    let calm = assert_possible(&config);
    // Of every kind of fact there is some.
    for (place, kind) in ["buy", "sell", "margin", "short", "repay", "cover"].iter().enumerate() {
        let count = |m: &Manifest| m.days.iter().map(|day| day.facts[place]).sum::<u64>();
        assert!(count(&crash) + count(&calm) > 0, "{kind}");
    }
    config = Config { profile: Profile::China, seed: 4, ..config };
    config.out = common::folder("possible_china");
    assert_possible(&config);
}
