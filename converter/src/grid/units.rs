//! Which chunks one batch must write together.

use std::collections::{BTreeMap, BTreeSet};

use crds::wire::Place;

use super::Laid;

/// Chunks along the append dimension that one batch writes, with the files that have rows in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    pub chunks: BTreeSet<u64>,
    pub files: BTreeSet<usize>,
}

impl Unit {
    /// Both in one.
    pub fn join(&mut self, other: Self) {
        self.chunks.extend(other.chunks);
        self.files.extend(other.files);
    }

    /// The part of a file's places that lies in these chunks.
    #[must_use]
    pub fn places(&self, places: &[Place], chunk: u64) -> Vec<Place> {
        let mut inside: Vec<Place> = Vec::new();
        for place in places {
            let chunks = place.chunks(chunk).filter(|number| self.chunks.contains(number));
            for part in chunks.filter_map(|number| place.within(&(number * chunk..(number + 1) * chunk))) {
                part.push_to(&mut inside);
            }
        }
        inside
    }
}

/// Sets of chunks, none of which is in two: as small as it goes without a file in two of them. Only where so many
/// files hang together that they do not fit one batch, some stand in two.
#[must_use]
pub fn units(laid: &Laid, chunk: u64, fit: impl Fn(&BTreeSet<usize>) -> bool) -> Vec<Unit> {
    let touched = |places: &Vec<Place>| places.iter().flat_map(|place| place.chunks(chunk)).collect();
    let mut of_file: Vec<BTreeSet<u64>> = laid.places.iter().map(touched).collect();
    for (row, &file) in &laid.left {
        of_file[file].insert(row / chunk);
    }
    let mut units: Vec<Unit> = joined(&of_file).into_iter().flat_map(|unit| split(unit, &of_file, &fit)).collect();
    let known: BTreeSet<u64> = units.iter().flat_map(|unit| unit.chunks.iter().copied()).collect();
    let shifted = laid.order.as_ref().and_then(|order| order.iter().enumerate().position(|(to, from)| to != *from));
    let shifted = shifted.map_or(0..0, |first| first as u64 / chunk..(laid.times.len() as u64).div_ceil(chunk));
    let alone: BTreeSet<u64> = laid.masked.iter().map(|row| row / chunk).chain(shifted).filter(|chunk| !known.contains(chunk)).collect();
    units.extend(alone.into_iter().map(|chunk| Unit { chunks: BTreeSet::from([chunk]), files: BTreeSet::new() }));
    units.sort_by_key(|unit| unit.chunks.first().copied());
    units
}

/// The smallest sets of chunks such that no two of them share a chunk or a file.
fn joined(of_file: &[BTreeSet<u64>]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut of_chunk: BTreeMap<u64, usize> = BTreeMap::new();
    for (file, chunks) in of_file.iter().enumerate().filter(|(_, chunks)| !chunks.is_empty()) {
        let mut joined: BTreeSet<usize> = chunks.iter().filter_map(|chunk| of_chunk.get(chunk).copied()).collect();
        let unit = joined.pop_first().unwrap_or_else(|| {
            units.push(Unit::default());
            units.len() - 1
        });
        for other in joined {
            let other = std::mem::take(&mut units[other]);
            for &chunk in &other.chunks {
                of_chunk.insert(chunk, unit);
            }
            units[unit].join(other);
        }
        of_chunk.extend(chunks.iter().map(|&chunk| (chunk, unit)));
        units[unit].join(Unit { chunks: chunks.clone(), files: BTreeSet::from([file]) });
    }
    units.retain(|unit| !unit.chunks.is_empty());
    units
}

