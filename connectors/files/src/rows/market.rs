//! Rows about the market: securities, quotes, indices, corporate actions.

use super::{Kind, row};
use plimsoll_engine::input::{ActionKind, Board, Class, Phase};
use plimsoll_engine::num::{Bp, Date, Money, Quantity};

row!(
    /// The whole record of one security.
    Security<'a> {
        /// Code with its exchange, `600519.SH`.
        security: &'a str => Kind::Text,
        /// Name.
        name: &'a str => Kind::Text,
        /// Class.
        class: Class => Kind::Name,
        /// Board.
        board: Board => Kind::Name,
        /// Indices it is a member of.
        indices: Option<&'a [&'a str]> => Kind::Names,
        /// Carries a risk warning (ST).
        risk_warning: bool => Kind::Bool,
        /// In its delisting period.
        delisting: bool => Kind::Bool,
        /// Suspended from trading.
        suspended: bool => Kind::Bool,
        /// Since when.
        suspended_since: Option<Date> => Kind::Date,
        /// Eligible as collateral.
        collateral: bool => Kind::Bool,
        /// Eligible for financing.
        financing: bool => Kind::Bool,
        /// Eligible for shorting.
        shorting: bool => Kind::Bool,
        /// Published haircut.
        haircut: Bp => Kind::Price,
        /// Published financing margin ratio.
        financing_margin: Option<Bp> => Kind::Price,
        /// Published short margin ratio.
        short_margin: Option<Bp> => Kind::Price,
        /// Shares in all.
        total_shares: Option<Quantity> => Kind::Integer,
        /// Shares that float.
        float_shares: Option<Quantity> => Kind::Integer,
        /// Static price-earnings ratio, 1/10 000.
        pe_static: Option<i64> => Kind::Money,
        /// Mean turnover of 20 days.
        average_turnover: Option<Money> => Kind::Money,
        /// Concentration group.
        group: Option<&'a str> => Kind::Name,
        /// Trading lot.
        lot: Option<i64> => Kind::Integer,
        /// Price step.
        tick: Option<Money> => Kind::Price,
        /// `T0` or `T1`.
        sell_after: Option<&'a str> => Kind::Name,
        /// First trading day.
        listed_on: Option<Date> => Kind::Date,
    }
);

row!(
    /// A quote.
    Quote<'a> {
        /// Which security.
        security: &'a str => Kind::Name,
        /// Last trade.
        price: Option<Money> => Kind::Price,
        /// Previous close.
        prev_close: Option<Money> => Kind::Price,
        /// Best bid.
        bid1: Option<Money> => Kind::Price,
        /// Best ask.
        ask1: Option<Money> => Kind::Price,
        /// Upper limit of the day.
        limit_up: Option<Money> => Kind::Price,
        /// Lower limit of the day.
        limit_down: Option<Money> => Kind::Price,
        /// Trading phase.
        phase: Option<Phase> => Kind::Name,
        /// Shares traded today.
        volume: Option<i64> => Kind::Integer,
        /// Money traded today.
        turnover: Option<Money> => Kind::Money,
        /// Whether the snapshot ends here.
        last: Option<bool> => Kind::Bool,
    }
);

row!(
    /// The level of an index.
    Index<'a> {
        /// Which index.
        index: &'a str => Kind::Name,
        /// Its level, 1/10 000.
        level: i64 => Kind::Money,
    }
);

row!(
    /// A corporate action.
    CorporateAction<'a> {
        /// On which security.
        security: &'a str => Kind::Text,
        /// What happens.
        kind: ActionKind => Kind::Name,
        /// Ex-date.
        ex_date: Date => Kind::Date,
        /// Record date.
        record_date: Option<Date> => Kind::Date,
        /// When cash is paid.
        pay_date: Option<Date> => Kind::Date,
        /// When new shares may be sold.
        list_date: Option<Date> => Kind::Date,
        /// Cash dividend per share, 1/10⁸ yuan.
        per_share: Option<i64> => Kind::Fine,
        /// New shares per share, or shares after per share before, 1/10⁸.
        ratio: Option<i64> => Kind::Fine,
        /// Subscription price of rights.
        price: Option<Money> => Kind::Price,
        /// What a short owes per share for rights, 1/10⁸ yuan.
        compensation: Option<i64> => Kind::Fine,
    }
);
