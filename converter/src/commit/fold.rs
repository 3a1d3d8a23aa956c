//! Folds what a run says of files into the ledger: the next records, the counts and the effects.

use std::collections::HashSet;

use crds::wire::{
    Copy, FileCounts, FileRecord, Head, Last, LedgerRecord, OnSourceDelete, OtherFile, Outcome, PartRef, PendingEffects, Plan, Published,
    PublishedObject, Reason, Totals,
};
use futures::TryStreamExt as _;

use super::changes::{Change, Changes};
use super::claims::{Verdicts, contest};
use super::effects::EffectsWriter;
use super::grid;
use super::records::NextLedger;
use super::report::Story;
use crate::context::{CONVERTER_VERSION, Context};
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::LedgerCursor;
use crate::source::name_hash;

const STILL_PUBLISHED: &str = "the version that was converted before stays published";

/// All that the next head will name.
#[derive(Debug)]
pub(super) struct Folded {
    pub parts: Vec<PartRef>,
    pub totals: Totals,
    pub counts: FileCounts,
    pub effects: PendingEffects,
    pub story: Story,
    /// Of a grid: its next state.
    pub grid: Option<grid::Published>,
}

/// # Errors
/// Store trouble, or counts that do not add up: then nothing is published.
pub(super) async fn fold(context: &Context, plan: &Plan, head: Option<&Head>) -> Result<Folded, StageError> {
    let verdicts = contest(context, plan, head).await?;
    let mut fold = Fold::new(context, plan, verdicts, Story::begin()?);
    let mut changes = Changes::new(context, plan);
    let parts = head.map_or(&[][..], |head| &head.parts);
    let mut ledger = LedgerCursor::new(&context.destination, parts, |_| !plan.relayout);
    while let Some(change) = changes.next().await? {
        let record = if change.concerns_the_ledger() { fold.find(&mut ledger, change.key()).await? } else { None };
        match change {
            Change::File(file) => fold.file(file, record).await?,
            Change::Other(file) => fold.other(file, record).await?,
        }
    }
    fold.walk(&mut ledger, None).await?;
    fold.hostile()?;
    fold.grid(head, &mut changes).await?;
    (fold.story.bytes_read, fold.story.bytes_written) = (changes.bytes_read, changes.bytes_written);
    fold.finish().await
}

struct Fold<'a> {
    context: &'a Context,
    plan: &'a Plan,
    verdicts: Verdicts,
    next: NextLedger<'a>,
    copies: EffectsWriter<'a>,
    deletions: EffectsWriter<'a>,
    totals: Totals,
    counts: FileCounts,
    story: Story,
    /// Of a grid: the files whose rows are in.
    processed: HashSet<String>,
    grid: Option<grid::Published>,
}

impl<'a> Fold<'a> {
    fn new(context: &'a Context, plan: &'a Plan, verdicts: Verdicts, story: Story) -> Self {
        let counts = FileCounts {
            discovered: plan.counts.discovered,
            unchanged: plan.counts.unchanged,
            pending: plan.counts.pending,
            withdrawn: plan.counts.withdrawn,
            ..FileCounts::default()
        };
        Self {
            context,
            plan,
            verdicts,
            next: NextLedger::new(context),
            copies: EffectsWriter::new(context, "copies"),
            deletions: EffectsWriter::new(context, "deletions"),
            totals: Totals::default(),
            counts,
            story,
            processed: HashSet::new(),
            grid: None,
        }
    }

    /// The record of `key`, if there is one; the walk comes to it.
    async fn find(&mut self, ledger: &mut LedgerCursor<'_>, key: &str) -> Result<Option<LedgerRecord>, StageError> {
        self.walk(ledger, Some(key)).await?;
        let record = ledger.take(key).await?;
        if record.is_some() {
            self.next.enter(ledger.part()).await?;
        }
        Ok(record)
    }

