//! Where the events of a broker go: files, or lines that are sent as they happen.

use plimsoll_engine::num::Time;
use plimsoll_files::json;
use plimsoll_files::rows::{Event, Stamp};
use std::convert::Infallible;
use std::fmt::Write as _;

/// Who sends an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The broker's own records; numbered.
    House,
    /// Quotes and index levels; these are ordered by their time.
    Feed,
    /// What the counter reports; numbered.
    Counter,
}

impl Source {
    /// All of them, in the order of their numbers.
    pub const ALL: [Source; 3] = [Source::House, Source::Feed, Source::Counter];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Source::House => "house",
            Source::Feed => "feed",
            Source::Counter => "counter",
        }
    }

    /// How its ids begin.
    fn letter(self) -> char {
        match self {
            Source::House => 'h',
            Source::Feed => 'q',
            Source::Counter => 'c',
        }
    }
}

/// Takes events in their order.
pub trait Sink {
    /// Why an event cannot be kept.
    type Fault;

    /// Takes an event of a time of the market.
    ///
    /// # Errors
    /// Where it cannot be kept.
    fn write(&mut self, source: Source, at: Time, event: &dyn Event) -> Result<(), Self::Fault>;
}

/// Events so far of each source, and the id of the last one.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    counts: [u64; 3],
    id: String,
}

impl Numbers {
    /// Counts an event; gives its id, and its number where its source numbers its events.
    pub fn next(&mut self, source: Source) -> (&str, Option<u64>) {
        let number = &mut self.counts[source as usize];
        *number += 1;
        self.id.clear();
        // Writing to a text cannot fail.
        let _ = write!(self.id, "{}{number}", source.letter());
        (&self.id, (source != Source::Feed).then_some(*number))
    }
}

/// What is sent at once: lines of NDJSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The lines.
    pub lines: Vec<u8>,
    /// How many they are.
    pub events: u64,
}

/// Events as lines in memory. They bear the time of the wall: all that are sent at once the same,
/// those after them a later one.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Names of the sources, in the order of [`Source::ALL`].
    names: [String; 3],
    numbers: Numbers,
    now: Time,
    muted: bool,
    body: Body,
}

impl Lines {
    /// No lines yet, of a run: its name stands in those of its sources, so that another run's
    /// numbers are not taken for its own.
    pub fn new(run: &str) -> Self {
        Lines {
            names: Source::ALL.map(|source| format!("{}.{run}", source.name())),
            numbers: Numbers::default(),
            now: Time(0),
            muted: false,
            body: Body::default(),
        }
    }

    /// Gives the time of what comes now, where nothing waits that has one.
    pub fn begin(&mut self, now: Time) {
        if self.body.events == 0 {
            self.now = Time(now.0.max(self.now.0 + 1));
        }
    }

    /// Counts events from now on without keeping them, or keeps them again.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Takes an event.
    pub fn put(&mut self, source: Source, event: &dyn Event) {
        let (id, source_seq) = self.numbers.next(source);
        if !self.muted {
            let stamp = Stamp { id, at: self.now, source_seq };
            json::event(&self.names[source as usize], &stamp, event, &mut self.body.lines);
            self.body.events += 1;
        }
    }

    /// How many events wait.
    pub fn waiting(&self) -> u64 {
        self.body.events
    }

    /// What waits.
    pub fn take(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

impl Sink for Lines {
    type Fault = Infallible;

    fn write(&mut self, source: Source, _: Time, event: &dyn Event) -> Result<(), Infallible> {
        self.put(source, event);
        Ok(())
    }
}
