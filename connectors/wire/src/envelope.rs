//! The envelope every event carries: version, type, id, source, time and number.

use crate::decimal;
use crate::time::parse_time;
use crate::value::{Fields, Value};
use plimsoll_engine::num::Time;

/// Version of the contract this process speaks.
pub const VERSION: i64 = 1;

/// The number of an event within its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// None given.
    Absent,
    /// This one.
    Given(u64),
    /// Something that is no number of an event: `bad_value`, in its place.
    Bad,
}

/// The names of the fields of an envelope.
pub const FIELDS: [&str; 6] = ["v", "type", "id", "source", "at", "source_seq"];

/// What an envelope's fields say, as far as they can be read.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'v> {
    /// The version; `None` where it is no integer, `Some(false)` where it is not ours.
    pub ours: Option<bool>,
    /// The event type.
    pub kind: Option<&'v str>,
    /// The id.
    pub id: Option<&'v str>,
    /// The source.
    pub source: Option<&'v str>,
    /// Event time.
    pub at: Option<Time>,
    /// The number within the source.
    pub number: Number,
    /// Where its fields stand: a bit for each of the record's first 64.
    pub positions: u64,
}

impl<'v> Envelope<'v> {
    /// Reads what there is. Of a key that comes twice neither counts: `id` and `source` of such a
    /// record are reported only where each stands there once.
    #[must_use]
    pub fn read(fields: &'v Fields<'_>, repeated: bool) -> Self {
        let mut envelope = Envelope {
            ours: None,
            kind: None,
            id: None,
            source: None,
            at: None,
            number: Number::Absent,
            positions: 0,
        };
        for (position, (name, value)) in fields.iter().enumerate() {
            match name.as_ref() {
                "v" => envelope.ours = version(value),
                "type" => envelope.kind = text(value),
                "id" => envelope.id = text(value),
                "source" => envelope.source = text(value),
                "at" => envelope.at = time(value),
                "source_seq" => envelope.number = number(value),
                _ => continue,
            }
            if position < 64 {
                envelope.positions |= 1 << position;
            }
        }
        if repeated {
            let once = |name: &str| fields.iter().filter(|(known, _)| known == name).count() == 1;
            envelope.id = envelope.id.filter(|_| once("id"));
            envelope.source = envelope.source.filter(|_| once("source"));
        }
        envelope
    }

    /// The first of its parts that cannot be read.
    #[must_use]
    pub fn flaw(&self) -> Option<&'static str> {
        if self.ours.is_none() {
            Some("v is no integer")
        } else if self.kind.is_none() {
            Some("type is no text, or empty")
        } else if self.id.is_none() {
            Some("id is no text, or empty")
        } else if self.source.is_none() {
            Some("source is no text, or empty")
        } else if self.at.is_none() {
            Some("at is no time with offset and at most microseconds")
        } else {
            None
        }
    }
}

pub(crate) fn text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

pub(crate) fn version(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Number("1") => Some(true),
        Value::Number(text) if decimal::is_integer(text) => Some(false),
        Value::Integer(number) => Some(*number == VERSION),
        Value::Decimal(number, 0) => Some(*number == i128::from(VERSION)),
        _ => None,
    }
}

pub(crate) fn time(value: &Value<'_>) -> Option<Time> {
    match value {
        Value::Text(text) => parse_time(text),
        // Columns hold any 64 bits; keep to the years of RFC 3339, where no sum can overflow.
        Value::Time(micros) if (FIRST_US..=LAST_US).contains(micros) => Some(Time(*micros)),
        _ => None,
    }
}

/// 0000-01-01T00:00:00Z less a day of offset.
const FIRST_US: i64 = (-719_528 - 1) * 86_400_000_000;
/// 9999-12-31T24:00:00Z plus a day of offset.
const LAST_US: i64 = (2_932_897 + 1) * 86_400_000_000;

pub(crate) fn number(value: &Value<'_>) -> Number {
    let number = match value {
        Value::Null => return Number::Absent,
        Value::Number(text) => decimal::integer(text),
        Value::Integer(number) => Some(*number),
        Value::Decimal(number, 0) => i64::try_from(*number).ok(),
        _ => None,
    };
    number.and_then(|number| u64::try_from(number).ok()).map_or(Number::Bad, Number::Given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: Value<'static>) -> Fields<'static> {
        vec![
            ("v".into(), Value::Number("1")),
            ("type".into(), Value::Text("clock".into())),
            ("id".into(), Value::Text("e1".into())),
            ("source".into(), Value::Text("s".into())),
            ("at".into(), Value::Time(0)),
            ("source_seq".into(), seq),
        ]
    }

    #[test]
    fn each_part_must_be_readable() {
        let good = record(Value::Null);
        assert_eq!(Envelope::read(&good, false).flaw(), None);
        assert_eq!(Envelope::read(&good, false).positions, 0b11_1111);
        for (at, bad) in [
            (0, Value::Text("1".into())),
            (0, Value::Number("1.0")),
            (0, Value::Null),
            (1, Value::Text("".into())),
            (1, Value::Number("1")),
            (2, Value::Null),
            (3, Value::List(vec![])),
            (4, Value::Text("yesterday".into())),
            (4, Value::Time(i64::MAX)),
        ] {
            let mut flawed = good.clone();
            flawed[at].1 = bad;
            assert!(Envelope::read(&flawed, false).flaw().is_some());
            flawed.remove(at);
            assert!(Envelope::read(&flawed, false).flaw().is_some());
        }
    }

    #[test]
    fn versions_and_numbers() {
        let ours = |text| version(&Value::Number(text));
        assert_eq!(ours("1"), Some(true));
        assert_eq!(ours("2"), Some(false));
        assert_eq!(ours("99999999999999999999"), Some(false));
        assert_eq!(ours("1e0"), None);
        let seq = |value| Envelope::read(&record(value), false).number;
        assert_eq!(seq(Value::Null), Number::Absent);
        assert_eq!(seq(Value::Number("9223372036854775807")), Number::Given(i64::MAX as u64));
        assert_eq!(seq(Value::Number("9223372036854775808")), Number::Bad);
        assert_eq!(seq(Value::Number("-1")), Number::Bad);
        assert_eq!(seq(Value::Number("1.0")), Number::Bad);
        assert_eq!(seq(Value::Text("1".into())), Number::Bad);
    }

    #[test]
    fn a_repeated_key_hides_its_values() {
        let mut twice = record(Value::Null);
        twice.push(("id".into(), Value::Text("e2".into())));
        let envelope = Envelope::read(&twice, true);
        assert_eq!((envelope.id, envelope.source), (None, Some("s")));
    }
}
