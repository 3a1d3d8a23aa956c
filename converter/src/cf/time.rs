//! Rule 5: `<unit> since <date>` to timestamp[ns].

use std::sync::Arc;

use arrow_array::types::TimestampNanosecondType;
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use crds::wire::Compat;

use super::calendar::{self, Calendar};
use super::civil::days_from_civil;
use super::numeric::{Numbers, nulls_where};
use super::reference::Reference;
use super::{CfError, Decoded, units};
use crate::read::{Values, Variable};

const NS_PER_DAY: i128 = 86_400_000_000_000;
/// What a missing time looks like among raw nanoseconds (numpy's `NaT`).
const NAT: i64 = i64::MIN;

pub(super) fn decode(variable: &Variable, numbers: Numbers, compat: Compat) -> Result<Decoded, CfError> {
    let units = variable.text("units").unwrap_or_default();
    let bad_units = |detail: &str| CfError::Units { variable: variable.name.clone(), units: units.to_owned(), detail: detail.to_owned() };
    let (unit_name, date) = units::split_since(units).ok_or_else(|| bad_units("not of the form <unit> since <date>"))?;
    let reference = Reference::parse(date).ok_or_else(|| bad_units("the reference date cannot be read"))?;
    let name = variable.text("calendar").unwrap_or("standard").to_lowercase();
    let calendar = Calendar::of(&name).ok_or_else(|| bad_units(&format!("unknown calendar {name:?}")))?;
    let numbers = match numbers {
        Numbers::Plain(values) => widen(values),
        numbers => numbers,
    };

    let fast = match (calendar.is_standard(), units::time_unit(unit_name), reference_ns(&reference)) {
        (true, Some(unit), Some(origin)) => Some(Fast { unit, origin }),
        _ => None,
    };
    if let Some(fast) = fast {
        let (times, nulls, beyond) = fast.decode(&numbers);
        if beyond == 0 {
            return Ok(timestamps(times, nulls, 0));
        }
        // The incumbent looks for such values with a minimum that one NaN makes NaN: then it finds
        // none, and they become missing. By default they are missing always, and counted.
        let unnoticed = matches!(numbers, Numbers::F32(..) | Numbers::F64(..)) && nulls.as_ref().is_some_and(|n| n.null_count() > 0);
        if compat == Compat::Fixed || unnoticed {
            let nulls = NullBuffer::union(nulls.as_ref(), nulls_where(&times, |t| t == NAT).as_ref());
            return Ok(timestamps(times, nulls, beyond));
        }
    }
    let unit = units::calendar_unit(unit_name).or(units::time_unit(unit_name)).ok_or_else(|| bad_units("unknown time unit"))?;
    let calendar_error = || CfError::Calendar { variable: variable.name.clone(), calendar: name.clone() };
    if calendar == Calendar::Other {
        return Err(calendar_error());
    }
    let (values, nulls) = to_f64(numbers);
    let has_nulls = nulls.as_ref().is_some_and(|n| n.null_count() > 0);
    let (times, first_beyond, beyond) =
        calendar::decode(&values, nulls.as_ref(), unit, &reference, calendar).map_err(|detail| bad_units(&detail))?;
    if calendar == Calendar::Julian && has_nulls && compat == Compat::Incumbent {
        return Err(calendar_error()); // the incumbent repairs a column of nothing but Julian dates
    }
    if let (Some(value), Compat::Incumbent) = (first_beyond, compat) {
        return Err(CfError::TimeRange { variable: variable.name.clone(), value: value.to_string(), units: units.to_owned() });
    }
    let nulls = NullBuffer::union(nulls.as_ref(), nulls_where(&times, |t| t == NAT).as_ref());
    Ok(timestamps(times, nulls, beyond))
}

fn timestamps(times: Vec<i64>, nulls: Option<NullBuffer>, out_of_range: u64) -> Decoded {
    let array: ArrayRef = Arc::new(PrimitiveArray::<TimestampNanosecondType>::new(ScalarBuffer::from(times), nulls));
    Decoded { array, out_of_range }
}

/// Nanoseconds of the reference date since 1970, if a timestamp can hold it.
fn reference_ns(reference: &Reference) -> Option<i64> {
    let days = days_from_civil(reference.year, reference.month, reference.day);
    i64::try_from(i128::from(days) * NS_PER_DAY + i128::from(reference.nanoseconds)).ok().filter(|&ns| ns != NAT)
}

fn widen(values: Values) -> Numbers {
    match values {
        Values::F32(v) => Numbers::F32(v, None),
        Values::F64(v) => Numbers::F64(v, None),
        Values::I64(v) => Numbers::I64(v, None),
        other => Numbers::I64(other.to_i128().unwrap_or_default().into_iter().map(|v| v as i64).collect(), None),
    }
}

fn to_f64(numbers: Numbers) -> (Vec<f64>, Option<NullBuffer>) {
    match numbers {
        Numbers::F64(v, nulls) => (v, nulls),
        Numbers::F32(v, nulls) => (v.into_iter().map(f64::from).collect(), nulls),
        Numbers::I64(v, nulls) => (v.into_iter().map(|v| v as f64).collect(), nulls),
        Numbers::Plain(values) => (values.to_f64().unwrap_or_default(), None),
    }
}

/// The usual case: a known unit and a reference within the range of a timestamp.
struct Fast {
    unit: i64,
    origin: i64,
}

impl Fast {
    /// Times, nulls, and how many values no timestamp can hold (they become [`NAT`]).
    fn decode(&self, numbers: &Numbers) -> (Vec<i64>, Option<NullBuffer>, u64) {
        let mut beyond = 0;
        let mut keep = |time: Option<i64>| {
            time.filter(|&t| t != NAT).unwrap_or_else(|| {
                beyond += 1;
                NAT
            })
        };
        let (times, nulls): (Vec<i64>, &Option<NullBuffer>) = match numbers {
            Numbers::I64(values, nulls) => {
                let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
                let times = values.iter().enumerate().map(|(i, &v)| if valid(i) { keep(self.integer(v)) } else { NAT });
                (times.collect(), nulls)
            }
            Numbers::F64(values, nulls) => (self.floats(values.iter().copied(), nulls.as_ref(), &mut keep), nulls),
            Numbers::F32(values, nulls) => (self.floats(values.iter().map(|&v| f64::from(v)), nulls.as_ref(), &mut keep), nulls),
            Numbers::Plain(_) => (Vec::new(), &None),
        };
        (times, nulls.clone(), beyond)
    }

    fn integer(&self, value: i64) -> Option<i64> {
        value.checked_mul(self.unit)?.checked_add(self.origin)
    }

    fn floats(&self, values: impl Iterator<Item = f64>, nulls: Option<&NullBuffer>, keep: &mut impl FnMut(Option<i64>) -> i64) -> Vec<i64> {
        let unit = self.unit as f64;
        let time = |value: f64| {
            // One product, truncated toward zero: its noise is part of the incumbent's output.
            let ns = value * unit;
            (ns.abs() < 9_223_372_036_854_775_808.0).then(|| (ns as i64).checked_add(self.origin)).flatten()
        };
        match nulls {
            None => values.map(|v| keep(time(v))).collect(),
            Some(nulls) => values.enumerate().map(|(i, v)| if nulls.is_valid(i) { keep(time(v)) } else { NAT }).collect(),
        }
    }
}
