//! The wire types between operator and converter, and between the stages of a run.

pub mod digest;
pub mod document;
pub mod exit;
pub mod grid;
pub mod head;
pub mod layout;
pub mod ledger;
pub mod manifest;
mod packed;
pub mod plan;
pub mod reason;
pub mod report;

pub use digest::{Digest, ErrorGroup, StageFailure, brief};
pub use document::{Access, Batching, Compat, Document, FailureBudget, Hashes, Naming, OnSourceDelete};
pub use exit::ExitCode;
pub use grid::{GridRows, GridState, Owner, Place, PlannedGrid, Site, StoredTimes};
pub use head::{Copy, EffectsPart, Head, PartRef, PendingEffects, Seal, SealedLines, Sidecar, Totals};
pub use ledger::{Last, LedgerRecord, Published, PublishedObject};
pub use manifest::{FileRecord, Manifest, Outcome, StagedObject};
pub use plan::{Batch, ClassCounts, OtherFile, Plan, PlannedFile};
pub use reason::{Class, Reason};
pub use report::{FileCounts, Report, RequestCounts, Requests};

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(count: &u64) -> bool {
    *count == 0
}
