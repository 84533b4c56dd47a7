//! The securities of the market: real boards and classes, plausible codes, invented names.

use crate::calibration::{FLOAT_VALUE_MILLION, MOST_HELD, SHARE_PRICE, TURNOVER_THOUSAND};
use crate::chance::{Dice, Purpose, Urn, quantile};
use crate::listing::{Group, LISTING, code, name};
use plimsoll_engine::input::{Board, Class};
use plimsoll_engine::num::{Bp, Date, Money, Quantity, YUAN};
use plimsoll_files::rows::Security as Row;

/// The indices, in the order of their ordinals, and how many members each has.
pub const INDICES: [(&str, usize); 3] = [("SSE180", 180), ("SZSE100", 100), ("BSE50", 50)];

/// A security.
#[derive(Clone, Debug)]
pub struct Security {
    /// Code with its exchange.
    pub code: String,
    /// Invented name.
    pub name: String,
    /// Class.
    pub class: Class,
    /// Board.
    pub board: Board,
    /// Place in [`INDICES`].
    pub index: Option<usize>,
    /// Carries a risk warning.
    pub risk_warning: bool,
    /// Since when it is suspended.
    pub suspended_since: Option<Date>,
    /// Eligible as collateral.
    pub collateral: bool,
    /// Eligible for financing.
    pub financing: bool,
    /// Eligible for shorting.
    pub shorting: bool,
    /// Published haircut.
    pub haircut: Bp,
    /// Published financing margin ratio.
    pub financing_margin: Bp,
    /// Published short margin ratio.
    pub short_margin: Bp,
    /// Shares in all; 0 where the class has none.
    pub total_shares: Quantity,
    /// Shares that float.
    pub float_shares: Quantity,
    /// Static price-earnings ratio, 1/10 000.
    pub pe_static: Option<i64>,
    /// Mean turnover of a day.
    pub turnover: Money,
    /// Units in which it is bought.
    pub lot: i64,
    /// Price step.
    pub tick: Money,
    /// Daily limit, 1/1000; 0 for none.
    pub limit: i64,
    /// Whether it is sold on the day it was bought.
    pub same_day: bool,
    /// First trading day.
    pub listed_on: Date,
    /// Close before the first day.
    pub close: Money,
    /// How much of a common move it makes, 1/1024.
    pub beta: i64,
    /// How much of the usual noise it has, 1/1024.
    pub noise: i64,
    /// Size in its market, 1/10 000; with some chance, popularity follows it.
    pub(crate) size: i64,
}

impl Security {
    /// Units that make a round quantity; a rest of them is an odd lot.
    #[must_use]
    pub fn round(&self) -> i64 {
        // On the boards that trade single shares, holdings still come in hundreds.
        if self.lot == 1 { 100 } else { self.lot }
    }

    /// The record of the wire.
    #[must_use]
    pub fn row(&self) -> Row<'_> {
        let indices = match self.index {
            Some(place) => NAMES[place],
            None => &[],
        };
        let shares = |count| (count > 0).then_some(count);
        Row {
            security: &self.code,
            name: &self.name,
            class: self.class,
            board: self.board,
            indices: Some(indices),
            risk_warning: self.risk_warning,
            delisting: false,
            suspended: self.suspended_since.is_some(),
            suspended_since: self.suspended_since,
            collateral: self.collateral,
            financing: self.financing,
            shorting: self.shorting,
            haircut: self.haircut,
            financing_margin: self.financing.then_some(self.financing_margin),
            short_margin: self.shorting.then_some(self.short_margin),
            total_shares: shares(self.total_shares),
            float_shares: shares(self.float_shares),
            pe_static: self.pe_static,
            average_turnover: Some(self.turnover),
            group: None,
            lot: Some(self.lot),
            tick: Some(self.tick),
            sell_after: Some(if self.same_day { "T0" } else { "T1" }),
            listed_on: Some(self.listed_on),
        }
    }
}

/// Shares of the largest companies.
const MOST_SHARES: Quantity = 350_000_000_000;
const NAMES: [&[&str]; 3] = [&[INDICES[0].0], &[INDICES[1].0], &[INDICES[2].0]];

