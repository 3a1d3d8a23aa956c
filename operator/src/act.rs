//! What is done: all API writes but status and events. Each may be repeated.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crds::resource::CloudOptimisedDataset;

use crate::chores::Chore;
use crate::context::Context;
use crate::decide::{Launch, Step};
use crate::document;
use crate::error::Error;
use crate::job::{self, Blueprint};
use crate::observe::Observation;
use crate::run::FINALIZER;

/// Does the step's writes. Gives the resource version that the dataset then has, for status to be
/// written against it.
pub async fn step(seen: &Observation, step: &Step, ctx: &Context) -> Result<Option<String>, Error> {
    let unchanged = seen.dataset.resource_version();
    match step {
        Step::Start(_) => {
            provide_document(seen, ctx).await?;
            hold(seen, ctx).await
        }
        Step::Launch(launch) => {
            provide_document(seen, ctx).await?;
            create(seen, launch, ctx).await?;
            Ok(unchanged)
        }
        Step::Finish(_) | Step::Rest | Step::Await | Step::Leave { .. } => Ok(unchanged),
    }
}

fn namespace(seen: &Observation) -> String {
    seen.dataset.namespace().unwrap_or_default()
}

/// The `ConfigMap` of the run's document, if it is the document of today; another one cannot be made again.
async fn provide_document(seen: &Observation, ctx: &Context) -> Result<(), Error> {
    let Ok(described) = &seen.described else { return Ok(()) };
    if seen.current_run().is_some_and(|run| run.document_config_map != described.config_map) {
        return Ok(());
    }
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &namespace(seen));
    match api.create(&PostParams::default(), &document::config_map(&seen.dataset, described)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(Error::api("create", format!("ConfigMap {}", described.config_map))(error)),
    }
}

/// Names are deterministic: a Job that is there already is ours, made by an earlier pass or another operator.
async fn create(seen: &Observation, launch: &Launch, ctx: &Context) -> Result<(), Error> {
    let Some(run) = seen.current_run() else { return Ok(()) };
    let job = job::build(&Blueprint {
        dataset: &seen.dataset,
        options: &ctx.options,
        run: &run.id,
        document: &run.document_config_map,
        stage: launch.stage,
        attempt: launch.attempt,
        batches: launch.batches,
        cause_of_missing: launch.cause_of_missing,
    });
    let (name, api) = (job.name_any(), jobs(seen, ctx));
    match api.create(&PostParams::default(), &job).await {
        Ok(_) => {
            tracing::info!(job = name, "Job created");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let there = api.get(&name).await.map_err(Error::api("get", format!("Job {name}")))?;
            let ours = there.owner_references().iter().any(|owner| owner.uid == seen.uid());
            if ours { Ok(()) } else { Err(Error::NameTaken { what: format!("Job {name}") }) }
        }
        Err(error) => Err(Error::api("create", format!("Job {name}"))(error)),
    }
}

fn jobs(seen: &Observation, ctx: &Context) -> Api<Job> {
    Api::namespaced(ctx.client.clone(), &namespace(seen))
}

/// Puts what has to be put in order beside the step.
pub async fn chores(seen: &Observation, chores: &[Chore], ctx: &Context) -> Result<(), Error> {
    for chore in chores {
        tracing::debug!(?chore, "chore");
        match chore {
            Chore::Expire { job, seconds } => patch(seen, job, json!({"spec": {"ttlSecondsAfterFinished": seconds}}), ctx).await?,
            Chore::Scale { job, parallelism } => patch(seen, job, json!({"spec": {"parallelism": parallelism}}), ctx).await?,
            Chore::Suspend { job, suspend } => patch(seen, job, json!({"spec": {"suspend": suspend}}), ctx).await?,
            Chore::Delete { job, uid } => delete(seen, job, uid, ctx).await?,
            Chore::Release => _ = release(&seen.dataset.metadata, ctx).await?,
        }
    }
    Ok(())
}

/// A Job that is gone needs nothing any more.
async fn patch(seen: &Observation, job: &str, patch: Value, ctx: &Context) -> Result<(), Error> {
    match jobs(seen, ctx).patch(job, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api("patch", format!("Job {job}"))(error)),
    }
}

async fn delete(seen: &Observation, job: &str, uid: &str, ctx: &Context) -> Result<(), Error> {
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match jobs(seen, ctx).delete(job, &params).await {
        Ok(_) => Ok(()),
        // Gone, or another Job by now.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(Error::api("delete", format!("Job {job}"))(error)),
    }
}

/// The finalizer: while a run is active, a deleted dataset waits until its pods are stopped.
async fn hold(seen: &Observation, ctx: &Context) -> Result<Option<String>, Error> {
    let meta = &seen.dataset.metadata;
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|name| name == FINALIZER) {
        return Ok(meta.resource_version.clone());
    }
    finalizers.push(FINALIZER.to_owned());
    finalize(meta, finalizers, ctx).await
}

/// Lets a dataset go. Whether it was held.
pub async fn release(meta: &ObjectMeta, ctx: &Context) -> Result<bool, Error> {
    let held = meta.finalizers.clone().unwrap_or_default();
    if held.iter().all(|name| name != FINALIZER) {
        return Ok(false);
    }
    match finalize(meta, held.into_iter().filter(|name| name != FINALIZER).collect(), ctx).await {
        Err(Error::Api { source: kube::Error::Api(status), .. }) if status.is_not_found() => Ok(false),
        other => other.map(|_| true),
    }
}

async fn finalize(meta: &ObjectMeta, finalizers: Vec<String>, ctx: &Context) -> Result<Option<String>, Error> {
    let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let api: Api<CloudOptimisedDataset> = Api::namespaced(ctx.client.clone(), &namespace);
    let patch = json!({"metadata": {"resourceVersion": meta.resource_version, "finalizers": finalizers}});
    let patched: PartialObjectMeta<CloudOptimisedDataset> = api
        .patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .map_err(Error::api("patch", format!("finalizers of dataset {name}")))?;
    Ok(patched.resource_version())
}
