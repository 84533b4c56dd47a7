//! Event files: NDJSON, zstd and Parquet, read and written.

mod error;
mod read;
pub mod rows;
mod seal;
mod write;

pub use error::FileError;
pub use read::{Chunk, EventFile, Form, Lines, Record, Rows, TextRows, TextTable, apart};
pub use write::{EventWriter, Format, json};

/// A line may have this many bytes.
pub const LINE_BYTES: usize = 64 << 20;
/// A table from standard input may have this many bytes: it is held in memory.
pub const PIPED_TABLE_BYTES: usize = 2 << 30;
