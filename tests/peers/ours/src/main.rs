//! `peers-ours FOLDER sweep|auto ACCOUNTS SEED`: the product on one core, through `step`, with the book drawn anew
//! and the prices of the flat input.

use peers_common::{Change, feed, race};
use plimsoll_bench::book::Shape;
use plimsoll_bench::measure::{Digest, opened};
use plimsoll_broker::{Profile, Tick};
use plimsoll_engine::effect::Effect;
use plimsoll_engine::{Paths, Sequential};
use std::cell::RefCell;
use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, folder, mode, accounts, seed] = &args[..] else { panic!("FOLDER sweep|auto ACCOUNTS SEED") };
    let (folder, sweep) = (Path::new(folder), mode == "sweep");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let shape = Shape {
        accounts: number(accounts),
        profile: Profile::Stress,
        lanes: 1,
        paths: if sweep { Paths::Sweep } else { Paths::Auto },
        seed: number(seed),
    };
    let (mut bench, _) = opened(&shape, &Sequential);
    let feed = feed(folder);
    // The digest of the product's own benches, beside that of the peers: they must agree.
    let (mut digest, bench) = (Digest::default(), RefCell::new(&mut bench));
    let name = if sweep { "ours, plain sweep" } else { "ours, skipping" };
    // Neither the last epoch's digest nor the next one's inputs are timed.
    let mut prepare = |epoch: usize| {
        let mut bench = bench.borrow_mut();
        if let Some(last) = epoch.checked_sub(1) {
            digest.take(last as u64, &bench.out);
        }
        let tick = |&(security, price): &(u32, i64)| Tick { security, price };
        let quotes = feed.get(epoch).into_iter().flatten();
        bench.quote(&quotes.map(tick).collect::<Vec<_>>());
    };
    race(name, folder, feed.len(), &mut prepare, |()| {
        let mut bench = bench.borrow_mut();
        bench.step(&Sequential);
        bench.out.effects.iter().filter_map(change).collect()
    });
    prepare(feed.len());
    println!("plimsoll_bench_digest={}", digest.text());
}

fn change(effect: &Effect) -> Option<Change> {
    let Effect::TierChanged(changed) = effect else { return None };
    let (account, from, to) = (changed.account.0, changed.from as u8, changed.to as u8);
    Some(Change { account, from, to, assets: changed.assets.expect("a mark"), debts: changed.debts })
}
