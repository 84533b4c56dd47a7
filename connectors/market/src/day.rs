//! Trading days, the calendar of the exchange, and the fixed times of imported events.

use std::fmt;
use std::path::Path;

use plimsoll_engine::num::{Date, Time};

use crate::Error;

/// A day as the sources write it: `YYYYMMDD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day of a number `YYYYMMDD`.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Day> {
        let number = u32::try_from(number).ok()?;
        let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
        let exists = (1_900..=2_199).contains(&year)
            && Date::from_ymd(i32::try_from(year).ok()?, month, day).is_some();
        exists.then_some(Day(number))
    }

    /// The day written `YYYY-MM-DD` or `YYYYMMDD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Day> {
        let digits: String = match text.len() {
            8 => text.into(),
            10 if text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-' => text.replace('-', ""),
            _ => return None,
        };
        if digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()) {
            Day::from_number(digits.parse().ok()?)
        } else {
            None
        }
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> u32 {
        self.0 / 10_000
    }

    /// `YYYYMMDD`, as ids and source names carry it.
    #[must_use]
    pub fn compact(self) -> u32 {
        self.0
    }

    /// The day as the core counts it.
    #[must_use]
    pub fn date(self) -> Date {
        // The day exists: nothing else is let in.
        Date::from_ymd((self.0 / 10_000) as i32, self.0 / 100 % 100, self.0 % 100).unwrap_or(Date(0))
    }

    /// The instant of a time of day, given in milliseconds since midnight.
    #[must_use]
    pub fn at(self, millisecond: u32) -> Time {
        Time(self.date().start().0 + i64::from(millisecond) * 1_000)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}

/// Milliseconds since midnight of a time of day.
const fn clock(hour: u32, minute: u32) -> u32 {
    minutes(hour * 60 + minute)
}

/// Milliseconds since midnight of so many minutes.
#[must_use]
pub const fn minutes(minutes: u32) -> u32 {
    minutes * 60_000
}

/// Base day, evening: the calendar.
pub const BASE_CALENDAR: u32 = clock(17, 0);
/// Base day, evening: the records of all securities known.
pub const BASE_RECORDS: u32 = clock(17, 1);
/// Base day, evening: the close of each, as a previous close.
pub const BASE_PRICES: u32 = clock(17, 2);
/// Morning: records that changed, new listings, suspensions and their ends.
pub const RECORDS: u32 = clock(8, 10);
/// Morning: corporate actions with this ex-date.
pub const ACTIONS: u32 = clock(8, 20);
/// Morning: `day_start`.
pub const DAY_START: u32 = clock(8, 30);
/// The open of a daily bar.
pub const OPEN: u32 = clock(9, 30);
/// The first extreme of a daily bar.
pub const FIRST_EXTREME: u32 = clock(10, 30);
/// The second extreme of a daily bar.
pub const SECOND_EXTREME: u32 = clock(14, 0);
/// The close of a daily bar.
pub const CLOSE: u32 = clock(15, 0);
/// `day_end`: settlement.
pub const DAY_END: u32 = clock(16, 0);

/// The trading days of the exchanges, ascending.
#[derive(Debug)]
pub struct Calendar {
    days: Vec<Day>,
}

impl Calendar {
    /// Reads `trade_dates_1990_2026.csv`.
    ///
    /// # Errors
    /// When the file cannot be read or a line is no date.
    pub fn read(data: &Path) -> Result<Calendar, Error> {
        let path = data.join("trade_dates_1990_2026.csv");
        let rows = crate::table::csv(&path, &["trade_date"])?;
        let mut days = Vec::with_capacity(rows.len());
        for row in rows {
            let day =
                Day::parse(&row[0]).ok_or_else(|| Error::data(&path, format!("no date: {:?}", row[0])))?;
            days.push(day);
        }
        days.sort_unstable();
        days.dedup();
        Ok(Calendar { days })
    }

    /// The trading days from `from` to `to`, both included.
    #[must_use]
    pub fn between(&self, from: Day, to: Day) -> &[Day] {
        let start = self.days.partition_point(|d| *d < from);
        let end = self.days.partition_point(|d| *d <= to);
        &self.days[start..end.max(start)]
    }

    /// The last trading day before `day`.
    #[must_use]
    pub fn before(&self, day: Day) -> Option<Day> {
        self.days[..self.days.partition_point(|d| *d < day)].last().copied()
    }

    /// The first trading day after `day`.
    #[must_use]
    pub fn after(&self, day: Day) -> Option<Day> {
        self.days.get(self.days.partition_point(|d| *d <= day)).copied()
    }

    /// The trading days of the years around a range: one year before it to one year after it.
    ///
    /// Enough for every count of trading days and every deadline of the range, and small.
    #[must_use]
    pub fn around(&self, from: Day, to: Day) -> &[Day] {
        let start = self.days.partition_point(|d| d.year() + 1 < from.year());
        let end = self.days.partition_point(|d| d.year() <= to.year() + 1);
        &self.days[start..end.max(start)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        let day = Day::parse("2015-06-12").unwrap();
        assert_eq!(Some(day), Day::parse("20150612"));
        assert_eq!(day.to_string(), "2015-06-12");
        assert_eq!(day.date(), Date::from_ymd(2015, 6, 12).unwrap());
        assert_eq!(day.at(OPEN).0 - day.date().start().0, 34_200_000_000);
        for bad in ["2015-6-12", "20151312", "2015061", "", "2015/06/12", "２０１５", "2015-06-31"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_calendar_answers_neighbours() {
        let days = ["20150611", "20150612", "20150615"].map(|d| Day::parse(d).unwrap());
        let calendar = Calendar { days: days.to_vec() };
        assert_eq!(calendar.before(days[0]), None);
        assert_eq!(calendar.before(days[2]), Some(days[1]));
        assert_eq!(calendar.after(days[1]), Some(days[2]));
        assert_eq!(calendar.after(days[2]), None);
        assert_eq!(calendar.between(days[1], days[2]), &days[1..]);
        assert_eq!(calendar.around(days[0], days[2]), &days[..]);
    }
}
