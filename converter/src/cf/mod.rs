//! Decodes one variable as the CF conventions (and xarray's reading of them) say: characters,
//! missing values, packing, durations, times, booleans. One pass, one Arrow array with nulls.

mod calendar;
mod chars;
pub(crate) mod civil;
mod error;
mod fill;
pub mod geometry;
mod numeric;
mod reference;
mod time;
mod timedelta;
mod units;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use crds::wire::Compat;

use crate::read::{Dimension, Kind, Reader, Values, Variable};

pub use civil::{civil_from_days, days_from_civil};
pub use error::CfError;

/// How to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub compat: Compat,
    /// Units such as `seconds` make a duration; otherwise the number stays what it is.
    pub durations: bool,
}

impl From<Compat> for Rules {
    fn from(compat: Compat) -> Self {
        Self { compat, durations: true }
    }
}

/// A decoded variable.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// In the natural type of spec 2.4: numbers, bool, Utf8, Binary, timestamp[ns], duration[ns].
    pub array: ArrayRef,
    /// Times and durations no 64-bit count of nanoseconds can hold, made null.
    pub out_of_range: u64,
}

impl From<ArrayRef> for Decoded {
    fn from(array: ArrayRef) -> Self {
        Self { array, out_of_range: 0 }
    }
}

/// Whether readers make times or durations of numbers with these units.
#[must_use]
pub fn is_time_like(units: &str) -> bool {
    units::TimeLike::of(Some(units)).is_some()
}

/// The dimensions a decoded variable has: its own, without a last one that is joined into text.
#[must_use]
pub fn decoded_dimensions<'a>(reader: &dyn Reader, variable: &'a Variable) -> &'a [usize] {
    match joined_dimension(reader, variable) {
        Some(_) => &variable.dimensions[..variable.dimensions.len() - 1],
        None => &variable.dimensions,
    }
}

/// The last dimension of a character array, if only character arrays use it, as their last, and no
/// variable has its name: it is a text length, not an axis.
#[must_use]
pub fn joined_dimension<'a>(reader: &'a dyn Reader, variable: &Variable) -> Option<&'a Dimension> {
    let &last = variable.dimensions.last()?;
    let dimension = &reader.dimensions()[last];
    let only_text = |v: &Variable| {
        v.dimensions.iter().all(|&d| d != last)
            || (v.kind == Kind::Char && v.dimensions.last() == Some(&last) && v.dimensions.iter().filter(|&&d| d == last).count() == 1)
    };
    let joins = variable.kind == Kind::Char
        && !reader.variables().iter().any(|v| v.name == dimension.name)
        && reader.variables().iter().all(only_text);
    joins.then_some(dimension)
}

/// Characters of texts that have no length at all: there are none, yet as many empty `texts` as there are places.
#[must_use]
pub fn of_some_length(raw: Values, joined: Option<usize>, texts: usize) -> (Values, Option<usize>) {
    if joined == Some(0) { (Values::Char(vec![0; texts]), Some(1)) } else { (raw, joined) }
}

/// Decodes the raw values of a variable; `joined` is the length of the dimension joined into text.
pub fn decode(variable: &Variable, raw: Values, joined: Option<usize>, rules: Rules) -> Result<Decoded, CfError> {
    let decoded = match raw {
        Values::Char(bytes) => Decoded::from(chars::join(variable, bytes, joined.unwrap_or(1))?),
        Values::Text(texts) => Decoded::from(chars::text(variable, &texts)),
        numbers => decode_numbers(variable, numbers, rules)?,
    };
    if variable.text("dtype") == Some("bool") { Ok(Decoded { array: to_bool(&decoded.array), ..decoded }) } else { Ok(decoded) }
}

fn decode_numbers(variable: &Variable, raw: Values, rules: Rules) -> Result<Decoded, CfError> {
    let Rules { compat, durations } = rules;
    let units = units::TimeLike::of(variable.text("units")).filter(|units| durations || *units == units::TimeLike::Since);
    let numbers = numeric::mask_and_scale(variable, raw, units.is_some(), compat)?;
    match units {
        None => Ok(numbers.into_array().into()),
        Some(units::TimeLike::Duration(unit)) => timedelta::decode(variable, numbers, unit, compat),
        Some(units::TimeLike::Since) => time::decode(variable, numbers, compat),
    }
}

/// Anything that is not zero is true; a missing number is NaN, which is not zero.
fn to_bool(array: &ArrayRef) -> ArrayRef {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    };
    use arrow_schema::DataType;
    macro_rules! booleans {
        ($type:ty, $zero:expr) => {
            BooleanArray::from(array.as_primitive::<$type>().iter().map(|v| v.is_none_or(|v| v != $zero)).collect::<Vec<bool>>())
        };
    }
    let booleans = match array.data_type() {
        DataType::Int8 => booleans!(Int8Type, 0),
        DataType::Int16 => booleans!(Int16Type, 0),
        DataType::Int32 => booleans!(Int32Type, 0),
        DataType::Int64 => booleans!(Int64Type, 0),
        DataType::UInt8 => booleans!(UInt8Type, 0),
        DataType::UInt16 => booleans!(UInt16Type, 0),
        DataType::UInt32 => booleans!(UInt32Type, 0),
        DataType::UInt64 => booleans!(UInt64Type, 0),
        DataType::Float32 => booleans!(Float32Type, 0.0),
        DataType::Float64 => booleans!(Float64Type, 0.0),
        _ => return Arc::clone(array),
    };
    Arc::new(booleans)
}
