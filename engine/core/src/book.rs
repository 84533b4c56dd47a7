//! The books: accounts, their debts and their holdings (domain.md §2).

use crate::input::{
    ClientClass, ContractName, ContractSide, CustomerName, Line, LinesPatch, Order, Receivable, SecurityName,
};
use crate::num::{Bp, Date, Money, ONE_RATE, Quantity, Rate, div_half_up};
use crate::policy::{Release, RepayOrder};

/// One debt. Contracts of an account stand in order of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contract {
    /// Tied shares of a financing contract, owed shares of a short.
    pub quantity: Quantity,
    /// Principal or sale amount outstanding.
    pub amount: Money,
    /// Accrued interest and fees; wide, since accrual and corporate actions are never refused.
    pub interest: i128,
    pub name: ContractName,
    pub security: SecurityName,
    pub rate: Rate,
    pub margin_ratio: Bp,
    pub opened: Date,
    /// [`Contract::NO_DUE`] where there is none, so that it orders last.
    pub due: Date,
    /// Accrued through this day.
    pub through: Date,
    pub side: ContractSide,
}

impl Contract {
    pub(crate) const NO_DUE: Date = Date(i32::MAX);

    pub(crate) fn is_financing(&self) -> bool {
        self.side == ContractSide::Financing
    }

    pub(crate) fn principal(&self) -> Money {
        if self.is_financing() { self.amount } else { 0 }
    }

    /// What cash can pay: a short owes its fees, its shares are another matter.
    pub(crate) fn owed(&self) -> i128 {
        i128::from(self.principal()) + self.interest
    }

    /// A contract whose balance is gone ties nothing and closes when no fee is left (domain.md §2).
    pub(crate) fn settle(&mut self) {
        if self.is_financing() && self.amount == 0 {
            self.quantity = 0;
        }
        if !self.is_financing() && self.quantity == 0 {
            self.amount = 0;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.quantity == 0 && self.amount == 0 && self.interest == 0
    }

    /// Accrues every day after `through` up to `day` (domain.md §4): the closed form of the loop.
    /// Gives what was added.
    pub(crate) fn accrue(&mut self, day: Date, year_days: u32) -> i128 {
        let days = i64::from(day.0) - i64::from(self.through.0);
        if days <= 0 {
            return 0;
        }
        self.through = day;
        let added = i128::from(self.daily_interest(year_days)) * i128::from(days);
        self.interest += added;
        added
    }

    /// One day's interest, half up to 1/10 000 yuan.
    pub(crate) fn daily_interest(&self, year_days: u32) -> Money {
        let base = self.amount;
        let per_year = u64::from(self.rate).checked_mul(base.unsigned_abs());
        let divisor = ONE_RATE as u64 * u64::from(year_days);
        match per_year {
            // Narrow: the doubled product still fits, and amounts are not negative.
            Some(p) if p < u64::MAX / 4 => ((2 * p + divisor) / (2 * divisor)) as Money,
            _ => div_half_up(i128::from(base) * i128::from(self.rate), i128::from(divisor)) as Money,
        }
    }

    /// Applies up to `p` to this contract, interest or principal first, and frees tied shares as
    /// its principal falls; gives what was paid.
    pub(crate) fn apply(&mut self, p: i128, order: RepayOrder, release: Option<Release>) -> i128 {
        let paid = p.min(self.owed()).max(0);
        let (interest, principal) = (self.interest, i128::from(self.principal()));
        let to_interest = match order {
            RepayOrder::InterestFirst => paid.min(interest),
            RepayOrder::PrincipalFirst => (paid - principal).max(0),
        };
        let x = paid - to_interest;
        self.interest -= to_interest;
        if x > 0 {
            if release == Some(Release::Proportional) {
                let freed = i128::from(self.quantity) * x / principal;
                self.quantity -= freed as Quantity;
            }
            self.amount -= x as Money;
        }
        self.settle();
        paid
    }

    /// Covers shares of a short; the sale amount falls in proportion, half up to 1/10 000.
    pub(crate) fn cover(&mut self, shares: Quantity) {
        let falls = div_half_up(i128::from(self.amount) * i128::from(shares), i128::from(self.quantity));
        self.amount -= falls as Money;
        self.quantity -= shares;
        self.settle();
    }
}

/// What is seldom there: kept apart so that an account stays small.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Extras {
    /// Lines of its own agreement.
    pub lines: LinesPatch,
    /// Orders in flight.
    pub orders: Vec<Order>,
    /// Receivables, in order of entry.
    pub receivables: Vec<Receivable>,
}

