//! The two filters that nearly every NetCDF-4 file has, faster than the HDF5 reader's own; and those that it has not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use hdf5_reader::datatype_api::dtype_element_size;
use hdf5_reader::error::Error;
use hdf5_reader::filters::{FILTER_DEFLATE, FILTER_SHUFFLE};
use hdf5_reader::{Dataset, FilterRegistry, Hdf5File};
use libdeflater::{DecompressionError, Decompressor};

use super::netcdf::storage;
use super::{Input, codecs};

/// What a stream may decode to without the question how large the file's chunks are.
const UNASKED: usize = 64 << 20;
/// The first guess at how many elements a chunk has.
const FIRST_GUESS: usize = 16 << 10;

/// The reader tells its own filters how much they may decode to, but not those of others: the limit is
/// the largest chunk that `input` itself declares, looked up only for a stream that is long.
pub(super) fn registry(input: &Input) -> FilterRegistry {
    let mut registry = FilterRegistry::new();
    let (input, limit, guess) = (input.clone(), OnceLock::new(), AtomicUsize::new(FIRST_GUESS));
    let most = Arc::new(move || *limit.get_or_init(|| largest_chunk(&input).max(UNASKED)));
    for (id, decode) in codecs::ALL {
        let most = Arc::clone(&most);
        registry
            .register(id, Box::new(move |_, data, _| decode(data, UNASKED).or_else(|| decode(data, most())).ok_or_else(|| refused(id))));
    }
    registry.register(
        FILTER_DEFLATE,
        Box::new(move |_, data, width| {
            let width = width.max(1);
            let decoded = inflate(data, guess.load(Ordering::Relaxed).saturating_mul(width), &*most)?;
            guess.store(decoded.len().div_ceil(width).max(1), Ordering::Relaxed);
            Ok(decoded)
        }),
    );
    registry.register(FILTER_SHUFFLE, Box::new(|_, data, width| Ok(unshuffle(data, width))));
    registry
}

fn refused(id: u16) -> Error {
    Error::DecompressionError(format!("a chunk under filter {id} is damaged, or decodes to more than a chunk can have"))
}

/// Bytes of the largest chunk, with what a checksum or a second filter adds.
fn largest_chunk(input: &Input) -> usize {
    let Ok(file) = Hdf5File::from_storage(storage(input)) else { return 0 };
    let datasets = file.root_group().and_then(|root| root.datasets()).unwrap_or_default();
    let size = |dataset: &Dataset| {
        let width = dtype_element_size(dataset.dtype()).ok()?;
        dataset.chunks()?.iter().try_fold(width, |bytes, &length| bytes.checked_mul(length as usize))
    };
    datasets.iter().filter_map(size).max().map_or(0, |bytes| bytes.saturating_add(bytes >> 8).saturating_add(64))
}

/// Decodes a zlib stream of a length that is guessed, into at most `most` bytes.
fn inflate(data: &[u8], guess: usize, most: impl Fn() -> usize) -> Result<Vec<u8>, Error> {
    let broken = |detail: String| Error::DecompressionError(format!("DEFLATE decompression failed: {detail}"));
    // No stream expands to more: a guess from another chunk must not reserve it for a short one.
    let possible = data.len().saturating_mul(1032).saturating_add(64);
    let mut size = guess.min(possible).min(UNASKED);
    loop {
        let mut decoded = Vec::new();
        decoded.try_reserve_exact(size).map_err(|e| broken(format!("{size} bytes: {e}")))?;
        decoded.resize(size, 0);
        match Decompressor::new().zlib_decompress(data, &mut decoded) {
            Ok(length) => {
                decoded.truncate(length);
                return Ok(decoded);
            }
            Err(DecompressionError::BadData) => return Err(broken("the stream is damaged".to_owned())),
            Err(DecompressionError::InsufficientSpace) => {
                let larger = size.saturating_mul(2).min(possible);
                let larger = if larger > UNASKED { larger.min(most()) } else { larger };
                if larger <= size {
                    return Err(broken(format!("it decodes to more than the {size} bytes that a chunk can have")));
                }
                size = larger;
            }
        }
    }
}

