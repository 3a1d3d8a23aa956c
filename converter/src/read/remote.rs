//! An object that is read by ranges, for what its header says: large files are not sent whole.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::input::Positioned;

/// What one request brings at least: the parts of a header lie near each other.
const BLOCK: u64 = 128 << 10;
/// What is kept of one object.
const KEPT: usize = 32;

type Fetch = dyn Fn(u64, u64) -> io::Result<Bytes> + Send + Sync;

/// Gets ranges by a function of offset and length, and keeps those that were asked for.
pub struct Remote {
    length: u64,
    fetch: Box<Fetch>,
    blocks: Mutex<BTreeMap<u64, Bytes>>,
}

impl Remote {
    /// `fetch` gets all of a range that lies within `length`.
    pub fn new(length: u64, fetch: impl Fn(u64, u64) -> io::Result<Bytes> + Send + Sync + 'static) -> Self {
        Self { length, fetch: Box::new(fetch), blocks: Mutex::default() }
    }

    fn block(&self, number: u64) -> io::Result<Bytes> {
        // One at a time: what two threads want lies mostly in one block.
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = blocks.get(&number) {
            return Ok(block.clone());
        }
        let start = number * BLOCK;
        let block = self.exactly(start, BLOCK.min(self.length.saturating_sub(start)))?;
        if blocks.len() >= KEPT {
            blocks.clear();
        }
        blocks.insert(number, block.clone());
        Ok(block)
    }

    fn exactly(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let bytes = (self.fetch)(offset, length)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Positioned for Remote {
    fn read_range(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if length as u64 >= BLOCK {
            return self.exactly(offset, length as u64);
        }
        let mut read = Vec::with_capacity(length);
        while read.len() < length {
            let at = offset + read.len() as u64;
            let block = self.block(at / BLOCK)?;
            let start = (at % BLOCK) as usize;
            let part = block.get(start..block.len().min(start + length - read.len())).filter(|part| !part.is_empty());
            read.extend_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(read.into())
    }

    fn in_memory(&self) -> u64 {
        BLOCK * KEPT as u64
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remote").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn ranges_are_those_of_the_object_and_blocks_are_asked_for_once() {
        let object: Vec<u8> = (0..BLOCK * 2 + 10).map(|byte| (byte % 251) as u8).collect();
        let asked = Arc::new(AtomicUsize::new(0));
        let (of, counted) = (object.clone(), Arc::clone(&asked));
        let remote = Remote::new(object.len() as u64, move |offset, length| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::copy_from_slice(&of[offset as usize..][..length as usize]))
        });
        let block = BLOCK as usize;
        for (offset, length, requests) in [
            (0, 10, 1),
            (block - 5, 5, 1),
            (block - 5, 10, 2),
            (2 * block - 1, 11, 3),
            (0, object.len(), 4),
            (7, block, 5),
            (block, 100, 5),
        ] {
            let read = remote.read_range(offset as u64, length).unwrap();
            assert_eq!(read, &object[offset..][..length], "{offset} {length}");
            assert_eq!(asked.load(Ordering::Relaxed), requests, "{offset} {length}");
        }
        let broken = Remote::new(BLOCK, |_, _| Ok(Bytes::from_static(b"less")));
        assert_eq!(broken.read_range(0, 8).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
