//! Which chunks one batch must write together.

use std::collections::{BTreeMap, BTreeSet};

use crds::wire::Place;

use super::Laid;

/// Chunks along the append dimension that must be written by one batch, with the files that have rows in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub chunks: BTreeSet<u64>,
    pub files: BTreeSet<usize>,
}

/// The smallest sets of chunks such that no two of them share a chunk or a file.
#[must_use]
pub fn units(laid: &Laid, chunk: u64) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut of_chunk: BTreeMap<u64, usize> = BTreeMap::new();
    let touched = |place: &Place| (place.to / chunk)..=((place.to + place.count - 1) / chunk);
    let mut of_file: Vec<BTreeSet<u64>> = laid.places.iter().map(|places| places.iter().flat_map(touched).collect()).collect();
    for (row, &file) in &laid.left {
        of_file[file].insert(row / chunk);
    }
    for (file, chunks) in of_file.into_iter().enumerate().filter(|(_, chunks)| !chunks.is_empty()) {
        let mut joined: BTreeSet<usize> = chunks.iter().filter_map(|chunk| of_chunk.get(chunk).copied()).collect();
        let unit = joined.pop_first().unwrap_or_else(|| {
            units.push(Unit { chunks: BTreeSet::new(), files: BTreeSet::new() });
            units.len() - 1
        });
        for other in joined {
            let other = std::mem::replace(&mut units[other], Unit { chunks: BTreeSet::new(), files: BTreeSet::new() });
            for &chunk in &other.chunks {
                of_chunk.insert(chunk, unit);
            }
            units[unit].chunks.extend(other.chunks);
            units[unit].files.extend(other.files);
        }
        of_chunk.extend(chunks.iter().map(|&chunk| (chunk, unit)));
        units[unit].chunks.extend(chunks);
        units[unit].files.insert(file);
    }
    let shifted = laid.order.as_ref().and_then(|order| order.iter().enumerate().position(|(to, from)| to != *from));
    let shifted = shifted.map_or(0..0, |first| first as u64 / chunk..(laid.times.len() as u64).div_ceil(chunk));
    for chunk in laid.masked.iter().map(|row| row / chunk).chain(shifted) {
        if let std::collections::btree_map::Entry::Vacant(vacant) = of_chunk.entry(chunk) {
            vacant.insert(units.len());
            units.push(Unit { chunks: BTreeSet::from([chunk]), files: BTreeSet::new() });
        }
    }
    units.retain(|unit| !unit.chunks.is_empty());
    units.sort_by_key(|unit| unit.chunks.first().copied());
    units
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
        let units = units(&laid, 4);
        let shown: Vec<(Vec<u64>, Vec<usize>)> =
            units.iter().map(|unit| (unit.chunks.iter().copied().collect(), unit.files.iter().copied().collect())).collect();
        assert_eq!(shown, [(vec![0], vec![0, 1]), (vec![1, 2], vec![2, 3])]);
        let gone = lay(&rows(&laid), &[file("d", 2, &[])], &BTreeSet::from(["a"]), &BTreeSet::new());
        assert_eq!(gone.masked, BTreeSet::from([0, 1, 2, 9]));
        assert_eq!(super::units(&gone, 4).iter().map(|unit| unit.chunks.first().copied()).collect::<Vec<_>>(), [Some(0), Some(2)]);
    }

    #[test]
    fn all_behind_a_late_row_is_written_again() {
        let first = lay(&GridRows::default(), &[file("a", 1, &[1, 2, 3, 6])], &BTreeSet::new(), &BTreeSet::new());
        let laid = sort(lay(&rows(&first), &[file("b", 1, &[5, 7])], &BTreeSet::new(), &BTreeSet::new()));
        let chunks: BTreeSet<u64> = units(&laid, 1).into_iter().flat_map(|unit| unit.chunks).collect();
        assert_eq!(chunks, BTreeSet::from([3, 4, 5]), "5, 6 and 7, not what is before");
    }
}
