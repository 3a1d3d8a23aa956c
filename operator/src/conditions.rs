//! The conditions of a dataset. Pure. Ready is a function of the last run and of what stands in the
//! way, so that it keeps its value during a run.

use crds::resource::condition::reasons;
pub(crate) use crds::resource::condition::types;
use crds::resource::{CloudOptimisedDatasetStatus, LastRun, RunOutcome, Stage};
use crds::wire::{Reason, StageFailure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::cause;
use crate::decide::{Decision, Ending, Step, Trouble};
use crate::error::Class;
use crate::job;
use crate::observe::Observation;

const MAX_MESSAGE: usize = 1_024;

/// Status, reason and message of one condition.
struct Said {
    type_: &'static str,
    status: &'static str,
    reason: String,
    message: String,
    /// The generation it speaks of, when not the present one.
    generation: Option<i64>,
}

impl Said {
    fn new(type_: &'static str, status: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { type_, status, reason: reason.into(), message: message.into(), generation: None }
    }
}

/// What stands in the way, in one line: bucket, operation, message.
#[must_use]
pub fn tell(failure: &StageFailure) -> String {
    let said = |word: &Option<String>| word.as_ref().is_none_or(|word| failure.message.contains(word.as_str()));
    let side = failure.side.as_ref().map(|side| format!("{side} ")).unwrap_or_default();
    let text = match (&failure.bucket, &failure.operation) {
        _ if said(&failure.bucket) && said(&failure.operation) => failure.message.clone(),
        (Some(bucket), Some(operation)) => format!("{side}bucket {bucket}, {operation}: {}", failure.message),
        (Some(bucket), None) => format!("{side}bucket {bucket}: {}", failure.message),
        (None, operation) => format!("{side}{}: {}", operation.as_deref().unwrap_or_default(), failure.message),
    };
    let confirm = failure.confirm.as_ref().map(|digest| format!("; to go on, set spec.confirm to {digest}")).unwrap_or_default();
    text.chars().take(MAX_MESSAGE - confirm.len()).collect::<String>() + &confirm
}

#[must_use]
pub(crate) fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// The conditions after a decision; `status` is the new one, but for them and the phase.
#[must_use]
pub(crate) fn after(seen: &Observation, decision: &Decision, status: &CloudOptimisedDatasetStatus) -> Vec<Condition> {
    let before = &seen.status().conditions;
    let trouble = match &decision.trouble {
        Trouble::Unseen => {
            let kept = types::ALL.iter().filter(|type_| **type_ != types::SUSPENDED);
            let kept = kept.filter_map(|type_| before.iter().find(|condition| condition.type_ == **type_)).cloned();
            let mut conditions: Vec<Condition> = kept.collect();
            conditions.push(merge(before, suspended(seen, status), seen));
            return conditions;
        }
        Trouble::Some(failure) => Some(failure),
        Trouble::None => None,
    };
    let blocking = trouble.filter(|failure| failure.reason.class() == Class::Terminal);
    let said = [
        ready(status, blocking, seen),
        reconciling(seen, status, trouble),
        stalled(seen, status, blocking),
        reachable(types::SOURCE_REACHABLE, reasons::LISTED, seen, decision, status),
        reachable(types::DESTINATION_REACHABLE, reasons::WRITTEN, seen, decision, status),
        last_run(status),
        suspended(seen, status),
    ];
    said.into_iter().map(|said| merge(before, said, seen)).collect()
}

fn merge(before: &[Condition], said: Said, seen: &Observation) -> Condition {
    let old = before.iter().find(|condition| condition.type_ == said.type_);
    let since = old.filter(|condition| condition.status == said.status).map(|condition| condition.last_transition_time.clone());
    Condition {
        type_: said.type_.to_owned(),
        status: said.status.to_owned(),
        reason: said.reason,
        message: said.message.chars().take(MAX_MESSAGE).collect(),
        observed_generation: said.generation.or(seen.dataset.metadata.generation),
        last_transition_time: since.unwrap_or(Time(seen.now)),
    }
}

fn ready(status: &CloudOptimisedDatasetStatus, blocking: Option<&StageFailure>, seen: &Observation) -> Said {
    let said = |status, reason: &str, message: &str| Said::new(types::READY, status, reason, message);
    if let Some(failure) = blocking {
        return said("False", failure.reason.as_str(), &format!("{}: {}", failure.reason, tell(failure)));
    }
    let Some(last) = &status.last_run else {
        let reason = if seen.dataset.spec.suspend { reasons::SUSPENDED } else { reasons::NEVER_RUN };
        return said("Unknown", reason, "no run has ended yet");
    };
    let message = last.message.as_deref().unwrap_or_default();
    match last.outcome {
        RunOutcome::Completed if last.processed == 0 => said("True", reasons::UP_TO_DATE, message),
        RunOutcome::Completed => said("True", reasons::RUN_SUCCEEDED, message),
        RunOutcome::CompletedWithErrors => said("True", reasons::RUN_SUCCEEDED_WITH_ERRORS, message),
        RunOutcome::Failed if last.reason.as_deref() == Some(Reason::BudgetExceeded.as_str()) => {
            said("False", Reason::BudgetExceeded.as_str(), message)
        }
        RunOutcome::Failed | RunOutcome::Aborted | RunOutcome::Unknown => said("False", reasons::RUN_FAILED, &why(last)),
    }
}

fn why(last: &LastRun) -> String {
    let message = last.message.as_deref().unwrap_or_default();
    last.reason.as_ref().map_or_else(|| message.to_owned(), |reason| format!("{reason}: {message}"))
}

fn reconciling(seen: &Observation, status: &CloudOptimisedDatasetStatus, trouble: Option<&StageFailure>) -> Said {
    let said = |status, reason: &str, message: String| Said::new(types::RECONCILING, status, reason, message);
    let suspended = seen.dataset.spec.suspend;
    let Some(run) = &status.current_run else {
        return said("False", if suspended { reasons::SUSPENDED } else { reasons::IDLE }, String::new());
    };
    if suspended {
        return said("False", reasons::SUSPENDED, format!("run {} goes on when spec.suspend is false", run.id));
    }
    if let Some(failure) = trouble {
        let waiting = match failure.reason {
            Reason::Unschedulable => reasons::WAITING_FOR_NODES,
            Reason::QuotaExceeded => reasons::WAITING_FOR_QUOTA,
            other if other.class() == Class::Terminal => return said("False", other.as_str(), tell(failure)),
            other => other.as_str(),
        };
        return said("True", waiting, tell(failure));
    }
    if is_held(seen, status) {
        return said("True", reasons::WAITING_FOR_QUOTA, format!("run {} waits in its queue", run.id));
    }
    match run.stage {
        Stage::Plan | Stage::Unknown => said("True", reasons::PLANNING, format!("run {} lists the source", run.id)),
        Stage::Convert => {
            let (files, batches) = (run.files_total.unwrap_or_default(), run.batches_total.unwrap_or_default());
            said("True", reasons::CONVERTING, format!("run {} converts {files} files in {batches} batches", run.id))
        }
        Stage::Commit => said("True", reasons::FINALISING, format!("run {} publishes what was converted", run.id)),
    }
}

fn stalled(seen: &Observation, status: &CloudOptimisedDatasetStatus, blocking: Option<&StageFailure>) -> Said {
    if let Some(failure) = blocking {
        return Said::new(types::STALLED, "True", failure.reason.as_str(), tell(failure));
    }
    let stopped = status.last_run.as_ref().filter(|last| {
        status.current_run.is_none() && last.outcome == RunOutcome::Failed && cause::reason(last).is_some_and(cause::needs_person)
    });
    let Some(last) = stopped else { return Said::new(types::STALLED, "False", reasons::PROGRESSING, "") };
    let reason = last.reason.clone().unwrap_or_default();
    let said = Said::new(types::STALLED, "True", reason.clone(), last.message.clone().unwrap_or_default());
    Said { generation: failed_generation(seen, &reason), ..said }
}

/// The generation of the spec that failed: it is kept, and an edit made during the run counts as one made after it.
fn failed_generation(seen: &Observation, reason: &str) -> Option<i64> {
    let Some(run) = seen.current_run() else {
        let stands = seen.stalled_reason().is_some_and(|stalled| stalled.as_str() == reason);
        return seen.stalled_generation().filter(|_| stands);
    };
    let edited = seen.described.as_ref().is_ok_and(|described| described.config_map != run.document_config_map);
    seen.dataset.metadata.generation.map(|generation| generation - i64::from(edited))
}

/// What the run of this pass has shown of a store; otherwise what was known of it.
fn reachable(type_: &'static str, well: &str, seen: &Observation, decision: &Decision, status: &CloudOptimisedDatasetStatus) -> Said {
    let word = if type_ == types::SOURCE_REACHABLE { "source" } else { "destination" };
    let of_store = |failure: &&StageFailure| failure.bucket.is_some() || failure.operation.is_some() || failure.side.is_some();
    let failure = match (&decision.trouble, &decision.step) {
        (Trouble::Some(failure), _) | (_, Step::Finish(Ending::Failed(failure))) => Some(failure),
        _ => None,
    };
    if let Some(failure) = failure.filter(of_store).filter(|failure| failure.side.as_deref().unwrap_or("source") == word) {
        return Said::new(type_, "False", failure.reason.as_str(), tell(failure));
    }
    let past_plan = status.current_run.as_ref().is_some_and(|run| run.stage > Stage::Plan && run.stage != Stage::Unknown);
    let shown = past_plan || matches!(decision.step, Step::Finish(Ending::Committed(_)));
    if shown && decision.trouble == Trouble::None {
        return Said::new(type_, "True", well, "");
    }
    let old = seen.status().conditions.iter().find(|condition| condition.type_ == type_);
    match old {
        None => Said::new(type_, "Unknown", reasons::NOT_TRIED, ""),
        Some(old) => {
            let status = match old.status.as_str() {
                "True" => "True",
                "False" => "False",
                _ => "Unknown",
            };
            Said { generation: old.observed_generation, ..Said::new(type_, status, old.reason.clone(), old.message.clone()) }
        }
    }
}

fn last_run(status: &CloudOptimisedDatasetStatus) -> Said {
    let said = |status, reason: &str, message: &str| Said::new(types::LAST_RUN_SUCCEEDED, status, reason, message);
    let Some(last) = &status.last_run else { return said("Unknown", reasons::NEVER_RUN, "no run has ended yet") };
    let message = last.message.as_deref().unwrap_or_default();
    match last.outcome {
        RunOutcome::Completed | RunOutcome::CompletedWithErrors => said("True", last.outcome.as_str(), message),
        RunOutcome::Failed | RunOutcome::Aborted | RunOutcome::Unknown => {
            said("False", last.reason.as_deref().unwrap_or(last.outcome.as_str()), message)
        }
    }
}

/// A queue holds the Job of the current stage.
fn is_held(seen: &Observation, status: &CloudOptimisedDatasetStatus) -> bool {
    let Some(run) = status.current_run.as_ref().filter(|_| job::is_queued(&seen.dataset.spec)) else { return false };
    let latest = seen.attempts(run, run.stage).latest;
    latest.and_then(|latest| latest.job.spec?.suspend).unwrap_or_default()
}

fn suspended(seen: &Observation, status: &CloudOptimisedDatasetStatus) -> Said {
    if seen.dataset.spec.suspend {
        return Said::new(types::SUSPENDED, "True", reasons::SUSPENDED_BY_SPEC, "spec.suspend is true");
    }
    if is_held(seen, status) {
        return Said::new(
            types::SUSPENDED,
            "True",
            reasons::HELD_BY_QUEUE,
            "the queue named by spec.worker.queueName has not admitted the Job",
        );
    }
    Said::new(types::SUSPENDED, "False", reasons::NOT_SUSPENDED, "")
}
