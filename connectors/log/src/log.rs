//! The log itself: append at the end, read from anywhere.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::directory::{Directory, first_of, segments_in};
use crate::fault::Fault;
use crate::pack::{Expander, Packing};
use crate::record::{self, Epoch, Flaw, Link, Record};
use crate::segment::{Head, Segment};
use crate::store::{Device, Overlay};

/// Bytes of epochs after which a segment is ended.
const SEGMENT_BYTES: u64 = 256 << 20;
/// Epochs that are read before they are asked for.
const AHEAD: usize = 2;

/// The log of a directory, open at its end.
pub struct Log {
    directory: Directory,
    device: Arc<dyn Device>,
    segment: Arc<Segment>,
    past: Past,
    packing: Packing,
    /// Bytes of epochs in the segment.
    bytes: u64,
    /// Number and link of the last epoch.
    last: (u64, Link),
}

impl Log {
    /// Opens the log of a directory at its end, or begins one. What a torn commit left is gone; every page
    /// of the last segment is checked.
    ///
    /// # Errors
    /// What is wrong with the device or the segment.
    pub fn open(directory: Directory, device: Arc<dyn Device>) -> Result<Self, Fault> {
        let packing = Packing::new();
        let newest = directory.segments()?.pop();
        let Some(path) = newest else {
            let head = Head { first: 1, previous: [0; 32] };
            let segment = Arc::new(begun(&directory, &*device, head)?);
            let past = Past::of(directory.path(), &segment);
            return Ok(Log { directory, device, segment, past, packing, bytes: 0, last: (0, head.previous) });
        };
        let segment = Arc::new(Segment::open(&*device, &path)?);
        let past = Past::of(directory.path(), &segment);
        let mut last = (segment.head.first - 1, segment.head.previous);
        if let Some(number) = segment.last()? {
            let (_, link) = epoch_of(&segment, number, &mut Expander::new())?;
            last = (number, link);
        }
        let bytes = segment.stored()?;
        Ok(Log { directory, device, segment, past, packing, bytes, last })
    }

    /// The directory it is in.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Number of the last epoch; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.0
    }

    /// The link of the last epoch.
    #[must_use]
    pub fn link(&self) -> Link {
        self.last.1
    }

    /// Adds lines to the inputs of the epoch that is appended next; they are packed meanwhile.
    pub fn add(&mut self, lines: &[u8]) {
        self.packing.add(lines);
    }

    /// Appends an epoch with the lines that were added: one commit, one sync. Once it returns, the epoch is
    /// there for good. Gives its bytes.
    ///
    /// # Errors
    /// What the device says. Nothing may be appended after it: the process is to end.
    ///
    /// # Panics
    /// On an epoch that does not follow the last one: the caller's broken invariant.
    pub fn append(&mut self, mut record: Record, effects: &[u8]) -> Result<usize, Fault> {
        assert_eq!(record.number, self.last.0 + 1, "epochs are appended without a gap");
        record.previous = self.last.1;
        record.effects = *blake3::hash(effects).as_bytes();
        let number = record.number;
        let (lines, effects) = (self.packing.take(), self.packing.packed(effects));
        let (bytes, link) = record::bytes(&record, &lines, &effects);
        if self.bytes > 0 && self.bytes + bytes.len() as u64 > SEGMENT_BYTES {
            self.rotate()?;
        }
        self.segment.append(number, &bytes)?;
        self.bytes += bytes.len() as u64;
        self.last = (number, link);
        Ok(bytes.len())
    }

    /// Ends the segment; the next epoch begins another.
    ///
    /// # Errors
    /// What the device says.
    pub fn rotate(&mut self) -> Result<(), Fault> {
        if self.last.0 >= self.segment.head.first {
            let head = Head { first: self.last.0 + 1, previous: self.last.1 };
            self.segment = Arc::new(begun(&self.directory, &*self.device, head)?);
            self.past.turn(&self.segment);
            self.bytes = 0;
        }
        Ok(())
    }

    /// Moves the segments to the archive that hold nothing from an epoch on.
    ///
    /// # Errors
    /// What the device says.
    pub fn archive_before(&self, epoch: u64) -> Result<usize, Fault> {
        let segments = self.directory.segments()?;
        let mut moved = 0;
        for (path, next) in segments.iter().zip(segments.iter().skip(1)) {
            let archived = path.parent().is_some_and(|folder| folder.ends_with("archive"));
            if !archived && first_of(next).is_some_and(|first| first <= epoch) {
                self.directory.archive(path)?;
                moved += 1;
            }
        }
        Ok(moved)
    }

    /// Removes archived segments that nothing was written to since a time, the oldest first; one that was
    /// written to later keeps those after it too.
    ///
    /// # Errors
    /// What the device says.
    pub fn drop_archived(&self, since: SystemTime) -> Result<usize, Fault> {
        let mut dropped = 0;
        for path in self.directory.archived()? {
            let modified = std::fs::metadata(&path).and_then(|about| about.modified());
            if modified.map_err(|cause| Fault::of(&path, &cause))? >= since {
                break;
            }
            self.directory.remove(&path)?;
            dropped += 1;
        }
        Ok(dropped)
    }

    /// The epochs so far, for readers on other threads.
    #[must_use]
    pub fn past(&self) -> Past {
        self.past.clone()
    }
}

