//! Writes the next ledger: parts that did not change are taken over as they lie.

use std::collections::BTreeMap;

use crds::wire::{Head, LedgerRecord, PartRef};

use crate::context::Context;
use crate::error::StageError;
use crate::ledger::{PART_RECORDS, PartWriter, read_part};

/// Gathers the records of the part being walked until it is known whether any of them changed.
#[derive(Debug)]
pub(super) struct NextLedger<'a> {
    writer: PartWriter<'a>,
    part: Option<PartRef>,
    records: Vec<LedgerRecord>,
    dirty: bool,
}

impl<'a> NextLedger<'a> {
    pub fn new(context: &'a Context) -> Self {
        let writer = PartWriter::new(&context.destination, &context.layout, &context.run, &context.nonce);
        Self { writer, part: None, records: Vec::new(), dirty: false }
    }

    /// The walk has come to this part of the current ledger.
    pub async fn enter(&mut self, part: Option<&PartRef>) -> Result<(), StageError> {
        if part.is_some() && part != self.part.as_ref() {
            self.leave().await?;
            self.part = part.cloned();
        }
        Ok(())
    }

    /// A record as it was.
    pub fn keep(&mut self, record: LedgerRecord) {
        self.records.push(record);
    }

    /// A new or changed record.
    pub async fn put(&mut self, record: LedgerRecord) -> Result<(), StageError> {
        self.dirty = true;
        self.records.push(record);
        if self.records.len() >= PART_RECORDS {
            for record in self.records.drain(..) {
                self.writer.push(&record).await?;
            }
        }
        Ok(())
    }

    /// A record of the current part that is no more.
    pub fn forget(&mut self) {
        self.dirty = true;
    }

    async fn leave(&mut self) -> Result<(), StageError> {
        match self.part.take() {
            Some(part) if !self.dirty => {
                self.records.clear();
                self.writer.keep(&part).await?;
            }
            _ => {
                for record in self.records.drain(..) {
                    self.writer.push(&record).await?;
                }
            }
        }
        self.dirty = false;
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Vec<PartRef>, StageError> {
        self.leave().await?;
        self.writer.finish().await
    }
}

/// The head's ledger with the final `ETag`s of objects whose copies got other ones (encryption and
/// multipart copies do that).
pub(super) async fn with_etags(context: &Context, head: &Head, changed: &BTreeMap<String, String>) -> Result<Vec<PartRef>, StageError> {
    if changed.is_empty() {
        return Ok(head.parts.clone());
    }
    let nonce = format!("{}-final", context.nonce);
    let mut writer = PartWriter::new(&context.destination, &context.layout, &head.run, &nonce);
    for part in &head.parts {
        let mut records = read_part(&context.destination, part).await?;
        let mut dirty = false;
        for object in records.iter_mut().filter_map(|record| record.published.as_mut()).flat_map(|published| &mut published.objects) {
            if let Some(etag) = changed.get(&object.key) {
                dirty |= object.etag != *etag;
                object.etag.clone_from(etag);
            }
        }
        if dirty {
            for record in &records {
                writer.push(record).await?;
            }
        } else {
            writer.keep(part).await?;
        }
    }
    writer.finish().await
}
