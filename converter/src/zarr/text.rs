//! Chunks of texts of any length: numcodecs' vlen-utf8. A count of texts, then for each its length in bytes and its
//! UTF-8; all numbers have 32 bits, little-endian.

use super::chunk::{compress, decompress};
use super::{ArrayMetadata, ZarrError};

/// The most bytes that a chunk of texts may have when it is decoded: its length is nowhere told but in the chunk.
const MAX_BYTES: usize = 256 << 20;
/// The most that one is made with.
pub const MOST_TEXT: usize = 64 << 20;

/// A chunk's object from all its texts, C order.
pub fn encode_texts<T: AsRef<str>>(metadata: &ArrayMetadata, texts: &[T]) -> Result<Vec<u8>, ZarrError> {
    let expected = expected(metadata)?;
    if texts.len() != expected {
        return Err(ZarrError::chunk(format!("{} texts are not the {expected} of a chunk", texts.len())));
    }
    let length = 4 + texts.iter().map(|text| 4 + text.as_ref().len()).sum::<usize>();
    if length > MOST_TEXT {
        return Err(ZarrError::chunk(format!("texts of {length} bytes are more than the {MOST_TEXT} of a chunk")));
    }
    let mut raw = Vec::with_capacity(length);
    // Nothing is cut: the sum of all is below 32 bits.
    raw.extend((texts.len() as u32).to_le_bytes());
    for text in texts {
        raw.extend((text.as_ref().len() as u32).to_le_bytes());
        raw.extend(text.as_ref().as_bytes());
    }
    // numcodecs hands on plain bytes, so they are not shuffled by more than one.
    if metadata.compressed { compress(&raw, 1) } else { Ok(raw) }
}

/// All texts of a chunk, C order, from the chunk's object.
pub fn decode_texts(metadata: &ArrayMetadata, bytes: &[u8]) -> Result<Vec<String>, ZarrError> {
    let expected = expected(metadata)?;
    if !metadata.compressed {
        return split(bytes, expected);
    }
    let least = expected.saturating_mul(4).saturating_add(4);
    split(&decompress(bytes, |length| (least..=MAX_BYTES).contains(&length))?, expected)
}

fn expected(metadata: &ArrayMetadata) -> Result<usize, ZarrError> {
    if metadata.vlen {
        metadata.chunk_elements()
    } else {
        Err(ZarrError::chunk(format!("dtype {} has no texts of any length", metadata.dtype)))
    }
}

fn split(raw: &[u8], expected: usize) -> Result<Vec<String>, ZarrError> {
    let cut_short = || ZarrError::chunk("its texts end too early");
    let (count, mut rest) = number(raw).ok_or_else(cut_short)?;
    if count != expected {
        return Err(ZarrError::chunk(format!("{count} texts are not the {expected} of a chunk")));
    }
    // Each has a length, so a false count cannot ask for more memory than the bytes are worth.
    if rest.len() / 4 < count {
        return Err(cut_short());
    }
    let mut texts = Vec::with_capacity(count);
    for index in 0..count {
        let (length, behind) = number(rest).ok_or_else(cut_short)?;
        let (text, behind) = behind.split_at_checked(length).ok_or_else(cut_short)?;
        let text = std::str::from_utf8(text).map_err(|_| ZarrError::chunk(format!("text {index} is not UTF-8")))?;
        texts.push(text.to_owned());
        rest = behind;
    }
    if rest.is_empty() { Ok(texts) } else { Err(ZarrError::chunk(format!("{} bytes follow its texts", rest.len()))) }
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}
