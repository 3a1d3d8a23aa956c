use crds::wire::{Class, Reason};

/// Why rows cannot be written to an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Nothing a file holds should lead here.
    #[error("the rows cannot be encoded: {0}")]
    Encode(String),
    #[error("scratch space (TMPDIR): {0}")]
    Scratch(String),
}

impl WriteError {
    pub(crate) fn scratch(error: impl std::fmt::Display) -> Self {
        Self::Scratch(error.to_string())
    }

    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Encode(_) => Reason::UnreadableFile,
            Self::Scratch(_) => Reason::DiskFull,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}

impl From<parquet::errors::ParquetError> for WriteError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(inner) if inner.is::<std::io::Error>() => Self::Scratch(inner.to_string()),
            other => Self::Encode(other.to_string()),
        }
    }
}

impl From<arrow_schema::ArrowError> for WriteError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Encode(error.to_string())
    }
}
