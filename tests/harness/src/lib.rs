//! Tests of the real binary: scenarios in text, and random streams against the oracle.
//!
//! Nothing here but `tests/save.rs` links a crate of the product. The binary is a process that
//! reads event files and writes effects; this crate writes the files and judges
//! what comes back.

pub mod scenario;
pub mod streams;
