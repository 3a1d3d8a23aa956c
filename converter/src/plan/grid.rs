//! The plan of a grid: which files fit the store, where their rows go, and which batch writes which chunks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crds::config::{DatasetConfig, GridConfig};
use crds::wire::{
    Batch, Compat, FileRecord, GridState, Head, OtherFile, Outcome, Owner, PlannedFile, PlannedGrid, Site, StagedObject, StoredTimes,
};
use futures::{StreamExt, TryStreamExt};

use super::pack::MAX_BATCHES;
use super::survey::{Candidate, Candidates, Survey};
use crate::cf::Rules;
use crate::context::Context;
use crate::convert::{peek, unread};
use crate::error::StageError;
use crate::grid::{
    Axes, GridError, Group, Header, Incoming, Laid, Source, TimeCode, advise, configure, conflicts, cover, extents, group_attributes, lay,
    new_group, reconfigure, returning, row_chunk, rules, sort, static_window, units,
};
use crate::read;
use crate::zarr::{ZATTRS, chunk_key, encode_chunk, is_all_fill, parse_zmetadata, zmetadata};

/// Headers that are read at once.
const AT_ONCE: usize = 8;
/// Files of one batch, all of which are open at once.
const MOST_FILES: usize = 250;

/// A file whose header has been read.
struct Known {
    candidate: Candidate,
    header: Header,
}

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
                survey.warnings = advise(&founded.0.arrays, grid.append_name());
                founded
            }
            None => return Ok(None),
        },
    };
    let mut known = fitting(context, grid, survey, &group, &state, known)?;
    let (gone, absent) = (gone.iter().map(String::as_str).collect(), absent.iter().map(String::as_str).collect());
    let keep_sorted = context.document.keep_sorted;
    let mut sites = Sites::of(&state.rows.sites);
    let (incoming, laid) = loop {
        let mut incoming: Vec<Incoming> = known.iter().map(|(known, _)| known.incoming(&mut sites)).collect();
        let mut conflicts = conflicts(&state.rows, &sites.all, &incoming, &gone);
        if !conflicts.is_empty() {
            let mut at = 0..;
            known.retain(|(Known { candidate: Candidate { file, why, .. }, .. }, _)| {
                let conflict = at.next().and_then(|at| conflicts.remove(&at));
                conflict.map(|detail| survey.turned_away(*why, refused(file, &GridError::TimeConflict(detail)))).is_none()
            });
            incoming = known.iter().map(|(known, _)| known.incoming(&mut sites)).collect();
        }
        let laid = lay(&state.rows, &incoming, &gone, &absent);
        let returning = returning(&laid, &absent, |file| survey.grid.as_ref().is_some_and(|grid| grid.stands(file)));
        if returning.is_empty() {
            break (incoming, if keep_sorted { sort(laid) } else { laid });
        }
        let recalled = returning.iter().filter_map(|key| survey.recall(key)).collect();
        let recalled = read_headers(context, grid, survey, recalled).await?;
        known.extend(fitting(context, grid, survey, &group, &state, recalled)?);
    };
    if known.is_empty() && gone.is_empty() && laid.order.is_none() && !changed {
        return Ok(None);
    }
    if context.document.compat == Compat::Incumbent
        && !state.rows.is_empty()
        && let Some(&(first, _)) = laid.new_rows.first()
        && let Some(attributes) = attributes_of(context, grid, &known[first].0.candidate.file).await?
    {
        let coordinates = group.attributes.remove_entry("coordinates");
        group.attributes = attributes;
        group.attributes.extend(coordinates);
    }
    let before = state.rows.len() as u64;
    let left = laid.left.iter().map(|(row, file)| (*row, incoming[*file].owner.key.clone())).collect();
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
    let mut state = GridState { superseded, ..next_state(state, &group, grid, &laid, &known)? };
    state.rows.sites = sites.all;
    let planned = PlannedGrid { left, gone: laid.gone.clone(), moved: laid.moved(before), state, before, statics };
    write_batches(context, grid, survey, &group, &laid, known).await?;
    let key = context.layout.planned_grid(&context.run, &context.nonce);
    let body = serde_json::to_vec(&planned).map_err(|source| StageError::corrupt(&key, source))?;
    context.destination.put(&key, body.into()).await?;
    Ok(Some(key))
}

