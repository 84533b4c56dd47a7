//! Damaged and foreign files: an error that names the file, what stands before it is handed out,
//! and no panic.

mod common;

use arrow_array::types::{Float64Type, Int8Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, FixedSizeListArray, Float64Array, Int16Array,
    Int32Array, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt64Array,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use common::{events, folder, read, write};
use plimsoll_files::rows::Event;
use plimsoll_files::{EventFile, FileError, Form, Format, LINE_BYTES};
use std::path::Path;
use std::sync::Arc;

fn quotes(count: usize) -> Vec<Box<dyn Event>> {
    (0..count).map(|_| events().swap_remove(2)).collect()
}

fn sample(folder: &Path, format: Format, count: usize) -> Vec<u8> {
    let path = folder.join(format!("sample.{}", format.extension()));
    let events = quotes(count);
    let events: Vec<&dyn Event> = events.iter().map(AsRef::as_ref).collect();
    write(&path, format, &events, false).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_truncated_file_is_damaged_and_named() {
    let folder = folder("truncated");
    for (format, carrier) in [(Format::NdjsonZst, "zstd"), (Format::Parquet, "Parquet")] {
        let bytes = sample(&folder, format, 3000);
        let path = folder.join(format!("cut.{}", format.extension()));
        for keep in [8, 100, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..keep]).unwrap();
            let (_, error) = read(&path);
            let error = error.unwrap();
            assert!(matches!(&error, FileError::Damaged { carrier: c, .. } if *c == carrier), "{error}");
            assert!(error.to_string().contains("cut."), "{error}");
        }
    }
}

#[test]
fn lines_before_the_damage_are_handed_out() {
    let folder = folder("before_damage");
    let path = folder.join("two.ndjson.zst");
    let mut bytes = sample(&folder, Format::NdjsonZst, 10);
    let again = bytes.clone();
    bytes.extend_from_slice(&again[..again.len() - 3]);
    std::fs::write(&path, bytes).unwrap();
    let (records, error) = read(&path);
    assert!(records.len() >= 10);
    assert!(matches!(error, Some(FileError::Damaged { unit: "line", .. })));
}

/// A changed byte is found, or changed nothing: by the checksum of the lines, or of the table.
#[test]
fn changed_bytes_are_found() {
    let folder = folder("changed_bytes");
    for format in [Format::NdjsonZst, Format::Parquet] {
        let bytes = sample(&folder, format, 60);
        let path = folder.join(format!("changed.{}", format.extension()));
        let (whole, _) = read(&folder.join(format!("sample.{}", format.extension())));
        // The first bytes are the form itself.
        for place in 4..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= [0x01, 0x80, 0xff][place % 3];
            std::fs::write(&path, &changed).unwrap();
            let (records, error) = read(&path);
            assert!(error.is_some() || records == whole, "byte {place}");
        }
    }
}

/// Without a checksum, as other programs write them, a changed byte may go unnoticed; but whatever
/// its reader runs into ends in an error that names the file, never in a panic.
#[test]
fn changed_bytes_of_unsealed_tables_never_panic() {
    let folder = folder("unsealed");
    let mut bytes = sample(&folder, Format::Parquet, 60);
    let seal = bytes.windows(8).rposition(|bytes| bytes == b"plimsoll-crc32:".get(..8).unwrap());
    bytes[seal.unwrap()] = b'x';
    let path = folder.join("changed.parquet");
    for place in 4..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= [0x01, 0x80, 0xff][place % 3];
        std::fs::write(&path, &changed).unwrap();
        let (_, error) = read(&path);
        assert!(error.is_none_or(|error| error.to_string().contains("changed.parquet")));
    }
}

#[test]
fn names_may_not_promise_what_the_content_is_not() {
    let folder = folder("promises");
    for name in ["a.parquet", "a.ndjson.zst", "a.arrow"] {
        let path = folder.join(name);
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(read(&path).1, Some(FileError::NotWhatItSays { .. })));
    }
    let path = folder.join("really_parquet.ndjson");
    std::fs::write(&path, sample(&folder, Format::Parquet, 3)).unwrap();
    assert_eq!(EventFile::open(&path).unwrap().form(), Form::Parquet);
    assert_eq!(read(&path).0.len(), 3);
    assert!(matches!(read(&folder.join("missing")).1, Some(FileError::Io { .. })));
    assert!(matches!(read(&folder).1, Some(FileError::Io { .. })));
}

