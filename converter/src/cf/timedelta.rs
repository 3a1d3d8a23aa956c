//! Rule 4: durations to duration[ns].

use std::sync::Arc;

use arrow_array::types::DurationNanosecondType;
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use crds::wire::Compat;

use super::numeric::{Numbers, nulls_where};
use super::{CfError, Decoded};
use crate::read::{Kind, Variable};

const NS_PER_SECOND: i64 = 1_000_000_000;
/// What a missing duration looks like among raw nanoseconds (numpy's `NaT`).
const NAT: i64 = i64::MIN;

pub(super) fn decode(variable: &Variable, numbers: Numbers, unit: i64, compat: Compat) -> Result<Decoded, CfError> {
    let mut out_of_range = 0;
    let beyond = |value: String| CfError::DurationRange {
        variable: variable.name.clone(),
        value,
        units: variable.text("units").unwrap_or_default().to_owned(),
    };
    // What 64 bits cannot hold costs the incumbent the file, unless no 64-bit integer holds it even before it is nanoseconds:
    // such a value (an unmasked fill) is missing to it too.
    let mut held = |value: Option<i64>, is_missing: bool, text: &dyn Fn() -> String| match value {
        Some(value) if value != NAT => Ok(value),
        _ if is_missing || compat == Compat::Fixed => {
            out_of_range += 1;
            Ok(NAT)
        }
        _ => Err(beyond(text())),
    };
    let mut integers = |values: Vec<i64>, nulls: Option<NullBuffer>| {
        let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
        let one = |(i, v): (usize, i64)| if valid(i) { held(v.checked_mul(unit), v == NAT, &|| v.to_string()) } else { Ok(0) };
        Ok((values.into_iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?, nulls))
    };
    let (values, nulls) = match numbers {
        Numbers::I64(values, nulls) => integers(values, nulls)?,
        Numbers::Plain(values) => {
            let kind = values.kind();
            let values: Vec<i64> = values.to_i128().unwrap_or_default().into_iter().map(|v| v as i64).collect();
            match compat {
                Compat::Incumbent if kind.width() < 8 => wrapped(values, kind, unit),
                Compat::Fixed | Compat::Incumbent => integers(values, None)?,
            }
        }
        // numpy multiplies float32 by 86,400 in float64, by 3,600 and 60 in float32.
        Numbers::F32(values, nulls) if unit > 3_600 * NS_PER_SECOND => {
            floats(values.into_iter().map(f64::from).collect(), nulls, unit, &mut held)?
        }
        Numbers::F32(values, nulls) => floats(values, nulls, unit, &mut held)?,
        Numbers::F64(values, nulls) => floats(values, nulls, unit, &mut held)?,
    };
    let nulls = NullBuffer::union(nulls.as_ref(), nulls_where(&values, |v| v == NAT).as_ref());
    let array: ArrayRef = Arc::new(PrimitiveArray::<DurationNanosecondType>::new(ScalarBuffer::from(values), nulls));
    Ok(Decoded { array, out_of_range })
}

/// The incumbent brings small integers to seconds in their own width, or in the width of the factor
/// if that is larger, and lets them wrap.
fn wrapped(values: Vec<i64>, kind: Kind, unit: i64) -> (Vec<i64>, Option<NullBuffer>) {
    let factor = (unit / NS_PER_SECOND).max(1);
    let step = unit.min(NS_PER_SECOND);
    let own = match kind {
        Kind::I8 => 8,
        Kind::I16 => 16,
        Kind::I32 => 32,
        _ => 64,
    };
    let width = match factor {
        1 => 64,
        60 => own,
        3_600 => own.max(16),
        _ => own.max(32),
    };
    let wrap = |v: i64| match width {
        8 => i64::from(v as i8),
        16 => i64::from(v as i16),
        32 => i64::from(v as i32),
        _ => v,
    };
    (values.into_iter().map(|v| wrap(v.wrapping_mul(factor)).wrapping_mul(step)).collect(), None)
}

/// As xarray does it, in the values' own float type: to seconds (or the unit itself when it is
/// finer), then times 1,000 for the whole column until no value has a fraction, then truncated.
fn floats<T: Duration>(
    mut values: Vec<T>,
    nulls: Option<NullBuffer>,
    unit: i64,
    held: &mut impl FnMut(Option<i64>, bool, &dyn Fn() -> String) -> Result<i64, CfError>,
) -> Result<(Vec<i64>, Option<NullBuffer>), CfError> {
    let mut step = unit.min(NS_PER_SECOND);
    if unit > step {
        for v in &mut values {
            *v = v.times((unit / step) as f64);
        }
    }
    let fractional =
        |values: &[T]| values.iter().enumerate().any(|(i, v)| v.has_fraction() && nulls.as_ref().is_none_or(|n| n.is_valid(i)));
    while step > 1 && fractional(&values) {
        for v in &mut values {
            *v = v.times(1_000.0);
        }
        step /= 1_000;
    }
    let one = |(i, v): (usize, T)| {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            return Ok(0);
        }
        let wide = v.widen();
        let whole = (wide.abs() < 9_223_372_036_854_775_808.0).then_some(wide as i64);
        held(whole.and_then(|v| v.checked_mul(step)), whole.is_none(), &|| wide.to_string())
    };
    let values = values.into_iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok((values, nulls))
}

trait Duration: Copy {
    fn times(self, factor: f64) -> Self;
    fn has_fraction(self) -> bool;
    fn widen(self) -> f64;
}

macro_rules! duration {
    ($($type:ident),*) => {$(
        #[allow(clippy::unnecessary_cast, clippy::cast_lossless)] // one body for two types
        impl Duration for $type {
            fn times(self, factor: f64) -> Self { self * factor as $type }
            fn has_fraction(self) -> bool { self.fract() != 0.0 }
            fn widen(self) -> f64 { self as f64 }
        }
    )*};
}
duration!(f32, f64);
