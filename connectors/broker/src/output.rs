//! The files of a folder, in the order of their replay.

use crate::config::BrokerError;
use crate::figures::Written;
use plimsoll_engine::num::Time;
use plimsoll_files::rows::{Event, Stamp};
use plimsoll_files::{EventWriter, Format};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Who sends an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The broker's own records; numbered.
    House,
    /// Quotes and index levels; these are ordered by their time.
    Feed,
    /// What the counter reports; numbered.
    Counter,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::House => "house",
            Source::Feed => "feed",
            Source::Counter => "counter",
        }
    }

    /// How its ids begin.
    fn letter(self) -> char {
        match self {
            Source::House => 'h',
            Source::Feed => 'q',
            Source::Counter => 'c',
        }
    }
}

/// Writes one file after the other; a file without events does not come to be.
pub struct Files {
    folder: PathBuf,
    format: Format,
    name: String,
    file_format: Format,
    writer: Option<EventWriter>,
    /// Events so far of each source.
    numbers: [u64; 3],
    id: String,
    written: Vec<Written>,
}

impl Files {
    /// Files in a folder, which is made.
    pub fn new(folder: &std::path::Path, format: Format) -> Result<Self, BrokerError> {
        std::fs::create_dir_all(folder)
            .map_err(|cause| BrokerError::Folder { path: folder.to_owned(), cause })?;
        Ok(Files {
            folder: folder.to_owned(),
            format,
            name: String::new(),
            file_format: format,
            writer: None,
            numbers: [0; 3],
            id: String::new(),
            written: Vec::new(),
        })
    }

    /// The form of the files that hold many events of one type.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Begins a file of many events of one type.
    pub fn begin(&mut self, name: &str) -> Result<(), BrokerError> {
        self.begin_as(name, self.format)
    }

    /// Begins a file that holds events of several types, or few: lines even where tables are asked
    /// for.
    pub fn begin_lines(&mut self, name: &str) -> Result<(), BrokerError> {
        let format = if self.format == Format::Parquet { Format::Ndjson } else { self.format };
        self.begin_as(name, format)
    }

    fn begin_as(&mut self, name: &str, format: Format) -> Result<(), BrokerError> {
        self.close()?;
        self.name = format!("{name}.{}", format.extension());
        self.file_format = format;
        Ok(())
    }

    /// Writes an event into the file begun last.
    pub fn write(&mut self, source: Source, at: Time, event: &dyn Event) -> Result<(), BrokerError> {
        let number = &mut self.numbers[source as usize];
        *number += 1;
        self.id.clear();
        // Writing to a text cannot fail.
        let _ = write!(self.id, "{}{number}", source.letter());
        let source_seq = (source != Source::Feed).then_some(*number);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(EventWriter::create(
                &self.folder.join(&self.name),
                self.file_format,
                source.name(),
            )?),
        };
        writer.set_source(source.name());
        Ok(writer.write(&Stamp { id: &self.id, at, source_seq }, event)?)
    }

    fn close(&mut self) -> Result<(), BrokerError> {
        if let Some(writer) = self.writer.take() {
            let events = writer.finish()?;
            self.written.push(Written { name: std::mem::take(&mut self.name), events });
        }
        Ok(())
    }

    /// Closes the last file; says what was written.
    pub fn finish(mut self) -> Result<Vec<Written>, BrokerError> {
        self.close()?;
        Ok(self.written)
    }
}
