//! Order-book snapshots of two days: best bid and ask, last trade and phase of each, as quotes.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_engine::input::{Board, Phase};

use crate::day::{self, Calendar, Day};
use crate::limits::Band;
use crate::members::{self, Members, Vintage};
use crate::out::{Events, Listing, Quote, Tradable, Yuan};
use crate::table::Table;
use crate::{Error, ImportOptions, Set, SetSummary};

/// 09:20: orders can no longer be cancelled.
const NO_CANCEL: u32 = day::minutes(9 * 60 + 20);
/// 09:30: continuous trading begins.
const CONTINUOUS: u32 = day::minutes(9 * 60 + 30);

/// One snapshot; prices in fen, 0 where there is none.
#[derive(Clone, Debug)]
struct Snapshot {
    code: Arc<str>,
    /// Milliseconds since midnight.
    time: u32,
    phase: Phase,
    last: i64,
    bid: i64,
    ask: i64,
    prev_close: i64,
    band: Band,
    volume: i64,
    turnover: i64,
}

/// Writes the snapshots of Shanghai.
pub fn import_sse(options: &ImportOptions, calendar: &Calendar) -> Result<SetSummary, Error> {
    let path = options.data.join("snapshots_30_sse_20211201.parquet");
    let table = Table::read(
        &path,
        &[
            "SecurityID",
            "DateTime",
            "PreClosePx",
            "LastPx",
            "TotalVolumeTrade",
            "TotalValueTrade",
            "InstrumentStatus",
            "BidPrice0",
            "OfferPrice0",
        ],
    )?;
    let codes = codes(table.ints("SecurityID")?);
    let (stamps, states) = (table.texts("DateTime")?, table.texts("InstrumentStatus")?);
    let (prev, last) = (table.fen("PreClosePx")?, table.fen("LastPx")?);
    let (bid, ask) = (table.fen("BidPrice0")?, table.fen("OfferPrice0")?);
    let (volume, turnover) = (table.ints("TotalVolumeTrade")?, table.ints("TotalValueTrade")?);
    let mut snapshots = Vec::with_capacity(table.rows());
    let mut date = None;
    for row in 0..table.rows() {
        let wrong = || Error::data(&path, format!("row {row}: {} {}", stamps[row], states[row]));
        let (day, clock) = stamps[row].split_once('T').ok_or_else(wrong)?;
        let time = time(clock).ok_or_else(wrong)?;
        date = Some(one_day(date, day).ok_or_else(wrong)?);
        let code = Arc::clone(&codes[row]);
        let percent = if members::board(&code) == Board::Main { 10 } else { 20 };
        snapshots.push(Snapshot {
            time,
            phase: sse_phase(&states[row], time).ok_or_else(wrong)?,
            last: last[row],
            bid: bid[row],
            ask: ask[row],
            prev_close: prev[row],
            band: Band::of(prev[row], percent, percent),
            volume: volume[row],
            turnover: turnover[row],
            code,
        });
    }
    let date = date.ok_or_else(|| Error::data(&path, "no snapshot".into()))?;
    write(options, calendar, Set::BookSse, date, snapshots)
}

