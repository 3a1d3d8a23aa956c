//! The typed view of a merged and validated dataset config.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CsvConfig, Function, GridConfig, Mode};

/// The form of the published dataset: the suffix of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Parquet,
    Zarr,
}

impl Format {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Zarr => "zarr",
        }
    }
}

/// A dataset config after merge and validation. Field names follow the config's own keys.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetConfig {
    pub dataset_name: String,
    pub format: Format,
    pub metadata_uuid: Option<String>,
    /// What `handler_class` says of how files are read.
    pub mode: Mode,
    /// The target schema: `schema` in config order, every `add_variables` entry set (an existing
    /// name keeps its place) or appended, `drop_variables` removed. Partition columns included.
    pub schema: Vec<VariableSchema>,
    pub drop_variables: Vec<String>,
    pub add_variables: Vec<AddedVariable>,
    /// Folder order.
    pub partitioning: Vec<Partition>,
    /// `global_attributes.set`, config order.
    pub global_attributes: Map<String, Value>,
    pub paths: Vec<SourcePath>,
    /// `run_settings.exclude`: a plain substring test on the key.
    pub exclude: Option<String>,
    /// Bucket of relative `s3_uri`s, in the incumbent's order of precedence.
    pub source_bucket: String,
    /// How CSV inputs are read; a CSV file without it fails.
    pub csv: Option<CsvConfig>,
    /// Of Zarr. The fields that make a table (`schema`, added and dropped variables, `partitioning`, `csv`) are empty then.
    pub grid: Option<GridConfig>,
    pub force_previous_parquet_deletion: bool,
}

/// One column of the target schema.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableSchema {
    pub name: String,
    pub column_type: ColumnType,
    /// Everything the config says of the variable, `type` included, in config order (for an added
    /// variable `type` comes first): what the sidecar shows.
    pub attributes: Map<String, Value>,
}

impl VariableSchema {
    /// A numeric attribute such as `valid_min`.
    #[must_use]
    pub fn number(&self, attribute: &str) -> Option<f64> {
        self.attributes.get(attribute).and_then(Value::as_f64)
    }
}

/// The 25 type names of the incumbent, grouped by the Arrow type they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    Utf8,
    Binary,
    Bool,
    TimestampNs,
    TimestampMs,
    DurationNs,
    Date32,
    Time32S,
    Time64Us,
    ListUtf8,
}

/// `add_variables.<name>`.
#[derive(Clone, Debug, PartialEq)]
pub struct AddedVariable {
    pub name: String,
    pub source: Source,
    /// The config's own type name: `cast(value)` depends on it (`double` makes text, `float64` a number).
    pub type_name: String,
    pub column_type: ColumnType,
    /// `_FillValue` of its schema.
    pub fill_value: Option<Value>,
}

/// Where an added variable takes its value from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Filename,
    TimeExtent,
    SpatialExtent,
    GlobalAttribute(String),
    VariableAttribute { variable: String, attribute: String },
    Function(Function),
}

/// One level of partition folders.
#[derive(Clone, Debug, PartialEq)]
pub enum Partition {
    /// `type: time_extent`
    Time { name: String, time_varname: String, period: PartitionPeriod },
    /// `type: spatial_extent`; resolution in degrees
    Tile { name: String, lat_varname: String, lon_varname: String, resolution: f64 },
    /// A plain column
    Column { name: String },
}

impl Partition {
    /// The partition's column, the key of its folders.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Time { name, .. } | Self::Tile { name, .. } | Self::Column { name } => name,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartitionPeriod {
    Month,
    Quarter,
    Year,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

/// What an entry of `run_settings.paths` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathKind {
    /// `type: files`: all keys that begin with a prefix.
    #[default]
    Files,
    /// `type: parquet`: one object.
    Parquet,
    /// `type: parquet` with `partitioning: hive`: a folder. Each object in it is a file of its own; parts
    /// of its path such as `year=2020` are columns, and names that begin with `_` or `.` are no input.
    Hive,
}

impl PathKind {
    #[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
    fn is_files(&self) -> bool {
        *self == Self::Files
    }
}

/// One entry of `run_settings.paths`, years expanded: a raw key prefix and the test its keys must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePath {
    pub bucket: String,
    /// Raw prefix: `X` also lists `X2/`. Of a Parquet path its whole key, of a Hive folder with a `/` at the end.
    pub prefix: String,
    /// Regular expression searched in `s3://bucket/key`; none keeps everything.
    pub filter: Option<String>,
    #[serde(default, skip_serializing_if = "PathKind::is_files")]
    pub kind: PathKind,
}

/// What a config's s3fs options say of the source's store; the resource's own fields win over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub anonymous: Option<bool>,
}
