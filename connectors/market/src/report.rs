//! The table of a replay by day, made from its effects.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use serde::Deserialize;

use crate::Error;

/// Tiers as effects name them, best first. `normal` stands for `none` too: moves between the two are not
/// announced.
const TIERS: [&str; 7] = ["none", "normal", "watch", "warning", "call", "immediate", "insolvent"];
const WATCH: u8 = 2;
const CALL: u8 = 4;
const IMMEDIATE: u8 = 5;
/// Settlement of a day on which no effect tells its time: 16:00, as imported days have it.
const SETTLEMENT: u32 = crate::day::DAY_END / 1_000;

/// What a line of effects must have to count.
#[derive(Deserialize)]
struct TierChanged<'a> {
    at: &'a str,
    account: &'a str,
    from: &'a str,
    to: &'a str,
    basis: &'a str,
}

/// What a line of states must have.
#[derive(Deserialize)]
struct State<'a> {
    tier: &'a str,
}

/// One account as the effects so far tell it.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    tier: u8,
    /// At `call` or worse at the end of the day before.
    was_called: bool,
    /// When the day's first intraday move to `call` or worse came, seconds since midnight.
    first_seen: Option<u32>,
}

/// One day's figures.
#[derive(Clone, Debug, Default)]
struct Row {
    date: String,
    /// Accounts at `watch`, `warning`, `call`, `immediate`, `insolvent` at the end.
    tiers: [u64; 5],
    calls: u64,
    crossings: u64,
    crossed: u64,
    /// Seconds from first sight to settlement, ascending.
    leads: Vec<u32>,
}

/// Everything read so far.
#[derive(Debug, Default)]
struct Ledger {
    ordinals: HashMap<String, usize>,
    accounts: Vec<Account>,
    rows: Vec<Row>,
    date: String,
    settlement: Option<u32>,
    crossings: u64,
    crossed: Vec<usize>,
}

impl Ledger {
    fn apply(&mut self, change: &TierChanged<'_>) -> Result<(), String> {
        let date = change.at.get(..10).ok_or("`at` is no time")?;
        let second = second_of_day(change.at).ok_or("`at` is no time at +08:00")?;
        let tier = |name: &str| tier(name).ok_or_else(|| format!("no tier `{name}`"));
        let (from, to) = (tier(change.from)?, tier(change.to)?);
        if date != self.date {
            self.close_day();
            self.date = date.into();
        }
        let next = self.accounts.len();
        let ordinal = match self.ordinals.get(change.account) {
            Some(ordinal) => *ordinal,
            None => {
                self.ordinals.insert(change.account.into(), next);
                self.accounts.push(Account::default());
                next
            }
        };
        let account = &mut self.accounts[ordinal];
        account.tier = to;
        if change.basis == "settlement" {
            self.settlement = Some(second);
            return Ok(());
        }
        if from < CALL && to >= CALL && account.first_seen.is_none() {
            account.first_seen = Some(second);
        }
        if from < IMMEDIATE && to >= IMMEDIATE {
            self.crossings += 1;
            self.crossed.push(ordinal);
        }
        Ok(())
    }

    /// Ends the day that is open and adds its row.
    fn close_day(&mut self) {
        if self.date.is_empty() {
            return;
        }
        // The first day with effects is the evening on which the book is opened: nothing was called before.
        let opening = self.rows.is_empty();
        let settlement = self.settlement.take().unwrap_or(SETTLEMENT);
        let mut row = Row { date: std::mem::take(&mut self.date), ..Row::default() };
        for account in &mut self.accounts {
            if account.tier >= WATCH {
                row.tiers[usize::from(account.tier - WATCH)] += 1;
            }
            let called = account.tier >= CALL;
            if called && !opening {
                row.calls += u64::from(!account.was_called);
                row.leads.extend(account.first_seen.and_then(|seen| settlement.checked_sub(seen)));
            }
            account.was_called = called;
            account.first_seen = None;
        }
        row.leads.sort_unstable();
        self.crossed.sort_unstable();
        self.crossed.dedup();
        if !opening {
            (row.crossings, row.crossed) = (self.crossings, self.crossed.len() as u64);
        }
        (self.crossings, self.crossed) = (0, Vec::new());
        self.rows.push(row);
    }
}

fn tier(name: &str) -> Option<u8> {
    TIERS.iter().position(|t| *t == name).and_then(|p| u8::try_from(p).ok())
}

