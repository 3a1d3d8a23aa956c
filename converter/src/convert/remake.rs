//! The chunks of a grid's batch without some of its files, or without all of them: commit asks for them.

use std::collections::BTreeSet;

use crds::wire::{Batch, FileRecord, Outcome, Plan, PlannedFile};

use super::file::record;
use super::grid::{Work, Written, changed, changed_meanwhile};
use crate::context::Context;
use crate::error::StageError;

/// The number of the first object that is staged instead of one of the batch's own.
const REMADE: u64 = 1 << 31;

/// The chunks of a batch that never reported, as they are without its files: those that are new, and those with rows
/// to be masked or moved.
///
/// # Errors
/// Store trouble; a plan that cannot be read.
pub(crate) async fn without_files(context: &Context, plan: &Plan, batch: &Batch) -> Result<Written, StageError> {
    let work = Work::of(context, plan).await?;
    let rows = work.row_chunk();
    let new = |chunk: u64| chunk * rows >= work.planned.before;
    let masked = |chunk: u64| work.planned.gone.range(chunk * rows..(chunk + 1) * rows).next().is_some();
    let moved = |chunk: u64| work.planned.first_moved().is_some_and(|row| row < (chunk + 1) * rows);
    let chunks: Vec<u64> = batch.chunks.iter().copied().filter(|&chunk| new(chunk) || masked(chunk) || moved(chunk)).collect();
    work.write(&chunks, batch.index, &[], &mut 0).await?.map_err(|(_, error)| StageError::corrupt("a chunk", error))
}

/// What a batch's chunks are without some of its files.
#[derive(Debug)]
pub(crate) enum Remade {
    Chunks(Written),
    /// A file that does not let them be made.
    Refused(FileRecord),
}

/// The chunks of a batch in which files have rows that are not to be seen, made anew `without` them, of the files that
/// were `read` there: another might bring this process down too.
///
/// # Errors
/// Store trouble; a plan that cannot be read.
pub(crate) async fn remake(
    context: &Context,
    plan: &Plan,
    batch: &Batch,
    without: &BTreeSet<String>,
    read: &BTreeSet<String>,
) -> Result<Remade, StageError> {
    let work = Work::of(context, plan).await?;
    let rows = work.row_chunk();
    let touched = |file: &PlannedFile| -> BTreeSet<u64> {
        let left = work.planned.left.iter().filter(|(_, key)| **key == file.key).map(|(row, _)| row / rows);
        file.places.iter().flat_map(|place| place.chunks(rows)).chain(left).collect()
    };
    let (out, others): (Vec<&PlannedFile>, Vec<&PlannedFile>) = batch.files.iter().partition(|file| without.contains(&file.key));
    let chunks: BTreeSet<u64> = out.into_iter().flat_map(touched).filter(|chunk| batch.chunks.contains(chunk)).collect();
    let mut opened = Vec::new();
    let others: Vec<&PlannedFile> =
        others.into_iter().filter(|file| read.contains(&file.key) && !touched(file).is_disjoint(&chunks)).collect();
    let at_once = others.len();
    for file in others {
        match work.open(file.clone(), at_once).await? {
            Ok(file) => opened.push(file),
            Err(record) => return Ok(Remade::Refused(record)),
        }
    }
    let chunks: Vec<u64> = chunks.into_iter().collect();
    match work.write(&chunks, batch.index, &opened, &mut REMADE.clone()).await? {
        Ok(written) => {
            if let Some(&at) = changed(context, &opened).await?.first() {
                return Ok(Remade::Refused(changed_meanwhile(&opened[at].file)));
            }
            Ok(Remade::Chunks(written))
        }
        Err((at, error)) => Ok(Remade::Refused(record(&opened[at].file, Outcome::Failed, Some(error.reason()), Some(error.to_string())))),
    }
}