/// All securities, and how accounts choose among them.
#[derive(Clone, Debug)]
pub struct Universe {
    /// In the order of their codes' listing.
    pub securities: Vec<Security>,
    /// Places of `securities`, the most popular first.
    pub ranking: Vec<u32>,
    popularity: Urn,
}

impl Universe {
    /// `count` securities as of a date; `mean_positions` sets how far popularity must fall for the
    /// most held to be held by its share of accounts.
    #[must_use]
    pub fn new(seed: u64, count: usize, first_day: Date, mean_positions: u64) -> Self {
        let mut securities = Vec::with_capacity(count);
        for (group, members) in members(count) {
            for member in 0..members {
                let dice = &mut Dice::new(seed, Purpose::Securities, securities.len() as u64);
                securities.push(draw(group, member, members, first_day, dice));
            }
        }
        name_indices(&mut securities);
        let mut dice = Dice::new(seed, Purpose::Securities, u64::MAX);
        let mut scored: Vec<(i64, u32)> = (0..securities.len() as u32)
            .map(|place| {
                let security = &securities[place as usize];
                (security.size + liking(security) + dice.between(-2_500, 2_500), place)
            })
            .collect();
        scored.sort_unstable_by_key(|&(score, place)| (-score, place));
        let ranking: Vec<u32> = scored.into_iter().map(|(_, place)| place).collect();
        let popularity = Urn::new(&weights(ranking.len() as u64, mean_positions));
        Universe { securities, ranking, popularity }
    }

    /// Securities that exist, the most popular first.
    #[must_use]
    pub fn given(securities: Vec<Security>, mean_positions: u64) -> Self {
        let ranking: Vec<u32> = (0..securities.len() as u32).collect();
        let popularity = Urn::new(&weights(ranking.len() as u64, mean_positions));
        Universe { securities, ranking, popularity }
    }

    /// A security by popularity.
    pub fn draw(&self, dice: &mut Dice) -> u32 {
        self.ranking[self.popularity.draw(dice) as usize]
    }
}

/// Groups of the listing with their members: in proportion, at least one where there is room.
fn members(count: usize) -> Vec<(&'static Group, usize)> {
    let shares: usize = LISTING.iter().map(|group| group.share).sum();
    let mut all: Vec<(&Group, usize)> =
        LISTING.iter().map(|group| (group, count * group.share / shares)).collect();
    // Rounding leaves less than one a group: the listing's first ones take it.
    let given: usize = all.iter().map(|(_, members)| members).sum();
    all.iter_mut().take(count - given).for_each(|(_, members)| *members += 1);
    all
}

/// Weights by rank r: 1 / (r + q), q the largest with which the first is drawn often enough.
fn weights(count: u64, mean_positions: u64) -> Vec<u64> {
    let of = |q: u64| -> Vec<u64> { (0..count).map(|rank| (1 << 40) / (rank + q)).collect() };
    let enough = |q: u64| {
        let weights = of(q);
        let total: u128 = weights.iter().map(|&w| u128::from(w)).sum();
        u128::from(weights[0]) * u128::from(1000 * mean_positions) >= total * u128::from(MOST_HELD)
    };
    let (mut low, mut high) = (1_u64, 4096);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if enough(middle) { low = middle } else { high = middle - 1 }
    }
    of(low)
}

/// What a class or board adds to popularity: credit accounts hold Shanghai's and Shenzhen's shares
/// in about equal parts, hardly any of Beijing's, and few bonds.
fn liking(security: &Security) -> i64 {
    match (security.class, security.board) {
        _ if security.risk_warning => -8_000,
        (Class::AShare, Board::Bse) => -14_000,
        (Class::AShare | Class::Etf, Board::Main) => 600,
        (Class::AShare, _) => 0,
        (Class::Etf, _) => 0,
        (Class::Convertible | Class::Fund | Class::MoneyFund | Class::Reit, _) => -6_000,
        _ => -9_000,
    }
}

