//! Numbers as they lie in a file, their order and their statistics.

use parquet::basic::SortOrder;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::intern::Key;

/// A number of an array, and what it becomes in a file.
pub(super) trait Stored: Copy {
    type Physical: Physical;

    fn stored(self) -> Self::Physical;
}

macro_rules! stored {
    ($($native:ty => $physical:ty),*) => {$(
        #[allow(clippy::cast_lossless, clippy::unnecessary_cast)] // one body for ten types
        impl Stored for $native {
            type Physical = $physical;

            #[inline]
            fn stored(self) -> $physical {
                self as $physical
            }
        }
    )*};
}
stored!(i8 => i32, i16 => i32, i32 => i32, u8 => i32, u16 => i32, u32 => i32, i64 => i64, u64 => i64, f32 => f32, f64 => f64);

/// A number as it lies in a file.
pub(super) trait Physical: Key {
    /// An integer that is ordered as the numbers are: their total order, that of floats by IEEE 754.
    type Order: Copy + Ord;

    fn put(self, out: &mut [u8]);
    fn nan(self) -> bool;
    /// A zero of the sign that a least value has (Parquet, `TypeDefinedOrder`: readers compare zeros as equal).
    fn below_zero(self) -> Self;
    /// A zero of the sign that a greatest value has.
    fn above_zero(self) -> Self;
    fn order(self, unsigned: bool) -> Self::Order;
    fn of_order(order: Self::Order, unsigned: bool) -> Self;
    /// `codes`: where each of the values stands in the chunk, if they do not stand there one after another.
    fn statistics(range: Option<Extremes<Self>>, nulls: u64, values: &[Self], codes: Option<&Vec<u32>>) -> Statistics;
}

/// The least and the greatest value, and whether older readers may be told of them.
#[derive(Clone, Copy)]
pub(super) struct Extremes<P> {
    least: P,
    most: P,
    signed: bool,
}

pub(super) fn extremes<P: Physical>(column: &ColumnDescPtr, values: &[P]) -> Option<Extremes<P>> {
    let unsigned = column.sort_order() == SortOrder::UNSIGNED;
    let order = |value: &P| value.order(unsigned);
    let numbers = values.iter().filter(|value| !value.nan()).map(order);
    let found = numbers.fold(None, |found, order| {
        Some(found.map_or((order, order), |(least, most): (P::Order, P::Order)| (least.min(order), most.max(order))))
    });
    // Nothing is said of values of which none is a number.
    let (least, most) = found?;
    // Floats are in the order of their type for our readers (`object.rs` says why).
    let signed = matches!(column.sort_order(), SortOrder::SIGNED | SortOrder::TOTAL_ORDER);
    Some(Extremes { least: P::of_order(least, unsigned).below_zero(), most: P::of_order(most, unsigned).above_zero(), signed })
}

pub(super) fn put_all<P: Physical>(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = P>) {
    let (at, width) = (out.len(), size_of::<P>());
    out.resize(at + values.len() * width, 0);
    for (place, value) in out[at..].chunks_exact_mut(width).zip(values) {
        value.put(place);
    }
}

macro_rules! physical {
    ($($type:ident as $order:ident, $nan:expr, $zeros:expr, $to:expr, $from:expr, $counts_nans:expr);*) => {$(
        #[allow(clippy::float_cmp)] // zeros are equal, whatever their signs
        impl Physical for $type {
            type Order = $order;

            #[inline]
            fn put(self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn nan(self) -> bool {
                $nan(self)
            }

            fn below_zero(self) -> Self {
                if self == $zeros[1] { $zeros[0] } else { self }
            }

            fn above_zero(self) -> Self {
                if self == $zeros[0] { $zeros[1] } else { self }
            }

            #[inline]
            fn order(self, unsigned: bool) -> $order {
                $to(self, unsigned)
            }

            fn of_order(order: $order, unsigned: bool) -> Self {
                $from(order, unsigned)
            }

            fn statistics(range: Option<Extremes<Self>>, nulls: u64, values: &[Self], codes: Option<&Vec<u32>>) -> Statistics {
                let count = || match codes {
                    _ if !values.iter().any(|v| v.nan()) => 0,
                    Some(codes) => codes.iter().filter(|&&code| values[code as usize].nan()).count() as u64,
                    None => values.iter().filter(|v| v.nan()).count() as u64,
                };
                let nans = ($counts_nans && !values.is_empty()).then(count);
                ValueStatistics::new(range.map(|r| r.least), range.map(|r| r.most), None, Some(nulls), false)
                    .with_nan_count(nans)
                    .with_backwards_compatible_min_max(range.is_some_and(|r| r.signed))
                    .into()
            }
        }
    )*};
}

/// Turns the order of unsigned numbers into that of signed ones, and back.
const fn flip32(value: i32, unsigned: bool) -> i32 {
    if unsigned { value ^ i32::MIN } else { value }
}

const fn flip64(value: i64, unsigned: bool) -> i64 {
    if unsigned { value ^ i64::MIN } else { value }
}

/// What `total_cmp` compares; the same turns it back.
const fn total32(bits: i32) -> i32 {
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

const fn total64(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

physical! {
    i32 as i32, |_| false, [0, 0], flip32, flip32, false;
    i64 as i64, |_| false, [0, 0], flip64, flip64, false;
    f32 as i32, f32::is_nan, [-0.0, 0.0], |v: f32, _| total32(v.to_bits().cast_signed()), |o: i32, _| f32::from_bits(total32(o).cast_unsigned()), true;
    f64 as i64, f64::is_nan, [-0.0, 0.0], |v: f64, _| total64(v.to_bits().cast_signed()), |o: i64, _| f64::from_bits(total64(o).cast_unsigned()), true
}
