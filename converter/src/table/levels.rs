//! The partitions of one slab: time slices, tiles and plain columns.

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use crds::config::{DatasetConfig, Partition, VariableSchema};

use super::column::{Column, Placed};
use super::level::{Codes, Distinct};
use super::rows::{Rows, SourceError};
use super::source::Sources;
use super::time::{self, TimeRule};
use super::{Conversion, FileError, cast, partition, tile};

/// One level of partition folders over the rows of a slab.
pub(super) struct Level {
    pub(super) codes: Codes,
    values: Values,
}

/// The values behind the codes.
enum Values {
    Texts(Vec<Option<String>>),
    Cells(Vec<f64>),
}

/// The partitions of a slab, in folder order.
pub(super) struct Levels<'a> {
    config: &'a DatasetConfig,
    all: Vec<Level>,
    /// For each partition its level; a tile has a second one after it.
    firsts: Vec<(&'a str, usize)>,
}

impl<'a> Levels<'a> {
    /// Puts time and position in their places among the plain columns.
    pub(super) fn new(
        conversion: &'a Conversion,
        mut time: Option<Level>,
        mut positions: Option<(Level, Level)>,
        columns: &[Column],
    ) -> Result<Self, FileError> {
        let config = &*conversion.config;
        let (mut all, mut firsts): (Vec<Level>, Vec<(&str, usize)>) = (Vec::new(), Vec::new());
        for item in &config.partitioning {
            firsts.push((item.name(), all.len()));
            match item {
                // A second item of a kind has a folder but nothing to fill it.
                Partition::Time { name, .. } => {
                    let chosen = conversion.time_partition().is_some_and(|p| std::ptr::eq(p, item));
                    all.push(time.take_if(|_| chosen).ok_or_else(|| FileError::EmptyPartitionColumn(name.clone()))?);
                }
                Partition::Tile { name, .. } => {
                    let chosen = conversion.tile_partition().is_some_and(|p| std::ptr::eq(p, item));
                    let pair = positions.take_if(|_| chosen).ok_or_else(|| FileError::EmptyPartitionColumn(name.clone()))?;
                    all.extend([pair.0, pair.1]);
                }
                Partition::Column { name } => all.push(column_level(columns, name)?),
            }
        }
        Ok(Self { config, all, firsts })
    }

    pub(super) fn codes(&self) -> Vec<&Codes> {
        self.all.iter().map(|level| &level.codes).collect()
    }

    /// For each partition whether these codes give it a value.
    pub(super) fn values(&self, codes: &[u32]) -> Vec<bool> {
        let has = |&(_, level): &(&str, usize)| match &self.all[level].values {
            Values::Texts(texts) => texts[codes[level] as usize].is_some(),
            Values::Cells(_) => true,
        };
        self.firsts.iter().map(has).collect()
    }

    /// `<k1>=<v1>/…` of these codes.
    pub(super) fn folders(&self, codes: &[u32]) -> Vec<String> {
        self.firsts.iter().map(|&(name, level)| self.folder(name, level, codes)).collect()
    }

    fn folder(&self, name: &str, level: usize, codes: &[u32]) -> String {
        let code = |level: usize| codes[level] as usize;
        match &self.all[level].values {
            Values::Texts(texts) => partition::folder(name, texts[code(level)].as_deref()),
            Values::Cells(latitudes) => {
                let longitude = match &self.all[level + 1].values {
                    Values::Cells(longitudes) => longitudes[code(level + 1)],
                    Values::Texts(_) => 0.0,
                };
                let resolution = self.config.partitioning.iter().find_map(|p| match p {
                    Partition::Tile { resolution, .. } => Some(*resolution),
                    Partition::Time { .. } | Partition::Column { .. } => None,
                });
                partition::folder(name, Some(&tile::tile_hex(longitude, latitudes[code(level)], resolution.unwrap_or(5.0))))
            }
        }
    }
}

/// The time slices, if the config has them. `last` is the last time of the slab before.
pub(super) fn time_level(sources: &mut Sources, last: &mut Option<i64>) -> Result<Option<Level>, FileError> {
    let conversion = sources.conversion;
    let Some(Partition::Time { name, time_varname, period }) = conversion.time_partition() else { return Ok(None) };
    let sole_index = matches!(sources.rows.indexes().as_slice(), [only] if only == time_varname);
    let times = if sources.is_fixed() { fixed_times(sources, time_varname)? } else { incumbent_times(sources, time_varname)? };
    if times.map.is_identity() && sources.rows.has_one_in_each(time_varname) {
        let steps = time::steps_back(times.array.as_ref(), last);
        sources.notes.count(format!("NonMonotonicTime: variable {time_varname:?} goes back "), steps, " times; the rows keep their order");
    }
    let rule =
        TimeRule { variable: time_varname, period: *period, compat: conversion.compat, current_year: conversion.current_year, sole_index };
    let slices = time::slices(times.array.as_ref(), &rule)?;
    let to = schema_of(conversion, name).map_or(DataType::Int64, |s| cast::arrow_type(s.column_type));
    let texts = time::slice_texts(slices.seconds, &to);
    Ok(Some(Level { codes: Codes { codes: slices.codes, map: times.map }, values: Values::Texts(texts) }))
}

fn is_time(array: &dyn Array) -> bool {
    matches!(array.data_type(), DataType::Timestamp(_, _) | DataType::Date32)
}

