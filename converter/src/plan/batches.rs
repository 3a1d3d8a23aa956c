//! The incumbent's batches: what its stores say of themselves is taken from the files of the first and of the last.

use std::cmp::Reverse;

use serde_json::Value;

use super::headers::Known;
use crate::context::Context;

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
