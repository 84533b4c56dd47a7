//! Books and feeds of the seeded broker as epochs of the core, without text or files between.

use plimsoll_broker::{AGREEMENTS, Account, Book, Config, Fact, FactEvent, Profile, Tick, Universe};
use plimsoll_engine::effect::Out;
use plimsoll_engine::input::{
    AccountInput, AccountName, Body, ContractName, CustomerName, Entry, Epoch, Exchange, Fill, Input,
    LinesPatch, NamedContract, Opening, OpeningContract, Owner, Phase, Quote, Receivable, Repayment,
    SecurityName, SecurityRecord, SourceName,
};
use plimsoll_engine::num::{Date, Money, Time};
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::{Engine, Exec, Paths, StepStats};
use plimsoll_wire::door::Door;
use std::collections::HashMap;

/// Accounts opened by one epoch.
const OPENED_AT_ONCE: u64 = 4096;
/// Between two epochs of a feed.
const SNAPSHOT_US: i64 = 3_000_000;
/// 09:30 of the market's day, before midnight UTC plus eight hours.
const OPENING_US: i64 = 5_400_000_000;

/// A book in the core, and what feeds it.
pub struct Bench {
    /// The core.
    pub engine: Engine,
    /// What the last step gave.
    pub out: Out,
    epoch: Epoch,
    contracts: HashMap<(Date, u32), u32>,
    day: Date,
}

/// What a book is made of.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Accounts.
    pub accounts: u64,
    /// Who of them owes.
    pub profile: Profile,
    /// Lanes of the core.
    pub lanes: usize,
    /// How it finds accounts near a line.
    pub paths: Paths,
    /// Seed of everything.
    pub seed: u64,
}

/// The first day of a book: its date, and the securities as of the evening before.
#[must_use]
pub fn universe(shape: &Shape) -> (Universe, Date) {
    let config = Config::default();
    (Universe::new(shape.seed, config.securities, config.first_day, config.positions), config.first_day)
}

/// The accounts of a shape.
#[must_use]
pub fn accounts<'a>(shape: &Shape, universe: &'a Universe, day: Date) -> Book<'a> {
    Book::new(universe, shape.seed, shape.accounts, shape.profile, Config::default().positions, day)
}

/// A core without securities and accounts.
///
/// # Panics
/// Where the product's own tables do not make a policy.
#[must_use]
pub fn empty(shape: &Shape) -> Engine {
    let rules = Door::new().rules().clone();
    let engine = Engine::new(&PolicyDraft::default(), rules, shape.lanes).expect("the default policy");
    engine.with_paths(shape.paths)
}

impl Bench {
    /// An empty core with the securities listed and closed.
    pub fn new(shape: &Shape, universe: &Universe, day: Date, exec: &impl Exec) -> Self {
        let clock = Time(day.previous().start().0 + 10 * 3_600_000_000);
        let mut bench = Bench {
            engine: empty(shape),
            out: Out::default(),
            epoch: Epoch::new(1, clock),
            contracts: HashMap::new(),
            day,
        };
        for (place, security) in universe.securities.iter().enumerate() {
            let name = SecurityName(place as u32);
            bench.push(Input::Security(Box::new(SecurityRecord {
                security: name,
                exchange: Exchange::Sh,
                class: security.class,
                board: security.board,
                indices: Vec::new(),
                risk_warning: security.risk_warning,
                delisting: false,
                suspended: security.suspended_since.is_some(),
                suspended_since: security.suspended_since,
                collateral: security.collateral,
                haircut: security.haircut,
                financing_margin: Some(security.financing_margin),
                short_margin: Some(security.short_margin),
                pe_static: security.pe_static,
                group: None,
                tick: Some(security.tick),
                average_turnover: Some(security.turnover),
            })));
            bench.push(quote(name, None, security.close));
        }
        bench.step(exec);
        bench
    }

    /// Opens every account of a book.
    pub fn open(&mut self, book: &Book<'_>, exec: &impl Exec) {
        let mut account = Account::default();
        for first in (0..book.len()).step_by(OPENED_AT_ONCE as usize) {
            for number in first..(first + OPENED_AT_ONCE).min(book.len()) {
                book.account(number, &mut account);
                let name = AccountName(number as u32);
                let customer = CustomerName(account.customer as u32);
                self.push(Input::Account {
                    account: name,
                    owner: Owner { customer, class: account.client_class(), branch: None },
                });
                if let Some(place) = account.agreement {
                    let patch = LinesPatch { lines: lines(place), ..LinesPatch::default() };
                    self.push(of(name, AccountInput::Lines(Box::new(patch), None)));
                }
                let opening = self.opening(&account);
                self.push(of(name, AccountInput::Opening(Box::new(opening))));
            }
            self.step(exec);
        }
    }

