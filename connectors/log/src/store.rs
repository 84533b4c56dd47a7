//! The device under the log: files as the store sees them, behind a port that tests fill with faults.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use redb::StorageBackend;
use redb::backends::FileBackend;

/// Where segments live.
pub trait Device: Send + Sync {
    /// The bytes of a segment, made where there are none.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>>;
}

/// The files of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Device for Disk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        FileBackend::new(file)
            .map(|backend| Box::new(backend) as Box<dyn StorageBackend>)
            .map_err(io::Error::other)
    }
}

/// What a device said when it failed.
pub(crate) type Failure = (io::ErrorKind, String);

/// A backend for the store, which takes one by value and says nothing of what fails when it is closed.
#[derive(Debug)]
pub(crate) struct Told {
    backend: Box<dyn StorageBackend>,
    failed: Arc<OnceLock<Failure>>,
}

impl Told {
    /// The backend, and where the first thing that fails on its device will stand.
    pub(crate) fn of(backend: Box<dyn StorageBackend>) -> (Self, Arc<OnceLock<Failure>>) {
        let failed = Arc::new(OnceLock::new());
        (Told { backend, failed: failed.clone() }, failed)
    }

    fn note(&self, done: io::Result<()>) -> io::Result<()> {
        done.inspect_err(|cause| {
            self.failed.get_or_init(|| (cause.kind(), cause.to_string()));
        })
    }
}

impl StorageBackend for Told {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(self.backend.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(self.backend.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(self.backend.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.note(self.backend.close())
    }
}

/// Files that are read and never written: what the store writes on opening one stays in memory.
pub(crate) struct Overlay;

impl Device for Overlay {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Box::new(Laid { file, over: Mutex::new(Over { stored: len, len, pages: BTreeMap::new() }) }))
    }
}

/// Bytes that are laid over a file at a time.
const PAGE: usize = 4096;

#[derive(Debug)]
struct Laid {
    file: File,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    /// Bytes of the file that still count, and of the whole.
    stored: u64,
    len: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Laid {
    /// A page as it stands: laid over, or of the file, zeros beyond its end.
    fn page(&self, over: &Over, page: u64) -> io::Result<Box<[u8; PAGE]>> {
        if let Some(laid) = over.pages.get(&page) {
            return Ok(laid.clone());
        }
        let mut bytes = Box::new([0; PAGE]);
        let start = page * PAGE as u64;
        let len = over.stored.saturating_sub(start).min(PAGE as u64) as usize;
        self.file.read_exact_at(&mut bytes[..len], start)?;
        Ok(bytes)
    }

    /// Calls for the part of each page that a range of bytes meets, with where the part is in the range.
    fn parts(
        offset: u64,
        len: usize,
        mut of: impl FnMut(u64, usize, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let within = (at % PAGE as u64) as usize;
            let part = (PAGE - within).min(len - done);
            of(at / PAGE as u64, within, done..done + part)?;
            done += part;
        }
        Ok(())
    }

    fn over(&self) -> std::sync::MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Laid {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        if offset + out.len() as u64 > over.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::parts(offset, out.len(), |page, within, range| {
            let len = range.len();
            out[range].copy_from_slice(&self.page(&over, page)?[within..within + len]);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        over.stored = over.stored.min(len);
        over.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        over.len = over.len.max(offset + data.len() as u64);
        Self::parts(offset, data.len(), |page, within, range| {
            let mut laid = self.page(&over, page)?;
            laid[within..within + range.len()].copy_from_slice(&data[range]);
            over.pages.insert(page, laid);
            Ok(())
        })
    }
}
