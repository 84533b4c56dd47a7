//! Crashes and faults of the device at every operation: what was answered is there, what is there was
//! appended, and nothing is there by halves.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use plimsoll_log::{Cut, Device, Directory, Disk, Fault, Log, Reader, Record, Versions};
use redb::StorageBackend;

/// What goes wrong, at which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// The power goes: what was not synced is there in part, a page of it torn.
    Crash(u64),
    /// A sync fails.
    Sync(u64),
    /// The device is full.
    Full(u64),
}

/// One write that was not synced.
#[derive(Clone, Debug)]
struct Write {
    offset: u64,
    data: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    syncs: u64,
    down: bool,
    pending: BTreeMap<PathBuf, Vec<Write>>,
    lens: BTreeMap<PathBuf, u64>,
}

/// A device whose files hold what was synced, until it goes wrong.
#[derive(Clone, Debug)]
struct Faulty {
    plan: Plan,
    state: Arc<Mutex<State>>,
}

impl Faulty {
    fn new(plan: Plan) -> Self {
        Faulty { plan, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under the lock")
    }

    /// Counts an operation; tells what goes wrong with it.
    fn operation(&self, state: &mut State, sync: bool) -> io::Result<()> {
        state.operations += 1;
        state.syncs += u64::from(sync);
        let fault = |text: &str| Err(io::Error::other(text.to_owned()));
        match self.plan {
            _ if state.down => fault("the device is gone"),
            Plan::Crash(at) if state.operations == at => {
                state.down = true;
                fault("the power went")
            }
            Plan::Sync(at) if sync && state.syncs == at => {
                state.down = true;
                fault("the sync failed")
            }
            Plan::Full(at) if !sync && state.operations >= at => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    /// The files as they are found after the fault: of what was not synced some writes, one of them torn.
    fn settle(&self, mut dice: u64) {
        let state = self.state();
        let mut roll = || {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice
        };
        for (path, writes) in &state.pending {
            let Ok(file) = OpenOptions::new().write(true).open(path) else { continue };
            for write in writes {
                let kept = match roll() % 3 {
                    0 => 0,
                    1 => write.data.len(),
                    _ => (roll() as usize % (write.data.len() / 512 + 1)) * 512,
                };
                file.write_all_at(&write.data[..kept], write.offset).expect("written");
            }
        }
    }
}

#[derive(Debug)]
struct Backend {
    path: PathBuf,
    file: File,
    device: Faulty,
}

impl Device for Faulty {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let len = file.metadata()?.len();
        self.state().lens.insert(path.to_owned(), len);
        Ok(Box::new(Backend { path: path.to_owned(), file, device: self.clone() }))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.device.state().lens[&self.path])
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.device.state();
        out.fill(0);
        let stored = self.file.metadata()?.len().saturating_sub(offset).min(out.len() as u64) as usize;
        self.file.read_exact_at(&mut out[..stored], offset)?;
        for write in state.pending.get(&self.path).into_iter().flatten() {
            let (start, end) = (
                write.offset.max(offset),
                (write.offset + write.data.len() as u64).min(offset + out.len() as u64),
            );
            if start < end {
                let from = &write.data[(start - write.offset) as usize..(end - write.offset) as usize];
                out[(start - offset) as usize..(end - offset) as usize].copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.device.state();
        self.device.operation(&mut state, false)?;
        state.lens.insert(self.path.clone(), len);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.device.state();
        self.device.operation(&mut state, true)?;
        for write in state.pending.remove(&self.path).into_iter().flatten() {
            self.file.write_all_at(&write.data, write.offset)?;
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.device.state();
        self.device.operation(&mut state, false)?;
        let len = state.lens[&self.path].max(offset + data.len() as u64);
        state.lens.insert(self.path.clone(), len);
        state.pending.entry(self.path.clone()).or_default().push(Write { offset, data: data.to_vec() });
        Ok(())
    }
}

fn record(number: u64) -> Record {
    Record {
        previous: [0; 32],
        number,
        clock_us: number as i64,
        cut: Cut::Idle,
        inputs: 1,
        versions: Versions::default(),
        effects: [0; 32],
        state: None,
    }
}

fn lines(number: u64) -> Vec<u8> {
    let size = 1 + number * number * 977 % 60_000;
    (0..size).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number) >> 56) as u8).collect()
}

const EPOCHS: u64 = 40;

/// Appends until something goes wrong; gives how many epochs were answered, and the fault.
fn run(folder: &Path, device: &Faulty) -> (u64, Option<Fault>) {
    let opened = Directory::take(folder).and_then(|directory| Log::open(directory, Arc::new(device.clone())));
    let mut log = match opened {
        Ok(log) => log,
        Err(fault) => return (0, Some(fault)),
    };
    for number in log.last() + 1..=EPOCHS {
        log.add(&lines(number));
        let done = log.append(record(number), b"");
        let done = done.and_then(|_| if number.is_multiple_of(16) { log.rotate() } else { Ok(()) });
        if let Err(fault) = done {
            // The epoch that was appended before a segment could not be begun was answered.
            return (log.last(), Some(fault));
        }
    }
    (log.last(), None)
}

/// What is there after a fault: all that was answered, at most one epoch more, each as it was appended.
fn check(folder: &Path, answered: u64, what: &str) -> u64 {
    let log = Directory::take(folder).and_then(|directory| Log::open(directory, Arc::new(Disk)));
    let log = log.unwrap_or_else(|fault| panic!("{what}: {fault}"));
    let last = log.last();
    assert!((answered..=answered + 1).contains(&last), "{what}: {answered} answered, {last} there");
    drop(log);
    let mut reader = Reader::from(folder, 1).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    for number in 1..=last {
        let (epoch, _) =
            reader.next_epoch().unwrap_or_else(|fault| panic!("{what}: {fault}")).expect("there");
        assert_eq!(epoch.lines, lines(number), "{what}, epoch {number}");
    }
    assert!(reader.next_epoch().unwrap_or_else(|fault| panic!("{what}: {fault}")).is_none());
    last
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("plimsoll-crash-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// How many crashes: from the first operation on, every one of a run, several ways to tear each.
const CRASHES: u64 = 1_000;

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_answered() {
    let folder = folder("power");
    let (mut ended, mut kept_unanswered) = (0, 0);
    for crash in 0..CRASHES {
        let _ = std::fs::remove_dir_all(&folder);
        let device = Faulty::new(Plan::Crash(1 + crash * 31 % 331));
        let (answered, fault) = run(&folder, &device);
        device.settle(crash + 1);
        let last = check(&folder, answered, &format!("crash {crash}, {:?}", device.plan));
        ended += u64::from(fault.is_some());
        kept_unanswered += last - answered;
        // The log goes on where it was.
        let whole = run(&folder, &Faulty::new(Plan::Crash(u64::MAX)));
        assert_eq!((whole.0, whole.1.is_none()), (EPOCHS, true));
    }
    println!("{CRASHES} crashes: {ended} ended a run, {kept_unanswered} kept an epoch nobody was told of");
    assert!(ended > CRASHES / 2, "only {ended} crashes met a run");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_failed_sync_and_a_full_device_have_their_names() {
    let folder = folder("named");
    for at in 1..40 {
        for plan in [Plan::Sync(at), Plan::Full(8 * at)] {
            let _ = std::fs::remove_dir_all(&folder);
            let device = Faulty::new(plan);
            let (answered, fault) = run(&folder, &device);
            match (plan, fault) {
                (_, None) => continue,
                (Plan::Full(_), Some(Fault::Full(_))) | (Plan::Sync(_), Some(Fault::Device { .. })) => {}
                (_, Some(other)) => panic!("{plan:?}: {other}"),
            }
            device.settle(at);
            check(&folder, answered, &format!("{plan:?}"));
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}
