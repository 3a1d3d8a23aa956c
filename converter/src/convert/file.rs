//! One file: fetched at its planned ETag, converted, staged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crds::wire::{FileRecord, Outcome, PlannedFile, Reason, StagedObject};
use futures::StreamExt;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinError;

use super::budget::Budget;
use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::read::Input;
use crate::store::{StoreError, StoreErrorKind, Trouble};
use crate::table::{Allowance, Conversion, ConvertedObject, FileError, FileReport};

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
        let in_memory = self.budget.in_memory();
        let Some(_fetching) = self.budget.fetch(if file.bytes <= in_memory { file.bytes } else { FETCH_BUFFER }).await else {
            return Ok(too_large(file, file.bytes, 0));
        };
        let input = match fetch(&self.context, file, in_memory).await? {
            Ok(input) => input,
            Err(record) => return Ok(record),
        };
        self.context.tally.bytes.fetch_add(input.len(), Ordering::Relaxed);
        let thread = self.threads.acquire().await.map_err(|_| StageError::Terminated)?;
        let name = self.context.source.name_of(&file.key, self.context.document.naming);
        let (conversion, opening) = (Arc::clone(&self.conversion), name.clone());
        let opened = match on_a_thread(move || conversion.open(&opening, input)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Ok(refused(file, &error)),
            Err(panicked) => return Ok(broken(file, &panicked)),
        };
        let needed = self.conversion.memory_of(&name, &opened);
        let Some((_working, bytes)) = self.budget.work(needed).await else {
            return Ok(too_large(file, file.bytes, needed));
        };
        // A large file may have the threads that nobody else wants just now.
        let more = if needed < LARGE { None } else { self.threads.try_acquire_many(self.threads.available_permits() as u32).ok() };
        let threads = 1 + more.as_ref().map_or(0, SemaphorePermit::num_permits);
        let (send, objects) = tokio::sync::mpsc::channel(OBJECTS_AHEAD);
        let conversion = Arc::clone(&self.conversion);
        let converting = on_a_thread(move || {
            conversion.convert(&name, &opened, Allowance { bytes, threads }, &mut |object| {
                send.blocking_send(object).map_err(|_| FileError::GaveUp("its objects could not be stored".into()))
            })
        });
        let converting = async {
            let converted = converting.await;
            // What is left waits for the store: another file may have the processor.
            drop((thread, more));
            converted
        };
        let (converted, staged) = tokio::join!(converting, self.stage(objects));
        if file.bytes > in_memory && !self.is_still(file).await? {
            return Ok(record(file, Outcome::Skipped, Some(Reason::ChangedDuringRead), Some("it changed while it was read".into())));
        }
        Ok(match (converted, staged?) {
            (Err(panicked), _) => broken(file, &panicked),
            (_, Staged::TooLong(key)) => {
                let message = format!("its object's key is too long to be stored ({key:?}); shorten the file's name");
                record(file, Outcome::Failed, Some(Reason::HostileKey), Some(message))
            }
            (Ok(Err(error)), _) => refused(file, &error),
            (Ok(Ok(report)), Staged::All(objects)) => {
                self.context.fail.pass(FailPoint::ConvertStaged).await?;
                processed(file, report, objects)
            }
        })
    }

    /// Whether a file that was read in place is the planned version even now.
    async fn is_still(&self, file: &PlannedFile) -> Result<bool, StageError> {
        let (store, key) = self.context.source.locate(&file.key)?;
        Ok(store.still(key, &file.etag).await?)
    }

    fn final_key(&self, object: &ConvertedObject) -> String {
        format!("{}/{}", self.context.folder(), object.key)
    }

    /// Stores objects as they come, some at once. Leaving early makes the conversion stop.
    async fn stage(&self, objects: Receiver<ConvertedObject>) -> Result<Staged, StageError> {
        let objects = futures::stream::unfold(objects, |mut objects| async { Some((objects.recv().await?, objects)) });
        let stored = objects.map(|object| self.stage_one(object)).buffer_unordered(STORED_AT_ONCE);
        futures::pin_mut!(stored);
        let mut all = Vec::new();
        while let Some(object) = stored.next().await {
            match object? {
                Ok(object) => all.push(object),
                Err(key) => return Ok(Staged::TooLong(key)),
            }
        }
        all.sort_unstable_by(|a: &StagedObject, b| a.final_key.cmp(&b.final_key));
        Ok(Staged::All(all))
    }

    /// The key itself when nothing can stand there: found out now, and not by a commit that could then
    /// never end.
    async fn stage_one(&self, object: ConvertedObject) -> Result<Result<StagedObject, String>, StageError> {
        let final_key = self.final_key(&object);
        if !self.context.destination.holds(&final_key) {
            return Ok(Err(object.key));
        }
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let staged_key = self.context.layout.staged(&self.context.run, self.batch, &self.context.nonce, number);
        let head = self.context.destination.put_body(&staged_key, object.body.into()).await?;
        Ok(Ok(StagedObject { final_key, staged_key, etag: head.etag, rows: object.rows, bytes: head.bytes }))
    }
}