/// Seconds since midnight of `YYYY-MM-DDTHH:MM:SS…+08:00`.
fn second_of_day(at: &str) -> Option<u32> {
    let clock = at.strip_suffix("+08:00")?.get(11..19)?;
    let mut parts = clock.split(':').map(str::parse::<u32>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some((hour * 60 + minute) * 60 + second)
}

/// Reads the effects of a replay and writes a Markdown table by day: accounts per tier at its end, settlement
/// calls, intraday crossings of `immediate`, and how many hours before settlement an intraday line saw the
/// accounts that settlement found at `call` or worse.
///
/// With `states`, the state lines of the same replay, the accounts in no tier of the table are counted too,
/// and the last row must agree with them.
///
/// # Errors
/// When a line cannot be read, the output cannot be written, or effects and states disagree.
pub fn report(
    effects: &mut dyn BufRead,
    states: Option<&mut dyn BufRead>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut ledger = Ledger::default();
    each_line(effects, |line| {
        // Effects carry their type as the second field; other types need not be read.
        if !line.contains("\"type\":\"tier_changed\"") {
            return Ok(());
        }
        let change: TierChanged<'_> = serde_json::from_str(line).map_err(|e| e.to_string())?;
        ledger.apply(&change)
    })?;
    ledger.close_day();
    let accounts = match states {
        Some(states) => Some(check(states, &ledger)?),
        None => None,
    };
    print(&ledger.rows, accounts, out).map_err(|e| Error::Options(format!("cannot write the report: {e}")))
}

/// Hands every line to `take`, with its number in errors.
fn each_line(from: &mut dyn BufRead, mut take: impl FnMut(&str) -> Result<(), String>) -> Result<(), Error> {
    let mut text = String::new();
    let mut line = 0;
    loop {
        line += 1;
        text.clear();
        match from.read_line(&mut text) {
            Ok(0) => return Ok(()),
            Ok(_) => take(text.trim_end()).map_err(|what| Error::Line { line, what })?,
            Err(e) => return Err(Error::Line { line, what: e.to_string() }),
        }
    }
}

/// Counts the accounts of the states; their tiers must be those the effects end with.
fn check(states: &mut dyn BufRead, ledger: &Ledger) -> Result<u64, Error> {
    let mut tiers = [0; 5];
    let mut accounts = 0;
    each_line(states, |line| {
        let state: State<'_> = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let tier = tier(state.tier).ok_or_else(|| format!("no tier `{}`", state.tier))?;
        accounts += 1;
        if tier >= WATCH {
            tiers[usize::from(tier - WATCH)] += 1;
        }
        Ok(())
    })?;
    let last = ledger.rows.last().map_or([0; 5], |row| row.tiers);
    if tiers == last {
        Ok(accounts)
    } else {
        Err(Error::Options(format!("effects end with tiers {last:?}, the states hold {tiers:?}")))
    }
}

fn print(rows: &[Row], accounts: Option<u64>, out: &mut dyn Write) -> std::io::Result<()> {
    let other = if accounts.is_some() { " none or normal |" } else { "" };
    writeln!(
        out,
        "| day |{other} watch | warning | call | immediate | insolvent | settlement calls | crossings of immediate | \
         accounts | seen earlier | mean h | median h | 90 % h |"
    )?;
    let columns = 13 + usize::from(accounts.is_some());
    writeln!(out, "|---|{}", "---:|".repeat(columns - 1))?;
    let mut all = Row { date: "all days".into(), ..Row::default() };
    for (n, row) in rows.iter().enumerate() {
        write!(out, "| {}{} |", row.date, if n == 0 { " (book)" } else { "" })?;
        if let Some(accounts) = accounts {
            write!(out, " {} |", accounts - row.tiers.iter().sum::<u64>().min(accounts))?;
        }
        for count in row.tiers {
            write!(out, " {count} |")?;
        }
        if n == 0 {
            writeln!(out, " | | | | | | |")?;
        } else {
            figures(row, out)?;
        }
        all.calls += row.calls;
        all.crossings += row.crossings;
        all.crossed += row.crossed;
        all.leads.extend_from_slice(&row.leads);
    }
    all.leads.sort_unstable();
    write!(out, "| {} |{}", all.date, " |".repeat(5 + usize::from(accounts.is_some())))?;
    figures(&all, out)
}

/// Calls, crossings and hours of a row.
fn figures(row: &Row, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, " {} | {} | {} | {} |", row.calls, row.crossings, row.crossed, row.leads.len())?;
    let count = row.leads.len() as u64;
    if count == 0 {
        return writeln!(out, " | | |");
    }
    let sum: u64 = row.leads.iter().map(|lead| u64::from(*lead)).sum();
    // The value that at least so many percent do not exceed (nearest rank).
    let rank = |percent: u64| {
        let place = (count * percent).div_ceil(100).max(1) - 1;
        u64::from(row.leads[usize::try_from(place).unwrap_or(0)])
    };
    writeln!(out, " {} | {} | {} |", hours(sum, count), hours(rank(50), 1), hours(rank(90), 1))
}

