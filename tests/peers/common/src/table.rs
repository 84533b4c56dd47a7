//! Tables of integers in Parquet.

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A table of 64-bit columns, some of them with gaps.
pub struct Table(Vec<RecordBatch>);

impl Table {
    /// Reads a file.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let file = File::open(path).expect("a file of the input");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let reader = reader.with_batch_size(1 << 16).build().expect("Parquet");
        Table(reader.map(|batch| batch.expect("Parquet")).collect())
    }

    /// A column without gaps.
    #[must_use]
    pub fn column(&self, name: &str) -> Vec<i64> {
        self.arrays(name).flat_map(|array| array.values().to_vec()).collect()
    }

    /// A column with gaps.
    #[must_use]
    pub fn optional(&self, name: &str) -> Vec<Option<i64>> {
        self.arrays(name).flat_map(|array| array.iter().collect::<Vec<_>>()).collect()
    }

    fn arrays(&self, name: &str) -> impl Iterator<Item = &Int64Array> {
        self.0.iter().map(move |batch| {
            let column = batch.column_by_name(name).expect("a column");
            column.as_any().downcast_ref::<Int64Array>().expect("integers")
        })
    }

    /// Writes columns into a file.
    pub fn write(path: &Path, columns: Vec<(&str, Vec<Option<i64>>)>) {
        let field = |(name, values): &(&str, Vec<Option<i64>>)| {
            Field::new(*name, DataType::Int64, values.iter().any(Option::is_none))
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, values)| Arc::new(Int64Array::from(values)) as ArrayRef);
        let batch = RecordBatch::try_new(schema.clone(), arrays.collect()).expect("columns of one length");
        let file = File::create(path).expect("a file to write");
        let mut writer = ArrowWriter::try_new(file, schema, None).expect("Parquet");
        writer.write(&batch).expect("a table written");
        writer.close().expect("a table written");
    }
}
