//! What a run has to tell: `report.json`, `files.csv` and the digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::sync::Arc;

use crds::wire::{Digest, ErrorGroup, FileCounts, FileRecord, LedgerRecord, Outcome, PartRef, Plan, Reason, Report, Totals, brief};
use futures::StreamExt as _;
use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::fold::Folded;
use super::gather::Gathering;
use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::ledger::{FileLine, HEADER, stretches};
use crate::store::Body;

/// File results that stand in `report.json` itself; `files.csv` has them all.
const MOST_RESULTS: usize = 100_000;
/// Stretches of sealed parts' lines that are asked for at once.
const STRETCHES_AHEAD: usize = 2;
/// Groups of errors in a digest.
const MOST_GROUPS: usize = 10;

/// What commit hears of files while it folds. The lines of `files.csv` go to scratch as they come.
#[derive(Debug)]
pub(super) struct Story {
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub objects: u64,
    /// Rows in the dataset that would be in it no more, though their files are still there.
    pub rows_lost: u64,
    rows: u64,
    rows_left_out: BTreeMap<String, u64>,
    errors: BTreeMap<Reason, ErrorGroup>,
    results: Vec<FileRecord>,
    results_omitted: u64,
    csv: BufWriter<NamedTempFile>,
    /// Bytes of lines that went to it.
    written: u64,
    /// After how many of them the lines of a sealed part come.
    sealed: Vec<(u64, PartRef)>,
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn scratch(source: std::io::Error) -> StageError {
    StageError::Scratch(source.to_string())
}

impl Story {
    pub fn begin() -> Result<Self, StageError> {
        let mut csv = BufWriter::new(NamedTempFile::new().map_err(scratch)?);
        csv.write_all(HEADER.as_bytes()).map_err(scratch)?;
        Ok(Self {
            bytes_read: 0,
            bytes_written: 0,
            objects: 0,
            rows_lost: 0,
            rows: 0,
            rows_left_out: BTreeMap::new(),
            errors: BTreeMap::new(),
            results: Vec::new(),
            results_omitted: 0,
            csv,
            written: HEADER.len() as u64,
            sealed: Vec::new(),
        })
    }

    /// A file that went to a batch.
    pub fn tell(&mut self, file: FileRecord) -> Result<(), StageError> {
        self.rows += file.rows;
        for (reason, rows) in &file.rows_left_out {
            *self.rows_left_out.entry(reason.to_string()).or_default() += rows;
        }
        if file.outcome == Outcome::Failed {
            let reason = file.reason.unwrap_or(Reason::UnreadableFile);
            let message = file.message.as_deref().unwrap_or_default();
            self.errors.entry(reason).or_insert_with(|| ErrorGroup::new(reason, 0, &file.key, message)).count += 1;
        }
        self.line(&FileLine {
            key: &file.key,
            etag: &file.etag,
            outcome: file.outcome,
            reason: file.reason,
            rows: file.rows,
            objects: file.objects.len(),
            message: file.message.as_deref(),
        })?;
        if self.results.len() < MOST_RESULTS {
            self.results.push(file);
        } else {
            self.results_omitted += 1;
        }
        Ok(())
    }

    /// A file that went to none; `has` are the rows and objects it has in the dataset.
    pub fn tell_other(
        &mut self,
        key: &str,
        etag: &str,
        outcome: Outcome,
        reason: Option<Reason>,
        message: Option<&str>,
        has: (u64, usize),
    ) -> Result<(), StageError> {
        if matches!(outcome, Outcome::Unchanged | Outcome::Pending) {
            return self.line(&FileLine { key, etag, outcome, reason, rows: has.0, objects: has.1, message });
        }
        self.tell(FileRecord {
            key: key.to_owned(),
            etag: etag.to_owned(),
            outcome,
            reason,
            message: message.map(str::to_owned),
            rows: 0,
            rows_left_out: BTreeMap::new(),
            notes: Vec::new(),
            objects: Vec::new(),
        })
    }

    pub fn tell_unchanged(&mut self, record: &LedgerRecord) -> Result<(), StageError> {
        FileLine::unchanged(record).map_or(Ok(()), |line| self.line(&line))
    }

    /// A part of the ledger whose files are all as they were; its lines are written already.
    pub fn tell_sealed(&mut self, part: &PartRef) {
        self.sealed.push((self.written, part.clone()));
    }

