//! One replay: records in, epochs through the engine, effects, state and trace out.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use plimsoll_engine::effect::Out;
use plimsoll_engine::num::Time;
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::{AccountView, Engine, StateHash};
use plimsoll_wire::door::{CutEpoch, Door};
use plimsoll_wire::names::Names;
use plimsoll_wire::print;

use plimsoll_service::lanes::Threads;

use crate::summary::Summary;

/// Where a replay stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// Before the first epoch later than this.
    Time(Time),
    /// After this epoch.
    Epoch(u64),
}

/// A sink of bytes that may be absent.
pub type Sink = Option<Box<dyn Write>>;

/// The state of a replay.
pub struct Session {
    /// The door.
    pub door: Door,
    engine: Engine,
    threads: Threads,
    out: Out,
    effects: Sink,
    trace: Sink,
    buffer: Vec<u8>,
    as_of: Option<AsOf>,
    /// Set once `as_of` is reached: nothing more is taken.
    pub done: bool,
    summary: Option<Summary>,
    started: Instant,
    files: Vec<(String, u64, Duration)>,
}

impl Session {
    /// A replay of a policy over a number of lanes.
    ///
    /// # Errors
    /// A faulty policy, or no threads.
    pub fn new(policy: &PolicyDraft, lanes: usize, effects: Sink, trace: Sink) -> Result<Self, String> {
        let door = Door::new();
        let engine = Engine::new(policy, door.rules().clone(), lanes)
            .map_err(|refused| format!("{}: {}", refused.code.word(), refused.detail))?;
        Ok(Session {
            door,
            engine,
            threads: Threads::new(lanes)?,
            out: Out::default(),
            effects,
            trace,
            buffer: Vec::new(),
            as_of: None,
            done: false,
            summary: None,
            started: Instant::now(),
            files: Vec::new(),
        })
    }

    /// A replay that goes on from a saved state.
    ///
    /// # Errors
    /// What is wrong with the bytes, or no threads.
    pub fn load(bytes: &[u8], lanes: usize) -> Result<Self, String> {
        let (names, state) = unsealed(bytes)?;
        let empty = Session::new(&PolicyDraft::default(), lanes, None, None)?;
        let engine = Engine::load(state, lanes, &empty.threads)
            .map_err(|_| "the state in it is of another version")?;
        Ok(Session { door: Door::with_names(names), engine, ..empty })
    }

    /// Writes the state with its names, sealed by a checksum.
    ///
    /// # Errors
    /// What the writer says.
    pub fn save(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.door.names().save();
        let (mut seal, mut done) = (blake3::Hasher::new(), Ok(()));
        // Piece by piece: a large book is never in memory twice.
        let mut put = |bytes: &[u8]| {
            if done.is_ok() {
                seal.update(bytes);
                done = out.write_all(bytes);
            }
        };
        put(SAVED);
        put(&(names.len() as u64).to_le_bytes());
        put(&names);
        self.engine.save_to(put);
        done?;
        out.write_all(seal.finalize().as_bytes())
    }

    /// The book as it stands.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The door and the book.
    pub fn parts(&mut self) -> (&mut Door, &Engine) {
        (&mut self.door, &self.engine)
    }

    /// The threads of its lanes.
    #[must_use]
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Stops at a time or an epoch.
    #[must_use]
    pub fn until(mut self, as_of: Option<AsOf>) -> Self {
        self.as_of = as_of;
        self
    }

    /// Counts what a summary shows.
    #[must_use]
    pub fn summarised(mut self, wanted: bool) -> Self {
        self.summary = wanted.then(Summary::default);
        self
    }

