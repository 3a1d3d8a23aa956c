//! Files of a grid: what must be known of all of them before anything is laid.

use std::collections::{BTreeMap, HashMap, HashSet};

use crds::wire::{GridState, OtherFile, Outcome, Owner, PlannedFile, Reason};

use super::classify::Why;
use crate::source::{SourceFile, hash_of};

/// A file of a grid that may be converted.
#[derive(Debug)]
pub(super) struct Candidate {
    pub file: PlannedFile,
    /// Milliseconds since 1970.
    pub modified: i64,
    pub why: Why,
}

impl Candidate {
    pub fn new(file: SourceFile, why: Why) -> Self {
        let SourceFile { key, listed, .. } = file;
        let modified = listed.modified.as_millisecond();
        Self { file: PlannedFile { key, etag: listed.etag, bytes: listed.bytes, places: Vec::new() }, modified, why }
    }

    pub fn owner(&self) -> Owner {
        Owner { key: self.file.key.clone(), etag: self.file.etag.clone(), modified: self.modified, site: None }
    }

    /// Not converted, since newer files have all its times.
    pub fn superseded(&self) -> OtherFile {
        superseded(&self.file.key, &self.file.etag)
    }
}

pub(super) fn superseded(key: &str, etag: &str) -> OtherFile {
    let message = Some("a newer file has the same times".to_owned());
    OtherFile { reason: Some(Reason::Superseded), message, ..OtherFile::new(key, etag, Outcome::Skipped) }
}

/// What a grid's plan must have seen whole before it lays anything.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub files: Vec<Candidate>,
    /// Published files that are gone, and whose rows are to go.
    pub gone: Vec<String>,
    /// Published files that are not listed any more.
    pub absent: Vec<String>,
    /// Hashes of the keys that are unchanged.
    pub unchanged: HashSet<u64>,
    /// Hashes of the keys that rows are of.
    pub owners: HashSet<u64>,
    /// Hashes of the keys that would have rows if those went whose they are.
    pub rivals: HashSet<u64>,
    /// By key the version of each file that has no row, since newer ones have all its times.
    pub superseded: HashMap<String, String>,
    /// Of these two kinds those that are listed as they were: they are read again when they get rows.
    pub standing: HashMap<String, Candidate>,
    pub others: BTreeMap<String, OtherFile>,
}

impl Candidates {
    pub fn of(state: &GridState) -> Self {
        let GridState { rows, superseded, .. } = state;
        let hashes = |files: &mut dyn Iterator<Item = u32>| {
            let files: HashSet<u32> = files.collect();
            files.into_iter().filter_map(|file| rows.files.get(file as usize)).map(|file| hash_of(&file.key)).collect()
        };
        Self {
            owners: hashes(&mut rows.owners.iter().copied().flatten()),
            rivals: hashes(&mut rows.rivals.values().flatten().copied()),
            superseded: superseded.iter().map(|file| (file.key.clone(), file.etag.clone())).collect(),
            ..Self::default()
        }
    }

    /// Whether a file is listed as it was when it lost rows.
    pub fn stands(&self, file: &Owner) -> bool {
        self.standing.get(&file.key).is_some_and(|standing| standing.file.etag == file.etag)
    }

    /// Files that have no row, and are listed.
    pub fn waiting(&self) -> Vec<Owner> {
        let waiting = self.standing.values().filter(|standing| self.superseded.contains_key(&standing.file.key));
        waiting.map(Candidate::owner).collect()
    }

    pub fn tell(&mut self, line: OtherFile) {
        self.others.insert(line.key.clone(), line);
    }

    pub fn owns_rows(&self, key: &str) -> bool {
        self.owners.contains(&hash_of(key))
    }
}
