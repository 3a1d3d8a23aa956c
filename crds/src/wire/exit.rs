//! Exit codes of the converter: a contract with the Job's `podFailurePolicy`.

/// How a stage ends. The numbers are an interface (design, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Every file processed, unchanged or skipped; for a stage: its work is done.
    Done,
    /// Any crash.
    Crash,
    /// Wrong usage of the command line.
    Usage,
    /// `converter run` only: finished, some files failed.
    SomeFailed,
    /// Config or schema error: nobody but a person can mend it.
    Config,
    /// Access denied or bucket missing, at the level of the bucket.
    Access,
    /// This batch can never work.
    BatchImpossible,
    /// Transient store trouble after retries.
    Transient,
    /// Stopped by SIGTERM.
    Terminated,
}

impl ExitCode {
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Crash => 1,
            Self::Usage => 2,
            Self::SomeFailed => 3,
            Self::Config => 10,
            Self::Access => 11,
            Self::BatchImpossible => 12,
            Self::Transient => 20,
            Self::Terminated => 143,
        }
    }
}