    /// Goes past all that the run says nothing of, up to `key` or the end. Of sealed parts only those are read that
    /// something of the run falls into.
    async fn walk(&mut self, ledger: &mut LedgerCursor<'_>, key: Option<&str>) -> Result<(), StageError> {
        loop {
            while let Some(record) = ledger.next_below(key).await? {
                self.next.enter(ledger.part()).await?;
                self.untouched(record).await?;
            }
            let Some((part, end)) = ledger.sealed() else { return Ok(()) };
            let whole = key.is_none_or(|key| end.is_some_and(|end| end <= key));
            if !whole && key.is_some_and(|key| part.first.as_str() > key) {
                return Ok(());
            }
            if whole && self.next.takes_over(part).await? {
                self.sealed(part);
                ledger.pass();
            } else {
                ledger.open().await?;
            }
        }
    }

    /// A part of files that are all as they were.
    fn sealed(&mut self, part: &PartRef) {
        let Some(seal) = &part.seal else { return };
        self.totals.processed += part.records;
        self.totals.rows += seal.rows;
        self.totals.objects += seal.objects;
        self.totals.bytes += seal.bytes;
        self.story.tell_sealed(part);
    }

    /// The chunks of a grid, and the arrays and metadata that make them seen.
    async fn grid(&mut self, head: Option<&Head>, changes: &mut Changes<'_>) -> Result<(), StageError> {
        self.grid = grid::stage(self.context, self.plan, head, &self.processed).await?;
        if self.context.config.grid.is_some() {
            // A row has one owner, whatever rows its file had when it was converted.
            let before = head.map_or((0, 0), |head| (head.totals.rows, head.totals.rows_masked));
            (self.totals.rows, self.totals.rows_masked) = self.grid.as_ref().map_or(before, |published| (published.rows, published.masked));
        }
        if self.plan.relayout && self.context.config.grid.is_some() && self.grid.is_none() {
            let message = "the rebuild is not published: no file could be converted, and nothing would be left".to_owned();
            return Err(StageError::Guard { reason: Reason::BudgetExceeded, message, confirm: None });
        }
        let Some(published) = &self.grid else { return Ok(()) };
        // A row that nobody has now, though a file does: that one is lost with a winner that failed.
        self.story.rows_lost += if self.plan.relayout { published.contested } else { 0 };
        let (chunks, emptied) = (std::mem::take(&mut changes.chunks), std::mem::take(&mut changes.emptied));
        let staged = chunks.into_iter().map(|object| Copy { from: object.staged_key, to: object.final_key, etag: object.etag });
        let mut stays = HashSet::from([published.last.0.to.clone()]);
        for copy in staged.chain(published.copies.iter().cloned()) {
            self.copies.push(&copy).await?;
            self.story.objects += 1;
            if self.plan.relayout {
                stays.insert(copy.to);
            }
        }
        for object in emptied {
            self.deletions.push(&object).await?;
        }
        if self.plan.relayout {
            self.delete_all_but(&stays).await?;
        }
        Ok(())
    }

    /// Of a store that is laid out anew nothing else may stay: its own metadata no longer say what there was.
    async fn delete_all_but(&mut self, stays: &HashSet<String>) -> Result<(), StageError> {
        let mut there = self.context.destination.list(&format!("{}/", self.context.folder()));
        while let Some(object) = there.try_next().await? {
            if !stays.contains(&object.key) {
                self.deletions.push(&PublishedObject { key: object.key, etag: object.etag, bytes: object.bytes }).await?;
            }
        }
        Ok(())
    }