/// Sites by number: most files are of one.
struct Sites {
    all: Vec<Site>,
    of: HashMap<String, u32>,
}

impl Sites {
    fn of(known: &[Site]) -> Self {
        let mut sites = Self { all: Vec::new(), of: HashMap::new() };
        for site in known {
            sites.number(site);
        }
        sites
    }

    fn number(&mut self, site: &Site) -> Option<u32> {
        if site.is_nowhere() {
            return None;
        }
        let number = self.of.entry(format!("{site:?}")).or_insert_with(|| {
            self.all.push(site.clone());
            self.all.len() as u32 - 1
        });
        Some(*number)
    }
}

impl Known {
    fn incoming(&self, sites: &mut Sites) -> Incoming {
        let owner = Owner { site: sites.number(&self.header.site), ..self.candidate.owner() };
        Incoming { owner, times: self.header.times.clone() }
    }
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

fn refused(file: &PlannedFile, error: &GridError) -> OtherFile {
    OtherFile {
        key: file.key.clone(),
        etag: file.etag.clone(),
        outcome: Outcome::Failed,
        reason: Some(error.reason()),
        message: Some(error.to_string()),
        held: false,
    }
}

/// Reads the header of each file; what has none is turned away.
async fn read_headers(
    context: &Context,
    grid: &Arc<GridConfig>,
    survey: &mut Survey,
    files: Vec<Candidate>,
) -> Result<Vec<Known>, StageError> {
    let compat = context.document.compat;
    let mut read = futures::stream::iter(files)
        .map(|candidate| async move {
            let grid = Arc::clone(grid);
            let header = look(context, &candidate.file, move |reader| Header::read(reader, &grid, compat)).await?;
            Ok::<_, StageError>((candidate, header))
        })
        .buffered(AT_ONCE);
    let mut known = Vec::new();
    while let Some((candidate, header)) = read.try_next().await? {
        match header {
            Ok(mut header) => {
                // Most files have the positions of the one before.
                if let Some(Known { header: last, .. }) = known.last().filter(|last: &&Known| last.header.coordinates == header.coordinates)
                {
                    header.coordinates = Arc::clone(&last.coordinates);
                }
                known.push(Known { candidate, header });
            }
            Err(line) => survey.turned_away(candidate.why, line),
        }
    }
    Ok(known)
}

/// What `work` finds in a file, of which only that is fetched; or the line of one that cannot be had.
async fn look<T: Send + 'static>(
    context: &Context,
    file: &PlannedFile,
    work: impl FnOnce(&dyn read::Reader) -> Result<T, GridError> + Send + 'static,
) -> Result<Result<T, OtherFile>, StageError> {
    let (input, trouble) = match peek(context, file).await? {
        Ok(peeked) => peeked,
        Err(record) => return Ok(Err(turned(record))),
    };
    let looking = tokio::task::spawn_blocking(move || {
        read::guarded(|| work(read::open(input)?.as_ref())).unwrap_or_else(|panic| Err(GridError::GaveUp(panic)))
    });
    let found = looking.await.unwrap_or_else(|panicked| Err(GridError::GaveUp(panicked.to_string())));
    match trouble.take() {
        Some(error) => unread(file, error).map(|record| Err(turned(record))),
        None => Ok(found.map_err(|error| refused(file, &error))),
    }
}

