//! From stored types to natural ones: what is left of a Parquet column after a way through pandas.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, Float32Array, Float64Array, ListArray, PrimitiveArray, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampNanosecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};

/// What becomes of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Stays as it is.
    Same,
    Integer,
    /// Integers with gaps: floats.
    Gapped,
    /// NaN is null.
    Float,
    Half,
    Text,
    Bytes,
    FixedBytes,
    /// Milliseconds of a day's start: a date.
    Date,
    /// A time of day: microseconds.
    Time,
    /// With a zone: nanoseconds.
    Zoned,
    TextList,
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

impl Form {
    /// None: no column of a dataset can hold it.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null | DataType::Boolean | DataType::Date32 | DataType::Timestamp(_, None) | DataType::Duration(_) => Self::Same,
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Float16 => Self::Half,
            DataType::FixedSizeBinary(_) => Self::FixedBytes,
            DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, Some(_)) => Self::Zoned,
            DataType::List(item) | DataType::LargeList(item) if is_text(item.data_type()) => Self::TextList,
            // What a dictionary holds keeps its kind, gaps or not.
            DataType::Dictionary(_, value) => match Self::of(value)? {
                Self::Integer => Self::Same,
                form @ (Self::Same | Self::Float | Self::Text | Self::Bytes | Self::FixedBytes) => form,
                _ => return None,
            },
            other if is_text(other) => Self::Text,
            other if is_bytes(other) => Self::Bytes,
            other if other.is_integer() => Self::Integer,
            _ => return None,
        })
    }

    /// The type to ask the library for: text as views, so that a value that repeats is not copied.
    pub(super) fn read_as(self, stored: &DataType) -> DataType {
        match (self, stored) {
            (Self::Text, _) => DataType::Utf8View,
            (Self::Bytes, _) => DataType::BinaryView,
            (Self::TextList, DataType::List(item) | DataType::LargeList(item)) => {
                DataType::List(Arc::new(item.as_ref().clone().with_data_type(DataType::Utf8)))
            }
            (_, DataType::Dictionary(_, value)) => value.as_ref().clone(),
            (_, other) => other.clone(),
        }
    }

    /// The type that is handed out.
    pub(super) fn natural(self, read: &DataType) -> DataType {
        match (self, read) {
            (Self::Gapped, _) => DataType::Float64,
            (Self::Half, _) => DataType::Float32,
            (Self::Text, _) => DataType::Utf8,
            (Self::Bytes | Self::FixedBytes, _) => DataType::Binary,
            (Self::Date, _) => DataType::Date32,
            (Self::Time, _) => DataType::Time64(TimeUnit::Microsecond),
            (Self::Zoned, DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()),
            (Self::TextList, _) => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
            (_, other) => other.clone(),
        }
    }

    pub(super) fn convert(self, stored: &ArrayRef, natural: &DataType) -> Result<ArrayRef, String> {
        Ok(match self {
            Self::Same | Self::Integer => Arc::clone(stored),
            Self::Gapped => floats(stored)?,
            Self::Float => match stored.data_type() {
                DataType::Float32 => without_nan::<Float32Type>(stored, f32::is_nan),
                _ => without_nan::<Float64Type>(stored, f64::is_nan),
            },
            Self::Half => {
                let values = stored.as_primitive::<Float16Type>().iter();
                Arc::new(values.map(|v| v.map(f32::from).filter(|v| !v.is_nan())).collect::<Float32Array>())
            }
            Self::Text => Arc::new(stored.as_string_view().iter().collect::<StringArray>()),
            Self::Bytes => Arc::new(stored.as_binary_view().iter().collect::<BinaryArray>()),
            Self::FixedBytes => Arc::new(stored.as_fixed_size_binary().iter().collect::<BinaryArray>()),
            Self::Date => {
                let days = stored.as_primitive::<Date64Type>().iter().map(|v| v.map(|v| v.div_euclid(86_400_000) as i32));
                Arc::new(days.collect::<Date32Array>())
            }
            Self::Time => times(stored)?,
            Self::Zoned => zoned(stored, natural)?,
            Self::TextList => {
                let list = stored.as_list::<i32>();
                let field = Arc::new(Field::new("element", DataType::Utf8, true));
                let made = ListArray::try_new(field, list.offsets().clone(), Arc::clone(list.values()), list.nulls().cloned());
                Arc::new(made.map_err(|error| error.to_string())?)
            }
        })
    }
}

fn without_nan<T: ArrowPrimitiveType>(stored: &ArrayRef, is_nan: impl Fn(T::Native) -> bool) -> ArrayRef {
    let array = stored.as_primitive::<T>();
    if !array.values().iter().any(|&v| is_nan(v)) {
        return Arc::clone(stored);
    }
    Arc::new(array.iter().map(|v| v.filter(|&v| !is_nan(v))).collect::<PrimitiveArray<T>>())
}

