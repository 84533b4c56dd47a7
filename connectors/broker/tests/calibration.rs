//! What comes out of a book of 20 000 accounts stays near what is published. CALIBRATION.md shows
//! these figures; a change of them is a change of every benchmark's book.

use plimsoll_broker::{Account, Book, BookFigures, Profile, Universe};
use plimsoll_engine::num::Date;
use std::collections::BTreeMap;

const FIRST_DAY: Date = Date(20_472);
const ACCOUNTS: u64 = 20_000;

fn figures(profile: Profile) -> BTreeMap<&'static str, i128> {
    let universe = Universe::new(1, 5_500, FIRST_DAY, 8);
    let book = Book::new(&universe, 1, ACCOUNTS, profile, 8, FIRST_DAY);
    let mut figures = BookFigures::default();
    let mut account = Account::default();
    for number in 0..book.len() {
        book.account(number, &mut account);
        figures.count(&account, &universe);
    }
    figures.named().into_iter().collect()
}

fn assert_within(figures: &BTreeMap<&str, i128>, bounds: &[(&str, i128, i128)]) {
    for (name, value) in figures {
        println!("{name:28} {}.{:04}", value / 10_000, value % 10_000);
    }
    for &(name, low, high) in bounds {
        let value = figures[name];
        assert!((low..=high).contains(&value), "{name} is {value}, not from {low} to {high}");
    }
}

#[test]
fn the_stress_book_is_near_the_published_aggregates() {
    assert_within(
        &figures(Profile::Stress),
        &[
            ("ratio_mean", 26_000, 29_000),
            ("ratio_of_totals", 26_000, 29_000),
            ("ratio_median", 26_700, 27_300),
            ("debtors_below_1.80", 450, 550),
            ("debtors_below_1.40", 40, 60),
            ("accounts_in_debt", 10_000, 10_000),
            ("accounts_with_own_lines", 950, 1_050),
            ("debtors_with_shorts", 270, 330),
            ("positions_of_an_account", 78_000, 82_000),
            ("contracts_of_a_debtor", 19_500, 20_500),
            ("odd_lots", 1_450, 1_550),
            ("holders_of_the_most_held", 750, 850),
            // Published for 2025-06-30: 0.0067, and 50.3, 49.3 and 0.3 % by exchange.
            ("short_value_to_financing", 50, 90),
            ("financing_in_shanghai", 4_700, 5_400),
            ("financing_in_shenzhen", 4_600, 5_300),
            ("financing_in_beijing", 5, 100),
            // 1 838 billion over 1.68 million debtors.
            ("financing_of_a_debtor_yuan", 10_000_000_000, 12_000_000_000),
        ],
    );
}

#[test]
fn the_china_book_has_its_share_of_debtors() {
    assert_within(
        &figures(Profile::China),
        &[
            ("accounts_in_debt", 2_180, 2_350),
            ("ratio_median", 26_500, 27_500),
            ("positions_of_an_account", 78_000, 82_000),
        ],
    );
}

#[test]
fn a_book_does_not_depend_on_its_length() {
    let universe = Universe::new(3, 300, FIRST_DAY, 8);
    let short = Book::new(&universe, 3, 2_000, Profile::Stress, 8, FIRST_DAY);
    let again = Book::new(&universe, 3, 3_000, Profile::Stress, 8, FIRST_DAY);
    let (mut one, mut other) = (Account::default(), Account::default());
    for number in [0, 1, 77, 1_999] {
        short.account(number, &mut one);
        again.account(number, &mut other);
        assert_eq!(one, other);
        // Drawn into an account that held another, it is the same.
        again.account(5, &mut other);
        again.account(number, &mut other);
        assert_eq!(one, other);
    }
}
