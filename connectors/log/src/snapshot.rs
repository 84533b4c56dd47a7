//! Snapshots: states that are whole, each of the end of one epoch, two generations of them.
//!
//! A snapshot is written beside the log under a name that does not count, piece by piece while epochs go
//! on, sealed by the BLAKE3 of all its bytes, synced, and then given its name. One that is damaged is
//! passed over for the one before: the log from there on says the rest.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::directory::{Directory, finish_snapshot, first_of, snapshot_at, snapshots_in};
use crate::fault::Fault;
use crate::record::{FORMAT, Link};

/// First bytes of a snapshot; its format follows.
const MAGIC: &[u8; 8] = b"plSTATE\n";
/// Magic, format, epoch, link, bytes of the first section.
const HEADER: usize = 8 + 4 + 8 + 32;
/// The hash of all before it.
const SEAL: usize = 32;
/// Bytes that are read before they are hashed.
const READ_AT_ONCE: usize = 8 << 20;
/// Generations that are kept.
pub const GENERATIONS: usize = 2;
/// Bytes that are given to the device at a time: a commit of the log waits for no more.
const FLUSH: u64 = 1 << 19;
const FLUSH_ALONE: u64 = 1 << 24;
/// After a sync the device is left to the log for so many times as long as that took, unless nothing else waits.
const PAUSE: u32 = 2;
/// Bytes of an old generation that go at a time.
const GONE: u64 = 8 << 20;

/// Pieces that may wait for the device.
const PIECES: usize = 4;

/// How fast a snapshot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Beside the log, which comes first.
    Beside,
    /// As fast as the device goes: nothing else waits.
    Alone,
}

/// A snapshot that is being written, by a thread of its own: whoever hands the pieces over does not wait
/// for the device.
pub struct Writer {
    pieces: Option<SyncSender<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Result<(), Fault>>>,
}

impl Writer {
    /// Begins the snapshot of the state at the end of an epoch.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(directory: &Directory, epoch: u64, link: Link, pace: Pace) -> Result<Self, Fault> {
        let (pieces, taken) = sync_channel::<Vec<u8>>(PIECES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut out = Out::create(directory.path(), epoch, pace)?;
        let mut head = MAGIC.to_vec();
        head.extend(FORMAT.to_le_bytes());
        head.extend(epoch.to_le_bytes());
        head.extend(link);
        let still = waiting.clone();
        let work = move || {
            out.put(&head)?;
            let mut whole = false;
            for piece in taken {
                // The last one is empty; without it the snapshot was given up.
                whole = piece.is_empty();
                out.put(&piece)?;
                still.fetch_sub(1, Ordering::AcqRel);
            }
            if whole { out.finish() } else { out.give_up() }
        };
        let path = directory.path().to_owned();
        let thread = std::thread::Builder::new().name("snapshot".to_owned()).spawn(work);
        let thread = thread.map_err(|cause| Fault::of(&path, &cause))?;
        Ok(Writer { pieces: Some(pieces), waiting, thread: Some(thread) })
    }

    /// Whether a piece can be handed over without a wait.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < PIECES
    }

    /// Adds bytes to the state.
    pub fn put(&mut self, piece: Vec<u8>) {
        if !piece.is_empty() {
            self.hand(piece);
        }
    }

    /// Says that the state is whole.
    pub fn end(&mut self) {
        self.hand(Vec::new());
        self.pieces = None;
    }

    fn hand(&mut self, piece: Vec<u8>) {
        if let Some(pieces) = &self.pieces {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            // A thread that has ended says why when it is asked.
            let _ = pieces.send(piece);
        }
    }

    /// Whether it is there, or failed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until it is there; one that was not [ended](Writer::end) is taken away.
    ///
    /// # Errors
    /// What the device says.
    ///
    /// # Panics
    /// Where its thread did.
    pub fn finish(mut self) -> Result<(), Fault> {
        self.join()
    }

    fn join(&mut self) -> Result<(), Fault> {
        self.pieces = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| ended.expect("a thread that does not panic"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nobody is left to be told what the device says; the next start sweeps up.
        let _ = self.join();
    }
}

/// The file of a snapshot.
struct Out {
    directory: PathBuf,
    path: PathBuf,
    finished: PathBuf,
    file: BufWriter<File>,
    seal: blake3::Hasher,
    pace: Pace,
    since_flush: u64,
}

impl Out {
    fn create(directory: &Path, epoch: u64, pace: Pace) -> Result<Self, Fault> {
        let (finished, path) = snapshot_at(directory, epoch);
        let file = File::create(&path).map_err(|cause| Fault::of(&path, &cause))?;
        let (file, seal) = (BufWriter::with_capacity(FLUSH as usize, file), blake3::Hasher::new());
        Ok(Out { directory: directory.to_owned(), path, finished, file, seal, pace, since_flush: 0 })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.seal.update(bytes);
        self.file.write_all(bytes).map_err(|cause| Fault::of(&self.path, &cause))?;
        self.since_flush += bytes.len() as u64;
        if self.since_flush >= if self.pace == Pace::Beside { FLUSH } else { FLUSH_ALONE } {
            self.since_flush = 0;
            let started = Instant::now();
            self.sync()?;
            if self.pace == Pace::Beside {
                std::thread::sleep(started.elapsed() * PAUSE);
            }
        }
        Ok(())
    }

