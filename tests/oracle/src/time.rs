//! Dates as days since 1970-01-01, instants as microseconds since then in UTC, local dates at +08:00.

pub const DAY: i64 = 86_400_000_000;
const LOCAL: i64 = 8 * 3_600_000_000;

fn leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the civil date, by counting 400-year blocks from March.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day number.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The number a run of exactly `width` ASCII digits stands for.
fn digits(text: &str, width: usize) -> Option<i64> {
    if text.len() != width || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `YYYY-MM-DD`.
pub fn date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (y, m, d) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let real = parts.next().is_none() && (1..=12).contains(&m) && d >= 1 && d <= month_length(y, m);
    real.then(|| days(y, m, d))
}

/// `HH:MM` as minutes of the day.
pub fn minutes(text: &str) -> Option<i64> {
    let (h, m) = text.split_once(':')?;
    let (h, m) = (digits(h, 2)?, digits(m, 2)?);
    (h < 24 && m < 60).then_some(h * 60 + m)
}

/// `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`, local, as an instant.
pub fn local_moment(text: &str) -> Option<i64> {
    match text.split_once('T') {
        Some((day, clock)) => Some(date(day)? * DAY + minutes(clock)? * 60_000_000 - LOCAL),
        None => Some(midnight(date(text)?)),
    }
}

/// The instant at which a local date begins.
pub fn midnight(day: i64) -> i64 {
    day * DAY - LOCAL
}

/// RFC 3339 with an offset and at most six decimals of a second.
pub fn instant(text: &str) -> Option<i64> {
    let day = date(text.get(0..10)?)?;
    let rest = text.get(10..)?.strip_prefix(['T', 't'])?;
    let minute = minutes(rest.get(0..5)?)?;
    let second = digits(rest.get(5..8)?.strip_prefix(':')?, 2)?;
    if second > 59 {
        return None;
    }
    let mut rest = rest.get(8..)?;
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let width = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=6).contains(&width) {
            return None;
        }
        micros = digits(&fraction[..width], width)? * 10i64.pow(6 - width as u32);
        rest = &fraction[width..];
    }
    let offset = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = if rest.starts_with('+') { 1 } else { -1 };
            sign * minutes(rest.strip_prefix(['+', '-'])?)?
        }
    };
    Some(day * DAY + (minute - offset) * 60_000_000 + second * 1_000_000 + micros)
}

/// The local date of an instant.
pub fn local_date(at: i64) -> i64 {
    (at + LOCAL).div_euclid(DAY)
}

/// An instant at +08:00 with three decimals, or six where needed.
pub fn instant_text(at: i64) -> String {
    let (y, m, d) = civil(local_date(at));
    let micros = (at + LOCAL).rem_euclid(DAY);
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let fraction = if micros % 1000 == 0 { format!("{:03}", micros / 1000) } else { format!("{micros:06}") };
    format!(
        "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{fraction}+08:00",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The same day six months on, or that month's last day.
pub fn six_months_later(day: i64) -> i64 {
    let (y, m, d) = civil(day);
    let (y, m) = if m > 6 { (y + 1, m - 6) } else { (y, m + 6) };
    days(y, m, d.min(month_length(y, m)))
}

/// Monday to Friday.
pub fn is_weekday(day: i64) -> bool {
    (day + 3).rem_euclid(7) < 5
}
