//! Times and dates of the wire: RFC 3339 in, +08:00 out.

use crate::decimal::write_unsigned;
use plimsoll_engine::num::{Date, OFFSET_US, Time};

const SECOND_US: i64 = 1_000_000;

/// Two digits at `at`, if they are digits.
fn two(bytes: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (bytes[at].wrapping_sub(b'0'), bytes[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn date_of(bytes: &[u8]) -> Option<Date> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = two(bytes, 0)? * 100 + two(bytes, 2)?;
    Date::from_ymd(year as i32, two(bytes, 5)?, two(bytes, 8)?)
}

/// Reads `YYYY-MM-DD`.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    date_of(text.as_bytes())
}

/// Reads `HH:MM` as minutes since midnight.
#[must_use]
pub fn parse_minute(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    if bytes.len() != 5 || bytes[2] != b':' {
        return None;
    }
    let (hour, minute) = (two(bytes, 0)?, two(bytes, 3)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// Reads an RFC 3339 time with offset and at most six digits of a second. A leap second is no
/// time here: nothing on the wire can be placed in it.
#[must_use]
pub fn parse_time(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    // The shortest form is `2026-01-19T09:30:03Z`.
    if bytes.len() < 20 || !matches!(bytes[10], b'T' | b't') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let date = date_of(&bytes[..10])?;
    let (hour, minute, second) = (two(bytes, 11)?, two(bytes, 14)?, two(bytes, 17)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, zone) = fraction(&bytes[19..])?;
    let offset = offset_seconds(zone)?;
    let day_second = i64::from(hour * 3600 + minute * 60 + second) - offset;
    Some(Time((i64::from(date.0) * 86_400 + day_second) * SECOND_US + micros))
}

/// The fraction of a second in microseconds, and what follows it.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = bytes else { return Some((0, bytes)) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 6 {
        return None;
    }
    let value = rest[..digits].iter().fold(0, |value, &byte| value * 10 + i64::from(byte - b'0'));
    const SCALE: [i64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    Some((value * SCALE[digits], &rest[digits..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hour, minute) = (two(zone, 1)?, two(zone, 4)?);
            if hour > 23 || minute > 59 {
                return None;
            }
            let seconds = i64::from(hour * 3600 + minute * 60);
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Writes a date as `YYYY-MM-DD`.
pub fn write_date(out: &mut Vec<u8>, date: Date) {
    let (year, month, day) = date.ymd();
    if year < 0 {
        out.push(b'-');
    }
    write_unsigned(out, u128::from(year.unsigned_abs()), 4);
    out.push(b'-');
    write_unsigned(out, u128::from(month), 2);
    out.push(b'-');
    write_unsigned(out, u128::from(day), 2);
}

/// Writes an instant at +08:00 with three decimals, or six where it needs them.
pub fn write_time(out: &mut Vec<u8>, time: Time) {
    write_date(out, time.date());
    let of_day = (time.0.rem_euclid(86_400 * SECOND_US) + OFFSET_US) % (86_400 * SECOND_US);
    let (seconds, micros) = ((of_day / SECOND_US) as u32, (of_day % SECOND_US) as u32);
    for (mark, value) in [(b'T', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)] {
        out.extend_from_slice(&[mark, b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
    }
    out.push(b'.');
    if micros % 1000 == 0 {
        write_unsigned(out, u128::from(micros / 1000), 3);
    } else {
        write_unsigned(out, u128::from(micros), 6);
    }
    out.extend_from_slice(b"+08:00");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(time: Time) -> String {
        let mut out = Vec::new();
        write_time(&mut out, time);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times() {
        for (given, want) in [
            ("2026-01-19T09:30:03.000+08:00", "2026-01-19T09:30:03.000+08:00"),
            ("2026-01-19T01:30:03Z", "2026-01-19T09:30:03.000+08:00"),
            ("2026-01-19t01:30:03.5z", "2026-01-19T09:30:03.500+08:00"),
            ("2026-01-18T23:30:03.000001-02:00", "2026-01-19T09:30:03.000001+08:00"),
            ("1969-12-31T23:59:59.999999+00:00", "1970-01-01T07:59:59.999999+08:00"),
            ("0000-01-01T00:00:00+08:00", "0000-01-01T00:00:00.000+08:00"),
            ("9999-12-31T23:59:59-23:59", "10000-01-02T07:58:59.000+08:00"),
        ] {
            assert_eq!(parse_time(given).map(printed).as_deref(), Some(want), "{given}");
        }
        for bad in [
            "",
            "2026-01-19",
            "2026-01-19T09:30:03",
            "2026-01-19 09:30:03Z",
            "2026-01-19T09:30:03.Z",
            "2026-01-19T09:30:03.0000000Z",
            "2026-01-19T09:30:60Z",
            "2026-01-19T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-19T09:30:03+0800",
            "2026-01-19T09:30:03+24:00",
            "2026-01-19T09:30:03+08:60",
            "2026-01-19T09:30:03ZZ",
            "2026-1-19T09:30:03.00Z",
            "+2026-01-19T09:30:03Z",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_and_minutes() {
        assert_eq!(parse_date("2026-11-22"), Date::from_ymd(2026, 11, 22));
        for bad in ["2026-13-01", "2026-1-1", "20261122", "2026-11-2x", "2026-11-22 ", ""] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        assert_eq!(parse_minute("15:00"), Some(900));
        for bad in ["24:00", "15:60", "9:30", "15:00:00", ""] {
            assert_eq!(parse_minute(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in -62_167_219_200_000_000_i64..253_402_271_999_999_999) {
            prop_assert_eq!(parse_time(&printed(Time(micros))), Some(Time(micros)));
        }

        #[test]
        fn any_text_is_judged(given in "\\PC{0,40}") {
            let _ = (parse_time(&given), parse_date(&given), parse_minute(&given));
        }

        #[test]
        fn almost_times_are_judged(given in "[0-9Tt:.Zz+-]{18,34}") {
            let _ = parse_time(&given);
        }
    }
}
