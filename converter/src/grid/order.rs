//! Positions that the config wants to rise (`dataset_sort_by`), whatever order a file has them in.

use std::ops::Range;

/// Of each rising position its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(Vec<usize>);

impl Order {
    /// Of equal positions the first comes first, as in the incumbent's stable sort.
    #[must_use]
    pub fn of(own: &[f64]) -> Self {
        let mut places: Vec<usize> = (0..own.len()).collect();
        places.sort_by(|&one, &two| own[one].total_cmp(&own[two]));
        Self(places)
    }

    /// The positions, rising.
    #[must_use]
    pub fn positions(&self, own: &[f64]) -> Vec<f64> {
        self.0.iter().map(|&place| own[place]).collect()
    }

    /// Whether the file has them in this order already.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_sorted()
    }

    /// Whether the file has them just the other way round.
    #[must_use]
    pub fn is_reverse(&self) -> bool {
        self.0.iter().rev().is_sorted()
    }

    /// What is read along a file's dimension for some of the positions.
    #[must_use]
    pub fn span(&self, wanted: &Range<usize>) -> Range<usize> {
        let places = &self.0[wanted.clone()];
        places.iter().min().map_or(0..0, |&first| first..places.iter().max().map_or(first, |last| last + 1))
    }

    /// Puts what was read into order: blocks of the span, `run` bytes at each of its places.
    #[must_use]
    pub fn sorted(&self, read: &[u8], run: usize, wanted: &Range<usize>) -> Vec<u8> {
        let span = self.span(wanted);
        let mut sorted = Vec::with_capacity(read.len());
        for block in read.chunks_exact((span.len() * run).max(1)) {
            for place in &self.0[wanted.clone()] {
                sorted.extend_from_slice(&block[(place - span.start) * run..][..run]);
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_their_positions() {
        for (own, rising, kept, reverse) in [
            (vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 3.0], true, false),
            (vec![3.0, 2.0, 1.0], vec![1.0, 2.0, 3.0], false, true),
            (vec![2.0, 3.0, 1.0], vec![1.0, 2.0, 3.0], false, false),
            (vec![5.0], vec![5.0], true, true),
        ] {
            let order = Order::of(&own);
            assert_eq!((order.positions(&own), order.is_kept(), order.is_reverse()), (rising, kept, reverse), "{own:?}");
        }
    }

    #[test]
    fn a_part_is_read_in_one_span_and_put_into_order() {
        let order = Order::of(&[20.0, 50.0, 10.0, 40.0, 30.0]);
        // Two blocks of five places, two bytes at each.
        let all: Vec<u8> = (0..20).collect();
        assert_eq!(order.sorted(&all, 2, &(0..5)), [4, 5, 0, 1, 8, 9, 6, 7, 2, 3, 14, 15, 10, 11, 18, 19, 16, 17, 12, 13]);
        assert_eq!(order.span(&(2..4)), 3..5);
        assert_eq!(order.sorted(&[6, 7, 8, 9, 16, 17, 18, 19], 2, &(2..4)), [8, 9, 6, 7, 18, 19, 16, 17]);
        assert_eq!(order.span(&(1..1)), 0..0);
    }
}
