//! How much memory a file will take, from its header alone, and how it is cut where that is too much.

use crds::config::DatasetConfig;

use super::FileError;
use super::layout::Layout;
use super::shape::Slabs;
use super::spool::ROW_GROUP;
use crate::read::{Kind, Reader, Variable};

/// What a column's encoder takes before it has seen a value.
const PER_COLUMN: u64 = 16 << 10;
/// Levels, dictionary and page of one value in the row group at hand.
const PER_VALUE: u64 = 24;
/// More than deflate can ever gain, with the widening of values.
const BEST_COMPRESSION: u64 = 8_192;
const ALWAYS_TRIED: u64 = 4 << 30;

/// Bytes beside the file itself, when all rows are in memory at once.
pub(super) fn bytes(reader: &dyn Reader, config: &DatasetConfig, layout: &Layout) -> u64 {
    let (mut decoded, mut largest) = (0u64, 0u64);
    for variable in wanted(reader, config) {
        let (own, raw) = of_variable(reader, variable);
        // What stays is the decoded column; beside it one raw variable at a time.
        decoded = decoded.saturating_add(own);
        largest = largest.max(raw.saturating_mul(2));
    }
    let rows = layout.shape.rows as u64;
    // Codes of rows, and the objects that wait encoded.
    let column = PER_COLUMN + rows.min(ROW_GROUP as u64) * PER_VALUE;
    let working = rows.saturating_mul(16).saturating_add((config.schema.len() as u64).saturating_mul(column));
    decoded.saturating_mul(2).saturating_add(largest).saturating_add(working)
}

pub(super) fn wanted<'a>(reader: &'a dyn Reader, config: &'a DatasetConfig) -> impl Iterator<Item = &'a Variable> {
    reader.variables().iter().filter(|v| config.schema.iter().any(|s| s.name == v.name))
}

/// Bytes of a variable decoded, and as they are stored.
fn of_variable(reader: &dyn Reader, variable: &Variable) -> (u64, u64) {
    let count = reader.length(variable) as u64;
    let width = if variable.kind == Kind::Char { 3 } else { variable.kind.width().max(8) };
    (count.saturating_mul(width as u64), count.saturating_mul(variable.kind.width() as u64))
}

/// One slab where the whole fits, otherwise slabs along the rows: one is in memory while the next
/// is read, and both are a quarter of the allowance at most.
pub(super) fn slabs(reader: &dyn Reader, config: &DatasetConfig, layout: &Layout, length: u64, allowed: u64) -> Result<Slabs, FileError> {
    let needed = bytes(reader, config, layout);
    let shape = &layout.shape;
    if needed <= allowed {
        return Ok(shape.slabs(usize::MAX, |_| 1));
    }
    // A header may promise more than any compression could hold: such a file must not hold a worker.
    if needed > length.saturating_mul(BEST_COMPRESSION).max(ALWAYS_TRIED) {
        return Err(FileError::Incredible { length, needed });
    }
    // Variables on none of the axes are in memory whole, whatever the slab.
    let on_an_axis = |v: &&Variable| v.dimensions.iter().any(|&d| shape.axes.iter().any(|axis| axis.dimension == d && axis.length > 1));
    let fixed: u64 = wanted(reader, config).filter(|v| !on_an_axis(v)).map(|v| of_variable(reader, v).0).sum();
    let indices: u64 = shape.axes.iter().map(|axis| (axis.instances.len() * axis.length * 4) as u64).sum();
    if fixed.saturating_add(indices) > allowed / 2 {
        return Err(FileError::TooLarge { needed: fixed.saturating_add(indices).saturating_mul(2) });
    }
    let chunks = reader.chunks();
    let chunk_of = |variable: &Variable| {
        let index = reader.variables().iter().position(|v| std::ptr::eq(v, variable))?;
        chunks.get(index)?.as_ref()
    };
    for variable in wanted(reader, config) {
        let Some(chunk) = chunk_of(variable) else { continue };
        let size = chunk.iter().fold(variable.kind.width() as u64, |size, &length| size.saturating_mul(length as u64));
        if size > allowed / 2 {
            return Err(FileError::ChunkTooLarge { variable: variable.name.clone(), bytes: size, needed: size.saturating_mul(2) });
        }
    }
    let working: u64 = wanted(reader, config).filter(on_an_axis).map(|v| of_variable(reader, v)).map(|(own, raw)| own + raw).sum();
    let per_row = (working / shape.rows.max(1) as u64).saturating_add(32 + 8 * config.schema.len() as u64);
    let room = (allowed - fixed - indices) / 4;
    let most_rows = usize::try_from(room / per_row.max(1)).unwrap_or(usize::MAX).max(1);
    // A slab that ends with a chunk reads none twice.
    let step = |dimension: usize| {
        let length = |v: &Variable| Some(chunk_of(v)?[v.dimensions.iter().position(|&d| d == dimension)?]);
        wanted(reader, config).filter_map(length).max().unwrap_or(1)
    };
    Ok(shape.slabs(most_rows, step))
}
