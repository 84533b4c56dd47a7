//! What the counter reports during a day: fills, cash, repayments, transfers. All of it can have
//! happened: a mirror of each active account keeps balances that are never above the real ones.
//!
//! The mirror is simpler than the engine's books, on the safe side: it accrues no interest, so a
//! debt is at least what the mirror says, and of proceeds of a sale that repays it keeps nothing
//! as cash. A repayment, sale, return or withdrawal within the mirror's balance is thus always
//! within the real one.

use crate::book::{Account, Book, Debt, FEN, Holding};
use crate::calibration::{ACTIVE, CHINA, FACTS_OF_ACTIVE};
use crate::chance::{Dice, Purpose};
use crate::config::Profile;
use crate::prices::Prices;
use plimsoll_engine::input::{CashReason, Class, ContractSide, Side};
use plimsoll_engine::num::{Date, Money, Quantity, Rate, YUAN};
use std::collections::HashMap;

/// Names of a contract: the date it was opened on, and its number on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractName(pub Date, pub u32);

/// What happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Number of the account.
    pub account: u64,
    /// What.
    pub event: FactEvent,
}

/// Kinds of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactEvent {
    /// A fill.
    Fill {
        /// Side.
        side: Side,
        /// Place of the security.
        security: u32,
        /// Shares.
        quantity: Quantity,
        /// Price of each.
        price: Money,
        /// Fee in all.
        fee: Money,
        /// The contract opened or repaid.
        contract: Option<ContractName>,
        /// Rate of a contract opened.
        rate: Option<Rate>,
    },
    /// Cash came or went.
    Cash {
        /// Signed amount.
        amount: Money,
        /// Why.
        reason: CashReason,
    },
    /// A contract was repaid in cash.
    Repay {
        /// Which.
        contract: ContractName,
        /// How much.
        amount: Money,
    },
    /// Shares came or went.
    Transfer {
        /// Place of the security.
        security: u32,
        /// Signed quantity.
        quantity: Quantity,
    },
}

/// Ratio (1/10 000) from which an account may borrow or take out: no line or band is near it.
const SAFE_RATIO: i128 = 21_500;
/// Ratio from which it may withdraw: above every `free` line.
const WITHDRAW_RATIO: i128 = 33_000;
/// Tries to find a fact that is possible before the account does nothing.
const TRIES: usize = 4;

/// An active account.
struct Mirror {
    account: Account,
    /// Shares of each holding that were there when the day began and are not sold yet.
    sellable: Vec<Quantity>,
    /// Number of the next contract opened today.
    next: u32,
    day: Date,
}

/// The counter of a broker.
pub struct Counter<'a> {
    book: &'a Book<'a>,
    active: HashMap<u64, Mirror>,
    dice: Dice,
    day: Date,
    in_debt: u64,
}

impl<'a> Counter<'a> {
    /// A counter over a book.
    #[must_use]
    pub fn new(book: &'a Book<'a>, seed: u64, profile: Profile, day: Date) -> Self {
        let in_debt = match profile {
            Profile::Stress => book.len(),
            Profile::China => book.len() * CHINA.1 / CHINA.0,
        };
        let dice = Dice::new(seed, Purpose::Counter, 0);
        Counter { book, active: HashMap::new(), dice, day, in_debt }
    }

    /// Facts of a day at this book's size.
    #[must_use]
    pub fn facts_a_day(&self) -> u64 {
        self.in_debt * ACTIVE * FACTS_OF_ACTIVE / 1000
    }

    /// Begins a day.
    pub fn open_day(&mut self, day: Date) {
        self.day = day;
    }

