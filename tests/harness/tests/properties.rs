//! What must hold for every stream, through the real binary alone.

use plimsoll_tests::folder::Folder;
use plimsoll_tests::streams::Stream;
use plimsoll_tests::streams::driver::{Ended, Outcome, Run, run_binary};
use plimsoll_tests::streams::rng::Rng;
use plimsoll_tests::streams::stream::join;
use plimsoll_tests::streams::swarm::{ACTS, Act, Swarm};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::env;
use std::fmt::Write as _;
use std::thread;

const TIERS: [&str; 7] = ["none", "normal", "watch", "warning", "call", "immediate", "insolvent"];

fn quick() -> bool {
    env::var("PLIMSOLL_QUICK").is_ok_and(|v| v == "1")
}

fn seeds(full: u64) -> std::ops::Range<u64> {
    70_000..70_000 + if quick() { full.div_ceil(5) } else { full }
}

fn without(swarm: &mut Swarm, acts: &[Act]) {
    for (place, (act, _)) in ACTS.iter().enumerate() {
        if acts.contains(act) {
            swarm.weights[place] = 0;
        }
    }
}

/// A stream without faults or repeated lines: its envelopes are readable and every id stands once.
fn clean(seed: u64) -> Stream {
    Stream::with(seed, |swarm| {
        swarm.faults = 0;
        without(swarm, &[Act::Fault, Act::Duplicate]);
    })
}

fn succeed(scratch: &Folder, files: &[Vec<u8>], run: &Run) -> Outcome {
    let ended = run_binary(scratch, files, run);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended.outcome
}

fn replay(scratch: &Folder, lines: &[String], policy: Option<&str>) -> Outcome {
    succeed(scratch, &[join(lines)], &Run::lanes(1, policy))
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).expect("a line the generator wrote")
}

fn assert_same(seed: u64, what: &str, left: &Outcome, right: &Outcome) {
    let pairs = [
        ("effects", &left.effects, &right.effects),
        ("state", &left.state, &right.state),
        ("trace", &left.trace, &right.trace),
    ];
    for (name, a, b) in pairs {
        if a != b {
            let at = a.lines().zip(b.lines()).position(|(x, y)| x != y);
            panic!("seed {seed}: {what} changed the {name}, line {:?}", at.map(|n| n + 1));
        }
    }
}

#[test]
fn lanes_do_not_show() {
    let scratch = Folder::new("properties");
    for seed in seeds(40) {
        let stream = Stream::of(seed);
        let policy = stream.policy.as_deref();
        let one = succeed(&scratch, &[stream.bytes()], &Run::lanes(1, policy));
        for lanes in [2, 3, 7] {
            let more = succeed(&scratch, &[stream.bytes()], &Run::lanes(lanes, policy));
            assert_same(seed, &format!("{lanes} lanes"), &one, &more);
        }
    }
}

#[test]
fn chunking_into_files_and_blank_lines_change_nothing() {
    let scratch = Folder::new("properties");
    for seed in seeds(40) {
        let stream = Stream::of(seed);
        let policy = stream.policy.as_deref();
        let whole = replay(&scratch, &stream.lines, policy);
        let mut rng = Rng::new(seed);
        let mut files = vec![Vec::new()];
        for line in &stream.lines {
            if rng.chance(30) {
                files.push(Vec::new());
            }
            let file = files.last_mut().expect("one file at least");
            if rng.chance(20) {
                file.extend_from_slice(b"\n");
            }
            file.extend_from_slice(line.as_bytes());
            file.push(b'\n');
        }
        // The last line of a file may lack its line feed.
        for file in &mut files {
            if rng.chance(300) && file.last() == Some(&b'\n') {
                file.pop();
            }
        }
        let split = succeed(&scratch, &files, &Run::lanes(2, policy));
        assert_same(seed, "chunking", &whole, &split);
    }
}

