//! What comes out of the core: one verdict per input, and effects with ordinals (events.md).

use crate::input::{AccountName, Code, ContractName, SecurityName, SourceName, words};
use crate::num::{Bp, Money};

words!(
    /// A tier, worst last (domain.md §6).
    Tier {
        None = "none", Normal = "normal", Watch = "watch", Warning = "warning", Call = "call",
        Immediate = "immediate", Insolvent = "insolvent",
    }
);
words!(
    /// What moved an account over a line.
    CauseKind {
        Price = "price", Mark = "mark", Security = "security", Calendar = "calendar",
        Policy = "policy", Opening = "opening", Cash = "cash", Transfer = "transfer", Fill = "fill",
        Repay = "repay", Interest = "interest", OtherCollateral = "other_collateral",
        CorporateAction = "corporate_action", Lines = "lines", Band = "band",
    }
);
words!(
    /// An act that a tier may refuse, in the order of `restriction_presets.csv`.
    Act {
        Financing = "financing", Shorting = "shorting", CollateralBuy = "collateral_buy",
        Withdraw = "withdraw", TransferOut = "transfer_out", Extend = "extend",
    }
);

/// A set of [`Act`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acts(pub u8);

impl Acts {
    /// Whether the act is in the set.
    #[must_use]
    pub fn has(self, act: Act) -> bool {
        self.0 & (1 << act as u8) != 0
    }

    /// The acts of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Act> {
        Act::ALL.iter().copied().filter(move |&act| self.has(act))
    }
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Applied.
    Accepted,
    /// Seen before; changed nothing.
    Duplicate,
    /// Changed nothing, for this reason.
    Refused(Code),
}

/// What a cause points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKey {
    /// Nothing.
    Nothing,
    /// A security.
    Security(SecurityName),
    /// The account itself.
    Account,
    /// One of its contracts.
    Contract(ContractName),
}

/// The largest contribution to a change of tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Kind.
    pub kind: CauseKind,
    /// What it points at.
    pub key: CauseKey,
    /// The entry of this epoch behind it.
    pub input: Option<u32>,
    /// Its contribution to A − line × D, 1/10 000 yuan, truncated toward zero.
    pub amount: Option<i128>,
}

/// A change of tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierChanged {
    /// The account.
    pub account: AccountName,
    /// Its counter of this effect, from 1.
    pub count: u32,
    /// Old tier.
    pub from: Tier,
    /// New tier.
    pub to: Tier,
    /// Assets, 1/10 000 yuan; `None` where a holding has no mark.
    pub assets: Option<i128>,
    /// Debts, 1/10 000 yuan.
    pub debts: i128,
    /// The boundary next to the new tier on the side of the old one.
    pub line: Option<Bp>,
    /// Whether it was decided at a `day_end`.
    pub settlement: bool,
    /// Why.
    pub cause: Cause,
}

/// An alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Numbers missing in a source: the last seen and the one that came.
    Gap(SourceName, u64, u64),
    /// A security without a mark leaves an account with debt without a ratio.
    Unmarked(SecurityName),
    /// A fact of this account was refused.
    Suspect(AccountName),
    /// A fact was applied although restricted.
    AgainstRestriction(AccountName, Act),
}

/// One effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `refused`: the entry, its counter, why. Details of refusals at the door stay there.
    Refused {
        /// Entry of this epoch.
        input: u32,
        /// Counter of this source and id, from 1.
        count: u32,
        /// Why.
        code: Code,
        /// Words for people, where the core has them.
        detail: &'static str,
    },
    /// `alarm`, with the counter of its kind and key.
    Alarm(Alarm, u32),
    /// `tier_changed`.
    TierChanged(TierChanged),
    /// `restricted` (acts newly refused) with its counter.
    Restricted(AccountName, Acts, Cause, u32),
    /// `lifted` (acts no longer refused) with its counter.
    Lifted(AccountName, Acts, Cause, u32),
}

/// What one step gives: a verdict per entry, and the effects in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Out {
    /// One per entry.
    pub verdicts: Vec<Verdict>,
    /// In the order of events.md.
    pub effects: Vec<Effect>,
}

/// What an account shows, exactly (domain.md §3); money 1/10 000 yuan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Cash.
    pub cash: i128,
    /// Receivables.
    pub receivables: i128,
    /// Other collateral.
    pub other_collateral: Money,
    /// Financing principal.
    pub principal: i128,
    /// Accrued interest and fees.
    pub interest: i128,
    /// Long value; `None` without a mark.
    pub long_value: Option<i128>,
    /// Short value; `None` without a mark.
    pub short_value: Option<i128>,
    /// What needs every mark; `None` where one lacks.
    pub valued: Option<Valued>,
}

/// Figures that rest on every mark of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valued {
    /// A.
    pub assets: i128,
    /// D.
    pub debts: i128,
    /// M, 1/10⁸ yuan.
    pub available_margin: i128,
    /// What may be withdrawn, 1/10 000 yuan, rounded down.
    pub withdrawable: i128,
    /// Numerator of the adjusted ratio, 1/10⁸ yuan.
    pub adjusted_assets: i128,
    /// Exits, where the ratio is below `restore_call`.
    pub cure: Option<Cure>,
}

/// Amounts of the exits before caps, in fen (0.01 yuan), rounded up (domain.md §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cure {
    /// The restore line.
    pub restore: Bp,
    /// Cash or eligible securities added.
    pub add: i128,
    /// Debt paid with outside money.
    pub repay: Option<i128>,
    /// Debt paid out of own free cash.
    pub repay_own: Option<i128>,
    /// Shares held returned for shorts.
    pub return_own: Option<i128>,
    /// Collateral sold, proceeds repay.
    pub sell: Option<i128>,
    /// Shorts bought back out of cash.
    pub cover: Option<i128>,
    /// Collateral sold to buy shorts back.
    pub sell_to_cover: Option<i128>,
}

impl Figures {
    /// A, where every holding has a mark.
    #[must_use]
    pub fn assets(&self) -> Option<i128> {
        self.long_value.map(|v| v + self.cash + self.receivables + i128::from(self.other_collateral))
    }

    /// D, where every share owed has a mark.
    #[must_use]
    pub fn debts(&self) -> Option<i128> {
        self.short_value.map(|v| v + self.principal + self.interest)
    }
}
