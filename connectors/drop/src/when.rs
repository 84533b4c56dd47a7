//! Dates and times as counters write them, at +08:00 where no zone is said.

use plimsoll_engine::num::{Date, Time};
use plimsoll_wire::time::{parse_date, parse_time};

/// `20260119`, `2026-01-19` or `2026/01/19`.
pub fn date(text: &str) -> Option<Date> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_date(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]));
    }
    parse_date(&text.replace('/', "-"))
}

/// A time with its zone, or a date and a time of day: `20260119 17:30`, `2026-01-19 9:30:03.25`,
/// `20260119 93003`, `20260119 093003250`.
pub fn moment(text: &str) -> Option<Time> {
    if let Some(time) = parse_time(text) {
        return Some(time);
    }
    let (day, clock) = text.split_once([' ', 'T'])?;
    let (year, month, day) = date(day)?.ymd();
    parse_time(&format!("{year:04}-{month:02}-{day:02}T{}+08:00", of_day(clock.trim())?))
}

/// A time of day as RFC 3339 has it.
fn of_day(text: &str) -> Option<String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number has lost the zero before the hour; with nine figures the last three are milliseconds.
        let (width, rest) = if text.len() > 6 { (9, true) } else { (6, false) };
        let text = format!("{text:0>width$}");
        if text.len() != width {
            return None;
        }
        let seconds = format!("{}:{}:{}", &text[..2], &text[2..4], &text[4..6]);
        return Some(if rest { format!("{seconds}.{}", &text[6..]) } else { seconds });
    }
    let text = if text.as_bytes().get(1) == Some(&b':') { format!("0{text}") } else { text.to_owned() };
    Some(if text.len() == 5 { text + ":00" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for text in ["20260119", "2026-01-19", "2026/01/19"] {
            assert_eq!(date(text), Date::from_ymd(2026, 1, 19), "{text}");
        }
        for bad in ["", "0", "2026119", "20260132", "19/01/2026", "2026-1-19", "２０２６０１１９", "00000000"]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn moments() {
        for (text, same) in [
            ("20260119 17:30", "2026-01-19T17:30:00+08:00"),
            ("2026-01-19 9:30:03.25", "2026-01-19T09:30:03.25+08:00"),
            ("2026/01/19 09:30:03", "2026-01-19T09:30:03+08:00"),
            ("20260119 93003", "2026-01-19T09:30:03+08:00"),
            ("20260119 093003250", "2026-01-19T09:30:03.25+08:00"),
            ("20260119 93003250", "2026-01-19T09:30:03.25+08:00"),
            ("2026-01-19T01:30:00Z", "2026-01-19T09:30:00+08:00"),
            ("2026-01-19T09:30:00", "2026-01-19T09:30:00+08:00"),
        ] {
            assert!(moment(text).is_some() && moment(text) == parse_time(same), "{text}");
        }
        for bad in ["20260119", "17:30", "20260119 25:00", "20260119 0930031234", "20260119 -1", "x y", ""] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
