//! Walks the ledger in key order; the next parts are on their way while one is walked.

use std::collections::VecDeque;

use crds::wire::{LedgerRecord, PartRef};
use tokio::task::JoinHandle;

use super::read_part;
use crate::error::StageError;
use crate::store::Store;

/// Parts that are fetched and parsed ahead.
const AHEAD: usize = 3;

#[derive(Debug)]
pub struct LedgerCursor<'a> {
    store: &'a Store,
    parts: VecDeque<PartRef>,
    coming: VecDeque<(PartRef, Coming)>,
    records: VecDeque<LedgerRecord>,
    loaded: Option<PartRef>,
    part: Option<PartRef>,
}

/// A part on its way; given up when nobody waits for it any more.
#[derive(Debug)]
struct Coming(JoinHandle<Result<Vec<LedgerRecord>, StageError>>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<'a> LedgerCursor<'a> {
    #[must_use]
    pub fn new(store: &'a Store, parts: &[PartRef]) -> Self {
        Self { store, parts: parts.iter().cloned().collect(), coming: VecDeque::new(), records: VecDeque::new(), loaded: None, part: None }
    }

    async fn fill(&mut self) -> Result<(), StageError> {
        while self.records.is_empty() {
            while self.coming.len() < AHEAD
                && let Some(part) = self.parts.pop_front()
            {
                let (store, wanted) = (self.store.clone(), part.clone());
                let coming = tokio::spawn(async move { read_part(&store, &wanted).await });
                self.coming.push_back((part, Coming(coming)));
            }
            let Some((part, mut coming)) = self.coming.pop_front() else { break };
            let read = (&mut coming.0).await.map_err(|source| StageError::corrupt(&part.key, source))?;
            self.records = read?.into();
            self.loaded = Some(part);
        }
        Ok(())
    }

    /// The next record.
    pub async fn next(&mut self) -> Result<Option<LedgerRecord>, StageError> {
        self.fill().await?;
        Ok(self.records.pop_front().inspect(|_| self.part.clone_from(&self.loaded)))
    }

    /// The next record if its key is below `key`.
    pub async fn next_below(&mut self, key: &str) -> Result<Option<LedgerRecord>, StageError> {
        self.fill().await?;
        Ok(self.records.pop_front_if(|record| record.key.as_str() < key).inspect(|_| self.part.clone_from(&self.loaded)))
    }

    /// The record of `key`, if it is the next one.
    pub async fn take(&mut self, key: &str) -> Result<Option<LedgerRecord>, StageError> {
        self.fill().await?;
        Ok(self.records.pop_front_if(|record| record.key == key).inspect(|_| self.part.clone_from(&self.loaded)))
    }

    /// The part that the last record came from.
    #[must_use]
    pub fn part(&self) -> Option<&PartRef> {
        self.part.as_ref()
    }
}
