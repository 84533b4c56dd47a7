//! A lane: a slice of the accounts, their columns, and what an epoch did to them.
//!
//! Inputs reach a lane one by one; at the end of the epoch every lane judges its own accounts, side
//! by side with the others, over the shared market.

use crate::actions::ActionGroup;
use crate::aside::Aside;
use crate::book::{Account, Contract, Extent, Holdings};
use crate::causes::{Change, Journal};
use crate::columns::{Columns, Kind, Looked};
use crate::draft::Draft;
use crate::effect::{Acts, CauseKey, CauseKind, Effect, Tier};
use crate::input::{
    AccountInput, AccountName, BranchName, Code, LinesPatch, Opening, Order, OrderStatus, Owner, Receivable,
    Refusal, SecurityName, refusal,
};
use crate::market::Market;
use crate::metrics::View;
use crate::num::{Date, MONEY_BOUND, Money, QUANTITY_BOUND, Quantity, Time, clamp_i64};
use crate::policy::Lines;
use crate::prices::Deltas;
use crate::terms::Terms;
use std::borrow::Cow;

/// Terms a lane keeps, however few accounts it has.
const FEW_TERMS: usize = 64;

/// What an epoch reads of an account before its books: what a crossing needs comes with one line of
/// memory.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Hot {
    /// Cash, receivables and other collateral.
    pub fixed: Money,
    /// Principal, interest and fees, accrued through the market's day; exact while the kind is narrow.
    pub debts: Money,
    /// One day's interest of all contracts.
    pub daily: Money,
    pub extent: Extent,
    /// Contracts carry the interest through this day; what came since is in `debts` only.
    pub through: Date,
    /// Place of its lines in the lane's terms.
    pub terms: u32,
    pub name: AccountName,
    pub changes: Changes,
    pub tier: Tier,
    /// Acts its tier refuses.
    pub restricted: Acts,
    /// Every contract is accrued through the market's day, so that `daily` is what a day adds.
    pub even: bool,
    /// What kind of row it must have.
    pub kind: Kind,
}

/// What an account's tier has come to, as it is saved beside its books.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub tier: Tier,
    pub restricted: Acts,
    pub changes: Changes,
}

/// Counters of an account's changes of tier and of restrictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub tier_changed: u32,
    pub restricted: u32,
    pub lifted: u32,
}

/// How an epoch ends for every account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// Accounts with inputs only.
    Touched,
    /// And those that moved prices may have brought over a line.
    Moved,
    /// Every account: debts, lines or restrictions moved; with the band at 0 at a settlement.
    Every {
        /// `day_end`.
        settlement: bool,
    },
}

/// How the accounts of a lane are spread over the tiers, and which are at `call` or worse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub tiers: [u64; Tier::ALL.len()],
    /// A bit an account.
    called: Vec<u64>,
    accounts: usize,
}

impl Tally {
    fn add(&mut self) {
        self.tiers[Tier::None as usize] += 1;
        self.accounts += 1;
        self.called.resize(self.accounts.div_ceil(64), 0);
    }

    fn turn(&mut self, i: usize, from: Tier, to: Tier) {
        self.tiers[from as usize] -= 1;
        self.tiers[to as usize] += 1;
        if (from >= Tier::Call) != (to >= Tier::Call) {
            self.called[i / 64] ^= 1 << (i % 64);
        }
    }

    /// Accounts at `call` or worse, in order.
    pub(crate) fn called(&self) -> impl Iterator<Item = usize> + '_ {
        let bits = |(place, &word): (usize, &u64)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 64 * place + bit)
        };
        self.called.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(bits)
    }
}

/// A slice of the accounts.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its place among the lanes.
    number: usize,
    pub(crate) accounts: Vec<Account>,
    /// The branch of each, where one is named.
    pub(crate) branches: Vec<Option<BranchName>>,
    pub(crate) hot: Vec<Hot>,
    pub(crate) holdings: Holdings,
    pub(crate) columns: Columns,
    pub(crate) terms: Terms,
    pub(crate) tally: Tally,
    /// Accounts that had orders in flight since the last `day_end`, each once.
    ordering: Vec<u32>,
    /// Accounts with something to judge at the end of the epoch.
    pub(crate) dirty: Vec<u32>,
    pub(crate) dirty_flags: Vec<bool>,
    pub(crate) journal: Journal,
    /// Room for the contracts of a draft.
    spare: Vec<Contract>,
    /// What a save under way has still to come to.
    pub(crate) aside: Option<Aside>,
    /// What the last epoch gave, in order of accounts, each with its account.
    pub(crate) effects: Vec<(u32, Effect)>,
    /// What the moves of the epoch do to a share of each security.
    pub(crate) deltas: Deltas,
    /// Accounts whose debts an accrual of this epoch raised; empty where there was none.
    pub(crate) accrued: Vec<bool>,
    /// Securities without a mark found under accounts with a contract.
    pub(crate) unmarked: Vec<SecurityName>,
    /// Accounts judged in full by the last epoch, and what it looked at.
    pub(crate) judged: u64,
    pub(crate) looked: Looked,
}

