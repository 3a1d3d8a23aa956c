//! A batch of a grid: the chunks that this batch alone writes, whole, from the rows of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crds::config::GridConfig;
use crds::wire::{Batch, Compat, FileRecord, Outcome, Plan, PlannedFile, PlannedGrid, PublishedObject, Reason, StagedObject};
use futures::{StreamExt, TryStreamExt};

use super::file::{fetch, record};
use crate::cf::Rules;
use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::grid::{FILENAME, GridError, Source, Window};
use crate::read::{self, Reader};
use crate::zarr::{Array, ArrayMetadata, Fill, chunk_key, decode_chunk, encode_chunk, is_all_fill, parse_zmetadata};

/// What a batch gives its manifest.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub files: Vec<FileRecord>,
    pub chunks: Vec<StagedObject>,
    pub emptied: Vec<PublishedObject>,
}

/// How values are decoded: numbers that only look like durations stay numbers, unless all is to be as it was.
pub(crate) fn rules_of(compat: Compat) -> Rules {
    Rules { compat, durations: compat == Compat::Incumbent }
}

struct Opened {
    file: PlannedFile,
    reader: Arc<dyn Reader + Send + Sync>,
}

/// # Errors
/// Store trouble; a plan that cannot be read. What is wrong with a file stands in its record: the chunks are
/// then made without it.
pub(super) async fn convert(context: &Context, plan: &Plan, batch: Batch) -> Result<Converted, StageError> {
    let Some(key) = &plan.grid else { return Err(StageError::corrupt("plan.json", "a grid without its state")) };
    let planned: PlannedGrid =
        serde_json::from_slice(&context.destination.get(key).await?).map_err(|source| StageError::corrupt(key, source))?;
    let (_, arrays) = parse_zmetadata(planned.state.metadata.as_bytes()).map_err(|source| StageError::corrupt(key, source))?;
    let grid = context.config.grid.clone().map(Arc::new).ok_or_else(|| StageError::Config("the config describes no grid".to_owned()))?;
    let mut converted = Converted::default();
    let mut opened = Vec::new();
    let mut opening = futures::stream::iter(batch.files).map(|file| open(context, file)).buffered(context.limits.threads + 2);
    while let Some(file) = opening.try_next().await? {
        match file {
            Ok(file) => opened.push(file),
            Err(record) => converted.files.push(record),
        }
    }
    let work = Work { context, grid, planned, arrays: arrays.into_iter().map(|(name, array)| (name, Arc::new(array))).collect() };
    let mut object = 0;
    loop {
        match work.write(&batch.chunks, batch.index, &opened, &mut object).await? {
            Ok((chunks, emptied)) => {
                (converted.chunks, converted.emptied) = (chunks, emptied);
                let changed = changed(context, &opened).await?;
                if changed.is_empty() {
                    break;
                }
                for at in changed.into_iter().rev() {
                    let file = opened.remove(at).file;
                    let message = Some("it changed while it was read".to_owned());
                    converted.files.push(record(&file, Outcome::Skipped, Some(Reason::ChangedDuringRead), message));
                }
            }
            Err((at, error)) => {
                let file = opened.remove(at).file;
                converted.files.push(record(&file, Outcome::Failed, Some(error.reason()), Some(error.to_string())));
            }
        }
    }
    context.fail.pass(FailPoint::ConvertStaged).await?;
    for Opened { file, .. } in opened {
        let rows = file.places.iter().map(|place| place.count).sum();
        converted.files.push(FileRecord { rows, ..record(&file, Outcome::Processed, None, None) });
    }
    converted.files.sort_by(|one, two| one.key.cmp(&two.key));
    Ok(converted)
}

async fn open(context: &Context, file: PlannedFile) -> Result<Result<Opened, FileRecord>, StageError> {
    let in_memory = context.limits.memory_bytes / 8 / (context.limits.threads as u64 + 2);
    let input = match fetch(context, &file, in_memory).await? {
        Ok(input) => input,
        Err(record) => return Ok(Err(record)),
    };
    context.tally.bytes.fetch_add(input.len(), std::sync::atomic::Ordering::Relaxed);
    let reader = tokio::task::spawn_blocking(move || read::open(input)).await;
    let refused = |error: GridError| record(&file, Outcome::Failed, Some(error.reason()), Some(error.to_string()));
    Ok(match reader {
        Ok(Ok(reader)) => Ok(Opened { reader: Arc::from(reader as Box<dyn Reader + Send + Sync>), file }),
        Ok(Err(error)) => Err(refused(error.into())),
        Err(panicked) => Err(refused(GridError::GaveUp(panicked.to_string()))),
    })
}