/// Counters of an account's alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub suspect: u32,
    pub against_restriction: u32,
}

/// One account but for its holdings, which stand in the lane's columns.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Wide, since corporate actions are never refused.
    pub cash: i128,
    pub other: Money,
    pub contracts: Vec<Contract>,
    pub extras: Option<Box<Extras>>,
    pub customer: CustomerName,
    pub counters: Counters,
    pub class: ClientClass,
    pub suspect: bool,
    /// Stands among the lane's accounts with orders.
    pub ordering: bool,
}

impl Account {
    pub(crate) fn new(customer: CustomerName, class: ClientClass) -> Self {
        Account {
            cash: 0,
            other: 0,
            contracts: Vec::new(),
            extras: None,
            customer,
            counters: Counters::default(),
            class,
            suspect: false,
            ordering: false,
        }
    }

    /// Replaces the contracts. Millions of accounts have room for what they hold and little more: what a
    /// draft worked in has room for the largest account it ever was about, and stays with the drafts.
    pub(crate) fn keep(&mut self, contracts: &[Contract]) {
        self.contracts.clear();
        let (len, room) = (contracts.len(), self.contracts.capacity());
        if len > room || room > 2 * len {
            self.contracts = Vec::with_capacity(len);
        }
        self.contracts.extend_from_slice(contracts);
    }

    pub(crate) fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_with(Box::default)
    }

    pub(crate) fn receivables(&self) -> i128 {
        self.extras.as_ref().map_or(0, |e| e.receivables.iter().map(|r| r.amount).sum())
    }

    pub(crate) fn orders(&self) -> &[Order] {
        self.extras.as_ref().map_or(&[], |e| &e.orders)
    }

    /// The lines its own agreement states.
    pub(crate) fn stated_lines(&self) -> [Option<Line>; 7] {
        self.extras.as_ref().map_or([None; 7], |extras| extras.lines.lines)
    }

    /// Accrues every contract through a day; tells whether that raised what is owed.
    pub(crate) fn accrue(&mut self, day: Date, year_days: u32) -> bool {
        self.contracts.iter_mut().fold(false, |raised, c| raised | (c.accrue(day, year_days) > 0))
    }

    /// Everything owed in money: principal, interest and fees.
    pub(crate) fn money_debts(&self) -> i128 {
        self.contracts.iter().map(Contract::owed).sum()
    }

    /// Shares of a security tied to financing contracts.
    pub(crate) fn tied(&self, security: SecurityName) -> i128 {
        self.contracts
            .iter()
            .filter(|c| c.is_financing() && c.security == security)
            .map(|c| i128::from(c.quantity))
            .sum()
    }

    /// Shares of a security owed by shorts.
    pub(crate) fn owed_shares(&self, security: SecurityName) -> i128 {
        self.contracts
            .iter()
            .filter(|c| !c.is_financing() && c.security == security)
            .map(|c| i128::from(c.quantity))
            .sum()
    }
}

/// Contract order: earliest due first, then earliest opened, then order of entry (domain.md §2).
pub(crate) fn contract_order(contracts: &[Contract], keep: impl Fn(&Contract) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..contracts.len()).filter(|&i| keep(&contracts[i])).collect();
    order.sort_by_key(|&i| (contracts[i].due, contracts[i].opened, i));
    order
}

/// Where the holdings of an account stand in the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub start: u32,
    pub len: u32,
    pub cap: u32,
}

/// Holdings of many accounts, side by side: a security and a quantity each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    pub securities: Vec<SecurityName>,
    pub quantities: Vec<Quantity>,
}

impl Holdings {
    fn range(extent: Extent) -> std::ops::Range<usize> {
        extent.start as usize..(extent.start + extent.len) as usize
    }

    /// Securities and quantities of one account, in order of entry.
    pub(crate) fn of(&self, extent: Extent) -> (&[SecurityName], &[Quantity]) {
        let range = Self::range(extent);
        (&self.securities[range.clone()], &self.quantities[range])
    }

