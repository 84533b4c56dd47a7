//! Rows that govern the days.

use super::{Kind, row};
use plimsoll_engine::num::Date;

row!(
    /// A trading day begins.
    DayStart {
        /// Which.
        date: Date => Kind::Date,
    }
);

row!(
    /// A trading day is settled.
    DayEnd {
        /// Which.
        date: Date => Kind::Date,
    }
);

row!(
    /// The trading days; replaces the calendar.
    Calendar<'a> {
        /// Version, free text.
        version: &'a str => Kind::Name,
        /// Trading dates, ascending.
        dates: &'a [Date] => Kind::Dates,
    }
);
