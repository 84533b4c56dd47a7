//! Where files go: `done/` and `bad/`, never over another file, and never half of those that belong together.
//!
//! What is to be moved is written down first. A crash in between leaves the note, and the next start ends
//! what it says.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

const NOTE: &str = ".moving.json";
/// The name of a note until it is whole.
const DRAFT: &str = ".moving.draft";

/// Where files of a folder go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    Done,
    Bad,
}

impl Shelf {
    const ALL: [Shelf; 2] = [Shelf::Done, Shelf::Bad];

    fn name(self) -> &'static str {
        match self {
            Shelf::Done => "done",
            Shelf::Bad => "bad",
        }
    }
}

/// What is being moved.
#[derive(Deserialize, Serialize)]
struct Moving {
    /// From and to, in the folder.
    files: Vec<(String, String)>,
    /// The report, and where it goes.
    report: Option<(String, Value)>,
}

/// Makes the shelves of a folder and ends what a crash left half moved.
///
/// # Errors
/// What the system says.
pub fn open(folder: &Path) -> io::Result<()> {
    for shelf in Shelf::ALL {
        fs::create_dir_all(folder.join(shelf.name()))?;
    }
    match fs::read(folder.join(NOTE)) {
        Ok(note) => carry_out(folder, &serde_json::from_slice(&note)?),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    }
}

/// Moves files to a shelf, with a report beside the first.
///
/// # Errors
/// What the system says; nothing is lost, and [`open`] goes on with it.
pub fn put(folder: &Path, shelf: Shelf, files: &[&str], report: Option<Value>) -> io::Result<()> {
    let place = |name: &str, copy: u32| match copy {
        1 => format!("{}/{name}", shelf.name()),
        _ => format!("{}/{name}.{copy}", shelf.name()),
    };
    let report_place = |copy| place(files[0], copy) + ".report.json";
    let free = |copy: &u32| {
        let taken = |place: String| folder.join(place).symlink_metadata().is_ok();
        !files.iter().any(|name| taken(place(name, *copy))) && !taken(report_place(*copy))
    };
    let copy = (1..).find(free).unwrap_or(u32::MAX);
    let moving = Moving {
        files: files.iter().map(|name| ((*name).to_owned(), place(name, copy))).collect(),
        report: report.map(|report| (report_place(copy), report)),
    };
    write(&folder.join(DRAFT), &serde_json::to_vec(&moving)?)?;
    fs::rename(folder.join(DRAFT), folder.join(NOTE))?;
    sync(folder)?;
    carry_out(folder, &moving)
}

fn carry_out(folder: &Path, moving: &Moving) -> io::Result<()> {
    if let Some((place, report)) = &moving.report {
        write(&folder.join(place), &serde_json::to_vec_pretty(report)?)?;
    }
    for (from, to) in &moving.files {
        match fs::rename(folder.join(from), folder.join(to)) {
            // Moved before the crash.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
    }
    for shelf in Shelf::ALL {
        sync(&folder.join(shelf.name()))?;
    }
    sync(folder)?;
    fs::remove_file(folder.join(NOTE))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
