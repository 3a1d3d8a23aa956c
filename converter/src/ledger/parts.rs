//! Ledger parts: JSON lines, one record a line, sorted by key, disjoint.

use crds::wire::layout::StateLayout;
use crds::wire::{LedgerRecord, PartRef};

use crate::error::StageError;
use crate::store::Store;

/// Records in a full part: about 25 MB.
pub const PART_RECORDS: usize = 50_000;

/// All records of a part.
pub async fn read_part(store: &Store, part: &PartRef) -> Result<Vec<LedgerRecord>, StageError> {
    read_lines(store, &part.key).await
}

/// The lines of a JSON-lines object.
pub(crate) async fn read_lines<T: serde::de::DeserializeOwned>(store: &Store, key: &str) -> Result<Vec<T>, StageError> {
    let bytes = store.get(key).await?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|source| StageError::corrupt(key, source))).collect()
}

/// Appends a value as one line.
pub(crate) fn push_line<T: serde::Serialize>(lines: &mut Vec<u8>, value: &T) -> Result<(), StageError> {
    serde_json::to_writer(&mut *lines, value).map_err(|source| StageError::corrupt("line", source))?;
    lines.push(b'\n');
    Ok(())
}

/// Writes records in key order into parts of at most [`PART_RECORDS`].
#[derive(Debug)]
pub struct PartWriter<'a> {
    store: &'a Store,
    layout: &'a StateLayout,
    run: &'a str,
    nonce: &'a str,
    lines: Vec<u8>,
    first: String,
    records: u64,
    written: usize,
    parts: Vec<PartRef>,
}

impl<'a> PartWriter<'a> {
    #[must_use]
    pub fn new(store: &'a Store, layout: &'a StateLayout, run: &'a str, nonce: &'a str) -> Self {
        Self { store, layout, run, nonce, lines: Vec::new(), first: String::new(), records: 0, written: 0, parts: Vec::new() }
    }

    pub async fn push(&mut self, record: &LedgerRecord) -> Result<(), StageError> {
        if self.records == 0 {
            record.key.clone_into(&mut self.first);
        }
        push_line(&mut self.lines, record)?;
        self.records += 1;
        if self.records as usize >= PART_RECORDS { self.flush().await } else { Ok(()) }
    }

    /// Takes over a part that did not change, as it lies.
    pub async fn keep(&mut self, part: &PartRef) -> Result<(), StageError> {
        self.flush().await?;
        self.parts.push(part.clone());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StageError> {
        if self.records == 0 {
            return Ok(());
        }
        let key = self.layout.ledger_part(self.run, self.nonce, self.written);
        self.store.put(&key, std::mem::take(&mut self.lines).into()).await?;
        self.parts.push(PartRef { key, first: std::mem::take(&mut self.first), records: self.records });
        self.records = 0;
        self.written += 1;
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Vec<PartRef>, StageError> {
        self.flush().await?;
        Ok(self.parts)
    }
}
