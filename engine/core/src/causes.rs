//! Why an account crossed a line: the contributions of one epoch to the move of A − line × D
//! (events.md, `cause`).
//!
//! The decomposition is exact and knows no order within the epoch: moved prices count on what was
//! held at its start, inputs at the marks of its end. `engine/core/DECISIONS.md` says why.

use crate::effect::{Cause, CauseKey, CauseKind, Tier};
use crate::input::SecurityName;
use crate::market::{MarkMove, Market, Mover};
use crate::metrics::{View, value};
use crate::num::{Bp, Money, ONE_BP};
use crate::policy::{Lines, PAR};
use crate::prices::Deltas;
use crate::tiers::line_of;

/// What one input changed in an account, quantities apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub account: u32,
    pub input: u32,
    pub kind: CauseKind,
    pub key: CauseKey,
    /// Change of cash, receivables and other collateral.
    pub money: i128,
    /// Change of principal, interest and fees.
    pub debts: i128,
}

/// What one input changed in quantities.
#[derive(Clone, Copy, Debug)]
struct Leg {
    security: SecurityName,
    long: i128,
    short: i128,
    /// Already valued in its change (corporate actions).
    valued: bool,
}

/// A change with the range of its legs.
type Noted = (Change, u32, u32);

/// A change of tier looking for its cause.
pub(crate) struct Crossing<'a> {
    pub from: Tier,
    pub to: Tier,
    pub line: Option<Bp>,
    pub lines: &'a Lines,
    pub accrued: bool,
}

/// What the inputs of an epoch did to the accounts of a lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    changes: Vec<Noted>,
    legs: Vec<Leg>,
    /// Legs of the change that is being made.
    open: u32,
    lines: Vec<(u32, Option<u32>)>,
    /// The entry of the epoch's `policy`, and of its `day_start` or `day_end`.
    pub policy: Option<u32>,
    pub day: Option<u32>,
}

impl Mover {
    fn cause(self) -> CauseKind {
        match self {
            Mover::Price => CauseKind::Price,
            Mover::Manual => CauseKind::Mark,
            Mover::Record => CauseKind::Security,
            Mover::Calendar => CauseKind::Calendar,
            Mover::Policy => CauseKind::Policy,
        }
    }
}

impl Journal {
    /// A quantity moved by the input that is about to be noted.
    pub(crate) fn leg(&mut self, security: SecurityName, long: i128, short: i128) {
        if long != 0 || short != 0 {
            self.legs.push(Leg { security, long, short, valued: false });
        }
    }

    /// A quantity moved by a corporate action, whose change carries its worth.
    pub(crate) fn acted(&mut self, security: SecurityName, long: i128, short: i128) {
        self.legs.push(Leg { security, long, short, valued: true });
    }

    /// Closes a change with the legs since the last one.
    pub(crate) fn note(&mut self, change: Change) {
        let end = self.legs.len() as u32;
        self.changes.push((change, self.open, end));
        self.open = end;
    }

    /// An account's own lines changed; by an entry, or by their date.
    pub(crate) fn lines(&mut self, account: u32, entry: Option<u32>) {
        self.lines.push((account, entry));
    }

