//! What can be wrong with a log and its device: one cause each, with a stable word and exit status.

use std::path::{Path, PathBuf};

/// Why a log cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Another process has the directory.
    #[error("{}: another process is using this directory", .0.display())]
    Locked(PathBuf),
    /// The directory or a file in it may not be read or written.
    #[error("{}: permission denied", .0.display())]
    Permission(PathBuf),
    /// No room is left; what was not committed is not there.
    #[error("{}: no space is left on the device", .0.display())]
    Full(PathBuf),
    /// The device failed; nothing is tried again on the same file.
    #[error("{}: {what}", path.display())]
    Device {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
    /// A file holds other bytes than were written.
    #[error("{}: damaged{}: {what}", path.display(), at(*epoch))]
    Damaged {
        /// The segment or snapshot.
        path: PathBuf,
        /// The first epoch that cannot be trusted, where one can be named.
        epoch: Option<u64>,
        /// What was found.
        what: String,
    },
    /// A newer version of the product wrote it.
    #[error("{}: written by format {found}, this version reads up to {known}", path.display())]
    Newer {
        /// The segment or snapshot.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
}

fn at(epoch: Option<u64>) -> String {
    epoch.map(|epoch| format!(" at epoch {epoch}")).unwrap_or_default()
}

impl Fault {
    /// A stable word for logs and metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Fault::Locked(_) => "locked",
            Fault::Permission(_) => "permission",
            Fault::Full(_) => "full",
            Fault::Device { .. } => "device",
            Fault::Damaged { .. } => "damaged",
            Fault::Newer { .. } => "newer",
        }
    }

    /// The exit status of a process that ends by it.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Fault::Locked(_) => 10,
            Fault::Permission(_) => 11,
            Fault::Full(_) => 12,
            Fault::Device { .. } => 13,
            Fault::Damaged { .. } => 14,
            Fault::Newer { .. } => 15,
        }
    }

    /// What the system said of a file.
    pub(crate) fn of(path: &Path, cause: &std::io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Fault::Permission(path)
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Fault::Full(path),
            _ => Fault::Device { path, what: cause.to_string() },
        }
    }

    pub(crate) fn damaged(path: &Path, epoch: impl Into<Option<u64>>, what: impl Into<String>) -> Self {
        Fault::Damaged { path: path.to_owned(), epoch: epoch.into(), what: what.into() }
    }
}
