//! A segment: one file of the store, holding epochs one after the other.
//!
//! An epoch's bytes stand in parts of at most 256 KiB, each with its own head, so that a file that the
//! store itself can no longer read still says which epoch was hit ([`scan`]).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};

use crate::directory::first_of;
use crate::fault::Fault;
use crate::record::{FORMAT, Link};
use crate::store::{Device, Failure, Told};

/// Parts of epochs by number and place.
const EPOCHS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("epochs");
/// What the segment is: one row.
const HEAD: TableDefinition<(), (u32, u64, &[u8; 32])> = TableDefinition::new("head");

/// Bytes of a part without its head: the store keeps a value in one piece of a power of two.
const PART: usize = (256 << 10) - HEADER - 1024;
/// Marks the head of a part, for a scan of the file.
const MAGIC: [u8; 8] = *b"plEPOCH\n";
/// Magic, number, place, parts, length, and the first half of the BLAKE3 of all these and the bytes.
const HEADER: usize = 8 + 8 + 4 + 4 + 4 + 16;
/// Memory the store keeps of a segment that is written, and of one that is read.
const CACHE: usize = 16 << 20;

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its first epoch.
    pub first: u64,
    /// The link of the epoch before.
    pub previous: Link,
}

/// A segment that is open.
pub(crate) struct Segment {
    path: PathBuf,
    database: Database,
    pub(crate) head: Head,
}

impl Segment {
    /// Makes the file of a segment: whole under another name first, so that no half of one is ever found. It
    /// is closed once this returns, and all of it is on the device.
    pub(crate) fn create(device: &dyn Device, path: &Path, head: Head) -> Result<(), Fault> {
        let (database, failed) = opened(device, path)?;
        let segment = Segment { path: path.to_owned(), database, head };
        segment.write(|transaction| {
            transaction.open_table(EPOCHS)?;
            transaction.open_table(HEAD)?.insert((), (FORMAT, head.first, &head.previous))?;
            Ok(())
        })?;
        drop(segment);
        match failed.get() {
            Some((kind, what)) => Err(Fault::of(path, &std::io::Error::new(*kind, what.clone()))),
            None => Ok(()),
        }
    }

