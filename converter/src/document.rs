//! The typed config of an effective document.

use crds::config::{DatasetConfig, validate};
use crds::wire::Document;

use crate::error::StageError;

/// # Errors
/// Every problem of the config with its path, or a feature this version does not have.
pub fn typed(document: &Document) -> Result<DatasetConfig, StageError> {
    let checked = validate(&document.config).and_then(crds::config::Validated::supported);
    checked.map(|validated| validated.config).map_err(|error| StageError::Config(error.to_string()))
}
