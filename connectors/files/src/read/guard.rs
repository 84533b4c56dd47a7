//! A fence around the readers of tables.
//!
//! The readers of Parquet and Arrow IPC check much of what they are given, but not all: some
//! changed bytes reach an assertion of theirs. A damaged file must end in an error that names it,
//! never in a panic. Where panics unwind, the fence catches them. Where they abort, as in a
//! release of the binary, nothing can be caught any more; there the process ends inside the panic
//! hook, with the message and the exit status that the error would have had. A service must not end:
//! it reads apart, in a thread that the hook stops for good once the error is handed over.

use crate::error::FileError;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// Exit status of a command whose input cannot be read.
const UNREADABLE: i32 = 1;
/// Threads that may stand still for good; each is a file that broke its reader.
const MOST_STOPPED: usize = 256;

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
    /// Whom the thread tells of an error before it stops; none where it may end the process.
    static APART: RefCell<Option<Sender<FileError>>> = const { RefCell::new(None) };
}

static STOPPED: AtomicUsize = AtomicUsize::new(0);

/// Runs what reads a file in a thread of its own: whatever the file does to its reader comes back as an
/// error, also where panics abort.
///
/// # Errors
/// Where the reader gave up, or so many did before that no more is tried.
pub fn apart<T: Send + 'static>(
    name: &str,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FileError> {
    let fail = |cause: &str| FileError::Io { file: name.to_owned(), cause: std::io::Error::other(cause) };
    if STOPPED.load(Ordering::Relaxed) >= MOST_STOPPED {
        return Err(fail("too many files broke their readers: no table is read until a restart"));
    }
    let (result, done) = channel();
    let (tell, told) = channel();
    let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
        APART.set(Some(tell));
        // Who asked waits below.
        let _ = result.send(read());
        APART.set(None);
    });
    thread.map_err(|cause| fail(&cause.to_string()))?;
    // The thread gives up one sender or the other.
    match told.recv() {
        Ok(error) => Err(error),
        Err(_) => done.recv().map_err(|_| fail(UNSAID)),
    }
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
                if let Some(tell) = APART.take() {
                    let _ = tell.send(reading.damaged(&info.payload_as_str().unwrap_or(UNSAID)));
                    STOPPED.fetch_add(1, Ordering::Relaxed);
                    loop {
                        std::thread::park();
                    }
                }
                eprintln!("{}", reading.damaged(&info.payload_as_str().unwrap_or(UNSAID)));
                std::process::exit(UNREADABLE);
            }
        }));
    });
}
