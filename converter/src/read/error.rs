use crds::wire::{Class, Reason};

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the file is empty (0 bytes)")]
    Empty,
    #[error("the file ends too early: {0}")]
    Truncated(String),
    #[error("neither NetCDF-3 nor NetCDF-4: the file starts with {0}")]
    NotNetcdf(String),
    #[error("the file cannot be opened: {0}")]
    Unreadable(String),
    #[error("variable {variable:?} cannot be read: {detail}")]
    Variable { variable: String, detail: String },
    #[error("variable {variable:?} cannot be read, the file ends too early: {detail}")]
    TruncatedVariable { variable: String, detail: String },
}

impl ReadError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::EmptyFile,
            Self::Truncated(_) | Self::TruncatedVariable { .. } => Reason::TruncatedFile,
            Self::NotNetcdf(_) => Reason::NotNetcdf,
            Self::Unreadable(_) | Self::Variable { .. } => Reason::UnreadableFile,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}
