//! The figures of one account from its books and the marks (domain.md §3, §8), nothing rounded
//! but where §1 says so.

use std::borrow::Cow;

use crate::book::{Account, Contract};
use crate::effect::{Cure, Figures, Valued};
use crate::input::{ContractSide, SecurityName, Side};
use crate::market::Market;
use crate::num::{Bp, Money, ONE_BP, ONE_RATE, Quantity, div_ceil, div_floor};
use crate::policy::{Costs, Lines};

/// Money units of a fen, in which exits are given.
pub(crate) const FEN: i128 = 100;

/// One account as the metrics see it.
pub(crate) struct View<'a> {
    pub account: Cow<'a, Account>,
    pub lines: Lines,
    pub securities: &'a [SecurityName],
    pub quantities: &'a [Quantity],
    pub market: &'a Market,
}

impl View<'_> {
    /// Securities and quantities held.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (SecurityName, Quantity)> + '_ {
        self.securities.iter().copied().zip(self.quantities.iter().copied())
    }

    fn shorts(&self) -> impl Iterator<Item = &Contract> {
        self.account.contracts.iter().filter(|c| !c.is_financing())
    }

    fn mark(&self, security: SecurityName) -> Option<i128> {
        self.market.mark(security).map(i128::from)
    }

    fn haircut(&self, security: SecurityName) -> i128 {
        i128::from(self.market.haircut(security))
    }

    fn long_value(&self) -> Option<i128> {
        self.holdings().map(|(s, q)| self.mark(s).map(|m| m * i128::from(q))).sum()
    }

    fn short_value(&self) -> Option<i128> {
        self.shorts()
            .filter(|c| c.quantity > 0)
            .map(|c| self.mark(c.security).map(|m| m * i128::from(c.quantity)))
            .sum()
    }

    /// A and D, where every share held and owed has a mark.
    pub(crate) fn assets_and_debts(&self) -> (Option<i128>, Option<i128>) {
        let money = self.account.cash + self.account.receivables() + i128::from(self.account.other);
        (self.long_value().map(|v| v + money), self.short_value().map(|v| v + self.account.money_debts()))
    }

    /// Every figure of the state line.
    pub(crate) fn figures(&self) -> Figures {
        let account = &self.account;
        let principal = account.contracts.iter().map(|c| i128::from(c.principal())).sum();
        let interest = account.contracts.iter().map(|c| c.interest).sum();
        let (long_value, short_value) = (self.long_value(), self.short_value());
        let (assets, debts) = self.assets_and_debts();
        let valued = assets.zip(debts).map(|(assets, debts)| self.valued(assets, debts));
        Figures {
            cash: account.cash,
            receivables: account.receivables(),
            other_collateral: account.other,
            principal,
            interest,
            long_value,
            short_value,
            valued,
        }
    }

    fn valued(&self, assets: i128, debts: i128) -> Valued {
        let available_margin = self.available_margin();
        let discounted: i128 = self
            .holdings()
            .map(|(s, q)| i128::from(q) * self.mark(s).unwrap_or(0) * (ONE_BP - self.haircut(s)))
            .sum();
        Valued {
            assets,
            debts,
            available_margin,
            withdrawable: self.withdrawable(assets, debts, available_margin),
            adjusted_assets: assets * ONE_BP - discounted,
            cure: self.cure(assets, debts, self.lines.restore_call()),
        }
    }

    /// M of domain.md §3.2, 1/10⁸ yuan.
    fn available_margin(&self) -> i128 {
        let held: i128 = self.holdings().map(|(s, q)| self.margin_of_holding(s, q)).sum();
        let contracts = self.account.contracts.iter().map(|contract| {
            let (profit, reserved) = self.margin_of_contract(contract);
            profit - reserved
        });
        self.account.cash * ONE_BP + held + contracts.sum::<i128>() - self.frozen_by_orders()
    }

    /// What a holding adds to M: its free shares at mark and haircut.
    pub(crate) fn margin_of_holding(&self, security: SecurityName, quantity: Quantity) -> i128 {
        let free = (i128::from(quantity) - self.account.tied(security)).max(0);
        free * self.mark(security).unwrap_or(0) * self.haircut(security)
    }

    /// What the profit of a contract adds to M (a loss takes), and what M keeps for it.
    pub(crate) fn margin_of_contract(&self, contract: &Contract) -> (i128, i128) {
        let value = i128::from(contract.quantity) * self.mark(contract.security).unwrap_or(0);
        let amount = i128::from(contract.amount);
        let ratio = i128::from(contract.margin_ratio);
        let (profit, reserved) = match contract.side {
            ContractSide::Financing => (value - amount, amount * ratio),
            ContractSide::Short => (amount - value, amount * ONE_BP + value * ratio),
        };
        // Gains count at the haircut, losses in full.
        let counted = profit * if profit < 0 { ONE_BP } else { self.haircut(contract.security) };
        (counted, reserved + contract.interest * ONE_BP)
    }

    pub(crate) fn frozen_by_orders(&self) -> i128 {
        self.account
            .orders()
            .iter()
            .filter_map(|order| {
                let value = i128::from(order.remaining) * i128::from(order.price);
                let security = order.security?;
                let side = match order.side {
                    Side::CollateralBuy => return Some(value * ONE_BP),
                    Side::MarginBuy => ContractSide::Financing,
                    Side::ShortSell => ContractSide::Short,
                    _ => return None,
                };
                let ratio =
                    self.market.opening_ratio(security, side, self.account.class, self.market.clock).0;
                Some(value * i128::from(ratio))
            })
            .sum()
    }

    /// What is left of cash after short sale proceeds and orders to buy.
    fn free_cash(&self) -> i128 {
        let proceeds: i128 = self.shorts().map(|c| i128::from(c.amount)).sum();
        let frozen: i128 = self
            .account
            .orders()
            .iter()
            .filter(|o| o.side == Side::CollateralBuy)
            .map(|o| i128::from(o.remaining) * i128::from(o.price))
            .sum();
        (self.account.cash - proceeds - frozen).max(0)
    }

    /// 可提取, rounded down to 1/10 000 yuan.
    fn withdrawable(&self, assets: i128, debts: i128, available_margin: i128) -> i128 {
        let least = available_margin.min(self.free_cash() * ONE_BP);
        let free_line = i128::from(self.lines.free());
        let amount = if debts == 0 {
            least
        } else if assets * ONE_BP > free_line * debts {
            least.min((assets - i128::from(self.account.other)) * ONE_BP - free_line * debts)
        } else {
            0
        };
        amount.max(0).div_euclid(ONE_BP)
    }

    /// The exits that bring an account with these assets and debts to a restore line; none where it
    /// is at it already.
    pub(crate) fn cure(&self, assets: i128, debts: i128, restore: Bp) -> Option<Cure> {
        let lack = lack(assets, debts, restore)?;
        let sellable = self.holdings().any(|(s, _)| self.mark(s).is_some_and(|m| m > 0));
        let alike = self
            .holdings()
            .any(|(s, _)| self.mark(s).is_some_and(|m| m > 0) && self.account.owed_shares(s) > 0);
        Some(cure_amounts(&CureTerms {
            assets,
            debts,
            lack,
            cash_debt: self.account.money_debts(),
            short_value: self.short_value().unwrap_or(0),
            sellable,
            alike,
            restore,
            costs: self.market.policy.costs,
        }))
    }
}

