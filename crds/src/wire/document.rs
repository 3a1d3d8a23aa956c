//! The effective document: the one merged description of a dataset that every stage works from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Format;

/// Everything a pod needs to know of a dataset. Carried by an immutable `ConfigMap` (key
/// `document.json`) named by its hash, and again inside the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `namespace/name` of the resource, or `user@laptop`.
    pub owner: String,
    pub dataset_name: String,
    pub format: Format,
    /// The merged config, key order kept.
    pub config: Value,
    pub source: Access,
    pub destination: Access,
    #[serde(default)]
    pub batching: Batching,
    #[serde(default = "default_retries")]
    pub retries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<FailureBudget>,
    #[serde(default)]
    pub on_source_delete: OnSourceDelete,
    #[serde(default = "default_withdrawn_percent")]
    pub max_withdrawn_percent: u32,
    #[serde(default)]
    pub compat: Compat,
    #[serde(default)]
    pub naming: Naming,
    /// Of a grid: rows are moved to where their times are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_sorted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_over: Option<String>,
    /// Digest of the guard a person has confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Free token: a new one converts all again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    pub hashes: Hashes,
}

fn default_retries() -> u32 {
    3
}

fn default_withdrawn_percent() -> u32 {
    10
}

/// One side's store, without credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// `s3://bucket/prefix/` or `file:///dir/`. Of a source: absent means the config's own paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Source only: regular expressions instead of the config's; a key passes if one of them is found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<String>,
    /// Source only: replaces the bucket of every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// None: path style when an endpoint is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    #[serde(default)]
    pub anonymous: bool,
    /// Source only.
    #[serde(default)]
    pub min_age_seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batching {
    pub max_files: u32,
    pub max_bytes: u64,
}

impl Default for Batching {
    fn default() -> Self {
        Self { max_files: 1_000, max_bytes: 10 << 30 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureBudget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed_files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed_percent: Option<u32>,
}

impl FailureBudget {
    /// Whether `failed` of `discovered` files are more than the budget allows.
    #[must_use]
    pub fn exceeded(&self, failed: u64, discovered: u64) -> bool {
        self.max_failed_files.is_some_and(|most| failed > most)
            || self.max_failed_percent.is_some_and(|most| failed * 100 > u64::from(most) * discovered)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnSourceDelete {
    #[default]
    Keep,
    Remove,
}

/// Whether the incumbent's value defects are repeated (design, section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Compat {
    #[default]
    Fixed,
    Incumbent,
}

/// What the objects of a file are named after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Naming {
    /// The file's name, as the incumbent does: two files of one name cannot share a partition.
    #[default]
    Basename,
    /// The file's name and a hash of its whole key: names never collide.
    FullKey,
}

/// What a change of config means: each part of the config belongs to one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Hashes {
    /// Format, partitioning, column types, dims, chunks, compat, naming: a change needs a rebuild.
    pub layout: String,
    /// The rest that changes rows or values: a change makes files stale.
    pub content: String,
    /// Attributes: a change rewrites the sidecar only.
    pub metadata: String,
}
