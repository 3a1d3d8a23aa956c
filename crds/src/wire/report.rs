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

/// What one store was asked, by kind. Of a bucket these are HTTP requests as they leave, retries
/// included; of a folder the file operations that stand for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestCounts {
    /// Pages of a listing; directories read.
    pub list: u64,
    pub get: u64,
    pub head: u64,
    pub put: u64,
    /// Copies on the server; renames.
    pub copy: u64,
    /// Requests, of up to 1,000 objects each; files removed.
    pub delete: u64,
    /// All that belongs to uploads in parts.
    pub multipart: u64,
}

impl RequestCounts {
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.list + self.get + self.head + self.put + self.copy + self.delete + self.multipart
    }
}

impl std::ops::AddAssign for RequestCounts {
    fn add_assign(&mut self, more: Self) {
        self.list += more.list;
        self.get += more.get;
        self.head += more.head;
        self.put += more.put;
        self.copy += more.copy;
        self.delete += more.delete;
        self.multipart += more.multipart;
    }
}

/// What a whole run asked of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    pub source: RequestCounts,
    pub destination: RequestCounts,
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
    /// Of a grid: rows of the dataset that are of no file now, and hold nothing.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub rows_masked: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub objects: u64,
    pub seconds: f64,
    /// Known only where one process saw the whole run (`converter run`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    pub errors: Vec<ErrorGroup>,
    /// What is worth saying to the author of the config.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Every file the run touched; unchanged ones stand in `files.csv` only.
    pub file_results: Vec<FileRecord>,
    /// Results that stand in `files.csv` only, because there are too many.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub file_results_omitted: u64,
}
