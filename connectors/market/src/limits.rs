//! Daily price limits, and the reference price of an ex-date, in whole fen.

use crate::actions::Terms;

/// The lowest and highest price of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Limit down, fen.
    pub down: i64,
    /// Limit up, fen.
    pub up: i64,
}

impl Band {
    /// The band `down_percent` below and `up_percent` above a previous close, each rounded half up to the tick.
    #[must_use]
    pub fn of(previous: i64, down_percent: i64, up_percent: i64) -> Band {
        Band {
            down: (previous * (100 - down_percent) + 50).div_euclid(100),
            up: (previous * (100 + up_percent) + 50).div_euclid(100),
        }
    }

    /// Whether a day's lowest and highest price lie inside.
    #[must_use]
    pub fn admits(self, low: i64, high: i64) -> bool {
        self.down <= low && high <= self.up
    }
}

/// The previous close nearest to `previous` whose band admits the day's range, and that band.
///
/// A source whose last bar misses the closing auction gives a close some ticks off the official one; a limit
/// price reached on the next day then lies outside the band of that close. The search goes one tick at a
/// time, upward first, and ends at one percent.
#[must_use]
pub fn nearest_admitting(previous: i64, low: i64, high: i64, percent: i64) -> Option<(i64, Band)> {
    let reach = previous / 100;
    (0..=reach).find_map(|shift| {
        [previous + shift, previous - shift].into_iter().find_map(|candidate| {
            let band = Band::of(candidate, percent, percent);
            band.admits(low, high).then_some((candidate, band))
        })
    })
}

/// The exchange's reference price of an ex-date: `(close − cash + rights price × rights) / (1 + bonus + rights)`,
/// rounded half up to a fen.
#[must_use]
pub fn reference(close: i64, terms: &Terms) -> i64 {
    // Fen become 1/10⁸ yuan, so that every term is in one unit.
    let one = 100_000_000_i128;
    let close = i128::from(close) * 1_000_000;
    let above =
        (close - i128::from(terms.cash)) * one + i128::from(terms.rights) * i128::from(terms.rights_price);
    let below = (one + i128::from(terms.bonus) + i128::from(terms.rights)) * 1_000_000;
    let fen = (2 * above.max(0) + below) / (2 * below);
    i64::try_from(fen).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_round_half_up_to_the_fen() {
        assert_eq!(Band::of(1_005, 10, 10), Band { down: 905, up: 1_106 });
        assert_eq!(Band::of(377, 10, 10), Band { down: 339, up: 415 });
        assert_eq!(Band::of(410, 5, 5), Band { down: 390, up: 431 });
        assert_eq!(Band::of(1_908, 36, 44), Band { down: 1_221, up: 2_748 });
    }

    #[test]
    fn a_close_off_by_ticks_is_moved_to_the_nearest_that_admits() {
        assert_eq!(nearest_admitting(302, 282, 332, 10), Some((302, Band { down: 272, up: 332 })));
        assert_eq!(nearest_admitting(302, 282, 333, 10), Some((303, Band { down: 273, up: 333 })));
        assert_eq!(nearest_admitting(377, 338, 353, 10), Some((376, Band { down: 338, up: 414 })));
        assert_eq!(nearest_admitting(377, 100, 353, 10), None);
    }

    #[test]
    fn reference_prices_of_the_rules() {
        let terms = |cash, bonus, rights, rights_price| Terms { cash, bonus, rights, rights_price };
        // rules/corporate_actions.md, examples a and b.
        assert_eq!(reference(800, &terms(50_000_000, 50_000_000, 0, 0)), 500);
        assert_eq!(reference(800, &terms(0, 0, 30_000_000, 540_000_000)), 740);
        assert_eq!(reference(100, &terms(200_000_000, 0, 0, 0)), 0);
        assert_eq!(reference(1_001, &terms(0, 100_000_000, 0, 0)), 501);
    }
}
