//! Random event streams, their coverage, and the comparison of the binary with the oracle.
//!
//! A stream is fixed by its seed. Every stream draws its own tastes (`swarm`): which events are frequent, how
//! big figures are, how its JSON is written. A light idea of the books (`books`) keeps most events possible and
//! steers prices and cash to the lines, so that accounts cross tiers often and in both directions.

mod accounts;
mod books;
mod config;
pub mod coverage;
mod days;
pub mod driver;
mod faults;
pub mod json;
mod market;
pub mod minimise;
pub mod rng;
mod schema;
pub mod stream;
pub mod swarm;
mod time;
mod trades;

pub use stream::Stream;
