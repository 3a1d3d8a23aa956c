//! What a merge of listing and ledger finds, written out as it goes.

use crds::wire::{Batch, ClassCounts, LedgerRecord, OtherFile, Outcome, PlannedFile, Reason};

use super::classify::{Terms, Verdict, Why, classify};
use super::guard::WithdrawalGuard;
use super::pack::{Packed, Packer};
use crate::context::{CONVERTER_VERSION, Context};
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::push_line;
use crate::source::SourceFile;

/// Bytes of lines after which a part of other files is written.
const OTHER_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct Survey {
    pub counts: ClassCounts,
    pub batch_files: Vec<u32>,
    pub batch_bytes: u64,
    pub other_parts: u32,
    pub hostile: Vec<OtherFile>,
    terms: Terms,
    packer: Packer,
    guard: WithdrawalGuard,
    others: Vec<u8>,
    relayout: bool,
    /// Rows of withdrawn files that a new layout could not carry over.
    kept_rows: u64,
}

impl Survey {
    pub fn new(context: &Context, relayout: bool) -> Self {
        let document = &context.document;
        Self {
            counts: ClassCounts::default(),
            batch_files: Vec::new(),
            batch_bytes: 0,
            other_parts: 0,
            hostile: Vec::new(),
            terms: Terms {
                content_hash: document.hashes.content.clone(),
                converter: CONVERTER_VERSION.to_owned(),
                rebuild: document.rebuild.clone(),
                retries: document.retries,
                memory: context.limits.memory_bytes,
                csv: document.config.get("csv_config").is_some_and(serde_json::Value::is_object),
                min_age_seconds: document.source.min_age_seconds,
                now: context.now,
            },
            packer: Packer::new(document.batching),
            guard: WithdrawalGuard::default(),
            others: Vec::new(),
            relayout,
            kept_rows: 0,
        }
    }

    /// A file of the listing, with its record if the ledger has one.
    pub async fn listed(&mut self, context: &Context, file: SourceFile, record: Option<&LedgerRecord>) -> Result<(), StageError> {
        self.counts.discovered += 1;
        self.guard.discovered += 1;
        self.guard.live += u64::from(record.is_some_and(live));
        let verdict = classify(&file, record, &self.terms);
        let other = |outcome, reason, message, held| OtherFile {
            key: file.key.clone(),
            etag: file.listed.etag.clone(),
            outcome,
            reason,
            message,
            held,
        };
        match verdict {
            Verdict::Convert(why) => {
                let unreached = record.is_some_and(|record| record.last.reason == Some(Reason::NotReached));
                return self.convert(context, file, why, unreached).await;
            }
            // Nobody wrote this object in the new layout yet, whatever the ledger says of the old one.
            Verdict::Unchanged if self.relayout => return self.convert(context, file, Why::Stale, false).await,
            Verdict::Unchanged => {
                self.counts.unchanged += 1;
                // It returned, or what failed since was taken back: the ledger is told.
                if record.is_some_and(|record| record.withdrawn || record.last.outcome != Outcome::Processed) {
                    self.other(context, &other(Outcome::Unchanged, None, None, false)).await?;
                }
            }
            Verdict::Held { reason, message } => {
                self.counts.held += 1;
                self.other(context, &other(Outcome::Failed, Some(reason), Some(message), true)).await?;
            }
            Verdict::Failed { reason: Reason::HostileKey, message } => {
                self.counts.failed += 1;
                self.hostile.push(other(Outcome::Failed, Some(Reason::HostileKey), Some(message), false));
            }
            Verdict::Failed { reason, message } => {
                self.counts.failed += 1;
                self.other(context, &other(Outcome::Failed, Some(reason), Some(message), false)).await?;
            }
            Verdict::Skipped(reason) => {
                self.counts.skipped += 1;
                self.other(context, &other(Outcome::Skipped, Some(reason), None, false)).await?;
            }
        }
        Ok(())
    }

