//! Readers of event files.
//!
//! A file is read in chunks: the complete lines of a buffer, or the rows of a batch. What stands
//! before a damaged place is handed out before the error is. Of Parquet with a checksum, and of Arrow
//! whose lengths cannot be, nothing is.

mod columns;
mod guard;
mod ipc;
mod lines;
mod table;
mod text;

pub use guard::apart;
pub use lines::Lines;
pub use table::Rows;
pub use text::{TextRows, TextTable};

use crate::error::FileError;
use lines::LineReader;
use plimsoll_wire::value::Fields;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use table::TableReader;

/// The form of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of JSON.
    Ndjson,
    /// Lines of JSON, compressed.
    NdjsonZst,
    /// A Parquet table.
    Parquet,
    /// An Arrow IPC file.
    ArrowFile,
    /// An Arrow IPC stream.
    ArrowStream,
}

/// Bytes that tell the form.
const MAGIC_BYTES: usize = 8;

impl Form {
    /// The form by the first bytes; what begins like no other is lines.
    fn of(head: &[u8]) -> Self {
        // The second are skippable frames, which may stand before the first real one.
        let zstd = head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
            || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        if zstd {
            Form::NdjsonZst
        } else if head.starts_with(b"PAR1") || head.starts_with(b"PARE") {
            Form::Parquet
        } else if head.starts_with(b"ARROW1") {
            Form::ArrowFile
        } else if head.starts_with(&[0xff; 4]) {
            Form::ArrowStream
        } else {
            Form::Ndjson
        }
    }

    /// Whether a name ending like this may have this content; else what it promises.
    fn fits(self, name: &str) -> Result<(), &'static str> {
        let ends = |ending: &str| name.to_ascii_lowercase().ends_with(ending);
        if ends(".zst") && self != Form::NdjsonZst {
            Err("zstd")
        } else if ends(".parquet") && self != Form::Parquet {
            Err("Parquet")
        } else if ends(".arrow") && !matches!(self, Form::ArrowFile | Form::ArrowStream) {
            Err("Arrow IPC")
        } else {
            Ok(())
        }
    }
}

/// What a file holds, one after the other.
pub enum Record<'a> {
    /// A line that is not blank.
    Line {
        /// Its number, from 1.
        number: u64,
        /// Its bytes without the line feed.
        bytes: &'a [u8],
    },
    /// A row of a table.
    Row {
        /// Its number, from 1.
        number: u64,
        /// Its fields: the envelope's from the file's metadata, then the columns.
        fields: &'a Fields<'a>,
    },
}

/// A part of a file.
pub enum Chunk<'a> {
    /// Complete lines.
    Lines(Lines<'a>),
    /// Rows of a table.
    Rows(Rows<'a>),
}

/// An open event file.
pub struct EventFile {
    name: String,
    form: Form,
    size: Option<u64>,
    consumed: Arc<AtomicU64>,
    content: Content,
}

enum Content {
    Lines(LineReader),
    Table(TableReader),
}

impl EventFile {
    /// Opens a file, or standard input by the name `-`, and tells its form by its content.
    ///
    /// # Errors
    /// Where it cannot be read, or a table has a column that no event can.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        if path.as_os_str() == "-" {
            return Self::of_stream("standard input".to_owned(), io::stdin());
        }
        let name = path.display().to_string();
        let fail = |cause| FileError::Io { file: path.display().to_string(), cause };
        let mut file = File::open(path).map_err(fail)?;
        let about = file.metadata().map_err(fail)?;
        if about.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        if !about.is_file() {
            return Self::of_stream(name, file);
        }
        let head = head_of(&mut file).map_err(fail)?;
        file.seek(SeekFrom::Start(0)).map_err(fail)?;
        let form = Form::of(&head);
        if let Err(expected) = form.fits(&name) {
            return Err(FileError::NotWhatItSays { file: name, expected });
        }
        let consumed = Arc::new(AtomicU64::new(0));
        let content = match form {
            Form::Ndjson | Form::NdjsonZst => Content::Lines(lines_of(&name, form, file, &consumed)?),
            _ => Content::Table(TableReader::of_file(&name, form, file)?),
        };
        Ok(EventFile { name, form, size: Some(about.len()), consumed, content })
    }

    /// Opens what cannot be read twice: lines as they come, a table once it is whole.
    fn of_stream(name: String, mut from: impl Read + Send + 'static) -> Result<Self, FileError> {
        let fail = |cause| FileError::Io { file: name.clone(), cause };
        let head = head_of(&mut from).map_err(fail)?;
        let form = Form::of(&head);
        let consumed = Arc::new(AtomicU64::new(0));
        let mut whole = io::Cursor::new(head).chain(from);
        let content = match form {
            Form::Ndjson | Form::NdjsonZst => Content::Lines(lines_of(&name, form, whole, &consumed)?),
            _ => {
                let mut bytes = Vec::new();
                let bound = crate::PIPED_TABLE_BYTES;
                whole.by_ref().take(bound as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
                if bytes.len() > bound {
                    return Err(FileError::LongPipe { file: name, bound });
                }
                Content::Table(TableReader::of_bytes(&name, form, bytes)?)
            }
        };
        Ok(EventFile { name, form, size: None, consumed, content })
    }

    /// The name, as errors give it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The form of the content.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Bytes on disk, where known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes on disk read so far; of a table, the share of its rows.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        match &self.content {
            Content::Lines(_) => self.consumed.load(Ordering::Relaxed),
            Content::Table(table) => table.share_of(self.size.unwrap_or(0)),
        }
    }

    /// The next part of the file, or `None` at its end.
    ///
    /// # Errors
    /// Where the file cannot be read on.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk<'_>>, FileError> {
        match &mut self.content {
            Content::Lines(reader) => Ok(reader.next_chunk(&self.name)?.map(Chunk::Lines)),
            Content::Table(table) => Ok(table.next_chunk(&self.name)?.map(Chunk::Rows)),
        }
    }

    /// Hands every record on to `take`, until that breaks off or the file ends.
    ///
    /// # Errors
    /// Where the file cannot be read on.
    pub fn for_each<B>(
        &mut self,
        mut take: impl FnMut(Record<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, FileError> {
        while let Some(chunk) = self.next_chunk()? {
            let flow = match chunk {
                Chunk::Lines(mut lines) => {
                    lines.try_for_each(|(number, bytes)| take(Record::Line { number, bytes }))
                }
                Chunk::Rows(mut rows) => rows.try_for_each(&mut take),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn head_of(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(MAGIC_BYTES);
    from.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn lines_of(
    name: &str,
    form: Form,
    from: impl Read + Send + 'static,
    consumed: &Arc<AtomicU64>,
) -> Result<LineReader, FileError> {
    let counted = Counted { from, count: Arc::clone(consumed) };
    if form == Form::Ndjson {
        return Ok(LineReader::new(Box::new(counted), false));
    }
    let decoder =
        zstd::Decoder::new(counted).map_err(|cause| FileError::Io { file: name.to_owned(), cause })?;
    Ok(LineReader::new(Box::new(decoder), true))
}

/// Counts what is read through it.
struct Counted<R> {
    from: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
