//! HTTP over a live run: events in, accounts and streams out.
#![forbid(unsafe_code)]
// The macros that describe handlers write them.
#![allow(unused_qualifications)]

mod answer;
mod history;
mod hub;
mod live;
mod page;
mod problem;
mod routes;
mod server;
mod stream;
mod writer;

pub use live::Live;
pub use server::{Ended, NotTaken, Options, Submitter, Told, serve};
