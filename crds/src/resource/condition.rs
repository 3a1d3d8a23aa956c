//! The words of the conditions. Reasons of failures are the wire's [`Reason`](crate::wire::Reason)s.

/// Types of conditions.
pub mod types {
    pub const READY: &str = "Ready";
    pub const RECONCILING: &str = "Reconciling";
    pub const STALLED: &str = "Stalled";
    pub const SOURCE_REACHABLE: &str = "SourceReachable";
    pub const DESTINATION_REACHABLE: &str = "DestinationReachable";
    pub const LAST_RUN_SUCCEEDED: &str = "LastRunSucceeded";
    pub const SUSPENDED: &str = "Suspended";

    pub const ALL: &[&str] = &[READY, RECONCILING, STALLED, SOURCE_REACHABLE, DESTINATION_REACHABLE, LAST_RUN_SUCCEEDED, SUSPENDED];
}

/// Reasons that are no failure's.
pub mod reasons {
    // Ready
    pub const UP_TO_DATE: &str = "UpToDate";
    pub const RUN_SUCCEEDED: &str = "RunSucceeded";
    pub const RUN_SUCCEEDED_WITH_ERRORS: &str = "RunSucceededWithErrors";
    pub const RUN_FAILED: &str = "RunFailed";
    pub const NEVER_RUN: &str = "NeverRun";
    pub const SUSPENDED: &str = "Suspended";
    // Reconciling
    pub const LISTING: &str = "Listing";
    pub const PLANNING: &str = "Planning";
    pub const WAITING_FOR_QUOTA: &str = "WaitingForQuota";
    pub const WAITING_FOR_NODES: &str = "WaitingForNodes";
    pub const CONVERTING: &str = "Converting";
    pub const FINALISING: &str = "Finalising";
    pub const IDLE: &str = "Idle";
    // Stalled
    pub const PROGRESSING: &str = "Progressing";
    // SourceReachable, DestinationReachable
    pub const LISTED: &str = "Listed";
    pub const WRITTEN: &str = "Written";
    pub const NOT_TRIED: &str = "NotTried";
    // LastRunSucceeded
    pub const COMPLETED: &str = "Completed";
    pub const COMPLETED_WITH_ERRORS: &str = "CompletedWithErrors";
    // Suspended
    pub const SUSPENDED_BY_SPEC: &str = "SuspendedBySpec";
    pub const HELD_BY_QUEUE: &str = "HeldByQueue";
    pub const NOT_SUSPENDED: &str = "NotSuspended";
}
