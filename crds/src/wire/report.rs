//! The report of a run: `report.json`, and what `--report` writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ErrorGroup, FileRecord};
use crate::config::Format;

/// discovered = processed + unchanged + failed + skipped (+ pending while a run is unfinished).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileCounts {
    pub discovered: u64,
    pub processed: u64,
    pub unchanged: u64,
    pub failed: u64,
    pub skipped: u64,
    #[serde(default)]
    pub pending: u64,
    #[serde(default)]
    pub withdrawn: u64,
}

impl FileCounts {
    /// Whether every discovered file is accounted for.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.discovered == self.processed + self.unchanged + self.failed + self.skipped + self.pending
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub dataset: String,
    pub format: Format,
    pub run: String,
    pub files: FileCounts,
    pub rows: u64,
    pub rows_left_out: BTreeMap<String, u64>,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub objects: u64,
    pub seconds: f64,
    pub errors: Vec<ErrorGroup>,
    /// Every file the run touched; unchanged ones stand in `files.csv` only.
    pub file_results: Vec<FileRecord>,
    /// Results that stand in `files.csv` only, because there are too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub file_results_omitted: u64,
}
