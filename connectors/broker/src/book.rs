//! The accounts: who they are, what they hold and what they owe before the first day.
//!
//! Every account is drawn from a stream of its own, so a book of any size needs no memory, and the
//! first thousand accounts are the same whatever follows them.

use crate::calendar;
use crate::calibration::{
    ASSETS_BOUNDS_YUAN, ASSETS_MEDIAN_YUAN, ASSETS_SPREAD, CHINA, CLIENT_CLASSES, INSTITUTION_FACTOR,
    MOST_POSITIONS, ODD_LOTS, ONLY_SHORT, OWN_LINES, RATIO, SHORT_SHARE, SHORTERS,
};
use crate::chance::{Dice, ONE, Purpose, Urn, pow2, quantile};
use crate::config::Profile;
use crate::universe::Universe;
use plimsoll_engine::input::{ClientClass, ContractSide};
use plimsoll_engine::num::{Bp, Date, Money, Quantity, Rate, YUAN};

/// One fen.
pub const FEN: i64 = 100;
/// From 2026-01-19 new financing contracts are opened at a margin ratio of 1.00, not 0.80.
const FULL_MARGIN_FROM: Date = Date(20_472);

/// A long position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Place of the security.
    pub security: u32,
    /// Shares.
    pub quantity: Quantity,
}

/// A contract: its name is its opening date and its number on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debt {
    /// Side.
    pub side: ContractSide,
    /// Place of the security.
    pub security: u32,
    /// Tied or owed shares.
    pub quantity: Quantity,
    /// Principal or sale amount.
    pub amount: Money,
    /// Accrued interest and fees.
    pub interest: Money,
    /// Annual rate.
    pub rate: Rate,
    /// Opening date.
    pub opened: Date,
    /// Number among the contracts the account opened that day.
    pub number: u32,
    /// Due date.
    pub due: Date,
    /// Margin ratio it was opened under, where the counter states it.
    pub margin_ratio: Option<Bp>,
}

/// An account as it stands before the first day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its number, from 0.
    pub number: u64,
    /// Number of its customer.
    pub customer: u64,
    /// Place of its class in [`ClientClass::ALL`].
    pub class: usize,
    /// Number of its branch.
    pub branch: u64,
    /// Years since it was opened.
    pub age: i32,
    /// Which lines of its own it has: a place in [`crate::agreement::AGREEMENTS`].
    pub agreement: Option<usize>,
    /// Cash, proceeds of short sales included.
    pub cash: Money,
    /// Value agreed for other collateral.
    pub other_collateral: Money,
    /// Money that arrives some days later.
    pub receivable: Money,
    /// Long positions.
    pub holdings: Vec<Holding>,
    /// Contracts.
    pub debts: Vec<Debt>,
}

impl Account {
    /// Its class.
    #[must_use]
    pub fn client_class(&self) -> ClientClass {
        ClientClass::ALL[self.class]
    }

    /// Assets and debts at the closes before the first day.
    #[must_use]
    pub fn balance(&self, universe: &Universe) -> (i128, i128) {
        let value = |security: u32, quantity: i64| {
            i128::from(universe.securities[security as usize].close) * i128::from(quantity)
        };
        let long: i128 = self.holdings.iter().map(|h| value(h.security, h.quantity)).sum();
        let own = i128::from(self.cash + self.other_collateral + self.receivable);
        let debts = self.debts.iter().map(|debt| {
            let owed = match debt.side {
                ContractSide::Financing => i128::from(debt.amount),
                ContractSide::Short => value(debt.security, debt.quantity),
            };
            owed + i128::from(debt.interest)
        });
        (own + long, debts.sum())
    }
}

/// All accounts of a broker.
#[derive(Clone, Debug)]
pub struct Book<'a> {
    universe: &'a Universe,
    seed: u64,
    accounts: u64,
    profile: Profile,
    positions: Urn,
    first_day: Date,
}

impl<'a> Book<'a> {
    /// A book of `accounts` with `positions` each in the mean, before `first_day`.
    #[must_use]
    pub fn new(
        universe: &'a Universe,
        seed: u64,
        accounts: u64,
        profile: Profile,
        positions: u64,
        first_day: Date,
    ) -> Self {
        let positions = Urn::new(&position_weights(positions));
        Book { universe, seed, accounts, profile, positions, first_day }
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.accounts
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts == 0
    }

