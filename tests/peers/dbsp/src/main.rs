//! `peers-dbsp FOLDER`: dbsp in its strongest form: quantities and prices are weights, so that the join
//! multiplies and adds them; a moved price is one update, and only what it changes comes out. One
//! worker thread.

use dbsp::typed_batch::IndexedZSetReader;
use dbsp::utils::Tup2;
use dbsp::{IndexedZSetHandle, Runtime};
use peers_common::{Book, Data, Holding, race};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts holdings into the circuit, weighing their quantity.
fn load(input: &IndexedZSetHandle<u32, u32>, holdings: &[Holding]) {
    let row = |row: &Holding| Tup2(row.security, Tup2(row.account, row.quantity));
    input.append(&mut holdings.iter().map(row).collect());
}

fn main() {
    let data = Data::load();
    let (mut circuit, (prices, held, owed, long, short)) = Runtime::init_circuit(1, |circuit| {
        let (price, prices) = circuit.add_input_indexed_zset::<u32, ()>();
        let (quantity, held) = circuit.add_input_indexed_zset::<u32, u32>();
        let long = quantity.join(&price, |_, &account, &()| account).accumulate_output();
        let (quantity, owed) = circuit.add_input_indexed_zset::<u32, u32>();
        let short = quantity.join(&price, |_, &account, &()| account).accumulate_output();
        Ok((prices, held, owed, long, short))
    })
    .expect("a circuit");
    load(&held, &data.positions);
    load(&owed, &data.shorts);
    drop((data.positions, data.shorts));

    let mut last = vec![0; data.prices.len()];
    let total = |account: &peers_common::Account| (account.fixed, account.money);
    let mut totals: Vec<(i64, i64)> = data.accounts.iter().map(total).collect();
    // Gives the prices of an epoch to the circuit and adds up what comes out of it.
    let mut flow = |quotes: &[(u32, i64)], totals: &mut Vec<(i64, i64)>, touched: &mut Vec<u32>| {
        let mut moves = Vec::with_capacity(quotes.len());
        for &(security, price) in quotes {
            let was = std::mem::replace(&mut last[security as usize], price);
            if was != price {
                moves.push(Tup2(security, Tup2((), price - was)));
            }
        }
        prices.append(&mut moves);
        circuit.transaction().expect("a transaction");
        for (account, (), value) in long.concat().iter() {
            totals[account as usize].0 += value;
            touched.push(account);
        }
        for (account, (), value) in short.concat().iter() {
            totals[account as usize].1 += value;
            touched.push(account);
        }
    };
    let start: Vec<(u32, i64)> = (0..).zip(data.prices.iter().copied()).collect();
    let mut touched: Vec<u32> = Vec::new();
    flow(&start, &mut totals, &mut touched);
    let (mut book, feed) = (Book::new(data.accounts), &data.feed);
    race(
        "dbsp",
        &data.folder,
        feed.len(),
        |epoch| &feed[epoch],
        |quotes| {
            touched.clear();
            flow(quotes, &mut totals, &mut touched);
            touched.sort_unstable();
            touched.dedup();
            let mut changes = Vec::new();
            for &number in &touched {
                let (assets, debts) = totals[number as usize];
                book.settle(number, assets, debts, &mut changes);
            }
            changes
        },
    );
}
