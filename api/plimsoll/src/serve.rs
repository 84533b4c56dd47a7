//! `plimsoll serve`: the live run of a directory, over HTTP.

use std::fs::File;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll_engine::Engine;
use plimsoll_engine::num::Time;
use plimsoll_http::{Ended as ServerEnded, Live, Options, Submitter, serve};
use plimsoll_log::{Disk, Epoch};
use plimsoll_service::policy::{self, Faults};
use plimsoll_service::recover::recover;
use plimsoll_service::run::{Phase, Run, Watcher};
use plimsoll_telemetry::{Metric, Metrics};

use crate::replay::read_policy;
use crate::{Ended, lifeline, sources};

/// Serves the run of a directory: events in, effects and answers out, everything in its log.
#[derive(clap::Args, Debug)]
pub struct ServeArgs {
    /// The directory of the log; made where there is none.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; anything but this machine asks for --key-file.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Policy file (TOML); becomes an event of the log where another policy is in force.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Lanes (and threads) the accounts are split over; the log is the same for any number.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    lanes: u16,
    /// File with the key that requests must bear (`Authorization: Bearer …`).
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Folders to watch for files, and files to follow (TOML).
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Epochs from one snapshot to the next, at most; many events or long steps call for one sooner.
    #[arg(long, value_name = "EPOCHS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_every: u64,
    /// Days for which archived segments of the log are kept; for ever where nothing is said.
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
    /// How long a request may take, and how long a client may leave what it is sent unread.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    longest: u64,
    /// File whose first byte says where on the way of an epoch the run is, for tests that end it there.
    #[arg(long, value_name = "FILE", hide = true)]
    phases: Option<PathBuf>,
    /// End when standard input ends: whoever started this is gone.
    #[arg(long, hide = true)]
    lifeline: bool,
}

/// Notes phases by their place in the first byte of a file, its highest bit set while a snapshot is written.
fn watcher(path: &Path) -> Result<Watcher, String> {
    let fail = |cause| format!("{}: {cause}", path.display());
    let file = File::create(path).map_err(|cause: std::io::Error| fail(cause))?;
    let note = move |phase: Phase, saving: bool| {
        let byte = phase as u8 | u8::from(saving) << 7;
        // A test that cannot read it fails by that.
        let _ = file.write_all_at(&[byte], 0);
    };
    note(Phase::Recovering, false);
    Ok(Box::new(note))
}

/// Runs the command.
///
/// # Errors
/// What keeps it from starting, or ended it, with the exit status of its cause.
pub fn run(args: &ServeArgs) -> Result<(), Ended> {
    if args.lifeline {
        lifeline::hold();
    }
    log_to_stderr();
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    if key.is_none() && !args.listen.ip().is_loopback() {
        let text = format!("{}: others than this machine may come here: it asks for --key-file", args.listen);
        return Err(text.into());
    }
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let watcher = args.phases.as_deref().map(watcher).transpose()?;
    let sources = args.sources.as_deref().map(sources::read).transpose()?;
    let started = Instant::now();
    let mut live = Live::default();
    let seen = &mut |engine: &Engine, epoch: &Epoch| live.recovered(engine, epoch);
    let (mut run, recovery) = recover(&args.data, Arc::new(Disk), args.lanes.into(), seen)?;
    if let Some(watcher) = watcher {
        run.watched_by(watcher);
        run.enter(Phase::Waiting);
    }
    let (took, metrics) = (started.elapsed(), Metrics::new());
    metrics.set(Metric::Recovery, &[], i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
    metrics.set(Metric::RecoveredEpochs, &[], recovery.epochs as i64);
    metrics.set(Metric::SnapshotEpoch, &[], recovery.snapshot as i64);
    for fault in &recovery.passed_over {
        tracing::warn!(%fault, "a snapshot was passed over");
    }
    tracing::info!(
        epoch = run.epoch(),
        took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        snapshot = recovery.snapshot,
        epochs = recovery.epochs,
        events = recovery.events,
        "recovered"
    );
    if let (Some(policy), Some(path)) = (policy, &args.policy)
        && !run.engine().has_policy(&policy)
    {
        put_policy(&mut run, path)?;
    }
    let sources = sources.map(|sources| -> Box<dyn FnOnce(Submitter) + Send> {
        Box::new(|submitter| sources::begin(sources, &submitter))
    });
    let options = Options {
        listen: args.listen,
        key,
        snapshot_epochs: args.snapshot_every,
        recovered_events: recovery.events,
        keep: args.keep_days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
        longest: Duration::from_secs(args.longest),
        sources,
    };
    let served = serve(run, live, metrics, options, |address| println!("listening on http://{address}"));
    served.map_err(|ended| match ended {
        ServerEnded::Log(fault) => fault.into(),
        ServerEnded::System(text) => text.into(),
    })
}

/// One line an event: JSON, or plain on a terminal. No account, customer or key is ever in one.
fn log_to_stderr() {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    if std::io::stderr().is_terminal() {
        lines.compact().init();
    } else {
        lines.json().flatten_event(true).init();
    }
}

/// Reads a file with a key.
///
/// # Errors
/// A file that cannot be read, or holds no key.
pub fn read_key(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    let key = text.trim();
    if key.len() < 16 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{}: a key is one word of at least 16 characters", path.display()));
    }
    Ok(key.to_owned())
}

/// Puts a policy file into the log as an event.
fn put_policy(run: &mut Run, path: &Path) -> Result<(), Ended> {
    let fail = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let text = std::fs::read_to_string(path).map_err(|cause| fail(&cause))?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    let event = policy::event(run, &text, "serve --policy", now);
    let event = event.map_err(|Faults(faults)| fail(&faults.join("; ")))?;
    run.take(event.as_bytes(), now)?;
    run.cut()?;
    let refused: Vec<String> = run
        .receipts()
        .flat_map(|(_, receipt)| receipt.refused)
        .map(|refused| format!("{}: {}", refused.code, refused.detail))
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(fail(&refused.join("; ")).into()) }
}
