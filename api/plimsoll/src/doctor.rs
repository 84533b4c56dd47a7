//! `plimsoll doctor`: what is in the log of a directory, and whether all of it is what was written.

use std::io::{self, Write};
use std::path::PathBuf;

use plimsoll_engine::num::Time;
use plimsoll_log::snapshot::Snapshot;
use plimsoll_log::{Directory, Epoch, Reader, first_epoch, snapshots_in};
use plimsoll_service::recover::Replay;
use plimsoll_wire::time::write_time;

use crate::Ended;

/// Checks a log without changing it; the directory must not be in use.
#[derive(clap::Args, Debug)]
pub struct DoctorArgs {
    /// The directory of the log.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Recompute every epoch as well, and compare it with its record.
    #[arg(long)]
    recompute: bool,
    /// Lanes (and threads) to recompute with.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    lanes: u16,
}

/// What epochs came to.
#[derive(Default)]
struct Found {
    epochs: u64,
    events: u64,
    effects: u64,
    bytes: u64,
    hashes: u64,
    first: Option<Time>,
    last: Option<(u64, Time)>,
}

impl Found {
    fn count(&mut self, epoch: &Epoch) {
        let clock = Time(epoch.record.clock_us);
        self.epochs += 1;
        self.events += u64::from(epoch.record.inputs);
        self.effects += epoch.effects.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.bytes += (epoch.lines.len() + epoch.effects.len()) as u64;
        self.hashes += u64::from(epoch.record.state.is_some());
        self.first.get_or_insert(clock);
        self.last = Some((epoch.record.number, clock));
    }
}

/// A replay, and the first epoch it takes: of all, or, where the first ones are no longer kept, of those after
/// the oldest snapshot.
fn replay_from(args: &DoctorArgs, first: u64) -> Result<(Option<Replay>, u64), Ended> {
    if first == 1 {
        return Ok((Some(Replay::new(args.lanes.into())?), first));
    }
    let oldest = snapshots_in(&args.directory)?.into_iter().next();
    let path =
        oldest.ok_or_else(|| format!("neither epoch 1 nor a snapshot is in {}", args.directory.display()))?;
    let snapshot = Snapshot::read(&path)?;
    Ok((Some(Replay::after(&snapshot, args.lanes.into(), &path)?), snapshot.epoch + 1))
}

/// Runs the command.
///
/// # Errors
/// The first thing that is not what was written, with the exit status of its cause.
pub fn run(args: &DoctorArgs, out: &mut impl Write) -> Result<(), Ended> {
    let _held = Directory::take(&args.directory)?;
    let mut say =
        |line: String| writeln!(out, "{line}").map_err(|cause: io::Error| format!("cannot write: {cause}"));
    let first = first_epoch(&args.directory)?;
    let reader = Reader::from(&args.directory, first)?;
    let (mut replay, from) = if args.recompute { replay_from(args, first)? } else { (None, first) };
    let mut found = Found::default();
    for epoch in reader.ahead() {
        let epoch = epoch?;
        if let Some(replay) = replay.as_mut().filter(|_| epoch.record.number >= from) {
            replay.step(&epoch)?;
        }
        found.count(&epoch);
    }
    let at = |time: Time| {
        let mut text = Vec::new();
        write_time(&mut text, time);
        String::from_utf8_lossy(&text).into_owned()
    };
    say(format!(
        "epochs {} events {} effects {} bytes {} state_hashes {}",
        found.epochs, found.events, found.effects, found.bytes, found.hashes
    ))?;
    if let (Some(first), Some((number, last))) = (found.first, found.last) {
        say(format!("from {} to {}, the last epoch is {number}", at(first), at(last)))?;
    }
    for path in snapshots_in(&args.directory)? {
        let snapshot = Snapshot::read(&path)?;
        say(format!("snapshot of epoch {}, {} bytes", snapshot.epoch, snapshot.state().len()))?;
    }
    if let Some(replay) = &replay {
        let hash = replay.engine.state_hash();
        say(format!("recomputed from epoch {from}: every one as it was recorded, state_hash {hash}"))?;
    }
    say("sound".to_owned())?;
    Ok(())
}
