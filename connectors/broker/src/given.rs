//! Securities that exist, from the list an import writes (`connectors/market/SOURCES.md`).

use crate::config::BrokerError;
use crate::universe::Security;
use plimsoll_engine::input::{Board, Class};
use plimsoll_engine::num::{Bp, Date, Money, PRICE_BOUND};
use std::path::Path;

/// The columns of the list, in its order.
const HEADER: &str = "as_of,rank,security,class,board,price,haircut,collateral,financing,shorting,suspended";
/// Fewer securities make no book: an account holds at most half of them.
const FEWEST: usize = 2;

/// Reads the list, or that of a folder: the evening it is as of, and its securities, the most
/// popular first. What is not taken as collateral is left out: no credit account holds it.
pub fn read(path: &Path) -> Result<(Date, Vec<Security>), BrokerError> {
    let path = if path.is_dir() { path.join("securities.csv") } else { path.to_owned() };
    let text =
        std::fs::read_to_string(&path).map_err(|cause| BrokerError::Folder { path: path.clone(), cause })?;
    let fault =
        |line: usize, what: &str| BrokerError::Securities { path: path.clone(), line, what: what.to_owned() };
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(fault(1, &format!("the columns are {HEADER}")));
    }
    let mut as_of = None;
    let mut securities = Vec::new();
    for (number, line) in lines.enumerate() {
        let (date, taken, security) = parse(line).map_err(|what| fault(number + 2, what))?;
        if *as_of.get_or_insert(date) != date {
            return Err(fault(number + 2, "another date than the line before"));
        }
        if taken {
            securities.push(security);
        }
    }
    match as_of {
        Some(date) if securities.len() >= FEWEST => Ok((date, securities)),
        _ => Err(fault(1, "too few securities that are taken as collateral")),
    }
}

/// A line: its date, whether the security is taken as collateral, and the security.
fn parse(line: &str) -> Result<(Date, bool, Security), &'static str> {
    let cells: Vec<&str> = line.split(',').collect();
    let &[as_of, _, code, class, board, price, haircut, collateral, financing, shorting, suspended] =
        cells.as_slice()
    else {
        return Err("another number of cells than columns");
    };
    let as_of = date(as_of).ok_or("`as_of` is no date")?;
    let flag = |cell: &str| cell.parse::<bool>().map_err(|_| "a flag is true or false");
    let close = units(price).filter(|&units| units > 0).ok_or("`price` is no price")?;
    let haircut = units(haircut).filter(|&units| units <= 10_000).ok_or("`haircut` is no rate")?;
    let board = Board::parse(board).ok_or("no such board")?;
    let class = Class::parse(class).ok_or("no such class")?;
    let security = Security {
        code: code.to_owned(),
        name: code.to_owned(),
        class,
        board,
        index: None,
        risk_warning: false,
        suspended_since: flag(suspended)?.then_some(as_of),
        collateral: flag(collateral)?,
        financing: flag(financing)?,
        shorting: flag(shorting)?,
        haircut: haircut as Bp,
        financing_margin: 10_000,
        short_margin: 10_000,
        total_shares: 0,
        float_shares: 0,
        pe_static: None,
        turnover: 0,
        lot: if board == Board::Star { 1 } else { 100 },
        tick: 100,
        limit: 100,
        same_day: false,
        listed_on: as_of,
        close,
        beta: 1024,
        noise: 1024,
        size: 0,
    };
    Ok((as_of, security.collateral, security))
}

/// `YYYY-MM-DD`.
fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let date = Date::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    (parts.next().is_none() && text.len() == 10).then_some(date)
}

/// A decimal of at most four places in 1/10 000, below the bound of a price.
fn units(text: &str) -> Option<Money> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 4 {
        return None;
    }
    format!("{whole}{fraction:0<4}").parse().ok().filter(|&units| units < PRICE_BOUND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Account, Book};
    use crate::config::Profile;
    use crate::universe::Universe;

    const LINE: &str = "2015-06-11,1,601766.SH,a_share,main,25.94,0.70,true,true,true,false";

    #[test]
    fn lines_are_read_or_named() {
        let (as_of, taken, security) = parse(LINE).unwrap();
        assert_eq!((as_of, taken), (Date::from_ymd(2015, 6, 11).unwrap(), true));
        assert_eq!((security.close, security.haircut, security.lot), (259_400, 7_000, 100));
        for (from, to) in [
            ("25.94", "0"),
            ("25.94", "1e3"),
            ("25.94", "300000"),
            ("0.70", "1.01"),
            ("main", "nasdaq"),
            ("a_share", "share"),
            ("2015-06-11", "2015-06-31"),
            ("true,false", "true,no"),
            (",false", ""),
        ] {
            assert!(parse(&LINE.replace(from, to)).is_err(), "{to}");
        }
    }

    /// A book on three securities: distinct positions, debt on what may be financed, no debt lost.
    #[test]
    fn a_book_is_drawn_on_few_securities() {
        let codes = ["600000.SH", "000001.SZ", "300001.SZ", "688001.SH"];
        let securities: Vec<Security> =
            codes.iter().map(|code| parse(&LINE.replace("601766.SH", code)).unwrap().2).collect();
        let universe = Universe::given(securities, 8);
        let first_day = Date::from_ymd(2015, 6, 12).unwrap();
        let book = Book::new(&universe, 1, 200, Profile::Stress, 8, first_day);
        let mut account = Account::default();
        for number in 0..book.len() {
            book.account(number, &mut account);
            assert!(!account.holdings.is_empty() && account.holdings.len() <= 2);
            assert!(account.holdings.iter().all(|h| (h.security as usize) < codes.len()));
            let (assets, debts) = account.balance(&universe);
            assert!(assets > 0 && debts > 0, "account {number}");
        }
    }
}
