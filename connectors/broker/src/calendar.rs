//! Trading days and the times of a day.

use plimsoll_engine::num::{Date, Time};

/// Days off in 2026, by the State Council's notice on holidays: first and last, month and day.
const HOLIDAYS_2026: [((u32, u32), (u32, u32)); 7] = [
    ((1, 1), (1, 3)),
    ((2, 15), (2, 23)),
    ((4, 4), (4, 6)),
    ((5, 1), (5, 5)),
    ((6, 19), (6, 21)),
    ((9, 25), (9, 27)),
    ((10, 1), (10, 7)),
];

/// Whether the exchanges open: Monday to Friday but the holidays that are known.
#[must_use]
pub fn is_trading_day(date: Date) -> bool {
    let (year, month, day) = date.ymd();
    let holiday =
        year == 2026 && HOLIDAYS_2026.iter().any(|&(first, last)| (first..=last).contains(&(month, day)));
    date.is_weekday() && !holiday
}

/// The last trading day before a date.
#[must_use]
pub fn before(date: Date) -> Date {
    (1..).map(|back| Date(date.0 - back)).find(|&day| is_trading_day(day)).unwrap_or(date)
}

/// `count` trading days from the first on or after `date`.
#[must_use]
pub fn days(date: Date, count: usize) -> Vec<Date> {
    (0..).map(|ahead| Date(date.0 + ahead)).filter(|&day| is_trading_day(day)).take(count).collect()
}

/// A time of a day at the market's offset.
#[must_use]
pub fn at(date: Date, hour: i64, minute: i64, second: i64) -> Time {
    Time(date.start().0 + ((hour * 60 + minute) * 60 + second) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(month: u32, day: u32) -> Date {
        Date::from_ymd(2026, month, day).unwrap()
    }

    #[test]
    fn holidays_and_weekends_are_left_out() {
        assert_eq!(before(date(1, 19)), date(1, 16));
        assert_eq!(days(date(2, 12), 3), [date(2, 12), date(2, 13), date(2, 24)]);
    }

    /// The rule gives the days of the published calendar.
    #[test]
    fn days_of_2026_are_the_published_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/trade_dates_1990_2026.csv");
        let Ok(text) = std::fs::read_to_string(path) else {
            return eprintln!("skipped: no market data");
        };
        let published: Vec<&str> = text.lines().filter(|line| line.starts_with("2026")).collect();
        let ours = days(date(1, 1), published.len()).into_iter().map(|day| {
            let (year, month, day) = day.ymd();
            format!("{year}{month:02}{day:02}")
        });
        assert_eq!(ours.collect::<Vec<_>>(), published);
    }
}