    fn line(&mut self, line: &FileLine<'_>) -> Result<(), StageError> {
        let line = line.to_string();
        self.written += line.len() as u64;
        self.csv.write_all(line.as_bytes()).map_err(scratch)
    }

    /// All lines, those of sealed parts where they belong. The `parts` of the next ledger hear of lines that are moved.
    async fn lines(&mut self, context: &Context, parts: &mut [PartRef]) -> Result<File, StageError> {
        self.csv.flush().map_err(scratch)?;
        let mut told = self.csv.get_ref().as_file().try_clone().map_err(scratch)?;
        if self.sealed.is_empty() {
            return Ok(told);
        }
        told.rewind().map_err(scratch)?;
        let mut all = tempfile::tempfile().map_err(scratch)?;
        let mut at = 0;
        let sealed = std::mem::take(&mut self.sealed);
        let stretches = stretches(sealed.iter().map(|(_, part)| part));
        let mut gathering = Gathering::of(context, &stretches);
        let mut read = futures::stream::iter(&stretches).map(|stretch| stretch.read(&context.destination)).buffered(STRETCHES_AHEAD);
        let mut places = sealed.iter().map(|(upto, _)| *upto);
        while let Some(stretch) = read.next().await {
            for ((part, lines), upto) in stretch?.into_iter().zip(&mut places) {
                std::io::copy(&mut (&mut told).take(upto - at), &mut all).map_err(scratch)?;
                all.write_all(&lines).map_err(scratch)?;
                gathering.add(part, &lines).await?;
                at = upto;
            }
        }
        std::io::copy(&mut told, &mut all).map_err(scratch)?;
        gathering.finish(parts).await?;
        Ok(all)
    }

    /// Groups of errors, the most frequent first.
    fn groups(&self) -> Vec<ErrorGroup> {
        let mut groups: Vec<ErrorGroup> = self.errors.values().cloned().collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
        groups
    }
}

/// Writes `files.csv` and `report.json`; returns the URL of the latter.
pub(super) async fn write(context: &Context, plan: &Plan, folded: &mut Folded) -> Result<String, StageError> {
    let Folded { counts, totals, story, parts, .. } = folded;
    let lines = story.lines(context, parts).await?;
    let length = lines.metadata().map_err(scratch)?.len();
    let body = Body::Scratch { file: Arc::new(lines), offset: 0, length };
    context.destination.put_body(&context.layout.files_csv(&plan.run), body).await?;
    context.fail.pass(FailPoint::CommitFiles).await?;
    let report = Report {
        dataset: context.document.dataset_name.clone(),
        format: context.document.format,
        run: plan.run.clone(),
        files: *counts,
        rows: story.rows,
        rows_left_out: story.rows_left_out.clone(),
        rows_masked: totals.rows_masked,
        bytes_read: story.bytes_read,
        bytes_written: story.bytes_written,
        objects: story.objects,
        seconds: seconds_since(plan.started),
        requests: None,
        errors: story.groups(),
        warnings: plan.warnings.clone(),
        file_results: std::mem::take(&mut story.results),
        file_results_omitted: story.results_omitted,
    };
    let key = context.layout.report(&plan.run);
    let body = serde_json::to_vec_pretty(&report).map_err(|source| StageError::corrupt(&key, source))?;
    context.destination.put(&key, body.into()).await?;
    Ok(context.destination.url().of(&key))
}

fn seconds_since(started: i64) -> f64 {
    (Timestamp::now().as_millisecond() - started) as f64 / 1_000.0
}

pub(super) fn digest(
    context: &Context,
    plan: &Plan,
    generation: u64,
    counts: &FileCounts,
    story: &Story,
    totals: Totals,
    report: String,
) -> Digest {
    let mut errors = story.groups();
    let omitted = errors.len().saturating_sub(MOST_GROUPS);
    errors.truncate(MOST_GROUPS);
    Digest::Commit {
        run: plan.run.clone(),
        generation,
        files: *counts,
        totals,
        rows: story.rows,
        bytes_read: story.bytes_read,
        bytes_written: story.bytes_written,
        objects: story.objects,
        budget_exceeded: context.document.failure_budget.is_some_and(|budget| budget.exceeded(counts.failed, counts.discovered)),
        errors,
        errors_omitted: u32::try_from(omitted).unwrap_or(u32::MAX),
        report,
        warnings: brief(&plan.warnings),
    }
}