    /// A file that went to a batch.
    async fn file(&mut self, mut file: FileRecord, record: Option<LedgerRecord>) -> Result<(), StageError> {
        if let Some(winner) = self.verdicts.losers.get(&file.key) {
            file.message = Some(format!("{winner} has the same name and owns the object they would both be; rename one of them"));
            file = FileRecord { outcome: Outcome::Failed, reason: Some(Reason::BasenameCollision), rows: 0, objects: vec![], ..file };
        }
        if file.outcome == Outcome::Failed {
            file.message = self.still_published(file.message, record.as_ref());
        }
        match file.outcome {
            Outcome::Processed => self.processed(&file, record).await?,
            Outcome::Failed => self.failed(&file.key, &file.etag, file.reason, file.message.as_ref(), record).await?,
            Outcome::Skipped | Outcome::Unchanged | Outcome::Withdrawn | Outcome::Pending => {
                self.skipped(&file.etag, file.reason, record).await?;
            }
        }
        self.story.tell(file)
    }

    async fn processed(&mut self, file: &FileRecord, record: Option<LedgerRecord>) -> Result<(), StageError> {
        self.counts.processed += 1;
        if self.plan.grid.is_some() {
            self.processed.insert(file.key.clone());
        }
        let old = record.and_then(|record| record.published).map(|published| published.objects).unwrap_or_default();
        for object in &file.objects {
            // The same bytes under the same key: readers and their caches are left in peace.
            if old.iter().any(|old| old.key == object.final_key && old.etag == object.etag) {
                continue;
            }
            let copy = Copy { from: object.staged_key.clone(), to: object.final_key.clone(), etag: object.etag.clone() };
            self.copies.push(&copy).await?;
            self.story.objects += 1;
        }
        let kept: HashSet<&str> = file.objects.iter().map(|object| object.final_key.as_str()).collect();
        self.supersede(old.into_iter().filter(|object| !kept.contains(object.key.as_str()))).await?;
        let objects = file.objects.iter();
        let published = Published {
            etag: file.etag.clone(),
            content_hash: self.context.document.hashes.content.clone(),
            converter: CONVERTER_VERSION.to_owned(),
            rebuild: self.context.document.rebuild.clone(),
            rows: file.rows,
            objects: objects
                .map(|object| PublishedObject { key: object.final_key.clone(), etag: object.etag.clone(), bytes: object.bytes })
                .collect(),
        };
        let last = self.last(&file.etag, Outcome::Processed, None, None, 0);
        self.put(LedgerRecord { key: file.key.clone(), published: Some(published), last, withdrawn: false }).await
    }

    async fn failed(
        &mut self,
        key: &str,
        etag: &str,
        reason: Option<Reason>,
        message: Option<&String>,
        record: Option<LedgerRecord>,
    ) -> Result<(), StageError> {
        self.counts.failed += 1;
        let hashes = &self.context.document.hashes;
        let same = |last: &&Last| {
            last.etag == etag
                && last.outcome == Outcome::Failed
                && last.content_hash == hashes.content
                && last.converter == CONVERTER_VERSION
        };
        let before = record.as_ref().map(|record| &record.last).filter(same).map_or(0, |last| last.attempts);
        let counted = !matches!(reason, Some(Reason::NotReached | Reason::BasenameCollision | Reason::TimeConflict));
        let attempts = before + u32::from(counted);
        let last = self.last(etag, Outcome::Failed, reason, message.cloned(), attempts);
        let published = self.carried(record.and_then(|record| record.published)).await?;
        self.put(LedgerRecord { key: key.to_owned(), published, last, withdrawn: false }).await
    }

    async fn skipped(&mut self, etag: &str, reason: Option<Reason>, record: Option<LedgerRecord>) -> Result<(), StageError> {
        self.counts.skipped += 1;
        self.totals.skipped += 1;
        let Some(record) = record else { return Ok(()) };
        let last = self.last(etag, Outcome::Skipped, reason, None, 0);
        // Of a file whose rows are another's now nothing is published; it comes anew when that one goes.
        let published = record.published.filter(|_| reason != Some(Reason::Superseded));
        let published = self.carried(published).await?;
        self.put(LedgerRecord { published, last, withdrawn: false, key: record.key }).await
    }

