//! A record of the wire, before anybody knows what it means: the same for a JSON object and a
//! row of a table, so that one decoder judges both.

use std::borrow::Cow;
use std::ops::Range;

/// One value, as its carrier states it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Null or absent.
    Null,
    /// A truth value.
    Bool(bool),
    /// A JSON number, as its text: never through a float.
    Number(&'a str),
    /// A text.
    Text(Cow<'a, str>),
    /// An integer column.
    Integer(i64),
    /// A decimal column: unscaled digits and how many of them stand behind the point.
    Decimal(i128, u8),
    /// A timestamp column: microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// A date column: days since 1970-01-01.
    Date(i32),
    /// A list.
    List(Vec<Value<'a>>),
    /// An object or a struct column.
    Object(Fields<'a>),
}

/// The fields of a record, in the order they stand in.
pub type Fields<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Records of a table, which can be asked for the values of one field too.
pub trait Columns {
    /// How many records there are.
    fn rows(&self) -> usize;

    /// The names of the fields, the same in every record.
    fn names(&self) -> impl Iterator<Item = &str>;

    /// Hands over the values of a field in some rows. Of a list or an object it is enough to say
    /// that it is one.
    fn each(&self, field: usize, rows: Range<usize>, take: impl FnMut(&Value<'_>));

    /// The text of a field in a row, where it holds one.
    fn text(&self, field: usize, row: usize) -> Option<&str>;

    /// A record.
    fn record(&mut self, row: usize) -> &Fields<'_>;
}
