//! `peers-differential FOLDER`: differential dataflow in its strongest form: quantities and prices are
//! differences, so that the join multiplies and adds them; a moved price is one update, and only what
//! it changes flows. One worker thread.

use differential_dataflow::input::InputSession;
use peers_common::{Book, Data, race};
use std::cell::RefCell;
use std::rc::Rc;
use timely::dataflow::ProbeHandle;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What moved since the last snapshot: assets and debts by account.
type Moved = Rc<RefCell<Vec<(u32, i64, i64)>>>;

fn main() {
    let data = Data::load();
    timely::execute_directly(move |worker| {
        let moved = Moved::default();
        let mut prices = InputSession::<u32, u32, i64>::new();
        let mut held = InputSession::<u32, (u32, u32), i64>::new();
        let mut owed = InputSession::<u32, (u32, u32), i64>::new();
        let mut probe = ProbeHandle::new();
        worker.dataflow(|scope| {
            let price = prices.to_collection(scope).map(|security| (security, ())).arrange_by_key();
            for (input, long) in [(&mut held, true), (&mut owed, false)] {
                let moved = moved.clone();
                let quantity = input.to_collection(scope).arrange_by_key();
                quantity
                    .join_core(price.clone(), |_, &account, &()| Some(account))
                    .inspect_batch(move |_, updates| {
                        let split = |value| if long { (value, 0) } else { (0, value) };
                        moved.borrow_mut().extend(updates.iter().map(|&(account, _, value)| {
                            let (assets, debts) = split(value);
                            (account, assets, debts)
                        }));
                    })
                    .probe_with(&mut probe);
            }
        });
        for (input, rows) in [(&mut held, &data.positions), (&mut owed, &data.shorts)] {
            rows.iter().for_each(|row| input.update((row.security, row.account), row.quantity));
        }
        let mut last = vec![0; data.prices.len()];
        let mut totals: Vec<(i64, i64)> =
            data.accounts.iter().map(|account| (account.fixed, account.money)).collect();
        let mut epoch = 0;
        let mut touched: Vec<u32> = Vec::new();
        // Gives the prices of an epoch to the dataflow and adds up what comes out of it.
        let mut flow = |quotes: &[(u32, i64)], totals: &mut Vec<(i64, i64)>, touched: &mut Vec<u32>| {
            for &(security, price) in quotes {
                let was = std::mem::replace(&mut last[security as usize], price);
                if was != price {
                    prices.update(security, price - was);
                }
            }
            epoch += 1;
            prices.advance_to(epoch);
            prices.flush();
            for input in [&mut held, &mut owed] {
                input.advance_to(epoch);
                input.flush();
            }
            worker.step_while(|| probe.less_than(&epoch));
            for (account, assets, debts) in moved.borrow_mut().drain(..) {
                let total = &mut totals[account as usize];
                *total = (total.0 + assets, total.1 + debts);
                touched.push(account);
            }
        };
        let start: Vec<(u32, i64)> = (0..).zip(data.prices.iter().copied()).collect();
        flow(&start, &mut totals, &mut touched);
        let (mut book, feed) = (Book::new(data.accounts), &data.feed);
        race(
            "differential-dataflow",
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
    });
}
