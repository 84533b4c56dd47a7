//! The live run: events in, epochs committed, effects and answers out.
#![forbid(unsafe_code)]

pub mod ask;
pub mod body;
pub mod lanes;
pub mod policy;
pub mod recover;
pub mod run;
