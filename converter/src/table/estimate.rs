//! How much memory a file will take, from its header alone.

use crds::config::DatasetConfig;
use crds::wire::Compat;

use super::convert::ROW_GROUP;
use super::layout::Layout;
use crate::read::{Kind, Reader};

/// What a column's encoder takes before it has seen a value.
const PER_COLUMN: u64 = 16 << 10;
/// Levels, dictionary and page of one value in the row group at hand.
const PER_VALUE: u64 = 24;

/// Bytes beside the file itself.
pub(super) fn bytes(reader: &dyn Reader, config: &DatasetConfig, compat: Compat) -> u64 {
    let wanted = reader.variables().iter().filter(|v| config.schema.iter().any(|s| s.name == v.name));
    let (mut decoded, mut largest) = (0u64, 0u64);
    for variable in wanted {
        let count = reader.length(variable) as u64;
        let raw = count.saturating_mul(variable.kind.width() as u64);
        // What stays is the decoded column; beside it one raw variable at a time.
        let width = if variable.kind == Kind::Char { 3 } else { variable.kind.width().max(8) };
        decoded = decoded.saturating_add(count.saturating_mul(width as u64));
        largest = largest.max(raw.saturating_mul(2));
    }
    let rows = Layout::of(reader, config, compat).map_or(0, |layout| layout.shape.rows as u64);
    // Codes of rows, and the objects that wait encoded.
    let column = PER_COLUMN + rows.min(ROW_GROUP as u64) * PER_VALUE;
    let working = rows.saturating_mul(16).saturating_add((config.schema.len() as u64).saturating_mul(column));
    decoded.saturating_mul(2).saturating_add(largest).saturating_add(working)
}
