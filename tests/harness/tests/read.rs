//! What readers are shown: pages of lists against the state lines of all accounts, and the terms of an
//! account against its figures.

use plimsoll_engine::effect::{Out, Tier};
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::read::{By, Listed, Wanted};
use plimsoll_engine::{Engine, Sequential};
use plimsoll_tests::streams::Stream;
use plimsoll_tests::streams::rng::Rng;
use plimsoll_wire::door::Door;

const STREAMS: u64 = 60;

/// A book in the middle of a stream, over a number of lanes.
fn book(seed: u64, dice: &mut Rng) -> Engine {
    let (stream, mut door) = (Stream::of(seed), Door::new());
    let policy = stream.policy.as_deref().map_or(PolicyDraft::default(), |text| {
        plimsoll_wire::policy::from_toml(text, door.rules()).expect("a valid policy")
    });
    let mut engine = Engine::new(&policy, door.rules().clone(), 1 + dice.below(3)).expect("a valid policy");
    let lines = stream.lines.len() / 2 + dice.below(stream.lines.len() / 2);
    for line in &stream.lines[..lines] {
        if let Some(cut) = door.line(line.as_bytes()).expect("an object") {
            engine.step(&cut.epoch, &Sequential, &mut Out::default());
        }
    }
    engine
}

/// A product that fits nowhere: its high and low half, whatever the sign of the first factor.
fn product(a: i128, positive: i128) -> (i128, u128) {
    const HALF: u32 = 64;
    let (of, by) = (a.unsigned_abs(), positive.unsigned_abs());
    let low = |number: u128| number & u128::from(u64::MAX);
    let (first, second) = (low(of) * low(by), (of >> HALF) * low(by));
    let (third, fourth) = (low(of) * (by >> HALF), (of >> HALF) * (by >> HALF));
    let middle = (first >> HALF) + low(second) + low(third);
    let high = fourth + (second >> HALF) + (third >> HALF) + (middle >> HALF);
    let (high, low) = (high as i128, middle << HALF | low(first));
    if a < 0 { (!high + i128::from(low == 0), low.wrapping_neg()) } else { (high, low) }
}

/// What a list should hold: every account looked at by itself, sorted by cross products.
fn expected(engine: &Engine, wanted: &Wanted) -> Vec<Listed> {
    let view = |ordinal| {
        let view = engine.account(ordinal);
        let (assets, debts) = (view.figures.assets(), view.figures.debts());
        (Listed { ordinal, tier: view.tier, assets, debts }, view.customer)
    };
    let mut all: Vec<Listed> = (0..engine.accounts())
        .map(view)
        .filter(|(listed, customer)| {
            wanted.tiers[listed.tier as usize] && wanted.customer.is_none_or(|only| only == *customer)
        })
        .map(|(listed, _)| listed)
        .collect();
    if wanted.by == By::Ratio {
        all.retain(|listed| listed.assets.is_some() && listed.debts.is_some_and(|debts| debts > 0));
        let ratio = |listed: &Listed| (listed.assets.unwrap_or(0), listed.debts.unwrap_or(1));
        all.sort_by(|a, b| {
            let ((a, c), (b, d)) = (ratio(a), ratio(b));
            product(a, d).cmp(&product(b, c))
        });
    }
    all
}

#[test]
fn pages_put_together_are_the_list() {
    let (mut pages, mut shown) = (0, 0);
    for seed in 0..STREAMS {
        let mut dice = Rng::new(seed);
        let engine = book(seed, &mut dice);
        for by in [By::Ordinal, By::Ratio] {
            for round in 0..4 {
                let tiers = std::array::from_fn(|_| round == 0 || dice.below(2) == 0);
                let some = dice.below(engine.accounts().max(1) as usize) as u32;
                let customer = (round == 3 && engine.accounts() > 0).then(|| engine.account(some).customer);
                let limit = 1 + dice.below(4);
                let mut wanted = Wanted { tiers, customer, branch: None, by, after: None, limit };
                let mut all = Vec::new();
                loop {
                    let page = engine.list(&wanted, &Sequential);
                    pages += 1;
                    assert!(page.len() <= limit);
                    let Some(last) = page.last() else { break };
                    wanted.after = Some(*last);
                    all.extend(page);
                    assert!(all.len() <= engine.accounts() as usize, "a page repeats the one before");
                }
                shown += all.len();
                assert_eq!(all, expected(&engine, &wanted), "seed {seed}, by {by:?}");
            }
        }
        let counted: Vec<u64> = engine.tiers().to_vec();
        for &tier in Tier::ALL {
            let of = (0..engine.accounts()).filter(|&ordinal| engine.account(ordinal).tier == tier).count();
            assert_eq!(counted[tier as usize], of as u64, "seed {seed}, {tier:?}");
        }
    }
    assert!(pages > 500 && shown > 1_000, "{pages} pages of {shown} accounts");
}

#[test]
fn the_terms_of_an_account_add_up_to_its_figures() {
    let (mut valued, mut holdings, mut contracts, mut frozen) = (0, 0, 0, 0);
    for seed in 0..2 * STREAMS {
        let engine = book(seed, &mut Rng::new(seed));
        for ordinal in 0..engine.accounts() {
            let detail = engine.detail(ordinal);
            let figures = &detail.figures;
            let held: Option<i128> = detail
                .holdings
                .iter()
                .map(|holding| holding.mark.map(|mark| i128::from(mark) * i128::from(holding.quantity)))
                .sum();
            assert_eq!(held, figures.long_value, "seed {seed}, {ordinal}");
            let interest: i128 = detail.contracts.iter().map(|contract| contract.interest).sum();
            assert_eq!(interest, figures.interest, "seed {seed}, {ordinal}");
            holdings += detail.holdings.len();
            contracts += detail.contracts.len();
            frozen += usize::from(detail.frozen != 0);
            let Some(of) = &figures.valued else { continue };
            let margin: i128 = detail.holdings.iter().map(|holding| holding.margin).sum();
            let owed: i128 =
                detail.contracts.iter().map(|contract| contract.profit - contract.reserved).sum();
            let sum = figures.cash * 10_000 + margin + owed - detail.frozen;
            assert_eq!(sum, of.available_margin, "seed {seed}, {ordinal}");
            valued += 1;
        }
    }
    assert!(
        valued > 200 && holdings > 400 && contracts > 200 && frozen > 10,
        "{valued} {holdings} {contracts} {frozen}"
    );
}