/// The time variable must decode to times: a bare number is not one.
fn fixed_times(sources: &mut Sources, time_varname: &str) -> Result<Placed, FileError> {
    if sources.rows.has(time_varname) {
        let units = sources.rows.units(time_varname).map(|u| format!("units {u:?}, which make no time"));
        let placed = sources.rows.values(time_varname, sources.notes).map_err(SourceError::of_time)?;
        return match placed {
            Some(placed) if is_time(&placed.array) => wall_times(&sources.rows, placed, time_varname),
            Some(placed) if placed.array.data_type() == &DataType::Utf8 => as_times(&sources.rows, placed, time_varname),
            _ => Err(FileError::BadTime(format!(
                "variable {time_varname:?} has {}",
                units.unwrap_or_else(|| "no units, which make no time".to_owned())
            ))),
        };
    }
    if let Ok([_]) = <[String; 1]>::try_from(sources.rows.indexes())
        && let Some(placed) = sources.rows.index(0, sources.notes).map_err(SourceError::of_time)?
        && is_time(&placed.array)
    {
        return wall_times(&sources.rows, placed, time_varname);
    }
    match sources.column(time_varname)? {
        Some(placed) if is_time(&placed.array) => wall_times(&sources.rows, placed, time_varname),
        _ => Err(FileError::BadTime(format!("there is no variable {time_varname:?}"))),
    }
}

/// Spec 4.1, first match.
fn incumbent_times(sources: &mut Sources, time_varname: &str) -> Result<Placed, FileError> {
    let names = sources.rows.indexes();
    let index = match names.as_slice() {
        [only] => only.contains(time_varname).then_some(0),
        many => many.iter().position(|name| name == time_varname),
    };
    if let Some(position) = index
        && let Some(placed) = sources.rows.index(position, sources.notes).map_err(SourceError::of_time)?
    {
        return as_times(&sources.rows, placed, time_varname);
    }
    let column = if sources.rows.has(time_varname) {
        sources.rows.values(time_varname, sources.notes).map_err(SourceError::of_time)?
    } else {
        sources.column(time_varname)?
    };
    if let Some(placed) = &column
        && *placed.array.data_type() == DataType::Timestamp(TimeUnit::Nanosecond, None)
    {
        return Ok(placed.clone());
    }
    if names.len() == 1
        && let Some(placed) = sources.rows.index(0, sources.notes).map_err(SourceError::of_time)?
        && matches!(placed.array.data_type(), DataType::Timestamp(_, _))
    {
        return wall_times(&sources.rows, placed, time_varname);
    }
    let Some(placed) = column else { return Err(FileError::BadTime(format!("there is no variable {time_varname:?}"))) };
    if placed.array.null_count() > 0 {
        return Err(FileError::BadTime(format!("variable {time_varname:?} has missing values and is no time")));
    }
    as_times(&sources.rows, placed, time_varname)
}

fn as_times(rows: &Rows, placed: Placed, name: &str) -> Result<Placed, FileError> {
    if is_time(&placed.array) {
        wall_times(rows, placed, name)
    } else {
        Ok(Placed { array: time::as_times(&placed.array, name, rows.first_of(&placed))?, map: placed.map })
    }
}

fn wall_times(rows: &Rows, placed: Placed, name: &str) -> Result<Placed, FileError> {
    Ok(Placed { array: time::wall_times(&placed.array, name, rows.first_of(&placed))?, map: placed.map })
}

/// Latitude and longitude cells, if the config has tiles.
pub(super) fn position_levels(sources: &mut Sources) -> Result<Option<(Level, Level)>, FileError> {
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
                sources.notes.count(format!("variable {name:?}: "), count, format!(" longitudes beyond {} were wrapped", valid.1));
                sources.replace(name, ArrayRef::clone(&placed.array));
            }
        }
        let cells = tile::cells(&placed.array, name, sources.rows.first_of(&placed), valid, *resolution)?;
        Ok::<_, FileError>(Level { codes: Codes { codes: cells.codes, map: placed.map }, values: Values::Cells(cells.cells) })
    };
    let latitude = level(lat_varname, 90.0, false)?;
    let longitude = level(lon_varname, 180.0, true)?;
    Ok(Some((latitude, longitude)))
}

fn schema_of<'a>(conversion: &'a Conversion, name: &str) -> Option<&'a VariableSchema> {
    conversion.config.schema.iter().find(|s| s.name == name)
}

/// A plain partition column (spec 4.4).
fn column_level(columns: &[Column], name: &str) -> Result<Level, FileError> {
    let Some(column) = columns.iter().find(|c| c.name == name) else {
        let detail = "the schema does not have it";
        return Err(FileError::MissingVariable { role: "partition column", name: name.to_owned(), detail });
    };
    let Some(placed) = &column.values else { return Err(FileError::EmptyPartitionColumn(name.to_owned())) };
    let mut distinct = Distinct::new();
    let mut last: Option<(Option<String>, u32)> = None;
    let codes = (0..placed.array.len()).map(|i| {
        let text = cast::scalar_text(&placed.array, i);
        match &last {
            Some((same, code)) if *same == text => *code,
            _ => {
                let code = distinct.code(text.clone());
                last = Some((text, code));
                code
            }
        }
    });
    let codes = codes.collect();
    Ok(Level { codes: Codes { codes, map: placed.map.clone() }, values: Values::Texts(distinct.values) })
}
