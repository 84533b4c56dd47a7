//! Tiers, lines and hysteresis (domain.md §6), in exact integers.
//!
//! A tier's test at a line of `line_bp` is `A × 10 000 < line_bp × D` (or ≤ where the line is
//! inclusive). For given debts it fails from one threshold on: the smallest A at which it fails.
//! So the assets that change nothing form one interval, and every path tests only that.

use crate::effect::Tier;
use crate::num::{Bp, ONE_BP, div_ceil};
use crate::policy::{LineName, Lines, PAR};

const TIERS_WITH_LINES: [(Tier, LineName); 4] = [
    (Tier::Watch, LineName::Watch),
    (Tier::Warning, LineName::Warning),
    (Tier::Call, LineName::Call),
    (Tier::Immediate, LineName::Immediate),
];

/// The tiers that are entered at a line, worst last.
pub(crate) const TIERED: [Tier; 5] =
    [Tier::Watch, Tier::Warning, Tier::Call, Tier::Immediate, Tier::Insolvent];

/// Debts below this many units take the narrow path of [`threshold`].
const NARROW_DEBTS: i64 = 1 << 42;

/// Smallest A at which a test at `line_bp` fails.
fn threshold(line_bp: i128, debts: i128, inclusive: bool) -> i128 {
    // A line is at most 200.0000 with its band, below 2²¹: the product of such debts fits 64 bits.
    if let (Ok(line), Ok(debts @ ..NARROW_DEBTS)) = (i64::try_from(line_bp), i64::try_from(debts)) {
        let (whole, rest) = ((line * debts).div_euclid(10_000), (line * debts).rem_euclid(10_000));
        return i128::from(whole + i64::from(inclusive || rest > 0));
    }
    let product = line_bp * debts;
    if inclusive { product.div_euclid(ONE_BP) + 1 } else { div_ceil(product, ONE_BP) }
}

/// The thresholds of watch … insolvent for given debts, each line raised by `band`; `i128::MIN`
/// for a line that is absent.
fn thresholds(lines: &Lines, debts: i128, band: Bp) -> [i128; 7] {
    let mut at = [i128::MIN; 7];
    for (tier, name) in TIERS_WITH_LINES {
        if let Some(line) = lines.get(name) {
            let inclusive = lines.inclusive & (1 << name as u8) != 0;
            at[tier as usize] = threshold(i128::from(line) + i128::from(band), debts, inclusive);
        }
    }
    at[Tier::Insolvent as usize] = threshold(i128::from(PAR) + i128::from(band), debts, false);
    at
}

/// The worst tier whose test holds.
fn worst(at: &[i128; 7], assets: i128) -> Tier {
    Tier::ALL[2..].iter().rev().copied().find(|&t| assets < at[t as usize]).unwrap_or(Tier::Normal)
}

/// The tier an account of a tier moves to with assets and debts above zero; `settle` sets the band
/// to 0 (`day_end`).
pub(crate) fn judge(lines: &Lines, tier: Tier, assets: i128, debts: i128, settle: bool) -> Tier {
    let raw = thresholds(lines, debts, 0);
    let now = worst(&raw, assets);
    if tier == Tier::None || now > tier {
        return now;
    }
    let relaxed = if settle { now } else { worst(&thresholds(lines, debts, lines.band), assets) };
    relaxed.min(tier)
}

/// A test as one number, so that the harder of two is the larger: twice the line, plus one where it
/// is inclusive. For any debts above zero the harder test fails from no smaller assets on.
pub(crate) type Test = i64;

/// No test: it never holds.
pub(crate) const NEVER: Test = i64::MIN;

fn test_of(lines: &Lines, tier: Tier, band: Bp) -> Test {
    let inclusive = |name: LineName| lines.inclusive & (1 << name as u8) != 0;
    match TIERS_WITH_LINES.iter().find(|(t, _)| *t == tier) {
        Some(&(_, name)) => lines
            .get(name)
            .map_or(NEVER, |line| 2 * (i64::from(line) + i64::from(band)) + i64::from(inclusive(name))),
        None => 2 * (i64::from(PAR) + i64::from(band)),
    }
}

/// What an account whose debts move must pass to keep its tier: the first test must fail, and the
/// second hold (none, at `normal`).
pub(crate) fn tests_to_stay(lines: &Lines, tier: Tier) -> (Test, Option<Test>) {
    let hardest =
        |tiers: &[Tier], band| tiers.iter().map(|&t| test_of(lines, t, band)).max().unwrap_or(NEVER);
    let worse = hardest(&Tier::ALL[tier as usize + 1..], 0);
    let calm = (tier != Tier::Normal).then(|| hardest(&Tier::ALL[tier as usize..], lines.band));
    (worse, calm)
}

