//! Values as they lie in a chunk: decoded (spec 1.3b), cast as numpy casts (1.4 step 7, 3.3), little-endian.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, DurationNanosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Int8Array};
use arrow_schema::{DataType, TimeUnit};

use super::GridError;
use crate::read::{Values, for_numbers};
use crate::zarr::{Dtype, Fill};

/// The bytes of values as the file has them: those of coordinates.
#[must_use]
pub fn raw(values: Values) -> Vec<u8> {
    match values {
        Values::Char(bytes) => bytes,
        numbers => for_numbers!(numbers, v => v.iter().flat_map(|number| number.to_le_bytes()).collect(), _ => Vec::new()),
    }
}

/// One element that says nothing: the fill, or what the incumbent's cast makes of a missing number.
#[must_use]
pub fn nothing(dtype: Dtype, fill: &Fill) -> Vec<u8> {
    match (fill, dtype) {
        (Fill::Null, Dtype::I32) => i32::MIN.to_le_bytes().into(),
        (Fill::Null, Dtype::I64) => i64::MIN.to_le_bytes().into(),
        (Fill::Null, Dtype::F32) => f32::NAN.to_le_bytes().into(),
        (Fill::Null, Dtype::F64) => f64::NAN.to_le_bytes().into(),
        (fill, dtype) => fill.bytes(dtype),
    }
}

/// # Errors
/// When values of this type have no form in that one.
pub fn cast(variable: &str, decoded: &ArrayRef, dtype: Dtype) -> Result<Vec<u8>, GridError> {
    let bytes = match decoded.data_type() {
        DataType::Float32 => floats::<Float32Type>(decoded, dtype, f64::from, |v| v),
        DataType::Float64 => floats::<Float64Type>(decoded, dtype, |v| v, |v| v as f32),
        DataType::Int8 => integers::<Int8Type>(decoded, dtype),
        DataType::Int16 => integers::<Int16Type>(decoded, dtype),
        DataType::Int32 => integers::<Int32Type>(decoded, dtype),
        DataType::Int64 => integers::<Int64Type>(decoded, dtype),
        DataType::UInt8 => integers::<UInt8Type>(decoded, dtype),
        DataType::UInt16 => integers::<UInt16Type>(decoded, dtype),
        DataType::UInt32 => integers::<UInt32Type>(decoded, dtype),
        DataType::UInt64 => integers::<UInt64Type>(decoded, dtype),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => integers::<TimestampNanosecondType>(decoded, dtype),
        DataType::Duration(TimeUnit::Nanosecond) => integers::<DurationNanosecondType>(decoded, dtype),
        // A missing flag is true, as NaN is.
        DataType::Boolean => {
            let flags: Int8Array = decoded.as_boolean().iter().map(|flag| Some(i8::from(flag.unwrap_or(true)))).collect();
            integers::<Int8Type>(&(Arc::new(flags) as ArrayRef), dtype)
        }
        DataType::Utf8 | DataType::Binary if matches!(dtype, Dtype::Unicode(_) | Dtype::Bytes(_)) => {
            Some(texts(variable, decoded)?.iter().flat_map(|text| dtype.text_bytes(text)).collect())
        }
        _ => None,
    };
    bytes.ok_or_else(|| GridError::Cast {
        variable: variable.to_owned(),
        to: dtype.to_string(),
        detail: format!("it holds {}", decoded.data_type()),
    })
}

/// Texts; a missing one is empty.
///
/// # Errors
/// When the values are no texts.
pub fn texts<'a>(variable: &str, decoded: &'a ArrayRef) -> Result<Vec<Cow<'a, str>>, GridError> {
    match decoded.data_type() {
        DataType::Utf8 => Ok(decoded.as_string::<i32>().iter().map(|text| text.unwrap_or_default().into()).collect()),
        DataType::Binary => Ok(decoded.as_binary::<i32>().iter().map(|bytes| String::from_utf8_lossy(bytes.unwrap_or_default())).collect()),
        other => Err(GridError::Cast { variable: variable.to_owned(), to: "text".to_owned(), detail: format!("it holds {other}") }),
    }
}

