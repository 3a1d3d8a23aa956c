//! The file in blocks of whole lines, a few at a time in memory.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use crds::config::csv::Encoding;

use super::dialect::Dialect;
use super::scan::{OpenQuote, last_line_end};
use crate::read::{Input, ReadError};

/// Whole lines of a file.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Its place among the blocks.
    pub sequence: u64,
    /// The line it begins with, from 1.
    pub line: u64,
    /// Lines in it, at least as many as rows.
    pub lines: u64,
    pub bytes: Bytes,
}

/// Hands out the blocks of a file, from its first line or from the first of its rows.
#[derive(Clone, Debug)]
pub(super) struct Source {
    input: Input,
    dialect: Arc<Dialect>,
    offset: u64,
    line: u64,
    sequence: u64,
    block_bytes: usize,
    /// The longest line that is read.
    longest: usize,
    /// Lines a block may have.
    max_lines: u64,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Source {
    pub fn new(input: Input, dialect: &Arc<Dialect>, block_bytes: usize, longest: usize) -> Result<Self, ReadError> {
        let start = read(&input, 0, BYTE_ORDER_MARK.len())?;
        let offset = if start == BYTE_ORDER_MARK { BYTE_ORDER_MARK.len() as u64 } else { 0 };
        let dialect = Arc::clone(dialect);
        let (line, sequence, max_lines) = (1, 0, u64::MAX);
        Ok(Self { input, dialect, offset, line, sequence, block_bytes, longest, max_lines })
    }

    /// The same file from `bytes` behind the start of the block `block`, which begins on line `line`.
    pub fn at(&self, block_start: u64, consumed: usize, line: u64) -> Self {
        Self { offset: block_start + consumed as u64, line, sequence: 0, ..self.clone() }
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Blocks of fewer lines, for tables whose rows need much more memory than their lines.
    pub fn limit_lines(&mut self, max_lines: u64) {
        self.max_lines = max_lines.max(1);
    }

    /// The same place in the file, from here on in blocks of another size.
    pub fn with_blocks_of(mut self, block_bytes: usize) -> Self {
        self.block_bytes = block_bytes;
        self
    }

    pub fn is_done(&self) -> bool {
        self.offset >= self.input.len()
    }

    /// The next block; none at the end of the file.
    pub fn next(&mut self) -> Result<Option<Block>, ReadError> {
        let mut wanted = self.block_bytes;
        loop {
            let bytes = read(&self.input, self.offset, wanted)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let whole = self.offset + bytes.len() as u64 >= self.input.len();
            let end = if whole { Ok(Some(bytes.len())) } else { last_line_end(&bytes, &self.dialect) };
            match end {
                Ok(Some(end)) => return Ok(Some(self.block(&bytes, end))),
                Ok(None) | Err(_) if wanted < self.longest => wanted *= 2,
                Ok(None) => return Err(self.too_long(&bytes, 0, "a line is longer than")),
                Err(OpenQuote(at)) => return Err(self.too_long(&bytes, at, "a quote that begins here is not closed within")),
            }
        }
    }

    fn too_long(&self, bytes: &Bytes, at: usize, what: &str) -> ReadError {
        let line = self.line + line_ends(&bytes[..at], &self.dialect);
        ReadError::csv(line, format!("{what} {} bytes; check `quotechar` and the line ends", bytes.len()))
    }

    fn block(&mut self, bytes: &Bytes, end: usize) -> Block {
        let mut end = end;
        let mut lines = line_ends(&bytes[..end], &self.dialect) + 1;
        while lines > self.max_lines.saturating_add(1) {
            // Half the block holds about half the lines; what cannot be halved stays.
            match last_line_end(&bytes[..end / 2], &self.dialect) {
                Ok(Some(half)) if half > 0 => end = half,
                _ => break,
            }
            lines = line_ends(&bytes[..end], &self.dialect) + 1;
        }
        let block = Block { sequence: self.sequence, line: self.line, lines, bytes: bytes.slice(..end) };
        self.offset += end as u64;
        self.line += lines - 1;
        self.sequence += 1;
        block
    }
}

fn read(input: &Input, offset: u64, length: usize) -> Result<Bytes, ReadError> {
    input.read_at(offset, length).map_err(|error| ReadError::Unreadable(format!("the scratch file: {error}")))
}

/// Line ends in a text. Files whose lines end with `\r` alone are counted by these.
pub(super) fn line_ends(bytes: &[u8], dialect: &Dialect) -> u64 {
    let count = |byte| memchr::memchr_iter(byte, bytes).count() as u64;
    match count(dialect.newline) {
        0 if dialect.bare_return() => count(b'\r'),
        lines => lines,
    }
}

/// A text that is not in the encoding it should be in: where, and which byte.
pub(super) struct Undecodable {
    pub at: usize,
    pub detail: String,
}

/// The block as UTF-8. Delimiters and line ends are the same bytes in every encoding that is read.
pub(super) fn decode<'a>(bytes: &'a [u8], dialect: &Dialect) -> Result<Cow<'a, [u8]>, Undecodable> {
    let undecodable = |at: usize, encoding: &str, advice: &str| Undecodable {
        at,
        detail: format!("the byte 0x{:02x} is no {encoding}; {advice}", bytes.get(at).copied().unwrap_or_default()),
    };
    let Err(error) = std::str::from_utf8(bytes) else {
        let is_ascii_only = dialect.encoding == Encoding::Utf8 || bytes.is_ascii();
        return if is_ascii_only { Ok(Cow::Borrowed(bytes)) } else { single_bytes(bytes, dialect, undecodable) };
    };
    if dialect.encoding != Encoding::Utf8 {
        return single_bytes(bytes, dialect, undecodable);
    }
    if dialect.replace_invalid {
        return Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned().into_bytes()));
    }
    Err(undecodable(error.valid_up_to(), "UTF-8", "write `encoding: latin-1` (or cp1252) if that is what the file is in"))
}

fn single_bytes<'a>(
    bytes: &[u8],
    dialect: &Dialect,
    undecodable: impl Fn(usize, &str, &str) -> Undecodable,
) -> Result<Cow<'a, [u8]>, Undecodable> {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for (at, &byte) in bytes.iter().enumerate() {
        let decoded = match dialect.encoding {
            Encoding::Cp1252 => cp1252(byte),
            Encoding::Ascii => byte.is_ascii().then_some(char::from(byte)),
            Encoding::Latin1 | Encoding::Utf8 => Some(char::from(byte)),
        };
        match decoded {
            Some(character) => text.push(character),
            None if dialect.replace_invalid => text.push('\u{fffd}'),
            None if dialect.encoding == Encoding::Ascii => return Err(undecodable(at, "ASCII", "write `encoding: utf-8` or latin-1")),
            None => return Err(undecodable(at, "cp1252 character", "write the file's encoding")),
        }
    }
    Ok(Cow::Owned(text.into_bytes()))
}

/// Windows' Latin-1: other characters at 0x80 to 0x9f, five of them none.
fn cp1252(byte: u8) -> Option<char> {
    const HIGH: [u16; 32] = [
        0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019,
        0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
    ];
    match byte {
        0x80..=0x9f => char::from_u32(u32::from(HIGH[usize::from(byte - 0x80)])).filter(|c| *c != '\0'),
        _ => Some(char::from(byte)),
    }
}
