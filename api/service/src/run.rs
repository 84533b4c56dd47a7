//! The live run: lines into epochs, epochs through the core and into the log, receipts out.
//!
//! One thread owns it. An epoch is cut by its limits, or when nothing more waits; its inputs, its effects
//! and its record go into the log with one sync, and only then is anybody told.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use plimsoll_engine::effect::{Effect, Out, Verdict};
use plimsoll_engine::input::{Body, Entry, Input};
use plimsoll_engine::num::Time;
use plimsoll_engine::rules::Rules;
use plimsoll_engine::{BYTES_OF_AN_ACCOUNT, Engine, Saved, StepStats};
use plimsoll_log::snapshot::{self, Pace, Writer};
use plimsoll_log::{Cut, Fault, Log, Record, Versions};
use plimsoll_wire::door::{CutEpoch, Door};
use plimsoll_wire::names::{Names, Saving};
use plimsoll_wire::print;
use plimsoll_wire::time::write_time;

use crate::body;
use crate::lanes::Threads;

/// The ticket of the run's own events: nobody waits for a receipt.
const OWN: Ticket = Ticket(u64::MAX);

/// A submission that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// An event of a submission that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line, or its place in the array, from 1.
    pub line: u32,
    /// Why, as a stable word.
    pub code: &'static str,
    /// Why, for people.
    pub detail: String,
}

/// What became of a submission, once all of it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Events that were applied.
    pub accepted: u64,
    /// Events that were seen before.
    pub duplicates: u64,
    /// Events that were not.
    pub refused: Vec<Refused>,
    /// The last epoch that holds one of them; the last of all where none does.
    pub epoch: u64,
}

/// An epoch that is in the log.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its number.
    pub number: u64,
    /// Its clock.
    pub clock: Time,
    /// Events in it.
    pub inputs: usize,
    /// Its effects: lines of NDJSON.
    pub effects: Vec<u8>,
    /// What the step did.
    pub stats: StepStats,
    /// Whether it begins a day.
    pub begins_a_day: bool,
    /// What became of its events, and what it told of.
    pub counts: Counts,
    /// How long the step took.
    pub step: Duration,
    /// How long it took to append and to sync.
    pub commit: Duration,
    /// Bytes that were appended.
    pub bytes: usize,
}

/// Events and effects of an epoch, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events applied.
    pub accepted: u64,
    /// Events seen before.
    pub duplicates: u64,
    /// Events refused, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// Effects by type.
    pub effects: BTreeMap<&'static str, u64>,
}

impl Counts {
    fn of(out: &Out) -> Self {
        let mut counts = Counts::default();
        for verdict in &out.verdicts {
            match verdict {
                Verdict::Accepted => counts.accepted += 1,
                Verdict::Duplicate => counts.duplicates += 1,
                Verdict::Refused(code) => *counts.refused.entry(code.word()).or_default() += 1,
            }
        }
        for effect in &out.effects {
            *counts.effects.entry(print::kind(effect)).or_default() += 1;
        }
        counts
    }
}

/// A receipt that is being written.
#[derive(Debug, Default)]
struct Waiting {
    receipt: Receipt,
    /// Events that are in no committed epoch yet.
    open: usize,
    /// Whether all its lines were taken.
    taken: bool,
}

/// What of a snapshot is handed over next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The state of the core.
    State,
    /// The names.
    Names,
    /// Nothing: it is on its way to the device.
    Ended,
}

/// A snapshot that is being written.
struct Snapshot {
    writer: Writer,
    names: Saving,
    part: Part,
    /// Bytes of the state of the core so far.
    bytes: u64,
    epoch: u64,
}

/// How a snapshot goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshotting {
    /// None is being written.
    Idle,
    /// There is more of it.
    More,
    /// The device must have what it was given before there is more.
    Waits,
    /// The snapshot of this epoch's end is there.
    Done(u64),
    /// An epoch changed every account: it is to be begun anew.
    GivenUp,
}

/// Where on the way of an epoch the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It recomputes its log.
    Recovering,
    /// It waits for something to do.
    Waiting,
    /// It takes events and steps; nothing of them is in the log.
    Stepping,
    /// It appends to the log and syncs.
    Appending,
    /// The epoch is in the log; nobody has been told.
    Answering,
}

