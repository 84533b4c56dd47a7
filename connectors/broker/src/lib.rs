//! A seeded broker: books and feeds for replays, tests and benchmarks.
//!
//! Everything is drawn from integers, so the same seed gives the same bytes on every machine. What
//! it is calibrated to, and what comes out, stands in CALIBRATION.md.

mod agreement;
mod book;
mod calendar;
mod calibration;
mod chance;
mod config;
mod counter;
mod entries;
mod feed;
mod figures;
mod generate;
mod given;
mod listing;
mod live;
mod output;
mod path;
mod prices;
mod session;
mod sink;
mod trading;
mod universe;

pub use agreement::AGREEMENTS;
pub use book::{Account, Book, Debt, Holding};
pub use config::{BrokerError, Config, Profile, Scenario};
pub use counter::{ContractName, Counter, Fact, FactEvent};
pub use entries::{account_entry, account_name, contract_name, fact_entry, lines_entry, opening_entry};
pub use feed::{Facts, Feed, FeedEpoch, FeedKind, Tick};
pub use figures::{BookFigures, DayFigures, Manifest, Written};
pub use generate::generate;
pub use live::Live;
pub use prices::Prices;
pub use session::Beat;
pub use sink::Body;
pub use universe::{INDICES, Security, Universe};
