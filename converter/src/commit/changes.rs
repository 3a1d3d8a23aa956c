//! All a run says of files, in key order: manifests and the plan's other files, merged.

use std::collections::VecDeque;

use crds::wire::{FileRecord, Manifest, OtherFile, Outcome, Plan, PublishedObject, StagedObject};

use futures::{StreamExt, TryStreamExt};

use super::torn::{Told, mend, merge, sort};
use crate::context::Context;
use crate::error::StageError;
use crate::ledger::read_lines;

/// Manifests in memory at once.
const AHEAD: u32 = 8;

#[derive(Clone, Debug)]
pub(super) enum Change {
    /// From a manifest.
    File(FileRecord),
    /// From the plan: goes to no batch.
    Other(OtherFile),
}

impl Change {
    pub fn key(&self) -> &str {
        match self {
            Self::File(file) => &file.key,
            Self::Other(file) => &file.key,
        }
    }

    /// Whether the ledger may have a record of the file, or gets one. What is no input has none.
    pub fn concerns_the_ledger(&self) -> bool {
        !matches!(self, Self::Other(OtherFile { unknown: true, outcome: Outcome::Skipped, .. }))
    }
}

/// A few manifests and one part of other files in memory at a time.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    pub context: &'a Context,
    pub plan: &'a Plan,
    next_batch: u32,
    manifests: VecDeque<Manifest>,
    files: VecDeque<FileRecord>,
    next_part: u32,
    others: VecDeque<OtherFile>,
    /// Of a grid: what its batches staged, and what they found empty.
    pub chunks: Vec<StagedObject>,
    pub emptied: Vec<PublishedObject>,
    /// Bytes the workers read and wrote, as far as manifests have been walked.
    pub bytes_read: u64,
    pub bytes_written: u64,
}

impl<'a> Changes<'a> {
    pub fn new(context: &'a Context, plan: &'a Plan) -> Self {
        Self {
            context,
            plan,
            next_batch: 0,
            manifests: VecDeque::new(),
            files: VecDeque::new(),
            next_part: 0,
            others: VecDeque::new(),
            chunks: Vec::new(),
            emptied: Vec::new(),
            bytes_read: 0,
            bytes_written: 0,
        }
    }

    /// The next manifests, asked for at once.
    async fn fetch(&mut self) -> Result<(), StageError> {
        let upto = self.plan.batches.min(self.next_batch + AHEAD);
        let (context, plan) = (self.context, self.plan);
        let manifests: Vec<Manifest> = futures::stream::iter(self.next_batch..upto)
            .map(|batch| async move {
                let key = context.layout.manifest(&plan.run, batch);
                let bytes = context.destination.get(&key).await?;
                serde_json::from_slice(&bytes).map_err(|source| StageError::corrupt(&key, source))
            })
            .buffered(AHEAD as usize)
            .try_collect()
            .await?;
        self.next_batch = upto;
        self.manifests = manifests.into();
        Ok(())
    }

    /// A grid's batches follow its rows: their files are put into the order of keys here.
    async fn gather(&mut self) -> Result<(), StageError> {
        let mut told: Vec<Told> = Vec::new();
        while self.next_batch < self.plan.batches {
            self.fetch().await?;
            for manifest in std::mem::take(&mut self.manifests) {
                self.bytes_read += manifest.bytes_read;
                self.bytes_written += manifest.bytes_written;
                told.extend(manifest.files.into_iter().map(|file| (manifest.batch, file)));
                self.chunks.extend(manifest.chunks);
                self.emptied.extend(manifest.emptied);
            }
        }
        sort(&mut told);
        mend(self, &mut told).await?;
        self.files = merge(&told).into();
        Ok(())
    }

    pub async fn next(&mut self) -> Result<Option<Change>, StageError> {
        if self.plan.grid.is_some() && self.next_batch < self.plan.batches {
            self.gather().await?;
        }
        while self.files.is_empty() {
            if self.manifests.is_empty() {
                self.fetch().await?;
            }
            let Some(manifest) = self.manifests.pop_front() else { break };
            self.bytes_read += manifest.bytes_read;
            self.bytes_written += manifest.bytes_written;
            self.files = manifest.files.into();
        }
        while self.others.is_empty() && self.next_part < self.plan.others {
            let key = self.context.layout.others(&self.plan.run, &self.plan.nonce, self.next_part);
            self.others = read_lines::<OtherFile>(&self.context.destination, &key).await?.into();
            self.next_part += 1;
        }
        let file_first = match (self.files.front(), self.others.front()) {
            (Some(file), Some(other)) => file.key < other.key,
            (file, _) => file.is_some(),
        };
        Ok(if file_first { self.files.pop_front().map(Change::File) } else { self.others.pop_front().map(Change::Other) })
    }
}
