//! Decimals of the wire as scaled integers, read from their text and printed digit by digit.
//!
//! A decimal is `-?digits(.digits)?` (domain.md §1). Trailing zeros beyond the scale are harmless;
//! a digit that would be lost refuses the whole. No value ever passes through a float.

/// Why a text is no decimal of the scale asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDecimal {
    /// Not of the form `-?digits(.digits)?`.
    Form,
    /// More significant decimals than the scale has.
    TooFine,
    /// Beyond what 128 bits hold.
    TooLarge,
}

impl BadDecimal {
    /// Words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            BadDecimal::Form => "not a decimal",
            BadDecimal::TooFine => "too many decimals",
            BadDecimal::TooLarge => "out of bounds",
        }
    }
}

/// The largest number of decimals asked for anywhere.
pub const MAX_DECIMALS: u32 = 8;

const POWERS: [i128; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Reads a decimal as an integer of `1 / 10^decimals`.
///
/// # Errors
/// [`BadDecimal`] where the text is none, is finer than `decimals`, or is too large.
pub fn parse(text: &str, decimals: u32) -> Result<i128, BadDecimal> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    // Eighteen characters and a shift of eight decimals cannot leave 128 bits.
    let value = if digits.len() <= 18 { short(digits, decimals)? } else { long(digits, decimals)? };
    Ok(if negative { -value } else { value })
}

/// At most eighteen characters: digits and shift fit 64 bits each, so nothing here can overflow,
/// and the checks of every step would cost more than the steps.
fn short(digits: &[u8], decimals: u32) -> Result<i128, BadDecimal> {
    let mut value = 0_u64;
    let mut at = 0;
    while let Some(digit) = digit_at(digits, at) {
        value = value.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    if at == 0 {
        return Err(BadDecimal::Form);
    }
    let mut kept = 0;
    if at < digits.len() {
        if digits[at] != b'.' || at + 1 == digits.len() {
            return Err(BadDecimal::Form);
        }
        let fraction = &digits[at + 1..];
        while kept < decimals as usize {
            let Some(digit) = digit_at(fraction, kept) else { break };
            value = value.wrapping_mul(10).wrapping_add(digit);
            kept += 1;
        }
        only_zeros(&fraction[kept..])?;
    }
    let shift = POWERS[decimals as usize - kept] as u64;
    Ok(u128::from(value).wrapping_mul(u128::from(shift)) as i128)
}

#[inline]
fn digit_at(digits: &[u8], at: usize) -> Option<u64> {
    let digit = digits.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

fn long(digits: &[u8], decimals: u32) -> Result<i128, BadDecimal> {
    let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
        Some(point) => (&digits[..point], Some(&digits[point + 1..])),
        None => (digits, None),
    };
    let fraction =
        fraction.map_or(Ok(&[][..]), |f| if f.is_empty() { Err(BadDecimal::Form) } else { Ok(f) })?;
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(BadDecimal::Form);
    }
    let kept = fraction.len().min(decimals as usize);
    only_zeros(&fraction[kept..])?;
    let mut value = 0_i128;
    for &byte in whole.iter().chain(&fraction[..kept]) {
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(i128::from(byte - b'0')))
            .ok_or(BadDecimal::TooLarge)?;
    }
    value.checked_mul(POWERS[decimals as usize - kept]).ok_or(BadDecimal::TooLarge)
}

fn only_zeros(rest: &[u8]) -> Result<(), BadDecimal> {
    if !rest.iter().all(u8::is_ascii_digit) {
        return Err(BadDecimal::Form);
    }
    if rest.iter().any(|&byte| byte != b'0') {
        return Err(BadDecimal::TooFine);
    }
    Ok(())
}

/// Brings unscaled digits with `scale` decimals to `decimals` of them.
///
/// # Errors
/// [`BadDecimal::TooFine`] where digits would be lost, [`BadDecimal::TooLarge`] beyond 128 bits.
#[inline]
pub fn rescale(unscaled: i128, scale: u8, decimals: u32) -> Result<i128, BadDecimal> {
    let scale = u32::from(scale);
    if scale == decimals {
        return Ok(unscaled);
    }
    shifted(unscaled, scale, decimals)
}

fn shifted(unscaled: i128, scale: u32, decimals: u32) -> Result<i128, BadDecimal> {
    if scale <= decimals {
        let factor = 10_i128.pow((decimals - scale).min(MAX_DECIMALS));
        return unscaled.checked_mul(factor).ok_or(BadDecimal::TooLarge);
    }
    let Some(factor) = 10_i128.checked_pow(scale - decimals) else {
        return if unscaled == 0 { Ok(0) } else { Err(BadDecimal::TooFine) };
    };
    if unscaled % factor == 0 { Ok(unscaled / factor) } else { Err(BadDecimal::TooFine) }
}

