//! The files that speak for the incumbent's stores: their attributes are those of files of its first and its last batch.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crds::wire::StoredTimes;
use serde_json::Value;

use super::headers::Known;
use crate::context::Context;
use crate::grid::{Laid, SAME_TIME};

/// Files in the order of their keys, cut as the config's `batch_size` says; all at once where it says nothing.
pub(super) fn batches(context: &Context, known: &[&Known]) -> Vec<Vec<usize>> {
    let size = context.document.config.pointer("/run_settings/batch_size").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let mut listed: Vec<usize> = (0..known.len()).collect();
    listed.sort_by(|&one, &two| known[one].candidate.file.key.cmp(&known[two].candidate.file.key));
    let size = usize::try_from(size).unwrap_or(usize::MAX).max(1);
    listed.chunks(size).map(<[usize]>::to_vec).collect()
}

/// The file of a batch that attributes are taken from: the first in time. The last of several, which replaces the others.
pub(super) fn earliest(known: &[&Known], batch: &[usize]) -> Option<usize> {
    let order = |&(place, at): &(usize, usize)| (known[at].header.times.first().copied(), Reverse(place));
    batch.iter().copied().enumerate().min_by_key(order).map(|(_, at)| at)
}

/// The file whose attributes are those of the group in the incumbent's store: the earliest of its last batch with a new time.
pub(super) fn speaker(context: &Context, laid: &Laid, known: &[(Known, StoredTimes)]) -> Option<usize> {
    let mut new: BTreeSet<i64> = laid.new_rows.iter().map(|&(file, row)| known[file].0.header.times[row]).collect();
    let files: Vec<&Known> = known.iter().map(|(known, _)| known).collect();
    let mut last = None;
    for batch in batches(context, &files) {
        let before = new.len();
        for time in batch.iter().flat_map(|&file| &files[file].header.times) {
            let same: Vec<i64> = new.range(time.saturating_sub(SAME_TIME)..=time.saturating_add(SAME_TIME)).copied().collect();
            for time in same {
                new.remove(&time);
            }
        }
        if new.len() < before {
            last = earliest(&files, &batch);
        }
    }
    last
}
