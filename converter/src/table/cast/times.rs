//! Timestamps, durations, dates and times of day: reinterpreted or rescaled without loss.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowTimestampType, Date32Type, DurationNanosecondType, Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};

use super::{CastError, format};

const NS: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);
const MS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);
const DURATION: DataType = DataType::Duration(TimeUnit::Nanosecond);
const NS_PER_DAY: i64 = 86_400_000_000_000;

/// None when the pair of types has no cast.
pub(super) fn cast(array: &ArrayRef, to: &DataType) -> Option<Result<ArrayRef, CastError>> {
    if let (DataType::Timestamp(unit, zone), true) = (array.data_type(), array.data_type() != &NS) {
        // A table's own times: brought to nanoseconds first, the instant kept.
        return Some(match (to, unit) {
            (DataType::Timestamp(TimeUnit::Millisecond, None), TimeUnit::Millisecond) => Ok(relabelled::<TimestampMillisecondType>(array)),
            (to, _) => to_nanoseconds(array, *unit).and_then(|ns| if *to == NS { Ok(ns) } else { super::cast(&ns, to) }),
        })
        .filter(|_| zone.is_none() || to != &DataType::Int64);
    }
    Some(match (array.data_type(), to) {
        (DataType::Date32, to) if *to == NS => {
            convert::<Date32Type, TimestampNanosecondType>(array, |days| i64::from(days).checked_mul(NS_PER_DAY))
        }
        (DataType::Date32, to) if *to == MS => {
            convert::<Date32Type, TimestampMillisecondType>(array, |days| i64::from(days).checked_mul(NS_PER_DAY / 1_000_000))
        }
        // An integer is reinterpreted in the unit of the target.
        (DataType::Int64, to) if *to == NS => convert::<Int64Type, TimestampNanosecondType>(array, Some),
        (DataType::Int64, to) if *to == MS => convert::<Int64Type, TimestampMillisecondType>(array, Some),
        (DataType::Int64, to) if *to == DURATION => convert::<Int64Type, DurationNanosecondType>(array, Some),
        (DataType::Int64, DataType::Time64(_)) => convert::<Int64Type, Time64MicrosecondType>(array, Some),
        (DataType::Int32, DataType::Date32) => convert::<Int32Type, Date32Type>(array, Some),
        // time32[s] is kept in milliseconds, as the incumbent's files hold it.
        (DataType::Int32, DataType::Time32(_)) => convert::<Int32Type, Time32MillisecondType>(array, |v| v.checked_mul(1_000)),
        (from, DataType::Int64) if *from == NS => convert::<TimestampNanosecondType, Int64Type>(array, Some),
        (from, DataType::Int64) if *from == DURATION => convert::<DurationNanosecondType, Int64Type>(array, Some),
        (from, to) if *from == NS && *to == MS => {
            convert::<TimestampNanosecondType, TimestampMillisecondType>(array, |v| whole(v, 1_000_000))
        }
        (from, DataType::Date32) if *from == NS => {
            convert::<TimestampNanosecondType, Date32Type>(array, |v| i32::try_from(v.div_euclid(NS_PER_DAY)).ok())
        }
        (from, DataType::Time32(_)) if *from == NS => convert::<TimestampNanosecondType, Time32MillisecondType>(array, |v| {
            whole(v.rem_euclid(NS_PER_DAY), 1_000_000_000).and_then(|s| i32::try_from(s * 1_000).ok())
        }),
        (from, DataType::Time64(_)) if *from == NS => {
            convert::<TimestampNanosecondType, Time64MicrosecondType>(array, |v| whole(v.rem_euclid(NS_PER_DAY), 1_000))
        }
        _ => return None,
    })
}

/// Times of any unit and zone as naive nanoseconds of the same instant.
fn to_nanoseconds(array: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef, CastError> {
    match unit {
        TimeUnit::Second => convert::<TimestampSecondType, TimestampNanosecondType>(array, |v| v.checked_mul(1_000_000_000)),
        TimeUnit::Millisecond => convert::<TimestampMillisecondType, TimestampNanosecondType>(array, |v| v.checked_mul(1_000_000)),
        TimeUnit::Microsecond => convert::<TimestampMicrosecondType, TimestampNanosecondType>(array, |v| v.checked_mul(1_000)),
        TimeUnit::Nanosecond => Ok(relabelled::<TimestampNanosecondType>(array)),
    }
}

/// The same numbers without a zone.
fn relabelled<T: ArrowTimestampType>(array: &ArrayRef) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().clone().with_timezone_opt(None::<Arc<str>>))
}

fn whole(value: i64, unit: i64) -> Option<i64> {
    (value % unit == 0).then_some(value / unit)
}

fn convert<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    array: &ArrayRef,
    one: impl Fn(A::Native) -> Option<B::Native>,
) -> Result<ArrayRef, CastError> {
    let values = array.as_primitive::<A>();
    let mut converted = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let failed = || CastError::value(format::scalar_text(array, index).unwrap_or_default(), index);
        converted.push(value.map(|v| one(v).ok_or_else(failed)).transpose()?);
    }
    Ok(Arc::new(converted.into_iter().collect::<PrimitiveArray<B>>()))
}
