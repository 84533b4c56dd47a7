//! The policy: lines, costs, marking, interest and repayment rules (events.md, "Policy file").
//!
//! A draft is what a file or a `policy` input states; the core resolves it against the preset
//! table in force, so that a replay needs nothing but its inputs.

use crate::effect::Acts;
use crate::input::{Basis, ClientClass, Code, Line, LinesPatch, Refusal, refusal, words};
use crate::num::{Bp, Money, Rate};
use crate::rules::Rules;

words!(
    /// The lines an agreement may state, in the order of `line_presets.csv`.
    LineName {
        Free = "free", Watch = "watch", Warning = "warning", Call = "call", Immediate = "immediate",
        RestoreCall = "restore_call", RestoreSale = "restore_sale",
    }
);
words!(
    /// What a long suspended security counts for.
    SuspendedMark { Last = "last", Zero = "zero", Index = "index" }
);
words!(
    /// What a repayment pays first.
    RepayOrder { InterestFirst = "interest_first", PrincipalFirst = "principal_first" }
);
words!(
    /// Which contract the proceeds of `sell_to_repay` pay.
    RepayContract { Own = "own", FirstDue = "first_due", HighestRate = "highest_rate" }
);
words!(
    /// When tied shares become free.
    Release { Proportional = "proportional", AtClose = "at_close" }
);
words!(
    /// What a `collateral_sell` of tied shares does with its proceeds.
    CollateralSell { Repays = "repays", Keeps = "keeps" }
);

/// Lowest `free` line: withdrawal never below 3.00 (domain.md §3.3).
pub const FREE_MINIMUM: Bp = 30_000;
/// The ratio at which assets equal debts.
pub const PAR: Bp = 10_000;

/// `[lines]` or a class section as stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinesDraft {
    /// Row of `line_presets` taken as the base.
    pub preset: Option<Box<str>>,
    /// Lines stated.
    pub lines: [Option<Line>; 7],
    /// Recovery band.
    pub recovery_band: Option<Bp>,
    /// Bit set of [`LineName`]s that compare with "or equal".
    pub inclusive: Option<u8>,
}

/// A policy as stated: every key optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDraft {
    /// `[lines]`
    pub lines: LinesDraft,
    /// `[lines.individual]` and so on, in the order of [`ClientClass`].
    pub classes: [Option<LinesDraft>; 4],
    /// `[call]`, in the form an agreement states it.
    pub call: CallDraft,
    /// `[costs]`: commission, stamp_duty, transfer_fee, slippage.
    pub costs: [Option<Rate>; 4],
    /// `[costs] commission_minimum`
    pub commission_minimum: Option<Money>,
    /// `[marking] suspended`
    pub suspended: Option<SuspendedMark>,
    /// `[marking] suspended_days`
    pub suspended_days: Option<u32>,
    /// `[interest] year_days`
    pub year_days: Option<u32>,
    /// `[repay] order`
    pub repay_order: Option<RepayOrder>,
    /// `[repay] contract`
    pub repay_contract: Option<RepayContract>,
    /// `[repay] release`
    pub release: Option<Release>,
    /// `[repay] collateral_sell`
    pub collateral_sell: Option<CollateralSell>,
}

/// `[call]` as stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallDraft {
    /// `basis`
    pub basis: Option<Basis>,
    /// `immediate_basis`
    pub immediate_basis: Option<Basis>,
    /// `deadline_days`
    pub deadline_days: Option<u32>,
    /// `deadline_time`, minutes since midnight.
    pub deadline_minute: Option<u32>,
    /// `sale_floor`: whether last settlement's need is a floor.
    pub sale_floor: Option<bool>,
}

/// Lines in force for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// By [`LineName`]; `None` where the line is absent.
    pub at: [Option<Bp>; 7],
    /// Recovery band.
    pub band: Bp,
    /// Bit set of [`LineName`]s that compare with "or equal".
    pub inclusive: u8,
}

impl Lines {
    const DEFAULT: Lines = Lines {
        at: [
            Some(30_000),
            Some(18_000),
            Some(15_000),
            Some(13_000),
            Some(11_500),
            Some(14_000),
            Some(14_000),
        ],
        band: 200,
        inclusive: 0,
    };

    /// One line.
    #[must_use]
    pub fn get(&self, name: LineName) -> Option<Bp> {
        self.at[name as usize]
    }

