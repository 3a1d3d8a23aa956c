//! Text to anything: the whole text must be a value, with no space around it.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType, TimestampNanosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, StringArray};
use arrow_schema::{DataType, TimeUnit};

use super::{CastError, booleans};
use crate::cf::days_from_civil;

pub(super) fn cast(texts: &StringArray, to: &DataType) -> Result<ArrayRef, CastError> {
    match to {
        DataType::Int8 => parse::<Int8Type>(texts, integer),
        DataType::Int16 => parse::<Int16Type>(texts, integer),
        DataType::Int32 => parse::<Int32Type>(texts, integer),
        DataType::Int64 => parse::<Int64Type>(texts, integer),
        DataType::UInt8 => parse::<UInt8Type>(texts, unsigned),
        DataType::UInt16 => parse::<UInt16Type>(texts, unsigned),
        DataType::UInt32 => parse::<UInt32Type>(texts, unsigned),
        DataType::UInt64 => parse::<UInt64Type>(texts, unsigned),
        DataType::Float32 => parse::<Float32Type>(texts, |t| float(t)?.parse().ok()),
        DataType::Float64 => parse::<Float64Type>(texts, |t| float(t)?.parse().ok()),
        DataType::Boolean => all(texts, boolean).map(|values| booleans(values.into_iter())),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => parse::<TimestampNanosecondType>(texts, |t| timestamp(t, 9)),
        DataType::Timestamp(TimeUnit::Millisecond, None) => parse::<TimestampMillisecondType>(texts, |t| timestamp(t, 3)),
        DataType::Date32 => parse::<Date32Type>(texts, |t| i32::try_from(date(t)?).ok()),
        to => Err(CastError::types(texts.data_type(), to)),
    }
}

fn all<T>(texts: &StringArray, one: impl Fn(&str) -> Option<T>) -> Result<Vec<Option<T>>, CastError> {
    let parse = |(index, text): (usize, Option<&str>)| match text {
        None => Ok(None),
        Some(text) => one(text).map(Some).ok_or_else(|| CastError::value(format!("{text:?}"), index)),
    };
    texts.iter().enumerate().map(parse).collect()
}

fn parse<T: ArrowPrimitiveType>(texts: &StringArray, one: impl Fn(&str) -> Option<T::Native>) -> Result<ArrayRef, CastError> {
    Ok(Arc::new(all(texts, one)?.into_iter().collect::<PrimitiveArray<T>>()))
}

/// Decimal digits, of any number.
fn digits(text: &str) -> Option<i128> {
    let valid = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok())?
}

/// `0x` and up to as many hexadecimal digits as the type has; a signed type takes them as its bits.
fn hexadecimal(text: &str, bytes: usize) -> Option<u64> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let valid = (1..=2 * bytes).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| u64::from_str_radix(digits, 16).ok())?
}

fn integer<T: TryFrom<i128>>(text: &str) -> Option<T> {
    let bytes = size_of::<T>();
    let value = match (hexadecimal(text, bytes), text.strip_prefix('-')) {
        (Some(bits), _) => {
            let unused = 64 - 8 * bytes as u32;
            i128::from((bits << unused).cast_signed() >> unused)
        }
        (None, Some(text)) => -digits(text)?,
        (None, None) => digits(text)?,
    };
    T::try_from(value).ok()
}

fn unsigned<T: TryFrom<i128>>(text: &str) -> Option<T> {
    let value = hexadecimal(text, size_of::<T>()).map(i128::from);
    T::try_from(value.or_else(|| digits(text))?).ok()
}

/// Text that Rust and Arrow both take for a number.
fn float(text: &str) -> Option<&str> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let named = ["nan", "inf", "infinity"].iter().any(|name| body.eq_ignore_ascii_case(name));
    let plain = body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    (named || plain).then_some(text)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn field(text: &str, digits: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let valid = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok())?.filter(|value| range.contains(value))
}

/// Days since 1970 of `YYYY-MM-DD`.
fn date(text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (field(year, 4, 0..=9_999)?, field(month, 2, 1..=12)?, field(day, 2, 1..=31)?);
    let days = days_from_civil(year, month, day);
    (crate::cf::civil_from_days(days) == (year, month, day)).then_some(days)
}

/// `YYYY-MM-DD[ T]hh[:mm[:ss[.f]]]` or a date, in units of 10^-`precision` seconds.
fn timestamp(text: &str, precision: u32) -> Option<i64> {
    let (day, clock) = text.split_once(['T', ' ']).map_or((text, None), |(day, clock)| (day, Some(clock)));
    let seconds = date(day)?.checked_mul(86_400)?;
    let (in_day, fraction) = clock.map_or(Some((0, 0)), |c| parse_clock(c, precision))?;
    (seconds + in_day).checked_mul(10i64.pow(precision))?.checked_add(fraction)
}

fn parse_clock(text: &str, precision: u32) -> Option<(i64, i64)> {
    let mut fields = text.split(':');
    let hours = field(fields.next()?, 2, 0..=23)?;
    let minutes = fields.next().map_or(Some(0), |m| field(m, 2, 0..=59))?;
    let (seconds, fraction) = match fields.next() {
        None => (0, 0),
        Some(text) => {
            let (seconds, fraction) = text.split_once('.').map_or((text, None), |(s, f)| (s, Some(f)));
            let fraction = fraction.map_or(Some(0), |f| fraction_of(f, precision))?;
            (field(seconds, 2, 0..=59)?, fraction)
        }
    };
    fields.next().is_none().then_some((hours * 3_600 + minutes * 60 + seconds, fraction))
}

fn fraction_of(text: &str, precision: u32) -> Option<i64> {
    let length = u32::try_from(text.len()).ok().filter(|&length| (1..=precision).contains(&length))?;
    Some(field(text, text.len(), 0..=999_999_999)? * 10i64.pow(precision - length))
}
