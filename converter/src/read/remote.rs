//! An object that is read by ranges, for what its header says: large files are not sent whole.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::input::Positioned;

/// What one request brings at least: the parts of a header lie near each other. Where many are asked for it brings more.
const BLOCK: u64 = 128 << 10;
const MOST: u64 = 2 << 20;
/// Requests after which a block is twice as long.
const PATIENCE: usize = 16;
/// Blocks that are kept of one object, and what they may be together.
const KEPT: usize = 64;
const IN_MEMORY: u64 = 8 << 20;

type Fetch = dyn Fn(u64, u64) -> io::Result<Bytes> + Send + Sync;

/// Gets ranges by a function of offset and length, and keeps those that were asked for.
pub struct Remote {
    length: u64,
    fetch: Box<Fetch>,
    blocks: Mutex<Blocks>,
}

/// Parts of the object by where they begin.
#[derive(Default)]
struct Blocks {
    parts: BTreeMap<u64, Bytes>,
    oldest_first: VecDeque<u64>,
    asked: usize,
}

impl Remote {
    /// `fetch` gets all of a range that lies within `length`.
    pub fn new(length: u64, fetch: impl Fn(u64, u64) -> io::Result<Bytes> + Send + Sync + 'static) -> Self {
        Self { length, fetch: Box::new(fetch), blocks: Mutex::default() }
    }

    /// What is known from `at` on: some bytes.
    fn from(&self, at: u64) -> io::Result<Bytes> {
        // One at a time: what two threads want lies mostly in one block.
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((start, part)) = blocks.parts.range(..=at).next_back().filter(|(start, part)| at - **start < part.len() as u64) {
            return Ok(part.slice((at - start) as usize..));
        }
        let length = (BLOCK << (blocks.asked / PATIENCE).min(8)).min(MOST);
        let start = at / BLOCK * BLOCK;
        let part = self.exactly(start, length.min(self.length.saturating_sub(start)))?;
        blocks.asked += 1;
        blocks.parts.insert(start, part.clone());
        blocks.oldest_first.push_back(start);
        while blocks.oldest_first.len() > KEPT || blocks.parts.values().map(|part| part.len() as u64).sum::<u64>() > IN_MEMORY {
            let Some(oldest) = blocks.oldest_first.pop_front() else { break };
            blocks.parts.remove(&oldest);
        }
        Ok(part.slice(((at - start) as usize).min(part.len())..))
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
            let part = self.from(offset + read.len() as u64)?;
            if part.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read.extend_from_slice(&part[..part.len().min(length - read.len())]);
        }
        Ok(read.into())
    }

    fn in_memory(&self) -> u64 {
        IN_MEMORY
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
        // A header that lies all over the object does not cost a request for each part.
        let far = Remote::new(256 << 20, |_, length| Ok(vec![0; length as usize].into()));
        for at in (0..256 << 20).step_by(100_000) {
            far.read_range(at, 8).unwrap();
        }
        let blocks = far.blocks.lock().unwrap();
        assert!(blocks.asked < 200 && blocks.parts.values().map(Bytes::len).sum::<usize>() <= IN_MEMORY as usize, "{}", blocks.asked);
        let broken = Remote::new(BLOCK, |_, _| Ok(Bytes::from_static(b"less")));
        assert_eq!(broken.read_range(0, 8).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