/// Writes the snapshots of Shenzhen.
pub fn import_szse(options: &ImportOptions, calendar: &Calendar) -> Result<SetSummary, Error> {
    let path = options.data.join("snapshots_5_szse_20220601.parquet");
    let table = Table::read(
        &path,
        &[
            "MDDate",
            "MDTime",
            "SecurityID",
            "PreClosePx",
            "LastPx",
            "TotalVolumeTrade",
            "TotalValueTrade",
            "BuyPrice1",
            "SellPrice1",
            "TradingPhaseCode",
            "MaxPx",
            "MinPx",
        ],
    )?;
    let codes = table.texts("SecurityID")?;
    let (dates, times) = (table.texts("MDDate")?, table.texts("MDTime")?);
    let states = table.ints("TradingPhaseCode")?;
    let (prev, last) = (table.fen("PreClosePx")?, table.fen("LastPx")?);
    let (bid, ask) = (table.fen("BuyPrice1")?, table.fen("SellPrice1")?);
    let (up, down) = (table.fen("MaxPx")?, table.fen("MinPx")?);
    let (volume, turnover) = (table.ints("TotalVolumeTrade")?, table.floats("TotalValueTrade")?);
    let mut snapshots = Vec::with_capacity(table.rows());
    let mut date = None;
    for row in 0..table.rows() {
        let wrong = || Error::data(&path, format!("row {row}: {} phase {}", times[row], states[row]));
        let time = time(&times[row]).ok_or_else(wrong)?;
        date = Some(one_day(date, &dates[row]).ok_or_else(wrong)?);
        snapshots.push(Snapshot {
            code: Arc::clone(&codes[row]),
            time,
            phase: szse_phase(states[row], time).ok_or_else(wrong)?,
            last: last[row],
            bid: bid[row],
            ask: ask[row],
            prev_close: prev[row],
            band: Band { down: down[row], up: up[row] },
            volume: volume[row],
            // Whole yuan, down: nothing is computed from it.
            turnover: turnover[row] as i64,
        });
    }
    let date = date.ok_or_else(|| Error::data(&path, "no snapshot".into()))?;
    write(options, calendar, Set::BookSzse, date, snapshots)
}

/// Codes with their exchange, equal ones sharing their bytes.
fn codes(numbers: Vec<i64>) -> Vec<Arc<str>> {
    let mut known: BTreeMap<i64, Arc<str>> = BTreeMap::new();
    let mut code = |number: i64| {
        let fresh = || members::with_exchange(&format!("{number:06}")).into();
        Arc::clone(known.entry(number).or_insert_with(fresh))
    };
    numbers.into_iter().map(&mut code).collect()
}

/// The day of a text `YYYY.MM.DD`, if it is the same as before.
fn one_day(before: Option<Day>, text: &str) -> Option<Day> {
    let day = Day::parse(&text.replace('.', "-"))?;
    before.is_none_or(|b| b == day).then_some(day)
}

/// `HH:MM:SS.mmm` in milliseconds since midnight.
fn time(text: &str) -> Option<u32> {
    let (clock, millisecond) = text.split_once('.')?;
    let mut parts = clock.split(':').map(|part| (part.len() == 2).then(|| part.parse::<u32>().ok())?);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let millisecond: u32 = millisecond.parse().ok().filter(|m| *m < 1_000)?;
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    fits.then_some(((hour * 60 + minute) * 60 + second) * 1_000 + millisecond)
}

/// The opening call, by the hour: whether orders can be cancelled.
fn opening_call(time: u32) -> Phase {
    if time < NO_CANCEL { Phase::OpenAuction } else { Phase::AuctionNoCancel }
}

/// The phase of a Shanghai status. `TRADE` from the match of the opening call on is `pre_open` until 09:30.
fn sse_phase(status: &str, time: u32) -> Option<Phase> {
    Some(match status {
        "OCALL" => opening_call(time),
        "TRADE" if time < CONTINUOUS => Phase::PreOpen,
        "TRADE" => Phase::Continuous,
        "BREAK" => Phase::Break,
        "CCALL" => Phase::CloseAuction,
        "CLOSE" | "ENDTR" => Phase::Closed,
        "SUSP" => Phase::Halted,
        "HALT" => Phase::Suspended,
        _ => return None,
    })
}

/// The phase of a Shenzhen code of the source.
fn szse_phase(code: i64, time: u32) -> Option<Phase> {
    Some(match code {
        1 => opening_call(time),
        2 => Phase::PreOpen,
        3 => Phase::Continuous,
        4 => Phase::Break,
        5 => Phase::CloseAuction,
        6 => Phase::Closed,
        _ => return None,
    })
}

