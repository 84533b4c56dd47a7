//! The log on real files: what was appended is there, in order and chained; what was changed is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_log::{Cut, Directory, Disk, Epoch, Fault, Log, Reader, Record, Versions};

/// A folder of its own for a test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("plimsoll-log-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(number: u64) -> Record {
    Record {
        previous: [0; 32],
        number,
        clock_us: 1_000 * number as i64,
        cut: Cut::Idle,
        inputs: 1,
        versions: Versions { code: "test".into(), rules: [0; 16] },
        effects: [0; 32],
        state: number.is_multiple_of(3).then_some([number as u8; 32]),
    }
}

/// Inputs of an epoch: some large enough for several parts.
fn lines(number: u64) -> Vec<u8> {
    let size = if number.is_multiple_of(7) { 700_000 } else { 40 + number as usize };
    // Bytes that do not compress away.
    (0..size as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number) >> 56) as u8)
        .collect()
}

fn effects(number: u64) -> Vec<u8> {
    format!("effects of {number}\n").into_bytes()
}

fn open(folder: &Path) -> Log {
    Log::open(Directory::take(folder).expect("the directory"), Arc::new(Disk)).expect("the log")
}

fn append(log: &mut Log, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        log.add(&lines(number));
        log.append(record(number), &effects(number)).expect("appended");
    }
}

fn read(folder: &Path, first: u64) -> Result<Vec<Epoch>, Fault> {
    let (mut reader, mut all) = (Reader::from(folder, first)?, Vec::new());
    while let Some((epoch, _)) = reader.next_epoch()? {
        all.push(epoch);
    }
    Ok(all)
}

#[test]
fn what_was_appended_is_there_over_restarts_and_segments() {
    let folder = Folder::new("appended");
    let mut log = open(&folder.0);
    assert_eq!((log.last(), log.link()), (0, [0; 32]));
    append(&mut log, 1..=9);
    log.rotate().expect("rotated");
    log.rotate().expect("an empty segment is not ended");
    append(&mut log, 10..=20);
    let link = log.link();
    drop(log);
    let mut log = open(&folder.0);
    assert_eq!((log.last(), log.link()), (20, link));
    append(&mut log, 21..=22);
    let past = log.past();
    let numbers = |from, most| -> Vec<u64> {
        past.epochs(from, most).expect("read").iter().map(|epoch| epoch.record.number).collect()
    };
    assert_eq!((numbers(8, 9), numbers(9, 1)), (vec![8, 9], vec![9]), "of an older segment, and no further");
    assert_eq!((numbers(21, 9), numbers(23, 9)), (vec![21, 22], vec![]));
    append(&mut log, 23..=23);
    assert_eq!(numbers(22, 9), [22, 23], "what was appended since");
    assert_eq!(past.epochs(7, 1).expect("read")[0].lines, lines(7));
    drop(log);
    for first in [1, 2, 9, 10, 11, 23, 24] {
        let all = read(&folder.0, first).expect("read");
        assert_eq!(all.len() as u64, 24 - first);
        for (number, epoch) in (first..).zip(&all) {
            assert_eq!((&epoch.lines, &epoch.effects), (&lines(number), &effects(number)), "{number}");
            assert_eq!((epoch.record.number, epoch.record.state), (number, record(number).state));
        }
    }
}

#[test]
fn archived_segments_are_read_like_the_others() {
    let folder = Folder::new("archived");
    let mut log = open(&folder.0);
    for first in [1, 4, 7] {
        append(&mut log, first..=first + 2);
        log.rotate().expect("rotated");
    }
    // One that holds the epoch, its last too, is still needed.
    for (epoch, moved) in [(3, 0), (4, 1), (5, 0), (6, 0), (7, 1), (7, 0)] {
        assert_eq!(log.archive_before(epoch).expect("archived"), moved, "before {epoch}");
    }
    append(&mut log, 10..=10);
    drop(log);
    assert_eq!(read(&folder.0, 1).expect("read").len(), 10);
    assert_eq!(open(&folder.0).last(), 10);
}

#[test]
fn a_directory_has_one_process() {
    let folder = Folder::new("locked");
    let held = Directory::take(&folder.0).expect("the first");
    assert!(matches!(Directory::take(&folder.0), Err(Fault::Locked(path)) if path == folder.0));
    drop(held);
    Directory::take(&folder.0).expect("free again");
}

#[test]
fn half_a_segment_is_swept_away() {
    let folder = Folder::new("half");
    let mut log = open(&folder.0);
    append(&mut log, 1..=3);
    drop(log);
    std::fs::write(folder.0.join("log/00000000000000000004.unfinished"), b"half").expect("written");
    assert_eq!(open(&folder.0).last(), 3);
}

/// A byte flipped anywhere in a segment: all epochs read as they were written, or the fault names the
/// segment and an epoch; one flipped in an epoch names that epoch.
#[test]
fn a_flipped_byte_is_found_and_named() {
    let folder = Folder::new("flipped");
    let mut log = open(&folder.0);
    append(&mut log, 1..=12);
    drop(log);
    let path = folder.0.join("log/00000000000000000001.redb");
    let good = std::fs::read(&path).expect("read");
    let whole = read(&folder.0, 1).expect("read");
    let flipped = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).expect("written");
        match read(&folder.0, 1) {
            Ok(read) => {
                // What was written once and is free now may be hit unseen.
                assert!(read == whole, "byte {at} gave other epochs");
                None
            }
            Err(Fault::Damaged { path: said, epoch, .. }) => {
                assert_eq!(said, path);
                Some(epoch.unwrap_or_else(|| panic!("byte {at}: no epoch is named")))
            }
            Err(other) => panic!("byte {at}: {other}"),
        }
    };
    let anywhere = (0..good.len()).step_by(good.len() / 150).filter_map(flipped).count();
    assert!(anywhere > 30, "of 150 flips {anywhere} were found");
    let mut hit = std::collections::BTreeSet::new();
    for head in good.windows(8).enumerate().filter(|(_, eight)| eight == b"plEPOCH\n").map(|(at, _)| at) {
        let epoch = u64::from_le_bytes(good[head + 8..head + 16].try_into().expect("eight bytes"));
        for at in [head + 20, head + 30, head + 50] {
            if let Some(named) = flipped(at) {
                assert_eq!(named, epoch, "byte {at}");
                hit.insert(epoch);
            }
        }
    }
    assert_eq!(hit, (1..=12).collect(), "epochs whose damage was found");
}

#[test]
fn a_missing_segment_and_a_swapped_one_break_the_chain() {
    let folder = Folder::new("missing");
    let mut log = open(&folder.0);
    for first in [1, 4, 7] {
        append(&mut log, first..=first + 2);
        log.rotate().expect("rotated");
    }
    drop(log);
    let at = |first: u64| folder.0.join(format!("log/{first:020}.redb"));
    std::fs::rename(at(4), folder.0.join("aside")).expect("moved");
    assert!(matches!(read(&folder.0, 1), Err(Fault::Damaged { epoch: Some(4), .. })));
    // Another log's segment of the same number.
    let other = Folder::new("other");
    let mut log = open(&other.0);
    append(&mut log, 1..=2);
    log.add(b"something else");
    log.append(record(3), b"").expect("appended");
    log.rotate().expect("rotated");
    append(&mut log, 4..=6);
    drop(log);
    std::fs::copy(other.0.join(format!("log/{:020}.redb", 4)), at(4)).expect("copied");
    assert!(matches!(read(&folder.0, 1), Err(Fault::Damaged { epoch: Some(4), .. })));
}
