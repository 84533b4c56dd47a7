//! Writes events as JSON text in the many shapes the wire allows.

use super::rng::Rng;
use std::fmt::Write as _;

/// A JSON value as the generator thinks of it.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A JSON integer.
    Int(i128),
    /// A decimal: units and how many of its digits are decimals. Written as text or as a number.
    Dec(i128, u32),
    /// A JSON string.
    Text(String),
    /// JSON text as it stands.
    Raw(String),
    /// A JSON array.
    List(Vec<Value>),
    /// A JSON object.
    Object(Object),
}

/// Fields in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Object(pub Vec<(String, Value)>);

impl Object {
    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets a field, in place if it is there.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some(field) => field.1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Takes a field away.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(k, _)| k != key);
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Object {
    fn from(fields: [(&str, Value); N]) -> Self {
        Self(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }
}

/// Text of any kind as a value.
pub fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

/// Money or a price in units of 1/10 000.
pub fn money(units: impl Into<i128>) -> Value {
    Value::Dec(units.into(), 4)
}

/// A rate in units of 1/10^8.
pub fn rate(units: impl Into<i128>) -> Value {
    Value::Dec(units.into(), 8)
}

/// How a stream likes to write its objects.
#[derive(Clone, Debug)]
pub struct Style {
    /// How often (per mille) the keys of an object are shuffled.
    pub shuffle: u32,
    /// How often (per mille) a decimal is a JSON number.
    pub numbers: u32,
    /// How often (per mille) a decimal has more or fewer zeros than usual.
    pub zeros: u32,
    /// Whether separators are followed by a space.
    pub spaces: bool,
    /// How often (per mille) a character is written as an escape.
    pub escapes: u32,
}

/// The plain text of a decimal, with as few decimals as it needs.
pub fn decimal(units: i128, scale: u32) -> String {
    let one = 10_i128.pow(scale);
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.unsigned_abs();
    let (whole, part) = (magnitude / one as u128, magnitude % one as u128);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{part:0width$}", width = scale as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

fn write_text(out: &mut String, value: &str, style: &Style, rng: &mut Rng) {
    out.push('"');
    for c in value.chars() {
        let plain = c != '"' && c != '\\' && c >= ' ';
        if plain && (style.escapes == 0 || !rng.chance(style.escapes)) {
            out.push(c);
            continue;
        }
        let mut units = [0_u16; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out.push('"');
}

fn write_decimal(out: &mut String, units: i128, scale: u32, style: &Style, rng: &mut Rng) {
    let mut digits = decimal(units, scale);
    let number = style.numbers > 0 && rng.chance(style.numbers);
    if style.zeros > 0 && rng.chance(style.zeros) {
        if !digits.contains('.') {
            digits.push_str(".0");
        }
        for _ in 0..rng.below(9) {
            digits.push('0');
        }
        if !number && rng.chance(100) {
            let at = usize::from(units < 0);
            digits.insert(at, '0');
        }
    }
    if number {
        out.push_str(&digits);
    } else {
        let _ = write!(out, "\"{digits}\"");
    }
}

fn write_value(out: &mut String, value: &Value, style: &Style, rng: &mut Rng) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Dec(units, scale) => write_decimal(out, *units, *scale, style, rng),
        Value::Text(t) => write_text(out, t, style, rng),
        Value::Raw(raw) => out.push_str(raw),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(if style.spaces { ", " } else { "," });
                }
                write_value(out, item, style, rng);
            }
            out.push(']');
        }
        Value::Object(object) => write_object(out, object, style, rng),
    }
}

fn write_object(out: &mut String, object: &Object, style: &Style, rng: &mut Rng) {
    let mut order: Vec<usize> = (0..object.0.len()).collect();
    if style.shuffle > 0 && rng.chance(style.shuffle) {
        for index in (1..order.len()).rev() {
            order.swap(index, rng.below(index + 1));
        }
    }
    out.push('{');
    for (count, index) in order.into_iter().enumerate() {
        if count > 0 {
            out.push_str(if style.spaces { ", " } else { "," });
        }
        let (key, value) = &object.0[index];
        write_text(out, key, style, rng);
        out.push_str(if style.spaces { ": " } else { ":" });
        write_value(out, value, style, rng);
    }
    out.push('}');
}

/// One line of a stream, without its line feed.
pub fn render(object: &Object, style: &Style, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(256);
    write_object(&mut out, object, style, rng);
    out
}