    /// Opens a segment, every page of it checked.
    pub(crate) fn open(device: &dyn Device, path: &Path) -> Result<Self, Fault> {
        let (database, _) = opened(device, path)?;
        let head = read(path, &database, |transaction| {
            let table = transaction.open_table(HEAD)?;
            let row = table.get(())?;
            Ok(row.map(|row| {
                let (format, first, previous) = row.value();
                (format, Head { first, previous: *previous })
            }))
        })?;
        let (format, head) = head.ok_or_else(|| Fault::damaged(path, None, "it has no head"))?;
        if format > FORMAT {
            return Err(Fault::Newer { path: path.to_owned(), found: format, known: FORMAT });
        }
        Ok(Segment { path: path.to_owned(), database, head })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of its last epoch.
    pub(crate) fn last(&self) -> Result<Option<u64>, Fault> {
        read(&self.path, &self.database, |transaction| {
            Ok(transaction.open_table(EPOCHS)?.last()?.map(|(key, _)| key.value().0))
        })
    }

    /// Bytes of all its epochs.
    pub(crate) fn stored(&self) -> Result<u64, Fault> {
        read(&self.path, &self.database, |transaction| {
            Ok(transaction.open_table(EPOCHS)?.stats()?.stored_bytes())
        })
    }

    /// Appends the bytes of an epoch: one commit, one sync.
    pub(crate) fn append(&self, number: u64, bytes: &[u8]) -> Result<(), Fault> {
        let count = bytes.len().div_ceil(PART).max(1) as u32;
        self.write(|transaction| {
            let mut table = transaction.open_table(EPOCHS)?;
            for (place, part) in (0..).zip(bytes.chunks(PART)) {
                let mut value = table.insert_reserve((number, place), HEADER + part.len())?;
                let (head, data) = value.as_mut().split_at_mut(HEADER);
                head.copy_from_slice(&header(number, place, count, part));
                data.copy_from_slice(part);
            }
            Ok(())
        })
    }

    /// The bytes of an epoch, where it is there.
    pub(crate) fn bytes(&self, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        let parts = read(&self.path, &self.database, |transaction| {
            let table = transaction.open_table(EPOCHS)?;
            let mut parts = Vec::new();
            for row in table.range((number, 0)..=(number, u32::MAX))? {
                let (key, value) = row?;
                parts.push((key.value().1, value.value().to_vec()));
            }
            Ok(parts)
        })?;
        let damaged = |what| Fault::damaged(&self.path, number, what);
        let mut bytes = Vec::new();
        for (at, (place, part)) in (0..).zip(&parts) {
            let (head, data) = part.split_at_checked(HEADER).ok_or_else(|| damaged("a part is cut off"))?;
            if *place != at || head != header(number, at, parts.len() as u32, data) {
                return Err(damaged("a part is not what was written"));
            }
            bytes.extend_from_slice(data);
        }
        Ok((!parts.is_empty()).then_some(bytes))
    }

    fn write(
        &self,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), Fault> {
        let write = || {
            let transaction = self.database.begin_write()?;
            work(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|cause| fault_of(&self.path, cause))
    }
}

fn read<T>(
    path: &Path,
    database: &Database,
    work: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
) -> Result<T, Fault> {
    database
        .begin_read()
        .map_err(redb::Error::from)
        .and_then(|t| work(&t))
        .map_err(|cause| fault_of(path, cause))
}

/// An open store, and where the first thing will stand that fails on its device.
fn opened(device: &dyn Device, path: &Path) -> Result<(Database, Arc<OnceLock<Failure>>), Fault> {
    let backend = device.open(path).map_err(|cause| Fault::of(path, &cause))?;
    let (backend, failed) = Told::of(backend);
    let database =
        Builder::new().set_cache_size(CACHE).set_check_integrity_on_open(true).create_with_backend(backend);
    let database = database.map_err(|cause: DatabaseError| fault_of(path, cause.into()))?;
    Ok((database, failed))
}

/// The head of a part.
fn header(number: u64, place: u32, count: u32, data: &[u8]) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    let fields = [&MAGIC[..], &number.to_le_bytes(), &place.to_le_bytes(), &count.to_le_bytes()];
    let mut at = 0;
    for field in fields.into_iter().chain([&(data.len() as u32).to_le_bytes()[..]]) {
        head[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head[..at]).update(data);
    head[at..].copy_from_slice(&hasher.finalize().as_bytes()[..HEADER - at]);
    head
}

/// The fault behind an error of the store; one that means damage names the first epoch that was hit.
fn fault_of(path: &Path, cause: redb::Error) -> Fault {
    match cause {
        // So the store calls a file that is none of its own.
        redb::Error::Io(cause) if cause.kind() == ErrorKind::InvalidData => {
            Fault::damaged(path, scan(path), cause.to_string())
        }
        redb::Error::Io(cause) => Fault::of(path, &cause),
        redb::Error::DatabaseAlreadyOpen => Fault::Locked(path.to_owned()),
        redb::Error::PreviousIo => Fault::Device { path: path.to_owned(), what: cause.to_string() },
        other => Fault::damaged(path, scan(path), other.to_string()),
    }
}

/// Looks for the first epoch with a part that is not what was written, in the bytes of a file that the
/// store cannot read; where every part is whole, it is the first epoch of the segment by its name.
fn scan(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let mut hit: Option<u64> = None;
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(8).position(|head| head == MAGIC)) {
        let start = at + found;
        at = start + 8;
        let Some(((epoch, place), (count, len))) =
            number(start + 8).zip(word(start + 16)).zip(word(start + 20).zip(word(start + 24)))
        else {
            break;
        };
        let data = start + HEADER;
        let whole = bytes.get(data..data + len as usize);
        if whole.is_none_or(|data| header(epoch, place, count, data) != bytes[start..start + HEADER]) {
            hit = Some(hit.map_or(epoch, |hit| hit.min(epoch)));
        }
    }
    hit.or_else(|| first_of(path))
}