    fn opening(&mut self, account: &Account) -> Opening {
        let contracts = account.debts.iter().map(|debt| OpeningContract {
            contract: ContractName(ordinal(&mut self.contracts, (debt.opened, debt.number))),
            side: debt.side,
            security: Some(SecurityName(debt.security)),
            quantity: debt.quantity,
            amount: debt.amount,
            interest: debt.interest,
            rate: debt.rate,
            opened: debt.opened,
            due: Some(debt.due),
            margin_ratio: debt.margin_ratio,
        });
        let receivable =
            Receivable { amount: i128::from(account.receivable), pay_date: Some(Date(self.day.0 + 2)) };
        Opening {
            cash: account.cash,
            positions: account
                .holdings
                .iter()
                .map(|holding| (Some(SecurityName(holding.security)), holding.quantity))
                .collect(),
            contracts: contracts.collect(),
            other_collateral: account.other_collateral,
            receivables: (account.receivable > 0).then(|| vec![receivable]),
        }
    }

    /// Begins the day of the book.
    pub fn start_day(&mut self, exec: &impl Exec) -> StepStats {
        self.epoch.clock = Time(self.day.start().0 + OPENING_US);
        self.push(Input::DayStart(self.day));
        self.step(exec)
    }

    /// Puts the settlement of the day into the next epoch; the following day begins with it.
    pub fn end_day(&mut self) {
        self.push(Input::DayEnd(self.day));
        self.day = Date(self.day.0 + 1);
    }

    /// Puts prices into the next epoch.
    pub fn quote(&mut self, ticks: &[Tick]) {
        for tick in ticks {
            self.push(quote(SecurityName(tick.security), Some(tick.price), 0));
        }
    }

    /// Puts facts into the next epoch.
    pub fn report(&mut self, facts: &[Fact]) {
        for fact in facts {
            let input = self.fact(fact);
            self.push(of(AccountName(fact.account as u32), input));
        }
    }

    fn fact(&mut self, fact: &Fact) -> AccountInput {
        let mut contract = |name: plimsoll_broker::ContractName| {
            ContractName(ordinal(&mut self.contracts, (name.0, name.1)))
        };
        match fact.event {
            FactEvent::Cash { amount, reason } => AccountInput::Cash(amount, reason),
            FactEvent::Transfer { security, quantity } => {
                AccountInput::Transfer(Some(SecurityName(security)), quantity)
            }
            FactEvent::Repay { contract: name, amount } => {
                AccountInput::Repay(Some(contract(name)), Repayment::Cash(amount))
            }
            FactEvent::Fill { side, security, quantity, price, fee, contract: name, rate } => {
                AccountInput::Fill(Box::new(Fill {
                    side,
                    security: Some(SecurityName(security)),
                    quantity,
                    price,
                    fee,
                    contract: name
                        .map_or(NamedContract::Unknown, |name| NamedContract::Named(contract(name))),
                    rate: rate.unwrap_or(0),
                    due: None,
                    margin_ratio: None,
                }))
            }
        }
    }

    fn push(&mut self, input: Input) {
        let body = Body::Input(input);
        let at = self.epoch.clock;
        let source = Some(SourceName(0));
        self.epoch.entries.push(Entry { source, id: (0, 0), source_seq: None, at, identified: false, body });
    }

    /// Steps the epoch that was put together, and begins the next one.
    pub fn step(&mut self, exec: &impl Exec) -> StepStats {
        let epoch = self.cut();
        self.take(&epoch, exec)
    }

    /// Gives the epoch that was put together, and begins the next one.
    pub fn cut(&mut self) -> Epoch {
        let next = Epoch::new(self.epoch.number + 1, Time(self.epoch.clock.0 + SNAPSHOT_US));
        std::mem::replace(&mut self.epoch, next)
    }

    /// Steps an epoch that was cut.
    pub fn take(&mut self, epoch: &Epoch, exec: &impl Exec) -> StepStats {
        self.engine.step(epoch, exec, &mut self.out)
    }
}

fn of(name: AccountName, input: AccountInput) -> Input {
    Input::OfAccount(Some(name), input)
}

fn quote(name: SecurityName, price: Option<Money>, prev_close: Money) -> Input {
    Input::Quote(Quote {
        security: Some(name),
        price: price.map(|price| price as u32),
        prev_close: prev_close as u32,
        bid1: 0,
        ask1: 0,
        limit_up: 0,
        limit_down: 0,
        phase: Phase::Continuous,
    })
}

fn ordinal(known: &mut HashMap<(Date, u32), u32>, name: (Date, u32)) -> u32 {
    let next = known.len() as u32;
    *known.entry(name).or_insert(next)
}

fn lines(agreement: usize) -> [Option<plimsoll_engine::input::Line>; 7] {
    let row = &AGREEMENTS[agreement];
    [row.free, row.watch, row.warning, row.call, row.immediate, row.restore_call, row.restore_sale]
}
