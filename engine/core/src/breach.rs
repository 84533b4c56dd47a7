//! Breach prices (domain.md §3.3) and the liquidation map of a security: answers, not state.

use std::collections::BTreeMap;

use crate::effect::Tier;
use crate::engine::{Engine, Exec};
use crate::input::{Class, SecurityName};
use crate::lane::Lane;
use crate::market::Market;
use crate::metrics::{FEN, View};
use crate::num::{Bp, Money, ONE_BP, PRICE_BOUND, Quantity, div_ceil, div_half_up};
use crate::policy::Lines;
use crate::tiers::{TIERED, inclusive_at, line_of};

/// More limit days than this are as good as never.
const MOST_LIMIT_DAYS: u32 = 100;

/// The price of one security at which, all else equal, the condition of one tier holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Of which security.
    pub security: SecurityName,
    /// The tier entered.
    pub tier: Tier,
    /// Its line.
    pub line: Bp,
    /// The tick price: the highest one on a fall, the lowest one on a rise.
    pub price: Money,
    /// Whether it is a fall that breaches; otherwise a rise.
    pub falls: bool,
    /// Consecutive limit days from the previous close until the price is reached: 0 where the mark is
    /// there already, 1 for a price that today can reach. `None` where the security has no daily
    /// limit, or where more than a hundred would not do.
    pub limit_days: Option<u32>,
}

/// What happens at one price of a security, all else equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapStep {
    /// The tick price.
    pub price: Money,
    /// Accounts that enter watch, warning, call, immediate, insolvent there.
    pub enter: [u32; 5],
    /// Shares of it that those which enter `immediate` there would have to sell to come back to the
    /// line of forced sales, if they sold nothing else.
    pub shares: i128,
}

/// The liquidation map of a security.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiquidationMap {
    /// The epoch it is of.
    pub epoch: u64,
    /// Prices that breach on a fall, highest first.
    pub falls: Vec<MapStep>,
    /// Prices that breach on a rise, lowest first.
    pub rises: Vec<MapStep>,
}

/// A and D of an account as a line in the price of one security.
struct Slope {
    assets: i128,
    debts: i128,
    long: i128,
    short: i128,
    mark: i128,
}

impl Slope {
    /// A and D at another price.
    fn at(&self, price: i128) -> (i128, i128) {
        let moved = price - self.mark;
        (self.assets + self.long * moved, self.debts + self.short * moved)
    }

    /// The tick price at which the test of a line begins to hold, and whether on a fall.
    ///
    /// With f(p) = 10 000·A(p) − L·D(p) = k·p − c the test is f < 0, or f ≤ 0 where inclusive.
    fn breach(&self, line: Bp, inclusive: bool, tick: i128) -> Option<(i128, bool)> {
        let line = i128::from(line);
        let k = self.long * ONE_BP - line * self.short;
        let (a, d) = self.at(0);
        let c = line * d - a * ONE_BP;
        let slack = i128::from(!inclusive);
        let ticks = match k.signum() {
            // k·p < c: the largest multiple of the tick below c / k.
            1 => (c - slack).div_euclid(k * tick),
            // |k|·p > −c: the smallest one above it.
            -1 => div_ceil(-c + slack, -k * tick).max(1),
            _ => return None,
        };
        let price = ticks * tick;
        (price > 0 && price < i128::from(PRICE_BOUND)).then_some((price, k > 0))
    }
}

impl Market {
    /// The price step of a security: its record's, else its board's, else that of its kind.
    fn tick(&self, name: SecurityName) -> i128 {
        let Some(security) = self.known(name) else { return 1 };
        let record = &security.record;
        let board = self.rules.board(record.board, record.class, self.clock.date());
        let share = matches!(record.class, Class::AShare | Class::DepositaryReceipt);
        let usual = if share { 100 } else { 10 };
        i128::from(record.tick.or_else(|| board?.tick).unwrap_or(usual))
    }

    /// Consecutive limit days from the previous close until a price; see [`Breach::limit_days`].
    fn limit_days(&self, name: SecurityName, price: i128, falls: bool) -> Option<u32> {
        let security = self.known(name)?;
        let record = &security.record;
        let row = self.rules.board(record.board, record.class, self.clock.date())?;
        let limit = i128::from(if record.risk_warning { row.limit_st } else { row.limit }?);
        let there = |at: i128| if falls { at <= price } else { at >= price };
        if there(i128::from(self.mark(name)?)) {
            return Some(0);
        }
        let tape = self.tape(name)?;
        let (tick, mut close) = (self.tick(name), i128::from(tape.previous.or(tape.last)?.price));
        for day in 1..=MOST_LIMIT_DAYS {
            let limited = close * (if falls { ONE_BP - limit } else { ONE_BP + limit });
            let next = div_half_up(limited, ONE_BP * tick) * tick;
            // A price so low that a limit no longer moves it moves by one tick.
            close = if next == close { close + if falls { -tick } else { tick } } else { next };
            if there(close) {
                return Some(day);
            }
        }
        None
    }
}

