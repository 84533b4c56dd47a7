//! `peers-export FOLDER ACCOUNTS EPOCHS SEED`: a book on the morning of its day and its crash as flat
//! tables of integers, and the exact changes of tier as the product finds them.

use peers_common::table::Table;
use peers_common::{Change, race};
use plimsoll_bench::book::{Shape, accounts, universe};
use plimsoll_bench::measure::opened;
use plimsoll_broker::{AGREEMENTS, Account, Feed, FeedEpoch, FeedKind, Profile};
use plimsoll_engine::effect::Effect;
use plimsoll_engine::input::{ContractSide, Line};
use plimsoll_engine::{Paths, Sequential};
use std::path::Path;

/// Lines of the default policy: watch, warning, call, immediate, insolvent.
const LINES: [u32; 5] = [18_000, 15_000, 13_000, 11_500, 10_000];

type Columns<const N: usize> = [Vec<Option<i64>>; N];

fn push<const N: usize>(columns: &mut Columns<N>, row: [Option<i64>; N]) {
    columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
}

fn write<const N: usize>(folder: &Path, name: &str, names: [&str; N], columns: Columns<N>) {
    Table::write(&folder.join(name).with_extension("parquet"), names.into_iter().zip(columns).collect());
}

fn empty<const N: usize>() -> Columns<N> {
    std::array::from_fn(|_| Vec::new())
}

fn lines(agreement: Option<usize>) -> [Option<i64>; 5] {
    let mut at = LINES.map(|line| Some(i64::from(line)));
    if let Some(own) = agreement.map(|place| &AGREEMENTS[place]) {
        for (line, stated) in at.iter_mut().zip([own.watch, own.warning, own.call, own.immediate]) {
            match stated {
                Some(Line::At(ratio)) => *line = Some(i64::from(ratio)),
                Some(Line::Absent) => *line = None,
                None => {}
            }
        }
    }
    at
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, folder, count, epochs, seed] = &args[..] else { panic!("FOLDER ACCOUNTS EPOCHS SEED") };
    let (folder, number) = (Path::new(folder), |text: &str| text.parse::<u64>().expect("a number"));
    let (seed, count, epochs) = (number(seed), number(count), number(epochs) as usize);
    let shape = Shape { accounts: count, profile: Profile::Stress, lanes: 1, paths: Paths::Auto, seed };
    let (mut bench, _) = opened(&shape, &Sequential);
    let (universe, day) = universe(&shape);
    let book = accounts(&shape, &universe, day);

    let (mut rows, mut positions, mut shorts) = (empty(), empty(), empty());
    let mut account = Account::default();
    let whole = |value: i128| i64::try_from(value).expect("64 bits");
    for ordinal in 0..count {
        book.account(ordinal, &mut account);
        let (view, id) = (bench.engine.account(ordinal as u32), Some(ordinal as i64));
        let figures = &view.figures;
        assert_eq!(u64::from(view.account.0), ordinal);
        let fixed = figures.cash + figures.receivables + i128::from(figures.other_collateral);
        let own = lines(account.agreement);
        let money = Some(whole(figures.principal + figures.interest));
        let tier = Some(view.tier as i64);
        push(&mut rows, [id, Some(whole(fixed)), money, own[0], own[1], own[2], own[3], own[4], tier]);
        let value = |security: u32, quantity: i64| {
            i128::from(universe.securities[security as usize].close) * i128::from(quantity)
        };
        let mut long = 0;
        for held in &account.holdings {
            long += value(held.security, held.quantity);
            push(&mut positions, [id, Some(i64::from(held.security)), Some(held.quantity)]);
        }
        let mut short = 0;
        for owed in account.debts.iter().filter(|debt| debt.side == ContractSide::Short) {
            short += value(owed.security, owed.quantity);
            push(&mut shorts, [id, Some(i64::from(owed.security)), Some(owed.quantity)]);
        }
        assert_eq!((figures.long_value, figures.short_value), (Some(long), Some(short)), "account {ordinal}");
    }
    let names = ["account", "fixed", "money", "watch", "warning", "call", "immediate", "insolvent", "tier"];
    write(folder, "accounts", names, rows);
    write(folder, "positions", ["account", "security", "quantity"], positions);
    write(folder, "shorts", ["account", "security", "quantity"], shorts);
    let mut prices = empty();
    for (place, security) in universe.securities.iter().enumerate() {
        push(&mut prices, [Some(place as i64), Some(security.close)]);
    }
    write(folder, "prices", ["security", "price"], prices);

    let (mut feed, mut drawn) = (Feed::new(FeedKind::Crash, &universe, seed), FeedEpoch::default());
    let (mut ticks, mut rows) = (Vec::new(), empty());
    for epoch in 0..epochs {
        feed.next_epoch(&mut drawn);
        for tick in &drawn.ticks {
            push(&mut rows, [Some(epoch as i64), Some(i64::from(tick.security)), Some(tick.price)]);
        }
        ticks.push(drawn.ticks.clone());
    }
    write(folder, "feed", ["epoch", "security", "price"], rows);

    let records = race(
        "export",
        folder,
        epochs,
        |epoch| epoch,
        |epoch| {
            bench.quote(&ticks[epoch]);
            bench.step(&Sequential);
            bench.out.effects.iter().filter_map(change).collect()
        },
    );
    std::fs::write(folder.join("changes.bin"), records.as_flattened()).expect("a file written");
}

fn change(effect: &Effect) -> Option<Change> {
    let Effect::TierChanged(changed) = effect else { return None };
    let (account, from, to) = (changed.account.0, changed.from as u8, changed.to as u8);
    Some(Change { account, from, to, assets: changed.assets.expect("a mark"), debts: changed.debts })
}