/// Files that are another version now than the one that was planned, by position.
async fn changed(context: &Context, opened: &[Opened]) -> Result<Vec<usize>, StageError> {
    let mut changed = Vec::new();
    for (at, Opened { file, .. }) in opened.iter().enumerate() {
        let (store, key) = context.source.locate(&file.key)?;
        if !store.still(key, &file.etag).await? {
            changed.push(at);
        }
    }
    Ok(changed)
}

type Written = (Vec<StagedObject>, Vec<PublishedObject>);

struct Work<'a> {
    context: &'a Context,
    grid: Arc<GridConfig>,
    planned: PlannedGrid,
    arrays: BTreeMap<String, Arc<Array>>,
}

/// One box of one array.
struct Job {
    name: String,
    array: Arc<Array>,
    ranges: Vec<Range<u64>>,
}

impl Work<'_> {
    /// Writes all chunks of the batch, or names the file that does not let it.
    async fn write(
        &self,
        chunks: &[u64],
        batch: u32,
        opened: &[Opened],
        object: &mut u64,
    ) -> Result<Result<Written, (usize, GridError)>, StageError> {
        let mut jobs = Vec::new();
        for (name, array) in &self.arrays {
            let dimensions = array.dimensions().map_err(|error| StageError::corrupt(".zmetadata", error))?;
            let axis = dimensions.iter().position(|known| *known == self.grid.append_name());
            if let (Some(axis), false) = (axis, name == self.grid.append_name() || name == FILENAME) {
                jobs.extend(chunks.iter().flat_map(|&chunk| self.boxes(name, array, axis, chunk)));
            }
        }
        let (mut staged, mut emptied) = (Vec::new(), Vec::new());
        let first = *object;
        *object += jobs.len() as u64;
        let threads = self.context.limits.threads.max(1);
        let mut done = futures::stream::iter(jobs.into_iter().zip(first..))
            .map(|(job, number)| self.job(job, batch, number, opened))
            .buffer_unordered(threads);
        while let Some(written) = done.try_next().await? {
            match written {
                Ok((more, gone)) => {
                    staged.extend(more);
                    emptied.extend(gone);
                }
                Err(culprit) => return Ok(Err(culprit)),
            }
        }
        staged.sort_by(|one: &StagedObject, two| one.final_key.cmp(&two.final_key));
        Ok(Ok((staged, emptied)))
    }

    /// The rows of one chunk in boxes that memory holds, cut along the dimension behind the rows.
    fn boxes(&self, name: &str, array: &Arc<Array>, axis: usize, chunk: u64) -> Vec<Job> {
        let ArrayMetadata { shape, chunks, dtype, .. } = &array.metadata;
        let rows = chunks[axis] * chunk..chunks[axis] * (chunk + 1);
        let whole: Vec<Range<u64>> =
            shape.iter().enumerate().map(|(at, &length)| if at == axis { rows.clone() } else { 0..length }).collect();
        let job = |ranges| Job { name: name.to_owned(), array: Arc::clone(array), ranges };
        let Some(cut) = (0..shape.len()).find(|&at| at != axis) else { return vec![job(whole)] };
        // A value is there as it is read, as it is decoded, in the box, and in its chunk.
        let width = (dtype.width() as u64 + 8) * 2;
        let per: u64 =
            whole.iter().enumerate().filter(|(at, _)| *at != cut).map(|(_, range)| range.end - range.start).product::<u64>() * width;
        let room = self.context.limits.memory_bytes / 2 / self.context.limits.threads.max(1) as u64;
        let step = (room / per.max(1) / chunks[cut]).max(1) * chunks[cut];
        (0..shape[cut].div_ceil(step))
            .map(|part| {
                let mut ranges = whole.clone();
                ranges[cut] = part * step..((part + 1) * step).min(shape[cut]);
                job(ranges)
            })
            .collect()
    }

    async fn job(&self, job: Job, batch: u32, number: u64, opened: &[Opened]) -> Result<Result<Written, (usize, GridError)>, StageError> {
        let append = self.grid.append_name().to_owned();
        let axis = job.array.dimensions().ok().and_then(|names| names.iter().position(|name| *name == append)).unwrap_or_default();
        let rows = job.ranges[axis].clone();
        let written: BTreeSet<u64> = opened
            .iter()
            .flat_map(|opened| &opened.file.places)
            .flat_map(|place| place.to.max(rows.start)..(place.to + place.count).min(rows.end))
            .collect();
        let published = rows.start..rows.end.min(self.planned.before);
        // A row that a file leaves is masked only if that file is in.
        let stays = |row: &u64| self.planned.left.get(row).is_some_and(|key| opened.iter().all(|opened| opened.file.key != *key));
        let masked = |row: u64| self.planned.state.rows.owners.get(row as usize).is_some_and(Option::is_none) && !stays(&row);
        let kept: BTreeSet<u64> = published.clone().filter(|row| !written.contains(row) && !masked(*row)).collect();
        let old = if kept.is_empty() { Vec::new() } else { self.published_chunks(&job).await? };

        let files: Vec<(Arc<dyn Reader + Send + Sync>, Vec<crds::wire::Place>)> =
            opened.iter().map(|opened| (Arc::clone(&opened.reader), opened.file.places.clone())).collect();
        let (grid, rules) = (Arc::clone(&self.grid), rules_of(self.context.document.compat));
        let made = tokio::task::spawn_blocking(move || {
            read::guarded(|| make(&job, &grid, rules, &append, &files, &old, &kept))
                .unwrap_or_else(|panic| Err((0, GridError::GaveUp(panic))))
                .map(|chunks| (job.name, chunks))
        });
        let (name, chunks) = match made.await {
            Ok(Ok(made)) => made,
            Ok(Err(culprit)) if opened.is_empty() => return Err(StageError::corrupt(".zmetadata", culprit.1)),
            Ok(Err(culprit)) => return Ok(Err(culprit)),
            Err(panicked) => return Err(StageError::corrupt("a chunk", panicked)),
        };
        let (mut staged, mut emptied) = (Vec::new(), Vec::new());
        for (at, (index, body)) in chunks.into_iter().enumerate() {
            let final_key = format!("{}/{name}/{}", self.context.folder(), chunk_key(&index));
            if let Some(body) = body {
                let object = number << 20 | at as u64;
                let staged_key = self.context.layout.staged(&self.context.run, batch, &self.context.nonce, object);
                let bytes = body.len() as u64;
                let etag = self.context.destination.put(&staged_key, body.into()).await?.etag;
                staged.push(StagedObject { final_key, staged_key, etag, rows: 0, bytes });
            } else if !published.is_empty()
                && let Some(head) = self.context.destination.head(&final_key).await?
            {
                emptied.push(PublishedObject { key: final_key, etag: head.etag, bytes: head.bytes });
            }
        }
        Ok(Ok((staged, emptied)))
    }

    /// The chunks of the store in a box, as they are; those that are not there say nothing.
    async fn published_chunks(&self, job: &Job) -> Result<Vec<(Vec<u64>, Vec<u8>)>, StageError> {
        let mut old = Vec::new();
        for index in indices(&job.ranges, &job.array.metadata.chunks) {
            let key = format!("{}/{}/{}", self.context.folder(), job.name, chunk_key(&index));
            if let Some(bytes) = self.context.destination.try_get(&key).await? {
                old.push((index, decode_chunk(&job.array.metadata, &bytes).map_err(|error| StageError::corrupt(&key, error))?));
            }
        }
        Ok(old)
    }
}

