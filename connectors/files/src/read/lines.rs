//! Lines of a plain or compressed file.

use crate::LINE_BYTES;
use crate::error::FileError;
use memchr::{memchr, memrchr};
use std::io::{ErrorKind, Read};

/// Bytes of the first buffer; it grows only for a line that is longer.
const BUFFER_BYTES: usize = 1 << 20;

/// Reads a file into a buffer and hands out the complete lines in it.
pub struct LineReader {
    from: Box<dyn Read + Send>,
    compressed: bool,
    buffer: Vec<u8>,
    /// Where the lines handed out last end.
    start: usize,
    /// Where what was read ends.
    end: usize,
    /// Lines before `start`.
    lines: u64,
    finished: bool,
}

impl LineReader {
    pub fn new(from: Box<dyn Read + Send>, compressed: bool) -> Self {
        LineReader {
            from,
            compressed,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            lines: 0,
            finished: false,
        }
    }

    /// The next complete lines, or `None` at the end.
    pub fn next_chunk(&mut self, name: &str) -> Result<Option<Lines<'_>>, FileError> {
        let Some(until) = self.fill(name)? else { return Ok(None) };
        let (from, before) = (self.start, self.lines);
        let bytes = &self.buffer[from..until];
        self.start = until;
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        Ok(Some(Lines { rest: bytes, number: before }))
    }

    /// Reads until at least one complete line stands in the buffer; says where the last one ends.
    fn fill(&mut self, name: &str) -> Result<Option<usize>, FileError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            if self.finished {
                return Ok((self.end > 0).then_some(self.end));
            }
            if self.end == self.buffer.len() {
                self.grow(name)?;
            }
            let before = self.end;
            self.end += self.read(name)?;
            if self.end == before {
                self.finished = true;
            } else if let Some(at) = memrchr(b'\n', &self.buffer[before..self.end]) {
                return Ok(Some(before + at + 1));
            }
        }
    }

    fn grow(&mut self, name: &str) -> Result<(), FileError> {
        if self.buffer.len() >= LINE_BYTES {
            let (file, line) = (name.to_owned(), self.lines + 1);
            return Err(FileError::LongLine { file, line, bound: LINE_BYTES });
        }
        self.buffer.resize((self.buffer.len() * 2).min(LINE_BYTES), 0);
        Ok(())
    }

    fn read(&mut self, name: &str) -> Result<usize, FileError> {
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(count) => return Ok(count),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) if self.compressed => {
                    return Err(FileError::Damaged {
                        file: name.to_owned(),
                        carrier: "zstd",
                        unit: "line",
                        after: self.lines,
                        cause: cause.to_string(),
                    });
                }
                Err(cause) => return Err(FileError::Io { file: name.to_owned(), cause }),
            }
        }
    }
}

/// Lines of a file that are not blank, with their numbers from 1.
pub struct Lines<'a> {
    rest: &'a [u8],
    number: u64,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (line, rest) = match memchr(b'\n', self.rest) {
                Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
                None => (self.rest, &self.rest[..0]),
            };
            self.rest = rest;
            self.number += 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some((self.number, line));
            }
        }
        None
    }
}
