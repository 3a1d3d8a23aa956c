//! The hybrid of run lengths and packed bits that levels and dictionary indices come in (Parquet,
//! "Run Length Encoding / Bit-Packing Hybrid").

/// Shorter runs are packed with their neighbours: bits come in groups of eight values.
const GROUP: usize = 8;

/// Bits that hold every index of a dictionary.
pub(super) fn width_of(entries: usize) -> u8 {
    (usize::BITS - entries.saturating_sub(1).leading_zeros()) as u8
}

/// Appends values of `width` bits each.
pub(super) fn indices(out: &mut Vec<u8>, values: &[u32], width: u8) {
    let (mut packed, mut at) = (0, 0);
    while at < values.len() {
        let value = values[at];
        let run = values[at..].iter().take_while(|&&v| v == value).count();
        // Packed groups are full but for the last one: they take what they need from the run.
        let taken = (packed..at).len().next_multiple_of(GROUP) - (packed..at).len();
        if run >= GROUP + taken {
            pack(out, &values[packed..at + taken], width);
            header(out, (run - taken) << 1);
            out.extend_from_slice(&value.to_le_bytes()[..usize::from(width.div_ceil(8))]);
            packed = at + run;
        }
        at += run;
    }
    pack(out, &values[packed..], width);
}

/// Appends `count` times the same level of one bit.
pub(super) fn level_run(out: &mut Vec<u8>, level: bool, count: usize) {
    header(out, count << 1);
    out.push(u8::from(level));
}

/// Appends levels of one bit that are packed already, the lowest bit first.
pub(super) fn level_bits(out: &mut Vec<u8>, bits: &[u8]) {
    header(out, bits.len() << 1 | 1);
    out.extend_from_slice(bits);
}

fn pack(out: &mut Vec<u8>, values: &[u32], width: u8) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    header(out, groups << 1 | 1);
    let mut at = out.len();
    let end = at + groups * usize::from(width);
    // Whole words are stored: the last one may be longer than what is left of the group.
    out.resize(end + size_of::<u64>(), 0);
    let (mut bits, mut held) = (0u64, 0u32);
    for &value in values {
        bits |= u64::from(value) << held;
        held += u32::from(width);
        if held >= u32::BITS {
            out[at..at + 4].copy_from_slice(&(bits as u32).to_le_bytes());
            at += 4;
            bits >>= u32::BITS;
            held -= u32::BITS;
        }
    }
    out[at..at + 8].copy_from_slice(&bits.to_le_bytes());
    out.truncate(end);
}

fn header(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads it back as the specification has it.
    fn read(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut head, mut shift) = (0usize, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                head |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            if head & 1 == 0 {
                let whole = usize::from(width.div_ceil(8));
                let value = bytes[..whole].iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
                bytes = &bytes[whole..];
                values.extend(std::iter::repeat_n(value, head >> 1));
            } else {
                let length = (head >> 1) * usize::from(width);
                for i in 0..(head >> 1) * 8 {
                    let bit = |b: usize| u32::from(bytes[b / 8] >> (b % 8) & 1);
                    values.push((0..usize::from(width)).map(|b| bit(i * usize::from(width) + b) << b).sum());
                }
                bytes = &bytes[length..];
            }
        }
        assert!(bytes.is_empty());
        assert!(values.len() < count + 8 && values[count..].iter().all(|&v| v == 0));
        values.truncate(count);
        values
    }

    #[test]
    fn runs_and_packed_bits_are_read_back() {
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for width in [0u8, 1, 2, 3, 7, 8, 9, 15, 17, 31, 32] {
            for _ in 0..200 {
                let mut values = Vec::new();
                for _ in 0..random(12) {
                    let value = if width == 0 { 0 } else { (random(1 << 31) as u32) << (32 - width) >> (32 - width) };
                    values.extend(std::iter::repeat_n(value, 1 + random(20) as usize));
                }
                let mut bytes = Vec::new();
                indices(&mut bytes, &values, width);
                assert_eq!(read(&bytes, width, values.len()), values, "width {width}");
            }
        }
    }

    #[test]
    fn a_long_run_takes_few_bytes() {
        let mut bytes = Vec::new();
        indices(&mut bytes, &vec![3; 20_000], 5);
        assert_eq!(bytes.len(), 4);
    }

    #[test]
    fn a_dictionary_of_one_needs_no_bits() {
        assert_eq!([0, 1, 2, 3, 4, 5, 256, 257].map(width_of), [0, 0, 1, 2, 2, 3, 8, 9]);
    }
}
