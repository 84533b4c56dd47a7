//! Breach prices (domain.md §3.3) and the liquidation map of a security: answers, not state.

use std::collections::BTreeMap;

use crate::columns::{Bounds, Columns, Group, Kind};
use crate::effect::Tier;
use crate::engine::{Engine, Exec};
use crate::input::{Class, SecurityName};
use crate::lane::Lane;
use crate::market::Market;
use crate::metrics::{FEN, lack, to_sell};
use crate::num::{Bp, Money, ONE_BP, PRICE_BOUND, Quantity, div_ceil, div_floor, div_half_up};
use crate::policy::{Costs, Lines};
use crate::prices::{NAMES, find, names_one, shares};
use crate::tiers::{TIERED, inclusive_at, line_of};

/// More limit days than this are as good as never.
const MOST_LIMIT_DAYS: u32 = 100;
/// Rows whose accounts are read together.
const BLOCK: usize = 64;
/// A map takes lists, where there are any, if fewer than one row in so many holds the security.
const SELDOM: u64 = 12;
/// Most prices of a map that have a place of their own, however dear the security.
const NEAR_TICKS: usize = 1 << 16;

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
    /// Whether a sale can repay anything: it owes money, and holds something of a price.
    sells: bool,
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
            1 => div_floor(c - slack, k * tick),
            // |k|·p > −c: the smallest one above it.
            -1 => div_ceil(-c + slack, -k * tick).max(1),
            _ => return None,
        };
        let price = ticks * tick;
        (price > 0 && price < i128::from(PRICE_BOUND)).then_some((price, k > 0))
    }

    /// The same line in 64 bits, where it owes none of the security and is narrow.
    fn fall(&self, tick: i128) -> Option<Fall> {
        let rest = i64::try_from(self.at(0).0).ok().filter(|rest| rest.unsigned_abs() < NARROW_REST)?;
        let debts = i64::try_from(self.debts).ok().filter(|debts| (0..NARROW_DEBTS).contains(debts))?;
        let per_tick = i64::try_from(self.long * tick * ONE_BP).ok().filter(|&per_tick| per_tick > 0)?;
        (self.short == 0).then_some(Fall { rest: rest * 10_000, debts, per_tick })
    }

    /// Shares sold at a price that bring the account to its line of forced sales: at most those held,
    /// and all of them where no sale does.
    fn shares_to_sell(&self, price: i128, restore_sale: Bp, costs: &Costs) -> i128 {
        let (assets, debts) = self.at(price);
        let Some(lack) = lack(assets, debts, restore_sale) else { return 0 };
        let fen = self.sells.then(|| to_sell(lack, (assets, debts), restore_sale, costs)).flatten();
        fen.map_or(self.long, |fen| div_ceil(fen * FEN, price).min(self.long))
    }
}

/// Bounds of the debts, and of the assets at a price of zero, of an account that is narrow.
const NARROW_DEBTS: i64 = 1 << 42;
const NARROW_REST: u64 = 1 << 48;

/// A [`Slope`] whose debts stand still, in 64 bits: the numbers of [`Slope::breach`].
struct Fall {
    /// A at a price of zero, × 10 000.
    rest: i64,
    debts: i64,
    /// k × tick.
    per_tick: i64,
}

impl Fall {
    /// The number of ticks of the highest price at which the test of a line holds, where above zero.
    fn ticks(&self, line: Bp, inclusive: bool) -> Option<i64> {
        // A line is at most 100.0000, below 2²⁰: line × debts is below 2⁶², as is 2⁴⁸ × 10 000 in
        // size, so the difference fits 64 bits.
        let below = i64::from(line) * self.debts - self.rest - i64::from(!inclusive);
        (below >= self.per_tick).then(|| below / self.per_tick)
    }
}

/// The lines of one agreement, as a map asks for them.
struct Asked {
    tiers: Vec<(Tier, Bp, bool)>,
    restore_sale: Bp,
}

/// Steps of a map by the number of ticks of their price: up to twice the mark, where nearly all lie,
/// each has a place of its own.
#[derive(Default)]
struct Steps {
    near: Vec<MapStep>,
    far: BTreeMap<i128, MapStep>,
}

impl Steps {
    fn at(&mut self, ticks: i128) -> &mut MapStep {
        match usize::try_from(ticks) {
            Ok(near) if near < self.near.len() => &mut self.near[near],
            _ => self.far.entry(ticks).or_default(),
        }
    }

    fn add(&mut self, other: Steps) {
        let near = (0..).zip(other.near).filter(|(_, step)| step.enter != [0; 5]);
        for (ticks, step) in near.chain(other.far) {
            let sum = self.at(ticks);
            sum.enter.iter_mut().zip(step.enter).for_each(|(sum, more)| *sum += more);
            sum.shares += step.shares;
        }
    }

    /// The steps at which an account enters a tier, by price.
    fn taken(self, tick: i128) -> impl DoubleEndedIterator<Item = MapStep> {
        // All that are far lie above all that are near.
        let near = (0..).zip(self.near).filter(|(_, step)| step.enter != [0; 5]);
        let near: Vec<(i128, MapStep)> = near.collect();
        let priced = move |(ticks, step)| MapStep { price: (ticks * tick) as Money, ..step };
        near.into_iter().chain(self.far).map(priced)
    }
}

