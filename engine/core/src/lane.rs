//! A lane: a slice of the accounts, their columns, and what an epoch did to them.
//!
//! Inputs reach a lane one by one; at the end of the epoch every lane judges its own accounts, side
//! by side with the others, over the shared market.

use crate::actions::ActionGroup;
use crate::book::{Account, Contract, Extent, Holdings};
use crate::causes::{Change, Crossing, Journal};
use crate::draft::Draft;
use crate::effect::{Acts, CauseKey, CauseKind, Tier, TierChanged};
use crate::input::{
    AccountInput, AccountName, ClientClass, Code, CustomerName, LinesPatch, Opening, Order, OrderStatus,
    Receivable, Refusal, SecurityName, refusal,
};
use crate::market::Market;
use crate::metrics::View;
use crate::num::{Date, MONEY_BOUND, Money, QUANTITY_BOUND, Quantity, Time, clamp_i64};
use crate::policy::Lines;
use crate::tiers::{Judged, boundary, holds, judge, tests_to_stay};

/// What a sweep reads of an account: one line of memory, and its holdings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hot {
    /// Cash, receivables and other collateral.
    pub fixed: Money,
    /// Fast: assets in `lo..hi` change nothing. Owing: the tests that must fail and hold, the second
    /// [`ANY`] at `normal`.
    pub lo: i64,
    pub hi: i64,
    pub extent: Extent,
    pub state: State,
}

impl Hot {
    /// Sets what the next sweep tests.
    fn expect(&mut self, judged: &Judged, lines: &Lines) {
        if self.state == State::Owing {
            let (worse, calm) = tests_to_stay(lines, judged.tier);
            (self.lo, self.hi) = (worse, calm.unwrap_or(ANY));
        } else {
            (self.lo, self.hi) = (clamp_i64(judged.lo), clamp_i64(judged.hi));
        }
    }
}

/// How an account must be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No contract: `none` whatever its marks.
    Idle,
    /// Debts stand still between inputs and every sum fits 64 bits: the interval decides.
    Fast,
    /// Owes shares, so that debts move with prices; every sum fits 64 bits: two tests decide.
    Owing,
    /// Is wide, lacks a mark, or has debts of zero: judged in full.
    Full,
}

/// While a holding has at most this many shares in all, A fits 64 bits at any price of the wire:
/// 2³⁰ shares × 2³¹ units, plus money below 2⁵⁹, is below 2⁶² (domain.md §1).
const FAST_SHARES: i128 = 1 << 30;

/// Shorts an account may have to be judged narrowly.
const MOST_SHORTS: usize = 3;

/// What an account owes whose debts move with prices, apart from its cold books.
#[derive(Clone, Copy, Debug)]
struct Owing {
    account: u32,
    /// Principal, interest and fees.
    money: Money,
    /// Shares owed; unused places have a quantity of zero.
    shorts: [(SecurityName, Quantity); MOST_SHORTS],
}

/// See [`Hot::hi`].
const ANY: i64 = i64::MAX;

/// An account's change of tier or of restrictions, before it has its counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneEffect {
    pub account: AccountName,
    pub changed: Option<TierChanged>,
    pub restricted: (Acts, u32),
    pub lifted: (Acts, u32),
    pub cause: crate::effect::Cause,
}

/// How an epoch ends for every account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// Accounts with inputs only.
    Touched,
    /// Accounts that moved prices may have brought out of their interval.
    Sweep,
    /// Every account: debts, lines or restrictions moved; with the band at 0 at a settlement.
    Every {
        /// `day_end`.
        settlement: bool,
    },
}

/// A slice of the accounts.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Name of each account, and the account itself.
    pub(crate) names: Vec<AccountName>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) hot: Vec<Hot>,
    pub(crate) holdings: Holdings,
    /// Accounts that owe shares and are narrow, by account; some may have become otherwise since.
    owing: Vec<Owing>,
    /// Accounts with something to judge at the end of the epoch.
    dirty: Vec<u32>,
    dirty_flags: Vec<bool>,
    pub(crate) journal: Journal,
    /// What the last epoch gave, in order of accounts.
    pub(crate) effects: Vec<LaneEffect>,
    /// Accounts whose debts an accrual of this epoch raised; empty where there was none.
    pub(crate) accrued: Vec<bool>,
    /// Securities without a mark found under accounts with a contract.
    pub(crate) unmarked: Vec<SecurityName>,
    /// Accounts judged in full by the last epoch.
    pub(crate) judged: u64,
}

