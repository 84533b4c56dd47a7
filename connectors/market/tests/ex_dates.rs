//! Real ex-dates through the door and the core: with the price at the reference, assets and debts move by
//! rounding and by rights not taken up alone (domain.md §5.3).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use plimsoll_engine::effect::Out;
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::{Engine, Sequential};
use plimsoll_market::{Day, ImportOptions, Set, import};
use plimsoll_wire::door::Door;
use serde_json::Value;

/// Shares held and shares owed: odd numbers, so that entitlements come out in fractions.
const HELD: i128 = 12_347;
const OWED: i128 = 6_789;
/// 1/10⁸: the unit of terms.
const ONE: i128 = 100_000_000;

/// One ex-date of one security.
struct ExDate {
    code: String,
    date: String,
    /// Close before it, 1/10 000 yuan.
    close: i128,
    /// The `corporate_action` lines.
    lines: Vec<String>,
    /// Cash, bonus, rights and rights price, 1/10⁸.
    terms: [i128; 4],
}

fn decimal(value: &Value, places: usize) -> i128 {
    let text = value.as_str().unwrap_or("0");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<places$}").parse().unwrap()
}

/// Every ex-date of the months of daily bars, with the last close before it.
fn ex_dates(data: &Path, out: &Path) -> Vec<ExDate> {
    let options = ImportOptions {
        data: data.into(),
        out: out.into(),
        sets: vec![Set::Crash2015],
        from: Day::parse("2015-05-05"),
        to: Day::parse("2015-09-30"),
    };
    let folder = import(&options).unwrap().sets.remove(0).folder;
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "ndjson"));
    files.sort();
    let mut closes: HashMap<String, i128> = HashMap::new();
    let mut found: BTreeMap<(String, String), ExDate> = BTreeMap::new();
    for file in files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let (action, close) =
                (line.contains("\"corporate_action\""), line.contains("\"phase\":\"closed\""));
            if !action && !close {
                continue;
            }
            let event: Value = serde_json::from_str(line).unwrap();
            let code = event["security"].as_str().unwrap().to_string();
            if close {
                let price = event.get("price").unwrap_or(&event["prev_close"]);
                closes.insert(code, decimal(price, 4));
                continue;
            }
            let date = event["ex_date"].as_str().unwrap().to_string();
            // An ex-date on the day of a security's first bar has no close before it.
            let Some(close) = closes.get(&code).copied() else { continue };
            let one = found.entry((date.clone(), code.clone())).or_insert_with(|| ExDate {
                code,
                date,
                close,
                lines: Vec::new(),
                terms: [0; 4],
            });
            one.lines.push(line.into());
            match event["kind"].as_str().unwrap() {
                "cash_dividend" => one.terms[0] = decimal(&event["per_share"], 8),
                "bonus" => one.terms[1] = decimal(&event["ratio"], 8),
                _ => {
                    one.terms[2] = decimal(&event["ratio"], 8);
                    one.terms[3] = decimal(&event["price"], 8);
                }
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    found.into_values().collect()
}

/// A and D of the holder and of the one who owes, after these lines.
fn figures(lines: &[String]) -> [i128; 4] {
    let mut door = Door::new();
    let mut engine = Engine::new(&PolicyDraft::default(), door.rules().clone(), 1).unwrap();
    let mut out = Out::default();
    let mut cuts = Vec::new();
    for line in lines {
        cuts.extend(door.line(line.as_bytes()).unwrap());
    }
    cuts.extend(door.finish());
    for cut in cuts {
        engine.step(&cut.epoch, &Sequential, &mut out);
        let refused = out.effects.iter().any(|effect| format!("{effect:?}").contains("Refused"));
        assert!(!refused && cut.details.is_empty(), "{:?} {lines:#?}", cut.details);
    }
    let valued = |ordinal| engine.account(ordinal).figures.valued.unwrap();
    let (holder, ower) = (valued(0), valued(1));
    [holder.assets, holder.debts, ower.assets, ower.debts]
}

