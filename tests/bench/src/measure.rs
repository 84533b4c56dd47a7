//! Epochs through `step`, timed, with a digest of every tier change.

use crate::book::{Bench, Shape, accounts, empty, universe};
use crate::machine::{forget_peak, memory_mib, read_once};
use plimsoll_broker::{Counter, Facts, Feed, FeedEpoch, FeedKind};
use plimsoll_engine::effect::{Effect, Out};
use plimsoll_engine::input::SecurityName;
use plimsoll_engine::scenario::{Shock, Target};
use plimsoll_engine::{Engine, Exec, Saved, StepStats};
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
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
    /// Every epoch in order.
    pub each: Vec<Each>,
    /// Digest of every tier change: epoch, account, from, to, A and D.
    pub digest: String,
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug)]
pub struct Each {
    /// Time of the step.
    pub time: Duration,
    /// What it did.
    pub stats: StepStats,
    /// Tier changes.
    pub changes: u64,
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

    /// A line of every epoch: where the time goes.
    pub fn each_lines(&self) -> impl Iterator<Item = String> {
        self.each.iter().enumerate().map(|(number, each)| {
            let StepStats { looked, judged, path, .. } = each.stats;
            let (us, changes) = (tenths(each.time), each.changes);
            format!(
                "  epoch {number} us {us} path {path:?} looked {looked} judged {judged} changes {changes}"
            )
        })
    }

    /// Time of all steps together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.times.iter().sum()
    }

    /// One line of figures; `cpu_us` is the mean of an epoch over all threads.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let us = |permille| tenths(self.quantile(permille));
        let [p50, p99, p999, max] = [500, 990, 999, 1000].map(us);
        let [inputs, holders, rows, every] = self.paths;
        format!(
            "{name}: epochs {} p50_us {p50} p99_us {p99} p999_us {p999} max_us {max} cpu_us {} changes {} looked {} \
             paths inputs={inputs} holders={holders} rows={rows} every={every} digest {}",
            self.times.len(),
            tenths(self.cpu / self.times.len().max(1) as u32),
            self.changes,
            self.looked,
            self.digest,
        )
    }
}

