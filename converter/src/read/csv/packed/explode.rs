//! One row for each element of the packed cells of a row.

use std::sync::Arc;

use arrow_array::builder::Float64Builder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::take::take;

use super::super::numbers;
use super::Shape;
use super::detect::{number, parts};

/// A row that cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// In the batch.
    pub row: usize,
    /// In the output.
    pub column: usize,
    pub detail: String,
}

/// The elements of a packed column, row after row.
struct Lists {
    /// Where each row's elements begin; one more than there are rows.
    starts: Vec<usize>,
    values: Vec<f64>,
}

enum Source {
    /// Repeated for each element.
    Scalar(ArrayRef),
    Packed(Lists),
}

/// The rows that a batch becomes, and how far they are made.
pub(super) struct Rows {
    sources: Vec<Source>,
    /// Rows that each row of the batch becomes, at least 1.
    lengths: Vec<usize>,
    /// Bytes that one row of scalars takes.
    sizes: Vec<u64>,
    row: usize,
    element: usize,
}

impl Rows {
    pub fn new(batch: &RecordBatch, columns: &[(usize, Shape)]) -> Result<Self, Fault> {
        let mut sources = Vec::with_capacity(columns.len());
        let mut counts: Vec<Option<(usize, usize)>> = vec![None; batch.num_rows()];
        let mut sizes = vec![9 * columns.len() as u64; batch.num_rows()];
        for (column, &(index, shape)) in columns.iter().enumerate() {
            let array = batch.column(index);
            let source = match (shape, array.as_string_opt::<i32>()) {
                (Shape::Packed, Some(texts)) => {
                    let lists = lists(texts).map_err(|(row, detail)| Fault { row, column, detail })?;
                    agree(texts, &lists, column, columns, batch, &mut counts)?;
                    Source::Packed(lists)
                }
                (Shape::Integers, Some(texts)) => Source::Scalar(Arc::new(integers(texts))),
                (Shape::Floats, Some(texts)) => Source::Scalar(Arc::new(floats(texts))),
                (_, texts) => {
                    for (size, text) in sizes.iter_mut().zip(texts.into_iter().flatten()) {
                        *size += text.map_or(0, str::len) as u64;
                    }
                    Source::Scalar(Arc::clone(array))
                }
            };
            sources.push(source);
        }
        let lengths = counts.into_iter().map(|count| count.map_or(1, |(length, _)| length.max(1))).collect();
        Ok(Self { sources, lengths, sizes, row: 0, element: 0 })
    }

    /// Rows of the batch that are done.
    pub fn read(&self) -> usize {
        self.row
    }

    /// The next rows, as many as the memory allows; none at the end of the batch.
    pub fn next(&mut self, schema: &SchemaRef, budget: u64) -> Result<Option<RecordBatch>, ArrowError> {
        let (start, mut taken, mut size) = ((self.row, self.element), Vec::new(), 0);
        while self.row < self.lengths.len() && (taken.is_empty() || size < budget) {
            taken.push(self.row as u32);
            size += self.sizes[self.row];
            self.element += 1;
            if self.element == self.lengths[self.row] {
                (self.row, self.element) = (self.row + 1, 0);
            }
        }
        if taken.is_empty() {
            return Ok(None);
        }
        let rows = UInt32Array::from(taken);
        let columns = self.sources.iter().map(|source| match source {
            Source::Scalar(array) => take(array, &rows, None),
            Source::Packed(lists) => Ok(Arc::new(lists.elements(rows.values(), start)) as ArrayRef),
        });
        RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?).map(Some)
    }
}

impl Lists {
    /// The elements for some rows, the first of them from an element on.
    fn elements(&self, rows: &[u32], (first, from): (usize, usize)) -> Float64Array {
        let mut values = Float64Builder::with_capacity(rows.len());
        let (mut row, mut element) = (first, from);
        for &next in rows {
            if next as usize != row {
                (row, element) = (next as usize, 0);
            }
            let list = &self.values[self.starts[row]..self.starts[row + 1]];
            // A gap is NaN in the incumbent.
            values.append_option(list.get(element).copied().filter(|value| !value.is_nan()));
            element += 1;
        }
        values.finish()
    }
}

fn lists(texts: &StringArray) -> Result<Lists, (usize, String)> {
    let (mut starts, mut values) = (vec![0], Vec::new());
    for (row, text) in texts.iter().enumerate() {
        for part in parts(text.unwrap_or_default()) {
            let value = number(part).ok_or_else(|| {
                let shown: String = part.chars().take(80).collect();
                (row, format!("{shown:?} is no number, and the other cells of this column are lists of numbers"))
            })?;
            values.push(value);
        }
        starts.push(values.len());
    }
    Ok(Lists { starts, values })
}

/// All packed cells of a row have the same length.
fn agree(
    texts: &StringArray,
    lists: &Lists,
    column: usize,
    columns: &[(usize, Shape)],
    batch: &RecordBatch,
    counts: &mut [Option<(usize, usize)>],
) -> Result<(), Fault> {
    for (row, count) in counts.iter_mut().enumerate().filter(|(row, _)| texts.is_valid(*row)) {
        let length = lists.starts[row + 1] - lists.starts[row];
        match *count {
            None => *count = Some((length, column)),
            Some((other, _)) if other == length => {}
            Some((other, at)) => {
                let name = batch.schema().field(columns[at].0).name().clone();
                let detail = format!("{length} elements, and {other} in column {name:?}: the lists of a row must have one length");
                return Err(Fault { row, column, detail });
            }
        }
    }
    Ok(())
}

fn integers(texts: &StringArray) -> Int64Array {
    let one = |text: &str| numbers::pandas_integer(text.as_bytes(), None, i64::MIN.into(), i64::MAX.into()).ok();
    texts.iter().map(|text| text.and_then(one).and_then(|value| i64::try_from(value).ok())).collect()
}

fn floats(texts: &StringArray) -> Float64Array {
    texts.iter().map(|text| text.and_then(|text| numbers::pandas_float(text.as_bytes(), b'.', None))).collect()
}
