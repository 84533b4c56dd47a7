//! Civil dates and instants as text, without a time library.

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;
/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// The market's offset from UTC.
pub const OFFSET: i64 = 8 * 3600 * SECOND;

/// Days since 1970-01-01 of a civil date.
pub fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `YYYY-MM-DD`
pub fn date_text(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// 0 is Monday, 6 is Sunday.
pub fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// The instant of a market date and a time of day in microseconds.
pub fn instant(days: i64, of_day: i64) -> i64 {
    days * DAY + of_day - OFFSET
}

/// The market date of an instant.
pub fn date_of(at: i64) -> i64 {
    (at + OFFSET).div_euclid(DAY)
}

/// RFC 3339 text of an instant at an offset in minutes, with the decimals asked for if they hold it.
pub fn instant_text(at: i64, offset_minutes: i64, decimals: usize) -> String {
    let local = at + offset_minutes * 60 * SECOND;
    let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (seconds, micros) = (of_day / SECOND, of_day % SECOND);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let part = match (decimals, micros) {
        (0, 0) => String::new(),
        (0..=3, _) if micros % 1000 == 0 => format!(".{:03}", micros / 1000),
        _ => format!(".{micros:06}"),
    };
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let (oh, om) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
    let zone =
        if offset_minutes == 0 && decimals != 3 { "Z".to_owned() } else { format!("{sign}{oh:02}:{om:02}") };
    format!("{}T{h:02}:{m:02}:{s:02}{part}{zone}", date_text(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_through_their_number() {
        for days in [-1, 0, 59, 60, 16_000, 19_782, 19_783, 20_472, 24_837] {
            let (year, month, day) = civil(days);
            assert_eq!(day_of(year, month, day), days);
        }
        assert_eq!(date_text(day_of(2024, 2, 29)), "2024-02-29");
        assert_eq!(weekday(day_of(2026, 1, 19)), 0);
    }

    #[test]
    fn instants_print_at_any_offset() {
        let at = instant(day_of(2026, 1, 19), 9 * 3600 * SECOND + 1);
        assert_eq!(instant_text(at, 480, 3), "2026-01-19T09:00:00.000001+08:00");
        assert_eq!(instant_text(at - 1, 0, 0), "2026-01-19T01:00:00Z");
    }
}