/// Whether a test holds, for debts above zero.
pub(crate) fn holds(test: Test, assets: i128, debts: i128) -> bool {
    if test == NEVER {
        return false;
    }
    let (a, d) = (assets * ONE_BP, i128::from(test >> 1) * debts);
    if test & 1 == 1 { a <= d } else { a < d }
}

/// The smallest assets at which a test fails, for debts above zero.
pub(crate) fn fails_from(test: Test, debts: i128) -> i128 {
    if test == NEVER { i128::MIN } else { threshold(i128::from(test >> 1), debts, test & 1 == 1) }
}

/// What an account needs to keep its tier: tests against the lines, the last one at a settlement,
/// where the band is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stay {
    pub worse: Test,
    pub calm: Option<Test>,
    pub settled: Option<Test>,
}

impl Stay {
    pub(crate) fn of(lines: &Lines, tier: Tier) -> Self {
        let (worse, calm) = tests_to_stay(lines, tier);
        let (_, settled) = tests_to_stay(&Lines { band: 0, ..*lines }, tier);
        Stay { worse, calm, settled }
    }
}

/// Whether the test of a tier's own line is "or equal".
pub(crate) fn inclusive_at(lines: &Lines, tier: Tier) -> bool {
    test_of(lines, tier, 0) & 1 == 1
}

/// A tier's own line, where it has one.
pub(crate) fn line_of(lines: &Lines, tier: Tier) -> Option<Bp> {
    match tier {
        Tier::None | Tier::Normal => None,
        Tier::Watch => lines.get(LineName::Watch),
        Tier::Warning => lines.get(LineName::Warning),
        Tier::Call => lines.get(LineName::Call),
        Tier::Immediate => lines.get(LineName::Immediate),
        Tier::Insolvent => Some(PAR),
    }
}

/// The boundary next to the new tier on the side of the old one, without the band.
pub(crate) fn boundary(lines: &Lines, from: Tier, to: Tier) -> Option<Bp> {
    if to == Tier::None {
        None
    } else if to > from {
        line_of(lines, to)
    } else {
        Tier::ALL[to as usize + 1..].iter().find_map(|&worse| line_of(lines, worse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::rules::Rules;

    fn lines() -> Lines {
        let policy: Policy = crate::policy::PolicyDraft::default().resolve(&Rules::default()).unwrap();
        policy.lines[0]
    }

    #[test]
    fn each_line_at_minus_one_zero_and_plus_one_unit() {
        let debts = 10_000_000_000;
        for (tier, line) in [
            (Tier::Watch, 18_000),
            (Tier::Warning, 15_000),
            (Tier::Call, 13_000),
            (Tier::Immediate, 11_500),
            (Tier::Insolvent, 10_000),
        ] {
            let at = debts / 10_000 * line;
            let of = |assets| judge(&lines(), Tier::Normal, assets, debts, false);
            assert_eq!(of(at - 1), tier);
            assert!(of(at) < tier);
            assert!(of(at + 1) < tier);
        }
    }

    #[test]
    fn the_interval_is_what_changes_nothing() {
        let debts = 3_333;
        for from in [Tier::Normal, Tier::Watch, Tier::Call, Tier::Insolvent] {
            for assets in -10..7_000 {
                let tier = judge(&lines(), from, assets, debts, false);
                let Stay { worse, calm, settled } = Stay::of(&lines(), tier);
                let (lo, hi) = (fails_from(worse, debts), calm.map(|test| fails_from(test, debts)));
                for next in assets - 3..assets + 3 {
                    let stays = judge(&lines(), tier, next, debts, false) == tier;
                    assert_eq!(
                        stays,
                        lo <= next && hi.is_none_or(|hi| next < hi),
                        "{tier:?} {assets} {next}"
                    );
                    let passes =
                        !holds(worse, next, debts) && calm.is_none_or(|test| holds(test, next, debts));
                    assert_eq!(stays, passes, "{tier:?} {assets} {next}");
                    let stays = judge(&lines(), tier, next, debts, true) == tier;
                    let passes =
                        !holds(worse, next, debts) && settled.is_none_or(|test| holds(test, next, debts));
                    assert_eq!(stays, passes, "at a settlement: {tier:?} {assets} {next}");
                }
            }
        }
    }

    #[test]
    fn a_threshold_is_the_smallest_assets_at_which_the_test_fails_narrow_or_wide() {
        let edge = i128::from(NARROW_DEBTS);
        for debts in (1..50).chain(edge - 25..edge + 25).chain([1 << 70, (1 << 70) + 3]) {
            for line in [10_001, 11_500, 13_333, 18_000, 1_000_000, 2_000_000] {
                for inclusive in [false, true] {
                    let test = |assets: i128| {
                        let (a, d) = (assets * ONE_BP, line * debts);
                        if inclusive { a <= d } else { a < d }
                    };
                    let at = threshold(line, debts, inclusive);
                    assert!(!test(at) && test(at - 1), "{line} {debts} {inclusive}");
                }
            }
        }
    }
}
