//! A column chunk, from values that repeat to pages, without a copy for each row.
//!
//! It is what a general writer spends most of its time on, and most columns of such files repeat: a
//! profile's position stands at each of its levels. A chunk gets a dictionary where that makes it
//! smaller, else plain values. Statistics are those of the `parquet` crate (a test holds them equal).

mod cells;
mod gathered;
mod hybrid;
mod intern;
mod page;
mod physical;
mod validity;

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, BinaryType, ByteArrayType, Date32Type, DurationNanosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type, Utf8Type,
};
use arrow_array::{Array, ArrayRef, GenericByteArray};
use arrow_schema::{DataType, TimeUnit};
use parquet::basic::{Compression, Encoding};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use super::WriteError;
use gathered::Gathered;
use intern::Interner;
use page::{Pages, Snappy};
use physical::{Physical, Stored, extremes, put_all};
use validity::{Validity, levels};

pub use cells::{Cells, Strip};

/// A page is closed when its values take that much; so is a dictionary given up.
const PAGE_BYTES: usize = 1 << 20;
/// Rows from which on a strip is worth being looked at as a whole.
const STRETCH: usize = 32;

/// A chunk ready to be put into a file.
#[derive(Debug)]
pub struct Chunk {
    /// Its pages.
    pub bytes: bytes::Bytes,
    /// What the footer says of it.
    pub close: ColumnCloseResult,
}

/// Encodes one chunk after another, in the same memory.
#[derive(Debug, Default)]
pub struct ChunkEncoder {
    interner: Interner,
    codes: Vec<u32>,
    body: Vec<u8>,
    snappy: Snappy,
}

impl ChunkEncoder {
    /// The chunk of a column of one row group; none for a type that is left to the `parquet` crate.
    pub(super) fn encode(&mut self, column: &ColumnDescPtr, data_type: &DataType, cells: &[Cells]) -> Result<Option<Chunk>, WriteError> {
        let Some(values) = Sequence::of(cells, data_type)? else { return Ok(None) };
        Ok(Some(match data_type {
            DataType::Int8 => self.numbers::<Int8Type>(column, &values)?,
            DataType::Int16 => self.numbers::<Int16Type>(column, &values)?,
            DataType::Int32 => self.numbers::<Int32Type>(column, &values)?,
            DataType::Int64 => self.numbers::<Int64Type>(column, &values)?,
            DataType::UInt8 => self.numbers::<UInt8Type>(column, &values)?,
            DataType::UInt16 => self.numbers::<UInt16Type>(column, &values)?,
            DataType::UInt32 => self.numbers::<UInt32Type>(column, &values)?,
            DataType::UInt64 => self.numbers::<UInt64Type>(column, &values)?,
            DataType::Float32 => self.numbers::<Float32Type>(column, &values)?,
            DataType::Float64 => self.numbers::<Float64Type>(column, &values)?,
            DataType::Date32 => self.numbers::<Date32Type>(column, &values)?,
            DataType::Time32(TimeUnit::Millisecond) => self.numbers::<Time32MillisecondType>(column, &values)?,
            DataType::Time64(TimeUnit::Microsecond) => self.numbers::<Time64MicrosecondType>(column, &values)?,
            DataType::Timestamp(TimeUnit::Nanosecond, None) => self.numbers::<TimestampNanosecondType>(column, &values)?,
            DataType::Timestamp(TimeUnit::Millisecond, None) => self.numbers::<TimestampMillisecondType>(column, &values)?,
            DataType::Duration(TimeUnit::Nanosecond) => self.numbers::<DurationNanosecondType>(column, &values)?,
            DataType::Utf8 => self.bytes::<Utf8Type>(column, &values)?,
            DataType::Binary => self.bytes::<BinaryType>(column, &values)?,
            _ => return Ok(None),
        }))
    }

