//! How a stage fails: what the operator is told, and the exit code that goes with it.

use crds::wire::{Class, ExitCode, Reason, StageFailure};
use thiserror::Error;

use crate::failpoint::FailPoint;
use crate::store::StoreError;

#[derive(Debug, Error)]
pub enum StageError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document or the command line is wrong; says where and what to write instead.
    #[error("{0}")]
    Config(String),
    /// Something a person must look at first.
    #[error("{message}")]
    Guard { reason: Reason, message: String, confirm: Option<String> },
    #[error("{what} is not what it should be: {message}")]
    StateCorrupt { what: String, message: String },
    /// Scratch space of the process itself (`TMPDIR`).
    #[error("scratch space (TMPDIR): {0}")]
    Scratch(String),
    /// Another run's commit came first; nothing of this one is visible.
    #[error("another run committed first: {0}")]
    SwapLost(String),
    #[error("stopped by a signal")]
    Terminated,
    #[error("stopped at the fail point {0}")]
    FailPoint(FailPoint),
}

impl StageError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Store(error) => error.reason(),
            Self::Config(_) => Reason::InvalidConfig,
            Self::Guard { reason, .. } => *reason,
            Self::StateCorrupt { .. } => Reason::StateCorrupt,
            Self::Scratch(_) => Reason::DiskFull,
            Self::SwapLost(_) => Reason::LedgerSwapLost,
            Self::Terminated => Reason::Terminated,
            Self::FailPoint(_) => Reason::Crashed,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }

    #[must_use]
    pub fn exit(&self) -> ExitCode {
        match self {
            Self::Store(error) => error.exit(),
            Self::Config(_) | Self::Guard { .. } => ExitCode::Config,
            Self::StateCorrupt { .. } | Self::FailPoint(_) => ExitCode::Crash,
            Self::SwapLost(_) | Self::Scratch(_) => ExitCode::Transient,
            Self::Terminated => ExitCode::Terminated,
        }
    }

    #[must_use]
    pub fn failure(&self) -> StageFailure {
        match self {
            Self::Store(error) => error.failure(),
            Self::Guard { confirm, .. } => StageFailure { confirm: confirm.clone(), ..self.plain_failure() },
            Self::Config(_) | Self::StateCorrupt { .. } | Self::Scratch(_) | Self::SwapLost(_) | Self::Terminated | Self::FailPoint(_) => {
                self.plain_failure()
            }
        }
    }

    fn plain_failure(&self) -> StageFailure {
        StageFailure { reason: self.reason(), bucket: None, operation: None, message: self.to_string(), side: None, confirm: None }
    }

    pub(crate) fn corrupt(what: &str, message: impl std::fmt::Display) -> Self {
        Self::StateCorrupt { what: what.to_owned(), message: message.to_string() }
    }
}
