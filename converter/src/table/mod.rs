//! From an open file to Parquet objects: which rows there are, which columns, which partitions.

mod added;
mod cast;
mod column;
mod convert;
mod error;
mod estimate;
mod layout;
mod level;
mod partition;
mod python;
mod shape;
mod source;
mod tile;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use crds::config::{DatasetConfig, Partition};
use crds::wire::{Compat, Reason};

use crate::read::{self, Reader};

pub use error::FileError;

/// Converts the files of one dataset, one after another or on many threads at once.
#[derive(Clone, Debug)]
pub struct Conversion {
    config: Arc<DatasetConfig>,
    compat: Compat,
    current_year: i64,
}

/// A finished object of the dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertedObject {
    /// Relative to the dataset's folder: `<k>=<v>/…/<basename>-0.parquet`.
    pub key: String,
    pub body: Bytes,
    pub rows: u64,
}

/// What became of a file's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Rows in the objects.
    pub rows: u64,
    /// Rows that are in no object.
    pub rows_left_out: BTreeMap<Reason, u64>,
    /// Things worth saying that cost no rows.
    pub notes: Vec<String>,
}

/// A file whose header has been read.
pub struct OpenFile {
    reader: Box<dyn Reader + Send>,
    bytes: usize,
}

impl OpenFile {
    /// A file that something else has opened; `bytes` is what it takes in memory.
    #[must_use]
    pub fn new(reader: Box<dyn Reader + Send>, bytes: usize) -> Self {
        Self { reader, bytes }
    }
}

impl Conversion {
    /// `now` decides what "later than next year" means; the clock is never read.
    #[must_use]
    pub fn new(config: &Arc<DatasetConfig>, compat: Compat, now: jiff::Timestamp) -> Self {
        let current_year = i64::from(now.to_zoned(jiff::tz::TimeZone::UTC).year());
        Self { config: Arc::clone(config), compat, current_year }
    }

    /// Reads a file's header.
    ///
    /// # Errors
    /// When the content is no NetCDF file, or a broken one.
    pub fn open(&self, bytes: Bytes) -> Result<OpenFile, FileError> {
        let length = bytes.len();
        Ok(OpenFile { reader: read::open(bytes)?, bytes: length })
    }

    /// Memory the conversion of a file takes at most, its own bytes included.
    ///
    /// # Errors
    /// When the header cannot be read.
    pub fn memory_needed(&self, bytes: &Bytes) -> Result<u64, FileError> {
        Ok(self.memory_of(&self.open(bytes.clone())?))
    }

    /// The same, of a file whose header has been read.
    #[must_use]
    pub fn memory_of(&self, file: &OpenFile) -> u64 {
        estimate::bytes(file.reader.as_ref(), &self.config, self.compat).saturating_add(file.bytes as u64)
    }

    /// Converts a file: each object goes to `sink` as soon as it is complete.
    ///
    /// # Errors
    /// When the file gives no rows; its reason and message say why. Nothing of it may be published
    /// then, whatever the sink was given.
    pub fn convert(&self, basename: &str, bytes: Bytes, sink: &mut dyn FnMut(ConvertedObject)) -> Result<FileReport, FileError> {
        self.convert_open(basename, &self.open(bytes)?, sink)
    }

    /// The same, of a file whose header has been read.
    ///
    /// # Errors
    /// As [`Conversion::convert`].
    pub fn convert_open(&self, basename: &str, file: &OpenFile, sink: &mut dyn FnMut(ConvertedObject)) -> Result<FileReport, FileError> {
        read::guarded(|| convert::run(self, basename, file.reader.as_ref(), sink)).unwrap_or_else(|panic| Err(FileError::GaveUp(panic)))
    }

    /// The item that makes the time slices: the last one, as the incumbent has it.
    fn time_partition(&self) -> Option<&Partition> {
        self.config.partitioning.iter().rev().find(|p| matches!(p, Partition::Time { .. }))
    }

    /// The item that makes the tiles: the first one.
    fn tile_partition(&self) -> Option<&Partition> {
        self.config.partitioning.iter().find(|p| matches!(p, Partition::Tile { .. }))
    }
}
