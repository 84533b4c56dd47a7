//! What a scenario expects, line by line.

use serde_json::{Value, json};

/// One expectation.
#[derive(Debug)]
pub enum Expect {
    /// An effect of the epoch, by its type, with the members it must have.
    Effect {
        /// The effect's type.
        kind: &'static str,
        /// Members by path (`cause.kind`), and the text or list they must show.
        members: Vec<(String, Value)>,
    },
    /// Members of an account's state line at the end of the epoch.
    State {
        /// The account.
        account: String,
        /// Members by path (`cure.sell`); null where the scenario says `none`.
        members: Vec<(String, Value)>,
    },
    /// The epoch has no effect.
    Nothing,
    /// The replay stops with exit status 1, leaves no state and names these words.
    Stops(Vec<String>),
}

impl Expect {
    /// The refusal of the event just told.
    ///
    /// # Errors
    /// A code that is no code.
    pub fn refused(rest: &str, source: Value, id: Value) -> Result<Self, String> {
        let mut words = rest.split_whitespace();
        let code = words.next().ok_or("refused CODE")?;
        let mut members = vec![
            ("code".to_owned(), json!(code)),
            ("input.source".to_owned(), source),
            ("input.id".to_owned(), id),
        ];
        // What a line without a readable envelope still shows of itself is told by the scenario.
        while let Some(name) = words.next() {
            let text = words.next().ok_or("refused CODE [source S] [id I]")?;
            let path = format!("input.{name}");
            let slot =
                members.iter_mut().find(|(p, _)| *p == path).ok_or("refused CODE [source S] [id I]")?;
            slot.1 = none_or_text(text);
        }
        Ok(Self::Effect { kind: "refused", members })
    }
}

fn none_or_text(text: &str) -> Value {
    if text == "none" { Value::Null } else { json!(text) }
}

/// Reads what follows the word `expect`.
///
/// # Errors
/// A line that is not in the language.
pub fn parse(rest: &str) -> Result<Expect, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words.as_slice() {
        ["nothing"] => Ok(Expect::Nothing),
        ["stops", ..] => Ok(Expect::Stops(words[1..].iter().map(|w| (*w).to_owned()).collect())),
        ["tier_changed", account, from, "->", to, more @ ..] => {
            let mut members = vec![
                ("account".to_owned(), json!(account)),
                ("from".to_owned(), json!(from)),
                ("to".to_owned(), json!(to)),
            ];
            tier_members(more, &mut members)?;
            Ok(Expect::Effect { kind: "tier_changed", members })
        }
        [kind @ ("restricted" | "lifted"), account, acts @ ..] => Ok(Expect::Effect {
            kind: if *kind == "restricted" { "restricted" } else { "lifted" },
            members: vec![("account".to_owned(), json!(account)), ("acts".to_owned(), json!(acts))],
        }),
        ["alarm", kind, key] => Ok(Expect::Effect {
            kind: "alarm",
            members: vec![("kind".to_owned(), json!(kind)), ("key".to_owned(), json!(key))],
        }),
        [account, members @ ..] if members.len() >= 2 => {
            Ok(Expect::State { account: (*account).to_owned(), members: pairs(members)? })
        }
        _ => Err(
            "expected nothing, stops, tier_changed, restricted, lifted, alarm, or ACCOUNT and its figures"
                .to_owned(),
        ),
    }
}

/// Members of a `tier_changed`; those of its cause are told as `cause KIND key K amount M input ID`.
fn tier_members(words: &[&str], members: &mut Vec<(String, Value)>) -> Result<(), String> {
    for (name, value) in pairs(words)? {
        let path = match name.as_str() {
            "cause" => "cause.kind".to_owned(),
            "key" | "amount" => format!("cause.{name}"),
            "input" if value.is_null() => "cause.input".to_owned(),
            "input" => "cause.input.id".to_owned(),
            _ => name,
        };
        members.push((path, value));
    }
    Ok(())
}

fn pairs(words: &[&str]) -> Result<Vec<(String, Value)>, String> {
    words
        .chunks(2)
        .map(|pair| match pair {
            // The tier without debt is called none; everywhere else none is absence.
            ["tier", text] => Ok(("tier".to_owned(), json!(text))),
            [name, text] => Ok(((*name).to_owned(), none_or_text(text))),
            _ => Err(format!("{} has no value", pair[0])),
        })
        .collect()
}