fn draw(group: &'static Group, member: usize, members: usize, first_day: Date, dice: &mut Dice) -> Security {
    let size = dice.between(0, 10_000);
    let share = matches!(group.class, Class::AShare | Class::DepositaryReceipt);
    let risk_warning = share && size < 5_000 && dice.permille(70);
    let close = close_of(group, dice);
    // Turnover follows size, but not only.
    let busy = (size * 7 + dice.between(0, 10_000) * 3) / 10;
    let float_value = quantile(&FLOAT_VALUE_MILLION, size) * 1_000_000;
    let float_shares = (float_value * YUAN / close / 10_000 * 10_000).min(MOST_SHARES);
    let float_shares = if share { float_shares } else { 0 };
    let floating = if dice.permille(450) { 1000 } else { dice.between(250, 990) };
    let suspended = share && dice.permille(4);
    let back = dice.between(1, 12) as i32;
    let lively = share && !risk_warning;
    let financing = group.eligible > 0 && !risk_warning && size >= 10_000 - group.eligible;
    Security {
        code: code(group, member, members),
        name: name(group, risk_warning, dice),
        class: group.class,
        board: group.board,
        index: None,
        risk_warning,
        suspended_since: suspended.then_some(Date(first_day.0 - back)),
        collateral: group.haircut.iter().any(|&h| h > 0) && !risk_warning,
        financing,
        shorting: financing && size >= 3_000,
        haircut: if risk_warning { 0 } else { haircut(group, size, dice) },
        financing_margin: if dice.permille(80) { 12_000 } else { 10_000 },
        short_margin: if dice.permille(120) { 12_000 } else { 10_000 },
        total_shares: (float_shares / 100 * (100_000 / floating)).min(MOST_SHARES),
        float_shares,
        pe_static: share.then(|| pe(lively, dice)),
        turnover: quantile(&TURNOVER_THOUSAND, busy) * 1000 * YUAN,
        lot: group.lot,
        tick: group.tick,
        limit: if risk_warning && group.limit == 100 { 50 } else { group.limit },
        same_day: group.same_day,
        listed_on: Date(first_day.0 - dice.between(60, 9_000) as i32),
        close,
        beta: dice.between(640, 1_400) * group.liveliness / 1000,
        noise: dice.between(700, 1_350) * group.liveliness / 1000,
        size,
    }
}

fn close_of(group: &Group, dice: &mut Dice) -> Money {
    let place = dice.between(0, 10_000);
    let price = match group.close {
        None => quantile(&SHARE_PRICE, place) * group.dearness / 1000,
        Some((low, high)) => low + (high - low) * place / 10_000,
    };
    (price / group.tick).max(1) * group.tick
}

/// A published haircut: one of the group's, the better the larger the security.
fn haircut(group: &Group, size: i64, dice: &mut Dice) -> Bp {
    let steps = group.haircut.len() as i64;
    let place = (size + dice.between(-2_000, 2_000)).clamp(0, 9_999) * steps / 10_000;
    group.haircut[place as usize]
}

/// Most earn; a few lose, and a few cost over 300 times what they earn.
fn pe(lively: bool, dice: &mut Dice) -> i64 {
    let losing = if lively { 20 } else { 600 };
    if dice.permille(losing) {
        dice.between(-2_000_000, -10_000)
    } else if dice.permille(15) {
        dice.between(3_000_000, 9_000_000)
    } else {
        dice.between(60_000, 900_000)
    }
}

/// Makes the largest shares of each exchange members of its index. A small market has as small a
/// part of it in the index as the real one.
fn name_indices(securities: &mut [Security]) {
    for (index, &(_, full)) in INDICES.iter().enumerate() {
        let mut able: Vec<usize> = (0..securities.len())
            .filter(|&place| {
                let one = &securities[place];
                let listed = match index {
                    0 => one.code.ends_with(".SH"),
                    1 => one.code.ends_with(".SZ"),
                    _ => one.code.ends_with(".BJ"),
                };
                listed && one.class == Class::AShare && !one.risk_warning
            })
            .collect();
        able.sort_by_key(|&place| (-securities[place].float_shares * securities[place].close / YUAN, place));
        for &place in able.iter().take(full.min(able.len().div_ceil(4))) {
            let member = &mut securities[place];
            member.index = Some(index);
            // Members may count for five points more than the other shares of their board.
            let cap = if member.board == Board::Bse { 3_000 } else { 7_000 };
            member.haircut = (member.haircut + 500).min(cap);
        }
    }
}
