//! Rows of several files gathered into one event for each key, in the order in which keys appear.

use std::collections::HashMap;
use std::time::SystemTime;

use plimsoll_wire::fields::Need;
use plimsoll_wire::print::write_text;

use crate::config::{Map, Part};
use crate::map::Flaw;
use crate::template::Names;

/// Bytes of rows that are gathered at a time: they are held in memory.
const MOST_BYTES: usize = 8 << 30;

/// What is gathered of one key.
struct Gathered {
    key: String,
    /// File and line of its first row.
    first: (usize, u64),
    /// Which fields were given, by their places in the table.
    given: u32,
    fields: Vec<u8>,
    /// The items of each list, by the order of the lists' first rows.
    lists: Vec<(&'static str, Vec<u8>)>,
}

/// Events under construction.
#[derive(Default)]
pub struct Groups {
    places: HashMap<String, usize>,
    all: Vec<Gathered>,
    bytes: usize,
}

impl Groups {
    /// Adds a row.
    pub fn add(&mut self, part: &Part, cells: &[String], names: &Names<'_>, file: usize) -> Result<(), Flaw> {
        let key = part.filled(&part.key, cells, names)?;
        let mut row = Vec::new();
        let given = part.fields(cells, names, &mut row)?;
        self.bytes += row.len();
        if self.bytes > MOST_BYTES {
            let detail = format!("rows gathered together have more than {MOST_BYTES} bytes");
            return Err(Flaw { column: None, code: "too_large", detail });
        }
        let place = *self.places.entry(key).or_insert_with_key(|key| {
            let first = (file, names.line);
            let (key, fields) = (key.clone(), Vec::new());
            self.all.push(Gathered { key, first, given: 0, fields, lists: Vec::new() });
            self.all.len() - 1
        });
        let gathered = &mut self.all[place];
        let Some(list) = part.list else {
            if gathered.given & given != 0 {
                let detail = format!("{:?} has a row before", gathered.key);
                return Err(Flaw { column: None, code: "repeated", detail });
            }
            gathered.given |= given;
            gathered.fields.extend_from_slice(&row);
            return Ok(());
        };
        let known = gathered.lists.iter().position(|(name, _)| *name == list);
        let at = known.unwrap_or_else(|| {
            gathered.lists.push((list, Vec::new()));
            gathered.lists.len() - 1
        });
        let items = &mut gathered.lists[at].1;
        items.push(if items.is_empty() { b'[' } else { b',' });
        // The row begins with the comma of its first field.
        items.push(b'{');
        items.extend_from_slice(&row[1..]);
        items.push(b'}');
        Ok(())
    }

    /// Hands out every event with the place of its first row, or what it lacks.
    pub fn finish<E>(
        self,
        map: &Map,
        names: &Names<'_>,
        modified: SystemTime,
        mut take: impl FnMut((usize, u64), Result<&[u8], Flaw>) -> Result<(), E>,
    ) -> Result<(), E> {
        let table = map.kind.table();
        let lacks = |given: u32| {
            let mut fields = table.fields.iter().enumerate();
            fields.find(|(at, field)| {
                field.need != Need::Optional && Some(field.name) != map.group && given & (1 << at) == 0
            })
        };
        let mut event = Vec::new();
        for gathered in self.all {
            if let Some((_, field)) = lacks(gathered.given) {
                let detail = format!("{:?} has no {}", gathered.key, field.name);
                let flaw = Flaw { column: None, code: "missing_field", detail };
                take(gathered.first, Err(flaw))?;
                continue;
            }
            event.clear();
            let names = Names { key: &gathered.key, line: gathered.first.1, ..*names };
            if let Err(flaw) = map.envelope(&map.parts[0], &[], &names, modified, &mut event) {
                take(gathered.first, Err(flaw))?;
                continue;
            }
            let group = map.group.unwrap_or_default();
            event.extend_from_slice(format!(",\"{group}\":").as_bytes());
            write_text(&mut event, &gathered.key);
            event.extend_from_slice(&gathered.fields);
            for (name, items) in &gathered.lists {
                event.extend_from_slice(format!(",\"{name}\":").as_bytes());
                event.extend_from_slice(items);
                event.push(b']');
            }
            event.push(b'}');
            take(gathered.first, Ok(&event))?;
        }
        Ok(())
    }
}
