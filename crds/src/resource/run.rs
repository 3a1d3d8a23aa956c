//! The part of a status that speaks of runs: the current one, the last, and those before.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::FileCounts;

/// What started a run: its kind, and the token, slot or generation.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Creation, Schedule, Trigger, Rebuild, Edit, Pending or Retry.
    #[schemars(with = "String")]
    pub kind: CauseKind,
    /// The token, the slot's instant, the generation.
    #[serde(default)]
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CauseKind {
    Creation,
    Schedule,
    /// A new `spec.trigger`.
    Trigger,
    /// A new `spec.rebuild`.
    Rebuild,
    /// An edit of source, content or metadata.
    Edit,
    /// Files that the run before had no batch for.
    Pending,
    /// The run before failed.
    Retry,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

impl CauseKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creation => "Creation",
            Self::Schedule => "Schedule",
            Self::Trigger => "Trigger",
            Self::Rebuild => "Rebuild",
            Self::Edit => "Edit",
            Self::Pending => "Pending",
            Self::Retry => "Retry",
            Self::Unknown => "Unknown",
        }
    }
}

/// The stages of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    Plan,
    Convert,
    Commit,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// The run that is under way. It stands here before its first Job is created.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentRun {
    /// Id of the run.
    pub id: String,
    /// What started it.
    pub cause: Cause,
    /// When it began.
    pub start_time: Time,
    /// Plan, Convert or Commit.
    #[schemars(with = "String")]
    pub stage: Stage,
    /// How often this cause has been tried before.
    #[serde(default)]
    pub attempt: u32,
    /// The immutable ConfigMap that holds the effective document of this run.
    pub document_config_map: String,
    /// Files in its batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_total: Option<u64>,
    /// Files its pods have reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_done: Option<u64>,
    /// Files of those that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_failed: Option<u64>,
    /// Batches of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches_total: Option<u32>,
    /// Batches that have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches_done: Option<u32>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOutcome {
    Completed,
    CompletedWithErrors,
    Failed,
    Aborted,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

impl RunOutcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::CompletedWithErrors => "CompletedWithErrors",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
            Self::Unknown => "Unknown",
        }
    }
}

/// The run that ended last, with its own counts.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Id of the run.
    pub id: String,
    /// What started it.
    pub cause: Cause,
    /// When it began.
    pub start_time: Time,
    /// When it ended.
    pub completion_time: Time,
    /// Completed, CompletedWithErrors, Failed or Aborted.
    #[schemars(with = "String")]
    pub outcome: RunOutcome,
    /// One word of the closed list of reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a person should know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Files it found: processed + unchanged + failed + skipped + pending.
    #[serde(default)]
    pub discovered: u64,
    /// Files it converted and published.
    #[serde(default)]
    pub processed: u64,
    /// Files whose current version was already in the dataset.
    #[serde(default)]
    pub unchanged: u64,
    /// Files with a reason.
    #[serde(default)]
    pub failed: u64,
    /// Files that are not an input now.
    #[serde(default)]
    pub skipped: u64,
    /// Files it left to the next run.
    #[serde(default)]
    pub pending: u64,
    /// Files that were no longer listed; apart from the sum.
    #[serde(default)]
    pub withdrawn: u64,
    /// Rows it published.
    #[serde(default)]
    pub rows: u64,
}

impl LastRun {
    /// The run's own counts, as plan and commit report them.
    pub fn count(&mut self, files: &FileCounts) {
        self.discovered = files.discovered;
        self.processed = files.processed;
        self.unchanged = files.unchanged;
        self.failed = files.failed;
        self.skipped = files.skipped;
        self.pending = files.pending;
        self.withdrawn = files.withdrawn;
    }

    /// What is left of this run when the next one has ended.
    #[must_use]
    pub fn summary(&self) -> RunSummary {
        RunSummary {
            id: self.id.clone(),
            start_time: self.start_time.clone(),
            completion_time: self.completion_time.clone(),
            outcome: self.outcome,
            discovered: self.discovered,
            processed: self.processed,
            failed: self.failed,
            rows: self.rows,
        }
    }
}

/// A run of the past.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Id of the run.
    pub id: String,
    /// When it began.
    pub start_time: Time,
    /// When it ended.
    pub completion_time: Time,
    /// Completed, CompletedWithErrors, Failed or Aborted.
    #[schemars(with = "String")]
    pub outcome: RunOutcome,
    /// Files it found.
    #[serde(default)]
    pub discovered: u64,
    /// Files it converted and published.
    #[serde(default)]
    pub processed: u64,
    /// Files with a reason.
    #[serde(default)]
    pub failed: u64,
    /// Rows it published.
    #[serde(default)]
    pub rows: u64,
}
