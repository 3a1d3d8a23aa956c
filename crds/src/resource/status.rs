//! What the operator says of a dataset. Everything here can be had again from observation; per-file
//! facts live in the report on S3. Fields are only ever added, never renamed or given another meaning.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::{CurrentRun, LastRun, RunSummary};
use super::schema;
use crate::wire::{ErrorGroup, Hashes};

/// What a status may weigh as JSON; a test builds the heaviest one.
pub const MAX_STATUS_BYTES: usize = 16 * 1024;
/// Ended runs that status remembers.
pub const MAX_RUNS: usize = 5;
/// Groups of failed files that status shows.
pub const MAX_ERRORS: usize = 10;

/// What is true of the dataset now.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::structural)]
pub struct CloudOptimisedDatasetStatus {
    /// The generation of spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled, SourceReachable, DestinationReachable, LastRunSucceeded, Suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// One word for people, made from the conditions. Display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub phase: Option<Phase>,
    /// Files done of files there are, such as `1234/5000`. Display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// Id of the current run, or else of the last. Display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Form of the dataset: parquet or zarr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Hashes of the config, by what a change of that part means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
    /// The dataset's totals out of its ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// Rows in the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Rows of a Zarr dataset that are of no file now, and hold nothing; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_masked: Option<u64>,
    /// Bytes in the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The run that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_run: Option<CurrentRun>,
    /// The run that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// The runs that ended before, newest first, at most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub runs: Vec<RunSummary>,
    /// Failed files in groups of one reason, the largest first, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub errors: Vec<ErrorSummary>,
    /// URL of the last run's report; `files.csv` beside it has a line for every file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// The `spec.trigger` whose run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trigger: Option<String>,
    /// The `spec.rebuild` whose run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rebuild: Option<String>,
    /// The slot of the schedule that last started a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// The next slot of the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,
    /// What has stopped a run until a person confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
}

impl CloudOptimisedDatasetStatus {
    /// Cuts what is longest, least important first, until the status weighs at most
    /// [`MAX_STATUS_BYTES`]. To be called before every write; it changes nothing in a usual status.
    pub fn fit(&mut self) {
        self.runs.truncate(MAX_RUNS);
        self.errors.truncate(MAX_ERRORS);
        for most in [1024, 256, 64] {
            if self.weight() <= MAX_STATUS_BYTES {
                return;
            }
            self.errors.iter_mut().for_each(|error| cut(&mut error.message, most.min(256)));
            self.errors.iter_mut().for_each(|error| cut(&mut error.sample_key, most.min(128)));
            self.conditions.iter_mut().for_each(|condition| cut(&mut condition.message, most));
            self.last_run.iter_mut().filter_map(|run| run.message.as_mut()).for_each(|message| cut(message, most));
            self.guard.iter_mut().for_each(|guard| cut(&mut guard.message, most));
        }
        while self.weight() > MAX_STATUS_BYTES && self.errors.len() > 1 {
            self.errors.pop();
        }
    }

    fn weight(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |bytes| bytes.len())
    }
}

/// Shortens a text to at most `most` bytes, and shows that it was longer.
fn cut(text: &mut String, most: usize) {
    const MARK: &str = "…";
    if text.len() > most {
        let end = (0..=most.saturating_sub(MARK.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(MARK);
    }
}

/// One word for people. Never decide by it: the conditions hold the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Pending,
    Planning,
    Queued,
    Converting,
    Finalising,
    Completed,
    CompletedWithErrors,
    Failed,
    Suspended,
    Stalled,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// The dataset's totals. `processed`: the file's current version is in the dataset.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Files {
    /// Files that are listed.
    pub discovered: u64,
    /// Files that wait for a run.
    pub pending: u64,
    /// Files whose current version is in the dataset.
    pub processed: u64,
    /// Files whose current version could not be converted.
    pub failed: u64,
    /// Files that are not an input now.
    pub skipped: u64,
    /// Files that were converted and are no longer listed.
    pub withdrawn: u64,
}

/// Failed files with one reason.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorSummary {
    /// One word of the closed list of reasons.
    pub reason: String,
    /// Files with this reason.
    pub count: u64,
    /// One of them, at most 128 bytes of its key.
    #[serde(default)]
    pub sample_key: String,
    /// What was wrong with that one, at most 256 characters.
    #[serde(default)]
    pub message: String,
    /// The end of the run that last met this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
}

impl ErrorSummary {
    /// A group of a commit's digest, as status shows it.
    #[must_use]
    pub fn new(group: &ErrorGroup, last_seen: Time) -> Self {
        Self {
            reason: group.reason.as_str().to_owned(),
            count: group.count,
            sample_key: group.sample_key.clone(),
            message: group.message.clone(),
            last_seen: Some(last_seen),
        }
    }
}

/// What has stopped a run until a person writes the digest into `spec.confirm`.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// One word of the closed list of reasons, such as WithdrawalGuard.
    pub reason: String,
    /// What to write into `spec.confirm`.
    pub digest: String,
    /// What would happen.
    pub message: String,
}
