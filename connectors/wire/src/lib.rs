//! The wire of Plimsoll: events in, effects out, names, cutter, policy and rule tables.
//!
//! A line or row becomes a record ([`value`], [`json`]); the [`door`] reads its envelope, decodes
//! it by the tables of [`fields`], gives names their ordinals and cuts epochs for the core. Quotes of
//! a table, and lines that are laid out like a quote before them, have ways of their own to the same
//! judgement. What the core answers is printed by [`print`].
#![forbid(unsafe_code)]

mod alike;
pub mod decimal;
pub mod decode;
pub mod door;
pub mod envelope;
pub mod fields;
pub mod json;
pub mod names;
pub mod policy;
pub mod print;
pub mod quotes;
pub mod read;
pub mod rules;
pub mod schema;
pub mod time;
pub mod value;
