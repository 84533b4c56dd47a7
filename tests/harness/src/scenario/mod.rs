//! Scenario files: a text a risk officer reads, translated into events and expectations.
//!
//! A file tells a short story: what is there, what happens, what must be seen.
//! `tests/scenarios/README.md` describes the language. The flow here is
//! `parse` (text to steps) → `epochs` (which step is in which epoch) → `run`
//! (the binary as a process) → `check` (what came back against what is told).

pub mod check;
pub mod epochs;
pub mod events;
pub mod expect;
pub mod parse;
pub mod run;
pub mod text;

use std::fs;
use std::path::{Path, PathBuf};

/// Every scenario file below `folder`, in order of its path.
///
/// # Errors
/// A folder that cannot be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        let entries = fs::read_dir(&next).map_err(|e| format!("{}: {e}", next.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|x| x == "scenario") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Runs every case of one file; the answer is the list of what differs.
#[must_use]
pub fn run_file(path: &Path, label: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => {
            outcome.differences.push(format!("{label}: {e}"));
            return outcome;
        }
    };
    match parse::cases(&text, label) {
        Ok(cases) => {
            for case in cases {
                outcome.cases += 1;
                outcome.differences.extend(check::run_case(&case));
            }
        }
        Err(e) => outcome.differences.push(e),
    }
    outcome
}

/// What a file, or many, gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cases run.
    pub cases: usize,
    /// One line (or more) for each expectation that does not hold.
    pub differences: Vec<String>,
}