/// The elements, from all their first bytes, all their second bytes, …; what is no whole element stays at the end.
fn unshuffle(data: &[u8], width: usize) -> Vec<u8> {
    let count = data.len() / width.max(1);
    let mut elements = vec![0; data.len()];
    match width {
        _ if width < 2 || count == 0 => elements.copy_from_slice(data),
        2 => pairs(planes(data, count), elements.as_chunks_mut().0),
        4 => fours(planes(data, count), elements.as_chunks_mut().0),
        8 => eights(planes(data, count), elements.as_chunks_mut().0),
        _ => {
            for (element, bytes) in elements.chunks_exact_mut(width).enumerate() {
                bytes.iter_mut().enumerate().for_each(|(byte, value)| *value = data[byte * count + element]);
            }
        }
    }
    elements[count * width..].copy_from_slice(&data[count * width..]);
    elements
}

fn planes<const N: usize>(data: &[u8], count: usize) -> [&[u8]; N] {
    std::array::from_fn(|byte| &data[byte * count..(byte + 1) * count])
}

// Numbers are put together with shifts: that form becomes vector instructions, one of bytes does not.

fn pairs([a, b]: [&[u8]; 2], elements: &mut [[u8; 2]]) {
    for ((element, &a), &b) in elements.iter_mut().zip(a).zip(b) {
        *element = (u16::from(a) | u16::from(b) << 8).to_le_bytes();
    }
}

fn fours([a, b, c, d]: [&[u8]; 4], elements: &mut [[u8; 4]]) {
    for ((((element, &a), &b), &c), &d) in elements.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *element = (u32::from(a) | u32::from(b) << 8 | u32::from(c) << 16 | u32::from(d) << 24).to_le_bytes();
    }
}

#[allow(clippy::many_single_char_names)] // the eight bytes of an element
fn eights(planes: [&[u8]; 8], elements: &mut [[u8; 8]]) {
    let (mut low, mut high) = ([[0; 4]; BLOCK], [[0; 4]; BLOCK]);
    for (block, elements) in elements.chunks_mut(BLOCK).enumerate() {
        let [a, b, c, d, e, f, g, h] = planes.map(|plane| &plane[block * BLOCK..][..elements.len()]);
        fours([a, b, c, d], &mut low);
        fours([e, f, g, h], &mut high);
        for ((element, &low), &high) in elements.iter_mut().zip(&low).zip(&high) {
            *element = (u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << 32).to_le_bytes();
        }
    }
}

/// Elements whose halves are put together at once.
const BLOCK: usize = 512;

#[cfg(test)]
mod tests {
    use libdeflater::{CompressionLvl, Compressor};

    use super::*;

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(CompressionLvl::default());
        let mut out = vec![0; compressor.zlib_compress_bound(data.len())];
        let length = compressor.zlib_compress(data, &mut out).unwrap();
        out.truncate(length);
        out
    }

    #[test]
    fn elements_come_together_whatever_their_width() {
        for width in [0, 1, 2, 3, 4, 5, 8, 16] {
            for length in [0, 1, 7, 8, 64, 1001] {
                let data: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
                let count = data.len() / width.max(1);
                let mut shuffled = data.clone();
                if width > 1 {
                    for (at, &byte) in data[..count * width].iter().enumerate() {
                        shuffled[at % width * count + at / width] = byte;
                    }
                }
                assert_eq!(unshuffle(&shuffled, width), data, "{length} bytes of {width}");
            }
        }
    }

    #[test]
    fn a_stream_is_decoded_whatever_the_guess() {
        for length in [0, 1, 100, 100_000] {
            let data: Vec<u8> = (0..length).map(|i| (i / 100) as u8).collect();
            for guess in [1, 100, 1 << 30] {
                assert_eq!(inflate(&deflate(&data), guess, || 0).unwrap(), data);
            }
        }
    }

    #[test]
    fn a_stream_longer_than_the_largest_chunk_is_refused_with_the_limit() {
        let stream = deflate(&vec![0; UNASKED + 1]);
        let error = inflate(&stream, 1, || UNASKED).unwrap_err().to_string();
        assert!(error.contains(&UNASKED.to_string()), "{error}");
        assert_eq!(inflate(&stream, 1, || UNASKED + 100).unwrap().len(), UNASKED + 1);
    }

    #[test]
    fn a_damaged_stream_is_an_error() {
        let mut stream = deflate(&[5; 1000]);
        stream.pop();
        assert!(inflate(&stream, 1000, || 0).is_err());
        assert!(inflate(&[], 1000, || 0).is_err());
    }
}
