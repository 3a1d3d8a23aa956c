//! The incumbent's special readers (spec 8), each a named mode of the general one: which dimensions
//! are rows, which are reached through an index, which variables take part.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use crds::config::{DatasetConfig, Mode};
use crds::wire::Compat;

use super::FileError;
use super::cast;
use super::layout::{Index, Layout};
use super::ragged::integers;
use super::shape::{Axis, Instances, Shape};
use crate::cf::{decoded_dimensions, geometry};
use crate::read::{Reader, Variable};

/// The layout of a special reader; none for the generic one.
pub(super) fn special(config: &DatasetConfig, reader: &dyn Reader, compat: Compat, key: &str) -> Result<Option<Layout>, FileError> {
    match config.mode {
        Mode::Generic | Mode::Aatams => Ok(None),
        Mode::Argo => argo(reader, key).map(Some),
        Mode::AnmnHourly => hourly(reader, compat).map(Some),
        Mode::Bodbaw { spectral_flatten } => spectra(reader, compat, spectral_flatten).map(Some),
    }
}

fn dimension(reader: &dyn Reader, handler: &'static str, name: &str) -> Result<usize, FileError> {
    let found = reader.dimensions().iter().position(|d| d.name == name);
    found.ok_or_else(|| FileError::Shape { handler, detail: format!("no variable has the dimension {name:?}") })
}

/// `N_PROF` × `N_LEVELS`: profile variables are repeated over their levels, padding stays.
fn argo(reader: &dyn Reader, key: &str) -> Result<Layout, FileError> {
    const NAME: &str = "ArgoHandler";
    if !key.ends_with("_prof.nc") {
        return Err(FileError::Shape { handler: NAME, detail: "it reads profile files, whose names end in _prof.nc".into() });
    }
    let (profiles, levels) = (dimension(reader, NAME, "N_PROF")?, dimension(reader, NAME, "N_LEVELS")?);
    let coordinates = coordinates(reader);
    let takes = |variable: &Variable| {
        let own = decoded_dimensions(reader, variable);
        (own == [profiles, levels] || own == [profiles]) && !coordinates.contains(variable.name.as_str())
    };
    Ok(Layout {
        shape: Shape::new(vec![axis(reader, profiles), axis(reader, levels)])?,
        indexes: vec![Index::Counter],
        only: Some(positions(reader, takes)),
        notes: Vec::new(),
    })
}

/// Observations, joined with the instrument that made each.
fn hourly(reader: &dyn Reader, compat: Compat) -> Result<Layout, FileError> {
    const NAME: &str = "AnmnHourlyTsHandler";
    let shape = |detail: String| FileError::Shape { handler: NAME, detail };
    let (observations, instruments) = (dimension(reader, NAME, "OBSERVATION")?, dimension(reader, NAME, "INSTRUMENT")?);
    for variable in reader.variables() {
        let own = decoded_dimensions(reader, variable);
        if let Some(&other) = own.iter().find(|&&d| d != observations && d != instruments) {
            let other = &reader.dimensions()[other].name;
            return Err(shape(format!("variable {:?} has the dimension {other:?}, besides OBSERVATION and INSTRUMENT", variable.name)));
        }
        if own.contains(&observations) && own.contains(&instruments) {
            return Err(shape(format!("variable {:?} depends on both OBSERVATION and INSTRUMENT", variable.name)));
        }
    }
    let index = reader.position("instrument_index").ok_or_else(|| shape("there is no variable \"instrument_index\"".into()))?;
    if decoded_dimensions(reader, &reader.variables()[index]) != [observations] {
        return Err(shape("variable \"instrument_index\" is not on OBSERVATION".into()));
    }
    let outside = if compat == Compat::Fixed { geometry::Outside::Refused } else { geometry::Outside::Unmatched };
    let length = reader.dimensions()[instruments].length;
    let of = geometry::indexed("instrument_index", &integers(reader, index)?, 0, length, outside)?;
    let instances = vec![Instances { dimension: instruments, length, of: Arc::new(of) }];
    Ok(Layout {
        shape: Shape::new(vec![Axis { instances, ..axis(reader, observations) }])?,
        indexes: vec![Index::Counter],
        only: None,
        notes: Vec::new(),
    })
}

