//! The commit of a grid: its own arrays and the metadata, after what became of each file.

use std::collections::{BTreeMap, HashSet};

use crds::wire::{Copy, GridRows, GridState, Head, Plan, PlannedGrid, StoredTimes};
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::convert::read_batch;
use crate::error::StageError;
use crate::grid::{FILENAME, nothing};
use crate::plan::read_state;
use crate::source::basename;
use crate::zarr::{
    Array, ArrayMetadata, Dtype, Fill, ZARRAY, ZATTRS, ZGROUP, ZMETADATA, ZarrError, attributes_json, chunk_indices, chunk_key,
    encode_chunk, encode_texts, parse_zmetadata, zgroup, zmetadata,
};

/// What a commit publishes of a grid beside the batches' chunks.
#[derive(Debug)]
pub(super) struct Published {
    /// The object with the next state.
    pub state: String,
    /// In no order, and all before `last`.
    pub copies: Vec<Copy>,
    /// `.zmetadata`, and the SHA-256 of its bytes.
    pub last: (Copy, String),
}

/// Stages all that readers need to see the rows of the files that were `processed`.
///
/// # Errors
/// Store trouble; a plan or state that cannot be read.
pub(super) async fn stage(
    context: &Context,
    plan: &Plan,
    head: Option<&Head>,
    processed: &HashSet<String>,
    fenced: &[u32],
) -> Result<Option<Published>, StageError> {
    let Some(key) = &plan.grid else { return Ok(None) };
    let planned: PlannedGrid =
        serde_json::from_slice(&context.destination.get(key).await?).map_err(|source| StageError::corrupt(key, source))?;
    let before = read_state(context, head).await?.map(|state| state.rows).unwrap_or_default();
    let corrupt = |error: ZarrError| StageError::corrupt(key, error);
    let PlannedGrid { state: GridState { metadata, rows, coordinates }, statics, left, .. } = planned;
    let (attributes, mut arrays) = parse_zmetadata(metadata.as_bytes()).map_err(corrupt)?;
    let rows = settled(rows, &before, &left, processed);
    if rows.files.is_empty() && before.is_empty() {
        // No file of a new store is in: there is nothing to show.
        return Ok(None);
    }
    let length = rows.len() as u64;
    let append = context.config.grid.as_ref().map(|grid| grid.append_name().to_owned()).unwrap_or_default();
    for array in arrays.values_mut() {
        let axis = array.dimensions().map_err(corrupt)?.iter().position(|name| *name == append);
        if let Some(axis) = axis {
            array.metadata.shape[axis] = length;
        }
    }
    let mut staging = Staging {
        context,
        copies: statics.into_iter().map(|s| Copy { from: s.staged_key, to: s.final_key, etag: s.etag }).collect(),
        number: 100_000,
    };
    for index in fenced {
        let chunks = read_batch(context, plan, *index).await?.chunks;
        for (name, array) in arrays.iter().filter(|(name, _)| **name != append && name.as_str() != FILENAME) {
            staging.say_nothing(name, array, &append, &chunks, before.len() as u64).await?;
        }
    }
    let changed = first_change(&before, &rows);
    for (name, array) in arrays.iter().filter(|(name, _)| **name == append || name.as_str() == FILENAME) {
        let chunk = array.metadata.chunks.first().copied().unwrap_or(1).max(1);
        for index in changed / chunk..length.div_ceil(chunk) {
            let part = (index * chunk) as usize..((index + 1) * chunk).min(length) as usize;
            let body = if *name == append { times(&array.metadata, &rows.stored, part) } else { names(&array.metadata, &rows, part) };
            staging.put(&format!("{name}/{}", chunk_key(&[index])), body.map_err(corrupt)?).await?;
        }
    }
    let old = head.and_then(|head| head.grid.as_ref()).is_some();
    for (name, Array { metadata, attributes }) in &arrays {
        staging.put(&format!("{name}/{ZARRAY}"), metadata.to_json().into_bytes()).await?;
        if !old {
            staging.put(&format!("{name}/{ZATTRS}"), attributes_json(attributes).into_bytes()).await?;
        }
    }
    staging.put(ZGROUP, zgroup().into_bytes()).await?;
    staging.put(ZATTRS, attributes_json(&attributes).into_bytes()).await?;
    let body = zmetadata(&attributes, &arrays);
    let sha256 = hex::encode(Sha256::digest(&body));
    let metadata = String::from_utf8(body.clone()).map_err(|error| StageError::corrupt(key, error))?;
    staging.put(ZMETADATA, body).await?;
    let Some(last) = staging.copies.pop() else { return Ok(None) };
    let state = GridState { metadata, rows, coordinates };
    let key = context.layout.grid(&context.run, &context.nonce);
    let body = serde_json::to_vec(&state).map_err(|source| StageError::corrupt(&key, source))?;
    context.destination.put(&key, body.into()).await?;
    Ok(Some(Published { state: key, copies: staging.copies, last: (last, sha256) }))
}

