//! The one thread that owns the run: what waits becomes epochs, epochs are committed, and only then are
//! clients told and readers answered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use plimsoll_engine::effect::Tier;
use plimsoll_engine::num::Time;
use plimsoll_log::Fault;
use plimsoll_log::snapshot::Pace;
use plimsoll_service::run::{Committed, Phase, Receipt, Run, Snapshotting, Ticket};
use plimsoll_telemetry::{Metric, Metrics};
use tokio::sync::{mpsc, oneshot};

use crate::answer::Summary;
use crate::hub::Hub;
use crate::live::Live;
use crate::problem::Problem;

/// Requests that may wait for the writer.
const MOST_WAITING: usize = 1_024;
/// Bytes of submissions that may wait for it.
const MOST_WAITING_BYTES: usize = 128 << 20;
/// Questions over all accounts that may wait for it.
const MOST_LONG: usize = 16;
/// Bytes of submissions after which an epoch is cut although more waits.
const EPOCH_BYTES: usize = 16 << 20;
/// How long the writer sleeps where nothing waits, at most: timers are this late.
const IDLE: Duration = Duration::from_millis(50);
/// A snapshot is due after so many events, or so long in steps, if not by its epochs: a recovery must not
/// take longer than a few seconds.
const SNAPSHOT_EVERY: (u64, Duration) = (500_000, Duration::from_secs(1));
/// After so many, or so long, the run ends with one: the next start has less to recompute.
const SNAPSHOT_AT_END: (u64, Duration) = (50_000, Duration::from_millis(100));
/// A run that had more than so many to recompute begins with one: it may be ended before the next is done.
const SNAPSHOT_AT_START: (u64, Duration) = (750_000, Duration::MAX);
/// From the end of one to the begin of the next at least so many times as long as it took.
const SNAPSHOT_REST: u32 = 4;
/// How long a piece of a snapshot is to hold the writer up.
const PIECE: Duration = Duration::from_millis(1);
/// Pieces after a turn of the writer take this share of the time it took, but at least one and never longer
/// than so long.
const PIECES_SHARE: u32 = 4;
const LONGEST_PIECES: Duration = Duration::from_millis(6);
/// Accounts of a piece, at least and at most.
const PIECE_ACCOUNTS: (u32, u32) = (64, 65_536);
/// An epoch that takes as long is logged.
const SLOW: Duration = Duration::from_millis(50);
/// What is done for a snapshot between two epochs is logged where it takes as long.
const HELD_UP: Duration = Duration::from_millis(25);
/// From one summary to the next.
const SUMMARY: Duration = Duration::from_secs(1);
/// A question over all accounts waits while events do, but no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// After such a question, events have the writer for this many times as long as it took.
const REST: u32 = 4;

type Question = Box<dyn FnOnce(&mut Run, &Live) + Send>;

enum Ask {
    Events {
        body: Bytes,
        reply: oneshot::Sender<Receipt>,
        arrived: Instant,
    },
    /// About one account, or what is counted anyway.
    Short(Question),
    /// Over all accounts.
    Long(Question),
}

/// Who waits for a receipt, and since when.
type Replies = BTreeMap<Ticket, (oneshot::Sender<Receipt>, Instant)>;

/// What handlers have of the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    asks: SyncSender<Ask>,
    waiting_bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// The writer's end of it.
pub(crate) struct Waiting {
    asks: Receiver<Ask>,
    waiting_bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Writer {
    pub(crate) fn new(metrics: Arc<Metrics>) -> (Self, Waiting) {
        let (asks, taken) = sync_channel(MOST_WAITING);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let waiting = Waiting { asks: taken, waiting_bytes: waiting_bytes.clone(), metrics: metrics.clone() };
        (Writer { asks, waiting_bytes, metrics }, waiting)
    }

    /// Hands a submission over; gives its receipt once all of it is committed.
    pub(crate) async fn submit(&self, body: Bytes) -> Result<Receipt, Problem> {
        let len = body.len();
        if self.waiting_bytes.fetch_add(len, Ordering::AcqRel) + len > MOST_WAITING_BYTES {
            self.waiting_bytes.fetch_sub(len, Ordering::AcqRel);
            return Err(self.busy());
        }
        let (reply, receipt) = oneshot::channel();
        let handed = self.hand(Ask::Events { body, reply, arrived: Instant::now() });
        if handed.is_err() {
            self.waiting_bytes.fetch_sub(len, Ordering::AcqRel);
        }
        handed?;
        receipt.await.map_err(|_| Problem::ending())
    }

    /// Asks the run something between two steps, after what it shows is committed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Run, &Live) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask(Ask::Short, question).await
    }

