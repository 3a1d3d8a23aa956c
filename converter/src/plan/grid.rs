//! The plan of a grid: which files fit the store, where their rows go, and which batch writes which chunks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crds::config::GridConfig;
use crds::wire::{Batch, Compat, GridState, Head, Owner, PlannedFile, PlannedGrid, StoredTimes};

use super::candidates::{Candidate, Candidates};
use super::founding::found_store;
use super::headers::{Known, look, read_headers, refused};
use super::pack::MAX_BATCHES;
use super::speaker::speaker;
use super::survey::Survey;
use crate::context::Context;
use crate::error::StageError;
use crate::grid::{
    GridError, Group, Incoming, Laid, Sites, TimeCode, Unit, advise, configure, conflicts, cover, group_attributes, lay, reconfigure,
    returning, row_chunk, sort, units,
};
use crate::zarr::{ZATTRS, parse_zmetadata, zmetadata};

/// Files of one batch, all of which are open at once.
const MOST_FILES: usize = 250;

/// Lays out the candidates of the survey and writes their batches. None when nothing of the grid changes. `reconfigured`
/// says that the config has other attributes than that of the run before.
///
/// # Errors
/// Store trouble; a state that cannot be read.
pub(super) async fn lay_out(
    context: &Context,
    grid: &Arc<GridConfig>,
    state: Option<GridState>,
    reconfigured: bool,
    survey: &mut Survey,
) -> Result<Option<String>, StageError> {
    let Some(candidates) = survey.grid.as_mut() else { return Ok(None) };
    let (files, gone) = (std::mem::take(&mut candidates.files), std::mem::take(&mut candidates.gone));
    let absent = std::mem::take(&mut candidates.absent);
    let mut known = read_headers(context, grid, survey, files).await?;
    let mut changed = false;
    let (mut group, state, statics) = match state {
        Some(state) => {
            let mut group = open_store(&state)?;
            let before = group.clone();
            configure(&mut group.attributes, &context.config, grid);
            if reconfigured {
                reconfigure(&mut group.arrays, grid);
                if context.document.compat == Compat::Fixed {
                    cover(&mut group.attributes, &state.rows, &state.extents, &context.config, grid);
                }
            }
            changed = group != before;
            (group, state, Vec::new())
        }
        None if known.is_empty() => return Ok(None),
        None => match found_store(context, grid, survey, &mut known).await? {
            Some(founded) => {
                survey.warnings.extend(advise(&founded.0.arrays, grid.append_name()));
                founded
            }
            None => return Ok(None),
        },
    };
    let mut known = fitting(context, grid, survey, &group, &state, known)?;
    let (gone, absent) = (gone.iter().map(String::as_str).collect(), absent.iter().map(String::as_str).collect());
    let mut sites = Sites::of(&state.rows.sites);
    let (incoming, mut laid) = loop {
        let incoming = without_conflicts(survey, &state, &mut sites, &mut known, &gone);
        let laid = lay(&state.rows, &incoming, &gone, &absent);
        let returning = returning(&laid, &absent, |file| survey.grid.as_ref().is_some_and(|grid| grid.stands(file)));
        if returning.is_empty() {
            break (incoming, if context.document.keep_sorted { sort(laid) } else { laid });
        }
        let recalled = returning.iter().filter_map(|key| survey.recall(key)).collect();
        let recalled = read_headers(context, grid, survey, recalled).await?;
        known.extend(fitting(context, grid, survey, &group, &state, recalled)?);
    };
    if known.is_empty() && gone.is_empty() && laid.order.is_none() && !changed {
        return Ok(None);
    }
    if context.document.compat == Compat::Incumbent
        && let Some(speaker) = speaker(context, &laid, &known)
        && let Some(attributes) = attributes_of(context, grid, &known[speaker].0.candidate.file).await?
    {
        let coordinates = group.attributes.remove_entry("coordinates");
        group.attributes = attributes;
        group.attributes.extend(coordinates);
    }
    let before = state.rows.len() as u64;
    let left = laid.left.iter().map(|(row, file)| (*row, incoming[*file].owner.key.clone())).collect();
    let superseded = supersede(survey, &state, &laid, &known);
    let mut state = GridState { superseded, ..next_state(state, &group, grid, &mut laid, &known)? };
    state.rows.sites = sites.all;
    let planned = PlannedGrid { left, gone: laid.gone.clone(), moved: laid.moved(before), state, before, statics };
    write_batches(context, grid, survey, &group, &laid, known).await?;
    let key = context.layout.planned_grid(&context.run, &context.nonce);
    let body = serde_json::to_vec(&planned).map_err(|source| StageError::corrupt(&key, source))?;
    context.destination.put(&key, body.into()).await?;
    Ok(Some(key))
}

