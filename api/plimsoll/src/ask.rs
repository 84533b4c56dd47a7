//! Questions to a book that change nothing: scenarios, what-ifs, breach prices, liquidation maps.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use plimsoll_engine::Engine;
use plimsoll_engine::effect::Tier;
use plimsoll_engine::input::SecurityName;
use plimsoll_engine::num::Time;
use plimsoll_engine::scenario::{Scenario, Shock};
use plimsoll_service::ask as service;
use plimsoll_wire::names::Names;
use plimsoll_wire::{decimal, time};

use crate::replay::BookArgs;
use crate::session::Session;

/// Asks what shocked prices would do.
#[derive(clap::Args, Debug)]
pub struct ScenarioArgs {
    #[command(flatten)]
    book: BookArgs,
    /// A move of prices, `TARGET=MOVE`: `market`, `board:star`, `group:G`, `index:I` (times beta) or a
    /// security code, and a decimal like -0.08. Where several meet, the last one counts.
    #[arg(long = "shock", required = true, value_name = "TARGET=MOVE", allow_hyphen_values = true)]
    shocks: Vec<String>,
    /// Betas to the index, CSV lines `SECURITY,BETA`; 1 for securities it does not name.
    #[arg(long, value_name = "FILE")]
    betas: Option<PathBuf>,
    /// Securities shown with the value to sell.
    #[arg(long, value_name = "N", default_value_t = 20)]
    sales: usize,
}

/// Asks what hypothetical events would do to one account.
#[derive(clap::Args, Debug)]
pub struct WhatIfArgs {
    #[command(flatten)]
    book: BookArgs,
    /// Which account.
    #[arg(long)]
    account: String,
    /// An event as JSON, in order; `v`, `source`, `id`, `at` and `account` may be left out.
    #[arg(long = "event", required = true, value_name = "JSON")]
    events: Vec<String>,
}

/// Prints breach prices.
#[derive(clap::Args, Debug)]
pub struct BreachArgs {
    #[command(flatten)]
    book: BookArgs,
    /// Which account.
    #[arg(long)]
    account: String,
}

/// Prints a liquidation map.
#[derive(clap::Args, Debug)]
pub struct MapArgs {
    #[command(flatten)]
    book: BookArgs,
    /// Which security.
    #[arg(long)]
    security: String,
}

fn money(value: i128) -> String {
    let mut out = Vec::new();
    decimal::write(&mut out, value, 4, 2);
    String::from_utf8_lossy(&out).into_owned()
}

fn price(value: i64) -> String {
    let mut out = Vec::new();
    decimal::write(&mut out, i128::from(value), 4, 4);
    String::from_utf8_lossy(&out).into_owned()
}

fn instant(at: Time) -> String {
    let mut out = Vec::new();
    time::write_time(&mut out, at);
    String::from_utf8_lossy(&out).into_owned()
}

/// Says what the answer is of.
fn as_of(engine: &Engine) -> String {
    format!("epoch {}, {}\n", engine.epoch(), instant(engine.clock()))
}

fn written(out: &mut impl Write, text: &str) -> Result<(), String> {
    out.write_all(text.as_bytes()).map_err(|cause| format!("cannot write: {cause}"))
}

fn security(names: &Names, code: &str) -> Result<SecurityName, String> {
    names.find_security(code).ok_or_else(|| format!("no security {code:?} in this book"))
}

fn ordinal(session: &Session, account: &str) -> Result<u32, String> {
    let name = session.door.names().find_account(account);
    name.and_then(|name| session.engine().ordinal_of(name))
        .ok_or_else(|| format!("no account {account:?} in this book"))
}

fn shock_of(args: &ScenarioArgs, names: &Names) -> Result<Shock, String> {
    let mut moves = Vec::new();
    for text in &args.shocks {
        moves.push(text.rsplit_once('=').ok_or_else(|| format!("{text:?} is no TARGET=MOVE"))?);
    }
    let mut shock = service::shock(names, moves, [])?;
    let Some(path) = &args.betas else { return Ok(shock) };
    let fail = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let text = std::fs::read_to_string(path).map_err(|cause| fail(&cause))?;
    let mut betas = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let bad = || fail(&format!("line {number}: no SECURITY,BETA: {line:?}"));
        let (code, beta) = line.split_once(',').ok_or_else(bad)?;
        betas.push((code.trim(), beta.trim()));
    }
    shock.betas = service::shock(names, [], betas).map_err(|what| fail(&what))?.betas;
    Ok(shock)
}

/// `plimsoll scenario`
///
/// # Errors
/// What cannot be read, or names nothing of the book.
pub fn scenario(args: &ScenarioArgs, out: &mut impl Write) -> Result<(), String> {
    let session = args.book.open()?;
    let names = session.door.names();
    let shock = shock_of(args, names)?;
    let answer = session.engine().scenario(&shock, args.sales > 0, session.threads());
    let text = as_of(session.engine()) + &scenario_text(&answer, names, args.sales);
    written(out, &text)
}

