//! A line of NDJSON as a record: strict RFC 8259, numbers kept as text, repeated keys noticed.
//!
//! A parser of our own because a general one either builds maps that hide a repeated key, or
//! turns numbers into floats, or costs more than a whole quote may.

use crate::value::{Fields, Value};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::borrow::Cow;
use std::hash::BuildHasher;

/// Objects and lists may nest this deep; the deepest event of the contract needs five.
pub const MAX_DEPTH: usize = 64;

/// From this many members on, repeated keys are sought by hash and not one by one.
const MANY_MEMBERS: usize = 48;

/// Why a line is no event at all: it is no JSON object in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no JSON object: {what} at byte {at}")]
pub struct NotAnEvent {
    /// What was wrong.
    pub what: &'static str,
    /// Where, in bytes from the beginning of the line.
    pub at: usize,
}

/// Reads a line into `into` (which is emptied first) and says whether a key comes twice in one of
/// its objects, at any depth.
///
/// # Errors
/// [`NotAnEvent`] where the line is not one JSON object.
pub fn parse<'a>(line: &'a [u8], into: &mut Fields<'a>) -> Result<bool, NotAnEvent> {
    into.clear();
    let text = std::str::from_utf8(line)
        .map_err(|error| NotAnEvent { what: "not UTF-8", at: error.valid_up_to() })?;
    let mut parser = Parser { text, bytes: line, at: 0, repeated: false };
    parser.skip_space();
    if parser.peek() != Some(b'{') {
        return Err(parser.error("no object"));
    }
    parser.at += 1;
    parser.members(into, 1)?;
    parser.skip_space();
    if parser.at < line.len() {
        return Err(parser.error("something after the object"));
    }
    Ok(parser.repeated)
}

/// Whether a line holds nothing but white space.
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    repeated: bool,
}