/// Committed epochs, read beside the writer: it is not held up.
#[derive(Clone)]
pub struct Past(Arc<Shared>);

struct Shared {
    directory: PathBuf,
    /// The segment that is written, last, and older ones that were read lately.
    open: Mutex<Vec<Arc<Segment>>>,
}

/// Segments that are kept open for readers, the one that is written among them.
const KEPT_OPEN: usize = 3;

impl Past {
    fn of(directory: &Path, segment: &Arc<Segment>) -> Self {
        Past(Arc::new(Shared { directory: directory.to_owned(), open: Mutex::new(vec![segment.clone()]) }))
    }

    fn turn(&self, segment: &Arc<Segment>) {
        self.keep(|open| open.push(segment.clone()));
    }

    fn keep(&self, change: impl FnOnce(&mut Vec<Arc<Segment>>)) {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut open);
        let surplus = open.len().saturating_sub(KEPT_OPEN);
        open.drain(..surplus);
    }

    /// The first epoch that is still there; 1 where none is yet.
    ///
    /// # Errors
    /// What the system says of the directory.
    pub fn first(&self) -> Result<u64, Fault> {
        first_epoch(&self.0.directory)
    }

    /// Epochs from one on, those of one segment and at most so many; none after the last.
    ///
    /// # Errors
    /// The first thing that is not what was written.
    pub fn epochs(&self, from: u64, most: usize) -> Result<Vec<Epoch>, Fault> {
        let segment = self.segment_of(from)?;
        let (mut expander, mut all) = (Expander::new(), Vec::new());
        let last = segment.last()?.unwrap_or(0);
        for number in (from..=last).take(most) {
            all.push(epoch_of(&segment, number, &mut expander)?.0);
        }
        Ok(all)
    }

    /// The segment that holds an epoch: one that is open, or opened for the occasion.
    fn segment_of(&self, number: u64) -> Result<Arc<Segment>, Fault> {
        let mut known = Vec::new();
        self.keep(|open| known.clone_from(open));
        let newest = known.last().cloned();
        if let Some(newest) = newest.filter(|segment| segment.head.first <= number) {
            return Ok(newest);
        }
        let paths = segments_in(&self.0.directory)?;
        let path = paths.iter().rev().find(|path| first_of(path).is_some_and(|first| first <= number));
        let path = path.ok_or_else(|| Fault::damaged(&self.0.directory, number, "no segment holds it"))?;
        if let Some(segment) = known.iter().find(|segment| Some(segment.head.first) == first_of(path)) {
            return Ok(segment.clone());
        }
        let segment = Arc::new(Segment::open(&Overlay, path)?);
        // Before the one that is written, which stays the last.
        self.keep(|open| open.insert(open.len() - 1, segment.clone()));
        Ok(segment)
    }
}

/// The first epoch that a directory still holds; 1 where there is none yet.
///
/// # Errors
/// What the system says of the directory.
pub fn first_epoch(directory: &Path) -> Result<u64, Fault> {
    Ok(segments_in(directory)?.first().and_then(|path| first_of(path)).unwrap_or(1))
}

