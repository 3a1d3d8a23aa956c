//! Ledger parts: JSON lines, one record a line, sorted by key, disjoint.

use std::borrow::Cow;

use bytes::Bytes;
use crds::wire::layout::StateLayout;
use crds::wire::{LedgerRecord, PartRef};
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::line::keys;
use super::seal::seal;
use super::stretch::{LinesWriter, stretches, unchanged};
use crate::error::StageError;
use crate::store::Store;

/// Records in a full part: as many as S3 lists at once. A changed record costs the reading and writing of its part, so
/// parts are small; a sealed one costs a line in the head.
pub const PART_RECORDS: usize = 1_000;
/// Parts that are looked through at once.
const AT_ONCE: usize = 8;
/// And stretches of lines, which may be longer.
const STRETCHES_AT_ONCE: usize = 2;

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
/// keys is looked at, and much at once, in no order.
pub(crate) async fn search<T, F>(store: &Store, parts: &[PartRef], find: F) -> Result<Vec<T>, StageError>
where
    T: Send + 'static,
    F: Fn(&str) -> Option<T> + Clone + Send + 'static,
{
    let (sealed, open): (Vec<&PartRef>, Vec<&PartRef>) = parts.iter().partition(|part| part.seal.is_some());
    let stretches = stretches(sealed);
    let of_lines = futures::stream::iter(&stretches)
        .map(|stretch| async {
            let (read, find) = (stretch.read(store).await?, find.clone());
            let read: Vec<(String, Bytes)> = read.into_iter().map(|(part, lines)| (part.key.clone(), lines)).collect();
            searched(move || read.iter().map(|(key, lines)| among_lines(key, lines, &find)).collect::<Result<Vec<_>, _>>()).await
        })
        .buffer_unordered(STRETCHES_AT_ONCE);
    let of_records = futures::stream::iter(open)
        .map(|part| async {
            let (key, bytes, find) = (part.key.clone(), store.get(&part.key).await?, find.clone());
            searched(move || Ok(vec![among_records(&key, &bytes, find)?])).await
        })
        .buffer_unordered(AT_ONCE);
    let found: Vec<Vec<Vec<T>>> = of_lines.chain(of_records).try_collect().await?;
    Ok(found.into_iter().flatten().flatten().collect())
}

/// Searching keeps a processor busy for a while.
async fn searched<T: Send + 'static>(search: impl FnOnce() -> Result<T, StageError> + Send + 'static) -> Result<T, StageError> {
    tokio::task::spawn_blocking(search).await.map_err(|source| StageError::corrupt("the ledger", source))?
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
    lines: LinesWriter<'a>,
}

impl<'a> PartWriter<'a> {
    #[must_use]
    pub fn new(store: &'a Store, layout: &'a StateLayout, run: &'a str, nonce: &'a str) -> Self {
        let lines = LinesWriter::new(store, layout, run, nonce.to_owned());
        Self { store, layout, run, nonce, written: 0, parts: Vec::new(), lines }
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
        let mut seal = seal(records);
        if let Some(seal) = &mut seal {
            seal.lines = Some(self.lines.add(unchanged(records).as_bytes()).await?);
        }
        self.store.put(&key, lines.into()).await?;
        self.parts.push(PartRef { key, first: first.key.clone(), records: records.len() as u64, seal });
        self.written += 1;
        Ok(())
    }

    pub async fn finish(self) -> Result<Vec<PartRef>, StageError> {
        self.lines.finish().await?;
        Ok(self.parts)
    }
}
