//! A broker whose days are told as they happen: bodies of lines to be sent one after the other.
//!
//! What it tells is drawn from the seed alone, whatever of it was left out on the way, so one that was
//! ended is brought to where it stood by [muting](Live::mute) it and letting its days pass.

use crate::book::{Account, Book};
use crate::calendar;
use crate::config::Config;
use crate::entries::{account_entry, lines_entry, opening_entry};
use crate::figures::DayFigures;
use crate::generate::calendar_dates;
use crate::session::Beat;
use crate::sink::{Body, Lines, Source};
use crate::trading::Trading;
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::{Date, Time};
use plimsoll_files::rows as row;

/// What happens in the time of the market bears that of the wall instead.
const WALL: Time = Time(0);

/// A broker that is told as it happens.
pub struct Live<'a> {
    book: &'a Book<'a>,
    first_day: Date,
    days: Vec<Date>,
    trading: Trading<'a>,
    lines: Lines,
}

impl<'a> Live<'a> {
    /// A broker on the evening before its first day, which may be any day of the week.
    #[must_use]
    pub fn new(book: &'a Book<'a>, config: &Config, first_day: Date) -> Self {
        let (year, month, day) = first_day.ymd();
        let run = format!("{}.{year:04}{month:02}{day:02}", config.seed);
        let trading = Trading::new(book, config, first_day);
        Live { book, first_day, days: Vec::new(), trading, lines: Lines::new(&run) }
    }

    /// Gives the time of what is told now, where nothing waits that has one.
    pub fn begin(&mut self, now: Time) {
        self.lines.begin(now);
    }

    /// Counts what is told from now on without keeping it, or keeps it again.
    pub fn mute(&mut self, muted: bool) {
        self.lines.mute(muted);
    }

    /// How many events wait to be sent.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.lines.waiting()
    }

    /// What waits to be sent.
    pub fn take(&mut self) -> Body {
        self.lines.take()
    }

    /// Tells of the securities.
    pub fn securities(&mut self) {
        for security in &self.book.universe().securities {
            self.lines.put(Source::House, &security.row());
        }
    }

    /// Tells of their closes on the evening before the first day.
    pub fn closes(&mut self) {
        let Ok(_) = self.trading.snapshot(&mut self.lines, WALL, Phase::Closed, true);
    }

    /// Tells of an account: who it is, its lines, its opening.
    pub fn account(&mut self, number: u64, account: &mut Account) {
        let (universe, lines) = (self.book.universe(), &mut self.lines);
        self.book.account(number, account);
        let mut house = |row: &dyn row::Event| lines.put(Source::House, row);
        account_entry(account, universe, self.first_day, &mut house);
        lines_entry(account, &mut house);
        opening_entry(account, universe, self.first_day, &mut house);
    }

    /// Begins a day, a trading day by its calendar; gives its beats.
    pub fn open_day(&mut self, date: Date) -> Vec<Beat> {
        self.days.push(date);
        let mut dates = calendar_dates(calendar::before(self.first_day), date);
        dates.extend(self.days.iter().filter(|&&day| !calendar::is_trading_day(day)));
        dates.sort_unstable();
        let version = "weekdays, the holidays announced for 2026, and the days of the run";
        self.lines.put(Source::House, &row::Calendar { version, dates: &dates });
        self.lines.put(Source::House, &row::DayStart { date });
        self.trading.open_day(date)
    }

    /// Lets prices move, where they do before a beat.
    pub fn advance(&mut self, beat: &Beat) {
        self.trading.advance(beat);
    }

    /// Tells the snapshot of a beat, and the index levels.
    pub fn snapshot(&mut self, beat: &Beat) {
        let Ok(_) = self.trading.snapshot(&mut self.lines, WALL, beat.phase, beat.full);
        let Ok(()) = self.trading.levels(&mut self.lines, beat);
    }

    /// Tells what clients have done after a beat.
    pub fn report(&mut self, beat: &Beat) {
        let Ok(()) = self.trading.report(&mut self.lines, beat, &mut DayFigures::default());
    }

    /// Ends the day.
    pub fn close_day(&mut self) {
        let date = self.days.last().copied().unwrap_or(self.first_day);
        self.lines.put(Source::House, &row::DayEnd { date });
    }
}
