use crds::wire::{Class, Reason};

/// Why rows cannot be encoded. Nothing a file holds should lead here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows cannot be encoded: {0}")]
pub struct WriteError(String);

impl WriteError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        Reason::UnreadableFile
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}

impl From<parquet::errors::ParquetError> for WriteError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self(error.to_string())
    }
}

impl From<arrow_schema::ArrowError> for WriteError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self(error.to_string())
    }
}