    /// The restore line of a call; a line that cannot be absent.
    #[must_use]
    pub fn restore_call(&self) -> Bp {
        self.at[LineName::RestoreCall as usize].unwrap_or(PAR)
    }

    /// The line a forced sale aims at.
    #[must_use]
    pub fn restore_sale(&self) -> Bp {
        self.at[LineName::RestoreSale as usize].unwrap_or(PAR)
    }

    /// The `free` line; a line that cannot be absent.
    #[must_use]
    pub fn free(&self) -> Bp {
        self.at[LineName::Free as usize].unwrap_or(FREE_MINIMUM)
    }

    /// These lines with those an agreement states in their place.
    #[must_use]
    pub fn with(mut self, stated: &[Option<Line>; 7]) -> Self {
        for (line, stated) in self.at.iter_mut().zip(stated) {
            match stated {
                Some(Line::At(bp)) => *line = Some(*bp),
                Some(Line::Absent) => *line = None,
                None => {}
            }
        }
        self
    }

    /// Whether the lines are in order (domain.md §6).
    ///
    /// # Errors
    /// `bad_lines`, saying which rule is broken.
    pub fn check(&self) -> Result<(), Refusal> {
        let bad = |detail| Err(refusal(Code::BadLines, detail));
        let tiers = &self.at[LineName::Watch as usize..=LineName::Immediate as usize];
        let mut above = Bp::MAX;
        if self.at.iter().flatten().any(|&line| line <= PAR) {
            return bad("a line must lie above 1.00");
        }
        for &line in tiers.iter().flatten() {
            if line >= above {
                return bad("lines must descend strictly from watch to immediate");
            }
            above = line;
        }
        let [free, restore_call, restore_sale] =
            [LineName::Free, LineName::RestoreCall, LineName::RestoreSale].map(|name| self.get(name));
        let (Some(free), Some(restore_call), Some(restore_sale)) = (free, restore_call, restore_sale) else {
            return bad("free, restore_call and restore_sale cannot be absent");
        };
        if free < FREE_MINIMUM {
            return bad("the free line lies below 3.00");
        }
        if self.get(LineName::Call).is_some_and(|call| call > restore_call) {
            return bad("restore_call lies below the call line");
        }
        if restore_call > restore_sale {
            return bad("restore_sale lies below restore_call");
        }
        Ok(())
    }
}

/// Flat cost rates of domain.md §8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Commission.
    pub commission: Rate,
    /// Stamp duty of a sale.
    pub stamp_duty: Rate,
    /// Transfer fee.
    pub transfer_fee: Rate,
    /// Slippage.
    pub slippage: Rate,
    /// Least commission of an order.
    pub commission_minimum: Money,
}

impl Costs {
    /// c_s of domain.md §8, 1/10⁸.
    #[must_use]
    pub fn sale(&self) -> i128 {
        self.purchase() + i128::from(self.stamp_duty)
    }

    /// c_b of domain.md §8, 1/10⁸.
    #[must_use]
    pub fn purchase(&self) -> i128 {
        i128::from(self.commission) + i128::from(self.transfer_fee) + i128::from(self.slippage)
    }
}

/// `[call]` in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTerms {
    /// When calls are decided.
    pub basis: Basis,
    /// When `immediate` acts.
    pub immediate_basis: Basis,
    /// Days to cure.
    pub deadline_days: u32,
    /// Minutes since midnight.
    pub deadline_minute: u32,
    /// Whether last settlement's need is a floor.
    pub sale_floor: bool,
}

/// A policy in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Lines by client class.
    pub lines: [Lines; 4],
    /// Terms of a call.
    pub call: CallTerms,
    /// Costs.
    pub costs: Costs,
    /// What a long suspended security counts for.
    pub suspended: SuspendedMark,
    /// After how many trading days.
    pub suspended_days: u32,
    /// Days of an interest year.
    pub year_days: u32,
    /// What a repayment pays first.
    pub repay_order: RepayOrder,
    /// Which contract a sale repays.
    pub repay_contract: RepayContract,
    /// When tied shares become free.
    pub release: Release,
    /// What a `collateral_sell` of tied shares does.
    pub collateral_sell: CollateralSell,
    /// Acts refused by tier.
    pub restrictions: [Acts; 7],
}

