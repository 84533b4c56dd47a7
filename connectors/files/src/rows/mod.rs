//! Events as plain rows: one description of the fields, from which both the JSON text and the
//! columns of a table are written.
//!
//! Amounts are integers in the units of the core (1/10 000 yuan, 1/10⁸ for rates); the kind of a
//! field says where its decimal point stands. `None` leaves a field out.

mod account;
mod control;
mod market;

pub use account::{Account, Cash, Contract, Fill, Lines, Opening, Position, Receivable, Repay, Transfer};
pub use control::{Calendar, DayEnd, DayStart};
pub use market::{CorporateAction, Index, Quote, Security};

use plimsoll_engine::input::{
    ActionKind, Basis, Board, CashReason, Class, ClientClass, ContractSide, Line, Phase, Side,
};
use plimsoll_engine::num::{Date, Time};

/// What a field holds, and how each carrier shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text with many different values.
    Text,
    /// Text with few different values: a dictionary column.
    Name,
    /// Truth value.
    Bool,
    /// Integer.
    Integer,
    /// Price or ratio, 1/10 000, below 2³¹ units.
    Price,
    /// Money, 1/10 000.
    Money,
    /// Rate or amount per share, 1/10⁸.
    Fine,
    /// Date.
    Date,
    /// A line: a ratio as text, or `none`.
    Line,
    /// List of texts.
    Names,
    /// List of dates.
    Dates,
    /// List of objects.
    Rows(&'static [Field]),
}

impl Kind {
    /// Precision and scale of a decimal kind.
    #[must_use]
    pub fn decimal(self) -> Option<(u8, u8)> {
        match self {
            Kind::Price => Some((10, 4)),
            Kind::Money => Some((18, 4)),
            Kind::Fine => Some((12, 8)),
            _ => None,
        }
    }
}

/// A field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// The value of a field; its kind is the field's.
#[derive(Clone, Copy)]
pub enum Cell<'a> {
    /// Left out.
    Null,
    /// Text.
    Text(&'a str),
    /// Truth value.
    Bool(bool),
    /// Integer, or unscaled digits of a decimal.
    Number(i64),
    /// Date.
    Date(Date),
    /// A line.
    Line(Line),
    /// List of texts.
    Names(&'a [&'a str]),
    /// List of dates.
    Dates(&'a [Date]),
    /// List of objects.
    Rows(&'a dyn Rows),
}

/// Takes the cells of a row, in the order of its fields.
pub trait Sink {
    /// The next field and its value.
    fn cell(&mut self, field: &'static Field, cell: Cell<'_>);
}

/// A row: an object of the wire without its envelope.
pub trait Row {
    /// Its fields.
    fn fields(&self) -> &'static [Field];
    /// Hands every cell to `to`, in the order of the fields.
    fn visit(&self, to: &mut dyn Sink);
}

/// A row that is an event of its own.
pub trait Event: Row {
    /// Its `type`.
    fn event_type(&self) -> &'static str;
}

macro_rules! events {
    ($($row:ty = $word:literal),+ $(,)?) => {
        $(impl Event for $row {
            fn event_type(&self) -> &'static str {
                $word
            }
        })+
    };
}

events! {
    Security<'_> = "security",
    Quote<'_> = "quote",
    Index<'_> = "index",
    CorporateAction<'_> = "corporate_action",
    Account<'_> = "account",
    Lines<'_> = "lines",
    Opening<'_> = "opening",
    Cash<'_> = "cash",
    Transfer<'_> = "transfer",
    Fill<'_> = "fill",
    Repay<'_> = "repay",
    DayStart = "day_start",
    DayEnd = "day_end",
    Calendar<'_> = "calendar",
}

/// A list of rows of one kind.
pub trait Rows {
    /// How many.
    fn count(&self) -> usize;
    /// One of them.
    fn row(&self, index: usize) -> &dyn Row;
}

impl<T: Row> Rows for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }
    fn row(&self, index: usize) -> &dyn Row {
        &self[index]
    }
}

/// The envelope's own fields of one event; `v`, `type` and `source` are the file's.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Unique within the source.
    pub id: &'a str,
    /// Event time.
    pub at: Time,
    /// Number within the source.
    pub source_seq: Option<u64>,
}

/// A Rust value as a cell.
trait ToCell {
    fn to_cell(&self) -> Cell<'_>;
}

macro_rules! to_cell {
    ($($type:ty: $self:ident => $cell:expr),+ $(,)?) => {
        $(impl ToCell for $type {
            fn to_cell(&self) -> Cell<'_> {
                let $self = self;
                $cell
            }
        })+
    };
}

to_cell! {
    &str: text => Cell::Text(text),
    bool: value => Cell::Bool(*value),
    i64: value => Cell::Number(*value),
    u32: value => Cell::Number(i64::from(*value)),
    Date: date => Cell::Date(*date),
    Line: line => Cell::Line(*line),
    &[&str]: names => Cell::Names(names),
    &[Date]: dates => Cell::Dates(dates),
    Vec<Position<'_>>: rows => Cell::Rows(rows),
    Vec<Contract<'_>>: rows => Cell::Rows(rows),
    Vec<Receivable>: rows => Cell::Rows(rows),
    Class: word => Cell::Text(word.word()),
    Board: word => Cell::Text(word.word()),
    Phase: word => Cell::Text(word.word()),
    ClientClass: word => Cell::Text(word.word()),
    Side: word => Cell::Text(word.word()),
    ContractSide: word => Cell::Text(word.word()),
    CashReason: word => Cell::Text(word.word()),
    ActionKind: word => Cell::Text(word.word()),
    Basis: word => Cell::Text(word.word()),
}

impl<T: ToCell> ToCell for Option<T> {
    fn to_cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, ToCell::to_cell)
    }
}

/// Declares a row: the struct, its fields and its cells, in one order.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? {
        $($(#[$fdoc:meta])* $field:ident: $type:ty => $kind:expr),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name $(<$life>)? { $($(#[$fdoc])* pub $field: $type),+ }

        impl $(<$life>)? $name $(<$life>)? {
            /// The fields, as they stand on the wire.
            pub const FIELDS: &'static [$crate::rows::Field] =
                &[$($crate::rows::Field { name: stringify!($field), kind: $kind }),+];
        }

        impl $(<$life>)? $crate::rows::Row for $name $(<$life>)? {
            fn fields(&self) -> &'static [$crate::rows::Field] {
                Self::FIELDS
            }
            fn visit(&self, to: &mut dyn $crate::rows::Sink) {
                let mut fields = Self::FIELDS.iter();
                $(if let Some(field) = fields.next() {
                    to.cell(field, $crate::rows::ToCell::to_cell(&self.$field));
                })+
            }
        }
    };
}
use row;
