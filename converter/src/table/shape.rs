//! How N-dimensional variables lie in the rows of a table.
//!
//! The rows are the Cartesian product of the axes, first axis slowest, and each variable is repeated
//! over the others. An axis may carry other dimensions: the sample axis of a ragged array has a
//! profile for each sample, and a profile a station (CF 9.3). A variable on such an instance
//! dimension is found through that index.
//!
//! A table too large for memory is cut into slabs: boxes of consecutive rows.

use std::ops::Range;
use std::sync::Arc;

use super::FileError;
use super::broadcast::{Broadcast, Gather};

/// One dimension of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// Position among the reader's dimensions.
    pub(super) dimension: usize,
    pub(super) length: usize,
    /// Dimensions whose position follows from the position on this axis.
    pub(super) instances: Vec<Instances>,
}

/// For each position on an axis the position on an instance dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instances {
    pub(super) dimension: usize,
    pub(super) length: usize,
    /// [`NO_INSTANCE`](crate::cf::geometry::NO_INSTANCE) where there is none.
    pub(super) of: Arc<Vec<u32>>,
}

impl Axis {
    pub(super) fn new(dimension: usize, length: usize) -> Self {
        Self { dimension, length, instances: Vec::new() }
    }
}

/// The axes of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) axes: Vec<Axis>,
    pub(super) rows: usize,
}

impl Shape {
    pub(super) fn new(axes: Vec<Axis>) -> Result<Self, FileError> {
        let rows = axes.iter().try_fold(1usize, |rows, axis| rows.checked_mul(axis.length)).ok_or(FileError::TooManyRows)?;
        Ok(Self { axes, rows })
    }

    /// The axis a dimension belongs to, itself or by its instances.
    pub(super) fn axis_of(&self, dimension: usize) -> Option<usize> {
        self.axes.iter().position(|axis| axis.dimension == dimension || axis.instances.iter().any(|i| i.dimension == dimension))
    }

    /// The axis that slabs cut: all before it are taken one position at a time.
    fn cut_axis(&self, most_rows: usize) -> usize {
        let mut inner = 1usize;
        for (position, axis) in self.axes.iter().enumerate().rev() {
            inner = inner.saturating_mul(axis.length);
            if inner > most_rows {
                return position;
            }
        }
        0
    }

    /// Consecutive boxes of at most about `most_rows` rows, their edges on multiples of `step`
    /// positions of the axis that is cut where that many fit.
    pub(super) fn slabs(&self, most_rows: usize, step: impl Fn(usize) -> usize) -> Slabs {
        if self.rows <= most_rows || self.axes.is_empty() {
            return Slabs { shape: self.clone(), cut: 0, positions: self.axes.first().map_or(1, |axis| axis.length.max(1)), next: Some(0) };
        }
        let cut = self.cut_axis(most_rows.max(1));
        let inner: usize = self.axes[cut + 1..].iter().map(|axis| axis.length).product();
        let fitting = (most_rows / inner.max(1)).max(1);
        let step = step(self.axes[cut].dimension).max(1);
        let positions = if fitting >= step { fitting / step * step } else { fitting };
        Slabs { shape: self.clone(), cut, positions, next: Some(0) }
    }
}

/// The slabs of a table, in row order.
#[derive(Clone, Debug)]
pub(super) struct Slabs {
    shape: Shape,
    cut: usize,
    /// Positions of the cut axis in one slab.
    positions: usize,
    /// The position to go on from: all axes up to the cut one, as one number.
    next: Option<usize>,
}

impl Slabs {
    /// Steps of the axes before the cut one.
    fn outer(&self) -> usize {
        self.shape.axes[..self.cut].iter().map(|axis| axis.length).product()
    }
}

impl Iterator for Slabs {
    type Item = Slab;

    fn next(&mut self) -> Option<Slab> {
        let at = self.next?;
        let length = self.shape.axes.get(self.cut).map_or(1, |axis| axis.length);
        let total = self.outer().saturating_mul(length);
        if at >= total {
            return None;
        }
        let start = at % length.max(1);
        let end = length.min(start.saturating_add(self.positions));
        self.next = Some(at + (end - start));
        let mut outer = at / length.max(1);
        let mut ranges: Vec<Range<usize>> = self.shape.axes.iter().map(|axis| 0..axis.length).collect();
        for axis in (0..self.cut).rev() {
            let position = outer % self.shape.axes[axis].length;
            ranges[axis] = position..position + 1;
            outer /= self.shape.axes[axis].length;
        }
        if let Some(range) = ranges.get_mut(self.cut) {
            *range = start..end;
        }
        let inner: usize = self.shape.axes.iter().skip(self.cut + 1).map(|axis| axis.length).product();
        let rows = ranges.iter().map(Range::len).product();
        Some(Slab { shape: self.shape.clone(), ranges, rows, first_row: at * inner })
    }
}

