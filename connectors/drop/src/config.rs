//! The configuration: which folders are watched, and how a broker's own files become events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use encoding_rs::{Encoding, GB18030, UTF_8};
use plimsoll_wire::fields::{Kind, Need, Table, Type};
use toml::Value;

use crate::exact::Exact;
use crate::keys::{Faults, Keys};
use crate::pattern::{DATE, MOST_STARS};
use crate::template::{Piece, Template};
use crate::when;

/// Folders and followed files, each a thread.
const MOST_SOURCES: usize = 32;
/// An hour: what is polled more rarely is not watched.
const MOST_MS: u32 = 3_600_000;

/// Everything that is watched.
#[derive(Debug)]
pub struct Sources {
    /// Folders.
    pub folders: Vec<Folder>,
    /// Files and pipes of lines.
    pub followed: Vec<Followed>,
}

/// A folder into which files are dropped.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its name, in reports and logs.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How often it is looked at.
    pub poll: Duration,
    /// How long a file has to stay the same to be whole.
    pub settle: Duration,
    /// Whether its files are a stream: large batches, and reports only of what was refused.
    pub stream: bool,
    pub(crate) maps: Vec<Map>,
}

/// A file or pipe that grows by lines of events.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its name, in logs.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How often it is looked at.
    pub poll: Duration,
}

/// How some files become events of one type.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub kind: Type,
    pub source: String,
    pub id: Template,
    pub at: At,
    /// The name of the file that says that all are there.
    pub ready: Option<String>,
    /// The field whose values make the events, where rows are gathered; else every row is one.
    pub group: Option<&'static str>,
    pub parts: Vec<Part>,
}

/// The time of events.
#[derive(Clone, Debug)]
pub(crate) enum At {
    Modified,
    Text(Template),
}

/// Files of one layout.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub files: String,
    pub optional: bool,
    /// The list of the event that its rows are items of.
    pub list: Option<&'static str>,
    /// Where its fields are described.
    pub table: &'static Table,
    pub form: Form,
    pub columns: Vec<Column>,
    /// What its rows are gathered by.
    pub key: Template,
    /// Fields by their place in the table.
    pub fields: Vec<(usize, Template)>,
}

/// The form of a CSV file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub encoding: &'static Encoding,
    pub delimiter: u8,
    pub header: bool,
    pub skip: u32,
}

/// How the cells of a column are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    pub name: String,
    /// Texts that mean nothing is there.
    pub absent: Vec<String>,
    pub values: Option<BTreeMap<String, String>>,
    pub width: usize,
    pub float_places: Option<u32>,
    pub times: Option<Exact>,
}

impl Sources {
    /// Reads a configuration; paths are relative to `base`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with the path of its key.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<String>> {
        let table: toml::Table = toml::from_str(text).map_err(|cause| vec![cause.to_string()])?;
        let (mut keys, mut faults) = (Keys::of(&table, ""), Faults::default());
        let folders = keys.tables("folder", &mut faults);
        let folders: Vec<_> = folders.into_iter().map(|keys| folder(keys, base, &mut faults)).collect();
        let followed = keys.tables("follow", &mut faults);
        let followed: Vec<_> = followed.into_iter().map(|keys| follow(keys, base, &mut faults)).collect();
        keys.end(&mut faults);
        let names: Vec<_> = folders.iter().map(|f| &f.name).chain(followed.iter().map(|f| &f.name)).collect();
        let paths: Vec<_> = folders.iter().map(|f| &f.path).chain(followed.iter().map(|f| &f.path)).collect();
        if names.is_empty() || names.len() > MOST_SOURCES {
            faults.add("folder", format_args!("1 to {MOST_SOURCES} folders and followed files"));
        }
        if names.iter().collect::<BTreeSet<_>>().len() < names.len()
            || paths.iter().collect::<BTreeSet<_>>().len() < paths.len()
        {
            faults.add("folder", "two have the same name or path");
        }
        if faults.0.is_empty() { Ok(Sources { folders, followed }) } else { Err(faults.0) }
    }
}

