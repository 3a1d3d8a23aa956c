//! The plan: what one run will do, decided once.

use serde::{Deserialize, Serialize};

use super::{Document, Outcome, Place, Reason};

/// `plan.json`, written create-if-absent and last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub run: String,
    pub nonce: String,
    pub document: Document,
    /// The run whose head this plan was made against; none for the first run of a dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_run: Option<String>,
    /// Milliseconds since 1970 when the plan began.
    pub started: i64,
    pub converter: String,
    pub counts: ClassCounts,
    /// Number of batches; their files stand in parts named by nonce and index.
    pub batches: u32,
    /// Files per batch, in order.
    pub batch_files: Vec<u32>,
    pub batch_bytes: u64,
    /// Parts that hold the files of the listing that go to no batch.
    pub others: u32,
    /// Files whose keys no client library can hold: they have no place in the order of keys, and none in the ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostile: Vec<OtherFile>,
    /// The layout changed: all objects of the old one go, and nothing of them is kept.
    #[serde(default)]
    pub relayout: bool,
    /// Of a Zarr dataset: the object with the [`super::PlannedGrid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
    /// What is worth saying to the author of the config, now that files were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How the listing fell into classes. `discovered` is the sum of all but `withdrawn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassCounts {
    pub discovered: u64,
    pub new: u64,
    pub changed: u64,
    /// Content hash, converter or rebuild token changed.
    pub stale: u64,
    /// Failed before, tried again now.
    pub retried: u64,
    pub unchanged: u64,
    /// Failed before and held.
    pub held: u64,
    pub skipped: u64,
    /// Failed in the plan itself (a key that no client can hold).
    pub failed: u64,
    /// Beyond this plan's batches.
    pub pending: u64,
    /// Newly withdrawn.
    pub withdrawn: u64,
}

impl ClassCounts {
    /// Files this plan gives to batches.
    #[must_use]
    pub fn to_convert(&self) -> u64 {
        self.new + self.changed + self.stale + self.retried
    }
}

/// The files of one batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub index: u32,
    pub files: Vec<PlannedFile>,
    /// Of a grid: the chunks along the append dimension that this batch alone writes, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedFile {
    /// The ledger's key of the file.
    pub key: String,
    pub etag: String,
    pub bytes: u64,
    /// Of a grid: where its rows go that lie in the batch's chunks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

/// A file of the listing (or of the ledger, when withdrawn) that goes to no batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherFile {
    pub key: String,
    pub etag: String,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Failed in an earlier run and not tried again.
    #[serde(default)]
    pub held: bool,
    /// The ledger has no record of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

impl OtherFile {
    /// Of a file that the ledger may know, with nothing more to say of it.
    #[must_use]
    pub fn new(key: &str, etag: &str, outcome: Outcome) -> Self {
        Self { key: key.to_owned(), etag: etag.to_owned(), outcome, reason: None, message: None, held: false, unknown: false }
    }
}
