//! What a plan reads of the files of a grid: their headers.

use std::sync::Arc;

use crds::config::GridConfig;
use crds::wire::{FileRecord, OtherFile, Outcome, Owner, PlannedFile};
use futures::{StreamExt, TryStreamExt};

use super::candidates::Candidate;
use super::survey::Survey;
use crate::context::Context;
use crate::convert::{peek, unread};
use crate::error::StageError;
use crate::grid::{GridError, Header, Incoming, Sites};
use crate::read;

/// Headers that are read at once.
const AT_ONCE: usize = 8;
/// A file whose header has been read.
pub(super) struct Known {
    pub candidate: Candidate,
    pub header: Header,
}

impl Known {
    pub fn incoming(&self, sites: &mut Sites) -> Incoming {
        let owner = Owner { site: sites.number(&self.header.site), ..self.candidate.owner() };
        Incoming { owner, times: self.header.times.clone() }
    }
}

pub(super) fn refused(file: &PlannedFile, error: &GridError) -> OtherFile {
    let (reason, message) = (Some(error.reason()), Some(error.to_string()));
    OtherFile { reason, message, ..OtherFile::new(&file.key, &file.etag, Outcome::Failed) }
}

/// Reads the header of each file; what has none is turned away.
pub(super) async fn read_headers(
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
pub(super) async fn look<T: Send + 'static>(
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

/// What became of a file that could not be fetched.
fn turned(record: FileRecord) -> OtherFile {
    let FileRecord { key, etag, outcome, reason, message, .. } = record;
    OtherFile { reason, message, ..OtherFile::new(&key, &etag, outcome) }
}
