//! Small readers of text: decimals, times, dates.

use std::cmp::Ordering;

/// Compares two decimals by value, without ever leaving their digits.
/// `None` where one of them is no decimal.
#[must_use]
pub fn compare_decimals(a: &str, b: &str) -> Option<Ordering> {
    let (a_negative, a_whole, a_part) = split_decimal(a)?;
    let (b_negative, b_whole, b_part) = split_decimal(b)?;
    let size =
        a_whole.len().cmp(&b_whole.len()).then_with(|| a_whole.cmp(b_whole)).then_with(|| a_part.cmp(b_part));
    let zero = |whole: &str, part: &str| whole.is_empty() && part.is_empty();
    let a_negative = a_negative && !zero(a_whole, a_part);
    let b_negative = b_negative && !zero(b_whole, b_part);
    Some(match (a_negative, b_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => size,
        (true, true) => size.reverse(),
    })
}

fn split_decimal(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, part)) => (whole, part),
        None => (digits, ""),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    Some((negative, whole.trim_start_matches('0'), part.trim_end_matches('0')))
}

/// Whether `text` is a decimal with exactly `places` decimals and no `-0`.
#[must_use]
pub fn has_places(text: &str, places: usize) -> bool {
    let Some((negative, whole, part)) = split_decimal(text) else {
        return false;
    };
    let shown = text.split_once('.').map_or(0, |(_, p)| p.len());
    shown == places && !(negative && whole.is_empty() && part.is_empty())
}

/// Whether `text` is a line or rate as shown: two to four decimals, no zeros beyond the second.
#[must_use]
pub fn is_line(text: &str) -> bool {
    (2..=4).any(|places| has_places(text, places))
        && !(text.ends_with('0') && text.split_once('.').is_some_and(|(_, p)| p.len() > 2))
}

/// Days from 1970-01-01 of a date `YYYY-MM-DD`.
#[must_use]
pub fn days_of(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || y.len() != 4 || m.len() != 2 || d.len() != 2 {
        return None;
    }
    let (y, m, d): (i64, i64, i64) = (y.parse().ok()?, m.parse().ok()?, d.parse().ok()?);
    if !(1..=12).contains(&m) || !(1..=31).contains(&d) {
        return None;
    }
    // The year is counted from March, so that the leap day is its last.
    let year = if m <= 2 { y - 1 } else { y };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The date `YYYY-MM-DD` of a number of days from 1970-01-01.
#[must_use]
pub fn date_of(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Microseconds of UTC of a time as RFC 3339 writes it.
#[must_use]
pub fn instant_of(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't'])?;
    let (clock, offset_minutes) = if let Some(clock) = rest.strip_suffix(['Z', 'z']) {
        (clock, 0)
    } else {
        let sign_at = rest.rfind(['+', '-'])?;
        let (clock, offset) = rest.split_at(sign_at);
        let (h, m) = offset[1..].split_once(':')?;
        let minutes = h.parse::<i64>().ok()? * 60 + m.parse::<i64>().ok()?;
        (clock, if offset.starts_with('-') { -minutes } else { minutes })
    };
    let micros = micros_of_clock(clock)?;
    Some(days_of(date)? * 86_400_000_000 + micros - offset_minutes * 60_000_000)
}

/// Microseconds from midnight of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.ffffff`.
#[must_use]
pub fn micros_of_clock(clock: &str) -> Option<i64> {
    let (whole, part) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: i64 = parts.next().unwrap_or("0").parse().ok()?;
    if parts.next().is_some() || part.len() > 6 {
        return None;
    }
    let fraction: i64 = format!("{part:0<6}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction)
}

/// An instant as effects and events show it: at +08:00, three decimals or six where needed.
#[must_use]
pub fn show_instant(micros: i64) -> String {
    let local = micros + 8 * 3_600_000_000;
    let days = local.div_euclid(86_400_000_000);
    let of_day = local.rem_euclid(86_400_000_000);
    let seconds = of_day / 1_000_000;
    let fraction = of_day % 1_000_000;
    let shown =
        if fraction % 1000 == 0 { format!("{:03}", fraction / 1000) } else { format!("{fraction:06}") };
    format!(
        "{}T{:02}:{:02}:{:02}.{shown}+08:00",
        date_of(days),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_compare_by_value() {
        assert_eq!(compare_decimals("1.30", "1.3000"), Some(Ordering::Equal));
        assert_eq!(compare_decimals("-0.0", "0"), Some(Ordering::Equal));
        assert_eq!(compare_decimals("-10", "-9.9999999999999999999"), Some(Ordering::Less));
        assert_eq!(compare_decimals("10", "9"), Some(Ordering::Greater));
        assert_eq!(compare_decimals("none", "9"), None);
    }

    #[test]
    fn forms_are_strict() {
        assert!(has_places("1.3000", 4) && !has_places("1.3", 4) && !has_places("-0.0000", 4));
        assert!(is_line("1.40") && is_line("1.3333") && !is_line("1.4") && !is_line("1.400"));
    }

    #[test]
    fn times_go_there_and_back() {
        let at = "2026-01-19T09:30:00.000+08:00";
        let micros = instant_of(at).unwrap();
        assert_eq!(show_instant(micros), at);
        assert_eq!(instant_of("2026-01-19T01:30:00Z"), Some(micros));
        for date in ["1970-01-01", "2000-02-29", "2024-12-31", "2026-10-01"] {
            assert_eq!(date_of(days_of(date).unwrap()), date);
        }
    }
}