    /// Asks the run something that takes all accounts: while events wait, and for some time after the
    /// question before, it waits too.
    pub(crate) async fn read_all<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Run, &Live) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask(Ask::Long, question).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        kind: fn(Question) -> Ask,
        question: impl FnOnce(&mut Run, &Live) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.hand(kind(Box::new(move |run, live| {
            // A client that has gone needs no answer.
            let _ = reply.send(question(run, live));
        })))?;
        // A question that was dropped unanswered was one too many, unless the run is about to end.
        answer.await.map_err(|_| self.busy())
    }

    fn busy(&self) -> Problem {
        self.metrics.add(Metric::Busy, &[], 1);
        Problem::busy()
    }

    fn hand(&self, ask: Ask) -> Result<(), Problem> {
        self.asks.try_send(ask).map_err(|refused| match refused {
            TrySendError::Full(_) => self.busy(),
            TrySendError::Disconnected(_) => Problem::ending(),
        })
    }
}

/// The wall's clock.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// When snapshots are taken, and how long what is before them is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Epochs from one to the next, at most.
    pub every: u64,
    /// Events since the newest one when the run begins.
    pub recovered_events: u64,
    /// How long archived segments are kept, where not for ever.
    pub keep: Option<Duration>,
}

/// How far snapshots have come.
pub(crate) struct Snapshots {
    plan: Plan,
    /// Epochs, events and time in steps since the last one began.
    since: (u64, u64, Duration),
    begun: Instant,
    not_before: Instant,
    /// Accounts of a piece, by how long the last one took.
    accounts: u32,
}

impl Snapshots {
    /// Those of a run that begins; the first one at once, where it had much to recompute. What that was counts:
    /// a run that is ended again and again would otherwise have more to recompute each time.
    ///
    /// # Errors
    /// What the device says.
    pub(crate) fn of(run: &mut Run, plan: Plan, metrics: &Metrics) -> Result<Self, Fault> {
        let newest = run.snapshots()?.last().copied().unwrap_or(0);
        let now = Instant::now();
        let mut snapshots = Snapshots {
            plan,
            since: (run.epoch() - newest, plan.recovered_events, Duration::ZERO),
            begun: now,
            not_before: now,
            accounts: 512,
        };
        snapshots.whole(SNAPSHOT_AT_START, run, metrics)?;
        Ok(snapshots)
    }

    fn count(&mut self, epoch: &Committed) {
        let (epochs, events, steps) = &mut self.since;
        *epochs += 1;
        *events += epoch.inputs as u64;
        *steps += epoch.step;
    }

    /// Whether there were so many events since the last one began, or as long steps.
    fn has_passed(&self, most: (u64, Duration)) -> bool {
        let (_, events, steps) = self.since;
        events >= most.0 || steps >= most.1
    }

    fn is_due(&self) -> bool {
        (self.since.0 >= self.plan.every || self.has_passed(SNAPSHOT_EVERY))
            && Instant::now() >= self.not_before
    }

