//! Answers are what `step` would do: a breach price is where the tier's test begins to hold, a
//! scenario is what the shocked marks would have brought, a what-if what the inputs would have.

use crate::engine;
use crate::world::World;
use plimsoll_engine::breach::Breach;
use plimsoll_engine::effect::{Out, Tier};
use plimsoll_engine::input::{AccountInput, AccountName, Board, CashReason, Input, SecurityName};
use plimsoll_engine::num::Money;
use plimsoll_engine::scenario::{Shock, Target};
use plimsoll_engine::{Engine, Paths, Sequential};
use std::collections::BTreeMap;

const BOOKS: u64 = 24;
const EPOCHS: u64 = 60;

/// A book some epochs on, and the world it lives in.
fn aged(seed: u64) -> (World, Engine) {
    let (mut world, mut engine) = (World::new(seed), engine(1 + seed as usize % 3, Paths::Auto));
    for _ in 0..EPOCHS {
        world.next_epoch();
        engine.step(&world.epoch, &Sequential, &mut Out::default());
        world.stepped();
    }
    (world, engine)
}

/// A copy of a book after some inputs.
fn after(world: &mut World, book: &Engine, inputs: impl IntoIterator<Item = Input>) -> Engine {
    let mut copy = book.clone();
    inputs.into_iter().for_each(|input| world.push(input));
    copy.step(&world.epoch, &Sequential, &mut Out::default());
    world.epoch.entries.clear();
    copy
}

fn mark(name: SecurityName, price: Money) -> Input {
    Input::Mark(Some(name), Some(price))
}

/// Whether the test of a tier holds for an account's figures: strict, as the default policy has it.
fn holds(book: &Engine, account: u32, breach: &Breach) -> bool {
    let valued = book.account(account).figures.valued.expect("a ratio");
    valued.assets * 10_000 < i128::from(breach.line) * valued.debts
}

#[test]
fn a_breach_price_is_the_first_tick_at_which_the_tiers_test_holds() {
    const TICK: Money = 100;
    let (mut falls, mut rises, mut tiers) = (0, 0, BTreeMap::<Tier, u32>::new());
    for seed in 0..BOOKS {
        let (mut world, book) = aged(seed);
        for account in 0..book.accounts() {
            // Every tenth pair of security and tier: each costs two books.
            for breach in book.breaches(account).iter().skip(account as usize % 10).step_by(10) {
                let at = after(&mut world, &book, [mark(breach.security, breach.price)]);
                let milder = breach.price + if breach.falls { TICK } else { -TICK };
                let beside = after(&mut world, &book, [mark(breach.security, milder)]);
                assert!(holds(&at, account, breach), "seed {seed}, account {account}: {breach:?}");
                let first = milder == 0 || !holds(&beside, account, breach);
                assert!(first, "seed {seed}, account {account}: {breach:?}");
                *(if breach.falls { &mut falls } else { &mut rises }) += 1;
                *tiers.entry(breach.tier).or_default() += 1;
            }
        }
    }
    println!("{falls} on a fall, {rises} on a rise, by tier {tiers:?}");
    assert!(falls > 200 && rises > 10 && tiers.len() == 5);
}

#[test]
fn limit_days_count_from_the_previous_close() {
    let (mut world, _) = (World::new(1), ());
    let rules = plimsoll_wire::door::Door::new().rules().clone();
    let policy = plimsoll_engine::policy::PolicyDraft::default();
    let mut book = Engine::new(&policy, rules, 1).expect("a policy");
    for _ in 0..2 {
        world.next_epoch();
        book.step(&world.epoch, &Sequential, &mut Out::default());
        world.stepped();
    }
    let mut seen = BTreeMap::<u32, u32>::new();
    for account in 0..book.accounts() {
        for breach in book.breaches(account).iter().filter(|breach| breach.falls) {
            let close = book.mark(breach.security).expect("a mark");
            // Ten per cent a day on the main board, rounded to fen.
            let fall = |close: Money| (close * 9 + 500) / 1_000 * 100;
            let days = std::iter::successors(Some(close), |&close| Some(fall(close)))
                .position(|price| price <= breach.price);
            assert_eq!(breach.limit_days.map(|days| days as usize), days, "{breach:?} from {close}");
            *seen.entry(breach.limit_days.unwrap_or(99)).or_default() += 1;
        }
    }
    assert!(seen.len() > 3, "{seen:?}");
}

