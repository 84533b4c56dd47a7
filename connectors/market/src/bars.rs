//! 15-minute bars of 2025: Shanghai shares through the week of the tariff shock.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_engine::input::{Board, Phase};

use crate::day::{self, Calendar, Day};
use crate::limits::{self, Band};
use crate::members::{self, Members, Vintage};
use crate::out::{Events, Listing, Quote, Tradable, Yuan};
use crate::table::Table;
use crate::{Error, ImportOptions, Set, SetSummary};

const SET: Set = Set::Week2025;
const FIRST: u32 = 20250407;
const LAST: u32 = 20250411;
/// Minutes from the start of a bar to its first extreme, its second extreme and its close.
const OFFSETS: [u32; 3] = [5, 10, 15];

/// One bar with trades, prices in fen.
#[derive(Clone, Debug)]
struct Bar {
    /// Its end, minutes since midnight.
    end: u32,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: i64,
    amount: i64,
}

/// The bars of one security: by day; a day on which it did not trade has none.
type Days = BTreeMap<Day, Vec<Bar>>;

struct Read {
    bars: BTreeMap<Arc<str>, Days>,
    /// Days the file holds.
    days: Vec<Day>,
    without_trade: BTreeMap<Day, u64>,
}

fn read(options: &ImportOptions) -> Result<Read, Error> {
    let path = options.data.join("bars15_2025_april.parquet");
    let figures = ["time", "open_x100", "high_x100", "low_x100", "close_x100", "volume", "amount"];
    let names: Vec<&str> = ["code", "date"].into_iter().chain(figures).collect();
    let table = Table::read(&path, &names)?;
    let columns = figures.iter().map(|f| table.ints(f)).collect::<Result<Vec<_>, _>>()?;
    let (codes, days) = (table.texts("code")?, table.days("date")?);
    let mut read = Read { bars: BTreeMap::new(), days: days.clone(), without_trade: BTreeMap::new() };
    read.days.sort_unstable();
    read.days.dedup();
    for row in 0..table.rows() {
        let figure = |n: usize| columns[n][row];
        let code: Arc<str> = members::with_exchange(&codes[row]).into();
        let bars = read.bars.entry(code).or_default().entry(days[row]).or_default();
        let (open, high, low, close, volume) = (figure(1), figure(2), figure(3), figure(4), figure(5));
        if volume == 0 {
            *read.without_trade.entry(days[row]).or_default() += 1;
            continue;
        }
        let end = end_minute(figure(0));
        let sound = 0 < low && low <= open.min(close) && open.max(close) <= high;
        match end {
            Some(end) if sound => {
                bars.push(Bar { end, open, high, low, close, volume, amount: figure(6) });
            }
            _ => {
                return Err(Error::data(&path, format!("row {row}: no bar of {} {}", codes[row], days[row])));
            }
        }
    }
    for bars in read.bars.values_mut().flat_map(BTreeMap::values_mut) {
        bars.sort_by_key(|bar| bar.end);
    }
    Ok(read)
}

/// The end of a bar (`945`, `1500`) in minutes since midnight, where it ends a quarter of an hour of trading.
fn end_minute(time: i64) -> Option<u32> {
    let time = u32::try_from(time).ok()?;
    let minute = time / 100 * 60 + time % 100;
    let trading = (585..=690).contains(&minute) || (795..=900).contains(&minute);
    (trading && minute.is_multiple_of(15) && time % 100 < 60).then_some(minute)
}

struct Import<'a> {
    calendar: &'a Calendar,
    data: Read,
    members: Members,
    known: BTreeMap<Arc<str>, Listing>,
    /// The last close of each security.
    closes: BTreeMap<Arc<str>, i64>,
    events: Events,
    without_trade: u64,
    exceptions: Vec<String>,
}

/// Writes the set.
pub fn import(options: &ImportOptions, calendar: &Calendar) -> Result<SetSummary, Error> {
    let (base, days) = crate::range(options, calendar, FIRST, LAST)?;
    let data = read(options)?;
    if let Some(empty) = days.iter().find(|day| data.days.binary_search(day).is_err()) {
        return Err(Error::Options(format!("{}: no bars on {empty}", SET.name())));
    }
    let mut import = Import {
        calendar,
        data,
        members: Members::read(&options.data, Vintage::Of2022)?,
        known: BTreeMap::new(),
        closes: BTreeMap::new(),
        events: Events::create(&options.out, SET.name())?,
        without_trade: 0,
        exceptions: Vec::new(),
    };
    import.base(base, days)?;
    for day in days {
        import.day(*day)?;
    }
    Ok(SetSummary {
        set: SET,
        folder: import.events.folder().into(),
        securities: import.known.len(),
        counts: import.events.finish()?,
        without_trade: import.without_trade,
        references_met: 0,
        exceptions: import.exceptions,
    })
}

