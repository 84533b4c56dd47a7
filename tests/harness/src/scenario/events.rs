//! One event line of a scenario becomes the fields of one event.
//!
//! The short forms know the order of the leading words; whatever follows is
//! `field value` pairs by the contract's own names.

use crate::scenario::text;
use serde_json::{Map, Value, json};

type Fields = Map<String, Value>;

/// Fields that are JSON integers; every other number travels as text.
const INTEGERS: [&str; 10] = [
    "quantity",
    "remaining",
    "sellable",
    "frozen",
    "total_shares",
    "float_shares",
    "volume",
    "lot",
    "deadline_days",
    "source_seq",
];

/// Words that are true by standing there, or false with `no_` before them.
const FLAGS: [&str; 7] =
    ["risk_warning", "delisting", "suspended", "collateral", "financing", "shorting", "last"];

/// Lists written with commas.
const LISTS: [&str; 1] = ["indices"];

/// Translates the words of an event line. `date` is the local date of the scenario's clock.
///
/// # Errors
/// A line that is not in the language, with the reason.
pub fn fields(words: &[&str], rest_of_line: &str, date: &str) -> Result<Fields, String> {
    let kind = words[0];
    let args = &words[1..];
    let mut out = Fields::new();
    out.insert("type".into(), json!(if kind == "action" { "corporate_action" } else { kind }));
    match kind {
        "security" => security(args, &mut out)?,
        "quote" => lead(args, &["security", "price"], &mut out)?,
        "index" => lead(args, &["index", "level"], &mut out)?,
        "mark" => {
            lead(args, &["security", "price"], &mut out)?;
            out.entry("by").or_insert(json!("valuation"));
            out.entry("reason").or_insert(json!("fair value"));
        }
        "action" => lead(args, &["security", "kind", "ex_date"], &mut out)?,
        "account" => {
            lead(args, &["account", "client_class"], &mut out)?;
            out.entry("customer").or_insert(json!("C1"));
        }
        "lines" => lead(args, &["account"], &mut out)?,
        "opening" => opening(rest_of_line, date, &mut out)?,
        "cash" => lead(args, &["account", "amount", "reason"], &mut out)?,
        "transfer" => lead(args, &["account", "security", "quantity"], &mut out)?,
        "fill" => fill(args, &mut out)?,
        "repay" => lead(args, &["account", "contract"], &mut out)?,
        "interest" => lead(args, &["account", "contract", "kind", "amount"], &mut out)?,
        "extend" => lead(args, &["account", "contract"], &mut out)?,
        "order" => order(args, &mut out)?,
        "other_collateral" => lead(args, &["account", "value"], &mut out)?,
        "day_start" | "day_end" => {
            out.insert("date".into(), json!(args.first().unwrap_or(&date)));
        }
        "clock" => {}
        "calendar" => {
            out.insert("version".into(), json!("calendar"));
            out.insert("dates".into(), dates(args)?);
        }
        other => return Err(format!("no such event: {other}")),
    }
    Ok(out)
}

/// The leading words by position, then pairs.
fn lead(args: &[&str], names: &[&str], out: &mut Fields) -> Result<(), String> {
    for (at, name) in names.iter().enumerate() {
        let word = args.get(at).ok_or_else(|| format!("{name} is missing"))?;
        out.insert((*name).to_owned(), value(name, word)?);
    }
    pairs(&args[names.len()..], out)
}

/// `field value field value flag …`
fn pairs(words: &[&str], out: &mut Fields) -> Result<(), String> {
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        if FLAGS.contains(&word) {
            out.insert(word.to_owned(), json!(true));
            at += 1;
        } else if let Some(flag) = word.strip_prefix("no_").filter(|f| FLAGS.contains(f)) {
            out.insert(flag.to_owned(), json!(false));
            at += 1;
        } else {
            let text = words.get(at + 1).ok_or_else(|| format!("{word} has no value"))?;
            out.insert(word.to_owned(), value(word, text)?);
            at += 2;
        }
    }
    Ok(())
}

fn value(name: &str, text: &str) -> Result<Value, String> {
    if text == "null" {
        return Ok(Value::Null);
    }
    if LISTS.contains(&name) {
        return Ok(json!(text.split(',').collect::<Vec<_>>()));
    }
    if INTEGERS.contains(&name) {
        let digits = text.strip_prefix('+').unwrap_or(text);
        return serde_json::from_str::<Value>(digits)
            .ok()
            .filter(Value::is_i64)
            .ok_or_else(|| format!("{name} is no integer: {text}"));
    }
    Ok(json!(text))
}

fn security(args: &[&str], out: &mut Fields) -> Result<(), String> {
    lead(args, &["security", "class", "board"], out)?;
    let code = args[0];
    for (name, default) in [
        ("name", json!(code)),
        ("collateral", json!(true)),
        ("financing", json!(true)),
        ("shorting", json!(true)),
    ] {
        out.entry(name).or_insert(default);
    }
    Ok(())
}

fn fill(args: &[&str], out: &mut Fields) -> Result<(), String> {
    // fill A1 collateral_buy 600001.SH 100 @ 10.00 fee 5
    let (head, price) = at_price(args, 4)?;
    lead(head, &["account", "side", "security", "quantity"], out)?;
    out.insert("price".into(), json!(price));
    pairs(&args[6..], out)
}

fn order(args: &[&str], out: &mut Fields) -> Result<(), String> {
    // order A1 O1 margin_buy 600001.SH 1000 @ 10.00 open 600
    let (head, price) = at_price(args, 5)?;
    lead(head, &["account", "order", "side", "security", "quantity"], out)?;
    out.insert("price".into(), json!(price));
    lead(&args[7..], &["status", "remaining"], out)
}

