//! The digest: what a pod says in its termination message, at most 3.5 KiB.

use serde::{Deserialize, Serialize};

use super::{ClassCounts, FileCounts, Reason, Totals};

/// The kubelet keeps 4,096 bytes of a termination message.
pub const MAX_DIGEST_BYTES: usize = 3_584;

/// What a stage tells the operator. Emitted again, the same, when a stage runs again on finished state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "camelCase")]
pub enum Digest {
    #[serde(rename_all = "camelCase")]
    Plan {
        run: String,
        classes: ClassCounts,
        /// The dataset as it stands before this run.
        totals: Totals,
        batches: u32,
        /// Files the batches hold together.
        batch_files: u64,
        /// Of the plan: the first of them, cut to their limits.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    #[serde(rename_all = "camelCase")]
    Convert { run: String, batch: u32, processed: u64, failed: u64, skipped: u64, rows: u64 },
    /// Also what a plan pod says when the run fitted one batch and it committed by itself.
    #[serde(rename_all = "camelCase")]
    Commit {
        run: String,
        generation: u64,
        /// The run's own counts.
        files: FileCounts,
        /// The dataset's totals.
        totals: Totals,
        rows: u64,
        bytes_read: u64,
        bytes_written: u64,
        objects: u64,
        /// Beyond the failure budget: what was finished is committed all the same.
        #[serde(default)]
        budget_exceeded: bool,
        errors: Vec<ErrorGroup>,
        /// Groups dropped until the message fitted.
        #[serde(default)]
        errors_omitted: u32,
        /// URL of `report.json`.
        report: String,
        /// Of the plan: the first of them, cut to their limits.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// The stage failed.
    Failed(StageFailure),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageFailure {
    pub reason: Reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The S3 operation, such as `ListObjectsV2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub message: String,
    /// Which side a store failure belongs to: `source` or `destination`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    /// Digest a person may confirm to pass a guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
}

/// Failed files with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorGroup {
    pub reason: Reason,
    pub count: u64,
    /// At most 128 bytes.
    pub sample_key: String,
    /// At most 256 characters.
    pub message: String,
}

impl ErrorGroup {
    /// A group whose key and message are cut to their limits.
    #[must_use]
    pub fn new(reason: Reason, count: u64, key: &str, message: &str) -> Self {
        let mut end = key.len().min(128);
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        Self { reason, count, sample_key: key[..end].to_owned(), message: message.chars().take(256).collect() }
    }
}

/// The first warnings of a plan, as short as a message has room for.
#[must_use]
pub fn brief(warnings: &[String]) -> Vec<String> {
    warnings.iter().take(3).map(|warning| warning.chars().take(256).collect()).collect()
}

impl Digest {
    /// The JSON of the digest, warnings dropped, then error groups from the smallest up until it fits.
    #[must_use]
    pub fn to_message(&self) -> String {
        let mut fitted = self.clone();
        loop {
            let text = serde_json::to_string(&fitted).unwrap_or_default();
            if text.len() <= MAX_DIGEST_BYTES {
                return text;
            }
            match &mut fitted {
                Self::Plan { warnings, .. } | Self::Commit { warnings, .. } if !warnings.is_empty() => drop(warnings.pop()),
                Self::Commit { errors, errors_omitted, .. } if !errors.is_empty() => {
                    errors.pop();
                    *errors_omitted += 1;
                }
                Self::Failed(failure) if failure.message.len() > 256 => {
                    failure.message = failure.message.chars().take(256).collect();
                }
                _ => return text,
            }
        }
    }

    /// # Errors
    /// When the text is not a digest: the container died before it could write one.
    pub fn from_message(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