    /// Something that one account does now, or `None` where the one chosen can do nothing.
    pub fn fact(&mut self, prices: &Prices<'_>) -> Option<Fact> {
        // Those without debt trade too, but less.
        let mut number = self.choose();
        for _ in 0..TRIES * 4 {
            if self.book.owes(number) || self.dice.permille(50) {
                break;
            }
            number = self.choose();
        }
        let day = self.day;
        let book = self.book;
        let mirror = self.active.entry(number).or_insert_with(|| Mirror::of(book, number, day));
        mirror.begin(day);
        let dice = &mut self.dice;
        let event = (0..TRIES).find_map(|_| mirror.act(prices, dice))?;
        mirror.apply(&event);
        Some(Fact { account: number, event })
    }

    /// The same quarter of the accounts does all of a day's trading, another each day.
    fn choose(&mut self) -> u64 {
        let active = (self.book.len() * ACTIVE / 1000).max(1);
        let first = self.day.0.unsigned_abs() as u64 * active;
        let one = self.dice.below(active);
        // A stride prime to every length short of it spreads the quarter over the whole book.
        let place = u128::from(first + one) * 982_451_653 % u128::from(self.book.len().max(1));
        place as u64
    }
}

impl Mirror {
    fn of(book: &Book<'_>, number: u64, day: Date) -> Self {
        let mut account = Account::default();
        book.account(number, &mut account);
        Mirror { account, sellable: Vec::new(), next: 1, day: Date(day.0 - 1) }
    }

    fn begin(&mut self, day: Date) {
        if self.day != day {
            self.day = day;
            self.next = 1;
            self.sellable.clear();
            self.sellable.extend(self.account.holdings.iter().map(|holding| holding.quantity));
        }
    }

    /// Assets and debts at the prices of now, debts without the interest since the opening.
    fn balance(&self, prices: &Prices<'_>) -> (i128, i128) {
        let value = |security, quantity: i64| i128::from(prices.price(security)) * i128::from(quantity);
        let long: i128 = self.account.holdings.iter().map(|h| value(h.security, h.quantity)).sum();
        let debts = self.account.debts.iter().map(|debt| match debt.side {
            ContractSide::Financing => i128::from(debt.amount + debt.interest),
            ContractSide::Short => value(debt.security, debt.quantity) + i128::from(debt.interest),
        });
        (i128::from(self.account.cash) + long, debts.sum())
    }

    fn is_above(&self, ratio: i128, prices: &Prices<'_>) -> bool {
        let (assets, debts) = self.balance(prices);
        debts == 0 || assets * 10_000 > ratio * debts
    }

    /// Draws something to do; `None` where it is not possible.
    fn act(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        match dice.pick(&[340, 370, 90, 90, 60, 30, 80, 12, 80, 60]) {
            0 => self.margin_buy(prices, dice),
            1 => self.sell_to_repay(prices, dice),
            2 => self.collateral_buy(prices, dice),
            3 => self.collateral_sell(prices, dice),
            4 => {
                let amount = dice.between(10, 4_000) * 100 * YUAN;
                Some(FactEvent::Cash { amount, reason: CashReason::Deposit })
            }
            5 => self.withdrawal(prices, dice),
            6 => self.repay(dice),
            7 => self.transfer(prices, dice),
            8 => self.short_sell(prices, dice),
            _ => self.buy_to_cover(prices, dice),
        }
    }

    fn margin_buy(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let holding = self.holding(prices, dice)?;
        let record = &prices.universe().securities[holding.security as usize];
        let (_, debts) = self.balance(prices);
        if !record.financing || debts == 0 || !self.is_above(SAFE_RATIO, prices) {
            return None;
        }
        let value = debts * i128::from(dice.between(40, 400)) / 1000;
        let price = prices.price(holding.security);
        let quantity = lots(value as i64, price, record.round())?;
        let fee = fee(quantity * price, false);
        (self.account.cash >= fee).then(|| FactEvent::Fill {
            side: Side::MarginBuy,
            security: holding.security,
            quantity,
            price,
            fee,
            contract: Some(ContractName(self.day, self.next)),
            rate: Some(dice.between(35, 83) as Rate * 100_000 + 50_000),
        })
    }

