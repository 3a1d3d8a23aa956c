//! The closed list of reasons: one CamelCase word in manifest, report, condition, event and metric alike.

use serde::{Deserialize, Serialize};

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// May work next time: tried again.
    Transient,
    /// The input is at fault: held until file, config or converter changes.
    Structural,
    /// A person must act before anything can work.
    Terminal,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident: $class:ident,)*) => {
        /// Why a file, a stage or a run is not as it should be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }
    };
}

reasons! {
    // A file's failure.
    /// Zero bytes.
    EmptyFile: Structural,
    /// Ends before its header or data says it should.
    TruncatedFile: Structural,
    /// Neither NetCDF-3 nor NetCDF-4.
    NotNetcdf: Structural,
    /// Opens, but something inside cannot be read.
    UnreadableFile: Structural,
    /// A CSV file whose lines or columns are not what its options say.
    MalformedCsv: Structural,
    /// A kind of input this version does not convert.
    UnsupportedFormat: Structural,
    /// The time variable is absent, has no units, or cannot be decoded.
    BadTime: Structural,
    /// Years beyond next year in the time axis (incumbent: the whole file is refused).
    FutureTime: Structural,
    /// A dimension named in the schema has no variable.
    MissingDimensionVariable: Structural,
    /// A variable the config needs (time, latitude, longitude, partition) is absent.
    MissingVariable: Structural,
    /// Nothing left: no rows, or none with a valid time and position.
    NoRows: Structural,
    /// A partition column without a single value.
    EmptyPartitionColumn: Structural,
    /// Its dimensions or positions are not those of the store.
    GridMismatch: Structural,
    /// A coordinate or variable that has no time differs from the store's.
    StaticChanged: Structural,
    /// Another file, of another site or instrument, has the same time.
    TimeConflict: Transient,
    /// A column that cannot take the schema's type.
    CastFailed: Structural,
    /// Counts or indices of a ragged array that do not fit its samples.
    RaggedMismatch: Structural,
    /// A source chunk larger than half the memory budget.
    ChunkTooLarge: Structural,
    /// The file needs more memory than the budget allows.
    MemoryBudgetExceeded: Structural,
    /// A key that no client library can hold.
    HostileKey: Structural,
    /// One object's 403.
    ObjectAccessDenied: Transient,
    /// Two live files would own the same object.
    BasenameCollision: Transient,
    /// The batch ended without a manifest.
    NotReached: Transient,
    /// Convicted by a breadcrumb: the process died on this file.
    Quarantined: Structural,
    /// Store trouble while reading or writing this file.
    StoreError: Transient,

    // Not an input now.
    /// Younger than `minAgeSeconds`.
    TooYoung: Transient,
    /// A folder's marker object.
    FolderMarker: Transient,
    /// Not a suffix the converter reads.
    UnsupportedSuffix: Transient,
    /// In a Hive folder, a name that begins with `_` or `.`.
    HiddenName: Transient,
    /// Replaced or gone between plan and read.
    ChangedDuringRead: Transient,
    /// A row duplicate that lost.
    Superseded: Transient,

    // Rows left out of a file.
    /// Null time, or before 1900.
    BadRowTime: Structural,
    /// Null position, or outside the valid range.
    BadRowPosition: Structural,
    /// A schema variable on none of the row dimensions became null.
    UnrelatedDimension: Structural,
    /// A time coordinate goes back; the rows stay, in the order of the file.
    NonMonotonicTime: Structural,

    // A stage's or a run's failure.
    InvalidConfig: Terminal,
    InvalidSpec: Terminal,
    InvalidSchedule: Terminal,
    AccessDenied: Terminal,
    BucketNotFound: Terminal,
    ConditionalPutUnsupported: Terminal,
    LayoutConflict: Terminal,
    OwnerConflict: Terminal,
    NotAdopted: Terminal,
    DestinationConflict: Terminal,
    WithdrawalGuard: Terminal,
    KeptRowsWouldBeLost: Terminal,
    BudgetExceeded: Terminal,
    DiskFull: Transient,
    StoreUnavailable: Transient,
    LedgerSwapLost: Transient,
    StateCorrupt: Terminal,
    Terminated: Transient,
    Crashed: Transient,
    OomKilled: Transient,
    DeadlineExceeded: Transient,
    Aborted: Terminal,
    SecretNotFound: Terminal,
    ConfigMapNotFound: Terminal,
    ImagePullFailed: Terminal,
    Unschedulable: Transient,
    QuotaExceeded: Transient,
}

impl Reason {
    /// More memory would mend it.
    #[must_use]
    pub const fn wants_memory(self) -> bool {
        matches!(self, Self::ChunkTooLarge | Self::MemoryBudgetExceeded)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
