//! What an account event does to its account (events.md, "How a fill moves an account").
//!
//! Every event works on a draft: the account's money and contracts and the one holding it may
//! change. Nothing is written back unless the whole event is possible and in range.

use crate::book::{Account, Contract, contract_order};
use crate::input::{
    ClientClass, Code, ContractName, ContractSide, Fill, InterestKind, NamedContract, Refusal, Repayment,
    SecurityName, Side, refusal,
};
use crate::market::Market;
use crate::num::{Quantity, Time, clamp_i64};
use crate::policy::{CollateralSell, Release, RepayContract};

/// A draft of an account: its cash, its contracts and one holding.
pub(crate) struct Draft<'a> {
    market: &'a Market,
    class: ClientClass,
    at: Time,
    pub cash: i128,
    pub contracts: Vec<Contract>,
    /// The security the event is about, and what is held of it.
    pub security: SecurityName,
    pub held: i128,
}

/// Shares that left a contract in a sale.
struct Sold {
    contract: usize,
    shares: i128,
}

impl<'a> Draft<'a> {
    /// A draft of an account, its contracts copied.
    pub(crate) fn new(
        market: &'a Market,
        account: &Account,
        contracts: Vec<Contract>,
        at: Time,
        security: SecurityName,
        held: Quantity,
    ) -> Self {
        Draft {
            market,
            class: account.class,
            at,
            cash: account.cash,
            contracts,
            security,
            held: i128::from(held),
        }
    }

    fn free_shares(&self) -> i128 {
        let tied: i128 = self
            .contracts
            .iter()
            .filter(|c| c.is_financing() && c.security == self.security)
            .map(|c| i128::from(c.quantity))
            .sum();
        (self.held - tied).max(0)
    }

    fn position_of(&self, name: ContractName) -> Option<usize> {
        self.contracts.iter().position(|c| c.name == name)
    }

    pub(crate) fn fill(&mut self, fill: &Fill) -> Result<(), Refusal> {
        let gross = i128::from(fill.quantity) * i128::from(fill.price);
        let fee = i128::from(fill.fee);
        let quantity = i128::from(fill.quantity);
        match fill.side {
            Side::CollateralBuy | Side::Subscribe => {
                self.cash -= gross + fee;
                self.held += quantity;
                Ok(())
            }
            Side::MarginBuy => {
                self.open(fill, ContractSide::Financing, gross)?;
                self.cash -= fee;
                self.held += quantity;
                Ok(())
            }
            Side::ShortSell => {
                self.open(fill, ContractSide::Short, gross)?;
                self.cash += gross - fee;
                Ok(())
            }
            Side::CollateralSell => self.collateral_sell(fill, gross),
            Side::SellToRepay => self.sell_to_repay(fill, gross),
            Side::BuyToCover => self.buy_to_cover(fill, gross),
        }
    }

    /// Opens the contract a fill names, or lets it grow; growing keeps rate, due date and ratio.
    fn open(&mut self, fill: &Fill, side: ContractSide, gross: i128) -> Result<(), Refusal> {
        let exists = || refusal(Code::ContractExists, "another contract of that name is open");
        let (name, may_grow) = match fill.contract {
            NamedContract::Named(name) => (name, true),
            NamedContract::Unnamed(name) => (name, false),
            NamedContract::Unknown => return Err(refusal(Code::UnknownContract, "no such contract")),
        };
        if let Some(i) = self.position_of(name) {
            let contract = &mut self.contracts[i];
            if !may_grow || contract.side != side || contract.security != self.security {
                return Err(exists());
            }
            contract.amount = clamp_i64(i128::from(contract.amount) + gross);
            contract.quantity += fill.quantity;
            return Ok(());
        }
        let opened = self.at.date();
        let ratio = fill
            .margin_ratio
            .unwrap_or_else(|| self.market.opening_ratio(self.security, side, self.class, self.at).0);
        self.contracts.push(Contract {
            quantity: fill.quantity,
            amount: clamp_i64(gross),
            interest: 0,
            name,
            security: self.security,
            rate: fill.rate,
            margin_ratio: ratio,
            opened,
            due: fill.due.unwrap_or_else(|| opened.plus_months(6)),
            through: opened.previous(),
            side,
        });
        Ok(())
    }

