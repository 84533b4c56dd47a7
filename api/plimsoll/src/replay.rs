//! `plimsoll replay`: event files in, effects and state out (events.md, "The replay command").

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_engine::num::Time;
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_files::{Chunk, EventFile};
use plimsoll_log::Reader;
use plimsoll_service::recover::Replay;
use plimsoll_wire::door::{CutEpoch, Door};
use plimsoll_wire::quotes::Quotes;
use plimsoll_wire::time::parse_time;
use plimsoll_wire::value::Columns;

use crate::Ended;
use crate::session::{AsOf, SAVED, Session, Sink, state_lines};
use crate::summary::timings;

/// Replays event files through the core.
#[derive(clap::Args, Debug)]
pub struct ReplayArgs {
    /// Event files in order: NDJSON, NDJSON under zstd, Parquet or Arrow; `-` is standard input. Or the
    /// directory of a log, which replays by its recorded cuts.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Policy file (TOML), applied before the first epoch.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where effects go, as NDJSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    effects: Option<PathBuf>,
    /// Where one line per account goes at the end; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where the state lines of all accounts go after every epoch, with its number; for audits.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Stop before the first epoch later than a time, or after an epoch number.
    #[arg(long, value_name = "TIME|SEQ", value_parser = as_of)]
    as_of: Option<AsOf>,
    /// Lanes (and threads) the accounts are split over; the output is the same for any number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    lanes: u16,
    /// Print a summary: tiers over the day, worst accounts, refusals, throughput.
    #[arg(long)]
    summary: bool,
    /// Where the state goes at the end, for the commands that ask it.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print how long each input took, and the memory held.
    #[arg(long)]
    timings: bool,
}

fn as_of(text: &str) -> Result<AsOf, String> {
    if let Ok(number) = text.parse() {
        return Ok(AsOf::Epoch(number));
    }
    parse_time(text).map(AsOf::Time).ok_or_else(|| "neither an epoch number nor an RFC 3339 time".to_owned())
}

/// Reads a policy file; all faults at once.
pub fn read_policy(path: &Path) -> Result<PolicyDraft, String> {
    let text = std::fs::read_to_string(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    plimsoll_wire::policy::from_toml(&text, Door::new().rules()).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| format!("{}: {fault}", path.display())).collect();
        lines.join("\n")
    })
}

