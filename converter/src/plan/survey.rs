//! What a merge of listing and ledger finds, written out as it goes.

use crds::wire::{Batch, ClassCounts, GridState, LedgerRecord, OtherFile, Outcome, Owner, PartRef, Reason, Seal};

use super::candidates::{Candidate, Candidates, superseded};
use super::classify::{Terms, Verdict, Why, classify, judge_object};
use super::guard::WithdrawalGuard;
use super::pack::{MAX_BATCHES, Packed, Packer};
use crate::context::{CONVERTER_VERSION, Context};
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::{digest, push_line};
use crate::source::{SourceFile, hash_of};

/// Bytes of lines after which a part of other files is written.
const OTHER_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct Survey {
    pub counts: ClassCounts,
    pub batch_files: Vec<u32>,
    pub batch_bytes: u64,
    pub other_parts: u32,
    pub hostile: Vec<OtherFile>,
    /// What is worth saying to the author of the config.
    pub warnings: Vec<String>,
    terms: Terms,
    packer: Packer,
    /// Of a grid: its files wait until all are known.
    pub grid: Option<Candidates>,
    guard: WithdrawalGuard,
    others: Vec<u8>,
    relayout: bool,
    /// Rows of withdrawn files that a new layout could not carry over.
    kept_rows: u64,
}

impl Survey {
    /// `state` is that of the grid the run goes on from.
    pub fn new(context: &Context, relayout: bool, state: Option<&GridState>) -> Self {
        let document = &context.document;
        Self {
            counts: ClassCounts::default(),
            batch_files: Vec::new(),
            batch_bytes: 0,
            other_parts: 0,
            hostile: Vec::new(),
            warnings: Vec::new(),
            terms: Terms {
                content_hash: document.hashes.content.clone(),
                converter: CONVERTER_VERSION.to_owned(),
                rebuild: document.rebuild.clone(),
                retries: document.retries,
                memory: context.limits.memory_bytes,
                csv: document.config.get("csv_config").is_some_and(serde_json::Value::is_object),
                grid: context.config.grid.is_some(),
                min_age_seconds: document.source.min_age_seconds,
                now: context.now,
            },
            packer: Packer::new(document.batching),
            grid: context.config.grid.is_some().then(|| state.map(Candidates::of).unwrap_or_default()),
            guard: WithdrawalGuard::default(),
            others: Vec::new(),
            relayout,
            kept_rows: 0,
        }
    }

    /// Whether the files of a part with this seal are converted as they would be now.
    pub fn trusts(&self, seal: &Seal) -> bool {
        let rebuilt = self.terms.rebuild.is_none() || seal.rebuild == self.terms.rebuild;
        !self.relayout && rebuilt && seal.content_hash == self.terms.content_hash
    }

    /// Whether a file is an input at all.
    pub fn takes(&self, file: &SourceFile) -> bool {
        judge_object(file, &self.terms).is_none()
    }

    /// Whether these inputs are those of a sealed part that is trusted, and are all to stay as they are.
    pub fn finds(&self, part: &PartRef, files: &[SourceFile]) -> bool {
        let stays = |file: &SourceFile| self.grid.as_ref().is_none_or(|grid| grid.owns_rows(&file.key));
        let versions = files.iter().map(|file| (file.key.as_str(), file.listed.etag.as_str()));
        files.len() as u64 == part.records
            && part.seal.as_ref().is_some_and(|seal| seal.digest == digest(versions))
            && files.iter().all(stays)
    }

    /// A file of a part that was found as it was.
    pub fn found(&mut self, file: SourceFile) {
        self.discovered(true);
        self.unchanged(file);
    }

    fn discovered(&mut self, live: bool) {
        self.counts.discovered += 1;
        self.guard.discovered += 1;
        self.guard.live += u64::from(live);
    }

    fn unchanged(&mut self, file: SourceFile) {
        self.counts.unchanged += 1;
        let Some(grid) = &mut self.grid else { return };
        let hash = hash_of(&file.key);
        grid.unchanged.insert(hash);
        if grid.rivals.contains(&hash) {
            self.stand(file, Why::Stale);
        }
    }

