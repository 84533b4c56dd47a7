//! Events written as files, and the list of securities a book can be made on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_engine::input::{ActionKind, Board, Class, Phase};
use plimsoll_engine::num::{Bp, Time};
use plimsoll_files::rows::{self, Event, Stamp};
use plimsoll_files::{EventWriter, Format};

use crate::Error;
use crate::actions::Terms;
use crate::day::Day;
use crate::limits::Band;

/// Units of a price (1/10 000 yuan) in a fen.
const FEN: i64 = 100;
/// Units of money (1/10 000 yuan) in a yuan.
const YUAN: i64 = 10_000;
/// Shares of a trading lot on the boards of the data.
const LOT: i64 = 100;

/// The record of a security.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Code with exchange.
    pub code: Arc<str>,
    /// Name without the marks of a day.
    pub name: String,
    /// Board.
    pub board: Board,
    /// Indices.
    pub indices: Vec<&'static str>,
    /// Carries a risk warning.
    pub risk_warning: bool,
    /// In its delisting period.
    pub delisting: bool,
    /// Suspended since that day.
    pub suspended_since: Option<Day>,
    /// On the list of financing and shorting.
    pub eligible: bool,
    /// All shares.
    pub total_shares: Option<i64>,
    /// Shares that trade.
    pub float_shares: Option<i64>,
    /// Yuan a day, mean of the last 20 days with trades.
    pub turnover: Option<i64>,
    /// First day of the listing, where the data show it.
    pub listed_on: Option<Day>,
}

impl Listing {
    /// Taken as collateral: every share without a risk warning and outside a delisting period.
    #[must_use]
    pub fn collateral(&self) -> bool {
        !self.risk_warning && !self.delisting
    }

    /// May be financed and shorted.
    #[must_use]
    pub fn credit(&self) -> bool {
        self.eligible && self.collateral()
    }

    /// Published haircut.
    #[must_use]
    pub fn haircut(&self) -> Bp {
        crate::members::haircut(self.board, &self.indices, self.eligible, self.collateral())
    }
}

/// One quote; absent figures are not written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quote<'a> {
    /// What tells it from the other quotes of the source.
    pub id: &'a str,
    /// Code with exchange.
    pub code: &'a str,
    /// Last trade, fen.
    pub price: Option<i64>,
    /// Previous close, fen.
    pub prev_close: Option<i64>,
    /// Best bid, fen.
    pub bid: Option<i64>,
    /// Best ask, fen.
    pub ask: Option<i64>,
    /// Limits, fen.
    pub limits: Option<Band>,
    /// Phase; `None` for continuous trading.
    pub phase: Option<Phase>,
    /// Shares traded today.
    pub volume: Option<i64>,
    /// Yuan traded today.
    pub turnover: Option<i64>,
}

/// How many events of each kind a set holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `security`.
    pub securities: u64,
    /// `quote`.
    pub quotes: u64,
    /// `corporate_action`.
    pub actions: u64,
    /// `day_start`.
    pub days: u64,
}

/// The event files of one set: a folder of NDJSON files, read in the order of their names.
pub struct Events {
    folder: PathBuf,
    source: &'static str,
    out: Option<EventWriter>,
    counts: Counts,
}

