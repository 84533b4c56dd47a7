//! What goes into the core: an epoch of entries, each an input with its envelope (events.md).
//!
//! Names are dense ordinals given at the door in order of first appearance; the only text that
//! travels is that of the ids, opaque bytes of the epoch's own buffer.

use crate::num::{Bp, Date, Money, Quantity, Rate, Time};
use crate::policy::PolicyDraft;
use crate::rules::RuleTable;

/// A set of names with ordinals of its own.
macro_rules! ordinal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The ordinal as an index.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

ordinal!(
    /// An account's name, in order of first appearance in an `account` event.
    AccountName
);
ordinal!(
    /// A security's name, in order of first appearance in a `security` event.
    SecurityName
);
ordinal!(
    /// An index's name.
    IndexName
);
ordinal!(
    /// A group of securities, for concentration and shocks.
    GroupName
);
ordinal!(
    /// A source's name.
    SourceName
);
ordinal!(
    /// A customer's name.
    CustomerName
);
ordinal!(
    /// The name of a branch.
    BranchName
);
ordinal!(
    /// The name of a debt contract.
    ContractName
);

/// A fixed set of words of the wire: an enum, its words in order, and its parser.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* #[doc = concat!("`", $word, "`")] $variant),+ }

        impl $name {
            /// Every word, in declaration order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// Every value, in declaration order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The value of a word of the wire.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }

            /// The word of the wire.
            #[must_use]
            pub fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }
    };
}
pub(crate) use words;

words!(
    /// Class of a security.
    Class {
        AShare = "a_share", Etf = "etf", Treasury = "treasury", Bond = "bond",
        Convertible = "convertible", Fund = "fund", MoneyFund = "money_fund", Warrant = "warrant",
        DepositaryReceipt = "depositary_receipt", Reit = "reit", Other = "other",
    }
);
words!(
    /// Board of a security.
    Board { Main = "main", Star = "star", Chinext = "chinext", Bse = "bse", Hk = "hk", Kr = "kr" }
);
words!(
    /// Trading phase of a quote.
    Phase {
        PreOpen = "pre_open", OpenAuction = "open_auction", AuctionNoCancel = "auction_no_cancel",
        Continuous = "continuous", Break = "break", CloseAuction = "close_auction",
        Closed = "closed", AfterHours = "after_hours", Suspended = "suspended", Halted = "halted",
    }
);
words!(
    /// Class of a client.
    ClientClass {
        Individual = "individual", Institution = "institution", Product = "product",
        PrivateFund = "private_fund",
    }
);
words!(
    /// Kind of a corporate action.
    ActionKind { CashDividend = "cash_dividend", Bonus = "bonus", Split = "split", Rights = "rights" }
);
words!(
    /// Why cash moved.
    CashReason {
        Deposit = "deposit", Withdrawal = "withdrawal", Fee = "fee", Dividend = "dividend",
        Adjustment = "adjustment",
    }
);
words!(
    /// Side of a fill or an order.
    Side {
        CollateralBuy = "collateral_buy", CollateralSell = "collateral_sell", MarginBuy = "margin_buy",
        ShortSell = "short_sell", SellToRepay = "sell_to_repay", BuyToCover = "buy_to_cover",
        Subscribe = "subscribe",
    }
);
words!(
    /// Side of a debt contract.
    ContractSide { Financing = "financing", Short = "short" }
);
words!(
    /// Kind of an interest event.
    InterestKind { Settled = "settled", Adjust = "adjust", Penalty = "penalty" }
);
words!(
    /// Status of an order in flight.
    OrderStatus { Open = "open", Filled = "filled", Cancelled = "cancelled" }
);
words!(
    /// When a line acts: at every epoch, or at `day_end`.
    Basis { Intraday = "intraday", Settlement = "settlement" }
);
words!(
    /// Why an input was refused, in order of precedence (events.md).
    Code {
        Malformed = "malformed", Version = "version", UnknownType = "unknown_type",
        NotEnabled = "not_enabled", UnknownField = "unknown_field", MissingField = "missing_field",
        BadValue = "bad_value", TimeBackwards = "time_backwards", Quarantined = "quarantined",
        UnknownAccount = "unknown_account", UnknownSecurity = "unknown_security",
        Currency = "currency", UnknownContract = "unknown_contract", DateOrder = "date_order",
        ContractExists = "contract_exists", BadLines = "bad_lines",
        InsufficientPosition = "insufficient_position", InsufficientCash = "insufficient_cash",
        ExceedsDebt = "exceeds_debt", OutOfRange = "out_of_range",
    }
);

/// A refusal: its code and, in a few words, what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// Words for people; never parsed.
    pub detail: &'static str,
}

/// Shorthand for a refusal.
#[must_use]
pub const fn refusal(code: Code, detail: &'static str) -> Refusal {
    Refusal { code, detail }
}

/// Where a security is listed, from the suffix of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exchange {
    /// Shanghai.
    Sh,
    /// Shenzhen.
    Sz,
    /// Beijing.
    Bj,
    /// Hong Kong or Korea: not kept in yuan, refused by version 1 (`currency`).
    Foreign,
}