/// Reads a JSON integer: no fraction, no exponent, no leading zero; `None` for anything else and
/// beyond 64 bits.
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    is_integer(text).then(|| text.parse().ok()).flatten()
}

/// Whether the text is a JSON integer of any size.
#[must_use]
pub fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Writes an integer.
pub fn write_integer(out: &mut Vec<u8>, value: i128) {
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(out, value.unsigned_abs(), 1);
}

/// Writes at least `width` digits, with leading zeros.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, value: u128, width: usize) {
    // 39 digits hold every 128-bit number.
    let mut digits = [b'0'; 40];
    let mut at = digits.len();
    let mut wide = value;
    while wide > u128::from(u64::MAX) {
        at -= 1;
        digits[at] = b'0' + (wide % 10) as u8;
        wide /= 10;
    }
    let mut narrow = wide as u64;
    while narrow > 0 {
        at -= 1;
        digits[at] = b'0' + (narrow % 10) as u8;
        narrow /= 10;
    }
    let at = at.min(digits.len() - width.clamp(1, digits.len()));
    out.extend_from_slice(&digits[at..]);
}

/// Writes `value / 10^scale` with exactly `decimals` decimals, truncated toward zero, never `-0`.
pub fn write(out: &mut Vec<u8>, value: i128, scale: u32, decimals: u32) {
    let dropped = scale.saturating_sub(decimals).min(38);
    let value = value / 10_i128.pow(dropped);
    let shown = scale - dropped;
    if value < 0 {
        out.push(b'-');
    }
    let size = value.unsigned_abs();
    if decimals == 0 {
        write_unsigned(out, size, 1);
        return;
    }
    let unit = 10_u128.pow(shown);
    write_unsigned(out, size / unit, 1);
    out.push(b'.');
    if shown > 0 {
        write_unsigned(out, size % unit, shown as usize);
    }
    out.resize(out.len() + (decimals - shown) as usize, b'0');
}

/// Writes `numerator / denominator` with 6 decimals, truncated toward zero. `denominator` > 0.
pub fn write_ratio(out: &mut Vec<u8>, numerator: i128, denominator: i128) {
    const UNIT: i128 = 1_000_000;
    let whole = numerator / denominator;
    let rest = numerator % denominator;
    let millionths = rest * UNIT / denominator;
    if numerator < 0 && (whole != 0 || millionths != 0) {
        out.push(b'-');
    }
    write_unsigned(out, whole.unsigned_abs(), 1);
    out.push(b'.');
    write_unsigned(out, millionths.unsigned_abs(), 6);
}