impl<'a> Parser<'a> {
    #[cold]
    fn error(&self, what: &'static str) -> NotAnEvent {
        NotAnEvent { what, at: self.at }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The members of an object whose brace is behind us.
    fn members(&mut self, into: &mut Fields<'a>, depth: usize) -> Result<(), NotAnEvent> {
        let mut keys = Keys::default();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("a key is missing"));
            }
            self.at += 1;
            let key = match self.plain() {
                Some(text) => Cow::Borrowed(text),
                None => Cow::Owned(self.escaped()?),
            };
            self.repeated = keys.repeats(&key, into) || self.repeated;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.error("a colon is missing"));
            }
            self.at += 1;
            self.skip_space();
            // Texts and numbers go straight into their place: carried through a result, they would
            // cost more than they take to read.
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    match self.plain() {
                        Some(text) => into.push((key, Value::Text(Cow::Borrowed(text)))),
                        None => into.push((key, Value::Text(Cow::Owned(self.escaped()?)))),
                    }
                }
                Some(b'-' | b'0'..=b'9') => match self.number() {
                    Some(number) => into.push((key, Value::Number(number))),
                    None => return Err(self.error("a digit is missing")),
                },
                _ => {
                    let value = self.value(depth)?;
                    into.push((key, value));
                }
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.error("a comma or brace is missing")),
            }
            self.skip_space();
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, NotAnEvent> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::Text(match self.plain() {
                    Some(text) => Cow::Borrowed(text),
                    None => Cow::Owned(self.escaped()?),
                }))
            }
            Some(b'-' | b'0'..=b'9') => match self.number() {
                Some(number) => Ok(Value::Number(number)),
                None => Err(self.error("a digit is missing")),
            },
            Some(b'{') => {
                self.deeper(depth)?;
                let mut fields = Fields::new();
                self.members(&mut fields, depth + 1)?;
                Ok(Value::Object(fields))
            }
            Some(b'[') => {
                self.deeper(depth)?;
                self.list(depth + 1)
            }
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.error("a value is missing")),
        }
    }

    /// Steps over an opening brace or bracket.
    fn deeper(&mut self, depth: usize) -> Result<(), NotAnEvent> {
        if depth >= MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        self.at += 1;
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, NotAnEvent> {
        let mut list = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(list));
                }
                _ => return Err(self.error("a comma or bracket is missing")),
            }
            self.skip_space();
        }
    }

    fn literal(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, NotAnEvent> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("an unknown word"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// The text of a number; none where a digit is missing.
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(&self.text[start..self.at])
    }

    /// The text of a string whose opening quote is behind us, if every character of it stands for
    /// itself; else nothing, and nothing is read.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = stop_of(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(&self.text[start..end])
    }

    /// The text of a string whose opening quote is behind us.
    #[cold]
    fn escaped(&mut self) -> Result<String, NotAnEvent> {
        let mut text = String::new();
        loop {
            let plain = self.at;
            self.at = stop_of(self.bytes, plain);
            text.push_str(&self.text[plain..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string without an end")),
            }
        }
    }

    /// The character of an escape whose backslash is behind us.
    fn escape(&mut self) -> Result<char, NotAnEvent> {
        let Some(kind) = self.peek() else { return Err(self.error("a string without an end")) };
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let second = self.hex()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.error("half a surrogate pair"));
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or(self.error("half a surrogate pair"))?
            }
            _ => return Err(self.error("an unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, NotAnEvent> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.error("a hex digit is missing")) };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Where the first quote, backslash or control character stands from `at` on; the end if nowhere.
#[inline]
pub(crate) fn stop_of(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    // The lowest set high bit of `zero(x)` marks the first byte of x that is 0; marks above it may
    // be false, and are not looked at.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let x = u64::from_le_bytes(*chunk);
        let control = x.wrapping_sub(ONES * 0x20) & !x & HIGHS;
        let found = zero(x ^ QUOTES) | zero(x ^ BACKSLASHES) | control;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

/// The keys of one object so far, as far as needed to notice a repeated one.
#[derive(Default)]
struct Keys {
    /// A bit per cheap fingerprint: a key whose bit is clear is new.
    seen: [u64; 4],
    /// Positions by hash, once there are many.
    table: Option<HashTable<u32>>,
}

impl Keys {
    #[inline]
    fn repeats(&mut self, key: &str, before: &Fields<'_>) -> bool {
        if before.len() >= MANY_MEMBERS {
            return self.repeats_among_many(key, before);
        }
        let bytes = key.as_bytes();
        let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
        let print = first.wrapping_mul(5) ^ last.wrapping_mul(19) ^ (bytes.len() as u8).wrapping_mul(43);
        let (word, bit) = (usize::from(print >> 6), 1_u64 << (print & 63));
        let repeated = self.seen[word] & bit != 0 && before.iter().any(|(known, _)| known == key);
        self.seen[word] |= bit;
        repeated
    }

    #[cold]
    fn repeats_among_many(&mut self, key: &str, before: &Fields<'_>) -> bool {
        let hasher = FixedState::with_seed(0);
        let hash_at = |&at: &u32| hasher.hash_one(before[at as usize].0.as_bytes());
        let table = self.table.get_or_insert_with(|| {
            let mut table = HashTable::with_capacity(before.len() * 2);
            for at in 0..before.len() as u32 {
                table.insert_unique(hash_at(&at), at, hash_at);
            }
            table
        });
        let hash = hasher.hash_one(key.as_bytes());
        if table.find(hash, |&at| before.get(at as usize).is_some_and(|(known, _)| known == key)).is_some() {
            return true;
        }
        // The key will stand at the end of the members; until then its hash is its own.
        let own = before.len() as u32;
        table.insert_unique(hash, own, |&at| if at == own { hash } else { hash_at(&at) });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<(Fields<'_>, bool), NotAnEvent> {
        let mut fields = Fields::new();
        let repeated = parse(line.as_bytes(), &mut fields)?;
        Ok((fields, repeated))
    }

    #[test]
    fn a_line_becomes_a_record() {
        let (fields, repeated) = read(
            r#" { "a" : 1.50 , "b":"x\u00e9\ud83d\ude00\n","c":[true,false,null,-0,{"d":[]}], "e":{} } "#,
        )
        .unwrap();
        assert!(!repeated);
        assert_eq!(fields[0], ("a".into(), Value::Number("1.50")));
        assert_eq!(fields[1], ("b".into(), Value::Text("xé😀\n".into())));
        let inner = vec![("d".into(), Value::List(vec![]))];
        let list = vec![
            Value::Bool(true),
            Value::Bool(false),
            Value::Null,
            Value::Number("-0"),
            Value::Object(inner),
        ];
        assert_eq!(fields[2], ("c".into(), Value::List(list)));
        assert_eq!(fields[3], ("e".into(), Value::Object(vec![])));
    }

    #[test]
    fn what_is_no_object_is_no_event() {
        for line in [
            "",
            "null",
            "[]",
            "1",
            "\"x\"",
            "{",
            "}",
            "{]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1}x",
            "{\"a\":1}{}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":nulls}",
            "{\"a\":[1,]}",
            "{\"a\":[1 2]}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\u{0}\"}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\u12",
            "\u{feff}{}",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}", &mut Fields::new()).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nested(MAX_DEPTH - 1)).is_ok());
        assert!(read(&nested(MAX_DEPTH)).is_err());
        assert!(read(&nested(100_000)).is_err());
    }

    #[test]
    fn repeated_keys_are_noticed_at_any_depth() {
        for (line, want) in [
            (r#"{"a":1,"b":2}"#, false),
            (r#"{"a":1,"a":2}"#, true),
            (r#"{"a":1,"\u0061":2}"#, true),
            (r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#, false),
            (r#"{"a":[[{"b":1,"c":2,"b":3}]]}"#, true),
            (r#"{"":1,"":2}"#, true),
        ] {
            assert_eq!(read(line).unwrap().1, want, "{line}");
        }
        for n in [10, MANY_MEMBERS - 1, MANY_MEMBERS, MANY_MEMBERS + 1, 5000] {
            let members: Vec<String> = (0..n).map(|i| format!("\"k{i}\":{i}")).collect();
            let line = format!("{{{}}}", members.join(","));
            assert!(!read(&line).unwrap().1);
            for again in [0, n / 2, n - 1] {
                let line = format!("{{{},\"k{again}\":0}}", members.join(","));
                assert!(read(&line).unwrap().1, "{n} {again}");
            }
        }
    }

    fn back(value: &Value<'_>) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(text) => serde_json::from_str(text).unwrap(),
            Value::Text(text) => text.as_ref().into(),
            Value::List(list) => list.iter().map(back).collect(),
            Value::Object(fields) => {
                serde_json::Value::Object(fields.iter().map(|(k, v)| (k.to_string(), back(v))).collect())
            }
            other => panic!("{other:?} in JSON"),
        }
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_independent_printer_is_understood(tree in tree(), pretty in any::<bool>()) {
            let whole = serde_json::json!({ "it": tree });
            let line = if pretty { format!("{whole:#}") } else { whole.to_string() };
            let (fields, repeated) = read(&line).unwrap();
            prop_assert!(!repeated);
            prop_assert_eq!(back(&Value::Object(fields)), whole);
        }

        #[test]
        fn any_bytes_are_judged_alike(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut fields = Fields::new();
            let ours = parse(&bytes, &mut fields).is_ok();
            let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn almost_json_is_judged_alike(line in r#"\{("[ab\\u0-9]{0,5}":(1|-0|0\.5|1e2|"x"|\[\]|\{\}|true|nul)?,?){0,3}\}?"#) {
            let ours = read(&line).is_ok();
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line).is_ok();
            prop_assert_eq!(ours, theirs, "{}", line);
        }
    }
}
