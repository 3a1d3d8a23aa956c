//! The dataset config: what an AODN config says, loaded without loss, merged with its parent,
//! validated once and turned into the typed [`DatasetConfig`] every stage uses.
//!
//! [`load_with_parents`] → [`validate`] → [`Validated::supported`]; [`hashes`] says what a change means.

pub mod cast;
pub mod csv;
mod expression;
pub mod finding;
mod functions;
pub mod grid;
pub mod hash;
pub mod keys;
pub mod load;
pub mod merge;
mod mode;
pub mod model;
pub(crate) mod node;
mod partitions;
pub mod paths;
mod snippet;
pub mod types;
pub mod validate;
mod variables;
mod zarr;

pub use cast::{as_object_form, cast_attributes};
pub use csv::CsvConfig;
pub use expression::FILE_NAMES;
pub use finding::{ConfigError, Finding, Validated};
pub use functions::{Expression, Function};
pub use grid::{ChunkLength, GridConfig, GridDimension, GridSource, GridType, GridVariable, TargetGrid};
pub use hash::hashes;
pub use load::{documents, load, load_with_parents, with_parent};
pub use merge::merge;
pub use mode::Mode;
pub use model::{
    AddedVariable, ColumnType, DatasetConfig, Format, Partition, PartitionPeriod, PathKind, Source, SourceOptions, SourcePath,
    VariableSchema,
};
pub use paths::check_regex;
pub use validate::validate;
