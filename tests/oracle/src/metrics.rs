//! The figures of one account, recomputed from its balance alone, and the line of the state file.

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use crate::account::{Account, Contract};
use crate::json::quoted;
use crate::num::{Frac, fixed, line_text, ratio_text};
use crate::policy::{Costs, Lines};
use crate::tables::TIERS;

/// What every account is valued with at one moment: by security its mark, its haircut and the margin ratios of new contracts.
pub struct Valuation {
    pub marks: Vec<Option<BigInt>>,
    pub haircuts: Vec<i64>,
}

/// The figures of an account. Money in 1/10 000, what a haircut touched in 1/10^8. `None`: a mark is missing.
pub struct Figures {
    pub long_value: Option<BigInt>,
    pub short_value: Option<BigInt>,
    pub assets: Option<BigInt>,
    pub debts: Option<BigInt>,
    pub principal: BigInt,
    pub interest: BigInt,
    pub receivables: BigInt,
    adjusted: Option<BigInt>,
    margin: Option<BigInt>,
}

/// Σ quantity × mark, `None` if a mark is missing.
fn value<'a>(all: impl Iterator<Item = (usize, &'a BigInt)>, marks: &[Option<BigInt>]) -> Option<BigInt> {
    let mut sum = BigInt::zero();
    for (security, quantity) in all.filter(|(_, q)| !q.is_zero()) {
        sum += quantity * marks[security].as_ref()?;
    }
    Some(sum)
}

/// Gains at the haircut, losses in full.
fn weighted(difference: &BigInt, haircut: i64) -> BigInt {
    difference * if difference.is_negative() { 10_000 } else { haircut }
}

impl Figures {
    /// Computes everything from scratch; `frozen` is the margin frozen by orders in 1/10^8.
    pub fn of(account: &Account, v: &Valuation, frozen: &BigInt) -> Figures {
        let b = &account.balance;
        let shorts = || b.contracts.iter().filter(|c| c.short);
        let financings = || b.contracts.iter().filter(|c| !c.short);
        let long_value = value(b.positions.iter().map(|(s, q)| (*s, q)), &v.marks);
        let short_value = value(shorts().map(|c| (c.security, &c.quantity)), &v.marks);
        let principal: BigInt = financings().map(|c| &c.amount).sum();
        let interest: BigInt = b.contracts.iter().map(|c| &c.interest).sum();
        let receivables = b.receivables_sum();
        let besides = &b.cash + &receivables + &b.other_collateral;
        let marked = long_value.is_some() && short_value.is_some();
        let adjusted = marked.then(|| {
            let weighted = b.positions.iter().map(|(s, q)| q * mark(v, *s) * v.haircuts[*s]);
            &besides * 10_000 + weighted.sum::<BigInt>()
        });
        Figures {
            assets: long_value.as_ref().map(|value| value + &besides),
            debts: short_value.as_ref().map(|value| value + &principal + &interest),
            margin: marked.then(|| available_margin(account, v) - frozen),
            long_value,
            short_value,
            principal,
            interest,
            receivables,
            adjusted,
        }
    }

    /// Assets and debts where both are known.
    pub fn both(&self) -> Option<(&BigInt, &BigInt)> {
        Some((self.assets.as_ref()?, self.debts.as_ref()?))
    }
}

fn mark(v: &Valuation, security: usize) -> BigInt {
    v.marks[security].clone().unwrap_or_default()
}

/// The available margin before orders in flight, in 1/10^8; every mark that counts is known.
fn available_margin(account: &Account, v: &Valuation) -> BigInt {
    let b = &account.balance;
    let mut m = &b.cash * 10_000;
    for security in b.positions.keys() {
        m += b.free(*security) * mark(v, *security) * v.haircuts[*security];
    }
    for c in &b.contracts {
        m += contract_margin(c, v);
    }
    m
}

fn contract_margin(c: &Contract, v: &Valuation) -> BigInt {
    let value = &c.quantity * mark(v, c.security);
    let haircut = v.haircuts[c.security];
    let interest = &c.interest * 10_000;
    if c.short {
        weighted(&(&c.amount - &value), haircut) - &c.amount * 10_000 - value * c.margin_ratio - interest
    } else {
        weighted(&(value - &c.amount), haircut) - &c.amount * c.margin_ratio - interest
    }
}

/// What may leave the account, in 1/10 000, rounded down.
fn withdrawable(account: &Account, f: &Figures, lines: &Lines) -> Option<BigInt> {
    let (assets, debts) = f.both()?;
    let margin = f.margin.as_ref()?;
    let b = &account.balance;
    let proceeds: BigInt = b.contracts.iter().filter(|c| c.short).map(|c| &c.amount).sum();
    let buying =
        account.orders.values().filter(|o| o.side == "collateral_buy").map(|o| &o.remaining * &o.price);
    let free_cash = (&b.cash - proceeds - buying.sum::<BigInt>()).max(BigInt::zero()) * 10_000;
    let mut most = margin.min(&free_cash).clone();
    if debts.is_positive() {
        // A ratio above the line is room above the line; so nothing is left where it is not above.
        let above: BigInt = assets * 10_000 - debts * lines.free;
        if !above.is_positive() {
            return Some(BigInt::zero());
        }
        most = most.min(above - &b.other_collateral * 10_000);
    }
    Some(most.max(BigInt::zero()) / 10_000)
}

