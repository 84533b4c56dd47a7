//! A scenario file as cases: events with their place in the stream, and what is expected.

use crate::scenario::epochs::{self, Envelope};
use crate::scenario::events;
use crate::scenario::expect::{self, Expect};
use crate::scenario::text;
use serde_json::{Map, Value, json};

/// One story: a stream of lines, a policy and what must come of them.
#[derive(Debug, Default)]
pub struct Case {
    /// `file` or `file [case]`, for messages.
    pub label: String,
    /// The file, for messages.
    pub file: String,
    /// The lines of the event file.
    pub lines: Vec<String>,
    /// What the cut sees of each line.
    pub envelopes: Vec<Option<Envelope>>,
    /// Text of the policy file, where the case has one.
    pub policy: Option<String>,
    /// Further words of the command line.
    pub flags: Vec<String>,
    /// What must be seen.
    pub expects: Vec<Expected>,
    /// Source and id of each line, where it has one.
    pub ids: Vec<(Value, Value)>,
}

/// An expectation and where it stands.
#[derive(Debug)]
pub struct Expected {
    /// Line of the scenario file.
    pub line: usize,
    /// Event line it follows, counted from 1; 0 before any.
    pub after: usize,
    /// What is expected.
    pub what: Expect,
}

/// Splits a file into cases. Lines before the first `case` stand at the head of every one.
///
/// # Errors
/// The first line that is not in the language, with file and line.
pub fn cases(text: &str, file: &str) -> Result<Vec<Case>, String> {
    let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(n, l)| (n + 1, l)).collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].1.starts_with("case ")).collect();
    let preamble_end = starts.first().copied().unwrap_or(lines.len());
    let preamble = &lines[..preamble_end];
    if starts.is_empty() {
        return Ok(vec![case(file, None, preamble)?]);
    }
    let mut out = Vec::new();
    for (nth, &start) in starts.iter().enumerate() {
        let end = starts.get(nth + 1).copied().unwrap_or(lines.len());
        let name = lines[start].1["case ".len()..].trim();
        let body: Vec<_> = preamble.iter().chain(&lines[start + 1..end]).copied().collect();
        out.push(case(file, Some(name), &body)?);
    }
    Ok(out)
}

fn case(file: &str, name: Option<&str>, lines: &[(usize, &str)]) -> Result<Case, String> {
    let label = name.map_or_else(|| file.to_owned(), |n| format!("{file} [{n}]"));
    let mut reader =
        Reader { case: Case { label, file: file.to_owned(), ..Case::default() }, ..Reader::default() };
    let mut at = 0;
    while at < lines.len() {
        let (number, line) = lines[at];
        // What is indented below a line belongs to it.
        let block: Vec<&str> = lines[at + 1..]
            .iter()
            .map(|(_, l)| *l)
            .take_while(|l| l.starts_with(' ') && !l.trim().is_empty())
            .collect();
        reader.line(number, line, &block).map_err(|e| format!("{file}:{number}: {e}\n    {line}"))?;
        at += 1 + block.len();
    }
    if !reader.policy.is_empty() {
        reader.case.policy = Some(events::policy_file(&reader.policy));
    }
    Ok(reader.case)
}

#[derive(Default)]
struct Reader {
    case: Case,
    policy: Vec<(String, String, String)>,
    /// The scenario's clock, microseconds of UTC.
    now: Option<i64>,
}

/// What may stand in brackets after an event: its envelope, where the usual one does not do.
const ENVELOPE: [&str; 5] = ["source", "id", "source_seq", "at", "v"];

