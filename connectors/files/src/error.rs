//! What can be wrong with a file, with the place.

use std::io;

/// Why a file cannot be read or written; every case names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refuses.
    #[error("{file}: {cause}")]
    Io {
        /// Name of the file.
        file: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The bytes are cut off or changed.
    #[error("{file}: damaged {carrier} after {unit} {after}: {cause}")]
    Damaged {
        /// Name of the file.
        file: String,
        /// `zstd`, `Parquet` or `Arrow`.
        carrier: &'static str,
        /// `line` or `row`.
        unit: &'static str,
        /// The last line or row that could be read; 0 for none.
        after: u64,
        /// What the reader says.
        cause: String,
    },
    /// A line longer than [`crate::LINE_BYTES`].
    #[error("{file}, line {line}: longer than {bound} bytes")]
    LongLine {
        /// Name of the file.
        file: String,
        /// Its number, from 1.
        line: u64,
        /// The bound.
        bound: usize,
    },
    /// The name promises another form than the content has.
    #[error("{file}: the name says {expected}, the content does not begin like it")]
    NotWhatItSays {
        /// Name of the file.
        file: String,
        /// The form its name promises.
        expected: &'static str,
    },
    /// A table from standard input larger than [`crate::PIPED_TABLE_BYTES`].
    #[error("{file}: a table from standard input may have {bound} bytes; name the file instead")]
    LongPipe {
        /// Name of the input.
        file: String,
        /// The bound.
        bound: usize,
    },
    /// A column of floating point numbers: they cannot carry money.
    #[error("{file}: column `{column}` is floating; decimals come as decimal128 or text")]
    Floating {
        /// Name of the file.
        file: String,
        /// Name of the column.
        column: String,
    },
    /// A timestamp column without a zone.
    #[error("{file}: column `{column}` is a timestamp without a zone")]
    NoZone {
        /// Name of the file.
        file: String,
        /// Name of the column.
        column: String,
    },
    /// A column type that no field of an event can have.
    #[error("{file}: column `{column}` is of type {kind}, which no field of an event has")]
    ColumnType {
        /// Name of the file.
        file: String,
        /// Name of the column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A table is given a second type of event.
    #[error("{file}: a table of `{has}` events cannot take a `{given}`")]
    MixedTypes {
        /// Name of the file.
        file: String,
        /// The type of its events.
        has: &'static str,
        /// The type it was given.
        given: &'static str,
    },
    /// Writing failed inside the Parquet writer.
    #[error("{file}: cannot write Parquet: {cause}")]
    Write {
        /// Name of the file.
        file: String,
        /// What the writer says.
        cause: String,
    },
}
