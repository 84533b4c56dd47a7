//! Scenarios: what shocked prices would do to tiers, calls and forced sales. Answers, not state: the
//! same columns and the same judgement over a copy of the market.

use std::cmp::Reverse;

use crate::book::Extent;
use crate::effect::Tier;
use crate::engine::{Engine, Exec};
use crate::input::{AccountName, Board, GroupName, IndexName, SecurityName};
use crate::lane::Lane;
use crate::market::Market;
use crate::metrics::{FEN, View, lack, to_add};
use crate::num::{Money, ONE_RATE, clamp_i64, div_half_up};
use crate::policy::Lines;
use crate::tiers::judge;

/// Which securities a shock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// All of them.
    Market,
    /// Those of a board.
    Board(Board),
    /// Those of a group.
    Group(GroupName),
    /// The members of an index, each by its beta to it.
    Index(IndexName),
    /// One.
    Security(SecurityName),
}

/// A move of prices: of several that meet a security the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shock {
    /// Targets and their moves, 1/10⁸ of the mark, above −1.
    pub moves: Vec<(Target, i64)>,
    /// Betas of securities, 1/10 000; 1.0000 for the others.
    pub betas: Vec<(SecurityName, i64)>,
}

/// Value of one security that would have to be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Which.
    pub security: SecurityName,
    /// How much, at the shocked mark.
    pub value: i128,
    /// Its mean turnover of a day, where known.
    pub average_turnover: Option<Money>,
}

/// What a shock would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// The epoch it starts from.
    pub epoch: u64,
    /// Accounts by tier now.
    pub before: [u64; 7],
    /// Accounts by tier under the shock.
    pub after: [u64; 7],
    /// Accounts from a tier to another.
    pub moved: [[u64; 7]; 7],
    /// Accounts at `call` or worse under the shock that lie below their restore line, and what they
    /// would have to add in all.
    pub calls: u64,
    /// See `calls`.
    pub call_sum: i128,
    /// Securities that accounts at `immediate` or worse would sell to reach their line of forced
    /// sales: by haircut from high to low, then by value (`cn_standard`). Largest value first.
    pub sales: Vec<Sale>,
    /// What no sale restores: the part of D above A of those accounts.
    pub shortfall: i128,
}

/// The part of a lane.
#[derive(Default)]
struct Part {
    before: [u64; 7],
    matrix: [[u64; 7]; 7],
    calls: u64,
    call_sum: i128,
    sales: Vec<i128>,
    shortfall: i128,
}

impl Market {
    /// The market with its marks moved; a mark is rounded half up to 1/10 000 yuan.
    fn shocked(&self, shock: &Shock) -> Market {
        let mut market = self.clone();
        for &name in &self.listed {
            let (Some(mark), Some(security)) = (self.mark(name), self.known(name)) else { continue };
            let record = &security.record;
            let beta = || shock.betas.iter().find(|(s, _)| *s == name).map_or(10_000, |&(_, beta)| beta);
            let meets = |&(target, by): &(Target, i64)| match target {
                Target::Market => Some(i128::from(by)),
                Target::Board(board) => (record.board == board).then_some(i128::from(by)),
                Target::Group(group) => (record.group == Some(group)).then_some(i128::from(by)),
                Target::Index(index) => {
                    record.indices.contains(&index).then(|| i128::from(by) * i128::from(beta()) / 10_000)
                }
                Target::Security(security) => (security == name).then_some(i128::from(by)),
            };
            if let Some(by) = shock.moves.iter().rev().find_map(meets) {
                let moved = div_half_up(i128::from(mark) * (ONE_RATE + by).max(0), ONE_RATE);
                market.remark_as(name, clamp_i64(moved));
            }
        }
        market
    }
}

/// What a lane is asked under.
struct Shocked<'a> {
    market: &'a Market,
    /// By place of terms.
    lines: &'a [Lines],
    with_sales: bool,
}

impl Lane {
    /// What the accounts of the lane add to the answer: those whose tier the shock may move, and those
    /// that need not move to lie at `call` or worse.
    fn assess(&self, market: &Market, with_sales: bool) -> Part {
        let mut part = Part { before: self.tally.tiers, ..Part::default() };
        let lines = self.terms.all(&market.policy);
        let shock = Shocked { market, lines: &lines, with_sales };
        for i in self.tally.called() {
            self.meet(i, self.balance(i, market), &shock, &mut part);
        }
        let mut hot = Vec::new();
        let others = self.columns.unsettled(market, |block| {
            // Nothing but loads, so that many are on their way from memory at once.
            hot.clear();
            hot.extend(block.iter().map(|worth| self.hot[worth.account as usize]));
            for (worth, hot) in block.iter().zip(&hot).filter(|(_, hot)| hot.tier < Tier::Call) {
                self.meet(worth.account as usize, self.balance_of(hot, worth, market), &shock, &mut part);
            }
        });
        for i in others.into_iter().map(|account| account as usize) {
            if self.hot[i].tier < Tier::Call {
                self.meet(i, self.balance(i, market), &shock, &mut part);
            }
        }
        part
    }

