//! Cells that hold a list of numbers (`"4,10,12"`), as satellite tags send them: one row for each
//! element (spec 8.4).
//!
//! Which columns are packed, and which texts are numbers, is decided over the whole file, in a pass
//! of its own; then the rows are made batch by batch.

mod detect;
mod explode;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use crds::config::{CsvConfig, VariableSchema};

use super::{CsvReader, Look, open};
use crate::read::{Input, ReadError, TableLimits, TableReader};
use detect::Detection;
use explode::{Fault, Rows};

/// What a column of the file becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    Packed,
    /// A text whose values are all integers, none missing, and that the schema wants as numbers.
    Integers,
    /// The same with other numbers, or with gaps.
    Floats,
}

/// Reads a CSV file with packed cells. Its index column comes first, and is a column like any other.
pub struct PackedReader {
    inner: CsvReader,
    /// In the order of the output: the column of the inner batch, and what it becomes.
    columns: Vec<(usize, Shape)>,
    schema: SchemaRef,
    budget: u64,
    rows: Option<Rows>,
    rows_before: u64,
}

/// Opens a CSV file with packed cells. All its columns are read, because each may decide how many rows there are.
///
/// # Errors
/// As [`open`].
pub fn open_packed(input: Input, config: &CsvConfig, schema: &[VariableSchema], limits: TableLimits) -> Result<PackedReader, ReadError> {
    // A quarter for the cells as text; what they become has the rest.
    let inner_limits = TableLimits { batch_bytes: limits.batch_bytes / 4, ..limits };
    let mut first = open(input.clone(), config, None, inner_limits, Look::Whole)?;
    let mut detection = Detection::new(first.schema(), schema);
    while let Some(batch) = first.next_batch()? {
        detection.look(&batch);
    }
    drop(first);
    let inner = open(input, config, None, inner_limits, Look::Whole)?;
    let shapes = detection.shapes();
    let index = inner.index().and_then(|name| inner.schema().index_of(name).ok());
    let order = index.into_iter().chain((0..shapes.len()).filter(|i| Some(*i) != index));
    let columns: Vec<(usize, Shape)> = order.map(|i| (i, shapes[i])).collect();
    let field = |&(i, shape): &(usize, Shape)| {
        let field = inner.schema().field(i);
        let data_type = match shape {
            Shape::Plain => field.data_type().clone(),
            Shape::Packed | Shape::Floats => DataType::Float64,
            Shape::Integers => DataType::Int64,
        };
        Field::new(field.name(), data_type, true)
    };
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    Ok(PackedReader { inner, columns, schema, budget: limits.batch_bytes / 2, rows: None, rows_before: 0 })
}

impl PackedReader {
    /// The same trouble told by line and column.
    fn located(&self, fault: Fault) -> ReadError {
        let row = self.rows_before + fault.row as u64;
        let column = Some(self.schema.field(fault.column).name().clone());
        match self.inner.line_of_row(row) {
            Ok(line) => ReadError::Csv { line, column, detail: fault.detail },
            Err(error) => error,
        }
    }
}

impl TableReader for PackedReader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn names(&self) -> &[String] {
        self.inner.names()
    }

    fn lines_left_out(&self) -> u64 {
        self.inner.lines_left_out()
    }

    fn short_lines(&self) -> Option<(u64, u64)> {
        self.inner.short_lines()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            if let Some(rows) = &mut self.rows {
                let made = rows.next(&self.schema, self.budget);
                if let Some(batch) = made.map_err(|error| ReadError::Unreadable(format!("rows of packed cells: {error}")))? {
                    return Ok(Some(batch));
                }
                self.rows_before += rows.read() as u64;
                self.rows = None;
            }
            let Some(batch) = self.inner.next_batch()? else { return Ok(None) };
            self.rows = Some(Rows::new(&batch, &self.columns).map_err(|fault| self.located(fault))?);
        }
    }
}
