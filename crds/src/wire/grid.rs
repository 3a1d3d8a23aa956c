//! What is known of a Zarr dataset beside its ledger: which rows it has along its append dimension, and whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{StagedObject, packed};

/// A grid as one commit left it. The head names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GridState {
    /// The store's `.zmetadata`, text for text.
    pub metadata: String,
    pub rows: GridRows,
    /// Positions along the other dimensions, decoded: what each file's are held against.
    #[serde(with = "packed::by_name")]
    pub coordinates: BTreeMap<String, Vec<f64>>,
    /// SHA-256 of the values of each other array without rows, hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statics: BTreeMap<String, String>,
    /// Files that have no row, since newer ones have all their times. They are not read again until one of those goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Owner>,
    /// How far its positions reach, by the group's attribute that says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extents: BTreeMap<String, f64>,
}

/// The rows along the append dimension, in the order of the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GridRows {
    /// Nanoseconds since 1970.
    #[serde(with = "packed")]
    pub times: Vec<i64>,
    /// The same as the time array has them.
    pub stored: StoredTimes,
    /// Whose each row is: a position in `files`; none for a row that is masked.
    #[serde(with = "packed")]
    pub owners: Vec<Option<u32>>,
    /// Whose each row would be if its owner went: positions in `files`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rivals: BTreeMap<u64, Vec<u32>>,
    /// Owners and rivals.
    #[serde(with = "packed::files")]
    pub files: Vec<Owner>,
    /// Where files are of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Site>,
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

    /// The files that have a row's time and lost it to its owner.
    pub fn rivals(&self, row: usize) -> impl Iterator<Item = &Owner> {
        self.rivals.get(&(row as u64)).into_iter().flatten().filter_map(|&file| self.files.get(file as usize))
    }
}

/// Numbers of the time array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoredTimes {
    Integers(#[serde(with = "packed")] Vec<i64>),
    Floats(#[serde(with = "packed")] Vec<f64>),
}

impl StoredTimes {
    /// Puts at each place the number of the row that `order` says.
    pub fn permute(&mut self, order: &[usize]) {
        match self {
            Self::Integers(numbers) => *numbers = order.iter().map(|&row| numbers[row]).collect(),
            Self::Floats(numbers) => *numbers = order.iter().map(|&row| numbers[row]).collect(),
        }
    }
}

impl Default for StoredTimes {
    fn default() -> Self {
        Self::Floats(Vec::new())
    }
}

/// A file that has rows, or would have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The ledger's key.
    pub key: String,
    pub etag: String,
    /// When it was last modified, in milliseconds since 1970: of two files with one time, the newer wins.
    pub modified: i64,
    /// A position in the rows' sites; none of a file that says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<u32>,
}

/// What a file says of where and with what its values were taken; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Site, platform, serial number of the instrument.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, String>,
    /// Degrees, by standard name, of positions that are one number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub position: BTreeMap<String, f64>,
}

impl Site {
    /// Degrees within which a site's position may be corrected.
    const NEAR: f64 = 0.1;

    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.codes.is_empty() && self.position.is_empty()
    }

    /// What both say and say otherwise: its name, and the two values.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Option<(&str, String, String)> {
        let codes = self.codes.iter().filter_map(|(name, own)| Some((name.as_str(), own, other.codes.get(name)?)));
        let code = codes.into_iter().find(|(_, own, other)| own != other).map(|(name, own, other)| (name, own.clone(), other.clone()));
        let positions = self.position.iter().filter_map(|(name, own)| Some((name.as_str(), *own, *other.position.get(name)?)));
        // Longitudes go round.
        let apart = |own: f64, other: f64| ((own - other).abs() % 360.0).min(360.0 - (own - other).abs() % 360.0);
        let far = || positions.into_iter().find(|(_, own, other)| apart(*own, *other) > Self::NEAR);
        code.or_else(|| far().map(|(name, own, other)| (name, own.to_string(), other.to_string())))
    }
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
    /// Where the published rows stand afterwards, ascending. Empty when none of them moves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Place>,
    /// Arrays that no batch writes, staged by the plan.
    pub statics: Vec<StagedObject>,
}

impl PlannedGrid {
    /// The published row that is to be at `row`.
    #[must_use]
    pub fn origin(&self, row: u64) -> Option<u64> {
        if self.moved.is_empty() {
            return (row < self.before).then_some(row);
        }
        let at = self.moved.partition_point(|place| place.to <= row).checked_sub(1)?;
        let Place { from, to, count } = self.moved[at];
        (row < to + count).then(|| from + (row - to))
    }

    /// From here on all rows are other ones.
    #[must_use]
    pub fn first_moved(&self) -> Option<u64> {
        let mut expected = 0;
        for place in &self.moved {
            if (place.from, place.to) != (expected, expected) {
                break;
            }
            expected += place.count;
        }
        (!self.moved.is_empty()).then_some(expected)
    }
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

impl Place {
    /// What of it goes to these rows of the store.
    #[must_use]
    pub fn within(&self, rows: &Range<u64>) -> Option<Self> {
        let (start, end) = (self.to.max(rows.start), (self.to + self.count).min(rows.end));
        (start < end).then(|| Self { from: self.from + start - self.to, to: start, count: end - start })
    }

    /// The chunks of so many rows that it reaches into.
    #[must_use]
    pub fn chunks(&self, rows: u64) -> Range<u64> {
        self.to / rows..(self.to + self.count).div_ceil(rows)
    }

    /// Rows of the store.
    #[must_use]
    pub fn rows(&self) -> Range<u64> {
        self.to..self.to + self.count
    }

    /// Puts it behind others: to the last of them, if it goes on where that ends.
    pub fn push_to(self, places: &mut Vec<Self>) {
        match places.last_mut() {
            Some(last) if last.from + last.count == self.from && last.to + last.count == self.to => last.count += self.count,
            _ => places.push(self),
        }
    }
}
