//! Corporate actions: stored prices, long positions and shorts on an ex-date.

use num_bigint::BigInt;
use num_traits::Zero;

use crate::account::{Balance, Receivable};
use crate::market::{Security, Stored};
use crate::num::Frac;
use crate::wire::Fields;

/// One accepted action that has not taken effect.
#[derive(Clone, Debug)]
pub struct Action {
    pub security: usize,
    pub ex_date: i64,
    pay_date: Option<i64>,
    terms: Terms,
}

#[derive(Clone, Debug)]
enum Terms {
    Dividend(Frac),
    Bonus(Frac),
    Split(Frac),
    Rights { ratio: Frac, price: Frac, compensation: Option<Frac> },
}

impl Action {
    pub fn of_event(f: &Fields, security: usize) -> Action {
        let eight = |name: &str| f.decimal(name, 8).map(|v| Frac::scaled(v, 8));
        let needed = |name: &str| eight(name).unwrap_or(Frac::whole(0));
        let terms = match f.need("kind") {
            "cash_dividend" => Terms::Dividend(needed("per_share")),
            "bonus" => Terms::Bonus(needed("ratio")),
            "split" => Terms::Split(needed("ratio")),
            _ => Terms::Rights {
                ratio: needed("ratio"),
                price: Frac::scaled(f.money("price"), 4),
                compensation: eight("compensation"),
            },
        };
        Action { security, ex_date: f.date("ex_date").unwrap_or(0), pay_date: f.date("pay_date"), terms }
    }
}

/// All actions of one security and ex-date, together.
pub struct Group<'a> {
    pub actions: &'a [Action],
    pub ex_date: i64,
    /// A receivable payable by this day is cash at once.
    pub paid_through: Option<i64>,
}

impl Group<'_> {
    fn total(&self, part: impl Fn(&Terms) -> Option<Frac>) -> Frac {
        self.actions.iter().filter_map(|a| part(&a.terms)).fold(Frac::whole(0), |sum, x| sum.plus(&x))
    }

    fn bonus(&self) -> Frac {
        self.total(|t| match t {
            Terms::Bonus(b) => Some(b.clone()),
            _ => None,
        })
    }

    /// Splits of one day follow one another.
    fn split(&self) -> Frac {
        self.actions.iter().fold(Frac::whole(1), |product, a| match &a.terms {
            Terms::Split(s) => product.times(s),
            _ => product,
        })
    }

    /// A stored price after the actions: `(p − d + r·k) / (1 + b + r) / s`.
    fn price(&self, p: &BigInt) -> BigInt {
        let dividends = self.total(|t| match t {
            Terms::Dividend(d) => Some(d.clone()),
            _ => None,
        });
        let paid_in = self.total(|t| match t {
            Terms::Rights { ratio, price, .. } => Some(ratio.times(price)),
            _ => None,
        });
        let rights = self.total(|t| match t {
            Terms::Rights { ratio, .. } => Some(ratio.clone()),
            _ => None,
        });
        let numerator = Frac::scaled(p.clone(), 4).minus(&dividends).plus(&paid_in);
        let shares = Frac::whole(1).plus(&self.bonus()).plus(&rights);
        numerator.over(&shares).over(&self.split()).not_below_zero().half_up(4)
    }

    /// A quantity after bonus and split, whole shares down.
    fn quantity(&self, q: &BigInt) -> BigInt {
        let new = Frac::whole(q.clone()).times(&self.bonus()).floor(0);
        Frac::whole(q + new).times(&self.split()).floor(0)
    }

    /// Adjusts the prices set before the ex-date and returns the price that stood before it.
    pub fn adjust_prices(&self, s: &mut Security) -> Option<BigInt> {
        let before = |stored: &Option<Stored>| stored.clone().filter(|x| x.set_on < self.ex_date);
        let price =
            before(&s.manual).or_else(|| before(&s.last)).or_else(|| before(&s.prev)).map(|x| x.price);
        for stored in [&mut s.manual, &mut s.last, &mut s.prev].into_iter().flatten() {
            if stored.set_on < self.ex_date {
                stored.price = self.price(&stored.price);
            }
        }
        price
    }

    /// Whether a balance holds or owes the security.
    pub fn concerns(&self, b: &Balance, security: usize) -> bool {
        let on_it = |c: &crate::account::Contract| c.security == security && !c.quantity.is_zero();
        b.positions.contains_key(&security) || b.contracts.iter().any(on_it)
    }

    /// Moves a balance; `price` is the one stored before the ex-date.
    pub fn apply(&self, b: &mut Balance, security: usize, price: Option<&BigInt>) {
        let held = b.position(security);
        self.pay_dividends(b, &held);
        let change = self.quantity(&held) - &held;
        b.add_position(security, &change);
        for c in b.contracts.iter_mut().filter(|c| c.security == security) {
            let before = c.quantity.clone();
            c.quantity = self.quantity(&before);
            if c.short {
                c.interest += self.short_duty(&before, price);
            }
        }
        b.settle();
    }

    fn pay_dividends(&self, b: &mut Balance, held: &BigInt) {
        for action in self.actions {
            let Terms::Dividend(per_share) = &action.terms else { continue };
            let amount = cents(&Frac::whole(held.clone()).times(per_share));
            if amount.is_zero() {
                continue;
            }
            let waits = action.pay_date.filter(|pay| self.paid_through.is_none_or(|through| *pay > through));
            match waits {
                Some(pay_date) => b.receivables.push(Receivable { amount, pay_date: Some(pay_date) }),
                None => b.cash += amount,
            }
        }
    }

    /// What a short of `q` shares owes in money, each action rounded by itself.
    fn short_duty(&self, q: &BigInt, price: Option<&BigInt>) -> BigInt {
        let q = Frac::whole(q.clone());
        let duty = |action: &Action| match (&action.terms, price) {
            (Terms::Dividend(per_share), _) => q.times(per_share),
            (Terms::Rights { compensation: Some(stated), .. }, _) => q.times(stated),
            (Terms::Rights { ratio, price: k, .. }, Some(p)) => {
                let gain = Frac::scaled(p.clone(), 4).minus(k).times(ratio).over(&Frac::whole(1).plus(ratio));
                q.times(&gain.not_below_zero())
            }
            _ => Frac::whole(0),
        };
        self.actions.iter().map(|action| cents(&duty(action))).sum()
    }
}

/// Rounded half up to 0.01 yuan, in 1/10 000.
fn cents(amount: &Frac) -> BigInt {
    amount.half_up(2) * 100
}
