//! The commit of a grid: its own arrays and the metadata, after what became of each file.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use crds::wire::{Compat, Copy, GridRows, GridState, Head, Owner, Plan, PlannedGrid, StoredTimes};
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::error::StageError;
use crate::grid::{Numbers, cover, is_own};
use crate::plan::read_state;
use crate::source::basename;
use crate::zarr::{
    Array, ArrayMetadata, Dtype, ZARRAY, ZATTRS, ZGROUP, ZMETADATA, ZarrError, attributes_json, chunk_key, encode_chunk, encode_texts,
    parse_zmetadata, zgroup, zmetadata,
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
    /// Masked rows that a file has which lost them to one that failed.
    pub contested: u64,
    /// Rows that are not masked, and rows that are.
    pub rows: u64,
    pub masked: u64,
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
) -> Result<Option<Published>, StageError> {
    let Some(key) = &plan.grid else { return Ok(None) };
    let planned: PlannedGrid =
        serde_json::from_slice(&context.destination.get(key).await?).map_err(|source| StageError::corrupt(key, source))?;
    // A store that is laid out anew stands on nothing.
    let head = head.filter(|_| !plan.relayout);
    let GridState { rows: before, metadata: metadata_before, superseded: waited, .. } =
        read_state(context, head).await?.unwrap_or_default();
    let corrupt = |error: ZarrError| StageError::corrupt(key, error);
    let rows = settled(&planned, &before, processed);
    let PlannedGrid { state: GridState { metadata, coordinates, statics: digests, mut superseded, extents, .. }, statics, .. } = planned;
    if !superseded.is_empty() {
        let owners: HashSet<&str> = (0..rows.len()).filter_map(|row| rows.owner(row)).map(|owner| owner.key.as_str()).collect();
        superseded.retain(|file| !owners.contains(file.key.as_str()));
    }
    let owned = rows.owners.iter().flatten().count() as u64;
    let nothing_new = processed.is_empty() && metadata == metadata_before && superseded == waited && unchanged(&before, &rows);
    let (mut attributes, mut arrays) = parse_zmetadata(metadata.as_bytes()).map_err(corrupt)?;
    // Nothing to show that is not seen already, or no file of a new store is in.
    if nothing_new || (owned == 0 && before.is_empty()) {
        return Ok(None);
    }
    if let Some(grid) = context.config.grid.as_ref().filter(|_| context.document.compat == Compat::Fixed) {
        cover(&mut attributes, &rows, &extents, &context.config, grid);
    }
    let length = rows.len() as u64;
    let append = context.config.grid.as_ref().map(|grid| grid.append_name().to_owned()).unwrap_or_default();
    for array in arrays.values_mut() {
        array.set_length(&append, length);
    }
    let mut staging =
        Staging { context, copies: statics.into_iter().map(|s| Copy { from: s.staged_key, to: s.final_key, etag: s.etag }).collect() };
    let changed = first_change(&before, &rows);
    for (name, array) in arrays.iter().filter(|(name, _)| is_own(name, &append)) {
        let chunk = array.metadata.chunks.first().copied().unwrap_or(1).max(1);
        for index in changed / chunk..length.div_ceil(chunk) {
            let part = (index * chunk) as usize..((index + 1) * chunk).min(length) as usize;
            let body = if *name == append { times(&array.metadata, &rows.stored, part) } else { names(&array.metadata, &rows, part) };
            staging.put(&format!("{name}/{}", chunk_key(&[index])), body.map_err(corrupt)?).await?;
        }
    }
    let published =
        if metadata_before.is_empty() { BTreeMap::new() } else { parse_zmetadata(metadata_before.as_bytes()).map_err(corrupt)?.1 };
    for (name, Array { metadata, attributes }) in &arrays {
        staging.put(&format!("{name}/{ZARRAY}"), metadata.to_json().into_bytes()).await?;
        if published.get(name).is_none_or(|before| before.attributes != *attributes) {
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
    let contested = rows.rivals.keys().filter(|row| rows.owners[**row as usize].is_none()).count() as u64;
    let state = GridState { metadata, rows, coordinates, statics: digests, superseded, extents };
    let key = context.layout.grid(&context.run, &context.nonce);
    let body = serde_json::to_vec(&state).map_err(|source| StageError::corrupt(&key, source))?;
    context.destination.put(&key, body.into()).await?;
    Ok(Some(Published { state: key, copies: staging.copies, last: (last, sha256), contested, rows: owned, masked: length - owned }))
}

/// Rows of files that are not in: as they were, or masked where that is given up.
fn settled(planned: &PlannedGrid, before: &GridRows, processed: &HashSet<String>) -> GridRows {
    let PlannedGrid { state: GridState { rows, .. }, left, gone, .. } = planned;
    let was = |row: usize| planned.origin(row as u64).map(|row| row as usize);
    let (after, earlier, count) = versions(&rows.files, &before.files);
    let planned_owner = |row: usize| Version::at(rows, &after, rows.owners.get(row).copied().flatten());
    let earlier_owner = |row: usize| Version::at(before, &earlier, before.owners.get(row).copied().flatten());
    let owner = |row: usize| {
        let before = was(row).and_then(earlier_owner);
        let given_up = || gone.contains(&(row as u64)) || left.get(&(row as u64)).is_some_and(|key| processed.contains(key));
        match planned_owner(row) {
            Some(owner) if before == Some(owner) || processed.contains(&owner.file.key) => Some(owner),
            _ if given_up() => None,
            _ => before,
        }
    };
    let owners: Vec<Option<Version<'_>>> = (0..rows.len()).map(owner).collect();
    let planned_keys: LazyCell<HashSet<&str>, _> = LazyCell::new(|| rows.files.iter().map(|file| file.key.as_str()).collect());
    let mut rivals: BTreeMap<usize, Vec<Version<'_>>> = BTreeMap::new();
    for (row, owner) in owners.iter().enumerate() {
        let other = |rival: &Version<'_>| owner.is_none_or(|owner| owner.file.key != rival.file.key);
        // A version that is published still, since the newer one is not in, has what it had: also a row that it gave up
        // and that another file got.
        let still = was(row)
            .into_iter()
            .flat_map(|row| Version::rivals(before, &earlier, row).chain(earlier_owner(row)))
            .filter(other)
            .filter(|rival| planned_keys.contains(rival.file.key.as_str()) && !processed.contains(&rival.file.key));
        let lost: Vec<Version<'_>> = Version::rivals(rows, &after, row).filter(other).chain(still).collect();
        if !lost.is_empty() {
            rivals.insert(row, lost);
        }
    }
    let mut numbers = Numbers::of(count);
    let owners = owners.into_iter().map(|owner| owner.map(|owner| numbers.number(owner.number, owner.file))).collect();
    let rivals = numbers.rivals(rivals.into_iter().map(|(row, rivals)| {
        let numbered = rivals.into_iter().map(|rival| (rival.number, rival.file));
        (row, numbered.collect())
    }));
    GridRows { owners, rivals, files: numbers.files, times: rows.times.clone(), stored: rows.stored.clone(), sites: rows.sites.clone() }
}

/// A version of a file, numbered once whichever of two states names it.
#[derive(Clone, Copy, PartialEq)]
struct Version<'a> {
    number: usize,
    file: &'a Owner,
}

impl<'a> Version<'a> {
    /// The file at a position of a state, whose files have these `numbers`.
    fn at(rows: &'a GridRows, numbers: &[usize], position: Option<u32>) -> Option<Self> {
        let position = position? as usize;
        Some(Self { number: *numbers.get(position)?, file: rows.files.get(position)? })
    }

    fn rivals(rows: &'a GridRows, numbers: &'a [usize], row: usize) -> impl Iterator<Item = Self> {
        let positions = rows.rivals.get(&(row as u64)).into_iter().flatten();
        positions.filter_map(|&position| Self::at(rows, numbers, Some(position)))
    }
}

/// Numbers for the files of two states, the same for the same version, and how many there are. What both begin with, most
/// of it as a rule, is not searched for.
fn versions<'a>(one: &'a [Owner], other: &'a [Owner]) -> (Vec<usize>, Vec<usize>, usize) {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let mut rest = HashMap::new();
    let mut count = same;
    let mut number = |file: &'a Owner| {
        *rest.entry((file.key.as_str(), file.etag.as_str())).or_insert_with(|| {
            count += 1;
            count - 1
        })
    };
    let mut numbers = |files: &'a [Owner]| (0..same).chain(files[same..].iter().map(&mut number)).collect::<Vec<_>>();
    let (one, other) = (numbers(one), numbers(other));
    (one, other, count)
}