    /// The securities.
    #[must_use]
    pub fn universe(&self) -> &'a Universe {
        self.universe
    }

    /// Whether an account is in debt.
    #[must_use]
    pub fn owes(&self, number: u64) -> bool {
        match self.profile {
            Profile::Stress => true,
            Profile::China => Dice::new(self.seed, Purpose::Debtor, number).below(CHINA.0) < CHINA.1,
        }
    }

    /// Draws an account.
    pub fn account(&self, number: u64, into: &mut Account) {
        let dice = &mut Dice::new(self.seed, Purpose::Account, number);
        *into = Account {
            number,
            // A customer may have an account at two exchanges' sides of the house: one in fifty.
            customer: if number % 50 == 49 { number - 1 } else { number },
            class: dice.pick(&CLIENT_CLASSES),
            branch: dice.below(self.accounts.div_ceil(3_000)),
            age: dice.between(0, 12) as i32,
            holdings: std::mem::take(&mut into.holdings),
            debts: std::mem::take(&mut into.debts),
            ..Account::default()
        };
        into.holdings.clear();
        into.debts.clear();
        if dice.permille(OWN_LINES) {
            into.agreement = Some(dice.below(crate::agreement::AGREEMENTS.len() as u64) as usize);
        }
        let in_debt = self.owes(number);
        let mut plan = Plan::draw(in_debt, into.class, dice);
        self.choose_securities(into, dice);
        self.size_holdings(&mut plan, into, dice);
        if in_debt {
            self.owe(&plan, into, dice);
        }
    }

    /// Distinct securities by popularity, their quantities to come.
    fn choose_securities(&self, account: &mut Account, dice: &mut Dice) {
        let most = MOST_POSITIONS.min(self.universe.securities.len() / 2);
        let count = (self.positions.draw(dice) as usize + 1).min(most);
        while account.holdings.len() < count {
            let security = self.universe.draw(dice);
            if account.holdings.iter().all(|holding| holding.security != security) {
                account.holdings.push(Holding { security, quantity: 0 });
            }
        }
        // Financing comes first on what is eligible for it.
        let eligible = |h: &Holding| self.universe.securities[h.security as usize].financing;
        account.holdings.sort_by_key(|holding| !eligible(holding));
    }

    /// Splits the value of the long positions: the financed ones near what was borrowed for them.
    fn size_holdings(&self, plan: &mut Plan, account: &mut Account, dice: &mut Dice) {
        let value = plan.assets - plan.cash;
        let count = account.holdings.len();
        let financed = plan.financed.len().min(count);
        let mut values = vec![0_i64; count];
        let mut spent = 0;
        for (place, target) in values.iter_mut().enumerate().take(financed) {
            let gain = dice.between(800, 1_300);
            *target = share(plan.financed[place], gain, 1000);
            spent += *target;
        }
        let most = value / 100 * 97;
        if spent > most {
            values.iter_mut().for_each(|target| *target = share(*target, most, spent));
            spent = most;
        }
        let weights: Vec<i64> = (0..count).map(|_| dice.between(1, 16)).collect();
        // What was not financed goes to the other positions, or on top where there are none.
        let from = if financed < count { financed } else { 0 };
        let total: i64 = weights[from..].iter().sum();
        for place in from..count {
            values[place] += share(value - spent, weights[place], total);
        }
        for (holding, target) in account.holdings.iter_mut().zip(values) {
            holding.quantity = self.quantity(holding.security, target, dice);
        }
        account.cash = plan.cash / FEN * FEN;
        if dice.permille(3) {
            account.other_collateral = plan.assets / 50 / FEN * FEN;
        }
        if dice.permille(5) {
            account.receivable = plan.assets / 400 / FEN * FEN;
        }
    }

    /// A round quantity of about a value, now and then with an odd rest.
    fn quantity(&self, security: u32, value: Money, dice: &mut Dice) -> Quantity {
        let security = &self.universe.securities[security as usize];
        let round = security.round();
        let rounds = (value / security.close / round).max(1);
        let odd = if dice.permille(ODD_LOTS) { dice.between(1, round - 1) } else { 0 };
        rounds * round + odd
    }

    /// Draws the contracts and brings the debt to the ratio planned.
    fn owe(&self, plan: &Plan, account: &mut Account, dice: &mut Dice) {
        self.owe_shares(plan, account, dice);
        let (assets, shorts) = account.balance(self.universe);
        let debt = assets * 10_000 / i128::from(plan.ratio);
        // A short that came out larger than planned leaves at least something financed.
        let least = i128::from(plan.financed.len() as i64 * 100 * YUAN);
        let rest = (debt - shorts).max(if plan.financed.is_empty() { 0 } else { least });
        self.owe_money(plan, rest as i64, account, dice);
        let (assets, debts) = account.balance(self.universe);
        // Lots and fen leave a rest between debt and ratio: cash takes it up.
        if plan.financed.is_empty() || rest == least {
            let missing = (debts * i128::from(plan.ratio) / 10_000 - assets) as i64 / FEN * FEN;
            account.cash = (account.cash + missing).max(0);
        }
    }

    fn owe_shares(&self, plan: &Plan, account: &mut Account, dice: &mut Dice) {
        for &value in &plan.shorts {
            let Some(security) = self.borrowed(account, dice) else { continue };
            let record = &self.universe.securities[security as usize];
            let lots = (value / record.close / record.round()).max(1);
            let quantity = lots * record.round();
            let sold_at = record.close / 100 * dice.between(88, 114) / record.tick * record.tick;
            let (opened, due) = self.term(dice);
            let rate = dice.between(70, 106) as Rate * 100_000;
            let amount = quantity * sold_at.max(record.tick);
            account.cash += amount;
            let interest = accrued(amount, rate, dice);
            let number = account.debts.len() as u32 + 1;
            let margin_ratio = None;
            let side = ContractSide::Short;
            account.debts.push(Debt {
                side,
                security,
                quantity,
                amount,
                interest,
                rate,
                opened,
                number,
                due,
                margin_ratio,
            });
        }
    }

    /// A security that may be shorted, is not held and not owed yet.
    fn borrowed(&self, account: &Account, dice: &mut Dice) -> Option<u32> {
        (0..64).map(|_| self.universe.draw(dice)).find(|&security| {
            let record = &self.universe.securities[security as usize];
            record.shorting
                && record.suspended_since.is_none()
                && account.holdings.iter().all(|holding| holding.security != security)
                && account.debts.iter().all(|debt| debt.security != security)
        })
    }

    /// Splits `debt`, interest included, over the financing contracts.
    fn owe_money(&self, plan: &Plan, debt: Money, account: &mut Account, dice: &mut Dice) {
        let planned: i64 = plan.financed.iter().sum();
        let mut left = debt;
        let count = plan.financed.len();
        for (place, &part) in plan.financed.iter().enumerate() {
            let owed = if place + 1 == count { left } else { share(debt, part, planned) };
            left -= owed;
            let holding = account.holdings[place % account.holdings.len()];
            let record = &self.universe.securities[holding.security as usize];
            let (opened, due) = self.term(dice);
            let rate = dice.between(35, 83) as Rate * 100_000 + 50_000;
            // Interest and principal together are what is owed.
            let interest = accrued(owed, rate, dice).min(owed / 2);
            let amount = owed - interest;
            let bought_at = record.close / 100 * dice.between(82, 122);
            let round = record.round();
            let tied: i64 =
                account.debts.iter().filter(|d| ties(d, holding.security)).map(|d| d.quantity).sum();
            let quantity =
                (amount / bought_at.max(1) / round * round).max(round).min((holding.quantity - tied).max(0));
            let ratio = if opened >= FULL_MARGIN_FROM { 10_000 } else { 8_000 };
            let number = account.debts.len() as u32 + 1;
            let margin_ratio = dice.permille(700).then_some(ratio);
            let (side, security) = (ContractSide::Financing, holding.security);
            account.debts.push(Debt {
                side,
                security,
                quantity,
                amount,
                interest,
                rate,
                opened,
                number,
                due,
                margin_ratio,
            });
        }
    }

    /// Opening and due date of a contract: six months, some of them extended once.
    fn term(&self, dice: &mut Dice) -> (Date, Date) {
        let last = calendar::before(self.first_day);
        let back = dice.between(0, 160) as i32;
        let extended = dice.permille(150);
        let opened = calendar::before(Date(last.0 - back - if extended { 170 } else { 0 }));
        (opened, opened.plus_months(if extended { 12 } else { 6 }))
    }
}