/// The chunks of a box.
fn indices(ranges: &[Range<u64>], chunks: &[u64]) -> Vec<Vec<u64>> {
    ranges.iter().zip(chunks).fold(vec![Vec::new()], |all, (range, &length)| {
        let along = range.start / length..range.end.div_ceil(length);
        all.into_iter().flat_map(|at: Vec<u64>| along.clone().map(move |index| [&at[..], &[index]].concat())).collect()
    })
}

type File = (Arc<dyn Reader + Send + Sync>, Vec<crds::wire::Place>);
/// A chunk's indices and its bytes; none for one that is all fill.
type Made = (Vec<u64>, Option<Vec<u8>>);

fn make(
    job: &Job,
    grid: &GridConfig,
    rules: Rules,
    append: &str,
    files: &[File],
    old: &[(Vec<u64>, Vec<u8>)],
    kept: &BTreeSet<u64>,
) -> Result<Vec<Made>, (usize, GridError)> {
    let ours = |error: GridError| (0, error);
    let mut window = Window::new(&job.name, &job.array, job.ranges.clone()).map_err(ours)?;
    for (index, raw) in old {
        window.keep(append, index, raw, |row| kept.contains(&row));
    }
    for (at, (reader, places)) in files.iter().enumerate() {
        let source = Source { reader: reader.as_ref(), places };
        window.put(&source, grid, rules).map_err(|error| (at, error))?;
    }
    let metadata = &job.array.metadata;
    let mut made = Vec::new();
    for index in window.chunks() {
        let raw = window.chunk(&index);
        let body = if metadata.fill != Fill::Null && is_all_fill(metadata, &raw) {
            None
        } else {
            Some(encode_chunk(metadata, &raw).map_err(|error| ours(error.into()))?)
        };
        made.push((index, body));
    }
    Ok(made)
}
