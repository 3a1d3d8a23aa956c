//! The boxes that an array is made in: what memory holds of it at once, with edges that are those of chunks.

use std::ops::Range;

use crate::zarr::{ArrayMetadata, Dtype};

/// What a box takes at most, unless the chunks of the source are larger: many small ones are made in the same memory.
const BOX: u64 = 64 << 20;

/// What a text takes, by a guess.
const TEXT: u64 = 64;

/// Bytes that one chunk needs while it is made: a value is there as it is read, as it is decoded, in the box, and in its
/// chunk.
pub(super) fn needed(metadata: &ArrayMetadata) -> u64 {
    let width = if metadata.dtype == Dtype::Object { TEXT } else { metadata.dtype.width() as u64 };
    let width = (width + 8) * 2;
    metadata.chunks.iter().fold(width, |bytes, &length| bytes.saturating_mul(length))
}

/// Lengths of boxes along each dimension: whole chunks, along the last dimension first. Where `room` bytes hold it, their
/// edges are those of the `source`'s chunks too, so that each of these lies in one box. Along `axis` a box has one chunk.
pub(super) fn steps(metadata: &ArrayMetadata, axis: usize, source: &[u64], room: u64) -> Vec<u64> {
    let ArrayMetadata { shape, chunks, .. } = metadata;
    let mut needed = needed(metadata);
    let mut steps = chunks.clone();
    for at in (0..shape.len()).rev().filter(|&at| at != axis) {
        let whole = shape[at].next_multiple_of(steps[at]).max(steps[at]);
        let common = least_common_multiple(steps[at], source[at]).min(whole);
        if (needed / steps[at]).saturating_mul(common) <= room {
            needed = needed / steps[at] * common;
            steps[at] = common;
        }
    }
    for at in (0..shape.len()).rev().filter(|&at| at != axis) {
        let more = (room.min(BOX) / needed).clamp(1, shape[at].div_ceil(steps[at]).max(1));
        steps[at] *= more;
        needed *= more;
    }
    steps
}

/// Whether chunks of the source lie across edges of boxes.
pub(super) fn are_cut(metadata: &ArrayMetadata, axis: usize, source: &[u64], steps: &[u64]) -> bool {
    let cut = |at: usize| steps[at] < metadata.shape[at] && !steps[at].is_multiple_of(source[at]);
    (0..steps.len()).any(|at| at != axis && cut(at))
}

/// The boxes of one row of chunks.
pub(super) fn boxes(metadata: &ArrayMetadata, axis: usize, chunk: u64, steps: &[u64]) -> Vec<Vec<Range<u64>>> {
    let ArrayMetadata { shape, chunks, .. } = metadata;
    let along = |at: usize| -> Vec<Range<u64>> {
        let rows = std::iter::once(chunks[axis] * chunk..chunks[axis] * (chunk + 1));
        let parts = (0..shape[at].div_ceil(steps[at])).map(|part| part * steps[at]..((part + 1) * steps[at]).min(shape[at]));
        if at == axis { rows.collect() } else { parts.collect() }
    };
    (0..shape.len()).fold(vec![Vec::new()], |boxes, at| {
        let ranges = along(at);
        boxes.into_iter().flat_map(|ranged| ranges.iter().map(move |range| [&ranged[..], std::slice::from_ref(range)].concat())).collect()
    })
}

fn least_common_multiple(one: u64, other: u64) -> u64 {
    let (mut a, mut b) = (one, other);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (one / a.max(1)).saturating_mul(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zarr::Fill;

    #[test]
    fn boxes_have_edges_of_the_source_where_memory_holds_it() {
        const MIB: u64 = 1 << 20;
        // Of float32: 24 bytes a value.
        for (what, shape, chunks, source, room, expected, cut) in [
            ("alike: as many as a box takes", [9, 1500, 2000], [5, 500, 500], [1, 500, 500], 256 * MIB, [5, 500, 1000], false),
            ("of two lengths: a common one", [9, 120, 120], [1, 10, 10], [1, 15, 15], MIB, [1, 120, 120], false),
            ("of two lengths, little memory", [9, 120, 120], [1, 10, 10], [1, 15, 15], 30_000, [1, 30, 30], false),
            ("a map in one, memory holds it", [9, 500, 500], [5, 100, 100], [1, 500, 500], 30 * MIB, [5, 500, 500], false),
            ("a map in one, it does not", [9, 500, 500], [5, 100, 100], [1, 500, 500], 3 * MIB, [5, 100, 200], true),
            ("not even one box", [9, 500, 500], [5, 100, 100], [1, 500, 500], 1, [5, 100, 100], true),
            ("a source that says absurd things", [9, 50, 50], [5, 10, 10], [1, u64::MAX, 7], 30 * MIB, [5, 50, 50], false),
            ("nothing along a dimension", [9, 0, 50], [5, 1, 10], [1, 4, 50], 30 * MIB, [5, 1, 50], false),
        ] {
            let metadata = ArrayMetadata::new(shape.to_vec(), chunks.to_vec(), Dtype::F32, Fill::Nan);
            let steps = steps(&metadata, 0, &source, room);
            assert_eq!((&steps[..], are_cut(&metadata, 0, &source, &steps)), (&expected[..], cut), "{what}");
        }
    }

    #[test]
    fn boxes_cover_a_row_of_chunks() {
        let metadata = ArrayMetadata::new(vec![9, 5, 3], vec![4, 2, 3], Dtype::F32, Fill::Nan);
        let found = boxes(&metadata, 0, 2, &[4, 4, 3]);
        assert_eq!(found, [[8..12, 0..4, 0..3], [8..12, 4..5, 0..3]], "rows may lie beyond the end");
    }
}
