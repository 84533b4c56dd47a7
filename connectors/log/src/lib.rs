//! The durable log: a directory of segments, each holding epochs one after the other.
//!
//! One commit, and one sync, is one epoch: its inputs as they came, its effects as they left, and a
//! record that chains it to all before it. State is a snapshot and what the log says since.
#![forbid(unsafe_code)]

mod directory;
mod fault;
mod log;
mod pack;
mod record;
mod segment;
pub mod snapshot;
mod store;

pub use directory::{Directory, snapshots_in};
pub use fault::Fault;
pub use log::{Log, Past, Reader, first_epoch};
pub use record::{Cut, Epoch, Link, Record, Versions};
pub use store::{Device, Disk};
