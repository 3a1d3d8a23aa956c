//! Packs files into batches, in the order they come.

use crds::wire::{Batch, Batching, PlannedFile};

/// Most batches of one plan: what is left stays pending for the run that follows at once.
pub const MAX_BATCHES: u32 = 1_000;
/// A file that an earlier run did not reach fills this many places: its batch was too much for a pod.
const UNREACHED_PLACES: u32 = 4;

/// Fills batches up to their bounds.
#[derive(Debug)]
pub struct Packer {
    bounds: Batching,
    files: Vec<PlannedFile>,
    places: u32,
    bytes: u64,
    closed: u32,
}

/// What became of a file given to the packer.
#[derive(Debug, PartialEq)]
pub enum Packed {
    Taken,
    /// Taken, and the batch before it is full.
    Closed(Batch),
    /// No batch is left.
    Pending,
}

impl Packer {
    #[must_use]
    pub fn new(bounds: Batching) -> Self {
        Self { bounds, files: Vec::new(), places: 0, bytes: 0, closed: 0 }
    }

    /// `unreached`: an earlier run ended before this file's turn.
    pub fn add(&mut self, file: PlannedFile, unreached: bool) -> Packed {
        let places = if unreached { UNREACHED_PLACES.min(self.bounds.max_files) } else { 1 };
        let full =
            !self.files.is_empty() && (self.places + places > self.bounds.max_files || self.bytes + file.bytes > self.bounds.max_bytes);
        if full && self.closed + 1 >= MAX_BATCHES || self.closed >= MAX_BATCHES {
            return Packed::Pending;
        }
        let closed = if full { self.close() } else { None };
        self.places += places;
        self.bytes += file.bytes;
        self.files.push(file);
        closed.map_or(Packed::Taken, Packed::Closed)
    }

    /// The batch being filled, if it holds anything.
    pub fn close(&mut self) -> Option<Batch> {
        if self.files.is_empty() {
            return None;
        }
        let batch = Batch { index: self.closed, files: std::mem::take(&mut self.files), chunks: Vec::new() };
        self.closed += 1;
        self.places = 0;
        self.bytes = 0;
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(files: &[(u64, bool)], max_files: u32, max_bytes: u64) -> (Vec<usize>, usize) {
        let mut packer = Packer::new(Batching { max_files, max_bytes });
        let (mut sizes, mut pending) = (Vec::new(), 0);
        for (index, (bytes, unreached)) in files.iter().enumerate() {
            match packer.add(PlannedFile { key: format!("{index:06}"), etag: String::new(), bytes: *bytes, places: Vec::new() }, *unreached)
            {
                Packed::Taken => {}
                Packed::Closed(batch) => sizes.push(batch.files.len()),
                Packed::Pending => pending += 1,
            }
        }
        sizes.extend(packer.close().map(|batch| batch.files.len()));
        (sizes, pending)
    }

    #[test]
    fn batches_keep_to_their_bounds() {
        assert_eq!(pack(&[], 2, 10), (vec![], 0));
        assert_eq!(pack(&[(1, false); 5], 2, 100), (vec![2, 2, 1], 0));
        assert_eq!(pack(&[(6, false), (6, false), (2, false)], 9, 10), (vec![1, 2], 0));
        assert_eq!(pack(&[(99, false), (1, false)], 9, 10), (vec![1, 1], 0), "a file above the bound has a batch of its own");
        assert_eq!(pack(&[(1, true); 4], 8, 100), (vec![2, 2], 0), "unreached files get smaller batches");
        assert_eq!(pack(&[(1, true); 2], 2, 100), (vec![1, 1], 0));
    }

    #[test]
    fn what_no_batch_holds_is_pending() {
        let (sizes, pending) = pack(&vec![(1, false); 1_005], 1, 100);
        assert_eq!((sizes.len(), pending), (1_000, 5));
    }
}
