//! Exact numbers: whole units of a decimal scale, and plain fractions that are never reduced.
//!
//! A `Frac` keeps numerator and denominator as they come. The formulas here are a few operations deep, so the numbers stay
//! short, and no time goes into greatest common divisors.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, Zero};

/// More digits than any bounded figure has; longer texts are out of bounds whatever their field.
const MAX_DIGITS: usize = 40;

/// `10^n`.
pub fn pow10(n: u32) -> BigInt {
    BigInt::from(10u32).pow(n)
}

/// Reads `-?digits(.digits)?` into whole units of `10^-scale`; `None` for any other form or more significant decimals.
pub fn decimal(text: &str, scale: u32) -> Option<BigInt> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = match rest.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, part)) => (whole, part),
        None => (rest, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = part.trim_end_matches('0');
    let whole = whole.trim_start_matches('0');
    if part.len() > scale as usize || whole.len() > MAX_DIGITS {
        return None;
    }
    let mut digits = String::from("0");
    digits.push_str(whole);
    digits.push_str(part);
    digits.extend(std::iter::repeat_n('0', scale as usize - part.len()));
    let value = digits.parse::<BigInt>().ok()?;
    Some(if negative { -value } else { value })
}

/// Prints units of `10^-scale` with exactly `scale` decimals.
pub fn fixed(units: &BigInt, scale: usize) -> String {
    let digits = units.magnitude().to_string();
    let sign = if units.is_negative() { "-" } else { "" };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = if digits.len() <= scale {
        format!("{}{digits}", "0".repeat(scale + 1 - digits.len()))
    } else {
        digits
    };
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{part}")
}

/// Prints a line or rate of 1/10 000: at least two, at most four decimals.
pub fn line_text(units: i64) -> String {
    let mut text = fixed(&BigInt::from(units), 4);
    for _ in 0..2 {
        if text.ends_with('0') {
            text.pop();
        }
    }
    text
}

/// `n / d` rounded half up, for a non-negative quotient or not: the floor of the quotient plus one half.
pub fn half_up(n: &BigInt, d: &BigInt) -> BigInt {
    let (n, d): (BigInt, BigInt) = (n * 2 + d, d * 2);
    n.div_floor(&d)
}

/// An exact fraction with a positive denominator.
#[derive(Clone, Debug)]
pub struct Frac {
    n: BigInt,
    d: BigInt,
}

impl Frac {
    /// `units / 10^scale`.
    pub fn scaled(units: impl Into<BigInt>, scale: u32) -> Frac {
        Frac { n: units.into(), d: pow10(scale) }
    }

    /// A whole number.
    pub fn whole(n: impl Into<BigInt>) -> Frac {
        Frac::scaled(n, 0)
    }

    pub fn plus(&self, other: &Frac) -> Frac {
        Frac { n: &self.n * &other.d + &other.n * &self.d, d: &self.d * &other.d }
    }

    pub fn minus(&self, other: &Frac) -> Frac {
        Frac { n: &self.n * &other.d - &other.n * &self.d, d: &self.d * &other.d }
    }

    pub fn times(&self, other: &Frac) -> Frac {
        Frac { n: &self.n * &other.n, d: &self.d * &other.d }
    }

    /// Division; the callers test that `other` is not zero.
    pub fn over(&self, other: &Frac) -> Frac {
        let (n, d) = (&self.n * &other.d, &self.d * &other.n);
        if d.is_negative() { Frac { n: -n, d: -d } } else { Frac { n, d } }
    }

    pub fn above(&self, other: &Frac) -> bool {
        self.minus(other).is_positive()
    }

    pub fn is_positive(&self) -> bool {
        self.n.is_positive()
    }

    /// The larger of this and zero.
    pub fn not_below_zero(self) -> Frac {
        if self.n.is_negative() { Frac::whole(0) } else { self }
    }

    /// Whole units of `10^-scale`, rounded down.
    pub fn floor(&self, scale: u32) -> BigInt {
        (&self.n * pow10(scale)).div_floor(&self.d)
    }

    /// Whole units of `10^-scale`, rounded up.
    pub fn ceil(&self, scale: u32) -> BigInt {
        -(-&self.n * pow10(scale)).div_floor(&self.d)
    }

    /// Whole units of `10^-scale`, rounded half up.
    pub fn half_up(&self, scale: u32) -> BigInt {
        half_up(&(&self.n * pow10(scale)), &self.d)
    }
}

/// `a / b` with six decimals truncated toward zero; `b` is positive.
pub fn ratio_text(a: &BigInt, b: &BigInt) -> String {
    // BigInt division truncates toward zero, and a truncated zero has no sign.
    fixed(&(a * 1_000_000 / b), 6)
}

/// Truncates units of 1/10^8 toward zero to 1/10 000 and prints them.
pub fn truncated_text(units8: &BigInt) -> String {
    let units: BigInt = units8 / 10_000;
    if units.is_zero() { "0.0000".to_owned() } else { fixed(&units, 4) }
}
