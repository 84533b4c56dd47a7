//! Watched folders: event files in the wire's own form and a broker's own tables, each taken once, done ones
//! moved, bad ones set aside with a report; and files or pipes of lines that are followed as they grow.
//!
//! The crate knows no service: it hands lines of events to a callback and is given a [`Receipt`]. A file is
//! read, mapped and checked whole before its first event is submitted. Ids follow from the file, so that a
//! file which a crash cut off, or which comes twice, is submitted again and changes nothing.
#![forbid(unsafe_code)]

mod config;
mod exact;
mod follow;
mod groups;
mod json;
mod keys;
mod map;
mod pattern;
mod prepare;
mod report;
mod scan;
mod shelf;
mod spool;
mod table;
mod template;
mod watch;
mod when;

pub use config::{Folder, Followed, Sources};
pub use follow::Follow;
pub use report::{Fault, Outcome, Report};
pub use spool::{BATCH_BYTES, BATCH_EVENTS, STREAM_BYTES, STREAM_EVENTS};
pub use watch::Watch;

/// What became of the events of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Events that were applied.
    pub accepted: u64,
    /// Events that were seen before.
    pub duplicates: u64,
    /// Events that were not applied.
    pub refused: Vec<Refused>,
}

/// An event of a submission that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line in the submission, from 1.
    pub line: u32,
    /// Why, as a stable word.
    pub code: String,
    /// Why, for people.
    pub detail: String,
}

/// Why a submission was not taken; it may be submitted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// More waits already than may.
    Busy,
    /// The service is ending.
    Ending,
}

/// Takes a submission of lines of events and answers once all of it is committed.
pub type Submit<'a> = dyn FnMut(Vec<u8>) -> Result<Receipt, NotTaken> + 'a;