impl Lane {
    pub(crate) fn add(&mut self, name: AccountName, customer: CustomerName, class: ClientClass) {
        self.names.push(name);
        self.accounts.push(Account::new(customer, class));
        self.hot.push(Hot { fixed: 0, lo: 0, hi: 0, extent: Extent::default(), state: State::Idle });
        self.dirty_flags.push(false);
    }

    pub(crate) fn update(&mut self, i: usize, customer: CustomerName, class: ClientClass) {
        let account = &mut self.accounts[i];
        account.customer = customer;
        account.class = class;
        self.touch(i);
    }

    /// Takes back a saved account; what a sweep reads of it is recomputed.
    pub(crate) fn restore(
        &mut self,
        name: AccountName,
        account: Account,
        holdings: &[(SecurityName, Quantity)],
        market: &Market,
    ) {
        let i = self.accounts.len();
        self.add(name, account.customer, account.class);
        self.accounts[i] = account;
        self.holdings.replace(&mut self.hot[i].extent, holdings);
        self.refresh(i, market);
        if let (Some(assets), Some(debts @ 1..)) = self.view(i, market).assets_and_debts() {
            let lines = self.lines(i, market);
            let judged = judge(&lines, self.accounts[i].tier, assets, debts, false);
            self.hot[i].expect(&judged, &lines);
        } else {
            self.hot[i].state = State::Full;
        }
    }

    /// Marks an account to be judged at the end of the epoch.
    pub(crate) fn touch(&mut self, i: usize) {
        if !self.dirty_flags[i] {
            self.dirty_flags[i] = true;
            self.dirty.push(i as u32);
        }
    }

    /// The lines in force for an account.
    pub(crate) fn lines(&self, i: usize, market: &Market) -> Lines {
        let account = &self.accounts[i];
        let lines = *market.policy.lines_of(account.class);
        match &account.extras {
            Some(extras) => lines.with(&extras.lines.lines),
            None => lines,
        }
    }

    /// One account as the metrics see it.
    pub(crate) fn view<'a>(&'a self, i: usize, market: &'a Market) -> View<'a> {
        let (securities, quantities) = self.holdings.of(self.hot[i].extent);
        let (account, lines) = (&self.accounts[i], self.lines(i, market));
        View { account, lines, securities, quantities, market }
    }

    /// Applies one input of an account, whole or not at all.
    pub(crate) fn apply(
        &mut self,
        i: usize,
        input: &AccountInput,
        at: Time,
        entry: u32,
        market: &Market,
    ) -> Result<(), Refusal> {
        match input {
            AccountInput::Lines(patch, _) => self.put_lines(i, patch, Some(entry), market),
            AccountInput::Opening(opening) => self.open(i, opening, at, entry, market),
            AccountInput::Cash(amount, reason) => {
                let withdrawn = *reason == crate::input::CashReason::Withdrawal;
                if withdrawn && -i128::from(*amount) > self.accounts[i].cash {
                    return Err(refusal(Code::InsufficientCash, "more withdrawn than there is cash"));
                }
                let cash = self.accounts[i].cash + i128::from(*amount);
                self.check_range(i, cash, &self.accounts[i].contracts, None)?;
                self.accounts[i].cash = cash;
                self.note(i, entry, CauseKind::Cash, CauseKey::Account, i128::from(*amount), 0);
                Ok(())
            }
            AccountInput::Transfer(security, quantity) => {
                let security = market.find(*security)?;
                let key = CauseKey::Security(security);
                self.drafted(i, security, (entry, CauseKind::Transfer, key), at, market, |d| {
                    d.transfer(*quantity)
                })
            }
            AccountInput::Fill(fill) => {
                let security = market.find(fill.security)?;
                let key = CauseKey::Security(security);
                self.drafted(i, security, (entry, CauseKind::Fill, key), at, market, |d| d.fill(fill))
            }
            AccountInput::Repay(name, repayment) => {
                let (k, contract) = self.contract(i, *name)?;
                let cause = (entry, CauseKind::Repay, CauseKey::Contract(contract.name));
                self.drafted(i, contract.security, cause, at, market, |d| d.repay(k, *repayment))
            }
            AccountInput::Interest(name, amount, kind) => {
                let (k, contract) = self.contract(i, *name)?;
                let cause = (entry, CauseKind::Interest, CauseKey::Contract(contract.name));
                self.drafted(i, contract.security, cause, at, market, |d| d.interest(k, *amount, *kind))
            }
            AccountInput::Extend(name, due, rate, ratio) => {
                let (k, contract) = self.contract(i, *name)?;
                let class = self.accounts[i].class;
                let (fresh, reprice) = market.opening_ratio(contract.security, contract.side, class, at);
                let extended = &mut self.accounts[i].contracts[k];
                extended.due = *due;
                extended.rate = rate.unwrap_or(contract.rate);
                extended.margin_ratio = ratio.unwrap_or(if reprice { fresh } else { contract.margin_ratio });
                Ok(())
            }
            AccountInput::Order(order) => self.put_order(i, order, market),
            AccountInput::OtherCollateral(value) => {
                let account = &self.accounts[i];
                self.check_range(i, account.cash, &account.contracts, None)?;
                let before = std::mem::replace(&mut self.accounts[i].other, *value);
                let moved = i128::from(*value) - i128::from(before);
                self.note(i, entry, CauseKind::OtherCollateral, CauseKey::Account, moved, 0);
                Ok(())
            }
        }
    }

