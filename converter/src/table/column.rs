//! One column of the table: values at their own dimensions, repeated over the rows only when rows
//! are written.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt64Array};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::broadcast::Broadcast;
use crate::write::{Cells, Strip, WriteError};

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
        let mut indices = Vec::with_capacity(rows);
        self.map.strips(0..rows, &mut |strip| indices.extend(strip.indices().map(|index| index as u64)));
        Ok(take(&self.array, &UInt64Array::from(indices), None)?)
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

/// Some rows of several columns: columns that lie alike in the rows share their strips.
pub(super) struct Picked<'a> {
    ranges: &'a [Range<usize>],
    rows: usize,
    known: Vec<(&'a Broadcast, Arc<[Strip]>)>,
}

impl<'a> Picked<'a> {
    pub(super) fn new(ranges: &'a [Range<usize>]) -> Self {
        Self { ranges, rows: ranges.iter().map(Range::len).sum(), known: Vec::new() }
    }

    /// The cells of a column in these rows.
    pub(super) fn cells(&mut self, column: &'a Column) -> Cells {
        let Some(Placed { array, map }) = &column.values else {
            return Cells { values: None, strips: [Strip::run(0, self.rows)].into() };
        };
        let strips = if let Some((_, strips)) = self.known.iter().find(|(known, _)| *known == map) {
            Arc::clone(strips)
        } else {
            let mut strips = Vec::new();
            for range in self.ranges {
                map.strips(range.clone(), &mut |strip| strips.push(strip));
            }
            let strips: Arc<[Strip]> = strips.into();
            self.known.push((map, Arc::clone(&strips)));
            strips
        };
        Cells { values: Some(Arc::clone(array)), strips }
    }
}
