//! `peers-ours FOLDER sweep|auto`: the product on one core, through `step`, with the book drawn anew
//! and the prices of the flat input.

use peers_common::{Change, Data, race};
use plimsoll_bench::book::Shape;
use plimsoll_bench::measure::{Digest, opened};
use plimsoll_broker::{Profile, Tick};
use plimsoll_engine::effect::Effect;
use plimsoll_engine::{Paths, Sequential};

fn main() {
    let (mode, seed) = (std::env::args().nth(2), std::env::args().nth(3));
    let sweep = mode.as_deref() == Some("sweep");
    let data = Data::load();
    let shape = Shape {
        accounts: data.accounts.len() as u64,
        profile: Profile::Stress,
        lanes: 1,
        paths: if sweep { Paths::Sweep } else { Paths::Auto },
        seed: seed.and_then(|text| text.parse().ok()).expect("a seed"),
    };
    // The core keeps its own book: the tables would only count as memory it does not need.
    let (feed, folder) = (data.feed, data.folder);
    drop((data.accounts, data.positions, data.shorts));
    let (mut bench, _) = opened(&shape, &Sequential);
    // The digest of the product's own benches, beside that of the peers: they must agree.
    let mut digest = Digest::default();
    let bench = std::cell::RefCell::new(&mut bench);
    let name = if sweep { "ours, plain sweep" } else { "ours, skipping" };
    let fill = |epoch: usize| {
        let tick = |&(security, price): &(u32, i64)| Tick { security, price };
        bench.borrow_mut().quote(&feed[epoch].iter().map(tick).collect::<Vec<_>>());
        epoch
    };
    race(name, &folder, feed.len(), fill, |epoch| {
        let mut bench = bench.borrow_mut();
        bench.step(&Sequential);
        digest.take(epoch as u64, &bench.out);
        bench.out.effects.iter().filter_map(change).collect()
    });
    println!("plimsoll_bench_digest={}", digest.text());
}

fn change(effect: &Effect) -> Option<Change> {
    let Effect::TierChanged(changed) = effect else { return None };
    let (account, from, to) = (changed.account.0, changed.from as u8, changed.to as u8);
    Some(Change { account, from, to, assets: changed.assets.expect("a mark"), debts: changed.debts })
}