/// Seconds over a count as hours with two decimals, rounded half up.
fn hours(seconds: u64, count: u64) -> String {
    let hundredths = (200 * seconds + 3_600 * count) / (7_200 * count);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: &str, account: &str, from: &str, to: &str, basis: &str) -> String {
        format!(
            "{{\"v\":1,\"type\":\"tier_changed\",\"at\":\"{at}+08:00\",\"account\":\"{account}\",\"from\":\"{from}\",\
             \"to\":\"{to}\",\"basis\":\"{basis}\"}}\n"
        )
    }

    fn table(effects: &str, states: Option<&str>) -> Result<String, Error> {
        let mut out = Vec::new();
        let mut states = states.map(str::as_bytes);
        report(&mut effects.as_bytes(), states.as_mut().map(|s| s as &mut dyn BufRead), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn stream() -> String {
        [
            change("2015-06-11T19:00:00.000", "A", "none", "call", "intraday"),
            change("2015-06-11T19:00:00.000", "B", "none", "watch", "intraday"),
            "{\"v\":1,\"type\":\"restricted\",\"account\":\"A\"}\n".into(),
            change("2015-06-12T09:30:00.000", "B", "watch", "immediate", "intraday"),
            change("2015-06-12T10:30:00.000", "B", "immediate", "watch", "intraday"),
            change("2015-06-12T14:00:00.000", "B", "watch", "immediate", "intraday"),
            change("2015-06-12T14:00:00.000", "C", "none", "call", "intraday"),
            change("2015-06-12T15:00:00.000", "C", "call", "warning", "intraday"),
            change("2015-06-12T16:00:00.000", "D", "none", "call", "settlement"),
            change("2015-06-15T15:00:00.000", "C", "warning", "insolvent", "intraday"),
        ]
        .concat()
    }

    #[test]
    fn days_calls_crossings_and_hours() {
        let text = table(&stream(), None).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "| 2015-06-11 (book) | 1 | 0 | 1 | 0 | 0 | | | | | | | |");
        assert_eq!(lines[1], "| 2015-06-12 | 0 | 1 | 2 | 1 | 0 | 2 | 2 | 1 | 1 | 6.50 | 6.50 | 6.50 |");
        assert_eq!(lines[2], "| 2015-06-15 | 0 | 0 | 2 | 1 | 1 | 1 | 1 | 1 | 1 | 1.00 | 1.00 | 1.00 |");
        assert_eq!(lines[3], "| all days | | | | | | 3 | 3 | 2 | 2 | 3.75 | 1.00 | 6.50 |");
    }

    #[test]
    fn states_must_agree_with_the_effects() {
        let states = ["call", "immediate", "insolvent", "call", "normal", "none"]
            .map(|tier| format!("{{\"account\":\"X\",\"tier\":\"{tier}\"}}\n"))
            .concat();
        let text = table(&stream(), Some(&states)).unwrap();
        assert!(text.contains("| 2015-06-15 | 2 | 0 | 0 | 2 | 1 | 1 |"), "{text}");
        assert!(table(&stream(), Some("{\"tier\":\"watch\"}\n")).is_err());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let broken = format!("{}{{\"type\":\"tier_changed\"\n", stream()).replace("}{", "}\n{");
        let broken = broken.replace("{\"type\":\"tier_changed\"\n", "{\"v\":1,\"type\":\"tier_changed\"\n");
        match table(&broken, None) {
            Err(Error::Line { line: 11, .. }) => {}
            other => panic!("{other:?}"),
        }
        let odd = change("2015-06-12T09:30:00.000", "A", "none", "calm", "intraday");
        assert!(matches!(table(&odd, None), Err(Error::Line { line: 1, .. })));
    }
}
