//! Who belongs to which index and list, and what follows for the record of a security.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use plimsoll_engine::input::Board;
use plimsoll_engine::num::Bp;

use crate::Error;

/// Indices carried into records: the source's name and ours, in the order of a record.
const INDICES: [(&str, &str); 7] = [
    ("上证180", "SSE180"),
    ("深证100", "SZSE100"),
    ("深证100R", "SZSE100"),
    ("沪深300", "CSI300"),
    ("上证50", "SSE50"),
    ("中证500", "CSI500"),
    ("中证1000", "CSI1000"),
];

/// The state of the lists that a set of data belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vintage {
    /// The lists of about 2014 to 2015.
    Of2015,
    /// The lists of April 2022, the latest there are.
    Of2022,
}

/// Index members and securities eligible for financing and shorting.
#[derive(Debug)]
pub struct Members {
    indices: HashMap<String, Vec<&'static str>>,
    eligible: HashSet<String>,
}

impl Members {
    /// Reads `index_membership_vintages.csv` and `eligible_lists.csv`.
    ///
    /// # Errors
    /// When a file cannot be read or has no row of the vintage.
    pub fn read(data: &Path, vintage: Vintage) -> Result<Members, Error> {
        let (index_vintage, list_vintage) = match vintage {
            Vintage::Of2015 => ("~2014-2015", "2014-09..2015"),
            Vintage::Of2022 => ("2022-04-25", "2022-04-25"),
        };
        let path = data.join("index_membership_vintages.csv");
        let rows = crate::table::csv(&path, &["vintage", "index", "code"])?;
        let mut indices: HashMap<String, Vec<&'static str>> = HashMap::new();
        for (name, ours) in INDICES {
            for row in rows.iter().filter(|r| r[0] == index_vintage && r[1] == name) {
                indices.entry(row[2].clone()).or_default().push(ours);
            }
        }
        if indices.is_empty() {
            return Err(Error::data(&path, format!("no vintage {index_vintage}")));
        }
        let path = data.join("eligible_lists.csv");
        let eligible: HashSet<String> = crate::table::csv(&path, &["vintage", "code", "list"])?
            .into_iter()
            .filter(|r| r[0].starts_with(list_vintage) && r[2] == "融资融券标的")
            .map(|mut r| r.swap_remove(1))
            .collect();
        if eligible.is_empty() {
            return Err(Error::data(&path, format!("no vintage {list_vintage}")));
        }
        Ok(Members { indices, eligible })
    }

    /// The indices of a security.
    #[must_use]
    pub fn indices(&self, code: &str) -> &[&'static str] {
        self.indices.get(code).map_or(&[], Vec::as_slice)
    }

    /// Whether the exchange's list admits the security for financing and shorting.
    #[must_use]
    pub fn eligible(&self, code: &str) -> bool {
        self.eligible.contains(code)
    }
}

/// The board of a code with its suffix.
#[must_use]
pub fn board(code: &str) -> Board {
    match code.as_bytes() {
        [b'6', b'8', ..] => Board::Star,
        [b'3', b'0', ..] => Board::Chinext,
        [b'4' | b'8' | b'9', .., b'B', b'J'] => Board::Bse,
        _ => Board::Main,
    }
}

/// A code as the wire writes it, from its six digits.
#[must_use]
pub fn with_exchange(digits: &str) -> String {
    let exchange = match digits.as_bytes().first() {
        Some(b'6' | b'9') => "SH",
        Some(b'4' | b'8') => "BJ",
        _ => "SZ",
    };
    format!("{digits}.{exchange}")
}

/// The published haircut given to a share, 1/10 000 (`SOURCES.md`, "Haircuts").
#[must_use]
pub fn haircut(board: Board, indices: &[&str], eligible: bool, collateral: bool) -> Bp {
    if !collateral {
        0
    } else if indices.iter().any(|i| matches!(*i, "SSE180" | "SZSE100")) {
        7_000
    } else if eligible {
        6_500
    } else if board == Board::Main {
        5_500
    } else {
        4_500
    }
}

/// What a day's name says of a security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameSigns {
    /// `ST`, `*ST`: a risk warning.
    pub risk_warning: bool,
    /// `退`: in its delisting period.
    pub delisting: bool,
    /// First day of a listing (`N`).
    pub first_day: bool,
    /// `S`: its non-tradable shares were never converted; the 5 % limit of risk warnings holds.
    pub unreformed: bool,
}

/// The name without the marks of the day: `XD`, `XR`, `DR` of an ex-date, `N` of the first day.
#[must_use]
pub fn plain_name(name: &str) -> &str {
    ["XD", "XR", "DR", "N"].iter().find_map(|mark| name.strip_prefix(mark)).unwrap_or(name)
}

/// Reads the signs in a day's name.
#[must_use]
pub fn name_signs(name: &str) -> NameSigns {
    let plain = plain_name(name);
    let risk_warning = ["ST", "*ST", "SST", "S*ST"].iter().any(|mark| plain.starts_with(mark));
    NameSigns {
        risk_warning,
        delisting: plain.starts_with('退') || plain.ends_with('退'),
        first_day: name.starts_with('N'),
        unreformed: !risk_warning && plain.starts_with('S'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let signs = |name| {
            let s = name_signs(name);
            (s.risk_warning, s.delisting, s.first_day, s.unreformed)
        };
        assert_eq!(signs("浦发银行"), (false, false, false, false));
        assert_eq!(signs("*ST国恒"), (true, false, false, false));
        assert_eq!(signs("XR*ST阳"), (true, false, false, false));
        assert_eq!(signs("国恒退"), (false, true, false, false));
        assert_eq!(signs("N莱克"), (false, false, true, false));
        assert_eq!(signs("XDS佳通"), (false, false, false, true));
        assert_eq!(signs("TCL集团"), (false, false, false, false));
        assert_eq!(plain_name("XD白云机"), "白云机");
    }

    #[test]
    fn boards_and_exchanges_follow_the_code() {
        let of = |digits| {
            let code = with_exchange(digits);
            (board(&code), code)
        };
        assert_eq!(of("600519"), (Board::Main, "600519.SH".into()));
        assert_eq!(of("688981"), (Board::Star, "688981.SH".into()));
        assert_eq!(of("002001"), (Board::Main, "002001.SZ".into()));
        assert_eq!(of("300750"), (Board::Chinext, "300750.SZ".into()));
        assert_eq!(of("830799"), (Board::Bse, "830799.BJ".into()));
    }
}
