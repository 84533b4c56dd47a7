//! Stores that could be under the log, on the commits it makes: one epoch, one commit, one sync.
//!
//!   peers-stores measure STORE DIR SECONDS   commits of four sizes in turn, segments rotated at 256 MiB
//!   peers-stores fill STORE DIR FIRST        a commit of 64 kB for each line of standard input, and what became of it
//!   peers-stores read STORE DIR LAST         opens it with what checks it has, and reads the commits up to one
//!
//! STORE is append, redb, fjall or sqlite. Bytes do not compress: the log packs them before.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::ReadableDatabase;
use rustix::time::{ClockId, clock_gettime};

/// What is in turn: bytes of a commit, and how many of them.
const TURN: [(usize, usize); 4] = [(2 << 10, 64), (64 << 10, 16), (1 << 20, 2), (3 << 20, 1)];
const SEGMENT: usize = 256 << 20;
/// Segments that are kept.
const KEPT: usize = 3;
/// Values are at most this long: a commit is several.
const PART: usize = 255 << 10;

type Done<T> = Result<T, Box<dyn std::error::Error>>;

/// A segment of a store.
trait Store {
    fn append(&mut self, number: u64, bytes: &[u8]) -> Done<()>;
    fn read(&self, number: u64) -> Done<Option<Vec<u8>>>;
}

fn parts(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (0..).zip(bytes.chunks(PART))
}

/// A file of our own, for the scale: lengths and bytes, one `fdatasync`.
struct Append(File, PathBuf);

impl Store for Append {
    fn append(&mut self, number: u64, bytes: &[u8]) -> Done<()> {
        let mut record = number.to_le_bytes().to_vec();
        record.extend((bytes.len() as u64).to_le_bytes());
        record.extend(bytes);
        self.0.write_all(&record)?;
        Ok(self.0.sync_data()?)
    }

    fn read(&self, number: u64) -> Done<Option<Vec<u8>>> {
        let mut file = io::BufReader::new(File::open(&self.1)?);
        let mut head = [0; 16];
        while file.read_exact(&mut head).is_ok() {
            let word = |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes);
            let mut bytes = vec![0; word(8)? as usize];
            file.read_exact(&mut bytes)?;
            if word(0)? == number {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

const TABLE: redb::TableDefinition<(u64, u32), &[u8]> = redb::TableDefinition::new("epochs");

struct Redb(redb::Database);

impl Store for Redb {
    fn append(&mut self, number: u64, bytes: &[u8]) -> Done<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (place, part) in parts(bytes) {
                table.insert((number, place), part)?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, number: u64) -> Done<Option<Vec<u8>>> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let mut bytes = Vec::new();
        for row in table.range((number, 0)..=(number, u32::MAX))? {
            bytes.extend_from_slice(row?.1.value());
        }
        Ok(if bytes.is_empty() { None } else { Some(bytes) })
    }
}

struct Fjall(fjall::Database, fjall::Keyspace);

fn key(number: u64, place: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(&place.to_be_bytes());
    key
}

impl Store for Fjall {
    fn append(&mut self, number: u64, bytes: &[u8]) -> Done<()> {
        let mut batch = self.0.batch().durability(Some(fjall::PersistMode::SyncData));
        for (place, part) in parts(bytes) {
            batch.insert(&self.1, key(number, place), part);
        }
        Ok(batch.commit()?)
    }

    fn read(&self, number: u64) -> Done<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        for place in 0.. {
            match self.1.get(key(number, place))? {
                Some(part) => bytes.extend_from_slice(&part),
                None => break,
            }
        }
        Ok(if bytes.is_empty() { None } else { Some(bytes) })
    }
}

struct Sqlite(rusqlite::Connection);

impl Store for Sqlite {
    fn append(&mut self, number: u64, bytes: &[u8]) -> Done<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction.prepare_cached("insert into epochs values (?1, ?2, ?3)")?;
            for (place, part) in parts(bytes) {
                insert.execute((number as i64, place, part))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, number: u64) -> Done<Option<Vec<u8>>> {
        let mut select = self.0.prepare_cached("select bytes from epochs where number = ?1 order by place")?;
        let mut bytes = Vec::new();
        for part in select.query_map([number as i64], |row| row.get::<_, Vec<u8>>(0))? {
            bytes.extend(part?);
        }
        Ok(if bytes.is_empty() { None } else { Some(bytes) })
    }
}

/// Opens a segment, with the check of the whole that the store has.
fn open(store: &str, path: &Path) -> Done<Box<dyn Store>> {
    Ok(match store {
        "append" => {
            let file = File::options().create(true).append(true).open(path)?;
            Box::new(Append(file, path.to_owned()))
        }
        "redb" => {
            let mut builder = redb::Builder::new();
            builder.set_cache_size(16 << 20).set_check_integrity_on_open(true);
            Box::new(Redb(builder.create(path)?))
        }
        "fjall" => {
            let database = fjall::Database::builder(path).open()?;
            let keyspace = database.keyspace("epochs", fjall::KeyspaceCreateOptions::default)?;
            Box::new(Fjall(database, keyspace))
        }
        "sqlite" => {
            let connection = rusqlite::Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            let sound: String = connection.query_row("pragma integrity_check", [], |row| row.get(0))?;
            if sound != "ok" {
                return Err(sound.into());
            }
            connection.execute(
                "create table if not exists epochs (number integer, place integer, bytes blob, primary key (number, place)) without rowid",
                [],
            )?;
            Box::new(Sqlite(connection))
        }
        other => return Err(format!("no store {other:?}").into()),
    })
}

/// Bytes that no packing makes smaller, other ones for every commit.
fn bytes_of(number: u64, len: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Bytes the process has sent to the device.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0)
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{ending}", path.display()));
    }
}

