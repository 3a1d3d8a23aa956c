//! How much may be in memory at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: u64 = 1 << 10;

/// A byte budget, cut in two so that files waiting to be converted can never starve the one that
/// would free memory: a quarter for fetched bytes, the rest for work.
#[derive(Debug)]
pub(super) struct Budget {
    fetch: Pool,
    work: Pool,
}

#[derive(Debug)]
struct Pool {
    units: u32,
    free: Arc<Semaphore>,
}

impl Pool {
    fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { units, free: Arc::new(Semaphore::new(units as usize)) }
    }

    /// Waits for the bytes; none when the pool can never hold them.
    async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok().filter(|units| *units <= self.units)?;
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }
}

impl Budget {
    pub fn new(bytes: u64) -> Self {
        Self { fetch: Pool::new(bytes / 4), work: Pool::new(bytes - bytes / 4) }
    }

    pub async fn fetch(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.fetch.take(bytes).await
    }

    /// Files up to this size are held in memory, larger ones in a scratch file.
    pub fn in_memory(&self) -> u64 {
        u64::from(self.fetch.units) * UNIT / 2
    }

    /// What a file may have of the bytes it needs: all of them, or half of what there is, so that two
    /// large files may be at work at once.
    pub async fn work(&self, bytes: u64) -> Option<(OwnedSemaphorePermit, u64)> {
        let most = u64::from(self.work.units) * UNIT / 2;
        let bytes = bytes.min(most);
        Some((self.work.take(bytes).await?, bytes))
    }

    /// How many files of such a size can be at work beside one.
    pub fn beside(&self, work: u64) -> usize {
        (u64::from(self.work.units) * UNIT / work.max(1)).saturating_sub(1) as usize
    }

    /// The budget that would let such a file through.
    pub fn needed(fetched: u64, work: u64) -> u64 {
        (fetched * 4).max(work.div_ceil(3) * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_says_how_many_files_can_be_at_work() {
        let budget = Budget::new(400 << 20);
        for (megabytes, beside) in [(10, 29), (100, 2), (101, 1), (150, 1), (300, 0), (400, 0)] {
            assert_eq!(budget.beside(megabytes << 20), beside, "{megabytes} MiB");
        }
    }
}
