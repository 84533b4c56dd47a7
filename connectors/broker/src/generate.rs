//! A broker written into event files.

use crate::book::{Account, Book};
use crate::calendar;
use crate::config::{BrokerError, Config};
use crate::entries::{account_entry, lines_entry, opening_entry};
use crate::figures::{DayFigures, Manifest};
use crate::given;
use crate::output::Files;
use crate::sink::{Sink, Source};
use crate::trading::Trading;
use crate::universe::Universe;
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::Date;
use plimsoll_files::Format;
use plimsoll_files::rows as row;

/// Calendar days that the calendar reaches beyond the last trading day.
const CALENDAR_AHEAD: i32 = 370;

/// Generates a broker: the files of `config.out` in the order of replay by name, and
/// `manifest.json` with what came out.
///
/// # Errors
/// Where the configuration cannot be generated or a file not be written.
pub fn generate(config: &Config) -> Result<Manifest, BrokerError> {
    config.check()?;
    if let Some(list) = &config.securities_from {
        return generate_book(config, list);
    }
    let days = calendar::days(config.first_day, config.days);
    let first_day = days.first().copied().unwrap_or(config.first_day);
    let universe = Universe::new(config.seed, config.securities, first_day, config.positions);
    let book =
        Book::new(&universe, config.seed, config.accounts, config.profile, config.positions, first_day);
    let mut manifest = Manifest { asked: asked(config), ..Manifest::default() };
    let mut files = Files::new(&config.out, config.format)?;
    let mut trading = Trading::new(&book, config, first_day);
    write_records(&mut files, &universe, &trading, &days)?;
    write_accounts(&mut files, &book, first_day, &mut manifest)?;
    for (number, &date) in days.iter().enumerate() {
        let day = Day { date, number: number + 1 };
        manifest.days.push(day.write(&mut files, &mut trading)?);
    }
    finish(config, files, manifest)
}

/// Accounts and openings on securities that exist, on the evening their list is as of: the files
/// belong between that evening's market and the days that follow.
fn generate_book(config: &Config, list: &std::path::Path) -> Result<Manifest, BrokerError> {
    let (as_of, securities) = given::read(list)?;
    let universe = Universe::given(securities, config.positions);
    // Only the evening before it matters.
    let first_day = Date(as_of.0 + 1);
    let book =
        Book::new(&universe, config.seed, config.accounts, config.profile, config.positions, first_day);
    let mut manifest = Manifest { asked: asked(config), ..Manifest::default() };
    let mut files = Files::new(&config.out, config.format)?;
    write_accounts(&mut files, &book, first_day, &mut manifest)?;
    finish(config, files, manifest)
}

/// Closes the files and writes what came out beside them.
fn finish(config: &Config, files: Files, mut manifest: Manifest) -> Result<Manifest, BrokerError> {
    manifest.files = files.finish()?;
    let path = config.out.join("manifest.json");
    std::fs::write(&path, manifest.json()).map_err(|cause| BrokerError::Folder { path, cause })?;
    Ok(manifest)
}

fn asked(config: &Config) -> Vec<(&'static str, String)> {
    vec![
        ("accounts", config.accounts.to_string()),
        ("securities", config.securities.to_string()),
        ("days", config.days.to_string()),
        ("seed", config.seed.to_string()),
        ("scenario", config.scenario.word().to_owned()),
        ("profile", config.profile.word().to_owned()),
        ("format", config.format.extension().to_owned()),
        ("snapshots", config.snapshots.to_string()),
        ("bursts", config.bursts.to_string()),
        ("positions", config.positions.to_string()),
    ]
}

