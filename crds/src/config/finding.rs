//! What is wrong with a config, or worth saying about it.

use serde::Serialize;

use super::{DatasetConfig, SourceOptions};
use crate::wire::{Class, Reason};

/// One thing to say about one place of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// JSON path, such as `schema_transformation.partitioning[1].time_extent.partition_period`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Finding {
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same finding seen from further up: `below("spec.config")` of `schema.TEMP` is `spec.config.schema.TEMP`.
    #[must_use]
    pub fn below(mut self, parent: &str) -> Self {
        self.path = match (parent.is_empty(), self.path.is_empty()) {
            (true, _) => self.path,
            (false, true) => parent.to_owned(),
            (false, false) => format!("{parent}.{}", self.path),
        };
        self
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Findings in one line, the first ones in full.
#[must_use]
pub(crate) fn listed(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A config that no run can use. Each variant holds *all* that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON and not YAML, or a key twice.
    #[error("the config cannot be read: {0}")]
    Unreadable(Finding),
    /// `parent_config` names a file that was not given, or that cannot be read.
    #[error("the parent config cannot be used: {0}")]
    Parent(Finding),
    /// Wrong by the rules of the config itself.
    #[error("the config is not valid: {}", listed(.0))]
    Invalid(Vec<Finding>),
    /// Right, but it asks for something this version does not do.
    #[error("the config asks for what this version does not support: {}", listed(.0))]
    Unsupported(Vec<Finding>),
}

impl ConfigError {
    /// All findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Unreadable(finding) | Self::Parent(finding) => std::slice::from_ref(finding),
            Self::Invalid(findings) | Self::Unsupported(findings) => findings,
        }
    }

    /// A config never mends itself.
    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }

    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreadable(_) | Self::Parent(_) | Self::Invalid(_) | Self::Unsupported(_) => Reason::InvalidConfig,
        }
    }
}

/// A config that is right by its own rules, and what is worth saying about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    pub config: DatasetConfig,
    /// What `run_settings` says of the source's store.
    pub source_options: SourceOptions,
    /// Rules that real configs break: the documented default is taken.
    pub warnings: Vec<Finding>,
    /// Paths of keys that nothing reads: usually a spelling mistake.
    pub unknown_keys: Vec<String>,
    /// Paths of keys that are known and have no meaning here (cluster modes, …).
    pub ignored: Vec<String>,
    /// What this version does not do; see [`Validated::supported`].
    pub unsupported: Vec<Finding>,
}

impl Validated {
    /// Refuses what the model accepts and this version does not convert (unknown
    /// handlers, functions, some options of CSV readers).
    pub fn supported(self) -> Result<Self, ConfigError> {
        if self.unsupported.is_empty() { Ok(self) } else { Err(ConfigError::Unsupported(self.unsupported)) }
    }
}

/// Collects while a config is walked.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
    pub unknown_keys: Vec<String>,
    pub ignored: Vec<String>,
    pub unsupported: Vec<Finding>,
}

impl Findings {
    pub fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(Finding::new(path, message));
    }

    pub fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Finding::new(path, message));
    }

    pub fn unsupported(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.unsupported.push(Finding::new(path, message));
    }
}
