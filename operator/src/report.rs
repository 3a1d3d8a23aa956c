//! What is told: status, events, metrics.

use crds::resource::condition::types;
use crds::resource::{CloudOptimisedDataset, CloudOptimisedDatasetStatus};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use crate::context::Context;
use crate::decide::{Decision, Step};
use crate::error::Error;
use crate::events;
use crate::observe::Observation;
use crate::run::MANAGER;
use crate::status;

/// Writes the status that follows from a decision, if it says anything new, and what goes with it.
pub async fn report(seen: &Observation, decision: &Decision, version: Option<String>, ctx: &Context) -> Result<(), Error> {
    let (old, new) = (seen.status(), status::after(seen, decision));
    if *old == new && seen.dataset.status.is_some() {
        return Ok(());
    }
    let (namespace, name) = (seen.dataset.namespace().unwrap_or_default(), seen.dataset.name_any());
    let json = serde_json::to_value(&new).map_err(|source| Error::Json { what: "status", source })?;
    write(&namespace, &name, version, json, ctx).await?;
    count(old, &new, decision, &namespace, ctx);
    events::publish(ctx, &seen.dataset.object_ref(&()), events::between(old, &new, decision)).await;
    Ok(())
}

/// Applied against the version that was read: of two operators, the slower one looks again.
async fn write(namespace: &str, name: &str, version: Option<String>, status: serde_json::Value, ctx: &Context) -> Result<(), Error> {
    let kind = ApiResource::erase::<CloudOptimisedDataset>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), namespace, &kind);
    let patch = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "resourceVersion": version},
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    api.patch_status(name, &params, &Patch::Apply(patch)).await.map_err(Error::api("apply", format!("status of dataset {name}")))?;
    ctx.metrics.status_written();
    Ok(())
}

fn count(old: &CloudOptimisedDatasetStatus, new: &CloudOptimisedDatasetStatus, decision: &Decision, namespace: &str, ctx: &Context) {
    if let Step::Start(start) = &decision.step {
        ctx.metrics.run_started(namespace);
        if start.slot.is_some_and(|(_, missed)| missed) {
            ctx.metrics.slots_missed(namespace);
        }
    }
    let ended = new.last_run.as_ref().filter(|last| old.last_run.as_ref().is_none_or(|before| before.id != last.id));
    if let Some(last) = ended {
        let took = last.completion_time.0.duration_since(last.start_time.0).unsigned_abs();
        let files = [("processed", last.processed), ("unchanged", last.unchanged), ("failed", last.failed), ("skipped", last.skipped)];
        ctx.metrics.run_ended(namespace, last.outcome.as_str(), took, &files);
    }
}

/// A resource that cannot be read as ours: the API server holds what an older or a foreign schema let through.
pub async fn unreadable(object: &DynamicObject, error: &str, ctx: &Context) -> Result<(), Error> {
    let message: String = format!("the resource cannot be read: {error}").chars().take(900).collect();
    let generation = object.metadata.generation;
    let said = |condition: &serde_json::Value| {
        condition["type"] == types::STALLED
            && condition["message"] == message.as_str()
            && condition["observedGeneration"] == json!(generation)
    };
    if object.data["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(said)) {
        return Ok(());
    }
    let now = ctx.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "InvalidSpec", "message": message, "observedGeneration": generation, "lastTransitionTime": now});
    let mut status = object.data["status"].as_object().cloned().unwrap_or_default();
    status.insert("conditions".to_owned(), json!([condition(types::STALLED, "True"), condition(types::READY, "False")]));
    status.insert("phase".to_owned(), json!("Stalled"));
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    write(&namespace, &name, object.resource_version(), status.into(), ctx).await?;
    let about = object.object_ref(&ApiResource::erase::<CloudOptimisedDataset>(&()));
    events::publish(ctx, &about, vec![events::event(EventType::Warning, "InvalidSpec", "Stalled", &message)]).await;
    Ok(())
}
