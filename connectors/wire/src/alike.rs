//! Quotes that are laid out like one before them.
//!
//! A feed writes its quotes one like the other: the same fields in the same order, only values differ. Of a
//! line that was found to be a good quote it is kept what stands between its values; a line with the same
//! between its own is read at these places, and its values are judged by the functions that judge those of
//! any record. A line in which anything else is found goes the way of all lines: there is no rule here.

use std::borrow::Cow;

use plimsoll_engine::num::Time;

use crate::decimal::integer;
use crate::envelope::Number;
use crate::fields::QUOTE;
use crate::json::stop_of;
use crate::quotes::{GoodQuote, Row, SECURITY};
use crate::read::judged;
use crate::time::parse_time;
use crate::value::{Fields, Value};

/// Layouts that are kept: a feed writes its halted securities otherwise than those that trade.
const KEPT: usize = 3;

/// What stands in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Id,
    At,
    Number,
    /// A field by the order of [`QUOTE`].
    Field(usize),
}

/// A value, and the bytes between it and the one before.
#[derive(Debug)]
struct Place {
    before: Box<[u8]>,
    /// Between quotes; else digits.
    text: bool,
    part: Part,
}

/// How a quote was laid out.
#[derive(Debug)]
struct Layout {
    places: Vec<Place>,
    /// What follows the last value.
    after: Box<[u8]>,
    source: Box<str>,
    /// The numbers of fields that are neither text nor number, which stand between the values.
    fixed: Row,
    /// Those of the line that was read last.
    row: Row,
    /// The time that was read last, and its text.
    at: Option<(Box<str>, Time)>,
}

impl Layout {
    /// The layout of a line that is a good quote, of the fields that were read from it.
    fn of(line: &[u8], fields: &Fields<'_>) -> Option<Self> {
        let (mut places, mut end) = (Vec::new(), 0);
        let (mut source, mut fixed) = (None, Row::UNSEEN);
        for (name, value) in fields {
            let part = match (name.as_ref(), value) {
                ("v" | "type", _) => continue,
                ("source", Value::Text(text)) => {
                    source = Some(text.as_ref().into());
                    continue;
                }
                ("id", _) => Part::Id,
                ("at", _) => Part::At,
                ("source_seq", Value::Null) => continue,
                ("source_seq", _) => Part::Number,
                (name, _) => Part::Field(QUOTE.fields.iter().position(|field| field.name == name)?),
            };
            let (text, value) = match value {
                Value::Text(Cow::Borrowed(text)) => (true, *text),
                Value::Number(number) => (false, *number),
                Value::Null | Value::Bool(_) => {
                    if let Part::Field(at) = part {
                        fixed.put(at, judged(&QUOTE.fields[at], value).ok()?);
                    }
                    continue;
                }
                _ => return None,
            };
            let start = value.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
            places.push(Place { before: line.get(end..start)?.into(), text, part });
            end = start + value.len();
        }
        let after = line.get(end..)?.into();
        Some(Layout { places, after, source: source?, fixed, row: fixed, at: None })
    }

    /// The id and the security of a line, where it is laid out like this and its values are good.
    fn read<'l>(&mut self, line: &'l str) -> Option<(&'l str, &'l str)> {
        let (bytes, mut end) = (line.as_bytes(), 0);
        let (mut id, mut security) = ("", "");
        let row = &mut self.row;
        *row = self.fixed;
        for place in &self.places {
            if !bytes[end..].starts_with(&place.before) {
                return None;
            }
            let start = end + place.before.len();
            end = if place.text { stop_of(bytes, start) } else { end_of_digits(bytes, start) };
            let text = &line[start..end];
            // What ends it, a quote or no digit, is the first of the bytes that follow.
            match place.part {
                Part::Id => id = text,
                Part::At => {
                    let known = self.at.as_ref().filter(|(known, _)| **known == *text);
                    row.at = match known {
                        Some((_, at)) => *at,
                        None => self.at.insert((text.into(), parse_time(text)?)).1,
                    };
                }
                Part::Number => {
                    let number = integer(text).and_then(|number| u64::try_from(number).ok())?;
                    row.number = Number::Given(number);
                }
                Part::Field(SECURITY) => security = text,
                Part::Field(at) => {
                    let value =
                        if place.text { Value::Text(Cow::Borrowed(text)) } else { Value::Number(text) };
                    row.put(at, judged(&QUOTE.fields[at], &value).ok()?);
                }
            }
        }
        (!id.is_empty() && bytes[end..] == *self.after).then_some((id, security))
    }
}

/// The end of a JSON number of digits alone; its start where it is none, which then matches nothing.
fn end_of_digits(bytes: &[u8], start: usize) -> usize {
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 1 && bytes[start] == b'0' { start } else { start + digits }
}

/// The layouts of the quotes that came last.
#[derive(Debug, Default)]
pub(crate) struct Alike(Vec<Layout>);

impl Alike {
    /// The quote of a line, where it is laid out like one before and plainly good.
    pub(crate) fn quote<'l>(&'l mut self, line: &'l [u8]) -> Option<GoodQuote<'l>> {
        let text = std::str::from_utf8(line).ok()?;
        let mut layouts = self.0.iter_mut().enumerate();
        let (place, (id, security)) = layouts.find_map(|(place, of)| Some((place, of.read(text)?)))?;
        self.0[..=place].rotate_right(1);
        let layout = self.0.first()?;
        Some(GoodQuote { id, source: &layout.source, security, row: &layout.row })
    }

    /// Keeps the layout of a line that was found to be a good quote, of the fields that were read from it.
    #[cold]
    pub(crate) fn learn(&mut self, line: &[u8], fields: &Fields<'_>) {
        if let Some(layout) = Layout::of(line, fields) {
            self.0.truncate(KEPT - 1);
            self.0.insert(0, layout);
        }
    }
}
