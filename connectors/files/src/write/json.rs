//! Rows as JSON text.

use crate::rows::{Cell, Event, Field, Kind, Row, Sink, Stamp};
use plimsoll_engine::input::Line;
use plimsoll_engine::num::{Date, OFFSET_US, Time};
use std::io::Write as _;

/// Appends an event as one line with its line feed.
pub fn event(source: &str, stamp: &Stamp<'_>, event: &dyn Event, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"v\":1,\"type\":\"");
    out.extend_from_slice(event.event_type().as_bytes());
    out.extend_from_slice(b"\",\"id\":");
    text(stamp.id, out);
    out.extend_from_slice(b",\"source\":");
    text(source, out);
    out.extend_from_slice(b",\"at\":\"");
    time(stamp.at, out);
    out.push(b'"');
    if let Some(number) = stamp.source_seq {
        out.extend_from_slice(b",\"source_seq\":");
        integer(i128::from(number), out);
    }
    event.visit(&mut Object { out, first: false });
    out.extend_from_slice(b"}\n");
}

/// An object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Sink for Object<'_> {
    fn cell(&mut self, field: &'static Field, cell: Cell<'_>) {
        if matches!(cell, Cell::Null) {
            return;
        }
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value(field.kind, cell, self.out);
    }
}

fn value(kind: Kind, cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Text(value) => text(value, out),
        Cell::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Cell::Number(value) => match kind.decimal() {
            Some((_, scale)) => quoted(out, |out| decimal(value, scale, out)),
            None => integer(i128::from(value), out),
        },
        Cell::Date(value) => quoted(out, |out| date(value, out)),
        Cell::Line(value) => quoted(out, |out| line(value, out)),
        Cell::Names(names) => list(names.len(), out, |index, out| text(names[index], out)),
        Cell::Dates(dates) => {
            list(dates.len(), out, |index, out| quoted(out, |out| date(dates[index], out)));
        }
        Cell::Rows(rows) => list(rows.count(), out, |index, out| object(rows.row(index), out)),
    }
}

fn object(row: &dyn Row, out: &mut Vec<u8>) {
    out.push(b'{');
    row.visit(&mut Object { out, first: true });
    out.push(b'}');
}

fn list(count: usize, out: &mut Vec<u8>, mut item: impl FnMut(usize, &mut Vec<u8>)) {
    out.push(b'[');
    for index in 0..count {
        if index > 0 {
            out.push(b',');
        }
        item(index, out);
    }
    out.push(b']');
}

fn quoted(out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    inner(out);
    out.push(b'"');
}

/// Appends a JSON text.
pub fn text(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in value.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0..0x20 => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends an integer.
pub fn integer(value: i128, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 40];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `value / 10^scale` with at least two decimals and no further trailing zeros.
pub fn decimal(value: i64, scale: u8, out: &mut Vec<u8>) {
    let unit = 10_u64.pow(u32::from(scale));
    let size = value.unsigned_abs();
    if value < 0 {
        out.push(b'-');
    }
    integer(i128::from(size / unit), out);
    out.push(b'.');
    let mut rest = size % unit;
    let mut place = unit / 10;
    let mut shown = 0;
    while place > 0 && (rest > 0 || shown < 2) {
        out.push(b'0' + (rest / place) as u8);
        rest %= place;
        place /= 10;
        shown += 1;
    }
}

/// Appends a line: a ratio or `none`.
pub fn line(value: Line, out: &mut Vec<u8>) {
    match value {
        Line::Absent => out.extend_from_slice(b"none"),
        Line::At(ratio) => decimal(i64::from(ratio), 4, out),
    }
}

/// Appends a date as `YYYY-MM-DD`.
pub fn date(value: Date, out: &mut Vec<u8>) {
    let (year, month, day) = value.ymd();
    padded(u64::from(year.unsigned_abs()), 4, out);
    out.push(b'-');
    padded(u64::from(month), 2, out);
    out.push(b'-');
    padded(u64::from(day), 2, out);
}

/// Appends a time at +08:00 with three decimals, or six where needed.
pub fn time(value: Time, out: &mut Vec<u8>) {
    date(value.date(), out);
    let of_day = (value.0 + OFFSET_US).rem_euclid(86_400_000_000).unsigned_abs();
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    out.push(b'T');
    padded(seconds / 3600, 2, out);
    out.push(b':');
    padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    padded(seconds % 60, 2, out);
    out.push(b'.');
    if micros % 1000 == 0 {
        padded(micros / 1000, 3, out);
    } else {
        padded(micros, 6, out);
    }
    out.extend_from_slice(b"+08:00");
}

fn padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut place = 10_u64.pow(width as u32 - 1);
    while place > 0 {
        out.push(b'0' + (value / place % 10) as u8);
        place /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_keep_two_places_and_drop_further_zeros() {
        let four = |value| shown(|out| decimal(value, 4, out));
        assert_eq!(four(0), "0.00");
        assert_eq!(four(12_340), "1.234");
        assert_eq!(four(-1), "-0.0001");
        assert_eq!(four(100_000), "10.00");
        assert_eq!(four(99_999_999_999_999_999), "9999999999999.9999");
        assert_eq!(shown(|out| decimal(8_350_000, 8, out)), "0.0835");
        assert_eq!(shown(|out| decimal(1, 8, out)), "0.00000001");
    }

    #[test]
    fn times_stand_at_the_market_offset() {
        let start = Date::from_ymd(2026, 1, 19).unwrap().start();
        assert_eq!(shown(|out| time(start, out)), "2026-01-19T00:00:00.000+08:00");
        let later = Time(start.0 + 34_203_000_001);
        assert_eq!(shown(|out| time(later, out)), "2026-01-19T09:30:03.000001+08:00");
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(shown(|out| text("a\"b\\c\n贵州", out)), "\"a\\\"b\\\\c\\u000a贵州\"");
    }
}
