//! Values of the wire as JSON.

use plimsoll_engine::num::{Date, Time};
use plimsoll_wire::decimal;
use plimsoll_wire::print::write_text;
use plimsoll_wire::time::{write_date, write_time};
use plimsoll_wire::value::{Fields, Value};

/// Times that a date of four figures can say; others are written as numbers, which no time is.
const TIMES_US: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_214_400_000_000;
/// The same for dates.
const DATES: std::ops::Range<i32> = -719_528..2_932_896;

/// Writes a value.
pub fn write(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(text) => out.extend_from_slice(text.as_bytes()),
        Value::Text(text) => write_text(out, text),
        Value::Integer(number) => decimal::write_integer(out, i128::from(*number)),
        // An integer may come as a decimal without decimals.
        Value::Decimal(digits, scale) if (1..=38).contains(scale) => {
            quoted(out, |out| decimal::write(out, *digits, u32::from(*scale), u32::from(*scale)));
        }
        Value::Decimal(digits, _) => decimal::write_integer(out, *digits),
        Value::Time(micros) if TIMES_US.contains(micros) => quoted(out, |out| write_time(out, Time(*micros))),
        Value::Time(micros) => decimal::write_integer(out, i128::from(*micros)),
        Value::Date(days) if DATES.contains(days) => quoted(out, |out| write_date(out, Date(*days))),
        Value::Date(days) => decimal::write_integer(out, i128::from(*days)),
        Value::List(list) => {
            out.push(b'[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Value::Object(fields) => object(out, fields),
    }
}

/// Writes an object.
pub fn object(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.push(b'{');
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(out, name);
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
