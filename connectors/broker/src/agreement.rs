//! Lines of an account's own: what agreements of brokers have published, and what a client may
//! have been granted or asked for.

use plimsoll_engine::input::{Basis, Line};
use plimsoll_files::rows::Lines;

const PLAIN: Lines<'static> = Lines {
    account: "",
    free: None,
    watch: None,
    warning: None,
    call: None,
    immediate: None,
    restore_call: None,
    restore_sale: None,
    sale_floor: None,
    deadline_days: None,
    deadline_time: None,
    call_basis: None,
    immediate_basis: None,
    agreement: None,
    valid_from: None,
};

const fn at(ratio: u32) -> Option<Line> {
    Some(Line::At(ratio))
}

/// The agreements; each keeps the order of lines, whatever of it an account leaves at the default.
pub const AGREEMENTS: [Lines<'static>; 7] = [
    Lines {
        agreement: Some("later-sale"),
        immediate: at(12_000),
        restore_call: at(15_000),
        restore_sale: at(15_000),
        immediate_basis: Some(Basis::Settlement),
        ..PLAIN
    },
    Lines {
        agreement: Some("two-days"),
        warning: at(14_000),
        call: at(12_000),
        immediate: Some(Line::Absent),
        deadline_days: Some(2),
        ..PLAIN
    },
    Lines {
        agreement: Some("at-least-settlement"),
        warning: at(14_500),
        immediate: at(11_000),
        restore_call: at(13_000),
        restore_sale: at(14_500),
        sale_floor: Some("last_settlement"),
        ..PLAIN
    },
    Lines { agreement: Some("half-back"), restore_call: at(13_500), restore_sale: at(15_000), ..PLAIN },
    Lines {
        agreement: Some("careful"),
        watch: at(20_000),
        warning: at(16_000),
        call: at(14_000),
        immediate: at(12_500),
        restore_call: at(15_000),
        restore_sale: at(15_500),
        ..PLAIN
    },
    Lines { agreement: Some("free-later"), free: at(32_000), ..PLAIN },
    Lines {
        agreement: Some("intraday"),
        call_basis: Some(Basis::Intraday),
        deadline_time: Some("14:00"),
        ..PLAIN
    },
];

/// The lines of an account.
#[must_use]
pub fn lines(agreement: usize, account: &str) -> Lines<'_> {
    Lines { account, ..AGREEMENTS[agreement].clone() }
}
