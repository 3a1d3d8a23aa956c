//! The controller: turns `CloudOptimisedDataset` resources into Jobs and keeps their status true.
//!
//! observe (API reads) → decide (pure) → act (API writes) → report (status, events).

pub mod act;
pub mod cause;
pub mod chores;
mod conditions;
pub mod context;
pub mod controller;
pub mod decide;
pub mod document;
pub mod error;
pub mod events;
pub mod job;
pub mod metrics;
mod mount;
pub mod observe;
pub mod options;
pub mod pods;
pub mod reconcile;
pub mod report;
pub mod run;
pub mod schedule;
pub mod server;
pub mod stage;
pub mod status;
pub mod telemetry;
