//! Tests of the real binary: scenarios in text, and random streams against the oracle.
//!
//! Nothing here but `tests/save.rs`, `read.rs`, `service.rs` and `tests/paths` links a crate of the product.
//! The binary is a process that reads event files and writes effects; this crate writes the files and
//! judges what comes back.

pub mod browser;
pub mod folder;
pub mod scenario;
pub mod service;
pub mod streams;

/// Every code a refusal may have, in the documented order of precedence.
pub const CODES: [&str; 20] = [
    "malformed",
    "version",
    "unknown_type",
    "not_enabled",
    "unknown_field",
    "missing_field",
    "bad_value",
    "time_backwards",
    "quarantined",
    "unknown_account",
    "unknown_security",
    "currency",
    "unknown_contract",
    "date_order",
    "contract_exists",
    "bad_lines",
    "insufficient_position",
    "insufficient_cash",
    "exceeds_debt",
    "out_of_range",
];