/// Whether all rows are whose they were.
fn unchanged(before: &GridRows, after: &GridRows) -> bool {
    let same = |row| before.owner(row) == after.owner(row) && before.rivals(row).eq(after.rivals(row));
    before.times == after.times && (0..before.len()).all(same)
}

/// The first row that is not what it was.
fn first_change(before: &GridRows, after: &GridRows) -> u64 {
    let same = |row: &usize| {
        let (one, other) = (before.owner(*row), after.owner(*row));
        before.times[*row] == after.times[*row] && one.map(|owner| &owner.key) == other.map(|owner| &owner.key)
    };
    (0..before.len()).take_while(same).count() as u64
}

struct Staging<'a> {
    context: &'a Context,
    copies: Vec<Copy>,
}

impl Staging<'_> {
    async fn put(&mut self, key: &str, body: Vec<u8>) -> Result<(), StageError> {
        let from = self.context.layout.staged_grid(&self.context.run, "commit", &self.context.nonce, self.copies.len());
        let etag = self.context.destination.put(&from, body.into()).await?.etag;
        self.copies.push(Copy { from, to: format!("{}/{key}", self.context.folder()), etag });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_number_whichever_state_names_it() {
        let file = |key: &str, etag: &str, modified| Owner { key: key.into(), etag: etag.into(), modified, site: None };
        let common = [file("a", "1", 0), file("b", "1", 0)];
        let with = |rest: &[Owner]| [&common[..], rest].concat();
        for (what, one, other, expected) in [
            ("nothing", vec![], vec![], (vec![], vec![], 0)),
            ("alike", with(&[]), with(&[]), (vec![0, 1], vec![0, 1], 2)),
            ("one more", with(&[file("c", "1", 0)]), with(&[]), (vec![0, 1, 2], vec![0, 1], 3)),
            ("in another order", vec![common[1].clone(), common[0].clone()], with(&[]), (vec![0, 1], vec![1, 0], 2)),
            ("another version", with(&[file("c", "2", 0)]), with(&[file("c", "1", 0)]), (vec![0, 1, 2], vec![0, 1, 3], 4)),
            ("touched only", with(&[file("c", "1", 9)]), with(&[file("c", "1", 0)]), (vec![0, 1, 2], vec![0, 1, 2], 3)),
        ] {
            assert_eq!(versions(&one, &other), expected, "{what}");
        }
    }
}