    fn numbers<T>(&mut self, column: &ColumnDescPtr, values: &Sequence) -> Result<Chunk, WriteError>
    where
        T: ArrowPrimitiveType,
        T::Native: Stored,
    {
        let mut gathered = Gathered::new(&mut self.interner, &mut self.codes, values.rows);
        for (array, strip) in values.strips() {
            let Some(array) = array else {
                gathered.validity.append(false, strip.rows);
                continue;
            };
            let array = array.as_primitive::<T>();
            let all = array.values();
            match strip.step {
                0 if array.is_null(strip.first) => gathered.validity.append(false, strip.rows),
                0 => gathered.run(all[strip.first].stored(), strip.rows),
                1 if strip.rows >= STRETCH => {
                    for range in gathered.validity.append_array(array, strip) {
                        gathered.values(&all[range]);
                    }
                }
                _ => {
                    for index in strip.indices() {
                        if array.is_null(index) { gathered.validity.append(false, 1) } else { gathered.run(all[index].stored(), 1) }
                    }
                }
            }
        }
        let Gathered { values: stored, interned, validity, .. } = gathered;
        let range = extremes(column, &stored);
        let nulls = validity.nulls as u64;
        let statistics = Physical::statistics(range, nulls, &stored, interned.then_some(&self.codes));
        let width = size_of::<<T::Native as Stored>::Physical>();
        let count = validity.rows - validity.nulls;
        let mut write = Chunker { encoder: self, pages: Pages::default(), validity: &validity };
        if interned && stored.len() * width + packed_bytes(count, stored.len()) < count * width {
            write.dictionary(stored.len(), |out| put_all(out, stored.iter().copied()))?;
        } else if interned {
            let codes = std::mem::take(&mut write.encoder.codes);
            write.plain(|out| put_all(out, codes.iter().map(|&code| stored[code as usize])))?;
            write.encoder.codes = codes;
        } else {
            write.plain(|out| put_all(out, stored.iter().copied()))?;
        }
        let pages = write.pages;
        close(column, pages, validity.rows, statistics)
    }

    fn bytes<T: ByteArrayType<Offset = i32>>(&mut self, column: &ColumnDescPtr, values: &Sequence) -> Result<Chunk, WriteError> {
        self.interner.begin(values.rows);
        self.codes.clear();
        let mut dictionary: Vec<&[u8]> = Vec::new();
        let mut validity = Validity::new();
        for (array, strip) in values.strips() {
            let Some(array) = array else {
                validity.append(false, strip.rows);
                continue;
            };
            let array = array.as_bytes::<T>();
            let value = |index: usize| -> &[u8] { array.value(index).as_ref() };
            if strip.step == 0 {
                let valid = array.is_valid(strip.first);
                validity.append(valid, strip.rows);
                if valid {
                    let code = self.interner.code(&mut dictionary, value(strip.first));
                    self.codes.extend(std::iter::repeat_n(code, strip.rows));
                }
            } else if strip.step == 1 && strip.rows >= STRETCH {
                for range in validity.append_array(array, strip) {
                    if let Some(singles) = singles(array, &range) {
                        self.singles(&mut dictionary, singles);
                    } else {
                        self.texts(&mut dictionary, range.map(value));
                    }
                }
            } else {
                let valid = strip.indices().filter(|&index| {
                    let valid = array.is_valid(index);
                    validity.append(valid, 1);
                    valid
                });
                self.texts(&mut dictionary, valid.map(value));
            }
        }
        let least = dictionary.iter().min().map(|bytes| ByteArray::from(bytes.to_vec()));
        let most = dictionary.iter().max().map(|bytes| ByteArray::from(bytes.to_vec()));
        let statistics = Statistics::from(
            ValueStatistics::new(least, most, None, Some(validity.nulls as u64), false)
                .with_backwards_compatible_min_max(column.sort_order().is_signed()),
        );
        let once: usize = dictionary.iter().map(|bytes| bytes.len() + 4).sum();
        let all: usize = self.codes.iter().map(|&code| dictionary[code as usize].len() + 4).sum();
        let packed = packed_bytes(self.codes.len(), dictionary.len());
        let mut write = Chunker { encoder: self, pages: Pages::default(), validity: &validity };
        if once <= PAGE_BYTES && once + packed < all {
            write.dictionary(dictionary.len(), |out| dictionary.iter().for_each(|text| put_text(out, text)))?;
        } else {
            let codes = std::mem::take(&mut write.encoder.codes);
            write.plain_texts(codes.iter().map(|&code| dictionary[code as usize]))?;
            write.encoder.codes = codes;
        }
        let pages = write.pages;
        close(column, pages, validity.rows, statistics)
    }

    fn texts<'v>(&mut self, dictionary: &mut Vec<&'v [u8]>, values: impl Iterator<Item = &'v [u8]>) {
        let mut last: Option<u32> = None;
        for value in values {
            let code = match last {
                Some(code) if dictionary[code as usize] == value => code,
                _ => self.interner.code(dictionary, value),
            };
            last = Some(code);
            self.codes.push(code);
        }
    }

    /// Values of one byte each, as flags are.
    fn singles<'v>(&mut self, dictionary: &mut Vec<&'v [u8]>, values: &'v [u8]) {
        let mut known = [u32::MAX; 256];
        let Self { interner, codes, .. } = self;
        codes.extend(values.iter().enumerate().map(|(i, &byte)| {
            let code = &mut known[usize::from(byte)];
            if *code == u32::MAX {
                *code = interner.code(dictionary, &values[i..=i]);
            }
            *code
        }));
    }
}