fn sink(path: Option<&Path>) -> Result<Sink, String> {
    let Some(path) = path else { return Ok(None) };
    if path.as_os_str() == "-" {
        return Ok(Some(Box::new(BufWriter::with_capacity(1 << 20, io::stdout()))));
    }
    let file = File::create(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    Ok(Some(Box::new(BufWriter::with_capacity(1 << 20, file))))
}

/// Runs the command.
///
/// # Errors
/// What ends the replay, naming the file and line.
pub fn run(args: &ReplayArgs) -> Result<(), Ended> {
    if let [directory] = args.inputs.as_slice()
        && directory.is_dir()
    {
        return replay_log(directory, args);
    }
    replay_files(args).map_err(Ended::from)
}

/// Replays the log of a directory by its recorded cuts, each epoch compared with its record.
fn replay_log(directory: &Path, args: &ReplayArgs) -> Result<(), Ended> {
    let elsewhere =
        [args.policy.is_some(), args.trace.is_some(), args.summary, args.save.is_some(), args.timings];
    if elsewhere.contains(&true) {
        let text =
            "a log replays by what is recorded in it: it takes --effects, --state, --as-of and --lanes";
        return Err(text.to_owned().into());
    }
    let written = |cause: io::Error| format!("cannot write: {cause}");
    let (mut effects, mut state) = (sink(args.effects.as_deref())?, sink(args.state.as_deref())?);
    let mut replay = Replay::new(args.lanes.into())?;
    for epoch in Reader::from(directory, 1)?.ahead() {
        let epoch = epoch?;
        let (number, clock) = (epoch.record.number, Time(epoch.record.clock_us));
        let late = match args.as_of {
            Some(AsOf::Time(time)) => clock > time,
            Some(AsOf::Epoch(last)) => number > last,
            None => false,
        };
        if late {
            break;
        }
        let told = replay.step(&epoch)?;
        effects.as_mut().map_or(Ok(()), |sink| sink.write_all(told)).map_err(written)?;
    }
    effects.as_mut().map_or(Ok(()), |sink| sink.flush()).map_err(written)?;
    if let Some(state) = &mut state {
        state_lines(&replay.engine, replay.door.names(), state).map_err(written)?;
    }
    eprintln!("state_hash {}", replay.engine.state_hash());
    Ok(())
}

fn replay_files(args: &ReplayArgs) -> Result<(), String> {
    let policy = args.policy.as_deref().map_or(Ok(PolicyDraft::default()), read_policy)?;
    let mut state = sink(args.state.as_deref())?;
    let effects = sink(args.effects.as_deref())?;
    let trace = sink(args.trace.as_deref())?;
    let mut session = Session::new(&policy, usize::from(args.lanes), effects, trace)?
        .until(args.as_of)
        .summarised(args.summary);
    let bar = Progress::over(&args.inputs);
    for path in &args.inputs {
        if session.done {
            break;
        }
        replay_file(path, &mut session, &bar)?;
    }
    bar.finish();
    let hash = session.finish(&mut state).map_err(|cause| format!("cannot write: {cause}"))?;
    if let Some(text) = session.summary() {
        eprintln!("{text}");
    }
    if let Some(path) = &args.save {
        let saved = File::create(path).and_then(|mut file| session.save(&mut file));
        saved.map_err(|cause| format!("{}: {cause}", path.display()))?;
    }
    if args.timings {
        eprint!("{}", timings(session.files()));
    }
    eprintln!("state_hash {hash}");
    Ok(())
}

/// A book to ask questions of: a saved state, or event files replayed.
#[derive(clap::Args, Debug)]
pub struct BookArgs {
    /// A state saved by `replay --save`, or event files in order.
    #[arg(required = true, value_name = "STATE|INPUT")]
    inputs: Vec<PathBuf>,
    /// Policy file (TOML), applied before the first epoch of event files.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Stop the replay before the first epoch later than a time, or after an epoch number.
    #[arg(long, value_name = "TIME|SEQ", value_parser = as_of)]
    as_of: Option<AsOf>,
    /// Lanes (and threads) the accounts are split over.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    lanes: u16,
}

impl BookArgs {
    /// Loads or replays the book.
    ///
    /// # Errors
    /// What ends the replay, or is wrong with the saved state.
    pub fn open(&self) -> Result<Session, String> {
        let lanes = usize::from(self.lanes);
        if let [path] = self.inputs.as_slice()
            && starts_with(path, SAVED)
        {
            let bytes = std::fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
            return Session::load(&bytes, lanes).map_err(|what| format!("{}: {what}", path.display()));
        }
        let policy = self.policy.as_deref().map_or(Ok(PolicyDraft::default()), read_policy)?;
        let mut session = Session::new(&policy, lanes, None, None)?.until(self.as_of);
        let bar = Progress::over(&self.inputs);
        for path in self.inputs.iter() {
            if !session.done {
                replay_file(path, &mut session, &bar)?;
            }
        }
        bar.finish();
        session.finish(&mut None).map_err(|cause| format!("cannot write: {cause}"))?;
        Ok(session)
    }
}

/// Whether a file begins with these bytes; what cannot be read does not.
fn starts_with(path: &Path, with: &[u8]) -> bool {
    let mut head = vec![0; with.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == with
}

fn replay_file(path: &Path, session: &mut Session, bar: &Progress) -> Result<(), String> {
    let mut file = EventFile::open(path).map_err(|fault| fault.to_string())?;
    let name = file.name().to_owned();
    let (started, mut records) = (Instant::now(), 0);
    while let Some(chunk) = file.next_chunk().map_err(|fault| fault.to_string())? {
        match chunk {
            Chunk::Lines(lines) => {
                for (number, bytes) in lines {
                    records += 1;
                    let cut = session.door.line(bytes).map_err(|fault| {
                        format!("{name}, line {number}: no event: {} at byte {}", fault.what, fault.at)
                    })?;
                    if step(cut, session)? {
                        return Ok(());
                    }
                }
            }
            Chunk::Rows(mut rows) => {
                let mut quotes = Quotes::of(&rows);
                for row in 0..rows.rows() {
                    records += 1;
                    let cut = session.door.row(&mut rows, &mut quotes, row);
                    if step(cut, session)? {
                        return Ok(());
                    }
                }
            }
        }
        bar.look(file.consumed(), session);
    }
    bar.next_file(file.size().unwrap_or(0));
    session.note_file(&name, records, started.elapsed());
    Ok(())
}

/// Steps the epoch that a record has ended, if it has; true where the replay is to stop.
fn step(cut: Option<CutEpoch>, session: &mut Session) -> Result<bool, String> {
    if let Some(cut) = cut {
        session.step(cut).map_err(|cause| format!("cannot write: {cause}"))?;
    }
    Ok(session.done)
}

/// A progress bar on a terminal, by bytes of the input; nothing elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    before: std::cell::Cell<u64>,
}

impl Progress {
    fn over(inputs: &[PathBuf]) -> Self {
        let sizes: Option<u64> = inputs.iter().map(|p| std::fs::metadata(p).ok().map(|m| m.len())).sum();
        let bar = sizes.filter(|_| io::stderr().is_terminal()).map(|size| {
            let bar = ProgressBar::new(size);
            let form = "{bar:40} {percent:>3} %  {elapsed}  {msg}";
            bar.set_style(
                ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Progress { bar, before: std::cell::Cell::new(0) }
    }

    fn look(&self, consumed: u64, session: &Session) {
        let Some(bar) = &self.bar else { return };
        let (epochs, accounts) = session.progress();
        bar.set_position(self.before.get() + consumed);
        bar.set_message(format!("{accounts} accounts, {epochs} epochs"));
    }

    fn next_file(&self, size: u64) {
        self.before.set(self.before.get() + size);
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            let _ = io::stderr().flush();
        }
    }
}
