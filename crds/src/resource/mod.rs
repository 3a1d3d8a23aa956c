//! The `CloudOptimisedDataset` custom resource: spec, status, conditions, and how a spec becomes the
//! one document every stage works from.

// The doc comments of these are what `kubectl explain` prints, where a backtick is only noise.
#![allow(clippy::doc_markdown)]
// Each printcolumn has a type of its own; the lint takes kube's nested attributes for one.
#![allow(clippy::duplicated_attributes)]

pub mod condition;
pub mod crd;
pub mod effective;
pub mod manifest;
mod places;
mod run;
pub mod schedule;
mod schema;
mod secret;
pub mod spec;
pub mod status;
pub mod url;
mod worker;

pub use effective::{Effective, Inputs, SpecError, document};
pub use places::{ConfigFrom, Destination, KeyRef, SecretRef, Source};
pub use run::{Cause, CauseKind, CurrentRun, LastRun, RunOutcome, RunSummary, Stage};
pub use schedule::Clock;
pub use secret::secret;
pub use spec::{
    BatchingSpec, CloudOptimisedDataset, CloudOptimisedDatasetSpec, ConcurrencyPolicy, DeletionPolicy, FailureBudgetSpec, History, Schedule,
};
pub use status::{CloudOptimisedDatasetStatus, ErrorSummary, Files, Guard, Phase};
pub use worker::{EnvValue, Worker};
