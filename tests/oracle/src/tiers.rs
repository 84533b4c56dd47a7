//! Tiers: the one by the lines, the one after hysteresis, and the line an effect names.

use num_bigint::BigInt;
use num_traits::Zero;

use crate::policy::Lines;

pub const NONE: usize = 0;
pub const NORMAL: usize = 1;
pub const INSOLVENT: usize = 6;

/// The worst tier whose test holds with every line raised by `band`.
pub fn by_lines(assets: &BigInt, debts: &BigInt, lines: &Lines, band: i64) -> usize {
    if debts.is_zero() {
        return NONE;
    }
    let assets = assets * 10_000;
    if assets < debts * (10_000 + band) {
        return INSOLVENT;
    }
    for i in (0..4).rev() {
        let Some(line) = lines.tiers[i] else { continue };
        let bound = debts * (line + band);
        if assets < bound || (lines.inclusive[i] && assets == bound) {
            return NORMAL + 1 + i;
        }
    }
    NORMAL
}

/// The tier an account moves to from `current`, with the recovery band in force.
pub fn next(current: usize, assets: &BigInt, debts: &BigInt, lines: &Lines, band: i64) -> usize {
    let raw = by_lines(assets, debts, lines, 0);
    if raw == NONE || current == NONE || raw > current {
        return raw;
    }
    let calm = by_lines(assets, debts, lines, band);
    if calm < current { calm } else { current }
}

/// The own line of a tier, 1.00 where it has none.
pub fn own_line(tier: usize, lines: &Lines) -> i64 {
    match tier {
        2..=5 => lines.tiers[tier - 2].unwrap_or(10_000),
        _ => 10_000,
    }
}

/// The boundary next to the new tier on the side of the old one.
pub fn boundary(from: usize, to: usize, lines: &Lines) -> i64 {
    if to > from {
        return own_line(to, lines);
    }
    // Improving: the line of the next worse tier that is present.
    let worse = (to.max(NORMAL) + 1..INSOLVENT).find_map(|tier| lines.tiers[tier - 2]);
    worse.unwrap_or(10_000)
}