/// Runs one expression for whichever integers an array holds.
macro_rules! for_integers {
    ($array:expr, $v:ident => $body:expr, $rest:expr) => {
        match $array.data_type() {
            DataType::Int8 => {
                let $v = $array.as_primitive::<Int8Type>();
                $body
            }
            DataType::Int16 => {
                let $v = $array.as_primitive::<Int16Type>();
                $body
            }
            DataType::Int32 => {
                let $v = $array.as_primitive::<Int32Type>();
                $body
            }
            DataType::Int64 => {
                let $v = $array.as_primitive::<Int64Type>();
                $body
            }
            DataType::UInt8 => {
                let $v = $array.as_primitive::<UInt8Type>();
                $body
            }
            DataType::UInt16 => {
                let $v = $array.as_primitive::<UInt16Type>();
                $body
            }
            DataType::UInt32 => {
                let $v = $array.as_primitive::<UInt32Type>();
                $body
            }
            DataType::UInt64 => {
                let $v = $array.as_primitive::<UInt64Type>();
                $body
            }
            _ => $rest,
        }
    };
}

/// Whether floats hold every value of an integer column.
pub(super) fn exact(array: &ArrayRef) -> bool {
    for_integers!(array, v => v.iter().flatten().all(|v| i128::from(v).unsigned_abs() <= 1 << 53), true)
}

#[allow(clippy::cast_lossless)] // one body for eight types
fn floats(array: &ArrayRef) -> Result<ArrayRef, String> {
    let made = for_integers!(array, v => v.iter().map(|v| v.map(|v| v as f64)).collect::<Float64Array>(), {
        return Err(format!("{} where integers were announced", array.data_type()));
    });
    Ok(Arc::new(made))
}

fn times(array: &ArrayRef) -> Result<ArrayRef, String> {
    fn scaled<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &ArrayRef, factor: i64, divisor: i64) -> ArrayRef {
        let values = array.as_primitive::<T>().iter().map(|v| v.map(|v| v.into().saturating_mul(factor) / divisor));
        Arc::new(values.collect::<Time64MicrosecondArray>())
    }
    Ok(match array.data_type() {
        DataType::Time32(TimeUnit::Second) => scaled::<Time32SecondType>(array, 1_000_000, 1),
        DataType::Time32(TimeUnit::Millisecond) => scaled::<Time32MillisecondType>(array, 1_000, 1),
        DataType::Time64(TimeUnit::Microsecond) => scaled::<Time64MicrosecondType>(array, 1, 1),
        DataType::Time64(TimeUnit::Nanosecond) => scaled::<Time64NanosecondType>(array, 1, 1_000),
        other => return Err(format!("{other} where a time of day was announced")),
    })
}

fn zoned(array: &ArrayRef, natural: &DataType) -> Result<ArrayRef, String> {
    fn scaled<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, factor: i64) -> Result<TimestampNanosecondArray, String> {
        let held = |v: i64| v.checked_mul(factor).ok_or_else(|| format!("the time {v} is out of the range of nanoseconds"));
        array.as_primitive::<T>().iter().map(|v| v.map(held).transpose()).collect()
    }
    let (DataType::Timestamp(unit, _), DataType::Timestamp(_, zone)) = (array.data_type(), natural) else {
        return Err(format!("{} where a time was announced", array.data_type()));
    };
    let made = match unit {
        TimeUnit::Nanosecond => return Ok(Arc::clone(array)),
        TimeUnit::Microsecond => scaled::<TimestampMicrosecondType>(array, 1_000)?,
        TimeUnit::Millisecond => scaled::<TimestampMillisecondType>(array, 1_000_000)?,
        TimeUnit::Second => scaled::<TimestampSecondType>(array, 1_000_000_000)?,
    };
    Ok(Arc::new(made.with_timezone_opt(zone.clone())))
}

/// How many rows from `from` on fit into so many bytes, handed out; one at least.
pub(super) fn rows_within(batch: &RecordBatch, from: usize, bytes: usize) -> usize {
    let texts: Vec<&[u128]> = batch
        .columns()
        .iter()
        .filter_map(|array| match array.data_type() {
            DataType::Utf8View => Some(array.as_string_view().views().as_ref()),
            DataType::BinaryView => Some(array.as_binary_view().views().as_ref()),
            _ => None,
        })
        .collect();
    let fixed = 9 * batch.num_columns();
    let (mut used, mut rows) = (0_usize, 0);
    for row in from..batch.num_rows() {
        // The low 32 bits of a view are the text's length.
        let length: usize = texts.iter().map(|views| views[row] as u32 as usize).sum();
        used = used.saturating_add(fixed + length);
        if rows > 0 && used > bytes {
            break;
        }
        rows += 1;
    }
    rows
}
