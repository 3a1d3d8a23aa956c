//! Values at the store's positions out of those at a file's: linear between two of them, nothing beyond them
//! (spec 1.4 step 2). The arithmetic is that of scipy's `interp1d`, which xarray's `interp` calls.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, UInt64Array};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::{GridError, cells};

/// The file's positions around one of the store's.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    low: usize,
    high: usize,
    /// From the lower one to the store's, and to the higher one.
    distance: f64,
    step: f64,
    nearest: usize,
    /// The nearest one is the store's.
    exact: bool,
    outside: bool,
}

/// From a file's positions to the store's along one dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Regrid {
    places: Vec<Place>,
    /// The file's positions are in single precision.
    single: bool,
}

impl Regrid {
    /// `own` are a file's positions, in any order; none where nothing lies between them: without any, or with one twice.
    #[must_use]
    pub fn between(own: &[f64], target: &[f64], single: bool) -> Option<Self> {
        let mut order: Vec<usize> = (0..own.len()).collect();
        order.sort_by(|&one, &two| own[one].total_cmp(&own[two]));
        let last = order.len().checked_sub(1)?;
        if order.windows(2).any(|pair| own[pair[0]] >= own[pair[1]]) {
            return None;
        }
        let place = |&at: &f64| {
            let high = order.partition_point(|&one| own[one] < at).max(1).min(last);
            let (low, high) = (order[high.saturating_sub(1)], order[high]);
            let nearest = if at - own[low] < own[high] - at { low } else { high };
            let outside = at < own[order[0]] || at > own[order[last]];
            let step = rounded(own[high] - own[low], single);
            Place { low, high, distance: at - own[low], step, nearest, exact: own[nearest].total_cmp(&at).is_eq(), outside }
        };
        Some(Self { places: target.iter().map(place).collect(), single })
    }

    /// The file's positions whose values those of the store need.
    #[must_use]
    pub fn span(&self, wanted: &Range<usize>) -> Range<usize> {
        let places = &self.places[wanted.clone()];
        let first = places.iter().map(|place| place.low.min(place.high)).min().unwrap_or_default();
        let end = places.iter().map(|place| place.low.max(place.high) + 1).max().unwrap_or_default();
        first..end
    }

    /// Decoded values of the span: numbers become double precision, of anything else the nearest is taken. `inner`
    /// values stand at each position. `exact` where a position that the file has keeps its value, whatever its
    /// neighbour is.
    ///
    /// # Errors
    /// Values of a type that cannot be taken apart.
    pub fn apply(
        &self,
        variable: &str,
        decoded: &ArrayRef,
        inner: usize,
        wanted: &Range<usize>,
        exact: bool,
    ) -> Result<ArrayRef, GridError> {
        if decoded.data_type().is_numeric() {
            let single = *decoded.data_type() == DataType::Float32;
            let numbers = self.numbers(&cells::numbers(variable, decoded)?, inner, wanted, exact, single);
            return Ok(Arc::new(Float64Array::from(numbers)));
        }
        let span = self.span(wanted);
        let blocks = decoded.len() / (span.len() * inner).max(1);
        let mut rows = Vec::with_capacity(blocks * wanted.len() * inner);
        for block in 0..blocks {
            for place in &self.places[wanted.clone()] {
                let first = (block * span.len() + place.nearest - span.start) * inner;
                rows.extend((first..first + inner).map(|row| row as u64));
            }
        }
        take(decoded, &UInt64Array::from(rows), None).map_err(|error| GridError::GaveUp(error.to_string()))
    }

    /// `single`: the values are in single precision, and so are their differences.
    fn numbers(&self, values: &[f64], inner: usize, wanted: &Range<usize>, exact: bool, single: bool) -> Vec<f64> {
        let span = self.span(wanted);
        let size = (span.len() * inner).max(1);
        let mut numbers = Vec::with_capacity(values.len() / size * wanted.len() * inner);
        for block in values.chunks_exact(size) {
            let at = |position: usize| &block[(position - span.start) * inner..][..inner];
            for place in &self.places[wanted.clone()] {
                if place.outside {
                    numbers.resize(numbers.len() + inner, f64::NAN);
                } else if exact && place.exact {
                    numbers.extend_from_slice(at(place.nearest));
                } else {
                    numbers.extend(at(place.low).iter().zip(at(place.high)).map(|(low, high)| {
                        let slope = rounded(rounded(high - low, single) / place.step, single && self.single);
                        slope * place.distance + low
                    }));
                }
            }
        }
        numbers
    }

