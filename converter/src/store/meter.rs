//! Counts what a store was asked to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters shared by all clones of a store.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
}

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub requests: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
}

impl Meter {
    pub(super) fn asked(&self) {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: usize) {
        self.asked();
        self.counters.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.asked();
        self.counters.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn used(&self) -> Used {
        Used {
            requests: self.counters.requests.load(Ordering::Relaxed),
            bytes_read: self.counters.read.load(Ordering::Relaxed),
            bytes_written: self.counters.written.load(Ordering::Relaxed),
        }
    }
}
