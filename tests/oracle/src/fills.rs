//! How a fill, a repayment or an interest event moves a balance.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use crate::account::{Balance, Contract};
use crate::policy::Policy;
use crate::time::six_months_later;
use crate::wire::{Fields, Refusal, refuse};

/// A checked fill.
pub struct Fill<'a> {
    pub side: &'a str,
    pub security: usize,
    pub quantity: BigInt,
    pub price: BigInt,
    pub fee: BigInt,
    pub contract: Option<&'a str>,
    pub rate: Option<i64>,
    pub due: Option<i64>,
    /// What a new contract gets: the event's own, else by publication and minimum.
    pub margin_ratio: i64,
    /// The name of a new contract where the fill names none.
    pub own_name: String,
    /// Local date of the event.
    pub date: i64,
}

impl Fill<'_> {
    fn gross(&self) -> BigInt {
        &self.quantity * &self.price
    }
}

/// Applies a fill; a refusal leaves the balance unusable, so the caller works on a copy.
pub fn fill(b: &mut Balance, f: &Fill, policy: &Policy) -> Result<(), Refusal> {
    match f.side {
        "collateral_buy" | "subscribe" => {
            b.cash -= f.gross() + &f.fee;
            b.add_position(f.security, &f.quantity);
        }
        "margin_buy" => {
            b.cash -= &f.fee;
            b.add_position(f.security, &f.quantity);
            grow(b, f, false)?;
        }
        "short_sell" => {
            b.cash += f.gross() - &f.fee;
            grow(b, f, true)?;
        }
        "collateral_sell" => collateral_sell(b, f, policy)?,
        "sell_to_repay" => sell_to_repay(b, f, policy)?,
        _ => buy_to_cover(b, f)?,
    }
    b.settle();
    Ok(())
}

/// Puts quantity and turnover on the contract named, if it is open, else on a new one.
fn grow(b: &mut Balance, f: &Fill, short: bool) -> Result<(), Refusal> {
    let name = f.contract.unwrap_or(&f.own_name);
    let gross = f.gross();
    if let Some(place) = b.find(name) {
        let c = &mut b.contracts[place];
        if f.contract.is_none() || c.short != short || c.security != f.security {
            return refuse("contract_exists", name);
        }
        c.quantity += &f.quantity;
        c.amount += gross;
        return Ok(());
    }
    b.enter(Contract {
        id: name.to_owned(),
        short,
        security: f.security,
        quantity: f.quantity.clone(),
        amount: gross,
        interest: BigInt::zero(),
        rate: f.rate.unwrap_or(0),
        opened: f.date,
        due: Some(f.due.unwrap_or_else(|| six_months_later(f.date))),
        margin_ratio: f.margin_ratio,
        accrued_through: f.date - 1,
        entry: 0,
    });
    Ok(())
}

/// Takes up to `left` tied shares off the contracts at `places`, noting how many each gave.
fn untie(b: &mut Balance, places: &[usize], left: &mut BigInt, sold: &mut BTreeMap<usize, BigInt>) {
    for place in places {
        let c = &mut b.contracts[*place];
        let gone = c.quantity.clone().min(left.clone());
        c.quantity -= &gone;
        *left -= &gone;
        if gone.is_positive() {
            *sold.entry(*place).or_default() += gone;
        }
    }
}

/// Pays a contract first what its own sold shares brought, which frees no further shares.
fn pay_own(b: &mut Balance, place: usize, own: &BigInt, left: &mut BigInt, policy: &Policy) {
    let (paid, _) = b.contracts[place].pay(&own.clone().min(left.clone()), policy);
    b.cash -= &paid;
    *left -= paid;
}

fn collateral_sell(b: &mut Balance, f: &Fill, policy: &Policy) -> Result<(), Refusal> {
    if b.position(f.security) < f.quantity {
        return refuse("insufficient_position", "more sold than held");
    }
    let mut beyond_free = (&f.quantity - b.free(f.security)).max(BigInt::zero());
    b.add_position(f.security, &-&f.quantity);
    b.cash += f.gross() - &f.fee;
    let on_it = b.in_order(|c| !c.short && c.security == f.security);
    let mut sold = BTreeMap::new();
    untie(b, &on_it, &mut beyond_free, &mut sold);
    if policy.collateral_sell_keeps {
        return Ok(());
    }
    let mut left = (f.gross() - &f.fee).max(BigInt::zero());
    for place in on_it {
        if let Some(shares) = sold.get(&place) {
            pay_own(b, place, &(shares * &f.price), &mut left, policy);
        }
    }
    Ok(())
}