/// The lines that tiers are entered at, worst last.
fn tier_lines(lines: &Lines) -> impl Iterator<Item = (Tier, Bp, bool)> + '_ {
    TIERED.iter().filter_map(|&tier| Some((tier, line_of(lines, tier)?, inclusive_at(lines, tier))))
}

impl Lane {
    /// A and D of an account by the price of a security; none without a ratio.
    fn slope(&self, i: usize, security: SecurityName, market: &Market) -> Option<Slope> {
        let (assets, debts) = self.balance(i, market);
        let slope = Slope {
            assets: assets?,
            debts: debts?,
            long: i128::from(self.holdings.quantity(self.hot[i].extent, security)),
            short: self.accounts[i].owed_shares(security),
            mark: i128::from(market.mark(security)?),
        };
        (slope.debts > 0).then_some(slope)
    }

    fn breaches(&self, i: usize, market: &Market) -> Vec<Breach> {
        let view = self.view(i, market);
        let mut names: Vec<SecurityName> = view.holdings().map(|(name, _)| name).collect();
        names.extend(view.account.contracts.iter().filter(|c| !c.is_financing()).map(|c| c.security));
        names.sort_unstable();
        names.dedup();
        let mut found = Vec::new();
        for name in names {
            let Some(slope) = self.slope(i, name, market) else { continue };
            let tick = market.tick(name);
            for (tier, line, inclusive) in tier_lines(&view.lines) {
                let Some((price, falls)) = slope.breach(line, inclusive, tick) else { continue };
                let limit_days = market.limit_days(name, price, falls);
                found.push(Breach { security: name, tier, line, price: price as Money, falls, limit_days });
            }
        }
        found
    }

    /// What the accounts of the lane add to the map of a security: falls, then rises.
    fn map(&self, name: SecurityName, market: &Market) -> [BTreeMap<Money, MapStep>; 2] {
        let mut maps = [BTreeMap::new(), BTreeMap::new()];
        let tick = market.tick(name);
        for account in self.columns.who_holds(name) {
            let i = account as usize;
            let Some(slope) = self.slope(i, name, market) else { continue };
            for (tier, line, inclusive) in tier_lines(&self.lines(i, market)) {
                let Some((price, falls)) = slope.breach(line, inclusive, tick) else { continue };
                let step: &mut MapStep = maps[usize::from(!falls)].entry(price as Money).or_default();
                step.price = price as Money;
                step.enter[tier as usize - Tier::Watch as usize] += 1;
                if tier == Tier::Immediate {
                    step.shares += self.view(i, market).shares_to_sell(&slope, price);
                }
            }
        }
        maps
    }
}

impl View<'_> {
    /// Shares sold at a price that bring the account to its line of forced sales: at most those held,
    /// and all of them where no sale does.
    fn shares_to_sell(&self, slope: &Slope, price: i128) -> i128 {
        let (assets, debts) = slope.at(price);
        match self.cure(assets, debts, self.lines.restore_sale()) {
            None => 0,
            Some(cure) => cure.sell.map_or(slope.long, |fen| div_ceil(fen * FEN, price).min(slope.long)),
        }
    }
}

impl Engine {
    /// The breach prices of an account, by security and tier; none without debt or a ratio.
    #[must_use]
    pub fn breaches(&self, ordinal: u32) -> Vec<Breach> {
        let (lane, i) = self.place(ordinal);
        self.lanes[lane].breaches(i, &self.market)
    }

    /// The prices of one security at which accounts cross their lines, all else equal.
    pub fn liquidation_map(&self, name: SecurityName, exec: &impl Exec) -> LiquidationMap {
        let market = &self.market;
        let mut all = [BTreeMap::new(), BTreeMap::new()];
        for lane in exec.ask(&self.lanes, &|lane| lane.map(name, market)) {
            for (into, from) in all.iter_mut().zip(lane) {
                for (price, step) in from {
                    let sum: &mut MapStep = into.entry(price).or_default();
                    sum.price = price;
                    sum.enter.iter_mut().zip(step.enter).for_each(|(sum, more)| *sum += more);
                    sum.shares += step.shares;
                }
            }
        }
        let [falls, rises] = all;
        LiquidationMap {
            epoch: self.epoch,
            falls: falls.into_values().rev().collect(),
            rises: rises.into_values().collect(),
        }
    }

    /// Shares of a security held by all accounts with debts, and how many hold it.
    #[must_use]
    pub fn held(&self, name: SecurityName) -> (i128, u32) {
        let quantity = |lane: &Lane, account: u32| -> Quantity {
            lane.holdings.quantity(lane.hot[account as usize].extent, name)
        };
        self.lanes
            .iter()
            .flat_map(|lane| lane.columns.who_holds(name).into_iter().map(|account| quantity(lane, account)))
            .filter(|&quantity| quantity > 0)
            .fold((0, 0), |(shares, accounts), quantity| (shares + i128::from(quantity), accounts + 1))
    }
}
