//! Quotes of tables judged by column, against the same rows taken one by one and against lines:
//! whatever the columns are and hold, the epochs are the same to the last refusal.

mod common;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Int32Array, Int64Array,
    LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field, Schema};
use common::{folder, plain};
use plimsoll_files::{Chunk, EventFile};
use plimsoll_wire::door::{CutEpoch, Door};
use plimsoll_wire::quotes::Quotes;
use plimsoll_wire::value::{Columns, Fields, Value};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// 2026-01-19T09:30:00+08:00.
const OPEN_US: i64 = 1_768_786_200_000_000;
const ZONE: &str = "+08:00";

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// Once in so many.
    fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

fn texts(dice: &mut Dice, values: &[Option<String>]) -> ArrayRef {
    let all = values.iter().map(Option::as_deref);
    match dice.below(4) {
        0 => Arc::new(all.collect::<StringArray>()),
        1 => Arc::new(all.collect::<LargeStringArray>()),
        2 => Arc::new(all.collect::<StringViewArray>()),
        _ => Arc::new(all.collect::<DictionaryArray<Int32Type>>()),
    }
}

/// A column of texts, most of them good, some bad and some null.
fn words(dice: &mut Dice, rows: usize, good: &[&str], bad: &[&str], flaws: usize) -> ArrayRef {
    let values: Vec<Option<String>> = (0..rows)
        .map(|_| match dice.below(flaws) {
            0 => None,
            1 => Some(bad[dice.below(bad.len())].to_owned()),
            _ => Some(good[dice.below(good.len())].to_owned()),
        })
        .collect();
    texts(dice, &values)
}

/// A column of numbers in one of the types that carry them, with bad ones and nulls; whole ones
/// mostly as integers.
fn numbers(dice: &mut Dice, rows: usize, flaws: usize, whole: bool) -> ArrayRef {
    let mut values = |most: usize| -> Vec<Option<i64>> {
        (0..rows)
            .map(|_| match dice.below(flaws) {
                0 => None,
                1 => Some([-1, i64::MAX, 1 << 31, 123_456_789][dice.below(4)]),
                _ => Some(dice.below(most) as i64 * 100),
            })
            .collect()
    };
    let all = values(1_000);
    let scaled = |scale: i8| {
        let wide = all.iter().map(|value| value.map(i128::from)).collect::<Decimal128Array>();
        Arc::new(wide.with_precision_and_scale(38, scale).unwrap())
    };
    let of = if whole && !dice.rarely(20) { 3 } else { 8 };
    match dice.below(of) {
        0 => Arc::new(Int64Array::from(all)),
        1 => Arc::new(all.iter().map(|value| value.map(|v| v as i32)).collect::<Int32Array>()),
        2 => Arc::new(all.iter().map(|value| value.map(|v| v as u64)).collect::<UInt64Array>()),
        3 => scaled(2),
        4 => scaled(6),
        5 => {
            let text = |v: i64| format!("{}.{:02}", v / 100, (v % 100).abs());
            texts(dice, &all.iter().map(|value| value.map(text)).collect::<Vec<_>>())
        }
        _ => scaled(4),
    }
}

/// The instants of a snapshot, ascending; some of them none.
fn instants(dice: &mut Dice, rows: usize, round: usize, flaws: usize) -> ArrayRef {
    let mut at = OPEN_US + round as i64 * 60_000_000;
    let values: Vec<Option<i64>> = (0..rows)
        .map(|_| {
            at += i64::from(dice.rarely(20)) * 3_000_000;
            match dice.below(flaws * 4) {
                0 => None,
                1 => Some(at + 400 * 86_400_000_000),
                _ => Some(at),
            }
        })
        .collect();
    if dice.rarely(3) {
        let mut fine = |us: i64| us * 1000 + i64::from(dice.rarely(flaws * 4));
        let nanos = values.iter().map(|value| value.map(&mut fine)).collect::<TimestampNanosecondArray>();
        return Arc::new(nanos.with_timezone(ZONE));
    }
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone(ZONE))
}

