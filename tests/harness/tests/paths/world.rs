//! A seeded book whose accounts lie near their lines, and what happens to it.

use plimsoll_engine::input::{
    AccountInput, AccountName, ActionKind, Board, Body, CashReason, Class, ClientClass, ContractName,
    ContractSide, CorporateAction, CustomerName, Entry, Epoch, Exchange, Fill, Input, Line, LinesPatch,
    NamedContract, Opening, OpeningContract, Owner, Phase, Quote, Repayment, SecurityName, SecurityRecord,
    Side, SourceName,
};
use plimsoll_engine::num::{Date, Money, Quantity, Time};
use plimsoll_tests::streams::rng::Rng;

/// Lines of the default policy in the order of the tiers watch to insolvent, 1/10 000.
pub const LINES: [i128; 5] = [18_000, 15_000, 13_000, 11_500, 10_000];
const FIRST_DAY: Date = Date(20_472);

/// What an epoch of prices does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// One to three quotes.
    Ticks,
    /// A snapshot of small moves.
    Calm,
    /// A snapshot with a common fall, or rise.
    Crash,
    /// Prices swing to and fro where accounts cross.
    Swing,
    /// Everything at limit-down.
    LimitDown,
}

/// The book.
pub struct World {
    pub rng: Rng,
    pub epoch: Epoch,
    day: Date,
    /// The prices of now, 1/10 000 yuan.
    pub prices: Vec<Money>,
    halted: Vec<bool>,
    /// Lines of each account, as the test itself knows them.
    pub lines: Vec<[Option<i128>; 5]>,
    pub feed: Feed,
    pub accounts: usize,
    pub securities: usize,
    contracts: u32,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let feed =
            [Feed::Ticks, Feed::Calm, Feed::Ticks, Feed::Crash, Feed::Ticks, Feed::Swing][seed as usize % 6];
        // Ticks need a market in which most securities have few of many holders.
        let (accounts, securities) = if feed == Feed::Ticks { (1_000, 480) } else { (60, 24) };
        let prices = (0..securities).map(|_| rng.range(100, 4_000) * 1_000).collect();
        World {
            rng,
            epoch: Epoch::new(1, Time(FIRST_DAY.start().0 - 3_600_000_000)),
            day: FIRST_DAY,
            prices,
            halted: vec![false; securities],
            lines: vec![LINES.map(Some); accounts],
            feed,
            accounts,
            securities,
            contracts: 0,
        }
    }

    pub fn push(&mut self, input: Input) {
        let (at, body) = (self.epoch.clock, Body::Input(input));
        let source = Some(SourceName(0));
        self.epoch.entries.push(Entry { source, id: (0, 0), source_seq: None, at, identified: false, body });
    }

    pub fn of(&mut self, account: usize, input: AccountInput) {
        self.push(Input::OfAccount(Some(AccountName(account as u32)), input));
    }

    fn quote(&mut self, security: usize) {
        let price = Some(self.prices[security] as u32);
        let security = Some(SecurityName(security as u32));
        let phase = Phase::Continuous;
        let absent =
            Quote { security, price, prev_close: 0, bid1: 0, ask1: 0, limit_up: 0, limit_down: 0, phase };
        self.push(Input::Quote(absent));
    }

    fn list(&mut self) {
        for security in 0..self.securities {
            self.push(Input::Security(Box::new(SecurityRecord {
                security: SecurityName(security as u32),
                exchange: Exchange::Sh,
                class: Class::AShare,
                board: Board::Main,
                indices: Vec::new(),
                risk_warning: false,
                delisting: false,
                suspended: false,
                suspended_since: None,
                collateral: true,
                haircut: 7_000,
                financing_margin: None,
                short_margin: None,
                pe_static: None,
                group: None,
                tick: None,
                average_turnover: None,
            })));
            self.quote(security);
        }
        for account in 0..self.accounts {
            let (name, customer) = (AccountName(account as u32), CustomerName(account as u32));
            self.push(Input::Account {
                account: name,
                owner: Owner { customer, class: ClientClass::Individual, branch: None },
            });
        }
    }

    /// Opens an account near one of its lines: a few positions, one of them the security that
    /// everybody holds; odd lots; now and then a holding too large for a row, or shares owed.
    fn open(&mut self, account: usize) {
        if self.rng.below(8) == 0 {
            self.state_lines(account);
        }
        let mut positions: Vec<(usize, Quantity)> = vec![(0, self.rng.range(1, 5_000))];
        for _ in 0..self.rng.below(6) {
            let security = self.rng.below(self.securities);
            if positions.iter().all(|&(held, _)| held != security) {
                let size = [5_000, 300_000, 2_000_000, 80_000_000, 3_000_000_000];
                let size = size[[0, 0, 0, 0, 1, 1, 2, 2, 3, 4][self.rng.below(10)]];
                positions.push((security, self.rng.range(1, size)));
            }
        }
        let value =
            |quantity: Quantity, security: usize| i128::from(quantity) * i128::from(self.prices[security]);
        let long: i128 = positions.iter().map(|&(s, q)| value(q, s)).sum();
        let cash = self.rng.wide(0, long / 4);
        let ratio = LINES[self.rng.below(5)] + self.rng.wide(-400, 900) + 1;
        let debt = ((long + cash) * 10_000 / ratio).min(i128::from(i64::MAX / 200)) as Money;
        let mut contracts = Vec::new();
        let mut left = debt;
        if self.rng.below(5) == 0 {
            let security = self.rng.below(self.securities);
            let quantity = (debt / 3 / self.prices[security]).max(1);
            left -= quantity * self.prices[security];
            contracts.push((ContractSide::Short, security, quantity, quantity * 20_000));
        }
        contracts.push((ContractSide::Financing, positions[0].0, positions[0].1, left.max(10_000)));
        let contracts: Vec<_> = contracts
            .into_iter()
            .map(|(side, security, quantity, amount)| {
                self.contracts += 1;
                OpeningContract {
                    contract: ContractName(self.contracts),
                    side,
                    security: Some(SecurityName(security as u32)),
                    quantity,
                    amount,
                    interest: 0,
                    rate: 8_000_000,
                    opened: Date(FIRST_DAY.0 - 10),
                    due: None,
                    margin_ratio: Some(10_000),
                }
            })
            .collect();
        let in_debt = self.rng.below(12) != 0;
        let opening = Opening {
            cash: cash.min(i128::from(i64::MAX / 200)) as Money,
            positions: positions.into_iter().map(|(s, q)| (Some(SecurityName(s as u32)), q)).collect(),
            contracts: if in_debt { contracts } else { Vec::new() },
            other_collateral: 0,
            receivables: None,
        };
        self.of(account, AccountInput::Opening(Box::new(opening)));
    }

    pub fn state_lines(&mut self, account: usize) {
        let watch = 18_000 + self.rng.range(0, 3_000);
        let mut patch = LinesPatch::default();
        patch.lines[1] = Some(Line::At(watch as u32));
        self.lines[account][0] = Some(i128::from(watch));
        let immediate = self.rng.below(2) == 0;
        patch.lines[4] = Some(if immediate { Line::At(11_000) } else { Line::Absent });
        self.lines[account][3] = immediate.then_some(11_000);
        self.of(account, AccountInput::Lines(Box::new(patch), None));
    }

    /// Moves a price by a common part and a noise, in parts of a million.
    fn moved(&mut self, security: usize, common: i64, noise: i64) {
        if !self.halted[security] {
            let noise = self.rng.range(-noise, noise);
            let price = self.prices[security] * (1_000_000 + common + noise) / 1_000_000;
            self.prices[security] = price.clamp(200, 2_000_000_000);
            self.quote(security);
        }
    }

    /// Prices of one epoch.
    pub fn prices(&mut self) {
        let number = self.epoch.number;
        let snapshot =
            |world: &mut Self, common| (0..world.securities).for_each(|s| world.moved(s, common, 1_000));
        let seldom = if self.feed == Feed::Ticks { 400 } else { 40 };
        match if self.rng.below(seldom) == 0 { Feed::LimitDown } else { self.feed } {
            Feed::Ticks => {
                for _ in 0..=self.rng.below(3) {
                    // The one that everybody holds is quoted more often than another.
                    let security = if self.rng.below(60) == 0 { 0 } else { self.rng.below(self.securities) };
                    self.moved(security, 0, 30_000);
                }
            }
            Feed::Calm => snapshot(self, 0),
            Feed::Crash => snapshot(self, if (number / 60).is_multiple_of(2) { -2_000 } else { 2_000 }),
            Feed::Swing => snapshot(self, if number.is_multiple_of(2) { -12_000 } else { 12_000 }),
            Feed::LimitDown => {
                snapshot(self, -100_000);
                // And back the next time, or there would be nobody left above a line.
                self.prices.iter_mut().for_each(|price| *price = *price * 10 / 9);
            }
        }
    }

    /// Facts of one epoch: what can be refused is, and changes nothing.
    fn facts(&mut self) {
        for _ in 0..=self.rng.below(3) {
            let account = self.rng.below(self.accounts);
            let security = Some(SecurityName(self.rng.below(self.securities) as u32));
            let input = match self.rng.below(6) {
                0 => AccountInput::Cash(self.rng.range(-1_000_000, 1_000_000), CashReason::Adjustment),
                1 => AccountInput::Transfer(security, self.rng.range(-300, 300)),
                2 => AccountInput::OtherCollateral(self.rng.range(0, 1_000_000)),
                3 => {
                    let contract = Some(ContractName(self.rng.range(1, i64::from(self.contracts)) as u32));
                    AccountInput::Repay(contract, Repayment::Cash(self.rng.range(1, 50_000_000)))
                }
                _ => {
                    let side = Side::ALL[self.rng.below(Side::ALL.len() - 1)];
                    self.contracts += 1;
                    AccountInput::Fill(Box::new(Fill {
                        side,
                        security,
                        quantity: self.rng.range(1, 400),
                        price: self.prices[security.map_or(0, SecurityName::index)],
                        fee: 100,
                        contract: NamedContract::Unnamed(ContractName(self.contracts)),
                        rate: 8_000_000,
                        due: None,
                        margin_ratio: None,
                    }))
                }
            };
            self.of(account, input);
        }
    }

    fn rare(&mut self) {
        let security = Some(SecurityName(self.rng.below(self.securities) as u32));
        match self.rng.below(6) {
            0 => self.halted[security.map_or(0, SecurityName::index)] ^= true,
            1 => {
                let price = [None, Some(0), Some(self.rng.range(1, 5_000_000))][self.rng.below(3)];
                self.push(Input::Mark(security, price));
            }
            2 => {
                let account = self.rng.below(self.accounts);
                self.open(account);
            }
            3 => {
                let account = self.rng.below(self.accounts);
                self.state_lines(account);
            }
            _ => {
                let kind = [ActionKind::CashDividend, ActionKind::Bonus][self.rng.below(2)];
                let ex_date = Date(self.day.0 + 1);
                self.push(Input::CorporateAction(Box::new(CorporateAction {
                    security,
                    kind,
                    ex_date,
                    pay_date: None,
                    per_share: 10_000_000,
                    ratio: 20_000_000,
                    price: 0,
                    compensation: None,
                })));
            }
        }
    }

    /// Puts the next epoch together; tells whether it settles a day.
    pub fn next_epoch(&mut self) -> bool {
        let number = self.epoch.number;
        let mut settles = false;
        match number {
            1 => self.list(),
            2 => (0..self.accounts).for_each(|account| self.open(account)),
            _ if number.is_multiple_of(100) => {
                settles = true;
                self.push(Input::DayEnd(self.day));
            }
            _ if number % 100 == 1 => {
                self.day = Date(self.day.0 + 1);
                self.push(Input::DayStart(self.day));
            }
            _ if number.is_multiple_of(17) => self.rare(),
            _ if number.is_multiple_of(5) => self.facts(),
            _ => self.prices(),
        }
        settles
    }

    pub fn stepped(&mut self) {
        self.epoch.number += 1;
        self.epoch.clock = Time(self.epoch.clock.0 + 3_000_000);
        self.epoch.entries.clear();
    }
}