/// Lines without their place within the epoch, sorted.
fn unordered(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| match (line.find(",\"n\":"), line.find(",\"at\":")) {
            (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to..]),
            _ => line.to_owned(),
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_order_of_accounts_changes_nothing_but_order() {
    let scratch = Folder::new("properties");
    for seed in seeds(30) {
        let stream = clean(seed);
        let policy = stream.policy.as_deref();
        let mut accounts = BTreeMap::new();
        for line in &stream.lines {
            let event = parsed(line);
            if event["type"] == "account" {
                let name = event["account"].to_string();
                accounts.entry(name).or_insert_with(|| event["client_class"].to_string());
            }
        }
        let first = parsed(&stream.lines[0])["at"].to_string();
        let mut records: Vec<String> = accounts
            .iter()
            .enumerate()
            .map(|(n, (account, class))| {
                format!(
                    "{{\"v\":1,\"type\":\"account\",\"id\":\"{n}\",\"source\":\"first\",\"at\":{first},\
                     \"account\":{account},\"customer\":\"C\",\"client_class\":{class}}}"
                )
            })
            .collect();
        let mut outcomes = Vec::new();
        let mut rng = Rng::new(seed);
        for _ in 0..2 {
            for index in (1..records.len()).rev() {
                records.swap(index, rng.below(index + 1));
            }
            let mut lines = records.clone();
            lines.extend(stream.lines.iter().cloned());
            outcomes.push(replay(&scratch, &lines, policy));
        }
        let (a, b) = (&outcomes[0], &outcomes[1]);
        assert!(unordered(&a.effects) == unordered(&b.effects), "seed {seed}: effects differ");
        assert!(unordered(&a.state) == unordered(&b.state), "seed {seed}: states differ");
        assert!(unordered(&a.trace) == unordered(&b.trace), "seed {seed}: traces differ");
    }
}

#[test]
fn duplicates_change_nothing() {
    let scratch = Folder::new("properties");
    for seed in seeds(40) {
        let stream = clean(seed);
        let policy = stream.policy.as_deref();
        let plain = replay(&scratch, &stream.lines, policy);
        let mut rng = Rng::new(seed);
        let mut lines = Vec::new();
        let mut later = Vec::new();
        for line in &stream.lines {
            lines.push(line.clone());
            match parsed(line)["type"].as_str() {
                Some("quote" | "index") => {}
                Some("day_start" | "day_end" | "policy" | "rules" | "calendar") => {
                    later.push(line.clone());
                }
                _ => {
                    // Next to the first one, so that the epochs stay as they are.
                    if rng.chance(300) {
                        lines.push(line.clone());
                    }
                    later.push(line.clone());
                }
            }
        }
        let beside = replay(&scratch, &lines, policy);
        assert_same(seed, "duplicates beside", &plain, &beside);
        let mut lines = stream.lines.clone();
        lines.append(&mut later);
        let after = replay(&scratch, &lines, policy);
        assert!(plain.effects == after.effects, "seed {seed}: later duplicates have effects");
        assert!(plain.state == after.state, "seed {seed}: later duplicates change the state");
    }
}

#[test]
fn the_state_as_of_an_epoch_is_the_trace_at_it() {
    let scratch = Folder::new("properties");
    for seed in seeds(25) {
        let stream = Stream::of(seed);
        let policy = stream.policy.as_deref();
        let whole = replay(&scratch, &stream.lines, policy);
        let mut by_epoch: BTreeMap<u64, String> = BTreeMap::new();
        for line in whole.trace.lines() {
            let rest = line.strip_prefix("{\"seq\":").expect("a trace line");
            let (seq, fields) = rest.split_once(',').expect("more than its epoch");
            let state = by_epoch.entry(seq.parse().expect("an epoch")).or_default();
            let _ = writeln!(state, "{{{fields}");
        }
        let last = by_epoch.keys().last().copied().unwrap_or(0);
        let mut rng = Rng::new(seed);
        for _ in 0..3 {
            let seq = rng.range(1, last as i64) as u64;
            let mut run = Run::lanes(2, policy);
            run.as_of = Some(seq.to_string());
            let part = succeed(&scratch, &[stream.bytes()], &run);
            let expected = by_epoch.get(&seq).map_or("", String::as_str);
            assert!(part.state == expected, "seed {seed}: the state as of {seq} differs");
            assert!(whole.effects.starts_with(&part.effects), "seed {seed}: effects as of {seq}");
        }
    }
}

/// Quotes of every security down a ladder and up again, each in an epoch of its own, after a stream whose
/// accounts hold shares and owe cash only.
fn ladder(stream: &Stream, prices: &[u32]) -> (Vec<String>, usize) {
    let mut securities = Vec::new();
    let mut day = String::new();
    for line in &stream.lines {
        let event = parsed(line);
        if event["type"] == "security" && !securities.contains(&event["security"]) {
            securities.push(event["security"].clone());
        }
        let at = event["at"].as_str().unwrap_or("")[..10].to_owned();
        day = day.max(at);
    }
    let mut lines = stream.lines.clone();
    let start = lines.len();
    for (n, security) in securities.iter().enumerate() {
        for (step, price) in prices.iter().enumerate() {
            let serial = n * prices.len() + step;
            let (second, milli) = (serial / 1000, serial % 1000);
            // After everything the stream holds, whatever offset its last instant was written at.
            lines.push(format!(
                "{{\"v\":1,\"type\":\"quote\",\"id\":\"q{serial}\",\"source\":\"ladder\",\
                 \"at\":\"{day}T23:59:{second:02}.{milli:03}-11:00\",\"security\":{security},\
                 \"price\":\"{}.{:04}\"}}",
                price / 10_000,
                price % 10_000
            ));
        }
    }
    (lines, start)
}

#[test]
fn an_adverse_price_never_improves_a_tier_and_a_better_one_never_worsens_it() {
    let scratch = Folder::new("properties");
    let fall = [9_000_000, 1_000_000, 400_000, 200_000, 120_000, 80_000, 50_000, 30_000, 9000, 1];
    let rise = [2, 9001, 31_000, 51_000, 90_000, 130_000, 250_000, 500_000, 1_100_000, 9_500_000];
    let prices: Vec<u32> = fall.into_iter().chain(rise).collect();
    let mut changes = 0;
    for seed in seeds(40) {
        let stream = Stream::with(seed, |swarm| {
            swarm.faults = 0;
            swarm.shorts = 0;
            swarm.drill = false;
            swarm.huge = 0;
            let short = plimsoll_tests::streams::swarm::SIDES.iter().position(|s| *s == "short_sell");
            swarm.sides[short.expect("a side of that name")] = 0;
            without(swarm, &[Act::Fault, Act::Duplicate, Act::Clock]);
        });
        let (lines, start) = ladder(&stream, &prices);
        let ladder_ids: BTreeMap<String, usize> =
            (start..lines.len()).map(|n| (format!("q{}", n - start), n - start)).collect();
        let outcome = replay(&scratch, &lines, stream.policy.as_deref());
        for line in outcome.effects.lines().filter(|l| l.contains("\"type\":\"tier_changed\"")) {
            let effect = parsed(line);
            let input = &effect["cause"]["input"];
            if input["source"] != "ladder" {
                continue;
            }
            let step = ladder_ids[input["id"].as_str().unwrap_or("")] % prices.len();
            let rank = |key: &str| TIERS.iter().position(|t| effect[key] == *t);
            // The first quote of a security may lie on either side of its mark.
            if step > 0 {
                changes += 1;
                let falling = step < fall.len();
                assert_eq!(falling, rank("to") > rank("from"), "seed {seed}: {line}");
            }
        }
    }
    assert!(changes > 100, "only {changes} changes of tier on the ladders");
}

/// Money text in units of 1/10 000.
fn units(text: &Value) -> i128 {
    let text = text.as_str().expect("a decimal as text");
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = format!("{part:0<4}");
    let whole: i128 = whole.parse().expect("digits");
    sign * (whole * 10_000 + part[..4].parse::<i128>().expect("digits"))
}

fn count(value: &Value) -> i128 {
    i128::from(value.as_i64().expect("an integer"))
}

/// What an account must have in the end: money less debts in cash, and shares held less shares owed.
#[derive(Default)]
struct Ledger {
    net_cash: i128,
    net_shares: BTreeMap<String, i128>,
}

impl Ledger {
    fn shares(&mut self, security: &Value, quantity: i128) {
        *self.net_shares.entry(security.to_string()).or_default() += quantity;
    }

    fn open(&mut self, event: &Value) {
        *self = Self { net_cash: units(&event["cash"]), ..Self::default() };
        let none = Vec::new();
        for position in event["positions"].as_array().unwrap_or(&none) {
            self.shares(&position["security"], count(&position["quantity"]));
        }
        for contract in event["contracts"].as_array().unwrap_or(&none) {
            if !contract["interest"].is_null() {
                self.net_cash -= units(&contract["interest"]);
            }
            if contract["side"] == "short" {
                self.shares(&contract["security"], -count(&contract["quantity"]));
            } else {
                self.net_cash -= units(&contract["amount"]);
            }
        }
    }

    /// What the event says, by its type and side: no repayment changes money less debts.
    fn book(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("opening") => self.open(event),
            Some("cash") => self.net_cash += units(&event["amount"]),
            Some("transfer") => self.shares(&event["security"], count(&event["quantity"])),
            Some("interest") if event["kind"] != "settled" => {
                self.net_cash -= units(&event["amount"]);
            }
            Some("fill") => {
                let quantity = count(&event["quantity"]);
                let gross = quantity * units(&event["price"]);
                let fee = if event["fee"].is_null() { 0 } else { units(&event["fee"]) };
                let buys = ["collateral_buy", "margin_buy", "buy_to_cover", "subscribe"];
                let sign = if buys.iter().any(|side| event["side"] == *side) { 1 } else { -1 };
                self.net_cash -= sign * gross + fee;
                self.shares(&event["security"], sign * quantity);
            }
            _ => {}
        }
    }
}