    fn sell_to_repay(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let place = self.sold(prices, dice)?;
        let security = self.account.holdings[place].security;
        let (_, debts) = self.balance(prices);
        let contract = self.account.debts.iter().find(|debt| {
            debt.side == ContractSide::Financing && debt.amount > 0 && debt.security == security
        })?;
        let value = (debts * i128::from(dice.between(40, 400)) / 1000).min(i128::from(contract.amount));
        let price = prices.price(security);
        let round = prices.universe().securities[security as usize].round();
        let quantity = lots(value as i64, price, round)?.min(self.sellable[place]);
        let contract = Some(ContractName(contract.opened, contract.number));
        Some(self.fill(Side::SellToRepay, security, quantity, price, contract, prices))
    }

    fn collateral_buy(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let holding = self.holding(prices, dice)?;
        let record = &prices.universe().securities[holding.security as usize];
        if !record.collateral || !self.is_above(SAFE_RATIO, prices) {
            return None;
        }
        let price = prices.price(holding.security);
        let value = self.free_cash() / 1000 * dice.between(200, 900);
        let quantity = lots(value, price, record.round())?;
        let cost = quantity * price + fee(quantity * price, false);
        (cost <= self.free_cash())
            .then(|| self.fill(Side::CollateralBuy, holding.security, quantity, price, None, prices))
    }

    fn collateral_sell(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let place = self.sold(prices, dice)?;
        let security = self.account.holdings[place].security;
        if self.is_tied(security) {
            return None;
        }
        let round = prices.universe().securities[security as usize].round();
        let all = self.sellable[place];
        let part = all / round * dice.between(100, 1000) / 1000 * round;
        // Odd lots are sold with the last round ones, or alone.
        let quantity = if part == 0 || dice.permille(300) { all } else { part };
        let price = prices.price(security);
        Some(self.fill(Side::CollateralSell, security, quantity, price, None, prices))
    }

    fn withdrawal(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let most = self.free_cash() / 2;
        let amount = most / 1000 * dice.between(50, 500) / (100 * YUAN) * 100 * YUAN;
        let able = amount > 0 && self.is_above(WITHDRAW_RATIO, prices) && self.keeps(amount, prices);
        able.then_some(FactEvent::Cash { amount: -amount, reason: CashReason::Withdrawal })
    }

    /// Whether the ratio stays where withdrawals are allowed once an amount has left.
    fn keeps(&self, amount: Money, prices: &Prices<'_>) -> bool {
        let (assets, debts) = self.balance(prices);
        (assets - i128::from(amount)) * 10_000 > WITHDRAW_RATIO * debts
    }

    fn repay(&self, dice: &mut Dice) -> Option<FactEvent> {
        let debts = &self.account.debts;
        let debt = debts.get(dice.below(debts.len() as u64) as usize)?;
        let most = self.free_cash().min(debt.amount) / 1000 * dice.between(100, 1000) / FEN * FEN;
        let able = debt.side == ContractSide::Financing && most > 0;
        let contract = ContractName(debt.opened, debt.number);
        able.then_some(FactEvent::Repay { contract, amount: most })
    }

    fn transfer(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let holding = self.holding(prices, dice)?;
        let round = prices.universe().securities[holding.security as usize].round();
        let quantity = round * dice.between(1, 20);
        if dice.permille(700) {
            return Some(FactEvent::Transfer { security: holding.security, quantity });
        }
        let value = quantity * prices.price(holding.security);
        let able = holding.quantity >= quantity
            && !self.is_tied(holding.security)
            && self.is_above(WITHDRAW_RATIO, prices)
            && self.keeps(value, prices);
        able.then_some(FactEvent::Transfer { security: holding.security, quantity: -quantity })
    }