fn at_price<'a>(args: &'a [&'a str], leading: usize) -> Result<(&'a [&'a str], &'a str), String> {
    match (args.get(leading), args.get(leading + 1)) {
        (Some(&"@"), Some(price)) => Ok((&args[..leading], price)),
        _ => Err("expected QUANTITY @ PRICE".to_owned()),
    }
}

/// `opening A1 cash 0 | 600001.SH 100 | F1 financing 600001.SH 100 amount 800 | other 5 | receivable 7 pay_date D`
fn opening(line: &str, date: &str, out: &mut Fields) -> Result<(), String> {
    let mut parts = line.split('|');
    let head: Vec<&str> = parts.next().unwrap_or_default().split_whitespace().collect();
    lead(&head[1..], &["account"], out)?;
    let (mut positions, mut contracts, mut receivables) = (Vec::new(), Vec::new(), None);
    for part in parts {
        let words: Vec<&str> = part.split_whitespace().collect();
        let mut entry = Fields::new();
        match words.as_slice() {
            ["other", amount] => {
                out.insert("other_collateral".into(), json!(amount));
            }
            ["receivables", "none"] => receivables = Some(Vec::new()),
            ["receivable", rest @ ..] => {
                lead(rest, &["amount"], &mut entry)?;
                receivables.get_or_insert_with(Vec::new).push(json!(entry));
            }
            [_, "financing" | "short", ..] => {
                lead(&words, &["contract", "side", "security", "quantity"], &mut entry)?;
                entry.entry("opened").or_insert(json!(date));
                contracts.push(json!(entry));
            }
            _ => {
                lead(&words, &["security", "quantity"], &mut entry)?;
                positions.push(json!(entry));
            }
        }
    }
    out.insert("positions".into(), json!(positions));
    out.insert("contracts".into(), json!(contracts));
    if let Some(receivables) = receivables {
        out.insert("receivables".into(), json!(receivables));
    }
    Ok(())
}

/// Dates, and `FIRST..LAST` for Monday to Friday of a range.
fn dates(words: &[&str]) -> Result<Value, String> {
    let mut all = Vec::new();
    for word in words {
        match word.split_once("..") {
            None => all.push((*word).to_owned()),
            Some((first, last)) => {
                let day = |t| text::days_of(t).ok_or_else(|| format!("no date: {t}"));
                // 1970-01-01 was a Thursday.
                let working = |d: &i64| (d + 3).rem_euclid(7) < 5;
                all.extend((day(first)?..=day(last)?).filter(working).map(text::date_of));
            }
        }
    }
    Ok(json!(all))
}

/// The rows of a `rules` block: a header line, then one line a row, commas between.
///
/// # Errors
/// A block without a header, or a row with another number of columns.
pub fn rules(table: &str, lines: &[&str]) -> Result<Fields, String> {
    let mut lines = lines.iter().map(|l| l.split(',').collect::<Vec<_>>());
    let header = lines.next().ok_or("a rules block needs a header line")?;
    let mut rows = Vec::new();
    for cells in lines {
        if cells.len() != header.len() {
            return Err(format!("a row of {} columns below a header of {}", cells.len(), header.len()));
        }
        let row: Fields =
            header.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), json!(cell))).collect();
        rows.push(json!(row));
    }
    let mut out = Fields::new();
    out.insert("type".into(), json!("rules"));
    out.insert("version".into(), json!("rules"));
    out.insert("table".into(), json!(table));
    out.insert("rows".into(), json!(rows));
    Ok(out)
}

/// One `[section] key = value; key = value` line of a policy.
///
/// # Errors
/// A line of another form.
pub fn policy_line(text: &str) -> Result<Vec<(String, String, String)>, String> {
    let mut out = Vec::new();
    let mut section = None;
    for piece in text.split(';') {
        let mut piece = piece.trim();
        if let Some(rest) = piece.strip_prefix('[') {
            let (name, rest) = rest.split_once(']').ok_or("a section without ]")?;
            section = Some(name.to_owned());
            piece = rest.trim();
        }
        let section = section.clone().ok_or("a policy line begins with [section]")?;
        let (key, value) = piece.split_once('=').ok_or("expected key = value")?;
        out.push((section, key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(out)
}

/// A policy as the object of a `policy` event; the values of the language are JSON already.
///
/// # Errors
/// A value that is neither text in quotes, an integer nor a list.
pub fn policy_object(keys: &[(String, String, String)]) -> Result<Value, String> {
    let mut policy = Fields::new();
    for (section, key, text) in keys {
        let mut open = &mut policy;
        for name in section.split('.') {
            open = open
                .entry(name)
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .ok_or_else(|| format!("{name} is no section"))?;
        }
        let value = serde_json::from_str(text).map_err(|e| format!("{key}: {e}"))?;
        open.insert(key.clone(), value);
    }
    Ok(Value::Object(policy))
}

/// A policy as the text of a policy file.
#[must_use]
pub fn policy_file(keys: &[(String, String, String)]) -> String {
    let mut sections: Vec<&str> = keys.iter().map(|(s, _, _)| s.as_str()).collect();
    sections.sort_unstable();
    sections.dedup();
    let mut out = String::new();
    for section in sections {
        out.push_str(&format!("[{section}]\n"));
        let here: Vec<_> = keys.iter().filter(|(s, _, _)| s == section).collect();
        for (at, (_, key, value)) in here.iter().enumerate() {
            // A case may set anew what its file's preamble has set.
            if !here[at + 1..].iter().any(|(_, later, _)| later == key) {
                out.push_str(&format!("{key} = {value}\n"));
            }
        }
    }
    out
}
