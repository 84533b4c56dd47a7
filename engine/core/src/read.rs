//! What readers ask of the books between steps: lists of accounts, and one account term by term.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::book::Contract;
use crate::effect::{Acts, Figures, Tier};
use crate::engine::{Engine, Exec};
use crate::input::{AccountName, BranchName, ContractName, ContractSide, CustomerName, SecurityName};
use crate::lane::Lane;
use crate::market::Market;
use crate::metrics::View;
use crate::num::{Bp, Date, Money, Quantity, Rate, Time};
use crate::policy::{Lines, PolicyDraft};

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// As the accounts first appeared.
    #[default]
    Ordinal,
    /// The lowest ratio first, accounts of one ratio as they appeared; those without a ratio are not in it.
    Ratio,
}

/// A list that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The tiers of its accounts.
    pub tiers: [bool; Tier::ALL.len()],
    /// Their customer, where only one's are wanted.
    pub customer: Option<CustomerName>,
    /// Their branch, where only one's are wanted.
    pub branch: Option<BranchName>,
    /// Its order.
    pub by: By,
    /// Where the page before ended.
    pub after: Option<Listed>,
    /// The most accounts of a page.
    pub limit: usize,
}

/// An account of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its ordinal.
    pub ordinal: u32,
    /// Its tier.
    pub tier: Tier,
    /// A and D, 1/10 000 yuan; `None` where a mark lacks.
    pub assets: Option<i128>,
    /// D.
    pub debts: Option<i128>,
}

impl Listed {
    /// A and D of an account that has a ratio.
    fn ratio(&self) -> Option<(i128, i128)> {
        self.assets.zip(self.debts).filter(|(_, debts)| *debts > 0)
    }
}

/// A listed account in the order of its list.
struct Placed(Listed, By);

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> Ordering {
        let ordinals = self.0.ordinal.cmp(&other.0.ordinal);
        match (self.1, self.0.ratio(), other.0.ratio()) {
            (By::Ratio, Some(a), Some(b)) => compare(a, b).then(ordinals),
            _ => ordinals,
        }
    }
}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Placed {}

/// Compares two ratios exactly, for debts above zero: whole parts, then the inverse of what is left.
fn compare(mut a: (i128, i128), mut b: (i128, i128)) -> Ordering {
    let mut turned = false;
    loop {
        let whole = a.0.div_euclid(a.1).cmp(&b.0.div_euclid(b.1));
        let (left, right) = (a.0.rem_euclid(a.1), b.0.rem_euclid(b.1));
        let decided = match whole {
            Ordering::Equal if left == 0 || right == 0 => Some(left.signum().cmp(&right.signum())),
            Ordering::Equal => None,
            unequal => Some(unequal),
        };
        if let Some(decided) = decided {
            return if turned { decided.reverse() } else { decided };
        }
        (a, b, turned) = ((a.1, left), (b.1, right), !turned);
    }
}

/// The quotes of listed securities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotes {
    /// How many securities are listed.
    pub securities: u32,
    /// How many of them have no mark.
    pub unmarked: u32,
    /// When the one that was quoted longest ago was, of those that ever were.
    pub oldest: Option<Time>,
    /// When the latest quote was.
    pub newest: Option<Time>,
}

/// A holding, term by term (domain.md §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldingTerms {
    /// The security.
    pub security: SecurityName,
    /// Shares held, and how many of them are tied to financing contracts.
    pub quantity: Quantity,
    /// Tied shares.
    pub tied: i128,
    /// Its mark, 1/10 000 yuan.
    pub mark: Option<Money>,
    /// When it was quoted last.
    pub quoted: Option<Time>,
    /// Effective haircut.
    pub haircut: Bp,
    /// What it adds to M: free shares × mark × haircut, 1/10⁸ yuan; 0 without a mark.
    pub margin: i128,
}

