//! A fence around the readers of tables.
//!
//! The readers of Parquet and Arrow IPC check much of what they are given, but not all: some
//! changed bytes reach an assertion of theirs. A damaged file must end in an error that names it,
//! never in a panic. Where panics unwind, the fence catches them. Where they abort, as in a
//! release of the binary, nothing can be caught any more; there the process ends inside the panic
//! hook, with the message and the exit status that the error would have had.

use crate::error::FileError;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Exit status of a command whose input cannot be read.
const UNREADABLE: i32 = 1;

/// What is being read inside the fence.
#[derive(Clone)]
pub struct Reading {
    /// Name of the file.
    pub file: String,
    /// `Parquet` or `Arrow`.
    pub carrier: &'static str,
    /// Rows read before.
    pub after: u64,
}

impl Reading {
    /// The error of a damage found while reading this.
    pub fn damaged(self, cause: &dyn std::fmt::Display) -> FileError {
        let Reading { file, carrier, after } = self;
        FileError::Damaged { file, carrier, unit: "row", after, cause: cause.to_string() }
    }
}

thread_local! {
    static INSIDE: RefCell<Option<Reading>> = const { RefCell::new(None) };
}

/// Runs a reader's code; a panic in it is a damaged file.
pub fn fenced<T>(reading: &Reading, read: impl FnOnce() -> T) -> Result<T, FileError> {
    install_hook();
    INSIDE.set(Some(reading.clone()));
    let result = catch_unwind(AssertUnwindSafe(read));
    INSIDE.set(None);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        reading.clone().damaged(&text.unwrap_or(UNSAID))
    })
}

const UNSAID: &str = "the reader gave up";

fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let Some(reading) = INSIDE.take() else { return before(info) };
            if cfg!(panic = "abort") {
                eprintln!("{}", reading.damaged(&info.payload_as_str().unwrap_or(UNSAID)));
                std::process::exit(UNREADABLE);
            }
        }));
    });
}
