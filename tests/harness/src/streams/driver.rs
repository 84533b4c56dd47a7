//! Runs the real binary and the oracle on the same stream and compares what they say.

use super::coverage::{Coverage, member};
use super::minimise::minimise;
use super::stream::{Stream, join};
use crate::folder::Folder;
use crate::scenario::run::binary;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What a replay left behind, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Effect lines.
    pub effects: String,
    /// State lines after every epoch.
    pub trace: String,
    /// State lines at the end.
    pub state: String,
}

/// How the process ended, and what it wrote.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// What it said on standard error.
    pub stderr: String,
    /// What it wrote.
    pub outcome: Outcome,
}

/// Where the two differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `effects`, `trace`, `state`, or `status`.
    pub what: &'static str,
    /// Line, counted from 1.
    pub line: usize,
    /// The binary's line.
    pub binary: String,
    /// The oracle's line.
    pub oracle: String,
}

impl Difference {
    /// What kind of difference it is: the same line or another, types, codes and causes on either side. A stream
    /// that is made smaller has to keep it, so that it does not slip into another fault.
    fn shape(&self) -> Vec<String> {
        let mut shape = vec![self.what.to_owned()];
        for line in [&self.binary, &self.oracle] {
            for key in ["\"type\":\"", "\"code\":\"", "\"cause\":{\"kind\":\""] {
                shape.push(member(line, key).unwrap_or("").to_owned());
            }
        }
        shape
    }
}

/// What to run besides the files.
#[derive(Clone, Debug)]
pub struct Run {
    /// Value of `--lanes`.
    pub lanes: usize,
    /// Text of the policy file.
    pub policy: Option<String>,
    /// Value of `--as-of`.
    pub as_of: Option<String>,
    /// Whether a trace is written.
    pub trace: bool,
}

impl Run {
    /// A run with everything written, in this number of lanes.
    pub fn lanes(lanes: usize, policy: Option<&str>) -> Self {
        Self { lanes, policy: policy.map(str::to_owned), as_of: None, trace: true }
    }
}

/// Runs the binary on files of these bytes.
pub fn run_binary(scratch: &Folder, files: &[Vec<u8>], run: &Run) -> Ended {
    let folder = &scratch.0;
    let program = binary().unwrap_or_else(|why| panic!("{why}"));
    let mut command = Command::new(program);
    command.arg("replay");
    for (index, bytes) in files.iter().enumerate() {
        let path = folder.join(format!("part{index}.ndjson"));
        fs::write(&path, bytes).expect("the stream can be written");
        command.arg(path);
    }
    let outputs = ["effects.ndjson", "state.ndjson", "trace.ndjson"].map(|name| folder.join(name));
    for path in &outputs {
        let _ = fs::remove_file(path);
    }
    command.arg("--effects").arg(&outputs[0]).arg("--state").arg(&outputs[1]);
    if run.trace {
        command.arg("--trace").arg(&outputs[2]);
    }
    if let Some(policy) = &run.policy {
        let path = folder.join("policy.toml");
        fs::write(&path, policy).expect("the policy can be written");
        command.arg("--policy").arg(path);
    }
    if let Some(as_of) = &run.as_of {
        command.arg("--as-of").arg(as_of);
    }
    let done = command.arg("--lanes").arg(run.lanes.to_string()).output().expect("the binary runs");
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    Ended {
        status: done.status.code(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        outcome: Outcome { effects: read(&outputs[0]), state: read(&outputs[1]), trace: read(&outputs[2]) },
    }
}

/// What the oracle says of the same lines; an error where it stopped.
pub fn run_oracle(lines: &[u8], policy: Option<&str>) -> Result<Outcome, String> {
    let want = plimsoll_oracle::Want { trace: true, ..plimsoll_oracle::Want::default() };
    let run = || plimsoll_oracle::replay(&[("part0.ndjson", lines)], policy, want);
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(output)) => Ok(Outcome { effects: output.effects, trace: output.trace, state: output.state }),
        Ok(Err(fatal)) => Err(format!("{fatal}")),
        Err(_) => Err("the oracle panicked".to_owned()),
    }
}

