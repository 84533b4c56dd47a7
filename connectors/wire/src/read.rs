//! Reading a record by its table: which fields are there, and what number each stands for.
//!
//! Three passes, in the order of precedence of the refusals: unknown fields, missing fields, bad
//! values. The first two look into nested objects too before the third begins.

use crate::decimal;
use crate::fields::{Decimal, Field, Kind, MAX_FIELDS, Need, Table};
use crate::time::{parse_date, parse_minute};
use crate::value::{Fields, Value};
use plimsoll_engine::input::{Code, Exchange};
use plimsoll_engine::num::Date;

/// A refusal at the door: its code, and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The stable code.
    pub code: Code,
    /// Words for people; never compared.
    pub detail: String,
}

impl Refused {
    #[cold]
    pub(crate) fn unknown(name: &str) -> Self {
        Refused { code: Code::UnknownField, detail: format!("unknown field {name:?}") }
    }

    #[cold]
    pub(crate) fn missing(name: &str) -> Self {
        Refused { code: Code::MissingField, detail: format!("{name} is missing") }
    }

    #[cold]
    pub(crate) fn bad(name: &str, what: &str) -> Self {
        Refused { code: Code::BadValue, detail: format!("{name}: {what}") }
    }
}

/// A line taken away, in the number of a [`Kind::Line`].
pub(crate) const NO_LINE: i64 = -1;

/// The fields of one record by their place in its table.
pub struct Slots<'v, 'a> {
    values: [Option<&'v Value<'a>>; MAX_FIELDS],
    numbers: [i64; MAX_FIELDS],
    /// The nested record read last, whose names were all good, and the place of each of them.
    last: Option<(&'static Table, &'v Fields<'a>)>,
    places: [usize; MAX_FIELDS],
}

impl Default for Slots<'_, '_> {
    fn default() -> Self {
        Slots { values: [None; MAX_FIELDS], numbers: [0; MAX_FIELDS], last: None, places: [0; MAX_FIELDS] }
    }
}

/// Finds the place of every field of a record in its table, leaving out those that stand at
/// positions of the `envelope` (a bit for each of the first 64).
fn places<'v, 'a>(
    table: &Table,
    fields: &'v Fields<'a>,
    envelope: u64,
    mut take: impl FnMut(usize, &'v Value<'a>),
) -> Result<(), &'v str> {
    let mut next = 0;
    for (position, (name, value)) in fields.iter().enumerate() {
        if position < 64 && envelope & (1 << position) != 0 {
            continue;
        }
        // Senders keep to the order of the table, more or less: look on from the last find.
        let found = find(&table.fields[next..], name)
            .map(|at| at + next)
            .or_else(|| find(&table.fields[..next], name))
            .ok_or(name.as_ref())?;
        take(found, value);
        next = found + 1;
    }
    Ok(())
}

/// Whether two records take their names from one place, so that what holds of those of the one
/// holds of those of the other.
pub(crate) fn same_names(a: &Fields<'_>, b: &Fields<'_>) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| std::ptr::eq(a.as_ref(), b.as_ref()))
}

/// The first required field that a nested record lacks.
///
/// # Errors
/// The first name the table does not know.
pub fn missing<'v>(table: &Table, fields: &'v Fields<'_>) -> Result<Option<&'static str>, &'v str> {
    let mut found = 0_u32;
    places(table, fields, 0, |at, _| found |= 1 << at)?;
    let absent = |(at, field): &(usize, &Field)| field.need != Need::Optional && found & (1 << at) == 0;
    Ok(table.fields.iter().enumerate().find(absent).map(|(_, field)| field.name))
}

