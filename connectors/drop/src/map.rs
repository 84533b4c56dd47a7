//! A row of a broker's file as fields of an event, exact or not at all.

use plimsoll_wire::fields::{Kind, Need};
use plimsoll_wire::print::write_text;
use plimsoll_wire::read::judge;
use plimsoll_wire::value::Value;

use crate::config::{At, Column, Map, Part};
use crate::exact::Exact;
use crate::json;
use crate::report::time;
use crate::template::{Names, Template};
use crate::when;
use std::time::SystemTime;

/// What is wrong with a row: in which column, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub column: Option<String>,
    pub code: &'static str,
    pub detail: String,
}

impl Column {
    /// The text of a cell as the configuration wants it read; empty where nothing is there.
    pub fn read(&self, cell: &str, into: &mut String) -> Result<(), Flaw> {
        let flaw = |code, detail| Flaw { column: Some(self.name.clone()), code, detail };
        into.clear();
        // White space is that of Unicode: the wide space of Chinese texts is some too.
        let cell = cell.trim();
        if cell.is_empty() || self.absent.iter().any(|absent| absent == cell) {
            return Ok(());
        }
        match &self.values {
            Some(values) => match values.get(cell) {
                Some(value) => into.push_str(value),
                None => return Err(flaw("unknown_value", format!("{cell:?} is none of its values"))),
            },
            None => into.push_str(cell),
        }
        if self.times.is_some() || self.float_places.is_some() {
            let exact = Exact::parse(into, self.float_places.is_some());
            let exact = exact.map(|exact| self.float_places.map_or(exact, |places| exact.rounded(places)));
            let exact = exact.and_then(|exact| self.times.map_or(Some(exact), |times| exact.times(times)));
            *into = exact.ok_or_else(|| flaw("bad_value", format!("{cell:?} is no decimal")))?.text();
        }
        let missing = self.width.saturating_sub(into.chars().count());
        into.insert_str(0, &"0".repeat(missing));
        Ok(())
    }
}

impl Part {
    /// The cells of a row, as `raw` has them by their places.
    pub fn cells<'r>(
        &self,
        raw: impl Fn(usize) -> Option<&'r str>,
        into: &mut Vec<String>,
    ) -> Result<(), Flaw> {
        into.resize(self.columns.len(), String::new());
        for (at, (column, into)) in self.columns.iter().zip(into).enumerate() {
            column.read(raw(at).unwrap_or_default(), into)?;
        }
        Ok(())
    }

    /// Writes the fields of a row, each as `,"name":value`; says which were there.
    pub fn fields(&self, cells: &[String], names: &Names<'_>, out: &mut Vec<u8>) -> Result<u32, Flaw> {
        let (mut text, mut given) = (String::new(), 0);
        for (at, template) in &self.fields {
            let field = &self.table.fields[*at];
            let flaw = |code, detail| Flaw { column: self.named(template), code, detail };
            if !template.fill(cells, names, &mut text) {
                match field.need {
                    Need::Optional => continue,
                    Need::Nullable => text.clear(),
                    Need::Required => return Err(flaw("missing_field", format!("{} is empty", field.name))),
                }
            }
            given |= 1 << at;
            out.push(b',');
            write_text(out, field.name);
            out.push(b':');
            if text.is_empty() && field.need == Need::Nullable {
                out.extend_from_slice(b"null");
                continue;
            }
            let value = value(&field.kind, &text).and_then(|value| judge(&field.kind, &value).map(|_| value));
            let value =
                value.map_err(|what| flaw("bad_value", format!("{}: {text:?} is {what}", field.name)))?;
            json::write(out, &value);
        }
        Ok(given)
    }

    /// The columns of a template.
    fn named(&self, template: &Template) -> Option<String> {
        let names: Vec<_> = template.columns().map(|at| self.columns[at].name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The text of a template that may not be empty.
    pub fn filled(&self, template: &Template, cells: &[String], names: &Names<'_>) -> Result<String, Flaw> {
        let mut text = String::new();
        if template.fill(cells, names, &mut text) && !text.is_empty() {
            return Ok(text);
        }
        let detail = "the id, the time or the key is empty".to_owned();
        Err(Flaw { column: self.named(template), code: "missing_field", detail })
    }
}

/// A text as a value of the kind of its field.
fn value<'t>(kind: &Kind, text: &'t str) -> Result<Value<'t>, &'static str> {
    let exact = || Exact::parse(text, false).ok_or("no decimal");
    Ok(match kind {
        Kind::Date => Value::Date(when::date(text).ok_or("no date")?.0),
        Kind::Bool => Value::Bool(text.parse().map_err(|_| "neither true nor false")?),
        Kind::Integer(..) => match exact()? {
            Exact { digits, scale: 0 } => Value::Integer(i64::try_from(digits).map_err(|_| "out of bounds")?),
            _ => return Err("no whole number"),
        },
        Kind::Line if text == "none" => Value::Text(text.into()),
        Kind::Decimal(_) | Kind::Line => {
            let exact = exact()?;
            Value::Decimal(exact.digits, u8::try_from(exact.scale).map_err(|_| "too many decimals")?)
        }
        _ => Value::Text(text.into()),
    })
}

impl Map {
    /// Writes the envelope of an event, open for its fields.
    pub fn envelope(
        &self,
        part: &Part,
        cells: &[String],
        names: &Names<'_>,
        modified: SystemTime,
        out: &mut Vec<u8>,
    ) -> Result<(), Flaw> {
        let id = part.filled(&self.id, cells, names)?;
        let at = match &self.at {
            At::Modified => time(modified),
            At::Text(template) => {
                let text = part.filled(template, cells, names)?;
                when::moment(&text).ok_or_else(|| Flaw {
                    column: part.named(template),
                    code: "bad_value",
                    detail: format!("at: {text:?} is no date with a time of day"),
                })?
            }
        };
        out.extend_from_slice(br#"{"v":1,"type":"#);
        write_text(out, self.kind.table().name);
        for (name, text) in [("id", &id), ("source", &self.source)] {
            out.push(b',');
            write_text(out, name);
            out.push(b':');
            write_text(out, text);
        }
        out.extend_from_slice(br#","at":"#);
        json::write(out, &Value::Time(at.0));
        Ok(())
    }
}
