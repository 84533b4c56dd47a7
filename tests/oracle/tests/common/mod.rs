//! Small event files written by hand.
#![allow(dead_code)]

use plimsoll_oracle::{Output, Want, replay};

/// A file of events; ids count up, the source is `s`.
#[derive(Default)]
pub struct Events {
    pub text: String,
    count: usize,
}

impl Events {
    pub fn new() -> Events {
        Events::default()
    }

    /// Adds an event at a local time `MM-DDTHH:MM:SS` of 2026.
    pub fn add(&mut self, at: &str, kind: &str, fields: &str) -> &mut Events {
        self.count += 1;
        let id = format!("e{}", self.count);
        self.named(at, kind, &id, fields)
    }

    pub fn named(&mut self, at: &str, kind: &str, id: &str, fields: &str) -> &mut Events {
        let comma = if fields.is_empty() { "" } else { "," };
        self.raw(&format!(
            r#"{{"v":1,"type":"{kind}","id":"{id}","source":"s","at":"2026-{at}+08:00"{comma}{fields}}}"#
        ))
    }

    pub fn raw(&mut self, line: &str) -> &mut Events {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    /// A main-board share with haircut 0.65, and an account.
    pub fn security(&mut self, at: &str, code: &str) -> &mut Events {
        self.add(
            at,
            "security",
            &format!(
                r#""security":"{code}","name":"n","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.65""#
            ),
        )
    }

    pub fn account(&mut self, at: &str, name: &str) -> &mut Events {
        self.add(at, "account", &format!(r#""account":"{name}","customer":"C","client_class":"individual""#))
    }

    pub fn quote(&mut self, at: &str, code: &str, price: &str) -> &mut Events {
        self.add(at, "quote", &format!(r#""security":"{code}","price":"{price}""#))
    }

    pub fn day(&mut self, at: &str, kind: &str, date: &str) -> &mut Events {
        self.add(at, kind, &format!(r#""date":"2026-{date}""#))
    }

    pub fn run(&self) -> Output {
        self.run_with("")
    }

    pub fn run_with(&self, policy: &str) -> Output {
        let want = Want { trace: true, ..Want::default() };
        match replay(&[("events", self.text.as_bytes())], Some(policy), want) {
            Ok(output) => output,
            Err(fatal) => panic!("{fatal}"),
        }
    }
}

/// The text of a field of a line; strings without their quotes.
pub fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = line.find(&format!("\"{name}\":")).map(|at| at + name.len() + 3);
    let Some(start) = start else { panic!("no {name} in {line}") };
    let rest = &line[start..];
    if let Some(rest) = rest.strip_prefix('"') {
        return rest.split('"').next().unwrap_or("");
    }
    rest.split([',', '}']).next().unwrap_or("")
}

/// A field of an account's line at the end.
pub fn state<'a>(output: &'a Output, account: &str, name: &str) -> &'a str {
    let line = output.state.lines().find(|line| field(line, "account") == account);
    field(line.unwrap_or_else(|| panic!("no {account}")), name)
}

/// `type` of every effect, with the code of a refusal and the kind of an alarm.
pub fn effects(output: &Output) -> Vec<String> {
    let name = |line: &str| match field(line, "type") {
        "refused" => format!("refused {}", field(line, "code")),
        "alarm" => format!("alarm {} {}", field(line, "kind"), field(line, "key")),
        "tier_changed" => format!("{} {}>{}", field(line, "seq"), field(line, "from"), field(line, "to")),
        other => other.to_owned(),
    };
    output.effects.lines().map(name).collect()
}

/// Codes of all refusals.
pub fn codes(output: &Output) -> Vec<String> {
    effects(output).iter().filter_map(|e| e.strip_prefix("refused ").map(str::to_owned)).collect()
}

/// The number of epochs.
pub fn epochs(output: &Output) -> usize {
    let mut seqs: Vec<&str> = output.trace.lines().map(|line| field(line, "seq")).collect();
    seqs.dedup();
    seqs.len()
}
