//! The market and the counter of a broker through its days, beat by beat.

use crate::book::Book;
use crate::config::{Config, Scenario};
use crate::counter::Counter;
use crate::entries::fact_entry;
use crate::figures::DayFigures;
use crate::path::Path;
use crate::prices::Prices;
use crate::session::{Beat, beats};
use crate::sink::{Sink, Source};
use crate::universe::INDICES;
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::{Date, Time};
use plimsoll_files::rows as row;

/// Index levels come this long after their snapshot, the counter's reports after them.
const INDEX_DELAY_US: i64 = 500_000;
const REPORT_DELAY_US: i64 = 600_000;
/// The counter's reports end this long before the next snapshot.
const REPORT_MARGIN_US: i64 = 100_000;

/// Prices, and what clients do at them.
pub struct Trading<'a> {
    scenario: Scenario,
    snapshots: usize,
    fall: usize,
    bursts: usize,
    prices: Prices<'a>,
    counter: Counter<'a>,
    path: Path,
    /// Bursts of the day that the counter has reported.
    told: u64,
}

impl<'a> Trading<'a> {
    /// The evening before the first day.
    pub fn new(book: &'a Book<'a>, config: &Config, first_day: Date) -> Self {
        let &Config { scenario, snapshots, fall, bursts, .. } = config;
        Trading {
            scenario,
            snapshots,
            fall,
            bursts,
            prices: Prices::new(book.universe(), config.seed, 0, snapshots),
            counter: Counter::new(book, config.seed, config.profile, first_day),
            path: Path::new(scenario, snapshots, fall),
            told: 0,
        }
    }

    /// Begins a day; gives its beats.
    pub fn open_day(&mut self, date: Date) -> Vec<Beat> {
        self.path = Path::new(self.scenario, self.snapshots, self.fall);
        self.told = 0;
        self.prices.open_day();
        self.counter.open_day(date);
        beats(date, self.snapshots, self.bursts)
    }

    /// Lets prices move, where they do before a beat.
    pub fn advance(&mut self, beat: &Beat) {
        if beat.moves {
            let common = self.path.next(&mut self.prices);
            self.prices.snapshot(common);
        }
    }

    /// Quotes every security that has something to say; says how many.
    pub fn snapshot<S: Sink>(
        &self,
        sink: &mut S,
        at: Time,
        phase: Phase,
        full: bool,
    ) -> Result<u64, S::Fault> {
        let prices = &self.prices;
        let count = prices.universe().securities.len() as u32;
        let quoted = |&security: &u32| phase != Phase::AfterHours || prices.after_hours(security);
        let last = (0..count).rev().find(quoted);
        let mut quotes = 0;
        for security in (0..count).filter(quoted) {
            let mut quote = prices.quote(security, phase, full);
            quote.last = (Some(security) == last).then_some(true);
            sink.write(Source::Feed, at, &quote)?;
            quotes += 1;
        }
        Ok(quotes)
    }

    /// Tells the index levels after a beat, where a report is due.
    pub fn levels<S: Sink>(&self, sink: &mut S, beat: &Beat) -> Result<(), S::Fault> {
        if beat.report_us == 0 {
            return Ok(());
        }
        let at = Time(beat.at.0 + INDEX_DELAY_US);
        for ((index, _), level) in INDICES.iter().zip(self.prices.levels()) {
            if level > 0 {
                sink.write(Source::Feed, at, &row::Index { index, level })?;
            }
        }
        Ok(())
    }

    /// Where a report is due after a beat: what the counter has done, spread over the time to the next
    /// snapshot.
    pub fn report<S: Sink>(
        &mut self,
        sink: &mut S,
        beat: &Beat,
        figures: &mut DayFigures,
    ) -> Result<(), S::Fault> {
        if beat.report_us == 0 {
            return Ok(());
        }
        self.told += 1;
        let (bursts, a_day) = (self.bursts as u64, self.counter.facts_a_day());
        let facts = a_day * self.told / bursts - a_day * (self.told - 1) / bursts;
        let span = beat.report_us - REPORT_DELAY_US - REPORT_MARGIN_US;
        for place in 0..facts {
            let Some(fact) = self.counter.fact(&self.prices) else { continue };
            figures.count(&fact);
            let after = i128::from(span) * i128::from(place) / i128::from(facts);
            let at = Time(beat.at.0 + REPORT_DELAY_US + after as i64 / 1000 * 1000);
            fact_entry(&fact, self.prices.universe(), |row| sink.write(Source::Counter, at, row))?;
        }
        Ok(())
    }
}