/// The map of a security as it is drawn: falls and rises.
struct Drawing<'a> {
    tick: i128,
    asked: &'a [Asked],
    costs: &'a Costs,
    falls: Steps,
    rises: Steps,
}

impl Drawing<'_> {
    /// Enters the prices at which one account crosses its lines.
    fn enter(&mut self, slope: &Slope, terms: u32) {
        let asked = &self.asked[terms as usize];
        let fall = slope.fall(self.tick);
        for &(tier, line, inclusive) in &asked.tiers {
            let found = match &fall {
                Some(fall) => fall.ticks(line, inclusive).map(|ticks| (i128::from(ticks), true)),
                None => {
                    slope.breach(line, inclusive, self.tick).map(|(price, falls)| (price / self.tick, falls))
                }
            };
            let Some((ticks, falls)) = found else { continue };
            let price = ticks * self.tick;
            if price >= i128::from(PRICE_BOUND) {
                continue;
            }
            let step = if falls { &mut self.falls } else { &mut self.rises }.at(ticks);
            step.enter[tier as usize - Tier::Watch as usize] += 1;
            if tier == Tier::Immediate {
                step.shares += slope.shares_to_sell(price, asked.restore_sale, self.costs);
            }
        }
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
    /// A and D of an account by the price of a security; none without a ratio, or without the security.
    fn slope(&self, i: usize, security: SecurityName, market: &Market) -> Option<Slope> {
        let hot = &self.hot[i];
        let long = i128::from(self.holdings.quantity(hot.extent, security));
        // A row of words owes no shares.
        let short = if hot.kind == Kind::Words { 0 } else { self.accounts[i].owed_shares(security) };
        if long == 0 && short == 0 {
            return None;
        }
        let (assets, debts) = self.balance(i, market);
        let (assets, debts, mark) = (assets?, debts?, i128::from(market.mark(security)?));
        let owes = match hot.kind {
            Kind::Words | Kind::Owing => hot.debts > 0,
            Kind::Full | Kind::Nowhere => self.view(i, market).account.money_debts() > 0,
        };
        let priced = |(name, _)| market.mark(name).is_some_and(|mark| mark > 0);
        let sells = owes && self.holdings.iter(hot.extent).any(priced);
        (debts > 0).then_some(Slope { assets, debts, long, short, mark, sells })
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
    fn map(&self, name: SecurityName, market: &Market) -> [Steps; 2] {
        let Some(mark) = market.mark(name) else { return Default::default() };
        let ask =
            |lines: Lines| Asked { tiers: tier_lines(&lines).collect(), restore_sale: lines.restore_sale() };
        let asked: Vec<Asked> = self.terms.all(&market.policy).into_iter().map(ask).collect();
        let (tick, costs) = (market.tick(name), &market.policy.costs);
        let near =
            usize::try_from(2 * i128::from(mark) / tick).map_or(NEAR_TICKS, |ticks| ticks.min(NEAR_TICKS));
        let falls = Steps { near: vec![MapStep::default(); near + 1], far: BTreeMap::new() };
        let mut map = Drawing { tick, asked: &asked, costs, falls, rises: Steps::default() };
        let mut others = Vec::new();
        let concerns = |words: &[u32]| words.iter().any(|&word| names_one(word, name));
        if market.giants > 0 || name.index() >= NAMES || self.columns.listed(name) {
            others = self.columns.who_holds(name);
        } else {
            for of in &self.columns.levels {
                for (width, group) in of.groups.iter().enumerate().filter(|(width, _)| *width > 0) {
                    self.map_rows(group, width, name, market, &mut map);
                }
                for (&(width, _), group) in &of.owing {
                    let rows = group.words.chunks_exact(width.into()).zip(&group.accounts);
                    others.extend(rows.filter(|(words, _)| concerns(words)).map(|(_, &account)| account));
                }
                let full = of.full.iter().filter(|full| full.names.contains(&name.index()));
                others.extend(full.map(|full| full.account));
            }
        }
        for account in others {
            let i = account as usize;
            if let Some(slope) = self.slope(i, name, market) {
                map.enter(&slope, self.hot[i].terms);
            }
        }
        [map.falls, map.rises]
    }

    /// Enters the accounts of rows of words that hold a security.
    fn map_rows(
        &self,
        group: &Group<Bounds>,
        width: usize,
        name: SecurityName,
        market: &Market,
        map: &mut Drawing<'_>,
    ) {
        let mark = Money::from(market.prices.of(name));
        let (mut places, mut held, mut block) = (Vec::new(), Vec::<(usize, Quantity)>::new(), Vec::new());
        for (words, accounts) in group.words.chunks(BLOCK * width).zip(group.accounts.chunks(BLOCK)) {
            places.clear();
            held.clear();
            find(words, name, &mut places);
            for &at in &places {
                let (row, shares) = (at / width, shares(words[at]));
                match held.last_mut() {
                    Some((last, sum)) if *last == row => *sum += shares,
                    _ => held.push((row, shares)),
                }
            }
            // Nothing but loads, so that many are on their way from memory at once.
            block.clear();
            block.extend(held.iter().map(|&(row, _)| self.hot[accounts[row] as usize]));
            for (&(row, long), hot) in held.iter().zip(&block) {
                let value = market.prices.value(&words[row * width..(row + 1) * width]);
                let slope = Slope {
                    assets: i128::from(hot.fixed + value),
                    debts: i128::from(hot.debts),
                    long: i128::from(long),
                    short: 0,
                    mark: i128::from(mark),
                    // Debts of a row of words are money, and above zero.
                    sells: value > 0,
                };
                map.enter(&slope, hot.terms);
            }
        }
    }
}

impl Columns {
    /// Whether lists name all who hold or owe a security, and they are few.
    fn listed(&self, name: SecurityName) -> bool {
        let holders = self.holders.get(name.index()).map_or(0, |&holders| u64::from(holders));
        let listed = self.levels.iter().all(|of| of.rows == 0 || of.index.is_some());
        listed && holders * SELDOM < self.rows
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
        let mut lanes = exec.ask(&self.lanes, &|lane| lane.map(name, market)).into_iter();
        let mut all = lanes.next().unwrap_or_default();
        for lane in lanes {
            all.iter_mut().zip(lane).for_each(|(sum, more)| sum.add(more));
        }
        let tick = market.tick(name);
        let [falls, rises] = all.map(|steps| steps.taken(tick));
        LiquidationMap { epoch: self.epoch, falls: falls.rev().collect(), rises: rises.collect() }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slope(assets: i128, debts: i128, long: i128, mark: i128) -> Slope {
        Slope { assets, debts, long, short: 0, mark, sells: true }
    }

    #[test]
    fn a_breach_is_the_same_in_64_bits_and_in_128() {
        let edge = i128::from(NARROW_DEBTS);
        let mut found = 0;
        for debts in [1, 99, 10_000_000, 123_456_789_012, edge - 1] {
            for long in [1, 7, 1_000, (1 << 30) - 1] {
                for (mark, rest) in [(100, 0), (123_400, 777), (10_000_000, -5_000_000), (99_900, debts)] {
                    let slope = slope(rest + long * mark, debts, long, mark);
                    let fall = slope.fall(100).expect("narrow");
                    for line in [10_001, 11_500, 13_000, 18_000, 1_000_000] {
                        for inclusive in [false, true] {
                            let ticks = fall.ticks(line, inclusive).map(|ticks| i128::from(ticks) * 100);
                            let narrow = ticks.filter(|&price| price < i128::from(PRICE_BOUND));
                            let wide = slope.breach(line, inclusive, 100);
                            assert_eq!(
                                narrow.map(|price| (price, true)),
                                wide,
                                "{debts} {long} {mark} {line}"
                            );
                            found += u32::from(wide.is_some());
                        }
                    }
                }
            }
        }
        assert!(found > 100, "{found}");
        // 2.00 × 50 is one tick of 100 × one share, to the unit.
        let edge = slope(0, 50, 1, 0).fall(100).expect("narrow");
        assert_eq!((edge.ticks(20_000, true), edge.ticks(20_000, false)), (Some(1), None));
    }

    #[test]
    fn what_is_not_narrow_stays_in_128_bits() {
        let edge = i128::from(NARROW_DEBTS);
        assert!(slope(0, edge, 1, 0).fall(100).is_none());
        assert!(slope(1 << 48, 1, 1, 0).fall(100).is_none());
        assert!(slope(-(1 << 48), 1, 1, 0).fall(100).is_none());
        assert!(slope(0, 1, 1 << 40, 0).fall(1 << 31).is_none());
        assert!(Slope { short: 1, ..slope(0, 1, 2, 0) }.fall(100).is_none());
        let last = slope((1 << 48) - 1, edge - 1, 1, 0).fall(100).expect("narrow");
        assert!(last.ticks(1_000_000, false).is_some());
        let last = slope(1 - (1 << 48), edge - 1, 1, 0).fall(100).expect("narrow");
        assert!(last.ticks(1_000_000, false).is_some());
    }

    #[test]
    fn steps_near_and_far_come_in_order_of_price() {
        let mut steps = Steps { near: vec![MapStep::default(); 3], far: BTreeMap::new() };
        for ticks in [7, 2, 3, 2] {
            steps.at(ticks).enter[0] += 1;
        }
        let mut other = Steps { near: vec![MapStep::default(); 3], far: BTreeMap::new() };
        other.at(1).enter[4] += 1;
        other.at(7).enter[0] += 1;
        steps.add(other);
        let taken: Vec<_> = steps.taken(100).map(|step| (step.price, step.enter)).collect();
        let one = |enter| [enter, 0, 0, 0, 0];
        assert_eq!(taken, [(100, [0, 0, 0, 0, 1]), (200, one(2)), (300, one(1)), (700, one(2))]);
    }
}