#[test]
fn money_and_shares_are_conserved_to_the_last_unit() {
    let scratch = Folder::new("properties");
    let mut compared = 0;
    for seed in seeds(60) {
        let still = [
            Act::Quote,
            Act::SteerQuote,
            Act::Index,
            Act::Mark,
            Act::CorporateAction,
            Act::Security,
            Act::NextDay,
            Act::Clock,
            Act::Policy,
            Act::Fault,
            Act::Duplicate,
        ];
        let stream = Stream::with(seed, |swarm| {
            swarm.faults = 0;
            swarm.style.numbers = 0;
            swarm.priced = true;
            swarm.policy_file = false;
            without(swarm, &still);
        });
        let outcome = replay(&scratch, &stream.lines, stream.policy.as_deref());
        let refused: HashSet<String> = outcome
            .effects
            .lines()
            .map(parsed)
            .filter(|effect| effect["type"] == "refused")
            .map(|effect| effect["input"].to_string())
            .collect();
        let mut ledgers: BTreeMap<String, Ledger> = BTreeMap::new();
        let mut marks: BTreeMap<String, i128> = BTreeMap::new();
        for line in &stream.lines {
            let event = parsed(line);
            let id = serde_json::json!({"source": event["source"], "id": event["id"]}).to_string();
            let id_as_written = format!("{{\"source\":{},\"id\":{}}}", event["source"], event["id"]);
            if refused.contains(&id) || refused.contains(&id_as_written) {
                continue;
            }
            if let Some(account) = event["account"].as_str() {
                ledgers.entry(account.to_owned()).or_default().book(&event);
            }
            take_mark(&mut marks, &event);
        }
        for line in outcome.state.lines() {
            let state = parsed(line);
            let account = state["account"].as_str().expect("an account");
            let ledger = &ledgers[account];
            let net = units(&state["cash"]) - units(&state["principal"]) - units(&state["interest"]);
            assert_eq!(net, ledger.net_cash, "seed {seed}: money of {account}");
            if state["long_value"].is_null() || state["short_value"].is_null() {
                continue;
            }
            let value = ledger.net_shares.iter().filter(|(_, net)| **net != 0);
            let known: Option<i128> = value.map(|(s, net)| Some(marks.get(s)? * net)).sum();
            // A security without a mark may be held and owed alike, which the values cannot show.
            if let Some(expected) = known {
                let net = units(&state["long_value"]) - units(&state["short_value"]);
                assert_eq!(net, expected, "seed {seed}: shares of {account}");
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "only {compared} accounts with marks");
}

/// The mark of a security after a quote, where nothing is suspended and no day ends.
fn take_mark(marks: &mut BTreeMap<String, i128>, event: &Value) {
    if event["type"] != "quote" {
        return;
    }
    let indicative = ["pre_open", "open_auction", "auction_no_cancel", "close_auction"];
    let sets = !indicative.iter().any(|phase| event["phase"] == *phase);
    if sets && !event["price"].is_null() {
        marks.insert(event["security"].to_string(), units(&event["price"]));
    } else if !event["prev_close"].is_null() && units(&event["prev_close"]) > 0 {
        marks.entry(event["security"].to_string()).or_insert(units(&event["prev_close"]));
    }
}

#[test]
fn a_line_that_is_no_event_stops_the_replay_and_is_named() {
    let scratch = Folder::new("properties");
    let garbage: [&[u8]; 8] =
        [b"not json", b"[1]", b"5", b"\"text\"", b"{\"v\":1", b"{}}", b"null", b"{\"a\":\"\xff\"}"];
    for (case, bad) in garbage.iter().enumerate() {
        let stream = Stream::of(500 + case as u64);
        let place = 1 + case * 7 % (stream.lines.len() - 1);
        let mut second = join(&stream.lines[..place]);
        second.extend_from_slice(bad);
        second.push(b'\n');
        second.extend(join(&stream.lines[place..]));
        let ended = run_binary(&scratch, &[join(&stream.lines[..0]), second], &Run::lanes(1, None));
        let shown = String::from_utf8_lossy(bad);
        assert_eq!(ended.status, Some(1), "{shown}: {}", ended.stderr);
        let line = (place + 1).to_string();
        assert!(ended.stderr.contains("part1.ndjson"), "{shown}: {}", ended.stderr);
        assert!(ended.stderr.contains(&line), "{shown} in line {line}: {}", ended.stderr);
        assert!(ended.outcome.state.is_empty(), "{shown}: a state was written");
    }
}

fn garble(rng: &mut Rng, bytes: &mut Vec<u8>) {
    const LIKELY: &[u8] = b"{}[]\",:0123456789.-+eE\\u\n\r \0\x7f\xff\xc3n";
    for _ in 0..1 + rng.below(6) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.below(bytes.len());
        match rng.below(6) {
            0 => bytes[at] = rng.bits() as u8,
            1 | 2 => bytes[at] = *rng.pick(LIKELY),
            3 => bytes.insert(at, *rng.pick(LIKELY)),
            4 => {
                bytes.remove(at);
            }
            _ => {
                let end = (at + rng.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
    if rng.chance(200) {
        bytes.truncate(rng.below(bytes.len() + 1));
    }
}

fn garbled_cases(from: u64, count: u64) {
    let scratch = Folder::new("properties");
    for seed in from..from + count {
        let stream = Stream::with(seed, |swarm| {
            swarm.steps = 25;
            swarm.accounts = 3;
        });
        let mut bytes = stream.bytes();
        garble(&mut Rng::new(seed ^ 0x5eed), &mut bytes);
        let mut run = Run::lanes(1, None);
        run.trace = false;
        let Ended { status, stderr, .. } = run_binary(&scratch, &[bytes.clone()], &run);
        let fine = matches!(status, Some(0 | 1)) && !stderr.contains("panicked");
        assert!(fine, "seed {seed}: status {status:?}: {stderr}");
    }
}

#[test]
fn garbled_bytes_never_bring_a_panic() {
    let each = if quick() { 100 } else { 1000 };
    thread::scope(|scope| {
        scope.spawn(|| garbled_cases(900_000, each));
        scope.spawn(|| garbled_cases(950_000, each));
    });
}
