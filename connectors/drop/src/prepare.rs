//! Files that belong together, read and checked whole: their events are on the spool, or nothing is.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use plimsoll_files::{EventFile, FileError, Record};

use crate::config::{Folder, Map};
use crate::groups::Groups;
use crate::json;
use crate::map::Flaw;
use crate::report::{Fault, Faults, Taken};
use crate::scan::{About, Set};
use crate::spool::Spool;
use crate::table;
use crate::template::Names;

/// The name of the spool in its folder.
pub const SPOOL: &str = ".spool";
/// Bytes that are read at once for the digest.
const PIECE: usize = 1 << 18;

/// What files hold.
#[derive(Default)]
pub struct Prepared {
    pub taken: Vec<Taken>,
    pub rows: u64,
    pub faults: Faults,
    /// The events, where there is no fault.
    pub spool: Option<Spool>,
}

impl Prepared {
    /// What is left of a file that broke its reader.
    pub fn broken(name: &str, cause: &FileError) -> Self {
        let mut prepared = Prepared::default();
        prepared.fault(name, None, unreadable(cause));
        prepared
    }

    fn fault(&mut self, file: &str, line: Option<u64>, flaw: Flaw) {
        let Flaw { column, code, detail } = flaw;
        self.faults.add(Fault { file: file.to_owned(), line, column, code: code.to_owned(), detail });
    }
}

/// Reads and checks files; nothing where one of them has changed meanwhile: it was not whole.
///
/// # Errors
/// What the system says of the spool.
pub fn prepare(folder: &Folder, set: &Set) -> io::Result<Option<Prepared>> {
    let mut prepared = Prepared::default();
    let mut digest = blake3::Hasher::new();
    for (_, name, about) in &set.files {
        let hash = hash(&folder.path.join(name));
        if let Err(cause) = &hash {
            prepared.fault(name, None, unreadable(cause));
        }
        let hash = hash.ok();
        hash.iter().for_each(|hash| {
            digest.update(hash.as_bytes());
        });
        let blake3 = hash.map(|hash| hash.to_hex().to_string());
        prepared.taken.push(Taken { name: name.clone(), bytes: about.size, blake3 });
    }
    match (&set.wrong, set.map) {
        (Some((code, detail)), _) => {
            let flaw = Flaw { column: None, code, detail: detail.clone() };
            prepared.fault(set.name(), None, flaw);
        }
        _ if prepared.faults.all > 0 => {}
        (None, None) => events(folder, set, &mut prepared)?,
        (None, Some(map)) => {
            let digest = digest.finalize().to_hex();
            rows(folder, &folder.maps[map], set, &digest[..32], &mut prepared)?;
        }
    }
    let unchanged = |(_, name, about): &(usize, String, About)| {
        About::of(&folder.path.join(name)).is_ok_and(|now| now == *about)
    };
    Ok(set.files.iter().all(unchanged).then_some(prepared))
}

fn unreadable(cause: &dyn std::fmt::Display) -> Flaw {
    Flaw { column: None, code: "unreadable", detail: cause.to_string() }
}

fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let (mut file, mut hasher, mut piece) = (File::open(path)?, blake3::Hasher::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(&piece[..read]),
        };
    }
}

/// A file of events in the wire's own form: every line is an object, or the file is bad.
fn events(folder: &Folder, set: &Set, prepared: &mut Prepared) -> io::Result<()> {
    let mut spool = Spool::create(&folder.path.join(SPOOL))?;
    let name = set.name();
    let mut file = match EventFile::open(&folder.path.join(name)) {
        Ok(file) => file,
        Err(cause) => {
            prepared.fault(name, None, unreadable(&cause));
            return Ok(());
        }
    };
    let mut event = Vec::new();
    let read = file.for_each(|record| {
        prepared.rows += 1;
        let added = match record {
            Record::Line { number, bytes } => match plimsoll_wire::json::parse(bytes, &mut Vec::new()) {
                Ok(_) => spool.add((0, number), bytes),
                Err(cause) => {
                    let flaw = Flaw { column: None, code: "malformed", detail: cause.to_string() };
                    prepared.fault(name, Some(number), flaw);
                    Ok(())
                }
            },
            Record::Row { number, fields } => {
                event.clear();
                json::object(&mut event, fields);
                spool.add((0, number), &event)
            }
        };
        match added {
            Ok(()) => ControlFlow::Continue(()),
            Err(cause) => ControlFlow::Break(cause),
        }
    });
    match read {
        Ok(ControlFlow::Break(cause)) => return Err(cause),
        Ok(ControlFlow::Continue(())) => {}
        Err(cause) => prepared.fault(name, None, unreadable(&cause)),
    }
    prepared.spool = Some(spool);
    Ok(())
}

/// A broker's own files, by a map.
fn rows(folder: &Folder, map: &Map, set: &Set, digest: &str, prepared: &mut Prepared) -> io::Result<()> {
    let mut spool = Spool::create(&folder.path.join(SPOOL))?;
    let (mut groups, mut failed) = (Groups::default(), None);
    let latest = set.files.iter().map(|(_, _, about)| about.modified).max().unwrap_or(SystemTime::UNIX_EPOCH);
    let (mut cells, mut event) = (Vec::new(), Vec::new());
    for (at, (part, name, about)) in set.files.iter().enumerate() {
        let part = &map.parts[*part];
        let read = table::rows(&folder.path.join(name), part, &mut |line, raw| {
            prepared.rows += 1;
            let names = Names { digest, date: &set.date, key: "", line };
            let read = part.cells(raw, &mut cells).and_then(|()| {
                if map.group.is_some() {
                    return groups.add(part, &cells, &names, at);
                }
                event.clear();
                map.envelope(part, &cells, &names, about.modified, &mut event)?;
                part.fields(&cells, &names, &mut event)?;
                event.push(b'}');
                failed = spool.add((at as u32, line), &event).err().or(failed.take());
                Ok(())
            });
            if let Err(flaw) = read {
                prepared.fault(name, Some(line), flaw);
            }
        });
        for (line, flaw) in read.err().unwrap_or_default() {
            prepared.fault(name, line, flaw);
        }
    }
    if let Some(cause) = failed {
        return Err(cause);
    }
    let names = Names { digest, date: &set.date, key: "", line: 0 };
    groups.finish(map, &names, latest, |(file, line), event| match event {
        Ok(event) => spool.add((file as u32, line), event),
        Err(flaw) => {
            prepared.fault(&set.files[file].1, Some(line), flaw);
            Ok(())
        }
    })?;
    prepared.spool = Some(spool);
    Ok(())
}