fn milliseconds(keys: &mut Keys<'_>, key: &'static str, default: u32, faults: &mut Faults) -> Duration {
    Duration::from_millis(keys.whole(key, MOST_MS, faults).unwrap_or(default).into())
}

fn follow(mut keys: Keys<'_>, base: &Path, faults: &mut Faults) -> Followed {
    let followed = Followed {
        name: keys.needed("name", faults).to_owned(),
        path: base.join(keys.needed("path", faults)),
        poll: milliseconds(&mut keys, "poll_ms", 50, faults),
    };
    keys.end(faults);
    followed
}

fn folder(mut keys: Keys<'_>, base: &Path, faults: &mut Faults) -> Folder {
    let stream = keys.flag("stream", faults).unwrap_or(false);
    let (poll, settle) = if stream { (50, 0) } else { (1_000, 10_000) };
    let folder = Folder {
        name: keys.needed("name", faults).to_owned(),
        path: base.join(keys.needed("path", faults)),
        poll: milliseconds(&mut keys, "poll_ms", poll, faults),
        settle: milliseconds(&mut keys, "settle_ms", settle, faults),
        stream,
        maps: keys.tables("map", faults).into_iter().filter_map(|keys| map(keys, faults)).collect(),
    };
    keys.end(faults);
    folder
}

/// Columns as they are named by templates, with what the configuration says of each.
struct Columns<'s> {
    said: &'s BTreeMap<String, Column>,
    named: &'s mut BTreeSet<String>,
    all: Vec<Column>,
}

impl Columns<'_> {
    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.all.iter().position(|column| column.name == name) {
            return at;
        }
        self.named.insert(name.to_owned());
        let column = self.said.get(name).cloned();
        self.all.push(column.unwrap_or_else(|| Column { name: name.to_owned(), ..Column::default() }));
        self.all.len() - 1
    }

    fn template(&mut self, text: &str, path: &str, faults: &mut Faults) -> Template {
        Template::parse(text, &mut |name| self.place(name)).unwrap_or_else(|what| {
            faults.add(path, what);
            Template::default()
        })
    }
}

fn map(mut keys: Keys<'_>, faults: &mut Faults) -> Option<Map> {
    let word = keys.needed("type", faults);
    let kind = Type::parse(word);
    if kind.is_none() && !word.is_empty() {
        faults.add(&keys.at("type"), format_args!("no event type {word:?}"));
    }
    let (said, mut named) = (columns(&mut keys, faults), BTreeSet::new());
    let form = form(&mut keys, faults, Form { encoding: UTF_8, delimiter: b',', header: true, skip: 0 });
    let source = keys.needed("source", faults).to_owned();
    let (id, at) = (keys.text("id", faults), keys.needed("at", faults));
    if at != "modified"
        && !at.is_empty()
        && !at.contains('{')
        && when::moment(&format!("20260101 {at}")).is_none()
    {
        faults.add(&keys.at("at"), "neither a time of day, nor modified, nor a text with columns");
    }
    let ready = keys.text("ready", faults).map(ToOwned::to_owned);
    let group = keys.text("group_by", faults);
    let parts = keys.tables("part", faults);
    let kind = kind?;
    let known = |name: &str| kind.table().fields.iter().find(|field| field.name == name).map(|f| f.name);
    if group.is_some_and(|name| known(name).is_none()) {
        faults.add(&keys.at("group_by"), "no field of the type");
    }
    let group = group.and_then(known);
    let mut map =
        Map { kind, source, id: Template::default(), at: At::Modified, ready, group, parts: Vec::new() };
    let path = keys.path.clone();
    let mut read = |keys: &mut Keys<'_>, said: &BTreeMap<_, _>, form, faults: &mut Faults| {
        let mut columns = Columns { said, named: &mut named, all: Vec::new() };
        let mut part = part(keys, &map, form, &mut columns, faults);
        let default = if group.is_some() { "{digest}-{key}" } else { "{digest}-{line}" };
        map.id = columns.template(id.unwrap_or(default), &format!("{path}.id"), faults);
        if at != "modified" {
            let full = if at.contains('{') { at.to_owned() } else { format!("{DATE} {at}") };
            map.at = At::Text(columns.template(&full, &format!("{path}.at"), faults));
        }
        part.columns = columns.all;
        part
    };
    let read_parts = if parts.is_empty() {
        vec![read(&mut keys, &said, form, faults)]
    } else {
        let parts = parts.into_iter().map(|mut keys| {
            let said = said.clone().into_iter().chain(columns(&mut keys, faults)).collect();
            let form = self::form(&mut keys, faults, form);
            let part = read(&mut keys, &said, form, faults);
            keys.end(faults);
            part
        });
        parts.collect()
    };
    map.parts = read_parts;
    judge(&map, &keys, id.is_some(), faults);
    for name in said.keys().filter(|name| !named.contains(*name)) {
        faults.add(&format!("{path}.columns.{name}"), "no field reads it");
    }
    keys.end(faults);
    Some(map)
}

