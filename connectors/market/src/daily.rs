//! Daily bars of 2015: every A-share, with suspensions, risk warnings, ex-dates and limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_engine::input::Phase;

use crate::actions::ExRights;
use crate::day::{self, Calendar, Day};
use crate::limits::{self, Band};
use crate::members::{self, Members, Vintage};
use crate::out::{Events, Listing, Quote, Tradable, Yuan};
use crate::table::Table;
use crate::{Error, ImportOptions, Set, SetSummary};

const SET: Set = Set::Crash2015;
const FIRST: u32 = 20150612;
const LAST: u32 = 20150708;
/// Days with trades that an average turnover is taken over.
const TURNOVER_DAYS: usize = 20;

/// One bar, prices in fen.
#[derive(Clone, Debug)]
struct Bar {
    day: Day,
    name: Arc<str>,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    prev_close: i64,
    volume: i64,
    amount: i64,
    float_shares: i64,
    total_shares: i64,
}

impl Bar {
    /// The limits of the day: 44 % up and 36 % down of the issue price on the first day, 5 % with a risk
    /// warning or an unreformed share, else 10 %. `None` where the bar itself breaks them.
    fn band(&self) -> Option<Band> {
        let signs = members::name_signs(&self.name);
        let (down, up) = if signs.first_day {
            (36, 44)
        } else if signs.risk_warning || signs.unreformed {
            (5, 5)
        } else {
            (10, 10)
        };
        let band = Band::of(self.prev_close, down, up);
        band.admits(self.low, self.high).then_some(band)
    }

    /// Open, first extreme, second extreme, close with their times: a bar that closes at or above its open
    /// saw its low first, another its high.
    fn path(&self) -> [(&'static str, u32, i64); 4] {
        let (first, second) = if self.close >= self.open {
            (("low", self.low), ("high", self.high))
        } else {
            (("high", self.high), ("low", self.low))
        };
        [
            ("open", day::OPEN, self.open),
            (first.0, day::FIRST_EXTREME, first.1),
            (second.0, day::SECOND_EXTREME, second.1),
            ("close", day::CLOSE, self.close),
        ]
    }
}

/// Bars by code, each list by day.
type Bars = BTreeMap<Arc<str>, Vec<Bar>>;

fn read(options: &ImportOptions) -> Result<Bars, Error> {
    let path = options.data.join("daily_2015_crash.parquet");
    let figures = [
        "open_x100",
        "high_x100",
        "low_x100",
        "close_x100",
        "pre_close_x100",
        "volume",
        "amount",
        "float_shares",
        "total_shares",
    ];
    let names: Vec<&str> = ["code", "name", "date"].into_iter().chain(figures).collect();
    let table = Table::read(&path, &names)?;
    let columns = figures.iter().map(|f| table.ints(f)).collect::<Result<Vec<_>, _>>()?;
    let (codes, names, days) = (table.texts("code")?, table.texts("name")?, table.days("date")?);
    let mut bars = Bars::new();
    for row in 0..table.rows() {
        let figure = |n: usize| columns[n][row];
        let bar = Bar {
            day: days[row],
            name: Arc::clone(&names[row]),
            open: figure(0),
            high: figure(1),
            low: figure(2),
            close: figure(3),
            prev_close: figure(4),
            volume: figure(5),
            amount: figure(6),
            float_shares: figure(7),
            total_shares: figure(8),
        };
        let sound = 0 < bar.low
            && bar.low <= bar.open.min(bar.close)
            && bar.open.max(bar.close) <= bar.high
            && bar.prev_close > 0
            && bar.volume > 0;
        if !sound {
            return Err(Error::data(&path, format!("row {row}: no bar: {bar:?}")));
        }
        bars.entry(Arc::clone(&codes[row])).or_default().push(bar);
    }
    for (code, list) in &mut bars {
        list.sort_by_key(|bar| bar.day);
        if list.windows(2).any(|pair| pair[0].day == pair[1].day) {
            return Err(Error::data(&path, format!("{code}: two bars of one day")));
        }
    }
    Ok(bars)
}

/// Everything an import of this set reads and keeps.
struct Import<'a> {
    calendar: &'a Calendar,
    bars: Bars,
    rights: ExRights,
    members: Members,
    known: BTreeMap<Arc<str>, Listing>,
    /// Securities of each day with trades, in order of code: code and place in its list.
    by_day: BTreeMap<Day, Vec<(Arc<str>, usize)>>,
    events: Events,
    references_met: u64,
    exceptions: Vec<String>,
}

