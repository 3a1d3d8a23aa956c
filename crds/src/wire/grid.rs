//! What is known of a Zarr dataset beside its ledger: which rows it has along its append dimension, and whose they are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::StagedObject;

/// A grid as one commit left it. The head names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GridState {
    /// The store's `.zmetadata`, text for text.
    pub metadata: String,
    pub rows: GridRows,
    /// Positions along the other dimensions, decoded: what each file's are held against.
    pub coordinates: BTreeMap<String, Vec<f64>>,
    /// SHA-256 of the values of each other array without rows, hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statics: BTreeMap<String, String>,
    /// How far its positions reach, by the group's attribute that says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extents: BTreeMap<String, f64>,
}

/// The rows along the append dimension, in the order of the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GridRows {
    /// Nanoseconds since 1970.
    pub times: Vec<i64>,
    /// The same as the time array has them.
    pub stored: StoredTimes,
    /// Whose each row is: a position in `files`; none for a row that is masked.
    pub owners: Vec<Option<u32>>,
    pub files: Vec<Owner>,
}

impl GridRows {
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The file that a row is of.
    #[must_use]
    pub fn owner(&self, row: usize) -> Option<&Owner> {
        self.files.get(self.owners.get(row).copied().flatten()? as usize)
    }
}

/// Numbers of the time array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoredTimes {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
}

impl Default for StoredTimes {
    fn default() -> Self {
        Self::Floats(Vec::new())
    }
}

/// A file that rows are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The ledger's key.
    pub key: String,
    pub etag: String,
    /// When it was last modified, in milliseconds since 1970: of two files with one time, the newer wins.
    pub modified: i64,
}

/// What a plan makes of a grid: its state if every file is converted, and where the run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedGrid {
    pub state: GridState,
    /// Rows that are published already.
    pub before: u64,
    /// Published rows that files leave, to others or to nobody: they stay as they are where the file cannot be converted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<u64, String>,
    /// Published rows whose files are gone, or have no row any more: they are masked where nobody fills them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gone: BTreeSet<u64>,
    /// Arrays that no batch writes, staged by the plan.
    pub statics: Vec<StagedObject>,
}

/// Consecutive rows of a file, and where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The first row in the file.
    pub from: u64,
    /// The first row in the store.
    pub to: u64,
    pub count: u64,
}
