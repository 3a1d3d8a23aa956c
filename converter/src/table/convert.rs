//! One file, in the order of spec 1.3.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use arrow_select::nullif::nullif;
use crds::config::{Partition, VariableSchema};
use crds::wire::{Compat, Reason};

use super::cast::{self, CastError};
use super::column::{Column, Placed};
use super::layout::Layout;
use super::level::{self, Codes, Distinct, Group};
use super::source::Sources;
use super::time::{self, TimeRule};
use super::{Conversion, ConvertedObject, FileError, FileReport, partition, tile};
use crate::read::Reader;
use crate::write;

/// Rows of one row group (spec 6.2).
pub(super) const ROW_GROUP: usize = 20_000;

/// The values behind the codes of a partition level.
enum Values {
    Texts(Vec<Option<String>>),
    Cells(Vec<f64>),
}

struct Level {
    codes: Codes,
    values: Values,
}

pub(super) fn run(
    conversion: &Conversion,
    basename: &str,
    reader: &dyn Reader,
    sink: &mut dyn FnMut(ConvertedObject),
) -> Result<FileReport, FileError> {
    let config = &*conversion.config;
    let layout = Layout::of(reader, config, conversion.compat)?;
    let rows = layout.shape.rows;
    let mut sources = Sources::new(conversion, reader, &layout.shape, basename);

    let time = time_level(&mut sources)?;
    let positions = position_levels(&mut sources)?;
    let mut report = FileReport::default();
    let survivors = leave_out(rows, time.as_ref(), positions.as_ref(), &mut report)?;
    let used = (report.rows_left_out.values().sum::<u64>() > 0).then_some(survivors.as_slice());

    let mut columns = columns(&mut sources, used)?;
    let mut levels: Vec<(&str, usize)> = Vec::new();
    let mut all: Vec<Level> = Vec::new();
    let (mut time, mut positions) = (time, positions);
    for item in &config.partitioning {
        match item {
            // A second item of a kind has a folder but nothing to fill it.
            Partition::Time { name, .. } => {
                let chosen = conversion.time_partition().is_some_and(|p| std::ptr::eq(p, item));
                let level = time.take_if(|_| chosen).ok_or_else(|| FileError::EmptyPartitionColumn(name.clone()))?;
                levels.push((name, all.len()));
                all.push(level);
            }
            Partition::Tile { name, .. } => {
                let chosen = conversion.tile_partition().is_some_and(|p| std::ptr::eq(p, item));
                let pair = positions.take_if(|_| chosen).ok_or_else(|| FileError::EmptyPartitionColumn(name.clone()))?;
                levels.push((name, all.len()));
                all.extend([pair.0, pair.1]);
            }
            Partition::Column { name } => {
                levels.push((name, all.len()));
                all.push(column_level(&mut columns, name)?);
            }
        }
    }

    let codes: Vec<&Codes> = all.iter().map(|l| &l.codes).collect();
    let groups = level::groups(&survivors, &codes);
    guard_empty_partitions(&levels, &all, &groups)?;
    columns.retain(|c| !config.partitioning.iter().any(|p| p.name() == c.name));
    let schema = write::schema(columns.iter().map(|c| (c.name.as_str(), c.data_type.clone())));
    for group in &groups {
        let folders: Vec<String> = levels.iter().map(|&(name, level)| folder(config, name, level, &all, &group.codes)).collect();
        let mut object = write::ObjectWriter::new(&schema)?;
        for chunk in chunks(&group.ranges) {
            let arrays = columns.iter().map(|c| c.rows(&chunk)).collect::<Result<Vec<ArrayRef>, _>>().map_err(write::WriteError::from)?;
            object.write(arrays)?;
        }
        let rows = group.rows() as u64;
        report.rows += rows;
        sink(ConvertedObject { key: partition::object_key(&folders, basename), body: object.finish()?, rows });
    }
    report.notes = sources.notes;
    note_unknown(conversion, reader, &mut report.notes);
    Ok(report)
}