impl Import<'_> {
    /// The evening before: calendar, every security that has traded in the data by then, its close.
    fn base(&mut self, base: Day, days: &[Day]) -> Result<(), Error> {
        self.events.file("000-market")?;
        let last = days.last().copied().unwrap_or(base);
        self.events.calendar(base, day::BASE_CALENDAR, self.calendar.around(base, last))?;
        let mut tradable = Vec::new();
        for (code, days) in &self.data.bars {
            let traded = || days.range(..=base).filter(|(_, bars)| !bars.is_empty());
            let Some((when, bars)) = traded().next_back() else { continue };
            let price = bars[bars.len() - 1].close;
            let amounts: Vec<i64> = traded().map(|(_, bars)| bars.iter().map(|b| b.amount).sum()).collect();
            let mut listing = self.listing(code);
            listing.turnover = amounts.iter().sum::<i64>().checked_div(amounts.len() as i64);
            if *when < base {
                listing.suspended_since = self.calendar.after(*when);
            }
            tradable.push(Tradable { listing, price });
        }
        for Tradable { listing, price } in &tradable {
            self.events.security(base, day::BASE_RECORDS, listing)?;
            self.known.insert(Arc::clone(&listing.code), listing.clone());
            self.closes.insert(Arc::clone(&listing.code), *price);
        }
        for Tradable { listing, price } in &tradable {
            self.events.base_price(base, &listing.code, *price)?;
        }
        crate::out::securities(self.events.folder(), base, tradable)
    }

    fn listing(&self, code: &Arc<str>) -> Listing {
        Listing {
            code: Arc::clone(code),
            name: code.to_string(),
            board: members::board(code),
            indices: self.members.indices(code).to_vec(),
            risk_warning: false,
            delisting: false,
            suspended_since: None,
            eligible: self.members.eligible(code),
            total_shares: None,
            float_shares: None,
            turnover: None,
            listed_on: None,
        }
    }

    /// One trading day: records that changed, then every quote in order of time and code.
    fn day(&mut self, today: Day) -> Result<(), Error> {
        self.events.file(&today.to_string())?;
        self.without_trade += self.data.without_trade.get(&today).copied().unwrap_or(0);
        self.records(today)?;
        self.events.day_start(today)?;
        let frames = self.frames(today);
        let mut quotes: Vec<(u32, &Arc<str>, &'static str, &Bar, i64)> = Vec::new();
        for code in frames.keys() {
            for (n, bar) in self.data.bars[code][&today].iter().enumerate() {
                let start = bar.end - 15;
                if n == 0 {
                    quotes.push((start, code, "open", bar, bar.open));
                }
                let rising = bar.close >= bar.open;
                let (first, second) = if rising { (bar.low, bar.high) } else { (bar.high, bar.low) };
                for ((offset, price), what) in
                    OFFSETS.iter().zip([first, second, bar.close]).zip(["first", "second", "close"])
                {
                    quotes.push((start + offset, code, what, bar, price));
                }
            }
        }
        quotes.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        for (minute, code, what, bar, price) in quotes {
            let (prev_close, limits) = frames[code];
            let id = format!("{code}/{}/{:02}{:02}/{what}", today.compact(), bar.end / 60, bar.end % 60);
            let close = what == "close";
            let quote = Quote {
                id: &id,
                code,
                price: Some(price),
                prev_close,
                limits,
                phase: (minute == 900).then_some(Phase::Closed),
                volume: close.then_some(bar.volume),
                turnover: close.then_some(bar.amount),
                ..Quote::default()
            };
            self.events.quote(today.at(day::minutes(minute)), &quote)?;
        }
        for code in frames.keys() {
            if let Some(last) = self.data.bars[code][&today].last() {
                self.closes.insert(Arc::clone(code), last.close);
            }
        }
        self.events.day_end(today)
    }

    /// Previous close and limits of every security that trades today.
    fn frames(&mut self, today: Day) -> BTreeMap<Arc<str>, (Option<i64>, Option<Band>)> {
        let mut frames = BTreeMap::new();
        for (code, days) in &self.data.bars {
            let bars = days.get(&today).map_or(&[][..], Vec::as_slice);
            let (Some(low), Some(high)) =
                (bars.iter().map(|b| b.low).min(), bars.iter().map(|b| b.high).max())
            else {
                continue;
            };
            let Some(close) = self.closes.get(code).copied() else {
                frames.insert(Arc::clone(code), (None, None));
                continue;
            };
            let percent = if members::board(code) == Board::Main { 10 } else { 20 };
            let found = limits::nearest_admitting(close, low, high, percent);
            let range = format!("{code} {today}: {} to {}", Yuan(low), Yuan(high));
            match found {
                Some((taken, _)) if taken != close => self.exceptions.push(format!(
                    "{range} breaks the limits of the last bar's close {}; previous close taken as {}",
                    Yuan(close),
                    Yuan(taken)
                )),
                None => self.exceptions.push(format!("{range} breaks the limits; carried without")),
                Some(_) => {}
            }
            let frame = found.map_or((Some(close), None), |(taken, band)| (Some(taken), Some(band)));
            frames.insert(Arc::clone(code), frame);
        }
        frames
    }

    /// The records that change this morning: first trades in the data, suspensions and their ends.
    fn records(&mut self, today: Day) -> Result<(), Error> {
        let mut changed = Vec::new();
        for (code, days) in &self.data.bars {
            let trades = days.get(&today).is_some_and(|bars| !bars.is_empty());
            match self.known.get(code) {
                None if trades => changed.push(self.listing(code)),
                Some(known) if trades == known.suspended_since.is_some() => {
                    let since = (!trades).then_some(today);
                    changed.push(Listing { suspended_since: since, ..known.clone() });
                }
                _ => {}
            }
        }
        for listing in changed {
            self.events.security(today, day::RECORDS, &listing)?;
            self.known.insert(Arc::clone(&listing.code), listing);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_end_on_quarters_of_trading_hours() {
        assert_eq!(end_minute(945), Some(585));
        assert_eq!(end_minute(1130), Some(690));
        assert_eq!(end_minute(1500), Some(900));
        for bad in [930, 1145, 1300, 1310, 1515, -1, 1075] {
            assert_eq!(end_minute(bad), None, "{bad}");
        }
    }
}
