//! Rows as columns of a table.

use super::json;
use crate::rows::{Cell, Field, Kind, Row, Sink, Stamp};
use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::NullBufferBuilder;
use arrow_buffer::OffsetBuffer;
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Field as ArrowField, Fields, TimeUnit};
use std::sync::Arc;

/// The market's zone, as every table states it.
const ZONE: &str = "+08:00";

/// The column type of a kind.
fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Line => DataType::Utf8,
        Kind::Name => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Bool => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Price | Kind::Money | Kind::Fine => {
            let (precision, scale) = kind.decimal().unwrap_or((18, 4));
            DataType::Decimal128(precision, scale as i8)
        }
        Kind::Date => DataType::Date32,
        Kind::Names => DataType::List(item(DataType::Utf8)),
        Kind::Dates => DataType::List(item(DataType::Date32)),
        Kind::Rows(fields) => DataType::List(item(DataType::Struct(arrow_fields(fields)))),
    }
}

fn item(kind: DataType) -> Arc<ArrowField> {
    Arc::new(ArrowField::new("item", kind, false))
}

fn arrow_fields(fields: &[Field]) -> Fields {
    fields.iter().map(|field| ArrowField::new(field.name, data_type(field.kind), true)).collect()
}

/// The columns of a table of events with these fields: the envelope's, then the event's.
pub fn schema_fields(fields: &'static [Field], numbered: bool) -> Fields {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into()));
    let mut all = vec![
        Arc::new(ArrowField::new("id", DataType::Utf8, false)),
        Arc::new(ArrowField::new("at", zoned, false)),
    ];
    if numbered {
        all.push(Arc::new(ArrowField::new("source_seq", DataType::Int64, true)));
    }
    all.extend(arrow_fields(fields).iter().cloned());
    all.into()
}

/// The columns of rows that are being gathered.
struct Columns {
    columns: Vec<Column>,
}

impl Columns {
    fn new(fields: &'static [Field]) -> Self {
        Columns { columns: fields.iter().map(|field| Column::new(field.kind)).collect() }
    }

    fn push(&mut self, row: &dyn Row) {
        row.visit(&mut Next { columns: self.columns.iter_mut() });
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.columns.iter_mut().map(Column::finish).collect()
    }
}

/// Hands each cell to the next column.
struct Next<'a> {
    columns: std::slice::IterMut<'a, Column>,
}

impl Sink for Next<'_> {
    fn cell(&mut self, _field: &'static Field, cell: Cell<'_>) {
        if let Some(column) = self.columns.next() {
            column.push(cell);
        }
    }
}

