//! What became of the files of a drop; the only place where what they hold may be repeated.

use plimsoll_engine::num::Time;
use plimsoll_wire::time::write_time;
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// Faults and refusals that a report lists; all are counted.
const MOST_LISTED: usize = 1_000;

/// What became of files that were dropped together.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the folder.
    pub folder: String,
    /// What became of them.
    pub outcome: Outcome,
    /// The files.
    pub files: Vec<Taken>,
    /// When their reading began.
    pub started: String,
    /// When the last of their events was answered.
    pub ended: String,
    /// Rows or lines in all of them.
    pub rows: u64,
    /// Events that were made of them and submitted.
    pub events: u64,
    /// Events that were applied.
    pub accepted: u64,
    /// Events that were seen before.
    pub duplicates: u64,
    /// Events that were refused.
    pub refused: u64,
    /// Places where the files are not what they should be; with one, nothing is submitted.
    pub faults: u64,
    /// The first thousand refusals or faults.
    pub details: Vec<Fault>,
}

/// What became of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All events were submitted and answered; some may have been refused.
    Done,
    /// Nothing was submitted.
    Bad,
}

/// A file that was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of all its bytes, where it could be read.
    pub blake3: Option<String>,
}

/// A place in a file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Name of the file.
    pub file: String,
    /// The line, or the row of a table, from 1.
    pub line: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
    /// What is wrong, as a stable word.
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub all: u64,
    pub first: Vec<Fault>,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.all += 1;
        if self.first.len() < MOST_LISTED {
            self.first.push(fault);
        }
    }
}

/// A time as reports show it.
pub(crate) fn shown(at: SystemTime) -> String {
    let mut out = Vec::new();
    write_time(&mut out, time(at));
    String::from_utf8_lossy(&out).into_owned()
}

/// A time of the system as one of the wire.
pub(crate) fn time(at: SystemTime) -> Time {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
