//! Walks the ledger in key order, one part in memory at a time.

use std::collections::VecDeque;

use crds::wire::{LedgerRecord, PartRef};

use super::read_part;
use crate::error::StageError;
use crate::store::Store;

#[derive(Debug)]
pub struct LedgerCursor<'a> {
    store: &'a Store,
    parts: VecDeque<PartRef>,
    records: VecDeque<LedgerRecord>,
    loaded: Option<PartRef>,
    part: Option<PartRef>,
}

impl<'a> LedgerCursor<'a> {
    #[must_use]
    pub fn new(store: &'a Store, parts: &[PartRef]) -> Self {
        Self { store, parts: parts.iter().cloned().collect(), records: VecDeque::new(), loaded: None, part: None }
    }

    async fn fill(&mut self) -> Result<(), StageError> {
        while self.records.is_empty() {
            let Some(part) = self.parts.pop_front() else { break };
            self.records = read_part(self.store, &part).await?.into();
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
