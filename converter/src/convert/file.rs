//! One file: fetched at its planned ETag, converted, staged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crds::wire::{FileRecord, Outcome, PlannedFile, Reason, StagedObject};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::budget::Budget;
use super::staging::{GROUPS_AHEAD, Outlet, STORED_AT_ONCE, Unstaged, stage};
use super::workers::Workers;
use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::read::Input;
use crate::source::FileName;
use crate::store::{StoreError, StoreErrorKind, Trouble};
use crate::table::{Allowance, Conversion, ConvertedObject, FileError, FileReport};

/// Converts the files of one batch.
pub(super) struct Converter {
    context: Context,
    batch: u32,
    conversion: Conversion,
    budget: Budget,
    /// Those that a file converts on, of as many as there are workers.
    threads: Semaphore,
    /// Files that are on their way and have no thread yet.
    coming: Arc<AtomicUsize>,
    workers: Workers,
    staged: AtomicU64,
}

impl Converter {
    /// # Errors
    /// When there are no threads to be had.
    pub fn new(context: &Context, batch: u32) -> Result<Self, StageError> {
        let threads = context.limits.threads.max(1);
        let conversion = Conversion::new(&context.config, context.document.compat, context.now);
        Ok(Self {
            context: context.clone(),
            batch,
            conversion,
            budget: Budget::new(context.limits.memory_bytes),
            threads: Semaphore::new(threads),
            coming: Arc::default(),
            workers: Workers::start(threads)?,
            staged: AtomicU64::new(0),
        })
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    /// # Errors
    /// Only trouble with the destination; what is wrong with the file stands in its record.
    pub async fn convert(self: &Arc<Self>, file: &PlannedFile) -> Result<FileRecord, StageError> {
        let coming = Coming::of(&self.coming);
        let in_memory = self.budget.in_memory();
        let Some(_fetching) = self.budget.fetch(if file.bytes <= in_memory { file.bytes } else { FETCH_BUFFER }).await else {
            return Ok(too_large(file, file.bytes, 0));
        };
        let input = match fetch(&self.context, file, in_memory).await? {
            Ok(input) => input,
            Err(record) => return Ok(record),
        };
        self.context.tally.bytes.fetch_add(input.len(), Ordering::Relaxed);
        let name = self.context.source.name_of(&file.key, self.context.document.naming);
        let (send, groups) = tokio::sync::mpsc::channel(GROUPS_AHEAD);
        let converter = Arc::clone(self);
        let converting = self.workers.run(move || converter.work(&name, input, coming, send));
        let (worked, staged) = tokio::join!(converting, self.stage(groups));
        if file.bytes > in_memory && !self.is_still(file).await? {
            return Ok(record(file, Outcome::Skipped, Some(Reason::ChangedDuringRead), Some("it changed while it was read".into())));
        }
        Ok(match (worked, staged?) {
            (Err(panicked), _) => broken(file, &panicked),
            (_, Staged::TooLong(key)) => {
                let message = format!("its object's key is too long to be stored ({key:?}); shorten the file's name");
                record(file, Outcome::Failed, Some(Reason::HostileKey), Some(message))
            }
            (Ok(Err(Refusal::File(error))), _) => refused(file, &error),
            (Ok(Err(Refusal::TooLarge(needed))), _) => too_large(file, file.bytes, needed),
            (Ok(Ok(worked)), Staged::All(objects)) => {
                self.context.fail.pass(FailPoint::ConvertStaged).await?;
                processed(file, worked.report, objects)
            }
        })
    }

    /// Opens and converts, on a thread for that. What is left to be done then waits for the store: another file may have
    /// the processor.
    fn work(&self, name: &FileName, input: Input, coming: Coming, send: Sender<Vec<ConvertedObject>>) -> Result<Worked, Refusal> {
        let runtime = Handle::current();
        let gave_up = |_| FileError::GaveUp("the conversion was stopped".into());
        let _thread = runtime.block_on(self.threads.acquire()).map_err(gave_up)?;
        drop(coming);
        let opened = self.conversion.open(name, input)?;
        let needed = self.conversion.memory_of(name, &opened);
        let Some((memory, bytes)) = runtime.block_on(self.budget.work(needed)) else { return Err(Refusal::TooLarge(needed)) };
        let unwanted = if needed < LARGE { 0 } else { self.unwanted(bytes) };
        let more: Vec<SemaphorePermit<'_>> = (0..unwanted).map_while(|_| self.threads.try_acquire().ok()).collect();
        let threads = 1 + more.len();
        let mut outlet = Outlet::new(send, &self.context.destination);
        let allowance = Allowance { bytes, threads, spare: Some(&self.threads) };
        let report = self.conversion.convert(name, &opened, allowance, &mut |object| outlet.take(object))?;
        outlet.empty()?;
        Ok(Worked { report, _memory: memory })
    }

    /// Threads that a large file may have beside its own: those that nobody has, less one for each file that comes and that
    /// memory lets work beside one of this size.
    fn unwanted(&self, bytes: u64) -> usize {
        let others = self.coming.load(Ordering::Relaxed).min(self.budget.beside(bytes));
        self.threads.available_permits().saturating_sub(others)
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
    async fn stage(&self, groups: Receiver<Vec<ConvertedObject>>) -> Result<Staged, StageError> {
        let groups = futures::stream::unfold(groups, |mut groups| async { Some((groups.recv().await?, groups)) });
        let stored = groups.map(|group| self.stage_group(group)).buffer_unordered(STORED_AT_ONCE);
        futures::pin_mut!(stored);
        let mut all = Vec::new();
        while let Some(group) = stored.next().await {
            match group? {
                Staged::All(objects) => all.extend(objects),
                too_long @ Staged::TooLong(_) => return Ok(too_long),
            }
        }
        all.sort_unstable_by(|a: &StagedObject, b| a.final_key.cmp(&b.final_key));
        Ok(Staged::All(all))
    }

    async fn stage_group(&self, group: Vec<ConvertedObject>) -> Result<Staged, StageError> {
        let store = &self.context.destination;
        // Found out now, and not by a commit that could then never end.
        if let Some(object) = group.iter().find(|object| !store.holds(&self.final_key(object))) {
            return Ok(Staged::TooLong(object.key.clone()));
        }
        let unstaged = group.into_iter().map(|object| {
            let number = self.staged.fetch_add(1, Ordering::Relaxed);
            let staged_key = self.context.layout.staged(&self.context.run, self.batch, &self.context.nonce, number);
            Unstaged { final_key: self.final_key(&object), staged_key, rows: object.rows, body: object.body.into() }
        });
        Ok(Staged::All(stage(store, unstaged.collect()).await?))
    }
}

/// A file that is on its way, until it has a thread or ends without.
struct Coming(Arc<AtomicUsize>);

impl Coming {
    fn of(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A file that was converted.
struct Worked {
    report: FileReport,
    /// Its objects take it until they are stored.
    _memory: OwnedSemaphorePermit,
}

enum Refusal {
    File(FileError),
    /// The bytes that it needs at work.
    TooLarge(u64),
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        Self::File(error)
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

fn processed(file: &PlannedFile, report: FileReport, objects: Vec<StagedObject>) -> FileRecord {
    FileRecord {
        rows: report.rows,
        rows_left_out: report.rows_left_out,
        notes: report.notes,
        objects,
        ..record(file, Outcome::Processed, None, None)
    }
}

/// The reader itself gave way: one bad file costs one file.
fn broken(file: &PlannedFile, panicked: &str) -> FileRecord {
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