/// The bytes of consecutive values if each has one.
fn singles<'a, T: ByteArrayType<Offset = i32>>(array: &'a GenericByteArray<T>, range: &Range<usize>) -> Option<&'a [u8]> {
    let offsets = &array.value_offsets()[range.start..=range.end];
    let first = usize::try_from(offsets[0]).ok()?;
    let each = offsets.windows(2).all(|pair| pair[1] - pair[0] == 1);
    each.then(|| &array.value_data()[first..first + range.len()])
}

/// Bytes of dictionary indices.
fn packed_bytes(count: usize, entries: usize) -> usize {
    (count * usize::from(hybrid::width_of(entries))).div_ceil(8)
}

/// The cells of one column chunk, all of one type.
struct Sequence<'a> {
    cells: &'a [Cells],
    rows: usize,
}

impl<'a> Sequence<'a> {
    /// None when values do not come in the column's type.
    fn of(cells: &'a [Cells], data_type: &DataType) -> Result<Option<Self>, WriteError> {
        for cells in cells {
            let Some(values) = &cells.values else { continue };
            if values.data_type() != data_type {
                return Ok(None);
            }
            let ends = cells.strips.iter().filter(|s| s.rows > 0).map(|s| s.first + s.step * (s.rows - 1));
            if ends.max().is_some_and(|last| last >= values.len()) {
                return Err(WriteError::Encode("a row lies outside its column's values".to_owned()));
            }
        }
        Ok(Some(Self { cells, rows: cells.iter().map(Cells::rows).sum() }))
    }

    fn strips(&self) -> impl Iterator<Item = (Option<&'a ArrayRef>, Strip)> {
        self.cells.iter().flat_map(|cells| cells.strips.iter().filter(|s| s.rows > 0).map(|&strip| (cells.values.as_ref(), strip)))
    }
}

/// Writes the pages of one chunk.
struct Chunker<'e> {
    encoder: &'e mut ChunkEncoder,
    pages: Pages,
    validity: &'e Validity,
}

impl Chunker<'_> {
    fn dictionary(&mut self, entries: usize, put: impl Fn(&mut Vec<u8>)) -> Result<(), WriteError> {
        let ChunkEncoder { codes, body, snappy, .. } = &mut *self.encoder;
        body.clear();
        put(body);
        self.pages.dictionary(snappy, body, entries)?;
        body.clear();
        levels(body, self.validity.finished().as_ref(), self.validity.rows);
        let width = hybrid::width_of(entries);
        body.push(width);
        hybrid::indices(body, codes, width);
        self.pages.data(snappy, body, self.validity.rows, Encoding::RLE_DICTIONARY)
    }

    fn plain(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), WriteError> {
        let ChunkEncoder { body, snappy, .. } = &mut *self.encoder;
        body.clear();
        levels(body, self.validity.finished().as_ref(), self.validity.rows);
        put(body);
        self.pages.data(snappy, body, self.validity.rows, Encoding::PLAIN)
    }

    /// Values of any length, in as many pages as they need.
    fn plain_texts<'v>(&mut self, mut values: impl Iterator<Item = &'v [u8]>) -> Result<(), WriteError> {
        let ChunkEncoder { body, snappy, .. } = &mut *self.encoder;
        let (bits, rows) = (self.validity.finished(), self.validity.rows);
        let valid = |row: usize| bits.as_ref().is_none_or(|bits| bits.value(row));
        let mut start = 0;
        while start < rows {
            let (mut end, mut page) = (start, Vec::new());
            while end < rows && page.len() < PAGE_BYTES {
                if valid(end)
                    && let Some(value) = values.next()
                {
                    put_text(&mut page, value);
                }
                end += 1;
            }
            body.clear();
            levels(body, bits.as_ref().map(|bits| bits.slice(start, end - start)).as_ref(), end - start);
            body.append(&mut page);
            self.pages.data(snappy, body, end - start, Encoding::PLAIN)?;
            start = end;
        }
        Ok(())
    }
}

/// A text as it lies in a page: its length, its bytes.
fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

fn close(column: &ColumnDescPtr, pages: Pages, rows: usize, statistics: Statistics) -> Result<Chunk, WriteError> {
    let mut encodings = vec![Encoding::RLE];
    for stats in &pages.stats {
        if !encodings.contains(&stats.encoding) {
            encodings.push(stats.encoding);
        }
    }
    let metadata = ColumnChunkMetaData::builder(column.clone())
        .set_compression(Compression::SNAPPY)
        .set_encodings(encodings)
        .set_page_encoding_stats(pages.stats)
        .set_total_compressed_size(pages.bytes.len() as i64)
        .set_total_uncompressed_size(pages.uncompressed as i64)
        .set_num_values(rows as i64)
        .set_data_page_offset(pages.data_at as i64)
        .set_dictionary_page_offset(pages.dictionary.then_some(0))
        .set_statistics(statistics)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: pages.bytes.len() as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    Ok(Chunk { bytes: pages.bytes.into(), close })
}
