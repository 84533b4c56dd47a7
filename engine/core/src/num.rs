//! Numbers of the core: scaled integers, dates and times (domain.md §1).
//!
//! | quantity | type | unit |
//! |---|---|---|
//! | price, money | `i64` | 1/10 000 yuan |
//! | quantity | `i64` | shares (bonds: 张; funds: 份) |
//! | ratio line, haircut, margin ratio | `u32` | 1/10 000 |
//! | cost, interest and fee rate | `u32` | 1/10⁸ |
//! | dividend per share, bonus and rights ratio | `i64` | 1/10⁸ |

/// Price or money in 1/10 000 yuan.
pub type Money = i64;
/// Number of shares.
pub type Quantity = i64;
/// Ratio line, haircut or margin ratio in 1/10 000.
pub type Bp = u32;
/// Cost, interest or fee rate in 1/10⁸.
pub type Rate = u32;

/// Money units per yuan.
pub const YUAN: i64 = 10_000;
/// Ratio units per one.
pub const ONE_BP: i128 = 10_000;
/// Rate units per one.
pub const ONE_RATE: i128 = 100_000_000;
/// A price on the wire is below this many units.
pub const PRICE_BOUND: i64 = 1 << 31;
/// Money on the wire and in an account stays below this many units in size.
pub const MONEY_BOUND: i64 = 100_000_000_000_000_000;
/// A quantity on the wire and in an account stays below this.
pub const QUANTITY_BOUND: i64 = 1 << 40;
/// Ratio lines, haircuts and margin ratios are at most 100.0000.
pub const BP_BOUND: u32 = 1_000_000;
/// Dividends and ratios of corporate actions are at most 1 000.
pub const PER_SHARE_BOUND: i64 = 100_000_000_000;

/// A calendar date at the market's fixed offset: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

impl Date {
    /// The date of a proleptic Gregorian year, month and day, or `None` where there is no such day.
    #[must_use]
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        // Days from civil, counted in years that start in March.
        let y = i64::from(year) - i64::from(month <= 2);
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let shifted = (i64::from(month) + 9) % 12;
        let doy = (153 * shifted + 2) / 5 + i64::from(day) - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        i32::try_from(era * 146_097 + doe - 719_468).ok().map(Date)
    }

    /// Year, month and day.
    #[must_use]
    pub fn ymd(self) -> (i32, u32, u32) {
        let z = i64::from(self.0) + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        (year as i32, month as u32, day as u32)
    }

    /// The day before.
    #[must_use]
    pub fn previous(self) -> Self {
        Date(self.0 - 1)
    }

    /// Whether the day is Monday to Friday.
    #[must_use]
    pub fn is_weekday(self) -> bool {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) < 5
    }

    /// The same day `months` later, or that month's last day (events.md, `due` of a fill).
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        let (year, month, day) = self.ymd();
        let index = year * 12 + month as i32 - 1 + months;
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u32 + 1);
        Date::from_ymd(year, month, day.min(days_in_month(year, month))).unwrap_or(self)
    }

    /// The first instant of the day at +08:00.
    #[must_use]
    pub fn start(self) -> Time {
        Time(i64::from(self.0) * DAY_US - OFFSET_US)
    }
}

fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const DAY_US: i64 = 86_400_000_000;
/// The market's fixed offset, +08:00.
pub const OFFSET_US: i64 = 8 * 3_600_000_000;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Before every instant of the wire: the clock before the first epoch.
    pub const MIN: Time = Time(i64::MIN / 2);

    /// The market date of the instant.
    #[must_use]
    pub fn date(self) -> Date {
        Date((self.0 + OFFSET_US).div_euclid(DAY_US) as i32)
    }
}

/// `a / b` rounded half up (halves away from minus infinity). `b` > 0.
#[must_use]
pub fn div_half_up(a: i128, b: i128) -> i128 {
    (2 * a + b).div_euclid(2 * b)
}

/// `a / b` rounded down. `b` > 0.
#[must_use]
pub fn div_floor(a: i128, b: i128) -> i128 {
    // Most figures fit 64 bits, whose division costs a fraction; above zero `b` never overflows it.
    match (i64::try_from(a), i64::try_from(b)) {
        (Ok(a), Ok(b)) => i128::from(a.div_euclid(b)),
        _ => a.div_euclid(b),
    }
}

/// `a / b` rounded up. `b` > 0.
#[must_use]
pub fn div_ceil(a: i128, b: i128) -> i128 {
    -div_floor(-a, b)
}

/// Clamps a wide figure into money; only for figures that a bound check has seen or will see.
#[must_use]
pub fn clamp_i64(value: i128) -> i64 {
    if value > i128::from(i64::MAX) {
        i64::MAX
    } else if value < i128::from(i64::MIN) {
        i64::MIN
    } else {
        value as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        for day in -200_000..200_000 {
            let (y, m, d) = Date(day).ymd();
            assert_eq!(Date::from_ymd(y, m, d), Some(Date(day)));
        }
        assert_eq!(Date::from_ymd(2026, 2, 29), None);
        assert_eq!(Date::from_ymd(1970, 1, 1), Some(Date(0)));
    }

    #[test]
    fn due_dates_fall_on_the_last_day_of_a_shorter_month() {
        let day = |y, m, d| Date::from_ymd(y, m, d).unwrap();
        assert_eq!(day(2025, 8, 31).plus_months(6), day(2026, 2, 28));
        assert_eq!(day(2026, 1, 19).plus_months(6), day(2026, 7, 19));
    }

    #[test]
    fn weekdays() {
        assert!(Date::from_ymd(2026, 11, 20).unwrap().is_weekday());
        assert!(!Date::from_ymd(2026, 11, 21).unwrap().is_weekday());
        assert!(!Date::from_ymd(2026, 11, 22).unwrap().is_weekday());
        assert!(Date::from_ymd(2026, 11, 23).unwrap().is_weekday());
    }

    #[test]
    fn halves_go_up() {
        assert_eq!(div_half_up(5, 10), 1);
        assert_eq!(div_half_up(4, 10), 0);
        assert_eq!(div_half_up(-5, 10), 0);
        assert_eq!(div_half_up(-6, 10), -1);
        assert_eq!(div_ceil(-15, 10), -1);
        assert_eq!(div_ceil(11, 10), 2);
    }

    #[test]
    fn narrow_and_wide_division_agree_at_the_edge_of_64_bits() {
        let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
        for a in [-7, 0, 7, least - 1, least, least + 1, most - 1, most, most + 1, 1 << 100] {
            for b in [1, 2, 3, 10_000, most - 1, most, most + 1, 1 << 70] {
                assert_eq!(div_floor(a, b), a.div_euclid(b), "{a} / {b}");
                assert_eq!(div_ceil(a, b), -(-a).div_euclid(b), "{a} / {b}");
            }
        }
    }
}
