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
    floats: bool,
    single: bool,
    /// Nanoseconds of the reference and of one unit, where the calendar is the usual one.
    origin: i64,
    unit: i64,
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
        let (origin, unit) = (two.value(0), two.value(1) - two.value(0));
        let dtype = array.metadata.dtype;
        Ok(Self { units, calendar, floats: dtype.is_float(), single: dtype == Dtype::F32, origin, unit })
    }

    /// The store's numbers for rows of a file.
    ///
    /// # Errors
    /// When whole numbers cannot hold a time exactly.
    pub fn numbers(&self, header: &Header) -> Result<StoredTimes, GridError> {
        let same_type = matches!((&header.stored, self.floats), (StoredTimes::Floats(_), true) | (StoredTimes::Integers(_), false));
        if header.units == self.units && header.calendar == self.calendar && same_type && !self.single {
            return Ok(header.stored.clone());
        }
        if header.calendar != self.calendar && ![&header.calendar, &self.calendar].iter().all(|name| is_usual(name)) {
            let detail = format!("the calendar is {:?}, that of the store {:?}", header.calendar, self.calendar);
            return Err(GridError::Mismatch(detail));
        }
        if self.floats {
            let number = |time: &i64| (time - self.origin) as f64 / self.unit as f64;
            return Ok(StoredTimes::Floats(header.times.iter().map(number).collect()));
        }
        let number = |time: &i64| {
            let rest = (time - self.origin).rem_euclid(self.unit);
            if rest == 0 {
                return Ok((time - self.origin) / self.unit);
            }
            let detail = format!("a time is no whole number of the store's units ({:?}): {rest} ns would be lost", self.units);
            Err(GridError::Times(detail))
        };
        header.times.iter().map(number).collect::<Result<_, _>>().map(StoredTimes::Integers)
    }
}

fn is_usual(calendar: &str) -> bool {
    ["standard", "gregorian", "proleptic_gregorian"].contains(&calendar.to_ascii_lowercase().as_str())
}
