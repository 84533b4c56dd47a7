//! Fills on hand-made balances: each side, both release rules, the orders of payment.

use num_bigint::BigInt;

use crate::account::{Balance, Contract};
use crate::fills::{Fill, fill};
use crate::policy::{Policy, read};
use crate::tables::Tables;
use crate::toml;

fn policy(text: &str) -> Policy {
    let tables = Tables::load(None).expect("tables");
    read(&toml::parse(text).expect("a policy"), &tables).expect("a policy")
}

fn contract(
    id: &str,
    short: bool,
    security: usize,
    quantity: i64,
    yuan: i64,
    interest: i64,
    due: i64,
) -> Contract {
    Contract {
        id: id.to_owned(),
        short,
        security,
        quantity: quantity.into(),
        amount: (yuan * 10_000).into(),
        interest: (interest * 10_000).into(),
        rate: due,
        opened: 0,
        due: Some(due),
        margin_ratio: 10_000,
        accrued_through: 0,
        entry: 0,
    }
}

/// 1 500 shares of security 0: 1 000 tied to F1 (due 2) and 300 to F2 (due 1), 200 free; F3 on security 1, due 3.
fn book() -> Balance {
    let mut b = Balance::default();
    b.add_position(0, &1_500.into());
    b.add_position(1, &100.into());
    b.enter(contract("F1", false, 0, 1_000, 8_000, 50, 2));
    b.enter(contract("F2", false, 0, 300, 3_000, 0, 1));
    b.enter(contract("F3", false, 1, 100, 1_000, 0, 3));
    b.enter(contract("S1", true, 2, 400, 4_000, 10, 9));
    b.enter(contract("S2", true, 2, 100, 1_100, 0, 8));
    b
}

fn trade(
    side: &'static str,
    security: usize,
    quantity: i64,
    yuan: i64,
    contract: Option<&'static str>,
) -> Fill<'static> {
    Fill {
        side,
        security,
        quantity: quantity.into(),
        price: (yuan * 10_000).into(),
        fee: 50_000.into(),
        contract,
        rate: None,
        due: None,
        margin_ratio: 8_000,
        own_name: "s/e1".to_owned(),
        date: crate::time::days(2025, 8, 31),
    }
}

/// What stands on a contract: quantity, amount and interest in yuan.
fn on(b: &Balance, id: &str) -> Option<(i64, i64, i64)> {
    let yuan = |units: &BigInt| i64::try_from(units / 10_000).expect("small");
    let c = &b.contracts[b.find(id)?];
    Some((i64::try_from(&c.quantity).expect("small"), yuan(&c.amount), yuan(&c.interest)))
}

fn cash(b: &Balance) -> i64 {
    i64::try_from(&b.cash / 10_000).expect("small")
}

fn done(b: &mut Balance, f: &Fill, text: &str) {
    fill(b, f, &policy(text)).expect("accepted");
}

#[test]
fn buys() {
    let mut b = book();
    done(&mut b, &trade("collateral_buy", 0, 10, 7, None), "");
    assert_eq!((cash(&b), b.position(0)), (-75, 1_510.into()));
    done(&mut b, &trade("margin_buy", 0, 10, 7, Some("F1")), "");
    assert_eq!((cash(&b), on(&b, "F1")), (-80, Some((1_010, 8_070, 50))));
    done(&mut b, &trade("margin_buy", 0, 10, 7, None), "");
    assert_eq!(on(&b, "s/e1"), Some((10, 70, 0)));
    let c = &b.contracts[b.find("s/e1").expect("opened")];
    assert_eq!(crate::time::civil(c.due.expect("due")), (2026, 2, 28));
    assert_eq!(c.margin_ratio, 8_000);
    done(&mut b, &trade("short_sell", 2, 10, 7, Some("S1")), "");
    assert_eq!((cash(&b), on(&b, "S1")), (-20, Some((410, 4_070, 10))));
}