/// Makes a new store after the earliest file of the grid that most files have, of which one can be made. The
/// others are tried against it; where there is none, each file is refused with what it lacks.
async fn found_store(
    context: &Context,
    grid: &Arc<GridConfig>,
    survey: &mut Survey,
    known: &mut Vec<Known>,
) -> Result<Option<(Group, GridState, Vec<StagedObject>)>, StageError> {
    let mut unfit = Vec::new();
    while let Some(at) = reference(known, context.document.compat) {
        let file = known.remove(at);
        let (config, of, rules) = (Arc::clone(&context.config), Arc::clone(grid), rules(context.document.compat));
        let coordinates = Arc::clone(&file.header.coordinates);
        match look(context, &file.candidate.file, move |reader| found(reader, &coordinates, &config, &of, rules)).await? {
            Ok(Founded { group, chunks, digests, extents }) => {
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
        if dimensions != [name] {
            digests.insert(name.clone(), window.digest());
        }
        for index in window.chunks() {
            let raw = window.chunk(&index);
            if !is_all_fill(&array.metadata, &raw) {
                chunks.push((format!("{name}/{}", chunk_key(&index)), encode_chunk(&array.metadata, &raw)?));
            }
        }
    }
    // The incumbent computed none.
    let extents = if rules.compat == Compat::Fixed { extents(reader, &axes, grid.append_name(), &mut group) } else { BTreeMap::new() };
    configure(&mut group.attributes, config, grid);
    Ok(Founded { group, chunks, digests, extents })
}

/// What became of a file that could not be fetched.
fn turned(record: FileRecord) -> OtherFile {
    let FileRecord { key, etag, outcome, reason, message, .. } = record;
    OtherFile { key, etag, outcome, reason, message, held: false }
}

/// The earliest file of the grid that most files have, in whichever direction they have it.
fn reference(known: &[Known], compat: Compat) -> Option<usize> {
    // The files of each grid; the first stands for all.
    let mut grids: Vec<Vec<usize>> = Vec::new();
    for (at, file) in known.iter().enumerate() {
        match grids.iter_mut().find(|files| file.header.check(&known[files[0]].header.coordinates, compat).is_ok()) {
            Some(files) => files.push(at),
            None => grids.push(vec![at]),
        }
    }
    let earliest = |files: &[usize]| files.iter().copied().min_by_key(|&at| (known[at].header.times.iter().min().copied(), at));
    let files = grids.into_iter().max_by_key(|files| (files.len(), std::cmp::Reverse(earliest(files))))?;
    earliest(&files)
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

/// The state if every file is converted.
fn next_state(
    mut state: GridState,
    group: &Group,
    grid: &GridConfig,
    laid: &Laid,
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
    (rows.times, rows.owners, rows.rivals, rows.files) = (laid.times.clone(), laid.owners.clone(), laid.rivals.clone(), laid.files.clone());
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
    let mut files: HashMap<usize, PlannedFile> = HashMap::new();
    for (at, (known, _)) in known.into_iter().enumerate() {
        files.insert(at, PlannedFile { places: laid.places[at].clone(), ..known.candidate.file });
    }
    let mut batch = Batch { index: 0, files: Vec::new(), chunks: Vec::new() };
    let units = units(laid, chunk);
    // Few large batches rather than more than a plan may have.
    let least = units.len().div_ceil(MAX_BATCHES as usize);
    let mut of_batch = 0;
    for unit in units {
        let bytes = |files: &[PlannedFile]| files.iter().map(|file| file.bytes).sum::<u64>();
        let more: Vec<PlannedFile> =
            unit.files.iter().filter(|at| !laid.places[**at].is_empty()).filter_map(|at| files.remove(at)).collect();
        let full = batch.files.len() + more.len() > most_files || bytes(&batch.files) + bytes(&more) > bounds.max_bytes;
        if full && !batch.chunks.is_empty() && of_batch >= least {
            let index = batch.index + 1;
            survey
                .write_batch(context, sorted(std::mem::replace(&mut batch, Batch { index, files: Vec::new(), chunks: Vec::new() })))
                .await?;
            of_batch = 0;
        }
        batch.files.extend(more);
        batch.chunks.extend(unit.chunks);
        of_batch += 1;
    }
    if batch.chunks.is_empty() { Ok(()) } else { survey.write_batch(context, sorted(batch)).await }
}

fn sorted(mut batch: Batch) -> Batch {
    batch.files.sort_by(|one, two| one.key.cmp(&two.key));
    batch.chunks.sort_unstable();
    batch
}