impl<'v, 'a> Slots<'v, 'a> {
    /// Sorts the fields of a record into the places of its table.
    ///
    /// # Errors
    /// The first name the table does not know.
    pub fn sort(&mut self, table: &Table, fields: &'v Fields<'a>, envelope: u64) -> Result<(), &'v str> {
        self.clear(table);
        places(table, fields, envelope, |at, value| self.values[at] = Some(value))
    }

    /// The first required field that is not there.
    #[must_use]
    pub fn missing(&self, table: &Table) -> Option<&'static str> {
        let absent =
            |(field, value): &(&Field, &Option<&Value>)| field.need != Need::Optional && value.is_none();
        table.fields.iter().zip(&self.values).find(absent).map(|(field, _)| field.name)
    }

    /// Judges every value in the order of the table and keeps the number it stands for.
    ///
    /// # Errors
    /// `bad_value` for the first that is none.
    pub fn judge(&mut self, table: &Table) -> Result<(), Refused> {
        for ((field, value), number) in table.fields.iter().zip(&mut self.values).zip(&mut self.numbers) {
            let Some(given) = value else { continue };
            match judged(field, given).map_err(|what| Refused::bad(field.name, what))? {
                Some(known) => *number = known,
                None => *value = None,
            }
        }
        Ok(())
    }

    /// All three passes over a record without an envelope of its own.
    ///
    /// # Errors
    /// The first refusal by precedence.
    pub fn read(&mut self, table: &'static Table, value: &'v Value<'a>) -> Result<(), Refused> {
        let Value::Object(fields) = value else { return Err(Refused::bad(table.name, "not an object")) };
        self.clear(table);
        // Of the rows of a list that a table holds, all have the names of the first.
        if self.last.is_some_and(|(of, last)| std::ptr::eq(of, table) && same_names(last, fields)) {
            fields.iter().zip(&self.places).for_each(|((_, value), &at)| self.values[at] = Some(value));
            return self.judge(table);
        }
        let Slots { values, places: known, .. } = self;
        let mut known = known.iter_mut();
        places(table, fields, 0, |at, value| {
            values[at] = Some(value);
            known.next().into_iter().for_each(|place| *place = at);
        })
        .map_err(Refused::unknown)?;
        if let Some(name) = self.missing(table) {
            return Err(Refused::missing(name));
        }
        self.last = (fields.len() <= MAX_FIELDS).then_some((table, fields));
        self.judge(table)
    }

    fn clear(&mut self, table: &Table) {
        self.values[..table.fields.len()].fill(None);
        self.numbers[..table.fields.len()].fill(0);
    }

    /// Whether a field is there, null included.
    #[must_use]
    pub fn stands(&self, at: usize) -> bool {
        self.values[at].is_some()
    }

    /// The number of a field that is there and not null: of a word its place, of a truth value 0
    /// or 1, of a date its day, of a line its ratio or [`NO_LINE`].
    #[must_use]
    pub fn number(&self, at: usize) -> Option<i64> {
        self.values[at].map(|_| self.numbers[at])
    }

    /// The number of a field, 0 where it is not there.
    #[must_use]
    pub fn or_zero(&self, at: usize) -> i64 {
        self.numbers[at]
    }

    /// A truth value, false where it is not there.
    #[must_use]
    pub fn is_set(&self, at: usize) -> bool {
        self.numbers[at] != 0
    }

    /// A date.
    #[must_use]
    pub fn date(&self, at: usize) -> Option<Date> {
        self.number(at).map(|day| Date(day as i32))
    }

    /// A text.
    #[must_use]
    pub fn text(&self, at: usize) -> Option<&'v str> {
        match self.values[at] {
            Some(Value::Text(text)) => Some(text.as_ref()),
            _ => None,
        }
    }

    /// The elements of a list, none where it is not there.
    #[must_use]
    pub fn list(&self, at: usize) -> &'v [Value<'a>] {
        match self.values[at] {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// The value of a field, null included.
    #[must_use]
    pub fn value(&self, at: usize) -> Option<&'v Value<'a>> {
        self.values[at]
    }

    /// Takes a field out, as if it were not there.
    pub fn drop(&mut self, at: usize) {
        self.values[at] = None;
    }
}

#[inline]
fn find(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.name == name)
}