/// A contract, term by term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractTerms {
    /// Its name.
    pub contract: ContractName,
    /// Financing or short.
    pub side: ContractSide,
    /// Its security.
    pub security: SecurityName,
    /// Tied or owed shares.
    pub quantity: Quantity,
    /// Principal, or sale amount.
    pub amount: Money,
    /// Accrued interest and fees.
    pub interest: i128,
    /// Its rate a year.
    pub rate: Rate,
    /// Its margin ratio.
    pub margin_ratio: Bp,
    /// When it was opened.
    pub opened: Date,
    /// When it is due, where it is.
    pub due: Option<Date>,
    /// Mark of its security.
    pub mark: Option<Money>,
    /// When that was quoted last.
    pub quoted: Option<Time>,
    /// What its gain adds to M (at the haircut) or its loss takes (in full), 1/10⁸ yuan.
    pub profit: i128,
    /// What M keeps for it: margin, a short's sale amount, interest; 1/10⁸ yuan.
    pub reserved: i128,
}

/// An account, term by term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Its name.
    pub account: AccountName,
    /// Its customer.
    pub customer: CustomerName,
    /// Its branch, where one is named.
    pub branch: Option<BranchName>,
    /// Its tier.
    pub tier: Tier,
    /// Acts its tier refuses.
    pub restricted: Acts,
    /// Whether a refused fact makes it suspect until its next opening.
    pub suspect: bool,
    /// The lines in force for it.
    pub lines: Lines,
    /// Its figures.
    pub figures: Figures,
    /// What it holds.
    pub holdings: Vec<HoldingTerms>,
    /// What it owes.
    pub contracts: Vec<ContractTerms>,
    /// What orders in flight freeze of M, 1/10⁸ yuan.
    pub frozen: i128,
}

impl Detail {
    /// When the security with the oldest quote among those held and owed was quoted.
    #[must_use]
    pub fn oldest_quote(&self) -> Option<Time> {
        let held = self.holdings.iter().map(|holding| holding.quoted);
        held.chain(self.contracts.iter().map(|contract| contract.quoted)).flatten().min()
    }
}

impl Market {
    /// When a security was quoted last, by whichever source.
    fn quoted(&self, name: SecurityName) -> Option<Time> {
        let first = self.tape(name).and_then(|tape| tape.first);
        let others = self.known(name).into_iter().flat_map(|security| &security.others);
        first.iter().chain(others).map(|&(_, time)| time).max()
    }
}

impl View<'_> {
    fn holding_terms(&self) -> Vec<HoldingTerms> {
        let terms = |(security, quantity)| HoldingTerms {
            security,
            quantity,
            tied: self.account.tied(security),
            mark: self.market.mark(security),
            quoted: self.market.quoted(security),
            haircut: self.market.haircut(security),
            margin: self.margin_of_holding(security, quantity),
        };
        self.holdings().map(terms).collect()
    }

    fn contract_terms(&self) -> Vec<ContractTerms> {
        let terms = |contract: &Contract| {
            let (profit, reserved) = self.margin_of_contract(contract);
            ContractTerms {
                contract: contract.name,
                side: contract.side,
                security: contract.security,
                quantity: contract.quantity,
                amount: contract.amount,
                interest: contract.interest,
                rate: contract.rate,
                margin_ratio: contract.margin_ratio,
                opened: contract.opened,
                due: (contract.due != Contract::NO_DUE).then_some(contract.due),
                mark: self.market.mark(contract.security),
                quoted: self.market.quoted(contract.security),
                profit,
                reserved,
            }
        };
        self.account.contracts.iter().map(terms).collect()
    }
}

