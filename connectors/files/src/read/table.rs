//! Rows of a Parquet or Arrow IPC table.

use super::columns::{Column, Place, named};
use super::guard::{Reading, fenced};
use super::{Form, Record, ipc};
use crate::error::FileError;
use crate::seal;
use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use plimsoll_wire::value::{Columns, Fields, Value};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::ops::{ControlFlow, Range};

/// Rows of a batch that is read from Parquet at once.
pub(super) const BATCH_ROWS: usize = 8192;
/// The fields of the envelope that a file may state once.
const ENVELOPE: [&str; 3] = ["v", "type", "source"];

pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Reads a table batch by batch.
pub struct TableReader {
    batches: Batches,
    carrier: &'static str,
    /// `v`, `type` and `source`, where the file states them and no column does.
    envelope: Vec<(&'static str, String)>,
    columns: Vec<(String, Column)>,
    rows: usize,
    /// Rows before this batch.
    before: u64,
    total: Option<u64>,
}

impl TableReader {
    pub fn of_file(name: &str, form: Form, file: File) -> Result<Self, FileError> {
        match form {
            Form::Parquet => {
                let file = sealed(name, file)?;
                Self::of_parquet(name, file)
            }
            _ => Self::of_ipc(name, form, BufReader::new(file)),
        }
    }

    pub fn of_bytes(name: &str, form: Form, bytes: Vec<u8>) -> Result<Self, FileError> {
        match form {
            Form::Parquet => {
                let bytes = sealed(name, Cursor::new(bytes))?;
                Self::of_parquet(name, bytes::Bytes::from(bytes.into_inner()))
            }
            _ => Self::of_ipc(name, form, Cursor::new(bytes)),
        }
    }

    fn of_parquet(name: &str, from: impl ChunkReader + 'static) -> Result<Self, FileError> {
        let reading = reading(name, "Parquet", 0);
        fenced(&reading, || {
            let fail = |cause: ParquetError| reading.clone().damaged(&cause);
            let builder = ParquetRecordBatchReaderBuilder::try_new(from).map_err(fail)?;
            let total = builder.metadata().file_metadata().num_rows();
            let schema = builder.schema().clone();
            let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(fail)?;
            Self::new(name, "Parquet", &schema, Box::new(batches), u64::try_from(total).ok())
        })?
    }

    fn of_ipc(
        name: &str,
        form: Form,
        mut from: impl Read + Seek + Send + 'static,
    ) -> Result<Self, FileError> {
        let reading = reading(name, "Arrow", 0);
        fenced(&reading, || {
            let fail = |cause: ArrowError| reading.clone().damaged(&cause);
            ipc::look_over(&mut from, form).and_then(|()| Ok(from.rewind()?)).map_err(fail)?;
            if form == Form::ArrowFile {
                let reader = FileReader::try_new(from, None).map_err(fail)?;
                Self::new(name, "Arrow", &reader.schema(), Box::new(reader), None)
            } else {
                let reader = StreamReader::try_new(from, None).map_err(fail)?;
                Self::new(name, "Arrow", &reader.schema(), Box::new(reader), None)
            }
        })?
    }

    fn new(
        name: &str,
        carrier: &'static str,
        schema: &SchemaRef,
        batches: Batches,
        total: Option<u64>,
    ) -> Result<Self, FileError> {
        let stated = |key: &&str| schema.field_with_name(key).is_err();
        let envelope = ENVELOPE
            .iter()
            .copied()
            .filter(stated)
            .filter_map(|key| schema.metadata().get(key).map(|value| (key, value.clone())));
        // Resolving an empty batch finds a column that no event can have before any row is read.
        let columns = columns_of(name, &RecordBatch::new_empty(schema.clone()))?;
        let envelope = envelope.collect();
        Ok(TableReader { batches, carrier, envelope, columns, rows: 0, before: 0, total })
    }

    /// The share of `size` that the rows handed out are.
    pub fn share_of(&self, size: u64) -> u64 {
        let rows = u128::from(self.before) + self.rows as u128;
        match self.total {
            Some(total) if total > 0 => {
                u64::try_from(u128::from(size) * rows / u128::from(total)).unwrap_or(size)
            }
            _ => 0,
        }
    }

