use crds::wire::{Class, Reason};

use crate::cf::CfError;
use crate::read::ReadError;
use crate::write::WriteError;

/// Why a file gives no rows: the message names variable and value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] CfError),
    #[error("time issues with the input file: {0}")]
    TimeDecode(CfError),
    #[error("time issues with the input file: {0}")]
    BadTime(String),
    #[error("time issues with the input file: variable {variable:?} has the year {year}, later than next year")]
    FutureTime { variable: String, year: i64 },
    #[error("dimension {0:?} is defined in schema but missing as a variable in dataset")]
    MissingDimensionVariable(String),
    #[error("{role} {name:?} is missing: {detail}")]
    MissingVariable { role: &'static str, name: String, detail: &'static str },
    #[error("{0}")]
    NoRows(String),
    #[error("partition column {0:?} has no value in any row")]
    EmptyPartitionColumn(String),
    #[error("column {column:?} cannot become {to}: {detail}")]
    CastFailed { column: String, to: String, detail: String },
    #[error("variable {0:?} is no number")]
    NotANumber(String),
    #[error("added variable {name:?} cannot be made: {detail}")]
    AddedVariable { name: String, detail: String },
    /// A defect of ours that this file brings to light: it must not stop the others.
    #[error("the conversion stopped: {0}")]
    GaveUp(String),
    #[error("handler {handler}: {detail}")]
    Shape { handler: &'static str, detail: String },
    /// What must be in memory at once is more than the file may have.
    #[error("converting this file needs {} MiB at once; raise the worker's memory limit (--memory)", needed.div_ceil(1 << 20))]
    TooLarge { needed: u64 },
    #[error("the file has {length} bytes and says that its rows take {needed}: no compression does that, the header must be damaged")]
    Incredible { length: u64, needed: u64 },
    #[error(
        "variable {variable:?} is stored in chunks of {} MiB, and half of what this file may take is less: raise the worker's memory limit (--memory) so that it has {} MiB",
        bytes.div_ceil(1 << 20), needed.div_ceil(1 << 20)
    )]
    ChunkTooLarge { variable: String, bytes: u64, needed: u64 },
    #[error("the table would have more rows than can be counted")]
    TooManyRows,
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl FileError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Read(error) => error.reason(),
            Self::Decode(error) => error.reason(),
            Self::TimeDecode(_) | Self::BadTime(_) => Reason::BadTime,
            Self::FutureTime { .. } => Reason::FutureTime,
            Self::MissingDimensionVariable(_) => Reason::MissingDimensionVariable,
            Self::MissingVariable { .. } => Reason::MissingVariable,
            Self::NoRows(_) => Reason::NoRows,
            Self::EmptyPartitionColumn(_) => Reason::EmptyPartitionColumn,
            Self::CastFailed { .. } | Self::NotANumber(_) | Self::AddedVariable { .. } => Reason::CastFailed,
            Self::Shape { .. } | Self::Incredible { .. } | Self::GaveUp(_) => Reason::UnreadableFile,
            Self::ChunkTooLarge { .. } => Reason::ChunkTooLarge,
            Self::TooLarge { .. } | Self::TooManyRows => Reason::MemoryBudgetExceeded,
            Self::Write(error) => error.reason(),
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}
