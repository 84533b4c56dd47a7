//! Corporate actions: what happens to prices, holdings and debts on an ex-date (domain.md §5.3).

use crate::input::{ActionKind, CorporateAction, SecurityName};
use crate::num::{Date, Money, ONE_RATE, Quantity, clamp_i64, div_half_up};

/// One action waiting for its ex-date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingAction {
    pub kind: ActionKind,
    pub pay_date: Option<Date>,
    /// Dividend per share, 1/10⁸ yuan.
    pub per_share: i64,
    /// Bonus, rights or split ratio, 1/10⁸.
    pub ratio: i64,
    /// Subscription price.
    pub price: Money,
    /// 1/10⁸ yuan per share.
    pub compensation: Option<i64>,
}

impl PendingAction {
    pub(crate) fn of(a: &CorporateAction) -> Self {
        PendingAction {
            kind: a.kind,
            pay_date: a.pay_date,
            per_share: a.per_share,
            ratio: a.ratio,
            price: a.price,
            compensation: a.compensation,
        }
    }
}

/// All actions of one security and ex-date: they act together on what was held before them.
#[derive(Clone, Debug)]
pub(crate) struct ActionGroup {
    pub security: SecurityName,
    /// The entry that brought them into effect.
    pub input: u32,
    pub actions: Vec<PendingAction>,
    /// Price stored before the ex-date.
    reference: Option<Money>,
    /// Marks just before and just after.
    pub mark_before: Option<Money>,
    pub mark_after: Option<Money>,
    /// Σ bonus, 1/10⁸.
    bonus: i128,
    /// Π splits, as a numerator over `split_scale`.
    split: i128,
    split_scale: i128,
}

/// Largest quantity kept: actions are never refused, so an absurd chain of them must stop somewhere.
const QUANTITY_CEILING: i128 = 1 << 56;

impl ActionGroup {
    pub(crate) fn new(
        security: SecurityName,
        actions: Vec<PendingAction>,
        reference: Option<Money>,
        input: u32,
    ) -> Self {
        let of = |kind| actions.iter().filter(move |a| a.kind == kind);
        let bonus = of(ActionKind::Bonus).map(|a| i128::from(a.ratio)).sum();
        let mut split = 1;
        let mut split_scale = 1;
        for action in of(ActionKind::Split) {
            split *= i128::from(action.ratio);
            split_scale *= ONE_RATE;
            let common = gcd(split, split_scale);
            split /= common;
            split_scale /= common;
        }
        ActionGroup {
            security,
            input,
            actions,
            reference,
            mark_before: None,
            mark_after: None,
            bonus,
            split,
            split_scale,
        }
    }

    pub(crate) fn with_marks(mut self, before: Option<Money>, after: Option<Money>) -> Self {
        self.mark_before = before;
        self.mark_after = after;
        self
    }

    /// `(p − d + r·k) / (1 + b + r) / s`, not below 0, half up to 1/10 000.
    pub(crate) fn price_after(&self, price: Money) -> Money {
        // 1/10¹² yuan: prices carry 4 decimals, per-share figures and ratios 8.
        let mut worth = i128::from(price) * ONE_RATE;
        let mut shares = ONE_RATE + self.bonus;
        for action in &self.actions {
            match action.kind {
                ActionKind::CashDividend => worth -= i128::from(action.per_share) * 10_000,
                ActionKind::Rights => {
                    worth += i128::from(action.ratio) * i128::from(action.price);
                    shares += i128::from(action.ratio);
                }
                ActionKind::Bonus | ActionKind::Split => {}
            }
        }
        let scaled = worth.max(0) * self.split_scale;
        clamp_i64(div_half_up(scaled, shares * self.split).min(QUANTITY_CEILING))
    }

    /// `floor((q + floor(q·b))·s)`.
    pub(crate) fn quantity_after(&self, quantity: Quantity) -> Quantity {
        let q = i128::from(quantity);
        let with_bonus = q + q * self.bonus / ONE_RATE;
        clamp_i64((with_bonus * self.split / self.split_scale).min(QUANTITY_CEILING))
    }

    /// Dividends on a long quantity, each half up to 0.01 yuan, with their pay dates.
    pub(crate) fn dividends(&self, quantity: Quantity) -> impl Iterator<Item = (i128, Option<Date>)> + '_ {
        self.actions
            .iter()
            .filter(|a| a.kind == ActionKind::CashDividend)
            .map(move |a| (fen(i128::from(quantity) * i128::from(a.per_share)), a.pay_date))
    }

    /// What a short owes: dividends and rights compensation, each half up to 0.01 yuan.
    pub(crate) fn short_fees(&self, quantity: Quantity) -> i128 {
        let q = i128::from(quantity);
        self.actions
            .iter()
            .map(|action| match action.kind {
                ActionKind::CashDividend => fen(q * i128::from(action.per_share)),
                ActionKind::Rights => match (action.compensation, self.reference) {
                    (Some(c), _) => fen(q * i128::from(c)),
                    (None, Some(p)) => {
                        let gap = i128::from(p - action.price).max(0) * i128::from(action.ratio);
                        // q × gap in 1/10¹² yuan over (1 + r) in 1/10⁸ is 1/10⁴ yuan; to fen, half up.
                        div_half_up(q * gap, (ONE_RATE + i128::from(action.ratio)) * 100) * 100
                    }
                    (None, None) => 0,
                },
                ActionKind::Bonus | ActionKind::Split => 0,
            })
            .sum()
    }
}

/// Half up to 0.01 yuan from 1/10⁸ yuan; in 1/10 000 yuan.
fn fen(amount: i128) -> i128 {
    div_half_up(amount, 1_000_000) * 100
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