/// The time slices, if the config has them.
fn time_level(sources: &mut Sources) -> Result<Option<Level>, FileError> {
    let conversion = sources.conversion;
    let Some(Partition::Time { name, time_varname, period }) = conversion.time_partition() else { return Ok(None) };
    let sole = match sources.shape.dimensions.as_slice() {
        [only] => Some(sources.reader.dimensions()[*only].name == *time_varname),
        _ => None,
    };
    let times = if sources.is_fixed() { fixed_times(sources, time_varname)? } else { incumbent_times(sources, time_varname)? };
    let rule = TimeRule {
        variable: time_varname,
        period: *period,
        compat: conversion.compat,
        current_year: conversion.current_year,
        sole_index: sole == Some(true),
    };
    let slices = time::slices(times.array.as_ref(), &rule)?;
    let to = schema_of(conversion, name).map_or(DataType::Int64, |s| cast::arrow_type(s.column_type));
    let texts = time::slice_texts(slices.seconds, &to);
    Ok(Some(Level { codes: Codes { codes: slices.codes, map: times.map }, values: Values::Texts(texts) }))
}

fn is_timestamp(array: &dyn Array) -> bool {
    *array.data_type() == DataType::Timestamp(TimeUnit::Nanosecond, None)
}

/// The time variable must decode to times: a bare number is not one.
fn fixed_times(sources: &mut Sources, time_varname: &str) -> Result<Placed, FileError> {
    if let Some((index, variable)) = sources.variable(time_varname) {
        let units = variable.text("units").map_or_else(|| "no units".to_owned(), |u| format!("units {u:?}"));
        let placed = sources.place(index).map_err(super::source::SourceError::of_time)?;
        return match placed {
            Some(placed) if is_timestamp(&placed.array) => Ok(placed),
            _ => Err(FileError::BadTime(format!("variable {time_varname:?} has {units}, which make no time"))),
        };
    }
    if let &[only] = sources.shape.dimensions.as_slice()
        && let Some(placed) = sources.axis(only).map_err(super::source::SourceError::of_time)?
        && is_timestamp(&placed.array)
    {
        return Ok(placed);
    }
    match sources.column(time_varname)? {
        Some(placed) if is_timestamp(&placed.array) => Ok(placed),
        _ => Err(FileError::BadTime(format!("there is no variable {time_varname:?}"))),
    }
}

/// Spec 4.1, first match.
fn incumbent_times(sources: &mut Sources, time_varname: &str) -> Result<Placed, FileError> {
    let of_time = super::source::SourceError::of_time;
    let names: Vec<(usize, &str)> = sources.shape.dimensions.iter().map(|&d| (d, sources.reader.dimensions()[d].name.as_str())).collect();
    let index = match names.as_slice() {
        &[(only, name)] => name.contains(time_varname).then_some(only),
        many => many.iter().find(|(_, name)| *name == time_varname).map(|&(d, _)| d),
    };
    if let Some(dimension) = index
        && let Some(placed) = sources.axis(dimension).map_err(of_time)?
    {
        return as_timestamps(placed, time_varname);
    }
    let column = match sources.variable(time_varname) {
        Some((index, _)) => sources.place(index).map_err(of_time)?,
        None => sources.column(time_varname)?,
    };
    if let Some(placed) = &column
        && is_timestamp(&placed.array)
    {
        return Ok(placed.clone());
    }
    if let &[(only, _)] = names.as_slice()
        && let Some(placed) = sources.axis(only).map_err(of_time)?
        && is_timestamp(&placed.array)
    {
        return Ok(placed);
    }
    let Some(placed) = column else { return Err(FileError::BadTime(format!("there is no variable {time_varname:?}"))) };
    if placed.array.null_count() > 0 {
        return Err(FileError::BadTime(format!("variable {time_varname:?} has missing values and is no time")));
    }
    as_timestamps(placed, time_varname)
}

fn as_timestamps(placed: Placed, name: &str) -> Result<Placed, FileError> {
    let array = if is_timestamp(&placed.array) { placed.array } else { time::as_times(&placed.array, name)? };
    Ok(Placed { array, map: placed.map })
}