/// A column that is being gathered.
enum Column {
    Text(StringBuilder),
    Name(StringDictionaryBuilder<Int32Type>),
    Bool(BooleanBuilder),
    Integer(Int64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Names(List<StringBuilder>),
    Dates(List<Date32Builder>),
    Rows(List<Columns>, Fields),
}

impl Column {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Line => Column::Text(StringBuilder::new()),
            Kind::Name => Column::Name(StringDictionaryBuilder::new()),
            Kind::Bool => Column::Bool(BooleanBuilder::new()),
            Kind::Integer => Column::Integer(Int64Builder::new()),
            Kind::Price | Kind::Money | Kind::Fine => {
                Column::Decimal(Decimal128Builder::new().with_data_type(data_type(kind)))
            }
            Kind::Date => Column::Date(Date32Builder::new()),
            Kind::Names => Column::Names(List::new(StringBuilder::new())),
            Kind::Dates => Column::Dates(List::new(Date32Builder::new())),
            Kind::Rows(fields) => Column::Rows(List::new(Columns::new(fields)), arrow_fields(fields)),
        }
    }

    /// Appends a cell; one of another kind than the column's cannot come from a row.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Column::Text(column), Cell::Text(text)) => column.append_value(text),
            (Column::Text(column), Cell::Line(line)) => {
                let mut out = Vec::new();
                json::line(line, &mut out);
                column.append_value(String::from_utf8_lossy(&out));
            }
            (Column::Text(column), _) => column.append_null(),
            (Column::Name(column), Cell::Text(text)) => column.append_value(text),
            (Column::Name(column), _) => column.append_null(),
            (Column::Bool(column), Cell::Bool(value)) => column.append_value(value),
            (Column::Bool(column), _) => column.append_null(),
            (Column::Integer(column), Cell::Number(value)) => column.append_value(value),
            (Column::Integer(column), _) => column.append_null(),
            (Column::Decimal(column), Cell::Number(value)) => {
                column.append_value(i128::from(value));
            }
            (Column::Decimal(column), _) => column.append_null(),
            (Column::Date(column), Cell::Date(date)) => column.append_value(date.0),
            (Column::Date(column), _) => column.append_null(),
            (Column::Names(list), Cell::Names(names)) => {
                names.iter().for_each(|name| list.items.append_value(name));
                list.close(names.len(), true);
            }
            (Column::Names(list), _) => list.close(0, false),
            (Column::Dates(list), Cell::Dates(dates)) => {
                dates.iter().for_each(|date| list.items.append_value(date.0));
                list.close(dates.len(), true);
            }
            (Column::Dates(list), _) => list.close(0, false),
            (Column::Rows(list, _), Cell::Rows(rows)) => {
                (0..rows.count()).for_each(|index| list.items.push(rows.row(index)));
                list.close(rows.count(), true);
            }
            (Column::Rows(list, _), _) => list.close(0, false),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Column::Text(column) => Arc::new(column.finish()),
            Column::Name(column) => Arc::new(column.finish()),
            Column::Bool(column) => Arc::new(column.finish()),
            Column::Integer(column) => Arc::new(column.finish()),
            Column::Decimal(column) => Arc::new(column.finish()),
            Column::Date(column) => Arc::new(column.finish()),
            Column::Names(list) => {
                let items = Arc::new(list.items.finish());
                list.finish(item(DataType::Utf8), items)?
            }
            Column::Dates(list) => {
                let items = Arc::new(list.items.finish());
                list.finish(item(DataType::Date32), items)?
            }
            Column::Rows(list, fields) => {
                let columns = list.items.finish()?;
                let items = StructArray::try_new(fields.clone(), columns, None)?;
                list.finish(item(DataType::Struct(fields.clone())), Arc::new(items))?
            }
        })
    }
}

/// A column of lists: the items of all of them and where each ends.
struct List<T> {
    items: T,
    lengths: Vec<usize>,
    present: NullBufferBuilder,
}

impl<T> List<T> {
    fn new(items: T) -> Self {
        List { items, lengths: Vec::new(), present: NullBufferBuilder::new(0) }
    }

    fn close(&mut self, length: usize, present: bool) {
        self.lengths.push(length);
        self.present.append(present);
    }

    fn finish(&mut self, item: Arc<ArrowField>, items: ArrayRef) -> Result<ArrayRef, ArrowError> {
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        let array = ListArray::try_new(item, offsets, items, self.present.finish())?;
        Ok(Arc::new(array))
    }
}

/// A batch of events that is being gathered.
pub struct Batch {
    id: StringBuilder,
    at: TimestampMicrosecondBuilder,
    source_seq: Option<Int64Builder>,
    columns: Columns,
    rows: usize,
}

impl Batch {
    /// An empty batch of events with these fields.
    pub fn new(fields: &'static [Field], numbered: bool) -> Self {
        Batch {
            id: StringBuilder::new(),
            at: TimestampMicrosecondBuilder::new().with_timezone(ZONE),
            source_seq: numbered.then(Int64Builder::new),
            columns: Columns::new(fields),
            rows: 0,
        }
    }

    /// How many events are in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends an event.
    pub fn push(&mut self, stamp: &Stamp<'_>, row: &dyn Row) {
        self.id.append_value(stamp.id);
        self.at.append_value(stamp.at.0);
        if let Some(column) = &mut self.source_seq {
            column.append_option(stamp.source_seq.and_then(|number| i64::try_from(number).ok()));
        }
        self.columns.push(row);
        self.rows += 1;
    }

    /// The columns gathered so far, in the order of [`schema_fields`]; the batch is empty again.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(self.id.finish()), Arc::new(self.at.finish())];
        if let Some(column) = &mut self.source_seq {
            arrays.push(Arc::new(column.finish()));
        }
        arrays.extend(self.columns.finish()?);
        self.rows = 0;
        Ok(arrays)
    }
}
