//! The dataset config: what an AODN config says, loaded without loss, merged with its parent,
//! validated once and turned into the typed [`DatasetConfig`] every stage uses.

pub mod model;

pub use model::{
    AddedVariable, ColumnType, DatasetConfig, Format, Partition, PartitionPeriod, Source, SourcePath, VariableSchema,
};
