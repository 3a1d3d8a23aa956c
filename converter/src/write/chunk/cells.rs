//! Values of a column and the rows they stand in.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt64Array, new_null_array};
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;

/// Consecutive rows that take `values[first]`, `values[first + step]`, … With a step of 0 they are all
/// the same, which costs as little as one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strip {
    pub first: usize,
    pub step: usize,
    pub rows: usize,
}

impl Strip {
    /// The same value in all rows.
    #[must_use]
    pub fn run(first: usize, rows: usize) -> Self {
        Self { first, step: 0, rows }
    }

    /// Values as they follow each other.
    #[must_use]
    pub fn slice(first: usize, rows: usize) -> Self {
        Self { first, step: 1, rows }
    }

    pub fn indices(self) -> impl Iterator<Item = usize> {
        (0..self.rows).map(move |row| self.first + row * self.step)
    }
}

/// Consecutive rows of one column.
#[derive(Clone, Debug)]
pub struct Cells {
    /// None: null in every row.
    pub values: Option<ArrayRef>,
    pub strips: Arc<[Strip]>,
}

impl Cells {
    #[must_use]
    pub fn rows(&self) -> usize {
        self.strips.iter().map(|strip| strip.rows).sum()
    }

    /// Some of the rows.
    #[must_use]
    pub fn slice(&self, start: usize, rows: usize) -> Self {
        let (mut skip, mut left) = (start, rows);
        let part = |strip: &Strip| {
            let from = skip.min(strip.rows);
            let rows = left.min(strip.rows - from);
            (skip, left) = (skip - from, left - rows);
            (rows > 0).then(|| Strip { first: strip.first + from * strip.step, rows, ..*strip })
        };
        Self { values: self.values.clone(), strips: self.strips.iter().filter_map(part).collect() }
    }

    /// One value a row.
    ///
    /// # Errors
    /// When the strips lead outside the values.
    pub fn expanded(&self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        match (&self.values, &*self.strips) {
            (None, _) => Ok(new_null_array(data_type, self.rows())),
            (Some(values), &[Strip { first, step: 1, rows }]) if first + rows <= values.len() => Ok(values.slice(first, rows)),
            (Some(values), strips) => {
                let indices = strips.iter().flat_map(|strip| strip.indices()).map(|index| index as u64);
                take(values, &UInt64Array::from_iter_values(indices), None)
            }
        }
    }
}
