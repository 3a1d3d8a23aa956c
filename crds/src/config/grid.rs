//! The typed view of a Zarr config: the dimensions and variables of a grid.

use std::fmt;

use serde_json::{Map, Value};

/// What a config says of a Zarr dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct GridConfig {
    /// Position in `dimensions` of the one along which the dataset grows (`append_dim`, or the one
    /// labelled `time`). Its chunk is always a [`ChunkLength::Length`].
    pub append: usize,
    /// Config order; names are unique.
    pub dimensions: Vec<GridDimension>,
    /// `schema` in config order, then `add_variables` (an existing name keeps its place); those with `drop_var` included.
    pub variables: Vec<GridVariable>,
    /// `var_template_shape`: the first that a file has gives the shape of a variable that it lacks.
    pub template: Vec<String>,
    /// `vars_incompatible_with_region`
    pub incompatible_with_region: Vec<String>,
    /// `dataset_sort_by`: names of dimensions.
    pub sort_by: Vec<String>,
    /// `skip_cftime_decode`
    pub undecoded_times: Vec<String>,
    /// `target_dimension_grids`, by the name of the dimension; empty ones left out.
    pub target_grids: Vec<(String, TargetGrid)>,
    /// `global_attributes.delete`
    pub deleted_attributes: Vec<String>,
    /// Whether the key stands in the config: `metadata_uuid` is written then, null and empty too.
    pub has_metadata_uuid: bool,
}

impl GridConfig {
    /// Whether positions along a dimension are to rise.
    #[must_use]
    pub fn sorts(&self, dimension: &str) -> bool {
        self.sort_by.iter().any(|name| name == dimension)
    }

    /// The name of the dimension along which the dataset grows.
    #[must_use]
    pub fn append_name(&self) -> &str {
        &self.dimensions[self.append].name
    }

    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&GridVariable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    #[must_use]
    pub fn dimension(&self, name: &str) -> Option<&GridDimension> {
        self.dimensions.iter().find(|dimension| dimension.name == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridDimension {
    /// As it stands in the files and in the store; the label in the config says nothing more.
    pub name: String,
    pub chunk: ChunkLength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkLength {
    Whole,
    Length(u64),
}

/// One variable of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct GridVariable {
    pub name: String,
    pub grid_type: GridType,
    /// `drop_var`: neither read nor written.
    pub dropped: bool,
    /// The dimensions of the variable where it has to be made; none listed means those of the template.
    /// An added variable always has some.
    pub dims: Option<Vec<String>>,
    /// What the config says of the variable beside type, dimensions and `drop_var`, in config order.
    pub attributes: Map<String, Value>,
    /// Of an added variable.
    pub source: Option<GridSource>,
}

/// Where an added variable takes its values from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GridSource {
    Filename,
    GlobalAttribute(String),
}

/// The positions that the files are interpolated to.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetGrid {
    /// Rising or falling.
    Values(Vec<f64>),
    /// Rising, from `min` to at most half a step beyond `max`.
    Steps { min: f64, max: f64, step: f64 },
}

impl TargetGrid {
    /// All positions, bit for bit those of numpy's `arange(min, max + step / 2, step)`.
    #[must_use]
    pub fn positions(&self) -> Vec<f64> {
        match self {
            Self::Values(values) => values.clone(),
            Self::Steps { min, max, step } => {
                // numpy takes the step from the first two positions, after they were rounded.
                let rounded = (min + step) - min;
                (0..Self::steps(*min, *max, *step) as u64)
                    .map(|index| if index == 1 { min + step } else { min + index as f64 * rounded })
                    .collect()
            }
        }
    }

    pub(super) fn steps(min: f64, max: f64, step: f64) -> f64 {
        ((max + step / 2.0 - min) / step).ceil()
    }
}

/// What a type name of a Zarr schema means: numpy's, where `float` has 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GridType {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    TimestampNs,
    TimedeltaNs,
    Bool,
    /// Of any length.
    Text,
    /// `<U12`: at most so many characters.
    FixedText(u32),
    /// `|S12`: at most so many bytes.
    FixedBytes(u32),
}

impl GridType {
    /// More characters than this in one cell are a mistake, and the cells would fill the memory.
    const WIDEST: u32 = 65_535;

    /// The names for a message.
    pub(super) const NAMES: &str = "int8, int16, int32, int64, uint8, uint16, uint32, uint64, byte, float32, float (64 bits), float64, \
        double, timestamp[ns], datetime64[ns], timedelta64[ns], bool, object, string, str, <U and a number of characters, |S and a number \
        of bytes";

    /// The type that a config's word means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "int8" | "byte" => Self::I8,
            "int16" => Self::I16,
            "int32" => Self::I32,
            "int64" => Self::I64,
            "uint8" => Self::U8,
            "uint16" => Self::U16,
            "uint32" => Self::U32,
            "uint64" => Self::U64,
            "float32" => Self::F32,
            "float" | "float64" | "double" => Self::F64,
            "timestamp[ns]" | "datetime64[ns]" => Self::TimestampNs,
            "timedelta64[ns]" => Self::TimedeltaNs,
            "bool" => Self::Bool,
            "object" | "string" | "str" => Self::Text,
            _ => {
                if let Some(width) = name.strip_prefix("<U") {
                    Self::FixedText(Self::width(width)?)
                } else {
                    Self::FixedBytes(Self::width(name.strip_prefix("|S")?)?)
                }
            }
        })
    }

    fn width(text: &str) -> Option<u32> {
        let digits = text.trim_start();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|width| plain && (1..=Self::WIDEST).contains(width))
    }
}

/// The canonical name, one for each type: what the layout hash sees.
impl fmt::Display for GridType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::TimestampNs => "timestamp[ns]",
            Self::TimedeltaNs => "timedelta64[ns]",
            Self::Bool => "bool",
            Self::Text => "string",
            Self::FixedText(width) => return write!(f, "<U{width}"),
            Self::FixedBytes(width) => return write!(f, "|S{width}"),
        })
    }
}
