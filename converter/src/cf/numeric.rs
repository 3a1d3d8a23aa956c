//! Missing values and packing: rules 2 and 3 of the decode, in one pass over the values.

use std::sync::Arc;

use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};

use crds::wire::Compat;

use super::CfError;
use super::fill::{Fill, FillNumber};
use crate::read::{Kind, Values, Variable, for_numbers};

/// Numbers after mask and scale; NaN is null.
pub(super) enum Numbers {
    /// Integers no attribute can mask.
    Plain(Values),
    I64(Vec<i64>, Option<NullBuffer>),
    F32(Vec<f32>, Option<NullBuffer>),
    F64(Vec<f64>, Option<NullBuffer>),
}

impl Numbers {
    pub(super) fn into_array(self) -> ArrayRef {
        use arrow_array::types::{Int8Type, Int16Type, Int32Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
        match self {
            Self::I64(v, nulls) => primitive::<Int64Type>(v, nulls),
            Self::F32(v, nulls) => primitive::<Float32Type>(v, nulls),
            Self::F64(v, nulls) => primitive::<Float64Type>(v, nulls),
            Self::Plain(values) => match values {
                Values::I8(v) => primitive::<Int8Type>(v, None),
                Values::I16(v) => primitive::<Int16Type>(v, None),
                Values::I32(v) => primitive::<Int32Type>(v, None),
                Values::I64(v) => primitive::<Int64Type>(v, None),
                Values::U8(v) | Values::Char(v) => primitive::<UInt8Type>(v, None),
                Values::U16(v) => primitive::<UInt16Type>(v, None),
                Values::U32(v) => primitive::<UInt32Type>(v, None),
                Values::U64(v) => primitive::<UInt64Type>(v, None),
                Values::F32(v) => primitive::<Float32Type>(v, None),
                Values::F64(v) => primitive::<Float64Type>(v, None),
                Values::Text(_) => primitive::<Float64Type>(Vec::new(), None),
            },
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
}

/// Rules 2 and 3: sign, mask, scale and offset. `time_like` integers stay exact.
pub(super) fn mask_and_scale(variable: &Variable, raw: Values, time_like: bool, compat: Compat) -> Result<Numbers, CfError> {
    let (raw, fill) = reinterpret_sign(variable, raw);
    let kind = raw.kind();
    let (scale, offset) = (one_number(variable, "scale_factor")?, one_number(variable, "add_offset")?);
    if scale.is_none() && offset.is_none() {
        return Ok(mask_only(raw, &fill, time_like));
    }
    if let (Some(Packing { kind: scale_kind, value }), None, false) = (scale, offset, fill.present)
        && scale_kind.is_integer()
        && kind.is_integer()
    {
        return Ok(Numbers::Plain(Values::I64(
            for_numbers!(raw, v => v.iter().map(|x| x.to_i64().wrapping_mul(value as i64)).collect(), _ => Vec::new()),
        )));
    }
    if let (Compat::Incumbent, false, Some(scale), None) = (compat, time_like, scale, offset)
        && scale.kind.is_integer()
    {
        return Ok(Numbers::Plain(Values::I64(whole_numbers(&raw, &fill, scale))));
    }
    let narrow = if fill.only_nan { kind == Kind::F32 } else { packed_type_is_f32(kind, scale, offset) };
    let (scale, offset) = (scale.map(|p| p.value), offset.map(|p| p.value));
    Ok(if narrow {
        let (scale, offset) = (scale.map(|v| v as f32), offset.map(|v| v as f32));
        let fills: Vec<f32> = fill.numbers.iter().map(|f| f.to_f64() as f32).collect();
        let values: Vec<f32> =
            for_numbers!(raw, v => v.into_iter().map(|x| unpack(x.to_f32(), &fills, scale, offset)).collect(), _ => Vec::new());
        let nulls = nulls_where(&values, f32::is_nan);
        Numbers::F32(values, nulls)
    } else {
        let fills: Vec<f64> = fill.numbers.iter().map(|f| f.to_f64()).collect();
        let values: Vec<f64> =
            for_numbers!(raw, v => v.into_iter().map(|x| unpack(x.to_f64(), &fills, scale, offset)).collect(), _ => Vec::new());
        let nulls = nulls_where(&values, f64::is_nan);
        Numbers::F64(values, nulls)
    })
}

fn mask_only(raw: Values, fill: &Fill, time_like: bool) -> Numbers {
    if time_like && fill.present && raw.kind().is_integer() {
        let values: Vec<i64> = for_numbers!(raw, v => v.into_iter().map(Number::to_i64).collect(), _ => Vec::new());
        let nulls = nulls_where(&values, |v| fill.numbers.iter().any(|f| same_integer(v, *f)));
        return Numbers::I64(values, nulls);
    }
    match raw {
        Values::F32(values) => {
            let fills: Vec<f32> = fill.numbers.iter().map(|f| f.to_f64() as f32).collect();
            let nulls = float_nulls(&values, &fills);
            Numbers::F32(values, nulls)
        }
        Values::F64(values) => {
            let fills: Vec<f64> = fill.numbers.iter().map(|f| f.to_f64()).collect();
            let nulls = float_nulls(&values, &fills);
            Numbers::F64(values, nulls)
        }
        raw if !fill.present => Numbers::Plain(raw),
        raw if raw.kind().width() <= 2 => {
            let fills: Vec<f32> = fill.numbers.iter().map(|f| f.to_f64() as f32).collect();
            let values: Vec<f32> = for_numbers!(raw, v => v.into_iter().map(Number::to_f32).collect(), _ => Vec::new());
            let nulls = float_nulls(&values, &fills);
            Numbers::F32(values, nulls)
        }
        raw => {
            let fills: Vec<f64> = fill.numbers.iter().map(|f| f.to_f64()).collect();
            let values: Vec<f64> = for_numbers!(raw, v => v.into_iter().map(Number::to_f64).collect(), _ => Vec::new());
            let nulls = float_nulls(&values, &fills);
            Numbers::F64(values, nulls)
        }
    }
}

#[allow(clippy::float_cmp)] // equal or not, as numpy compares them
fn same_integer(value: i64, fill: FillNumber) -> bool {
    match fill {
        FillNumber::Integer(f) => i128::from(value) == f,
        FillNumber::Float(f) => value as f64 == f,
    }
}

/// Null where a value is NaN or one of the fill values.
fn float_nulls<T: Float>(values: &[T], fills: &[T]) -> Option<NullBuffer> {
    match fills {
        [] => nulls_where(values, T::nan),
        [fill] => nulls_where(values, |v| v.nan() || v == *fill),
        fills => nulls_where(values, |v| v.nan() || fills.contains(&v)),
    }
}

/// A null buffer, or none when nothing is missing: the common case costs one vectorised scan.
pub(super) fn nulls_where<T: Copy>(values: &[T], missing: impl Fn(T) -> bool) -> Option<NullBuffer> {
    let any = values.chunks(1_024).any(|chunk| chunk.iter().fold(false, |any, &v| any | missing(v)));
    any.then(|| NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |i| !missing(values[i]))))
}

/// A whole scale and no offset: the incumbent computes in the scale's own type, where a missing value is what the
/// processor makes of NaN, and what lies behind the point is lost.
fn whole_numbers(raw: &Values, fill: &Fill, scale: Packing) -> Vec<i64> {
    let (missing, wrap): (i64, fn(i64) -> i64) = match scale.kind {
        Kind::I8 => (0, |v| i64::from(v as i8)),
        Kind::I16 => (0, |v| i64::from(v as i16)),
        Kind::I32 => (i64::from(i32::MIN), |v| i64::from(v as i32)),
        Kind::U8 => (0, |v| i64::from(v as u8)),
        Kind::U16 => (0, |v| i64::from(v as u16)),
        Kind::U32 => (0, |v| i64::from(v as u32)),
        _ => (i64::MIN, |v| v),
    };
    let fills: Vec<f64> = fill.numbers.iter().map(|f| f.to_f64()).collect();
    let is_missing = |x: f64| x.is_nan() || fills.contains(&x);
    let scaled = |x: i64, masked: bool| wrap((if masked { missing } else { wrap(x) }).wrapping_mul(scale.value as i64));
    for_numbers!(raw, v => v.iter().map(|x| scaled(x.to_i64(), is_missing(x.to_f64()))).collect(), _ => Vec::new())
}

/// NaN for a fill value, otherwise `x * scale + offset`, each step rounded in `T`.
fn unpack<T: Float>(x: T, fills: &[T], scale: Option<T>, offset: Option<T>) -> T {
    if fills.contains(&x) {
        return T::NAN;
    }
    let x = scale.map_or(x, |s| x.times(s));
    offset.map_or(x, |o| x.plus(o))
}

#[derive(Clone, Copy)]
struct Packing {
    kind: Kind,
    value: f64,
}

fn one_number(variable: &Variable, attribute: &'static str) -> Result<Option<Packing>, CfError> {
    let Some(values) = variable.attribute(attribute) else { return Ok(None) };
    match values.to_f64().as_deref() {
        Some(&[value]) => Ok(Some(Packing { kind: values.kind(), value })),
        _ => Err(CfError::Attribute { variable: variable.name.clone(), attribute, value: format!("{values:?}") }),
    }
}

/// Rule 3's type: that of both attributes when they agree (float64 for 4-byte integers), float64
/// with any other offset, otherwise that of the scale.
fn packed_type_is_f32(stored: Kind, scale: Option<Packing>, offset: Option<Packing>) -> bool {
    match (scale.map(|p| p.kind), offset.map(|p| p.kind)) {
        (Some(Kind::F32), Some(Kind::F32)) => !matches!(stored, Kind::I32 | Kind::U32),
        (Some(Kind::F32), None) => true,
        _ => false,
    }
}

/// A number in another type of the same width.
type Wrap = fn(i128) -> i128;

/// `_Unsigned` turns the sign of the stored integers, and of `_FillValue` with them.
fn reinterpret_sign(variable: &Variable, raw: Values) -> (Values, Fill) {
    let mut fill = Fill::of(variable, raw.kind().is_integer());
    let unsigned = match variable.text("_Unsigned") {
        Some("true") => true,
        Some("false") => false,
        _ => return (raw, fill),
    };
    let (raw, wrap): (Values, Option<Wrap>) = match (raw, unsigned) {
        (Values::I8(v), true) => (Values::U8(v.into_iter().map(i8::cast_unsigned).collect()), Some(|f| i128::from(f as u8))),
        (Values::I16(v), true) => (Values::U16(v.into_iter().map(i16::cast_unsigned).collect()), Some(|f| i128::from(f as u16))),
        (Values::I32(v), true) => (Values::U32(v.into_iter().map(i32::cast_unsigned).collect()), Some(|f| i128::from(f as u32))),
        (Values::I64(v), true) => (Values::U64(v.into_iter().map(i64::cast_unsigned).collect()), Some(|f| i128::from(f as u64))),
        (Values::U8(v), false) => (Values::I8(v.into_iter().map(u8::cast_signed).collect()), Some(|f| i128::from(f as i8))),
        (Values::U16(v), false) => (Values::I16(v.into_iter().map(u16::cast_signed).collect()), Some(|f| i128::from(f as i16))),
        (Values::U32(v), false) => (Values::I32(v.into_iter().map(u32::cast_signed).collect()), Some(|f| i128::from(f as i32))),
        (Values::U64(v), false) => (Values::I64(v.into_iter().map(u64::cast_signed).collect()), Some(|f| i128::from(f as i64))),
        (other, _) => (other, None),
    };
    if let (Some(wrap), Some(own)) = (wrap, variable.attribute("_FillValue").and_then(Values::to_i128)) {
        for number in &mut fill.numbers {
            if let FillNumber::Integer(f) = number
                && own.contains(f)
            {
                *f = wrap(*f);
            }
        }
    }
    (raw, fill)
}

/// The conversions of a stored number.
trait Number: Copy {
    fn to_f32(self) -> f32;
    fn to_f64(self) -> f64;
    fn to_i64(self) -> i64;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        #[allow(clippy::cast_lossless, clippy::unnecessary_cast)] // one body for ten types
        impl Number for $type {
            fn to_f32(self) -> f32 { self as f32 }
            fn to_f64(self) -> f64 { self as f64 }
            fn to_i64(self) -> i64 { self as i64 }
        }
    )*};
}
number!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

trait Float: Copy + PartialEq {
    const NAN: Self;
    fn nan(self) -> bool;
    fn times(self, other: Self) -> Self;
    fn plus(self, other: Self) -> Self;
}

macro_rules! float {
    ($($type:ident),*) => {$(
        impl Float for $type {
            const NAN: Self = $type::NAN;
            #[inline]
            fn nan(self) -> bool { self.is_nan() }
            fn times(self, other: Self) -> Self { self * other }
            fn plus(self, other: Self) -> Self { self + other }
        }
    )*};
}
float!(f32, f64);
