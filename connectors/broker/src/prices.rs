//! How prices move: one common factor, a noise of each security, the limits of the day.

use crate::chance::{Dice, Purpose, QUICK_DEVIATION};
use crate::universe::Universe;
use plimsoll_engine::input::{Class, Phase};
use plimsoll_engine::num::{Money, PRICE_BOUND, YUAN};
use plimsoll_files::rows::Quote;

/// A relative move: 1/2²⁰.
pub type Move = i64;
/// One, as a move.
pub const WHOLE: Move = 1 << 20;
/// A thousandth, as a move: the usual noise of a snapshot.
pub const PERMILLE: Move = WHOLE / 1000;
/// Binary places of a price below its unit, so that small moves add up.
const FINE: u32 = 8;

/// One security today.
#[derive(Clone, Copy, Debug)]
struct Today {
    fine: i64,
    prev_close: Money,
    /// 0 where there is none.
    limit_up: Money,
    limit_down: Money,
    volume: i64,
    turnover: Money,
    /// Whether the last trade was at the bid.
    at_bid: bool,
    suspended: bool,
}

/// The prices of all securities.
#[derive(Clone, Debug)]
pub struct Prices<'a> {
    universe: &'a Universe,
    today: Vec<Today>,
    dice: Dice,
    /// What the day's turnover is shared over.
    snapshots: i64,
}

impl<'a> Prices<'a> {
    /// Prices at the closes before the first day.
    #[must_use]
    pub fn new(universe: &'a Universe, seed: u64, number: u64, snapshots: usize) -> Self {
        let today = universe.securities.iter().map(|security| Today {
            fine: security.close << FINE,
            prev_close: security.close,
            limit_up: 0,
            limit_down: 0,
            volume: 0,
            turnover: 0,
            at_bid: false,
            suspended: security.suspended_since.is_some(),
        });
        Prices {
            universe,
            today: today.collect(),
            dice: Dice::new(seed, Purpose::Prices, number),
            snapshots: snapshots.max(1) as i64,
        }
    }

