//! Columns of a batch as values of the wire. What a column is, is found out once a batch.

use crate::error::FileError;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray, UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};
use plimsoll_wire::value::{Fields, Value};
use std::borrow::Cow;
use std::ops::Range;

/// What a time carries that no microsecond can state; no parser takes it for a time.
const NO_TIME: &str = "a timestamp finer than microseconds or out of range";

/// A column whose type is known.
pub enum Column {
    Null,
    Bool(BooleanArray),
    Integer(Int64Array),
    Wide(UInt64Array),
    Decimal(Decimal128Array, u8),
    Text(StringArray),
    LargeText(LargeStringArray),
    ViewText(StringViewArray),
    /// Keys, and the column of the values they stand for.
    Dictionary(Int64Array, Box<Column>),
    Time(Int64Array, TimeUnit),
    Date(Date32Array),
    /// Where each list ends (the first entry: where the first begins), and the items of all.
    List(Vec<usize>, Option<NullBuffer>, Box<Column>),
    Object(Vec<(String, Column)>, Option<NullBuffer>),
}

/// Names what is being resolved, for errors.
pub struct Place<'a> {
    pub file: &'a str,
    pub column: String,
}

impl Place<'_> {
    fn inner(&self, name: &str) -> Self {
        Place { file: self.file, column: format!("{}.{name}", self.column) }
    }

    fn unfit(&self, kind: &DataType) -> FileError {
        let (file, column) = (self.file.to_owned(), self.column.clone());
        FileError::ColumnType { file, column, kind: kind.to_string() }
    }
}

impl Column {
    /// Resolves a column.
    pub fn of(array: &ArrayRef, place: &Place<'_>) -> Result<Self, FileError> {
        let (file, column) = (place.file, &place.column);
        let resolved = match array.data_type() {
            DataType::Null => Column::Null,
            DataType::Boolean => Column::Bool(array.as_boolean().clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                return Err(FileError::Floating { file: file.into(), column: column.clone() });
            }
            DataType::UInt64 => Column::Wide(array.as_primitive::<UInt64Type>().clone()),
            kind if kind.is_integer() => {
                Column::Integer(primitive::<Int64Type>(array, &DataType::Int64, place)?)
            }
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale) => {
                let digits = u8::try_from(*scale).map_err(|_| place.unfit(array.data_type()))?;
                let wide = DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale);
                // A cast checks every value against the precision; a column of the width needs none.
                let array = match array.data_type() {
                    DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().clone(),
                    _ => primitive::<Decimal128Type>(array, &wide, place)?,
                };
                Column::Decimal(array, digits)
            }
            DataType::Utf8 => Column::Text(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Column::LargeText(array.as_string::<i64>().clone()),
            DataType::Utf8View => Column::ViewText(array.as_string_view().clone()),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let keys =
                    cast(dictionary.keys(), &DataType::Int64).map_err(|_| place.unfit(array.data_type()))?;
                let values = Column::of(dictionary.values(), place)?;
                Column::Dictionary(keys.as_primitive::<Int64Type>().clone(), Box::new(values))
            }
            DataType::Timestamp(_, None) => {
                return Err(FileError::NoZone { file: file.into(), column: column.clone() });
            }
            DataType::Timestamp(unit, Some(_)) => Column::Time(ticks(array, *unit), *unit),
            DataType::Date32 => Column::Date(array.as_primitive::<Date32Type>().clone()),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => list(array, place)?,
            DataType::Struct(fields) => {
                let array = array.as_struct();
                let columns = fields.iter().zip(array.columns()).map(|(field, column)| {
                    Ok((field.name().clone(), Column::of(column, &place.inner(field.name()))?))
                });
                Column::Object(columns.collect::<Result<_, FileError>>()?, array.nulls().cloned())
            }
            other => return Err(place.unfit(other)),
        };
        // A column that says nothing in this batch need not be asked in every row.
        let silent = !array.is_empty() && array.null_count() == array.len();
        Ok(if silent { Column::Null } else { resolved })
    }

    /// Puts the value in a row into `into`. Lists and objects that stand there from a row before
    /// are written over: their memory and the names of their fields stay.
    #[inline]
    pub fn put<'a>(&'a self, row: usize, into: &mut Value<'a>) {
        match self {
            Column::List(ends, nulls, items) => {
                if is_null(nulls.as_ref(), row) {
                    *into = Value::Null;
                } else {
                    put_list(items, ends[row]..ends[row + 1], into);
                }
            }
            Column::Object(columns, nulls) => {
                if is_null(nulls.as_ref(), row) {
                    *into = Value::Null;
                } else {
                    put_object(columns, row, into);
                }
            }
            _ => *into = self.scalar(row),
        }
    }

    /// Hands over the values in some rows; of a list or an object, that it is one.
    #[inline]
    pub fn each(&self, rows: Range<usize>, mut take: impl FnMut(&Value<'_>)) {
        match self {
            Column::List(..) | Column::Object(..) => rows.for_each(|_| take(&Value::List(Vec::new()))),
            Column::Null => rows.for_each(|_| take(&Value::Null)),
            // For these, what the column is need not be asked again in every row.
            Column::Decimal(array, scale) => {
                numbers(array, rows, |value| take(&value.map_or(Value::Null, |v| Value::Decimal(v, *scale))));
            }
            Column::Integer(array) => {
                numbers(array, rows, |value| take(&value.map_or(Value::Null, Value::Integer)));
            }
            Column::Time(array, unit) => numbers(array, rows, |ticks| take(&time(ticks, *unit))),
            _ => rows.for_each(|row| take(&self.scalar(row))),
        }
    }

    /// The text in a row, where it is one.
    #[inline]
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Column::Text(array) => array.is_valid(row).then(|| array.value(row)),
            Column::Dictionary(keys, values) => {
                number(keys, row).and_then(|key| usize::try_from(key).ok()).and_then(|key| values.text(key))
            }
            _ => match self.scalar(row) {
                Value::Text(Cow::Borrowed(text)) => Some(text),
                _ => None,
            },
        }
    }

    #[inline]
    fn scalar(&self, row: usize) -> Value<'_> {
        match self {
            Column::Null | Column::List(..) | Column::Object(..) => Value::Null,
            Column::Bool(array) => {
                if array.is_null(row) {
                    Value::Null
                } else {
                    Value::Bool(array.value(row))
                }
            }
            Column::Integer(array) => number(array, row).map_or(Value::Null, Value::Integer),
            // What no signed integer holds still reads as a number, and is out of every bound.
            Column::Wide(array) => match number(array, row) {
                None => Value::Null,
                Some(value) => {
                    i64::try_from(value).map_or(Value::Decimal(i128::from(value), 0), Value::Integer)
                }
            },
            Column::Decimal(array, scale) => {
                number(array, row).map_or(Value::Null, |value| Value::Decimal(value, *scale))
            }
            Column::Text(array) => text(array.is_null(row), || array.value(row)),
            Column::LargeText(array) => text(array.is_null(row), || array.value(row)),
            Column::ViewText(array) => text(array.is_null(row), || array.value(row)),
            Column::Dictionary(keys, values) => number(keys, row)
                .and_then(|key| usize::try_from(key).ok())
                .map_or(Value::Null, |key| values.scalar(key)),
            Column::Time(array, unit) => time(number(array, row), *unit),
            Column::Date(array) => number(array, row).map_or(Value::Null, Value::Date),
        }
    }
}

fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(row))
}

fn put_list<'a>(items: &'a Column, range: Range<usize>, into: &mut Value<'a>) {
    if !matches!(into, Value::List(_)) {
        *into = Value::List(Vec::new());
    }
    if let Value::List(list) = into {
        list.resize(range.len(), Value::Null);
        range.zip(list).for_each(|(item, into)| items.put(item, into));
    }
}

fn put_object<'a>(columns: &'a [(String, Column)], row: usize, into: &mut Value<'a>) {
    if !matches!(into, Value::Object(_)) {
        *into = Value::Object(named(columns));
    }
    if let Value::Object(fields) = into {
        columns.iter().zip(fields).for_each(|((_, column), (_, into))| column.put(row, into));
    }
}

/// Fields with the names of columns, their values to come.
pub fn named(columns: &[(String, Column)]) -> Fields<'_> {
    columns.iter().map(|(name, _)| (Cow::Borrowed(name.as_str()), Value::Null)).collect()
}

#[inline]
fn number<T: ArrowPrimitiveType>(array: &arrow_array::PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

/// Hands over the numbers in some rows; where none is null, none is asked for it.
#[inline]
fn numbers<T: ArrowPrimitiveType>(
    array: &arrow_array::PrimitiveArray<T>,
    rows: Range<usize>,
    mut take: impl FnMut(Option<T::Native>),
) {
    if array.null_count() == 0 {
        array.values()[rows].iter().for_each(|&value| take(Some(value)));
    } else {
        rows.for_each(|row| take(number(array, row)));
    }
}

#[inline]
fn text<'a>(null: bool, value: impl FnOnce() -> &'a str) -> Value<'a> {
    if null { Value::Null } else { Value::Text(Cow::Borrowed(value())) }
}

fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    kind: &DataType,
    place: &Place<'_>,
) -> Result<arrow_array::PrimitiveArray<T>, FileError> {
    let array = cast(array, kind).map_err(|_| place.unfit(array.data_type()))?;
    Ok(array.as_primitive::<T>().clone())
}

fn ticks(array: &ArrayRef, unit: TimeUnit) -> Int64Array {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().reinterpret_cast(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().reinterpret_cast(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().reinterpret_cast(),
    }
}

#[inline]
fn time<'a>(ticks: Option<i64>, unit: TimeUnit) -> Value<'a> {
    let stated = |ticks| micros(ticks, unit).map_or(Value::Text(Cow::Borrowed(NO_TIME)), Value::Time);
    ticks.map_or(Value::Null, stated)
}

/// Microseconds of a timestamp, where they state it exactly.
fn micros(ticks: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => ticks.checked_mul(1_000_000),
        TimeUnit::Millisecond => ticks.checked_mul(1000),
        TimeUnit::Microsecond => Some(ticks),
        TimeUnit::Nanosecond => (ticks % 1000 == 0).then_some(ticks / 1000),
    }
}

fn list(array: &ArrayRef, place: &Place<'_>) -> Result<Column, FileError> {
    // Offsets of a valid array are ascending and not negative.
    let (ends, items): (Vec<usize>, &ArrayRef) = match array.data_type() {
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            (lists.value_offsets().iter().map(|&end| end as usize).collect(), lists.values())
        }
        DataType::FixedSizeList(_, length) => {
            let length = *length as usize;
            let lists = array.as_fixed_size_list();
            ((0..=array.len()).map(|row| row * length).collect(), lists.values())
        }
        _ => {
            let lists = array.as_list::<i32>();
            (lists.value_offsets().iter().map(|&end| end as usize).collect(), lists.values())
        }
    };
    Ok(Column::List(ends, array.nulls().cloned(), Box::new(Column::of(items, place)?)))
}