/// The number the value of a field stands for, `None` where it is null and may be.
///
/// # Errors
/// What is wrong with it.
#[inline]
pub fn judged(field: &Field, value: &Value<'_>) -> Result<Option<i64>, &'static str> {
    match value {
        Value::Null if field.need == Need::Required => Err("null"),
        Value::Null => Ok(None),
        value => judge(&field.kind, value).map(Some),
    }
}

/// The number a value stands for, as its kind reads it.
///
/// # Errors
/// What is wrong with it.
#[inline]
pub fn judge(kind: &Kind, value: &Value<'_>) -> Result<i64, &'static str> {
    match kind {
        Kind::Text => text(value).map(|_| 0),
        Kind::Name => name(value).map(|_| 0),
        Kind::Label => match value {
            Value::Number(number) if decimal::is_integer(number) => Ok(0),
            Value::Integer(_) => Ok(0),
            other => name(other).map(|_| 0),
        },
        Kind::Security => match security(text(value)?) {
            Some(exchange) => Ok(exchange as i64),
            None => Err("not a security code"),
        },
        Kind::Date => date(value),
        Kind::Minute => parse_minute(text(value)?).map(i64::from).ok_or("not a time of day"),
        Kind::Bool => match value {
            Value::Bool(flag) => Ok(i64::from(*flag)),
            _ => Err("not true or false"),
        },
        Kind::Decimal(of) => scaled(of, value),
        Kind::Integer(min, max) => {
            let number = integer(value)?;
            if (*min..=*max).contains(&number) { Ok(number) } else { Err("out of bounds") }
        }
        Kind::Word(words) => word(words, value),
        Kind::Words(words) => {
            list(value)?.iter().try_fold(0, |set, element| Ok(set | 1 << word(words, element)?))
        }
        Kind::Line => match value {
            Value::Text(text) if text == "none" => Ok(NO_LINE),
            _ => match crate::fields::RATIO {
                Kind::Decimal(of) => scaled(&of, value),
                _ => Err("not a line"),
            },
        },
        Kind::Names => list(value)?.iter().try_for_each(|element| name(element).map(|_| ())).map(|()| 0),
        Kind::Dates => list(value)?.iter().try_for_each(|element| date(element).map(|_| ())).map(|()| 0),
        Kind::List | Kind::Objects(_) | Kind::Rows => list(value).map(|_| 0),
        Kind::Policy => match value {
            Value::Object(_) => Ok(0),
            _ => Err("not an object"),
        },
    }
}

fn text<'v>(value: &'v Value<'_>) -> Result<&'v str, &'static str> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err("not a text"),
    }
}

fn name<'v>(value: &'v Value<'_>) -> Result<&'v str, &'static str> {
    match text(value)? {
        "" => Err("empty"),
        text => Ok(text),
    }
}

fn list<'v, 'a>(value: &'v Value<'a>) -> Result<&'v [Value<'a>], &'static str> {
    match value {
        Value::List(list) => Ok(list),
        _ => Err("not a list"),
    }
}