#[test]
fn collateral_sell_takes_free_shares_first() {
    // 200 free, then 300 of F2 (due first) and 100 of F1; each is paid what its own shares brought.
    let mut b = book();
    done(&mut b, &trade("collateral_sell", 0, 600, 10, None), "");
    assert_eq!(on(&b, "F2"), None);
    assert_eq!(on(&b, "F1"), Some((900, 7_050, 0)));
    assert_eq!(cash(&b), 6_000 - 5 - 3_000 - 1_000);
    let mut b = book();
    done(&mut b, &trade("collateral_sell", 0, 600, 10, None), "[repay]\ncollateral_sell = \"keeps\"");
    assert_eq!((on(&b, "F2"), on(&b, "F1")), (Some((0, 3_000, 0)), Some((900, 8_000, 50))));
    assert_eq!(cash(&b), 5_995);
    // The fee lowers what there is to pay with: 10 tied shares at 1 bring 10, less 5.
    let mut b = book();
    done(&mut b, &trade("collateral_sell", 0, 210, 1, None), "");
    assert_eq!((on(&b, "F2"), cash(&b)), (Some((290, 2_990, 0)), 195));
}

#[test]
fn sell_to_repay_own() {
    // 300 of F2, then 1 000 of F1 are on it; 400 sold at 10: 3 995 = 3 000 to F2, 995 to F1 with its 100 shares.
    let mut b = book();
    done(&mut b, &trade("sell_to_repay", 0, 400, 10, None), "");
    assert_eq!(on(&b, "F2"), None);
    // 995 of the 1 000 its shares brought: 50 interest, 945 principal, and no share is freed beside those sold.
    assert_eq!((on(&b, "F1"), cash(&b)), (Some((900, 7_055, 0)), 0));
}

#[test]
fn what_goes_beyond_the_own_shares_releases() {
    // Named F1: its 200 shares at 12 bring 2 400 less 5; F3's shares are not touched.
    let mut b = book();
    done(&mut b, &trade("sell_to_repay", 0, 1_200, 12, Some("F1")), "");
    // 1 000 of F1 and 200 free at 12: 14 395. F1 takes 8 050, F2 3 000 and F3 1 000; 2 345 stay.
    assert_eq!((on(&b, "F1"), on(&b, "F2"), on(&b, "F3")), (None, None, None));
    assert_eq!(cash(&b), 2_345);
    // 100 shares of security 1 at 60 named F1: 5 995 less 50 interest off 8 000 frees floor(1000 × 5945 / 8000).
    let mut b = book();
    done(&mut b, &trade("sell_to_repay", 1, 100, 60, Some("F1")), "");
    assert_eq!((on(&b, "F1"), on(&b, "F3")), (Some((257, 2_055, 0)), Some((0, 1_000, 0))));
    let mut b = book();
    done(&mut b, &trade("sell_to_repay", 1, 100, 60, Some("F1")), "[repay]\nrelease = \"at_close\"");
    assert_eq!(on(&b, "F1"), Some((1_000, 2_055, 0)));
    let mut b = book();
    done(&mut b, &trade("sell_to_repay", 1, 100, 60, Some("F1")), "[repay]\norder = \"principal_first\"");
    assert_eq!(on(&b, "F1"), Some((251, 2_005, 50)));
}

#[test]
fn orders_of_repayment() {
    // F3's own 100 shares at 1 bring 100 less 5. First due is F2; the highest rate is F3's.
    let with = |contract: &str| {
        let mut b = book();
        done(
            &mut b,
            &trade("sell_to_repay", 1, 100, 1, None),
            &format!("[repay]\ncontract = \"{contract}\""),
        );
        (on(&b, "F1").map(|c| c.1), on(&b, "F2"), on(&b, "F3"))
    };
    assert_eq!(with("own"), (Some(8_000), Some((300, 3_000, 0)), Some((0, 905, 0))));
    assert_eq!(with("first_due"), (Some(8_000), Some((291, 2_905, 0)), Some((0, 1_000, 0))));
    assert_eq!(with("highest_rate"), (Some(8_000), Some((300, 3_000, 0)), Some((0, 905, 0))));
}

#[test]
fn buy_to_cover_goes_on_and_over() {
    // Named S1, then S2 (in contract order), then a long position.
    let mut b = book();
    done(&mut b, &trade("buy_to_cover", 2, 150, 9, Some("S1")), "");
    assert_eq!((on(&b, "S1"), on(&b, "S2")), (Some((250, 2_500, 10)), Some((100, 1_100, 0))));
    done(&mut b, &trade("buy_to_cover", 2, 400, 9, None), "");
    // S2 is due first; S1 stays open for its fees.
    assert_eq!((on(&b, "S1"), on(&b, "S2")), (Some((0, 0, 10)), None));
    assert_eq!(b.position(2), 50.into());
    assert_eq!(cash(&b), -(550 * 9 + 10));
}
