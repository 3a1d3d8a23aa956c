//! A batch of a grid: the chunks that this batch alone writes, whole, from the rows of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crds::config::GridConfig;
use crds::wire::{Batch, Compat, FileRecord, Outcome, Plan, PlannedFile, PlannedGrid, PublishedObject, Reason, StagedObject};
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;

use super::boxes;
use super::chunks::{File, Job, Published, Stop, make};
use super::crumb::{Crumbs, forget_crumb, quarantined};
use super::file::{fetch, record};
use super::staging::{Unstaged, stage_all};
use super::workers::Workers;
use crate::context::Context;
use crate::error::StageError;
use crate::failpoint::FailPoint;
use crate::grid::{self, Axes, GridError, Source, is_own, row_chunk, static_window};
use crate::read::{self, Reader, Unpacked};
use crate::store::Body;
use crate::zarr::{Array, ArrayMetadata, chunk_key, chunks_of, parse_zmetadata};

/// What the caches of inflated chunks of all open files may hold: little, since boxes have edges of chunks, or the chunks
/// are unpacked.
const CACHES: u64 = 16 << 20;
/// The number of the first object that is staged only to see whether it can be made.
const TRIED: u64 = 1 << 30;

/// What a batch gives its manifest.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub files: Vec<FileRecord>,
    pub chunks: Vec<StagedObject>,
    pub emptied: Vec<PublishedObject>,
}

pub(super) struct Opened {
    pub file: PlannedFile,
    reader: Arc<dyn Reader + Send + Sync>,
    axes: Arc<Axes>,
    /// Shapes of the chunks that its variables are stored in.
    chunks: OnceLock<Vec<Option<Vec<usize>>>>,
}

impl Opened {
    fn chunk(&self, index: usize) -> Option<&[usize]> {
        let chunk = self.chunks.get_or_init(|| self.reader.chunks()).get(index)?.as_deref();
        chunk.filter(|chunk| !chunk.contains(&0))
    }

    /// The rows of the file that go to rows of the store.
    fn rows_in<'a>(&'a self, rows: &'a Range<u64>) -> impl Iterator<Item = Range<usize>> + 'a {
        let inside = self.file.places.iter().filter_map(|place| place.within(rows));
        inside.map(|place| place.from as usize..(place.from + place.count) as usize)
    }
}