/// Rows of files that are not in: as they were, or masked.
fn settled(mut rows: GridRows, before: &GridRows, left: &BTreeMap<u64, String>, processed: &HashSet<String>) -> GridRows {
    let mut files = rows.files.clone();
    let mut numbers: BTreeMap<String, u32> = files.iter().zip(0..).map(|(owner, number)| (owner.key.clone(), number)).collect();
    for row in 0..rows.len() {
        let stands = match rows.owner(row) {
            Some(owner) => before.owner(row) == Some(owner) || processed.contains(&owner.key),
            None => left.get(&(row as u64)).is_none_or(|key| processed.contains(key)),
        };
        if stands {
            continue;
        }
        rows.owners[row] = before.owner(row).map(|known| {
            *numbers.entry(known.key.clone()).or_insert_with(|| {
                files.push(known.clone());
                files.len() as u32 - 1
            })
        });
    }
    rows.files = files;
    let used: HashSet<u32> = rows.owners.iter().flatten().copied().collect();
    if used.is_empty() {
        rows.files.clear();
    }
    rows
}

/// The first row that is not what it was.
fn first_change(before: &GridRows, after: &GridRows) -> u64 {
    let same = |row: &usize| before.owner(*row).map(|owner| &owner.key) == after.owner(*row).map(|owner| &owner.key);
    (0..before.len()).take_while(same).count() as u64
}

struct Staging<'a> {
    context: &'a Context,
    copies: Vec<Copy>,
    number: usize,
}

impl Staging<'_> {
    async fn put(&mut self, key: &str, body: Vec<u8>) -> Result<(), StageError> {
        let from = self.context.layout.staged_grid(&self.context.run, &self.context.nonce, self.number);
        self.number += 1;
        let etag = self.context.destination.put(&from, body.into()).await?.etag;
        self.copies.push(Copy { from, to: format!("{}/{key}", self.context.folder()), etag });
        Ok(())
    }
}

impl Staging<'_> {
    /// Writes the new chunks of a batch that never reported, where readers would see anything in a missing one.
    async fn say_nothing(&mut self, name: &str, array: &Array, append: &str, chunks: &[u64], before: u64) -> Result<(), StageError> {
        let corrupt = |error: ZarrError| StageError::corrupt(name, error);
        let axis = array.dimensions().map_err(corrupt)?.iter().position(|known| *known == append);
        let (Some(axis), Fill::Null) = (axis, &array.metadata.fill) else { return Ok(()) };
        let elements = array.metadata.chunk_elements().map_err(corrupt)?;
        let raw = nothing(array.metadata.dtype, &array.metadata.fill).repeat(elements);
        let body = encode_chunk(&array.metadata, &raw).map_err(corrupt)?;
        let mut grid = array.metadata.grid();
        grid[axis] = 1;
        for &chunk in chunks.iter().filter(|&chunk| chunk * array.metadata.chunks[axis] >= before) {
            for mut index in chunk_indices(&grid) {
                index[axis] = chunk;
                self.put(&format!("{name}/{}", chunk_key(&index)), body.clone()).await?;
            }
        }
        Ok(())
    }
}

/// A chunk of the time array.
fn times(metadata: &ArrayMetadata, stored: &StoredTimes, part: std::ops::Range<usize>) -> Result<Vec<u8>, ZarrError> {
    macro_rules! bytes {
        ($numbers:expr, $type:ty) => {
            $numbers[part].iter().flat_map(|&number| (number as $type).to_le_bytes()).collect::<Vec<u8>>()
        };
    }
    let mut raw = match (stored, metadata.dtype) {
        (StoredTimes::Floats(numbers), Dtype::F32) => bytes!(numbers, f32),
        (StoredTimes::Floats(numbers), _) => bytes!(numbers, f64),
        (StoredTimes::Integers(numbers), Dtype::I8 | Dtype::U8) => bytes!(numbers, i8),
        (StoredTimes::Integers(numbers), Dtype::I16 | Dtype::U16) => bytes!(numbers, i16),
        (StoredTimes::Integers(numbers), Dtype::I32 | Dtype::U32) => bytes!(numbers, i32),
        (StoredTimes::Integers(numbers), _) => bytes!(numbers, i64),
    };
    let fill = metadata.fill.bytes(metadata.dtype);
    while raw.len() < metadata.chunk_bytes()? {
        raw.extend_from_slice(&fill);
    }
    encode_chunk(metadata, &raw)
}

/// A chunk of the files' names; a masked row has none.
fn names(metadata: &ArrayMetadata, rows: &GridRows, part: std::ops::Range<usize>) -> Result<Vec<u8>, ZarrError> {
    let mut names: Vec<&str> = part.map(|row| rows.owner(row).map_or("", |owner| basename(&owner.key))).collect();
    names.resize(metadata.chunk_elements()?, "");
    encode_texts(metadata, &names)
}
