//! The real binary as a process.

use crate::folder::Folder;
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one replay left behind.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it said on standard error.
    pub said: String,
    /// Effects, in order.
    pub effects: Vec<Value>,
    /// State lines after every epoch.
    pub trace: Vec<Value>,
    /// State lines at the end.
    pub state: Vec<Value>,
}

/// The binary under test: `PLIMSOLL_BIN`, else `plimsoll` in the target folder this test runs from.
///
/// # Errors
/// No such file, with what to do about it.
pub fn binary() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("PLIMSOLL_BIN") {
        let path = PathBuf::from(named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("PLIMSOLL_BIN names no file: {}", path.display()))
        };
    }
    let own = env::current_exe().map_err(|e| e.to_string())?;
    // target/PROFILE/deps/test-HASH
    let profile = own.parent().and_then(Path::parent);
    let target = profile.and_then(Path::parent);
    let candidates = [
        profile.map(|p| p.join("plimsoll")),
        target.map(|t| t.join("debug/plimsoll")),
        target.map(|t| t.join("release/plimsoll")),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|p| p.is_file())
        .ok_or_else(|| {
            format!(
                "no binary `plimsoll` in {}: build it first (`cargo build -p plimsoll`) or name one in PLIMSOLL_BIN",
                target.unwrap_or(&own).display()
            )
        })
}

/// Replays `lines` in `folder`.
///
/// # Errors
/// The binary cannot be started, or what it wrote is no NDJSON.
pub fn replay(
    folder: &Folder,
    lines: &[String],
    policy: Option<&str>,
    flags: &[String],
) -> Result<Replayed, String> {
    let file = |name: &str| folder.join(name);
    let write = |name: &str, text: &str| {
        fs::write(file(name), text).map_err(|e| format!("{}: {e}", file(name).display()))
    };
    write("events.ndjson", &(lines.join("\n") + "\n"))?;
    let mut command = Command::new(binary()?);
    command.arg("replay").arg(file("events.ndjson"));
    if let Some(policy) = policy {
        write("policy.toml", policy)?;
        command.arg("--policy").arg(file("policy.toml"));
    }
    for (flag, name) in
        [("--effects", "effects.ndjson"), ("--state", "state.ndjson"), ("--trace", "trace.ndjson")]
    {
        command.arg(flag).arg(file(name));
    }
    let done = command.args(flags).output().map_err(|e| format!("cannot start the binary: {e}"))?;
    Ok(Replayed {
        status: done.status.code(),
        said: String::from_utf8_lossy(&done.stderr).into_owned(),
        effects: read_lines(&file("effects.ndjson"))?,
        trace: read_lines(&file("trace.ndjson"))?,
        state: read_lines(&file("state.ndjson"))?,
    })
}

fn read_lines(path: &Path) -> Result<Vec<Value>, String> {
    // A replay that stopped may have written nothing.
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(Vec::new());
    };
    text.lines()
        .enumerate()
        .map(|(n, line)| serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", path.display(), n + 1)))
        .collect()
}
