//! Epochs through `step`, timed, with a digest of every tier change.

use crate::book::{Bench, Shape, accounts, universe};
use plimsoll_broker::{Counter, Feed, FeedEpoch, FeedKind};
use plimsoll_engine::Exec;
use plimsoll_engine::effect::{Effect, Out};
use plimsoll_engine::input::SecurityName;
use plimsoll_engine::scenario::{Shock, Target};
use std::time::{Duration, Instant};

/// What a run of epochs came to.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Time of each step, sorted.
    pub times: Vec<Duration>,
    /// Processor time of all steps together.
    pub cpu: Duration,
    /// Tier changes.
    pub changes: u64,
    /// Epochs decided by each path, in the order of [`plimsoll_engine::Path`].
    pub paths: [u64; 4],
    /// Rows looked at, all epochs together.
    pub looked: u64,
    /// Digest of every tier change: epoch, account, from, to, A and D.
    pub digest: String,
}

/// A digest of tier changes in the order of epochs and accounts.
#[derive(Clone, Debug, Default)]
pub struct Digest(blake3::Hasher);

impl Digest {
    /// Takes the effects of an epoch; gives how many changes there were.
    pub fn take(&mut self, epoch: u64, out: &Out) -> u64 {
        let mut count = 0;
        for effect in &out.effects {
            if let Effect::TierChanged(changed) = effect {
                count += 1;
                let assets = changed.assets.unwrap_or(i128::MIN);
                self.0.update(&epoch.to_le_bytes());
                self.0.update(&changed.account.0.to_le_bytes());
                self.0.update(&[changed.from as u8, changed.to as u8]);
                self.0.update(&assets.to_le_bytes());
                self.0.update(&changed.debts.to_le_bytes());
            }
        }
        count
    }

    /// The first digits of it.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.finalize().to_hex()[..16].to_owned()
    }
}

impl Run {
    /// The time below which a share of steps lies, in thousandths.
    #[must_use]
    pub fn quantile(&self, permille: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get(last * permille / 1000).copied().unwrap_or_default()
    }

    /// One line of figures; `cpu_us` is the mean of an epoch over all threads.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let us = |permille| self.quantile(permille).as_nanos() / 100;
        let [p50, p99, p999, max] = [500, 990, 999, 1000].map(us);
        let [inputs, holders, rows, every] = self.paths;
        let dot = |tenths: u128| format!("{}.{}", tenths / 10, tenths % 10);
        format!(
            "{name}: epochs {} p50_us {} p99_us {} p999_us {} max_us {} cpu_us {} changes {} looked {} \
             paths inputs={inputs} holders={holders} rows={rows} every={every} digest {}",
            self.times.len(),
            dot(p50),
            dot(p99),
            dot(p999),
            dot(max),
            dot(self.cpu.as_nanos() / 100 / self.times.len().max(1) as u128),
            self.changes,
            self.looked,
            self.digest,
        )
    }
}

/// Time that all threads of the process have spent on a processor.
fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = |task: std::fs::DirEntry| -> Option<u64> {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(spent).sum())
}

/// A book that was opened, on the morning of its first day.
pub fn opened(shape: &Shape, exec: &impl Exec) -> (Bench, Duration) {
    let (universe, day) = universe(shape);
    let started = Instant::now();
    let mut bench = Bench::new(shape, &universe, day, exec);
    bench.open(&accounts(shape, &universe, day), exec);
    let took = started.elapsed();
    bench.start_day(exec);
    (bench, took)
}

/// Runs a feed. Only the step is timed; a mixed feed reports `facts` after each snapshot.
pub fn feed(
    bench: &mut Bench,
    shape: &Shape,
    kind: FeedKind,
    (epochs, batch, facts): (usize, usize, usize),
    exec: &impl Exec,
) -> Run {
    let (universe, day) = universe(shape);
    let book = accounts(shape, &universe, day);
    let mut feed = Feed::new(kind, &universe, shape.seed);
    if kind == FeedKind::Mixed {
        feed = feed.with_counter(Counter::new(&book, shape.seed, shape.profile, day), facts);
    }
    let mut next = FeedEpoch::default();
    timed(bench, epochs, exec, |bench| {
        for _ in 0..batch {
            feed.next_epoch(&mut next);
            bench.quote(&next.ticks);
            bench.report(&next.facts);
        }
    })
}

/// Runs facts of the counter, one an epoch.
pub fn facts(bench: &mut Bench, shape: &Shape, epochs: usize, exec: &impl Exec) -> Run {
    let (universe, day) = universe(shape);
    let book = accounts(shape, &universe, day);
    let counter = Counter::new(&book, shape.seed, shape.profile, day);
    let mut feed = Feed::new(FeedKind::Mixed, &universe, shape.seed).with_counter(counter, 1);
    let mut next = FeedEpoch::default();
    timed(bench, epochs, exec, |bench| {
        next.facts.clear();
        // Every other epoch of a mixed feed is a snapshot, which is passed over.
        while next.facts.is_empty() {
            feed.next_epoch(&mut next);
        }
        bench.report(&next.facts);
    })
}

/// How often a question is asked.
const ASKED: usize = 5;

/// Asks for a scenario, one with its sales, and the map of the most held security; a line each.
pub fn ask(bench: &Bench, shape: &Shape, exec: &impl Exec) -> Vec<String> {
    let (universe, _) = universe(shape);
    let shock = Shock { moves: vec![(Target::Market, -8_000_000)], betas: Vec::new() };
    let most = SecurityName(universe.ranking[0]);
    let line = |name: &str, question: &dyn Fn() -> String| {
        let mut run = Run::default();
        for _ in 0..ASKED {
            let (cpu, started) = (processor_time(), Instant::now());
            let answer = question();
            run.times.push(started.elapsed());
            run.cpu += processor_time().saturating_sub(cpu);
            run.digest = blake3::hash(answer.as_bytes()).to_hex()[..16].to_owned();
        }
        run.times.sort_unstable();
        run.line(name)
    };
    let engine = &bench.engine;
    vec![
        line("scenario", &|| format!("{:?}", engine.scenario(&shock, false, exec))),
        line("scenario_sales", &|| format!("{:?}", engine.scenario(&shock, true, exec))),
        line("map", &|| format!("{:?}", engine.liquidation_map(most, exec))),
    ]
}

/// Settles so many days, one after the other.
pub fn settle(bench: &mut Bench, days: usize, exec: &impl Exec) -> Run {
    timed(bench, days, exec, Bench::end_day)
}

/// Times the step of epochs that `prepare` puts together.
fn timed(bench: &mut Bench, epochs: usize, exec: &impl Exec, mut prepare: impl FnMut(&mut Bench)) -> Run {
    let (mut run, mut digest) = (Run::default(), Digest::default());
    for number in 0..epochs {
        prepare(bench);
        let (cpu, started) = (processor_time(), Instant::now());
        let stats = bench.step(exec);
        run.times.push(started.elapsed());
        run.cpu += processor_time().saturating_sub(cpu);
        run.changes += digest.take(number as u64, &bench.out);
        run.looked += stats.looked;
        run.paths[stats.path as usize] += 1;
    }
    run.times.sort_unstable();
    run.digest = digest.text();
    run
}
