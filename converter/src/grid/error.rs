use crds::wire::{Class, Reason};

use crate::cf::CfError;
use crate::read::ReadError;
use crate::zarr::ZarrError;

/// Why a file does not go into a grid: the message names the variable or dimension, and the numbers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] CfError),
    #[error("{0}")]
    Times(String),
    #[error("dimension {0:?} has no variable of its name that says where its positions are")]
    MissingCoordinate(String),
    #[error("{name:?} is missing: {detail}")]
    MissingVariable { name: String, detail: &'static str },
    #[error("{0}")]
    Mismatch(String),
    #[error("variable {variable:?} cannot become {to}: {detail}")]
    Cast { variable: String, to: String, detail: String },
    #[error("none of the variables in `schema` is in the file")]
    NoVariables,
    #[error(
        "variable {variable:?} has no time, and differs from that of the store{detail}; what changes from file to file must have the time \
         as a dimension, or be left out (`drop_var: true`)"
    )]
    StaticChanged { variable: String, detail: String },
    /// A file of another site has the same time.
    #[error("{0}; give each site a dataset of its own, or leave one out with a filter")]
    TimeConflict(String),
    #[error("{0}")]
    Store(#[from] ZarrError),
    #[error("the conversion stopped: {0}")]
    GaveUp(String),
}

impl GridError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Read(error) => error.reason(),
            Self::Decode(error) => error.reason(),
            Self::Times(_) => Reason::BadTime,
            Self::MissingCoordinate(_) => Reason::MissingDimensionVariable,
            Self::MissingVariable { .. } | Self::NoVariables => Reason::MissingVariable,
            Self::Mismatch(_) => Reason::GridMismatch,
            Self::StaticChanged { .. } => Reason::StaticChanged,
            Self::TimeConflict(_) => Reason::TimeConflict,
            Self::Cast { .. } => Reason::CastFailed,
            Self::Store(_) => Reason::StateCorrupt,
            Self::GaveUp(_) => Reason::UnreadableFile,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}
