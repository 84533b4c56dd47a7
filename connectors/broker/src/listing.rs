//! What is listed: groups of securities with the codes, prices and rules of each.

use crate::chance::Dice;
use plimsoll_engine::input::{Board, Class};
use plimsoll_engine::num::{Bp, Money, YUAN};

/// A group of securities of one class and board.
#[derive(Debug, PartialEq)]
pub struct Group {
    /// Class.
    pub class: Class,
    /// Board.
    pub board: Board,
    /// Exchange.
    pub exchange: &'static str,
    /// Of 1000 securities.
    pub share: usize,
    /// Beginnings of its codes.
    pub codes: &'static [&'static str],
    /// Close: from, to; `None`: as shares are priced, times `dearness`.
    pub close: Option<(Money, Money)>,
    /// Price level of shares of the board, 1/1000.
    pub dearness: i64,
    /// How much of a share's moves it makes, 1/1000.
    pub liveliness: i64,
    /// Price step.
    pub tick: Money,
    /// Buying unit.
    pub lot: i64,
    /// Daily limit, 1/1000; 0 for none.
    pub limit: i64,
    /// Whether it is sold on the day it was bought.
    pub same_day: bool,
    /// Published haircuts, from the small members to the large.
    pub haircut: &'static [Bp],
    /// How many of it are eligible for financing, largest first, 1/10 000.
    pub eligible: i64,
}

const SHARE: Group = Group {
    class: Class::AShare,
    board: Board::Main,
    exchange: "SH",
    share: 0,
    codes: &[],
    close: None,
    dearness: 1000,
    liveliness: 1000,
    tick: 100,
    lot: 100,
    limit: 100,
    same_day: false,
    haircut: &[],
    eligible: 0,
};

const FUND: Group = Group {
    tick: 10,
    class: Class::Etf,
    close: Some((5_000, 45_000)),
    liveliness: 850,
    haircut: &[7_000, 8_000, 9_000],
    ..SHARE
};

const BOND: Group = Group {
    class: Class::Bond,
    tick: 10,
    liveliness: 30,
    limit: 0,
    lot: 1000,
    same_day: true,
    close: Some((95 * YUAN, 108 * YUAN)),
    haircut: &[6_000, 7_000, 8_000],
    ..SHARE
};

const MAIN_HAIRCUTS: &[Bp] = &[3_000, 4_500, 5_000, 5_500, 6_000, 6_500, 6_500];
const GROWTH_HAIRCUTS: &[Bp] = &[2_500, 3_000, 4_000, 4_000, 4_000, 5_000];

/// Everything listed; shares add up to 1000, largest first.
pub const LISTING: &[Group] = &[
    Group {
        share: 268,
        codes: &["600", "601", "603", "605"],
        haircut: MAIN_HAIRCUTS,
        eligible: 6_600,
        ..SHARE
    },
    Group {
        exchange: "SZ",
        share: 238,
        codes: &["000", "001", "002", "003"],
        haircut: MAIN_HAIRCUTS,
        eligible: 6_600,
        ..SHARE
    },
    Group {
        exchange: "SZ",
        board: Board::Chinext,
        share: 217,
        codes: &["300", "301"],
        dearness: 1500,
        limit: 200,
        haircut: GROWTH_HAIRCUTS,
        eligible: 9_400,
        ..SHARE
    },
    Group {
        board: Board::Star,
        share: 94,
        codes: &["688"],
        dearness: 2200,
        limit: 200,
        lot: 1,
        haircut: GROWTH_HAIRCUTS,
        eligible: 10_000,
        ..SHARE
    },
    Group {
        board: Board::Bse,
        exchange: "BJ",
        share: 43,
        codes: &["83", "87", "43"],
        limit: 300,
        lot: 1,
        haircut: &[0, 0, 0, 2_000],
        eligible: 10_000,
        ..SHARE
    },
    Group { share: 45, codes: &["510", "512", "515", "588"], eligible: 2_500, ..FUND },
    Group { exchange: "SZ", share: 33, codes: &["159"], eligible: 2_500, ..FUND },
    Group {
        class: Class::Convertible,
        share: 12,
        codes: &["110", "113", "118"],
        close: Some((98 * YUAN, 175 * YUAN)),
        liveliness: 500,
        limit: 200,
        lot: 10,
        ..BOND
    },
    Group {
        class: Class::Convertible,
        exchange: "SZ",
        share: 15,
        codes: &["123", "127", "128"],
        close: Some((98 * YUAN, 175 * YUAN)),
        liveliness: 500,
        limit: 200,
        lot: 10,
        ..BOND
    },
    Group { class: Class::Treasury, share: 8, codes: &["019"], haircut: &[9_000, 9_500], ..BOND },
    Group { share: 7, codes: &["122", "136"], ..BOND },
    Group { class: Class::Fund, exchange: "SZ", share: 6, codes: &["160", "161"], haircut: &[7_000], ..FUND },
    Group {
        class: Class::MoneyFund,
        share: 6,
        codes: &["511"],
        close: Some((99 * YUAN, 101 * YUAN)),
        liveliness: 10,
        same_day: true,
        haircut: &[9_500],
        ..FUND
    },
    Group {
        class: Class::Reit,
        share: 6,
        codes: &["508"],
        close: Some((2 * YUAN, 10 * YUAN)),
        liveliness: 500,
        haircut: &[6_000, 7_000],
        ..FUND
    },
    Group {
        class: Class::DepositaryReceipt,
        board: Board::Star,
        share: 2,
        codes: &["689"],
        dearness: 2200,
        limit: 200,
        lot: 1,
        haircut: &[4_000],
        ..SHARE
    },
];