/// Latitude and longitude cells, if the config has tiles.
fn position_levels(sources: &mut Sources) -> Result<Option<(Level, Level)>, FileError> {
    let conversion = sources.conversion;
    let Some(Partition::Tile { lat_varname, lon_varname, resolution, .. }) = conversion.tile_partition() else { return Ok(None) };
    let mut level = |name: &str, limit: f64, longitude: bool| {
        let missing = |detail| FileError::MissingVariable { role: "position", name: name.to_owned(), detail };
        let schema = schema_of(conversion, name).ok_or_else(|| missing("the schema does not have it"))?;
        let valid = (schema.number("valid_min").unwrap_or(-limit), schema.number("valid_max").unwrap_or(limit));
        let mut placed = sources.column(name)?.ok_or_else(|| missing("the file does not have it"))?;
        if longitude && sources.is_fixed() {
            let (wrapped, count) = tile::wrap_longitudes(&placed.array, valid);
            if count > 0 {
                placed.array = wrapped;
                sources.notes.push(format!("variable {name:?}: {count} longitudes beyond {} were wrapped", valid.1));
                if let Some((index, _)) = sources.variable(name) {
                    sources.replace(index, placed.array.clone());
                }
            }
        }
        let cells = tile::cells(&placed.array, name, valid, *resolution)?;
        Ok::<_, FileError>(Level { codes: Codes { codes: cells.codes, map: placed.map }, values: Values::Cells(cells.cells) })
    };
    let latitude = level(lat_varname, 90.0, false)?;
    let longitude = level(lon_varname, 180.0, true)?;
    Ok(Some((latitude, longitude)))
}

/// Steps 9 to 11: rows with a bad time go first, then those with a bad position.
fn leave_out(
    rows: usize,
    time: Option<&Level>,
    positions: Option<&(Level, Level)>,
    report: &mut FileReport,
) -> Result<Vec<Range<usize>>, FileError> {
    let time_codes: Vec<&Codes> = time.iter().map(|l| &l.codes).collect();
    let position_codes = positions.iter().flat_map(|(lat, lon)| [&lat.codes, &lon.codes]);
    let levels: Vec<&Codes> = time_codes.iter().copied().chain(position_codes).collect();
    let survivors = level::survivors(rows, &levels);
    let bad_time: u64 = survivors.left_out[..time_codes.len()].iter().sum();
    let bad_position: u64 = survivors.left_out[time_codes.len()..].iter().sum();
    for (reason, count) in [(Reason::BadRowTime, bad_time), (Reason::BadRowPosition, bad_position)] {
        if count > 0 {
            report.rows_left_out.insert(reason, count);
        }
    }
    if !survivors.ranges.is_empty() {
        return Ok(survivors.ranges);
    }
    Err(FileError::NoRows(if bad_position == 0 {
        format!("none of {rows} rows has a valid time")
    } else {
        format!(
            "The dataframe is now empty after removing invalid spatial data: of {rows} rows {bad_time} have a bad time, {bad_position} a bad position"
        )
    }))
}

fn schema_of<'a>(conversion: &'a Conversion, name: &str) -> Option<&'a VariableSchema> {
    conversion.config.schema.iter().find(|s| s.name == name)
}

