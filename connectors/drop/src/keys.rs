//! Reading a TOML table key by key: what is wrong is noted with its path, and reading goes on.

use toml::{Table, Value};

/// A table of the configuration, and the keys of it that were asked for.
pub struct Keys<'t> {
    table: &'t Table,
    pub path: String,
    asked: Vec<&'static str>,
}

/// What is wrong, each with the path of its key.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<String>);

impl Faults {
    pub fn add(&mut self, path: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{path}: {what}"));
    }
}

impl<'t> Keys<'t> {
    pub fn of(table: &'t Table, path: impl Into<String>) -> Self {
        Keys { table, path: path.into(), asked: Vec::new() }
    }

    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn value(&mut self, key: &'static str) -> Option<&'t Value> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        what: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'t Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let read = read(value);
        if read.is_none() {
            faults.add(&self.at(key), format_args!("not {what}"));
        }
        read
    }

    pub fn text(&mut self, key: &'static str, faults: &mut Faults) -> Option<&'t str> {
        self.read(key, "a text", faults, |value| value.as_str().filter(|text| !text.is_empty()))
    }

    pub fn needed(&mut self, key: &'static str, faults: &mut Faults) -> &'t str {
        if !self.table.contains_key(key) {
            faults.add(&self.at(key), "missing");
        }
        self.text(key, faults).unwrap_or_default()
    }

    pub fn flag(&mut self, key: &'static str, faults: &mut Faults) -> Option<bool> {
        self.read(key, "true or false", faults, Value::as_bool)
    }

    pub fn whole(&mut self, key: &'static str, most: u32, faults: &mut Faults) -> Option<u32> {
        let within = |value: &Value| u32::try_from(value.as_integer()?).ok().filter(|&value| value <= most);
        self.read(key, &format!("a whole number from 0 to {most}"), faults, within)
    }

    pub fn texts(&mut self, key: &'static str, faults: &mut Faults) -> Vec<String> {
        let texts = |value: &Value| {
            value.as_array()?.iter().map(|text| Some(text.as_str()?.to_owned())).collect::<Option<_>>()
        };
        self.read(key, "a list of texts", faults, texts).unwrap_or_default()
    }

    pub fn table(&mut self, key: &'static str, faults: &mut Faults) -> Option<Keys<'t>> {
        let path = self.at(key);
        self.read(key, "a table", faults, Value::as_table).map(|table| Keys::of(table, path))
    }

    /// The tables of a list.
    pub fn tables(&mut self, key: &'static str, faults: &mut Faults) -> Vec<Keys<'t>> {
        let path = self.at(key);
        let list = self.read(key, "a list of tables", faults, |value| {
            value.as_array()?.iter().map(Value::as_table).collect::<Option<Vec<_>>>()
        });
        let list = list.unwrap_or_default().into_iter().enumerate();
        list.map(|(at, table)| Keys::of(table, format!("{path}[{at}]"))).collect()
    }

    /// Keys that are names of the user's own, each with its value.
    pub fn all(&self) -> impl Iterator<Item = (&'t String, &'t Value)> + use<'t> {
        self.table.iter()
    }

    /// Notes the keys that nobody asked for.
    pub fn end(self, faults: &mut Faults) {
        for key in self.table.keys().filter(|key| !self.asked.contains(&key.as_str())) {
            faults.add(&self.at(key), "unknown key");
        }
    }
}