/// How many codes a group can give; more securities than this do not fit.
#[must_use]
pub fn room(group: &Group) -> usize {
    group.codes.iter().map(|start| 10_usize.pow(6 - start.len() as u32) - 1).sum()
}

/// The code of a member: spread evenly over the group's codes, so that none comes twice.
pub fn code(group: &Group, member: usize, members: usize) -> String {
    let mut place = member * room(group) / members.max(1);
    for start in group.codes {
        let width = 6 - start.len();
        let count = 10_usize.pow(width as u32) - 1;
        if place < count {
            return format!("{start}{:0width$}.{}", place + 1, group.exchange);
        }
        place -= count;
    }
    unreachable!("a member lies within its group's room")
}

const PLACES: [&str; 24] = [
    "江城", "云岭", "北川", "东麓", "海陵", "青原", "临水", "长岗", "秦浦", "南汀", "沙洲", "古渡", "松台",
    "白石", "龙栖", "凤麓", "金坪", "银滩", "桂溪", "柳浦", "竹山", "梅岭", "兰台", "荷州",
];
const TRADES: [&str; 24] = [
    "钢构", "制药", "电子", "软件", "化工", "水泥", "航运", "食品", "纺织", "能源", "光电", "材料", "机械",
    "汽配", "医疗", "环保", "通信", "物流", "置业", "农业", "矿业", "传媒", "智造", "半导",
];

/// An invented name in the form its class has.
pub fn name(group: &Group, risk_warning: bool, dice: &mut Dice) -> String {
    let place = PLACES[dice.below(PLACES.len() as u64) as usize];
    let trade = TRADES[dice.below(TRADES.len() as u64) as usize];
    let warning = if risk_warning { "ST" } else { "" };
    match group.class {
        Class::AShare | Class::DepositaryReceipt => format!("{warning}{place}{trade}"),
        Class::Etf => format!("{place}{trade}ETF"),
        Class::Convertible => format!("{place}转债"),
        Class::Treasury => format!("国债{:02}{:02}", dice.between(10, 25), dice.between(1, 24)),
        Class::MoneyFund => format!("{place}货币"),
        Class::Fund => format!("{place}{trade}LOF"),
        Class::Reit => format!("{place}REIT"),
        _ => format!("{place}债{:02}", dice.between(1, 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_listing_is_whole() {
        assert_eq!(LISTING.iter().map(|group| group.share).sum::<usize>(), 1000);
    }

    #[test]
    fn codes_come_once_up_to_the_room() {
        for group in LISTING {
            for members in [1, 7, room(group)] {
                let codes: BTreeSet<String> =
                    (0..members).map(|member| code(group, member, members)).collect();
                assert_eq!(codes.len(), members);
                assert!(codes.iter().all(|code| code.len() == 9));
            }
        }
    }
}
