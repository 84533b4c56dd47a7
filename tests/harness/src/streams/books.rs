//! A light idea of the books, so that most events are possible and prices land near a line.
//!
//! It is not an oracle: it leaves out interest of the day, policies of repayment and suspended marks. Where it
//! drifts, an event is refused instead of accepted, which is a case worth having too; openings bring it back.

use std::collections::BTreeMap;

/// A quantity may not reach this.
pub const MAX_QUANTITY: i64 = 1 << 40;
/// A price may not reach this, in units.
pub const MAX_PRICE: i64 = 1 << 31;
/// Money may not reach this, in units.
pub const MAX_MONEY: i128 = 100_000_000_000_000_000;

/// A security and what is known of its price.
#[derive(Clone, Debug)]
pub struct Security {
    pub code: String,
    pub class: &'static str,
    pub board: &'static str,
    /// Whether its record has been sent.
    pub known: bool,
    pub suspended: bool,
    pub manual: Option<i64>,
    pub last: Option<i64>,
    pub prev: Option<i64>,
    /// Instant of the last accepted quote.
    pub quoted_at: Option<i64>,
    /// Highest price this stream likes to see.
    pub ceiling: i64,
}

impl Security {
    /// The marking price, leaving suspensions out.
    pub fn mark(&self) -> Option<i64> {
        self.manual.or(self.last).or(self.prev)
    }
}

/// One debt of an account.
#[derive(Clone, Debug)]
pub struct Contract {
    pub id: String,
    pub short: bool,
    pub security: usize,
    pub quantity: i64,
    /// Principal, or sale amount.
    pub amount: i128,
    pub interest: i128,
    /// Annual rate in units of 1/10^8.
    pub rate: i64,
    pub opened: i64,
    pub due: Option<i64>,
}

impl Contract {
    /// What a payment in cash can settle at most.
    pub fn payable(&self) -> i128 {
        self.interest + if self.short { 0 } else { self.amount }
    }

    /// Pays interest, then principal; frees tied shares in proportion. Gives back what is left.
    pub fn apply(&mut self, paid: i128, release: bool) -> i128 {
        let interest = paid.min(self.interest);
        self.interest -= interest;
        let mut left = paid - interest;
        if !self.short && self.amount > 0 {
            let principal = left.min(self.amount);
            if release {
                let freed = i128::from(self.quantity) * principal / self.amount;
                self.quantity -= freed as i64;
            }
            self.amount -= principal;
            left -= principal;
            if self.amount == 0 {
                self.quantity = 0;
            }
        }
        left
    }

    /// Takes `covered` shares off a short.
    pub fn cover(&mut self, covered: i64) {
        let (amount, quantity) = (self.amount, i128::from(self.quantity));
        if quantity > 0 {
            self.amount -= (amount * i128::from(covered) * 2 + quantity) / (2 * quantity);
        }
        self.quantity -= covered;
        if self.quantity == 0 {
            self.amount = 0;
        }
    }
}

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    pub code: String,
    pub class: &'static str,
    pub known: bool,
    /// Whether this account likes figures that do not fit into 64 bits.
    pub huge: bool,
    pub cash: i128,
    pub other: i128,
    pub receivables: i128,
    pub positions: BTreeMap<usize, i64>,
    pub contracts: Vec<Contract>,
    /// Lines of its own, in units of 1/10 000.
    pub lines: Vec<i64>,
    /// Ids of its orders in flight.
    pub orders: Vec<String>,
}

/// Assets and debts in units, where every mark is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub assets: i128,
    pub debts: i128,
}

impl Account {
    /// An account nobody has heard of yet.
    pub fn new(code: String, class: &'static str, huge: bool) -> Self {
        Self {
            code,
            class,
            known: false,
            huge,
            cash: 0,
            other: 0,
            receivables: 0,
            positions: BTreeMap::new(),
            contracts: Vec::new(),
            lines: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// Shares held.
    pub fn held(&self, security: usize) -> i64 {
        self.positions.get(&security).copied().unwrap_or(0)
    }

    /// Shares tied to financing contracts.
    pub fn tied(&self, security: usize) -> i64 {
        let of = self.contracts.iter().filter(|c| !c.short && c.security == security);
        of.map(|c| c.quantity).sum()
    }

    /// Shares held that no contract ties.
    pub fn free(&self, security: usize) -> i64 {
        (self.held(security) - self.tied(security)).max(0)
    }

    /// Shares owed.
    pub fn owed(&self, security: usize) -> i64 {
        let of = self.contracts.iter().filter(|c| c.short && c.security == security);
        of.map(|c| c.quantity).sum()
    }

    /// Adds to a position.
    pub fn add(&mut self, security: usize, quantity: i64) {
        let held = self.positions.entry(security).or_insert(0);
        *held += quantity;
        if *held == 0 {
            self.positions.remove(&security);
        }
    }

    /// The contracts' places in contract order.
    pub fn contract_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.contracts.len()).collect();
        order.sort_by_key(|i| {
            let c = &self.contracts[*i];
            (c.due.unwrap_or(i64::MAX), c.opened, *i)
        });
        order
    }

    /// Drops contracts that owe nothing.
    pub fn settle(&mut self) {
        self.contracts.retain(|c| c.amount > 0 || c.interest > 0 || (c.short && c.quantity > 0));
    }

    /// Assets and debts without the cash, or nothing where a mark is missing.
    pub fn figures(&self, securities: &[Security]) -> Option<Figures> {
        let mut assets = self.cash + self.other + self.receivables;
        for (security, quantity) in &self.positions {
            assets += i128::from(*quantity) * i128::from(securities[*security].mark()?);
        }
        let mut debts = 0;
        for contract in &self.contracts {
            debts += contract.interest;
            debts += if contract.short {
                i128::from(contract.quantity) * i128::from(securities[contract.security].mark()?)
            } else {
                contract.amount
            };
        }
        Some(Figures { assets, debts })
    }

    /// The price of a security at which assets are `line` (1/10 000) times the debts.
    pub fn breach(&self, securities: &[Security], security: usize, line: i64) -> Option<i64> {
        let figures = self.figures(securities)?;
        let mark = i128::from(securities[security].mark()?);
        let line = i128::from(line);
        let (long, short) = (i128::from(self.held(security)), i128::from(self.owed(security)));
        let slope = 10_000 * long - line * short;
        if slope == 0 {
            return None;
        }
        let gap = 10_000 * figures.assets - line * figures.debts;
        let price = mark - gap / slope;
        (0 < price && price < i128::from(MAX_PRICE)).then_some(price as i64)
    }

    /// The cash that would have to come in for assets to be `line` times the debts, rounded up to a unit.
    pub fn shortfall(&self, securities: &[Security], line: i64) -> Option<i128> {
        let figures = self.figures(securities)?;
        let wanted = figures.debts * i128::from(line);
        Some(-(-wanted).div_euclid(10_000) - figures.assets)
    }
}
