//! Starting is recovering: the newest whole snapshot, then every epoch of the log since, recomputed and
//! compared with what was recorded.

use std::path::Path;
use std::sync::Arc;

use plimsoll_engine::effect::Out;
use plimsoll_engine::num::Time;
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::{Engine, StateHash};
use plimsoll_log::snapshot::Snapshot;
use plimsoll_log::{Device, Directory, Epoch, Fault, Log, Reader};
use plimsoll_wire::door::{CutEpoch, Door};
use plimsoll_wire::names::Names;

use crate::lanes::Threads;
use crate::run::{Run, decides, state_of};

/// Why a run cannot be recovered.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What the log says.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// This version makes something else of an epoch than was recorded.
    #[error("epoch {epoch}: {what}; it was recorded by version {by}, this is version {}", env!("CARGO_PKG_VERSION"))]
    Diverged {
        /// The epoch.
        epoch: u64,
        /// What differs.
        what: &'static str,
        /// The version that recorded it.
        by: String,
    },
    /// The system gives no threads.
    #[error("{0}")]
    Threads(String),
}

impl Failure {
    /// The exit status of a process that ends by it.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Failure::Fault(fault) => fault.status(),
            Failure::Diverged { .. } => 20,
            Failure::Threads(_) => 21,
        }
    }
}

/// What a recovery did.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The epoch of the snapshot it began with; 0 where there was none.
    pub snapshot: u64,
    /// Snapshots that were passed over, and why.
    pub passed_over: Vec<Fault>,
    /// Epochs recomputed, and events in them.
    pub epochs: u64,
    /// Events in them.
    pub events: u64,
}

/// Epochs of a log through a door and a core, each compared with its record.
pub struct Replay {
    /// Names so far.
    pub door: Door,
    /// The book so far.
    pub engine: Engine,
    threads: Threads,
    out: Out,
    effects: Vec<u8>,
    rules: [u8; 16],
}

impl Replay {
    /// A replay from the first epoch on.
    ///
    /// # Errors
    /// Where the system gives no threads.
    ///
    /// # Panics
    /// Where the tables of the product do not make a policy.
    pub fn new(lanes: usize) -> Result<Self, Failure> {
        let door = Door::live(Names::default(), 1, Time(0));
        let rules = door.rules().clone();
        let engine = Engine::new(&PolicyDraft::default(), rules, lanes).expect("the default policy");
        Ok(Self::of(door, engine, Threads::new(lanes).map_err(Failure::Threads)?))
    }

    /// A replay from the epoch after a snapshot's on.
    ///
    /// # Errors
    /// Where the snapshot holds no state of this version, or the system gives no threads.
    pub fn after(snapshot: &Snapshot, lanes: usize, path: &Path) -> Result<Self, Failure> {
        let strange = || Fault::Damaged {
            path: path.to_owned(),
            epoch: Some(snapshot.epoch),
            what: "its snapshot holds no state of this version".to_owned(),
        };
        let (sections, end) = snapshot.state().split_last_chunk::<8>().ok_or_else(strange)?;
        let end = usize::try_from(u64::from_le_bytes(*end)).map_err(|_| strange())?;
        let (state, names) = sections.split_at_checked(end).ok_or_else(strange)?;
        let threads = Threads::new(lanes).map_err(Failure::Threads)?;
        let (engine, names) = std::thread::scope(|scope| {
            let names = scope.spawn(|| Names::load(names));
            (Engine::load(state, lanes, &threads), names.join())
        });
        let engine = engine.map_err(|_| strange())?;
        let names = names.ok().flatten().ok_or_else(strange)?;
        let door = Door::live(names, snapshot.epoch + 1, engine.clock());
        Ok(Self::of(door, engine, threads))
    }

    fn of(door: Door, engine: Engine, threads: Threads) -> Self {
        let rules = engine.decided_by();
        Replay { door, engine, threads, out: Out::default(), effects: Vec::new(), rules }
    }

