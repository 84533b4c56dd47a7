//! The published aggregates that the broker is drawn to, and the shapes that are ours. Where each
//! comes from stands in CALIBRATION.md.

/// Maintenance ratio of accounts in debt: place in 1/10 000, ratio in 1/10 000. Median 2.70; 5 %
/// lie below 1.80 and 0.5 % below 1.40.
pub const RATIO: [(i64, i64); 9] = [
    (0, 10_500),
    (50, 14_000),
    (500, 18_000),
    (2_000, 22_900),
    (5_000, 27_000),
    (8_000, 32_000),
    (9_500, 40_000),
    (9_900, 55_000),
    (10_000, 80_000),
];

/// Median of an individual's assets net of short proceeds, yuan, and the deviation of their
/// logarithm to the base of two, in 1/1000: together they give the published debt per debtor.
pub const ASSETS_MEDIAN_YUAN: i64 = 915_000;
/// See [`ASSETS_MEDIAN_YUAN`].
pub const ASSETS_SPREAD: i64 = 2_164;
/// Least and most of them.
pub const ASSETS_BOUNDS_YUAN: (i64, i64) = (30_000, 3_000_000_000);
/// How many times larger the accounts of others than individuals are.
pub const INSTITUTION_FACTOR: i64 = 8;

/// Individuals, institutions, products and private funds, of 10 000 accounts.
pub const CLIENT_CLASSES: [u64; 4] = [9_932, 32, 18, 18];
/// Of 1000 accounts, those with lines of their own.
pub const OWN_LINES: u64 = 100;
/// Of 1000 accounts in debt, those that owe shares.
pub const SHORTERS: u64 = 30;
/// Of 1000 of those, the ones that owe nothing else.
pub const ONLY_SHORT: u64 = 100;
/// What shares owed make of the debt of the others, in 1/1000.
pub const SHORT_SHARE: (i64, i64) = (60, 180);
/// Of 1000 quantities, the odd lots.
pub const ODD_LOTS: u64 = 150;
/// Most positions of an account.
pub const MOST_POSITIONS: usize = 20;
/// Of 1000 accounts, those that hold the most held security.
pub const MOST_HELD: u64 = 80;

/// Accounts of the China profile, and those of them in debt.
pub const CHINA: (u64, u64) = (75, 17);
/// Of 1000 accounts in debt, those that trade on a day.
pub const ACTIVE: u64 = 235;
/// Facts of an active account on a day.
pub const FACTS_OF_ACTIVE: u64 = 4;

/// Close of a share, 1/10 000 yuan, by place.
pub const SHARE_PRICE: [(i64, i64); 9] = [
    (0, 12_000),
    (100, 17_000),
    (1_000, 30_000),
    (2_500, 48_000),
    (5_000, 75_000),
    (7_500, 130_000),
    (9_000, 230_000),
    (9_900, 650_000),
    (10_000, 14_000_000),
];
/// Value of the shares that float, million yuan, by place.
pub const FLOAT_VALUE_MILLION: [(i64, i64); 9] = [
    (0, 600),
    (100, 1_100),
    (1_000, 3_400),
    (2_500, 6_500),
    (5_000, 10_900),
    (7_500, 20_700),
    (9_000, 42_000),
    (9_900, 221_000),
    (10_000, 1_800_000),
];
/// Turnover of a day, thousand yuan, by place.
pub const TURNOVER_THOUSAND: [(i64, i64); 9] = [
    (0, 5_000),
    (100, 19_000),
    (1_000, 43_000),
    (2_500, 72_000),
    (5_000, 150_000),
    (7_500, 330_000),
    (9_000, 670_000),
    (9_900, 2_050_000),
    (10_000, 12_000_000),
];
