//! Real market data turned into event files.
//!
//! Four sets come out of the folder of sources, each a folder of NDJSON files that `plimsoll replay` takes
//! in the order of their names; `SOURCES.md` beside this crate states every fixed time and every rule.
//! [`report`] reads the effects of a replay back into a table by day.

mod actions;
mod bars;
mod daily;
mod day;
mod limits;
mod members;
mod out;
mod report;
mod snapshots;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};

pub use day::Day;
pub use out::Counts;
pub use report::report;

/// A set of events that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Daily bars of all shares, 2015-06-12 to 2015-07-08.
    Crash2015,
    /// 15-minute bars of Shanghai shares, 2025-04-07 to 2025-04-11.
    Week2025,
    /// Order-book snapshots of 30 Shanghai shares, morning of 2021-12-01.
    BookSse,
    /// Order-book snapshots of 5 Shenzhen shares, 2022-06-01.
    BookSzse,
}

impl Set {
    /// Every set.
    pub const ALL: [Set; 4] = [Set::Crash2015, Set::Week2025, Set::BookSse, Set::BookSzse];

    /// The name: of its folder, of its source, and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Set::Crash2015 => "crash-2015",
            Set::Week2025 => "week-2025",
            Set::BookSse => "book-sse-20211201",
            Set::BookSzse => "book-szse-20220601",
        }
    }

    /// The set of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Set> {
        Set::ALL.into_iter().find(|set| set.name() == name)
    }
}

/// What to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The folder of sources.
    pub data: PathBuf,
    /// Where the folders of the sets go.
    pub out: PathBuf,
    /// The sets; none means all.
    pub sets: Vec<Set>,
    /// First trading day of the sets of bars, in place of their own.
    pub from: Option<Day>,
    /// Last trading day of the sets of bars, in place of their own.
    pub to: Option<Day>,
}

/// What one set came to.
#[derive(Clone, Debug)]
pub struct SetSummary {
    /// Which.
    pub set: Set,
    /// Its folder.
    pub folder: PathBuf,
    /// How many securities it names.
    pub securities: usize,
    /// Events written.
    pub counts: Counts,
    /// Bars and snapshots left out because nothing was traded in them.
    pub without_trade: u64,
    /// Ex-dates whose reference price, in whole fen, equals the previous close the source gives.
    pub references_met: u64,
    /// Everything the rules do not explain, one line each.
    pub exceptions: Vec<String>,
}

/// What an import came to, set by set.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The sets, in the order of [`Set::ALL`].
    pub sets: Vec<SetSummary>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for set in &self.sets {
            let counts = set.counts;
            writeln!(
                f,
                "{}: {} securities, {} days, {} quotes, {} records, {} corporate actions, {} bars without a trade, \
                 {} ex-dates met to the fen, {} exceptions",
                set.folder.display(),
                set.securities,
                counts.days,
                counts.quotes,
                counts.securities,
                counts.actions,
                set.without_trade,
                set.references_met,
                set.exceptions.len()
            )?;
            for line in &set.exceptions {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// Why an import or a report failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {what}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An event file cannot be written.
    #[error(transparent)]
    File(#[from] plimsoll_files::FileError),
    /// The options contradict the data.
    #[error("{0}")]
    Options(String),
    /// A line of effects or states cannot be read.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    fn io(path: &Path, source: std::io::Error) -> Error {
        Error::Io { path: path.into(), source }
    }

    fn data(path: &Path, what: String) -> Error {
        Error::Data { path: path.into(), what }
    }
}

/// Turns the sources into event files.
///
/// # Errors
/// When a source is missing or does not hold what it should, when a file cannot be written, or when the
/// range asked for holds no trading day.
pub fn import(options: &ImportOptions) -> Result<Summary, Error> {
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from > to
    {
        return Err(Error::Options(format!("--from {from} is after --to {to}")));
    }
    let bars = [Set::Crash2015, Set::Week2025];
    let one = options.sets.len() == 1 && bars.contains(&options.sets[0]);
    if (options.from.is_some() || options.to.is_some()) && !one {
        return Err(Error::Options("a range of days goes with exactly one set of bars".into()));
    }
    let calendar = day::Calendar::read(&options.data)?;
    let chosen = |set: &Set| options.sets.is_empty() || options.sets.contains(set);
    let mut summary = Summary::default();
    for set in Set::ALL.into_iter().filter(chosen) {
        summary.sets.push(match set {
            Set::Crash2015 => daily::import(options, &calendar)?,
            Set::Week2025 => bars::import(options, &calendar)?,
            Set::BookSse => snapshots::import_sse(options, &calendar)?,
            Set::BookSzse => snapshots::import_szse(options, &calendar)?,
        });
    }
    Ok(summary)
}

/// The trading days of a set of bars: its own, or those the options give.
fn range<'a>(
    options: &ImportOptions,
    calendar: &'a day::Calendar,
    from: u32,
    to: u32,
) -> Result<(Day, &'a [Day]), Error> {
    let own = |number| Day::from_number(i64::from(number));
    let (from, to) = (options.from.or(own(from)), options.to.or(own(to)));
    let days = match (from, to) {
        (Some(from), Some(to)) => calendar.between(from, to),
        _ => &[],
    };
    let base = days.first().and_then(|first| calendar.before(*first));
    base.map(|base| (base, days)).ok_or_else(|| Error::Options("no trading day in the range".into()))
}