fn sell_to_repay(b: &mut Balance, f: &Fill, policy: &Policy) -> Result<(), Refusal> {
    let named = match f.contract {
        Some(name) => match b.find(name).filter(|place| !b.contracts[*place].short) {
            Some(place) => Some(place),
            None => return refuse("unknown_contract", name),
        },
        None => None,
    };
    if b.position(f.security) < f.quantity {
        return refuse("insufficient_position", "more sold than held");
    }
    let free = b.free(f.security);
    let on_it = b.in_order(|c| !c.short && c.security == f.security);
    let all = b.in_order(|c| !c.short);
    let mut sold = BTreeMap::new();
    let mut shares = f.quantity.clone();
    let first: Vec<usize> = match named {
        Some(place) => on_it.iter().copied().filter(|p| *p == place).collect(),
        None => on_it.clone(),
    };
    untie(b, &first, &mut shares, &mut sold);
    shares = (shares - free).max(BigInt::zero());
    untie(b, &on_it, &mut shares, &mut sold);
    b.add_position(f.security, &-&f.quantity);
    b.cash += f.gross() - &f.fee;

    let mut order = match (named, policy.repay_contract.as_str()) {
        (Some(place), _) => vec![place],
        (None, "own") => on_it,
        (None, "highest_rate") => {
            let mut by_rate = all.clone();
            by_rate.sort_by_key(|place| std::cmp::Reverse(b.contracts[*place].rate));
            by_rate
        }
        _ => all.clone(),
    };
    order.extend(all.into_iter().filter(|place| !order.contains(place)).collect::<Vec<_>>());
    let mut left = (f.gross() - &f.fee).max(BigInt::zero());
    for place in order {
        if let Some(shares) = sold.get(&place) {
            pay_own(b, place, &(shares * &f.price), &mut left, policy);
        }
        pay_and_release(b, place, &mut left, policy);
    }
    Ok(())
}

fn pay_and_release(b: &mut Balance, place: usize, left: &mut BigInt, policy: &Policy) {
    let (paid, fall) = b.contracts[place].pay(left, policy);
    b.contracts[place].release(&fall, policy);
    b.cash -= &paid;
    *left -= paid;
}

fn buy_to_cover(b: &mut Balance, f: &Fill) -> Result<(), Refusal> {
    let mut places = b.in_order(|c| c.short && c.security == f.security);
    if let Some(name) = f.contract {
        let named = b.find(name).filter(|place| places.contains(place));
        let Some(named) = named else { return refuse("unknown_contract", name) };
        places.retain(|place| *place != named);
        places.insert(0, named);
    }
    if b.owed(f.security).is_zero() {
        return refuse("exceeds_debt", "no share is owed");
    }
    b.cash -= f.gross() + &f.fee;
    let mut left = f.quantity.clone();
    for place in places {
        let c = &mut b.contracts[place];
        let covered = c.quantity.clone().min(left.clone());
        c.cover(&covered);
        left -= covered;
    }
    if left.is_positive() {
        b.add_position(f.security, &left);
    }
    Ok(())
}

/// A `repay` event on an open contract.
pub fn repay(b: &mut Balance, place: usize, f: &Fields, policy: &Policy) -> Result<(), Refusal> {
    if f.get("amount").is_some() {
        let amount = f.money("amount");
        if amount > b.cash {
            return refuse("insufficient_cash", "more than the cash");
        }
        if amount > b.contracts[place].owed() {
            return refuse("exceeds_debt", "more than the contract owes");
        }
        pay_and_release(b, place, &mut amount.clone(), policy);
    } else {
        let quantity = f.quantity("quantity");
        let security = b.contracts[place].security;
        if quantity > b.free(security) {
            return refuse("insufficient_position", "more than the free shares");
        }
        if quantity > b.contracts[place].quantity {
            return refuse("exceeds_debt", "more than the contract owes");
        }
        b.contracts[place].cover(&quantity);
        b.add_position(security, &-quantity);
    }
    b.settle();
    Ok(())
}

/// An `interest` event on an open contract.
pub fn interest(b: &mut Balance, place: usize, f: &Fields) -> Result<(), Refusal> {
    let amount = f.money("amount");
    let c = &mut b.contracts[place];
    match f.text("kind") {
        Some("settled") => {
            if amount > c.interest {
                return refuse("exceeds_debt", "more than is accrued");
            }
            c.interest -= &amount;
            b.cash -= amount;
        }
        _ => c.interest += amount,
    }
    if b.contracts[place].interest.is_negative() {
        return refuse("exceeds_debt", "interest would be negative");
    }
    b.settle();
    Ok(())
}
