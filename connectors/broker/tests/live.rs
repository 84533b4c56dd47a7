//! A broker that is told as it happens: the events of the files, whatever is left out of them.

#[path = "../../files/tests/common/mod.rs"]
mod common;

use plimsoll_broker::{Account, Beat, Body, Book, Config, Live, Scenario, Universe, generate};
use plimsoll_engine::num::Time;
use serde_json::Value as Json;

fn config(out: &str) -> Config {
    Config {
        out: common::folder(out),
        accounts: 300,
        securities: 120,
        scenario: Scenario::Crash,
        snapshots: 20,
        bursts: 20,
        ..Config::default()
    }
}

/// Events without what names and dates them.
fn plain(events: impl Iterator<Item = Json>) -> Vec<Json> {
    let plain = |mut event: Json| {
        let fields = event.as_object_mut().unwrap();
        ["at", "source", "v", "version"].iter().for_each(|name| drop(fields.remove(*name)));
        event
    };
    events.map(plain).filter(|event| event["type"] != "calendar").collect()
}

fn events(body: &Body) -> Vec<Json> {
    let lines: Vec<Json> = body
        .lines
        .split_inclusive(|&b| b == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len() as u64, body.events);
    assert!(lines.iter().all(|event| event["at"] == lines[0]["at"]), "a body has one time");
    lines
}

/// All that a broker tells, but for the snapshots and reports it is muted for; each beat twice.
fn told(config: &Config, muted: impl Fn(usize) -> bool) -> (Vec<Json>, Vec<Vec<Json>>) {
    let Config { seed, accounts, securities, profile, positions, first_day, .. } = *config;
    let universe = Universe::new(seed, securities, first_day, positions);
    let book = Book::new(&universe, seed, accounts, profile, positions, first_day);
    let mut live = Live::new(&book, config, first_day);
    live.begin(Time(0));
    live.securities();
    live.closes();
    let mut account = Account::default();
    (0..accounts).for_each(|number| live.account(number, &mut account));
    let morning = events(&live.take());
    let beats: Vec<Beat> = live.open_day(first_day);
    let mut day = vec![events(&live.take())];
    for (place, beat) in beats.iter().enumerate() {
        live.mute(muted(place));
        live.begin(Time(0));
        live.advance(beat);
        live.snapshot(beat);
        live.report(beat);
        day.push(events(&live.take()));
    }
    live.mute(false);
    live.close_day();
    day.push(events(&live.take()));
    (morning, day)
}

#[test]
fn it_tells_what_the_files_hold() {
    let config = config("live_files");
    let manifest = generate(&config).unwrap();
    let (mut files, mut days) = (Vec::new(), Vec::new());
    for file in &manifest.files {
        let (records, error) = common::read(&config.out.join(&file.name));
        assert!(error.is_none(), "{error:?}");
        if file.name.starts_with("10-") { &mut days } else { &mut files }.extend(records);
    }
    let (morning, day) = told(&config, |_| false);
    let without_ids = |events: Vec<Json>| {
        let mut events = plain(events.into_iter());
        for event in &mut events {
            ["id", "source_seq"].iter().for_each(|name| drop(event.as_object_mut().unwrap().remove(*name)));
        }
        events
    };
    // The files hold one type after the other, it tells account by account.
    let sorted = |events: Vec<Json>| {
        let mut lines: Vec<String> = without_ids(events).iter().map(Json::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(morning), sorted(files));
    assert!(without_ids(day.concat()) == without_ids(days));
}

#[test]
fn what_was_muted_changes_nothing_of_what_is_told_later() {
    let config = config("live_muted");
    let (_, whole) = told(&config, |_| false);
    let (_, part) = told(&config, |place| place < 12);
    assert!(part[1..13].iter().all(Vec::is_empty));
    let plain = |days: &[Vec<Json>]| plain(days.iter().flatten().cloned());
    assert!(plain(&part[13..]) == plain(&whole[13..]) && !whole[13..].concat().is_empty());
}
