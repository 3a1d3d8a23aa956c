//! The manifest: what became of each file of one batch, committed create-if-absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PublishedObject, Reason};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Processed,
    Unchanged,
    Failed,
    Skipped,
    Withdrawn,
    /// Beyond the plan's batches: the next run follows at once.
    Pending,
}

impl Outcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Withdrawn => "withdrawn",
            Self::Pending => "pending",
        }
    }
}

/// First manifest wins; its bytes are what commit publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub run: String,
    pub batch: u32,
    /// The writer's own mark: after "already exists" it reads back and compares.
    pub nonce: String,
    /// Written by commit for a batch that never reported.
    #[serde(default)]
    pub fence: bool,
    pub files: Vec<FileRecord>,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Of a grid: the batch's chunks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<StagedObject>,
    /// Of a grid: chunks of the store that hold nothing any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emptied: Vec<PublishedObject>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRecord {
    pub key: String,
    pub etag: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default)]
    pub rows: u64,
    /// Rows of the file that are not in its objects, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows_left_out: BTreeMap<Reason, u64>,
    /// Things worth saying that cost no rows (variables made null, unknown columns).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<StagedObject>,
}

/// An object that waits in the run's own folder for commit to publish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StagedObject {
    /// Relative to the destination's URL: `<dataset>.parquet/<k>=<v>/…/<basename>-0.parquet`.
    pub final_key: String,
    pub staged_key: String,
    pub etag: String,
    pub rows: u64,
    pub bytes: u64,
}
