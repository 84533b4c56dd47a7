//! What every Rust contender shares: the flat input, the rule of tiers of domain.md §6, the clock
//! and the digest. The Python ones have the same in `python/race.py`.

mod race;
pub mod table;

pub use race::race;

use std::path::{Path, PathBuf};
use table::Table;

/// One in ratio lines.
pub const ONE: i64 = 10_000;
/// A ratio must come so far above a line before the tier improves.
pub const BAND: i64 = 200;

/// An account: money in 1/10 000 yuan, lines in 1/10 000.
#[derive(Clone, Debug)]
pub struct Account {
    /// Cash, receivables, other collateral.
    pub fixed: i64,
    /// Principal, interest and fees.
    pub money: i64,
    /// Lines of watch, warning, call, immediate, insolvent; an absent one is never entered.
    pub lines: [Option<i64>; 5],
    /// 0 `none`, 1 `normal`, 2 `watch` … 6 `insolvent`.
    pub tier: u8,
}

/// Shares held or owed.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    pub account: u32,
    pub security: u32,
    pub quantity: i64,
}

/// The flat input.
pub struct Data {
    pub folder: PathBuf,
    pub accounts: Vec<Account>,
    /// By account.
    pub positions: Vec<Holding>,
    /// By account.
    pub shorts: Vec<Holding>,
    /// Before the feed, by security.
    pub prices: Vec<i64>,
    /// Security and price, by epoch.
    pub feed: Vec<Vec<(u32, i64)>>,
}

impl Data {
    /// Reads the folder named by the first argument of the program.
    #[must_use]
    pub fn load() -> Self {
        let folder = PathBuf::from(std::env::args().nth(1).expect("the folder of the input"));
        let table = |name: &str| Table::read(&folder.join(name).with_extension("parquet"));
        let book = table("accounts");
        let (fixed, money, tier) = (book.column("fixed"), book.column("money"), book.column("tier"));
        let lines = ["watch", "warning", "call", "immediate", "insolvent"].map(|name| book.optional(name));
        let account = |i: usize| Account {
            fixed: fixed[i],
            money: money[i],
            lines: std::array::from_fn(|line| lines[line][i]),
            tier: tier[i] as u8,
        };
        let holdings = |name: &str| -> Vec<Holding> {
            let table = table(name);
            let (account, security) = (table.column("account"), table.column("security"));
            let rows = account.iter().zip(security).zip(table.column("quantity"));
            rows.map(|((a, s), quantity)| Holding { account: *a as u32, security: s as u32, quantity })
                .collect()
        };
        Data {
            accounts: (0..fixed.len()).map(account).collect(),
            positions: holdings("positions"),
            shorts: holdings("shorts"),
            prices: table("prices").column("price"),
            feed: feed(&folder),
            folder,
        }
    }
}

/// Security and price, by epoch.
#[must_use]
pub fn feed(folder: &Path) -> Vec<Vec<(u32, i64)>> {
    let table = Table::read(&folder.join("feed.parquet"));
    let (epochs, securities) = (table.column("epoch"), table.column("security"));
    let mut feed = vec![Vec::new(); epochs.last().map_or(0, |&last| last as usize + 1)];
    for ((&epoch, security), price) in epochs.iter().zip(securities).zip(table.column("price")) {
        feed[epoch as usize].push((security as u32, price));
    }
    feed
}

/// The worst tier whose test holds at the lines raised by a band.
fn worst(account: &Account, assets: i128, debts: i128, band: i64) -> u8 {
    let holds = |line: i64| assets * i128::from(ONE) < i128::from(line + band) * debts;
    (2..7).rev().find(|&tier| account.lines[tier as usize - 2].is_some_and(holds)).unwrap_or(1)
}

/// The tier an account moves to (domain.md §6).
#[must_use]
pub fn judge(account: &Account, assets: i128, debts: i128) -> u8 {
    if debts == 0 {
        return 0;
    }
    let raw = worst(account, assets, debts, 0);
    if account.tier == 0 || raw > account.tier {
        return raw;
    }
    worst(account, assets, debts, BAND).min(account.tier)
}

/// A change of tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub account: u32,
    pub from: u8,
    pub to: u8,
    pub assets: i128,
    pub debts: i128,
}

impl Change {
    /// Moves between `none` and `normal` are not announced.
    #[must_use]
    pub fn announced(&self) -> bool {
        self.from.max(self.to) > 1
    }

    fn record(&self, epoch: u64) -> Record {
        let mut record = [0; 46];
        record[..8].copy_from_slice(&epoch.to_le_bytes());
        record[8..12].copy_from_slice(&self.account.to_le_bytes());
        record[12..14].copy_from_slice(&[self.from, self.to]);
        record[14..30].copy_from_slice(&self.assets.to_le_bytes());
        record[30..].copy_from_slice(&self.debts.to_le_bytes());
        record
    }
}

/// A change as the digest takes it: epoch, account, from, to, A, D.
pub type Record = [u8; 46];

/// Accounts with, for the debts they had when last judged, the assets that change nothing.
pub struct Book {
    accounts: Vec<Account>,
    /// Debts, the least assets, and the assets above all.
    still: Vec<(i64, i64, i64)>,
}

impl Book {
    /// Every account is judged in full the first time.
    #[must_use]
    pub fn new(accounts: Vec<Account>) -> Self {
        let still = vec![(0, 0, 0); accounts.len()];
        Book { accounts, still }
    }

    /// Judges an account at its assets and debts, and keeps the change where there is one.
    pub fn settle(&mut self, number: u32, assets: i64, debts: i64, changes: &mut Vec<Change>) {
        let (of, low, high) = self.still[number as usize];
        if of == debts && low <= assets && assets < high {
            return;
        }
        let account = &mut self.accounts[number as usize];
        let (from, to) = (account.tier, judge(account, assets.into(), debts.into()));
        account.tier = to;
        let (low, high) = interval(account, debts);
        self.still[number as usize] = (debts, low, high);
        let change = Change { account: number, from, to, assets: assets.into(), debts: debts.into() };
        if from != to && change.announced() {
            changes.push(change);
        }
    }
}

/// The assets from … below that change nothing for given debts.
fn interval(account: &Account, debts: i64) -> (i64, i64) {
    // The least assets at which no test of the tiers from one on holds.
    let clear = |from: u8, band: i64| {
        let lines = (2..7).filter(|&tier| tier >= from).filter_map(|tier| account.lines[tier as usize - 2]);
        let least = |line: i64| (i128::from(line + band) * i128::from(debts) + 9_999).div_euclid(ONE.into());
        lines.map(least).max().map_or(i64::MIN, |least| least.try_into().unwrap_or(i64::MAX))
    };
    let low = clear(account.tier + 1, 0);
    (low, if account.tier > 1 { clear(account.tier, BAND) } else { i64::MAX })
}