/// Is told of every change of phase, and whether a snapshot is being written.
pub type Watcher = Box<dyn Fn(Phase, bool) + Send>;

/// The state of a live run.
pub struct Run {
    /// Before the log: while it is written, nobody else may have the directory.
    snapshot: Option<Snapshot>,
    door: Door,
    engine: Engine,
    threads: Threads,
    log: Log,
    out: Out,
    /// Whose the lines of the open epoch are.
    origins: Vec<(Ticket, u32)>,
    tickets: u64,
    waiting: BTreeMap<Ticket, Waiting>,
    receipts: VecDeque<(Ticket, Receipt)>,
    committed: VecDeque<Committed>,
    /// Digest of the policy, the tables and the calendar in force.
    rules: [u8; 16],
    watcher: Option<Watcher>,
}

impl Run {
    /// A run that goes on at the end of a log.
    pub(crate) fn new(door: Door, engine: Engine, threads: Threads, log: Log) -> Self {
        Run {
            rules: engine.decided_by(),
            watcher: None,
            door,
            engine,
            threads,
            log,
            out: Out::default(),
            origins: Vec::new(),
            tickets: 0,
            waiting: BTreeMap::new(),
            receipts: VecDeque::new(),
            committed: VecDeque::new(),
            snapshot: None,
        }
    }

    /// Tells of every change of phase from now on.
    pub fn watched_by(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    /// Says that a phase begins.
    pub fn enter(&self, phase: Phase) {
        if let Some(watcher) = &self.watcher {
            watcher(phase, self.is_saving());
        }
    }

    /// The book as it stands after the last epoch.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The names given so far.
    #[must_use]
    pub fn names(&self) -> &Names {
        self.door.names()
    }

    /// Works with the book and a door of its own, which knows all names; those it learns are forgotten.
    /// No epoch is open.
    pub fn aside<T>(&mut self, work: impl FnOnce(&Engine, &mut Door) -> T) -> T {
        let Run { door, engine, .. } = self;
        door.aside(|door| work(engine, door))
    }

    /// The tables the product carries.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        self.door.rules()
    }

