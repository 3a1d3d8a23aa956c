//! What starts a run. Pure.

use crds::resource::{Cause, CauseKind, LastRun, RunOutcome};
use crds::wire::Reason;
use jiff::Timestamp;

use crate::document::Described;
use crate::error::Class;
use crate::observe::{self, Observation};
use crate::run;
use crate::stage;

/// A run that failed for a passing reason is followed by this many more; then the next cause is waited for.
pub const MAX_RETRIES: u32 = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Start(Cause),
    /// Nothing before this instant, as far as we know.
    Wait(Option<Timestamp>),
}

/// The first cause that holds, the tokens of a person before all others.
#[must_use]
pub fn next(seen: &Observation, described: &Described, due: Option<Timestamp>) -> Next {
    let (spec, status) = (&seen.dataset.spec, seen.status());
    let start = |kind, value: &str| Next::Start(Cause { kind, value: value.to_owned() });
    if let Some(token) = spec.rebuild.as_deref().filter(|token| status.last_rebuild.as_deref() != Some(token)) {
        return start(CauseKind::Rebuild, token);
    }
    if let Some(token) = spec.trigger.as_deref().filter(|token| status.last_trigger.as_deref() != Some(token)) {
        return start(CauseKind::Trigger, token);
    }
    let Some(last) = &status.last_run else { return start(CauseKind::Creation, "") };
    let generation = seen.dataset.metadata.generation.unwrap_or_default();
    let failed = (last.outcome == RunOutcome::Failed).then(|| reason(last)).flatten();
    let stopped = failed.is_some_and(needs_person);
    let amended = stopped && seen.stalled_generation().is_some_and(|stalled| stalled < generation);
    if amended || edited(seen, described, last) {
        return start(CauseKind::Edit, &generation.to_string());
    }
    if stopped {
        return Next::Wait(None);
    }
    if let Some(slot) = due {
        return start(CauseKind::Schedule, &slot.to_string());
    }
    match last.outcome {
        RunOutcome::Completed | RunOutcome::CompletedWithErrors if last.pending > 0 && last.processed + last.failed > 0 => {
            start(CauseKind::Pending, &last.id)
        }
        RunOutcome::Failed if failed.is_some_and(|reason| reason.class() == Class::Transient) => retry(seen, last),
        RunOutcome::Completed | RunOutcome::CompletedWithErrors | RunOutcome::Failed | RunOutcome::Aborted | RunOutcome::Unknown => {
            Next::Wait(None)
        }
    }
}

fn retry(seen: &Observation, last: &LastRun) -> Next {
    let tried = attempt(&last.cause);
    let due = last.completion_time.0 + stage::transient_backoff(tried);
    if tried >= MAX_RETRIES {
        Next::Wait(None)
    } else if due > seen.now {
        Next::Wait(Some(due))
    } else {
        Next::Start(Cause { kind: CauseKind::Retry, value: (tried + 1).to_string() })
    }
}

/// How often a cause has been tried before.
#[must_use]
pub fn attempt(cause: &Cause) -> u32 {
    if cause.kind == CauseKind::Retry { cause.value.parse().unwrap_or_default() } else { 0 }
}

/// The id of a run tells whether it was of the document of today.
fn edited(seen: &Observation, described: &Described, last: &LastRun) -> bool {
    let before = seen.status().runs.first().map(|run| run.id.as_str());
    run::id(&seen.uid(), &described.edit, &last.cause, before) != last.id
}

/// The reason of a failed run.
#[must_use]
pub fn reason(last: &LastRun) -> Option<Reason> {
    observe::reason(last.reason.as_deref()?)
}

/// Nothing but an edit of the spec helps. A budget is no such thing: what could be done was done.
#[must_use]
pub fn needs_person(reason: Reason) -> bool {
    reason.class() == Class::Terminal && reason != Reason::BudgetExceeded
}