impl Reader {
    fn line(&mut self, number: usize, line: &str, block: &[&str]) -> Result<(), String> {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "at" => self.at(rest)?,
            "next" => self.now = Some(self.now.ok_or("no time yet")? + 1_000_000),
            "flags" => self.case.flags.extend(rest.split_whitespace().map(str::to_owned)),
            "policy" if rest.starts_with('[') => self.policy.extend(events::policy_line(rest)?),
            "expect" | "refused" => {
                let what = if word == "refused" {
                    let (source, id) = self.case.ids.last().ok_or("nothing to refuse yet")?;
                    Expect::refused(rest, source.clone(), id.clone())?
                } else {
                    expect::parse(rest)?
                };
                self.case.expects.push(Expected { line: number, after: self.case.lines.len(), what });
            }
            "repeat" => {
                let (count, event) = rest.split_once(' ').ok_or("repeat COUNT EVENT")?;
                for _ in 0..count.parse::<usize>().map_err(|e| e.to_string())? {
                    self.event(event, block, true)?;
                }
            }
            "garbled" => self.event(rest, block, false)?,
            _ => self.event(line, block, true)?,
        }
        Ok(())
    }

    fn at(&mut self, text: &str) -> Result<(), String> {
        let (date, clock) = match text.split_once(' ') {
            Some((date, clock)) => (date.to_owned(), clock),
            None => (self.date()?, text),
        };
        let days = text::days_of(&date).ok_or("expected at DATE TIME")?;
        let micros = text::micros_of_clock(clock.trim()).ok_or("expected a time HH:MM:SS")?;
        self.now = Some(days * 86_400_000_000 + micros - 8 * 3_600_000_000);
        Ok(())
    }

    /// The local date of the scenario's clock.
    fn date(&self) -> Result<String, String> {
        let now = self.now.ok_or("no time yet: begin with at DATE TIME")?;
        Ok(text::show_instant(now)[..10].to_owned())
    }

    fn event(&mut self, line: &str, block: &[&str], readable: bool) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "raw" => {
                self.push(rest.to_owned(), readable);
                return Ok(());
            }
            "json" => {
                let text = self.filled(rest)?;
                self.push(text, readable);
                return Ok(());
            }
            _ => {}
        }
        let (body, envelope) = match line.strip_suffix(']').and_then(|l| l.rsplit_once(" [")) {
            Some((body, envelope)) if word != "policy" => (body, envelope),
            _ => (line, ""),
        };
        let words: Vec<&str> = body.split_whitespace().collect();
        let mut fields = match word {
            "policy" => policy_event(rest)?,
            "rules" => events::rules(rest, &block.iter().map(|l| l.trim()).collect::<Vec<_>>())?,
            _ => events::fields(&words, body, &self.date()?)?,
        };
        let own: Vec<&str> = envelope.split_whitespace().collect();
        for pair in own.chunks(2) {
            let [name, text] = pair else {
                return Err("the envelope is written [name value …]".to_owned());
            };
            if !ENVELOPE.contains(name) {
                return Err(format!("no such part of an envelope: {name}"));
            }
            let number = matches!(*name, "source_seq" | "v");
            let value =
                if number { serde_json::from_str(text).map_err(|e| e.to_string())? } else { json!(text) };
            fields.insert((*name).to_owned(), value);
        }
        let text = self.filled(&Value::Object(fields).to_string())?;
        self.push(text, readable);
        Ok(())
    }

    /// The object with the parts of the usual envelope that it does not state itself.
    fn filled(&self, object: &str) -> Result<String, String> {
        let parsed: Map<String, Value> =
            serde_json::from_str(object).map_err(|e| format!("no object: {e}"))?;
        let now = self.now.ok_or("no time yet: begin with at DATE TIME")?;
        let mut usual = vec![
            ("v", json!(1)),
            ("id", json!(format!("e{}", self.case.lines.len() + 1))),
            ("source", json!("desk")),
            ("at", json!(text::show_instant(now))),
        ];
        usual.retain(|(name, _)| !parsed.contains_key(*name));
        let head: Vec<String> = usual.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let inner = object.trim().trim_start_matches('{');
        let comma = if head.is_empty() || parsed.is_empty() { "" } else { "," };
        Ok(format!("{{{}{comma}{inner}", head.join(",")))
    }

    fn push(&mut self, text: String, readable: bool) {
        let parsed: Value = serde_json::from_str(&text).unwrap_or_default();
        let word = |name: &str| parsed.get(name).and_then(Value::as_str);
        let told = |name: &str| match word(name) {
            Some(text) if !text.is_empty() => json!(text),
            _ => Value::Null,
        };
        self.case.ids.push((told("source"), told("id")));
        let envelope = readable.then(|| {
            let kind = word("type").unwrap_or_default().to_owned();
            let priced = match kind.as_str() {
                "quote" => word("security"),
                "index" => word("index"),
                _ => None,
            };
            Envelope {
                at: word("at").and_then(text::instant_of).unwrap_or_default(),
                priced: priced.map(str::to_owned),
                kind,
            }
        });
        self.case.envelopes.push(envelope);
        self.case.lines.push(text);
    }
}

/// `policy VERSION [section] key = value; …` or `policy VERSION` alone, for the defaults.
fn policy_event(rest: &str) -> Result<Map<String, Value>, String> {
    let (version, keys) = rest.split_once(' ').unwrap_or((rest, ""));
    let keys = if keys.trim().is_empty() { Vec::new() } else { events::policy_line(keys)? };
    let mut out = Map::new();
    out.insert("type".into(), json!("policy"));
    out.insert("version".into(), json!(version));
    out.insert("policy".into(), events::policy_object(&keys)?);
    out.insert("by".into(), json!("risk"));
    Ok(out)
}

/// Epochs of a case's stream.
#[must_use]
pub fn epochs_of(case: &Case) -> epochs::Epochs {
    epochs::cut(&case.envelopes)
}