fn ties(debt: &Debt, security: u32) -> bool {
    debt.side == ContractSide::Financing && debt.security == security
}

/// `value × part / whole` without a float or an overflow.
fn share(value: i64, part: i64, whole: i64) -> i64 {
    (i128::from(value) * i128::from(part) / i128::from(whole.max(1))) as i64
}

/// Interest of up to a month, to the fen.
fn accrued(amount: Money, rate: Rate, dice: &mut Dice) -> Money {
    let days = dice.between(0, 30);
    share(share(amount, i64::from(rate), 100_000_000), days, 360) / FEN * FEN
}

/// What an account is meant to be, before securities and lots make it round.
struct Plan {
    /// Maintenance ratio, 1/10 000.
    ratio: i64,
    /// Assets without the proceeds of short sales.
    assets: Money,
    /// Cash without them.
    cash: Money,
    /// Principal of each financing contract.
    financed: Vec<Money>,
    /// Value of each short.
    shorts: Vec<Money>,
}

impl Plan {
    fn draw(in_debt: bool, class: usize, dice: &mut Dice) -> Self {
        let factor = if class == 0 { 1 } else { INSTITUTION_FACTOR };
        let spread = dice.normal() / 1000 * ASSETS_SPREAD;
        let grown = i128::from(ASSETS_MEDIAN_YUAN * factor) * pow2(spread).cast_signed() / i128::from(ONE);
        let (least, most) = ASSETS_BOUNDS_YUAN;
        let assets = grown.clamp(i128::from(least), i128::from(most)) as i64 * YUAN;
        let ratio = quantile(&RATIO, dice.between(0, 10_000));
        // Those who are close to a call have hardly any cash left.
        let cash = match dice.below(10) {
            _ if in_debt && ratio < 18_000 => dice.between(0, 15),
            0..4 => dice.between(0, 5),
            _ => dice.between(0, 150),
        };
        let cash = share(assets, cash, 1000);
        let mut plan = Plan { ratio, assets, cash, financed: Vec::new(), shorts: Vec::new() };
        if in_debt {
            plan.draw_contracts(dice);
        }
        plan
    }