/// Writes a line or rate of 1/10 000 with at least 2 and at most 4 decimals: `1.40`, `1.3333`.
pub fn write_line(out: &mut Vec<u8>, value: u32) {
    let decimals = if value.is_multiple_of(100) {
        2
    } else if value.is_multiple_of(10) {
        3
    } else {
        4
    };
    write(out, i128::from(value), 4, decimals);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn forms() {
        for (given, decimals, want) in [
            ("0", 4, Ok(0)),
            ("-0", 4, Ok(0)),
            ("10", 4, Ok(100_000)),
            ("007.50", 4, Ok(75_000)),
            ("1.2345", 4, Ok(12_345)),
            ("1.234500000000000000000000000000", 4, Ok(12_345)),
            ("00000000000000000000000000000000000000000000000000001.5", 4, Ok(15_000)),
            ("-0.0001", 4, Ok(-1)),
            ("0.00025", 8, Ok(25_000)),
            ("1.23456", 4, Err(BadDecimal::TooFine)),
            ("1.00000000000000000000000000000001", 4, Err(BadDecimal::TooFine)),
            ("99999999999999999999999999999999999999999", 4, Err(BadDecimal::TooLarge)),
            ("", 4, Err(BadDecimal::Form)),
            ("-", 4, Err(BadDecimal::Form)),
            (".5", 4, Err(BadDecimal::Form)),
            ("5.", 4, Err(BadDecimal::Form)),
            ("5.0000000000000000000000x", 4, Err(BadDecimal::Form)),
            ("+1", 4, Err(BadDecimal::Form)),
            ("--1", 4, Err(BadDecimal::Form)),
            ("1e3", 4, Err(BadDecimal::Form)),
            ("1,000", 4, Err(BadDecimal::Form)),
            ("1_000", 4, Err(BadDecimal::Form)),
            (" 1", 4, Err(BadDecimal::Form)),
            ("1 ", 4, Err(BadDecimal::Form)),
            ("1.2.3", 4, Err(BadDecimal::Form)),
            ("1.23456x", 4, Err(BadDecimal::Form)),
            ("NaN", 4, Err(BadDecimal::Form)),
            ("inf", 4, Err(BadDecimal::Form)),
            ("١", 4, Err(BadDecimal::Form)),
            ("00000000000000000000.", 4, Err(BadDecimal::Form)),
            (".00000000000000000000", 4, Err(BadDecimal::Form)),
        ] {
            assert_eq!(parse(given, decimals), want, "{given}");
        }
    }

    #[test]
    fn columns() {
        assert_eq!(rescale(12_345, 4, 4), Ok(12_345));
        assert_eq!(rescale(12, 1, 4), Ok(12_000));
        assert_eq!(rescale(1_234_500, 6, 4), Ok(12_345));
        assert_eq!(rescale(1_234_501, 6, 4), Err(BadDecimal::TooFine));
        assert_eq!(rescale(i128::MAX, 0, 4), Err(BadDecimal::TooLarge));
        assert_eq!(rescale(0, 255, 4), Ok(0));
        assert_eq!(rescale(1, 255, 4), Err(BadDecimal::TooFine));
    }

    #[test]
    fn integers() {
        for (given, want) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("17", Some(17)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("01", None),
            ("1.0", None),
            ("1e2", None),
            ("", None),
            ("+1", None),
        ] {
            assert_eq!(integer(given), want, "{given}");
        }
        assert!(is_integer("99999999999999999999999"));
    }

    #[test]
    fn printing_truncates_toward_zero_and_knows_no_negative_zero() {
        assert_eq!(text(|o| write(o, -99, 8, 4)), "0.0000");
        assert_eq!(text(|o| write(o, -10_000, 8, 4)), "-0.0001");
        assert_eq!(text(|o| write(o, 123_456, 4, 4)), "12.3456");
        assert_eq!(text(|o| write(o, 123_456, 4, 2)), "12.34");
        assert_eq!(text(|o| write(o, 15, 2, 4)), "0.1500");
        assert_eq!(text(|o| write(o, 7, 0, 2)), "7.00");
        assert_eq!(text(|o| write(o, 79_999, 4, 0)), "7");
        assert_eq!(text(|o| write_ratio(o, -1, 10_000_000)), "0.000000");
        assert_eq!(text(|o| write_ratio(o, -3, 2)), "-1.500000");
        assert_eq!(text(|o| write_ratio(o, 2, 3)), "0.666666");
        assert_eq!(text(|o| write_line(o, 14_000)), "1.40");
        assert_eq!(text(|o| write_line(o, 13_333)), "1.3333");
        assert_eq!(text(|o| write_line(o, 13_330)), "1.333");
        assert_eq!(text(|o| write_line(o, 500)), "0.05");
        assert_eq!(text(|o| write_integer(o, i128::MIN)), i128::MIN.to_string());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in -(1_i128 << 100)..(1_i128 << 100), scale in 0..=8_u32) {
            let printed = text(|o| write(o, value, scale, scale));
            prop_assert_eq!(parse(&printed, scale), Ok(value));
        }

        #[test]
        fn an_independent_parser_agrees(value in any::<i64>(), scale in 0..=8_u32, decimals in 0..=8_u32) {
            let given = Decimal::from_i128_with_scale(i128::from(value), scale);
            let mut wanted = given;
            wanted.rescale(decimals);
            let got = parse(&given.to_string(), decimals);
            if wanted == given {
                prop_assert_eq!(got, Ok(wanted.mantissa()));
            } else {
                prop_assert_eq!(got, Err(BadDecimal::TooFine));
            }
        }

        #[test]
        fn both_paths_agree(whole in "[0-9]{1,9}", fraction in "(\\.[0-9]{1,8})?", decimals in 0..=8_u32) {
            let given = format!("{whole}{fraction}");
            prop_assert_eq!(short(given.as_bytes(), decimals), long(given.as_bytes(), decimals));
        }

        #[test]
        fn any_text_is_judged(given in "\\PC*", decimals in 0..=8_u32) {
            let _ = parse(&given, decimals);
            let _ = integer(&given);
        }
    }
}
