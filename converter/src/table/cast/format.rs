//! Values as Arrow's text: what a cast to string gives, and what a partition folder is named.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, DurationNanosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time64MicrosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::{DataType, TimeUnit};

use crate::cf::civil_from_days;
use crate::write::{shortest, written_out};

/// Whether values of a type have a text.
pub(super) fn has_text(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Null | DataType::Binary | DataType::List(_))
}

/// Every value as text.
pub(super) fn to_text(array: &ArrayRef) -> ArrayRef {
    Arc::new((0..array.len()).map(|i| scalar_text(array, i)).collect::<StringArray>())
}

/// The text of one value; none for null.
pub(in crate::table) fn scalar_text(array: &dyn Array, index: usize) -> Option<String> {
    if array.is_null(index) {
        return None;
    }
    macro_rules! value {
        ($type:ty) => {
            array.as_primitive::<$type>().value(index)
        };
    }
    Some(match array.data_type() {
        DataType::Int8 => value!(Int8Type).to_string(),
        DataType::Int16 => value!(Int16Type).to_string(),
        DataType::Int32 => value!(Int32Type).to_string(),
        DataType::Int64 => value!(Int64Type).to_string(),
        DataType::UInt8 => value!(UInt8Type).to_string(),
        DataType::UInt16 => value!(UInt16Type).to_string(),
        DataType::UInt32 => value!(UInt32Type).to_string(),
        DataType::UInt64 => value!(UInt64Type).to_string(),
        DataType::Float32 => {
            let v = value!(Float32Type);
            float_text(&shortest(v))
        }
        DataType::Float64 => {
            let v = value!(Float64Type);
            float_text(&shortest(v))
        }
        DataType::Boolean => array.as_boolean().value(index).to_string(),
        DataType::Utf8 => array.as_string::<i32>().value(index).to_owned(),
        DataType::Binary => String::from_utf8_lossy(array.as_binary::<i32>().value(index)).into_owned(),
        DataType::Timestamp(unit, zone) => {
            let text = match unit {
                TimeUnit::Second => timestamp_text(value!(TimestampSecondType), 1),
                TimeUnit::Millisecond => timestamp_text(value!(TimestampMillisecondType), 1_000),
                TimeUnit::Microsecond => timestamp_text(value!(TimestampMicrosecondType), 1_000_000),
                TimeUnit::Nanosecond => timestamp_text(value!(TimestampNanosecondType), 1_000_000_000),
            };
            // The instant in UTC, whatever the zone.
            text + if zone.is_some() { "Z" } else { "" }
        }
        DataType::Duration(_) => value!(DurationNanosecondType).to_string(),
        DataType::Date32 => date_text(i64::from(value!(Date32Type))),
        DataType::Time32(_) => clock_text(i64::from(value!(Time32MillisecondType)).rem_euclid(86_400_000) / 1_000),
        DataType::Time64(_) => {
            let us = value!(Time64MicrosecondType).rem_euclid(86_400_000_000);
            format!("{}.{:06}", clock_text(us / 1_000_000), us % 1_000_000)
        }
        _ => return None,
    })
}

/// Shortest digits, written out while the decimal exponent lies in -6..10, otherwise like `1e+10`.
/// Takes Rust's `{:e}` form, which has the same digits.
fn float_text(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_lowercase(); // nan, inf
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-6..10).contains(&exponent) {
        return format!("{mantissa}e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    written_out(mantissa, exponent)
}

fn date_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    if year < 0 { format!("-{:04}-{month:02}-{day:02}", -year) } else { format!("{year:04}-{month:02}-{day:02}") }
}

fn clock_text(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn timestamp_text(value: i64, per_second: i64) -> String {
    let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let mut text = format!("{} {}", date_text(seconds.div_euclid(86_400)), clock_text(seconds.rem_euclid(86_400)));
    let digits = per_second.ilog10() as usize;
    if digits > 0 {
        let _ = write!(text, ".{fraction:0digits$}"); // a String takes all
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_arrow_writes_them() {
        let wide = [
            (1e14, "1e+14"),
            (1e15, "1e+15"),
            (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
            (1e-4, "0.0001"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-6, "0.0000015"),
            (1.5e-7, "1.5e-7"),
            (123_456.789, "123456.789"),
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (999_999_999_999_999.0, "9.99999999999999e+14"),
            (100.0, "100"),
            (1e9, "1000000000"),
            (1e10, "1e+10"),
            (1.5e10, "1.5e+10"),
            (-2.5, "-2.5"),
            (8_408_669_019_694_397.0 / 4.0, "2.1021672549235992e+15"),
        ];
        for (value, text) in wide {
            assert_eq!(float_text(&shortest(value)), text);
        }
        for (value, text) in [(0.1f32, "0.1"), (3.4e38, "3.4e+38"), (99_999.99, "99999.99"), (16_777_216.0, "16777216"), (1e8, "100000000")]
        {
            assert_eq!(float_text(&shortest(value)), text);
        }
    }
}