    /// A file of the listing, or of the ledger alone, that went to no batch.
    async fn other(&mut self, file: OtherFile, record: Option<LedgerRecord>) -> Result<(), StageError> {
        let OtherFile { key, etag, outcome, reason, mut message, held, .. } = file;
        let mut told = (0, 0);
        if outcome == Outcome::Failed {
            message = self.still_published(message, record.as_ref());
        }
        match (outcome, record) {
            (Outcome::Failed, Some(record)) if held && !self.plan.relayout => {
                self.counts.failed += 1;
                if record.withdrawn {
                    self.put(LedgerRecord { withdrawn: false, ..record }).await?;
                } else {
                    self.keep(record);
                }
            }
            (Outcome::Failed, record) => self.failed(&key, &etag, reason, message.as_ref(), record).await?,
            (Outcome::Skipped, record) => self.skipped(&etag, reason, record).await?,
            (Outcome::Withdrawn, Some(record)) => self.withdrawn(record).await?,
            (Outcome::Pending, Some(record)) => self.keep(record),
            (Outcome::Processed | Outcome::Unchanged, Some(record)) => {
                let last = self.last(&etag, Outcome::Processed, None, None, 0);
                told = record.published.as_ref().map_or((0, 0), |published| (published.rows, published.objects.len()));
                self.put(LedgerRecord { withdrawn: false, last, ..record }).await?;
            }
            (Outcome::Withdrawn | Outcome::Pending | Outcome::Processed | Outcome::Unchanged, None) => {}
        }
        self.story.tell_other(&key, &etag, outcome, reason, message.as_deref(), told)
    }

    /// A key that no client library can hold: failed in every run, with no place in the ledger.
    fn hostile(&mut self) -> Result<(), StageError> {
        for file in &self.plan.hostile {
            self.counts.failed += 1;
            self.totals.failed += 1;
            self.story.tell_other(&file.key, &file.etag, file.outcome, file.reason, file.message.as_deref(), (0, 0))?;
        }
        Ok(())
    }

    /// No longer listed.
    async fn withdrawn(&mut self, record: LedgerRecord) -> Result<(), StageError> {
        let by_policy = self.context.document.on_source_delete == OnSourceDelete::Keep && !self.plan.relayout;
        // Its namesake may be the same file in another folder: its rows stay until that one is in.
        let waits = self.context.config.grid.is_none() && self.verdicts.waited_for.contains(&name_hash(&record.key));
        let keep = by_policy || waits;
        match record.published {
            Some(published) if keep && !self.verdicts.yielding.contains(&record.key) => {
                self.put(LedgerRecord { withdrawn: true, published: Some(published), ..record }).await
            }
            published => {
                self.next.forget();
                self.supersede(published.into_iter().flat_map(|published| published.objects)).await
            }
        }
    }

    /// A record this run says nothing of: unchanged, pending, or withdrawn before.
    async fn untouched(&mut self, record: LedgerRecord) -> Result<(), StageError> {
        let goes = self.verdicts.yielding.contains(&record.key) || self.plan.relayout;
        if record.withdrawn && goes {
            self.next.forget();
            return self.supersede(record.published.into_iter().flat_map(|published| published.objects)).await;
        }
        if !record.withdrawn {
            self.story.tell_unchanged(&record)?;
        }
        self.keep(record);
        Ok(())
    }

    /// What stays published of a file whose newer version is not: nothing, when the layout changes.
    async fn carried(&mut self, published: Option<Published>) -> Result<Option<Published>, StageError> {
        if !self.plan.relayout {
            return Ok(published);
        }
        self.story.rows_lost += published.as_ref().map_or(0, |published| published.rows);
        self.supersede(published.into_iter().flat_map(|published| published.objects)).await?;
        Ok(None)
    }

