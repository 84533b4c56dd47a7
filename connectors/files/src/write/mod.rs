//! Writers of event files.

mod columns;
pub mod json;

use crate::error::FileError;
use crate::rows::{Event, Stamp};
use crate::seal;
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use columns::{Batch, schema_fields};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Compression level of what is written: beyond it, time grows faster than files shrink.
const ZSTD_LEVEL: i32 = 3;
/// Rows gathered before a batch is handed to the Parquet writer.
const BATCH_ROWS: usize = 16_384;
/// Rows of one Parquet row group: what a reader must hold at once.
const GROUP_ROWS: usize = 262_144;
/// Text gathered before it is handed to the file.
const TEXT_BYTES: usize = 1 << 18;

/// The form of an event file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines of JSON.
    Ndjson,
    /// Lines of JSON, compressed.
    NdjsonZst,
    /// A table of one event type.
    Parquet,
}

impl Format {
    /// The form of a name on the command line.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ndjson" => Some(Format::Ndjson),
            "ndjson.zst" => Some(Format::NdjsonZst),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    /// How names of such files end, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::NdjsonZst => "ndjson.zst",
            Format::Parquet => "parquet",
        }
    }
}

/// Writes the events of one source into one file. A Parquet file takes one type of event and
/// exists from its first event on.
pub struct EventWriter {
    path: PathBuf,
    source: String,
    text: Vec<u8>,
    events: u64,
    carrier: Carrier,
}

enum Carrier {
    Plain(File),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
    TableToCome,
    Table(Box<Table>),
}

struct Table {
    event_type: &'static str,
    schema: SchemaRef,
    batch: Batch,
    writer: ArrowWriter<BufWriter<File>>,
}

impl EventWriter {
    /// Creates the file, replacing one of that name.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn create(path: &Path, format: Format, source: &str) -> Result<Self, FileError> {
        let fail = |cause| FileError::Io { file: path.display().to_string(), cause };
        let carrier = match format {
            Format::Ndjson => Carrier::Plain(File::create(path).map_err(fail)?),
            Format::NdjsonZst => {
                let file = BufWriter::new(File::create(path).map_err(fail)?);
                let mut encoder = zstd::Encoder::new(file, ZSTD_LEVEL).map_err(fail)?;
                encoder.include_checksum(true).map_err(fail)?;
                Carrier::Zstd(encoder)
            }
            Format::Parquet => Carrier::TableToCome,
        };
        Ok(EventWriter {
            path: path.to_owned(),
            source: source.to_owned(),
            text: Vec::new(),
            events: 0,
            carrier,
        })
    }

    /// Lets the events that follow come from another source. Only in a file of lines: a table
    /// states its source once, and keeps it.
    pub fn set_source(&mut self, source: &str) {
        if matches!(self.carrier, Carrier::Plain(_) | Carrier::Zstd(_)) && self.source != source {
            source.clone_into(&mut self.source);
        }
    }

    /// Writes an event.
    ///
    /// # Errors
    /// Where the system refuses, or a table is given a second type of event.
    pub fn write(&mut self, stamp: &Stamp<'_>, event: &dyn Event) -> Result<(), FileError> {
        self.events += 1;
        match &mut self.carrier {
            Carrier::Plain(_) | Carrier::Zstd(_) => {
                json::event(&self.source, stamp, event, &mut self.text);
                if self.text.len() >= TEXT_BYTES {
                    self.flush_text()?;
                }
                Ok(())
            }
            Carrier::TableToCome => {
                let mut table = Table::create(&self.path, &self.source, stamp, event)?;
                table.push(&self.path, stamp, event)?;
                self.carrier = Carrier::Table(Box::new(table));
                Ok(())
            }
            Carrier::Table(table) => table.push(&self.path, stamp, event),
        }
    }

    /// Writes what is left and closes the file.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn finish(mut self) -> Result<u64, FileError> {
        self.flush_text()?;
        let fail = |cause| FileError::Io { file: self.path.display().to_string(), cause };
        match self.carrier {
            Carrier::Plain(_) | Carrier::TableToCome => {}
            Carrier::Zstd(encoder) => {
                encoder.finish().and_then(|mut file| file.flush()).map_err(fail)?;
            }
            Carrier::Table(mut table) => {
                table.flush(&self.path)?;
                let mut file = table.writer.into_inner().map_err(|e| failed(&self.path, &e))?;
                file.flush().and_then(|()| seal::close(&self.path)).map_err(fail)?;
            }
        }
        Ok(self.events)
    }

    fn flush_text(&mut self) -> Result<(), FileError> {
        let written = match &mut self.carrier {
            Carrier::Plain(file) => file.write_all(&self.text),
            Carrier::Zstd(encoder) => encoder.write_all(&self.text),
            Carrier::TableToCome | Carrier::Table(_) => io::Result::Ok(()),
        };
        self.text.clear();
        written.map_err(|cause| FileError::Io { file: self.path.display().to_string(), cause })
    }
}

impl Table {
    fn create(path: &Path, source: &str, stamp: &Stamp<'_>, event: &dyn Event) -> Result<Self, FileError> {
        let numbered = stamp.source_seq.is_some();
        let envelope = [("v", "1"), ("type", event.event_type()), ("source", source)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let schema = Arc::new(Schema::new_with_metadata(
            schema_fields(event.fields(), numbered),
            envelope.clone().into_iter().collect(),
        ));
        let file =
            File::create(path).map_err(|cause| FileError::Io { file: path.display().to_string(), cause })?;
        let keys = envelope.map(|(key, value)| KeyValue::new(key, value)).to_vec();
        let writer = ArrowWriter::try_new(BufWriter::new(file), schema.clone(), Some(properties(keys)))
            .map_err(|e| failed(path, &e))?;
        let batch = Batch::new(event.fields(), numbered);
        Ok(Table { event_type: event.event_type(), schema, batch, writer })
    }

    fn push(&mut self, path: &Path, stamp: &Stamp<'_>, event: &dyn Event) -> Result<(), FileError> {
        if event.event_type() != self.event_type {
            return Err(FileError::MixedTypes {
                file: path.display().to_string(),
                has: self.event_type,
                given: event.event_type(),
            });
        }
        self.batch.push(stamp, event);
        if self.batch.rows() >= BATCH_ROWS { self.flush(path) } else { Ok(()) }
    }

    fn flush(&mut self, path: &Path) -> Result<(), FileError> {
        if self.batch.rows() == 0 {
            return Ok(());
        }
        let columns = self.batch.finish().map_err(|e| failed(path, &e))?;
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|e| failed(path, &e))
            .and_then(|batch| self.writer.write(&batch).map_err(|e| failed(path, &e)))
    }
}

fn failed(path: &Path, cause: &dyn std::fmt::Display) -> FileError {
    FileError::Write { file: path.display().to_string(), cause: cause.to_string() }
}

fn properties(keys: Vec<KeyValue>) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let id = ColumnPath::from("id");
    WriterProperties::builder()
        .set_created_by(seal::OPEN_NAME.to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Ids are all different: a dictionary of them would only be abandoned.
        .set_column_dictionary_enabled(id.clone(), false)
        .set_column_encoding(id, Encoding::DELTA_BYTE_ARRAY)
        .set_key_value_metadata(Some(keys))
        .build()
}