impl Market {
    /// The margin ratio of a contract opened at a time, and whether an extension reprices
    /// (domain.md §7): the security's published ratio, but at least the minimum in force.
    pub(crate) fn opening_ratio(
        &self,
        security: SecurityName,
        side: ContractSide,
        class: crate::input::ClientClass,
        at: crate::num::Time,
    ) -> (Bp, bool) {
        let published = self.known(security).and_then(|s| match side {
            ContractSide::Financing => s.record.financing_margin,
            ContractSide::Short => s.record.short_margin,
        });
        let (minimum, reprice) = self.rules.minimum(side, class, at);
        (published.unwrap_or(0).max(minimum), reprice)
    }
}

/// What the exit formulas read.
struct CureTerms {
    assets: i128,
    debts: i128,
    lack: i128,
    cash_debt: i128,
    short_value: i128,
    sellable: bool,
    alike: bool,
    restore: Bp,
    costs: Costs,
}

/// What assets lack to a restore line, × 10 000 in money units: n of domain.md §8; none at it already.
pub(crate) fn lack(assets: i128, debts: i128, restore: Bp) -> Option<i128> {
    let n = i128::from(restore) * debts - assets * ONE_BP;
    (debts != 0 && n > 0).then_some(n)
}

/// Fen to add for what is lacking.
pub(crate) fn to_add(lack: i128) -> i128 {
    div_ceil(lack, ONE_BP * FEN)
}