/// Cuts a unit between its chunks until its parts fit, as far as they can.
fn split(unit: Unit, of_file: &[BTreeSet<u64>], fit: impl Fn(&BTreeSet<usize>) -> bool) -> Vec<Unit> {
    if fit(&unit.files) || unit.chunks.len() == 1 {
        return vec![unit];
    }
    let mut of_chunk: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for &file in &unit.files {
        for &chunk in &of_file[file] {
            of_chunk.entry(chunk).or_default().insert(file);
        }
    }
    let mut parts: Vec<Unit> = Vec::new();
    for (chunk, files) in of_chunk {
        let next = Unit { chunks: BTreeSet::from([chunk]), files };
        match parts.last_mut() {
            Some(last) if fit(&(&last.files | &next.files)) => last.join(next),
            _ => parts.push(next),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use crds::wire::GridRows;

    use super::*;
    use crate::grid::lay::tests::{file, rows};
    use crate::grid::lay::{lay, sort};

    #[test]
    fn no_two_units_share_a_chunk_or_a_file() {
        let days = |from: i64, to: i64| (from..to).collect::<Vec<_>>();
        let files = [file("a", 1, &days(0, 3)), file("b", 1, &days(3, 4)), file("c", 1, &days(4, 9)), file("d", 1, &days(12, 13))];
        let laid = lay(&GridRows::default(), &files, &BTreeSet::new(), &BTreeSet::new());
        let all = |_: &BTreeSet<usize>| true;
        let units = units(&laid, 4, all);
        let shown: Vec<(Vec<u64>, Vec<usize>)> =
            units.iter().map(|unit| (unit.chunks.iter().copied().collect(), unit.files.iter().copied().collect())).collect();
        assert_eq!(shown, [(vec![0], vec![0, 1]), (vec![1, 2], vec![2, 3])]);
        let gone = lay(&rows(&laid), &[file("d", 2, &[])], &BTreeSet::from(["a"]), &BTreeSet::new());
        assert_eq!(gone.masked, BTreeSet::from([0, 1, 2, 9]));
        assert_eq!(super::units(&gone, 4, all).iter().map(|unit| unit.chunks.first().copied()).collect::<Vec<_>>(), [Some(0), Some(2)]);
    }

    #[test]
    fn all_behind_a_late_row_is_written_again() {
        let first = lay(&GridRows::default(), &[file("a", 1, &[1, 2, 3, 6])], &BTreeSet::new(), &BTreeSet::new());
        let laid = sort(lay(&rows(&first), &[file("b", 1, &[5, 7])], &BTreeSet::new(), &BTreeSet::new()));
        let chunks: BTreeSet<u64> = units(&laid, 1, |_| true).into_iter().flat_map(|unit| unit.chunks).collect();
        assert_eq!(chunks, BTreeSet::from([3, 4, 5]), "5, 6 and 7, not what is before");
    }

    #[test]
    fn files_that_hang_together_are_cut_between_chunks() {
        let three = |first: i64| (first..first + 3).collect::<Vec<_>>();
        let files = [file("a", 1, &three(0)), file("b", 1, &three(3)), file("c", 1, &three(6)), file("d", 1, &three(9))];
        let laid = lay(&GridRows::default(), &files, &BTreeSet::new(), &BTreeSet::new());
        let shown = |most: usize| -> Vec<(Vec<u64>, Vec<usize>)> {
            let units = units(&laid, 4, |files| files.len() <= most);
            units.into_iter().map(|unit| (unit.chunks.into_iter().collect(), unit.files.into_iter().collect())).collect()
        };
        assert_eq!(shown(4), [(vec![0, 1, 2], vec![0, 1, 2, 3])]);
        assert_eq!(shown(3), [(vec![0, 1], vec![0, 1, 2]), (vec![2], vec![2, 3])]);
        assert_eq!(shown(1), [(vec![0], vec![0, 1]), (vec![1], vec![1, 2]), (vec![2], vec![2, 3])], "a chunk is never cut");
        // Every row of a file is in one of them.
        let of_c: Vec<Vec<Place>> = units(&laid, 4, |files| files.len() <= 3).iter().map(|unit| unit.places(&laid.places[2], 4)).collect();
        assert_eq!(of_c, [[Place { from: 0, to: 6, count: 2 }], [Place { from: 2, to: 8, count: 1 }]]);
    }
}
