//! `peers-decimal FOLDER`: what is often written first, exactly: hash maps and `rust_decimal`, every
//! account recomputed at every snapshot.

use peers_common::{BAND, Change, Data, race};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::HashMap;

struct Account {
    fixed: Decimal,
    money: Decimal,
    held: Vec<(u32, Decimal)>,
    owed: Vec<(u32, Decimal)>,
    lines: [Option<Decimal>; 5],
    tier: u8,
}

fn worst(account: &Account, assets: Decimal, debts: Decimal, band: Decimal) -> u8 {
    let holds = |line: Decimal| assets < (line + band) * debts;
    (2..7).rev().find(|&tier| account.lines[tier as usize - 2].is_some_and(holds)).unwrap_or(1)
}

fn judge(account: &Account, assets: Decimal, debts: Decimal, band: Decimal) -> u8 {
    if debts.is_zero() {
        return 0;
    }
    let raw = worst(account, assets, debts, Decimal::ZERO);
    if account.tier == 0 || raw > account.tier {
        return raw;
    }
    worst(account, assets, debts, band).min(account.tier)
}

fn main() {
    let data = Data::load();
    // Four decimals, as a price or a sum of money is printed.
    let yuan = |units: i64| Decimal::new(units, 4);
    let units = |yuan: Decimal| (yuan * Decimal::from(10_000)).to_i128().expect("a whole number of units");
    let mut prices: HashMap<u32, Decimal> = (0..).zip(data.prices.iter().map(|&price| yuan(price))).collect();
    let mut accounts: HashMap<u32, Account> = (0..)
        .zip(data.accounts.iter().map(|account| Account {
            fixed: yuan(account.fixed),
            money: yuan(account.money),
            held: Vec::new(),
            owed: Vec::new(),
            lines: account.lines.map(|line| line.map(yuan)),
            tier: account.tier,
        }))
        .collect();
    for held in &data.positions {
        let account = accounts.get_mut(&held.account).expect("an account");
        account.held.push((held.security, held.quantity.into()));
    }
    for owed in &data.shorts {
        let account = accounts.get_mut(&owed.account).expect("an account");
        account.owed.push((owed.security, owed.quantity.into()));
    }
    let band = yuan(BAND);
    race(
        "HashMap of rust_decimal",
        &data.folder,
        data.feed.len(),
        |epoch| &data.feed[epoch],
        |quotes| {
            for &(security, price) in quotes {
                prices.insert(security, yuan(price));
            }
            let mut changes = Vec::new();
            let worth = |(security, quantity): &(u32, Decimal)| prices[security] * quantity;
            for (&number, account) in &mut accounts {
                let assets = account.fixed + account.held.iter().map(worth).sum::<Decimal>();
                let debts = account.money + account.owed.iter().map(worth).sum::<Decimal>();
                let (from, to) = (account.tier, judge(account, assets, debts, band));
                if from != to {
                    account.tier = to;
                    changes.push(Change {
                        account: number,
                        from,
                        to,
                        assets: units(assets),
                        debts: units(debts),
                    });
                }
            }
            changes.retain(Change::announced);
            changes.sort_unstable();
            changes
        },
    );
}
