//! Files of a grid that stand in several batches: such a file is in everywhere or nowhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crds::wire::{FileRecord, Outcome, Reason};

use super::changes::Changes;
use crate::convert::{Remade, read_batch, remake};
use crate::error::StageError;

/// What a batch says of a file.
pub(super) type Told = (u32, FileRecord);
/// Keys of files, by batch.
type Torn = BTreeMap<u32, BTreeSet<String>>;

/// Puts records into the order of their files.
pub(super) fn sort(told: &mut [Told]) {
    told.sort_by(|(batch, one), (other, two)| (&one.key, batch).cmp(&(&two.key, other)));
}

fn by_file(told: &[Told]) -> impl Iterator<Item = &[Told]> {
    told.chunk_by(|(_, one), (_, two)| one.key == two.key)
}

/// The files that are in in a batch and not in in another: what was made of their rows must not be seen.
fn torn(told: &[Told]) -> Torn {
    let mut torn = Torn::new();
    for file in by_file(told).filter(|file| file.iter().any(|(_, record)| record.outcome != Outcome::Processed)) {
        for (batch, record) in file.iter().filter(|(_, record)| record.outcome == Outcome::Processed) {
            torn.entry(*batch).or_default().insert(record.key.clone());
        }
    }
    torn
}

/// The files that a batch could convert.
fn processed(told: &[Told], batch: u32) -> BTreeSet<String> {
    let of_batch = told.iter().filter(|(of, record)| *of == batch && record.outcome == Outcome::Processed);
    of_batch.map(|(_, record)| record.key.clone()).collect()
}

/// One record for each file: what is wrong with it in one batch is wrong with it.
pub(super) fn merge(told: &[Told]) -> Vec<FileRecord> {
    // What is wrong with a file says more than that nobody came to it.
    let weight = |record: &FileRecord| match (record.outcome, record.reason) {
        (Outcome::Failed, reason) if reason != Some(Reason::NotReached) => 0,
        (Outcome::Failed, _) => 1,
        (Outcome::Processed, _) => 3,
        _ => 2,
    };
    let merged = by_file(told).filter_map(|file| {
        let (_, worst) = file.iter().min_by_key(|(_, record)| weight(record))?;
        let is_in = worst.outcome == Outcome::Processed;
        Some(FileRecord { rows: if is_in { file.iter().map(|(_, record)| record.rows).sum() } else { 0 }, ..worst.clone() })
    });
    merged.collect()
}

/// What was made of the rows of a file that is in in one batch and not in another is made anew without it.
///
/// # Errors
/// Store trouble; a plan that cannot be read.
pub(super) async fn mend(changes: &mut Changes<'_>, told: &mut [Told]) -> Result<(), StageError> {
    let (context, plan) = (changes.context, changes.plan);
    let (mut out, mut done) = (torn(told), Torn::new());
    while let Some((&batch, without)) = out.iter().find(|(batch, without)| done.get(batch) != Some(without)) {
        let read_before = context.source.bytes_read();
        let planned = read_batch(context, plan, batch).await?;
        let remade = remake(context, plan, &planned, without, &processed(told, batch)).await?;
        changes.bytes_read += context.source.bytes_read() - read_before;
        match remade {
            Remade::Chunks(remade) => {
                done.insert(batch, without.clone());
                let keys: HashSet<String> = remade.keys.into_iter().collect();
                changes.chunks.retain(|object| !keys.contains(&object.final_key));
                changes.emptied.retain(|object| !keys.contains(&object.key));
                changes.bytes_written += remade.staged.iter().map(|object| object.bytes).sum::<u64>();
                changes.chunks.extend(remade.staged);
                changes.emptied.extend(remade.emptied);
            }
            // Another file of the batch does not let it: that one is out too.
            Remade::Refused(record) => {
                out.entry(batch).or_default().insert(record.key.clone());
                if let Some((_, known)) = told.iter_mut().find(|(of, known)| *of == batch && known.key == record.key) {
                    *known = record;
                }
                for (batch, keys) in torn(told) {
                    out.entry(batch).or_default().extend(keys);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(batch: u32, key: &str, outcome: Outcome, rows: u64) -> Told {
        let record = FileRecord {
            key: key.into(),
            etag: "e".into(),
            outcome,
            reason: None,
            message: None,
            rows,
            rows_left_out: BTreeMap::new(),
            notes: Vec::new(),
            objects: Vec::new(),
        };
        (batch, record)
    }

    #[test]
    fn a_file_is_in_everywhere_or_nowhere() {
        use Outcome::{Failed, Processed, Skipped};
        for (what, told, merged, torn) in [
            ("in one batch", vec![told(0, "a", Processed, 3)], vec![("a", Processed, 3)], vec![]),
            ("in two", vec![told(0, "a", Processed, 3), told(1, "a", Processed, 2)], vec![("a", Processed, 5)], vec![]),
            (
                "in one of two",
                vec![told(0, "a", Processed, 3), told(1, "a", Failed, 0), told(1, "b", Processed, 1)],
                vec![("a", Failed, 0), ("b", Processed, 1)],
                vec![(0, "a")],
            ),
            (
                "in two of three",
                vec![told(0, "a", Processed, 3), told(1, "a", Skipped, 0), told(2, "a", Processed, 1)],
                vec![("a", Skipped, 0)],
                vec![(0, "a"), (2, "a")],
            ),
            ("failed says more than skipped", vec![told(0, "a", Skipped, 0), told(1, "a", Failed, 0)], vec![("a", Failed, 0)], vec![]),
        ] {
            let found = merge(&told);
            let found: Vec<_> = found.iter().map(|file| (file.key.as_str(), file.outcome, file.rows)).collect();
            assert_eq!(found, merged, "{what}");
            let found = super::torn(&told);
            let found: Vec<_> = found.iter().flat_map(|(batch, keys)| keys.iter().map(|key| (*batch, key.as_str()))).collect();
            assert_eq!(found, torn, "{what}");
        }
        let mut told = vec![told(0, "a", Failed, 0), told(1, "a", Failed, 0)];
        (told[0].1.reason, told[1].1.reason) = (Some(Reason::NotReached), Some(Reason::CastFailed));
        assert_eq!(merge(&told)[0].reason, Some(Reason::CastFailed));
    }
}
