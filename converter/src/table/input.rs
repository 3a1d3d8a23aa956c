//! Files that are tables already: which reader, and which of their columns.

use crds::config::{DatasetConfig, Function, Mode, Source};

use super::{Allowance, FileError};
use crate::read::csv::Look;
use crate::read::{Input, ReadError, TableLimits, TableReader, csv, parquet};

/// A table that can be gone through more than once.
pub(super) enum TableInput {
    Csv(Input),
    Parquet(Input),
}

/// Decoded bytes for each byte of a text, at most about.
const WIDENING: u64 = 4;
const WORKING: u64 = 16 << 20;
/// Of a file much longer than this, columns' types are guessed by so many bytes.
const BEGINNING: u64 = 8 << 20;

impl TableInput {
    /// The table a file holds by its name; the input itself when it is none.
    pub(super) fn of(basename: &str, input: Input) -> Result<Self, Input> {
        let suffix = basename.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase());
        match suffix.as_deref() {
            Some("csv") => Ok(Self::Csv(input)),
            Some("parquet") => Ok(Self::Parquet(input)),
            _ => Err(input),
        }
    }

    /// Memory beside the file itself with all rows at once.
    pub(super) fn memory(&self) -> u64 {
        let (Self::Csv(input) | Self::Parquet(input)) = self;
        input.len().saturating_mul(WIDENING).saturating_add(WORKING)
    }

    /// What tells the types of a CSV file's columns at first.
    pub(super) fn first_look(&self) -> Look {
        let (Self::Csv(input) | Self::Parquet(input)) = self;
        if input.len() > 4 * BEGINNING { Look::Beginning(BEGINNING) } else { Look::Whole }
    }

    /// Opens the table: batches of its rows take a quarter of what is allowed, all that are there at once.
    pub(super) fn open(&self, config: &DatasetConfig, allowance: Allowance, look: Look) -> Result<Box<dyn TableReader>, FileError> {
        let at_once = if allowance.threads > 1 { 3 } else { 1 };
        let limits = TableLimits { batch_bytes: (allowance.bytes / 4).min(self.memory()) / at_once, threads: allowance.threads };
        match self {
            Self::Csv(input) => {
                let options = config.csv.as_ref().ok_or(ReadError::NoCsvConfig)?;
                if config.mode == Mode::Aatams {
                    return Ok(Box::new(csv::open_packed(input.clone(), options, &config.schema, limits)?));
                }
                let schema = (!needs_all(config)).then_some(config.schema.as_slice());
                Ok(Box::new(csv::open(input.clone(), options, schema, limits, look)?))
            }
            Self::Parquet(input) => {
                let wanted: Vec<String> = config.schema.iter().map(|column| column.name.clone()).collect();
                let wanted = (!needs_all(config)).then_some(wanted.as_slice());
                Ok(Box::new(parquet::open(input.clone(), wanted, limits)?))
            }
        }
    }
}

/// Whether a computed column may use columns that the schema does not have.
fn needs_all(config: &DatasetConfig) -> bool {
    let in_schema = |name: &String| config.schema.iter().any(|column| column.name == *name);
    config.add_variables.iter().any(|added| match &added.source {
        Source::Function(Function::Cel(_)) => true,
        Source::Function(Function::DateTime { date, time }) => !in_schema(date) || time.as_ref().is_some_and(|time| !in_schema(time)),
        _ => false,
    })
}
