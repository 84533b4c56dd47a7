//! The pure core of Plimsoll: a stream of epochs in, exact ratios, tiers and effects out.
//!
//! It knows no file, socket, clock, thread, log, text format or float. State changes only in
//! [`engine::Engine::step`]; the same epochs give the same verdicts, effects and state on every
//! machine and for any number of lanes.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]

mod actions;
mod aside;
mod book;
pub mod breach;
mod causes;
mod codec;
mod columns;
mod dedup;
mod draft;
pub mod effect;
pub mod engine;
pub mod input;
mod judge;
mod lane;
mod looks;
mod market;
mod metrics;
pub mod num;
pub mod policy;
mod prices;
pub mod read;
pub mod rules;
mod save;
pub mod scenario;
mod terms;
mod tiers;

pub use codec::Corrupt;
pub use columns::{ColumnBytes, Paths};
pub use engine::{AccountView, Engine, Exec, Path, Sequential, StepStats};
pub use lane::Lane;
pub use save::{BYTES_OF_AN_ACCOUNT, Saved, StateHash};
