//! What is asked of the generator.

use plimsoll_engine::num::Date;
use plimsoll_files::{FileError, Format};
use std::path::PathBuf;

/// How the prices of a day move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// About 0.1 % a snapshot.
    Calm,
    /// The market loses a tenth in its first snapshots, then gains half of it back.
    Crash,
}

/// Which accounts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Every account is in debt.
    Stress,
    /// As in China: 17 of 75 accounts are in debt.
    China,
}

impl Scenario {
    /// The scenario of a name on the command line.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "calm" => Some(Scenario::Calm),
            "crash" => Some(Scenario::Crash),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Scenario::Calm => "calm",
            Scenario::Crash => "crash",
        }
    }
}

impl Profile {
    /// The profile of a name on the command line.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "stress" => Some(Profile::Stress),
            "china" => Some(Profile::China),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Profile::Stress => "stress",
            Profile::China => "china",
        }
    }
}

/// What is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the files; made where it is not there.
    pub out: PathBuf,
    /// Accounts.
    pub accounts: u64,
    /// Securities, where they are invented.
    pub securities: usize,
    /// A list of securities that exist (`securities.csv` of an import, or its folder): only
    /// accounts and openings are made, on these.
    pub securities_from: Option<PathBuf>,
    /// Trading days.
    pub days: usize,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// How prices move, each day.
    pub scenario: Scenario,
    /// Which accounts there are.
    pub profile: Profile,
    /// Form of the files.
    pub format: Format,
    /// Snapshots in continuous trading, each day.
    pub snapshots: usize,
    /// Snapshots in which the market falls, where it crashes and the day has room for them.
    pub fall: usize,
    /// How often a day the counter reports what it has done.
    pub bursts: usize,
    /// Positions of an account in the mean.
    pub positions: u64,
    /// The first trading day is the first on or after it.
    pub first_day: Date,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            out: PathBuf::from("."),
            accounts: 10_000,
            securities: 5_500,
            securities_from: None,
            days: 1,
            seed: 1,
            scenario: Scenario::Calm,
            profile: Profile::Stress,
            format: Format::Ndjson,
            snapshots: 240,
            fall: FALL_SNAPSHOTS,
            bursts: 48,
            positions: 8,
            // 2026-01-19, the day from which new contracts are opened at a ratio of 1.00.
            first_day: Date(20_472),
        }
    }
}

/// Snapshots in which the market falls, where nothing else is said.
pub const FALL_SNAPSHOTS: usize = 100;
/// Accounts, at most.
pub const MOST_ACCOUNTS: u64 = 50_000_000;
/// Securities, from and to: the codes of the smallest exchange segment bound them.
pub const SECURITIES: (usize, usize) = (40, 10_000);
/// Trading days, at most.
pub const MOST_DAYS: usize = 500;
/// Snapshots a day, at most: one every three seconds.
pub const MOST_SNAPSHOTS: usize = 4_740;

impl Config {
    /// Checks that it can be generated.
    ///
    /// # Errors
    /// Names the first value out of bounds.
    pub fn check(&self) -> Result<(), BrokerError> {
        let bounds = [
            ("accounts", self.accounts, 1, MOST_ACCOUNTS),
            ("securities", self.securities as u64, SECURITIES.0 as u64, SECURITIES.1 as u64),
            ("days", self.days as u64, 1, MOST_DAYS as u64),
            ("snapshots", self.snapshots as u64, 2, MOST_SNAPSHOTS as u64),
            ("bursts", self.bursts as u64, 1, self.snapshots as u64),
            ("positions", self.positions, 1, 12),
        ];
        for (name, value, low, high) in bounds {
            if value < low || value > high {
                return Err(BrokerError::OutOfBounds { name, value, low, high });
            }
        }
        Ok(())
    }
}

/// Why nothing was generated, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// A value that cannot be generated.
    #[error("{name} is {value}, but goes from {low} to {high}")]
    OutOfBounds {
        /// Which value.
        name: &'static str,
        /// What it was.
        value: u64,
        /// The least it may be.
        low: u64,
        /// The most it may be.
        high: u64,
    },
    /// A list of securities does not hold what it should.
    #[error("{path}, line {line}: {what}")]
    Securities {
        /// Where.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be made, or a small file in it not be written.
    #[error("{path}: {cause}")]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}
