//! A file or pipe of event lines, followed as it grows.
//!
//! Where it was followed to is kept beside a file, so that a restart does not send a day's quotes again. The
//! place is written after its lines were answered: a crash in between sends some of them twice, which their
//! ids and times make harmless. What was read of a pipe and not answered is gone with the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Followed;
use crate::spool::{STREAM_BYTES, STREAM_EVENTS};
use crate::{Receipt, Submit};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Which file, and how far it was followed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Place {
    inode: u64,
    offset: u64,
}

/// A followed file or pipe.
#[derive(Debug)]
pub struct Follow {
    followed: Followed,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    pipe: bool,
    /// The end of the lines that were answered.
    place: Place,
    /// What was read after it.
    read: Vec<u8>,
}

impl Follow {
    /// Follows a file.
    #[must_use]
    pub fn new(followed: Followed) -> Self {
        Follow { followed, open: None }
    }

    /// What is followed.
    #[must_use]
    pub fn followed(&self) -> &Followed {
        &self.followed
    }

    /// Submits the complete lines that have come, until there are none or a submission is not taken; gives
    /// the sum of the receipts. A file that became shorter, or was replaced by another of its name, is
    /// followed from its beginning.
    ///
    /// # Errors
    /// What the system says of the file; the next call tries again.
    pub fn poll(&mut self, submit: &mut Submit<'_>) -> io::Result<Receipt> {
        let mut sum = Receipt::default();
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => match self.start() {
                    Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(sum),
                    open => open?,
                },
            };
            let more = open.fill()?;
            let lines = lines(&open.read);
            if lines > 0 {
                // Lines that are not taken are read again: of a file from its place, of a pipe from memory.
                let Ok(receipt) = submit(open.read[..lines].to_vec()) else {
                    self.open = Some(open);
                    return Ok(sum);
                };
                sum.accepted += receipt.accepted;
                sum.duplicates += receipt.duplicates;
                sum.refused.extend(receipt.refused);
                open.read.drain(..lines);
                open.place.offset += lines as u64;
                if !open.pipe {
                    fs::write(self.beside(), serde_json::to_vec(&open.place)?)?;
                }
            } else if !more {
                if open.pipe || self.is_same(&open)? {
                    self.open = Some(open);
                    return Ok(sum);
                }
                continue;
            }
            self.open = Some(open);
        }
    }

    fn start(&self) -> io::Result<Open> {
        // A pipe without a writer is opened at once, and is empty.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&self.followed.path)?;
        let about = file.metadata()?;
        let known =
            fs::read(self.beside()).ok().and_then(|place| serde_json::from_slice::<Place>(&place).ok());
        let place = known.filter(|place| place.inode == about.ino() && place.offset <= about.len());
        let place = place.unwrap_or(Place { inode: about.ino(), offset: 0 });
        let pipe = about.file_type().is_fifo();
        let mut open = Open { file, pipe, place, read: Vec::new() };
        if !pipe {
            open.file.seek(SeekFrom::Start(place.offset))?;
        }
        Ok(open)
    }

    /// Whether the file of the name is still this one, and not shorter than it was followed.
    fn is_same(&self, open: &Open) -> io::Result<bool> {
        match fs::metadata(&self.followed.path) {
            Ok(now) => {
                let until = open.place.offset + open.read.len() as u64;
                Ok(now.ino() == open.place.inode && now.len() >= until)
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// Where the place is kept.
    fn beside(&self) -> PathBuf {
        let name = self.followed.path.file_name().unwrap_or_default().to_string_lossy();
        self.followed.path.with_file_name(format!(".{name}.place"))
    }
}

impl Open {
    /// Reads what has come, as long as it has room; says whether anything had.
    fn fill(&mut self) -> io::Result<bool> {
        let before = self.read.len();
        while self.read.len() < STREAM_BYTES {
            let at = self.read.len();
            self.read.resize(at + PIECE, 0);
            let read = self.file.read(&mut self.read[at..]);
            self.read.truncate(at + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => break,
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => break,
                Err(cause) => return Err(cause),
            }
        }
        Ok(self.read.len() > before)
    }
}

/// Bytes of the complete lines at the beginning, of so many lines as a batch may have. What fills the room and
/// has no end is given as it is: it is no event, and refused.
fn lines(read: &[u8]) -> usize {
    let ends = read.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let end = ends.take(STREAM_EVENTS).last();
    end.unwrap_or(if read.len() >= STREAM_BYTES { read.len() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_lines_are_taken() {
        assert_eq!(lines(b""), 0);
        assert_eq!(lines(b"{}"), 0);
        assert_eq!(lines(b"{}\n{}\n{"), 6);
        for (count, want) in [(STREAM_EVENTS - 1, STREAM_EVENTS - 1), (STREAM_EVENTS + 1, STREAM_EVENTS)] {
            assert_eq!(lines(&b"\n".repeat(count)), want);
        }
        assert_eq!(lines(&vec![b'x'; STREAM_BYTES - 1]), 0);
        assert_eq!(lines(&vec![b'x'; STREAM_BYTES]), STREAM_BYTES);
    }
}
