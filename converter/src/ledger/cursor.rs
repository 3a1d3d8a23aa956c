//! Walks the ledger in key order; parts that will be walked next are on their way while one is walked.

use std::collections::VecDeque;

use crds::wire::{LedgerRecord, PartRef, Seal};
use tokio::task::JoinHandle;

use super::read_part;
use crate::error::StageError;
use crate::store::Store;

/// Parts that are fetched and parsed ahead.
const AHEAD: usize = 8;

/// A sealed part stands in its way until it is passed, unread, or opened.
#[derive(Debug)]
pub struct LedgerCursor<'a> {
    store: &'a Store,
    parts: VecDeque<PartRef>,
    coming: VecDeque<(PartRef, Coming)>,
    records: VecDeque<LedgerRecord>,
    loaded: Option<PartRef>,
    part: Option<PartRef>,
    /// The last sealed part was opened: it is likely that the next will be.
    opening: bool,
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
    /// Only seals that are `trusted` count.
    #[must_use]
    pub fn new(store: &'a Store, parts: &[PartRef], trusted: impl Fn(&Seal) -> bool) -> Self {
        let parts = parts.iter().cloned().map(|part| PartRef { seal: part.seal.filter(&trusted), ..part }).collect();
        let (coming, records) = (VecDeque::new(), VecDeque::new());
        Self { store, parts, coming, records, loaded: None, part: None, opening: false }
    }

    /// The part that comes when the records at hand are walked.
    fn next_part(&self) -> Option<&PartRef> {
        self.coming.front().map(|(part, _)| part).or_else(|| self.parts.front())
    }

    /// The sealed part that the walk stands before, and where the part behind it begins.
    #[must_use]
    pub fn sealed(&self) -> Option<(&PartRef, Option<&str>)> {
        let part = self.next_part().filter(|part| self.records.is_empty() && part.seal.is_some())?;
        let mut parts = self.coming.iter().map(|(part, _)| part).chain(&self.parts);
        Some((part, parts.nth(1).map(|part| part.first.as_str())))
    }

    /// Goes past the next part without reading it.
    pub fn pass(&mut self) {
        self.opening = false;
        if self.coming.pop_front().is_none() {
            self.parts.pop_front();
        }
    }

    /// Reads the next part, sealed or not.
    pub async fn open(&mut self) -> Result<(), StageError> {
        self.opening = self.next_part().is_some_and(|part| part.seal.is_some());
        while self.coming.len() < AHEAD {
            let wanted = self.parts.front().is_some_and(|part| self.coming.is_empty() || self.opening || part.seal.is_none());
            let Some(part) = self.parts.pop_front_if(|_| wanted) else { break };
            let (store, wanted) = (self.store.clone(), part.clone());
            let coming = tokio::spawn(async move { read_part(&store, &wanted).await });
            self.coming.push_back((part, Coming(coming)));
        }
        if let Some((part, mut coming)) = self.coming.pop_front() {
            let read = (&mut coming.0).await.map_err(|source| StageError::corrupt(&part.key, source))?;
            self.records.extend(read?);
            self.loaded = Some(part);
        }
        Ok(())
    }

    /// Reads on as far as records that `wanted` says may be are not at hand, but not into a sealed part.
    async fn fill(&mut self, wanted: impl Fn(&str) -> bool) -> Result<(), StageError> {
        while self.records.is_empty() && self.next_part().is_some_and(|part| part.seal.is_none() && wanted(&part.first)) {
            self.open().await?;
        }
        Ok(())
    }

    /// The next record if its key is below `key`, or any if that is none.
    pub async fn next_below(&mut self, key: Option<&str>) -> Result<Option<LedgerRecord>, StageError> {
        let below = |found: &str| key.is_none_or(|key| found < key);
        self.fill(below).await?;
        Ok(self.records.pop_front_if(|record| below(&record.key)).inspect(|_| self.part.clone_from(&self.loaded)))
    }

    /// The record of `key`, if it is the next one.
    pub async fn take(&mut self, key: &str) -> Result<Option<LedgerRecord>, StageError> {
        self.fill(|first| first <= key).await?;
        Ok(self.records.pop_front_if(|record| record.key == key).inspect(|_| self.part.clone_from(&self.loaded)))
    }

    /// The part that the last record came from.
    #[must_use]
    pub fn part(&self) -> Option<&PartRef> {
        self.part.as_ref()
    }
}
