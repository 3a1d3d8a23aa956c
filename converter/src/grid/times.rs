//! The numbers of the time array: a file's own where its units are the store's, else what its times are in them.

use crds::wire::{Compat, StoredTimes};

use super::{GridError, Header};
use crate::cf::{self, Rules};
use crate::read::{Attribute, Kind, Values, Variable};
use crate::zarr::{Array, Attr, Dtype};
use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;

/// Units, calendar and type of a store's time array.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeCode {
    units: String,
    calendar: String,
    dtype: Dtype,
    /// Nanoseconds of the reference and of one unit.
    origin: i128,
    unit: i128,
}

impl TimeCode {
    /// # Errors
    /// When the array's units say nothing.
    pub fn of(array: &Array) -> Result<Self, GridError> {
        let text = |name: &str| array.attributes.get(name).and_then(Attr::as_text).unwrap_or_default().to_owned();
        let (units, calendar) = (text("units"), text("calendar"));
        let attribute = |name: &str, text: &str| Attribute { name: name.to_owned(), values: Values::Text(vec![text.to_owned()]) };
        let attributes = vec![attribute("units", &units), attribute("calendar", &calendar)];
        let variable = Variable { name: "time".to_owned(), kind: Kind::I64, dimensions: vec![0], attributes };
        let decoded = cf::decode(&variable, Values::I64(vec![0, 1]), None, Rules::from(Compat::Fixed))?.array;
        let two = decoded.as_primitive_opt::<TimestampNanosecondType>().filter(|two| two.len() == 2 && two.null_count() == 0);
        let two = two.ok_or_else(|| GridError::Times(format!("the store's times are in {units:?}, which cannot be written")))?;
        let (origin, unit) = (i128::from(two.value(0)), i128::from(two.value(1)) - i128::from(two.value(0)));
        let packed = ["scale_factor", "add_offset"].iter().find(|name| array.attributes.contains_key(**name));
        if let Some(name) = packed {
            return Err(GridError::Times(format!("the times are packed ({name}), which is not converted")));
        }
        Ok(Self { units, calendar, dtype: array.metadata.dtype, origin, unit })
    }

    /// The store's numbers for rows of a file.
    ///
    /// # Errors
    /// When the store's type cannot hold a time exactly; when the calendars do not go together.
    pub fn numbers(&self, header: &Header) -> Result<StoredTimes, GridError> {
        let floats = self.dtype.is_float();
        let same_type = matches!((&header.stored, floats), (StoredTimes::Floats(_), true) | (StoredTimes::Integers(_), false));
        let numbers = if header.units == self.units && header.calendar == self.calendar && same_type {
            header.stored.clone()
        } else {
            if ![&header.calendar, &self.calendar].iter().all(|name| is_usual(name)) {
                let detail = format!(
                    "its times are in {:?} of the calendar {:?}, those of the store in {:?} of {:?}",
                    header.units, header.calendar, self.units, self.calendar
                );
                return Err(GridError::Mismatch(detail));
            }
            self.converted(&header.times, floats)?
        };
        self.check(&numbers)?;
        Ok(numbers)
    }

    fn converted(&self, times: &[i64], floats: bool) -> Result<StoredTimes, GridError> {
        if floats {
            let number = |time: &i64| (i128::from(*time) - self.origin) as f64 / self.unit as f64;
            return Ok(StoredTimes::Floats(times.iter().map(number).collect()));
        }
        let number = |time: &i64| {
            let since = i128::from(*time) - self.origin;
            let rest = since.rem_euclid(self.unit);
            if rest == 0 {
                return Ok((since / self.unit) as i64);
            }
            let detail = format!("a time is no whole number of the store's units ({:?}): {rest} ns would be lost", self.units);
            Err(GridError::Times(detail))
        };
        times.iter().map(number).collect::<Result<_, _>>().map(StoredTimes::Integers)
    }

    /// The numbers fit the store's type.
    fn check(&self, numbers: &StoredTimes) -> Result<(), GridError> {
        let unfit = match (numbers, self.dtype) {
            (StoredTimes::Floats(numbers), Dtype::F32) => {
                numbers.iter().find(|&&number| f64::from(number as f32).to_bits() != number.to_bits()).map(f64::to_string)
            }
            (StoredTimes::Integers(numbers), dtype) => {
                let range = dtype.range();
                let fits = |number: i64| range.is_none_or(|(least, most)| (least..=most).contains(&i128::from(number)));
                numbers.iter().find(|&&number| !fits(number)).map(i64::to_string)
            }
            _ => None,
        };
        match unfit {
            None => Ok(()),
            Some(number) => Err(GridError::Times(format!("the store's times are {}, which cannot hold {number} exactly", self.dtype))),
        }
    }
}

fn is_usual(calendar: &str) -> bool {
    ["standard", "gregorian", "proleptic_gregorian"].contains(&calendar.to_ascii_lowercase().as_str())
}