impl Lane {
    /// Lanes without accounts, at least one.
    pub(crate) fn several(count: usize) -> Vec<Self> {
        (0..count.max(1)).map(|number| Lane { number, ..Lane::default() }).collect()
    }

    /// Whether an account of a book over so many lanes is its own ([`Engine::place`]).
    ///
    /// [`Engine::place`]: crate::Engine
    pub(crate) fn owns(&self, ordinal: u32, lanes: usize) -> bool {
        ordinal as usize % lanes == self.number
    }

    /// Its place among the lanes.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Makes room for so many accounts.
    pub(crate) fn reserve(&mut self, accounts: usize) {
        self.accounts.reserve_exact(accounts);
        self.branches.reserve_exact(accounts);
        self.hot.reserve_exact(accounts);
        self.dirty_flags.reserve_exact(accounts);
        self.columns.seats.reserve_exact(accounts);
    }

    pub(crate) fn add(&mut self, name: AccountName, owner: Owner) {
        let Owner { customer, class, branch } = owner;
        self.accounts.push(Account::new(customer, class));
        self.branches.push(branch);
        self.hot.push(Hot {
            fixed: 0,
            debts: 0,
            daily: 0,
            extent: Extent::default(),
            through: Date(i32::MIN),
            terms: self.terms.place(class, &[None; 7]),
            name,
            changes: Changes::default(),
            tier: Tier::None,
            restricted: Acts::default(),
            even: true,
            kind: Kind::Nowhere,
        });
        self.columns.add();
        self.tally.add();
        self.dirty_flags.push(false);
    }

    pub(crate) fn update(&mut self, i: usize, owner: Owner) {
        let account = &mut self.accounts[i];
        (account.customer, account.class) = (owner.customer, owner.class);
        self.branches[i] = owner.branch;
        self.resolve(i);
        self.touch(i);
    }

    /// Takes back a saved account whose holdings stand at the end of the columns; what an epoch reads of
    /// it is recomputed.
    pub(crate) fn restore(
        &mut self,
        name: AccountName,
        (account, branch, standing): (Account, Option<BranchName>, Standing),
        extent: Extent,
        market: &Market,
    ) {
        let i = self.accounts.len();
        self.add(name, Owner { customer: account.customer, class: account.class, branch });
        self.accounts[i] = account;
        if !self.accounts[i].orders().is_empty() {
            self.note_orders(i);
        }
        let hot = &mut self.hot[i];
        hot.extent = extent;
        hot.through = market.accrued();
        (hot.restricted, hot.changes) = (standing.restricted, standing.changes);
        self.set_tier(i, standing.tier);
        self.resolve(i);
        self.terms.climb(&market.policy);
        self.refresh(i, market);
        self.seat(i, market);
    }

    /// Moves an account to a tier.
    pub(crate) fn set_tier(&mut self, i: usize, to: Tier) {
        let from = std::mem::replace(&mut self.hot[i].tier, to);
        self.tally.turn(i, from, to);
    }

    /// What the tier of an account has come to.
    pub(crate) fn standing(&self, i: usize) -> Standing {
        let Hot { tier, restricted, changes, .. } = self.hot[i];
        Standing { tier, restricted, changes }
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
        self.terms.lines(self.hot[i].terms, &market.policy)
    }

    /// Finds the terms an account is under. Agreements that nobody is under any more are forgotten
    /// once they could be as many as the accounts.
    fn resolve(&mut self, i: usize) {
        if self.terms.len() > 2 * self.accounts.len() + FEW_TERMS {
            self.terms = Terms::default();
            (0..self.accounts.len()).for_each(|i| self.place_terms(i));
        }
        self.place_terms(i);
    }

    fn place_terms(&mut self, i: usize) {
        let account = &self.accounts[i];
        self.hot[i].terms = self.terms.place(account.class, &account.stated_lines());
    }

    /// One account as the metrics see it.
    pub(crate) fn view<'a>(&'a self, i: usize, market: &'a Market) -> View<'a> {
        let (securities, quantities) = self.holdings.of(self.hot[i].extent);
        let (account, lines) = (self.accrued_account(i, market), self.lines(i, market));
        View { account, lines, securities, quantities, market }
    }

