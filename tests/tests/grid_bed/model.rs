//! What the rules of grids say a dataset must be, from what happened to its source. Nothing is shared with the converter.

use std::collections::{BTreeMap, BTreeSet};

use crds::wire::FileCounts;
use tests::fixtures::Slice;

/// Microseconds within which times are one.
const SAME: i64 = 1_000;

/// What a file is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Good,
    /// As good, its latitudes the other way round.
    Reversed,
    /// Cut off: nobody can open it.
    Cut,
    /// Of another grid.
    Shifted,
    /// Its header is in order, but a variable is of texts.
    Texts,
}

/// A version of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    pub number: u64,
    /// Milliseconds since 1970.
    pub modified: i64,
    pub slice: Slice,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Microseconds since 1970.
    pub time: i64,
    /// None is a masked row.
    pub owner: Option<(String, Version)>,
    /// The time that the owner's values are of: within a millisecond of the row's.
    pub at: i64,
}

#[derive(Clone, Debug, Default)]
struct Record {
    published: Option<u64>,
    held: Option<u64>,
    withdrawn: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    removing: bool,
    /// Rows are kept in the order of their times.
    sorted: bool,
    pub rows: Vec<Row>,
    records: BTreeMap<String, Record>,
    /// There is a store.
    pub founded: bool,
}

/// What the run must tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    pub files: FileCounts,
    /// Files of the dataset that are no longer listed.
    pub kept: u64,
    /// Files that went to a batch.
    pub tried: u64,
}

type Files = BTreeMap<String, Version>;

impl Model {
    pub fn new(removing: bool, sorted: bool) -> Self {
        Self { removing, sorted, ..Self::default() }
    }

    /// Whether all that there is would be there if it were written anew: no file is kept, and none would fail.
    pub fn can_be_rebuilt(&self, source: &Files) -> bool {
        let listed = |(key, record): (&String, &Record)| source.contains_key(key) && !record.withdrawn;
        self.founded && self.records.iter().all(listed) && source.values().all(|version| version.kind == Kind::Good)
    }

    /// A run that writes all anew.
    pub fn rebuild(&mut self, source: &Files) -> Expected {
        *self = Self::new(self.removing, self.sorted);
        self.run(source, &BTreeSet::new())
    }

    /// A run over the source as it is. `lost` are files whose batch never reported.
    pub fn run(&mut self, source: &Files, lost: &BTreeSet<String>) -> Expected {
        let mut files = FileCounts { discovered: source.len() as u64, ..FileCounts::default() };
        let mut coming = Files::new();
        let mut unchanged = BTreeSet::new();
        for (key, version) in source {
            let record = self.records.get(key).cloned().unwrap_or_default();
            if record.published == Some(version.number) && self.owns(key) {
                unchanged.insert(key.clone());
                let record = self.records.entry(key.clone()).or_default();
                (record.withdrawn, record.held) = (false, None);
            } else if record.held == Some(version.number) {
                files.failed += 1;
                self.records.entry(key.clone()).or_default().withdrawn = false;
            } else if matches!(version.kind, Kind::Cut | Kind::Shifted) {
                files.failed += 1;
                self.fail(key, Some(version.number));
            } else {
                coming.insert(key.clone(), version.clone());
            }
        }
        let gone = self.withdraw(source, &mut files);
        let before: Vec<Option<(String, Version, i64)>> =
            self.rows.iter().map(|row| row.owner.clone().map(|(key, version)| (key, version, row.at))).collect();
        let rows = self.rows.clone();
        loop {
            self.rows.clone_from(&rows);
            self.lay(source, &coming, &gone);
            let returning: BTreeSet<String> = self.rows.iter().filter_map(|row| returning(row, source, &unchanged)).collect();
            if returning.is_empty() {
                break;
            }
            for key in returning {
                unchanged.remove(&key);
                coming.insert(key.clone(), source[&key].clone());
            }
        }

        let owners = |rows: &[Row]| rows.iter().filter_map(|row| Some(row.owner.as_ref()?.0.clone())).collect::<BTreeSet<String>>();
        let with_rows = owners(&self.rows);
        let failed: BTreeSet<&String> = coming
            .iter()
            .filter(|(key, version)| with_rows.contains(*key) && (version.kind == Kind::Texts || lost.contains(*key)))
            .map(|(key, _)| key)
            .collect();
        // A file that does not come in leaves all as it was, but for what others have given up.
        for (row, before) in self.rows.iter_mut().zip(before.into_iter().chain(std::iter::repeat(None))) {
            let comes_in = row.owner.as_ref().is_some_and(|(key, _)| !failed.contains(key));
            if comes_in {
                continue;
            }
            // What is published of a version stands for the one that comes, where that lost to a file that is not in.
            let stands = |key: &String, version: &Version| coming.get(key).is_none_or(|now| now.number == version.number);
            let stays = before.filter(|(key, version, _)| !gone.contains(key) && (stands(key, version) || failed.contains(key)));
            (row.owner, row.at) = stays.map_or((None, row.time), |(key, version, at)| (Some((key, version)), at));
        }
        let tried = coming.keys().filter(|key| with_rows.contains(*key)).count() as u64;
        for (key, version) in &coming {
            if failed.contains(key) {
                files.failed += 1;
                self.fail(key, (!lost.contains(key)).then_some(version.number));
            } else if with_rows.contains(key) {
                files.processed += 1;
                self.records.insert(key.clone(), Record { published: Some(version.number), ..Record::default() });
            } else {
                files.skipped += 1;
                if let Some(record) = self.records.get_mut(key) {
                    *record = Record::default();
                }
            }
        }
        for key in unchanged {
            if with_rows.contains(&key) {
                files.unchanged += 1;
            } else {
                files.skipped += 1;
                self.records.insert(key, Record::default());
            }
        }
        if self.sorted {
            self.rows.sort_by_key(|row| row.time);
        }
        self.founded |= self.rows.iter().any(|row| row.owner.is_some());
        if !self.founded {
            self.rows.clear();
        }
        Expected { files, kept: self.records.values().filter(|record| record.withdrawn).count() as u64, tried }
    }