/// Writes the set.
pub fn import(options: &ImportOptions, calendar: &Calendar) -> Result<SetSummary, Error> {
    let (base, days) = crate::range(options, calendar, FIRST, LAST)?;
    let bars = read(options)?;
    let mut by_day: BTreeMap<Day, Vec<(Arc<str>, usize)>> = BTreeMap::new();
    for (code, list) in &bars {
        for (place, bar) in list.iter().enumerate() {
            by_day.entry(bar.day).or_default().push((Arc::clone(code), place));
        }
    }
    if let Some(empty) = days.iter().find(|day| !by_day.contains_key(*day)) {
        return Err(Error::Options(format!("{}: no bars on {empty}", SET.name())));
    }
    let mut import = Import {
        calendar,
        bars,
        rights: ExRights::read(&options.data)?,
        members: Members::read(&options.data, Vintage::Of2015)?,
        known: BTreeMap::new(),
        by_day,
        events: Events::create(&options.out, SET.name())?,
        references_met: 0,
        exceptions: Vec::new(),
    };
    import.base(base, days)?;
    let mut previous = base;
    for day in days {
        import.day(previous, *day)?;
        previous = *day;
    }
    Ok(SetSummary {
        set: SET,
        folder: import.events.folder().into(),
        securities: import.known.len(),
        counts: import.events.finish()?,
        without_trade: 0,
        references_met: import.references_met,
        exceptions: import.exceptions,
    })
}