fn date(value: &Value<'_>) -> Result<i64, &'static str> {
    match value {
        Value::Date(day) => Ok(i64::from(*day)),
        _ => parse_date(text(value)?).map(|date| i64::from(date.0)).ok_or("not a date"),
    }
}

fn word(words: &[&str], value: &Value<'_>) -> Result<i64, &'static str> {
    let text = text(value)?;
    words.iter().position(|word| *word == text).map(|at| at as i64).ok_or("not one of its words")
}

fn integer(value: &Value<'_>) -> Result<i64, &'static str> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Number(text) if decimal::is_integer(text) => text.parse().map_err(|_| "out of bounds"),
        Value::Decimal(digits, 0) => i64::try_from(*digits).map_err(|_| "out of bounds"),
        _ => Err("not an integer"),
    }
}

#[inline]
fn scaled(of: &Decimal, value: &Value<'_>) -> Result<i64, &'static str> {
    let number = match value {
        Value::Text(text) => decimal::parse(text, of.decimals),
        Value::Number(text) => decimal::parse(text, of.decimals),
        Value::Integer(number) => decimal::rescale(i128::from(*number), 0, of.decimals),
        Value::Decimal(digits, scale) => decimal::rescale(*digits, *scale, of.decimals),
        _ => return Err("not a decimal"),
    }
    .map_err(decimal::BadDecimal::words)?;
    match i64::try_from(number) {
        Ok(number) if number >= of.min && number <= of.max => Ok(number),
        _ => Err("out of bounds"),
    }
}

/// The exchange of a security code: letters or digits, a point, the exchange.
#[must_use]
pub fn security(code: &str) -> Option<Exchange> {
    let bytes = code.as_bytes();
    let (stem, suffix) = bytes.split_last_chunk::<3>()?;
    if stem.is_empty() || !stem.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    match suffix {
        b".SH" => Some(Exchange::Sh),
        b".SZ" => Some(Exchange::Sz),
        b".BJ" => Some(Exchange::Bj),
        b".HK" | b".KR" => Some(Exchange::Foreign),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;

    #[test]
    fn codes() {
        for (code, want) in [
            ("600519.SH", Some(Exchange::Sh)),
            ("000001.SZ", Some(Exchange::Sz)),
            ("830799.BJ", Some(Exchange::Bj)),
            ("00700.HK", Some(Exchange::Foreign)),
            ("005930.KR", Some(Exchange::Foreign)),
            ("ABC1.SH", Some(Exchange::Sh)),
            (".SH", None),
            ("SH", None),
            ("", None),
            ("600519", None),
            ("600519.sh", None),
            ("600519.US", None),
            ("600 519.SH", None),
            ("6.1.SH", None),
            ("六.SH", None),
        ] {
            assert_eq!(security(code), want, "{code}");
        }
    }

    #[test]
    fn a_null_counts_as_there_where_it_must_not_be() {
        let record = |price| {
            Value::Object(vec![
                ("by".into(), Value::Text("desk".into())),
                ("security".into(), Value::Text("600519.SH".into())),
                ("price".into(), price),
                ("reason".into(), Value::Text(String::new().into())),
            ])
        };
        let lifted = record(Value::Null);
        let mut slots = Slots::default();
        slots.read(&fields::MARK, &lifted).unwrap();
        assert_eq!(slots.number(fields::MARK.at("price")), None);
        let given = record(Value::Integer(3));
        slots.read(&fields::MARK, &given).unwrap();
        assert_eq!(slots.number(fields::MARK.at("price")), Some(30_000));
        let Value::Object(mut without) = record(Value::Null) else { unreachable!() };
        without.remove(2);
        let code =
            |value: &Value<'_>| Slots::default().read(&fields::MARK, value).err().map(|refused| refused.code);
        assert_eq!(code(&Value::Object(without)), Some(Code::MissingField));
        let Value::Object(mut null) = record(Value::Null) else { unreachable!() };
        null[0].1 = Value::Null;
        assert_eq!(code(&Value::Object(null)), Some(Code::BadValue));
    }

    #[test]
    fn numbers_of_every_carrier() {
        let price = |value: Value<'_>| judge(&fields::PRICE, &value);
        assert_eq!(price(Value::Text("1.5".into())), Ok(15_000));
        assert_eq!(price(Value::Number("1.5")), Ok(15_000));
        assert_eq!(price(Value::Integer(2)), Ok(20_000));
        assert_eq!(price(Value::Decimal(150, 2)), Ok(15_000));
        assert_eq!(price(Value::Number("1.5e0")), Err("not a decimal"));
        assert_eq!(price(Value::Number("-0.0001")), Err("out of bounds"));
        assert_eq!(price(Value::Number("214748.3647")), Ok((1 << 31) - 1));
        assert_eq!(price(Value::Number("214748.3648")), Err("out of bounds"));
        assert_eq!(price(Value::Bool(true)), Err("not a decimal"));
        let count = |value: Value<'_>| judge(&Kind::Integer(0, 9), &value);
        assert_eq!(count(Value::Number("9")), Ok(9));
        assert_eq!(count(Value::Number("9.0")), Err("not an integer"));
        assert_eq!(count(Value::Number("99999999999999999999")), Err("out of bounds"));
        assert_eq!(count(Value::Text("9".into())), Err("not an integer"));
        assert_eq!(judge(&Kind::Line, &Value::Text("none".into())), Ok(NO_LINE));
        assert_eq!(judge(&Kind::Line, &Value::Number("1.3333")), Ok(13_333));
        let set = Value::List(vec![Value::Text("call".into()), Value::Text("watch".into())]);
        assert_eq!(judge(&Kind::Words(fields::INCLUSIVE), &set), Ok(0b101));
    }
}