    /// Seals the snapshot and gives it its name; older generations than are kept go.
    fn finish(mut self) -> Result<(), Fault> {
        let seal = self.seal.finalize();
        self.file.write_all(seal.as_bytes()).map_err(|cause| Fault::of(&self.path, &cause))?;
        self.sync()?;
        finish_snapshot(&self.directory, &self.path, &self.finished)?;
        let all = snapshots_in(&self.directory)?;
        for old in &all[..all.len().saturating_sub(GENERATIONS)] {
            let (_, path) = snapshot_at(&self.directory, first_of(old).unwrap_or_default());
            let gone = fs::rename(old, &path).and_then(|()| removed(&path));
            gone.map_err(|cause| Fault::of(old, &cause))?;
        }
        Ok(())
    }

    fn give_up(self) -> Result<(), Fault> {
        fs::remove_file(&self.path).map_err(|cause| Fault::of(&self.path, &cause))
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let done = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        done.map_err(|cause| Fault::of(&self.path, &cause))
    }
}

/// Takes a file away from its end on: at once, it would hold up the commit of the log that comes next.
fn removed(path: &Path) -> std::io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let mut len = file.metadata()?.len();
    while len > GONE {
        len -= GONE;
        file.set_len(len)?;
        file.sync_data()?;
    }
    fs::remove_file(path)
}

/// The bytes of a file, and the hash of all but its seal: one thread reads while another hashes.
fn hashed(path: &Path) -> std::io::Result<(Vec<u8>, blake3::Hash)> {
    let mut file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
    let mut bytes = vec![0; len];
    let (body, seal) = bytes.split_at_mut(len.saturating_sub(SEAL));
    let hash = std::thread::scope(|scope| {
        let (read, pieces) = channel::<&[u8]>();
        let hashing = scope.spawn(move || {
            let mut hasher = blake3::Hasher::new();
            for piece in pieces {
                hasher.update(piece);
            }
            hasher.finalize()
        });
        for piece in body.chunks_mut(READ_AT_ONCE) {
            file.read_exact(piece)?;
            // It takes them as long as there are some.
            let _ = read.send(piece);
        }
        drop(read);
        hashing.join().map_err(|_| std::io::Error::other("the thread that hashes has ended"))
    })?;
    file.read_exact(seal)?;
    Ok((bytes, hash))
}

/// A snapshot that was read whole.
#[derive(Debug)]
pub struct Snapshot {
    /// The epoch at whose end it was taken.
    pub epoch: u64,
    /// That epoch's link.
    pub link: Link,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// Reads one, every byte checked.
    ///
    /// # Errors
    /// What the system says, or that it is not what was written.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let (bytes, hash) = hashed(path).map_err(|cause| Fault::of(path, &cause))?;
        let damaged = || Fault::damaged(path, None, "a snapshot that is not what was written");
        let (body, seal) = bytes.split_last_chunk::<SEAL>().ok_or_else(damaged)?;
        let (head, _) = body.split_first_chunk::<HEADER>().ok_or_else(damaged)?;
        let word = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or_default();
        if head[..8] == *MAGIC && word(8) > FORMAT {
            return Err(Fault::Newer { path: path.to_owned(), found: word(8), known: FORMAT });
        }
        if hash.as_bytes() != seal || head[..8] != *MAGIC {
            return Err(damaged());
        }
        let epoch = u64::from(word(12)) | u64::from(word(16)) << 32;
        let link = head[20..].try_into().map_err(|_| damaged())?;
        Ok(Snapshot { epoch, link, bytes })
    }

    /// The state in it.
    #[must_use]
    pub fn state(&self) -> &[u8] {
        &self.bytes[HEADER..self.bytes.len() - SEAL]
    }

    /// Epochs of those that are kept, the oldest first.
    ///
    /// # Errors
    /// What the system says of the directory.
    pub fn epochs(directory: &Directory) -> Result<Vec<u64>, Fault> {
        Ok(snapshots_in(directory.path())?.iter().filter_map(|path| first_of(path)).collect())
    }

    /// The newest whole one of a directory, and what is wrong with newer ones.
    ///
    /// # Errors
    /// What the system says of the directory, and a snapshot of a newer version.
    pub fn newest(directory: &Directory) -> Result<(Option<Self>, Vec<Fault>), Fault> {
        let mut wrong = Vec::new();
        for path in snapshots_in(directory.path())?.iter().rev() {
            match Snapshot::read(path) {
                Ok(snapshot) => return Ok((Some(snapshot), wrong)),
                Err(fault @ Fault::Damaged { .. }) => wrong.push(fault),
                Err(fault) => return Err(fault),
            }
        }
        Ok((None, wrong))
    }
}
