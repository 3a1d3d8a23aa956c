//! Parquet objects and the `_common_metadata` sidecar, as the incumbent's readers expect them.

mod chunk;
mod error;
mod object;
mod repr;
mod sidecar;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use crds::config::ColumnType;

pub use chunk::{Cells, Chunk, ChunkEncoder, Strip};
pub use error::WriteError;
pub use object::{ObjectFormat, ObjectWriter};
pub use repr::{python_float, python_repr, python_repr_text, python_str};
pub(crate) use repr::{shortest, written_out};
pub use sidecar::sidecar;

/// Stands in every file instead of a version, so that equal input gives equal bytes.
pub(crate) const CREATED_BY: &str = "cloudoptimised.io converter";

/// The Arrow type of a config type (spec 5.1). time32[s] is kept in milliseconds: Parquet has no seconds.
#[must_use]
pub fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Int8 => DataType::Int8,
        ColumnType::Int16 => DataType::Int16,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::UInt8 => DataType::UInt8,
        ColumnType::UInt16 => DataType::UInt16,
        ColumnType::UInt32 => DataType::UInt32,
        ColumnType::UInt64 => DataType::UInt64,
        ColumnType::Float32 => DataType::Float32,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Utf8 => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::TimestampNs => DataType::Timestamp(TimeUnit::Nanosecond, None),
        ColumnType::TimestampMs => DataType::Timestamp(TimeUnit::Millisecond, None),
        ColumnType::DurationNs => DataType::Duration(TimeUnit::Nanosecond),
        ColumnType::Date32 => DataType::Date32,
        ColumnType::Time32S => DataType::Time32(TimeUnit::Millisecond),
        ColumnType::Time64Us => DataType::Time64(TimeUnit::Microsecond),
        ColumnType::ListUtf8 => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
    }
}

/// The schema of a data file: all nullable, no metadata.
#[must_use]
pub fn schema<'a>(columns: impl Iterator<Item = (&'a str, DataType)>) -> SchemaRef {
    Arc::new(Schema::new(columns.map(|(name, data_type)| Field::new(name, data_type, true)).collect::<Vec<_>>()))
}
