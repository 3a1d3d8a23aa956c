//! What a plan must know of a file: its times and its positions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use crds::config::GridConfig;
use crds::wire::{Compat, Site, StoredTimes};

use super::GridError;
use super::cells;
use super::lay::SAME_TIME;
use crate::cf::{self, Rules};
use crate::read::{Kind, Reader, Values, Variable};
use crate::zarr::Dtype;

/// A file's place in a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Of its rows, in nanoseconds since 1970.
    pub times: Vec<i64>,
    /// The same as the file has them.
    pub stored: StoredTimes,
    pub units: String,
    pub calendar: String,
    /// Positions along the other dimensions that the config's variables use.
    pub coordinates: Arc<BTreeMap<String, Vec<f64>>>,
    pub site: Site,
}

impl Header {
    /// # Errors
    /// When times or positions are missing or cannot be decoded; when times are missing, or stand twice.
    pub fn read(reader: &dyn Reader, config: &GridConfig, compat: Compat) -> Result<Self, GridError> {
        let append = config.append_name();
        let (index, time) = coordinate(reader, append)?;
        let raw = reader.read(index)?;
        let stored = stored(&raw).ok_or_else(|| GridError::Times(format!("{append:?} holds no numbers")))?;
        let decoded = cf::decode(time, raw, None, Rules::from(compat))?.array;
        let Some(decoded) = decoded.as_primitive_opt::<TimestampNanosecondType>() else {
            return Err(GridError::Times(format!("{append:?} has no units of the form `<unit> since <date>`")));
        };
        if let Some(row) = (0..decoded.len()).find(|&row| decoded.is_null(row)) {
            return Err(GridError::Times(format!("{append:?} has no time at row {row}")));
        }
        let times = decoded.values().to_vec();
        if times.is_empty() {
            return Err(GridError::Times(format!("{append:?} has no times")));
        }
        let mut sorted: Vec<(i64, usize)> = times.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[1].0.saturating_sub(pair[0].0) <= SAME_TIME) {
            return Err(GridError::Times(format!("{append:?} has one time at rows {} and {}", pair[0].1, pair[1].1)));
        }
        let mut coordinates = BTreeMap::new();
        let used = reader.variables().iter().filter(|v| config.variable(&v.name).is_some_and(|known| !known.dropped));
        for &dimension in used.flat_map(|v| cf::decoded_dimensions(reader, v)) {
            let name = &reader.dimensions()[dimension].name;
            if name != append && !coordinates.contains_key(name) {
                coordinates.insert(name.clone(), positions(reader, name)?);
            }
        }
        for (name, target) in &config.target_grids {
            if let Some(own) = coordinates.get_mut(name)
                && !close(own, &target.positions())
            {
                let detail = "its positions are not those of `target_dimension_grids`, and regridding is not built yet";
                return Err(GridError::Mismatch(format!("dimension {name:?}: {detail}")));
            }
        }
        let text = |name: &str| time.text(name).unwrap_or_default().to_owned();
        let calendar = time.text("calendar").unwrap_or("standard").to_owned();
        Ok(Self { times, stored, units: text("units"), calendar, coordinates: Arc::new(coordinates), site: site(reader)? })
    }

    /// Holds the file's positions against those of the store.
    ///
    /// # Errors
    /// Where they differ, with the first numbers that do.
    pub fn check(&self, store: &BTreeMap<String, Vec<f64>>) -> Result<(), GridError> {
        for (name, own) in self.coordinates.iter() {
            let Some(known) = store.get(name) else {
                return Err(GridError::Mismatch(format!("dimension {name:?} is not in the store")));
            };
            if own.len() != known.len() {
                let detail = format!("dimension {name:?} has {} positions where the store has {}", own.len(), known.len());
                return Err(GridError::Mismatch(detail));
            }
            let cell = cell(known);
            let reversed = own.len() > 1 && own.iter().rev().zip(known).all(|(own, known)| near(*own, *known, cell));
            if let Some((at, (own, known))) = own.iter().zip(known).enumerate().find(|(_, (own, known))| !near(**own, **known, cell)) {
                let how = if reversed { ": it runs the other way" } else { "" };
                let detail = format!("position {at} of dimension {name:?} is {own} where the store has {known}{how}");
                return Err(GridError::Mismatch(detail));
            }
        }
        Ok(())
    }
}