    /// Judges an account under other marks; one without a ratio keeps its tier.
    fn meet(
        &self,
        i: usize,
        (assets, debts): (Option<i128>, Option<i128>),
        shock: &Shocked<'_>,
        part: &mut Part,
    ) {
        let (Some(assets), Some(debts)) = (assets, debts) else { return };
        let hot = &self.hot[i];
        let lines = &shock.lines[hot.terms as usize];
        let to = if debts == 0 { Tier::None } else { judge(lines, hot.tier, assets, debts, false) };
        if to != hot.tier {
            part.matrix[hot.tier as usize][to as usize] += 1;
        }
        if to < Tier::Call {
            return;
        }
        if let Some(lack) = lack(assets, debts, lines.restore_call()) {
            part.calls += 1;
            part.call_sum += to_add(lack) * FEN;
        }
        if shock.with_sales && to >= Tier::Immediate {
            self.view(i, shock.market).sell(assets, debts, &mut part.sales);
            part.shortfall += (debts - assets).max(0);
        }
    }
}

impl View<'_> {
    /// Adds up the values an account would sell, by security.
    fn sell(&self, assets: i128, debts: i128, sales: &mut Vec<i128>) {
        let Some(cure) = self.cure(assets, debts, self.lines.restore_sale()) else { return };
        let value = |(name, quantity)| {
            let value = i128::from(quantity) * self.market.mark(name).map_or(0, i128::from);
            (Reverse(self.market.haircut(name)), Reverse(value), name)
        };
        let mut held: Vec<_> = self.holdings().map(value).filter(|(_, value, _)| value.0 > 0).collect();
        held.sort_unstable();
        let mut left = cure.sell.map_or(i128::MAX, |fen| fen * FEN);
        for (_, Reverse(value), name) in held {
            let sold = value.min(left);
            if sales.len() <= name.index() {
                sales.resize(name.index() + 1, 0);
            }
            sales[name.index()] += sold;
            left -= sold;
        }
    }
}

impl Engine {
    /// What a shock would do to every account; with the sales it would force, if asked for.
    pub fn scenario(&self, shock: &Shock, with_sales: bool, exec: &impl Exec) -> Scenario {
        let market = self.market.shocked(shock);
        let mut sum = Scenario { epoch: self.epoch, ..Scenario::default() };
        let mut sales: Vec<i128> = Vec::new();
        for part in exec.ask(&self.lanes, &|lane| lane.assess(&market, with_sales)) {
            for (tier, count) in part.before.into_iter().enumerate() {
                sum.before[tier] += count;
                sum.after[tier] += count;
            }
            for (from, row) in part.matrix.iter().enumerate() {
                for (to, &count) in row.iter().enumerate() {
                    sum.moved[from][to] += count;
                    sum.after[from] -= count;
                    sum.after[to] += count;
                }
            }
            sum.calls += part.calls;
            sum.call_sum += part.call_sum;
            sum.shortfall += part.shortfall;
            sales.resize(sales.len().max(part.sales.len()), 0);
            sales.iter_mut().zip(&part.sales).for_each(|(sum, more)| *sum += more);
        }
        for (place, &value) in sales.iter().enumerate().filter(|(_, value)| **value > 0) {
            let security = SecurityName(place as u32);
            let average_turnover = market.known(security).and_then(|s| s.record.average_turnover);
            sum.sales.push(Sale { security, value, average_turnover });
        }
        sum.sales.sort_by_key(|sale| (Reverse(sale.value), sale.security));
        sum
    }

    /// A book of one account, with the market as it is: hypothetical inputs go into it through
    /// [`Engine::step`] like any other, and leave the book they were taken from alone. Its account
    /// has ordinal 0, its next epoch the number after this one's.
    #[must_use]
    pub fn alone(&self, ordinal: u32) -> Engine {
        let (lane, i) = self.place(ordinal);
        let lane = &self.lanes[lane];
        let name = lane.hot[i].name;
        let (mut alone, mut extent) = (Lane::default(), Extent::default());
        alone.columns.lay_all_bands(&self.market);
        let holdings: Vec<_> = lane.holdings.iter(lane.hot[i].extent).collect();
        alone.holdings.replace(&mut extent, &holdings);
        let account = lane.accrued_account(i, &self.market).into_owned();
        alone.restore(name, (account, lane.branches[i], lane.standing(i)), extent, &self.market);
        let mut ordinals = vec![None; name.index() + 1];
        ordinals[name.index()] = Some(0);
        let waiting = self.waiting.iter().filter(|((_, of), _)| *of == ordinal);
        Engine {
            market: self.market.clone(),
            lanes: vec![alone],
            ordinals,
            accounts: 1,
            sources: self.sources.clone(),
            waiting: waiting.map(|((day, _), lines)| ((*day, 0), lines.clone())).collect(),
            epoch: self.epoch,
            nameless: self.nameless.clone(),
            saving: None,
        }
    }

    /// The ordinal of an account by its name, where it was accepted.
    #[must_use]
    pub fn ordinal_of(&self, name: AccountName) -> Option<u32> {
        self.ordinals.get(name.index()).copied().flatten()
    }
}