    /// The securities.
    #[must_use]
    pub fn universe(&self) -> &'a Universe {
        self.universe
    }

    /// Begins a day: the last price becomes the previous close and sets the limits.
    pub fn open_day(&mut self) {
        for place in 0..self.today.len() {
            let close = self.price(place as u32);
            let security = &self.universe.securities[place];
            let today = &mut self.today[place];
            (today.limit_up, today.limit_down) = limits(close, security.limit, security.tick);
            today.prev_close = close;
            today.fine = close << FINE;
            today.volume = 0;
            today.turnover = 0;
        }
    }

    /// The price of a security, on its tick and within its limits.
    #[must_use]
    pub fn price(&self, security: u32) -> Money {
        let today = &self.today[security as usize];
        let tick = self.universe.securities[security as usize].tick;
        let units = today.fine >> FINE;
        let price = ((units + tick / 2) / tick * tick).max(tick);
        if today.limit_up > 0 { price.clamp(today.limit_down, today.limit_up) } else { price }
    }

    /// Whether a security trades today.
    #[must_use]
    pub fn trades(&self, security: u32) -> bool {
        !self.today[security as usize].suspended
    }

    /// Whether it stands at a limit of the day.
    #[must_use]
    pub fn is_locked(&self, security: u32) -> bool {
        let today = &self.today[security as usize];
        let price = self.price(security);
        today.limit_up > 0 && (price == today.limit_up || price == today.limit_down)
    }

    /// A common move of the usual size, some four tenths of the noise.
    pub fn common(&mut self) -> Move {
        self.dice.quick() * PERMILLE * 4 / 10 / QUICK_DEVIATION
    }

    /// Moves every security by the common factor and its own noise.
    pub fn snapshot(&mut self, common: Move) {
        for security in 0..self.today.len() as u32 {
            self.step(security, common);
        }
    }

    /// Moves one security.
    pub fn step(&mut self, security: u32, common: Move) {
        let record = &self.universe.securities[security as usize];
        if self.today[security as usize].suspended {
            return;
        }
        let noise = self.dice.quick() * PERMILLE / QUICK_DEVIATION;
        let change = (common * record.beta + noise * record.noise) >> 10;
        let today = &mut self.today[security as usize];
        let most = if today.limit_up > 0 { today.limit_up } else { PRICE_BOUND - 1 };
        let least = if today.limit_up > 0 { today.limit_down } else { record.tick };
        today.fine = (today.fine + ((today.fine * change) >> 20)).clamp(least << FINE, most << FINE);
        let bits = self.dice.bits();
        today.at_bid = bits & 1 == 0;
        // Half to one and a half times an even share of the day's turnover, in whole lots.
        let part = record.turnover / self.snapshots / 1024 * (512 + ((bits >> 1) & 1023) as i64);
        let price = self.price(security);
        let today = &mut self.today[security as usize];
        let traded = part / price / record.lot * record.lot;
        today.volume += traded;
        today.turnover += traded * price;
    }

    /// The quote of a security in a phase; limits and previous close where they are asked for.
    #[must_use]
    pub fn quote(&self, security: u32, phase: Phase, full: bool) -> Quote<'a> {
        let record = &self.universe.securities[security as usize];
        let today = &self.today[security as usize];
        let present = |price: Money| (price > 0).then_some(price);
        let mut quote = Quote {
            security: &record.code,
            price: None,
            prev_close: full.then_some(today.prev_close),
            bid1: None,
            ask1: None,
            limit_up: if full { present(today.limit_up) } else { None },
            limit_down: if full { present(today.limit_down) } else { None },
            phase: (phase != Phase::Continuous).then_some(phase),
            volume: None,
            turnover: None,
            last: None,
        };
        if today.suspended {
            quote.phase = Some(Phase::Suspended);
            return quote;
        }
        let price = self.price(security);
        quote.price = Some(price);
        if phase == Phase::Continuous {
            // At a limit one side of the book is empty.
            let bid = if today.at_bid { price } else { price - record.tick };
            let up = today.limit_up > 0 && price == today.limit_up;
            let down = today.limit_down > 0 && price == today.limit_down;
            quote.bid1 = if up {
                Some(price)
            } else if down {
                None
            } else {
                present(bid)
            };
            quote.ask1 = match (up, down) {
                (true, _) => None,
                (_, true) => Some(price),
                _ => Some(bid + record.tick),
            };
        }
        if !matches!(phase, Phase::OpenAuction | Phase::AuctionNoCancel | Phase::PreOpen) {
            quote.volume = Some(today.volume);
            quote.turnover = Some(today.turnover);
        }
        quote
    }

    /// Levels of the indices: members' mean price in parts of their close before the first day,
    /// times 1000.
    #[must_use]
    pub fn levels(&self) -> [i64; 3] {
        let mut sums = [(0_i64, 0_i64); 3];
        for (place, security) in self.universe.securities.iter().enumerate() {
            if let Some(index) = security.index {
                sums[index].0 += self.price(place as u32) * YUAN / security.close;
                sums[index].1 += 1;
            }
        }
        sums.map(|(sum, members)| if members > 0 { sum * 1000 / members } else { 0 })
    }

    /// Whether a board trades after hours on this kind of day.
    #[must_use]
    pub fn after_hours(&self, security: u32) -> bool {
        use plimsoll_engine::input::Board;
        let record = &self.universe.securities[security as usize];
        record.class == Class::AShare && matches!(record.board, Board::Star | Board::Chinext)
    }
}

/// Daily limits: the previous close plus and minus its share, rounded half up to the tick.
fn limits(close: Money, permille: i64, tick: Money) -> (Money, Money) {
    if permille == 0 {
        return (0, 0);
    }
    let rounded = |share: i64| (2 * close * share + 1000 * tick) / (2000 * tick) * tick;
    (rounded(1000 + permille), rounded(1000 - permille).max(tick))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_rounded_half_up_to_the_tick() {
        assert_eq!(limits(100_500, 100, 100), (110_600, 90_500));
        assert_eq!(limits(12_340, 100, 10), (13_570, 11_110));
        assert_eq!(limits(12_340, 0, 10), (0, 0));
    }
}
