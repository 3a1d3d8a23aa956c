//! The closed lists of names a config may use, and what they mean.

use super::{ColumnType, PartitionPeriod};

/// The 25 type names of a Parquet schema.
pub const TYPE_NAMES: &[&str] = &[
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float",
    "float32",
    "float64",
    "double",
    "string",
    "object",
    "|S1",
    "byte",
    "bool",
    "datetime64[ns]",
    "timestamp[ns]",
    "timestamp[ms]",
    "timedelta64[ns]",
    "date32[day]",
    "time32[s]",
    "time64[us]",
    "list<element: string>",
];

pub const PERIOD_NAMES: &str = "M, Q, Y, h, min, s, ms, us, ns";

impl ColumnType {
    /// The type a Parquet schema's name means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "uint8" => Self::UInt8,
            "uint16" => Self::UInt16,
            "uint32" => Self::UInt32,
            "uint64" => Self::UInt64,
            "float" | "float32" => Self::Float32,
            "float64" | "double" => Self::Float64,
            "string" | "object" | "|S1" => Self::Utf8,
            "byte" => Self::Binary,
            "bool" => Self::Bool,
            "datetime64[ns]" | "timestamp[ns]" => Self::TimestampNs,
            "timestamp[ms]" => Self::TimestampMs,
            "timedelta64[ns]" => Self::DurationNs,
            "date32[day]" => Self::Date32,
            "time32[s]" => Self::Time32S,
            "time64[us]" => Self::Time64Us,
            "list<element: string>" => Self::ListUtf8,
            _ => return None,
        })
    }

    /// Whether values of this type are floating-point numbers.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// The canonical name, one for each type: what the layout hash sees.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Utf8 => "string",
            Self::Binary => "byte",
            Self::Bool => "bool",
            Self::TimestampNs => "timestamp[ns]",
            Self::TimestampMs => "timestamp[ms]",
            Self::DurationNs => "timedelta64[ns]",
            Self::Date32 => "date32[day]",
            Self::Time32S => "time32[s]",
            Self::Time64Us => "time64[us]",
            Self::ListUtf8 => "list<element: string>",
        }
    }
}

impl PartitionPeriod {
    /// The period a config's word means; `D` and `W` are none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "M" => Self::Month,
            "Q" => Self::Quarter,
            "Y" => Self::Year,
            "h" => Self::Hour,
            "min" => Self::Minute,
            "s" => Self::Second,
            "ms" => Self::Millisecond,
            "us" => Self::Microsecond,
            "ns" => Self::Nanosecond,
            _ => return None,
        })
    }

    /// The config's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "M",
            Self::Quarter => "Q",
            Self::Year => "Y",
            Self::Hour => "h",
            Self::Minute => "min",
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        }
    }
}