const SECURITIES: [&str; 12] = [
    "600000.SH",
    "600001.SH",
    "600002.SH",
    "600003.SH",
    "600004.SH",
    "600005.SH",
    "000001.SZ",
    "000002.SZ",
    "000003.SZ",
    "000004.SZ",
    "830001.BJ",
    "00700.HK",
];

/// Column names of a quote that hold numbers.
const NUMBERS: [&str; 8] =
    ["price", "prev_close", "bid1", "ask1", "limit_up", "limit_down", "volume", "turnover"];

/// A column that stands where another is expected, or where none is.
fn foreign(rows: usize, dice: &mut Dice) -> ArrayRef {
    match dice.below(3) {
        0 => Arc::new(NullArray::new(rows)),
        1 => Arc::new(BooleanArray::from(vec![true; rows])),
        _ => Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some([Some(1)]); rows])),
    }
}

/// A table of quotes, in any layout: good in most rows, or bad in most of its columns.
fn table(dice: &mut Dice, round: usize, twice: bool) -> RecordBatch {
    let rows = 1 + dice.below(400);
    let flaws = [6, 60, 100_000][round % 3];
    let mut metadata: HashMap<String, String> = HashMap::new();
    let ids: Vec<Option<String>> = (0..rows).map(|row| Some(format!("q{round}-{row}"))).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("id", if dice.rarely(4) { words(dice, rows, &["x"], &[""], flaws) } else { texts(dice, &ids) }),
        ("at", instants(dice, rows, round, flaws)),
        ("security", words(dice, rows, &SECURITIES, &["", "600519", "600 519.SH", "999999.SH"], flaws)),
    ];
    if dice.rarely(2) {
        metadata.extend([("v".into(), "1".into()), ("source".into(), "feed".into())]);
    } else {
        columns.push((
            "v",
            Arc::new(Int64Array::from_iter((0..rows).map(|_| Some(if dice.rarely(flaws) { 2 } else { 1 })))),
        ));
        columns.push(("source", words(dice, rows, &["feed", "feed", "desk"], &[""], flaws)));
    }
    if dice.rarely(2) {
        metadata.insert("type".into(), "quote".into());
    } else {
        columns.push(("type", words(dice, rows, &["quote"], &["index", "mark", "other", ""], flaws)));
    }
    if dice.rarely(2) {
        columns.push(("source_seq", numbers(dice, rows, flaws, true)));
    }
    for name in NUMBERS {
        if !dice.rarely(4) {
            columns.push((name, numbers(dice, rows, flaws, name == "volume")));
        }
    }
    if !dice.rarely(3) {
        let good = ["continuous", "closed", "auction", "halted", "lunch"];
        columns.push(("phase", words(dice, rows, &good[..2], &good[2..], flaws)));
    }
    if dice.rarely(2) {
        columns.push((
            "last",
            Arc::new((0..rows).map(|_| (!dice.rarely(3)).then_some(true)).collect::<BooleanArray>()),
        ));
    }
    match dice.below(12) {
        0 => columns.push(("open_interest", foreign(rows, dice))),
        1 => {
            let at = dice.below(columns.len());
            columns[at].1 = foreign(rows, dice);
        }
        2 => drop(columns.remove(dice.below(columns.len()))),
        3 if twice => {
            let again = columns[dice.below(columns.len())].0;
            columns.push((again, numbers(dice, rows, flaws, false)));
        }
        _ => {}
    }
    for at in (1..columns.len()).rev() {
        columns.swap(at, dice.below(at + 1));
    }
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let schema = Schema::new(fields).with_metadata(metadata);
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

/// A table as a file, in two batches.
fn stored(batch: &RecordBatch, path: &Path) {
    let out = std::fs::File::create(path).unwrap();
    let mut writer = StreamWriter::try_new(out, batch.schema_ref()).unwrap();
    let half = batch.num_rows() / 2;
    writer.write(&batch.slice(0, half)).unwrap();
    writer.write(&batch.slice(half, batch.num_rows() - half)).unwrap();
    writer.finish().unwrap();
}

