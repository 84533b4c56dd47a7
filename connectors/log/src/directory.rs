//! The directory of a log: who has it, which segments are in it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// A directory that no other process has while this one lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Locked until it is dropped, or the process ends in whatever way.
    _lock: File,
}

const SEGMENTS: &str = "log";
const ARCHIVE: &str = "archive";
const SNAPSHOTS: &str = "snapshots";
const STATE: &str = "state";
const LOCK: &str = "lock";
const ENDING: &str = "redb";
const UNFINISHED: &str = "unfinished";

impl Directory {
    /// Takes a directory, and makes it where there is none.
    ///
    /// # Errors
    /// [`Fault::Locked`] where another process has it, and what the system says.
    pub fn take(path: &Path) -> Result<Self, Fault> {
        let fault = |at: &Path| {
            let at = at.to_owned();
            move |cause: std::io::Error| Fault::of(&at, &cause)
        };
        for folder in [SEGMENTS, SNAPSHOTS] {
            fs::create_dir_all(path.join(folder)).map_err(fault(path))?;
        }
        let at = path.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&at).map_err(fault(&at))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Fault::Locked(path.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(Fault::of(&at, &cause)),
        }
        let directory = Directory { path: path.to_owned(), _lock: lock };
        for folder in [SEGMENTS, SNAPSHOTS] {
            for unfinished in files_in(&path.join(folder), UNFINISHED)? {
                fs::remove_file(&unfinished).map_err(fault(&unfinished))?;
            }
        }
        Ok(directory)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The segments in it, by their first epochs.
    pub(crate) fn segments(&self) -> Result<Vec<PathBuf>, Fault> {
        segments_in(&self.path)
    }

    /// Where the segment of a first epoch is, and where it is until it is finished.
    pub(crate) fn place(&self, first: u64) -> (PathBuf, PathBuf) {
        let name = |ending: &str| self.path.join(SEGMENTS).join(format!("{first:020}.{ending}"));
        (name(ENDING), name(UNFINISHED))
    }

    /// Gives a finished file its name; it is there for good once this returns.
    pub(crate) fn finish(&self, unfinished: &Path, path: &Path) -> Result<(), Fault> {
        renamed(&self.path, unfinished, path, SEGMENTS)
    }

    /// The archived segments, by their first epochs.
    pub(crate) fn archived(&self) -> Result<Vec<PathBuf>, Fault> {
        let archive = self.path.join(ARCHIVE);
        if archive.exists() { files_in(&archive, ENDING) } else { Ok(Vec::new()) }
    }

    /// Removes an archived segment.
    pub(crate) fn remove(&self, segment: &Path) -> Result<(), Fault> {
        fs::remove_file(segment).map_err(|cause| Fault::of(segment, &cause))?;
        sync(&self.path.join(ARCHIVE))
    }

    /// Moves a segment to the archive.
    pub(crate) fn archive(&self, segment: &Path) -> Result<(), Fault> {
        let archive = self.path.join(ARCHIVE);
        fs::create_dir_all(&archive).map_err(|cause| Fault::of(&archive, &cause))?;
        let to = segment.file_name().map(|name| archive.join(name)).unwrap_or_default();
        fs::rename(segment, &to).map_err(|cause| Fault::of(segment, &cause))?;
        sync(&archive)?;
        sync(&self.path.join(SEGMENTS))
    }
}

fn renamed(directory: &Path, unfinished: &Path, path: &Path, folder: &str) -> Result<(), Fault> {
    fs::rename(unfinished, path).map_err(|cause| Fault::of(path, &cause))?;
    sync(&directory.join(folder))
}

fn sync(folder: &Path) -> Result<(), Fault> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|cause| Fault::of(folder, &cause))
}

/// Where the snapshot of an epoch is, and where it is until it is finished.
pub(crate) fn snapshot_at(directory: &Path, epoch: u64) -> (PathBuf, PathBuf) {
    let name = |ending: &str| directory.join(SNAPSHOTS).join(format!("{epoch:020}.{ending}"));
    (name(STATE), name(UNFINISHED))
}

/// Gives a finished snapshot its name.
pub(crate) fn finish_snapshot(directory: &Path, unfinished: &Path, path: &Path) -> Result<(), Fault> {
    renamed(directory, unfinished, path, SNAPSHOTS)
}

/// The snapshots of a directory, by their epochs.
///
/// # Errors
/// What the system says.
pub fn snapshots_in(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    files_in(&directory.join(SNAPSHOTS), STATE)
}

/// The segments of a directory, archived ones first, by their first epochs.
pub(crate) fn segments_in(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let archived = directory.join(ARCHIVE);
    let mut all = if archived.exists() { files_in(&archived, ENDING)? } else { Vec::new() };
    all.extend(files_in(&directory.join(SEGMENTS), ENDING)?);
    all.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    Ok(all)
}

/// The first epoch of a segment, or the one of a snapshot, by its name.
pub(crate) fn first_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn files_in(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Fault> {
    let fault = |cause: std::io::Error| Fault::of(folder, &cause);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|is| is == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
