//! Writes the next ledger: parts that did not change are taken over as they lie.

use std::collections::BTreeMap;

use crds::wire::{Head, LedgerRecord, PartRef};

use crate::context::Context;
use crate::error::StageError;
use crate::ledger::{PartWriter, read_part, seal};

/// Gathers the records of the part being walked until it is known whether any of them changed.
///
/// Parts neither grow without end nor crumble: one that has become too large is split evenly, and a
/// small one is joined with the next.
#[derive(Debug)]
pub(super) struct NextLedger<'a> {
    writer: PartWriter<'a>,
    part: Option<PartRef>,
    /// Of the part being walked.
    records: Vec<LedgerRecord>,
    /// Of parts before it, not written yet.
    carried: Vec<LedgerRecord>,
    dirty: bool,
    part_records: usize,
}

impl<'a> NextLedger<'a> {
    pub fn new(context: &'a Context) -> Self {
        let writer = PartWriter::new(&context.destination, &context.layout, &context.run, &context.nonce);
        Self { writer, part: None, records: Vec::new(), carried: Vec::new(), dirty: false, part_records: context.part_records }
    }

    /// The walk has come to this part of the current ledger.
    pub async fn enter(&mut self, part: Option<&PartRef>) -> Result<(), StageError> {
        if part.is_some() && part != self.part.as_ref() {
            self.leave().await?;
            self.part = part.cloned();
        }
        Ok(())
    }

    /// Whether a part of which nothing changed may stay as it lies, unread. It may not when what stands before it is too
    /// small to be a part of its own, and fits in.
    pub async fn takes_over(&mut self, part: &PartRef) -> Result<bool, StageError> {
        self.leave().await?;
        if !self.carried.is_empty() && self.carried.len() as u64 + part.records <= self.part_records as u64 {
            return Ok(false);
        }
        self.write_carried().await?;
        self.writer.keep(part);
        Ok(true)
    }

    /// A record as it was.
    pub fn keep(&mut self, record: LedgerRecord) {
        self.records.push(record);
    }

    /// A new or changed record.
    pub async fn put(&mut self, record: LedgerRecord) -> Result<(), StageError> {
        self.dirty = true;
        self.records.push(record);
        // A first load comes without any part to leave.
        if self.carried.len() + self.records.len() >= 2 * self.part_records {
            self.carried.append(&mut self.records);
            let full: Vec<LedgerRecord> = self.carried.drain(..self.part_records).collect();
            self.writer.write(&full).await?;
        }
        Ok(())
    }

    /// A record of the current part that is no more.
    pub fn forget(&mut self) {
        self.dirty = true;
    }

    async fn leave(&mut self) -> Result<(), StageError> {
        // A part that could be sealed and is not, or that is larger than parts are now, is of an earlier version.
        let current = |part: &PartRef| part.records <= self.part_records as u64 && (part.seal.is_some() || seal(&self.records).is_none());
        let clean = self.part.take().filter(|part| !self.dirty && current(part));
        self.dirty = false;
        match clean {
            Some(part) if self.carried.is_empty() || self.carried.len() + self.records.len() > self.part_records => {
                self.write_carried().await?;
                self.records.clear();
                self.writer.keep(&part);
            }
            _ => {
                self.carried.append(&mut self.records);
                if self.carried.len() > self.part_records / 2 {
                    self.write_carried().await?;
                }
            }
        }
        Ok(())
    }