/// What the known files bring, but for those of another site at a time that is taken: they are turned away.
fn without_conflicts(
    survey: &mut Survey,
    state: &GridState,
    sites: &mut Sites,
    known: &mut Vec<(Known, StoredTimes)>,
    gone: &BTreeSet<&str>,
) -> Vec<Incoming> {
    let incoming: Vec<Incoming> = known.iter().map(|(known, _)| known.incoming(sites)).collect();
    let mut conflicts = conflicts(&state.rows, &sites.all, &incoming, gone);
    let fits: Vec<bool> = (0..known.len()).map(|at| !conflicts.contains_key(&at)).collect();
    let mut at = 0..;
    known.retain(|(Known { candidate: Candidate { file, why, .. }, .. }, _)| {
        let conflict = at.next().and_then(|at| conflicts.remove(&at));
        conflict.map(|detail| survey.turned_away(*why, refused(file, &GridError::TimeConflict(detail)))).is_none()
    });
    incoming.into_iter().zip(fits).filter_map(|(file, fits)| fits.then_some(file)).collect()
}

/// Tells of the files that have no row any more, or still none: those that wait for one.
fn supersede(survey: &mut Survey, state: &GridState, laid: &Laid, known: &[(Known, StoredTimes)]) -> Vec<Owner> {
    let mut superseded = survey.grid.as_ref().map(Candidates::waiting).unwrap_or_default();
    let coming: HashMap<&str, &Candidate> = known.iter().map(|(known, _)| (known.candidate.file.key.as_str(), &known.candidate)).collect();
    for key in &laid.superseded {
        if let Some(candidate) = coming.get(key.as_str()) {
            survey.turned_away(candidate.why, candidate.superseded());
            superseded.push(candidate.owner());
        }
    }
    for owner in state.rows.files.iter().filter(|owner| laid.superseded.contains(&owner.key) && !coming.contains_key(owner.key.as_str())) {
        survey.superseded(owner);
        superseded.push(owner.clone());
    }
    superseded.sort_by(|one, two| one.key.cmp(&two.key));
    superseded
}

pub(crate) async fn read_state(context: &Context, head: Option<&Head>) -> Result<Option<GridState>, StageError> {
    let Some(key) = head.and_then(|head| head.grid.as_ref()) else { return Ok(None) };
    let bytes = context.destination.get(key).await?;
    serde_json::from_slice(&bytes).map(Some).map_err(|source| StageError::corrupt(key, source))
}

fn open_store(state: &GridState) -> Result<Group, StageError> {
    let (attributes, arrays) = parse_zmetadata(state.metadata.as_bytes()).map_err(|error| StageError::corrupt(".zmetadata", error))?;
    Ok(Group { attributes, arrays })
}

async fn attributes_of(
    context: &Context,
    grid: &Arc<GridConfig>,
    file: &PlannedFile,
) -> Result<Option<crate::zarr::Attributes>, StageError> {
    let (config, grid) = (Arc::clone(&context.config), Arc::clone(grid));
    Ok(look(context, file, move |reader| Ok(group_attributes(reader, &config, &grid))).await?.ok())
}

