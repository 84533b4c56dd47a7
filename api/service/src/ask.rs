//! Questions to a book that change nothing: shocks in words, and hypothetical events.

use plimsoll_engine::effect::Out;
use plimsoll_engine::input::{Board, GroupName, IndexName};
use plimsoll_engine::num::Time;
use plimsoll_engine::scenario::{Shock, Target};
use plimsoll_engine::{Engine, Sequential};
use plimsoll_wire::door::Door;
use plimsoll_wire::names::Names;
use plimsoll_wire::{decimal, print, time};

/// A shock of moves in words, each a target (`market`, `board:star`, `group:G`, `index:I` or a security
/// code) and a decimal like -0.08, and of betas by security code.
///
/// # Errors
/// What names nothing of the book, or is no move.
pub fn shock<'a>(
    names: &Names,
    moves: impl IntoIterator<Item = (&'a str, &'a str)>,
    betas: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Shock, String> {
    let mut shock = Shock::default();
    for (target, by) in moves {
        shock.moves.push((target_of(names, target)?, fraction(by)?));
    }
    for (code, beta) in betas {
        let name = names.find_security(code).ok_or_else(|| format!("no security {code:?} in this book"))?;
        let number = decimal::parse(beta, 4).ok().and_then(|beta| i64::try_from(beta).ok());
        let beta = number.ok_or_else(|| format!("{beta:?} is no beta with at most 4 decimals"))?;
        shock.betas.push((name, beta));
    }
    Ok(shock)
}

fn target_of(names: &Names, target: &str) -> Result<Target, String> {
    let unknown = |kind: &str, word: &str| format!("no {kind} {word:?} in this book");
    match target.split_once(':') {
        None if target == "market" => Ok(Target::Market),
        None => names.find_security(target).map(Target::Security).ok_or_else(|| unknown("security", target)),
        Some(("board", word)) => {
            Board::parse(word).map(Target::Board).ok_or_else(|| format!("no board {word:?}"))
        }
        Some(("group", word)) => {
            let group = names.groups.find(word).ok_or_else(|| unknown("group", word))?;
            Ok(Target::Group(GroupName(group)))
        }
        Some(("index", word)) => {
            let index = names.indices.find(word).ok_or_else(|| unknown("index", word))?;
            Ok(Target::Index(IndexName(index)))
        }
        Some((kind, _)) => Err(format!("{kind:?} is neither board, group nor index")),
    }
}

fn fraction(text: &str) -> Result<i64, String> {
    let number = decimal::parse(text, 8).ok().and_then(|number| i64::try_from(number).ok());
    number
        .filter(|number| (-100_000_000..=10_000_000_000).contains(number))
        .ok_or_else(|| format!("{text:?} is no move from -1 to 100 with at most 8 decimals"))
}

/// What hypothetical events would do to an account: NDJSON, as the wire has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Its state line as it is.
    pub before: Vec<u8>,
    /// The effects of the events.
    pub effects: Vec<u8>,
    /// Its state line after them.
    pub after: Vec<u8>,
}

/// Puts events to an account by itself, in order; `v`, `source`, `id`, `at` and `account` may be left out
/// of them. What the door learns from them is the caller's to forget.
///
/// # Errors
/// The first event that is none.
pub fn what_if<'a>(
    engine: &Engine,
    door: &mut Door,
    ordinal: u32,
    events: impl IntoIterator<Item = &'a str>,
) -> Result<WhatIf, String> {
    let account = door.names().account(engine.account(ordinal).account).to_owned();
    let mut alone = engine.alone(ordinal);
    let mut answer = WhatIf { before: state_line(&alone, door.names()), ..WhatIf::default() };
    let mut cuts = Vec::new();
    for (number, event) in (1..).zip(events) {
        let event = completed(event, number, &account, alone.clock())?;
        let cut = door.line(event.as_bytes());
        cuts.extend(
            cut.map_err(|fault| format!("event {number}: no event: {} at byte {}", fault.what, fault.at))?,
        );
    }
    cuts.extend(door.finish());
    let mut out = Out::default();
    for mut cut in cuts {
        cut.epoch.number = alone.epoch() + 1;
        cut.epoch.clock = cut.epoch.clock.max(alone.clock());
        alone.step(&cut.epoch, &Sequential, &mut out);
        print::effects(&mut answer.effects, door.names(), &cut, &out);
    }
    answer.after = state_line(&alone, door.names());
    Ok(answer)
}

fn state_line(alone: &Engine, names: &Names) -> Vec<u8> {
    let view = alone.account(0);
    let mut line = Vec::new();
    let state = print::State {
        account: names.account(view.account),
        customer: names.customer(view.customer),
        tier: view.tier,
        figures: &view.figures,
    };
    print::state(&mut line, &state);
    line
}

/// The event with the fields of its envelope that it does not state.
fn completed(event: &str, number: u32, account: &str, clock: Time) -> Result<String, String> {
    let fault = |what: &dyn std::fmt::Display| format!("event {number}: {what}");
    let value: serde_json::Value = serde_json::from_str(event).map_err(|cause| fault(&cause))?;
    let stated = value.as_object().ok_or_else(|| fault(&"not an object"))?;
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut at = Vec::new();
    time::write_time(&mut at, clock);
    let given = [
        ("v", "1".to_owned()),
        ("source", text("what-if")),
        ("id", text(&format!("what-if-{number}"))),
        ("at", text(&String::from_utf8_lossy(&at))),
        ("account", text(account)),
    ];
    let missing: Vec<String> = given
        .iter()
        .filter(|(name, _)| !stated.contains_key(*name))
        .filter(|(name, _)| *name != "account" || of_account(stated))
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    let inner = event.trim().trim_start_matches('{');
    let comma = if missing.is_empty() || stated.is_empty() { "" } else { "," };
    Ok(format!("{{{}{comma}{inner}", missing.join(",")))
}

/// Whether a type of event names an account.
fn of_account(event: &serde_json::Map<String, serde_json::Value>) -> bool {
    let kind = event.get("type").and_then(|kind| kind.as_str()).and_then(plimsoll_wire::fields::Type::parse);
    kind.is_some_and(|kind| kind.table().fields.iter().any(|field| field.name == "account"))
}