/// What holds between the parts of a map.
fn judge(map: &Map, keys: &Keys<'_>, own_id: bool, faults: &mut Faults) {
    let dated = |text: &str| text.contains(DATE);
    let all_dated = map.parts.iter().all(|part| dated(&part.files));
    if (map.parts.len() > 1 || map.ready.as_deref().is_some_and(dated)) && !all_dated {
        faults.add(&keys.path, "files that belong together have the same {date} in their names");
    }
    if map.parts.len() > 1 && map.group.is_none() {
        faults.add(&keys.at("group_by"), "missing: several parts make events together");
    }
    if !own_id && (map.kind.is_fact() || map.kind == Type::Interest) {
        faults
            .add(&keys.at("id"), "missing: what happened once has an id of the counter's, in whatever file");
    }
    let at = match &map.at {
        At::Text(template) => template.clone(),
        At::Modified => Template::default(),
    };
    for (key, template) in [("id", &map.id), ("at", &at)] {
        let grouped = map.group.is_some();
        if template.has(&Piece::Date) && !all_dated {
            faults.add(&keys.at(key), "the names of the files have no {date}");
        }
        if grouped && (template.columns().next().is_some() || template.has(&Piece::Line)) {
            faults.add(&keys.at(key), "where rows are gathered, only {digest}, {date} and {key} are known");
        }
        if !grouped && template.has(&Piece::Key) {
            faults.add(&keys.at(key), "{key} is known only with group_by");
        }
    }
    let given = |at: usize, list: Option<&str>| {
        let fields = map.parts.iter().filter(|part| part.list == list).flat_map(|part| &part.fields);
        fields.into_iter().any(|(given, _)| *given == at)
    };
    for (at, field) in map.kind.table().fields.iter().enumerate() {
        let needed = field.need != Need::Optional && Some(field.name) != map.group;
        if needed && !given(at, None) {
            faults.add(&keys.at(&format!("fields.{}", field.name)), "missing");
        }
    }
}

fn part(keys: &mut Keys<'_>, map: &Map, form: Form, columns: &mut Columns<'_>, faults: &mut Faults) -> Part {
    let files = keys.needed("files", faults).to_owned();
    if files.matches('*').count() > MOST_STARS || files.contains('/') {
        faults.add(&keys.at("files"), format_args!("a name with at most {MOST_STARS} stars"));
    }
    let optional = keys.flag("optional", faults).unwrap_or(false);
    let of = map.kind.table();
    let list = keys.text("list", faults);
    let items = list.and_then(|list| {
        of.fields.iter().find_map(|field| match field.kind {
            Kind::Objects(table) if field.name == list && map.group.is_some() => Some((field.name, table)),
            _ => None,
        })
    });
    if list.is_some() && items.is_none() {
        faults.add(&keys.at("list"), "no list of the type, or group_by is missing");
    }
    let table = items.map_or(of, |(_, table)| table);
    let mut part = Part {
        files,
        optional,
        list: items.map(|(list, _)| list),
        table,
        form,
        columns: Vec::new(),
        key: Template::default(),
        fields: Vec::new(),
    };
    if let Some(keys) = keys.table("fields", faults) {
        fields(&keys, map, &mut part, columns, faults);
    } else {
        faults.add(&keys.at("fields"), "missing");
    }
    part
}

