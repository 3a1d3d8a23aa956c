//! What operator and converter share: the `CloudOptimisedDataset` resource, the dataset-config
//! model, and the wire types that travel between the stages of a run.
//!
//! No tokio, no Kubernetes client and no object store may enter this crate.

pub mod config;
pub mod resource;
pub mod wire;
