//! Events: one per real transition, read off the old status and the new one. Nothing depends on them.

use crds::resource::{CloudOptimisedDatasetStatus, RunOutcome, Stage};
use crds::wire::Digest;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

use crate::conditions::types;
use crate::context::Context;
use crate::decide::{Decision, Ending, Launch, Start, Step};

/// What has happened between two statuses.
#[must_use]
pub fn between(old: &CloudOptimisedDatasetStatus, new: &CloudOptimisedDatasetStatus, decision: &Decision) -> Vec<Event> {
    let mut events = Vec::new();
    if let Step::Start(start) = &decision.step {
        if let Some((slot, true)) = start.slot {
            events.push(event(
                EventType::Warning,
                "ScheduleMissed",
                "Schedule",
                &format!("earlier slots were missed; this run takes that of {slot}"),
            ));
        }
        let run = &start.run;
        let value = if run.cause.value.is_empty() { String::new() } else { format!(" {}", run.cause.value) };
        events.push(event(EventType::Normal, "RunStarted", "Run", &format!("run {}: {}{value}", run.id, run.cause.kind.as_str())));
    }
    if let Step::Start(Start { remarks: Some(remarks), .. }) = &decision.step {
        events.push(event(EventType::Normal, "ConfigRemarks", "Config", remarks));
    }
    if let (Some(was), Some(is)) = (&old.current_run, &new.current_run)
        && was.stage == Stage::Plan
        && is.stage == Stage::Convert
    {
        let (files, batches) = (is.files_total.unwrap_or_default(), is.batches_total.unwrap_or_default());
        events.push(event(EventType::Normal, "PlanReady", "Plan", &format!("run {}: {files} files in {batches} batches", is.id)));
    }
    if let Some(warnings) = warnings(old, &decision.step) {
        events.push(event(EventType::Warning, "ConfigRemarks", "Plan", &warnings.join("; ")));
    }
    if let Some(last) = new.last_run.as_ref().filter(|last| old.last_run.as_ref().is_none_or(|before| before.id != last.id)) {
        let note = format!("run {}: {}", last.id, last.message.as_deref().unwrap_or_default());
        events.push(match last.outcome {
            RunOutcome::Completed => event(EventType::Normal, "RunCompleted", "Run", &note),
            RunOutcome::CompletedWithErrors => event(EventType::Warning, "RunCompletedWithErrors", "Run", &note),
            RunOutcome::Failed | RunOutcome::Aborted | RunOutcome::Unknown => {
                let reason = last.reason.as_deref().unwrap_or("Failed");
                event(EventType::Warning, "RunFailed", "Run", &format!("{reason}: {note}"))
            }
        });
    }
    if let Some(stalled) = newly(old, new, types::STALLED) {
        // InvalidSpec, AccessDenied, LayoutConflict, …: the word that the condition has.
        events.push(event(EventType::Warning, &stalled.reason, "Stalled", &stalled.message));
    }
    if newly(old, new, types::SUSPENDED).is_some() {
        events.push(event(EventType::Normal, "Suspended", "Suspend", "no run is started"));
    } else if is(old, types::SUSPENDED).is_some() && is(new, types::SUSPENDED).is_none() {
        events.push(event(EventType::Normal, "Resumed", "Suspend", "runs are started again"));
    }
    events
}

/// What a plan has to say of the config, in its own word or in that of the pod that also committed.
fn warnings<'a>(old: &CloudOptimisedDatasetStatus, step: &'a Step) -> Option<&'a [String]> {
    let warnings = match step {
        Step::Launch(Launch { plan: Some(plan), .. }) => &plan.warnings,
        Step::Finish(Ending::Committed(Digest::Commit { warnings, .. }))
            if old.current_run.as_ref().is_some_and(|run| run.stage == Stage::Plan) =>
        {
            warnings
        }
        _ => return None,
    };
    (!warnings.is_empty()).then_some(warnings)
}

fn is<'a>(status: &'a CloudOptimisedDatasetStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

/// A condition that was not true before, or for another reason.
fn newly<'a>(old: &CloudOptimisedDatasetStatus, new: &'a CloudOptimisedDatasetStatus, type_: &str) -> Option<&'a Condition> {
    is(new, type_).filter(|now| is(old, type_).is_none_or(|before| before.reason != now.reason))
}

#[must_use]
pub fn event(type_: EventType, reason: &str, action: &str, note: &str) -> Event {
    Event { type_, reason: reason.to_owned(), note: Some(note.chars().take(900).collect()), action: action.to_owned(), secondary: None }
}

/// Events are told, not promised: a namespace that is going away takes none.
pub async fn publish(ctx: &Context, about: &ObjectReference, events: Vec<Event>) {
    for event in events {
        if let Err(error) = ctx.recorder.publish(&event, about).await {
            tracing::warn!(%error, reason = %event.reason, "event not published");
        }
    }
}
