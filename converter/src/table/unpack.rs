//! Chunks of the source that several slabs lie in: inflated once, into scratch, instead of once for each slab.

use std::ops::Range;

use crds::config::DatasetConfig;

use super::estimate::wanted;
use super::layout::Layout;
use super::shape::{Slab, Slabs};
use crate::cf::decoded_dimensions;
use crate::read::{Reader, Unpacked};

/// The variables of a file of which slabs would inflate more than half as much again as there is.
pub(super) fn shared(reader: &dyn Reader, config: &DatasetConfig, layout: &Layout, slabs: &Slabs, allowed: u64) -> Vec<Unpacked> {
    if slabs.clone().nth(1).is_none() {
        return Vec::new();
    }
    let (chunks, piece) = (reader.chunks(), Unpacked::piece(allowed));
    let shared = |index: usize| {
        let chunk = chunks.get(index)?.as_deref()?;
        let parts: Vec<Vec<Range<usize>>> = slabs.clone().map(|slab| selection(reader, index, &slab)).collect::<Option<_>>()?;
        let lengths = reader.variables()[index].dimensions.iter().map(|&dimension| reader.dimensions()[dimension].length);
        let whole: Vec<Range<usize>> = lengths.map(|length| 0..length).collect();
        // What every slab takes as a whole is decoded once, and kept.
        if parts.iter().all(|part| *part == whole) {
            return None;
        }
        let inflated: usize = parts.iter().map(|part| touched(part, chunk)).sum();
        if inflated * 2 <= touched(&whole, chunk) * 3 {
            return None;
        }
        let rows: Vec<Range<usize>> = parts.into_iter().filter_map(|part| part.into_iter().next()).collect();
        Unpacked::new(reader, index, chunk, &rows, piece)
    };
    let indices = wanted(reader, config).filter_map(|variable| reader.position(&variable.name));
    indices.filter(|&index| layout.takes(index)).filter_map(shared).collect()
}

/// A slab is done with: chunks that no later one lies in are given up.
pub(super) fn release(reader: &dyn Reader, unpacked: &[Unpacked], slab: &Slab) {
    for variable in unpacked {
        let rows = selection(reader, variable.index(), slab).and_then(|part| part.into_iter().next());
        if let Some(rows) = rows {
            variable.release(&rows);
        }
    }
}

/// What a slab reads of a variable; none of one that has no place in the rows.
fn selection(reader: &dyn Reader, index: usize, slab: &Slab) -> Option<Vec<Range<usize>>> {
    let variable = &reader.variables()[index];
    let decoded = decoded_dimensions(reader, variable);
    let mut selection = slab.selection(decoded)?;
    selection.extend(variable.dimensions[decoded.len()..].iter().map(|&dimension| 0..reader.dimensions()[dimension].length));
    Some(selection)
}

/// Chunks that a part lies in.
fn touched(part: &[Range<usize>], chunk: &[usize]) -> usize {
    let along = |(range, &length): (&Range<usize>, &usize)| {
        if range.is_empty() { 0 } else { (range.end - 1) / length.max(1) - range.start / length.max(1) + 1 }
    };
    part.iter().zip(chunk).map(along).product()
}