    fn contract(
        &self,
        i: usize,
        name: Option<crate::input::ContractName>,
    ) -> Result<(usize, Contract), Refusal> {
        let contracts = &self.accounts[i].contracts;
        name.and_then(|name| contracts.iter().position(|c| c.name == name))
            .map(|k| (k, contracts[k]))
            .ok_or_else(|| refusal(Code::UnknownContract, "no such open contract"))
    }

    /// Runs an event on a draft of the account and writes it back if it is possible and in range.
    fn drafted(
        &mut self,
        i: usize,
        security: SecurityName,
        (entry, kind, key): (u32, CauseKind, CauseKey),
        at: Time,
        market: &Market,
        event: impl FnOnce(&mut Draft<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let extent = self.hot[i].extent;
        let held = self.holdings.quantity(extent, security);
        let account = &self.accounts[i];
        let mut draft = Draft::new(market, account, at, security, held);
        event(&mut draft)?;
        draft.contracts.retain(|c| !c.is_closed());
        let (cash, contracts, held_now) = (draft.cash, draft.contracts, draft.held);
        self.check_range(i, cash, &contracts, Some((security, held_now)))?;
        let account = &mut self.accounts[i];
        let (money, owed) = (account.cash, account.owed_shares(security));
        let debts = account.money_debts();
        account.cash = cash;
        account.contracts = contracts;
        let (d_money, d_debts) = (cash - money, account.money_debts() - debts);
        let d_owed = account.owed_shares(security) - owed;
        let held_now = clamp_i64(held_now);
        if held_now != held {
            self.holdings.set(&mut self.hot[i].extent, security, held_now);
        }
        self.journal.leg(security, i128::from(held_now) - i128::from(held), d_owed);
        self.note(i, entry, kind, key, d_money, d_debts);
        Ok(())
    }

    /// Journals what an input changed and marks the account.
    fn note(&mut self, i: usize, entry: u32, kind: CauseKind, key: CauseKey, money: i128, debts: i128) {
        self.journal.note(Change { account: i as u32, input: entry, kind, key, money, debts });
        self.touch(i);
    }

    /// Refuses an input after which a stored figure of the account would leave its bounds
    /// (domain.md §1): its cash and contracts as given, one holding as given, the rest as it stands.
    fn check_range(
        &self,
        i: usize,
        cash: i128,
        contracts: &[Contract],
        held: Option<(SecurityName, i128)>,
    ) -> Result<(), Refusal> {
        let money = |m: i128| m.abs() < i128::from(MONEY_BOUND);
        let shares = |q: i128| q < i128::from(QUANTITY_BOUND);
        let account = &self.accounts[i];
        let other_holdings = self
            .holdings
            .iter(self.hot[i].extent)
            .filter(|&(s, _)| held.is_none_or(|(changed, _)| changed != s));
        let in_range = money(cash)
            && money(account.receivables())
            && money(i128::from(account.other))
            && held.is_none_or(|(_, quantity)| shares(quantity))
            && other_holdings.map(|(_, quantity)| i128::from(quantity)).all(shares)
            && contracts
                .iter()
                .all(|c| money(i128::from(c.amount)) && money(c.interest) && shares(i128::from(c.quantity)));
        if in_range { Ok(()) } else { Err(refusal(Code::OutOfRange, "a figure would leave its bounds")) }
    }

    /// Lays an agreement's lines over the account's own; refused where they would not stand.
    pub(crate) fn check_lines(&self, i: usize, patch: &LinesPatch, market: &Market) -> Result<(), Refusal> {
        self.lines(i, market).with(&patch.lines).check()
    }

    pub(crate) fn put_lines(
        &mut self,
        i: usize,
        patch: &LinesPatch,
        entry: Option<u32>,
        market: &Market,
    ) -> Result<(), Refusal> {
        if entry.is_some() {
            self.check_lines(i, patch, market)?;
        }
        self.accounts[i].extras_mut().lines.overlay(patch);
        self.journal.lines(i as u32, entry);
        self.touch(i);
        Ok(())
    }

    fn put_order(&mut self, i: usize, order: &Order, market: &Market) -> Result<(), Refusal> {
        market.find(order.security)?;
        let orders = &mut self.accounts[i].extras_mut().orders;
        orders.retain(|o| o.order != order.order);
        if order.status == OrderStatus::Open && order.remaining > 0 {
            orders.push(order.clone());
        }
        Ok(())
    }

    /// Replaces the whole balance of an account.
    fn open(
        &mut self,
        i: usize,
        opening: &Opening,
        at: Time,
        entry: u32,
        market: &Market,
    ) -> Result<(), Refusal> {
        let mut positions = Vec::with_capacity(opening.positions.len());
        for &(security, quantity) in &opening.positions {
            let security = market.find(security)?;
            if quantity != 0 {
                positions.push((security, quantity));
            }
        }
        let account = &self.accounts[i];
        let through = at.date().previous().max(market.last_day_end.unwrap_or(Date(i32::MIN)));
        let mut contracts = Vec::with_capacity(opening.contracts.len());
        for c in &opening.contracts {
            let security = market.find(c.security)?;
            let minimum = || market.rules.minimum(c.side, account.class, c.opened.start()).0;
            let mut contract = Contract {
                quantity: c.quantity,
                amount: c.amount,
                interest: i128::from(c.interest),
                name: c.contract,
                security,
                rate: c.rate,
                margin_ratio: c.margin_ratio.unwrap_or_else(minimum),
                opened: c.opened,
                due: c.due.unwrap_or(Contract::NO_DUE),
                through,
                side: c.side,
            };
            contract.settle();
            if !contract.is_closed() {
                contracts.push(contract);
            }
        }
        let receivables = opening.receivables.as_deref();
        let receivable = receivables.map_or_else(|| account.receivables(), sum);
        if receivable >= i128::from(MONEY_BOUND) {
            return Err(refusal(Code::OutOfRange, "receivables would leave their bounds"));
        }
        let account = &self.accounts[i];
        let money = account.cash + account.receivables() + i128::from(account.other);
        let debts = account.money_debts();
        self.legs_of(i, -1);
        let account = &mut self.accounts[i];
        account.cash = i128::from(opening.cash);
        account.other = opening.other_collateral;
        account.contracts = contracts;
        account.suspect = false;
        if let Some(stated) = receivables
            && !(stated.is_empty() && account.extras.is_none())
        {
            account.extras_mut().receivables = stated.iter().filter(|r| r.amount != 0).copied().collect();
        }
        self.holdings.replace(&mut self.hot[i].extent, &positions);
        self.legs_of(i, 1);
        let account = &self.accounts[i];
        let now = account.cash + account.receivables() + i128::from(account.other);
        let d_debts = account.money_debts() - debts;
        self.note(i, entry, CauseKind::Opening, CauseKey::Account, now - money, d_debts);
        Ok(())
    }

    /// Journals every holding and every share owed, with a sign: before and after an opening.
    fn legs_of(&mut self, i: usize, sign: i128) {
        let extent = self.hot[i].extent;
        for (security, quantity) in self.holdings.iter(extent) {
            self.journal.leg(security, sign * i128::from(quantity), 0);
        }
        for contract in self.accounts[i].contracts.iter().filter(|c| !c.is_financing()) {
            self.journal.leg(contract.security, 0, sign * i128::from(contract.quantity));
        }
    }

    /// Accrues every contract through a day.
    pub(crate) fn accrue(&mut self, day: Date, market: &Market) {
        let year_days = market.policy.year_days;
        self.accrued.clear();
        self.accrued.extend(self.accounts.iter_mut().map(|account| {
            let mut raised = false;
            for contract in &mut account.contracts {
                raised |= contract.accrue(day, year_days) > 0;
            }
            raised
        }));
    }

    /// Brings corporate actions of one security to every account that holds or owes it.
    pub(crate) fn act(&mut self, group: &ActionGroup, today: Date, market: &Market) {
        let security = group.security;
        for i in 0..self.accounts.len() {
            let held = self.holdings.quantity(self.hot[i].extent, security);
            let touched = held != 0 || self.accounts[i].contracts.iter().any(|c| c.security == security);
            if touched {
                self.act_on(i, group, held, today, market);
            }
        }
    }

    fn act_on(&mut self, i: usize, group: &ActionGroup, held: Quantity, today: Date, market: &Market) {
        let security = group.security;
        let account = &mut self.accounts[i];
        let owed = account.owed_shares(security);
        let (money, debts) = (account.cash + account.receivables(), account.money_debts());
        for (amount, pay_date) in group.dividends(held) {
            let paid = pay_date.is_none_or(|day| day <= today);
            if paid {
                account.cash += amount;
            } else if amount != 0 {
                account.extras_mut().receivables.push(Receivable { amount, pay_date });
            }
        }
        for contract in account.contracts.iter_mut().filter(|c| c.security == security) {
            if !contract.is_financing() {
                contract.interest += group.short_fees(contract.quantity);
            }
            contract.quantity = group.quantity_after(contract.quantity);
            contract.settle();
        }
        account.contracts.retain(|c| !c.is_closed());
        let held_now = group.quantity_after(held);
        let value = |quantity: i128, mark: Option<Money>| crate::metrics::value(quantity, mark);
        let worth = |mark, held: Quantity, owed| (value(i128::from(held), mark), value(owed, mark));
        let before = worth(group.mark_before, held, owed);
        let after = worth(group.mark_after, held_now, account.owed_shares(security));
        let d_money = account.cash + account.receivables() - money;
        let d_debts = account.money_debts() - debts;
        let owed_now = account.owed_shares(security);
        self.holdings.set(&mut self.hot[i].extent, security, held_now);
        self.journal.acted(security, i128::from(held_now) - i128::from(held), owed_now - owed);
        let (kind, key) = (CauseKind::CorporateAction, CauseKey::Security(security));
        self.note(i, group.input, kind, key, d_money + after.0 - before.0, d_debts + after.1 - before.1);
        debug_assert!(market.known(security).is_some());
    }

    /// Turns receivables into cash whose day has come.
    pub(crate) fn pay_receivables(&mut self, day: Date) {
        for i in 0..self.accounts.len() {
            let Some(extras) = self.accounts[i].extras.as_deref_mut() else { continue };
            let due = |r: &Receivable| r.pay_date.is_some_and(|date| date <= day);
            let paid: i128 = extras.receivables.iter().filter(|r| due(r)).map(|r| r.amount).sum();
            if paid != 0 {
                extras.receivables.retain(|r| !due(r));
                self.accounts[i].cash += paid;
                self.touch(i);
            }
        }
    }

    /// `day_end` removes all orders.
    pub(crate) fn drop_orders(&mut self) {
        for account in &mut self.accounts {
            if let Some(extras) = account.extras.as_deref_mut() {
                extras.orders.clear();
            }
        }
    }

    /// Ends the epoch: judges what must be judged and leaves the effects in order of accounts.
    pub(crate) fn close(&mut self, close: Close, market: &Market) {
        self.effects.clear();
        self.unmarked.clear();
        self.judged = 0;
        self.journal.index();
        for k in 0..self.dirty.len() {
            let i = self.dirty[k] as usize;
            self.refresh(i, market);
            if close == Close::Touched {
                self.dirty_flags[i] = false;
            }
        }
        match close {
            Close::Touched => {
                self.dirty.sort_unstable();
                for k in 0..self.dirty.len() {
                    self.judge(self.dirty[k] as usize, false, market);
                }
            }
            Close::Sweep => {
                self.sweep(market);
                for k in 0..self.dirty.len() {
                    self.dirty_flags[self.dirty[k] as usize] = false;
                }
            }
            Close::Every { settlement } => {
                self.dirty_flags.fill(false);
                for i in 0..self.accounts.len() {
                    self.judge(i, settlement, market);
                }
            }
        }
        self.dirty.clear();
        self.journal.clear();
        self.accrued.clear();
    }

    /// Brings the hot line of an account up to its books.
    fn refresh(&mut self, i: usize, market: &Market) {
        let account = &self.accounts[i];
        let fixed = account.cash + account.receivables() + i128::from(account.other);
        let debts = account.money_debts();
        let hot = &mut self.hot[i];
        hot.fixed = clamp_i64(fixed);
        let (securities, quantities) = self.holdings.of(hot.extent);
        let shorts = || account.contracts.iter().filter(|c| !c.is_financing() && c.quantity > 0);
        let mut shares: i128 = quantities.iter().map(|&q| i128::from(q)).sum();
        shares += shorts().map(|c| i128::from(c.quantity)).sum::<i128>();
        let money = |m: i128| m.abs() < 1 << 59;
        let marked =
            securities.iter().copied().chain(shorts().map(|c| c.security)).all(|s| market.mark(s).is_some());
        let narrow = marked && shares < FAST_SHARES && money(fixed) && money(debts);
        hot.state = match (account.contracts.is_empty(), narrow, shorts().count()) {
            (true, ..) => State::Idle,
            (false, true, 0) => State::Fast,
            (false, true, 1..=MOST_SHORTS) => State::Owing,
            _ => State::Full,
        };
        let place = self.owing.binary_search_by_key(&(i as u32), |owing| owing.account);
        if hot.state == State::Owing {
            let mut owing = Owing { account: i as u32, money: clamp_i64(debts), shorts: Default::default() };
            owing.shorts.iter_mut().zip(shorts()).for_each(|(to, c)| *to = (c.security, c.quantity));
            match place {
                Ok(at) => self.owing[at] = owing,
                Err(at) => self.owing.insert(at, owing),
            }
        } else if let Ok(at) = place {
            self.owing.remove(at);
        }
    }

    /// One pass over every account: most are decided by their interval alone.
    fn sweep(&mut self, market: &Market) {
        // A mark that vanished counts 0 in the sum: nobody may be decided by it.
        let exact = market.giants > 0 || market.vanished;
        for i in 0..self.hot.len() {
            let hot = &self.hot[i];
            let decided = match hot.state {
                State::Idle => !self.dirty_flags[i],
                _ if exact || self.dirty_flags[i] => false,
                State::Fast => (hot.lo..hot.hi).contains(&self.narrow_assets(hot, market)),
                // Looked at below, side by side.
                State::Owing => true,
                State::Full => false,
            };
            if !decided {
                self.judge(i, false, market);
            }
        }
        for k in 0..self.owing.len() {
            let owing = self.owing[k];
            let i = owing.account as usize;
            let looked_at = exact || self.dirty_flags[i] || self.hot[i].state != State::Owing;
            if !looked_at && !self.stays_owing(&owing, market) {
                self.judge(i, false, market);
            }
        }
    }

    /// A of an account that fits 64 bits.
    fn narrow_assets(&self, hot: &Hot, market: &Market) -> Money {
        let mut assets = hot.fixed;
        for (securities, quantities) in self.holdings.runs(hot.extent) {
            // Below 2⁶² by the proof at FAST_SHARES.
            let value = |k: usize| quantities[k].wrapping_mul(market.marks[securities[k].index()]);
            let run = (value(0).wrapping_add(value(1))).wrapping_add(value(2).wrapping_add(value(3)));
            assets = assets.wrapping_add(run);
        }
        assets
    }

    /// Whether an account that owes shares keeps its tier at these marks.
    fn stays_owing(&self, owing: &Owing, market: &Market) -> bool {
        let hot = &self.hot[owing.account as usize];
        let mut debts = owing.money;
        for &(security, quantity) in &owing.shorts {
            // Below 2⁶² by the proof at FAST_SHARES; unused places have a quantity of zero.
            debts = debts.wrapping_add(quantity.wrapping_mul(market.marks[security.index()]));
        }
        let (assets, debts) = (i128::from(self.narrow_assets(hot, market)), i128::from(debts));
        debts > 0 && !holds(hot.lo, assets, debts) && (hot.hi == ANY || holds(hot.hi, assets, debts))
    }

    /// Judges one account in full and sets what the next sweep tests.
    fn judge(&mut self, i: usize, settle: bool, market: &Market) {
        self.judged += 1;
        let account = &self.accounts[i];
        let from = account.tier;
        let lines = self.lines(i, market);
        let (assets, debts, to) = if account.contracts.is_empty() {
            (None, Some(0), Tier::None)
        } else {
            let narrow = self.hot[i].state == State::Fast && market.giants == 0 && !market.vanished;
            let (assets, debts) = if narrow {
                let assets = self.narrow_assets(&self.hot[i], market);
                (Some(i128::from(assets)), Some(account.money_debts()))
            } else {
                self.view(i, market).assets_and_debts()
            };
            let (Some(a), Some(d)) = (assets, debts) else {
                self.leave_unmarked(i, market);
                return;
            };
            if self.hot[i].state != State::Fast {
                // It may have lacked a mark, or been without debts, until now; interest may have
                // been added to what it owes.
                self.refresh(i, market);
            }
            if d == 0 {
                self.hot[i].state = State::Full;
                (assets, debts, Tier::None)
            } else {
                let judged = judge(&lines, from, a, d, settle);
                self.hot[i].expect(&judged, &lines);
                (assets, debts, judged.tier)
            }
        };
        if from != to {
            let assets = if to == Tier::None { self.view(i, market).assets_and_debts().0 } else { assets };
            self.change(i, (from, to), (assets, debts.unwrap_or(0)), settle, &lines, market);
        }
    }

    /// Its tier stays what it was; whoever lacks a mark is named, and looked at again each time.
    fn leave_unmarked(&mut self, i: usize, market: &Market) {
        self.hot[i].state = State::Full;
        let lacking = |s: &SecurityName| market.mark(*s).is_none();
        let (held, _) = self.holdings.of(self.hot[i].extent);
        self.unmarked.extend(held.iter().copied().filter(lacking));
        let owed = self.accounts[i].contracts.iter().filter(|c| !c.is_financing() && c.quantity > 0);
        self.unmarked.extend(owed.map(|c| c.security).filter(lacking));
    }

    fn change(
        &mut self,
        i: usize,
        (from, to): (Tier, Tier),
        (assets, debts): (Option<i128>, i128),
        settle: bool,
        lines: &Lines,
        market: &Market,
    ) {
        let line = boundary(lines, from, to);
        let accrued = self.accrued.get(i).copied().unwrap_or(false);
        let crossing = Crossing { from, to, line, lines, accrued };
        let cause = self.journal.cause(i as u32, &crossing, &self.view(i, market));
        let account = &mut self.accounts[i];
        let name = self.names[i];
        account.tier = to;
        let announced = from.max(to) > Tier::Normal;
        let changed = announced.then(|| {
            account.counters.tier_changed += 1;
            let count = account.counters.tier_changed;
            TierChanged { account: name, count, from, to, assets, debts, line, settlement: settle, cause }
        });
        let acts = market.policy.restrictions[to as usize];
        let newly = Acts(acts.0 & !account.restricted.0);
        let gone = Acts(account.restricted.0 & !acts.0);
        account.counters.restricted += u32::from(newly.0 != 0);
        account.counters.lifted += u32::from(gone.0 != 0);
        account.restricted = acts;
        let restricted = (newly, account.counters.restricted);
        let lifted = (gone, account.counters.lifted);
        if changed.is_some() || newly.0 != 0 || gone.0 != 0 {
            self.effects.push(LaneEffect { account: name, changed, restricted, lifted, cause });
        }
    }
}

fn sum(receivables: &[Receivable]) -> i128 {
    receivables.iter().map(|r| r.amount).sum()
}
