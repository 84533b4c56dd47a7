//! Decimals as they stand in a broker's files, exact.

/// Decimals that a number may have.
const MOST_DECIMALS: u32 = 30;

/// A decimal: its digits, and how many of them stand after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    pub digits: i128,
    pub scale: u32,
}

impl Exact {
    /// Reads `12`, `-12.50`, `+.5`; an exponent only where `floating`.
    pub fn parse(text: &str, floating: bool) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) if floating => (number, exponent.parse::<i32>().ok()?),
            Some(_) => return None,
            None => (text, 0),
        };
        let (negative, size) = match number.as_bytes() {
            [b'-', ..] => (true, &number[1..]),
            [b'+', ..] => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, fraction) = size.split_once('.').unwrap_or((size, "0"));
        let figures = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // Counters print 0.5 as `.5`.
        if fraction.is_empty() || !figures(whole) || !figures(fraction) || size.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .try_fold(0_i128, |digits, byte| digits.checked_mul(10)?.checked_add(i128::from(byte - b'0')))?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let digits = if negative { -digits } else { digits };
        let shift = 10_i128.checked_pow(scale.min(0).unsigned_abs())?;
        let exact = Exact { digits: digits.checked_mul(shift)?, scale: scale.max(0).unsigned_abs() };
        Some(exact.shortest()).filter(|exact| exact.scale <= MOST_DECIMALS)
    }

    /// The product of two.
    pub fn times(self, other: Exact) -> Option<Self> {
        let digits = self.digits.checked_mul(other.digits)?;
        Some(Exact { digits, scale: self.scale + other.scale }.shortest())
    }

    /// Rounded to so many decimals, halves away from zero.
    pub fn rounded(self, places: u32) -> Self {
        let dropped = self.scale.saturating_sub(places);
        let unit = 10_i128.pow(dropped);
        let (kept, rest) = (self.digits / unit, self.digits % unit);
        let up = if rest.abs() * 2 >= unit && dropped > 0 { rest.signum() } else { 0 };
        Exact { digits: kept + up, scale: self.scale - dropped }.shortest()
    }

    /// Without zeros at the end.
    fn shortest(self) -> Self {
        let Exact { mut digits, mut scale } = self;
        while scale > 0 && digits % 10 == 0 {
            (digits, scale) = (digits / 10, scale - 1);
        }
        Exact { digits, scale }
    }

    /// As text that reads back as the same.
    pub fn text(self) -> String {
        let mut out = Vec::new();
        plimsoll_wire::decimal::write(&mut out, self.digits, self.scale, self.scale);
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Exact {
        Exact::parse(text, true).expect("a decimal")
    }

    #[test]
    fn numbers_are_read_as_they_stand() {
        for (given, want) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("100.00", "100"),
            ("+12.50", "12.5"),
            (".5", "0.5"),
            ("-.05", "-0.05"),
            ("12345678901234567890.1234", "12345678901234567890.1234"),
            ("0.100000000000000000000000000001", "0.100000000000000000000000000001"),
        ] {
            assert_eq!(Exact::parse(given, false).map(Exact::text).as_deref(), Some(want), "{given}");
        }
        for bad in ["", "-", ".", "5.", "1,000", "1e3", "1.2.3", "NaN", "inf", "１", " 1", "--1", "0x1"] {
            assert_eq!(Exact::parse(bad, false), None, "{bad}");
        }
        assert_eq!(Exact::parse(&"9".repeat(40), false), None);
        assert_eq!(Exact::parse("0.1000000000000000000000000000001", false), None);
    }

    #[test]
    fn exponents_belong_to_floats() {
        for (given, want) in [("1.25E3", "1250"), ("1e-4", "0.0001"), ("-2.5e+1", "-25"), ("1e0", "1")] {
            assert_eq!(of(given).text(), want);
        }
        for bad in ["1e", "e5", "1e999999999999", "1e200", "1e-40", "NaN", "inf"] {
            assert_eq!(Exact::parse(bad, true), None, "{bad}");
        }
    }

    #[test]
    fn products_and_roundings_are_exact() {
        assert_eq!(of("12.34").times(of("100")), Some(of("1234")));
        assert_eq!(of("8.35").times(of("0.01")), Some(of("0.0835")));
        assert_eq!(of("123456789012345678901234567890").times(of("12345678901234567890")), None);
        for (given, places, want) in [
            ("1.00005", 4, "1.0001"),
            ("1.00004999", 4, "1"),
            ("-1.00005", 4, "-1.0001"),
            ("2.5", 0, "3"),
            ("1.5", 4, "1.5"),
            ("0.30000000000000004", 2, "0.3"),
        ] {
            assert_eq!(of(given).rounded(places).text(), want, "{given}");
        }
    }
}