/// Fen to sell, with debts in money and something to sell, for what A and D lack to a restore line;
/// none where no sale does.
pub(crate) fn to_sell(lack: i128, (a, d): (i128, i128), restore: Bp, costs: &Costs) -> Option<i128> {
    let sale = ONE_RATE - costs.sale();
    let over = i128::from(restore) * sale - ONE_BP * ONE_RATE;
    // n × 1 / (over × FEN) in units of 1/10⁸, with the FEN cancelled.
    (over > 0 && more(a, sale, d, ONE_RATE)).then(|| mul_div_ceil(lack, ONE_RATE / FEN, over))
}

/// The formulas of domain.md §8 before caps, each rounded up to 0.01 yuan.
fn cure_amounts(t: &CureTerms) -> Cure {
    let r = i128::from(t.restore);
    let (a, d) = (t.assets, t.debts);
    let n = t.lack;
    let (sale, purchase) = (ONE_RATE - t.costs.sale(), ONE_RATE + t.costs.purchase());
    let above_par = r - ONE_BP;
    let gains = a > d && above_par > 0;
    let part = |exists: bool, times: i128, over: i128| {
        (exists && over > 0).then(|| mul_div_ceil(n, times, over * FEN))
    };
    let repay = || {
        let whole = mul_div_ceil(d, 1, FEN);
        mul_div_ceil(n, 1, r * FEN).min(whole)
    };
    Cure {
        restore: t.restore,
        add: to_add(n),
        repay: (t.cash_debt > 0).then(repay),
        repay_own: part(t.cash_debt > 0 && gains, 1, above_par),
        return_own: part(t.alike && gains, 1, above_par),
        sell: (t.cash_debt > 0 && t.sellable).then(|| to_sell(n, (a, d), t.restore, &t.costs)).flatten(),
        cover: part(t.short_value > 0 && more(a, ONE_RATE, d, purchase), ONE_BP, r * ONE_BP - purchase),
        sell_to_cover: part(
            t.short_value > 0 && t.sellable && more(a, sale, d, purchase),
            purchase,
            r * sale - ONE_BP * purchase,
        ),
    }
}

/// `a × x > d × y` for costs as 1/10⁸.
fn more(a: i128, x: i128, d: i128, y: i128) -> bool {
    a * x > d * y
}

/// `ceil(a × b / c)` without ever forming a product wider than the result: b, c > 0.
fn mul_div_ceil(a: i128, b: i128, c: i128) -> i128 {
    let whole = div_floor(a, c);
    whole * b + div_ceil((a - whole * c) * b, c)
}

/// The value of a quantity at a mark, as far as it has one.
pub(crate) fn value(quantity: i128, mark: Option<Money>) -> i128 {
    quantity * mark.map_or(0, i128::from)
}