    /// Number of the last epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.log.last()
    }

    /// The threads of its lanes.
    #[must_use]
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The log.
    #[must_use]
    pub fn log(&mut self) -> &mut Log {
        &mut self.log
    }

    /// Takes the events of a submission into the epochs they belong to; those that their limits end are
    /// committed. A line that is no event is in none, and refused.
    ///
    /// # Errors
    /// What the log says: the process is to end.
    pub fn take(&mut self, body: &[u8], now: Time) -> Result<Ticket, Fault> {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.waiting.insert(ticket, Waiting::default());
        match body::lines(body) {
            Ok(lines) => {
                for (number, line) in lines {
                    self.line(ticket, number, &line, now)?;
                }
            }
            Err(detail) => self.refuse(ticket, 1, format!("no array of events: {detail}")),
        }
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.taken = true;
        }
        self.settle(ticket);
        Ok(ticket)
    }

    fn line(&mut self, ticket: Ticket, number: u32, line: &[u8], now: Time) -> Result<(), Fault> {
        self.door.begin(now);
        match self.door.line(line) {
            Ok(cut) => {
                if let Some(cut) = cut {
                    self.commit(cut, Cut::Limit)?;
                }
                self.log.add(line);
                self.log.add(b"\n");
                self.origins.push((ticket, number));
                if let Some(waiting) = self.waiting.get_mut(&ticket) {
                    waiting.open += 1;
                }
            }
            Err(flaw) => self.refuse(ticket, number, format!("no event: {} at byte {}", flaw.what, flaw.at)),
        }
        Ok(())
    }

    fn refuse(&mut self, ticket: Ticket, line: u32, detail: String) {
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.receipt.refused.push(Refused { line, code: "malformed", detail });
        }
    }

    /// Ends the open epoch, if it holds anything, and commits it.
    ///
    /// # Errors
    /// What the log says: the process is to end.
    pub fn cut(&mut self) -> Result<(), Fault> {
        match self.door.finish() {
            Some(cut) => self.commit(cut, Cut::Idle),
            None => Ok(()),
        }
    }

    /// Lets time pass where a timer is due and nothing else does it: a `clock` event of the run's own.
    ///
    /// # Errors
    /// What the log says: the process is to end.
    pub fn tick(&mut self, now: Time) -> Result<(), Fault> {
        let due = self.engine.next_deadline().is_some_and(|due| due <= now);
        if !due || self.door.waiting() > 0 {
            return Ok(());
        }
        let mut line = format!(
            r#"{{"v":1,"type":"clock","id":"clock-{}","source":"plimsoll","at":""#,
            self.log.last() + 1
        );
        let mut at = Vec::new();
        write_time(&mut at, now);
        line.push_str(&String::from_utf8_lossy(&at));
        line.push_str("\"}");
        self.line(OWN, 0, line.as_bytes(), now)
    }

    /// Receipts of submissions all of whose events are committed.
    pub fn receipts(&mut self) -> impl Iterator<Item = (Ticket, Receipt)> + '_ {
        self.receipts.drain(..)
    }

    /// Epochs committed since they were last asked for.
    pub fn committed(&mut self) -> impl Iterator<Item = Committed> + '_ {
        self.committed.drain(..)
    }

    /// Steps an epoch, and commits it with what came of it.
    fn commit(&mut self, cut: CutEpoch, why: Cut) -> Result<(), Fault> {
        self.enter(Phase::Stepping);
        let started = Instant::now();
        let stats = self.engine.step(&cut.epoch, &self.threads, &mut self.out);
        let step = started.elapsed();
        let effects = self.threads.printed(self.door.names(), &cut, &self.out);
        if decides(&cut) {
            self.rules = self.engine.decided_by();
        }
        let number = cut.epoch.number;
        let record = Record {
            previous: [0; 32],
            number,
            clock_us: cut.epoch.clock.0,
            cut: why,
            inputs: cut.epoch.entries.len() as u32,
            versions: Versions { code: env!("CARGO_PKG_VERSION").to_owned(), rules: self.rules },
            effects: [0; 32],
            state: begins_a_day(&cut).then(|| state_of(&self.engine, &self.threads)),
        };
        self.enter(Phase::Appending);
        let started = Instant::now();
        let bytes = self.log.append(record, &effects)?;
        let commit = started.elapsed();
        self.enter(Phase::Answering);
        self.tell(&cut);
        self.committed.push_back(Committed {
            number,
            clock: cut.epoch.clock,
            inputs: cut.epoch.entries.len(),
            effects,
            stats,
            begins_a_day: begins_a_day(&cut),
            counts: Counts::of(&self.out),
            step,
            commit,
            bytes,
        });
        self.door.recycle(cut);
        Ok(())
    }

    /// Writes the verdicts of a committed epoch into the receipts.
    fn tell(&mut self, cut: &CutEpoch) {
        let mut details: BTreeMap<u32, String> = cut.details.iter().cloned().collect();
        for effect in &self.out.effects {
            if let Effect::Refused { input, detail, .. } = effect {
                details.entry(*input).or_insert_with(|| (*detail).to_owned());
            }
        }
        let origins = std::mem::take(&mut self.origins);
        for (entry, (&(ticket, line), verdict)) in (0..).zip(origins.iter().zip(&self.out.verdicts)) {
            let Some(Waiting { receipt, open, .. }) = self.waiting.get_mut(&ticket) else { continue };
            *open -= 1;
            receipt.epoch = cut.epoch.number;
            match verdict {
                Verdict::Accepted => receipt.accepted += 1,
                Verdict::Duplicate => receipt.duplicates += 1,
                Verdict::Refused(code) => {
                    let detail = details.remove(&entry).unwrap_or_default();
                    receipt.refused.push(Refused { line, code: code.word(), detail });
                }
            }
        }
        let mut tickets: Vec<Ticket> = origins.iter().map(|(ticket, _)| *ticket).collect();
        tickets.dedup();
        tickets.into_iter().for_each(|ticket| self.settle(ticket));
        self.origins = origins;
        self.origins.clear();
    }

    /// Gives a receipt away once its submission is taken whole and committed whole.
    fn settle(&mut self, ticket: Ticket) {
        if self.waiting.get(&ticket).is_some_and(|waiting| waiting.taken && waiting.open == 0)
            && let Some(Waiting { mut receipt, .. }) = self.waiting.remove(&ticket)
        {
            receipt.refused.sort_by_key(|refused| refused.line);
            receipt.epoch = if receipt.epoch == 0 { self.log.last() } else { receipt.epoch };
            self.receipts.push_back((ticket, receipt));
        }
    }

    /// Whether a snapshot is being written.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Epochs of the snapshots that are kept, the oldest first: the log is needed from there on.
    ///
    /// # Errors
    /// What the system says of the directory.
    pub fn snapshots(&self) -> Result<Vec<u64>, Fault> {
        snapshot::Snapshot::epochs(self.log.directory())
    }

    /// Begins a snapshot of the state after the last epoch, which must be the end of the log.
    ///
    /// # Errors
    /// What the device says.
    pub fn snapshot_begin(&mut self, pace: Pace) -> Result<(), Fault> {
        let (epoch, link) = (self.log.last(), self.log.link());
        let writer = Writer::begin(self.log.directory(), epoch, link, pace)?;
        self.engine.save_begin();
        let names = self.door.names().save_begin();
        self.snapshot = Some(Snapshot { writer, names, part: Part::State, bytes: 0, epoch });
        Ok(())
    }

    /// Goes on with a snapshot: so many accounts, or names of as many bytes as these take.
    ///
    /// # Errors
    /// What the device says.
    pub fn snapshot_on(&mut self, accounts: u32) -> Result<Snapshotting, Fault> {
        let Some(mut snapshot) = self.snapshot.take() else { return Ok(Snapshotting::Idle) };
        if snapshot.writer.is_finished() {
            let done = Snapshotting::Done(snapshot.epoch);
            return snapshot.writer.finish().map(|()| done);
        }
        if snapshot.part == Part::Ended || !snapshot.writer.has_room() {
            self.snapshot = Some(snapshot);
            return Ok(Snapshotting::Waits);
        }
        let mut piece = Vec::new();
        match snapshot.part {
            Part::State => {
                let saved = self.engine.save_on(accounts, &mut piece);
                snapshot.bytes += piece.len() as u64;
                match saved {
                    Saved::More => {}
                    Saved::Done => snapshot.part = Part::Names,
                    Saved::GivenUp => return snapshot.writer.finish().map(|()| Snapshotting::GivenUp),
                }
            }
            Part::Names | Part::Ended => {
                let bytes = accounts as usize * BYTES_OF_AN_ACCOUNT;
                if self.door.names().save_on(&mut snapshot.names, bytes, &mut piece) {
                    // Where the state of the core ends and the names begin.
                    piece.extend(snapshot.bytes.to_le_bytes());
                    snapshot.part = Part::Ended;
                }
            }
        }
        snapshot.writer.put(piece);
        if snapshot.part == Part::Ended {
            snapshot.writer.end();
        }
        self.snapshot = Some(snapshot);
        Ok(Snapshotting::More)
    }
}

/// Whether the record of an epoch holds the state hash: once a day, before the market opens, for it takes
/// every account.
fn begins_a_day(cut: &CutEpoch) -> bool {
    cut.epoch.entries.iter().any(|entry| matches!(entry.body, Body::Input(Input::DayStart(_))))
}

/// The state hash as a record has it.
pub(crate) fn state_of(engine: &Engine, threads: &Threads) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (eight, word) in bytes.chunks_exact_mut(8).zip(engine.state_hash_by(threads).0) {
        eight.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Whether an epoch may change the policy, the tables or the calendar: their events stand alone.
pub(crate) fn decides(cut: &CutEpoch) -> bool {
    let decides = |entry: &Entry| {
        matches!(entry.body, Body::Input(Input::Policy(_) | Input::Rules(_) | Input::Calendar(_)))
    };
    cut.epoch.entries.iter().any(decides)
}