impl Import<'_> {
    /// The evening before: calendar, every security known, its price.
    fn base(&mut self, base: Day, days: &[Day]) -> Result<(), Error> {
        self.events.file("000-market")?;
        let last = days.last().copied().unwrap_or(base);
        self.events.calendar(base, day::BASE_CALENDAR, self.calendar.around(base, last))?;
        let mut tradable = Vec::new();
        for (code, list) in &self.bars {
            let seen = list.partition_point(|bar| bar.day <= base);
            let price = match list[..seen].last() {
                Some(bar) => self.carried(code, bar, base).0,
                // The data begin on the first day: its previous close stands for the evening before.
                None if days.first() == list.first().map(|bar| &bar.day) => {
                    let first = &list[0];
                    if members::name_signs(&first.name).first_day {
                        continue;
                    }
                    first.prev_close
                }
                None => continue,
            };
            let mut listing = self.listing(code, &list[seen.saturating_sub(1)], &list[..seen]);
            if let Some(bar) = list[..seen].last().filter(|bar| bar.day < base) {
                listing.suspended_since = self.calendar.after(bar.day);
            }
            tradable.push(Tradable { listing, price });
        }
        for Tradable { listing, .. } in &tradable {
            self.events.security(base, day::BASE_RECORDS, listing)?;
            self.known.insert(Arc::clone(&listing.code), listing.clone());
        }
        for Tradable { listing, price } in &tradable {
            self.events.base_price(base, &listing.code, *price)?;
        }
        crate::out::securities(self.events.folder(), base, tradable)
    }

    /// The record of a security as the bars up to now show it.
    fn listing(&self, code: &Arc<str>, bar: &Bar, seen: &[Bar]) -> Listing {
        let signs = members::name_signs(&bar.name);
        let plain = seen.iter().rev().find(|b| members::plain_name(&b.name) == &*b.name);
        let recent = &seen[seen.len().saturating_sub(TURNOVER_DAYS)..];
        let turnover = recent.iter().map(|b| b.amount).sum::<i64>().checked_div(recent.len() as i64);
        Listing {
            code: Arc::clone(code),
            name: plain.map_or_else(|| members::plain_name(&bar.name), |b| &b.name).into(),
            board: members::board(code),
            indices: self.members.indices(code).to_vec(),
            risk_warning: signs.risk_warning,
            delisting: signs.delisting,
            suspended_since: None,
            eligible: self.members.eligible(code),
            total_shares: Some(bar.total_shares),
            float_shares: Some(bar.float_shares),
            turnover,
            listed_on: signs.first_day.then_some(bar.day),
        }
    }

    /// A close carried over the ex-dates after it, each to the fen, and how many there were.
    fn carried(&self, code: &str, bar: &Bar, until: Day) -> (i64, usize) {
        let actions = self.rights.within(code, bar.day, until);
        let price = actions.iter().fold(bar.close, |price, (_, terms)| limits::reference(price, terms));
        (price, actions.len())
    }

    /// One trading day.
    fn day(&mut self, previous: Day, today: Day) -> Result<(), Error> {
        self.events.file(&today.to_string())?;
        let trading = self.by_day.get(&today).cloned().unwrap_or_default();
        self.records(today, &trading)?;
        let codes: Vec<Arc<str>> = self.known.keys().cloned().collect();
        for code in codes {
            for (ex_date, terms) in self.rights.within(&code, previous, today) {
                self.events.actions(today.at(day::ACTIONS), &code, *ex_date, terms)?;
            }
        }
        self.events.day_start(today)?;
        for step in 0..4 {
            for (code, place) in &trading {
                let list = &self.bars[code];
                let bar = &list[*place];
                if step == 0 {
                    let before = place.checked_sub(1).map(|p| &list[p]);
                    let (met, exception) = self.compare(code, before, bar);
                    self.references_met += u64::from(met);
                    self.exceptions.extend(exception);
                }
                let (what, time, price) = bar.path()[step];
                let close = what == "close";
                let id = format!("{code}/{}/{what}", today.compact());
                let quote = Quote {
                    id: &id,
                    code,
                    price: Some(price),
                    prev_close: Some(bar.prev_close),
                    limits: bar.band(),
                    phase: close.then_some(Phase::Closed),
                    volume: close.then_some(bar.volume),
                    turnover: close.then_some(bar.amount),
                    ..Quote::default()
                };
                self.events.quote(today.at(time), &quote)?;
            }
        }
        self.events.day_end(today)
    }

    /// The records that change this morning: new listings, suspensions and their ends, risk warnings.
    fn records(&mut self, today: Day, trading: &[(Arc<str>, usize)]) -> Result<(), Error> {
        let traded: BTreeMap<&Arc<str>, usize> = trading.iter().map(|(c, p)| (c, *p)).collect();
        let mut changed = Vec::new();
        for (code, listing) in &self.known {
            match traded.get(code) {
                Some(place) => {
                    let list = &self.bars[code];
                    let mut now = self.listing(code, &list[*place], &list[..=*place]);
                    now.turnover = listing.turnover;
                    now.listed_on = listing.listed_on;
                    let same = (now.risk_warning, now.delisting) == (listing.risk_warning, listing.delisting);
                    if !same || listing.suspended_since.is_some() {
                        changed.push(now);
                    }
                }
                None if listing.suspended_since.is_none() => {
                    changed.push(Listing { suspended_since: Some(today), ..listing.clone() });
                }
                None => {}
            }
        }
        for (code, place) in trading.iter().filter(|(code, _)| !self.known.contains_key(code)) {
            let list = &self.bars[code];
            let mut listing = self.listing(code, &list[*place], &list[..*place]);
            if listing.turnover == Some(0) {
                listing.turnover = None;
            }
            changed.push(listing);
        }
        for listing in changed {
            self.events.security(today, day::RECORDS, &listing)?;
            self.known.insert(Arc::clone(&listing.code), listing);
        }
        Ok(())
    }

    /// Whether ex-dates since the last bar explain the previous close to the fen; else a line that says what
    /// stands against the rules (also for a bar outside its limits).
    fn compare(&self, code: &str, before: Option<&Bar>, bar: &Bar) -> (bool, Option<String>) {
        let said = |what: String| Some(format!("{code} {} {}: {what}", bar.day, bar.name));
        if bar.band().is_none() {
            let range = (Yuan(bar.low), Yuan(bar.high), Yuan(bar.prev_close));
            let text =
                format!("{} to {} breaks the limits of {}; carried without", range.0, range.1, range.2);
            return (false, said(text));
        }
        let Some(before) = before else { return (false, None) };
        let (expected, count) = self.carried(code, before, bar.day);
        if expected == bar.prev_close {
            return (count > 0, None);
        }
        let how = if count == 0 { "no ex-date is known" } else { "the ex-date known gives another" };
        let figures = (Yuan(before.close), Yuan(bar.prev_close), Yuan(expected));
        let text = format!("close {}, previous close {}: {how} ({})", figures.0, figures.1, figures.2);
        (false, said(text))
    }
}
