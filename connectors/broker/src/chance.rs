//! Chance without floats: the same seed draws the same on every machine.

/// One, in the fixed point of [`Dice::normal`] and [`pow2`].
pub const ONE: i64 = 1 << 32;

/// A stream of random numbers (SplitMix64: small, fast, and any seed is a good one).
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dice {
    /// The stream of a seed, a purpose and a number within it; streams do not depend on each other.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let purpose = mixed(seed ^ mixed(purpose as u64 + 1));
        Dice { state: mixed(purpose ^ mixed(number.wrapping_add(0x9e37_79b9_7f4a_7c15))) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }

    /// Below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low) + 1) as i64
    }

    /// True in `share` of a thousand times.
    pub fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// Close to a normal deviate, in 1/2³²: the sum of twelve even ones has deviation one.
    pub fn normal(&mut self) -> i64 {
        let sum: i64 = (0..12).map(|_| (self.bits() >> 32) as i64).sum();
        sum - 6 * ONE
    }

    /// A small, quick deviate of mean 0 and deviation 37 837: the sum of four even ones.
    pub fn quick(&mut self) -> i64 {
        let bits = self.bits();
        let sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
        sum as i64 - 2 * 0xffff
    }

    /// One of several weights, by its place.
    pub fn pick(&mut self, weights: &[u64]) -> usize {
        let mut rest = self.below(weights.iter().sum());
        for (place, &weight) in weights.iter().enumerate() {
            if rest < weight {
                return place;
            }
            rest -= weight;
        }
        weights.len().saturating_sub(1)
    }
}

/// Deviation of [`Dice::quick`].
pub const QUICK_DEVIATION: i64 = 37_837;

/// What a stream of chance is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The securities.
    Securities,
    /// One account.
    Account,
    /// Whether it is in debt.
    Debtor,
    /// Prices of one day or feed.
    Prices,
    /// What happens at the counter.
    Counter,
}

/// 2^(x / 2³²) in 1/2³², for |x| < 2³⁶.
#[must_use]
pub fn pow2(x: i64) -> u128 {
    let whole = x >> 32;
    let mut rest = x & (ONE - 1);
    // Roots of two: each the integer root of the one before, so no table needs trust.
    let mut root: u128 = 2 << 62;
    let mut value: u128 = 1 << 62;
    for _ in 0..32 {
        root = (root << 62).isqrt();
        rest <<= 1;
        if rest >= ONE {
            rest -= ONE;
            value = (value * root) >> 62;
        }
    }
    let value = value >> 30;
    if whole >= 0 { value << whole } else { value >> -whole }
}

/// Draws places in proportion to their weights in constant time (alias method, in integers).
#[derive(Clone, Debug)]
pub struct Urn {
    /// Of 2³² draws that hit a place, how many stay there, and where the others go.
    slots: Vec<(u64, u32)>,
}

impl Urn {
    /// An urn of weights, of which there is at least one above zero.
    #[must_use]
    pub fn new(weights: &[u64]) -> Self {
        let total: u128 = weights.iter().map(|&w| u128::from(w)).sum();
        let count = weights.len() as u128;
        let mut left: Vec<u128> =
            weights.iter().map(|&w| ((u128::from(w) * count) << 32) / total.max(1)).collect();
        let full: u128 = 1 << 32;
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|&place| left[place as usize] < full);
        let mut slots: Vec<(u64, u32)> = (0..weights.len() as u32).map(|p| (1 << 32, p)).collect();
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            slots[poor as usize] = (left[poor as usize] as u64, rich);
            left[rich as usize] -= full - left[poor as usize];
            if left[rich as usize] < full {
                large.pop();
                small.push(rich);
            }
        }
        Urn { slots }
    }

    /// A place.
    pub fn draw(&self, dice: &mut Dice) -> u32 {
        let place = dice.below(self.slots.len() as u64) as u32;
        let (stay, other) = self.slots[place as usize];
        if dice.bits() >> 32 < stay { place } else { other }
    }
}

/// The value at a place of a distribution given by points (place in 1/10 000, value), the first
/// at 0 and the last at 10 000, straight between them.
#[must_use]
pub fn quantile(points: &[(i64, i64)], place: i64) -> i64 {
    let next = points.iter().position(|&(at, _)| at >= place).unwrap_or(points.len() - 1).max(1);
    let ((from, low), (to, high)) = (points[next - 1], points[next]);
    low + (high - low) * (place - from) / (to - from).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two() {
        assert_eq!(pow2(0), 1 << 32);
        assert_eq!(pow2(3 * ONE), 8 << 32);
        assert_eq!(pow2(-ONE), 1 << 31);
        // The root of two is 1.41421356…
        let root = (pow2(ONE / 2) * 100_000_000) >> 32;
        assert_eq!(root, 141_421_356);
    }

    #[test]
    fn deviates_have_their_deviation() {
        let mut dice = Dice::new(1, Purpose::Prices, 0);
        let mut square = 0_i128;
        let mut quick = 0_i128;
        for _ in 0..20_000 {
            square += (i128::from(dice.normal()) >> 16).pow(2);
            quick += i128::from(dice.quick()).pow(2);
        }
        let normal = (square / 20_000).isqrt();
        assert!((64_000..67_000).contains(&normal), "{normal}");
        let quick = (quick / 20_000).isqrt();
        assert!((37_000..38_700).contains(&quick), "{quick}");
    }

    #[test]
    fn an_urn_keeps_its_weights() {
        let urn = Urn::new(&[1, 0, 7, 2]);
        let mut dice = Dice::new(7, Purpose::Account, 3);
        let mut hits = [0_u32; 4];
        for _ in 0..100_000 {
            hits[urn.draw(&mut dice) as usize] += 1;
        }
        assert_eq!(hits[1], 0);
        assert!((9_500..10_500).contains(&hits[0]), "{hits:?}");
        assert!((69_000..71_000).contains(&hits[2]), "{hits:?}");
    }

    #[test]
    fn quantiles_are_straight_between_points() {
        let points = [(0, 10), (5_000, 20), (10_000, 120)];
        assert_eq!([0, 2_500, 5_000, 7_500, 10_000].map(|at| quantile(&points, at)), [10, 15, 20, 70, 120]);
    }
}
