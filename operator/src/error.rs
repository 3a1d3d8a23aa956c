//! What can go wrong while a dataset is reconciled.

pub use crds::wire::reason::Class;
use crds::wire::{Reason, StageFailure};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{verb} {what}: {source}")]
    Api { verb: &'static str, what: String, source: kube::Error },
    /// A name we need is taken by an object that is not ours.
    #[error("{what} exists and belongs to somebody else; delete it")]
    NameTaken { what: String },
    #[error("{what} cannot be written as JSON: {source}")]
    Json { what: &'static str, source: serde_json::Error },
}

impl Error {
    pub fn api(verb: &'static str, what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { verb, what, source }
    }

    /// How soon it is worth to try again.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            // Forbidden and invalid do not mend themselves; all other answers and the network do.
            Self::Api { source: kube::Error::Api(status), .. } if status.is_forbidden() || status.is_invalid() => Class::Structural,
            Self::Api { .. } => Class::Transient,
            Self::NameTaken { .. } => Class::Structural,
            Self::Json { .. } => Class::Terminal,
        }
    }

    /// The word for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api { source: kube::Error::Api(status), .. } if status.is_forbidden() => "Forbidden",
            Self::Api { source: kube::Error::Api(status), .. } if status.is_conflict() => "Conflict",
            Self::Api { source: kube::Error::Api(status), .. } if status.is_invalid() => "Invalid",
            Self::Api { .. } => "ApiUnavailable",
            Self::NameTaken { .. } => "NameTaken",
            Self::Json { .. } => "Json",
        }
    }

    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source: kube::Error::Api(status), .. } if status.is_conflict())
    }

    /// The namespace is on its way out: nothing can be created in it, and that is all right.
    #[must_use]
    pub fn is_terminating_namespace(&self) -> bool {
        matches!(self, Self::Api { source: kube::Error::Api(status), .. }
            if status.is_forbidden() && status.message.contains("being terminated"))
    }

    /// An object that the API server refuses for what the spec makes of it, or for a quota: a matter
    /// of the dataset, to be said in its status.
    #[must_use]
    pub fn refusal(&self) -> Option<StageFailure> {
        let Self::Api { verb: "create", what, source: kube::Error::Api(status) } = self else { return None };
        let reason = if status.is_invalid() {
            Reason::InvalidSpec
        } else if status.is_forbidden() && status.message.contains("exceeded quota") {
            Reason::QuotaExceeded
        } else {
            return None;
        };
        let message = format!("{what} was refused: {}", status.message);
        Some(StageFailure { reason, bucket: None, operation: None, message, side: None, confirm: None })
    }
}
