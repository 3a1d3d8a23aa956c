//! The lines of `files.csv` that stand for sealed parts. A run writes those of the parts it seals behind each other, so
//! that later runs get the lines of many parts with one request.

use std::ops::Range;

use bytes::Bytes;
use crds::wire::layout::StateLayout;
use crds::wire::{LedgerRecord, PartRef, SealedLines};

use super::line::FileLine;
use super::read_part;
use crate::error::StageError;
use crate::store::Store;

/// Bytes of lines that are written, and asked for, at once.
pub(crate) const MOST_BYTES: u64 = 8 << 20;

/// Lines that lie behind each other, and the parts they are of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stretch<'a> {
    parts: Vec<&'a PartRef>,
    /// None where nothing but the parts themselves says their lines.
    lines: Option<SealedLines>,
}

/// What to ask for to have the lines of sealed parts, in the order of the parts.
pub(crate) fn stretches<'a>(parts: impl IntoIterator<Item = &'a PartRef>) -> Vec<Stretch<'a>> {
    let mut stretches: Vec<Stretch<'_>> = Vec::new();
    for part in parts {
        let lines = part.seal.as_ref().and_then(|seal| seal.lines.clone());
        if let (Some(next), Some(open)) = (&lines, stretches.last_mut())
            && let Some(before) = &mut open.lines
            && before.key == next.key
            && before.offset + before.bytes == next.offset
            && before.bytes + next.bytes <= MOST_BYTES
        {
            before.bytes += next.bytes;
            open.parts.push(part);
        } else {
            stretches.push(Stretch { parts: vec![part], lines });
        }
    }
    stretches
}

impl<'a> Stretch<'a> {
    /// How long it is, as far as that is known.
    pub fn bytes(&self) -> u64 {
        self.lines.as_ref().map_or(0, |lines| lines.bytes)
    }

    /// Each part with its lines. Should they be gone, the parts say the same.
    pub async fn read(&self, store: &Store) -> Result<Vec<(&'a PartRef, Bytes)>, StageError> {
        if let Some(lines) = &self.lines
            && let Some(bytes) = store.try_get_range(&lines.key, lines.offset..lines.offset + lines.bytes).await?
        {
            return Ok(self.parts.iter().zip(self.ranges()).map(|(part, range)| (*part, bytes.slice(range))).collect());
        }
        let mut told = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            told.push((*part, unchanged(&read_part(store, part).await?).into()));
        }
        Ok(told)
    }

    /// Where the lines of each part lie among those of all.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let lines = self.parts.iter().filter_map(|part| part.seal.as_ref()?.lines.as_ref());
        lines.scan(0, |at, lines| {
            let from = *at;
            *at += lines.bytes as usize;
            Some(from..*at)
        })
    }
}

pub(super) fn unchanged(records: &[LedgerRecord]) -> String {
    records.iter().filter_map(FileLine::unchanged).map(|line| line.to_string()).collect()
}

/// Writes lines of parts behind each other, in objects of some length.
#[derive(Debug)]
pub(crate) struct LinesWriter<'a> {
    store: &'a Store,
    layout: &'a StateLayout,
    run: &'a str,
    nonce: String,
    written: usize,
    open: Vec<u8>,
}

impl<'a> LinesWriter<'a> {
    pub fn new(store: &'a Store, layout: &'a StateLayout, run: &'a str, nonce: String) -> Self {
        Self { store, layout, run, nonce, written: 0, open: Vec::new() }
    }

    /// Where the lines of a part will lie.
    pub async fn add(&mut self, lines: &[u8]) -> Result<SealedLines, StageError> {
        if !self.open.is_empty() && (self.open.len() + lines.len()) as u64 > MOST_BYTES {
            self.write().await?;
        }
        let offset = self.open.len() as u64;
        self.open.extend_from_slice(lines);
        Ok(SealedLines { key: self.key(), offset, bytes: lines.len() as u64 })
    }

    fn key(&self) -> String {
        self.layout.ledger_lines(self.run, &self.nonce, self.written)
    }

    async fn write(&mut self) -> Result<(), StageError> {
        self.store.put(&self.key(), std::mem::take(&mut self.open).into()).await?;
        self.written += 1;
        Ok(())
    }

    pub async fn finish(mut self) -> Result<(), StageError> {
        if self.open.is_empty() { Ok(()) } else { self.write().await }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{sample, seal};
    use super::*;

    fn part(key: &str, lines: Option<(&str, u64, u64)>) -> PartRef {
        let lines = lines.map(|(key, offset, bytes)| SealedLines { key: key.into(), offset, bytes });
        let seal = seal(&[sample("x")]).map(|seal| crds::wire::Seal { lines, ..seal });
        PartRef { key: key.into(), first: key.into(), records: 1, seal }
    }

    #[test]
    fn what_lies_behind_each_other_is_asked_for_at_once() {
        let all = [
            part("a", Some(("one", 0, 10))),
            part("b", Some(("one", 10, 5))),
            part("c", Some(("one", 15, MOST_BYTES - 15))),
            part("too much", Some(("one", MOST_BYTES, 1))),
            part("another object", Some(("two", MOST_BYTES + 1, 1))),
            part("a gap", Some(("two", MOST_BYTES + 3, 1))),
            part("before it", Some(("two", 0, 1))),
            part("none", None),
            part("nor here", None),
            part("d", Some(("two", 1, 1))),
        ];
        let found: Vec<Vec<&str>> =
            stretches(&all).iter().map(|stretch| stretch.parts.iter().map(|part| part.key.as_str()).collect()).collect();
        let alone = ["too much", "another object", "a gap", "before it", "none", "nor here", "d"];
        assert_eq!(found[0], ["a", "b", "c"]);
        assert_eq!(found[1..], alone.map(|key| vec![key]));
        assert_eq!(stretches(&all)[0].ranges().collect::<Vec<_>>(), [0..10, 10..15, 15..MOST_BYTES as usize]);
        assert_eq!(stretches(&[]), []);
    }
}