/// Numbers in double precision; a missing one is NaN.
///
/// # Errors
/// When the values are no numbers.
pub fn numbers(variable: &str, decoded: &ArrayRef) -> Result<Vec<f64>, GridError> {
    Ok(cast(variable, decoded, Dtype::F64)?.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

/// Floats; a missing one is NaN.
fn floats<T: ArrowPrimitiveType>(
    decoded: &ArrayRef,
    dtype: Dtype,
    wide: fn(T::Native) -> f64,
    narrow: fn(T::Native) -> f32,
) -> Option<Vec<u8>> {
    let array = decoded.as_primitive::<T>();
    let nulls = array.nulls();
    let mut bytes = Vec::with_capacity(array.len() * dtype.width());
    macro_rules! put {
        ($missing:expr, $one:expr) => {
            match nulls {
                None => array.values().iter().for_each(|&v| bytes.extend_from_slice(&$one(v).to_le_bytes())),
                Some(nulls) => array
                    .values()
                    .iter()
                    .zip(nulls)
                    .for_each(|(&v, valid)| bytes.extend_from_slice(&(if valid { $one(v) } else { $missing }).to_le_bytes())),
            }
        };
    }
    match dtype {
        Dtype::F32 => put!(f32::NAN, narrow),
        Dtype::F64 => put!(f64::NAN, wide),
        // What the processor makes of a number that does not fit: the least one.
        Dtype::I32 => put!(i32::MIN, |v| truncated(wide(v), 31) as i32),
        Dtype::I64 => put!(i64::MIN, |v| truncated(wide(v), 63)),
        Dtype::I8 => put!(0_i8, |v| truncated(wide(v), 31) as i8),
        Dtype::I16 => put!(0_i16, |v| truncated(wide(v), 31) as i16),
        Dtype::U8 | Dtype::Bool => put!(0_u8, |v| truncated(wide(v), 31) as u8),
        Dtype::U16 => put!(0_u16, |v| truncated(wide(v), 31) as u16),
        Dtype::U32 => put!(0_u32, |v| truncated(wide(v), 63) as u32),
        Dtype::U64 => put!(1_u64 << 63, |v| wide(v) as u64),
        Dtype::Object | Dtype::Unicode(_) | Dtype::Bytes(_) => return None,
    }
    Some(bytes)
}

fn truncated(value: f64, bits: i32) -> i64 {
    let limit = 2_f64.powi(bits);
    let least = if bits == 63 { i64::MIN } else { -(1_i64 << bits) };
    if value >= -limit && value < limit { value as i64 } else { least }
}

/// Whole numbers; a missing one is the least int64, as in numpy's times.
fn integers<T: ArrowPrimitiveType>(decoded: &ArrayRef, dtype: Dtype) -> Option<Vec<u8>>
where
    T::Native: Into<i128>,
{
    let array = decoded.as_primitive::<T>();
    let values = array.values().iter().enumerate().map(|(i, &v)| if array.is_valid(i) { v.into() } else { i128::from(i64::MIN) });
    macro_rules! put {
        ($type:ty) => {
            values.flat_map(|v: i128| (v as $type).to_le_bytes()).collect()
        };
    }
    Some(match dtype {
        Dtype::F32 => put!(f32),
        Dtype::F64 => put!(f64),
        Dtype::I8 => put!(i8),
        Dtype::I16 => put!(i16),
        Dtype::I32 => put!(i32),
        Dtype::I64 => put!(i64),
        Dtype::U8 => put!(u8),
        Dtype::U16 => put!(u16),
        Dtype::U32 => put!(u32),
        Dtype::U64 => put!(u64),
        Dtype::Bool => values.map(|v| u8::from(v != 0)).collect(),
        Dtype::Object | Dtype::Unicode(_) | Dtype::Bytes(_) => return None,
    })
}
