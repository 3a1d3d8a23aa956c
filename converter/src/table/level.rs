//! Partitions: each level gives every row a small code; rows with the same codes go to one object.

use std::collections::HashMap;
use std::ops::Range;

use ahash::RandomState;

use super::broadcast::Broadcast;

/// The code of a row that is left out.
pub(super) const LEFT_OUT: u32 = u32::MAX;

/// Codes at a variable's own dimensions.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    pub(super) codes: Vec<u32>,
    pub(super) map: Broadcast,
}

impl Codes {
    /// The codes of the blocks of `step` rows from `first` on.
    fn fill(&self, first: usize, step: usize, out: &mut [u32]) {
        if self.map.is_scalar() {
            out.fill(self.codes[0]);
        } else if self.map.is_identity() {
            out.copy_from_slice(&self.codes[first..first + out.len()]);
        } else if step == 1 {
            let mut rest = &mut *out;
            self.map.strips(first..first + rest.len(), &mut |strip| {
                let (part, after) = std::mem::take(&mut rest).split_at_mut(strip.rows);
                for (code, index) in part.iter_mut().zip(strip.indices()) {
                    *code = self.codes[index];
                }
                rest = after;
            });
        } else {
            for (i, code) in out.iter_mut().enumerate() {
                *code = self.codes[self.map.index(first + i * step)];
            }
        }
    }

    fn leaves_out(&self) -> bool {
        self.codes.contains(&LEFT_OUT)
    }
}

/// Gives equal values equal codes.
#[derive(Debug)]
pub(super) struct Distinct<K> {
    codes: HashMap<K, u32, RandomState>,
    pub(super) values: Vec<K>,
}

impl<K: Clone + Eq + std::hash::Hash> Distinct<K> {
    pub(super) fn new() -> Self {
        Self { codes: HashMap::default(), values: Vec::new() }
    }

    pub(super) fn code(&mut self, key: K) -> u32 {
        if let Some(&code) = self.codes.get(&key) {
            return code;
        }
        let code = self.values.len() as u32;
        self.values.push(key.clone());
        self.codes.insert(key, code);
        code
    }
}

/// The rows that stay, and how many went for each level.
pub(super) struct Survivors {
    pub(super) ranges: Vec<Range<usize>>,
    pub(super) left_out: Vec<u64>,
}

const BLOCK: usize = 4_096;

/// Rows that follow each other and have the same codes at all levels, as blocks of as many rows.
fn step(levels: &[&Codes]) -> usize {
    // Each repeat is a multiple of the smaller ones, or the greatest that divides both counts.
    let common = levels.iter().map(|level| level.map.repeat()).fold(0, |mut a, mut b| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    });
    common.max(1)
}

/// Runs of rows with the same codes at all levels, in row order: `each` gets the codes, and the rows.
fn for_each_run(ranges: &[Range<usize>], levels: &[&Codes], mut each: impl FnMut(&[u32], Range<usize>)) {
    let step = step(levels);
    let mut codes: Vec<u32> = levels.iter().map(|level| level.codes.first().copied().unwrap_or(LEFT_OUT)).collect();
    // A level with one code for all rows need not be looked at again.
    let varying: Vec<usize> = (0..levels.len()).filter(|&level| !levels[level].map.is_scalar()).collect();
    let mut blocks = vec![vec![0; BLOCK]; varying.len()];
    for range in ranges {
        let mut first = range.start;
        while first < range.end {
            // All rows of one step have the codes of its first.
            let aligned = first - first % step;
            let count = (range.end - aligned).div_ceil(step).min(BLOCK);
            for (&level, block) in varying.iter().zip(&mut blocks) {
                levels[level].fill(aligned, step, &mut block[..count]);
            }
            let mut at = 0;
            while at < count {
                for (&level, block) in varying.iter().zip(&blocks) {
                    codes[level] = block[at];
                }
                let mut end = if varying.is_empty() { count } else { at + 1 };
                while end < count && varying.iter().zip(&blocks).all(|(&level, block)| block[end] == codes[level]) {
                    end += 1;
                }
                each(&codes, (aligned + at * step).max(first)..(aligned + end * step).min(range.end));
                at = end;
            }
            first = aligned + count * step;
        }
    }
}

/// Leaves out the rows a level leaves out; a row counts for the first level that does.
pub(super) fn survivors(rows: usize, levels: &[&Codes]) -> Survivors {
    let mut left_out = vec![0; levels.len()];
    if !levels.iter().any(|l| l.leaves_out()) {
        return Survivors { ranges: std::iter::once(0..rows).collect(), left_out };
    }
    let mut ranges = Vec::new();
    for_each_run(std::slice::from_ref(&(0..rows)), levels, |codes, rows| match codes.iter().position(|&code| code == LEFT_OUT) {
        Some(level) => left_out[level] += rows.len() as u64,
        None => push_rows(&mut ranges, rows),
    });
    Survivors { ranges, left_out }
}

