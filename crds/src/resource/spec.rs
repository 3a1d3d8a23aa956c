//! What a person asks for. The doc comments are what `kubectl explain` prints.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::places::{ConfigFrom, Destination, Source};
use super::schema;
use super::status::CloudOptimisedDatasetStatus;
use super::worker::Worker;
use crate::wire::{Compat, Naming, OnSourceDelete};

/// One dataset: where its files are, how they are converted, where the result goes and when.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "cloudoptimised.io",
    version = "v1alpha1",
    kind = "CloudOptimisedDataset",
    plural = "cloudoptimiseddatasets",
    singular = "cloudoptimiseddataset",
    shortname = "cod",
    category = "cloudoptimised",
    namespaced,
    status = "CloudOptimisedDatasetStatus",
    derive = "PartialEq",
    derive = "Default",
    cel,
    doc = "One dataset: the files under its S3 prefixes, converted into cloud-optimised Parquet or Zarr and kept up to date.",
    printcolumn(name = "Format", type_ = "string", json_path = ".status.format", description = "Form of the dataset: parquet or zarr"),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "One word for people; the conditions hold the state"
    ),
    printcolumn(name = "Processed", type_ = "string", json_path = ".status.progress", description = "Files done of files there are"),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".status.files.failed",
        description = "Files whose current version could not be converted"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the dataset is what this resource says"
    ),
    printcolumn(name = "Last Run", type_ = "date", json_path = ".status.lastRun.completionTime", description = "Since the last run ended"),
    printcolumn(
        name = "Next Run",
        type_ = "string",
        json_path = ".status.nextScheduleTime",
        description = "When the schedule starts the next run"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Run",
        type_ = "string",
        json_path = ".status.run",
        priority = 1,
        description = "Id of the current run, or else of the last"
    ),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.rows", priority = 1, description = "Rows in the dataset"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1,
        description = "Why Ready is what it is"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::structural, extend("oneOf" = [{"required": ["config"]}, {"required": ["configFrom"]}]))]
#[x_kube(validation = Rule::new(schema::SOURCE_APART).message("source.url and destination.url lie one inside the other; use another prefix or bucket for the destination").field_path(".source.url"))]
pub struct CloudOptimisedDatasetSpec {
    /// The dataset config, verbatim: an object, or a text block of JSON or YAML. The API server sorts
    /// the keys of an object and turns 90.0 into 90, so an object gives alphabetical columns; a text
    /// block or `configFrom` keeps order and numbers exactly. Exactly one of `config` and `configFrom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::config")]
    pub config: Option<Value>,

    /// Takes the config from a ConfigMap in this namespace, instead of `config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_from: Option<ConfigFrom>,

    /// Where the file named by the config's `parent_config` is: keys of ConfigMaps in this namespace.
    /// The key that has the file's name is taken; if only one is given, that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub parent_from: Vec<ConfigFrom>,

    /// Where the files are. Without it, the paths and buckets of the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,

    /// Where the dataset is written: `<url>/<dataset_name>.<format>/`, its state beside it below `_cod/`.
    pub destination: Destination,

    /// When runs start by themselves. Without it, only on creation, by `trigger` and after an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// Any text; a new one starts a run now. Echoed in `status.lastTrigger` when that run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub trigger: Option<String>,

    /// Any text; a new one converts all files again. Needed after a change of layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub rebuild: Option<String>,

    /// Start no run, and let the current one go no further than its pods already are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// What a slot of the schedule does while a run is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<ConcurrencyPolicy>,

    /// Upper bounds of one batch, the work of one pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batching: Option<BatchingSpec>,

    /// Pods that convert at the same time. Default 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub parallelism: Option<u32>,

    /// How often a batch, and a file that failed for a passing reason, is tried again. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<u32>,

    /// How many files may fail. Beyond it Ready is False; what was converted is published all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<FailureBudgetSpec>,

    /// What becomes of the rows of a file that is no longer listed. Default Keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_source_delete: Option<OnSourceDelete>,

    /// With `onSourceDelete: Remove`: a run that would remove more than this percentage of the files
    /// stops until `confirm` holds the digest that status shows. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub max_withdrawn_percent: Option<u32>,

    /// What becomes of the dataset when this resource is deleted. Default Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Incumbent repeats the defects of the Python package that change values, for datasets that must
    /// stay as they are. Default Fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compat: Option<Compat>,

    /// What objects are named after. Basename: the source file's name, as the Python package does. FullKey:
    /// that and a hash of its whole key, for archives where files of one name stand in several folders and
    /// would own the same object. A change needs `rebuild`. Default Basename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,

    /// Of a Zarr dataset: keeps its rows in the order of their times. Late ones are moved to their place, and all
    /// behind them with them; readers should wait until the run has ended. Default false: late rows go behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_sorted: Option<bool>,

    /// The digest in `status.guard`: goes on where a guard has stopped a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub confirm: Option<String>,

    /// The owner, as status names it, that this resource takes the destination over from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub take_over: Option<String>,

    /// How much of past runs is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,

    /// The pods that do the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
}

/// When runs start by themselves.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Minute, hour, day of month, month, day of week: `15 */6 * * *`.
    #[schemars(length(min = 1, max = 128))]
    pub cron: String,
    /// Name of an IANA time zone, such as `Australia/Hobart`. Default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
}

/// What a slot of the schedule does while a run is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// The slot is taken when the run has ended. The one policy of this version.
    #[default]
    Forbid,
}

/// What becomes of the dataset when its resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The dataset and its books stay where they are. The one policy of this version.
    #[default]
    Retain,
}

/// Upper bounds of one batch.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchingSpec {
    /// Files in one batch. Default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_files: Option<u32>,
    /// Bytes of source files in one batch. Default 10737418240 (10 GiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_bytes: Option<u64>,
}

/// How many files may fail; both limits hold if both are given.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureBudgetSpec {
    /// Failed files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_failed_files: Option<u64>,
    /// Failed files in a hundred discovered ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub max_failed_percent: Option<u32>,
}

/// How much of past runs is kept.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Runs whose Jobs are kept for reading their logs. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub runs: Option<u32>,
    /// Seconds that the Jobs of an ended run stay. Default 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub job_ttl_seconds: Option<u32>,
}