fn fields(keys: &Keys<'_>, map: &Map, part: &mut Part, columns: &mut Columns<'_>, faults: &mut Faults) {
    for (name, value) in keys.all() {
        let path = keys.at(name);
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Boolean(_) | Value::Integer(_) => value.to_string(),
            _ => {
                faults.add(&path, "not a text with columns in {}, a whole number, true or false");
                continue;
            }
        };
        let template = columns.template(&text, &path, faults);
        let place = part.table.fields.iter().position(|field| field.name == name);
        if map.group == Some(name.as_str()) {
            part.key = template;
            continue;
        }
        match place {
            Some(at) if is_scalar(&part.table.fields[at].kind) => part.fields.push((at, template)),
            Some(_) => faults.add(&path, "a list or an object is not read from a column"),
            None => faults.add(&path, format_args!("no field of {}", part.table.name)),
        }
    }
    part.fields.sort_by_key(|(at, _)| *at);
    if let Some(group) = map.group.filter(|_| part.key.0.is_empty()) {
        faults.add(&keys.at(group), "missing: rows are gathered by it");
    }
    if part.list.is_some() {
        for (at, field) in part.table.fields.iter().enumerate() {
            if field.need != Need::Optional && !part.fields.iter().any(|(given, _)| *given == at) {
                faults.add(&keys.at(field.name), "missing");
            }
        }
    }
}

fn is_scalar(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::Words(_)
            | Kind::Names
            | Kind::Dates
            | Kind::List
            | Kind::Objects(_)
            | Kind::Rows
            | Kind::Policy
    )
}

fn form(keys: &mut Keys<'_>, faults: &mut Faults, default: Form) -> Form {
    let encoding = match keys.text("encoding", faults).map(str::to_ascii_lowercase).as_deref() {
        None => default.encoding,
        Some("utf-8" | "utf8") => UTF_8,
        // Whatever is GBK reads the same as GB18030.
        Some("gb18030" | "gbk" | "gb2312") => GB18030,
        Some(_) => {
            faults.add(&keys.at("encoding"), "neither utf-8 nor gb18030");
            UTF_8
        }
    };
    let delimiter = match keys.text("delimiter", faults).map(str::as_bytes) {
        None => default.delimiter,
        Some([one]) => *one,
        Some(_) => {
            faults.add(&keys.at("delimiter"), "not one character of ASCII");
            b','
        }
    };
    Form {
        encoding,
        delimiter,
        header: keys.flag("header", faults).unwrap_or(default.header),
        skip: keys.whole("skip", 1_000, faults).unwrap_or(default.skip),
    }
}

fn columns(keys: &mut Keys<'_>, faults: &mut Faults) -> BTreeMap<String, Column> {
    let Some(keys) = keys.table("columns", faults) else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for (name, value) in keys.all() {
        match value.as_table() {
            Some(table) => {
                all.insert(name.clone(), column(name, Keys::of(table, keys.at(name)), faults));
            }
            None => faults.add(&keys.at(name), "not a table"),
        }
    }
    all
}

fn column(name: &str, mut keys: Keys<'_>, faults: &mut Faults) -> Column {
    let times = keys.text("times", faults).map(|text| Exact::parse(text, false));
    if times == Some(None) {
        faults.add(&keys.at("times"), "not a decimal");
    }
    let column = Column {
        name: name.to_owned(),
        absent: keys.texts("absent", faults),
        values: keys.table("values", faults).map(|keys| values(&keys, faults)),
        width: keys.whole("width", 64, faults).unwrap_or(0) as usize,
        float_places: keys.whole("float_places", 8, faults),
        times: times.flatten(),
    };
    keys.end(faults);
    column
}

fn values(keys: &Keys<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (from, to) in keys.all() {
        match to {
            Value::String(text) => all.insert(from.clone(), text.clone()),
            Value::Boolean(_) | Value::Integer(_) => all.insert(from.clone(), to.to_string()),
            _ => {
                faults.add(&keys.at(from), "not a text, a whole number, true or false");
                None
            }
        };
    }
    all
}