impl Lane {
    /// The first accounts of the lane that a list wants, in its order.
    fn list(&self, wanted: &Wanted, market: &Market, (number, lanes): (usize, usize)) -> Vec<Listed> {
        let after = wanted.after.map(|listed| Placed(listed, wanted.by));
        let mut first = BinaryHeap::new();
        for (i, hot) in self.hot.iter().enumerate() {
            let of_another = |customer| self.accounts[i].customer != customer;
            let elsewhere = |branch| self.branches[i] != Some(branch);
            if !wanted.tiers[hot.tier as usize]
                || wanted.customer.is_some_and(of_another)
                || wanted.branch.is_some_and(elsewhere)
            {
                continue;
            }
            let ordinal = (i * lanes + number) as u32;
            let (assets, debts) = self.balance(i, market);
            let listed = Listed { ordinal, tier: hot.tier, assets, debts };
            if wanted.by == By::Ratio && listed.ratio().is_none() {
                continue;
            }
            let placed = Placed(listed, wanted.by);
            if after.as_ref().is_some_and(|after| placed <= *after) {
                continue;
            }
            first.push(placed);
            if first.len() > wanted.limit {
                first.pop();
            }
        }
        first.into_sorted_vec().into_iter().map(|placed| placed.0).collect()
    }
}

impl Engine {
    /// How many accounts each tier has.
    #[must_use]
    pub fn tiers(&self) -> [u64; Tier::ALL.len()] {
        let mut tiers = [0; Tier::ALL.len()];
        for lane in &self.lanes {
            tiers.iter_mut().zip(lane.tally.tiers).for_each(|(sum, count)| *sum += count);
        }
        tiers
    }

    /// Whether a policy comes to the one that is in force.
    #[must_use]
    pub fn has_policy(&self, draft: &PolicyDraft) -> bool {
        draft.resolve(&self.market.rules).is_ok_and(|policy| policy == self.market.policy)
    }

    /// When a security was quoted last, by whichever source.
    #[must_use]
    pub fn quoted(&self, name: SecurityName) -> Option<Time> {
        self.market.quoted(name)
    }

    /// How fresh and how whole the quotes of listed securities are.
    #[must_use]
    pub fn quotes(&self) -> Quotes {
        let mut quotes = Quotes::default();
        for &name in &self.market.listed {
            quotes.securities += 1;
            quotes.unmarked += u32::from(self.market.mark(name).is_none());
            if let Some(quoted) = self.market.quoted(name) {
                quotes.oldest = Some(quotes.oldest.map_or(quoted, |oldest: Time| oldest.min(quoted)));
                quotes.newest = quotes.newest.max(Some(quoted));
            }
        }
        quotes
    }

    /// A page of the accounts that are wanted.
    pub fn list(&self, wanted: &Wanted, exec: &impl Exec) -> Vec<Listed> {
        let lanes = self.lanes.len();
        let pages = exec.ask(&self.lanes, &|lane| lane.list(wanted, &self.market, (lane.number(), lanes)));
        let mut all: Vec<Placed> =
            pages.into_iter().flatten().map(|listed| Placed(listed, wanted.by)).collect();
        all.sort_unstable();
        all.truncate(wanted.limit);
        all.into_iter().map(|placed| placed.0).collect()
    }

    /// One account by its ordinal, term by term.
    #[must_use]
    pub fn detail(&self, ordinal: u32) -> Detail {
        let (lane, i) = self.place(ordinal);
        let lane = &self.lanes[lane];
        let (hot, view) = (&lane.hot[i], lane.view(i, &self.market));
        Detail {
            account: hot.name,
            customer: view.account.customer,
            branch: lane.branches[i],
            tier: hot.tier,
            restricted: hot.restricted,
            suspect: view.account.suspect,
            lines: view.lines,
            figures: view.figures(),
            holdings: view.holding_terms(),
            contracts: view.contract_terms(),
            frozen: view.frozen_by_orders(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_compare_as_their_cross_products_do() {
        let figures = [-7, -1, 0, 1, 2, 3, 5, 8, 9_999, 10_000, 10_001];
        for a in figures {
            for b in figures {
                for (c, d) in [(1, 1), (1, 3), (7, 5), (10_000, 9_999), (3, 9_001)] {
                    assert_eq!(compare((a, c), (b, d)), (a * d).cmp(&(b * c)), "{a}/{c} and {b}/{d}");
                }
            }
        }
        // Where the products would not fit.
        let big = i128::MAX / 3;
        assert_eq!(compare((big, big - 1), (big - 1, big - 2)), Ordering::Less);
        assert_eq!(compare((-big, 2), (-big + 2, 2)), Ordering::Less);
    }
}