/// Consecutive rows that form a box.
#[derive(Clone, Debug)]
pub(super) struct Slab {
    shape: Shape,
    ranges: Vec<Range<usize>>,
    pub(super) rows: usize,
    /// Of the whole table.
    pub(super) first_row: usize,
}

/// Where a variable's values for a slab stand in the file, and how they lie in its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// For each dimension of the variable.
    pub(super) selection: Vec<Range<usize>>,
    pub(super) map: Broadcast,
}

impl Slab {
    /// What is read of a variable of these dimensions: along its own axes what the slab has, along instances all.
    pub(super) fn selection(&self, dimensions: &[usize]) -> Option<Vec<Range<usize>>> {
        let of = |&dimension: &usize| {
            let axis = self.shape.axis_of(dimension)?;
            let own = &self.shape.axes[axis];
            if own.dimension == dimension {
                return Some(self.ranges[axis].clone());
            }
            Some(0..own.instances.iter().find(|instances| instances.dimension == dimension)?.length)
        };
        dimensions.iter().map(of).collect()
    }

    /// Places a variable of these dimensions; none when one of them is no dimension of the rows.
    pub(super) fn place(&self, dimensions: &[usize]) -> Option<Placement> {
        let selection = self.selection(dimensions)?;
        // The axis each dimension follows, with its instances if it is one of them.
        let follow = |&dimension: &usize| {
            let axis = self.shape.axis_of(dimension)?;
            Some((axis, self.shape.axes[axis].instances.iter().find(|instances| instances.dimension == dimension)))
        };
        let followed: Vec<(usize, Option<&Instances>)> = dimensions.iter().map(follow).collect::<Option<_>>()?;
        let values = selection.iter().map(Range::len).product();
        let mut strides = vec![0usize; self.ranges.len()];
        let mut gathers: Vec<Gather> = Vec::new();
        let mut stride = 1usize;
        for (&(axis, instances), range) in followed.iter().zip(&selection).rev() {
            match instances {
                None => strides[axis] += stride,
                Some(instances) => gathers.push(Gather {
                    divisor: self.ranges[axis + 1..].iter().map(Range::len).product(),
                    length: self.ranges[axis].len(),
                    first: self.ranges[axis].start,
                    of: Arc::clone(&instances.of),
                    stride,
                }),
            }
            stride *= range.len();
        }
        Some(Placement { selection, map: Broadcast::new(&self.ranges, &strides, gathers, self.rows, values) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cf::geometry::NO_INSTANCE;

    fn shape(lengths: &[usize]) -> Shape {
        Shape::new(lengths.iter().enumerate().map(|(i, &length)| Axis::new(i, length)).collect()).unwrap()
    }

    fn whole(shape: &Shape) -> Slab {
        let slabs: Vec<Slab> = shape.slabs(usize::MAX, |_| 1).collect();
        assert_eq!(slabs.len(), 1);
        slabs.into_iter().next().unwrap()
    }

    fn map(shape: &Shape, dimensions: &[usize]) -> Broadcast {
        whole(shape).place(dimensions).unwrap().map
    }

    #[test]
    fn every_variable_finds_its_value_in_each_row() {
        let lengths = [2, 3, 4];
        let shape = shape(&lengths);
        assert_eq!(shape.rows, 24);
        for own in [vec![], vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2], vec![0, 2], vec![2, 0], vec![0, 1, 2], vec![2, 1, 0]] {
            let map = map(&shape, &own);
            for row in 0..24 {
                let position = [row / 12, row / 4 % 3, row % 4];
                let expected = own.iter().fold(0, |index, &d| index * lengths[d] + position[d]);
                assert_eq!(map.index(row), expected, "{own:?} row {row}");
            }
        }
        assert!(map(&shape, &[0, 1, 2]).is_identity());
        assert!(map(&shape, &[]).is_scalar());
        assert!(!map(&shape, &[2, 1, 0]).is_identity());
        assert_eq!(Broadcast::identity(24), map(&shape, &[0, 1, 2]));
    }

    #[test]
    fn strips_say_what_each_row_takes() {
        for lengths in [vec![7], vec![3, 4], vec![2, 3, 4], vec![4, 1, 3]] {
            let shape = shape(&lengths);
            let all: Vec<usize> = (0..lengths.len()).collect();
            for own in [vec![], vec![0], all.clone(), all.iter().rev().copied().collect(), all[1..].to_vec()] {
                let map = map(&shape, &own);
                for start in 0..shape.rows {
                    for end in start + 1..=shape.rows {
                        let mut indices = Vec::new();
                        map.strips(start..end, &mut |strip| indices.extend(strip.indices()));
                        let expected: Vec<usize> = (start..end).map(|row| map.index(row)).collect();
                        assert_eq!(indices, expected, "{lengths:?} {own:?} {start}..{end}");
                    }
                }
                if let Some(blocks) = shape.rows.checked_div(map.repeat()) {
                    let block = |b: usize| (b * map.repeat()..(b + 1) * map.repeat()).map(|row| map.index(row));
                    assert!((0..blocks).all(|b| block(b).all(|index| index == map.index(b * map.repeat()))));
                }
            }
        }
    }

    #[test]
    fn dimensions_of_length_one_do_not_matter() {
        let both = shape(&[1, 5]);
        assert!(map(&both, &[1]).is_identity());
        assert!(map(&both, &[0, 1]).is_identity());
        assert!(map(&both, &[0]).is_scalar());
        let one = Shape::new(vec![Axis::new(1, 5)]).unwrap();
        assert_eq!(whole(&one).place(&[0]), None);
    }

    #[test]
    fn rows_beyond_counting_are_an_error() {
        let axes = vec![Axis::new(0, usize::MAX), Axis::new(1, 2)];
        assert_eq!(Shape::new(axes), Err(FileError::TooManyRows));
    }

    #[test]
    fn slabs_follow_each_other_and_hold_the_rows_of_the_whole() {
        for lengths in [vec![7], vec![1, 7], vec![3, 5], vec![2, 1, 6], vec![4, 3, 2], vec![5, 1, 1]] {
            let shape = shape(&lengths);
            for most in [1, 2, 3, 4, 6, 7, 12, 100] {
                for step in [1, 2, 4] {
                    let mut next = 0;
                    for slab in shape.slabs(most, |_| step) {
                        assert_eq!(slab.first_row, next, "{lengths:?} {most}");
                        assert!(slab.rows <= most.max(1));
                        next += slab.rows;
                        // The first dimension's position within the file, from the slab and from the whole.
                        for own in
                            (0..lengths.len()).map(|d| vec![d]).chain([(0..lengths.len()).collect(), (0..lengths.len()).rev().collect()])
                        {
                            let placement = slab.place(&own).unwrap();
                            let whole = map(&shape, &own);
                            for row in 0..slab.rows {
                                let mut index = placement.map.index(row);
                                let mut in_file = 0;
                                for (range, &d) in placement.selection.iter().zip(&own) {
                                    let stride: usize = placement.selection[own.iter().position(|o| *o == d).unwrap() + 1..]
                                        .iter()
                                        .map(Range::len)
                                        .product();
                                    in_file = in_file * lengths[d] + range.start + index / stride;
                                    index %= stride;
                                }
                                assert_eq!(in_file, whole.index(slab.first_row + row), "{lengths:?} {most} {own:?} row {row}");
                            }
                        }
                    }
                    assert_eq!(next, shape.rows);
                }
            }
        }
    }

    #[test]
    fn slabs_end_on_steps_where_they_fit() {
        let shape = shape(&[100]);
        let rows: Vec<usize> = shape.slabs(35, |_| 10).map(|slab| slab.rows).collect();
        assert_eq!(rows, [30, 30, 30, 10]);
        let rows: Vec<usize> = shape.slabs(35, |_| 64).map(|slab| slab.rows).collect();
        assert_eq!(rows, [35, 35, 30]);
    }

    #[test]
    fn instances_are_found_through_the_sample_axis() {
        // Five samples of two profiles of one station each, three wavelengths; the last sample has no profile.
        let profiles = Instances { dimension: 7, length: 2, of: Arc::new(vec![0, 0, 1, 1, NO_INSTANCE]) };
        let axes = vec![Axis { instances: vec![profiles], ..Axis::new(0, 5) }, Axis::new(1, 3)];
        let shape = Shape::new(axes).unwrap();
        for most in [2, 3, 7, 15] {
            for slab in shape.slabs(most, |_| 1) {
                let placement = slab.place(&[7]).unwrap();
                assert_eq!(placement.selection, vec![0..2]);
                for row in 0..slab.rows {
                    let sample = (slab.first_row + row) / 3;
                    let expected = [0, 0, 1, 1, 2][sample];
                    assert_eq!(placement.map.index(row), expected, "{most}: row {row}");
                }
            }
        }
        assert!(map(&shape, &[7]).has_missing());
        assert!(!map(&shape, &[0]).has_missing());
    }
}
