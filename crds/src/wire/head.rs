//! The head: the one small object that says what the dataset is. The highest generation is current.

use serde::{Deserialize, Serialize};

use super::{Digest, Hashes};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub generation: u64,
    pub nonce: String,
    /// The resource's `namespace/name`, or the laptop's user.
    pub owner: String,
    pub run: String,
    pub hashes: Hashes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    /// Ledger parts, sorted by key, disjoint.
    pub parts: Vec<PartRef>,
    pub totals: Totals,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<Sidecar>,
    /// Of a Zarr dataset: the object with its [`super::GridState`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
    /// Present until the run's effects have been applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingEffects>,
    /// The commit's digest: emitted again when commit is run again on finished state.
    pub digest: Digest,
}

/// A ledger part (JSON lines, one record a line).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRef {
    pub key: String,
    /// The lowest source key in it.
    pub first: String,
    pub records: u64,
    /// Present when the current version of each of its files is in the dataset, by the same config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

/// What a run needs to know of a part whose files it finds as they were: the part itself is not read then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seal {
    /// Of its files' keys and `ETag`s, in order.
    pub digest: String,
    /// What all of them were converted under.
    pub content_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    /// What they have in the dataset.
    pub rows: u64,
    pub objects: u64,
    pub bytes: u64,
    /// What `files.csv` says of them as long as they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<SealedLines>,
}

/// Where the lines of a sealed part lie: bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedLines {
    pub key: String,
    pub offset: u64,
    pub bytes: u64,
}

/// The dataset's totals out of the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Files whose current version is in the dataset.
    pub processed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub withdrawn: u64,
    pub rows: u64,
    pub bytes: u64,
    pub objects: u64,
    /// Of a grid: rows that are of no file now, and hold nothing.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub rows_masked: u64,
}

/// `_common_metadata` as it was last published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    pub etag: String,
}

/// What is still to be done so that readers see what the head says. Each step is idempotent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingEffects {
    /// Objects of JSON lines ([`Copy`]).
    pub copies: Vec<EffectsPart>,
    /// Objects of JSON lines ([`super::PublishedObject`]), each deleted only at its recorded ETag.
    pub deletions: Vec<EffectsPart>,
    /// The sidecar, published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<Copy>,
}

/// One object of effects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectsPart {
    pub key: String,
    pub lines: u64,
}

/// A staged object and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    pub from: String,
    pub to: String,
    /// ETag of the staged object.
    pub etag: String,
}