/// A file at its planned version; or its record, if it cannot be had.
///
/// # Errors
/// What is no fault of this file: wrong credentials, a bucket that is gone.
pub(super) async fn fetch(context: &Context, file: &PlannedFile, in_memory: u64) -> Result<Result<Input, FileRecord>, StageError> {
    let read = match context.source.locate(&file.key) {
        Ok((store, key)) => store.fetch(key, &file.etag, in_memory).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(input) => Ok(Ok(input)),
        Err(error) => unread(file, error).map(Err),
    }
}

/// What is no larger is as well fetched whole.
const PEEKED_WHOLE: u64 = 1 << 20;

/// A file at its planned version, for its header; or its record, if it cannot be had.
///
/// # Errors
/// What is no fault of this file.
pub(crate) async fn peek(context: &Context, file: &PlannedFile) -> Result<Result<(Input, Trouble), FileRecord>, StageError> {
    let read = match context.source.locate(&file.key) {
        Ok((store, key)) => store.peek(key, &file.etag, file.bytes, PEEKED_WHOLE).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(input) => Ok(Ok(input)),
        Err(error) => unread(file, error).map(Err),
    }
}

/// The record of a file that the store did not give.
///
/// # Errors
/// What is no fault of this file.
pub(crate) fn unread(file: &PlannedFile, error: StoreError) -> Result<FileRecord, StageError> {
    let (outcome, reason) = match error.kind {
        StoreErrorKind::BadCredentials | StoreErrorKind::BucketMissing => return Err(error.into()),
        StoreErrorKind::Changed | StoreErrorKind::NotFound => (Outcome::Skipped, Reason::ChangedDuringRead),
        StoreErrorKind::Denied => (Outcome::Failed, Reason::ObjectAccessDenied),
        StoreErrorKind::HostileKey => (Outcome::Failed, Reason::HostileKey),
        StoreErrorKind::DiskFull => (Outcome::Failed, Reason::DiskFull),
        StoreErrorKind::NoConditionalPut | StoreErrorKind::BadFilter | StoreErrorKind::Unavailable => (Outcome::Failed, Reason::StoreError),
    };
    Ok(record(file, outcome, Some(reason), Some(error.to_string())))
}

/// The objects of one file.
enum Staged {
    All(Vec<StagedObject>),
    /// A key that the destination cannot hold.
    TooLong(String),
}

/// Memory of a download that goes to a scratch file.
const FETCH_BUFFER: u64 = 1 << 20;
/// Bytes of work that more than one thread is worth.
const LARGE: u64 = 32 << 20;
/// Objects that wait to be stored, and those that are stored at once.
const OBJECTS_AHEAD: usize = 2;
const STORED_AT_ONCE: usize = 4;

fn processed(file: &PlannedFile, report: FileReport, objects: Vec<StagedObject>) -> FileRecord {
    FileRecord {
        rows: report.rows,
        rows_left_out: report.rows_left_out,
        notes: report.notes,
        objects,
        ..record(file, Outcome::Processed, None, None)
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

pub(super) fn record(file: &PlannedFile, outcome: Outcome, reason: Option<Reason>, message: Option<String>) -> FileRecord {
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