fn push_rows(ranges: &mut Vec<Range<usize>>, rows: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == rows.start => last.end = rows.end,
        _ => ranges.push(rows),
    }
}

/// The rows of one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// One code for each level.
    pub(super) codes: Vec<u32>,
    pub(super) ranges: Vec<Range<usize>>,
}

/// Groups the surviving rows by their codes, in the order the groups appear.
pub(super) fn groups(survivors: &[Range<usize>], levels: &[&Codes]) -> Vec<Group> {
    if levels.iter().all(|l| l.map.is_scalar()) {
        let codes = levels.iter().map(|l| l.codes[0]).collect();
        return vec![Group { codes, ranges: survivors.to_vec() }];
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut positions: HashMap<Vec<u32>, usize, RandomState> = HashMap::default();
    let mut current: Option<usize> = None;
    for_each_run(survivors, levels, |codes, rows| {
        let group = match current {
            Some(group) if groups[group].codes == codes => group,
            _ => positions.get(codes).copied().unwrap_or_else(|| {
                groups.push(Group { codes: codes.to_vec(), ranges: Vec::new() });
                positions.insert(codes.to_vec(), groups.len() - 1);
                groups.len() - 1
            }),
        };
        current = Some(group);
        push_rows(&mut groups[group].ranges, rows);
    });
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::shape::{Axis, Shape};

    fn line(codes: Vec<u32>) -> Codes {
        let map = Broadcast::identity(codes.len());
        Codes { codes, map }
    }

    #[test]
    fn a_row_left_out_twice_counts_once_for_the_first_level() {
        let (time, position) = (line(vec![0, LEFT_OUT, 0, LEFT_OUT, 1]), line(vec![0, LEFT_OUT, LEFT_OUT, 0, 0]));
        let survivors = super::survivors(5, &[&time, &position]);
        assert_eq!(survivors.ranges, vec![0..1, 4..5]);
        assert_eq!(survivors.left_out, vec![2, 1]);
    }

    #[test]
    fn groups_come_in_order_of_appearance_with_runs_joined() {
        let codes = line(vec![5, 5, 7, 5, 7, 7, 5]);
        let scalar = Codes { codes: vec![3], map: Broadcast::scalar() };
        let groups = super::groups(std::slice::from_ref(&(0..6)), &[&codes, &scalar]);
        assert_eq!(groups[0], Group { codes: vec![5, 3], ranges: vec![0..2, 3..4] });
        assert_eq!(groups[1], Group { codes: vec![7, 3], ranges: vec![2..3, 4..6] });
        assert_eq!(groups.iter().flat_map(|g| &g.ranges).map(Range::len).sum::<usize>(), 6);
    }

    /// Levels that repeat their codes over other rows, in ranges that begin anywhere.
    #[test]
    fn rows_fall_into_groups_whatever_they_have_in_common() {
        let shape = Shape::new(vec![Axis::new(0, 6), Axis::new(1, 4), Axis::new(2, 700)]).unwrap();
        let slab = shape.slabs(usize::MAX, |_| 1).next().unwrap();
        let level = |own: &[usize], distinct: u32| {
            let map = slab.place(own).unwrap().map;
            let length: usize = own.iter().map(|&d| shape.axes[d].length).product();
            Codes { codes: (0..length as u32).map(|i| i * 7 % distinct).collect(), map }
        };
        for own in [[&[0][..], &[0, 1]], [&[0], &[]], [&[1], &[0]], [&[2], &[0]], [&[0, 1], &[2, 0]], [&[], &[]]] {
            let levels = [level(own[0], 3), level(own[1], 5)];
            let levels: Vec<&Codes> = levels.iter().collect();
            for ranges in [vec![0..9, 9..shape.rows], vec![1..2, 699..5_000, 5_003..16_799]] {
                let mut expected: Vec<(Vec<u32>, Vec<usize>)> = Vec::new();
                for row in ranges.iter().cloned().flatten() {
                    let codes: Vec<u32> = levels.iter().map(|level| level.codes[level.map.index(row)]).collect();
                    match expected.iter_mut().find(|(known, _)| *known == codes) {
                        Some((_, rows)) => rows.push(row),
                        None => expected.push((codes, vec![row])),
                    }
                }
                let groups = super::groups(&ranges, &levels);
                let got: Vec<_> = groups.into_iter().map(|g| (g.codes, g.ranges.into_iter().flatten().collect::<Vec<_>>())).collect();
                assert!(got == expected, "{own:?} {ranges:?}");
            }
        }
    }

    #[test]
    fn long_tables_go_in_blocks() {
        let codes = line((0..20_000).map(|i| i / 5_000).collect());
        let groups = super::groups(std::slice::from_ref(&(0..20_000)), &[&codes]);
        assert_eq!(groups.len(), 4);
        assert_eq!(groups[2].ranges, vec![10_000..15_000]);
    }
}
