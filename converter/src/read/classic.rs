//! Values of classic files: those of a variable lie together, the last dimension fastest, each with its
//! most significant byte first (NetCDF Classic Format, "data").

use std::ops::Range;

use super::byte::Byte;

/// The position of the first value of a part, and how many follow it; none when other values lie
/// between them. `lengths` are those of the variable's dimensions.
pub(super) fn together(selection: &[Range<usize>], lengths: impl Iterator<Item = usize>) -> Option<(usize, usize)> {
    let (mut first, mut count) = (0, 1);
    for (range, length) in selection.iter().zip(lengths) {
        // Below a dimension of which more than one position is taken all must be whole.
        if count > 1 && range.len() != length {
            return None;
        }
        first = first * length + range.start;
        count *= range.len();
    }
    Some((first, count))
}

/// A number of a classic file.
pub(super) trait BigEndian: Sized {
    fn all(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! big_endian {
    ($($type:ty),*) => {$(
        impl BigEndian for $type {
            fn all(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|&bytes| Self::from_be_bytes(bytes)).collect()
            }
        }
    )*};
}
big_endian!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

impl BigEndian for Byte {
    fn all(bytes: &[u8]) -> Vec<Self> {
        bytes.iter().map(|&byte| Self(byte)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_together_where_nothing_is_left_out_between() {
        let lengths = [3, 4, 5];
        let part = |ranges: [Range<usize>; 3]| together(&ranges, lengths.into_iter());
        assert_eq!(part([0..3, 0..4, 0..5]), Some((0, 60)));
        assert_eq!(part([1..3, 0..4, 0..5]), Some((20, 40)));
        assert_eq!(part([1..2, 1..3, 0..5]), Some((25, 10)));
        assert_eq!(part([2..3, 3..4, 1..4]), Some((56, 3)));
        assert_eq!(part([0..2, 0..2, 0..5]), None);
        assert_eq!(part([0..2, 0..4, 0..4]), None);
        assert_eq!(part([0..1, 0..2, 1..5]), None);
        assert_eq!(together(&[], std::iter::empty()), Some((0, 1)));
    }

    #[test]
    fn numbers_have_their_most_significant_byte_first() {
        assert_eq!(i16::all(&[0x01, 0x02, 0xff, 0xfe]), [0x0102, -2]);
        assert_eq!(f32::all(&1.5f32.to_be_bytes()), [1.5]);
    }
}