    /// Sorts the changes by account, inputs in order, those of one input by what they point at,
    /// before causes are asked for.
    pub(crate) fn index(&mut self) {
        self.changes.sort_by_key(|(change, _, _)| (change.account, change.input, change.key));
    }

    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.legs.clear();
        self.lines.clear();
        self.open = 0;
        self.policy = None;
        self.day = None;
    }

    fn changes_of(&self, account: u32) -> &[Noted] {
        let start = self.changes.partition_point(|(c, _, _)| c.account < account);
        let len = self.changes[start..].partition_point(|(c, _, _)| c.account == account);
        &self.changes[start..start + len]
    }

    fn legs_of<'a>(&'a self, changes: &'a [Noted]) -> impl Iterator<Item = &'a Leg> {
        changes.iter().flat_map(|&(_, start, end)| &self.legs[start as usize..end as usize])
    }

    /// The largest contribution in the direction of the change; ties go to the earliest input.
    pub(crate) fn cause(&self, account: u32, crossing: &Crossing<'_>, view: &View<'_>) -> Cause {
        let Crossing { from, to, line, .. } = *crossing;
        let line = i128::from(line.or_else(|| line_of(crossing.lines, from)).unwrap_or(PAR));
        // `none` is the mildest tier: from it every change is a worsening, to it an improvement.
        let worsening = to > from;
        let changes = self.changes_of(account);
        let mut best: Option<(i128, Cause)> = None;
        let mut consider = |kind, key, input: Option<u32>, contribution: i128| {
            let size = if worsening { -contribution } else { contribution };
            let earlier = |b: &(i128, Cause)| size == b.0 && input < b.1.input;
            if size > 0 && best.as_ref().is_none_or(|b| size > b.0 || earlier(b)) {
                best = Some((size, Cause { kind, key, input, amount: Some(contribution / ONE_BP) }));
            }
        };
        // One input may change an account more than once: actions of several ex-dates on one day.
        let same = |a: &Noted, b: &Noted| (a.0.input, a.0.key) == (b.0.input, b.0.key);
        for part in changes.chunk_by(same) {
            let contribution = part.iter().map(|noted| self.contribution(noted, line, view)).sum();
            let change = &part[0].0;
            consider(change.kind, change.key, Some(change.input), contribution);
        }
        for security in self.securities(changes, view) {
            if let Some((kind, input, contribution)) = self.by_mark(security, changes, line, view) {
                consider(kind, CauseKey::Security(security), input, contribution);
            }
        }
        best.map_or_else(
            || self.without_contribution(account, from != to && worsening && crossing.accrued),
            |b| b.1,
        )
    }

    /// What one change moved A − line × D by, 1/10⁸ yuan.
    fn contribution(&self, (change, start, end): &Noted, line: i128, view: &View<'_>) -> i128 {
        let (mut assets, mut debts) = (change.money, change.debts);
        for leg in self.legs[*start as usize..*end as usize].iter().filter(|leg| !leg.valued) {
            let mark = view.market.mark(leg.security);
            assets += value(leg.long, mark);
            debts += value(leg.short, mark);
        }
        assets * ONE_BP - line * debts
    }

    /// Every security the account held or owed at some time of the epoch, once.
    fn securities(&self, changes: &[Noted], view: &View<'_>) -> Vec<SecurityName> {
        let mut all: Vec<SecurityName> = view.securities.to_vec();
        all.extend(view.account.contracts.iter().map(|c| c.security));
        all.extend(self.legs_of(changes).map(|leg| leg.security));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn by_mark(
        &self,
        security: SecurityName,
        changes: &[Noted],
        line: i128,
        view: &View<'_>,
    ) -> Option<(CauseKind, Option<u32>, i128)> {
        let moved = view.market.moved(security)?;
        let (before, after) = (i128::from(moved.before?), i128::from(view.market.mark(security)?));
        let mut long: i128 =
            view.holdings().filter(|&(s, _)| s == security).map(|(_, q)| i128::from(q)).sum();
        let mut short = view.account.owed_shares(security);
        for leg in self.legs_of(changes).filter(|leg| leg.security == security) {
            long -= leg.long;
            short -= leg.short;
        }
        Some((moved.by.cause(), moved.input, (after - before) * (long * ONE_BP - line * short)))
    }

    /// The cause of a crossing in an epoch in which nothing but prices moved the account, which owes no
    /// shares: what [`Journal::cause`] would say, from the words of its row.
    pub(crate) fn by_prices(words: &[u32], worsening: bool, deltas: &Deltas, market: &Market) -> Cause {
        let mut best: Option<(Money, &MarkMove)> = None;
        for (name, part) in deltas.parts(words) {
            let size = if worsening { -part } else { part };
            if size <= 0 || best.is_some_and(|(largest, _)| size < largest) {
                continue;
            }
            let Some(moved) = market.moved(name) else { continue };
            // Ties go to the earliest input, of one input to the security that came first.
            let order = |moved: &MarkMove| (moved.input, moved.security);
            if best.is_none_or(|(largest, of)| size > largest || order(moved) < order(of)) {
                best = Some((size, moved));
            }
        }
        let Some((size, moved)) = best else {
            return Cause { kind: CauseKind::Band, key: CauseKey::Nothing, input: None, amount: None };
        };
        Cause {
            kind: moved.by.cause(),
            key: CauseKey::Security(moved.security),
            input: moved.input,
            amount: Some(i128::from(if worsening { -size } else { size })),
        }
    }

    fn without_contribution(&self, account: u32, by_interest: bool) -> Cause {
        let lines = self.lines.iter().rev().find(|(a, _)| *a == account);
        let (kind, key, input) = match (self.policy, lines) {
            (Some(_), _) => (CauseKind::Policy, CauseKey::Nothing, self.policy),
            (None, Some(&(_, entry))) => (CauseKind::Lines, CauseKey::Account, entry),
            (None, None) if by_interest => (CauseKind::Interest, CauseKey::Nothing, self.day),
            (None, None) => (CauseKind::Band, CauseKey::Nothing, None),
        };
        Cause { kind, key, input, amount: None }
    }
}
