//! One file: fetched at its planned ETag, converted, staged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use crds::wire::{FileRecord, Outcome, PlannedFile, Reason, StagedObject};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::budget::Budget;
use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::source::basename;
use crate::store::StoreErrorKind;
use crate::table::{Conversion, ConvertedObject, FileError, FileReport};

/// Converts the files of one batch.
pub(super) struct Converter {
    context: Context,
    batch: u32,
    conversion: Arc<Conversion>,
    budget: Budget,
    threads: Semaphore,
    staged: AtomicU64,
}

impl Converter {
    pub fn new(context: &Context, batch: u32) -> Self {
        let conversion = Conversion::new(&context.config, context.document.compat, context.now);
        Self {
            context: context.clone(),
            batch,
            conversion: Arc::new(conversion),
            budget: Budget::new(context.limits.memory_bytes),
            threads: Semaphore::new(context.limits.threads.max(1)),
            staged: AtomicU64::new(0),
        }
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    /// # Errors
    /// Only trouble with the destination; what is wrong with the file stands in its record.
    pub async fn convert(&self, file: &PlannedFile) -> Result<FileRecord, StageError> {
        let Some(_fetching) = self.budget.fetch(file.bytes).await else {
            return Ok(too_large(file, file.bytes, 0));
        };
        let bytes = match self.fetch(file).await? {
            Ok(bytes) => bytes,
            Err(record) => return Ok(record),
        };
        self.context.tally.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let thread = self.threads.acquire().await.map_err(|_| StageError::Terminated)?;
        let conversion = Arc::clone(&self.conversion);
        let opened = match on_a_thread(move || conversion.open(bytes)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Ok(refused(file, &error)),
            Err(panicked) => return Ok(broken(file, &panicked)),
        };
        let needed = self.conversion.memory_of(&opened);
        let Some(_working) = self.budget.work(needed).await else {
            return Ok(too_large(file, file.bytes, needed));
        };
        let (conversion, key) = (Arc::clone(&self.conversion), file.key.clone());
        let converted = on_a_thread(move || {
            let mut objects = Vec::new();
            let report = conversion.convert_open(basename(&key), &opened, &mut |object| objects.push(object))?;
            Ok::<_, FileError>((report, objects))
        });
        let converted = converted.await;
        // What is left waits for the store: another file may have the processor.
        drop(thread);
        match converted {
            Ok(Ok((report, objects))) => self.stage(file, report, objects).await,
            Ok(Err(error)) => Ok(refused(file, &error)),
            Err(panicked) => Ok(broken(file, &panicked)),
        }
    }

    /// # Errors
    /// What is no fault of this file: wrong credentials, a bucket that is gone.
    async fn fetch(&self, file: &PlannedFile) -> Result<Result<Bytes, FileRecord>, StageError> {
        let read = match self.context.source.locate(&file.key) {
            Ok((store, key)) => store.get_if(key, &file.etag).await,
            Err(error) => Err(error),
        };
        let error = match read {
            Ok(bytes) => return Ok(Ok(bytes)),
            Err(error) => error,
        };
        let (outcome, reason) = match error.kind {
            StoreErrorKind::BadCredentials | StoreErrorKind::BucketMissing => return Err(error.into()),
            StoreErrorKind::Changed | StoreErrorKind::NotFound => (Outcome::Skipped, Reason::ChangedDuringRead),
            StoreErrorKind::Denied => (Outcome::Failed, Reason::ObjectAccessDenied),
            StoreErrorKind::HostileKey => (Outcome::Failed, Reason::HostileKey),
            StoreErrorKind::DiskFull | StoreErrorKind::NoConditionalPut | StoreErrorKind::BadFilter | StoreErrorKind::Unavailable => {
                (Outcome::Failed, Reason::StoreError)
            }
        };
        Ok(Err(record(file, outcome, Some(reason), Some(error.to_string()))))
    }

    fn final_key(&self, object: &ConvertedObject) -> String {
        format!("{}/{}", self.context.folder(), object.key)
    }

    async fn stage(&self, file: &PlannedFile, report: FileReport, objects: Vec<ConvertedObject>) -> Result<FileRecord, StageError> {
        // Found out now, and not by a commit that could then never end.
        if let Some(object) = objects.iter().find(|object| !self.context.destination.holds(&self.final_key(object))) {
            let message = format!("its object's key is too long to be stored ({:?}); shorten the file's name", object.key);
            return Ok(record(file, Outcome::Failed, Some(Reason::HostileKey), Some(message)));
        }
        let mut staged = Vec::with_capacity(objects.len());
        for object in objects {
            let number = self.staged.fetch_add(1, Ordering::Relaxed);
            let staged_key = self.context.layout.staged(&self.context.run, self.batch, &self.context.nonce, number);
            let final_key = self.final_key(&object);
            let head = self.context.destination.put(&staged_key, object.body).await?;
            staged.push(StagedObject { final_key, staged_key, etag: head.etag, rows: object.rows, bytes: head.bytes });
        }
        self.context.fail.pass(FailPoint::ConvertStaged).await?;
        Ok(FileRecord {
            rows: report.rows,
            rows_left_out: report.rows_left_out,
            notes: report.notes,
            objects: staged,
            ..record(file, Outcome::Processed, None, None)
        })
    }
}

/// Work that keeps a processor busy, away from the threads that wait for the store.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}

/// The reader itself gave way: one bad file costs one file.
fn broken(file: &PlannedFile, panicked: &JoinError) -> FileRecord {
    let message = format!("the conversion broke down on this file ({panicked}); please report it");
    record(file, Outcome::Failed, Some(Reason::UnreadableFile), Some(message))
}

fn record(file: &PlannedFile, outcome: Outcome, reason: Option<Reason>, message: Option<String>) -> FileRecord {
    FileRecord {
        key: file.key.clone(),
        etag: file.etag.clone(),
        outcome,
        reason,
        message,
        rows: 0,
        rows_left_out: BTreeMap::new(),
        notes: Vec::new(),
        objects: Vec::new(),
    }
}

fn refused(file: &PlannedFile, error: &FileError) -> FileRecord {
    record(file, Outcome::Failed, Some(error.reason()), Some(error.to_string()))
}

fn too_large(file: &PlannedFile, fetched: u64, work: u64) -> FileRecord {
    let needed = Budget::needed(fetched, work).div_ceil(1 << 20);
    let message = format!("converting this file needs a memory budget of {needed} MiB; raise the worker's memory limit (--memory)");
    record(file, Outcome::Failed, Some(Reason::MemoryBudgetExceeded), Some(message))
}