/// # Errors
/// Store trouble; a plan that cannot be read. What is wrong with a file stands in its record: the chunks are
/// then made without it.
pub(super) async fn convert(context: &Context, plan: &Plan, batch: Batch) -> Result<Converted, StageError> {
    let work = Work::of(context, plan).await?;
    let mut converted = Converted::default();
    let mut opened = Vec::new();
    let batch = if context.failures == 0 { batch } else { work.without_guilty(batch, &mut converted.files).await? };
    // All files of the batch are open at once, so each has its share.
    let at_once = batch.files.len();
    let mut opening = futures::stream::iter(batch.files).map(|file| work.open(file, at_once)).buffered(context.limits.threads + 2);
    while let Some(file) = opening.try_next().await? {
        match file {
            Ok(file) => opened.push(file),
            Err(record) => converted.files.push(record),
        }
    }
    let mut object = 0;
    loop {
        match work.write(&batch.chunks, batch.index, &opened, &mut object).await? {
            Ok(written) => {
                (converted.chunks, converted.emptied) = (written.staged, written.emptied);
                let changed = changed(context, &opened).await?;
                if changed.is_empty() {
                    break;
                }
                for at in changed.into_iter().rev() {
                    converted.files.push(changed_meanwhile(&opened.remove(at).file));
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

/// Files that are another version now than the one that was planned, by position.
pub(super) async fn changed(context: &Context, opened: &[Opened]) -> Result<Vec<usize>, StageError> {
    let mut changed = Vec::new();
    for (at, Opened { file, .. }) in opened.iter().enumerate() {
        let (store, key) = context.source.locate(&file.key)?;
        if !store.still(key, &file.etag).await? {
            changed.push(at);
        }
    }
    Ok(changed)
}

/// What became of chunks.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub staged: Vec<StagedObject>,
    /// Those that are published and say nothing any more.
    pub emptied: Vec<PublishedObject>,
    /// Of all of them, and of those that never said anything.
    pub keys: Vec<String>,
}

pub(super) fn changed_meanwhile(file: &PlannedFile) -> FileRecord {
    record(file, Outcome::Skipped, Some(Reason::ChangedDuringRead), Some("it changed while it was read".to_owned()))
}

pub(super) struct Work<'a> {
    context: &'a Context,
    grid: Arc<GridConfig>,
    pub planned: Arc<PlannedGrid>,
    coordinates: Arc<BTreeMap<String, Vec<f64>>>,
    arrays: BTreeMap<String, Arc<Array>>,
    workers: Workers,
}

impl<'a> Work<'a> {
    pub async fn of(context: &'a Context, plan: &Plan) -> Result<Self, StageError> {
        let Some(key) = &plan.grid else { return Err(StageError::corrupt("plan.json", "a grid without its state")) };
        let mut planned: PlannedGrid =
            serde_json::from_slice(&context.destination.get(key).await?).map_err(|source| StageError::corrupt(key, source))?;
        // Whether a row has an owner is all that matters here.
        (planned.state.rows.files, planned.state.rows.rivals) = (Vec::new(), BTreeMap::new());
        let (_, arrays) = parse_zmetadata(planned.state.metadata.as_bytes()).map_err(|source| StageError::corrupt(key, source))?;
        let grid = context.config.grid.clone().map(Arc::new);
        let grid = grid.ok_or_else(|| StageError::Config("the config describes no grid".to_owned()))?;
        let coordinates = Arc::new(std::mem::take(&mut planned.state.coordinates));
        let arrays = arrays.into_iter().map(|(name, array)| (name, Arc::new(array))).collect();
        let planned = Arc::new(planned);
        Ok(Self { context, grid, planned, coordinates, arrays, workers: Workers::start(context.limits.threads.max(1))? })
    }

    /// Rows of one chunk.
    pub fn row_chunk(&self) -> u64 {
        row_chunk(self.arrays.iter().map(|(name, array)| (name, array.as_ref())), self.grid.append_name())
    }

    /// A retry: each file is first gone through alone, a breadcrumb before it, so that whatever kills the process is found.
    async fn without_guilty(&self, batch: Batch, refused: &mut Vec<FileRecord>) -> Result<Batch, StageError> {
        let crumbs = Crumbs::read(self.context, batch.index).await?;
        let rows = self.row_chunk();
        let mut files = Vec::new();
        for file in batch.files {
            if crumbs.convict(&file.key) {
                refused.push(quarantined(&file));
                continue;
            }
            crumbs.drop_at(self.context, &file.key).await?;
            self.context.fail.pass(FailPoint::ConvertCrumb).await?;
            let chunks: BTreeSet<u64> = file.places.iter().flat_map(|place| place.chunks(rows)).collect();
            let chunks: Vec<u64> = chunks.into_iter().collect();
            // What is wrong with it is told when all of the batch is made.
            if let Ok(opened) = self.open(file.clone(), 1).await? {
                let _ = self.write(&chunks, batch.index, &[opened], &mut TRIED.clone()).await?;
            }
            files.push(file);
        }
        forget_crumb(self.context, batch.index).await?;
        Ok(Batch { files, ..batch })
    }

    /// Opens a file, one of `at_once`, and holds what it has without time against the store.
    pub async fn open(&self, file: PlannedFile, at_once: usize) -> Result<Result<Opened, FileRecord>, StageError> {
        let context = self.context;
        let at_once = at_once.max(1) as u64;
        let in_memory = context.limits.memory_bytes / 8 / at_once;
        let input = match fetch(context, &file, in_memory).await? {
            Ok(input) => input,
            Err(record) => return Ok(Err(record)),
        };
        context.tally.bytes.fetch_add(input.len(), Ordering::Relaxed);
        let (grid, coordinates, rules) = (Arc::clone(&self.grid), Arc::clone(&self.coordinates), grid::rules(context.document.compat));
        // The incumbent never looked at them again.
        let statics: Vec<(String, Arc<Array>, String)> = if context.document.compat == Compat::Incumbent {
            Vec::new()
        } else {
            let known = self.planned.state.statics.iter();
            known.filter_map(|(name, digest)| Some((name.clone(), Arc::clone(self.arrays.get(name)?), digest.clone()))).collect()
        };
        // Those of a new store are staged only.
        let (store, runtime, folder, planned) =
            (context.destination.clone(), Handle::current(), context.folder(), Arc::clone(&self.planned));
        let known = move |name: &str, chunk: &[u64]| {
            let key = format!("{folder}/{name}/{}", chunk_key(chunk));
            let staged = planned.statics.iter().find(|object| object.final_key == key);
            runtime.block_on(store.try_get(staged.map_or(&key, |object| &object.staged_key))).ok().flatten()
        };
        let cache = in_memory.min(CACHES / at_once) as usize;
        let opening = self.workers.run(move || {
            let reader: Arc<dyn Reader + Send + Sync> = Arc::from(read::open_with(input, cache)?);
            let axes = Axes::of(reader.as_ref(), &grid, rules.compat, &coordinates)?;
            let source = Source { reader: reader.as_ref(), axes: &axes, places: &[] };
            for (name, array, digest) in statics.iter().filter(|(name, ..)| reader.position(name).is_some()) {
                let window = static_window(name, array, &source, &grid, rules)?;
                if window.digest() != *digest {
                    let detail = window.difference(&|chunk| known(name, chunk)).map(|detail| format!(": {detail}"));
                    return Err(GridError::StaticChanged { variable: name.clone(), detail: detail.unwrap_or_default() });
                }
            }
            Ok((reader, Arc::new(axes)))
        });
        let opened = opening.await.unwrap_or_else(|panic| Err(GridError::GaveUp(panic)));
        Ok(match opened {
            Ok((reader, axes)) => Ok(Opened { file, reader, axes, chunks: OnceLock::new() }),
            Err(error) => Err(record(&file, Outcome::Failed, Some(error.reason()), Some(error.to_string()))),
        })
    }

    /// Writes all chunks of the batch, or names the file that does not let it.
    pub async fn write(
        &self,
        chunks: &[u64],
        batch: u32,
        opened: &[Opened],
        object: &mut u64,
    ) -> Result<Result<Written, (usize, GridError)>, StageError> {
        let mut jobs = Vec::new();
        for (name, array) in &self.arrays {
            let append = self.grid.append_name();
            let Some(axis) = array.axis(append).filter(|_| !is_own(name, append)) else { continue };
            jobs.extend(self.jobs(name, array, axis, chunks, opened)?);
        }
        let mut all = Written::default();
        let first = *object;
        *object += jobs.len() as u64;
        // One more than can be at work: while the chunks of one are stored, another has the processor.
        let at_once = self.context.limits.threads.max(1) + 1;
        let mut done = futures::stream::iter(jobs.into_iter().zip(first..))
            .map(|(job, number)| self.job(job, batch, number, opened))
            .buffer_unordered(at_once);
        while let Some(written) = done.try_next().await? {
            match written {
                Ok(more) => {
                    all.staged.extend(more.staged);
                    all.emptied.extend(more.emptied);
                    all.keys.extend(more.keys);
                }
                Err(culprit) => return Ok(Err(culprit)),
            }
        }
        all.staged.sort_by(|one: &StagedObject, two| one.final_key.cmp(&two.final_key));
        Ok(Ok(all))
    }

    /// The boxes of one array.
    fn jobs(&self, name: &str, array: &Arc<Array>, axis: usize, chunks: &[u64], opened: &[Opened]) -> Result<Vec<Job>, StageError> {
        let dimensions = array.dimensions().map_err(|error| StageError::corrupt(name, error))?;
        // Those of one file: the others of a batch are mostly alike.
        let source = opened.iter().find_map(|opened| {
            let index = opened.reader.position(name)?;
            let of = &opened.reader.variables()[index].dimensions;
            let names: Vec<&str> = of.iter().map(|&dimension| opened.reader.dimensions()[dimension].name.as_str()).collect();
            let lengths: BTreeMap<&str, u64> =
                names.iter().copied().zip(opened.chunk(index)?.iter().map(|&length| length as u64)).collect();
            (names.first() == dimensions.get(axis)).then_some(lengths)
        });
        let along = |at: usize| source.as_ref().and_then(|source| source.get(dimensions[at])).copied().unwrap_or(1);
        let lengths: Vec<u64> = (0..dimensions.len()).map(along).collect();
        let metadata = &array.metadata;
        let steps = boxes::steps(metadata, axis, &lengths, self.room(name, metadata)?);
        let boxes: Vec<Vec<Range<u64>>> = chunks.iter().flat_map(|&chunk| boxes::boxes(metadata, axis, chunk, &steps)).collect();
        let cut = boxes::are_cut(metadata, axis, &lengths, &steps);
        let piece = Unpacked::piece(self.context.limits.memory_bytes);
        let several = source.is_some() && (cut || lengths[axis] > 1);
        let unpacked =
            Arc::new(opened.iter().map(|file| if several { shared(file, name, axis, &boxes, cut, piece) } else { None }).collect());
        let job = |ranges| Job { name: name.to_owned(), array: Arc::clone(array), ranges, unpacked: Arc::clone(&unpacked) };
        Ok(boxes.into_iter().map(job).collect())
    }

    /// What a box may take; refused where memory does not hold one chunk.
    fn room(&self, name: &str, metadata: &ArrayMetadata) -> Result<u64, StageError> {
        let (needed, half) = (boxes::needed(metadata), self.context.limits.memory_bytes / 2);
        if needed > half {
            let message = format!(
                "a chunk of {name:?} has {:?} values and needs {} MiB at once, half of the memory is less; raise the worker's \
                 memory limit (--memory) to {} MiB, or write smaller chunks",
                metadata.chunks,
                needed.div_ceil(1 << 20),
                needed.saturating_mul(2).div_ceil(1 << 20)
            );
            return Err(StageError::Config(message));
        }
        Ok(half / self.context.limits.threads.max(1) as u64)
    }

    async fn job(&self, job: Job, batch: u32, number: u64, opened: &[Opened]) -> Result<Result<Written, (usize, GridError)>, StageError> {
        let append = self.grid.append_name().to_owned();
        let axis = job.array.axis(&append).unwrap_or_default();
        let rows = job.ranges[axis].clone();
        let (all_rows, unpacked) = (rows.clone(), Arc::clone(&job.unpacked));
        let written: BTreeSet<u64> = opened
            .iter()
            .flat_map(|opened| &opened.file.places)
            .filter_map(|place| place.within(&rows))
            .flat_map(|place| place.rows())
            .collect();
        let published = rows.start < self.planned.before;
        // A row that a file leaves is masked only if that file is in.
        let masked = |row: u64| match self.planned.left.get(&row) {
            Some(key) => opened.iter().any(|opened| opened.file.key == *key),
            None => self.planned.gone.contains(&row) || self.planned.state.rows.owners.get(row as usize).is_some_and(Option::is_none),
        };
        let stays = rows.filter(|row| !written.contains(row) && !masked(*row));
        let kept: Vec<(u64, u64)> = stays.filter_map(|row| Some((self.planned.origin(row)?, row))).collect();
        let old = self.published_chunks(&job, axis, &kept);

        let files: Vec<File> =
            opened.iter().map(|opened| (Arc::clone(&opened.reader), Arc::clone(&opened.axes), opened.file.places.clone())).collect();
        let (grid, rules) = (Arc::clone(&self.grid), grid::rules(self.context.document.compat));
        let (store, runtime) = (self.context.destination.clone(), Handle::current());
        let made = self.workers.run(move || {
            // One chunk of the store at a time: rows that are moved come out of many.
            let get = |key: &str| Ok(runtime.block_on(store.try_get(key))?);
            let published = Published { chunks: &old, rows: &kept, get: &get };
            make(&job, &grid, rules, &append, &files, &published).map(|chunks| (job.name, chunks))
        });
        let made = made.await;
        for (opened, unpacked) in opened.iter().zip(unpacked.iter()) {
            let Some(unpacked) = unpacked else { continue };
            opened.rows_in(&all_rows).for_each(|rows| unpacked.release(&rows));
        }
        let (name, chunks) = match made {
            Ok(Ok(made)) => made,
            Ok(Err(Stop::File(at, error))) => return Ok(Err((at, error))),
            Ok(Err(Stop::Stage(error))) => return Err(error),
            Err(panic) => return Err(StageError::corrupt("a chunk", panic)),
        };
        let store = &self.context.destination;
        let (mut written, mut unstaged) = (Written::default(), Vec::new());
        for (at, (index, body)) in chunks.into_iter().enumerate() {
            let final_key = format!("{}/{name}/{}", self.context.folder(), chunk_key(&index));
            written.keys.push(final_key.clone());
            if let Some(body) = body {
                let object = number << 20 | at as u64;
                let staged_key = self.context.layout.staged(&self.context.run, batch, &self.context.nonce, object);
                unstaged.push(Unstaged { final_key, staged_key, rows: 0, body: Body::Memory(body.into()) });
            } else if published && let Some(head) = store.head(&final_key).await? {
                written.emptied.push(PublishedObject { key: final_key, etag: head.etag, bytes: head.bytes });
            }
        }
        written.staged = stage_all(store, unstaged).await?;
        Ok(Ok(written))
    }

    /// The chunks of the store that have the kept rows of a box, with their keys.
    fn published_chunks(&self, job: &Job, axis: usize, kept: &[(u64, u64)]) -> Vec<(Vec<u64>, String)> {
        let length = job.array.metadata.chunks[axis];
        let along: BTreeSet<u64> = kept.iter().map(|(from, _)| from / length).collect();
        let boxes = along.into_iter().map(|chunk| {
            let mut ranges = job.ranges.clone();
            ranges[axis] = chunk * length..(chunk + 1) * length;
            ranges
        });
        let chunks = boxes.flat_map(|ranges| chunks_of(&ranges, &job.array.metadata.chunks).collect::<Vec<_>>());
        let keyed = |index: Vec<u64>| {
            let key = format!("{}/{}/{}", self.context.folder(), job.name, chunk_key(&index));
            (index, key)
        };
        chunks.map(keyed).collect()
    }
}

/// A file's variable, if chunks of it lie in more than one of the boxes. `cut` says that some lie across their edges.
fn shared(file: &Opened, name: &str, axis: usize, boxes: &[Vec<Range<u64>>], cut: bool, piece: usize) -> Option<Unpacked> {
    let index = file.reader.position(name)?;
    let chunk = file.chunk(index)?;
    let parts: Vec<Range<usize>> = boxes.iter().flat_map(|ranges| file.rows_in(&ranges[axis])).collect();
    let rows: BTreeSet<(usize, usize)> = parts.iter().map(|rows| (rows.start, rows.end)).collect();
    let across = rows.iter().zip(rows.iter().skip(1)).any(|((_, end), (start, _))| (end - 1) / chunk[0] == start / chunk[0]);
    if cut || across { Unpacked::new(file.reader.as_ref(), index, chunk, &parts, piece) } else { None }
}