    fn draw_contracts(&mut self, dice: &mut Dice) {
        let mut count = dice.between(1, 3);
        let mut short = 0;
        // With only shorts the ratio sets their size; with both, shorts are the smaller part.
        let mut of_debt = 0;
        if dice.permille(SHORTERS) {
            if dice.permille(ONLY_SHORT) {
                short = count;
                of_debt = 1000;
            } else {
                count = dice.between(2, 3);
                short = dice.between(1, count - 1);
                of_debt = dice.between(SHORT_SHARE.0, SHORT_SHARE.1);
            }
        }
        // Proceeds of shorts add to assets about what the shorts add to debt.
        let debt = share(self.assets, 10_000_000, self.ratio * 1000 - 10_000 * of_debt);
        let owed = share(debt, of_debt, 1000);
        self.shorts = (0..short).map(|_| owed / short).collect();
        let weights: Vec<i64> = (short..count).map(|_| dice.between(2, 8)).collect();
        let total: i64 = weights.iter().sum();
        self.financed = weights.iter().map(|&w| share(debt - owed, w, total)).collect();
    }
}

/// Weights of 1 to [`MOST_POSITIONS`] positions, falling or rising by an even step so that the
/// mean comes out closest to what is asked.
fn position_weights(mean: u64) -> Vec<u64> {
    let of = |step: u64| -> Vec<u64> {
        let mut weight = 1_u128 << 40;
        (0..MOST_POSITIONS)
            .map(|_| {
                let this = weight;
                weight = (weight * u128::from(step)) >> 10;
                this as u64
            })
            .collect()
    };
    let distance = |step: u64| {
        let weights = of(step);
        let total: u128 = weights.iter().map(|&w| u128::from(w)).sum();
        let sum: u128 = weights.iter().zip(1_u128..).map(|(&w, n)| u128::from(w) * n).sum();
        (sum * 1000 / total).abs_diff(u128::from(mean) * 1000)
    };
    of((1..1200).min_by_key(|&step| distance(step)).unwrap_or(1000))
}