#[test]
fn a_map_is_the_breach_prices_of_all_accounts() {
    for seed in 0..BOOKS {
        let (_, book) = aged(seed);
        for security in [0, 1, 7].map(SecurityName) {
            let mut falls = BTreeMap::<Money, [u32; 5]>::new();
            let mut rises = falls.clone();
            let all = (0..book.accounts()).flat_map(|account| book.breaches(account));
            for breach in all.filter(|breach| breach.security == security) {
                let prices = if breach.falls { &mut falls } else { &mut rises };
                prices.entry(breach.price).or_default()[breach.tier as usize - Tier::Watch as usize] += 1;
            }
            let map = book.liquidation_map(security, &Sequential);
            let pairs = |steps: &[plimsoll_engine::breach::MapStep]| -> Vec<_> {
                steps.iter().map(|step| (step.price, step.enter)).collect()
            };
            assert!(pairs(&map.falls).into_iter().rev().eq(falls), "seed {seed}");
            assert!(pairs(&map.rises).into_iter().eq(rises), "seed {seed}");
            let sold: i128 = map.falls.iter().map(|step| step.shares).sum();
            assert!((0..=book.held(security).0).contains(&sold), "seed {seed}: {sold}");
        }
    }
}

#[test]
fn a_scenario_is_what_the_shocked_marks_bring() {
    let mut moved = 0;
    for seed in 0..BOOKS {
        let (mut world, book) = aged(seed);
        let own = (Target::Security(SecurityName(0)), -30_000_000);
        let shock = Shock { moves: vec![(Target::Market, -8_000_000), own], betas: Vec::new() };
        let answer = book.scenario(&shock, true, &Sequential);
        let shocked = |name: SecurityName| {
            let by = if name.0 == 0 { 70_000_000 } else { 92_000_000 };
            let mark = i128::from(book.mark(name)?);
            Some(mark_of(name, (mark * by + 50_000_000) / 100_000_000))
        };
        let marks: Vec<_> =
            (0..world.securities as u32).filter_map(|name| shocked(SecurityName(name))).collect();
        let then = after(&mut world, &book, marks);
        let (mut matrix, mut calls) = ([[0_u64; 7]; 7], (0, 0));
        for account in 0..book.accounts() {
            let (was, is) = (book.account(account), then.account(account));
            matrix[was.tier as usize][is.tier as usize] += 1;
            let cure = is.figures.valued.and_then(|valued| valued.cure);
            if let (true, Some(cure)) = (is.tier >= Tier::Call, cure) {
                // Exits are whole fen.
                calls = (calls.0 + 1, calls.1 + cure.add * 100);
            }
        }
        for (from, row) in matrix.iter_mut().enumerate() {
            assert_eq!(answer.before[from], row.iter().sum::<u64>(), "seed {seed}");
            row[from] = 0;
        }
        assert_eq!(answer.moved, matrix, "seed {seed}");
        assert_eq!((answer.calls, answer.call_sum), calls, "seed {seed}");
        moved += matrix.iter().flatten().sum::<u64>();
    }
    assert!(moved > 300, "{moved}");
}

fn mark_of(name: SecurityName, price: i128) -> Input {
    mark(name, price as Money)
}

#[test]
fn a_shock_meets_whom_it_names_and_the_last_one_counts() {
    let (_, book) = aged(1);
    let after = |moves: &[(Target, i64)]| {
        book.scenario(&Shock { moves: moves.to_vec(), betas: Vec::new() }, false, &Sequential).after
    };
    let fall = -20_000_000;
    assert_eq!(after(&[(Target::Board(Board::Main), fall)]), after(&[(Target::Market, fall)]));
    assert_eq!(after(&[(Target::Board(Board::Star), fall)]), after(&[]));
    assert_eq!(after(&[(Target::Market, fall), (Target::Board(Board::Main), 0)]), after(&[]));
    assert_ne!(after(&[(Target::Market, fall)]), after(&[]));
}

#[test]
fn a_what_if_is_what_the_input_would_do_and_leaves_the_book_alone() {
    for seed in 0..BOOKS {
        let (mut world, book) = aged(seed);
        let hash = book.state_hash();
        for account in (0..book.accounts()).step_by(7) {
            let input = || {
                let cash = AccountInput::Cash(-world_amount(account), CashReason::Adjustment);
                Input::OfAccount(Some(AccountName(account)), cash)
            };
            let really = after(&mut world, &book, [input()]);
            let alone = after(&mut world, &book.alone(account), [input()]);
            assert_eq!(alone.account(0), really.account(account), "seed {seed}, account {account}");
        }
        assert_eq!(book.state_hash(), hash, "seed {seed}");
    }
}

/// An amount that differs from account to account.
fn world_amount(account: u32) -> Money {
    Money::from(account) * 1_234_567 + 89
}