#[test]
fn blank_lines_are_skipped_and_counted() {
    let path = folder("blank").join("a.ndjson");
    std::fs::write(&path, b"\n{\"a\":1}\r\n \t\r\n\n{\"a\":2}").unwrap();
    let mut numbers = Vec::new();
    let mut file = EventFile::open(&path).unwrap();
    let flow = file.for_each(|record| {
        if let plimsoll_files::Record::Line { number, bytes } = record {
            numbers.push((number, String::from_utf8(bytes.to_vec()).unwrap()));
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    assert!(flow.unwrap().is_continue());
    assert_eq!(numbers, [(2, "{\"a\":1}\r".to_owned()), (5, "{\"a\":2}".to_owned())]);
    std::fs::write(&path, b"").unwrap();
    assert!(read(&path).0.is_empty());
}

#[test]
fn a_line_may_be_long_but_not_endless() {
    let path = folder("long_line").join("a.ndjson");
    let mut bytes = b"{}\n".to_vec();
    bytes.extend(std::iter::repeat_n(b' ', 3 << 20));
    bytes.extend_from_slice(b"{\"a\":1}\n{}\n");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read(&path).0.len(), 3);
    bytes.extend(std::iter::repeat_n(b'x', LINE_BYTES));
    std::fs::write(&path, &bytes).unwrap();
    let (records, error) = read(&path);
    assert_eq!(records.len(), 3);
    assert!(matches!(error, Some(FileError::LongLine { line: 4, .. })), "{error:?}");
}

/// Columns in the types that other programs write.
fn foreign() -> RecordBatch {
    let zone = "Asia/Shanghai";
    let items = |kind| Arc::new(Field::new("item", kind, true));
    let positions = StructArray::from(vec![
        (
            Arc::new(Field::new("security", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["600000.SH", "600001.SH", "600002.SH"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("quantity", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef,
        ),
    ]);
    let lists = ListArray::new(
        items(positions.data_type().clone()),
        arrow_buffer::OffsetBuffer::from_lengths([2, 1]),
        Arc::new(positions),
        None,
    );
    let pairs = FixedSizeListArray::new(
        items(DataType::Int16),
        2,
        Arc::new(Int16Array::from(vec![1, 2, 3, 4])),
        None,
    );
    let names: DictionaryArray<Int8Type> = vec![Some("x"), None].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("large", Arc::new(LargeStringArray::from(vec!["a", "b"]))),
        ("view", Arc::new(StringViewArray::from(vec!["a text longer than a view", "b"]))),
        ("names", Arc::new(names)),
        ("wide", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(7)]))),
        ("narrow", Arc::new(Int16Array::from(vec![Some(-3), None]))),
        ("price", Arc::new(Decimal128Array::from(vec![125, 1]).with_precision_and_scale(5, 1).unwrap())),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![1, i64::MAX]).with_timezone(zone))),
        ("millis", Arc::new(TimestampMillisecondArray::from(vec![1, 2]).with_timezone(zone))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![1000, 1001]).with_timezone(zone))),
        ("positions", Arc::new(lists)),
        ("pairs", Arc::new(pairs)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn ipc_files_and_streams_are_read_whatever_their_types() {
    let folder = folder("ipc");
    let batch = foreign();
    let squeezed = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let file = folder.join("a.arrow");
    let out = std::fs::File::create(&file).unwrap();
    let mut writer = FileWriter::try_new_with_options(out, batch.schema_ref(), squeezed).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let stream = folder.join("b");
    let out = std::fs::File::create(&stream).unwrap();
    let mut writer = StreamWriter::try_new(out, batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();

    for (path, form) in [(&file, Form::ArrowFile), (&stream, Form::ArrowStream)] {
        assert_eq!(EventFile::open(path).unwrap().form(), form);
        let mut seen = Vec::new();
        let mut open = EventFile::open(path).unwrap();
        let _ = open.for_each(|record| {
            if let plimsoll_files::Record::Row { fields, .. } = record {
                seen.push(format!("{fields:?}"));
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
        assert_eq!(seen.len(), 2);
        for part in [
            "(\"large\", Text(\"a\"))",
            "(\"view\", Text(\"a text longer than a view\"))",
            "(\"names\", Text(\"x\"))",
            "(\"wide\", Decimal(18446744073709551615, 0))",
            "(\"narrow\", Integer(-3))",
            "(\"price\", Decimal(125, 1))",
            "(\"seconds\", Time(1000000))",
            "(\"millis\", Time(1000))",
            "(\"nanos\", Time(1))",
            "(\"positions\", List([Object([(\"security\", Text(\"600000.SH\")), (\"quantity\", Integer(1))]), Object(",
            "(\"pairs\", List([Integer(1), Integer(2)]))",
        ] {
            assert!(seen[0].contains(part), "{part} in {}", seen[0]);
        }
        for part in [
            "(\"names\", Null)",
            "(\"wide\", Integer(7))",
            "(\"narrow\", Null)",
            "(\"seconds\", Text(",
            "(\"nanos\", Text(",
            "(\"pairs\", List([Integer(3), Integer(4)]))",
        ] {
            assert!(seen[1].contains(part), "{part} in {}", seen[1]);
        }
    }
}

#[test]
fn truncated_ipc_is_damaged() {
    let folder = folder("truncated_ipc");
    let batch = foreign();
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let path = folder.join("cut");
    for keep in 6..bytes.len() {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        assert!(matches!(read(&path).1, Some(FileError::Damaged { carrier: "Arrow", .. })));
    }
}

/// A changed byte of an Arrow file may go unnoticed, as it has no checksum; but it never ends in a
/// panic, nor in asking for memory that is not there.
#[test]
fn changed_bytes_of_ipc_never_panic() {
    let folder = folder("changed_ipc");
    let batch = foreign();
    let squeezed = |how| IpcWriteOptions::default().try_with_compression(how).unwrap();
    for how in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let (mut file, mut stream) = (Vec::new(), Vec::new());
        let schema = batch.schema_ref();
        let mut writer = FileWriter::try_new_with_options(&mut file, schema, squeezed(how)).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let mut writer = StreamWriter::try_new_with_options(&mut stream, schema, squeezed(how)).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let path = folder.join("changed");
        for bytes in [file, stream] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).0.len(), 2);
            for place in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[place] ^= [0x01, 0x80, 0xff, 0x40][place % 4];
                std::fs::write(&path, &changed).unwrap();
                let (_, error) = read(&path);
                assert!(error.is_none_or(|error| error.to_string().contains("changed")), "byte {place}");
            }
        }
    }
}

#[test]
fn columns_that_no_event_can_have_are_named() {
    let folder = folder("bad_columns");
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let nested = ListArray::from_iter_primitive::<Float64Type, _, _>(vec![Some(vec![Some(1.5)])]);
    let naive: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1]));
    let bytes: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![b"x".as_slice()]));
    let cases: [(&str, ArrayRef, &str); 4] = [
        ("price", floats, "column `price` is floating"),
        ("rates", Arc::new(nested), "column `rates` is floating"),
        ("at", naive, "column `at` is a timestamp without a zone"),
        ("id", bytes, "column `id` is of type Binary"),
    ];
    for (column, array, message) in cases {
        let path = folder.join("bad.arrow");
        let schema = Schema::new(vec![Field::new(column, array.data_type().clone(), true)]);
        let out = std::fs::File::create(&path).unwrap();
        let mut writer = FileWriter::try_new(out, &schema).unwrap();
        writer.write(&RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap()).unwrap();
        writer.finish().unwrap();
        let error = read(&path).1.unwrap().to_string();
        assert!(error.contains(message) && error.contains("bad.arrow"), "{error}");
    }
}
