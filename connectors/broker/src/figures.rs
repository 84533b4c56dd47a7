//! What came out: figures of the book and of the days, counted and divided on integers.

use crate::book::{Account, Debt};
use crate::counter::{Fact, FactEvent};
use crate::universe::Universe;
use plimsoll_engine::input::{ContractSide, Side};
use std::fmt::Write as _;

/// A share or a ratio that is printed with four decimals, cut off.
fn tenthousandths(part: i128, whole: i128) -> i128 {
    if whole == 0 { 0 } else { part * 10_000 / whole }
}

/// Figures of the opening balances.
#[derive(Clone, Debug, Default)]
pub struct BookFigures {
    /// Accounts in all.
    pub accounts: u64,
    /// Accounts with lines of their own.
    pub own_lines: u64,
    /// Accounts that owe shares.
    pub shorters: u64,
    /// Positions in all.
    pub positions: u64,
    /// Positions that are odd lots.
    pub odd_lots: u64,
    /// Contracts in all.
    pub contracts: u64,
    /// Accounts that hold each security.
    pub holders: Vec<u64>,
    /// Ratio of every account in debt, 1/10 000, cut off.
    pub ratios: Vec<u32>,
    /// Assets and debts of the accounts in debt, 1/10 000 yuan.
    pub assets: i128,
    /// See `assets`.
    pub debts: i128,
    /// Principal of financing contracts, by exchange: Shanghai, Shenzhen, Beijing.
    pub financed: [i128; 3],
    /// Value of shares owed.
    pub short: i128,
    /// Interest and fees.
    pub interest: i128,
}

impl BookFigures {
    /// Counts an account.
    pub fn count(&mut self, account: &Account, universe: &Universe) {
        self.holders.resize(universe.securities.len(), 0);
        self.accounts += 1;
        self.own_lines += u64::from(account.agreement.is_some());
        self.positions += account.holdings.len() as u64;
        self.contracts += account.debts.len() as u64;
        for holding in &account.holdings {
            self.holders[holding.security as usize] += 1;
            let round = universe.securities[holding.security as usize].round();
            self.odd_lots += u64::from(holding.quantity % round != 0);
        }
        self.shorters += u64::from(account.debts.iter().any(|debt| debt.side == ContractSide::Short));
        account.debts.iter().for_each(|debt| self.count_debt(debt, universe));
        let (assets, debts) = account.balance(universe);
        if debts > 0 {
            self.assets += assets;
            self.debts += debts;
            self.ratios.push((assets * 10_000 / debts) as u32);
        }
    }

    fn count_debt(&mut self, debt: &Debt, universe: &Universe) {
        let security = &universe.securities[debt.security as usize];
        self.interest += i128::from(debt.interest);
        match debt.side {
            ContractSide::Financing => {
                let exchange = ["SH", "SZ", "BJ"]
                    .iter()
                    .position(|exchange| security.code.ends_with(exchange))
                    .unwrap_or(0);
                self.financed[exchange] += i128::from(debt.amount);
            }
            ContractSide::Short => {
                self.short += i128::from(security.close) * i128::from(debt.quantity);
            }
        }
    }

    /// Named figures, each with four decimals as an integer of 1/10 000.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, i128)> {
        let sum: i128 = self.ratios.iter().map(|&ratio| i128::from(ratio)).sum();
        let debtors = self.ratios.len() as i128;
        let below = |line: u32| self.ratios.iter().filter(|&&ratio| ratio < line).count() as i128;
        let accounts = i128::from(self.accounts);
        let positions = i128::from(self.positions);
        let financed: i128 = self.financed.iter().sum();
        let most = i128::from(self.holders.iter().copied().max().unwrap_or(0));
        let mut all = vec![
            ("ratio_mean", if debtors == 0 { 0 } else { sum / debtors }),
            ("ratio_of_totals", tenthousandths(self.assets, self.debts)),
        ];
        let places = [("ratio_p01", 100), ("ratio_p05", 500), ("ratio_p25", 2_500)];
        let upper = [("ratio_median", 5_000), ("ratio_p75", 7_500), ("ratio_p95", 9_500)];
        let mut sorted = self.ratios.clone();
        sorted.sort_unstable();
        all.extend(places.iter().chain(&upper).map(|&(name, place)| {
            let at = place * sorted.len().saturating_sub(1) / 10_000;
            (name, i128::from(sorted.get(at).copied().unwrap_or(0)))
        }));
        all.extend([
            ("debtors_below_1.80", tenthousandths(below(18_000), debtors)),
            ("debtors_below_1.40", tenthousandths(below(14_000), debtors)),
            ("accounts_in_debt", tenthousandths(debtors, accounts)),
            ("accounts_with_own_lines", tenthousandths(i128::from(self.own_lines), accounts)),
            ("debtors_with_shorts", tenthousandths(i128::from(self.shorters), debtors)),
            ("positions_of_an_account", tenthousandths(positions, accounts)),
            ("contracts_of_a_debtor", tenthousandths(i128::from(self.contracts), debtors)),
            ("odd_lots", tenthousandths(i128::from(self.odd_lots), positions)),
            ("holders_of_the_most_held", tenthousandths(most, accounts)),
            ("short_value_to_financing", tenthousandths(self.short, financed)),
            ("financing_in_shanghai", tenthousandths(self.financed[0], financed)),
            ("financing_in_shenzhen", tenthousandths(self.financed[1], financed)),
            ("financing_in_beijing", tenthousandths(self.financed[2], financed)),
            ("financing_of_a_debtor_yuan", if debtors == 0 { 0 } else { financed / debtors }),
        ]);
        all
    }
}

