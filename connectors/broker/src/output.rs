//! The files of a folder, in the order of their replay.

use crate::config::BrokerError;
use crate::figures::Written;
use crate::sink::{Numbers, Sink, Source};
use plimsoll_engine::num::Time;
use plimsoll_files::rows::{Event, Stamp};
use plimsoll_files::{EventWriter, Format};
use std::path::PathBuf;

/// Writes one file after the other; a file without events does not come to be.
pub struct Files {
    folder: PathBuf,
    format: Format,
    name: String,
    file_format: Format,
    writer: Option<EventWriter>,
    numbers: Numbers,
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
            numbers: Numbers::default(),
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

impl Sink for Files {
    type Fault = BrokerError;

    /// Writes an event into the file begun last.
    fn write(&mut self, source: Source, at: Time, event: &dyn Event) -> Result<(), BrokerError> {
        let (id, source_seq) = self.numbers.next(source);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(EventWriter::create(
                &self.folder.join(&self.name),
                self.file_format,
                source.name(),
            )?),
        };
        writer.set_source(source.name());
        Ok(writer.write(&Stamp { id, at, source_seq }, event)?)
    }
}