impl Exchange {
    /// Every exchange, in declaration order.
    pub const ALL: &'static [Exchange] = &[Exchange::Sh, Exchange::Sz, Exchange::Bj, Exchange::Foreign];
}

/// Input `security`: the whole record of one security, an upsert.
#[derive(Clone, Debug, PartialEq)]
pub struct SecurityRecord {
    /// Which.
    pub security: SecurityName,
    /// Where it is listed, from its code.
    pub exchange: Exchange,
    /// Class.
    pub class: Class,
    /// Board.
    pub board: Board,
    /// Indices it is a member of, in the record's order.
    pub indices: Vec<IndexName>,
    /// Carries a risk warning (ST).
    pub risk_warning: bool,
    /// In its delisting period.
    pub delisting: bool,
    /// Suspended from trading.
    pub suspended: bool,
    /// Since when, where the record says.
    pub suspended_since: Option<Date>,
    /// Eligible as collateral.
    pub collateral: bool,
    /// Published haircut.
    pub haircut: Bp,
    /// Published financing margin ratio.
    pub financing_margin: Option<Bp>,
    /// Published short margin ratio.
    pub short_margin: Option<Bp>,
    /// Static price-earnings ratio, 1/10 000.
    pub pe_static: Option<i64>,
    /// Its group.
    pub group: Option<GroupName>,
    /// Price step, where the record states it.
    pub tick: Option<Money>,
    /// Mean turnover of a day.
    pub average_turnover: Option<Money>,
}

/// Input `quote`. A price of 0 in `prev_close`, `bid1`, `ask1`, `limit_up` or `limit_down` means absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// Which; `None` where no `security` event named it.
    pub security: Option<SecurityName>,
    /// Last trade.
    pub price: Option<u32>,
    /// Previous close.
    pub prev_close: u32,
    /// Best bid.
    pub bid1: u32,
    /// Best ask.
    pub ask1: u32,
    /// Upper limit of the day.
    pub limit_up: u32,
    /// Lower limit of the day.
    pub limit_down: u32,
    /// Trading phase.
    pub phase: Phase,
}

/// Input `corporate_action`.
#[derive(Clone, Debug, PartialEq)]
pub struct CorporateAction {
    /// On which security.
    pub security: Option<SecurityName>,
    /// What happens.
    pub kind: ActionKind,
    /// Ex-date.
    pub ex_date: Date,
    /// When cash is paid.
    pub pay_date: Option<Date>,
    /// Cash dividend per share, 1/10⁸ yuan.
    pub per_share: i64,
    /// New shares per share (bonus, rights) or shares after per share before (split), 1/10⁸.
    pub ratio: i64,
    /// Subscription price of rights.
    pub price: Money,
    /// What a short owes per share for rights, 1/10⁸ yuan, where the notice says.
    pub compensation: Option<i64>,
}

/// A line an account's agreement states: taken away or a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// The tier is never entered.
    Absent,
    /// The ratio, 1/10 000.
    At(Bp),
}

/// Input `lines`: the fields an agreement states; the others stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinesPatch {
    /// `free`, `watch`, `warning`, `call`, `immediate`, `restore_call`, `restore_sale`.
    pub lines: [Option<Line>; 7],
    /// Sale floor: the last settlement's need.
    pub sale_floor: Option<bool>,
    /// Days to cure a call.
    pub deadline_days: Option<u32>,
    /// Time of the deadline, minutes since midnight.
    pub deadline_minute: Option<u32>,
    /// When calls are decided.
    pub call_basis: Option<Basis>,
    /// When `immediate` acts.
    pub immediate_basis: Option<Basis>,
}

/// A contract as an `opening` states it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpeningContract {
    /// Its name.
    pub contract: ContractName,
    /// Its side.
    pub side: ContractSide,
    /// Its security.
    pub security: Option<SecurityName>,
    /// Tied or owed shares.
    pub quantity: Quantity,
    /// Principal or sale amount.
    pub amount: Money,
    /// Accrued interest and fees.
    pub interest: Money,
    /// Annual rate.
    pub rate: Rate,
    /// Opening date.
    pub opened: Date,
    /// Due date.
    pub due: Option<Date>,
    /// Margin ratio it was opened under.
    pub margin_ratio: Option<Bp>,
}

/// A receivable: money that arrives on a date, or when an opening says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receivable {
    /// How much, 1/10 000 yuan.
    pub amount: i128,
    /// When it becomes cash.
    pub pay_date: Option<Date>,
}

/// Input `opening`: the whole balance of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Cash.
    pub cash: Money,
    /// Positions: security and quantity.
    pub positions: Vec<(Option<SecurityName>, Quantity)>,
    /// Contracts, in order of entry.
    pub contracts: Vec<OpeningContract>,
    /// Other collateral.
    pub other_collateral: Money,
    /// Receivables, where stated.
    pub receivables: Option<Vec<Receivable>>,
}