    async fn convert(&mut self, context: &Context, file: SourceFile, why: Why, unreached: bool) -> Result<(), StageError> {
        let bytes = file.listed.bytes;
        let planned = PlannedFile { key: file.key.clone(), etag: file.listed.etag.clone(), bytes };
        match self.packer.add(planned, unreached) {
            Packed::Pending => {
                self.counts.pending += 1;
                let (key, etag) = (file.key, file.listed.etag);
                let line = OtherFile { key, etag, outcome: Outcome::Pending, reason: None, message: None, held: false };
                return self.other(context, &line).await;
            }
            Packed::Taken => {}
            Packed::Closed(batch) => self.write_batch(context, batch).await?,
        }
        self.batch_bytes += bytes;
        if why == Why::New {
            self.guard.arrived(&file.key);
        }
        match why {
            Why::New => self.counts.new += 1,
            Why::Changed => self.counts.changed += 1,
            Why::Stale => self.counts.stale += 1,
            Why::Retried => self.counts.retried += 1,
        }
        Ok(())
    }

    /// A record whose file is not listed.
    pub async fn missing(&mut self, context: &Context, record: &LedgerRecord) -> Result<(), StageError> {
        if record.withdrawn {
            self.kept_rows += record.published.as_ref().map_or(0, |published| published.rows);
            return Ok(());
        }
        if live(record) {
            self.guard.live += 1;
            self.guard.withdrawn(&record.key);
            self.counts.withdrawn += 1;
            self.kept_rows += record.published.as_ref().map_or(0, |published| published.rows);
        }
        let etag = record.last.etag.clone();
        let line = OtherFile { key: record.key.clone(), etag, outcome: Outcome::Withdrawn, reason: None, message: None, held: false };
        self.other(context, &line).await
    }

    /// Writes what is left and asks the guards.
    pub async fn finish(&mut self, context: &Context) -> Result<(), StageError> {
        let document = &context.document;
        let confirm = document.confirm.as_deref();
        self.guard.check(document.on_source_delete, document.max_withdrawn_percent, confirm)?;
        if self.relayout && self.kept_rows > 0 && document.on_source_delete == crds::wire::OnSourceDelete::Keep {
            let digest = crate::context::short_hash(&["kept-rows", &self.kept_rows.to_string()]);
            if confirm != Some(digest.as_str()) {
                let message = format!(
                    "{} rows of files that are no longer in the source would be lost by the rebuild; if that is meant, confirm {digest}",
                    self.kept_rows
                );
                return Err(StageError::Guard { reason: Reason::KeptRowsWouldBeLost, message, confirm: Some(digest) });
            }
        }
        if let Some(batch) = self.packer.close() {
            self.write_batch(context, batch).await?;
        }
        self.write_others(context).await
    }

    async fn write_batch(&mut self, context: &Context, batch: Batch) -> Result<(), StageError> {
        let key = context.layout.batch(&context.run, &context.nonce, batch.index);
        let body = serde_json::to_vec(&batch).map_err(|source| StageError::corrupt(&key, source))?;
        context.destination.put(&key, body.into()).await?;
        self.batch_files.push(u32::try_from(batch.files.len()).unwrap_or(u32::MAX));
        context.fail.pass(FailPoint::PlanBatchWritten).await
    }

    async fn other(&mut self, context: &Context, line: &OtherFile) -> Result<(), StageError> {
        push_line(&mut self.others, line)?;
        if self.others.len() >= OTHER_BYTES { self.write_others(context).await } else { Ok(()) }
    }

    async fn write_others(&mut self, context: &Context) -> Result<(), StageError> {
        if !self.others.is_empty() {
            let key = context.layout.others(&context.run, &context.nonce, self.other_parts);
            context.destination.put(&key, std::mem::take(&mut self.others).into()).await?;
            self.other_parts += 1;
            context.fail.pass(FailPoint::PlanOthersWritten).await?;
        }
        Ok(())
    }
}

/// In the dataset, and listed when last looked.
fn live(record: &LedgerRecord) -> bool {
    record.published.is_some() && !record.withdrawn
}
