//! How N-dimensional variables lie in the rows of a table: the rows are the Cartesian product of
//! the row dimensions, first dimension slowest, and each variable is repeated over the others.

use super::FileError;
use crate::read::Dimension;

/// The row dimensions of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Positions among the reader's dimensions, slowest first.
    pub(super) dimensions: Vec<usize>,
    lengths: Vec<usize>,
    pub(super) rows: usize,
}

impl Shape {
    pub(super) fn new(all: &[Dimension], dimensions: Vec<usize>) -> Result<Self, FileError> {
        let lengths: Vec<usize> = dimensions.iter().map(|&d| all[d].length).collect();
        let rows = lengths.iter().try_fold(1usize, |rows, &length| rows.checked_mul(length)).ok_or(FileError::TooManyRows)?;
        Ok(Self { dimensions, lengths, rows })
    }

    /// How a variable of these dimensions is repeated; none when one of them is no row dimension.
    pub(super) fn broadcast(&self, dimensions: &[usize]) -> Option<Broadcast> {
        let mut strides = vec![0usize; self.dimensions.len()];
        let mut stride = 1usize;
        for &dimension in dimensions.iter().rev() {
            let axis = self.dimensions.iter().position(|&d| d == dimension)?;
            strides[axis] += stride;
            stride *= self.lengths[axis];
        }
        let mut terms: Vec<Term> = Vec::new();
        let mut divisor = 1;
        for (&length, &stride) in self.lengths.iter().zip(&strides).rev() {
            match terms.last_mut() {
                // Two neighbours that lie together in the variable are one.
                Some(last) if last.divisor * last.length == divisor && stride == last.stride * last.length => last.length *= length,
                _ if stride > 0 && length > 1 => terms.push(Term { divisor, length, stride }),
                _ => {}
            }
            divisor *= length;
        }
        Some(Broadcast { terms, rows: self.rows })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    divisor: usize,
    length: usize,
    stride: usize,
}

/// Which of a variable's values a row takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broadcast {
    terms: Vec<Term>,
    rows: usize,
}

impl Broadcast {
    /// One value for all rows.
    pub(super) fn scalar() -> Self {
        Self { terms: Vec::new(), rows: 0 }
    }

    pub(super) fn is_scalar(&self) -> bool {
        self.terms.is_empty()
    }

    /// Value *i* stands in row *i*.
    pub(super) fn is_identity(&self) -> bool {
        self.terms.as_slice() == [Term { divisor: 1, length: self.rows, stride: 1 }]
    }

    pub(super) fn index(&self, row: usize) -> usize {
        self.terms.iter().map(|t| (row / t.divisor) % t.length * t.stride).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimensions(lengths: &[usize]) -> Vec<Dimension> {
        lengths.iter().enumerate().map(|(i, &length)| Dimension { name: format!("d{i}"), length }).collect()
    }

    #[test]
    fn every_variable_finds_its_value_in_each_row() {
        let all = dimensions(&[2, 3, 4]);
        let shape = Shape::new(&all, vec![0, 1, 2]).unwrap();
        assert_eq!(shape.rows, 24);
        for own in [vec![], vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2], vec![0, 2], vec![2, 0], vec![0, 1, 2], vec![2, 1, 0]] {
            let map = shape.broadcast(&own).unwrap();
            for row in 0..24 {
                let position = [row / 12, row / 4 % 3, row % 4];
                let expected = own.iter().fold(0, |index, &d| index * all[d].length + position[d]);
                assert_eq!(map.index(row), expected, "{own:?} row {row}");
            }
        }
        assert!(shape.broadcast(&[0, 1, 2]).unwrap().is_identity());
        assert!(shape.broadcast(&[]).unwrap().is_scalar());
        assert!(!shape.broadcast(&[2, 1, 0]).unwrap().is_identity());
    }

    #[test]
    fn dimensions_of_length_one_do_not_matter() {
        let all = dimensions(&[1, 5]);
        let shape = Shape::new(&all, vec![0, 1]).unwrap();
        assert!(shape.broadcast(&[1]).unwrap().is_identity());
        assert!(shape.broadcast(&[0, 1]).unwrap().is_identity());
        assert!(shape.broadcast(&[0]).unwrap().is_scalar());
        assert_eq!(Shape::new(&all, vec![1]).unwrap().broadcast(&[0]), None);
    }

    #[test]
    fn rows_beyond_counting_are_an_error() {
        let all = dimensions(&[usize::MAX, 2]);
        assert_eq!(Shape::new(&all, vec![0, 1]), Err(FileError::TooManyRows));
    }
}
