//! The ledger: one record per source key. Identity is key + ETag, never the key alone.

use serde::{Deserialize, Serialize};

use super::{Outcome, Reason};

/// What is known of one source key. `published` stands apart from `last`, so that a newer
/// version that fails leaves the older one published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// `s3://bucket/key`, or the path below a folder source.
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    pub last: Last,
    /// No longer listed, kept by policy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// The version of a file whose rows are in the dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub etag: String,
    pub content_hash: String,
    pub converter: String,
    /// The rebuild token the file was converted under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    pub rows: u64,
    pub objects: Vec<PublishedObject>,
}

/// An object of the dataset and the ETag it had when it was published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedObject {
    /// Relative to the destination's URL.
    pub key: String,
    pub etag: String,
    pub bytes: u64,
}

/// The last attempt at a file, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub etag: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Attempts at this ETag under these hashes that failed; `NotReached` counts none.
    #[serde(default)]
    pub attempts: u32,
    pub content_hash: String,
    pub converter: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    /// The memory budget that was too small for the file; with a larger one it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    pub run: String,
}