/// The files that have the store's grid and times it can hold, each with the store's numbers for its times.
fn fitting(
    context: &Context,
    grid: &GridConfig,
    survey: &mut Survey,
    group: &Group,
    state: &GridState,
    known: Vec<Known>,
) -> Result<Vec<(Known, StoredTimes)>, StageError> {
    let code = group.arrays.get(grid.append_name()).ok_or_else(|| StageError::corrupt(ZATTRS, "the store has no times"))?;
    let code = TimeCode::of(code).map_err(|error| StageError::corrupt(ZATTRS, error))?;
    let mut fitting = Vec::new();
    for file in known {
        let numbers = file.header.check(&state.coordinates, context.document.compat).and_then(|()| code.numbers(&file.header));
        match numbers {
            Ok(numbers) => fitting.push((file, numbers)),
            Err(error) => survey.turned_away(file.candidate.why, refused(&file.candidate.file, &error)),
        }
    }
    Ok(fitting)
}

/// The state if every file is converted; it takes over the files.
fn next_state(
    mut state: GridState,
    group: &Group,
    grid: &GridConfig,
    laid: &mut Laid,
    known: &[(Known, StoredTimes)],
) -> Result<GridState, StageError> {
    let mut rows = std::mem::take(&mut state.rows);
    let floats =
        known.first().map_or(matches!(rows.stored, StoredTimes::Floats(_)), |(_, numbers)| matches!(numbers, StoredTimes::Floats(_)));
    if rows.is_empty() && !floats {
        rows.stored = StoredTimes::Integers(Vec::new());
    }
    for &(file, row) in &laid.new_rows {
        match (&mut rows.stored, &known[file].1) {
            (StoredTimes::Floats(all), StoredTimes::Floats(own)) => all.push(own[row]),
            (StoredTimes::Integers(all), StoredTimes::Integers(own)) => all.push(own[row]),
            _ => return Err(StageError::corrupt("the grid's state", "times of two types")),
        }
    }
    if let Some(order) = &laid.order {
        rows.stored.permute(order);
    }
    (rows.times, rows.owners, rows.rivals, rows.files) =
        (laid.times.clone(), laid.owners.clone(), laid.rivals.clone(), std::mem::take(&mut laid.files));
    let mut arrays = group.arrays.clone();
    for array in arrays.values_mut() {
        array.set_length(grid.append_name(), rows.len() as u64);
    }
    let metadata = String::from_utf8(zmetadata(&group.attributes, &arrays)).map_err(|error| StageError::corrupt(".zmetadata", error))?;
    Ok(GridState { metadata, rows, superseded: Vec::new(), ..state })
}

/// Packs units of chunks into batches and writes them.
async fn write_batches(
    context: &Context,
    grid: &GridConfig,
    survey: &mut Survey,
    group: &Group,
    laid: &Laid,
    known: Vec<(Known, StoredTimes)>,
) -> Result<(), StageError> {
    let bounds = context.document.batching;
    let most_files = MOST_FILES.min(bounds.max_files as usize);
    let chunk = row_chunk(&group.arrays, grid.append_name());
    let files: Vec<PlannedFile> = known.into_iter().map(|(known, _)| known.candidate.file).collect();
    let fit = |of: &BTreeSet<usize>| of.len() <= most_files && of.iter().map(|&at| files[at].bytes).sum::<u64>() <= bounds.max_bytes;
    let units = units(laid, chunk, fit);
    // Few large batches rather than more than a plan may have.
    let least = units.len().div_ceil(MAX_BATCHES as usize);
    let mut batches: Vec<Unit> = Vec::new();
    let mut of_batch = 0;
    for unit in units {
        match batches.last_mut() {
            Some(open) if of_batch < least || fit(&(&open.files | &unit.files)) => {
                open.join(unit);
                of_batch += 1;
            }
            _ => {
                batches.push(unit);
                of_batch = 1;
            }
        }
    }
    for (index, unit) in (0..).zip(batches) {
        let with_rows = unit.files.iter().filter(|at| !laid.places[**at].is_empty());
        let placed = |&at: &usize| PlannedFile { places: unit.places(&laid.places[at], chunk), ..files[at].clone() };
        let mut files: Vec<PlannedFile> = with_rows.map(placed).collect();
        files.sort_by(|one, two| one.key.cmp(&two.key));
        survey.write_batch(context, Batch { index, files, chunks: unit.chunks.into_iter().collect() }).await?;
    }
    Ok(())
}
