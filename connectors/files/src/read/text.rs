//! A Parquet table of another's making: its columns by name, every value as exact text.

use super::guard::fenced;
use super::table::{BATCH_ROWS, Batches, reading, sealed};
use crate::error::FileError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

/// Reads such a table batch by batch.
pub struct TextTable {
    name: String,
    schema: SchemaRef,
    batches: Batches,
    /// Rows handed out.
    before: u64,
}

/// Some columns of some rows.
pub struct TextRows {
    columns: Vec<StringArray>,
    rows: usize,
    before: u64,
}

impl TextTable {
    /// Opens a table.
    ///
    /// # Errors
    /// Where it cannot be read, or is no Parquet.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|cause| FileError::Io { file: name.clone(), cause })?;
        let file = sealed(&name, file)?;
        let place = reading(&name, "Parquet", 0);
        let (schema, batches) = fenced(&place, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let schema = builder.schema().clone();
            Ok((schema, builder.with_batch_size(BATCH_ROWS).build()?))
        })?
        .map_err(|cause: parquet::errors::ParquetError| place.damaged(&cause))?;
        Ok(TextTable { name, schema, batches: Box::new(batches), before: 0 })
    }

    /// The names of its columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|field| field.name().as_str())
    }

    /// Whether a column holds floating point numbers, which are not exact.
    #[must_use]
    pub fn is_floating(&self, column: usize) -> bool {
        match self.schema.field(column).data_type() {
            DataType::Dictionary(_, values) => values.is_floating(),
            kind => kind.is_floating(),
        }
    }

    /// The columns of these places in the next rows, or `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read on, or a column holds lists or objects.
    pub fn next_rows(&mut self, columns: &[usize]) -> Result<Option<TextRows>, FileError> {
        let place = reading(&self.name, "Parquet", self.before);
        let Some(next) = fenced(&place, || self.batches.next())? else { return Ok(None) };
        let batch = next.map_err(|cause| place.damaged(&cause))?;
        let column = |&at: &usize| {
            text(batch.column(at)).ok_or_else(|| FileError::ColumnType {
                file: self.name.clone(),
                column: self.schema.field(at).name().clone(),
                kind: batch.column(at).data_type().to_string(),
            })
        };
        let columns = columns.iter().map(column).collect::<Result<_, _>>()?;
        let rows = TextRows { columns, rows: batch.num_rows(), before: self.before };
        self.before += rows.rows as u64;
        Ok(Some(rows))
    }
}

impl TextRows {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of a row in the file, from 1.
    #[must_use]
    pub fn number(&self, row: usize) -> u64 {
        self.before + row as u64 + 1
    }

    /// The text of one of the columns asked for; none where it is null.
    #[must_use]
    pub fn text(&self, column: usize, row: usize) -> Option<&str> {
        let column = &self.columns[column];
        column.is_valid(row).then(|| column.value(row))
    }
}

/// A column as text: of floating numbers the shortest that reads back as they are.
fn text(array: &ArrayRef) -> Option<StringArray> {
    match array.data_type() {
        kind if kind.is_nested() || kind == &DataType::Float16 => None,
        DataType::Float64 => {
            Some(array.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| v.to_string())).collect())
        }
        DataType::Float32 => {
            Some(array.as_primitive::<Float32Type>().iter().map(|v| v.map(|v| v.to_string())).collect())
        }
        // As UTC, since names of zones are not known here.
        DataType::Timestamp(unit, Some(_)) => {
            let utc = cast(array, &DataType::Timestamp(*unit, Some("+00:00".into()))).ok()?;
            Some(cast(&utc, &DataType::Utf8).ok()?.as_string::<i32>().clone())
        }
        _ => Some(cast(array, &DataType::Utf8).ok()?.as_string::<i32>().clone()),
    }
}