    /// A failed file's message says which older version of it readers still see.
    fn still_published(&self, message: Option<String>, record: Option<&LedgerRecord>) -> Option<String> {
        let published = record.and_then(|record| record.published.as_ref()).filter(|_| !self.plan.relayout);
        let Some(published) = published else { return message };
        let message = message.unwrap_or_default();
        // A held file brings the message that it failed with.
        if message.contains(STILL_PUBLISHED) {
            return Some(message);
        }
        let older = format!("{STILL_PUBLISHED} ({} rows, ETag {})", published.rows, published.etag);
        Some(if message.is_empty() { older } else { format!("{message}; {older}") })
    }

    /// Old objects go, but for those that another file owns from now on.
    async fn supersede(&mut self, objects: impl Iterator<Item = PublishedObject>) -> Result<(), StageError> {
        for object in objects {
            if !self.verdicts.owners.contains_key(&object.key) {
                self.deletions.push(&object).await?;
            }
        }
        Ok(())
    }

    fn last(&self, etag: &str, outcome: Outcome, reason: Option<Reason>, message: Option<String>, attempts: u32) -> Last {
        Last {
            etag: etag.to_owned(),
            outcome,
            reason,
            message,
            attempts,
            content_hash: self.context.document.hashes.content.clone(),
            converter: CONVERTER_VERSION.to_owned(),
            rebuild: self.context.document.rebuild.clone(),
            memory: reason.is_some_and(Reason::wants_memory).then_some(self.context.limits.memory_bytes),
            run: self.plan.run.clone(),
        }
    }

    async fn put(&mut self, record: LedgerRecord) -> Result<(), StageError> {
        self.total(&record);
        self.next.put(record).await
    }

    fn keep(&mut self, record: LedgerRecord) {
        self.total(&record);
        self.next.keep(record);
    }

    fn total(&mut self, record: &LedgerRecord) {
        if let Some(published) = &record.published {
            self.totals.rows += published.rows;
            self.totals.objects += published.objects.len() as u64;
            self.totals.bytes += published.objects.iter().map(|object| object.bytes).sum::<u64>();
        }
        // A file is in one state only; what is skipped is counted by the run.
        match record.last.outcome {
            _ if record.withdrawn => self.totals.withdrawn += 1,
            Outcome::Failed => self.totals.failed += 1,
            Outcome::Processed => self.totals.processed += 1,
            Outcome::Unchanged | Outcome::Skipped | Outcome::Withdrawn | Outcome::Pending => {}
        }
    }

    /// A dataset is laid out anew in one commit, and only if the budget holds; without a budget, only
    /// if no file would lose the rows it has.
    fn admit_relayout(&self) -> Result<(), StageError> {
        let lost = self.story.rows_lost;
        let over = match self.context.document.failure_budget {
            Some(budget) => budget.exceeded(self.counts.failed, self.counts.discovered),
            None => lost > 0,
        };
        if !self.plan.relayout || !over {
            return Ok(());
        }
        let message = format!(
            "the rebuild is not published: {} of {} files failed, and {lost} rows that are in the dataset would be lost; \
             mend the files, or set spec.failureBudget to what you accept",
            self.counts.failed, self.counts.discovered
        );
        Err(StageError::Guard { reason: Reason::BudgetExceeded, message, confirm: None })
    }

    async fn finish(self) -> Result<Folded, StageError> {
        if !self.counts.balanced() {
            return Err(StageError::corrupt("the account of the run", format!("{:?} does not add up", self.counts)));
        }
        self.admit_relayout()?;
        let parts = self.next.finish().await?;
        self.context.fail.pass(FailPoint::CommitLedger).await?;
        let effects = PendingEffects { copies: self.copies.finish().await?, deletions: self.deletions.finish().await?, sidecar: None };
        self.context.fail.pass(FailPoint::CommitEffectsListed).await?;
        Ok(Folded { parts, totals: self.totals, counts: self.counts, effects, story: self.story, grid: self.grid })
    }
}