fn measure(store: &str, folder: &Path, seconds: u64) -> Done<()> {
    let started = Instant::now();
    let mut times: [Vec<Duration>; TURN.len()] = Default::default();
    let mut spent = [Duration::ZERO; TURN.len()];
    let (mut number, mut payload, mut segments) = (0, 0, 0);
    let before = written();
    let name = |segment: usize| folder.join(format!("{store}-{segment}"));
    let mut open_ms = Vec::new();
    while started.elapsed().as_secs() < seconds {
        let mut segment = open(store, &name(segments))?;
        let mut filled = 0;
        while filled < SEGMENT && started.elapsed().as_secs() < seconds {
            for (of, (len, count)) in TURN.into_iter().enumerate() {
                for _ in 0..count {
                    number += 1;
                    let bytes = bytes_of(number, len);
                    let (cpu, begun) = (processor_time(), Instant::now());
                    segment.append(number, &bytes)?;
                    times[of].push(begun.elapsed());
                    spent[of] += processor_time() - cpu;
                    filled += len;
                }
            }
        }
        payload += filled as u64;
        drop(segment);
        let begun = Instant::now();
        drop(open(store, &name(segments))?);
        open_ms.push(begun.elapsed().as_millis());
        segments += 1;
        if segments >= KEPT {
            remove(&name(segments - KEPT));
        }
    }
    let amplified = (written() - before) as f64 / payload as f64;
    (segments.saturating_sub(KEPT)..segments).for_each(|segment| remove(&name(segment)));
    open_ms.sort_unstable();
    println!(
        "{store}: seconds {} commits {number} segments {segments} device_bytes_per_payload {amplified:.2} open_and_check_ms {}",
        started.elapsed().as_secs(),
        open_ms[open_ms.len() / 2]
    );
    for (of, (len, _)) in TURN.into_iter().enumerate() {
        let times = &mut times[of];
        times.sort_unstable();
        let ms = |permille: usize| times[(times.len() - 1) * permille / 1000].as_secs_f64() * 1e3;
        let cpu = spent[of].as_secs_f64() * 1e3 / times.len() as f64;
        let [p50, p99, p999, max] = [500, 990, 999, 1000].map(ms);
        println!("{store}: bytes {len} n {} p50_ms {p50:.2} p99_ms {p99:.2} p999_ms {p999:.2} max_ms {max:.1} cpu_ms {cpu:.2}", times.len());
    }
    Ok(())
}

const FILLED: usize = 64 << 10;

fn main() -> Done<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, store, folder, count] = &args[..] else {
        return Err("measure|fill|read STORE DIR SECONDS|FIRST|LAST".into());
    };
    let (folder, count): (&Path, u64) = (Path::new(folder), count.parse()?);
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{store}-kept"));
    match &what[..] {
        "measure" => measure(store, folder, count),
        "fill" => {
            let mut segment = open(store, &path)?;
            println!("open");
            for (number, _) in (count..).zip(io::stdin().lines()) {
                match segment.append(number, &bytes_of(number, FILLED)) {
                    Ok(()) => println!("durable {number}"),
                    Err(cause) => println!("failed {number}: {cause}"),
                }
            }
            Ok(())
        }
        "read" => {
            let segment = open(store, &path)?;
            let (mut whole, mut other, mut gone) = (0, 0, 0);
            for number in 1..=count {
                match segment.read(number)? {
                    Some(bytes) if bytes == bytes_of(number, FILLED) => whole += 1,
                    Some(_) => other += 1,
                    None => gone += 1,
                }
            }
            println!("{store}: whole {whole} other {other} gone {gone}");
            Ok(())
        }
        other => Err(format!("no {other:?}").into()),
    }
}
