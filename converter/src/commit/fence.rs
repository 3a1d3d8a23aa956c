//! Fences: commit's own manifest at every batch that never reported, so that no late pod can.

use crds::wire::{FileRecord, Manifest, Outcome, Plan, PlannedFile, Reason};
use futures::{StreamExt, TryStreamExt};

use crate::context::Context;
use crate::convert::{Written, convicted, quarantined, read_batch, without_files};
use crate::error::StageError;
use crate::failpoint::FailPoint;

pub(super) async fn fence(context: &Context, plan: &Plan) -> Result<(), StageError> {
    let prefix = context.layout.manifest(&plan.run, 0);
    let prefix = prefix.rsplit_once('/').map_or(prefix.as_str(), |(folder, _)| folder);
    let listed: Vec<String> = context.destination.list(&format!("{prefix}/")).map_ok(|object| object.key).try_collect().await?;
    let missing: Vec<u32> = (0..plan.batches).filter(|batch| !listed.contains(&context.layout.manifest(&plan.run, *batch))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let crumbs = convicted(context).await?;
    futures::stream::iter(missing)
        .map(|index| {
            let crumbs = &crumbs;
            async move {
                let batch = read_batch(context, plan, index).await?;
                let guilty = |file: &PlannedFile| crumbs.iter().any(|(batch, key)| *batch == index && *key == file.key);
                let files = batch
                    .files
                    .iter()
                    .map(|file| if guilty(file) { quarantined(file) } else { not_reached(file, context.cause_of_missing.as_deref()) })
                    .collect();
                let written = if plan.grid.is_some() { without_files(context, plan, &batch).await? } else { Written::default() };
                let manifest = Manifest {
                    run: plan.run.clone(),
                    batch: index,
                    nonce: context.nonce.clone(),
                    fence: true,
                    files,
                    bytes_read: 0,
                    bytes_written: written.staged.iter().map(|object| object.bytes).sum(),
                    chunks: written.staged,
                    emptied: written.emptied,
                };
                let key = context.layout.manifest(&plan.run, index);
                let body = serde_json::to_vec(&manifest).map_err(|source| StageError::corrupt(&key, source))?;
                // Won or lost, the batch has its one verdict now.
                context.destination.create(&key, body.into()).await?;
                context.fail.pass(FailPoint::CommitFenced).await
            }
        })
        .buffer_unordered(8)
        .try_collect()
        .await
}

fn not_reached(file: &PlannedFile, cause: Option<&str>) -> FileRecord {
    let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    let message = format!("its batch ended without a result{cause}; it is tried again by the next run");
    FileRecord { outcome: Outcome::Failed, reason: Some(Reason::NotReached), message: Some(message), ..quarantined(file) }
}