    /// The next rows, or `None` at the end.
    pub fn next_chunk(&mut self, name: &str) -> Result<Option<Rows<'_>>, FileError> {
        self.before += self.rows as u64;
        self.rows = 0;
        while self.rows == 0 {
            let Some(batch) = self.next_batch(name)? else { return Ok(None) };
            self.columns = columns_of(name, &batch)?;
            self.rows = batch.num_rows();
        }
        Ok(Some(Rows::new(&self.envelope, &self.columns, self.rows, self.before)))
    }

    fn next_batch(&mut self, name: &str) -> Result<Option<RecordBatch>, FileError> {
        let reading = reading(name, self.carrier, self.before);
        let next = fenced(&reading, || self.batches.next());
        let batch = next.and_then(|next| next.transpose().map_err(|e| reading.damaged(&e)));
        if batch.is_err() {
            // A reader that has given up is not asked again.
            self.batches = Box::new(std::iter::empty());
        }
        batch
    }
}

/// Checks the seal of a Parquet file, where it has one, and hands the file back at its start.
pub(super) fn sealed<F: Read + Seek>(name: &str, mut file: F) -> Result<F, FileError> {
    let fail = |cause| FileError::Io { file: name.to_owned(), cause };
    if !seal::is_intact(&mut file).map_err(fail)? {
        return Err(reading(name, "Parquet", 0).damaged(&"its checksum is another"));
    }
    file.rewind().map_err(fail)?;
    Ok(file)
}

pub(super) fn reading(name: &str, carrier: &'static str, after: u64) -> Reading {
    Reading { file: name.to_owned(), carrier, after }
}

fn columns_of(name: &str, batch: &RecordBatch) -> Result<Vec<(String, Column)>, FileError> {
    let schema = batch.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let place = Place { file: name, column: field.name().clone() };
        Ok((field.name().clone(), Column::of(column, &place)?))
    });
    columns.collect()
}

/// Rows of a table, one at a time.
pub struct Rows<'a> {
    columns: &'a [(String, Column)],
    rows: usize,
    before: u64,
    next: usize,
    /// The envelope's, which stay, then those of the columns.
    fields: Fields<'a>,
    stay: usize,
}

impl<'a> Rows<'a> {
    fn new(
        envelope: &'a [(&'static str, String)],
        columns: &'a [(String, Column)],
        rows: usize,
        before: u64,
    ) -> Self {
        let value = |key: &str, value: &'a str| match key {
            "v" => Value::Number(value),
            _ => Value::Text(Cow::Borrowed(value)),
        };
        let mut fields: Fields<'a> =
            envelope.iter().map(|(key, text)| (Cow::Borrowed(*key), value(key, text))).collect();
        let stay = fields.len();
        fields.extend(named(columns));
        Rows { columns, rows, before, next: 0, fields, stay }
    }

    /// The next row's number, from 1, and its fields.
    pub fn advance(&mut self) -> Option<(u64, &Fields<'a>)> {
        if self.next == self.rows {
            return None;
        }
        self.next += 1;
        let number = self.before + self.next as u64;
        Some((number, self.put(self.next - 1)))
    }

    /// Puts the values in a row into the fields.
    fn put(&mut self, row: usize) -> &Fields<'a> {
        for ((_, column), (_, into)) in self.columns.iter().zip(&mut self.fields[self.stay..]) {
            column.put(row, into);
        }
        &self.fields
    }

    pub(super) fn try_for_each<B>(
        &mut self,
        take: &mut impl FnMut(Record<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        while let Some((number, fields)) = self.advance() {
            take(Record::Row { number, fields })?;
        }
        ControlFlow::Continue(())
    }
}

impl Columns for Rows<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_ref())
    }

    #[inline]
    fn each(&self, field: usize, rows: Range<usize>, mut take: impl FnMut(&Value<'_>)) {
        match field.checked_sub(self.stay) {
            Some(column) => self.columns[column].1.each(rows, take),
            None => rows.for_each(|_| take(&self.fields[field].1)),
        }
    }

    #[inline]
    fn text(&self, field: usize, row: usize) -> Option<&str> {
        match field.checked_sub(self.stay) {
            Some(column) => self.columns[column].1.text(row),
            None => match &self.fields[field].1 {
                Value::Text(text) => Some(text),
                _ => None,
            },
        }
    }

    fn record(&mut self, row: usize) -> &Fields<'_> {
        self.put(row)
    }
}
