//! A dataset driven stage by stage, and the books checked after every step.

#![allow(dead_code)] // each suite uses a part of it

pub mod costs;
pub mod objects;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use converter::commit::commit;
use converter::context::{Context, Limits};
use converter::convert::convert;
use converter::error::StageError;
use converter::failpoint::{FailPoint, FailPoints};
use converter::ledger::{Heads, LedgerCursor};
use converter::plan::plan;
use converter::store::Secrets;
use crds::resource::CloudOptimisedDataset;
use crds::resource::effective::{self, Inputs};
use crds::wire::{Digest, Document, FileCounts, Head, LedgerRecord, OnSourceDelete, Totals};
use futures::TryStreamExt;
use tempfile::TempDir;

pub struct Bed {
    dir: TempDir,
    destination: String,
    pub document: Document,
    /// Of the ledger's parts: so few that small datasets have several, sealed ones among them.
    pub part_records: usize,
}

/// What a finished run said.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub files: FileCounts,
    pub totals: Totals,
    pub reasons: Vec<String>,
}

impl Bed {
    pub fn new() -> Result<Self> {
        Self::with(|_| {})
    }

    /// The example dataset, its spec changed by the test, on two folders.
    pub fn with(change: impl Fn(&mut CloudOptimisedDataset)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let destination = format!("file://{}/out/", dir.path().display());
        Self::on(dir, destination, change)
    }

    /// The same with another destination.
    pub fn on(dir: TempDir, destination: String, change: impl Fn(&mut CloudOptimisedDataset)) -> Result<Self> {
        std::fs::create_dir(dir.path().join("archive"))?;
        let document = document(dir.path(), &destination, change)?;
        Ok(Self { dir, destination, document, part_records: 2 })
    }

    /// The same folders under another spec.
    pub fn respecify(&mut self, change: impl Fn(&mut CloudOptimisedDataset)) -> Result<()> {
        self.document = document(self.dir.path(), &self.destination, change)?;
        Ok(())
    }

    pub fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    pub fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// Writes a mooring file of `rows` rows that begin in `month` of 2024.
    pub fn put(&self, key: &str, month: u32, rows: usize) -> Result<()> {
        let path = self.archive().join(key);
        std::fs::create_dir_all(path.parent().context("no parent")?)?;
        super::sample(&path, month, rows)
    }

    pub fn put_bytes(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.archive().join(key);
        std::fs::create_dir_all(path.parent().context("no parent")?)?;
        Ok(std::fs::write(path, bytes)?)
    }

    pub fn remove(&self, key: &str) -> Result<()> {
        Ok(std::fs::remove_file(self.archive().join(key))?)
    }

    pub fn context(&self, run: &str, failures: u32, fail: FailPoints) -> Result<Context, StageError> {
        let limits = Limits { threads: 2, memory_bytes: 256 << 20 };
        let mut context = Context::open(self.document.clone(), run.to_owned(), limits, &Secrets::default())?;
        context.failures = failures;
        context.fail = fail;
        context.part_records = self.part_records;
        Ok(context)
    }

    /// All stages of one run, as pods would take them.
    pub async fn attempt(&self, run: &str, failures: u32, fail: FailPoints) -> Result<Digest, StageError> {
        let context = self.context(run, failures, fail)?;
        let plan = plan(&context).await?;
        for index in 0..plan.batches {
            convert(&context, &plan, index).await?;
        }
        commit(&context, &plan).await
    }

    /// A run that nothing disturbs; its books are checked.
    pub async fn run(&self, run: &str) -> Result<Finished> {
        let digest = self.attempt(run, 0, FailPoints::none()).await?;
        self.check(&digest).await
    }

    pub async fn head(&self) -> Result<Head> {
        let context = self.context("check", 0, FailPoints::none())?;
        Heads::new(&context.destination, &context.layout).current().await?.context("no head")
    }

    pub async fn ledger(&self) -> Result<Vec<LedgerRecord>> {
        let context = self.context("check", 0, FailPoints::none())?;
        let head = self.head().await?;
        let mut cursor = LedgerCursor::new(&context.destination, &head.parts, |_| false);
        let mut records = Vec::new();
        while let Some(record) = cursor.next_below(None).await? {
            records.push(record);
        }
        Ok(records)
    }

    /// The dataset's objects and their `ETag`s, the sidecar left out.
    pub async fn objects(&self) -> Result<BTreeMap<String, String>> {
        let context = self.context("check", 0, FailPoints::none())?;
        let prefix = format!("{}/", context.folder());
        let listed: Vec<_> = context.destination.list(&prefix).try_collect().await?;
        Ok(listed.into_iter().filter(|object| !object.key.ends_with("/_common_metadata")).map(|object| (object.key, object.etag)).collect())
    }