/// Global attributes that tell one site, platform or instrument from another.
const CODES: [&str; 3] = ["site_code", "platform_code", "instrument_serial_number"];

fn site(reader: &dyn Reader) -> Result<Site, GridError> {
    let attributes = reader.attributes().iter().filter(|attribute| CODES.contains(&attribute.name.as_str()));
    let codes =
        attributes.filter_map(|a| Some((a.name.clone(), a.values.as_text()?.trim().to_owned()))).filter(|(_, code)| !code.is_empty());
    let mut site = Site { codes: codes.collect(), position: BTreeMap::new() };
    for (index, variable) in reader.variables().iter().enumerate().filter(|(_, variable)| variable.dimensions.is_empty()) {
        let Some(name) = variable.text("standard_name").filter(|name| matches!(*name, "latitude" | "longitude")) else { continue };
        let degrees = reader.read(index)?.to_f64().and_then(|degrees| degrees.first().copied());
        site.position.extend(degrees.filter(|degrees| degrees.is_finite()).map(|degrees| (name.to_owned(), degrees)));
    }
    Ok(site)
}

/// The variable that says where a dimension's positions are.
pub(super) fn coordinate<'a>(reader: &'a dyn Reader, name: &str) -> Result<(usize, &'a Variable), GridError> {
    let found = reader.variables().iter().enumerate().find(|(_, v)| {
        v.name == name && matches!(v.dimensions[..], [one] if reader.dimensions()[one].name == name) && v.kind != Kind::Other
    });
    found.ok_or_else(|| GridError::MissingCoordinate(name.to_owned()))
}

fn positions(reader: &dyn Reader, name: &str) -> Result<Vec<f64>, GridError> {
    let (index, variable) = coordinate(reader, name)?;
    let decoded = cf::decode(variable, reader.read(index)?, None, Rules { compat: Compat::Fixed, durations: false })?.array;
    let numbers = cells::cast(name, &decoded, Dtype::F64)?;
    let positions: Vec<f64> = numbers.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    match positions.iter().position(|position| !position.is_finite()) {
        None => Ok(positions),
        Some(at) => Err(GridError::Mismatch(format!("position {at} of dimension {name:?} is {}", positions[at]))),
    }
}

fn stored(raw: &Values) -> Option<StoredTimes> {
    match raw {
        Values::F32(_) | Values::F64(_) => raw.to_f64().map(StoredTimes::Floats),
        _ => Some(StoredTimes::Integers(raw.to_i128()?.into_iter().map(|number| number as i64).collect())),
    }
}

/// The smallest distance between neighbours.
fn cell(positions: &[f64]) -> f64 {
    positions.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min)
}

/// Whether a position is the store's: within a millionth of a cell, or what single precision makes of it
/// (archives change the type of their coordinates), but never more than a hundredth of a cell.
fn near(own: f64, known: f64, cell: f64) -> bool {
    let single = 4.0 * f64::from(f32::EPSILON) * known.abs();
    let tolerance = (cell * 1e-6).max(single.min(cell * 1e-2));
    (own - known).abs() <= if tolerance.is_finite() { tolerance } else { single }
}

/// numpy's `allclose` with the incumbent's tolerances (spec 1.4).
fn close(own: &[f64], target: &[f64]) -> bool {
    own.len() == target.len() && own.iter().zip(target).all(|(own, target)| (own - target).abs() <= 1e-6 + 1e-5 * target.abs())
}
