//! Every column of the schema over one slab, cast to its type (spec 5).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;
use arrow_select::nullif::nullif;
use crds::config::{Partition, VariableSchema};
use crds::wire::Compat;

use super::FileError;
use super::broadcast::Broadcast;
use super::cast::{self, CastError};
use super::column::{Column, Placed};
use super::rows::Rows;
use super::source::Sources;

/// What is known of a file only after all its slabs were seen (Incumbent).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Columns that keep their own type, since a value cannot take the schema's; and what is said of it.
    uncast: BTreeMap<String, String>,
    /// Rows with a bad time were dropped, which gives a table without an index the row numbers.
    reindexed: bool,
}

/// Which rows of a slab count.
#[derive(Clone, Copy)]
pub(super) struct Used<'a> {
    pub(super) rows: &'a [Range<usize>],
    /// Some rows are left out.
    pub(super) partly: bool,
    /// Some of them for a bad time.
    pub(super) bad_times: bool,
}

/// Every schema column, cast; in the order of the data file (spec 5.2).
pub(super) fn columns(sources: &mut Sources, used: Used, facts: &mut Facts) -> Result<Vec<Column>, FileError> {
    let conversion = sources.conversion;
    let config = &*conversion.config;
    let (mut present, mut absent, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for entry in &config.schema {
        if config.partitioning.iter().any(|p| p.name() == entry.name && !matches!(p, Partition::Column { .. })) {
            continue; // time slices and tiles are made elsewhere
        }
        let to = cast::arrow_type(entry.column_type);
        let natural = match sources.column(&entry.name)? {
            None => row_numbers(sources, &entry.name, used, facts),
            natural => natural,
        };
        sources.rows.forget(&entry.name);
        let Some(placed) = natural else {
            missing.push(entry.name.as_str());
            let column = Column { name: entry.name.clone(), data_type: to, values: None };
            let list = if conversion.compat == Compat::Incumbent { &mut absent } else { &mut present };
            list.push(column);
            continue;
        };
        present.push(cast_entry(sources, entry, placed, &to, used, facts)?);
    }
    if !missing.is_empty() {
        sources.notes.say(format!("columns without a source, null: {}", listed(&missing)));
    }
    present.append(&mut absent);
    Ok(present)
}

fn cast_entry(
    sources: &mut Sources,
    entry: &VariableSchema,
    placed: Placed,
    to: &DataType,
    used: Used,
    facts: &mut Facts,
) -> Result<Column, FileError> {
    let array = if let Some(note) = facts.uncast.get(&entry.name) {
        sources.notes.say(note.as_str());
        Arc::clone(&placed.array)
    } else {
        match cast_column(&placed, to, used) {
            Ok(array) => array,
            Err(error) => {
                let detail = error.text(sources.rows.first_of(&placed));
                if sources.conversion.compat == Compat::Fixed {
                    return Err(FileError::CastFailed { column: entry.name.clone(), to: to.to_string(), detail });
                }
                let note = format!("CastFailed: column {:?} stays {}: {detail}", entry.name, placed.array.data_type());
                sources.notes.say(note.as_str());
                facts.uncast.insert(entry.name.clone(), note);
                Arc::clone(&placed.array)
            }
        }
    };
    Ok(Column { name: entry.name.clone(), data_type: array.data_type().clone(), values: Some(Placed { array, map: placed.map }) })
}

/// The incumbent's `index` of a table (spec 2.8): the old row numbers, in a table that has lost rows
/// for their times.
fn row_numbers(sources: &Sources, name: &str, used: Used, facts: &mut Facts) -> Option<Placed> {
    let Rows::Table(table) = &sources.rows else { return None };
    if name != "index" || table.index.is_some() || sources.is_fixed() {
        return None;
    }
    facts.reindexed |= used.bad_times;
    let (first, rows) = (sources.rows.first() as i64, sources.rows.count());
    let numbers = || Placed { array: Arc::new(Int64Array::from_iter_values((first..).take(rows))), map: Broadcast::identity(rows) };
    facts.reindexed.then(numbers)
}

/// Casts the values; when one fails, only those that stand in a row count.
fn cast_column(placed: &Placed, to: &DataType, used: Used) -> Result<ArrayRef, CastError> {
    let error = match cast::cast(&placed.array, to) {
        Ok(array) => return Ok(array),
        Err(error) => error,
    };
    if !used.partly {
        return Err(error);
    }
    let mut unused = vec![true; placed.array.len()];
    for row in used.rows.iter().cloned().flatten() {
        unused[placed.map.index(row)] = false;
    }
    let masked = nullif(&placed.array, &unused.into()).map_err(|_| error.clone())?;
    cast::cast(&masked, to).map_err(|_| error)
}

/// Some of the names: a note stands in every file's record.
pub(super) fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}