    fn short_sell(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let (_, debts) = self.balance(prices);
        let universe = prices.universe();
        let security = universe.draw(dice);
        let record = &universe.securities[security as usize];
        // Only those who short at all add to it: what is lent out is little.
        let shorts = self.account.debts.iter().any(|debt| debt.side == ContractSide::Short);
        let held = self.account.holdings.iter().any(|holding| holding.security == security);
        let able = shorts && !held && record.shorting && prices.trades(security);
        if !able || !self.is_above(SAFE_RATIO, prices) {
            return None;
        }
        let price = prices.price(security);
        let quantity =
            lots((debts * i128::from(dice.between(30, 200)) / 1000) as i64, price, record.round())?;
        Some(FactEvent::Fill {
            side: Side::ShortSell,
            security,
            quantity,
            price,
            fee: fee(quantity * price, record.class == Class::AShare),
            contract: Some(ContractName(self.day, self.next)),
            rate: Some(dice.between(70, 106) as Rate * 100_000),
        })
    }

    fn buy_to_cover(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<FactEvent> {
        let debt = self.account.debts.iter().find(|debt| {
            // A short of today is covered tomorrow at the earliest.
            debt.side == ContractSide::Short && debt.quantity > 0 && debt.opened < self.day
        })?;
        let price = prices.price(debt.security);
        let quantity = (debt.quantity * dice.between(200, 1000) / 1000).max(1);
        let cost = quantity * price + fee(quantity * price, false);
        let able = prices.trades(debt.security) && cost <= self.account.cash;
        let contract = Some(ContractName(debt.opened, debt.number));
        able.then(|| self.fill(Side::BuyToCover, debt.security, quantity, price, contract, prices))
    }

    fn fill(
        &self,
        side: Side,
        security: u32,
        quantity: Quantity,
        price: Money,
        contract: Option<ContractName>,
        prices: &Prices<'_>,
    ) -> FactEvent {
        let share = prices.universe().securities[security as usize].class == Class::AShare;
        let sale = matches!(side, Side::SellToRepay | Side::CollateralSell);
        let fee = fee(quantity * price, sale && share);
        FactEvent::Fill { side, security, quantity, price, fee, contract, rate: None }
    }

    /// Cash that is not the proceeds of shorts.
    fn free_cash(&self) -> Money {
        let shorts = self.account.debts.iter().filter(|debt| debt.side == ContractSide::Short);
        (self.account.cash - shorts.map(|debt| debt.amount).sum::<i64>()).max(0)
    }

    fn is_tied(&self, security: u32) -> bool {
        let tie = |debt: &Debt| debt.side == ContractSide::Financing && debt.security == security;
        self.account.debts.iter().any(tie)
    }

    /// A holding that trades and does not stand at a limit.
    fn holding(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<Holding> {
        let holdings = &self.account.holdings;
        let holding = *holdings.get(dice.below(holdings.len() as u64) as usize)?;
        let able = prices.trades(holding.security) && !prices.is_locked(holding.security);
        able.then_some(holding)
    }

    /// The place of a holding of which something may be sold today.
    fn sold(&self, prices: &Prices<'_>, dice: &mut Dice) -> Option<usize> {
        let holding = self.holding(prices, dice)?;
        let place = self.account.holdings.iter().position(|h| h.security == holding.security)?;
        (self.sellable.get(place).copied().unwrap_or(0) > 0).then_some(place)
    }

    /// Moves the balances as far as they are sure.
    fn apply(&mut self, event: &FactEvent) {
        let account = &mut self.account;
        match *event {
            FactEvent::Cash { amount, .. } => account.cash += amount,
            FactEvent::Repay { contract, amount } => {
                account.cash -= amount;
                self.settle(contract, amount, 0);
            }
            FactEvent::Transfer { security, quantity } => self.hold(security, quantity),
            FactEvent::Fill { side, security, quantity, price, fee, contract, rate } => {
                let gross = quantity * price;
                match side {
                    Side::CollateralBuy | Side::Subscribe => {
                        account.cash -= gross + fee;
                        self.hold(security, quantity);
                    }
                    Side::MarginBuy => {
                        account.cash -= fee;
                        self.hold(security, quantity);
                        self.open(ContractSide::Financing, security, quantity, gross, rate);
                    }
                    Side::ShortSell => {
                        account.cash += gross - fee;
                        self.open(ContractSide::Short, security, quantity, gross, rate);
                    }
                    Side::CollateralSell => {
                        account.cash += gross - fee;
                        self.hold(security, -quantity);
                    }
                    Side::SellToRepay => {
                        account.cash += (gross - fee).min(0);
                        self.hold(security, -quantity);
                        if let Some(contract) = contract {
                            self.settle(contract, (gross - fee).max(0), quantity);
                        }
                    }
                    Side::BuyToCover => {
                        account.cash -= gross + fee;
                        if let Some(contract) = contract {
                            self.settle(contract, 0, quantity);
                        }
                    }
                }
            }
        }
    }

    fn hold(&mut self, security: u32, quantity: Quantity) {
        let holdings = &mut self.account.holdings;
        match holdings.iter().position(|holding| holding.security == security) {
            Some(place) => {
                holdings[place].quantity += quantity;
                if quantity < 0 {
                    self.sellable[place] += quantity;
                }
                if holdings[place].quantity == 0 {
                    holdings.swap_remove(place);
                    self.sellable.swap_remove(place);
                }
            }
            None => {
                holdings.push(Holding { security, quantity });
                self.sellable.push(0);
            }
        }
    }

    fn open(&mut self, side: ContractSide, security: u32, quantity: i64, amount: i64, rate: Option<Rate>) {
        self.account.debts.push(Debt {
            side,
            security,
            quantity,
            amount,
            interest: 0,
            rate: rate.unwrap_or(0),
            opened: self.day,
            number: self.next,
            due: self.day.plus_months(6),
            margin_ratio: None,
        });
        self.next += 1;
    }

    /// Lowers a contract.
    fn settle(&mut self, contract: ContractName, amount: Money, quantity: Quantity) {
        let debts = &mut self.account.debts;
        let named = |debt: &Debt| (debt.opened, debt.number) == (contract.0, contract.1);
        let Some(place) = debts.iter().position(named) else { return };
        let debt = &mut debts[place];
        if debt.side == ContractSide::Short {
            debt.amount -=
                (i128::from(debt.amount) * i128::from(quantity) / i128::from(debt.quantity.max(1))) as i64;
        } else {
            debt.amount = (debt.amount - amount).max(0);
        }
        debt.quantity = (debt.quantity - quantity).max(0);
        // A repaid financing contract stays: interest may be left, and shares tied with it.
        if debt.side == ContractSide::Short && debt.quantity == 0 {
            debts.swap_remove(place);
        }
    }
}

/// Round lots that a value buys.
fn lots(value: Money, price: Money, round: i64) -> Option<Quantity> {
    let quantity = value / price.max(1) / round * round;
    (quantity > 0).then_some(quantity)
}

/// Commission of 0.00025, at least 5 yuan, transfer fee of 0.00001, and where it is due stamp duty
/// of 0.0005, each to the fen, half up.
fn fee(gross: Money, stamped: bool) -> Money {
    let of = |rate: i128| {
        ((i128::from(gross) * rate * 2 + 100_000 * i128::from(FEN)) / (200_000 * i128::from(FEN))) as i64
            * FEN
    };
    of(25).max(5 * YUAN) + of(1) + if stamped { of(50) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_rounded_to_the_fen() {
        // 100 000.00 yuan: 25.00 + 1.00 + 50.00.
        assert_eq!(fee(100_000 * YUAN, true), 76 * YUAN);
        // The commission's minimum; the transfer fee of 0.005 yuan goes up to a fen.
        assert_eq!(fee(500 * YUAN, false), 5 * YUAN + FEN);
    }
}
