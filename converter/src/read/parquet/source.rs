//! An input file as the Parquet library reads it.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::read::{Input, ReadError};

/// Bytes fetched ahead where the library reads on without saying how far: page headers.
const AHEAD: usize = 8 << 10;

impl Length for Input {
    fn len(&self) -> u64 {
        Input::len(self)
    }
}

impl ChunkReader for Input {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Result<Cursor> {
        Ok(Cursor { input: self.clone(), next: start, ahead: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.read_at(start, length)?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(ParquetError::EOF(format!("{length} bytes at byte {start} are wanted, and the file ends at {}", Input::len(self))))
        }
    }
}

/// Reads on from a place.
pub struct Cursor {
    input: Input,
    next: u64,
    ahead: Bytes,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            self.ahead = self.input.read_at(self.next, AHEAD)?;
            self.next += self.ahead.len() as u64;
        }
        let count = buffer.len().min(self.ahead.len());
        self.ahead.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// The four bytes a Parquet file begins and ends with.
pub(super) fn check_marks(input: &Input) -> std::result::Result<(), ReadError> {
    let read = |offset: u64| input.read_at(offset, 4).map_err(|error| ReadError::Unreadable(error.to_string()));
    let length = Input::len(input);
    if length == 0 {
        return Err(ReadError::Empty);
    }
    let (head, tail) = (read(0)?, read(length.saturating_sub(4))?);
    let encrypted = || ReadError::Unsupported("the file is encrypted; write it without Parquet encryption".to_owned());
    match (head.as_ref(), tail.as_ref()) {
        (b"PAR1", b"PAR1") if length >= 12 => Ok(()),
        (b"PARE", _) | (_, b"PARE") => Err(encrypted()),
        (b"PAR1", _) => Err(ReadError::Truncated(format!("it begins as a Parquet file, and after {length} bytes there is no footer"))),
        _ => Err(ReadError::Unreadable(format!("it is no Parquet file: it begins with {:?}", String::from_utf8_lossy(&head)))),
    }
}
