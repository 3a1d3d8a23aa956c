//! From an open file to Parquet objects: which rows there are, which columns, which partitions.

mod added;
mod broadcast;
mod cast;
mod column;
mod columns;
mod convert;
mod error;
mod estimate;
mod function;
mod handler;
mod input;
mod layout;
mod level;
mod levels;
mod notes;
mod partition;
mod python;
mod ragged;
mod rows;
mod scratch;
mod shape;
mod source;
mod spool;
mod tile;
mod time;
mod unpack;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::config::{DatasetConfig, Partition};
use crds::wire::{Compat, Reason};
use tokio::sync::Semaphore;

use crate::read::{self, Input, Reader};
use crate::source::FileName;
use input::TableInput;
use layout::Layout;

pub use error::FileError;

/// Converts the files of one dataset, one after another or on many threads at once.
#[derive(Clone, Debug)]
pub struct Conversion {
    config: Arc<DatasetConfig>,
    compat: Compat,
    current_year: i64,
}

/// A finished object of the dataset.
#[derive(Clone, Debug)]
pub struct ConvertedObject {
    /// Relative to the dataset's folder: `<k>=<v>/…/<stem>-0.parquet`.
    pub key: String,
    pub body: Input,
    pub rows: u64,
}

/// What the conversion of one file may use.
#[derive(Clone, Copy, Debug)]
pub struct Allowance<'a> {
    pub bytes: u64,
    pub threads: usize,
    /// Threads that may fall free while it is at work.
    pub spare: Option<&'a Semaphore>,
}

impl Allowance<'_> {
    /// Everything at once, on one thread.
    pub const UNBOUNDED: Self = Self::new(u64::MAX, 1);

    #[must_use]
    pub const fn new(bytes: u64, threads: usize) -> Self {
        Self { bytes, threads, spare: None }
    }

    /// Bytes of one object above which it goes to a scratch file.
    fn object_bytes(self) -> u64 {
        (self.bytes / 8).clamp(1 << 20, 64 << 20)
    }
}

/// Takes each object as soon as it is complete.
pub type Sink<'a> = dyn FnMut(ConvertedObject) -> Result<(), FileError> + 'a;

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
    content: Content,
    /// Bytes of the file.
    length: u64,
    /// Those of them that are in memory.
    in_memory: u64,
}

enum Content {
    Variables(Box<dyn Reader + Send>),
    Table(TableInput),
}

impl OpenFile {
    /// A file of this many bytes that something else has opened and holds.
    #[must_use]
    pub fn new(reader: Box<dyn Reader + Send>, length: u64) -> Self {
        Self { content: Content::Variables(reader), length, in_memory: length }
    }
}

impl Conversion {
    /// `now` decides what "later than next year" means; the clock is never read.
    #[must_use]
    pub fn new(config: &Arc<DatasetConfig>, compat: Compat, now: jiff::Timestamp) -> Self {
        let current_year = i64::from(now.to_zoned(jiff::tz::TimeZone::UTC).year());
        Self { config: Arc::clone(config), compat, current_year }
    }

    fn is_fixed(&self) -> bool {
        self.compat == Compat::Fixed
    }

    /// Reads a file's header. Its name's suffix tells tables (`.csv`, `.parquet`) from NetCDF.
    ///
    /// # Errors
    /// When the content is no NetCDF file, or a broken one.
    pub fn open(&self, name: &FileName, input: impl Into<Input>) -> Result<OpenFile, FileError> {
        let input = input.into();
        let (length, in_memory) = (input.len(), input.in_memory());
        let content = match TableInput::of(&name.basename, input) {
            Ok(table) => Content::Table(table),
            Err(input) => Content::Variables(read::open(input)?),
        };
        Ok(OpenFile { content, length, in_memory })
    }

    /// Memory the conversion of a file takes when all its rows are in memory at once, its own bytes
    /// included. With less it goes through the file in parts.
    #[must_use]
    pub fn memory_of(&self, name: &FileName, file: &OpenFile) -> u64 {
        let reader = match &file.content {
            Content::Variables(reader) => reader,
            Content::Table(table) => return table.memory().saturating_add(file.in_memory),
        };
        let layout = read::guarded(|| Layout::of(reader.as_ref(), &self.config, self.compat, &name.key));
        // A file without rows is found out by its conversion.
        let rows = layout.ok().and_then(Result::ok).map_or(0, |layout| estimate::bytes(reader.as_ref(), &self.config, &layout));
        rows.saturating_add(file.in_memory)
    }

    /// Converts a file.
    ///
    /// # Errors
    /// When the file gives no rows; its reason and message say why. Nothing of it may be published
    /// then, whatever the sink was given.
    pub fn convert(&self, name: &FileName, file: &OpenFile, allowance: Allowance, sink: &mut Sink) -> Result<FileReport, FileError> {
        read::guarded(|| convert::run(self, name, file, allowance, sink)).unwrap_or_else(|panic| Err(FileError::GaveUp(panic)))
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
