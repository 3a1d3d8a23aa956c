//! Flags of the operator, each with an environment variable: `OPERATOR_` and the flag's name.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};

/// Turns `CloudOptimisedDataset` resources into Jobs and keeps their status true.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "operator",
    version,
    after_help = "Example:\n  operator --converter-image registry.example/converter:0.1.0 --watch-namespace data"
)]
pub struct Options {
    /// Namespace to watch; may be given many times (comma-separated in the environment). None: all namespaces.
    #[arg(long = "watch-namespace", env = "OPERATOR_WATCH_NAMESPACE", value_delimiter = ',', value_name = "NAMESPACE")]
    pub watch_namespaces: Vec<String>,

    /// Image of the converter, for the pods of every run.
    #[arg(long, env = "OPERATOR_CONVERTER_IMAGE", value_name = "IMAGE")]
    pub converter_image: String,

    /// Pull policy of the converter image.
    #[arg(long, env = "OPERATOR_IMAGE_PULL_POLICY", value_enum, default_value = "IfNotPresent")]
    pub image_pull_policy: PullPolicy,

    /// Pull secret for the pods of every run; may be given many times.
    #[arg(long = "image-pull-secret", env = "OPERATOR_IMAGE_PULL_SECRET", value_delimiter = ',', value_name = "SECRET")]
    pub image_pull_secrets: Vec<String>,

    /// Whether `spec.worker.image` may name another image: whoever writes a resource then chooses what runs.
    #[arg(long, env = "OPERATOR_ALLOW_IMAGE_OVERRIDE")]
    pub allow_image_override: bool,

    /// CPU request of a pod of a run, unless `spec.worker.resources` says otherwise.
    #[arg(long, env = "OPERATOR_WORKER_CPU_REQUEST", default_value = "500m", value_name = "QUANTITY")]
    pub worker_cpu_request: String,

    /// Memory request of a pod of a run.
    #[arg(long, env = "OPERATOR_WORKER_MEMORY_REQUEST", default_value = "512Mi", value_name = "QUANTITY")]
    pub worker_memory_request: String,

    /// CPU limit of a pod of a run; the converter's threads follow it.
    #[arg(long, env = "OPERATOR_WORKER_CPU_LIMIT", default_value = "1", value_name = "QUANTITY")]
    pub worker_cpu_limit: String,

    /// Memory limit of a pod of a run; the converter's byte budget follows it.
    #[arg(long, env = "OPERATOR_WORKER_MEMORY_LIMIT", default_value = "1Gi", value_name = "QUANTITY")]
    pub worker_memory_limit: String,

    /// Size of a pod's scratch folder, unless `spec.worker.scratchSize` says otherwise.
    #[arg(long, env = "OPERATOR_WORKER_SCRATCH_SIZE", default_value = "2Gi", value_name = "QUANTITY")]
    pub worker_scratch_size: String,

    /// Address of /livez, /readyz and /metrics.
    #[arg(long, env = "OPERATOR_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Form of the log lines on stderr.
    #[arg(long, env = "OPERATOR_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// What to log, as `tracing_subscriber::EnvFilter` reads it.
    #[arg(long, env = "OPERATOR_LOG", default_value = "info,kube_runtime=warn", value_name = "FILTER")]
    pub log: String,

    /// Datasets looked at side by side.
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value_t = 16, value_name = "N")]
    pub concurrency: u16,

    /// Age from which a pod that has not started is looked at and named in the condition.
    #[arg(long, env = "OPERATOR_PENDING_GRACE_SECONDS", default_value_t = 120, value_name = "SECONDS")]
    pub pending_grace_seconds: u32,

    /// Least time between two writes of a run's progress; a change of stage or condition is written at once.
    #[arg(long, env = "OPERATOR_PROGRESS_SECONDS", default_value_t = 5, value_name = "SECONDS")]
    pub progress_seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl PullPolicy {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Json,
    Text,
}