/// A row as a line, its fields in their order; unlike in common, a null is stated, and an integer of any size is one.
fn line(fields: &Fields<'_>) -> String {
    let json = |value: &Value<'_>| match value {
        Value::Decimal(digits, 0) => Json::from(u64::try_from(*digits).unwrap()),
        value => plain(value),
    };
    let entry = |(name, value): &(_, _)| format!("{name:?}:{}", json(value));
    format!("{{{}}}", fields.iter().map(entry).collect::<Vec<_>>().join(","))
}

/// The same events on three ways.
#[derive(Default)]
struct Ways {
    by_column: Door,
    by_row: Door,
    by_line: Door,
    cuts: [Vec<CutEpoch>; 3],
}

impl Ways {
    fn tell(&mut self, line: &str) {
        let doors = [&mut self.by_column, &mut self.by_row, &mut self.by_line];
        for (door, cuts) in doors.into_iter().zip(&mut self.cuts) {
            cuts.extend(door.line(line.as_bytes()).unwrap());
        }
    }

    fn read(&mut self, path: &Path) {
        let mut file = EventFile::open(path).unwrap();
        while let Some(chunk) = file.next_chunk().unwrap() {
            let Chunk::Rows(mut rows) = chunk else { panic!("no table") };
            let mut quotes = Quotes::of(&rows);
            for row in 0..rows.rows() {
                self.cuts[0].extend(self.by_column.row(&mut rows, &mut quotes, row));
            }
            while let Some((_, fields)) = rows.advance() {
                self.cuts[1].extend(self.by_row.record(fields));
                self.cuts[2].extend(self.by_line.line(line(fields).as_bytes()).unwrap());
            }
        }
    }

    fn finish(mut self) -> [Vec<CutEpoch>; 3] {
        let doors = [&mut self.by_column, &mut self.by_row, &mut self.by_line];
        for (door, cuts) in doors.into_iter().zip(&mut self.cuts) {
            cuts.extend(door.finish());
        }
        self.cuts
    }
}

fn make_known(ways: &mut Ways, security: &str) {
    ways.tell(&format!(
        r#"{{"v":1,"type":"security","id":"k{security}","source":"s","at":"2026-01-19T09:00:00+08:00","security":"{security}","name":"","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.7"}}"#
    ));
}

fn same_on_all_ways(seed: u64, twice: bool) {
    let folder = folder(&format!("quotes_{seed}"));
    let mut dice = Dice(seed);
    let mut ways = Ways::default();
    let path = folder.join("quotes");
    let mut unknown = SECURITIES.to_vec();
    for round in 0..120 {
        // Securities become known one after the other, between quotes that already name them.
        if round % 4 == 0 && !unknown.is_empty() {
            make_known(&mut ways, unknown.swap_remove(dice.below(unknown.len())));
        }
        stored(&table(&mut dice, round, twice), &path);
        ways.read(&path);
    }
    let [by_column, by_row, by_line] = ways.finish();
    let entries = |cuts: &[CutEpoch]| cuts.iter().map(|cut| cut.epoch.entries.len()).sum::<usize>();
    let refused: usize = by_row.iter().map(|cut| cut.details.len()).sum();
    assert!(refused > 1000 && entries(&by_row) > refused + 1000, "{refused} of {}", entries(&by_row));
    for (n, cut) in by_row.iter().enumerate() {
        assert_eq!(&by_column[n], cut, "epoch {n}, by column");
        assert!(twice || &by_line[n] == cut, "epoch {n}, by line");
    }
    assert_eq!(by_column.len(), by_row.len());
}

#[test]
fn columns_say_what_rows_and_lines_say() {
    (1..5).for_each(|seed| same_on_all_ways(seed, false));
}

/// A line would be malformed then; of a table the last column of the name counts.
#[test]
fn columns_of_one_name_say_what_rows_say() {
    (5..7).for_each(|seed| same_on_all_ways(seed, true));
}
