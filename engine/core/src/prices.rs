//! Positions in four bytes each, and the prices they meet: 14 bits of security and 18 of shares, so
//! that many positions come with a line of memory and all prices stay near the processor.

use crate::input::SecurityName;
use crate::num::{Money, Quantity};

const NAME_BITS: u32 = 14;
/// Securities that a word can name.
pub(crate) const NAMES: usize = 1 << NAME_BITS;
/// Shares that a word can hold.
const WORD_SHARES: Quantity = (1 << (32 - NAME_BITS)) - 1;
/// Words of the widest row.
const WIDEST: Quantity = 255;

/// A price for every security a word can name.
#[derive(Clone, Debug)]
pub(crate) struct Prices(Box<[u32; NAMES]>);

impl Default for Prices {
    fn default() -> Self {
        Prices(Box::new([0; NAMES]))
    }
}

impl Prices {
    /// Sets the price of a security that a word can name.
    pub(crate) fn set(&mut self, name: SecurityName, price: u32) {
        if let Some(at) = self.0.get_mut(name.index()) {
            *at = price;
        }
    }

    fn of_word(&self, word: u32) -> u64 {
        u64::from(self.0[word as usize & (NAMES - 1)])
    }

    pub(crate) fn of(&self, name: SecurityName) -> u32 {
        self.0[name.index() & (NAMES - 1)]
    }

    /// The value of a row. Below 2⁶³: a row has fewer than 2³⁰ shares, a price less than 2³².
    pub(crate) fn value(&self, words: &[u32]) -> Money {
        let sum = words.iter().fold(0, |sum: u64, &word| {
            sum.wrapping_add(u64::from(word >> NAME_BITS).wrapping_mul(self.of_word(word)))
        });
        sum as Money
    }

    /// The value of holdings under the same bound.
    pub(crate) fn worth(&self, held: impl Iterator<Item = (SecurityName, Quantity)>) -> Money {
        held.fold(0, |sum: Money, (name, quantity)| {
            sum.wrapping_add(quantity.wrapping_mul(Money::from(self.of(name))))
        })
    }
}

/// What the moves of an epoch do to a share of every security a word can name: 0 for one whose price
/// appeared, without meaning for one that stands.
#[derive(Clone, Debug)]
pub(crate) struct Deltas(Box<[i32; NAMES]>);

impl Default for Deltas {
    fn default() -> Self {
        Deltas(Box::new([0; NAMES]))
    }
}

impl Deltas {
    /// Sets the move of a security that a word can name; prices are below 2³¹.
    pub(crate) fn set(&mut self, name: SecurityName, delta: i32) {
        if let Some(at) = self.0.get_mut(name.index()) {
            *at = delta;
        }
    }

    /// What the moves do to the value of each security of a row. Below 2⁶¹: a row has fewer than 2³⁰
    /// shares.
    pub(crate) fn parts<'a>(&'a self, words: &'a [u32]) -> impl Iterator<Item = (SecurityName, Money)> + 'a {
        let name = |word: u32| word as usize & (NAMES - 1);
        words.chunk_by(move |a, b| name(*a) == name(*b)).map(move |run| {
            let shares: Money = run.iter().map(|&word| Money::from(word >> NAME_BITS)).sum();
            (SecurityName(name(run[0]) as u32), shares.wrapping_mul(Money::from(self.0[name(run[0])])))
        })
    }
}

/// Whether holdings fit the words of a row.
pub(crate) fn fit(mut holdings: impl Iterator<Item = (SecurityName, Quantity)>) -> bool {
    let words = holdings.try_fold(0, |sum: Quantity, (name, quantity)| {
        (name.index() < NAMES).then(|| sum + (quantity + WORD_SHARES - 1) / WORD_SHARES)
    });
    words.is_some_and(|words| words <= WIDEST)
}

/// Packs holdings that [`fit`] into words, after those that are there.
pub(crate) fn pack(holdings: impl Iterator<Item = (SecurityName, Quantity)>, words: &mut Vec<u32>) {
    for (name, mut quantity) in holdings {
        while quantity > 0 {
            let part = quantity.min(WORD_SHARES);
            words.push((part as u32) << NAME_BITS | name.index() as u32);
            quantity -= part;
        }
    }
}

/// The shares of a word.
pub(crate) fn shares(word: u32) -> Quantity {
    Quantity::from(word >> NAME_BITS)
}

/// Whether words are of the same securities, place by place.
pub(crate) fn same_names(a: &[u32], b: &[u32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a ^ b) & (NAMES as u32 - 1) == 0)
}

/// Whether a word is of a security.
pub(crate) fn names_one(word: u32, name: SecurityName) -> bool {
    word & (NAMES as u32 - 1) == name.0
}

/// Where words of a security stand, which a word must be able to name.
pub(crate) fn find(words: &[u32], name: SecurityName, found: &mut Vec<usize>) {
    let of_it = |word: &u32| names_one(*word, name);
    let (eights, rest) = words.as_chunks::<8>();
    for (k, eight) in eights.iter().enumerate() {
        // All eight at once: few words are of one security.
        if eight.iter().fold(false, |any, word| any | of_it(word)) {
            found.extend((8 * k..).zip(eight).filter(|(_, word)| of_it(word)).map(|(at, _)| at));
        }
    }
    let last = words.len() - rest.len();
    found.extend((last..).zip(rest).filter(|(_, word)| of_it(word)).map(|(at, _)| at));
}

/// The securities of a row, each once: words of one security follow one another.
pub(crate) fn names(words: &[u32]) -> impl Iterator<Item = usize> + '_ {
    let name = |word: u32| word as usize & (NAMES - 1);
    let first = move |&k: &usize| k == 0 || name(words[k - 1]) != name(words[k]);
    (0..words.len()).filter(first).map(move |k| name(words[k]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_security_are_found_wherever_they_stand() {
        for len in 0..20 {
            for at in 0..len {
                let name = |k| SecurityName(if k == at { 5 } else { 6 });
                let (mut words, mut found) = (Vec::new(), Vec::new());
                pack((0..len).map(|k| (name(k), 3)), &mut words);
                find(&words, SecurityName(5), &mut found);
                assert_eq!(found, [at]);
                assert_eq!(shares(words[at]), 3);
            }
        }
    }
}
