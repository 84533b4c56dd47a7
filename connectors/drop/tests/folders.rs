//! When files are taken, in which order, and where they go; and what a crash in between leaves.

mod common;

use common::{NIGHT, at, base, folder, nightly};
use encoding_rs::GB18030;
use plimsoll_drop::{BATCH_EVENTS, Follow, NotTaken, Outcome, Receipt, Sources};
use std::fs::OpenOptions;
use std::io::Write;

const PLAIN: &str = "[[folder]]\nname = \"f\"\npath = \"in\"\nsettle_ms = 100\n";
const STREAM: &str = "[[folder]]\nname = \"f\"\npath = \"in\"\nstream = true\n";

fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect()
}

#[test]
fn a_file_is_taken_once_it_rests_and_holds_back_what_comes_after_it() {
    let mut folder = folder(PLAIN);
    folder.write("b.ndjson", b"{}\n");
    folder.write("a.ndjson.part", b"{\"half");
    folder.write(".hidden", b"x");
    folder.poll();
    folder.later(98);
    assert!(folder.poll().is_empty(), "99 ms");
    folder.write("a.ndjson", b"{\"ha");
    folder.later(200);
    assert!(folder.poll().is_empty(), "a is new");
    folder.write("a.ndjson", b"{\"half\":1}\n");
    folder.later(98);
    assert!(folder.poll().is_empty(), "a grew");
    folder.later(98);
    assert!(folder.poll().is_empty(), "99 ms");
    folder.later(0);
    let reports = folder.poll();
    let names: Vec<_> = reports.iter().map(|report| report.files[0].name.as_str()).collect();
    assert_eq!(names, ["a.ndjson", "b.ndjson"]);
    assert_eq!(folder.submitted, [b"{\"half\":1}\n".to_vec(), b"{}\n".to_vec()]);
    assert_eq!(folder.names(""), ["a.ndjson.part", "bad", "done"]);
    let digest = blake3::hash(b"{}\n").to_hex().to_string();
    let report = std::fs::read_to_string(folder.path().join("done/b.ndjson.report.json")).expect("a report");
    assert!(report.contains(&digest) && report.contains("\"events\": 1"), "{report}");
}

#[test]
fn what_is_not_taken_is_submitted_again_from_its_place() {
    for count in [BATCH_EVENTS - 1, BATCH_EVENTS, BATCH_EVENTS + 1, 2 * BATCH_EVENTS + 1] {
        let mut folder = folder(PLAIN);
        folder.write("a.ndjson", &lines(count));
        folder.poll();
        folder.later(100);
        let whole = count.div_ceil(BATCH_EVENTS);
        for room in 0..whole {
            folder.room = room;
            assert!(folder.poll().is_empty());
            assert_eq!(folder.submitted.len(), room);
        }
        folder.room = whole;
        let report = folder.taken();
        assert_eq!((report.accepted, folder.submitted.concat() == lines(count)), (count as u64, true));
        assert!(
            folder.submitted.iter().all(|body| body.iter().filter(|b| **b == b'\n').count() <= BATCH_EVENTS)
        );
    }
}

#[test]
fn a_stream_is_taken_snapshot_by_snapshot_without_reports() {
    let mut folder = folder(STREAM);
    folder.write("093003.ndjson", &lines(5_000));
    folder.write("093000.ndjson", &lines(3));
    assert_eq!(folder.poll().len(), 2);
    assert_eq!(folder.submitted, [lines(3), lines(5_000)]);
    assert_eq!(folder.names("done"), ["093000.ndjson", "093003.ndjson"]);
    folder.write("093006.ndjson", b"nothing\n");
    assert_eq!(folder.taken().outcome, Outcome::Bad);
    assert_eq!(folder.names("bad"), ["093006.ndjson", "093006.ndjson.report.json"]);
}

#[test]
fn a_night_waits_for_its_marker_and_is_bad_whole() {
    let mut counter = nightly();
    std::fs::remove_file(counter.path().join("20260119.ok")).expect("removed");
    counter.later(60_000);
    assert!(counter.poll().is_empty() && counter.poll().is_empty());
    let bad = NIGHT[2].1.replace("0.50,", "x,") + "66000003,600519,1,10,0\n";
    counter.write("positions_20260119.csv", &GB18030.encode(&bad).0);
    counter.write("20260119.ok", b"");
    let reports = counter.waited();
    assert_eq!(reports[1].outcome, Outcome::Bad, "{reports:?}");
    let told: Vec<_> =
        reports[1].details.iter().map(|f| (f.file.as_str(), f.line, f.code.as_str())).collect();
    let file = "positions_20260119.csv";
    assert_eq!(told, [(file, Some(3), "bad_value"), (file, Some(4), "missing_field")]);
    assert_eq!(counter.submitted.len(), 1, "only the accounts");
    // The same again without the contracts: the marker says that they would be there.
    for (name, text) in NIGHT.iter().filter(|(name, _)| !name.starts_with("con") && !name.starts_with("acc"))
    {
        counter.write(name, &GB18030.encode(text).0);
    }
    let report = counter.taken();
    assert_eq!((report.outcome, report.details[0].code.as_str()), (Outcome::Bad, "missing_file"));
    assert_eq!(counter.names(""), ["bad", "done"]);
}

