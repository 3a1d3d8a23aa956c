//! What a plan must know of a file: its times and its positions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use crds::config::GridConfig;
use crds::wire::{Compat, Site, StoredTimes};

use super::GridError;
use super::axes::{self, coordinate};
use super::lay::SAME_TIME;
use crate::cf::{self, Rules};
use crate::read::{Reader, Values};

/// A file's place in a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Of its rows, in nanoseconds since 1970.
    pub times: Vec<i64>,
    /// The same as the file has them.
    pub stored: StoredTimes,
    pub units: String,
    pub calendar: String,
    /// Positions in the store along the other dimensions that the config's variables use.
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
        let coordinates = axes::coordinates(reader, config)?;
        let text = |name: &str| time.text(name).unwrap_or_default().to_owned();
        let calendar = time.text("calendar").unwrap_or("standard").to_owned();
        Ok(Self { times, stored, units: text("units"), calendar, coordinates: Arc::new(coordinates), site: site(reader) })
    }

    /// Holds the file's positions against those of the store.
    ///
    /// # Errors
    /// Where they differ, with the first numbers that do.
    pub fn check(&self, store: &BTreeMap<String, Vec<f64>>, compat: Compat) -> Result<(), GridError> {
        axes::check(&self.coordinates, store, compat)
    }
}

/// Global attributes that tell one site, platform or instrument from another.
const CODES: [&str; 3] = ["site_code", "platform_code", "instrument_serial_number"];

fn site(reader: &dyn Reader) -> Site {
    let attributes = reader.attributes().iter().filter(|attribute| CODES.contains(&attribute.name.as_str()));
    let codes =
        attributes.filter_map(|a| Some((a.name.clone(), a.values.as_text()?.trim().to_owned()))).filter(|(_, code)| !code.is_empty());
    let mut site = Site { codes: codes.collect(), position: BTreeMap::new() };
    for (index, variable) in reader.variables().iter().enumerate().filter(|(_, variable)| variable.dimensions.is_empty()) {
        let Some(name) = variable.text("standard_name").filter(|name| matches!(*name, "latitude" | "longitude")) else { continue };
        // One that cannot be read says nothing.
        let degrees = axes::numbers(reader, index).and_then(|degrees| degrees.first().copied());
        site.position.extend(degrees.filter(|degrees| degrees.is_finite()).map(|degrees| (name.to_owned(), degrees)));
    }
    site
}

fn stored(raw: &Values) -> Option<StoredTimes> {
    match raw {
        Values::F32(_) | Values::F64(_) => raw.to_f64().map(StoredTimes::Floats),
        _ => Some(StoredTimes::Integers(raw.to_i128()?.into_iter().map(|number| number as i64).collect())),
    }
}
