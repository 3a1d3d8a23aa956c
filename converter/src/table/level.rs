//! Partitions: each level gives every row a small code; rows with the same codes go to one object.

use std::collections::HashMap;
use std::ops::Range;

use super::shape::Broadcast;

/// The code of a row that is left out.
pub(super) const LEFT_OUT: u32 = u32::MAX;

/// Codes at a variable's own dimensions.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    pub(super) codes: Vec<u32>,
    pub(super) map: Broadcast,
}

impl Codes {
    fn fill(&self, first: usize, out: &mut [u32]) {
        if self.map.is_scalar() {
            out.fill(self.codes[0]);
        } else if self.map.is_identity() {
            out.copy_from_slice(&self.codes[first..first + out.len()]);
        } else {
            for (i, code) in out.iter_mut().enumerate() {
                *code = self.codes[self.map.index(first + i)];
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
    codes: HashMap<K, u32>,
    pub(super) values: Vec<K>,
}

impl<K: Clone + Eq + std::hash::Hash> Distinct<K> {
    pub(super) fn new() -> Self {
        Self { codes: HashMap::new(), values: Vec::new() }
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

/// Leaves out the rows a level leaves out; a row counts for the first level that does.
pub(super) fn survivors(rows: usize, levels: &[&Codes]) -> Survivors {
    let mut left_out = vec![0; levels.len()];
    if !levels.iter().any(|l| l.leaves_out()) {
        return Survivors { ranges: std::iter::once(0..rows).collect(), left_out };
    }
    let mut ranges = Vec::new();
    let mut blocks = vec![vec![0; BLOCK]; levels.len()];
    for first in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - first);
        for (level, block) in levels.iter().zip(&mut blocks) {
            level.fill(first, &mut block[..count]);
        }
        for i in 0..count {
            match blocks.iter().position(|b| b[i] == LEFT_OUT) {
                Some(level) => left_out[level] += 1,
                None => push_row(&mut ranges, first + i),
            }
        }
    }
    Survivors { ranges, left_out }
}

fn push_row(ranges: &mut Vec<Range<usize>>, row: usize) {
    match ranges.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => ranges.push(row..row + 1),
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
    let mut positions: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut current = None;
    let mut codes = vec![LEFT_OUT; levels.len()];
    let mut blocks = vec![vec![0; BLOCK]; levels.len()];
    for range in survivors {
        for first in range.clone().step_by(BLOCK) {
            let count = BLOCK.min(range.end - first);
            for (level, block) in levels.iter().zip(&mut blocks) {
                level.fill(first, &mut block[..count]);
            }
            for i in 0..count {
                let same = blocks.iter().zip(&codes).all(|(b, &code)| b[i] == code);
                let group = match current {
                    Some(group) if same => group,
                    _ => {
                        for (block, code) in blocks.iter().zip(&mut codes) {
                            *code = block[i];
                        }
                        *positions.entry(codes.clone()).or_insert_with(|| {
                            groups.push(Group { codes: codes.clone(), ranges: Vec::new() });
                            groups.len() - 1
                        })
                    }
                };
                current = Some(group);
                push_row(&mut groups[group].ranges, first + i);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn long_tables_go_in_blocks() {
        let codes = line((0..20_000).map(|i| i / 5_000).collect());
        let groups = super::groups(std::slice::from_ref(&(0..20_000)), &[&codes]);
        assert_eq!(groups.len(), 4);
        assert_eq!(groups[2].ranges, vec![10_000..15_000]);
    }
}
