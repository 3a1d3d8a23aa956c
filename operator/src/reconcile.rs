//! One look at one dataset: observe, decide, act, report.

use std::sync::Arc;
use std::time::Duration;

use crds::resource::CloudOptimisedDataset;
use jiff::SignedDuration;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};

use crate::act;
use crate::context::Context;
use crate::decide::{Decision, Step, decide};
use crate::error::{Class, Error};
use crate::events;
use crate::observe::{Observation, Seen, observe};
use crate::report;

/// A run goes plan → convert → commit. Each pass takes the one step that is due, and every step may
/// be taken twice: the run stands in status before its first Job, Jobs have names that follow from
/// it, and status is written against the version that was read.
#[tracing::instrument(skip_all, fields(namespace = dataset.meta().namespace, name = dataset.meta().name, run))]
pub async fn reconcile(dataset: Arc<DeserializeGuard<CloudOptimisedDataset>>, ctx: Arc<Context>) -> Result<Action, Error> {
    let _look = ctx.metrics.look();
    let (namespace, name) = (dataset.meta().namespace.clone().unwrap_or_default(), dataset.name_any());
    let seen = match observe(&namespace, &name, &ctx).await? {
        Seen::Gone => return Ok(Action::await_change()),
        Seen::Unreadable { object, .. } if object.metadata.deletion_timestamp.is_some() => {
            act::release(&object.metadata, &ctx).await?;
            return Ok(Action::await_change());
        }
        Seen::Unreadable { object, error } => {
            report::unreadable(&object, &error, &ctx).await?;
            return Ok(Action::await_change());
        }
        Seen::Read(seen) => seen,
    };
    tracing::Span::current().record("run", seen.current_run().map(|run| run.id.as_str()));
    let mut decision = decide(&seen);
    tracing::debug!(step = ?decision.step, chores = decision.chores.len(), "decided");
    if let Step::Leave { done } = decision.step {
        return leave(&seen, &decision, done, &ctx).await;
    }
    let version = match act::step(&seen, &decision.step, &ctx).await {
        // A run cannot go on in a namespace that is going away: it takes its objects with it.
        Err(error) if error.is_terminating_namespace() => return Ok(Action::await_change()),
        Err(error) => match error.refusal() {
            Some(why) => {
                decision = decision.refused(why);
                seen.dataset.resource_version()
            }
            None => return Err(error),
        },
        Ok(version) => version,
    };
    report::report(&seen, &decision, version, &ctx).await?;
    act::chores(&seen, &decision.chores, &ctx).await?;
    ctx.well(&seen.uid());
    Ok(again(decision.look_again))
}

/// A deleted dataset takes its run with it; what the run has not published never was.
async fn leave(seen: &Observation, decision: &Decision, done: bool, ctx: &Context) -> Result<Action, Error> {
    act::chores(seen, &decision.chores, ctx).await?;
    if !done {
        return Ok(again(decision.look_again));
    }
    let held = act::release(&seen.dataset.metadata, ctx).await?;
    if let Some(run) = seen.current_run().filter(|_| held) {
        let note = format!("run {} ends with its dataset; nothing of it was published after the last commit", run.id);
        let event = events::event(EventType::Warning, "RunAborted", "Delete", &note);
        events::publish(ctx, &seen.dataset.object_ref(&()), vec![event]).await;
    }
    Ok(Action::await_change())
}

fn again(wait: SignedDuration) -> Action {
    Action::requeue(wait.unsigned_abs())
}

/// What is done about a pass that failed: soon, later, or on the next change.
pub fn on_error(dataset: &DeserializeGuard<CloudOptimisedDataset>, error: &Error, ctx: &Context) -> Action {
    if error.is_conflict() {
        // Somebody wrote between our read and our write: look again.
        return Action::requeue(Duration::from_millis(200));
    }
    ctx.metrics.failed(error.reason());
    tracing::warn!(namespace = dataset.meta().namespace, name = dataset.name_any(), reason = error.reason(), %error, "pass failed");
    Action::requeue(match error.class() {
        Class::Transient => ctx.backoff(&dataset.uid().unwrap_or_default()),
        Class::Structural | Class::Terminal => Duration::from_mins(1),
    })
}
