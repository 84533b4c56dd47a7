//! The live run over its log: what was answered is there after any end of the process, every restart is a
//! proof, and the log replays to the effects of the live day byte for byte.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use plimsoll_engine::num::Time;
use plimsoll_log::snapshot::Pace;
use plimsoll_log::{Disk, Epoch, Fault, Log, Reader};
use plimsoll_service::recover::{Failure, Recovery, recover};
use plimsoll_service::run::{Receipt, Run, Snapshotting};
use plimsoll_tests::folder::Folder;
use plimsoll_tests::scenario::run::binary;
use plimsoll_tests::streams::Stream;
use plimsoll_tests::streams::rng::Rng;
use plimsoll_tests::streams::stream::join;
use plimsoll_wire::time::parse_time;

fn open(folder: &Path, lanes: usize) -> (Run, Recovery) {
    recover(folder, Arc::new(Disk), lanes, &mut |_, _| ()).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Lines in submissions of random sizes, each with the time of the wall: the latest `at` so far.
fn submissions(stream: &Stream, dice: &mut Rng) -> Vec<(Vec<u8>, Time)> {
    let (mut all, mut rest, mut now) = (Vec::new(), &stream.lines[..], Time(0));
    while !rest.is_empty() {
        let (batch, after) = rest.split_at((1 + dice.below(12)).min(rest.len()));
        rest = after;
        for line in batch {
            let at = line.split("\"at\":\"").nth(1).and_then(|text| text.split('"').next());
            now = now.max(at.and_then(parse_time).unwrap_or(now));
        }
        all.push((join(batch), now));
    }
    all
}

/// Takes submissions one after the other, an epoch each unless its limits cut it; gives what was answered.
fn live(run: &mut Run, all: &[(Vec<u8>, Time)]) -> (Vec<Receipt>, Vec<u8>) {
    let (mut receipts, mut effects) = (Vec::new(), Vec::new());
    for (body, now) in all {
        run.take(body, *now).expect("taken");
        run.cut().expect("cut");
        receipts.extend(run.receipts().map(|(_, receipt)| receipt));
        run.committed().for_each(|epoch| effects.extend(epoch.effects));
    }
    (receipts, effects)
}

fn epochs(folder: &Path) -> Vec<Epoch> {
    let (mut reader, mut all) = (Reader::from(folder, 1).expect("a log"), Vec::new());
    while let Some((epoch, _)) = reader.next_epoch().expect("an epoch") {
        all.push(epoch);
    }
    all
}

const STREAMS: u64 = 40;

#[test]
fn every_event_is_answered_once_and_the_log_replays_to_the_same_effects() {
    let (mut told, mut refused) = (0, 0);
    for seed in 0..STREAMS {
        let folder = Folder::new(&format!("service-replays-{seed}"));
        let stream = Stream::of(seed);
        let all = submissions(&stream, &mut Rng::new(seed));
        let (mut run, recovery) = open(&folder.0, 1 + seed as usize % 3);
        assert_eq!((recovery.epochs, recovery.snapshot), (0, 0));
        let (receipts, effects) = live(&mut run, &all);
        assert_eq!(receipts.len(), all.len(), "seed {seed}");
        for (receipt, (body, _)) in receipts.iter().zip(&all) {
            let lines = body.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let Receipt { accepted, duplicates, refused: faulty, .. } = receipt;
            assert_eq!(accepted + duplicates + faulty.len() as u64, lines, "seed {seed}");
            refused += faulty.len();
        }
        let codes: usize = receipts.iter().map(|receipt| receipt.refused.len()).sum();
        let text = String::from_utf8(effects.clone()).expect("text");
        assert_eq!(text.lines().filter(|line| line.contains(r#""type":"refused""#)).count(), codes);
        let hash = run.engine().state_hash();
        drop(run);
        // The product's own replay of the directory, with another number of lanes.
        let out = folder.join("effects");
        let done = Command::new(binary().expect("the binary"))
            .args(["replay", "--lanes", "2", "--effects"])
            .arg(&out)
            .arg(&folder.0)
            .output()
            .expect("a replay");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(std::fs::read(&out).expect("effects") == effects, "seed {seed}: other effects");
        assert!(
            String::from_utf8_lossy(&done.stderr).contains(&hash.to_string()),
            "seed {seed}: another state"
        );
        told += text.lines().count();
    }
    assert!(told > 2_000 && refused > 500, "{told} effects, {refused} refusals");
}

/// The process ends at some point of a submission, again and again: what was answered stays, what was not
/// is sent again, and the day comes to what an undisturbed one comes to.
#[test]
fn a_day_with_restarts_is_a_day_without() {
    let (mut restarts, mut from_snapshots, mut recomputed) = (0, 0, 0);
    for seed in 0..STREAMS {
        let stream = Stream::of(1_000 + seed);
        let mut dice = Rng::new(seed);
        let all = submissions(&stream, &mut dice);
        let undisturbed = Folder::new(&format!("service-undisturbed-{seed}"));
        let (mut run, _) = open(&undisturbed.0, 1);
        let (answers, effects) = live(&mut run, &all);
        let hash = run.engine().state_hash();
        drop(run);

        let folder = Folder::new(&format!("service-restarted-{seed}"));
        let (mut run, _) = open(&folder.0, 2);
        let (mut receipts, mut got) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < all.len() {
            if dice.below(9) == 0 {
                // Taken, perhaps in part committed, never answered.
                let cut_by_limits = {
                    run.take(&all[at].0, all[at].1).expect("taken");
                    run.committed().next().is_some()
                };
                drop(run);
                let recovery;
                (run, recovery) = open(&folder.0, 1 + dice.below(3));
                restarts += 1;
                from_snapshots += u32::from(recovery.snapshot > 0);
                recomputed += recovery.epochs;
                if cut_by_limits {
                    // Its first epochs are there: to send it again is another day than the undisturbed one.
                    break;
                }
                continue;
            }
            let (more, told) = live(&mut run, &all[at..=at]);
            receipts.extend(more);
            got.extend(told);
            at += 1;
            match run.snapshot_on(1 + dice.below(3) as u32).expect("a snapshot") {
                Snapshotting::Idle | Snapshotting::GivenUp if dice.below(6) == 0 => {
                    run.snapshot_begin(Pace::Alone).expect("begun");
                }
                Snapshotting::Done(epoch) => {
                    run.log().rotate().expect("rotated");
                    run.log().archive_before(epoch).expect("archived");
                }
                _ => {}
            }
        }
        assert!(answers[..at] == receipts[..], "seed {seed}: other answers");
        assert!(effects.starts_with(&got), "seed {seed}: other effects");
        if at == all.len() {
            assert_eq!(run.engine().state_hash(), hash, "seed {seed}");
            drop(run);
            let told: Vec<u8> = epochs(&folder.0).into_iter().flat_map(|epoch| epoch.effects).collect();
            assert!(told == effects, "seed {seed}: the log has other effects");
        }
    }
    println!("{restarts} restarts, {from_snapshots} from snapshots, {recomputed} epochs recomputed");
    assert!(
        restarts > 120 && from_snapshots > 40 && recomputed > 1_000,
        "{restarts} {from_snapshots} {recomputed}"
    );
}

#[test]
fn a_submission_that_was_partly_committed_may_be_sent_again() {
    let folder = Folder::new("service-again");
    let line = |kind: &str, id: &str, rest: &str| {
        format!(
            r#"{{"v":1,"type":"{kind}","id":"{id}","source":"s","at":"2026-01-19T09:30:00+08:00"{rest}}}"#
        )
    };
    let now = parse_time("2026-01-19T09:30:00+08:00").expect("a time");
    let account = line("account", "a1", r#","account":"A1","customer":"C1","client_class":"individual""#);
    let day = line("day_start", "d1", r#","date":"2026-01-19""#);
    let cash = line("cash", "c1", r#","account":"A1","amount":"10","reason":"deposit""#);
    let body = join(&[account, day, cash]);
    let (mut run, _) = open(&folder.0, 1);
    run.take(&body, now).expect("taken");
    assert_eq!(run.receipts().count(), 0, "nothing is answered before all of it is committed");
    assert_eq!(run.committed().count(), 2, "the day stands alone, and what came before it is cut");
    drop(run);
    let (mut run, recovery) = open(&folder.0, 1);
    assert_eq!(recovery.epochs, 2);
    let (receipts, _) = live(&mut run, &[(body, now)]);
    assert_eq!((receipts[0].accepted, receipts[0].duplicates, receipts[0].refused.len()), (1, 2, 0));
    assert_eq!(run.engine().account(0).figures.cash, 100_000);
}

#[test]
fn a_line_that_is_no_event_is_refused_and_is_in_no_epoch() {
    let folder = Folder::new("service-no-event");
    let (mut run, _) = open(&folder.0, 1);
    let (receipts, effects) =
        live(&mut run, &[(b"nothing\n\n[1]\n".to_vec(), Time(0)), (b"[{}, 3".to_vec(), Time(0))]);
    let told: Vec<_> = receipts.iter().flat_map(|r| &r.refused).map(|r| (r.line, r.code)).collect();
    // An array is a body of its own; lines of NDJSON are objects.
    assert_eq!(told, [(1, "malformed"), (3, "malformed"), (1, "malformed")]);
    assert_eq!((run.log().last(), effects.len()), (0, 0));
}

/// A log that says something else of one epoch than this code makes of its inputs: what was told of it, the
/// state at its end, or what decided it.
#[test]
fn a_restart_that_comes_to_something_else_says_so_and_ends() {
    /// What the end says, which epochs can be forged so, and how.
    type Forgery = (&'static str, fn(&Epoch) -> bool, fn(&mut Epoch));
    let forgeries: [Forgery; 3] = [
        ("its effects differ", |epoch| !epoch.effects.is_empty(), |epoch| epoch.effects[0] ^= 1),
        (
            "the state differs",
            |epoch| epoch.record.state.is_some(),
            |epoch| epoch.record.state.iter_mut().for_each(|state| state[31] ^= 1),
        ),
        (
            "another policy, table or calendar is in force",
            |_| true,
            |epoch| epoch.record.versions.rules[0] ^= 1,
        ),
    ];
    let folder = Folder::new("service-diverged");
    // A state hash stands where a day begins.
    let day = |stream: &Stream| stream.lines.iter().any(|line| line.contains("\"day_start\""));
    let stream = (0..).map(Stream::of).find(day).expect("a stream with a day");
    let (mut run, _) = open(&folder.0, 1);
    live(&mut run, &submissions(&stream, &mut Rng::new(7)));
    drop(run);
    for (expected, may_be, forge) in forgeries {
        let other = Folder::new("service-diverged-copy");
        let directory = plimsoll_log::Directory::take(&other.0).expect("the directory");
        let mut log = Log::open(directory, Arc::new(Disk)).expect("a log");
        let mut all = epochs(&folder.0);
        let bad = all.iter().rposition(may_be).expect("such an epoch");
        forge(&mut all[bad]);
        for Epoch { record, lines, effects } in all {
            log.add(&lines);
            log.append(record, &effects).expect("appended");
        }
        drop(log);
        match recover(&other.0, Arc::new(Disk), 1, &mut |_, _| ()) {
            Err(failure @ Failure::Diverged { epoch, what, .. }) => {
                assert_eq!((epoch, what, failure.status()), (bad as u64 + 1, expected, 20));
            }
            Err(failure) => panic!("{failure}"),
            Ok(_) => panic!("it went on, although {expected}"),
        }
    }
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_the_one_before() {
    let folder = Folder::new("service-snapshots");
    let stream = Stream::of(11);
    let all = submissions(&stream, &mut Rng::new(11));
    let (mut run, _) = open(&folder.0, 2);
    let third = all.len() / 3;
    for part in [&all[..third], &all[third..2 * third]] {
        live(&mut run, part);
        run.snapshot_begin(Pace::Alone).expect("begun");
        while matches!(run.snapshot_on(10).expect("a snapshot"), Snapshotting::More | Snapshotting::Waits) {}
    }
    live(&mut run, &all[2 * third..]);
    let hash = run.engine().state_hash();
    drop(run);
    let snapshots = plimsoll_log::snapshots_in(&folder.0).expect("snapshots");
    assert_eq!(snapshots.len(), 2);
    std::fs::write(snapshots[1].with_extension("unfinished"), b"half").expect("written");
    let mut passed = Vec::new();
    for (damaged, path) in snapshots.iter().rev().enumerate() {
        let (run, recovery) = open(&folder.0, 1);
        assert_eq!((run.engine().state_hash(), recovery.passed_over.len()), (hash, damaged));
        passed.push(recovery.snapshot);
        drop(run);
        let mut bytes = std::fs::read(path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).expect("written");
    }
    let (run, recovery) = open(&folder.0, 1);
    assert_eq!((run.engine().state_hash(), recovery.snapshot, recovery.passed_over.len()), (hash, 0, 2));
    assert!(passed[0] > passed[1] && passed[1] > 0);
    assert!(recovery.passed_over.iter().all(|fault| matches!(fault, Fault::Damaged { .. })));
}

#[test]
fn a_log_without_its_first_segments_recovers_and_is_recomputed_from_its_snapshot() {
    let folder = Folder::new("service-kept");
    let stream = Stream::of(13);
    let all = submissions(&stream, &mut Rng::new(13));
    let (mut run, _) = open(&folder.0, 2);
    let third = all.len() / 3;
    for part in [&all[..third], &all[third..2 * third]] {
        live(&mut run, part);
        run.snapshot_begin(Pace::Alone).expect("begun");
        while matches!(run.snapshot_on(10).expect("a snapshot"), Snapshotting::More | Snapshotting::Waits) {}
        run.log().rotate().expect("rotated");
    }
    live(&mut run, &all[2 * third..]);
    let (hash, oldest) = (run.engine().state_hash(), run.snapshots().expect("snapshots")[0]);
    assert_eq!(run.log().archive_before(oldest + 1).expect("archived"), 1);
    let past = run.log().past();
    assert_eq!(past.first().expect("a log"), 1, "archived segments are still read");
    assert_eq!(run.log().drop_archived(SystemTime::UNIX_EPOCH).expect("none is as old"), 0);
    assert_eq!(run.log().drop_archived(SystemTime::now() + Duration::from_secs(1)).expect("dropped"), 1);
    assert_eq!(past.first().expect("a log"), oldest + 1);
    drop(run);
    let (run, _) = open(&folder.0, 1);
    assert_eq!(run.engine().state_hash(), hash);
    drop(run);
    let mut doctor = Command::new(binary().expect("the binary"));
    let done = doctor.args(["doctor", "--recompute"]).arg(&folder.0).output().expect("a doctor");
    let said = String::from_utf8(done.stdout).expect("text") + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains(&hash.to_string()), "{said}");
    assert!(said.contains(&format!("recomputed from epoch {}:", oldest + 1)), "{said}");
}

#[test]
fn the_doctor_says_what_is_in_a_log_and_names_what_is_wrong() {
    let folder = Folder::new("service-doctor");
    let stream = Stream::of(5);
    let all = submissions(&stream, &mut Rng::new(5));
    let (mut run, _) = open(&folder.0, 1);
    live(&mut run, &all);
    let (epochs, hash) = (run.log().last(), run.engine().state_hash());
    let doctor = || {
        let mut command = Command::new(binary().expect("the binary"));
        let done = command.args(["doctor", "--recompute"]).arg(&folder.0).output().expect("a doctor");
        let said = String::from_utf8(done.stdout).expect("text") + &String::from_utf8_lossy(&done.stderr);
        (done.status.code(), said)
    };
    let (status, said) = doctor();
    assert_eq!(status, Some(10), "while another process has it: {said}");
    drop(run);
    let (status, said) = doctor();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("epochs {epochs} ")) && said.contains(&hash.to_string()), "{said}");
    let path = folder.join("log/00000000000000000001.redb");
    let mut bytes = std::fs::read(&path).expect("read");
    let hit = bytes.windows(8).position(|head| head == b"plEPOCH\n").expect("an epoch") + 60;
    bytes[hit] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let (status, said) = doctor();
    assert_eq!(status, Some(14), "{said}");
    assert!(said.contains("00000000000000000001.redb") && said.contains("epoch"), "{said}");
}
