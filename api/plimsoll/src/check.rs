//! `plimsoll check`: policy and event files judged without running them.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use plimsoll_engine::input::Body;
use plimsoll_files::{EventFile, Record};
use plimsoll_wire::door::{CutEpoch, Door};

use crate::replay::read_policy;

/// Checks policy files (`.toml`) and event files.
#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    /// Files, in the order a replay would read them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What is found on the way.
struct Findings {
    door: Door,
    /// File and line or row of the entries that no epoch has taken yet.
    places: VecDeque<(usize, u64)>,
    events: u64,
    faults: u64,
}

/// Runs the command: every fault with its place on standard output.
///
/// # Errors
/// When a file cannot be read, or there was a fault.
pub fn run(args: &CheckArgs, out: &mut impl Write) -> Result<(), String> {
    let mut found = Findings { door: Door::new(), places: VecDeque::new(), events: 0, faults: 0 };
    for (n, path) in args.files.iter().enumerate() {
        if path.extension().is_some_and(|ending| ending == "toml") {
            if let Err(faults) = read_policy(path) {
                found.faults += faults.lines().count() as u64;
                print(out, &faults)?;
            }
            continue;
        }
        let mut file = EventFile::open(path).map_err(|fault| fault.to_string())?;
        let flow = file.for_each(|record| match take(&mut found, &args.files, n, &record, out) {
            Ok(()) => ControlFlow::Continue(()),
            Err(fault) => ControlFlow::Break(fault),
        });
        if let ControlFlow::Break(fault) = flow.map_err(|fault| fault.to_string())? {
            return Err(fault);
        }
    }
    if let Some(cut) = found.door.finish() {
        judge(&mut found, &args.files, &cut, out)?;
    }
    print(out, &format!("{} events, {} faults", found.events, found.faults))?;
    if found.faults == 0 { Ok(()) } else { Err(format!("{} faults", found.faults)) }
}

fn print(out: &mut impl Write, text: &str) -> Result<(), String> {
    writeln!(out, "{text}").map_err(|cause| format!("cannot write: {cause}"))
}

fn take(
    found: &mut Findings,
    files: &[PathBuf],
    n: usize,
    record: &Record<'_>,
    out: &mut impl Write,
) -> Result<(), String> {
    let (number, cut) = match record {
        Record::Line { number, bytes } => {
            let cut = found.door.line(bytes).map_err(|fault| {
                format!(
                    "{}, line {number}: no event: {} at byte {}",
                    files[n].display(),
                    fault.what,
                    fault.at
                )
            })?;
            (*number, cut)
        }
        Record::Row { number, fields } => (*number, found.door.record(fields)),
    };
    found.events += 1;
    if let Some(cut) = cut {
        judge(found, files, &cut, out)?;
        found.door.recycle(cut);
    }
    found.places.push_back((n, number));
    Ok(())
}

fn judge(
    found: &mut Findings,
    files: &[PathBuf],
    cut: &CutEpoch,
    out: &mut impl Write,
) -> Result<(), String> {
    for (i, entry) in cut.epoch.entries.iter().enumerate() {
        let Some((n, number)) = found.places.pop_front() else { break };
        if let Body::Refused { code, .. } = entry.body {
            found.faults += 1;
            let detail = cut.details.iter().find(|(entry, _)| *entry as usize == i).map_or("", |(_, d)| d);
            print(out, &format!("{}:{number}: {}: {detail}", files[n].display(), code.word()))?;
        }
    }
    Ok(())
}