/// Microseconds with one digit after the point.
fn tenths(time: Duration) -> String {
    let tenths = time.as_nanos() / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Time that all threads of the process have spent on a processor.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A book that was opened, on the morning of its first day; and how long the openings took.
pub fn opened(shape: &Shape, exec: &impl Exec) -> (Bench, Duration) {
    let (universe, day) = universe(shape);
    let started = Instant::now();
    let mut bench = Bench::new(shape, &universe, day, exec);
    bench.open(&accounts(shape, &universe, day), exec);
    let took = started.elapsed();
    bench.start_day(exec);
    (bench, took)
}

/// Seconds from snapshot to snapshot.
pub const SNAPSHOT_S: u64 = 3;
/// 10 000 facts a second, in epochs of 30 ms.
pub const TEN_THOUSAND_A_SECOND: Facts = Facts { at_once: 300, epochs: SNAPSHOT_S * 1000 / 30 };

/// Runs a feed. Only the step is timed; a mixed feed reports `facts` after each snapshot.
pub fn feed(
    bench: &mut Bench,
    shape: &Shape,
    kind: FeedKind,
    sizes: (usize, usize, Facts),
    exec: &impl Exec,
) -> Run {
    feed_and(bench, shape, kind, sizes, exec, |_, _| {})
}

/// Runs a feed; after each step, untimed, `after` has the engine and the time the step took.
fn feed_and(
    bench: &mut Bench,
    shape: &Shape,
    kind: FeedKind,
    (epochs, batch, facts): (usize, usize, Facts),
    exec: &impl Exec,
    after: impl FnMut(&mut Engine, Duration),
) -> Run {
    let (universe, day) = universe(shape);
    let book = accounts(shape, &universe, day);
    let mut feed = Feed::new(kind, &universe, shape.seed);
    if kind == FeedKind::Mixed {
        feed = feed.with_counter(Counter::new(&book, shape.seed, shape.profile, day), facts);
    }
    let mut next = FeedEpoch::default();
    let prepare = |bench: &mut Bench| {
        for _ in 0..batch {
            feed.next_epoch(&mut next);
            bench.quote(&next.ticks);
            bench.report(&next.facts);
        }
    };
    timed(bench, epochs, exec, prepare, after)
}

/// Runs facts of the counter, one an epoch.
pub fn facts(bench: &mut Bench, shape: &Shape, epochs: usize, exec: &impl Exec) -> Run {
    let (universe, day) = universe(shape);
    let book = accounts(shape, &universe, day);
    let counter = Counter::new(&book, shape.seed, shape.profile, day);
    let mut feed = Feed::new(FeedKind::Mixed, &universe, shape.seed)
        .with_counter(counter, Facts { at_once: 1, epochs: 1 });
    let mut next = FeedEpoch::default();
    timed(
        bench,
        epochs,
        exec,
        |bench| {
            next.facts.clear();
            // Every other epoch of a mixed feed is a snapshot, which is passed over.
            while next.facts.is_empty() {
                feed.next_epoch(&mut next);
            }
            bench.report(&next.facts);
        },
        |_, _| {},
    )
}

/// Facts beside which the state is saved: every eleventh epoch is a snapshot, so that the slowest hundredth
/// are snapshots.
pub const WHILE_SAVING: Facts = Facts { at_once: 300, epochs: 10 };
/// Accounts that are saved between two steps.
const SAVED_AT_ONCE: u32 = 1_024;

/// Runs a mixed feed, and saves the state beside it again and again: after as many epochs as a save took
/// comes the next. A line for the steps that no save was beside, one for those beside a save, one for what
/// was done for it between two steps.
///
/// # Panics
/// Where what was saved beside the steps is not the state as it was when the save began.
pub fn saving(bench: &mut Bench, shape: &Shape, sizes: (usize, Facts), exec: &impl Exec) -> Vec<String> {
    let [mut alone, mut beside, mut pauses] = [(); 3].map(|()| Vec::new());
    let (mut wanted, mut got) = (String::new(), blake3::Hasher::new());
    let (mut saves, mut rest, mut is_saving) = (0, 0, false);
    let after = |engine: &mut Engine, time: Duration| {
        let times: &mut Vec<Duration> = if is_saving { &mut beside } else { &mut alone };
        times.push(time);
        if !is_saving && rest > 0 {
            rest -= 1;
            return;
        }
        if !is_saving {
            wanted = saved(engine).0;
            got.reset();
        }
        let (started, mut piece) = (Instant::now(), Vec::new());
        if !is_saving {
            engine.save_begin();
        }
        let more = engine.save_on(SAVED_AT_ONCE, &mut piece);
        pauses.push(started.elapsed());
        got.update(&piece);
        rest += usize::from(is_saving);
        is_saving = more == Saved::More;
        if !is_saving {
            assert_eq!(got.finalize().to_hex()[..16], wanted, "{more:?}: another state was saved");
            saves += 1;
        }
    };
    let (epochs, facts) = sizes;
    let run = feed_and(bench, shape, FeedKind::Mixed, (epochs, 1, facts), exec, after);
    let line = |name: &str, mut times: Vec<Duration>| {
        times.sort_unstable();
        let run = Run { times, ..Run::default() };
        let [p50, p99, max] = [500, 990, 1000].map(|permille| tenths(run.quantile(permille)));
        format!("{name}: times {} p50_us {p50} p99_us {p99} max_us {max}", run.times.len())
    };
    vec![
        line("steps_alone", alone),
        line("steps_beside", beside),
        format!("{} saves {saves} digest {} state {wanted}", line("paused", pauses), run.digest),
    ]
}

/// Whether a mixed feed that came by the clock would have been kept up with: snapshots and facts of
/// so many seconds, against the time of all steps and the longest of them.
#[must_use]
pub fn sustained(run: &Run, facts: Facts) -> String {
    let snapshots = (run.times.len() as u64).div_ceil(facts.epochs + 1);
    let (feed, steps) = (Duration::from_secs(SNAPSHOT_S * snapshots), run.total());
    let all = (run.times.len() as u64 - snapshots) * facts.at_once as u64;
    format!(
        "sustained: snapshots {snapshots} facts {all} feed_ms {} steps_ms {} kept_up {}",
        feed.as_millis(),
        steps.as_millis(),
        if steps <= feed { "yes" } else { "no" }
    )
}

/// What the columns use, and the time to read what a sweep reads once.
#[must_use]
pub fn columns(bench: &Bench, shape: &Shape) -> [String; 2] {
    let bytes = bench.engine.column_bytes();
    let (sweep, of) = (bytes.words + bytes.bounds, bytes.positions);
    let per = |bytes: u64| {
        let hundredths = bytes * 100 / of.max(1);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    [
        format!(
            "columns: positions {} words {} bounds {} accounts {} lists {} sweep_per {} lists_per {} all_per {}",
            bytes.positions,
            bytes.words,
            bytes.bounds,
            bytes.accounts,
            bytes.lists,
            per(sweep),
            per(sweep + bytes.lists),
            per(sweep + bytes.lists + bytes.accounts),
        ),
        format!("read_once: bytes {sweep} us {}", tenths(read_once(sweep, shape.lanes))),
    ]
}

/// Hash and length of a saved state that is kept nowhere.
#[must_use]
pub fn saved(engine: &Engine) -> (String, u64) {
    let (mut hasher, mut len) = (blake3::Hasher::new(), 0);
    engine.save_to(|bytes| {
        hasher.update(bytes);
        len += bytes.len() as u64;
    });
    (hasher.finalize().to_hex()[..16].to_owned(), len)
}

/// Saves the state: how long, and the most memory meanwhile.
#[must_use]
pub fn save(bench: &Bench) -> String {
    let before = memory_mib("VmRSS");
    forget_peak();
    let started = Instant::now();
    let (digest, len) = saved(&bench.engine);
    let ms = started.elapsed().as_millis();
    format!("save: bytes {len} ms {ms} before_mib {before} peak_mib {} digest {digest}", memory_mib("VmHWM"))
}

/// Takes the engine down to its bytes and up again: books read, and the columns of all of them built.
///
/// # Panics
/// Where the engine does not read what it saved.
pub fn load(bench: &mut Bench, shape: &Shape, exec: &impl Exec) -> String {
    let bytes = bench.engine.save();
    // Not two books at once.
    bench.engine = empty(shape);
    let started = Instant::now();
    bench.engine = Engine::load(&bytes, shape.lanes, exec).expect("a saved state");
    let ms = started.elapsed().as_millis();
    drop(bytes);
    format!("load: accounts {} ms {ms} digest {}", bench.engine.accounts(), saved(&bench.engine).0)
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
    timed(bench, days, exec, Bench::end_day, |_, _| {})
}

/// Inputs put together ahead of their steps, so that a step finds what the one before it left in the
/// caches, and not what made its inputs: one snapshot, or thousands of epochs of one quote or fact.
const AHEAD: usize = 5_000;

/// Times the step of epochs that `prepare` puts together.
fn timed(
    bench: &mut Bench,
    epochs: usize,
    exec: &impl Exec,
    mut prepare: impl FnMut(&mut Bench),
    mut after: impl FnMut(&mut Engine, Duration),
) -> Run {
    let (mut run, mut digest, mut ahead) = (Run::default(), Digest::default(), VecDeque::new());
    for number in 0..epochs {
        if ahead.is_empty() {
            let mut inputs = 0;
            while inputs < AHEAD && number + ahead.len() < epochs {
                prepare(bench);
                let epoch = bench.cut();
                inputs += epoch.entries.len();
                ahead.push_back(epoch);
            }
        }
        let Some(epoch) = ahead.pop_front() else { break };
        let (cpu, started) = (processor_time(), Instant::now());
        let stats = bench.take(&epoch, exec);
        let time = started.elapsed();
        run.times.push(time);
        run.cpu += processor_time().saturating_sub(cpu);
        let changes = digest.take(number as u64, &bench.out);
        run.changes += changes;
        run.each.push(Each { time, stats, changes });
        run.looked += stats.looked;
        run.paths[stats.path as usize] += 1;
        after(&mut bench.engine, time);
    }
    run.times.sort_unstable();
    run.digest = digest.text();
    run
}