    /// Writes one of the last epoch while nothing else waits, where so many events or so long steps have
    /// passed.
    fn whole(&mut self, most: (u64, Duration), run: &mut Run, metrics: &Metrics) -> Result<(), Fault> {
        if !self.has_passed(most) {
            return Ok(());
        }
        self.begin(run, Pace::Alone)?;
        while run.is_saving() {
            self.accounts = PIECE_ACCOUNTS.1;
            self.piece(run, metrics)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn begin(&mut self, run: &mut Run, pace: Pace) -> Result<(), Fault> {
        (self.begun, self.since) = (Instant::now(), (0, 0, Duration::ZERO));
        run.snapshot_begin(pace)
    }

    /// Goes on with the snapshot under way, or begins one that is due, after a turn that took so long.
    fn go_on(&mut self, turn: Duration, run: &mut Run, metrics: &Metrics) -> Result<(), Fault> {
        let until = Instant::now() + (turn / PIECES_SHARE).min(LONGEST_PIECES);
        while self.piece(run, metrics)? == Snapshotting::More && Instant::now() < until {}
        Ok(())
    }

    /// Writes a piece of the snapshot under way, or begins one that is due.
    fn piece(&mut self, run: &mut Run, metrics: &Metrics) -> Result<Snapshotting, Fault> {
        let started = Instant::now();
        let went_on = run.snapshot_on(self.accounts)?;
        match went_on {
            state @ (Snapshotting::Idle | Snapshotting::GivenUp) => {
                metrics.add(Metric::SnapshotsGivenUp, &[], u64::from(state == Snapshotting::GivenUp));
                if state == Snapshotting::GivenUp || self.is_due() {
                    self.begin(run, Pace::Beside)?;
                }
            }
            Snapshotting::Waits => {}
            Snapshotting::More => {
                let fitting =
                    u128::from(self.accounts) * PIECE.as_nanos() / started.elapsed().as_nanos().max(1);
                let most = self.accounts.saturating_mul(2).min(PIECE_ACCOUNTS.1);
                self.accounts = u32::try_from(fitting).unwrap_or(most).clamp(PIECE_ACCOUNTS.0, most);
            }
            Snapshotting::Done(epoch) => {
                self.not_before = started + self.begun.elapsed() * SNAPSHOT_REST;
                metrics.set(Metric::SnapshotEpoch, &[], epoch as i64);
                let took = self.begun.elapsed();
                metrics.note(Metric::Snapshot, &[], took.as_secs_f64());
                run.log().rotate()?;
                let kept = run.snapshots()?;
                let archived = run.log().archive_before(kept.first().map_or(0, |oldest| oldest + 1))?;
                let dropped = match self.plan.keep {
                    Some(keep) => {
                        let since = SystemTime::now().checked_sub(keep).unwrap_or(UNIX_EPOCH);
                        run.log().drop_archived(since)?
                    }
                    None => 0,
                };
                tracing::info!(epoch, took_ms = took.as_millis() as u64, archived, dropped, "snapshot");
            }
        }
        Ok(went_on)
    }
}

/// Questions over all accounts, one at a time.
struct Long {
    waiting: VecDeque<(Question, Instant)>,
    not_before: Instant,
}

impl Long {
    fn add(&mut self, question: Question) {
        // One too many is dropped, which tells its client.
        if self.waiting.len() < MOST_LONG {
            self.waiting.push_back((question, Instant::now()));
        }
    }

    /// Answers the first, where events have had their turn.
    fn go_on(&mut self, run: &mut Run, live: &Live, idle: bool) {
        let due = |(_, since): &(Question, Instant)| idle || since.elapsed() >= LONGEST_WAIT;
        if Instant::now() < self.not_before || !self.waiting.front().is_some_and(due) {
            return;
        }
        if let Some((question, _)) = self.waiting.pop_front() {
            let started = Instant::now();
            question(run, live);
            self.not_before = Instant::now() + started.elapsed() * REST;
        }
    }
}

/// What the writer works with.
pub(crate) struct Driver {
    pub run: Run,
    pub live: Live,
    pub hub: Hub,
    /// Where committed epochs go.
    pub told: mpsc::Sender<Committed>,
}

impl Driver {
    /// Runs until every handle is gone, then commits what is open.
    ///
    /// # Errors
    /// What the log says: nothing more may be written, and the process is to end.
    pub(crate) fn drive(mut self, mut snapshots: Snapshots, waiting: &Waiting) -> Result<(), Fault> {
        let metrics = &*waiting.metrics;
        let mut replies = Replies::new();
        let mut questions: Vec<Question> = Vec::new();
        let mut long = Long { waiting: VecDeque::new(), not_before: Instant::now() };
        let mut summarised = Instant::now();
        loop {
            let busy = self.run.is_saving() || !long.waiting.is_empty();
            let patience = if busy { Duration::from_millis(1) } else { IDLE };
            let (mut next, ended) = match waiting.asks.recv_timeout(patience) {
                Ok(ask) => (Some(ask), false),
                Err(RecvTimeoutError::Timeout) => (None, false),
                Err(RecvTimeoutError::Disconnected) => (None, true),
            };
            let (turn, idle) = (Instant::now(), next.is_none());
            let mut bytes = 0;
            while let Some(ask) = next {
                match ask {
                    Ask::Events { body, reply, arrived } => {
                        bytes += body.len();
                        waiting.waiting_bytes.fetch_sub(body.len(), Ordering::AcqRel);
                        replies.insert(self.run.take(&body, now())?, (reply, arrived));
                    }
                    Ask::Short(question) => questions.push(question),
                    Ask::Long(question) => long.add(question),
                }
                next = if bytes < EPOCH_BYTES { waiting.asks.try_recv().ok() } else { None };
            }
            self.run.tick(now())?;
            self.run.cut()?;
            self.tell(&mut replies, &mut snapshots, metrics);
            questions.drain(..).for_each(|question| question(&mut self.run, &self.live));
            long.go_on(&mut self.run, &self.live, idle);
            let (saving, was_saving) = (Instant::now(), self.run.is_saving());
            snapshots.go_on(saving - turn, &mut self.run, metrics)?;
            let pause = saving.elapsed();
            if was_saving || self.run.is_saving() {
                metrics.note(Metric::SnapshotPause, &[], pause.as_secs_f64());
            }
            if pause >= HELD_UP {
                let took_ms = pause.as_millis() as u64;
                tracing::warn!(epoch = self.run.epoch(), took_ms, "a snapshot held the writer up");
            }
            if summarised.elapsed() >= SUMMARY {
                summarised = Instant::now();
                metrics.set(Metric::Waiting, &[], waiting.waiting_bytes.load(Ordering::Relaxed) as i64);
                self.summarise(metrics);
            }
            if ended {
                return snapshots.whole(SNAPSHOT_AT_END, &mut self.run, metrics);
            }
        }
    }

    /// Answers those who submitted what was committed, then tells of it: behind a thousand clients of the
    /// stream an answer would wait for all of them.
    fn tell(&mut self, replies: &mut Replies, snapshots: &mut Snapshots, metrics: &Metrics) {
        let epochs: Vec<Committed> = self.run.committed().collect();
        for epoch in &epochs {
            self.live.committed(self.run.engine(), epoch);
            count(metrics, epoch);
            snapshots.count(epoch);
        }
        for (ticket, receipt) in self.run.receipts() {
            if let Some((reply, arrived)) = replies.remove(&ticket) {
                metrics.note(Metric::TickToCommit, &[], arrived.elapsed().as_secs_f64());
                let _ = reply.send(receipt);
            }
        }
        for epoch in epochs {
            // Without a hub there is nobody to tell.
            let _ = self.told.blocking_send(epoch);
        }
        self.run.enter(Phase::Waiting);
    }

    fn summarise(&self, metrics: &Metrics) {
        let engine = self.run.engine();
        for (tier, count) in Tier::ALL.iter().zip(engine.tiers()) {
            metrics.set(Metric::Tier, &[tier.word()], count as i64);
        }
        metrics.note_process();
        let quotes = engine.quotes();
        metrics.set(Metric::Unmarked, &[], quotes.unmarked.into());
        if let Some(newest) = quotes.newest {
            metrics.note(Metric::MarkAge, &[], (now().0 - newest.0).max(0) as f64 / 1e6);
        }
        if self.hub.wants_summaries()
            && let Ok(text) = serde_json::to_string(&Summary::of(&self.run, &self.live))
        {
            self.hub.summarise(text);
        }
    }
}

fn count(metrics: &Metrics, epoch: &Committed) {
    if epoch.step + epoch.commit >= SLOW {
        let (step_ms, commit_ms) = (epoch.step.as_millis() as u64, epoch.commit.as_millis() as u64);
        tracing::warn!(epoch = epoch.number, events = epoch.inputs, step_ms, commit_ms, "slow epoch");
    }
    metrics.add(Metric::Epochs, &[], 1);
    metrics.set(Metric::Epoch, &[], epoch.number as i64);
    metrics.note(Metric::EpochEvents, &[], epoch.inputs as f64);
    metrics.note(Metric::Step, &[], epoch.step.as_secs_f64());
    metrics.note(Metric::Commit, &[], epoch.commit.as_secs_f64());
    metrics.add(Metric::LogBytes, &[], epoch.bytes as u64);
    metrics.add(Metric::Events, &["accepted"], epoch.counts.accepted);
    metrics.add(Metric::Events, &["duplicate"], epoch.counts.duplicates);
    for (code, &events) in &epoch.counts.refused {
        metrics.add(Metric::Refused, &[code], events);
        metrics.add(Metric::Events, &["refused"], events);
    }
    for (kind, &effects) in &epoch.counts.effects {
        metrics.add(Metric::Effects, &[kind], effects);
    }
}
