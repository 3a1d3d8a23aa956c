//! Breadcrumbs: which file a retry was at when its process died.

use crds::wire::{FileRecord, Outcome, PlannedFile, Reason};
use futures::TryStreamExt;

use crate::context::Context;
use crate::error::StageError;
use crate::store::Listed;

/// The breadcrumbs older attempts at a batch left behind.
#[derive(Debug)]
pub(super) struct Crumbs {
    batch: u32,
    older: Vec<String>,
}

impl Crumbs {
    pub async fn read(context: &Context, batch: u32) -> Result<Self, StageError> {
        let mut older = Vec::new();
        for failures in 1..context.failures {
            if let Some(bytes) = context.destination.try_get(&context.layout.crumb(&context.run, batch, failures)).await? {
                older.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(Self { batch, older })
    }

    pub fn convict(&self, key: &str) -> bool {
        self.older.iter().any(|crumb| crumb == key)
    }

    /// Says that this attempt is now at `key`.
    pub async fn drop_at(&self, context: &Context, key: &str) -> Result<(), StageError> {
        let crumb = context.layout.crumb(&context.run, self.batch, context.failures);
        context.destination.put(&crumb, key.as_bytes().to_vec().into()).await?;
        Ok(())
    }
}

/// The files that breadcrumbs convict in batches that never reported, by batch.
pub(crate) async fn convicted(context: &Context) -> Result<Vec<(u32, String)>, StageError> {
    let prefix = context.layout.crumbs(&context.run);
    let listed: Vec<Listed> = context.destination.list(&prefix).try_collect().await?;
    let mut found = Vec::new();
    for object in listed {
        let batch = object.key.strip_prefix(&prefix).and_then(|name| name.split_once('-')).and_then(|(batch, _)| batch.parse().ok());
        if let (Some(batch), Some(bytes)) = (batch, context.destination.try_get(&object.key).await?) {
            found.push((batch, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(found)
}

/// A process that is told to stop convicts nobody.
pub async fn forget_crumb(context: &Context, batch: u32) -> Result<(), StageError> {
    if context.failures > 0 {
        context.destination.delete(&context.layout.crumb(&context.run, batch, context.failures)).await?;
    }
    Ok(())
}

pub(crate) fn quarantined(file: &PlannedFile) -> FileRecord {
    FileRecord {
        key: file.key.clone(),
        etag: file.etag.clone(),
        outcome: Outcome::Failed,
        reason: Some(Reason::Quarantined),
        message: Some("the converter died on this file; it is left out until it changes".to_owned()),
        rows: 0,
        rows_left_out: std::collections::BTreeMap::new(),
        notes: Vec::new(),
        objects: Vec::new(),
    }
}