    /// In as few parts of equal size as it takes.
    async fn write_carried(&mut self) -> Result<(), StageError> {
        let parts = self.carried.len().div_ceil(self.part_records).max(1);
        for records in self.carried.chunks(self.carried.len().div_ceil(parts).max(1)) {
            self.writer.write(records).await?;
        }
        self.carried.clear();
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Vec<PartRef>, StageError> {
        self.leave().await?;
        self.write_carried().await?;
        self.writer.finish().await
    }
}

/// The head's ledger with the final `ETag`s of objects whose copies got other ones (encryption and
/// multipart copies do that).
pub(super) async fn with_etags(context: &Context, head: &Head, changed: &BTreeMap<String, String>) -> Result<Vec<PartRef>, StageError> {
    if changed.is_empty() {
        return Ok(head.parts.clone());
    }
    let nonce = format!("{}-final", context.nonce);
    let mut writer = PartWriter::new(&context.destination, &context.layout, &head.run, &nonce);
    // What was copied is in records that the run itself wrote.
    let own = context.layout.ledger_of(&head.run);
    for part in &head.parts {
        if !part.key.starts_with(&own) {
            writer.keep(part);
            continue;
        }
        let mut records = read_part(&context.destination, part).await?;
        let mut dirty = false;
        for object in records.iter_mut().filter_map(|record| record.published.as_mut()).flat_map(|published| &mut published.objects) {
            if let Some(etag) = changed.get(&object.key) {
                dirty |= object.etag != *etag;
                object.etag.clone_from(etag);
            }
        }
        if dirty {
            writer.write(&records).await?;
        } else {
            writer.keep(part);
        }
    }
    writer.finish().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LedgerCursor, sample};
    use crate::store::{Side, Store, Url, open};
    use crds::wire::Access;
    use crds::wire::layout::StateLayout;

    /// One commit: new keys, and old ones that are no more.
    async fn commit(store: &Store, layout: &StateLayout, run: &str, parts: &[PartRef], new: &[String], gone: &[String]) -> Vec<PartRef> {
        let writer = PartWriter::new(store, layout, run, "n");
        let mut next = NextLedger { writer, part: None, records: Vec::new(), carried: Vec::new(), dirty: false, part_records: 4 };
        let mut ledger = LedgerCursor::new(store, parts, |_| true);
        for stop in new.iter().map(Some).chain([None]) {
            while let Some(old) = ledger.next_below(stop.map(String::as_str)).await.unwrap() {
                next.enter(ledger.part()).await.unwrap();
                if gone.contains(&old.key) { next.forget() } else { next.keep(old) }
            }
            if let Some(key) = stop {
                next.put(LedgerRecord { published: None, ..sample(key) }).await.unwrap();
            }
        }
        next.finish().await.unwrap()
    }

    #[tokio::test]
    async fn parts_are_split_and_joined_and_else_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let url = Url::parse(&dir.path().display().to_string()).unwrap();
        let store = open(Side::Destination, &url, &Access::default(), None).unwrap();
        let layout = StateLayout::new("d.parquet");
        let keys = |numbers: &[u32]| numbers.iter().map(|number| format!("{number:03}")).collect::<Vec<_>>();
        let sizes = |parts: &[PartRef]| parts.iter().map(|part| part.records).collect::<Vec<_>>();

        let tens: Vec<u32> = (0..12).map(|ten| ten * 10).collect();
        let first = commit(&store, &layout, "1", &[], &keys(&tens), &[]).await;
        assert_eq!(sizes(&first), [4, 4, 4], "a first load");
        let same = commit(&store, &layout, "2", &first, &[], &[]).await;
        assert_eq!(same, first, "nothing changed");
        let split = commit(&store, &layout, "3", &first, &keys(&[45]), &[]).await;
        assert_eq!(sizes(&split), [4, 3, 2, 4], "the full one is split");
        assert_eq!((&split[0], &split[3]), (&first[0], &first[2]), "the others stay as they lie");
        let joined = commit(&store, &layout, "4", &split, &[], &keys(&[0, 10, 40])).await;
        assert_eq!(sizes(&joined), [4, 2, 4], "small neighbours are one");

        // However many commits add a file somewhere, parts stay about half full.
        let (mut parts, mut all) = (joined, 10);
        for number in 0..60_u32 {
            parts = commit(&store, &layout, &format!("5-{number}"), &parts, &keys(&[number * 37 % 120 * 1_000 + number]), &[]).await;
            all += 1;
            assert_eq!(parts.iter().map(|part| part.records).sum::<u64>(), all);
            assert!(parts.len() as u64 <= all.div_ceil(2) + 1 && parts.iter().all(|part| part.records <= 4), "{:?}", sizes(&parts));
            assert!(parts.is_sorted_by(|a, b| a.first < b.first));
        }
    }
}
