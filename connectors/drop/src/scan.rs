//! What lies in a folder, and what of it is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::config::{Folder, Map};
use crate::pattern::{DATE, fits};

/// Names of files that are being written.
const UNFINISHED: [&str; 2] = [".part", ".tmp"];
/// Names of event files.
const EVENTS: [&str; 4] = [".ndjson", ".ndjson.zst", ".parquet", ".arrow"];

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    pub size: u64,
    pub modified: SystemTime,
}

impl About {
    pub fn of(path: &Path) -> io::Result<Self> {
        let about = fs::metadata(path)?;
        Ok(About { size: about.len(), modified: about.modified()? })
    }
}

/// Files that are taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The map that makes events of them; none for files of events.
    pub map: Option<usize>,
    /// The date in their names.
    pub date: String,
    /// Each with the part of the map it is of.
    pub files: Vec<(usize, String, About)>,
    /// What is wrong before any of them is read.
    pub wrong: Option<(&'static str, String)>,
}

impl Set {
    /// The name of the first file.
    pub fn name(&self) -> &str {
        &self.files[0].1
    }
}

/// What a look into the folder found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Files that are whole.
    Whole(Set),
    /// A marker for which nothing waits any more.
    Spent(String),
    Nothing,
}

/// What was seen of a file.
#[derive(Debug)]
struct Seen {
    about: About,
    /// Since when it is like this.
    since: SystemTime,
    /// Whether an earlier look saw it so.
    before: bool,
}

/// The files of a folder as they were seen last.
#[derive(Debug, Default)]
pub struct Scan {
    seen: BTreeMap<String, Seen>,
}

impl Scan {
    /// Looks into the folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn look(&mut self, folder: &Folder, now: SystemTime) -> io::Result<()> {
        let mut seen = BTreeMap::new();
        for entry in fs::read_dir(&folder.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            // What has gone since is not there.
            let Ok(true) = fs::metadata(entry.path()).map(|about| about.is_file()) else { continue };
            let Ok(about) = About::of(&entry.path()) else { continue };
            let same = self.seen.get(&name).filter(|seen| seen.about == about);
            let (since, before) = same.map_or((now, false), |seen| (seen.since, true));
            seen.insert(name, Seen { about, since, before });
        }
        self.seen = seen;
        Ok(())
    }

    /// The first files by name that are whole. What is not whole holds back what comes after it, but files
    /// that wait for others do not.
    pub fn next(&self, folder: &Folder, now: SystemTime) -> Found {
        let (sets, markers) = self.sets(folder);
        let mut waiting = BTreeSet::new();
        for mut set in sets {
            let map = set.map.map(|map| &folder.maps[map]);
            let marker = map.and_then(|map| marker_of(map, &set.date));
            if let Some(marker) = &marker {
                waiting.insert(marker.clone());
                if !self.seen.get(marker).is_some_and(|seen| seen.before) {
                    continue;
                }
            }
            let lacking = map.and_then(|map| lacking(map, &set));
            if let Some(lacking) = lacking {
                if marker.is_none() {
                    continue;
                }
                set.wrong = Some(("missing_file", format!("no file {lacking} of {}", set.date)));
            }
            let settled = |seen: &Seen| now.duration_since(seen.since).is_ok_and(|age| age >= folder.settle);
            if marker.is_none() && !set.files.iter().all(|(_, name, _)| settled(&self.seen[name])) {
                return Found::Nothing;
            }
            return Found::Whole(set);
        }
        let spent = markers.into_iter().find(|name| !waiting.contains(name) && self.seen[name].before);
        spent.map_or(Found::Nothing, Found::Spent)
    }

    /// Which files belong together, by the name of the first; and the markers.
    fn sets(&self, folder: &Folder) -> (Vec<Set>, Vec<String>) {
        let (mut sets, mut markers) = (BTreeMap::<_, Set>::new(), Vec::new());
        for (name, seen) in &self.seen {
            let mut found = folder.maps.iter().enumerate().flat_map(|(map, of)| {
                let parts = of.parts.iter().enumerate();
                parts.filter_map(move |(part, of)| Some((map, part, fits(&of.files, name)?)))
            });
            if let Some((map, part, date)) = found.next() {
                let joined = folder.maps[map].group.is_some() && !date.is_empty();
                let key = (Some(map), date, if joined { "" } else { name });
                let set = sets.entry(key).or_default();
                (set.map, set.date) = (Some(map), date.to_owned());
                set.files.push((part, name.clone(), seen.about));
            } else if folder.maps.iter().any(|map| is_marker(map, name)) {
                markers.push(name.clone());
            } else {
                let set = sets.entry((None, "", name)).or_default();
                set.files.push((0, name.clone(), seen.about));
                let lower = name.to_ascii_lowercase();
                if !EVENTS.iter().any(|ending| lower.ends_with(ending)) {
                    set.wrong = Some(("no_map", "no map and no form of events has such a name".to_owned()));
                }
            }
        }
        let mut sets: Vec<_> = sets.into_values().collect();
        for set in &mut sets {
            set.files.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        }
        sets.sort_by(|a, b| a.name().cmp(b.name()));
        (sets, markers)
    }
}

fn marker_of(map: &Map, date: &str) -> Option<String> {
    map.ready.as_ref().map(|ready| ready.replace(DATE, date))
}

fn is_marker(map: &Map, name: &str) -> bool {
    map.ready.as_ref().is_some_and(|ready| fits(ready, name).is_some())
}

/// The pattern of the first part that has no file although it should.
fn lacking<'m>(map: &'m Map, set: &Set) -> Option<&'m str> {
    let mut parts = map.parts.iter().enumerate();
    let lacking = |(at, part): &(usize, &crate::config::Part)| {
        !part.optional && !set.files.iter().any(|(of, _, _)| of == at)
    };
    parts.find(lacking).map(|(_, part)| part.files.as_str())
}