/// The calendar, the securities and their closes before the first day.
fn write_records(
    files: &mut Files,
    universe: &Universe,
    trading: &Trading<'_>,
    days: &[Date],
) -> Result<(), BrokerError> {
    let (Some(&first), Some(&last)) = (days.first(), days.last()) else { return Ok(()) };
    let before = calendar::before(first);
    let dates = calendar_dates(before, last);
    files.begin_lines("00-calendar")?;
    let version = "weekdays and the holidays announced for 2026";
    let row = row::Calendar { version, dates: &dates };
    files.write(Source::House, calendar::at(before, 8, 0, 0), &row)?;
    files.begin("01-securities")?;
    for security in &universe.securities {
        files.write(Source::House, calendar::at(before, 8, 10, 0), &security.row())?;
    }
    files.begin("02-closes")?;
    trading.snapshot(files, calendar::at(before, 15, 0, 0), Phase::Closed, true)?;
    Ok(())
}

/// Trading days from a date to well beyond the last one of a run.
pub(crate) fn calendar_dates(first: Date, last: Date) -> Vec<Date> {
    let dates = (first.0..=last.0 + CALENDAR_AHEAD).map(Date);
    dates.filter(|&date| calendar::is_trading_day(date)).collect()
}

fn write_accounts(
    files: &mut Files,
    book: &Book<'_>,
    first_day: Date,
    manifest: &mut Manifest,
) -> Result<(), BrokerError> {
    let before = calendar::before(first_day);
    let universe = book.universe();
    let mut account = Account::default();
    files.begin("03-accounts")?;
    for number in 0..book.len() {
        book.account(number, &mut account);
        let at = calendar::at(before, 18, 0, 0);
        account_entry(&account, universe, first_day, |row| files.write(Source::House, at, row))?;
    }
    files.begin("04-lines")?;
    for number in 0..book.len() {
        book.account(number, &mut account);
        let at = calendar::at(before, 18, 10, 0);
        lines_entry(&account, |row| files.write(Source::House, at, row)).transpose()?;
    }
    files.begin("05-openings")?;
    for number in 0..book.len() {
        book.account(number, &mut account);
        manifest.book.count(&account, universe);
        let at = calendar::at(before, 18, 20, 0);
        opening_entry(&account, universe, first_day, |row| files.write(Source::House, at, row))?;
    }
    Ok(())
}

/// One trading day.
struct Day {
    date: Date,
    /// From 1.
    number: usize,
}

/// The files of a day: one, or where quotes are tables, quotes and the rest in turn.
struct Segments {
    day: usize,
    next: usize,
    quotes: Option<bool>,
}

impl Segments {
    /// Makes the file of the one or the other kind the current one.
    fn turn(&mut self, files: &mut Files, quotes: bool) -> Result<(), BrokerError> {
        if files.format() != Format::Parquet {
            if self.quotes.is_none() {
                self.quotes = Some(quotes);
                files.begin(&format!("10-day-{:03}", self.day))?;
            }
            return Ok(());
        }
        if self.quotes == Some(quotes) {
            return Ok(());
        }
        self.quotes = Some(quotes);
        let kind = if quotes { "quotes" } else { "reports" };
        let name = format!("10-day-{:03}-{:05}-{kind}", self.day, self.next);
        self.next += 1;
        if quotes { files.begin(&name) } else { files.begin_lines(&name) }
    }
}

impl Day {
    fn write(&self, files: &mut Files, trading: &mut Trading<'_>) -> Result<DayFigures, BrokerError> {
        let mut figures = DayFigures::default();
        let mut segments = Segments { day: self.number, next: 0, quotes: None };
        segments.turn(files, false)?;
        let (date, start) = (self.date, calendar::at(self.date, 8, 30, 0));
        files.write(Source::House, start, &row::DayStart { date })?;
        for beat in trading.open_day(date) {
            trading.advance(&beat);
            segments.turn(files, true)?;
            figures.quotes += trading.snapshot(files, beat.at, beat.phase, beat.full)?;
            if beat.report_us > 0 {
                segments.turn(files, false)?;
                trading.levels(files, &beat)?;
                trading.report(files, &beat, &mut figures)?;
            }
        }
        segments.turn(files, false)?;
        files.write(Source::House, calendar::at(date, 16, 0, 0), &row::DayEnd { date })?;
        Ok(figures)
    }
}