    /// A row of a file that could not be converted.
    pub fn mask(&mut self, time: i64) {
        self.rows.push(Row { time, owner: None, at: time });
    }

    fn owns(&self, key: &str) -> bool {
        self.rows.iter().any(|row| row.owner.as_ref().is_some_and(|(owner, _)| owner == key))
    }

    fn fail(&mut self, key: &str, held: Option<u64>) {
        let record = self.records.entry(key.to_owned()).or_default();
        (record.held, record.withdrawn) = (held, false);
    }

    /// Files that are no longer there: those whose rows are to go.
    fn withdraw(&mut self, source: &Files, files: &mut FileCounts) -> BTreeSet<String> {
        let mut gone = BTreeSet::new();
        self.records.retain(|key, record| {
            if source.contains_key(key) || record.withdrawn {
                return true;
            }
            files.withdrawn += u64::from(record.published.is_some());
            if self.removing {
                gone.insert(key.clone());
            }
            record.withdrawn = true;
            !self.removing && record.published.is_some()
        });
        gone
    }

    /// Gives each time its owner, and new times their rows.
    fn lay(&mut self, source: &Files, coming: &Files, gone: &BTreeSet<String>) {
        for row in &mut self.rows {
            row.owner.take_if(|(key, _)| coming.contains_key(key) || gone.contains(key));
        }
        let mut claims: Vec<(i64, &String, &Version)> =
            coming.iter().flat_map(|(key, version)| version.slice.times.iter().map(move |&time| (time, key, version))).collect();
        claims.sort_by_key(|(time, key, version)| (version.modified, *key, *time));
        // The newest comes last, and has the last word.
        let mut new: BTreeMap<i64, Row> = BTreeMap::new();
        for (time, key, version) in claims {
            let owner = Some((key.clone(), version.clone()));
            if let Some(row) = self.rows.iter_mut().find(|row| (row.time - time).abs() <= SAME) {
                // Rows that are kept of a withdrawn file give way to any that is there.
                let newer = |(other, held): &(String, Version)| (held.modified, other) > (version.modified, key);
                let held = row.owner.as_ref().filter(|(other, _)| source.contains_key(other));
                if !held.is_some_and(newer) {
                    (row.owner, row.at) = (owner, time);
                }
            } else {
                new.retain(|known, _| (known - time).abs() > SAME);
                new.insert(time, Row { time, owner, at: time });
            }
        }
        self.rows.extend(new.into_values());
    }
}

/// The newest of the files that are as they were and have a row's time, if the row is nobody's, or of one that is older
/// or not there.
fn returning(row: &Row, source: &Files, unchanged: &BTreeSet<String>) -> Option<String> {
    let has = |key: &&String| source[*key].slice.times.iter().any(|time| (row.time - time).abs() <= SAME);
    let newest = unchanged.iter().filter(has).max_by_key(|key| (source[*key].modified, *key))?;
    let older =
        |(owner, held): &(String, Version)| !source.contains_key(owner) || (held.modified, owner) < (source[newest].modified, newest);
    row.owner.as_ref().is_none_or(older).then(|| newest.clone())
}