fn begun(directory: &Directory, device: &dyn Device, head: Head) -> Result<Segment, Fault> {
    let (path, unfinished) = directory.place(head.first);
    Segment::create(device, &unfinished, head)?;
    directory.finish(&unfinished, &path)?;
    Segment::open(device, &path)
}

fn epoch_of(segment: &Segment, number: u64, expander: &mut Expander) -> Result<(Epoch, Link), Fault> {
    let missing = || Fault::damaged(segment.path(), number, "it is not there");
    let bytes = segment.bytes(number)?.ok_or_else(missing)?;
    let (epoch, link) = record::epoch(&bytes, expander).map_err(|flaw| match flaw {
        Flaw::Damaged(what) => Fault::damaged(segment.path(), number, what),
        Flaw::Newer(found) => Fault::Newer { path: segment.path().to_owned(), found, known: record::FORMAT },
    })?;
    if epoch.record.number == number {
        Ok((epoch, link))
    } else {
        Err(Fault::damaged(segment.path(), number, "it has another number"))
    }
}

/// Reads the epochs of a directory in order, the chain checked from one to the next. Changes nothing on
/// the device.
pub struct Reader {
    segments: std::vec::IntoIter<PathBuf>,
    open: Option<Segment>,
    expander: Expander,
    next: u64,
    /// The link of the epoch before, once it is known.
    link: Option<Link>,
}

impl Reader {
    /// Reads from an epoch on.
    ///
    /// # Errors
    /// What the system says, and [`Fault::Damaged`] where no segment holds the epoch.
    pub fn from(directory: &Path, first: u64) -> Result<Self, Fault> {
        let mut all = segments_in(directory)?;
        let begins = all.iter().rposition(|path| first_of(path).is_some_and(|of| of <= first));
        let Some(begins) = begins else {
            return Err(Fault::damaged(directory, first, "no segment holds it"));
        };
        let segments = all.split_off(begins).into_iter();
        Ok(Reader { segments, open: None, expander: Expander::new(), next: first, link: None })
    }

    /// The next epoch with its link; none after the last.
    ///
    /// # Errors
    /// The first thing that is not what was written.
    pub fn next_epoch(&mut self) -> Result<Option<(Epoch, Link)>, Fault> {
        loop {
            let Some(segment) = &self.open else {
                let Some(path) = self.segments.next() else { return Ok(None) };
                let segment = Segment::open(&Overlay, &path)?;
                let follows = self.link.is_none_or(|link| link == segment.head.previous);
                if segment.head.first > self.next || !follows {
                    return Err(Fault::damaged(&path, self.next, "it does not follow the segment before"));
                }
                if segment.head.first == self.next {
                    self.link = Some(segment.head.previous);
                }
                self.open = Some(segment);
                continue;
            };
            if segment.last()?.is_none_or(|last| last < self.next) {
                self.open = None;
                continue;
            }
            let (epoch, link) = epoch_of(segment, self.next, &mut self.expander)?;
            if self.link.is_some_and(|before| before != epoch.record.previous) {
                return Err(Fault::damaged(segment.path(), self.next, "it does not follow the epoch before"));
            }
            (self.next, self.link) = (self.next + 1, Some(link));
            return Ok(Some((epoch, link)));
        }
    }

    /// The epochs that follow, read, checked and expanded by a thread of its own while whoever takes them
    /// works on those before. Nothing comes after the first thing that is not what was written.
    ///
    /// # Panics
    /// Where the system gives no thread.
    pub fn ahead(mut self) -> impl Iterator<Item = Result<Epoch, Fault>> {
        let (given, read) = sync_channel(AHEAD);
        let work = move || {
            let next = || self.next_epoch().map(|next| next.map(|(epoch, _)| epoch)).transpose();
            for epoch in std::iter::from_fn(next) {
                let last = epoch.is_err();
                // Whoever needs no more has let go of the other end.
                if given.send(epoch).is_err() || last {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("reader".to_owned()).spawn(work).expect("a thread");
        read.into_iter()
    }
}