impl Events {
    /// A folder for a set; event files left by an earlier import are removed first.
    ///
    /// # Errors
    /// When the folder cannot be made or cleared.
    pub fn create(out: &Path, set: &'static str) -> Result<Events, Error> {
        let folder = out.join(set);
        std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))? {
            let path = entry.map_err(|e| Error::io(&folder, e))?.path();
            if path.extension().is_some_and(|e| e == "ndjson") {
                std::fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
            }
        }
        Ok(Events { folder, source: set, out: None, counts: Counts::default() })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Goes on in a file of that name (without its ending).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn file(&mut self, name: &str) -> Result<(), Error> {
        self.close()?;
        let path = self.folder.join(format!("{name}.ndjson"));
        self.out = Some(EventWriter::create(&path, Format::Ndjson, self.source)?);
        Ok(())
    }

    /// Closes the last file and tells what was written.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self) -> Result<Counts, Error> {
        self.close()?;
        Ok(self.counts)
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some(out) = self.out.take() {
            out.finish()?;
        }
        Ok(())
    }

    fn write(&mut self, id: &str, at: Time, event: &dyn Event) -> Result<(), Error> {
        match &mut self.out {
            Some(out) => Ok(out.write(&Stamp { id, at, source_seq: None }, event)?),
            None => Err(Error::data(&self.folder, "no event file is open".into())),
        }
    }

    /// A `calendar` event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn calendar(&mut self, day: Day, at: u32, days: &[Day]) -> Result<(), Error> {
        let dates: Vec<_> = days.iter().map(|day| day.date()).collect();
        let version = day.to_string();
        let id = format!("calendar/{}", day.compact());
        self.write(&id, day.at(at), &rows::Calendar { version: &version, dates: &dates })
    }

    /// A `security` event; `day` and `at` say when.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn security(&mut self, day: Day, at: u32, listing: &Listing) -> Result<(), Error> {
        let id = format!("security/{}/{}", listing.code, day.compact());
        self.counts.securities += 1;
        let row = rows::Security {
            security: &listing.code,
            name: &listing.name,
            class: Class::AShare,
            board: listing.board,
            indices: Some(&listing.indices),
            risk_warning: listing.risk_warning,
            delisting: listing.delisting,
            suspended: listing.suspended_since.is_some(),
            suspended_since: listing.suspended_since.map(Day::date),
            collateral: listing.collateral(),
            financing: listing.credit(),
            shorting: listing.credit(),
            haircut: listing.haircut(),
            financing_margin: None,
            short_margin: None,
            total_shares: listing.total_shares,
            float_shares: listing.float_shares,
            pe_static: None,
            average_turnover: listing.turnover.map(|yuan| yuan * YUAN),
            group: None,
            lot: Some(LOT),
            tick: Some(FEN),
            sell_after: Some("T1"),
            listed_on: listing.listed_on.map(Day::date),
        };
        self.write(&id, day.at(at), &row)
    }

    /// A `quote` event at an instant.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn quote(&mut self, at: Time, quote: &Quote<'_>) -> Result<(), Error> {
        let price = |fen: Option<i64>| fen.map(|fen| fen * FEN);
        self.counts.quotes += 1;
        let row = rows::Quote {
            security: quote.code,
            price: price(quote.price),
            prev_close: price(quote.prev_close),
            bid1: price(quote.bid),
            ask1: price(quote.ask),
            limit_up: price(quote.limits.map(|band| band.up)),
            limit_down: price(quote.limits.map(|band| band.down)),
            phase: quote.phase,
            volume: quote.volume,
            turnover: quote.turnover.map(|yuan| yuan * YUAN),
            last: None,
        };
        self.write(quote.id, at, &row)
    }

    /// The evening's price of a security: a quote that carries a previous close and nothing else.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn base_price(&mut self, base: Day, code: &str, price: i64) -> Result<(), Error> {
        let id = format!("{code}/{}/base", base.compact());
        let quote =
            Quote { id: &id, code, prev_close: Some(price), phase: Some(Phase::Closed), ..Quote::default() };
        self.quote(base.at(crate::day::BASE_PRICES), &quote)
    }

    /// The `corporate_action` events of one ex-date: one for each kind that the terms hold.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn actions(&mut self, at: Time, code: &str, ex_date: Day, terms: &Terms) -> Result<(), Error> {
        let kinds = [
            (ActionKind::CashDividend, terms.cash),
            (ActionKind::Bonus, terms.bonus),
            (ActionKind::Rights, terms.rights),
        ];
        for (kind, value) in kinds.into_iter().filter(|(_, value)| *value > 0) {
            let id = format!("{}/{code}/{}", kind.word(), ex_date.compact());
            let cash = kind == ActionKind::CashDividend;
            self.counts.actions += 1;
            let row = rows::CorporateAction {
                security: code,
                kind,
                ex_date: ex_date.date(),
                record_date: None,
                pay_date: None,
                list_date: None,
                per_share: cash.then_some(value),
                ratio: (!cash).then_some(value),
                // A few old issues have prices finer than the wire's: rounded half up to 1/10 000 yuan.
                price: (kind == ActionKind::Rights).then_some((terms.rights_price + YUAN / 2) / YUAN),
                compensation: None,
            };
            self.write(&id, at, &row)?;
        }
        Ok(())
    }

    /// `day_start` of a day.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn day_start(&mut self, day: Day) -> Result<(), Error> {
        self.counts.days += 1;
        let id = format!("day_start/{}", day.compact());
        self.write(&id, day.at(crate::day::DAY_START), &rows::DayStart { date: day.date() })
    }

    /// `day_end` of a day.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn day_end(&mut self, day: Day) -> Result<(), Error> {
        let id = format!("day_end/{}", day.compact());
        self.write(&id, day.at(crate::day::DAY_END), &rows::DayEnd { date: day.date() })
    }
}

/// Fen as yuan with two decimals.
#[derive(Clone, Copy, Debug)]
pub struct Yuan(
    /// Fen, not negative.
    pub i64,
);

impl std::fmt::Display for Yuan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// One line of `securities.csv`: what a book is made on.
#[derive(Debug)]
pub struct Tradable {
    /// The record at the base day.
    pub listing: Listing,
    /// Price at the base day, fen.
    pub price: i64,
}

/// Writes `securities.csv`: every security that has a price at the base day, by average turnover, highest first.
///
/// # Errors
/// When the file cannot be written.
pub fn securities(folder: &Path, base: Day, mut list: Vec<Tradable>) -> Result<(), Error> {
    list.sort_by(|a, b| {
        let key = |t: &Tradable| std::cmp::Reverse(t.listing.turnover.unwrap_or(0));
        key(a).cmp(&key(b)).then_with(|| a.listing.code.cmp(&b.listing.code))
    });
    let mut text = String::from(
        "as_of,rank,security,class,board,price,haircut,collateral,financing,shorting,suspended\n",
    );
    for (rank, tradable) in list.iter().enumerate() {
        let listing = &tradable.listing;
        // Writing to a `String` cannot fail. A haircut of whole percents is printed like fen.
        let _ = writeln!(
            text,
            "{base},{},{},{},{},{},{},{},{credit},{credit},{}",
            rank + 1,
            listing.code,
            Class::AShare.word(),
            listing.board.word(),
            Yuan(tradable.price),
            Yuan(i64::from(listing.haircut() / 100)),
            listing.collateral(),
            listing.suspended_since.is_some(),
            credit = listing.credit(),
        );
    }
    let path = folder.join("securities.csv");
    std::fs::write(&path, text).map_err(|e| Error::io(&path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fen_are_printed_as_yuan() {
        assert_eq!(Yuan(1_205).to_string(), "12.05");
        assert_eq!(Yuan(7).to_string(), "0.07");
    }
}
