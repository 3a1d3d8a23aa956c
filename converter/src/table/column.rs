//! One column of the table: values at their own dimensions, repeated over the rows only when rows
//! are written.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array, UInt64Array};
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
    known: Vec<(&'a Broadcast, Lie)>,
}

/// Where the rows' values lie.
#[derive(Clone)]
enum Lie {
    Strips(Arc<[Strip]>),
    /// So scattered that they are better brought together once, before anything looks at them.
    Scattered(Arc<UInt32Array>),
}

/// Rows of a strip, on average, below which values are brought together.
const SCATTERED: usize = 8;

impl<'a> Picked<'a> {
    pub(super) fn new(ranges: &'a [Range<usize>]) -> Self {
        Self { ranges, rows: ranges.iter().map(Range::len).sum(), known: Vec::new() }
    }

    /// The cells of a column in these rows.
    ///
    /// # Errors
    /// When a row lies outside the column's values.
    pub(super) fn cells(&mut self, column: &'a Column) -> Result<Cells, WriteError> {
        let Some(Placed { array, map }) = &column.values else {
            return Ok(Cells { values: None, strips: [Strip::run(0, self.rows)].into() });
        };
        let lie = if let Some((_, lie)) = self.known.iter().find(|(known, _)| *known == map) {
            lie.clone()
        } else {
            let lie = self.lie(map);
            self.known.push((map, lie.clone()));
            lie
        };
        Ok(match lie {
            Lie::Strips(strips) => Cells { values: Some(Arc::clone(array)), strips },
            Lie::Scattered(indices) => Cells { values: Some(take(array, &*indices, None)?), strips: [Strip::slice(0, self.rows)].into() },
        })
    }

    fn lie(&self, map: &Broadcast) -> Lie {
        let mut strips = Vec::new();
        for range in self.ranges {
            map.strips(range.clone(), &mut |strip| strips.push(strip));
        }
        let ends = strips.iter().map(|strip| strip.first + strip.step * strip.rows.saturating_sub(1));
        if strips.len() * SCATTERED < self.rows || ends.max().is_none_or(|end| u32::try_from(end).is_err()) {
            return Lie::Strips(strips.into());
        }
        let indices = strips.iter().flat_map(|strip| strip.indices()).map(|index| index as u32);
        Lie::Scattered(Arc::new(UInt32Array::from_iter_values(indices)))
    }
}