    /// Steps an epoch and writes what came of it.
    ///
    /// # Errors
    /// When a sink cannot be written.
    pub fn step(&mut self, cut: CutEpoch) -> io::Result<()> {
        let late = match self.as_of {
            Some(AsOf::Time(time)) => cut.epoch.clock > time,
            Some(AsOf::Epoch(number)) => cut.epoch.number > number,
            None => false,
        };
        if self.done || late {
            self.done = true;
            return Ok(());
        }
        self.engine.step(&cut.epoch, &self.threads, &mut self.out);
        if let Some(summary) = &mut self.summary {
            summary.count(cut.epoch.clock, &self.out);
        }
        if let Some(effects) = self.effects.as_mut().filter(|_| !self.out.effects.is_empty()) {
            self.buffer.clear();
            print::effects(&mut self.buffer, self.door.names(), &cut, &self.out);
            effects.write_all(&self.buffer)?;
        }
        if let Some(trace) = &mut self.trace {
            self.buffer.clear();
            for ordinal in 0..self.engine.accounts() {
                let view = self.engine.account(ordinal);
                print::trace(&mut self.buffer, cut.epoch.number, &state_of(&view, self.door.names()));
            }
            trace.write_all(&self.buffer)?;
        }
        self.done = self.as_of == Some(AsOf::Epoch(cut.epoch.number));
        self.door.recycle(cut);
        Ok(())
    }

    /// Ends the replay: the last epoch, then the state lines and the sinks.
    ///
    /// # Errors
    /// When a sink cannot be written.
    pub fn finish(&mut self, state: &mut Sink) -> io::Result<StateHash> {
        if let Some(cut) = self.door.finish() {
            let (started, records) = (Instant::now(), cut.epoch.entries.len());
            self.step(cut)?;
            self.note_file("the last epoch", records as u64, started.elapsed());
        }
        if let Some(state) = state {
            state_lines(&self.engine, self.door.names(), state)?;
        }
        self.effects.as_mut().map_or(Ok(()), |sink| sink.flush())?;
        self.trace.as_mut().map_or(Ok(()), |sink| sink.flush())?;
        Ok(self.engine.state_hash())
    }

    /// The summary, where one is wanted.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let took = self.started.elapsed();
        self.summary.as_ref().map(|summary| summary.text(&self.engine, self.door.names(), took))
    }

    /// Notes how long a file took. The last epoch of a file is open until the next one cuts it.
    pub fn note_file(&mut self, name: &str, records: u64, took: Duration) {
        self.files.push((name.to_owned(), records, took));
    }

    /// How long each file took.
    #[must_use]
    pub fn files(&self) -> &[(String, u64, Duration)] {
        &self.files
    }

    /// Epochs and accounts so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u32) {
        (self.engine.epoch(), self.engine.accounts())
    }
}

/// First bytes of a saved state.
pub const SAVED: &[u8] = b"plimsoll state 1\n";

/// Names and state of a saved state.
fn unsealed(bytes: &[u8]) -> Result<(Names, &[u8]), &'static str> {
    let (body, seal) = bytes.split_last_chunk::<32>().ok_or("it is cut off")?;
    if blake3::hash(body).as_bytes() != seal {
        return Err("its checksum is another: it is damaged or cut off");
    }
    let rest = body.strip_prefix(SAVED).ok_or("it is no saved state")?;
    let (length, rest) = rest.split_first_chunk().ok_or("it is cut off")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "it is cut off")?;
    let (names, state) = rest.split_at_checked(length).ok_or("it is cut off")?;
    Ok((Names::load(names).ok_or("the names in it are of another version")?, state))
}

/// What a state line shows of an account.
pub fn state_of<'a>(view: &'a AccountView, names: &'a Names) -> print::State<'a> {
    print::State {
        account: names.account(view.account),
        customer: names.customer(view.customer),
        tier: view.tier,
        figures: &view.figures,
    }
}

/// Writes one line for every account of a book, in order of ordinals.
///
/// # Errors
/// When the sink cannot be written.
pub fn state_lines(engine: &Engine, names: &Names, state: &mut impl Write) -> io::Result<()> {
    const LINES: u32 = 4096;
    let mut buffer = Vec::new();
    for first in (0..engine.accounts()).step_by(LINES as usize) {
        buffer.clear();
        for ordinal in first..engine.accounts().min(first + LINES) {
            print::state(&mut buffer, &state_of(&engine.account(ordinal), names));
        }
        state.write_all(&buffer)?;
    }
    state.flush()
}
