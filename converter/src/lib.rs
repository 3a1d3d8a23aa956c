//! The converter: turns the NetCDF files of a source into one cloud-optimised dataset.
//!
//! The modules follow the data: `source` (what there is) → `plan` (what to do) → `convert`
//! (`read` → `cf` → `table` → `write`, staged and told in a manifest) → `commit` (published,
//! accounted for in the `ledger`). `store` is the only way to any object.

pub mod cf;
pub mod cli;
pub mod commit;
pub mod context;
pub mod convert;
pub mod document;
pub mod error;
pub mod failpoint;
pub mod grid;
pub mod ledger;
pub mod plan;
pub mod read;
pub mod source;
pub mod store;
pub mod table;
pub mod write;
pub mod zarr;