#[test]
fn the_same_files_have_the_same_ids_under_any_name_and_others_have_others() {
    let ids = |change: &str| {
        let mut counter = nightly();
        if !change.is_empty() {
            let text = NIGHT[1].1.replace("123456", change);
            counter.write("cash_20260119.csv", &GB18030.encode(&text).0);
        }
        counter.waited();
        let events = common::fields(&counter.submitted[1]);
        events.iter().map(|event| event["id"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(""), ids(""));
    assert_ne!(ids(""), ids("123457"));
}

/// The process ends after some of the files of a night were moved: the next one moves the others.
#[test]
fn what_was_half_moved_is_moved_at_the_next_start() {
    let base = base();
    let inside = base.join("in");
    for folder in ["done", "bad"] {
        std::fs::create_dir_all(inside.join(folder)).expect("a folder");
    }
    std::fs::write(inside.join("done/a.ndjson"), b"{}\n").expect("written");
    std::fs::write(inside.join("b.ndjson"), b"{}\n").expect("written");
    let note = br#"{"files":[["a.ndjson","done/a.ndjson"],["b.ndjson","done/b.ndjson"]],"report":["done/a.ndjson.report.json",{"x":1}]}"#;
    std::fs::write(inside.join(".moving.json"), note).expect("written");
    let mut folder = at(PLAIN, base);
    assert!(folder.poll().is_empty() && folder.submitted.is_empty());
    assert_eq!(folder.names("done"), ["a.ndjson", "a.ndjson.report.json", "b.ndjson"]);
    assert!(!inside.join(".moving.json").exists());
}

/// Whatever a damaged table does to its reader, the folder goes on.
#[test]
fn damaged_tables_are_bad_and_the_folder_goes_on() {
    let mut folder = folder(STREAM);
    let path = folder.path().join("whole");
    common::broker_table(&path);
    let bytes = std::fs::read(&path).expect("read");
    std::fs::remove_file(&path).expect("removed");
    for place in (4..bytes.len()).step_by(41) {
        let mut changed = bytes.clone();
        changed[place] ^= 0xff;
        folder.write("t.parquet", &changed);
        folder.taken();
    }
    folder.write("z.ndjson", b"{}\n");
    assert_eq!(folder.taken().outcome, Outcome::Done);
}

#[test]
fn a_growing_file_is_followed_by_complete_lines() {
    let base = base();
    let path = base.join("feed.ndjson");
    let follow = || {
        let text = "[[follow]]\nname = \"x\"\npath = \"feed.ndjson\"\n";
        Follow::new(Sources::parse(text, &base).expect("sources").followed.remove(0))
    };
    let taken = |follow: &mut Follow, room: usize| {
        let mut all = Vec::new();
        let mut bodies = 0;
        let sum = follow.poll(&mut |body| {
            bodies += 1;
            if bodies > room {
                return Err(NotTaken::Busy);
            }
            all.extend(body);
            Ok(Receipt { accepted: 1, ..Receipt::default() })
        });
        sum.expect("polled");
        String::from_utf8(all).expect("text")
    };
    let append = |text: &str| {
        let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    };
    let mut first = follow();
    assert_eq!(taken(&mut first, 9), "", "there is no file yet");
    append("1\n2\n3");
    assert_eq!(taken(&mut first, 0), "", "busy");
    assert_eq!(taken(&mut first, 9), "1\n2\n");
    append("3\n");
    assert_eq!(taken(&mut first, 9), "33\n");
    append("4\n");
    let mut second = follow();
    assert_eq!(taken(&mut second, 9), "4\n", "from where the first was");
    std::fs::write(&path, "5\n").expect("written");
    assert_eq!(taken(&mut second, 9), "5\n", "it became shorter");
    append("6\n");
    std::fs::rename(&path, base.join("old")).expect("renamed");
    append("7\n");
    assert_eq!(taken(&mut second, 9), "6\n7\n", "the old one to its end, then the new one");
    std::fs::remove_dir_all(&base).expect("removed");
}

#[test]
fn a_pipe_is_followed_writer_after_writer() {
    let base = base();
    let made = std::process::Command::new("mkfifo").arg(base.join("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let text = "[[follow]]\nname = \"x\"\npath = \"pipe\"\n";
    let mut follow = Follow::new(Sources::parse(text, &base).expect("sources").followed.remove(0));
    let mut all = Vec::new();
    let mut poll = |all: &mut Vec<u8>| {
        let taken = follow.poll(&mut |body| {
            all.extend(body);
            Ok(Receipt::default())
        });
        taken.expect("polled");
    };
    poll(&mut all);
    for text in ["1\n2", "\n3\n"] {
        let mut pipe = OpenOptions::new().write(true).open(base.join("pipe")).expect("a pipe");
        pipe.write_all(text.as_bytes()).expect("written");
        poll(&mut all);
    }
    poll(&mut all);
    assert_eq!(all, b"1\n2\n3\n");
    std::fs::remove_dir_all(&base).expect("removed");
}