    /// Takes an epoch of the log: steps it as it was cut, and compares what comes of it. Gives its
    /// effects: lines of NDJSON.
    ///
    /// # Errors
    /// [`Failure::Diverged`] where something else comes of it than was recorded.
    pub fn step(&mut self, epoch: &Epoch) -> Result<&[u8], Failure> {
        let record = &epoch.record;
        let diverged =
            |what| Failure::Diverged { epoch: record.number, what, by: record.versions.code.clone() };
        let cut = self.cut(epoch).ok_or_else(|| diverged("its lines are cut otherwise"))?;
        if cut.epoch.number != record.number || cut.epoch.clock.0 != record.clock_us {
            return Err(diverged("it has another number or clock"));
        }
        self.engine.step(&cut.epoch, &self.threads, &mut self.out);
        self.effects = self.threads.printed(self.door.names(), &cut, &self.out);
        if decides(&cut) {
            self.rules = self.engine.decided_by();
        }
        self.door.recycle(cut);
        if self.rules != record.versions.rules {
            return Err(diverged("another policy, table or calendar is in force"));
        }
        if *blake3::hash(&self.effects).as_bytes() != record.effects {
            return Err(diverged("its effects differ"));
        }
        if record.state.is_some_and(|state| state != state_of(&self.engine, &self.threads)) {
            return Err(diverged("the state differs"));
        }
        Ok(&self.effects)
    }

    /// The lines of an epoch, cut where they were.
    fn cut(&mut self, epoch: &Epoch) -> Option<CutEpoch> {
        self.door.begin(Time(epoch.record.clock_us));
        let lines = epoch.lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        for line in lines {
            if self.door.line(line) != Ok(None) {
                return None;
            }
        }
        self.door.finish()
    }

    /// The hash of the state.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        self.engine.state_hash()
    }
}

/// What is shown of an epoch while it is recomputed: the book after it, and the epoch.
pub type Seen<'a> = &'a mut dyn FnMut(&Engine, &Epoch);

/// Recovers the run of a directory, or begins one; shows every epoch that it recomputes.
///
/// # Errors
/// What is wrong with the log, or what this version makes otherwise.
pub fn recover(
    path: &Path,
    device: Arc<dyn Device>,
    lanes: usize,
    seen: Seen<'_>,
) -> Result<(Run, Recovery), Failure> {
    let directory = Directory::take(path)?;
    let (snapshot, passed_over) = Snapshot::newest(&directory)?;
    let log = Log::open(directory, device)?;
    let mut recovery = Recovery { passed_over, ..Recovery::default() };
    let (mut replay, link) = match &snapshot {
        Some(snapshot) => {
            recovery.snapshot = snapshot.epoch;
            (Replay::after(snapshot, lanes, path)?, Some(snapshot.link))
        }
        None => (Replay::new(lanes)?, None),
    };
    drop(snapshot);
    if recovery.snapshot > log.last() {
        let what = format!("the log ends at epoch {}, before its snapshot", log.last());
        return Err(Fault::Damaged { path: path.to_owned(), epoch: Some(log.last() + 1), what }.into());
    }
    if recovery.snapshot < log.last() {
        for epoch in Reader::from(path, recovery.snapshot + 1)?.ahead() {
            let epoch = epoch?;
            if recovery.epochs == 0 && link.is_some_and(|link| link != epoch.record.previous) {
                let what = "it does not follow the snapshot".to_owned();
                let (path, epoch) = (path.to_owned(), Some(epoch.record.number));
                return Err(Fault::Damaged { path, epoch, what }.into());
            }
            replay.step(&epoch)?;
            seen(&replay.engine, &epoch);
            recovery.epochs += 1;
            recovery.events += u64::from(epoch.record.inputs);
        }
    }
    assert_eq!(recovery.snapshot + recovery.epochs, log.last(), "every epoch of the log was recomputed");
    let Replay { door, engine, threads, .. } = replay;
    Ok((Run::new(door, engine, threads, log), recovery))
}
