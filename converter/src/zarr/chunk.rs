use std::ops::Range;

use zarrs::array::codec::{
    BloscCompressionLevel, BloscCompressor, BloscShuffleMode, blosc_compress_bytes, blosc_decompress_bytes, blosc_validate,
};

use super::{ArrayMetadata, Fill, ZarrError};

/// Blosc's effort, from 0 to 9.
pub(super) const LEVEL: u8 = 5;

/// The largest buffer C-Blosc takes.
const MAX_BLOSC: usize = i32::MAX as usize - 16;

/// The name of a chunk's object within its array: the chunk's position along each dimension, `0` for a scalar.
#[must_use]
pub fn chunk_key(indices: &[u64]) -> String {
    if indices.is_empty() { "0".to_owned() } else { indices.iter().map(u64::to_string).collect::<Vec<_>>().join(".") }
}

/// The positions of all chunks of a grid (chunks along each dimension), in C order.
pub fn chunk_indices(grid: &[u64]) -> impl Iterator<Item = Vec<u64>> + use<> {
    let grid = grid.to_vec();
    let first = grid.iter().all(|&chunks| chunks > 0).then(|| vec![0; grid.len()]);
    std::iter::successors(first, move |last| {
        let mut next = last.clone();
        for (index, &chunks) in next.iter_mut().zip(&grid).rev() {
            *index += 1;
            if *index < chunks {
                return Some(next);
            }
            *index = 0;
        }
        None
    })
}

/// The positions of the chunks that a box of elements touches, in C order. `chunks` are the lengths of one.
pub fn chunks_of(ranges: &[Range<u64>], chunks: &[u64]) -> impl Iterator<Item = Vec<u64>> + use<> {
    let first: Vec<u64> = ranges.iter().zip(chunks).map(|(range, length)| range.start / length).collect();
    let counts: Vec<u64> =
        ranges.iter().zip(chunks).zip(&first).map(|((range, length), first)| range.end.div_ceil(*length) - first).collect();
    chunk_indices(&counts).map(move |index| index.iter().zip(&first).map(|(index, first)| index + first).collect())
}

/// A chunk's object from the little-endian bytes of the whole chunk, C order.
pub fn encode_chunk(metadata: &ArrayMetadata, raw: &[u8]) -> Result<Vec<u8>, ZarrError> {
    let expected = metadata.chunk_bytes()?;
    if raw.len() != expected {
        return Err(ZarrError::chunk(format!("{} bytes are not the {expected} of a chunk", raw.len())));
    }
    if metadata.compressed { compress(raw, metadata.dtype.width()) } else { Ok(raw.to_vec()) }
}

/// The little-endian bytes of the whole chunk, C order, from a chunk's object.
pub fn decode_chunk(metadata: &ArrayMetadata, bytes: &[u8]) -> Result<Vec<u8>, ZarrError> {
    let expected = metadata.chunk_bytes()?;
    if metadata.compressed {
        return decompress(bytes, |length| length == expected);
    }
    if bytes.len() != expected {
        return Err(ZarrError::chunk(format!("{} bytes are not the {expected} of a chunk", bytes.len())));
    }
    Ok(bytes.to_vec())
}

/// Whether every element of a raw chunk is the fill value, so that no object need be there. NaN is NaN whatever its
/// bits; other values must be equal in all bits, so -0.0 is not 0.0. Never so without a fill value.
#[must_use]
pub fn is_all_fill(metadata: &ArrayMetadata, raw: &[u8]) -> bool {
    let width = metadata.dtype.width();
    if metadata.fill == Fill::Null || width == 0 || raw.is_empty() || !raw.len().is_multiple_of(width) {
        return false;
    }
    match width {
        4 if metadata.fill.is_nan() => all(raw, |bytes| f32::from_le_bytes(bytes).is_nan()),
        8 if metadata.fill.is_nan() => all(raw, |bytes| f64::from_le_bytes(bytes).is_nan()),
        // The bytes repeat one element exactly if they equal themselves moved by one element.
        _ => raw[..width] == metadata.fill.bytes(metadata.dtype) && raw[width..] == raw[..raw.len() - width],
    }
}

/// Judges a block without a branch per element, which the compiler makes wide instructions of.
fn all<const WIDTH: usize>(raw: &[u8], is: impl Fn([u8; WIDTH]) -> bool) -> bool {
    let (elements, _) = raw.as_chunks::<WIDTH>();
    elements.chunks(1024).all(|block| block.iter().fold(true, |so_far, &element| so_far & is(element)))
}

/// Blosc as numcodecs calls it; `typesize` is the bytes of an element, by which bytes are shuffled.
pub(super) fn compress(raw: &[u8], typesize: usize) -> Result<Vec<u8>, ZarrError> {
    if raw.len() > MAX_BLOSC {
        return Err(ZarrError::chunk(format!("{} bytes are more than the {MAX_BLOSC} that Blosc takes", raw.len())));
    }
    let level = BloscCompressionLevel::try_from(LEVEL).map_err(|level| ZarrError::chunk(format!("Blosc has no level {level}")))?;
    let mut bytes = blosc_compress_bytes(raw, level, BloscShuffleMode::Shuffle, typesize, BloscCompressor::LZ4, 0, 1)
        .map_err(|error| ZarrError::chunk(error.to_string()))?;
    // Room for the worst case was taken.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Undoes Blosc, whatever its settings were, if the decoded length that the header tells is as it should be.
pub(super) fn decompress(bytes: &[u8], is_expected: impl Fn(usize) -> bool) -> Result<Vec<u8>, ZarrError> {
    let length = blosc_validate(bytes).ok_or_else(|| ZarrError::chunk(format!("{} bytes are not a whole Blosc buffer", bytes.len())))?;
    if !is_expected(length) {
        return Err(ZarrError::chunk(format!("its Blosc header tells of {length} decoded bytes, which cannot be")));
    }
    let raw = blosc_decompress_bytes(bytes, length, 1).map_err(|_| ZarrError::chunk("Blosc cannot decode it"))?;
    if raw.len() == length { Ok(raw) } else { Err(ZarrError::chunk(format!("{} of {length} bytes were decoded", raw.len()))) }
}
