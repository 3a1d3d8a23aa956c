//! What a column of a CSV file becomes.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use crds::config::ColumnType;

use super::instants::DateFormat;
use super::missing::Missing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Whole {
    pub fn range(self) -> (i128, i128) {
        match self {
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }
}

/// The zone of a column of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnZone {
    Naive,
    /// Minutes east of Greenwich, the same in all values.
    Fixed(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table without rows.
    Null,
    Whole(Whole),
    /// Integers with gaps, which pandas keeps as floats.
    WholeWithGaps,
    Float64,
    Float32,
    Bool,
    Text,
    /// Text in which nothing is missing: what pandas leaves of integers that no type can hold.
    TextAsIs,
    Time {
        format: DateFormat,
        zone: ColumnZone,
    },
    /// A column of times without a single value.
    NoTime,
    IsoTime(TimeUnit),
    IsoDate,
}

impl Kind {
    /// The type that polars is told to read a schema's column as.
    pub fn forced(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Int8 => Self::Whole(Whole::I8),
            ColumnType::Int16 => Self::Whole(Whole::I16),
            ColumnType::Int32 => Self::Whole(Whole::I32),
            ColumnType::Int64 => Self::Whole(Whole::I64),
            ColumnType::UInt8 => Self::Whole(Whole::U8),
            ColumnType::UInt16 => Self::Whole(Whole::U16),
            ColumnType::UInt32 => Self::Whole(Whole::U32),
            ColumnType::UInt64 => Self::Whole(Whole::U64),
            ColumnType::Float32 => Self::Float32,
            ColumnType::Float64 => Self::Float64,
            ColumnType::Bool => Self::Bool,
            ColumnType::TimestampNs => Self::IsoTime(TimeUnit::Nanosecond),
            ColumnType::TimestampMs => Self::IsoTime(TimeUnit::Millisecond),
            ColumnType::Date32 => Self::IsoDate,
            ColumnType::Utf8
            | ColumnType::Binary
            | ColumnType::DurationNs
            | ColumnType::Time32S
            | ColumnType::Time64Us
            | ColumnType::ListUtf8 => Self::Text,
        }
    }

    pub fn data_type(self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Whole(Whole::I8) => DataType::Int8,
            Self::Whole(Whole::I16) => DataType::Int16,
            Self::Whole(Whole::I32) => DataType::Int32,
            Self::Whole(Whole::I64) => DataType::Int64,
            Self::Whole(Whole::U8) => DataType::UInt8,
            Self::Whole(Whole::U16) => DataType::UInt16,
            Self::Whole(Whole::U32) => DataType::UInt32,
            Self::Whole(Whole::U64) => DataType::UInt64,
            Self::WholeWithGaps | Self::Float64 => DataType::Float64,
            Self::Float32 => DataType::Float32,
            Self::Bool => DataType::Boolean,
            Self::Text | Self::TextAsIs => DataType::Utf8,
            Self::Time { zone: ColumnZone::Naive, .. } | Self::NoTime => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Time { zone: ColumnZone::Fixed(minutes), .. } => DataType::Timestamp(TimeUnit::Nanosecond, Some(zone_name(minutes))),
            Self::IsoTime(unit) => DataType::Timestamp(unit, None),
            Self::IsoDate => DataType::Date32,
        }
    }

    /// Bytes a value takes in memory, the text itself aside.
    pub fn width(self) -> u64 {
        match self {
            Self::Null => 0,
            Self::Text | Self::TextAsIs => 5,
            _ => 9,
        }
    }
}

fn zone_name(minutes: i32) -> Arc<str> {
    if minutes == 0 {
        return "UTC".into();
    }
    let (sign, minutes) = if minutes < 0 { ('-', -minutes) } else { ('+', minutes) };
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).into()
}

/// How a wanted column's type comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Inferred,
    /// In `parse_dates`
    Date,
    Forced(Kind),
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub name: String,
    pub position: usize,
    pub role: Role,
    pub missing: Missing,
}

/// Words that are true or false beside the usual ones.
#[derive(Clone, Debug, Default)]
pub(super) struct BoolWords {
    pub yes: Vec<Vec<u8>>,
    pub no: Vec<Vec<u8>>,
}

impl BoolWords {
    pub fn read(&self, text: &[u8]) -> Option<bool> {
        let among = |words: &[Vec<u8>]| words.iter().any(|word| word == text);
        match text {
            _ if among(&self.yes) => Some(true),
            _ if among(&self.no) => Some(false),
            text if text.eq_ignore_ascii_case(b"true") => Some(true),
            text if text.eq_ignore_ascii_case(b"false") => Some(false),
            _ => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.yes.is_empty() && self.no.is_empty()
    }
}
