//! `peers-float FOLDER`: the same in `f64`, in the form a spreadsheet or a first version has: yuan and
//! a ratio that is divided. It shows what that gets wrong.

use peers_common::{BAND, Change, Data, ONE, race};
use std::collections::HashMap;

struct Account {
    fixed: f64,
    money: f64,
    held: Vec<(u32, f64)>,
    owed: Vec<(u32, f64)>,
    lines: [Option<f64>; 5],
    tier: u8,
}

fn worst(account: &Account, ratio: f64, band: f64) -> u8 {
    let holds = |line: f64| ratio < line + band;
    (2..7).rev().find(|&tier| account.lines[tier as usize - 2].is_some_and(holds)).unwrap_or(1)
}

fn judge(account: &Account, assets: f64, debts: f64, band: f64) -> u8 {
    if debts == 0.0 {
        return 0;
    }
    let raw = worst(account, assets / debts, 0.0);
    if account.tier == 0 || raw > account.tier {
        return raw;
    }
    worst(account, assets / debts, band).min(account.tier)
}

fn main() {
    let data = Data::load();
    let yuan = |units: i64| units as f64 / 10_000.0;
    let units = |yuan: f64| (yuan * 10_000.0).round() as i128;
    let mut prices: HashMap<u32, f64> = (0..).zip(data.prices.iter().map(|&price| yuan(price))).collect();
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
        account.held.push((held.security, held.quantity as f64));
    }
    for owed in &data.shorts {
        let account = accounts.get_mut(&owed.account).expect("an account");
        account.owed.push((owed.security, owed.quantity as f64));
    }
    let band = yuan(BAND);
    race(
        "naive f64",
        &data.folder,
        data.feed.len(),
        |epoch| &data.feed[epoch],
        |quotes| {
            for &(security, price) in quotes {
                prices.insert(security, yuan(price));
            }
            let mut changes = Vec::new();
            let worth = |(security, quantity): &(u32, f64)| prices[security] * quantity;
            for (&number, account) in &mut accounts {
                let assets = account.fixed + account.held.iter().map(worth).sum::<f64>();
                let debts = account.money + account.owed.iter().map(worth).sum::<f64>();
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
    let (tests, wrong) = at_the_lines(&data);
    println!("at_the_lines={tests} wrong_at_the_lines={wrong}");
}

/// Every account at every line of its own, one unit of assets below, at and above it, as a desk tests
/// a monitor: how many of them get a tier that is not theirs.
fn at_the_lines(data: &Data) -> (u64, u64) {
    let (mut tests, mut wrong) = (0, 0);
    let yuan = |units: i128| units as f64 / 10_000.0;
    for account in data.accounts.iter().filter(|account| account.money > 0) {
        let debts = i128::from(account.money);
        let raw = |assets: i128, holds: &dyn Fn(i128, i64) -> bool| {
            (2..7).rev().find(|&tier| account.lines[tier - 2].is_some_and(|line| holds(assets, line)))
        };
        for line in account.lines.iter().flatten() {
            let product = debts * i128::from(*line);
            for assets in (-1..=1).map(|unit| product / i128::from(ONE) + unit) {
                let exact = raw(assets, &|a, line| a * i128::from(ONE) < i128::from(line) * debts);
                let float = raw(assets, &|a, line| yuan(a) / yuan(debts) < yuan(line.into()));
                tests += 1;
                wrong += u64::from(exact != float);
            }
        }
    }
    (tests, wrong)
}