    pub(crate) fn iter(&self, extent: Extent) -> impl Iterator<Item = (SecurityName, Quantity)> + '_ {
        let (securities, quantities) = self.of(extent);
        securities.iter().copied().zip(quantities.iter().copied())
    }

    pub(crate) fn quantity(&self, extent: Extent, security: SecurityName) -> Quantity {
        self.iter(extent).find(|&(s, _)| s == security).map_or(0, |(_, q)| q)
    }

    /// Sets one holding; a quantity of zero takes it out, the others keep their order.
    pub(crate) fn set(&mut self, extent: &mut Extent, security: SecurityName, quantity: Quantity) {
        let range = Self::range(*extent);
        let found = self.securities[range.clone()].iter().position(|&s| s == security);
        match (found, quantity) {
            (Some(k), 0) => {
                let at = range.start + k;
                self.securities.copy_within(at + 1..range.end, at);
                self.quantities.copy_within(at + 1..range.end, at);
                extent.len -= 1;
            }
            (Some(k), _) => self.quantities[range.start + k] = quantity,
            (None, 0) => {}
            (None, _) => {
                if extent.len == extent.cap {
                    self.relocate(extent, (extent.len + 1).next_power_of_two());
                }
                let at = (extent.start + extent.len) as usize;
                self.securities[at] = security;
                self.quantities[at] = quantity;
                extent.len += 1;
            }
        }
    }

    /// Replaces the whole holding; the caller has taken zero quantities out.
    pub(crate) fn replace(&mut self, extent: &mut Extent, holdings: &[(SecurityName, Quantity)]) {
        extent.len = 0;
        if holdings.len() > extent.cap as usize {
            let len = holdings.len() as u32;
            self.relocate(extent, if extent.cap == 0 { len } else { len.next_power_of_two() });
        }
        for (k, &(security, quantity)) in holdings.iter().enumerate() {
            let at = extent.start as usize + k;
            self.securities[at] = security;
            self.quantities[at] = quantity;
        }
        extent.len = holdings.len() as u32;
    }

    /// Gives an account other room. Its old one is lost until the state is loaded again: after the first, rooms
    /// are powers of two, so that what is lost is no more than what is used.
    fn relocate(&mut self, extent: &mut Extent, cap: u32) {
        let range = Self::range(*extent);
        let start = self.securities.len();
        self.securities.extend_from_within(range.clone());
        self.quantities.extend_from_within(range);
        self.securities.resize(start + cap as usize, SecurityName(0));
        self.quantities.resize(start + cap as usize, 0);
        *extent = Extent { start: start as u32, len: extent.len, cap };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: Contract = Contract {
        quantity: 100,
        amount: 1,
        interest: 0,
        name: ContractName(0),
        security: SecurityName(0),
        rate: 0,
        margin_ratio: 0,
        opened: Date(0),
        due: Contract::NO_DUE,
        through: Date(0),
        side: ContractSide::Financing,
    };

    /// An account whose opening is stated anew each night, with a position more each time.
    #[test]
    fn room_that_is_lost_is_no_more_than_what_is_used() {
        let (mut holdings, mut extent) = (Holdings::default(), Extent::default());
        let all: Vec<_> = (0..200).map(|k| (SecurityName(k), 100)).collect();
        for len in 1..=all.len() {
            holdings.replace(&mut extent, &all[..len]);
            assert_eq!(holdings.iter(extent).collect::<Vec<_>>(), all[..len]);
            let lost = holdings.securities.len() - extent.cap as usize;
            assert!(lost <= extent.cap as usize, "{lost} lost for {}", extent.cap);
        }
    }

    /// Drafts and accounts once changed their vectors with one another, so that after some days every small
    /// account had the room of the largest: the memory of a server grew for as long as clients traded.
    #[test]
    fn an_account_has_no_more_room_than_twice_what_it_holds() {
        let mut account = Account::new(CustomerName(0), ClientClass::Individual);
        for len in [1, 2, 100, 99, 50, 49, 3, 4, 0, 7] {
            account.keep(&vec![CONTRACT; len]);
            let room = account.contracts.capacity();
            assert_eq!(account.contracts.len(), len);
            assert!(room <= 2 * len, "room for {room} of {len}");
        }
    }
}