    /// A file of the listing, with its record if the ledger has one.
    pub async fn listed(&mut self, context: &Context, file: SourceFile, record: Option<&LedgerRecord>) -> Result<(), StageError> {
        self.discovered(record.is_some_and(live));
        let verdict = classify(&file, record, &self.terms);
        let named = |outcome| OtherFile::new(&file.key, &file.listed.etag, outcome);
        let other = |outcome, reason, message, held| OtherFile { reason, message, held, unknown: record.is_none(), ..named(outcome) };
        match verdict {
            Verdict::Convert(why) if self.grid.as_ref().is_some_and(|grid| grid.superseded.get(&file.key) == Some(&file.listed.etag)) => {
                self.counts.skipped += 1;
                self.stand(file, why);
            }
            Verdict::Convert(why) => {
                let unreached = record.is_some_and(|record| record.last.reason == Some(Reason::NotReached));
                return self.convert(context, file, why, unreached).await;
            }
            // Nobody wrote this object in the new layout yet, whatever the ledger says of the old one.
            Verdict::Unchanged if self.relayout => return self.convert(context, file, Why::Stale, false).await,
            // Others took its rows while it was withdrawn or failed.
            Verdict::Unchanged if self.grid.as_ref().is_some_and(|grid| !grid.owns_rows(&file.key)) => {
                return self.convert(context, file, Why::Stale, false).await;
            }
            Verdict::Unchanged => {
                // It returned, or what failed since was taken back: the ledger is told.
                if record.is_some_and(|record| record.withdrawn || record.last.outcome != Outcome::Processed) {
                    self.other(context, &other(Outcome::Unchanged, None, None, false)).await?;
                }
                self.unchanged(file);
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

    fn stand(&mut self, file: SourceFile, why: Why) {
        let candidate = Candidate::new(file, why);
        let grid = self.grid.get_or_insert_default();
        if grid.superseded.contains_key(&candidate.file.key) {
            grid.tell(candidate.superseded());
        }
        grid.standing.insert(candidate.file.key.clone(), candidate);
    }

    /// A file that is as it was, and gets rows all the same.
    pub fn recall(&mut self, key: &str) -> Option<Candidate> {
        let grid = self.grid.as_mut()?;
        let candidate = grid.standing.remove(key)?;
        grid.others.remove(key);
        if grid.unchanged.remove(&hash_of(key)) {
            self.counts.unchanged -= 1;
        } else {
            self.counts.skipped -= 1;
        }
        self.batch_bytes += candidate.file.bytes;
        *self.counted(candidate.why) += 1;
        Some(candidate)
    }

    async fn convert(&mut self, context: &Context, file: SourceFile, why: Why, unreached: bool) -> Result<(), StageError> {
        let bytes = file.listed.bytes;
        let found = Candidate::new(file.clone(), why);
        let packed = match &mut self.grid {
            Some(grid) if grid.files.len() < MAX_BATCHES as usize * context.document.batching.max_files as usize => {
                grid.files.push(found);
                Packed::Taken
            }
            Some(_) => Packed::Pending,
            None => self.packer.add(found.file, unreached),
        };
        match packed {
            Packed::Pending => {
                self.counts.pending += 1;
                return self.other(context, &OtherFile::new(&file.key, &file.listed.etag, Outcome::Pending)).await;
            }
            Packed::Taken => {}
            Packed::Closed(batch) => self.write_batch(context, batch).await?,
        }
        self.batch_bytes += bytes;
        if why == Why::New {
            self.guard.arrived(&file.key);
        }
        *self.counted(why) += 1;
        Ok(())
    }

    fn counted(&mut self, why: Why) -> &mut u64 {
        match why {
            Why::New => &mut self.counts.new,
            Why::Changed => &mut self.counts.changed,
            Why::Stale => &mut self.counts.stale,
            Why::Retried => &mut self.counts.retried,
        }
    }

    /// A file that was to be converted, and is not.
    pub fn turned_away(&mut self, why: Why, line: OtherFile) {
        *self.counted(why) -= 1;
        match line.outcome {
            Outcome::Failed => self.counts.failed += 1,
            _ => self.counts.skipped += 1,
        }
        self.grid.get_or_insert_default().tell(line);
    }

    /// A published file whose rows have gone to newer ones.
    pub fn superseded(&mut self, file: &Owner) {
        let grid = self.grid.get_or_insert_default();
        if grid.unchanged.remove(&hash_of(&file.key)) {
            self.counts.unchanged -= 1;
            self.counts.skipped += 1;
            grid.tell(superseded(&file.key, &file.etag));
        }
    }

    /// A record whose file is not listed.
    pub async fn missing(&mut self, context: &Context, record: &LedgerRecord) -> Result<(), StageError> {
        if let Some(grid) = &mut self.grid {
            grid.absent.push(record.key.clone());
        }
        if record.withdrawn {
            self.kept_rows += record.published.as_ref().map_or(0, |published| published.rows);
            return Ok(());
        }
        if let Some(grid) = &mut self.grid
            && context.document.on_source_delete == crds::wire::OnSourceDelete::Remove
        {
            grid.gone.push(record.key.clone());
        }
        if live(record) {
            self.guard.live += 1;
            self.guard.withdrawn(&record.key);
            self.counts.withdrawn += 1;
            self.kept_rows += record.published.as_ref().map_or(0, |published| published.rows);
        }
        self.other(context, &OtherFile::new(&record.key, &record.last.etag, Outcome::Withdrawn)).await
    }

    /// Asks the guards.
    pub fn finish(&mut self, context: &Context) -> Result<(), StageError> {
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
        Ok(())
    }

    /// Writes what is left.
    pub async fn close(&mut self, context: &Context) -> Result<(), StageError> {
        if let Some(batch) = self.packer.close() {
            self.write_batch(context, batch).await?;
        }
        if let Some(grid) = &mut self.grid {
            for line in std::mem::take(&mut grid.others).values() {
                self.write_other(context, line).await?;
            }
        }
        self.write_others(context).await
    }

    pub async fn write_batch(&mut self, context: &Context, batch: Batch) -> Result<(), StageError> {
        let key = context.layout.batch(&context.run, &context.nonce, batch.index);
        let body = serde_json::to_vec(&batch).map_err(|source| StageError::corrupt(&key, source))?;
        context.destination.put(&key, body.into()).await?;
        self.batch_files.push(u32::try_from(batch.files.len()).unwrap_or(u32::MAX));
        context.fail.pass(FailPoint::PlanBatchWritten).await
    }

    async fn other(&mut self, context: &Context, line: &OtherFile) -> Result<(), StageError> {
        if let Some(grid) = &mut self.grid {
            grid.tell(line.clone());
            return Ok(());
        }
        self.write_other(context, line).await
    }

    async fn write_other(&mut self, context: &Context, line: &OtherFile) -> Result<(), StageError> {
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
