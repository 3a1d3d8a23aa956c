//! Gives equal values equal numbers, in the order they come.

/// What can stand in a dictionary. Values are equal when their bits are.
pub(super) trait Key: Copy {
    fn hash(self) -> u64;
    fn same(self, other: Self) -> bool;
}

/// An odd number without a pattern: 2^64 by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

fn spread(bits: u64) -> u64 {
    bits.wrapping_mul(SPREAD)
}

macro_rules! numbers {
    ($($type:ty as $bits:expr),*) => {$(
        impl Key for $type {
            #[inline]
            fn hash(self) -> u64 {
                spread($bits(self))
            }

            #[inline]
            fn same(self, other: Self) -> bool {
                $bits(self) == $bits(other)
            }
        }
    )*};
}
numbers!(i32 as |v: i32| u64::from(v.cast_unsigned()), i64 as i64::cast_unsigned, f32 as |v: f32| u64::from(v.to_bits()), f64 as f64::to_bits);

impl Key for &[u8] {
    fn hash(self) -> u64 {
        let (words, rest) = self.as_chunks();
        let rest = rest.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
        let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]);
        words.fold(self.len() as u64, |hash, word| spread(hash.rotate_left(23) ^ word))
    }

    fn same(self, other: Self) -> bool {
        self == other
    }
}

/// Open addressing over a dictionary that the caller keeps; never full, since it is made for all rows.
#[derive(Debug, Default)]
pub(super) struct Interner {
    /// One more than a value's number; 0 where there is none.
    slots: Vec<u32>,
    shift: u32,
}

impl Interner {
    /// Forgets everything and makes room for `rows` distinct values.
    pub(super) fn begin(&mut self, rows: usize) {
        let size = (rows + rows / 2).max(16).next_power_of_two();
        self.slots.clear();
        self.slots.resize(size, 0);
        self.shift = u64::BITS - size.trailing_zeros();
    }

    /// The number of a value; a new one goes to the end of the dictionary.
    #[inline]
    pub(super) fn code<K: Key>(&mut self, dictionary: &mut Vec<K>, key: K) -> u32 {
        let last = self.slots.len() - 1;
        let mut at = (key.hash() >> self.shift) as usize & last;
        loop {
            match self.slots[at] {
                0 => {
                    dictionary.push(key);
                    let number = dictionary.len() as u32;
                    self.slots[at] = number;
                    return number - 1;
                }
                number if dictionary[number as usize - 1].same(key) => return number - 1,
                _ => at = (at + 1) & last,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bits_are_one_value() {
        let mut interner = Interner::default();
        let (mut dictionary, values) = (Vec::new(), [1.0, 0.0, -0.0, f64::NAN, 1.0, f64::NAN, -0.0]);
        interner.begin(values.len());
        let codes: Vec<u32> = values.iter().map(|&v| interner.code(&mut dictionary, v)).collect();
        assert_eq!(codes, [0, 1, 2, 3, 0, 3, 2]);
        assert_eq!(dictionary.len(), 4);
    }

    #[test]
    fn all_rows_may_be_distinct() {
        let mut interner = Interner::default();
        for rows in [1, 15, 16, 17, 20_000] {
            interner.begin(rows);
            let mut dictionary = Vec::new();
            let texts: Vec<String> = (0..rows).map(|i| format!("text number {i}")).collect();
            for turn in 0..2 {
                for (i, text) in texts.iter().enumerate() {
                    assert_eq!(interner.code(&mut dictionary, text.as_bytes()), i as u32, "turn {turn}");
                }
            }
        }
    }
}