/// The exits of an account below its restore line, in cents.
fn cure(account: &Account, v: &Valuation, f: &Figures, lines: &Lines, costs: &Costs) -> Option<String> {
    let (assets, debts) = f.both()?;
    if !debts.is_positive() || assets * 10_000 >= debts * lines.restore_call {
        return None;
    }
    let (a, d) = (Frac::scaled(assets.clone(), 4), Frac::scaled(debts.clone(), 4));
    let (r, one) = (Frac::scaled(lines.restore_call, 4), Frac::whole(1));
    let n = r.times(&d).minus(&a);
    let after_sale = one.minus(&costs.sale);
    let with_purchase = one.plus(&costs.purchase);
    let b = &account.balance;
    let priced = |s: &usize| mark(v, *s).is_positive();
    let cash_debt = (&f.principal + &f.interest).is_positive();
    let sellable = b.positions.keys().any(priced);
    let alike = b.positions.keys().any(|s| priced(s) && b.owed(*s).is_positive());
    let short = f.short_value.as_ref().is_some_and(|value| value.is_positive());
    let solvent = a.above(&d);
    let exit = |exists: bool, divisor: Frac| {
        let exists = exists && divisor.is_positive();
        exists.then(|| n.over(&divisor))
    };
    let gain = r.minus(&one);
    let repay = d.minus(&a.over(&r));
    let repay = if repay.above(&d) { d.clone() } else { repay };
    let of_sale = a.times(&after_sale);
    let amounts = [
        ("add", Some(n.clone())),
        ("repay", cash_debt.then_some(repay)),
        ("repay_own", exit(cash_debt && solvent, gain.clone())),
        ("return_own", exit(alike && solvent, gain)),
        ("sell", exit(cash_debt && sellable && of_sale.above(&d), r.times(&after_sale).minus(&one))),
        ("cover", exit(short && a.above(&d.times(&with_purchase)), r.minus(&one).minus(&costs.purchase))),
        (
            "sell_to_cover",
            exit(
                short && sellable && of_sale.above(&d.times(&with_purchase)),
                r.times(&after_sale).over(&with_purchase).minus(&one),
            ),
        ),
    ];
    let mut text = format!("{{\"restore\":\"{}\"", line_text(lines.restore_call));
    for (name, amount) in amounts {
        let amount = amount.map(|x| fixed(&x.ceil(2), 2));
        text.push_str(&format!(",\"{name}\":{}", or_null(amount)));
    }
    text.push('}');
    Some(text)
}

/// A figure as a JSON string, or null.
pub fn or_null(text: Option<String>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""))
}

/// Money with four decimals, or null.
pub fn money_or_null(units: Option<&BigInt>) -> String {
    or_null(units.map(|m| fixed(m, 4)))
}

/// The fields of an account's state line, without the opening brace.
pub fn state_fields(account: &Account, v: &Valuation, f: &Figures, lines: &Lines, costs: &Costs) -> String {
    let both = f.both().filter(|(_, debts)| debts.is_positive());
    let ratio = both.map(|(assets, debts)| ratio_text(assets, debts));
    let adjusted = both.zip(f.adjusted.as_ref());
    let adjusted = adjusted.map(|((_, debts), weighted)| ratio_text(weighted, &(debts * 10_000)));
    let fields = [
        ("account", quoted(&account.name)),
        ("customer", quoted(&account.customer)),
        ("tier", quoted(TIERS[account.tier])),
        ("ratio", or_null(ratio)),
        ("assets", money_or_null(f.assets.as_ref())),
        ("debts", money_or_null(f.debts.as_ref())),
        ("cash", money_or_null(Some(&account.balance.cash))),
        ("receivables", money_or_null(Some(&f.receivables))),
        ("long_value", money_or_null(f.long_value.as_ref())),
        ("short_value", money_or_null(f.short_value.as_ref())),
        ("principal", money_or_null(Some(&f.principal))),
        ("interest", money_or_null(Some(&f.interest))),
        ("available_margin", or_null(f.margin.as_ref().map(|m| fixed(m, 8)))),
        ("withdrawable", money_or_null(withdrawable(account, f, lines).as_ref())),
        ("adjusted_ratio", or_null(adjusted)),
        ("cure", cure(account, v, f, lines, costs).unwrap_or_else(|| "null".to_owned())),
    ];
    let parts: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    parts.join(",") + "}\n"
}