fn write(
    options: &ImportOptions,
    calendar: &Calendar,
    set: Set,
    date: Day,
    mut snapshots: Vec<Snapshot>,
) -> Result<SetSummary, Error> {
    let base = calendar
        .before(date)
        .ok_or_else(|| Error::Options(format!("{}: no trading day before {date}", set.name())))?;
    let members = Members::read(&options.data, Vintage::Of2022)?;
    let mut events = Events::create(&options.out, set.name())?;
    let securities = write_base(&mut events, calendar, &members, (base, date), &snapshots)?;
    events.file(&date.to_string())?;
    events.day_start(date)?;
    snapshots.sort_by_key(|snapshot| snapshot.time);
    let mut exceptions = Vec::new();
    let mut without_trade = 0;
    for (number, snapshot) in snapshots.iter().enumerate() {
        let present = |fen: i64| (fen > 0).then_some(fen);
        without_trade += u64::from(snapshot.last == 0);
        if snapshot.last > 0 && !snapshot.band.admits(snapshot.last, snapshot.last) {
            exceptions.push(format!(
                "{} {date}: {} breaks the limits {} to {}",
                snapshot.code,
                Yuan(snapshot.last),
                Yuan(snapshot.band.down),
                Yuan(snapshot.band.up)
            ));
        }
        let id = format!("{}/{}/{number}", snapshot.code, date.compact());
        let quote = Quote {
            id: &id,
            code: &snapshot.code,
            price: present(snapshot.last),
            prev_close: present(snapshot.prev_close),
            bid: present(snapshot.bid),
            ask: present(snapshot.ask),
            limits: Some(snapshot.band),
            phase: Some(snapshot.phase),
            volume: Some(snapshot.volume),
            turnover: Some(snapshot.turnover),
        };
        events.quote(date.at(snapshot.time), &quote)?;
    }
    // A file that ends in the middle of the day has no settlement.
    if snapshots.last().is_some_and(|snapshot| snapshot.time >= day::CLOSE) {
        events.day_end(date)?;
    }
    Ok(SetSummary {
        set,
        folder: events.folder().into(),
        securities,
        counts: events.finish()?,
        without_trade,
        references_met: 0,
        exceptions,
    })
}

/// The evening before: calendar, securities and their previous closes.
fn write_base(
    events: &mut Events,
    calendar: &Calendar,
    members: &Members,
    (base, date): (Day, Day),
    snapshots: &[Snapshot],
) -> Result<usize, Error> {
    events.file("000-market")?;
    events.calendar(base, day::BASE_CALENDAR, calendar.around(base, date))?;
    // The last snapshot of a security has the day's turnover, which orders the list of a book.
    let mut lasts: BTreeMap<&Arc<str>, &Snapshot> = BTreeMap::new();
    for snapshot in snapshots {
        lasts.insert(&snapshot.code, snapshot);
    }
    let mut tradable = Vec::new();
    for (code, last) in lasts {
        let listing = Listing {
            code: Arc::clone(code),
            name: code.to_string(),
            board: members::board(code),
            indices: members.indices(code).to_vec(),
            risk_warning: false,
            delisting: false,
            suspended_since: None,
            eligible: members.eligible(code),
            total_shares: None,
            float_shares: None,
            turnover: Some(last.turnover),
            listed_on: None,
        };
        events.security(base, day::BASE_RECORDS, &listing)?;
        tradable.push(Tradable { listing, price: last.prev_close });
    }
    for Tradable { listing, price } in &tradable {
        events.base_price(base, &listing.code, *price)?;
    }
    let count = tradable.len();
    crate::out::securities(events.folder(), base, tradable)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        assert_eq!(time("09:15:01.250"), Some(33_301_250));
        for bad in ["9:15:01.000", "09:15:01", "24:00:00.000", "09:60:00.000", "09:15:01.1000", "09:15.000"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn phases_follow_status_and_hour() {
        let at = |hour: u32, minute: u32| day::minutes(hour * 60 + minute);
        assert_eq!(sse_phase("OCALL", at(9, 19)), Some(Phase::OpenAuction));
        assert_eq!(sse_phase("OCALL", at(9, 20)), Some(Phase::AuctionNoCancel));
        assert_eq!(sse_phase("TRADE", at(9, 25)), Some(Phase::PreOpen));
        assert_eq!(sse_phase("TRADE", at(9, 30)), Some(Phase::Continuous));
        assert_eq!(sse_phase("NEWS", at(9, 30)), None);
        assert_eq!(szse_phase(1, at(9, 25)), Some(Phase::AuctionNoCancel));
        assert_eq!(szse_phase(5, at(14, 57)), Some(Phase::CloseAuction));
        assert_eq!(szse_phase(9, at(14, 57)), None);
    }
}