    fn take_held(&mut self, quantity: Quantity) -> Result<(), Refusal> {
        if i128::from(quantity) > self.held {
            return Err(refusal(Code::InsufficientPosition, "more sold than held"));
        }
        self.held -= i128::from(quantity);
        Ok(())
    }

    /// Takes up to `left` shares out of the contracts tied to the security, in the order given.
    fn untie(&mut self, order: &[usize], left: &mut i128, sold: &mut Vec<Sold>) {
        for &i in order {
            let contract = &mut self.contracts[i];
            let shares = i128::from(contract.quantity).min(*left);
            if shares > 0 && contract.is_financing() && contract.security == self.security {
                contract.quantity -= shares as Quantity;
                *left -= shares;
                sold.push(Sold { contract: i, shares });
            }
        }
    }

    fn collateral_sell(&mut self, fill: &Fill, gross: i128) -> Result<(), Refusal> {
        let free = self.free_shares();
        self.take_held(fill.quantity)?;
        self.cash += gross - i128::from(fill.fee);
        let mut left = (i128::from(fill.quantity) - free).max(0);
        if left == 0 {
            return Ok(());
        }
        let mut sold = Vec::new();
        let order = contract_order(&self.contracts, Contract::is_financing);
        self.untie(&order, &mut left, &mut sold);
        if self.market.policy.collateral_sell == CollateralSell::Keeps {
            return Ok(());
        }
        let mut proceeds = (gross - i128::from(fill.fee)).max(0);
        for Sold { contract, shares } in sold {
            let own = (shares * i128::from(fill.price)).min(proceeds);
            let paid = self.contracts[contract].apply(own, self.market.policy.repay_order, None);
            self.cash -= paid;
            proceeds -= paid;
        }
        Ok(())
    }

    fn sell_to_repay(&mut self, fill: &Fill, gross: i128) -> Result<(), Refusal> {
        let named = match fill.contract {
            NamedContract::Unnamed(_) => None,
            NamedContract::Named(name) => Some(
                self.position_of(name).filter(|&i| self.contracts[i].is_financing()).ok_or_else(unknown)?,
            ),
            NamedContract::Unknown => return Err(unknown()),
        };
        let free = self.free_shares();
        self.take_held(fill.quantity)?;
        self.cash += gross - i128::from(fill.fee);
        let sold = self.sold_to_repay(named, fill.quantity, free);
        let mut left = (gross - i128::from(fill.fee)).max(0);
        let release = Some(self.market.policy.release);
        for i in self.repay_sequence(named) {
            let own: i128 =
                sold.iter().filter(|s| s.contract == i).map(|s| s.shares * i128::from(fill.price)).sum();
            let contract = &mut self.contracts[i];
            let first = contract.apply(own.min(left), self.market.policy.repay_order, None);
            left -= first;
            let then = contract.apply(left, self.market.policy.repay_order, release);
            left -= then;
            self.cash -= first + then;
        }
        Ok(())
    }

    /// Shares leave the tied ones of the named contract first, or without a name those on the
    /// security in contract order; then free ones; then tied ones of the others.
    fn sold_to_repay(&mut self, named: Option<usize>, quantity: Quantity, free: i128) -> Vec<Sold> {
        let security = self.security;
        let order = contract_order(&self.contracts, |c| c.is_financing() && c.security == security);
        let mut left = i128::from(quantity);
        let mut sold = Vec::new();
        match named {
            Some(first) => {
                self.untie(&[first], &mut left, &mut sold);
                left -= left.min(free);
                let others: Vec<usize> = order.into_iter().filter(|&i| i != first).collect();
                self.untie(&others, &mut left, &mut sold);
            }
            None => self.untie(&order, &mut left, &mut sold),
        }
        sold
    }

