//! Pages of a column chunk: a header in Thrift's compact protocol, then the compressed body.

use parquet::basic::{Encoding, PageType};
use parquet::file::metadata::PageEncodingStats;

use super::super::WriteError;

/// The pages of one column chunk as they lie in the file.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) bytes: Vec<u8>,
    /// Headers and bodies before compression.
    pub(super) uncompressed: usize,
    pub(super) dictionary: bool,
    /// Where the first data page begins.
    pub(super) data_at: usize,
    pub(super) stats: Vec<PageEncodingStats>,
}

impl Pages {
    /// The values of a dictionary, written plainly.
    pub(super) fn dictionary(&mut self, snappy: &mut Snappy, body: &[u8], values: usize) -> Result<(), WriteError> {
        let head = |thrift: &mut Thrift| {
            thrift.begin(7);
            thrift.i32(1, values as i32);
            thrift.i32(2, Encoding::PLAIN as i32);
            thrift.end();
        };
        self.page(snappy, PageType::DICTIONARY_PAGE, body, head)?;
        self.dictionary = true;
        self.data_at = self.bytes.len();
        self.count(PageType::DICTIONARY_PAGE, Encoding::PLAIN);
        Ok(())
    }

    /// Levels and values of some rows (data page v1).
    pub(super) fn data(&mut self, snappy: &mut Snappy, body: &[u8], rows: usize, encoding: Encoding) -> Result<(), WriteError> {
        let head = |thrift: &mut Thrift| {
            thrift.begin(5);
            thrift.i32(1, rows as i32);
            thrift.i32(2, encoding as i32);
            thrift.i32(3, Encoding::RLE as i32);
            thrift.i32(4, Encoding::RLE as i32);
            thrift.end();
        };
        self.page(snappy, PageType::DATA_PAGE, body, head)?;
        self.count(PageType::DATA_PAGE, encoding);
        Ok(())
    }

    fn page(&mut self, snappy: &mut Snappy, page: PageType, body: &[u8], head: impl Fn(&mut Thrift)) -> Result<(), WriteError> {
        let compressed = snappy.compress(body)?;
        let size = |bytes: &[u8]| {
            i32::try_from(bytes.len()).map_err(|_| WriteError::Encode(format!("a page of {} bytes; a value is too long", bytes.len())))
        };
        let (plain_size, compressed_size) = (size(body)?, size(compressed)?);
        let mut thrift = Thrift { out: &mut self.bytes, last: vec![0] };
        let before = thrift.out.len();
        thrift.i32(1, page as i32);
        thrift.i32(2, plain_size);
        thrift.i32(3, compressed_size);
        head(&mut thrift);
        thrift.out.push(0);
        self.uncompressed += self.bytes.len() - before + body.len();
        self.bytes.extend_from_slice(compressed);
        Ok(())
    }

    fn count(&mut self, page_type: PageType, encoding: Encoding) {
        match self.stats.last_mut() {
            Some(last) if last.page_type == page_type && last.encoding == encoding => last.count += 1,
            _ => self.stats.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
    }
}

/// Compresses into the same memory again and again.
#[derive(Debug)]
pub(super) struct Snappy {
    encoder: snap::raw::Encoder,
    out: Vec<u8>,
}

impl Default for Snappy {
    fn default() -> Self {
        Self { encoder: snap::raw::Encoder::new(), out: Vec::new() }
    }
}

impl Snappy {
    fn compress(&mut self, body: &[u8]) -> Result<&[u8], WriteError> {
        let most = snap::raw::max_compress_len(body.len());
        if self.out.len() < most {
            self.out.resize(most, 0);
        }
        let length = self.encoder.compress(body, &mut self.out).map_err(|error| WriteError::Encode(error.to_string()))?;
        Ok(&self.out[..length])
    }
}

/// As much of Thrift's compact protocol as a page header takes.
struct Thrift<'a> {
    out: &'a mut Vec<u8>,
    /// For each open struct the last field's id: ids are written as steps.
    last: Vec<u8>,
}

impl Thrift<'_> {
    fn field(&mut self, id: u8, kind: u8) {
        if let Some(last) = self.last.last_mut() {
            self.out.push((id - *last) << 4 | kind);
            *last = id;
        }
    }

    fn i32(&mut self, id: u8, value: i32) {
        self.field(id, 5);
        let mut zigzag = (value << 1 ^ value >> 31).cast_unsigned();
        while zigzag >= 0x80 {
            self.out.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        self.out.push(zigzag as u8);
    }

    fn begin(&mut self, id: u8) {
        self.field(id, 12);
        self.last.push(0);
    }

    fn end(&mut self) {
        self.out.push(0);
        self.last.pop();
    }
}
