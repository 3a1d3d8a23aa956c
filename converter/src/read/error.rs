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
    /// Row groups are counted from 1.
    #[error("column {column:?} cannot be read in row group {row_group}: {detail}")]
    Column { column: String, row_group: usize, detail: String },
    /// Right, but not to be had here.
    #[error("{0}")]
    Unsupported(String),
    #[error("variable {variable:?} cannot be read, the file ends too early: {detail}")]
    TruncatedVariable { variable: String, detail: String },
    #[error("line {line}{}: {detail}", column.as_ref().map(|name| format!(", column {name:?}")).unwrap_or_default())]
    Csv { line: u64, column: Option<String>, detail: String },
    #[error("line {line}, column {column:?}: {detail}")]
    CsvValue { line: u64, column: String, detail: String },
    #[error("{0}")]
    CsvColumns(String),
    #[error("scratch space (TMPDIR): {0}; give the worker more (scratchSize)")]
    Scratch(String),
    /// A column's type is not what the beginning of the file promised: it is to be opened again, looking at all of it.
    #[error("a column changes its type behind the beginning of the file")]
    Surprise,
    #[error(
        "a CSV file, and the config has no options for it; write `csv_config` with a `pandas_read_csv_config` or `polars_read_csv_config`"
    )]
    NoCsvConfig,
}

impl ReadError {
    /// Something wrong with a line of a CSV file.
    pub(crate) fn csv(line: u64, detail: String) -> Self {
        Self::Csv { line, column: None, detail }
    }

    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::EmptyFile,
            Self::Truncated(_) | Self::TruncatedVariable { .. } => Reason::TruncatedFile,
            Self::NotNetcdf(_) => Reason::NotNetcdf,
            Self::Scratch(_) => Reason::DiskFull,
            Self::Csv { .. } | Self::CsvColumns(_) => Reason::MalformedCsv,
            Self::CsvValue { .. } => Reason::CastFailed,
            Self::NoCsvConfig | Self::Unsupported(_) => Reason::UnsupportedFormat,
            Self::Surprise | Self::Unreadable(_) | Self::Variable { .. } | Self::Column { .. } => Reason::UnreadableFile,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}