    /// The financing contracts proceeds go to, in turn.
    fn repay_sequence(&self, named: Option<usize>) -> Vec<usize> {
        let security = self.security;
        let rule = self.market.policy.repay_contract;
        let mut order = contract_order(&self.contracts, Contract::is_financing);
        match named {
            Some(first) => order.sort_by_key(|&i| i != first),
            None => match rule {
                RepayContract::Own => order.sort_by_key(|&i| self.contracts[i].security != security),
                RepayContract::FirstDue => {}
                RepayContract::HighestRate => {
                    order.sort_by_key(|&i| std::cmp::Reverse(self.contracts[i].rate));
                }
            },
        }
        order
    }

    fn buy_to_cover(&mut self, fill: &Fill, gross: i128) -> Result<(), Refusal> {
        let security = self.security;
        let is_short = move |c: &Contract| !c.is_financing() && c.security == security;
        let named = match fill.contract {
            NamedContract::Unnamed(_) => None,
            NamedContract::Named(name) => {
                Some(self.position_of(name).filter(|&i| is_short(&self.contracts[i])).ok_or_else(unknown)?)
            }
            NamedContract::Unknown => return Err(unknown()),
        };
        let mut order = contract_order(&self.contracts, is_short);
        order.sort_by_key(|&i| Some(i) != named);
        if order.iter().all(|&i| self.contracts[i].quantity == 0) {
            return Err(refusal(Code::ExceedsDebt, "no share is owed"));
        }
        self.cash -= gross + i128::from(fill.fee);
        let mut left = fill.quantity;
        for i in order {
            let contract = &mut self.contracts[i];
            let covered = contract.quantity.min(left);
            if covered > 0 {
                contract.cover(covered);
                left -= covered;
            }
        }
        // 余券: what exceeds every short is the client's.
        self.held += i128::from(left);
        Ok(())
    }

    pub(crate) fn repay(&mut self, i: usize, repayment: Repayment) -> Result<(), Refusal> {
        let contract = &self.contracts[i];
        match repayment {
            Repayment::Cash(amount) => {
                let amount = i128::from(amount);
                if amount > self.cash {
                    return Err(refusal(Code::InsufficientCash, "more repaid than there is cash"));
                }
                if amount > contract.owed() {
                    return Err(refusal(Code::ExceedsDebt, "more repaid than the contract owes"));
                }
                let policy = &self.market.policy;
                let release: Option<Release> = Some(policy.release);
                self.cash -= self.contracts[i].apply(amount, policy.repay_order, release);
            }
            Repayment::Shares(quantity) => {
                if contract.is_financing() {
                    return Err(refusal(Code::BadValue, "shares are returned for a short contract"));
                }
                if i128::from(quantity) > self.free_shares() {
                    return Err(refusal(Code::InsufficientPosition, "more returned than free shares"));
                }
                if quantity > contract.quantity {
                    return Err(refusal(Code::ExceedsDebt, "more returned than owed"));
                }
                self.held -= i128::from(quantity);
                self.contracts[i].cover(quantity);
            }
        }
        Ok(())
    }

    pub(crate) fn interest(&mut self, i: usize, amount: i64, kind: InterestKind) -> Result<(), Refusal> {
        let contract = &mut self.contracts[i];
        let accrued = contract.interest;
        let amount = i128::from(amount);
        let after = match kind {
            InterestKind::Settled => accrued - amount,
            InterestKind::Adjust | InterestKind::Penalty => accrued + amount,
        };
        if after < 0 {
            return Err(refusal(Code::ExceedsDebt, "more than is accrued"));
        }
        if kind == InterestKind::Settled {
            self.cash -= amount;
        }
        contract.interest = after;
        Ok(())
    }

    /// Shares in or out; out only free ones.
    pub(crate) fn transfer(&mut self, quantity: Quantity) -> Result<(), Refusal> {
        if i128::from(quantity) < -self.free_shares() {
            return Err(refusal(Code::InsufficientPosition, "more moved out than free shares"));
        }
        self.held += i128::from(quantity);
        Ok(())
    }
}

fn unknown() -> Refusal {
    refusal(Code::UnknownContract, "no such open contract")
}