/// Input `fill`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// Side.
    pub side: Side,
    /// Security.
    pub security: Option<SecurityName>,
    /// Shares.
    pub quantity: Quantity,
    /// Price of each.
    pub price: Money,
    /// Fee, in all.
    pub fee: Money,
    /// The contract named, by sides that read it; `Err` where no event has introduced the name.
    pub contract: NamedContract,
    /// Rate of a contract opened.
    pub rate: Rate,
    /// Due date of a contract opened.
    pub due: Option<Date>,
    /// Margin ratio of a contract opened.
    pub margin_ratio: Option<Bp>,
}

/// How a fill names its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedContract {
    /// Not at all; a new contract takes this name, made of source and id.
    Unnamed(ContractName),
    /// By this name.
    Named(ContractName),
    /// By a name no event has introduced (only where an existing contract is asked for).
    Unknown,
}

/// Input `repay`: cash, or own shares returned for a short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repayment {
    /// Cash.
    Cash(Money),
    /// Shares.
    Shares(Quantity),
}

/// Input `order`: the state of an order in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Fingerprint of the order's id.
    pub order: u128,
    /// Side.
    pub side: Side,
    /// Security.
    pub security: Option<SecurityName>,
    /// Limit price.
    pub price: Money,
    /// Status.
    pub status: OrderStatus,
    /// Shares not yet filled.
    pub remaining: Quantity,
}

/// What an account event does to its account.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountInput {
    /// `lines`, with the date from which it holds.
    Lines(Box<LinesPatch>, Option<Date>),
    /// `opening`.
    Opening(Box<Opening>),
    /// `cash`: signed amount.
    Cash(Money, CashReason),
    /// `transfer`: signed quantity.
    Transfer(Option<SecurityName>, Quantity),
    /// `fill`.
    Fill(Box<Fill>),
    /// `repay`.
    Repay(Option<ContractName>, Repayment),
    /// `interest`.
    Interest(Option<ContractName>, Money, InterestKind),
    /// `extend`: contract, due date, rate, margin ratio.
    Extend(Option<ContractName>, Date, Option<Rate>, Option<Bp>),
    /// `order`.
    Order(Box<Order>),
    /// `other_collateral`.
    OtherCollateral(Money),
}

/// Whose an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The customer.
    pub customer: CustomerName,
    /// Class of client.
    pub class: ClientClass,
    /// The branch that keeps it, where one is named; decides nothing.
    pub branch: Option<BranchName>,
}

/// Every input of the core.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `security`.
    Security(Box<SecurityRecord>),
    /// `quote`.
    Quote(Quote),
    /// `index`: level, 1/10 000.
    Index(IndexName, i64),
    /// `mark`: a manual fair value, or none.
    Mark(Option<SecurityName>, Option<Money>),
    /// `corporate_action`.
    CorporateAction(Box<CorporateAction>),
    /// `account`: an upsert.
    Account {
        /// Which.
        account: AccountName,
        /// Whose.
        owner: Owner,
    },
    /// Any event of one account; `None` where no `account` event named it.
    OfAccount(Option<AccountName>, AccountInput),
    /// `day_start`.
    DayStart(Date),
    /// `day_end`.
    DayEnd(Date),
    /// `clock`.
    Clock,
    /// `policy`.
    Policy(Box<PolicyDraft>),
    /// `rules`.
    Rules(Box<RuleTable>),
    /// `calendar`: trading dates, ascending.
    Calendar(Vec<Date>),
}

/// What an entry is, seen from the door.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A well-formed input.
    Input(Input),
    /// Refused at the door.
    Refused {
        /// The code.
        code: Code,
        /// The account of a fact (fill, repay, transfer, cash) that could be read.
        fact_of: Option<AccountName>,
    },
}

/// One event with its envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The source; `None` only of a malformed event.
    pub source: Option<SourceName>,
    /// Where the id stands in [`Epoch::text`].
    pub id: (u32, u32),
    /// The number within its source.
    pub source_seq: Option<u64>,
    /// Event time; the epoch's clock for a malformed event.
    pub at: Time,
    /// Whether duplicates are told by id or number (all but `quote` and `index`).
    pub identified: bool,
    /// What it says.
    pub body: Body,
}

/// A run of inputs that the core takes as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Number, from 1, without a gap.
    pub number: u64,
    /// Engine time: never before the previous epoch's.
    pub clock: Time,
    /// In the order of the log.
    pub entries: Vec<Entry>,
    /// The bytes of the ids.
    pub text: Vec<u8>,
}

impl Epoch {
    /// An epoch without entries.
    #[must_use]
    pub fn new(number: u64, clock: Time) -> Self {
        Epoch { number, clock, entries: Vec::new(), text: Vec::new() }
    }

    /// The id of an entry, as it stood on the wire.
    #[must_use]
    pub fn id_of(&self, entry: &Entry) -> &[u8] {
        &self.text[entry.id.0 as usize..(entry.id.0 + entry.id.1) as usize]
    }
}