    /// Whether the file's positions are in single precision.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.single
    }
}

/// What single precision makes of a number. Of a difference or a quotient of two such numbers it makes their own.
fn rounded(number: f64, single: bool) -> f64 {
    if single { f64::from(number as f32) } else { number }
}

/// Turns the positions of a dimension round: so many to a block, so many bytes at each.
pub fn reverse(bytes: &mut [u8], length: usize, run: usize) {
    for block in bytes.chunks_exact_mut((length * run).max(1)) {
        for at in 0..length / 2 {
            let (front, back) = block.split_at_mut((length - 1 - at) * run);
            front[at * run..][..run].swap_with_slice(&mut back[..run]);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::{Float32Array, Int32Array, StringArray};

    use super::*;

    const NAN: f64 = f64::NAN;

    /// What, own positions, values, target, whether exact, expected.
    type Case<'a> = (&'a str, &'a [f64], Vec<f64>, &'a [f64], bool, Vec<f64>);

    fn same(one: &[f64], two: &[f64]) -> bool {
        one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.total_cmp(two).is_eq() || (one.is_nan() && two.is_nan()))
    }

    #[test]
    fn numbers_are_what_xarray_makes_of_them() {
        let axis = [400.5, 401.0, 401.5, 402.0, 402.5];
        let steps = [400.0, 400.5, 401.0, 401.5, 402.0, 402.5, 403.0];
        let twice = |axis: &[f64]| axis.iter().map(|at| at * 2.0).collect::<Vec<f64>>();
        let falling = [402.5, 402.0, 401.5, 401.0, 400.5];
        let mixed = [401.0, 402.5, 400.5, 402.0, 401.5];
        let rise = vec![NAN, 801.0, 802.0, 803.0, 804.0, 805.0, NAN];
        let hole = || vec![1.0, 2.0, NAN, 4.0, 5.0];
        let endless = || vec![1.0, f64::INFINITY, 3.0, 4.0, 5.0];
        let cases: [Case; 11] = [
            ("nothing beyond the ends", &axis, twice(&axis), &steps, true, rise.clone()),
            ("a falling axis", &falling, twice(&falling), &steps, true, rise.clone()),
            ("an axis in no order", &mixed, twice(&mixed), &steps, true, rise.clone()),
            ("a falling target", &axis, twice(&axis), &[402.25, 400.75], true, vec![804.5, 801.5]),
            ("a hole and its neighbours", &axis, hole(), &[400.75, 401.25, 401.75, 402.25], true, vec![1.5, NAN, NAN, 4.5]),
            ("exact beside a hole", &axis, hole(), &steps, true, vec![NAN, 1.0, 2.0, NAN, 4.0, 5.0, NAN]),
            ("as the incumbent has it", &axis, hole(), &steps, false, vec![NAN, 1.0, 2.0, NAN, NAN, 5.0, NAN]),
            ("exact beside no end", &axis, endless(), &steps, true, vec![NAN, 1.0, f64::INFINITY, 3.0, 4.0, 5.0, NAN]),
            ("as the incumbent has it", &axis, endless(), &steps, false, vec![NAN, NAN, f64::INFINITY, NAN, 4.0, 5.0, NAN]),
            ("one position", &[400.5], vec![7.0], &steps[..3], true, vec![NAN, 7.0, NAN]),
            ("one position", &[400.5], vec![7.0], &steps[..3], false, vec![NAN, NAN, NAN]),
        ];
        for (what, own, values, target, exact, expected) in cases {
            let regrid = Regrid::between(own, target, false).expect("positions");
            let wanted = 0..target.len();
            let span = regrid.span(&wanted);
            let found = regrid.numbers(&values[span], 1, &wanted, exact, false);
            assert!(same(&found, &expected), "{what}: {found:?} instead of {expected:?}");
        }
        assert_eq!(Regrid::between(&[1.0, 2.0, 1.0], &[1.5], false), None, "a position that stands twice");
        assert_eq!(Regrid::between(&[], &[1.5], false), None, "no position");
    }

    #[test]
    fn parts_of_a_box_are_those_of_the_whole() {
        let (own, target) = ([3.0, 0.0, 2.0, 5.0, 9.0], [0.5, 2.0, 4.0, 7.0, 8.0, 10.0]);
        let regrid = Regrid::between(&own, &target, false).expect("positions");
        // Two blocks, five positions, two values at each.
        let value = |block: usize, position: usize, inner: usize| (block * 100) as f64 + own[position] * (1 + inner) as f64;
        let part = |wanted: Range<usize>| {
            let span = regrid.span(&wanted);
            let values: Vec<f64> = (0..2)
                .flat_map(|b| span.clone().flat_map(move |p| (0..2).map(move |i| (b, p, i))))
                .map(|(b, p, i)| value(b, p, i))
                .collect();
            regrid.numbers(&values, 2, &wanted, true, false)
        };
        let linear = |block: usize, at: f64, inner: usize| if at > 9.0 { NAN } else { (block * 100) as f64 + at * (1 + inner) as f64 };
        for wanted in [0..6, 0..1, 1..3, 2..5, 5..6] {
            let targets = &target[wanted.clone()];
            let expected: Vec<f64> = (0..2)
                .flat_map(|b| targets.iter().flat_map(move |&t| (0..2).map(move |i| (b, t, i))))
                .map(|(b, t, i)| linear(b, t, i))
                .collect();
            let found = part(wanted.clone());
            assert!(same(&found, &expected), "{wanted:?}: {found:?} instead of {expected:?}");
        }
        assert_eq!(regrid.span(&(3..5)), 3..5, "of a box only the positions around it are read");
    }

    #[test]
    fn all_numbers_become_double_and_of_others_the_nearest_is_taken() {
        let regrid = Regrid::between(&[0.0, 1.0, 2.0], &[-1.0, 0.25, 0.5, 2.0, 9.0], false).expect("positions");
        let apply = |array: ArrayRef| regrid.apply("V", &array, 1, &(0..5), true).expect("values");
        let doubles = |array: ArrayRef| apply(array).as_primitive::<arrow_array::types::Float64Type>().values().to_vec();
        assert!(same(&doubles(Arc::new(Int32Array::from(vec![0, 10, 20]))), &[NAN, 2.5, 5.0, 20.0, NAN]));
        let floats = Float32Array::from(vec![Some(0.0), None, Some(20.0)]);
        assert!(same(&doubles(Arc::new(floats)), &[NAN, NAN, NAN, 20.0, NAN]));
        let texts = apply(Arc::new(StringArray::from(vec!["a", "b", "c"])));
        let texts: Vec<_> = texts.as_string::<i32>().iter().flatten().collect();
        assert_eq!(texts, ["a", "a", "b", "c", "c"], "halfway it is the later one");
    }

    #[test]
    fn positions_are_turned_round_along_one_dimension_alone() {
        for (length, run, before, after) in [
            (3, 1, "abcdef", "cbafed"),
            (2, 1, "abcdef", "badcfe"),
            (3, 2, "abcdef", "efcdab"),
            (4, 2, "aabbccdd11223344", "ddccbbaa44332211"),
            (1, 2, "abcdef", "abcdef"),
            (0, 4, "", ""),
        ] {
            let mut bytes = before.as_bytes().to_vec();
            reverse(&mut bytes, length, run);
            assert_eq!(bytes, after.as_bytes(), "{length} of {run} in {before}");
            reverse(&mut bytes, length, run);
            assert_eq!(bytes, before.as_bytes(), "and back");
        }
    }
}
