//! The chunks of one box of an array: rows of files, over what the store has there already.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use crds::config::GridConfig;
use crds::wire::Place;

use crate::cf::Rules;
use crate::error::StageError;
use crate::grid::{Axes, GridError, Source, Window};
use crate::read::{self, Reader, Unpacked, WithUnpacked};
use crate::zarr::Array;

/// One box of one array.
pub(super) struct Job {
    pub name: String,
    pub array: Arc<Array>,
    pub ranges: Vec<Range<u64>>,
    /// Of each file whose chunks other boxes lie in too: its variable, inflated once for all of them.
    pub unpacked: Arc<Vec<Option<Unpacked>>>,
}

/// A file, open, with where its rows go.
pub(super) type File = (Arc<dyn Reader + Send + Sync>, Arc<Axes>, Vec<Place>);
/// A chunk's indices and its bytes; none for one that is all fill.
pub(super) type Made = (Vec<u64>, Option<Vec<u8>>);

/// What stopped the making of chunks: a file, or the store.
pub(super) enum Stop {
    File(usize, GridError),
    Stage(StageError),
}

/// What a box keeps of the store: rows, each with where it goes, and the chunks that they are in.
pub(super) struct Published<'a> {
    pub chunks: &'a [(Vec<u64>, String)],
    pub rows: &'a [(u64, u64)],
    pub get: &'a dyn Fn(&str) -> Result<Option<Bytes>, StageError>,
}

/// Makes all chunks of the box.
///
/// # Errors
/// The first file that does not let it; trouble with the store.
pub(super) fn make(
    job: &Job,
    grid: &GridConfig,
    rules: Rules,
    append: &str,
    files: &[File],
    published: &Published<'_>,
) -> Result<Vec<Made>, Stop> {
    let ours = |error: GridError| Stop::Stage(StageError::corrupt("a chunk", error));
    let mut window = Window::new(&job.name, &job.array, job.ranges.clone()).map_err(ours)?;
    for (index, key) in published.chunks {
        // One that is not there says nothing.
        let Some(bytes) = (published.get)(key).map_err(Stop::Stage)? else { continue };
        let kept = window.keep(append, index, &bytes, published.rows.iter().copied());
        kept.map_err(|error| Stop::Stage(StageError::corrupt(key, error)))?;
    }
    for (at, (reader, axes, places)) in files.iter().enumerate() {
        let unpacked = job.unpacked.get(at).and_then(Option::as_ref);
        let held = unpacked.map(|unpacked| WithUnpacked { reader: reader.as_ref(), unpacked: std::slice::from_ref(unpacked) });
        let reader: &dyn Reader = held.as_ref().map_or(reader.as_ref(), |held| held);
        let source = Source { reader, axes, places };
        let put = read::guarded(|| window.put(&source, grid, rules)).unwrap_or_else(|panic| Err(GridError::GaveUp(panic)));
        put.and_then(|()| window.check_texts()).map_err(|error| Stop::File(at, error))?;
    }
    let mut made = Vec::new();
    for index in window.chunks() {
        let object = window.object(&index).map_err(|error| ours(error.into()))?;
        made.push((index, object));
    }
    Ok(made)
}
