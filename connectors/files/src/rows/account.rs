//! Rows about accounts: who they are, what they hold, what moved.

use super::{Kind, row};
use plimsoll_engine::input::{Basis, CashReason, ClientClass, ContractSide, Line, Side};
use plimsoll_engine::num::{Bp, Date, Money, Quantity, Rate};

row!(
    /// An account.
    Account<'a> {
        /// Its name.
        account: &'a str => Kind::Text,
        /// Whose it is.
        customer: &'a str => Kind::Text,
        /// Name of the client.
        name: Option<&'a str> => Kind::Text,
        /// Class of the client.
        client_class: ClientClass => Kind::Name,
        /// Branch.
        branch: Option<&'a str> => Kind::Name,
        /// Client manager.
        manager: Option<&'a str> => Kind::Name,
        /// Rating.
        rating: Option<&'a str> => Kind::Name,
        /// Credit line.
        credit_line: Option<Money> => Kind::Money,
        /// Date of opening.
        opened: Option<Date> => Kind::Date,
    }
);

row!(
    /// Lines of an account's own agreement; the fields given replace.
    Lines<'a> {
        /// Which account.
        account: &'a str => Kind::Text,
        /// Withdrawal line.
        free: Option<Line> => Kind::Line,
        /// Tier `watch`.
        watch: Option<Line> => Kind::Line,
        /// Tier `warning`.
        warning: Option<Line> => Kind::Line,
        /// Tier `call`.
        call: Option<Line> => Kind::Line,
        /// Tier `immediate`.
        immediate: Option<Line> => Kind::Line,
        /// A call is met at it.
        restore_call: Option<Line> => Kind::Line,
        /// A forced sale aims at it.
        restore_sale: Option<Line> => Kind::Line,
        /// `none` or `last_settlement`.
        sale_floor: Option<&'a str> => Kind::Name,
        /// Days to cure a call.
        deadline_days: Option<i64> => Kind::Integer,
        /// Time of the deadline, `15:00`.
        deadline_time: Option<&'a str> => Kind::Name,
        /// When calls are decided.
        call_basis: Option<Basis> => Kind::Name,
        /// When `immediate` acts.
        immediate_basis: Option<Basis> => Kind::Name,
        /// Name of the agreement.
        agreement: Option<&'a str> => Kind::Text,
        /// The date from which it holds.
        valid_from: Option<Date> => Kind::Date,
    }
);

row!(
    /// A long position of an opening.
    Position<'a> {
        /// Which security.
        security: &'a str => Kind::Name,
        /// Shares.
        quantity: Quantity => Kind::Integer,
        /// Shares that may be sold today, where not all.
        sellable: Option<Quantity> => Kind::Integer,
        /// Frozen shares.
        frozen: Option<Quantity> => Kind::Integer,
    }
);

row!(
    /// A contract of an opening.
    Contract<'a> {
        /// Its name.
        contract: &'a str => Kind::Text,
        /// Its side.
        side: ContractSide => Kind::Name,
        /// Its security.
        security: &'a str => Kind::Name,
        /// Tied or owed shares.
        quantity: Quantity => Kind::Integer,
        /// Principal or sale amount.
        amount: Money => Kind::Money,
        /// Accrued interest and fees.
        interest: Option<Money> => Kind::Money,
        /// Annual rate.
        rate: Option<Rate> => Kind::Fine,
        /// Opening date.
        opened: Date => Kind::Date,
        /// Due date.
        due: Option<Date> => Kind::Date,
        /// Margin ratio it was opened under.
        margin_ratio: Option<Bp> => Kind::Price,
    }
);

row!(
    /// Money on its way to an account.
    Receivable {
        /// How much.
        amount: Money => Kind::Money,
        /// When it becomes cash.
        pay_date: Option<Date> => Kind::Date,
    }
);

row!(
    /// The whole balance of an account.
    Opening<'a> {
        /// Which account.
        account: &'a str => Kind::Text,
        /// Cash.
        cash: Money => Kind::Money,
        /// Long positions.
        positions: Vec<Position<'a>> => Kind::Rows(Position::FIELDS),
        /// Contracts, in the order of their entry.
        contracts: Vec<Contract<'a>> => Kind::Rows(Contract::FIELDS),
        /// Other collateral.
        other_collateral: Option<Money> => Kind::Money,
        /// Receivables; left out, they stay as they are.
        receivables: Option<Vec<Receivable>> => Kind::Rows(Receivable::FIELDS),
    }
);

row!(
    /// A movement of cash.
    Cash<'a> {
        /// Which account.
        account: &'a str => Kind::Text,
        /// Signed amount.
        amount: Money => Kind::Money,
        /// Why.
        reason: CashReason => Kind::Name,
    }
);

row!(
    /// A transfer of shares.
    Transfer<'a> {
        /// Which account.
        account: &'a str => Kind::Text,
        /// Which security.
        security: &'a str => Kind::Name,
        /// In (+) or out (−).
        quantity: Quantity => Kind::Integer,
    }
);

row!(
    /// A fill.
    Fill<'a> {
        /// Which account.
        account: &'a str => Kind::Text,
        /// Side.
        side: Side => Kind::Name,
        /// Which security.
        security: &'a str => Kind::Name,
        /// Shares.
        quantity: Quantity => Kind::Integer,
        /// Price of each.
        price: Money => Kind::Price,
        /// Fee, in all.
        fee: Option<Money> => Kind::Money,
        /// The contract opened or repaid.
        contract: Option<&'a str> => Kind::Text,
        /// The order it filled.
        order: Option<&'a str> => Kind::Text,
        /// Rate of a contract opened.
        rate: Option<Rate> => Kind::Fine,
        /// Due date of a contract opened.
        due: Option<Date> => Kind::Date,
        /// Margin ratio of a contract opened.
        margin_ratio: Option<Bp> => Kind::Price,
    }
);

row!(
    /// A repayment: of money, or of own shares for a short.
    Repay<'a> {
        /// Which account.
        account: &'a str => Kind::Text,
        /// Which contract.
        contract: &'a str => Kind::Text,
        /// Cash.
        amount: Option<Money> => Kind::Money,
        /// Shares.
        quantity: Option<Quantity> => Kind::Integer,
    }
);
