//! Quotes of a table, judged column by column.
//!
//! A day brings quotes by the million, nearly all of them good. What the columns of a table are is
//! found once, and their values are judged one after the other by the functions that judge those
//! of a record. A row in which they find anything but a plainly good quote goes the way of all
//! records, which knows the refusals and their precedence: there is no rule here.

use crate::envelope::{FIELDS, Number, number, text, time, version};
use crate::fields::QUOTE;
use crate::read::judged;
use crate::value::{Columns, Value};
use plimsoll_engine::num::Time;
use std::ops::Range;

/// Rows judged at once; what is found of them stays in the nearest cache.
const BLOCK_ROWS: usize = 128;
pub(crate) const SECURITY: usize = QUOTE.at("security");
const BODY: usize = QUOTE.fields.len();

/// Where each part of a record stands in a table.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// In the order of [`FIELDS`].
    envelope: [Option<usize>; FIELDS.len()],
    /// In the order of [`QUOTE`].
    body: [Option<usize>; BODY],
    id: usize,
    source: usize,
    security: usize,
}

impl Layout {
    /// The layout of a table that may hold quotes: every field is known and stands there once.
    fn of(table: &impl Columns) -> Option<Self> {
        let (mut envelope, mut body) = ([None; FIELDS.len()], [None; BODY]);
        for (at, name) in table.names().enumerate() {
            let place = match FIELDS.iter().position(|known| *known == name) {
                Some(part) => &mut envelope[part],
                None => &mut body[QUOTE.fields.iter().position(|known| known.name == name)?],
            };
            if place.replace(at).is_some() {
                return None;
            }
        }
        let [Some(_), Some(_), Some(id), Some(source), Some(_), _] = envelope else { return None };
        Some(Layout { envelope, body, id, source, security: body[SECURITY]? })
    }
}

/// What is said of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Whether all that was judged is good.
    good: bool,
    pub at: Time,
    pub number: Number,
    /// Which fields have a number, a bit for each.
    present: u32,
    numbers: [i64; BODY],
}

impl Row {
    pub const UNSEEN: Row =
        Row { good: true, at: Time(0), number: Number::Absent, present: 0, numbers: [0; BODY] };

    /// The number of a field, by the order of [`QUOTE`], that is there and not null.
    pub fn get(&self, at: usize) -> Option<i64> {
        (self.present & (1 << at) != 0).then_some(self.numbers[at])
    }

    /// Sets the number of a field, or that there is none.
    pub fn put(&mut self, at: usize, number: Option<i64>) {
        self.present |= u32::from(number.is_some()) << at;
        self.numbers[at] = number.unwrap_or_default();
    }
}

/// A row that is a good quote, if its security is known: a name gets an ordinal only once it has
/// been judged to be one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GoodQuote<'t> {
    pub id: &'t str,
    pub source: &'t str,
    pub security: &'t str,
    pub row: &'t Row,
}

/// The quotes of one table.
#[derive(Debug)]
pub struct Quotes {
    layout: Option<Layout>,
    /// The rows judged last, and the place of the first of them in the table.
    block: Vec<Row>,
    first: usize,
}

impl Quotes {
    /// Finds out what the columns of a table are.
    #[must_use]
    pub fn of(table: &impl Columns) -> Self {
        Quotes { layout: Layout::of(table), block: Vec::new(), first: 0 }
    }

    /// A row of the table, where it is plainly a good quote.
    pub(crate) fn row<'t>(&'t mut self, table: &'t impl Columns, row: usize) -> Option<GoodQuote<'t>> {
        let layout = self.layout?;
        if !(self.first..self.first + self.block.len()).contains(&row) {
            self.first = row;
            self.judge(&layout, table, row..table.rows().min(row + BLOCK_ROWS));
        }
        let said = Some(&self.block[row - self.first]).filter(|said| said.good)?;
        let text = |field| table.text(field, row).filter(|text| !text.is_empty());
        let (id, source) = (text(layout.id)?, text(layout.source)?);
        Some(GoodQuote { id, source, security: text(layout.security)?, row: said })
    }

    fn judge(&mut self, layout: &Layout, table: &impl Columns, rows: Range<usize>) {
        self.block.clear();
        self.block.resize(rows.len(), Row::UNSEEN);
        let [v, kind, _, _, at, source_seq] = layout.envelope;
        let block = &mut self.block;
        each(table, v, &rows, block, |_, value| version(value) == Some(true));
        each(table, kind, &rows, block, |_, value| text(value) == Some(QUOTE.name));
        each(table, at, &rows, block, |row, value| match time(value) {
            Some(at) => {
                row.at = at;
                true
            }
            None => false,
        });
        each(table, source_seq, &rows, block, |row, value| {
            row.number = number(value);
            row.number != Number::Bad
        });
        for (place, (field, &at)) in QUOTE.fields.iter().zip(&layout.body).enumerate() {
            if place == SECURITY {
                continue;
            }
            each(table, at, &rows, block, |row, value| match judged(field, value) {
                Ok(known) => {
                    row.put(place, known);
                    true
                }
                Err(_) => false,
            });
        }
    }
}

/// Judges the values of a field, where a table has it.
fn each(
    table: &impl Columns,
    field: Option<usize>,
    rows: &Range<usize>,
    block: &mut [Row],
    judge: impl Fn(&mut Row, &Value<'_>) -> bool,
) {
    let Some(field) = field else { return };
    let mut block = block.iter_mut();
    table.each(field, rows.clone(), |value| {
        if let Some(row) = block.next() {
            row.good &= judge(row, value);
        }
    });
}