/// Figures of the days.
#[derive(Clone, Debug, Default)]
pub struct DayFigures {
    /// Quotes.
    pub quotes: u64,
    /// Facts by kind: the sides of fills in their order, then cash, repay, transfer.
    pub facts: [u64; 10],
    /// Value of margin buys, of sales and cash that repay, and of short sales, 1/10 000 yuan.
    pub bought: i128,
    /// See `bought`.
    pub repaid: i128,
    /// See `bought`.
    pub shorted: i128,
}

/// Names of [`DayFigures::facts`].
const FACTS: [&str; 10] = [
    "collateral_buy",
    "collateral_sell",
    "margin_buy",
    "short_sell",
    "sell_to_repay",
    "buy_to_cover",
    "subscribe",
    "cash",
    "repay",
    "transfer",
];

impl DayFigures {
    /// Counts a fact.
    pub fn count(&mut self, fact: &Fact) {
        let place = match fact.event {
            FactEvent::Fill { side, quantity, price, .. } => {
                let gross = i128::from(quantity) * i128::from(price);
                match side {
                    Side::MarginBuy => self.bought += gross,
                    Side::SellToRepay => self.repaid += gross,
                    Side::ShortSell => self.shorted += gross,
                    _ => {}
                }
                side as usize
            }
            FactEvent::Cash { .. } => 7,
            FactEvent::Repay { amount, .. } => {
                self.repaid += i128::from(amount);
                8
            }
            FactEvent::Transfer { .. } => 9,
        };
        self.facts[place] += 1;
    }
}

/// One file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the folder.
    pub name: String,
    /// Its events.
    pub events: u64,
}

/// Everything that was generated.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// What was asked for: names and values.
    pub asked: Vec<(&'static str, String)>,
    /// Figures of the book.
    pub book: BookFigures,
    /// Figures of each day.
    pub days: Vec<DayFigures>,
    /// The files, in the order of replay.
    pub files: Vec<Written>,
}

impl Manifest {
    /// Events in all.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.files.iter().map(|file| file.events).sum()
    }

    /// The manifest as JSON text.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::from("{\n  \"asked\": {");
        for (place, (name, value)) in self.asked.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            // Writing to a text cannot fail.
            let _ = write!(out, "{comma}\"{name}\": \"{value}\"");
        }
        out.push_str("},\n  \"book\": {");
        for (place, (name, value)) in self.book.named().into_iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n    \"{name}\": \"{}.{:04}\"", value / 10_000, value % 10_000);
        }
        let _ = write!(out, ",\n    \"accounts\": {}\n  }},\n  \"days\": [", self.book.accounts);
        let financed: i128 = self.book.financed.iter().sum();
        for (place, day) in self.days.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n    {{\"quotes\": {}", day.quotes);
            for (name, count) in FACTS.iter().zip(day.facts) {
                let _ = write!(out, ", \"{name}\": {count}");
            }
            for (name, value, whole) in [
                ("bought_to_financing", day.bought, financed),
                ("repaid_to_financing", day.repaid, financed),
                ("shorted_to_short_value", day.shorted, self.book.short),
            ] {
                let share = tenthousandths(value, whole);
                let _ = write!(out, ", \"{name}\": \"{}.{:04}\"", share / 10_000, share % 10_000);
            }
            out.push('}');
        }
        out.push_str("\n  ],\n  \"files\": [");
        for (place, file) in self.files.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n    {{\"name\": \"{}\", \"events\": {}}}", file.name, file.events);
        }
        let _ = write!(out, "\n  ],\n  \"events\": {}\n}}\n", self.events());
        out
    }
}
