//! A reader for the part of TOML that policy files use: tables, keys, text, numbers as their text, flags, lists, inline tables.

use crate::json::{Object, Value};

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

const MAX_DEPTH: usize = 20;

/// Reads a policy file; the error names the line.
pub fn parse(text: &str) -> Result<Object, String> {
    let mut root = Object::default();
    let mut reader = Reader { bytes: text.as_bytes(), at: 0, depth: 0 };
    let mut table: Vec<String> = Vec::new();
    let mut opened: Vec<Vec<String>> = Vec::new();
    loop {
        reader.blank();
        if reader.at == reader.bytes.len() {
            return Ok(root);
        }
        let fault = |reader: &Reader, what: &str| {
            let line = 1 + reader.bytes[..reader.at].iter().filter(|b| **b == b'\n').count();
            format!("line {line}: {what}")
        };
        if reader.take(b'[') {
            table = reader.path().ok_or_else(|| fault(&reader, "unreadable table name"))?;
            if !reader.take(b']') || opened.contains(&table) {
                return Err(fault(&reader, "unreadable or repeated table"));
            }
            opened.push(table.clone());
            enter(&mut root, &table).ok_or_else(|| fault(&reader, "a value stands where a table should"))?;
        } else {
            let path = reader.path().ok_or_else(|| fault(&reader, "unreadable key"))?;
            let value = if reader.take(b'=') { reader.value() } else { None };
            let value = value.ok_or_else(|| fault(&reader, "unreadable value"))?;
            let full: Vec<String> = table.iter().chain(&path).cloned().collect();
            set(&mut root, &full, value).ok_or_else(|| fault(&reader, "repeated key"))?;
        }
        if !reader.line_end() {
            return Err(fault(&reader, "text after the value"));
        }
    }
}

fn enter<'a>(root: &'a mut Object, path: &[String]) -> Option<&'a mut Object> {
    let mut here = root;
    for name in path {
        if here.get(name).is_none() {
            here.0.push((name.clone(), Value::Object(Object::default())));
        }
        let (_, value) = here.0.iter_mut().find(|(key, _)| key == name)?;
        here = match value {
            Value::Object(inner) => inner,
            _ => return None,
        };
    }
    Some(here)
}

fn set(root: &mut Object, path: &[String], value: Value) -> Option<()> {
    let (last, table) = path.split_last()?;
    let here = enter(root, table)?;
    if here.get(last).is_some() {
        return None;
    }
    here.0.push((last.clone(), value));
    Some(())
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn comment(&mut self) {
        self.space();
        if self.peek() == Some(b'#') {
            while !matches!(self.peek(), None | Some(b'\n')) {
                self.at += 1;
            }
        }
    }

    fn blank(&mut self) {
        loop {
            self.comment();
            if !matches!(self.peek(), Some(b'\n' | b'\r')) {
                return;
            }
            self.at += 1;
        }
    }

    fn line_end(&mut self) -> bool {
        self.comment();
        matches!(self.peek(), None | Some(b'\n' | b'\r'))
    }

    fn path(&mut self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        loop {
            self.space();
            names.push(match self.peek()? {
                b'"' | b'\'' => self.string()?,
                _ => self.bare(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')?,
            });
            if !self.take(b'.') {
                return Some(names);
            }
        }
    }

    fn bare(&mut self, belongs: fn(u8) -> bool) -> Option<String> {
        let start = self.at;
        while self.peek().is_some_and(belongs) {
            self.at += 1;
        }
        let text = String::from_utf8(self.bytes[start..self.at].to_vec()).ok()?;
        (!text.is_empty()).then_some(text)
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.peek()?;
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'\n' => return None,
                _ if byte == quote => return String::from_utf8(out).ok(),
                b'\\' if quote == b'"' => {
                    let escape = self.peek()?;
                    self.at += 1;
                    let c = match escape {
                        b'"' | b'\\' => escape as char,
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'u' => self.unicode(4)?,
                        b'U' => self.unicode(8)?,
                        _ => return None,
                    };
                    out.extend(c.to_string().bytes());
                }
                _ => out.push(byte),
            }
        }
    }

    fn unicode(&mut self, width: usize) -> Option<char> {
        let digits = self.bytes.get(self.at..self.at + width)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        self.at += width;
        char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?)
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let value = match self.peek()? {
            b'"' | b'\'' => self.string().map(Value::Text),
            b'[' => self.list(),
            b'{' => self.table(),
            _ => match self.bare(|b| b.is_ascii_alphanumeric() || b"+-._:".contains(&b))?.as_str() {
                "true" => Some(Value::Flag(true)),
                "false" => Some(Value::Flag(false)),
                number => Some(Value::Number(number.to_owned())),
            },
        };
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.take(b']') {
                return Some(Value::List(items));
            }
            items.push(self.value()?);
            self.blank();
            if !self.take(b',') {
                return self.take(b']').then_some(Value::List(items));
            }
        }
    }

    fn table(&mut self) -> Option<Value> {
        self.at += 1;
        let mut inner = Object::default();
        if self.take(b'}') {
            return Some(Value::Object(inner));
        }
        loop {
            let path = self.path()?;
            if !self.take(b'=') {
                return None;
            }
            let value = self.value()?;
            set(&mut inner, &path, value)?;
            if !self.take(b',') {
                return self.take(b'}').then_some(Value::Object(inner));
            }
        }
    }
}