/// The evening before: the security at its close, one account that holds it and one that owes it.
fn evening(one: &ExDate) -> Vec<String> {
    let ExDate { code, close, .. } = one;
    let at = |time: &str| format!("\"source\":\"t\",\"at\":\"2015-05-04T{time}+08:00\"");
    let close = format!("{}.{:04}", close / 10_000, close % 10_000);
    let mut lines = vec![format!(
        "{{\"v\":1,\"type\":\"security\",\"id\":\"s\",{},\"security\":\"{code}\",\"name\":\"x\",\"class\":\"a_share\",\
         \"board\":\"main\",\"collateral\":true,\"financing\":true,\"shorting\":true,\"haircut\":\"0.50\"}}",
        at("17:00:00")
    )];
    lines.push(format!(
        "{{\"v\":1,\"type\":\"quote\",\"id\":\"q\",{},\"security\":\"{code}\",\"price\":\"{close}\"}}",
        at("17:01:00")
    ));
    for account in ["L", "S"] {
        lines.push(format!(
            "{{\"v\":1,\"type\":\"account\",\"id\":\"a{account}\",{},\"account\":\"{account}\",\"customer\":\"C\",\
             \"client_class\":\"individual\"}}",
            at("17:02:00")
        ));
    }
    lines.push(format!(
        "{{\"v\":1,\"type\":\"opening\",\"id\":\"oL\",{},\"account\":\"L\",\"cash\":\"0\",\
         \"positions\":[{{\"security\":\"{code}\",\"quantity\":{HELD}}}]}}",
        at("17:03:00")
    ));
    lines.push(format!(
        "{{\"v\":1,\"type\":\"opening\",\"id\":\"oS\",{},\"account\":\"S\",\"cash\":\"1000000\",\"contracts\":[\
         {{\"contract\":\"c\",\"side\":\"short\",\"security\":\"{code}\",\"quantity\":{OWED},\"amount\":\"1.00\",\
         \"opened\":\"2015-05-04\"}}]}}",
        at("17:03:00")
    ));
    lines
}

/// What `moved` units may differ from 0: half a unit of price on every share after, one share lost to whole
/// shares, and three amounts rounded to the fen.
fn bound(shares: i128, one: &ExDate, reference: i128) -> i128 {
    let after = shares * (ONE + one.terms[1]) / ONE + 1;
    after / 2 + 1 + if one.terms[1] > 0 { reference + 1 } else { 0 } + 3 * 50
}

#[test]
fn real_ex_dates_move_assets_and_debts_by_rounding_alone() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.is_dir() {
        println!("skipped: no market data");
        return;
    }
    let all = ex_dates(&data, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("ex-dates"));
    assert!(all.len() > 1_700, "{}", all.len());
    let kinds = |n: usize| all.iter().filter(|one| one.terms[n] > 0).count();
    assert!(kinds(0) > 1_500 && kinds(1) > 300 && kinds(2) == 2, "{} {} {}", kinds(0), kinds(1), kinds(2));
    for one in &all {
        let [cash, bonus, rights, price] = one.terms;
        let mut lines = evening(one);
        lines.extend(one.lines.iter().cloned());
        let before = figures(&lines);
        lines.push(format!(
            "{{\"v\":1,\"type\":\"day_start\",\"id\":\"d\",\"source\":\"t\",\"at\":\"{0}T08:30:00+08:00\",\"date\":\"{0}\"}}",
            one.date
        ));
        let after = figures(&lines);
        // (p − d + r·k) / (1 + b + r), here rounded down to 1/10 000: only bounds are taken from it.
        let reference =
            ((one.close * 10_000 - cash) * ONE + rights * price) / (ONE + bonus + rights) / 10_000;
        let unclaimed = HELD * rights * (reference * 10_000 - price).max(0) / ONE / 10_000;
        let named = format!("{} {}: {before:?} to {after:?}", one.code, one.date);
        let moved = after[0] + unclaimed - before[0];
        assert!(moved.abs() <= bound(HELD, one, reference) + HELD * rights / ONE, "holder {named}");
        let owed = after[3] - before[3];
        assert!(owed.abs() <= bound(OWED, one, reference) + 100, "short {named}");
        assert_eq!((after[1], after[2]), (before[1], before[2]), "{named}");
    }
}