impl LinesDraft {
    fn preset<'a>(&self, rules: &'a Rules) -> Result<Option<&'a crate::rules::LinePresetRow>, Refusal> {
        let Some(name) = &self.preset else { return Ok(None) };
        match rules.line_presets.iter().find(|row| row.preset == *name) {
            Some(row) => Ok(Some(row)),
            None => Err(refusal(Code::BadValue, "no such preset of lines")),
        }
    }

    fn over(&self, base: Lines, rules: &Rules) -> Result<Lines, Refusal> {
        let mut lines = base;
        if let Some(row) = self.preset(rules)? {
            lines = lines.with(&row.lines);
        }
        lines = lines.with(&self.lines);
        lines.band = self.recovery_band.unwrap_or(lines.band);
        lines.inclusive = self.inclusive.unwrap_or(lines.inclusive);
        Ok(lines)
    }
}

impl PolicyDraft {
    /// The policy this draft makes with the tables in force: absent keys mean the defaults, a
    /// preset's columns come before them and explicit keys before the preset's.
    ///
    /// # Errors
    /// `bad_value` for an unknown preset, `bad_lines` for lines out of order.
    pub fn resolve(&self, rules: &Rules) -> Result<Policy, Refusal> {
        let house = self.lines.over(Lines::DEFAULT, rules)?;
        let mut lines = [house; 4];
        for (lines, draft) in lines.iter_mut().zip(&self.classes) {
            if let Some(draft) = draft {
                *lines = draft.over(house, rules)?;
            }
        }
        house.check()?;
        lines.iter().try_for_each(Lines::check)?;
        let row = self.lines.preset(rules)?;
        let call = CallTerms {
            basis: self.call.basis.or(row.and_then(|r| r.call_basis)).unwrap_or(Basis::Settlement),
            immediate_basis: self
                .call
                .immediate_basis
                .or(row.and_then(|r| r.immediate_basis))
                .unwrap_or(Basis::Intraday),
            deadline_days: self.call.deadline_days.or(row.and_then(|r| r.deadline_days)).unwrap_or(1),
            deadline_minute: self
                .call
                .deadline_minute
                .or(row.and_then(|r| r.deadline_minute))
                .unwrap_or(15 * 60),
            sale_floor: self.call.sale_floor.or(row.and_then(|r| r.sale_floor)).unwrap_or(false),
        };
        let [commission, stamp_duty, transfer_fee, slippage] = self.costs;
        Ok(Policy {
            lines,
            call,
            costs: Costs {
                commission: commission.unwrap_or(25_000),
                stamp_duty: stamp_duty.unwrap_or(50_000),
                transfer_fee: transfer_fee.unwrap_or(1_000),
                slippage: slippage.unwrap_or(0),
                commission_minimum: self.commission_minimum.unwrap_or(50_000),
            },
            suspended: self.suspended.or(row.and_then(|r| r.suspended)).unwrap_or(SuspendedMark::Last),
            suspended_days: self.suspended_days.or(row.and_then(|r| r.suspended_days)).unwrap_or(30),
            year_days: self.year_days.unwrap_or(360),
            repay_order: self.repay_order.unwrap_or(RepayOrder::InterestFirst),
            repay_contract: self.repay_contract.unwrap_or(RepayContract::Own),
            release: self.release.unwrap_or(Release::Proportional),
            collateral_sell: self.collateral_sell.unwrap_or(CollateralSell::Repays),
            restrictions: rules.restrictions_of("default"),
        })
    }
}

impl Policy {
    /// Lines of an account without any of its own.
    #[must_use]
    pub fn lines_of(&self, class: ClientClass) -> &Lines {
        &self.lines[class as usize]
    }
}

impl LinesPatch {
    /// Lays another patch over this one: given fields replace, the others stay.
    pub fn overlay(&mut self, other: &LinesPatch) {
        for (mine, theirs) in self.lines.iter_mut().zip(&other.lines) {
            *mine = theirs.or(*mine);
        }
        self.sale_floor = other.sale_floor.or(self.sale_floor);
        self.deadline_days = other.deadline_days.or(self.deadline_days);
        self.deadline_minute = other.deadline_minute.or(self.deadline_minute);
        self.call_basis = other.call_basis.or(self.call_basis);
        self.immediate_basis = other.immediate_basis.or(self.immediate_basis);
    }
}
