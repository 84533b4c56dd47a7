//! What one stream likes: each stream draws its own mix, so that rare mixes come up often.

use super::json::Style;
use super::rng::Rng;
use super::time::day_of;

/// Everything the generator may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A quote near the last one.
    Quote,
    /// A quote at some account's line.
    SteerQuote,
    /// A level of an index.
    Index,
    /// A manual mark.
    Mark,
    /// A corporate action of any kind.
    CorporateAction,
    /// A security's record.
    Security,
    /// An account's record.
    Account,
    /// Lines of an account's own.
    Lines,
    /// A balance anywhere.
    Opening,
    /// A balance at a line.
    TargetOpening,
    /// A cash movement.
    Cash,
    /// A cash movement to a line.
    SteerCash,
    /// Shares in or out.
    Transfer,
    /// A fill of any side.
    Fill,
    /// A repayment in cash or shares.
    Repay,
    /// Interest settled, corrected or added.
    Interest,
    /// A contract's other terms.
    Extend,
    /// An order in flight.
    Order,
    /// Other collateral.
    OtherCollateral,
    /// Time passes.
    Clock,
    /// Another policy.
    Policy,
    /// A rule table anew.
    Rules,
    /// A calendar anew.
    Calendar,
    /// An earlier line again.
    Duplicate,
    /// An event that must be refused.
    Fault,
    /// The end of a day and the start of another.
    NextDay,
}

/// The acts with their usual weight.
pub const ACTS: [(Act, u32); 26] = [
    (Act::Quote, 90),
    (Act::SteerQuote, 160),
    (Act::Index, 12),
    (Act::Mark, 12),
    (Act::CorporateAction, 10),
    (Act::Security, 14),
    (Act::Account, 6),
    (Act::Lines, 16),
    (Act::Opening, 14),
    (Act::TargetOpening, 40),
    (Act::Cash, 24),
    (Act::SteerCash, 40),
    (Act::Transfer, 24),
    (Act::Fill, 150),
    (Act::Repay, 40),
    (Act::Interest, 20),
    (Act::Extend, 14),
    (Act::Order, 30),
    (Act::OtherCollateral, 10),
    (Act::Clock, 6),
    (Act::Policy, 6),
    (Act::Rules, 3),
    (Act::Calendar, 3),
    (Act::Duplicate, 12),
    (Act::Fault, 45),
    (Act::NextDay, 36),
];

/// Sides of a fill, in the order of the contract.
pub const SIDES: [&str; 7] = [
    "collateral_buy",
    "collateral_sell",
    "margin_buy",
    "short_sell",
    "sell_to_repay",
    "buy_to_cover",
    "subscribe",
];

/// First days of the streams: the eves of rule changes, month ends, and a day before any rule.
pub const ERAS: [(i64, i64, i64); 20] = [
    (2010, 3, 29),
    (2014, 2, 26),
    (2015, 1, 16),
    (2015, 6, 11),
    (2015, 11, 20),
    (2016, 12, 9),
    (2019, 7, 19),
    (2020, 8, 21),
    (2021, 6, 18),
    (2021, 11, 12),
    (2023, 2, 10),
    (2023, 9, 7),
    (2023, 9, 8),
    (2023, 10, 27),
    (2024, 2, 28),
    (2024, 7, 19),
    (2024, 8, 30),
    (2026, 1, 15),
    (2026, 1, 16),
    (2026, 7, 3),
];

/// The tastes of one stream.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Weights of `ACTS`.
    pub weights: Vec<u32>,
    /// Weights of `SIDES`.
    pub sides: Vec<u32>,
    /// How its JSON is written.
    pub style: Style,
    /// How many accounts.
    pub accounts: usize,
    /// How many securities.
    pub securities: usize,
    /// How many acts.
    pub steps: usize,
    /// Per mille of steps that stay at the same instant.
    pub same_instant: u32,
    /// Per mille of events that get a generic fault.
    pub faults: u32,
    /// Per mille of events that come late.
    pub late: u32,
    /// Per mille of the accounts that are huge.
    pub huge: u32,
    /// Per mille of the contracts that are shorts.
    pub shorts: u32,
    /// Whether suspended shorts are drilled down to nothing at a day's end.
    pub drill: bool,
    /// Per mille of days' ends that are prepared so that the settlement moves a tier.
    pub settlement: u32,
    /// First day, in days since 1970-01-01.
    pub first_day: i64,
    /// Whether every security has a record and a price before the accounts open.
    pub priced: bool,
    /// Whether the stream begins with a policy file.
    pub policy_file: bool,
    /// Whether names leave ASCII.
    pub unicode: bool,
}

impl Swarm {
    /// Draws the tastes of a stream.
    pub fn draw(rng: &mut Rng) -> Self {
        let weights = ACTS.iter().map(|(_, w)| w * *rng.pick(&[0, 1, 1, 2, 3, 9]) / 2).collect();
        let sides = SIDES.iter().map(|_| *rng.pick(&[1, 3, 3, 10])).collect();
        let (year, month, day) = *rng.pick(&ERAS);
        let style = Style {
            shuffle: *rng.pick(&[0, 0, 200, 900]),
            numbers: *rng.pick(&[0, 0, 300, 1000]),
            zeros: *rng.pick(&[0, 50, 400]),
            spaces: rng.chance(300),
            escapes: *rng.pick(&[0, 0, 0, 40]),
        };
        Self {
            weights,
            sides,
            style,
            accounts: *rng.pick(&[2, 8, 16, 24, 32]),
            securities: 2 + rng.below(8),
            steps: 120 + rng.below(200),
            same_instant: *rng.pick(&[0, 300, 600, 850]),
            faults: *rng.pick(&[0, 3, 10, 40]),
            late: *rng.pick(&[0, 0, 10, 60]),
            huge: *rng.pick(&[0, 100, 250, 700]),
            shorts: *rng.pick(&[0, 300, 300, 600, 1000]),
            drill: rng.chance(120),
            settlement: *rng.pick(&[200, 700, 950]),
            first_day: day_of(year, month, day),
            priced: rng.chance(800),
            policy_file: rng.chance(300),
            unicode: rng.chance(200),
        }
    }
}