/// Every schema column, cast; in the order of the data file (spec 5.2).
fn columns(sources: &mut Sources, used: Option<&[Range<usize>]>) -> Result<Vec<Column>, FileError> {
    let conversion = sources.conversion;
    let config = &*conversion.config;
    let (mut present, mut absent, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for entry in &config.schema {
        if config.partitioning.iter().any(|p| p.name() == entry.name && !matches!(p, Partition::Column { .. })) {
            continue; // time slices and tiles are made elsewhere
        }
        let to = cast::arrow_type(entry.column_type);
        let natural = sources.column(&entry.name)?;
        if let Some((index, _)) = sources.variable(&entry.name) {
            sources.forget(index);
        }
        let Some(placed) = natural else {
            missing.push(entry.name.as_str());
            let column = Column { name: entry.name.clone(), data_type: to, values: None };
            let list = if conversion.compat == Compat::Incumbent { &mut absent } else { &mut present };
            list.push(column);
            continue;
        };
        let array = match cast_column(&placed, &to, used) {
            Ok(array) => array,
            Err(error) if conversion.compat == Compat::Fixed => {
                return Err(FileError::CastFailed { column: entry.name.clone(), to: to.to_string(), detail: error.0 });
            }
            Err(error) => {
                let natural = placed.array.data_type();
                sources.notes.push(format!("CastFailed: column {:?} stays {natural}: {}", entry.name, error.0));
                placed.array.clone()
            }
        };
        let column =
            Column { name: entry.name.clone(), data_type: array.data_type().clone(), values: Some(Placed { array, map: placed.map }) };
        present.push(column);
    }
    if !missing.is_empty() {
        sources.notes.push(format!("columns without a source, null: {}", listed(&missing)));
    }
    present.append(&mut absent);
    Ok(present)
}

/// Casts the values; when one fails, only those that stand in a row count.
fn cast_column(placed: &Placed, to: &DataType, used: Option<&[Range<usize>]>) -> Result<ArrayRef, CastError> {
    let error = match cast::cast(&placed.array, to) {
        Ok(array) => return Ok(array),
        Err(error) => error,
    };
    let Some(used) = used else { return Err(error) };
    let mut unused = vec![true; placed.array.len()];
    for row in used.iter().cloned().flatten() {
        unused[placed.map.index(row)] = false;
    }
    let masked = nullif(&placed.array, &unused.into()).map_err(|_| error.clone())?;
    cast::cast(&masked, to).map_err(|_| error)
}

/// A plain partition column (spec 4.4).
fn column_level(columns: &mut [Column], name: &str) -> Result<Level, FileError> {
    let Some(column) = columns.iter_mut().find(|c| c.name == name) else {
        let detail = "the schema does not have it";
        return Err(FileError::MissingVariable { role: "partition column", name: name.to_owned(), detail });
    };
    let Some(placed) = &column.values else { return Err(FileError::EmptyPartitionColumn(name.to_owned())) };
    let mut distinct = Distinct::new();
    let codes = (0..placed.array.len()).map(|i| distinct.code(cast::scalar_text(&placed.array, i))).collect();
    Ok(Level { codes: Codes { codes, map: placed.map.clone() }, values: Values::Texts(distinct.values) })
}

/// Step 15: a partition column needs one value at least.
fn guard_empty_partitions(levels: &[(&str, usize)], all: &[Level], groups: &[Group]) -> Result<(), FileError> {
    for &(name, level) in levels {
        if let Values::Texts(texts) = &all[level].values
            && groups.iter().all(|g| texts[g.codes[level] as usize].is_none())
        {
            return Err(FileError::EmptyPartitionColumn(name.to_owned()));
        }
    }
    Ok(())
}

fn folder(config: &crds::config::DatasetConfig, name: &str, level: usize, all: &[Level], codes: &[u32]) -> String {
    let code = |level: usize| codes[level] as usize;
    match &all[level].values {
        Values::Texts(texts) => partition::folder(name, texts[code(level)].as_deref()),
        Values::Cells(latitudes) => {
            let longitude = match &all[level + 1].values {
                Values::Cells(longitudes) => longitudes[code(level + 1)],
                Values::Texts(_) => 0.0,
            };
            let resolution = config.partitioning.iter().find_map(|p| match p {
                Partition::Tile { resolution, .. } => Some(*resolution),
                Partition::Time { .. } | Partition::Column { .. } => None,
            });
            partition::folder(name, Some(&tile::tile_hex(longitude, latitudes[code(level)], resolution.unwrap_or(5.0))))
        }
    }
}

/// Rows of one row group each.
fn chunks(ranges: &[Range<usize>]) -> Vec<Vec<Range<usize>>> {
    let (mut chunks, mut current, mut room) = (Vec::new(), Vec::new(), ROW_GROUP);
    for range in ranges {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + room);
            current.push(start..end);
            room -= end - start;
            start = end;
            if room == 0 {
                chunks.push(std::mem::take(&mut current));
                room = ROW_GROUP;
            }
        }
    }
    if !current.is_empty() {
        chunks.push(current);
    }
    chunks
}

/// Some of the names: a note stands in every file's record.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// Variables the schema does not know are left out: said once.
fn note_unknown(conversion: &Conversion, reader: &dyn Reader, notes: &mut Vec<String>) {
    let config = &*conversion.config;
    let known: BTreeSet<&str> = config.schema.iter().map(|s| s.name.as_str()).collect();
    let unknown: Vec<&str> = reader
        .variables()
        .iter()
        .map(|v| v.name.as_str())
        .filter(|name| !known.contains(name) && !config.drop_variables.iter().any(|d| d == name))
        .collect();
    if !unknown.is_empty() {
        notes.push(format!("variables the schema does not have, left out: {}", listed(&unknown)));
    }
}
