//! The same events written as lines, compressed lines and tables read back as the same records.

mod common;

use common::{events, folder, read, write};
use plimsoll_files::rows::Event;
use plimsoll_files::{EventFile, EventWriter, FileError, Form, Format};
use std::collections::BTreeMap;

#[test]
fn lines_and_tables_hold_the_same_records() {
    let folder = folder("same_records");
    let events = events();
    let mut by_type: BTreeMap<&str, Vec<&dyn Event>> = BTreeMap::new();
    for event in &events {
        by_type.entry(event.event_type()).or_default().push(event.as_ref());
    }
    assert_eq!(by_type.len(), 14);
    for (word, events) in by_type {
        for numbered in [false, true] {
            let forms = [Format::Ndjson, Format::NdjsonZst, Format::Parquet].map(|format| {
                let path = folder.join(format!("{word}.{}", format.extension()));
                assert_eq!(write(&path, format, &events, numbered).unwrap(), events.len() as u64);
                let (records, error) = read(&path);
                assert!(error.is_none(), "{word}: {error:?}");
                records
            });
            assert_eq!(forms[0].len(), events.len());
            assert_eq!(forms[0], forms[1], "{word}");
            assert_eq!(forms[0], forms[2], "{word}");
        }
    }
}

#[test]
fn a_line_is_the_wire_form() {
    let path = folder("wire_form").join("fill.ndjson");
    let events = events();
    let fill = events.iter().find(|event| event.event_type() == "fill").unwrap();
    write(&path, Format::Ndjson, &[fill.as_ref()], true).unwrap();
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        concat!(
            r#"{"v":1,"type":"fill","id":"e0","source":"test","at":"2026-01-19T00:00:00.000+08:00","#,
            r#""source_seq":0,"account":"A1","side":"margin_buy","security":"600519.SH","#,
            r#""quantity":100,"price":"1500.00","fee":"3.75","contract":"F9","rate":"0.0635","#,
            r#""due":"2026-01-19","margin_ratio":"1.00"}"#,
            "\n"
        )
    );
}

#[test]
fn a_table_takes_one_type_and_states_its_envelope_once() {
    let folder = folder("one_type");
    let events = events();
    let first: Vec<&dyn Event> = vec![events[0].as_ref(), events[2].as_ref()];
    let error = write(&folder.join("mixed.parquet"), Format::Parquet, &first, false).unwrap_err();
    assert!(matches!(error, FileError::MixedTypes { has: "security", given: "quote", .. }));

    let path = folder.join("quote.parquet");
    write(&path, Format::Parquet, &[events[2].as_ref()], false).unwrap();
    let (records, _) = read(&path);
    assert_eq!(records[0]["v"], 1);
    assert_eq!(records[0]["type"], "quote");
    assert_eq!(records[0]["source"], "test");
}

#[test]
fn many_rows_pass_every_batch_bound() {
    let path = folder("many_rows").join("index.parquet");
    let events = events();
    let index = events.iter().find(|event| event.event_type() == "index").unwrap();
    let all = vec![index.as_ref(); 40_001];
    write(&path, Format::Parquet, &all, true).unwrap();
    let (records, error) = read(&path);
    assert!(error.is_none());
    assert_eq!(records.len(), 40_001);
    assert_eq!(records[40_000]["source_seq"], 40_000);
    let mut file = EventFile::open(&path).unwrap();
    assert_eq!(file.form(), Form::Parquet);
    while file.next_chunk().unwrap().is_some() {}
    assert_eq!(Some(file.consumed()), file.size());
}

#[test]
fn a_file_of_lines_may_change_its_source() {
    let path = folder("sources").join("days.ndjson");
    let mut writer = EventWriter::create(&path, Format::Ndjson, "a").unwrap();
    let stamp = |id| plimsoll_files::rows::Stamp { id, at: common::DAY.start(), source_seq: None };
    let event = plimsoll_files::rows::DayStart { date: common::DAY };
    writer.write(&stamp("1"), &event).unwrap();
    writer.set_source("b");
    writer.write(&stamp("2"), &event).unwrap();
    writer.finish().unwrap();
    let (records, _) = read(&path);
    assert_eq!((&records[0]["source"], &records[1]["source"]), (&"a".into(), &"b".into()));
}
