//! Numbers to numbers: exact or not at all, except that float64 narrows to float32.

use std::fmt::Display;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow_schema::DataType;

use super::{CastError, booleans};

/// Runs `$body` with `$type` bound to the Arrow type of a number.
macro_rules! with_number {
    ($data_type:expr, $type:ident => $body:expr, _ => $other:expr) => {
        match $data_type {
            DataType::Int8 => {
                type $type = Int8Type;
                $body
            }
            DataType::Int16 => {
                type $type = Int16Type;
                $body
            }
            DataType::Int32 => {
                type $type = Int32Type;
                $body
            }
            DataType::Int64 => {
                type $type = Int64Type;
                $body
            }
            DataType::UInt8 => {
                type $type = UInt8Type;
                $body
            }
            DataType::UInt16 => {
                type $type = UInt16Type;
                $body
            }
            DataType::UInt32 => {
                type $type = UInt32Type;
                $body
            }
            DataType::UInt64 => {
                type $type = UInt64Type;
                $body
            }
            DataType::Float32 => {
                type $type = Float32Type;
                $body
            }
            DataType::Float64 => {
                type $type = Float64Type;
                $body
            }
            _ => $other,
        }
    };
}

/// What a number can be asked for.
pub(super) trait Number: Copy + Display + PartialEq + Default {
    const FLOAT: bool;
    fn wide(self) -> f64;
    /// The value as an integer, if it is one.
    fn integer(self) -> Option<i128>;
    fn of_float(value: f64) -> Self;
    fn of_integer(value: i128) -> Option<Self>;
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        #[allow(clippy::cast_lossless)] // one body for eight types
        impl Number for $type {
            const FLOAT: bool = false;
            fn wide(self) -> f64 { self as f64 }
            fn integer(self) -> Option<i128> { Some(self as i128) }
            fn of_float(value: f64) -> Self { value as Self }
            fn of_integer(value: i128) -> Option<Self> { Self::try_from(value).ok() }
        }
    )*};
}
integer!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! float {
    ($($type:ty: $exact:expr),*) => {$(
        #[allow(clippy::cast_lossless, clippy::unnecessary_cast)] // one body for two types
        impl Number for $type {
            const FLOAT: bool = true;
            fn wide(self) -> f64 { self as f64 }
            fn integer(self) -> Option<i128> {
                (self.fract() == 0.0 && self.abs() < 3.0e19).then_some(self as i128)
            }
            fn of_float(value: f64) -> Self { value as Self }
            fn of_integer(value: i128) -> Option<Self> {
                (value.unsigned_abs() <= $exact).then_some(value as Self)
            }
        }
    )*};
}
float!(f32: 1 << 24, f64: 1 << 53);

pub(super) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, CastError> {
    let types = || CastError::types(array.data_type(), to);
    with_number!(array.data_type(), From => with_number!(to, To => convert::<From, To>(array), _ => Err(types())), _ => Err(types()))
}

fn convert<A, B>(array: &ArrayRef) -> Result<ArrayRef, CastError>
where
    A: ArrowPrimitiveType<Native: Number>,
    B: ArrowPrimitiveType<Native: Number>,
{
    let array = array.as_primitive::<A>();
    if A::Native::FLOAT && B::Native::FLOAT {
        return Ok(Arc::new(array.unary::<_, B>(|v| B::Native::of_float(v.wide()))));
    }
    let mut values = Vec::with_capacity(array.len());
    for (index, &value) in array.values().iter().enumerate() {
        match value.integer().and_then(B::Native::of_integer) {
            Some(value) => values.push(value),
            None if array.is_null(index) => values.push(B::Native::default()),
            None => return Err(CastError::value(value, index)),
        }
    }
    Ok(Arc::new(PrimitiveArray::<B>::new(values.into(), array.nulls().cloned())))
}

pub(super) fn from_bool(array: &BooleanArray, to: &DataType) -> Result<ArrayRef, CastError> {
    with_number!(to, To => {
        let values = array.iter().map(|v| v.map(|v| <To as ArrowPrimitiveType>::Native::of_float(f64::from(u8::from(v)))));
        Ok(Arc::new(values.collect::<PrimitiveArray<To>>()))
    }, _ => Err(CastError::types(array.data_type(), to)))
}

pub(super) fn to_bool(array: &ArrayRef) -> Result<ArrayRef, CastError> {
    with_number!(array.data_type(), From => {
        Ok(booleans(array.as_primitive::<From>().iter().map(|v| v.map(|v| v.wide() != 0.0))))
    }, _ => Err(CastError::types(array.data_type(), &DataType::Boolean)))
}
