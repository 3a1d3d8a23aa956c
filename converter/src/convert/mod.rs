//! Converts one batch: every file becomes staged objects or a reason, and the batch one manifest.

mod boxes;
mod budget;
mod chunks;
mod crumb;
mod file;
mod grid;
mod remake;
mod staging;
mod workers;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crds::wire::{Batch, Digest, FileRecord, Manifest, Outcome, Plan};
use futures::{StreamExt, TryStreamExt};

use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::store::Created;
use crumb::Crumbs;
use file::Converter;

pub use crumb::forget_crumb;
pub(crate) use crumb::{convicted, quarantined};
pub(crate) use file::{peek, unread};
pub(crate) use grid::Written;
pub(crate) use remake::{Remade, remake, without_files};

/// Converts batch `index` of the plan, or returns the manifest that stands.
///
/// # Errors
/// Store trouble while staging: nothing of the batch counts, and a retry starts anew. A bad file is
/// a record, never an error.
pub async fn convert(context: &Context, plan: &Plan, index: u32) -> Result<Manifest, StageError> {
    let key = context.layout.manifest(&plan.run, index);
    if let Some(bytes) = context.destination.try_get(&key).await? {
        return serde_json::from_slice(&bytes).map_err(|source| StageError::corrupt(&key, source));
    }
    let batch = read_batch(context, plan, index).await?;
    let read_before = context.source.bytes_read();
    let converted = if context.config.grid.is_some() {
        let converted = grid::convert(context, plan, batch).await?;
        for record in &converted.files {
            count(context, record);
        }
        converted
    } else {
        let converter = Arc::new(Converter::new(context, index)?);
        let files = if context.failures == 0 { at_once(&converter, batch).await? } else { one_by_one(&converter, batch).await? };
        grid::Converted { files, ..grid::Converted::default() }
    };
    let grid::Converted { files, chunks, emptied } = converted;
    let manifest = Manifest {
        run: plan.run.clone(),
        batch: index,
        nonce: context.nonce.clone(),
        fence: false,
        bytes_written: files.iter().flat_map(|file| &file.objects).chain(&chunks).map(|object| object.bytes).sum(),
        bytes_read: context.source.bytes_read() - read_before,
        files,
        chunks,
        emptied,
    };
    let body = serde_json::to_vec(&manifest).map_err(|source| StageError::corrupt(&key, source))?;
    let created = context.destination.create(&key, body.into()).await?;
    context.fail.pass(FailPoint::ConvertManifest).await?;
    match created {
        Created::Won => Ok(manifest),
        Created::Lost(there) => serde_json::from_slice(&there).map_err(|source| StageError::corrupt(&key, source)),
    }
}

/// The files of one batch.
pub(crate) async fn read_batch(context: &Context, plan: &Plan, index: u32) -> Result<Batch, StageError> {
    let key = context.layout.batch(&plan.run, &plan.nonce, index);
    let bytes = context.destination.get(&key).await?;
    serde_json::from_slice(&bytes).map_err(|source| StageError::corrupt(&key, source))
}

/// A first attempt: as many files at once as threads and memory allow, told in the planned order.
async fn at_once(converter: &Arc<Converter>, batch: Batch) -> Result<Vec<FileRecord>, StageError> {
    let ahead = converter.context().limits.threads + 2;
    // A file that takes long keeps none of those behind it waiting.
    let mut records: Vec<(usize, FileRecord)> = futures::stream::iter(batch.files.into_iter().enumerate())
        .map(|(index, file)| {
            let converter = Arc::clone(converter);
            async move {
                let record = converter.convert(&file).await?;
                count(converter.context(), &record);
                Ok::<_, StageError>((index, record))
            }
        })
        .buffer_unordered(ahead)
        .try_collect()
        .await?;
    records.sort_unstable_by_key(|(index, _)| *index);
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

/// A retry: one file at a time, a breadcrumb before each, so that whatever kills the process is found.
async fn one_by_one(converter: &Arc<Converter>, batch: Batch) -> Result<Vec<FileRecord>, StageError> {
    let context = converter.context();
    let crumbs = Crumbs::read(context, batch.index).await?;
    let mut records = Vec::with_capacity(batch.files.len());
    for file in batch.files {
        let record = if crumbs.convict(&file.key) {
            crumb::quarantined(&file)
        } else {
            crumbs.drop_at(context, &file.key).await?;
            context.fail.pass(FailPoint::ConvertCrumb).await?;
            converter.convert(&file).await?
        };
        count(context, &record);
        records.push(record);
    }
    Ok(records)
}

fn count(context: &Context, record: &FileRecord) {
    let tally = &context.tally;
    let counter = match record.outcome {
        Outcome::Processed | Outcome::Unchanged => &tally.processed,
        Outcome::Failed => &tally.failed,
        Outcome::Skipped | Outcome::Withdrawn | Outcome::Pending => &tally.skipped,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    tally.rows.fetch_add(record.rows, Ordering::Relaxed);
}

/// What a convert pod says of its batch: progress only.
#[must_use]
pub fn digest(manifest: &Manifest) -> Digest {
    let of = |outcome| manifest.files.iter().filter(|file| file.outcome == outcome).count() as u64;
    Digest::Convert {
        run: manifest.run.clone(),
        batch: manifest.batch,
        processed: of(Outcome::Processed),
        failed: of(Outcome::Failed),
        skipped: of(Outcome::Skipped),
        rows: manifest.files.iter().map(|file| file.rows).sum(),
    }
}
