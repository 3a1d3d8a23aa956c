//! One column of the table: values at their own dimensions, repeated over the rows only when rows
//! are written.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, UInt64Array, new_null_array};
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;

use super::shape::Broadcast;
use crate::write::WriteError;

/// Values and how they lie in the rows.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) array: ArrayRef,
    pub(super) map: Broadcast,
}

impl Placed {
    pub(super) fn constant(array: ArrayRef) -> Self {
        Self { array, map: Broadcast::scalar() }
    }

    /// One value for each of all `rows`.
    pub(super) fn expanded(self, rows: usize) -> Result<ArrayRef, WriteError> {
        if self.map.is_identity() {
            return Ok(self.array);
        }
        let indices = UInt64Array::from_iter_values((0..rows).map(|row| self.map.index(row) as u64));
        Ok(take(&self.array, &indices, None)?)
    }
}

/// A column of the data file.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) data_type: DataType,
    /// None: null in every row.
    pub(super) values: Option<Placed>,
}

impl Column {
    /// The column's values in the given rows. Text that repeats comes as a dictionary.
    pub(super) fn rows(&self, ranges: &[Range<usize>]) -> Result<ArrayRef, ArrowError> {
        let count = ranges.iter().map(Range::len).sum();
        let Some(Placed { array, map }) = &self.values else { return Ok(new_null_array(&self.data_type, count)) };
        let is_text = matches!(array.data_type(), DataType::Utf8 | DataType::Binary);
        if map.is_scalar() {
            return if array.is_null(0) {
                Ok(new_null_array(&self.data_type, count))
            } else if is_text {
                dictionary(array, vec![0; count])
            } else {
                take(array, &UInt64Array::from(vec![0; count]), None)
            };
        }
        if map.is_identity() {
            if let [range] = ranges {
                return Ok(array.slice(range.start, range.len()));
            }
            return take(array, &UInt64Array::from_iter_values(ranges.iter().cloned().flatten().map(|row| row as u64)), None);
        }
        let indices = ranges.iter().cloned().flatten().map(|row| map.index(row));
        if is_text && array.null_count() == 0 && i32::try_from(array.len()).is_ok() {
            return dictionary(array, indices.map(|i| i as i32).collect());
        }
        take(array, &UInt64Array::from_iter_values(indices.map(|i| i as u64)), None)
    }
}

fn dictionary(values: &ArrayRef, keys: Vec<i32>) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), Arc::clone(values))?))
}