/// Samples of profiles of stations, and of wavelengths where spectra are flattened.
fn spectra(reader: &dyn Reader, compat: Compat, flatten: bool) -> Result<Layout, FileError> {
    const NAME: &str = "BODBAWHandler";
    const OF_THE_STATION: &[&str] = &["LATITUDE", "LONGITUDE", "station_name"];
    let shape = |detail: String| FileError::Shape { handler: NAME, detail };
    let (stations, profiles, samples) =
        (dimension(reader, NAME, "station")?, dimension(reader, NAME, "profile")?, dimension(reader, NAME, "obs")?);
    let variable = |name: &str| reader.position(name).ok_or_else(|| shape(format!("there is no variable {name:?}")));
    let (sizes, station_index) = (variable("row_size")?, variable("station_index")?);

    let mut notes = Vec::new();
    let length = |dimension: usize| reader.dimensions()[dimension].length;
    let counts = integers(reader, sizes)?;
    let of_profile = match geometry::contiguous("row_size", &counts, length(samples)) {
        Ok(of) => of,
        // Their archive has such files, and the incumbent's rule for them is part of its output (spec 8.3).
        Err(error) => {
            notes.push(format!("RaggedMismatch: {error}; the counts were cut to fit"));
            geometry::contiguous_repaired(&counts, length(samples))
        }
    };
    let outside = if compat == Compat::Fixed { geometry::Outside::Refused } else { geometry::Outside::Unmatched };
    // Stations count from one.
    let of_station = geometry::indexed("station_index", &integers(reader, station_index)?, 1, length(stations), outside)?;
    let of_station = geometry::chained(&of_profile, &of_station);
    let instances = vec![
        Instances { dimension: profiles, length: length(profiles), of: Arc::new(of_profile) },
        Instances { dimension: stations, length: length(stations), of: Arc::new(of_station) },
    ];
    let mut axes = vec![Axis { instances, ..axis(reader, samples) }];
    let wavelengths = reader.dimensions().iter().position(|d| d.name == "wavelength");
    let is_spectral = |v: &Variable| wavelengths.is_some_and(|w| decoded_dimensions(reader, v) == [samples, w]);
    let flattened = wavelengths.filter(|_| flatten && reader.variables().iter().any(is_spectral));
    axes.extend(flattened.map(|wavelength| axis(reader, wavelength)));
    let takes = |v: &Variable| match decoded_dimensions(reader, v) {
        [only] if *only == samples => v.name != "station_name" && v.name != "row_size",
        [only] if *only == profiles => v.name == "TIME",
        [only] if *only == stations => OF_THE_STATION.contains(&v.name.as_str()),
        [only] => flattened == Some(*only) && v.name == "wavelength",
        _ => flattened.is_some() && is_spectral(v),
    };
    Ok(Layout { shape: Shape::new(axes)?, indexes: vec![Index::Counter], only: Some(positions(reader, takes)), notes })
}

fn axis(reader: &dyn Reader, dimension: usize) -> Axis {
    Axis::new(dimension, reader.dimensions()[dimension].length)
}

fn positions(reader: &dyn Reader, takes: impl Fn(&Variable) -> bool) -> BTreeSet<usize> {
    reader.variables().iter().enumerate().filter(|(_, v)| takes(v)).map(|(position, _)| position).collect()
}

/// Variables that xarray makes coordinates: named like a dimension, or in a `coordinates` attribute.
fn coordinates(reader: &dyn Reader) -> BTreeSet<&str> {
    let global = reader.attributes().iter().find(|a| a.name == "coordinates").and_then(|a| a.values.as_text());
    let listed = reader.variables().iter().filter_map(|v| v.text("coordinates")).chain(global);
    let mut names: BTreeSet<&str> = listed.flat_map(str::split_whitespace).collect();
    names.extend(reader.variables().iter().map(|v| v.name.as_str()).filter(|n| reader.dimensions().iter().any(|d| d.name == *n)));
    names
}

/// What a special reader makes of a decoded variable.
pub(super) fn mended(config: &DatasetConfig, compat: Compat, variable: &Variable, array: ArrayRef) -> Result<ArrayRef, FileError> {
    let is_text = matches!(array.data_type(), DataType::Utf8 | DataType::Binary);
    match config.mode {
        Mode::Argo if variable.name == "PLATFORM_NUMBER" && is_text => platform_numbers(&array),
        Mode::AnmnHourly if is_text => {
            let text = to_text(&array, &variable.name)?;
            // The incumbent makes a missing text the text "nan".
            Ok(if compat == Compat::Incumbent {
                Arc::new(text.iter().map(|t| Some(t.unwrap_or("nan"))).collect::<StringArray>())
            } else {
                Arc::new(text)
            })
        }
        Mode::Bodbaw { .. } if variable.name == "station_name" && is_text => {
            let text = to_text(&array, &variable.name)?;
            Ok(Arc::new(text.iter().map(|t| t.map(str::trim)).collect::<StringArray>()))
        }
        _ => Ok(array),
    }
}

fn to_text(array: &ArrayRef, column: &str) -> Result<StringArray, FileError> {
    let failed =
        |error: cast::CastError| FileError::CastFailed { column: column.to_owned(), to: DataType::Utf8.to_string(), detail: error.text(0) };
    Ok(cast::cast(array, &DataType::Utf8).map_err(failed)?.as_string::<i32>().clone())
}

/// Stripped and read as numbers: leading zeros go.
fn platform_numbers(array: &ArrayRef) -> Result<ArrayRef, FileError> {
    let text = to_text(array, "PLATFORM_NUMBER")?;
    let failed = |detail: String| FileError::CastFailed { column: "PLATFORM_NUMBER".into(), to: DataType::Int64.to_string(), detail };
    let number = |(profile, text): (usize, Option<&str>)| {
        let text = text.ok_or_else(|| failed(format!("profile {profile} has none")))?.trim();
        text.parse::<i64>().map_err(|_| failed(format!("profile {profile} has {text:?}, which is no number")))
    };
    Ok(Arc::new(Int64Array::from(text.iter().enumerate().map(number).collect::<Result<Vec<_>, _>>()?)))
}