fn scenario_text(answer: &Scenario, names: &Names, shown: usize) -> String {
    let mut text = String::new();
    let line = |text: &mut String, cells: [&str; 4]| {
        let [a, b, c, d] = cells;
        let _ = writeln!(text, "{a:<12}{b:>12}{c:>12}{d:>12}");
    };
    line(&mut text, ["tier", "now", "then", "worsen to"]);
    for &tier in Tier::ALL {
        let at = tier as usize;
        let worse: u64 = answer.moved[..at].iter().map(|row| row[at]).sum();
        let cells = [answer.before[at], answer.after[at], worse].map(|count| count.to_string());
        line(&mut text, [tier.word(), &cells[0], &cells[1], &cells[2]]);
    }
    let _ = writeln!(text, "\ncalls {} for {} yuan in all", answer.calls, money(answer.call_sum));
    if shown == 0 {
        return text;
    }
    let value: i128 = answer.sales.iter().map(|sale| sale.value).sum();
    let _ =
        writeln!(text, "forced sales {} yuan; not covered {} yuan", money(value), money(answer.shortfall));
    let _ = writeln!(text, "\n{:<14}{:>22}{:>22}", "security", "to sell", "of a day's turnover");
    for sale in answer.sales.iter().take(shown) {
        let share =
            sale.average_turnover.filter(|&turnover| turnover > 0).map_or("-".to_owned(), |turnover| {
                let tenths = sale.value * 1000 / i128::from(turnover);
                format!("{}.{} %", tenths / 10, tenths % 10)
            });
        let _ = writeln!(text, "{:<14}{:>22}{share:>22}", names.security(sale.security), money(sale.value));
    }
    text
}

/// `plimsoll what-if`
///
/// # Errors
/// What cannot be read, or names nothing of the book.
pub fn what_if(args: &WhatIfArgs, out: &mut impl Write) -> Result<(), String> {
    let mut session = args.book.open()?;
    let ordinal = ordinal(&session, &args.account)?;
    let (door, engine) = session.parts();
    let answer = service::what_if(engine, door, ordinal, args.events.iter().map(String::as_str))?;
    for lines in [answer.before, answer.effects, answer.after] {
        out.write_all(&lines).map_err(|cause| format!("cannot write: {cause}"))?;
    }
    Ok(())
}

/// `plimsoll breach`
///
/// # Errors
/// What cannot be read, or names nothing of the book.
pub fn breach(args: &BreachArgs, out: &mut impl Write) -> Result<(), String> {
    let session = args.book.open()?;
    let ordinal = ordinal(&session, &args.account)?;
    let (engine, names) = (session.engine(), session.door.names());
    let mut text = as_of(engine);
    let _ = writeln!(
        text,
        "{:<14}{:>12}  {:<10}{:>9}{:>14}  {:<6}{:>11}",
        "security", "mark", "tier", "line", "breach at", "on a", "limit days"
    );
    for breach in engine.breaches(ordinal) {
        let mut line = Vec::new();
        decimal::write_line(&mut line, breach.line);
        let days = breach.limit_days.map_or("-".to_owned(), |days| days.to_string());
        let _ = writeln!(
            text,
            "{:<14}{:>12}  {:<10}{:>9}{:>14}  {:<6}{days:>11}",
            names.security(breach.security),
            engine.mark(breach.security).map_or("-".to_owned(), price),
            breach.tier.word(),
            String::from_utf8_lossy(&line),
            price(breach.price),
            if breach.falls { "fall" } else { "rise" },
        );
    }
    written(out, &text)
}

/// `plimsoll map`
///
/// # Errors
/// What cannot be read, or names nothing of the book.
pub fn map(args: &MapArgs, out: &mut impl Write) -> Result<(), String> {
    let session = args.book.open()?;
    let name = security(session.door.names(), &args.security)?;
    let engine = session.engine();
    let map = engine.liquidation_map(name, session.threads());
    let (shares, accounts) = engine.held(name);
    let mut text = as_of(engine);
    let mark = engine.mark(name).map_or("none".to_owned(), price);
    let _ =
        writeln!(text, "{} mark {mark}; {shares} shares held by {accounts} accounts in debt", args.security);
    for (title, steps) in [("falls to", &map.falls), ("rises to", &map.rises)] {
        let _ = writeln!(
            text,
            "\n{title:<14}{:>8}{:>9}{:>8}{:>11}{:>11}{:>18}",
            "watch", "warning", "call", "immediate", "insolvent", "shares, in all"
        );
        let mut sold = 0;
        for step in steps {
            sold += step.shares;
            let [watch, warning, call, immediate, insolvent] = step.enter;
            let _ = writeln!(
                text,
                "{:<14}{watch:>8}{warning:>9}{call:>8}{immediate:>11}{insolvent:>11}{sold:>18}",
                price(step.price)
            );
        }
    }
    written(out, &text)
}
