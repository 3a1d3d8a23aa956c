/// Why a Zarr document or a chunk cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZarrError {
    /// Text that is not JSON, not even Python's. Lines and columns count from 1, columns in characters.
    #[error("not JSON at line {line}, column {column}: {detail}")]
    Json { line: usize, column: usize, detail: String },
    /// JSON that is no document of this format, or one with a feature that is not supported.
    #[error("{0}")]
    Document(String),
    /// The same, within one array of a consolidated document.
    #[error("array {name:?}: {source}")]
    Array { name: String, source: Box<ZarrError> },
    #[error("chunk: {0}")]
    Chunk(String),
}

impl ZarrError {
    pub(super) fn document(detail: impl Into<String>) -> Self {
        Self::Document(detail.into())
    }

    pub(super) fn chunk(detail: impl Into<String>) -> Self {
        Self::Chunk(detail.into())
    }

    pub(super) fn within(self, array: &str) -> Self {
        Self::Array { name: array.to_owned(), source: Box::new(self) }
    }
}
