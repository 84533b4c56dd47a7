//! What every Rust contender shares: the flat input, the rule of tiers of domain.md §6, the clock
//! and the digest. The Python ones have the same in `python/race.py`.

pub mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};
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
        let (book, feed) = (table("accounts"), table("feed"));
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
        let (epochs, securities) = (feed.column("epoch"), feed.column("security"));
        let mut epochs_of_feed = vec![Vec::new(); epochs.last().map_or(0, |&last| last as usize + 1)];
        for ((&epoch, security), price) in epochs.iter().zip(securities).zip(feed.column("price")) {
            epochs_of_feed[epoch as usize].push((security as u32, price));
        }
        Data {
            accounts: (0..fixed.len()).map(account).collect(),
            positions: holdings("positions"),
            shorts: holdings("shorts"),
            prices: table("prices").column("price"),
            feed: epochs_of_feed,
            folder,
        }
    }
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

/// Judges an account at its assets and debts, and keeps the change where there is one.
pub fn settle(account: &mut Account, number: u32, assets: i128, debts: i128, changes: &mut Vec<Change>) {
    let to = judge(account, assets, debts);
    if to != account.tier {
        let change = Change { account: number, from: account.tier, to, assets, debts };
        account.tier = to;
        if change.announced() {
            changes.push(change);
        }
    }
}

/// Processor time of this process, all threads, user and system.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Peak resident memory since the last time it was asked.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    // "5" sets the peak back to what is resident now.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak.unwrap_or(0) / 1024
}

/// Runs the epochs `0..epochs` through a contender and prints its figures. `prepare` makes what it
/// is given and is not timed; `step` is, and gives the changes by account.
pub fn race<T>(
    name: &str,
    folder: &std::path::Path,
    epochs: usize,
    mut prepare: impl FnMut(usize) -> T,
    mut step: impl FnMut(T) -> Vec<Change>,
) -> Vec<Record> {
    let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
    let mut records = Vec::new();
    peak_mib();
    for epoch in 0..epochs {
        let input = prepare(epoch);
        let (started, used) = (Instant::now(), processor_time());
        let changes = step(input);
        cpu += processor_time() - used;
        wall += started.elapsed();
        assert!(changes.is_sorted_by_key(|change| change.account));
        records.extend(changes.iter().map(|change| change.record(epoch as u64)));
    }
    let memory = peak_mib();
    let digest = blake3::hash(records.as_flattened()).to_hex();
    let per = |all: Duration| all.as_nanos() / 1000 / epochs.max(1) as u128;
    print!(
        "peer={name} epochs={epochs} cpu_us={} wall_us={} memory_mib={memory} changes={} digest={}",
        per(cpu),
        per(wall),
        records.len(),
        &digest[..16]
    );
    println!("{}", differences(&records, folder));
    records
}

/// How a contender's records differ from the exact ones the exporter left.
fn differences(records: &[Record], folder: &std::path::Path) -> String {
    let Ok(exact) = std::fs::read(folder.join("changes.bin")) else { return String::new() };
    let (exact, _) = exact.as_chunks::<46>();
    if exact == records {
        return String::new();
    }
    // Up to `to` a record says which change it is; behind it stand A and D.
    let set = |records: &[Record], bytes: usize| -> std::collections::BTreeSet<Vec<u8>> {
        records.iter().map(|record| record[..bytes].to_vec()).collect()
    };
    let (ours, theirs) = (set(exact, 14), set(records, 14));
    let (missed, wrong) = (ours.difference(&theirs).count(), theirs.difference(&ours).count());
    let figures = set(records, 46).difference(&set(exact, 46)).count() - wrong;
    format!(" missed={missed} invented={wrong} wrong_figures={figures}")
}
