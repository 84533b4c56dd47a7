//! An account's balance: cash, receivables, positions, contracts; contract order, payments and interest.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use crate::num::{half_up, pow10};
use crate::policy::{Policy, Stated};
use crate::wire::{max_money, max_quantity};

/// One debt. Money in 1/10 000 yuan.
#[derive(Clone, Debug)]
pub struct Contract {
    pub id: String,
    pub short: bool,
    pub security: usize,
    /// Shares tied (financing) or owed (short).
    pub quantity: BigInt,
    /// Principal (financing) or sale amount (short).
    pub amount: BigInt,
    pub interest: BigInt,
    /// Yearly rate in 1/10^8.
    pub rate: i64,
    pub opened: i64,
    pub due: Option<i64>,
    /// In 1/10 000.
    pub margin_ratio: i64,
    pub accrued_through: i64,
    pub entry: u64,
}

impl Contract {
    /// Money owed on it: a short owes shares and fees, no sale amount.
    pub fn owed(&self) -> BigInt {
        if self.short { self.interest.clone() } else { &self.amount + &self.interest }
    }

    /// Pays up to `available` in the policy's order and returns what was paid and by how much the principal fell.
    pub fn pay(&mut self, available: &BigInt, policy: &Policy) -> (BigInt, BigInt) {
        let principal = if self.short { BigInt::zero() } else { self.amount.clone() };
        let all = available.min(&self.owed()).clone();
        let first = if policy.principal_first { &principal } else { &self.interest };
        let to_first = first.min(&all).clone();
        let to_second = &all - &to_first;
        let (of_principal, of_interest) =
            if policy.principal_first { (to_first, to_second) } else { (to_second, to_first) };
        self.interest -= of_interest;
        if !self.short {
            self.amount -= &of_principal;
        }
        (all, of_principal)
    }

    /// Frees tied shares after the principal fell by `fall`.
    pub fn release(&mut self, fall: &BigInt, policy: &Policy) {
        if self.short || fall.is_zero() || policy.release_at_close {
            return;
        }
        let before = &self.amount + fall;
        self.quantity -= &self.quantity * fall / before;
    }

    /// Takes covered or returned shares off a short.
    pub fn cover(&mut self, shares: &BigInt) {
        if shares.is_zero() {
            return;
        }
        self.amount -= half_up(&(&self.amount * shares), &self.quantity);
        self.quantity -= shares;
    }

    /// Interest and fees of every day after the last accrued one through `day`, day by day.
    pub fn accrue_through(&mut self, day: i64, policy: &Policy) {
        // No balance moves between events, so every day of this stretch costs the same rounded amount.
        let daily = half_up(&(&self.amount * self.rate), &(pow10(8) * policy.year_days));
        while self.accrued_through < day {
            self.interest += &daily;
            self.accrued_through += 1;
        }
    }

    /// Brings it to the rules of a contract with nothing left; true while it stays open.
    fn settle(&mut self) -> bool {
        if self.short && self.quantity.is_zero() {
            self.amount = BigInt::zero();
        }
        if !self.short && self.amount.is_zero() {
            self.quantity = BigInt::zero();
        }
        !(self.quantity.is_zero() && self.amount.is_zero() && self.interest.is_zero())
    }
}

/// A claim on cash to come.
#[derive(Clone, Debug)]
pub struct Receivable {
    pub amount: BigInt,
    pub pay_date: Option<i64>,
}

/// What an `opening` replaces as a whole.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    pub cash: BigInt,
    pub receivables: Vec<Receivable>,
    pub other_collateral: BigInt,
    /// Long positions above zero.
    pub positions: BTreeMap<usize, BigInt>,
    /// Open contracts in order of entry.
    pub contracts: Vec<Contract>,
    pub next_entry: u64,
}

impl Balance {
    pub fn position(&self, security: usize) -> BigInt {
        self.positions.get(&security).cloned().unwrap_or_default()
    }

    pub fn receivables_sum(&self) -> BigInt {
        self.receivables.iter().map(|r| &r.amount).sum()
    }

    /// Moves a long position by a signed quantity.
    pub fn add_position(&mut self, security: usize, quantity: &BigInt) {
        let held = self.positions.entry(security).or_default();
        *held += quantity;
        if held.is_zero() {
            self.positions.remove(&security);
        }
    }

    /// Shares of the security tied to financing contracts.
    pub fn tied(&self, security: usize) -> BigInt {
        self.contracts.iter().filter(|c| !c.short && c.security == security).map(|c| &c.quantity).sum()
    }

    pub fn free(&self, security: usize) -> BigInt {
        (self.position(security) - self.tied(security)).max(BigInt::zero())
    }

    /// Shares of the security owed on shorts.
    pub fn owed(&self, security: usize) -> BigInt {
        self.contracts.iter().filter(|c| c.short && c.security == security).map(|c| &c.quantity).sum()
    }

    pub fn find(&self, id: &str) -> Option<usize> {
        self.contracts.iter().position(|c| c.id == id)
    }

    /// The places of the contracts that pass a test, in contract order.
    pub fn in_order(&self, test: impl Fn(&Contract) -> bool) -> Vec<usize> {
        let mut places: Vec<usize> =
            (0..self.contracts.len()).filter(|i| test(&self.contracts[*i])).collect();
        places.sort_by_key(|i| {
            let c = &self.contracts[*i];
            (c.due.unwrap_or(i64::MAX), c.opened, c.entry)
        });
        places
    }

    pub fn enter(&mut self, mut contract: Contract) {
        contract.entry = self.next_entry;
        self.next_entry += 1;
        self.contracts.push(contract);
    }

    /// Closes what owes nothing more.
    pub fn settle(&mut self) {
        self.contracts.retain_mut(Contract::settle);
    }

    /// Whether every stored figure lies within the bounds of the contract.
    pub fn in_range(&self) -> bool {
        let money = |m: &BigInt| m.abs() < max_money();
        let quantity = |q: &BigInt| *q < max_quantity();
        money(&self.cash)
            && money(&self.receivables_sum())
            && money(&self.other_collateral)
            && self.positions.values().all(quantity)
            && self.contracts.iter().all(|c| money(&c.amount) && money(&c.interest) && quantity(&c.quantity))
    }
}

/// An order in flight, as far as it freezes margin.
#[derive(Clone, Debug)]
pub struct Order {
    pub side: String,
    pub security: usize,
    pub price: BigInt,
    pub remaining: BigInt,
}

/// Where an effect or cause comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRef {
    pub source: Option<String>,
    pub id: Option<String>,
}

/// One account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub name: String,
    pub customer: String,
    pub client_class: String,
    pub own: Stated,
    /// Lines that wait for their date, in order of entry.
    pub waiting: Vec<(i64, Stated)>,
    pub balance: Balance,
    pub orders: BTreeMap<String, Order>,
    pub tier: usize,
    pub acts: [bool; 6],
    pub suspect: bool,
}
