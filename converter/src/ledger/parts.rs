//! Ledger parts: JSON lines, one record a line, sorted by key, disjoint.

use std::borrow::Cow;

use bytes::Bytes;
use crds::wire::layout::StateLayout;
use crds::wire::{LedgerRecord, PartRef};
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::line::{FileLine, keys};
use super::seal::seal;
use crate::error::StageError;
use crate::store::Store;

/// Records in a full part: as many as S3 lists at once. A changed record costs the reading and writing of its part, so
/// parts are small; a sealed one costs a line in the head and a request for its lines, two when files were converted.
pub const PART_RECORDS: usize = 1_000;
/// Parts that are looked through at once.
const AT_ONCE: usize = 8;

/// All records of a part.
pub async fn read_part(store: &Store, part: &PartRef) -> Result<Vec<LedgerRecord>, StageError> {
    let (key, bytes) = (part.key.clone(), store.get(&part.key).await?);
    // Parsing keeps a processor busy for a while.
    let parsed = tokio::task::spawn_blocking(move || lines(&key, &bytes)).await;
    parsed.map_err(|source| StageError::corrupt(&part.key, source))?
}

/// The lines of a JSON-lines object.
pub(crate) async fn read_lines<T: serde::de::DeserializeOwned>(store: &Store, key: &str) -> Result<Vec<T>, StageError> {
    lines(key, &store.get(key).await?)
}

fn lines<'a, T: Deserialize<'a>>(key: &str, bytes: &'a [u8]) -> Result<Vec<T>, StageError> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|source| StageError::corrupt(key, source))).collect()
}

/// What a search among all records needs of one.
#[derive(Deserialize)]
struct Brief<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(default)]
    published: Option<IgnoredAny>,
}

/// What `find` makes of the keys of all files that are in the dataset. Much faster than a walk: nothing but
/// keys is looked at, and several parts at once, in no order.
pub(crate) async fn search<T, F>(store: &Store, parts: &[PartRef], find: F) -> Result<Vec<T>, StageError>
where
    T: Send + 'static,
    F: Fn(&str) -> Option<T> + Clone + Send + 'static,
{
    let found: Vec<Vec<T>> = futures::stream::iter(parts.iter().map(|part| (part.key.clone(), part.seal.is_some())))
        .map(|(key, sealed)| {
            let find = find.clone();
            async move {
                let bytes = if sealed { sealed_lines(store, &key).await? } else { store.get(&key).await? };
                let searched = tokio::task::spawn_blocking({
                    let key = key.clone();
                    move || if sealed { among_lines(&key, &bytes, find) } else { among_records(&key, &bytes, find) }
                });
                searched.await.map_err(|source| StageError::corrupt(&key, source))?
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The lines of `files.csv` that stand for a sealed part. They are in an object of their own; should that be gone, the part
/// says the same.
pub(crate) async fn sealed_lines(store: &Store, part: &str) -> Result<Bytes, StageError> {
    if let Some(lines) = store.try_get(&StateLayout::ledger_lines(part)).await? {
        return Ok(lines);
    }
    let bytes = store.get(part).await?;
    Ok(unchanged(&lines::<LedgerRecord>(part, &bytes)?).into())
}

fn unchanged(records: &[LedgerRecord]) -> String {
    records.iter().filter_map(FileLine::unchanged).map(|line| line.to_string()).collect()
}

fn among_records<T>(key: &str, bytes: &[u8], find: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, StageError> {
    let records = lines::<Brief<'_>>(key, bytes)?;
    Ok(records.iter().filter(|record| record.published.is_some()).filter_map(|record| find(&record.key)).collect())
}

fn among_lines<T>(key: &str, bytes: &[u8], find: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, StageError> {
    let lines = std::str::from_utf8(bytes).map_err(|source| StageError::corrupt(key, source))?;
    Ok(keys(lines).filter_map(|key| find(&key)).collect())
}

/// Appends a value as one line.
pub(crate) fn push_line<T: serde::Serialize>(lines: &mut Vec<u8>, value: &T) -> Result<(), StageError> {
    serde_json::to_writer(&mut *lines, value).map_err(|source| StageError::corrupt("line", source))?;
    lines.push(b'\n');
    Ok(())
}

/// Writes parts in key order, or takes them over as they lie.
#[derive(Debug)]
pub struct PartWriter<'a> {
    store: &'a Store,
    layout: &'a StateLayout,
    run: &'a str,
    nonce: &'a str,
    written: usize,
    parts: Vec<PartRef>,
}

impl<'a> PartWriter<'a> {
    #[must_use]
    pub fn new(store: &'a Store, layout: &'a StateLayout, run: &'a str, nonce: &'a str) -> Self {
        Self { store, layout, run, nonce, written: 0, parts: Vec::new() }
    }

    /// Takes over a part that did not change.
    pub fn keep(&mut self, part: &PartRef) {
        self.parts.push(part.clone());
    }

    /// Writes records as one part.
    pub async fn write(&mut self, records: &[LedgerRecord]) -> Result<(), StageError> {
        let Some(first) = records.first() else { return Ok(()) };
        let mut lines = Vec::new();
        for record in records {
            push_line(&mut lines, record)?;
        }
        let key = self.layout.ledger_part(self.run, self.nonce, self.written);
        let seal = seal(records);
        let of_files = async {
            match seal {
                Some(_) => self.store.put(&StateLayout::ledger_lines(&key), unchanged(records).into()).await.map(drop),
                None => Ok(()),
            }
        };
        tokio::try_join!(async { self.store.put(&key, lines.into()).await.map(drop) }, of_files)?;
        self.parts.push(PartRef { key, first: first.key.clone(), records: records.len() as u64, seal });
        self.written += 1;
        Ok(())
    }

    #[must_use]
    pub fn finish(self) -> Vec<PartRef> {
        self.parts
    }
}
