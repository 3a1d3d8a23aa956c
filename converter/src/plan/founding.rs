//! A new store of a grid: made after one file, which the others are held against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::config::{DatasetConfig, GridConfig};
use crds::wire::{Compat, GridState, StagedObject};

use super::headers::{Known, look};
use super::speaker::{batches, earliest};
use super::survey::Survey;
use crate::cf::Rules;
use crate::context::Context;
use crate::error::StageError;
use crate::grid::{Axes, GridError, Group, Source, TimeCode, configure, extents, new_group, rules, static_window, unwritten};
use crate::read;
use crate::zarr::{Dtype, chunk_key};

/// Makes a new store after the earliest file of the grid that most files have, of which one can be made. The
/// others are tried against it; where there is none, each file is refused with what it lacks.
pub(super) async fn found_store(
    context: &Context,
    grid: &Arc<GridConfig>,
    survey: &mut Survey,
    known: &mut Vec<Known>,
) -> Result<Option<(Group, GridState, Vec<StagedObject>)>, StageError> {
    let mut unfit = Vec::new();
    while let Some(at) = reference(context, known) {
        let file = known.remove(at);
        let (config, of, rules) = (Arc::clone(&context.config), Arc::clone(grid), rules(context.document.compat));
        let coordinates = Arc::clone(&file.header.coordinates);
        match look(context, &file.candidate.file, move |reader| found(reader, &coordinates, &config, &of, rules)).await? {
            Ok(Founded { group, chunks, digests, extents, warnings }) => {
                survey.warnings.extend(warnings);
                let mut statics = Vec::new();
                for (number, (key, body)) in chunks.into_iter().enumerate() {
                    let staged_key = context.layout.staged_grid(&context.run, "plan", &context.nonce, number);
                    let bytes = body.len() as u64;
                    let etag = context.destination.put(&staged_key, body.into()).await?.etag;
                    statics.push(StagedObject { final_key: format!("{}/{key}", context.folder()), staged_key, etag, rows: 0, bytes });
                }
                let state =
                    GridState { coordinates: (*file.header.coordinates).clone(), statics: digests, extents, ..GridState::default() };
                known.push(file);
                known.extend(unfit.into_iter().map(|(file, _)| file));
                known.sort_by(|one, two| one.candidate.file.key.cmp(&two.candidate.file.key));
                return Ok(Some((group, state, statics)));
            }
            Err(line) => unfit.push((file, line)),
        }
    }
    for (file, line) in unfit {
        survey.turned_away(file.candidate.why, line);
    }
    Ok(None)
}

struct Founded {
    group: Group,
    /// Of arrays without rows: keys below the dataset's folder, and bytes.
    chunks: Vec<(String, Vec<u8>)>,
    /// What is in them.
    digests: BTreeMap<String, String>,
    extents: BTreeMap<String, f64>,
    warnings: Vec<String>,
}

fn found(
    reader: &dyn read::Reader,
    coordinates: &BTreeMap<String, Vec<f64>>,
    config: &DatasetConfig,
    grid: &GridConfig,
    rules: Rules,
) -> Result<Founded, GridError> {
    let axes = Axes::of(reader, grid, rules.compat, coordinates)?;
    let mut group = new_group(reader, &axes, config, grid, rules)?;
    TimeCode::of(group.arrays.get(grid.append_name()).ok_or_else(|| GridError::MissingCoordinate(grid.append_name().to_owned()))?)?;
    let (mut chunks, mut digests) = (Vec::new(), BTreeMap::new());
    for (name, array) in &group.arrays {
        let dimensions = array.dimensions()?;
        if dimensions.contains(&grid.append_name()) {
            continue;
        }
        let window = static_window(name, array, &Source { reader, axes: &axes, places: &[] }, grid, rules)?;
        // Texts that nobody asked for, such as the name of a scene, are the first file's: no other is refused for them.
        let has_texts = matches!(array.metadata.dtype, Dtype::Object | Dtype::Bytes(_));
        let in_the_margin = has_texts && grid.variable(name).is_none();
        if dimensions != [name] && !in_the_margin {
            digests.insert(name.clone(), window.digest());
        }
        for index in window.chunks() {
            if let Some(object) = window.object(&index)? {
                chunks.push((format!("{name}/{}", chunk_key(&index)), object));
            }
        }
    }
    // The incumbent computed none.
    let extents = if rules.compat == Compat::Fixed { extents(reader, &axes, grid.append_name(), &mut group) } else { BTreeMap::new() };
    configure(&mut group.attributes, config, grid);
    let left_out = |name: &str| format!("coordinate {name:?} is not in `schema`, and its values are compound: it is left out");
    let warnings = unwritten(reader, grid).into_iter().map(left_out).collect();
    Ok(Founded { group, chunks, digests, extents, warnings })
}

/// The earliest file of the grid that most files have, in whichever direction they have it; of those of the first batch
/// where all is to be as the incumbent has it.
fn reference(context: &Context, known: &[Known]) -> Option<usize> {
    let compat = context.document.compat;
    // The files of each grid; the first stands for all.
    let mut grids: Vec<Vec<usize>> = Vec::new();
    for (at, file) in known.iter().enumerate() {
        match grids.iter_mut().find(|files| file.header.check(&known[files[0]].header.coordinates, compat).is_ok()) {
            Some(files) => files.push(at),
            None => grids.push(vec![at]),
        }
    }
    let first = |files: &[usize]| files.iter().copied().min_by_key(|&at| (known[at].header.times.iter().min().copied(), at));
    let files = grids.into_iter().max_by_key(|files| (files.len(), std::cmp::Reverse(first(files))))?;
    if compat == Compat::Fixed {
        return first(&files);
    }
    let all: Vec<&Known> = known.iter().collect();
    let files: BTreeSet<usize> = files.into_iter().collect();
    let mut batches = batches(context, &all).into_iter();
    let batch = batches.find_map(|batch| {
        let of_grid: Vec<usize> = batch.into_iter().filter(|at| files.contains(at)).collect();
        (!of_grid.is_empty()).then_some(of_grid)
    })?;
    earliest(&all, &batch)
}
