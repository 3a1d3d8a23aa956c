//! What is worth saying of the chunks of a new store before it is filled: they stay for good.

use std::collections::BTreeMap;

use super::is_own;
use crate::zarr::{Array, ArrayMetadata};

/// Larger chunks are slow to read a point of, and heavy to make.
const LARGE: u64 = 64 << 20;

/// Dimensions and chunk lengths.
type Shape<'a> = (Vec<&'a str>, &'a [u64]);

/// Dimensions whose last chunk is a sliver, and chunks that are large; each with lengths that are better.
#[must_use]
pub fn advise(arrays: &BTreeMap<String, Array>, append: &str) -> Vec<String> {
    let mut slivers = BTreeMap::new();
    // Arrays of the same dimensions and chunks are one case, told by the one with the widest values.
    let mut large: BTreeMap<Shape<'_>, (usize, &str, usize)> = BTreeMap::new();
    for (name, array) in arrays.iter().filter(|(name, _)| !is_own(name, append)) {
        let Ok(dimensions) = array.dimensions() else { continue };
        let ArrayMetadata { shape, chunks, dtype, .. } = &array.metadata;
        for ((dimension, &length), &chunk) in dimensions.iter().zip(shape).zip(chunks) {
            if *dimension != append && is_sliver(length, chunk) {
                slivers.insert((*dimension, length, chunk), better(length, chunk));
            }
        }
        if bytes(chunks, dtype.width()) > LARGE {
            let (width, widest, count) = large.entry((dimensions, chunks)).or_insert((dtype.width(), name, 0));
            if dtype.width() > *width {
                (*width, *widest) = (dtype.width(), name);
            }
            *count += 1;
        }
    }
    let slivers = slivers.into_iter().map(|((dimension, length, chunk), better)| {
        let last = length % chunk;
        format!("dimension {dimension:?}: {length} positions in chunks of {chunk} leave a last chunk of {last}; {better} would be better")
    });
    let large = large.into_iter().map(|((dimensions, chunks), (width, name, count))| {
        let others = if count > 1 { format!(" (and of {} more variables)", count - 1) } else { String::new() };
        let mib = bytes(chunks, width).div_ceil(1 << 20);
        let better = halved(chunks, width);
        format!(
            "variable {name:?}: a chunk{others} of {chunks:?} values of {width} bytes along {dimensions:?} has {mib} MiB; {better:?} would be better"
        )
    });
    slivers.chain(large).collect()
}

fn bytes(chunks: &[u64], width: usize) -> u64 {
    chunks.iter().fold(width as u64, |bytes, &length| bytes.saturating_mul(length))
}

/// Whether the last of several chunks has less than a tenth of the others' length.
fn is_sliver(length: u64, chunk: u64) -> bool {
    let last = length % chunk;
    length > chunk && last > 0 && last.saturating_mul(10) < chunk
}

/// The least length that spreads the sliver over the other chunks.
fn better(length: u64, chunk: u64) -> u64 {
    (length.div_ceil(length / chunk)..length).find(|&chunk| !is_sliver(length, chunk)).unwrap_or(length)
}

/// The longest dimension halved until a chunk is no longer large.
fn halved(chunks: &[u64], width: usize) -> Vec<u64> {
    let mut chunks = chunks.to_vec();
    while bytes(&chunks, width) > LARGE {
        let Some(longest) = chunks.iter_mut().max() else { break };
        *longest = longest.div_ceil(2);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zarr::{Attributes, Dtype, Fill, set_dimensions};

    #[test]
    fn slivers_are_spread_over_the_other_chunks() {
        for (length, chunk, expected) in [
            (9601, 600, Some(601)),
            (13601, 800, Some(801)),
            (60, 59, Some(60)),
            (101, 50, Some(51)),
            (9600, 600, None),
            (60, 60, None),
            (59, 600, None),
            (660, 600, None),
            (659, 600, Some(659)),
            (3, 2, None),
        ] {
            let found = is_sliver(length, chunk).then(|| better(length, chunk));
            assert_eq!(found, expected, "{length} in chunks of {chunk}");
            assert!(found.is_none_or(|better| !is_sliver(length, better)));
        }
    }

    #[test]
    fn each_case_is_told_once() {
        let array = |dimensions: &[&str], shape: &[u64], chunks: &[u64], dtype| {
            let mut attributes = Attributes::new();
            set_dimensions(&mut attributes, dimensions.iter().copied());
            Array { metadata: ArrayMetadata::new(shape.into(), chunks.into(), dtype, Fill::Null), attributes }
        };
        let all = ["t", "y", "x"];
        for (arrays, expected) in [
            (vec![("t", array(&["t"], &[0], &[90_000_000], Dtype::F64)), ("v", array(&all, &[9, 4, 4], &[5, 4, 4], Dtype::F64))], vec![]),
            (
                vec![
                    ("a", array(&all, &[1, 9601, 5], &[5, 600, 5], Dtype::F32)),
                    ("b", array(&all, &[1, 9601, 5], &[5, 600, 5], Dtype::F32)),
                    ("c", array(&["t"], &[6], &[5], Dtype::F32)),
                ],
                vec!["dimension \"y\": 9601 positions in chunks of 600 leave a last chunk of 1; 601 would be better"],
            ),
            (
                vec![
                    ("a", array(&all, &[1, 4000, 4000], &[40, 2000, 2000], Dtype::F32)),
                    ("b", array(&all, &[1, 4000, 4000], &[40, 2000, 2000], Dtype::F64)),
                ],
                vec![
                    "variable \"b\": a chunk (and of 1 more variables) of [40, 2000, 2000] values of 8 bytes along [\"t\", \"y\", \"x\"] has \
                     1221 MiB; [40, 500, 250] would be better",
                ],
            ),
            (vec![("a", array(&["t", "y"], &[1, 1024], &[8192, 1024], Dtype::F64))], vec![]),
            (
                vec![("a", array(&["t", "y"], &[1, 1024], &[8193, 1024], Dtype::F64))],
                vec![
                    "variable \"a\": a chunk of [8193, 1024] values of 8 bytes along [\"t\", \"y\"] has 65 MiB; [4097, 1024] would be better",
                ],
            ),
        ] {
            let arrays = arrays.into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
            assert_eq!(advise(&arrays, "t"), expected);
        }
    }
}
