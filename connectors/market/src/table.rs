//! Columns of Parquet and CSV files, checked and copied out.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Error;
use crate::day::Day;

/// Some columns of a Parquet file, as the batches the reader gave.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    columns: HashMap<String, Vec<ArrayRef>>,
    rows: usize,
}

impl Table {
    /// Reads the columns named; a missing one is an error that names it.
    ///
    /// # Errors
    /// When the file cannot be read as Parquet or lacks a column.
    pub fn read(path: &Path, names: &[&str]) -> Result<Table, Error> {
        let broken = |e: &dyn std::fmt::Display| Error::data(path, e.to_string());
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(&e))?;
        for name in names {
            if builder.schema().field_with_name(name).is_err() {
                return Err(Error::data(path, format!("no column `{name}`")));
            }
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(65_536).build().map_err(|e| broken(&e))?;
        let mut columns: HashMap<String, Vec<ArrayRef>> = HashMap::new();
        let mut rows = 0;
        for batch in reader {
            let batch = batch.map_err(|e| broken(&e))?;
            rows += batch.num_rows();
            for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                if array.null_count() > 0 {
                    return Err(Error::data(path, format!("column `{}` has empty cells", field.name())));
                }
                columns.entry(field.name().clone()).or_default().push(Arc::clone(array));
            }
        }
        Ok(Table { path: path.into(), columns, rows })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn arrays(&self, name: &str) -> &[ArrayRef] {
        self.columns.get(name).map_or(&[], Vec::as_slice)
    }

    fn wrong_type(&self, name: &str, found: &DataType) -> Error {
        Error::data(&self.path, format!("column `{name}` has type {found}"))
    }

    /// A column of integers of any width.
    ///
    /// # Errors
    /// When the column has another type.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>, Error> {
        let mut out = Vec::with_capacity(self.rows);
        for array in self.arrays(name) {
            match array.data_type() {
                DataType::Int16 => {
                    out.extend(array.as_primitive::<Int16Type>().values().iter().map(|v| i64::from(*v)));
                }
                DataType::Int32 => {
                    out.extend(array.as_primitive::<Int32Type>().values().iter().map(|v| i64::from(*v)));
                }
                DataType::Int64 => out.extend_from_slice(array.as_primitive::<Int64Type>().values()),
                other => return Err(self.wrong_type(name, other)),
            }
        }
        Ok(out)
    }

    /// A column of doubles.
    ///
    /// # Errors
    /// When the column has another type.
    pub fn floats(&self, name: &str) -> Result<Vec<f64>, Error> {
        let mut out = Vec::with_capacity(self.rows);
        for array in self.arrays(name) {
            match array.data_type() {
                DataType::Float64 => out.extend_from_slice(array.as_primitive::<Float64Type>().values()),
                other => return Err(self.wrong_type(name, other)),
            }
        }
        Ok(out)
    }

    /// A column of doubles that are prices of whole fen, in fen.
    ///
    /// # Errors
    /// When the column has another type or a figure is no whole fen.
    pub fn fen(&self, name: &str) -> Result<Vec<i64>, Error> {
        self.floats(name)?
            .into_iter()
            .map(|value| {
                let fen = (value * 100.0).round();
                let whole = (value * 100.0 - fen).abs() < 1e-4 && (0.0..1e10).contains(&fen);
                if whole {
                    Ok(fen as i64)
                } else {
                    Err(Error::data(&self.path, format!("{name}: {value} is no price in whole fen")))
                }
            })
            .collect()
    }

    /// A column of dates `YYYYMMDD`.
    ///
    /// # Errors
    /// When the column is no integer or a figure is no date.
    pub fn days(&self, name: &str) -> Result<Vec<Day>, Error> {
        self.ints(name)?
            .into_iter()
            .map(|number| {
                Day::from_number(number)
                    .ok_or_else(|| Error::data(&self.path, format!("{name}: {number} is no date")))
            })
            .collect()
    }

    /// A column of texts; equal texts share their bytes.
    ///
    /// # Errors
    /// When the column has another type.
    pub fn texts(&self, name: &str) -> Result<Vec<Arc<str>>, Error> {
        let mut known: HashMap<String, Arc<str>> = HashMap::new();
        let mut out = Vec::with_capacity(self.rows);
        let mut push = |text: &str| {
            let shared = match known.get(text) {
                Some(shared) => Arc::clone(shared),
                None => {
                    let shared: Arc<str> = text.into();
                    known.insert(text.into(), Arc::clone(&shared));
                    shared
                }
            };
            out.push(shared);
        };
        for array in self.arrays(name) {
            match array.data_type() {
                DataType::Utf8 => array.as_string::<i32>().iter().flatten().for_each(&mut push),
                DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().for_each(&mut push),
                other => return Err(self.wrong_type(name, other)),
            }
        }
        Ok(out)
    }
}

/// The columns named of a CSV file, row by row. The sources quote no cell, so none may hold a comma.
///
/// # Errors
/// When the file cannot be read, lacks a column or a row has another number of cells than the header.
pub fn csv(path: &Path, names: &[&str]) -> Result<Vec<Vec<String>>, Error> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut lines = BufReader::new(file).lines();
    let header =
        lines.next().ok_or_else(|| Error::data(path, "no header".into()))?.map_err(|e| Error::io(path, e))?;
    let header: Vec<&str> = header.trim_start_matches('\u{feff}').trim_end().split(',').collect();
    let mut picks = Vec::with_capacity(names.len());
    for name in names {
        let pick = header
            .iter()
            .position(|h| h == name)
            .ok_or_else(|| Error::data(path, format!("no column `{name}`")))?;
        picks.push(pick);
    }
    let mut rows = Vec::new();
    for (number, line) in lines.enumerate() {
        let line = line.map_err(|e| Error::io(path, e))?;
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        if cells.len() != header.len() {
            return Err(Error::data(path, format!("line {}: {} cells", number + 2, cells.len())));
        }
        rows.push(picks.iter().map(|p| cells[*p].to_string()).collect());
    }
    Ok(rows)
}
