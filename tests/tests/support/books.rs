//! The books of a dataset, held against the objects that are there.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use crds::wire::{Head, LedgerRecord, Outcome, PublishedObject};

use super::bucket::Bucket;
use super::dataset::Dataset;
use crate::same;

const SIDECAR: &str = "_common_metadata";

/// What the highest head says, and every record of its ledger.
#[derive(Clone, Debug)]
pub struct Books {
    pub head: Head,
    pub records: Vec<LedgerRecord>,
}

impl Books {
    pub async fn read(dataset: &Dataset, bucket: &Bucket) -> Result<Self> {
        let heads = bucket.list(&format!("{}head/", dataset.state())).await?;
        let latest = heads.keys().next_back().context("the dataset has no head")?;
        let head: Head = serde_json::from_slice(&bucket.get(latest).await?)?;
        let mut records = Vec::new();
        for part in &head.parts {
            let lines = bucket.get(&format!("{}{}", dataset.prefix(), part.key)).await?;
            let lines = std::str::from_utf8(&lines)?.lines().filter(|line| !line.is_empty());
            let of_part = lines.map(serde_json::from_str).collect::<Result<Vec<LedgerRecord>, _>>()?;
            same!(of_part.len() as u64, part.records, "records of the ledger part {}", part.key);
            records.extend(of_part);
        }
        Ok(Self { head, records })
    }

    /// The record of a source file.
    pub fn of(&self, key: &str) -> Result<&LedgerRecord> {
        self.records.iter().find(|record| record.key == key).with_context(|| format!("{key} is not in the ledger"))
    }

    /// The objects that a source file owns.
    pub fn objects_of(&self, key: &str) -> Result<Vec<PublishedObject>> {
        Ok(self.of(key)?.published.as_ref().map(|published| published.objects.clone()).unwrap_or_default())
    }
}

/// Every object has one owner and is what the ledger says it is; nothing is pending, staged or left
/// over; the totals are the sums.
pub async fn audit(dataset: &Dataset, bucket: &Bucket) -> Result<Books> {
    let books = Books::read(dataset, bucket).await.context("the books cannot be read")?;
    ensure!(books.head.pending.is_none(), "generation {} still has effects pending", books.head.generation);

    let mut owned: BTreeMap<String, String> = BTreeMap::new();
    for record in &books.records {
        for object in record.published.iter().flat_map(|published| &published.objects) {
            let key = format!("{}{}", dataset.prefix(), object.key);
            let before = owned.insert(key, object.etag.clone());
            ensure!(before.is_none(), "two files own {}", object.key);
        }
    }
    if let Some(sidecar) = &books.head.sidecar {
        owned.insert(format!("{}{SIDECAR}", dataset.folder()), sidecar.etag.clone());
    }
    let there = bucket.list(&dataset.prefix()).await?;
    let bare = |etag: &str| etag.trim_matches('"').to_owned();
    let state = dataset.state();
    let found: BTreeMap<String, String> =
        there.iter().filter(|(key, _)| !key.starts_with(&state)).map(|(key, listed)| (key.clone(), bare(&listed.etag))).collect();
    let nobodys: Vec<&String> = found.keys().filter(|key| !owned.contains_key(*key)).collect();
    ensure!(nobodys.is_empty(), "objects that nobody owns: {nobodys:?}");
    let gone: Vec<&String> = owned.keys().filter(|key| !found.contains_key(*key)).collect();
    ensure!(gone.is_empty(), "objects of the ledger that are not there: {gone:?}");
    same!(found, owned, "ETags of objects and ledger");

    let kinds = ["head/", "ledger/", "runs/", "reports/"];
    for key in there.keys().filter_map(|key| key.strip_prefix(&state)) {
        ensure!(kinds.iter().any(|kind| key.starts_with(kind)), "state of no known kind: {key}");
        ensure!(!key.contains("/staged/"), "a staged object is left: {key}");
    }
    totals(&books)?;
    Ok(books)
}

fn totals(books: &Books) -> Result<()> {
    let published = || books.records.iter().filter_map(|record| record.published.as_ref());
    let rows: u64 = published().map(|published| published.rows).sum();
    let objects = published().map(|published| published.objects.len() as u64).sum::<u64>();
    let live = || books.records.iter().filter(|record| !record.withdrawn);
    let current = |record: &&LedgerRecord| record.published.as_ref().is_some_and(|published| published.etag == record.last.etag);
    let processed = live().filter(current).count() as u64;
    let failed = live().filter(|record| record.last.outcome == Outcome::Failed).count() as u64;
    let said = &books.head.totals;
    same!([said.rows, said.objects, said.processed, said.failed], [rows, objects, processed, failed], "totals of the head");
    Ok(())
}
