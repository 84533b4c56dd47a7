//! A broker written into event files.

use crate::book::{Account, Book};
use crate::calendar;
use crate::config::{BrokerError, Config};
use crate::counter::Counter;
use crate::entries::{account_entry, fact_entry, lines_entry, opening_entry};
use crate::figures::{DayFigures, Manifest};
use crate::given;
use crate::output::{Files, Source};
use crate::path::Path;
use crate::prices::Prices;
use crate::session::{Beat, beats};
use crate::universe::{INDICES, Universe};
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::{Date, Time};
use plimsoll_files::Format;
use plimsoll_files::rows as row;

/// Calendar days that the calendar reaches beyond the last trading day.
const CALENDAR_AHEAD: i32 = 370;
/// Index levels come this long after their snapshot, the counter's reports after them.
const INDEX_DELAY_US: i64 = 500_000;
const REPORT_DELAY_US: i64 = 600_000;
/// The counter's reports end this long before the next snapshot.
const REPORT_MARGIN_US: i64 = 100_000;

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
    let mut prices = Prices::new(&universe, config.seed, 0, config.snapshots);
    write_records(&mut files, &prices, &days)?;
    write_accounts(&mut files, &book, first_day, &mut manifest)?;
    let mut counter = Counter::new(&book, config.seed, config.profile, first_day);
    for (number, &date) in days.iter().enumerate() {
        let day = Day { config, date, number: number + 1 };
        manifest.days.push(day.write(&mut files, &mut prices, &mut counter)?);
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
fn write_records(files: &mut Files, prices: &Prices<'_>, days: &[Date]) -> Result<(), BrokerError> {
    let (Some(&first), Some(&last)) = (days.first(), days.last()) else { return Ok(()) };
    let before = calendar::before(first);
    let dates: Vec<Date> = (before.0..=last.0 + CALENDAR_AHEAD)
        .map(Date)
        .filter(|&date| calendar::is_trading_day(date))
        .collect();
    files.begin_lines("00-calendar")?;
    let version = "weekdays and the holidays announced for 2026";
    let row = row::Calendar { version, dates: &dates };
    files.write(Source::House, calendar::at(before, 8, 0, 0), &row)?;
    files.begin("01-securities")?;
    for security in &prices.universe().securities {
        files.write(Source::House, calendar::at(before, 8, 10, 0), &security.row())?;
    }
    files.begin("02-closes")?;
    snapshot(files, prices, calendar::at(before, 15, 0, 0), Phase::Closed, true)?;
    Ok(())
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

/// Quotes every security that has something to say; says how many.
fn snapshot(
    files: &mut Files,
    prices: &Prices<'_>,
    at: Time,
    phase: Phase,
    full: bool,
) -> Result<u64, BrokerError> {
    let count = prices.universe().securities.len() as u32;
    let quoted = |&security: &u32| phase != Phase::AfterHours || prices.after_hours(security);
    let last = (0..count).rev().find(quoted);
    let mut quotes = 0;
    for security in (0..count).filter(quoted) {
        let mut quote = prices.quote(security, phase, full);
        quote.last = (Some(security) == last).then_some(true);
        files.write(Source::Feed, at, &quote)?;
        quotes += 1;
    }
    Ok(quotes)
}

/// One trading day.
struct Day<'a> {
    config: &'a Config,
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

impl Day<'_> {
    fn write(
        &self,
        files: &mut Files,
        prices: &mut Prices<'_>,
        counter: &mut Counter<'_>,
    ) -> Result<DayFigures, BrokerError> {
        let config = self.config;
        let mut figures = DayFigures::default();
        let mut segments = Segments { day: self.number, next: 0, quotes: None };
        let mut path = Path::new(config.scenario, config.snapshots);
        prices.open_day();
        counter.open_day(self.date);
        segments.turn(files, false)?;
        let (date, start) = (self.date, calendar::at(self.date, 8, 30, 0));
        files.write(Source::House, start, &row::DayStart { date })?;
        let mut bursts = 0;
        for beat in beats(self.date, config.snapshots, config.bursts) {
            if beat.moves {
                let common = path.next(prices);
                prices.snapshot(common);
            }
            segments.turn(files, true)?;
            figures.quotes += snapshot(files, prices, beat.at, beat.phase, beat.full)?;
            if beat.report_us > 0 {
                segments.turn(files, false)?;
                bursts += 1;
                self.report(files, prices, counter, &beat, bursts, &mut figures)?;
            }
        }
        segments.turn(files, false)?;
        files.write(Source::House, calendar::at(date, 16, 0, 0), &row::DayEnd { date })?;
        Ok(figures)
    }

    /// Index levels, then what the counter has done, spread over the time to the next snapshot.
    fn report(
        &self,
        files: &mut Files,
        prices: &Prices<'_>,
        counter: &mut Counter<'_>,
        beat: &Beat,
        burst: u64,
        figures: &mut DayFigures,
    ) -> Result<(), BrokerError> {
        let at = Time(beat.at.0 + INDEX_DELAY_US);
        for ((index, _), level) in INDICES.iter().zip(prices.levels()) {
            if level > 0 {
                files.write(Source::Feed, at, &row::Index { index, level })?;
            }
        }
        let bursts = self.config.bursts as u64;
        let a_day = counter.facts_a_day();
        let facts = a_day * burst / bursts - a_day * (burst - 1) / bursts;
        let span = beat.report_us - REPORT_DELAY_US - REPORT_MARGIN_US;
        for place in 0..facts {
            let Some(fact) = counter.fact(prices) else { continue };
            figures.count(&fact);
            let after = i128::from(span) * i128::from(place) / i128::from(facts);
            let at = Time(beat.at.0 + REPORT_DELAY_US + after as i64 / 1000 * 1000);
            fact_entry(&fact, prices.universe(), |row| files.write(Source::Counter, at, row))?;
        }
        Ok(())
    }
}