    /// discovered adds up; every object has one owner at its recorded ETag; nothing is left staged.
    pub async fn check(&self, digest: &Digest) -> Result<Finished> {
        let Digest::Commit { files, totals, errors, run, .. } = digest else { anyhow::bail!("{digest:?} is no commit") };
        ensure!(files.balanced(), "{files:?} does not add up");
        let head = self.head().await?;
        ensure!(head.pending.is_none(), "effects are pending after the commit");
        let mut owned = BTreeMap::new();
        for object in self.ledger().await?.into_iter().filter_map(|record| record.published).flat_map(|published| published.objects) {
            let twice = owned.insert(object.key.clone(), object.etag);
            ensure!(twice.is_none(), "{} has two owners", object.key);
        }
        ensure!(owned == self.objects().await?, "ledger {owned:#?}\nfolder {:#?}", self.objects().await?);
        ensure!(totals.objects == owned.len() as u64, "{totals:?} for {} objects", owned.len());
        let context = self.context(run, 0, FailPoints::none())?;
        let left: Vec<_> = context.destination.list(&context.layout.staged_all(run)).try_collect().await?;
        ensure!(left.is_empty(), "left behind: {left:?}");
        let reasons = errors.iter().map(|group| format!("{} {}", group.reason, group.count)).collect();
        Ok(Finished { files: *files, totals: *totals, reasons })
    }
}

fn document(dir: &Path, destination: &str, change: impl Fn(&mut CloudOptimisedDataset)) -> Result<Document> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/mooring.yaml");
    let mut resource: CloudOptimisedDataset = serde_yaml::from_str(&std::fs::read_to_string(example)?)?;
    let source = resource.spec.source.get_or_insert_default();
    source.url = Some(format!("file://{}/archive/", dir.display()));
    source.credentials_secret_ref = None;
    destination.clone_into(&mut resource.spec.destination.url);
    resource.spec.destination.credentials_secret_ref = None;
    change(&mut resource);
    let inputs = Inputs { owner: "science/mooring", spec: &resource.spec, config_text: None, parents: &BTreeMap::new() };
    Ok(effective::document(&inputs)?.document)
}

pub fn removing(resource: &mut CloudOptimisedDataset) {
    resource.spec.on_source_delete = Some(OnSourceDelete::Remove);
    resource.spec.max_withdrawn_percent = Some(100);
}

pub fn counts(discovered: u64, processed: u64, unchanged: u64, failed: u64) -> FileCounts {
    FileCounts { discovered, processed, unchanged, failed, ..FileCounts::default() }
}

pub fn two_a_batch(resource: &mut CloudOptimisedDataset) {
    removing(resource);
    resource.spec.batching.get_or_insert_default().max_files = Some(2);
}

/// A dataset of three files, then: one replaced by rows of another month, one new, one broken, one gone.
pub async fn changed_source(bed: Bed) -> Result<Bed> {
    for (key, month) in [("a/1.nc", 1), ("a/2.nc", 1), ("b/3.nc", 2)] {
        bed.put(key, month, 20)?;
    }
    let first = bed.run("first").await?;
    assert_eq!(first.files, counts(3, 3, 0, 0));
    bed.put("a/1.nc", 5, 30)?;
    bed.put("b/4.nc", 3, 10)?;
    bed.put_bytes("b/5.nc", b"not NetCDF at all, but long enough to look at")?;
    bed.remove("b/3.nc")?;
    Ok(bed)
}

/// Stops a run at every fail point in turn and takes it up again: the end is always the same.
pub async fn stopped_anywhere(make: impl Fn(fn(&mut CloudOptimisedDataset)) -> Result<Bed>) -> Result<()> {
    let undisturbed = changed_source(make(two_a_batch)?).await?;
    let expected = undisturbed.run("second").await?;
    assert_eq!(expected.files, FileCounts { withdrawn: 1, ..counts(4, 2, 1, 1) });
    let expected_keys: Vec<String> = undisturbed.objects().await?.into_keys().collect();
    for point in FailPoint::ALL.iter().filter(|point| **point != FailPoint::ConvertCrumb) {
        let bed = changed_source(make(two_a_batch)?).await?;
        let stopped = bed.attempt("second", 0, FailPoints::stop_at(*point)).await;
        match point {
            // Nothing was missing, nothing was pending: this run has no such side effect.
            FailPoint::CommitFenced | FailPoint::CommitEarlierEffects | FailPoint::CommitSidecarStaged | FailPoint::CommitSidecar => {
                assert!(stopped.is_ok(), "{point}: {stopped:?}");
            }
            _ => assert!(matches!(stopped, Err(StageError::FailPoint(at)) if at == *point), "{point}: {stopped:?}"),
        }
        let digest = bed.attempt("second", 0, FailPoints::none()).await?;
        let finished = bed.check(&digest).await.map_err(|error| error.context(point.as_str()))?;
        assert_eq!(finished, expected, "{point}");
        let keys: Vec<String> = bed.objects().await?.into_keys().collect();
        assert_eq!(keys, expected_keys, "{point}");
        let again = bed.attempt("second", 0, FailPoints::none()).await?;
        assert_eq!(again, digest, "{point}: run again on finished state, the digest is the same");
        let idle = bed.run("third").await?;
        assert_eq!((idle.files.processed, idle.files.unchanged), (0, 3), "{point}");
    }
    Ok(())
}