/// A line without the free text at its end.
fn without_detail(line: &str) -> &str {
    line.rfind(",\"detail\":").map_or(line, |at| &line[..at])
}

/// The first line in which two texts differ, free texts left out.
pub fn first_difference(what: &'static str, ours: &str, oracle: &str) -> Option<Difference> {
    if ours == oracle {
        return None;
    }
    let (mut left, mut right) = (ours.lines(), oracle.lines());
    let mut line = 0;
    loop {
        line += 1;
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            return None;
        }
        if a.map(without_detail) != b.map(without_detail) {
            return Some(Difference {
                what,
                line,
                binary: a.unwrap_or("(no line)").to_owned(),
                oracle: b.unwrap_or("(no line)").to_owned(),
            });
        }
    }
}

/// Runs both on the lines and compares everything.
pub fn compare(
    scratch: &Folder,
    lines: &[String],
    policy: Option<&str>,
    lanes: usize,
) -> Result<Outcome, Difference> {
    let bytes = join(lines);
    let oracle = run_oracle(&bytes, policy);
    let ended = run_binary(scratch, &[bytes], &Run::lanes(lanes, policy));
    let oracle = match oracle {
        Ok(outcome) if ended.status == Some(0) => outcome,
        Err(_) if ended.status == Some(1) => return Ok(ended.outcome),
        other => {
            let oracle = other.err().unwrap_or_else(|| "ends well".to_owned());
            let binary = format!("status {:?}: {}", ended.status, ended.stderr);
            return Err(Difference { what: "status", line: 0, binary, oracle });
        }
    };
    let pairs = [
        ("effects", &ended.outcome.effects, &oracle.effects),
        ("trace", &ended.outcome.trace, &oracle.trace),
        ("state", &ended.outcome.state, &oracle.state),
    ];
    for (what, ours, theirs) in pairs {
        if let Some(difference) = first_difference(what, ours, theirs) {
            return Err(difference);
        }
    }
    Ok(ended.outcome)
}

/// Compares one stream and, where it fails, makes it small and writes it to a file. The error says all.
pub fn check(scratch: &Folder, stream: &Stream, lanes: usize, coverage: &mut Coverage) -> Result<(), String> {
    let policy = stream.policy.as_deref();
    let found = match compare(scratch, &stream.lines, policy, lanes) {
        Ok(outcome) => {
            // Where both refuse the policy file nothing ran, and no line was accepted.
            if !outcome.trace.is_empty() {
                coverage.take(&stream.lines, &outcome.effects, &outcome.trace);
            }
            return Ok(());
        }
        Err(difference) => difference,
    };
    let mut last = found.clone();
    let small = minimise(&stream.lines, 500, Duration::from_secs(40), |trial| {
        match compare(scratch, trial, policy, lanes) {
            Err(difference) if difference.shape() == found.shape() => {
                last = difference;
                true
            }
            _ => false,
        }
    });
    let folder = env::temp_dir().join("plimsoll-failing-streams");
    fs::create_dir_all(&folder).expect("a folder for failing streams");
    let path = folder.join(format!("seed-{}.ndjson", stream.seed));
    fs::write(&path, join(&small)).expect("the failing stream can be written");
    let mut policy_path = String::new();
    if let Some(policy) = policy {
        let file = path.with_extension("policy.toml");
        fs::write(&file, policy).expect("the policy can be written");
        policy_path = format!(" with {}", file.display());
    }
    Err(format!(
        "seed {} ({lanes} lanes): {} line {}, made small ({} of {} lines) in {}{policy_path}: {} line {}\n  binary: {}\n  oracle: {}",
        stream.seed,
        found.what,
        found.line,
        small.len(),
        stream.lines.len(),
        path.display(),
        last.what,
        last.line,
        last.binary,
        last.oracle,
    ))
}
