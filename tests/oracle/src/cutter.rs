//! Cuts a stream of lines into epochs by the lines alone.

use std::collections::HashSet;

use crate::json::{Object, Value, parse};
use crate::time::DAY;
use crate::wire::{Envelope, envelope};

/// One object of the input.
pub struct Line {
    pub object: Object,
    /// Its envelope, if it is readable.
    pub envelope: Option<Envelope>,
    /// Source and id as far as they can be named when it is not.
    pub source: Option<String>,
    pub id: Option<String>,
}

const MOST_LINES: usize = 65_536;
const MOST_AHEAD: i64 = 370 * DAY;

/// The epoch that is open.
#[derive(Default)]
pub struct Cutter {
    /// The latest instant of all readable events so far.
    clock: Option<i64>,
    /// The instant of the open epoch, once it has a readable event.
    at: Option<i64>,
    alone: bool,
    named: HashSet<(bool, String)>,
    lines: Vec<Line>,
}

impl Cutter {
    /// Reads a line as an object; `None` if it is no JSON object in UTF-8.
    pub fn read(&self, bytes: &[u8]) -> Option<Line> {
        let (Value::Object(object), repeated) = parse(bytes)? else { return None };
        let named = |name| object.single_text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let (source, id) = (named("source"), named("id"));
        let in_time =
            |e: &Envelope| e.kind == "clock" || self.clock.is_none_or(|clock| e.at - clock <= MOST_AHEAD);
        let envelope = if repeated { None } else { envelope(&object).filter(in_time) };
        Some(Line { object, envelope, source, id })
    }

    /// Whether this line closes the open epoch.
    pub fn cuts(&self, line: &Line) -> bool {
        let (Some(at), Some(envelope)) = (self.at, &line.envelope) else { return false };
        envelope.at != at
            || self.lines.len() >= MOST_LINES
            || self.alone
            || stands_alone(&envelope.kind)
            || priced(line).is_some_and(|name| self.named.contains(&name))
    }

    /// Takes the open epoch away.
    pub fn close(&mut self) -> Vec<Line> {
        self.at = None;
        self.alone = false;
        self.named.clear();
        std::mem::take(&mut self.lines)
    }

    /// The clock an epoch opened by this line would have.
    pub fn clock_with(&self, line: &Line) -> Option<i64> {
        self.clock.max(line.envelope.as_ref().map(|e| e.at))
    }

    /// Adds a line to the open epoch.
    pub fn add(&mut self, line: Line) {
        if let Some(envelope) = &line.envelope {
            self.clock = self.clock.max(Some(envelope.at));
            self.at = Some(envelope.at);
            self.alone = stands_alone(&envelope.kind);
            self.named.extend(priced(&line));
        }
        self.lines.push(line);
    }
}

fn stands_alone(kind: &str) -> bool {
    matches!(kind, "day_start" | "day_end" | "policy" | "rules" | "calendar")
}

/// The security or index a quote or level names.
fn priced(line: &Line) -> Option<(bool, String)> {
    let (is_quote, field) = match line.envelope.as_ref()?.kind.as_str() {
        "quote" => (true, "security"),
        "index" => (false, "index"),
        _ => return None,
    };
    match line.object.get(field) {
        Some(Value::Text(name)) => Some((is_quote, name.clone())),
        _ => None,
    }
}
