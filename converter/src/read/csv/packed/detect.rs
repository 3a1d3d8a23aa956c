//! Which columns are packed, and which texts are numbers, over the whole file.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, SchemaRef};
use crds::config::{ColumnType, VariableSchema};

use super::super::numbers;
use super::Shape;

/// What has been seen of one text column.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
struct Seen {
    /// Decided by the first value with a comma.
    packed: Option<bool>,
    wants_numbers: bool,
    integers: bool,
    floats: bool,
    values: bool,
    gaps: bool,
}

pub(super) struct Detection {
    /// None for columns that are no text.
    columns: Vec<Option<Seen>>,
}

impl Detection {
    pub fn new(file: &SchemaRef, schema: &[VariableSchema]) -> Self {
        let wants = |name: &str| schema.iter().find(|column| column.name == name).is_some_and(|column| is_number(column.column_type));
        let seen = |wants_numbers| Seen { packed: None, wants_numbers, integers: true, floats: true, values: false, gaps: false };
        let column =
            |field: &std::sync::Arc<arrow_schema::Field>| (*field.data_type() == DataType::Utf8).then(|| seen(wants(field.name())));
        Self { columns: file.fields().iter().map(column).collect() }
    }

    pub fn look(&mut self, batch: &RecordBatch) {
        for (seen, column) in self.columns.iter_mut().zip(batch.columns()) {
            if let (Some(seen), Some(texts)) = (seen, column.as_string_opt::<i32>()) {
                seen.look(texts);
            }
        }
    }

    pub fn shapes(&self) -> Vec<Shape> {
        self.columns.iter().map(|seen| seen.map_or(Shape::Plain, Seen::shape)).collect()
    }
}

impl Seen {
    fn look(&mut self, texts: &StringArray) {
        self.gaps |= texts.null_count() > 0;
        if self.packed.is_some() && !(self.wants_numbers && self.floats) {
            return;
        }
        for text in texts.iter().flatten() {
            self.values = true;
            if self.packed.is_none() && memchr::memchr(b',', text.as_bytes()).is_some() {
                self.packed = Some(parts(text).all(|part| number(part).is_some()));
            }
            if self.wants_numbers && self.floats {
                self.integers &= numbers::pandas_integer(text.as_bytes(), None, i64::MIN.into(), i64::MAX.into()).is_ok();
                self.floats &= numbers::pandas_float(text.as_bytes(), b'.', None).is_some();
            }
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self { packed: Some(true), .. } => Shape::Packed,
            Self { wants_numbers: true, floats: true, values: true, integers: true, gaps: false, .. } => Shape::Integers,
            Self { wants_numbers: true, floats: true, values: true, .. } => Shape::Floats,
            _ => Shape::Plain,
        }
    }
}

fn is_number(column_type: ColumnType) -> bool {
    !matches!(
        column_type,
        ColumnType::Utf8
            | ColumnType::Binary
            | ColumnType::Bool
            | ColumnType::TimestampNs
            | ColumnType::TimestampMs
            | ColumnType::DurationNs
            | ColumnType::Date32
            | ColumnType::Time32S
            | ColumnType::Time64Us
            | ColumnType::ListUtf8
    )
}

/// The elements of a packed cell; blank ones do not count.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// An element, correctly rounded as Python's `float` does it.
pub(super) fn number(part: &str) -> Option<f64> {
    part.parse().ok()
}