    /// An account with all interest in its contracts.
    pub(crate) fn accrued_account(&self, i: usize, market: &Market) -> Cow<'_, Account> {
        let account = &self.accounts[i];
        if self.hot[i].through >= market.accrued() || account.contracts.is_empty() {
            return Cow::Borrowed(account);
        }
        let mut account = account.clone();
        account.accrue(market.accrued(), market.policy.year_days);
        Cow::Owned(account)
    }

    /// Brings the interest of past days into the contracts of an account.
    pub(crate) fn catch_up(&mut self, i: usize, market: &Market) {
        let day = market.accrued();
        if self.hot[i].through < day {
            self.hot[i].through = day;
            let raised = self.accounts[i].accrue(day, market.policy.year_days);
            if let Some(accrued) = self.accrued.get_mut(i) {
                *accrued |= raised;
            }
        }
    }

    /// Reads what an input needs of an account and nothing else, so that all of it is on its way from
    /// memory at once.
    fn fetch(&self, i: usize) {
        let (hot, seat, contracts) = (&self.hot[i], self.columns.seats[i], &self.accounts[i].contracts);
        let (securities, quantities) = self.holdings.of(hot.extent);
        std::hint::black_box((self.dirty_flags[i], contracts.first().map(|contract| contract.amount)));
        std::hint::black_box((securities.first().copied(), quantities.first().copied()));
        std::hint::black_box(self.columns.words(seat).first().copied());
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
        self.fetch(i);
        self.put_aside(i, market);
        self.catch_up(i, market);
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
                // What a day adds follows the rate.
                self.touch(i);
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
        let mut contracts = std::mem::take(&mut self.spare);
        contracts.clone_from(&account.contracts);
        let mut draft = Draft::new(market, account, contracts, at, security, held);
        event(&mut draft)?;
        draft.contracts.retain(|c| !c.is_closed());
        let (cash, contracts, held_now) = (draft.cash, draft.contracts, draft.held);
        self.check_range(i, cash, &contracts, Some((security, held_now)))?;
        let account = &mut self.accounts[i];
        let (money, owed) = (account.cash, account.owed_shares(security));
        let debts = account.money_debts();
        account.cash = cash;
        account.keep(&contracts);
        self.spare = contracts;
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
        self.put_aside(i, market);
        self.accounts[i].extras_mut().lines.overlay(patch);
        self.resolve(i);
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
            self.note_orders(i);
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

    /// Accrues every contract through the market's new day: by one number for an account whose
    /// contracts were all accrued through `from`, and contract by contract for the others.
    pub(crate) fn accrue(&mut self, from: Date, market: &Market) {
        let day = market.accrued();
        self.accrued.clear();
        self.accrued.resize(self.hot.len(), false);
        let days = i64::from(day.0).saturating_sub(i64::from(from.0));
        for i in 0..self.hot.len() {
            let hot = &mut self.hot[i];
            if hot.even {
                hot.debts = hot.debts.saturating_add(hot.daily.saturating_mul(days));
                continue;
            }
            hot.through = day;
            let account = &mut self.accounts[i];
            self.accrued[i] = account.accrue(day, market.policy.year_days);
            self.owe(i, market);
        }
    }

    /// Sums up what an account owes, and what a day adds to it.
    pub(crate) fn owe(&mut self, i: usize, market: &Market) {
        let (account, day) = (&self.accounts[i], market.accrued());
        let daily = account.contracts.iter().map(|c| i128::from(c.daily_interest(market.policy.year_days)));
        let hot = &mut self.hot[i];
        hot.debts = clamp_i64(account.money_debts());
        hot.daily = clamp_i64(daily.sum());
        hot.even = account.contracts.iter().all(|c| c.through == day);
    }

    /// Brings every contract up to date under the old policy, before another counts a day's interest
    /// otherwise.
    pub(crate) fn catch_up_all(&mut self, market: &Market) {
        (0..self.hot.len()).for_each(|i| self.catch_up(i, market));
    }

    /// Brings corporate actions of one security to every account that holds or owes it.
    pub(crate) fn act(&mut self, group: &ActionGroup, today: Date, market: &Market) {
        let security = group.security;
        for i in 0..self.accounts.len() {
            let held = self.holdings.quantity(self.hot[i].extent, security);
            let touched = held != 0 || self.accounts[i].contracts.iter().any(|c| c.security == security);
            if touched {
                self.put_aside(i, market);
                self.catch_up(i, market);
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

    /// Remembers an account whose orders `day_end` must remove.
    fn note_orders(&mut self, i: usize) {
        if !std::mem::replace(&mut self.accounts[i].ordering, true) {
            self.ordering.push(i as u32);
        }
    }

    /// `day_end` removes all orders.
    pub(crate) fn drop_orders(&mut self) {
        for account in self.ordering.drain(..) {
            let account = &mut self.accounts[account as usize];
            account.ordering = false;
            if let Some(extras) = account.extras.as_deref_mut() {
                extras.orders.clear();
            }
        }
    }
}

fn sum(receivables: &[Receivable]) -> i128 {
    receivables.iter().map(|r| r.amount).sum()
}
