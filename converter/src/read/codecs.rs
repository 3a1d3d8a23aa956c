//! Compression that netCDF's C library and h5py know beside deflate: filters registered with the HDF Group.

use std::io::Read;

/// Decodes a chunk into at most so many bytes; none of one that is damaged or longer.
type Decode = fn(&[u8], usize) -> Option<Vec<u8>>;

/// By the numbers of the registry.
pub(super) const ALL: [(u16, Decode); 4] = [(307, bzip2), (32_000, lzf), (32_001, blosc), (32_015, zstd)];

fn zstd(data: &[u8], most: usize) -> Option<Vec<u8>> {
    all_of(::zstd::stream::read::Decoder::new(data).ok()?, most)
}

fn bzip2(data: &[u8], most: usize) -> Option<Vec<u8>> {
    all_of(::bzip2::read::BzDecoder::new(data), most)
}

fn all_of(stream: impl Read, most: usize) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    stream.take(most as u64 + 1).read_to_end(&mut decoded).ok()?;
    (decoded.len() <= most).then_some(decoded)
}

/// The filter's stream is that of the library.
fn blosc(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let length = zarrs::array::codec::blosc_validate(data).filter(|&length| length <= most)?;
    zarrs::array::codec::blosc_decompress_bytes(data, length, 1).ok()
}

/// `LibLZF`: a byte below 32 says how many bytes follow as they are; any other how long a piece is that stood before, and
/// how far back. h5py leaves a chunk that it could not make smaller without the filter.
fn lzf(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut decoded: Vec<u8> = Vec::new();
    let mut rest = data;
    while let Some((&control, behind)) = rest.split_first() {
        rest = behind;
        if control < 32 {
            let (literal, behind) = rest.split_at_checked(usize::from(control) + 1)?;
            decoded.extend_from_slice(literal);
            rest = behind;
        } else {
            let mut length = usize::from(control >> 5);
            if length == 7 {
                let (&more, behind) = rest.split_first()?;
                (length, rest) = (length + usize::from(more), behind);
            }
            let (&low, behind) = rest.split_first()?;
            rest = behind;
            let back = usize::from(control & 31) << 8 | usize::from(low);
            let from = decoded.len().checked_sub(back + 1)?;
            // It may reach into what it makes itself.
            for at in from..from + length + 2 {
                decoded.push(*decoded.get(at)?);
            }
        }
        if decoded.len() > most {
            return None;
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_or_too_long_is_none() {
        let text = b"abcabcabcabcabcabc, and then some".repeat(50);
        let zstd_stream = ::zstd::encode_all(&text[..], 3).unwrap();
        let mut bzip2_stream = Vec::new();
        ::bzip2::read::BzEncoder::new(&text[..], ::bzip2::Compression::fast()).read_to_end(&mut bzip2_stream).unwrap();
        // A literal of three bytes, then fifteen bytes that begin three back; the long form; a literal.
        let lzf_stream = [&[2][..], b"abc", &[7 << 5, 6, 2], &[4], b", and"].concat();
        for (decode, stream, expected) in
            [(zstd as Decode, zstd_stream, &text[..]), (bzip2, bzip2_stream, &text), (lzf, lzf_stream, &b"abcabcabcabcabcabc, and"[..])]
        {
            assert_eq!(decode(&stream, expected.len()).as_deref(), Some(expected));
            assert_eq!(decode(&stream, expected.len() - 1), None, "too long");
            assert_eq!(decode(&stream[..stream.len() - 2], expected.len()), None, "cut");
        }
        assert_eq!(lzf(&[32, 9], 100), None, "nothing stands there");
        assert_eq!(blosc(b"no Blosc at all", 100), None);
    }
}
