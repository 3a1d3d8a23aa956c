//! The Jobs of a run. Pure: what stands here is the contract with the converter and with Kubernetes.

use std::collections::BTreeMap;

use crds::resource::effective::DEFAULT_RETRIES;
use crds::resource::{CloudOptimisedDataset, CloudOptimisedDatasetSpec, Stage, Worker};
use crds::wire::{ExitCode, Reason};
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::mount;
use crate::options::Options;
use crate::pods::CONTAINER;
use crate::run::{LABEL_ATTEMPT, LABEL_DATASET, LABEL_MANAGED_BY, LABEL_RUN, LABEL_STAGE, MANAGER, dataset_label, job_name, word};

/// The generation of the spec a Job was built from.
pub const ANNOTATION_GENERATION: &str = "cloudoptimised.io/generation";
const LABEL_QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// A plan lists and reads headers, a commit copies objects on the server: an hour is many times what they need.
const ONE_POD_SECONDS: i64 = 3_600;
/// A batch is cut to take minutes; half an hour each, one after the other, is far beyond.
const SECONDS_PER_ROUND: i64 = 1_800;
const MIN_CONVERT_SECONDS: i64 = 6 * 3_600;
const MAX_CONVERT_SECONDS: i64 = 7 * 86_400;
/// The converter stops within 10 s of SIGTERM.
const GRACE_SECONDS: i64 = 60;
pub const DEFAULT_PARALLELISM: u32 = 4;
const USER: i64 = 65_532;

/// What a Job is to be built from.
#[derive(Clone, Copy, Debug)]
pub struct Blueprint<'a> {
    pub dataset: &'a CloudOptimisedDataset,
    pub options: &'a Options,
    pub run: &'a str,
    /// Name of the `ConfigMap` that holds the run's document.
    pub document: &'a str,
    pub stage: Stage,
    pub attempt: u32,
    /// Batches of the plan; 1 for the stages of one pod.
    pub batches: u32,
    /// Commit only: why batches may lack a manifest.
    pub cause_of_missing: Option<Reason>,
}

/// The owner reference of all that belongs to a dataset.
#[must_use]
pub fn owner(dataset: &CloudOptimisedDataset) -> Option<Vec<OwnerReference>> {
    dataset.controller_owner_ref(&()).map(|owner| vec![owner])
}

/// Pods of a convert Job at the same time.
#[must_use]
pub fn parallelism(spec: &CloudOptimisedDatasetSpec, batches: u32) -> i32 {
    i32::try_from(spec.parallelism.unwrap_or(DEFAULT_PARALLELISM).min(batches).max(1)).unwrap_or(i32::MAX)
}

/// Whether a queue, and not we, holds and releases the Jobs.
#[must_use]
pub fn is_queued(spec: &CloudOptimisedDatasetSpec) -> bool {
    spec.worker.as_ref().is_some_and(|worker| worker.queue_name.is_some())
}

/// The Job of one stage of a run.
#[must_use]
pub fn build(plan: &Blueprint<'_>) -> Job {
    let spec = &plan.dataset.spec;
    let worker = spec.worker.clone().unwrap_or_default();
    let labels = labels(plan, &worker);
    let convert = plan.stage == Stage::Convert;
    let completions = if convert { plan.batches.max(1) } else { 1 };
    let parallel = if convert { parallelism(spec, completions) } else { 1 };
    let suspend = is_queued(spec) || (convert && spec.suspend);
    let mut job_labels = labels.clone();
    if let Some(queue) = &worker.queue_name {
        job_labels.insert(LABEL_QUEUE.to_owned(), queue.clone());
    }
    Job {
        metadata: ObjectMeta {
            name: Some(job_name(&plan.dataset.name_any(), plan.run, plan.stage, plan.attempt)),
            namespace: plan.dataset.namespace(),
            labels: Some(job_labels),
            annotations: Some(BTreeMap::from([(
                ANNOTATION_GENERATION.to_owned(),
                plan.dataset.metadata.generation.unwrap_or_default().to_string(),
            )])),
            owner_references: owner(plan.dataset),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".to_owned()),
            completions: i32::try_from(completions).ok(),
            parallelism: Some(parallel),
            backoff_limit_per_index: i32::try_from(spec.retries.unwrap_or(DEFAULT_RETRIES)).ok(),
            pod_failure_policy: Some(failure_policy()),
            pod_replacement_policy: Some("Failed".to_owned()),
            active_deadline_seconds: Some(deadline(convert, completions, parallel)),
            suspend: suspend.then_some(true),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod(plan, &worker)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn labels(plan: &Blueprint<'_>, worker: &Worker) -> BTreeMap<String, String> {
    let mut labels = worker.labels.clone();
    let ours = [
        ("app.kubernetes.io/name", "cloud-optimised".to_owned()),
        ("app.kubernetes.io/component", word(plan.stage).to_owned()),
        (LABEL_MANAGED_BY, MANAGER.to_owned()),
        (LABEL_DATASET, dataset_label(&plan.dataset.name_any())),
        (LABEL_RUN, plan.run.to_owned()),
        (LABEL_STAGE, word(plan.stage).to_owned()),
        (LABEL_ATTEMPT, plan.attempt.to_string()),
    ];
    labels.extend(ours.map(|(key, value)| (key.to_owned(), value)));
    labels
}

fn deadline(convert: bool, completions: u32, parallel: i32) -> i64 {
    if !convert {
        return ONE_POD_SECONDS;
    }
    let rounds = completions.div_ceil(parallel.unsigned_abs().max(1));
    (i64::from(rounds) * SECONDS_PER_ROUND).clamp(MIN_CONVERT_SECONDS, MAX_CONVERT_SECONDS)
}

/// Disruption comes first: an evicted pod ends with 143, which must not count.
fn failure_policy() -> PodFailurePolicy {
    let on_exit = |action: &str, codes: &[ExitCode]| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values: codes.iter().map(|code| i32::from(code.code())).collect(),
        }),
        on_pod_conditions: None,
    };
    PodFailurePolicy {
        rules: vec![
            PodFailurePolicyRule {
                action: "Ignore".to_owned(),
                on_exit_codes: None,
                on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                    type_: "DisruptionTarget".to_owned(),
                    status: "True".to_owned(),
                }]),
            },
            on_exit("FailJob", &[ExitCode::Usage, ExitCode::Config, ExitCode::Access]),
            on_exit("FailIndex", &[ExitCode::BatchImpossible]),
        ],
    }
}

fn pod(plan: &Blueprint<'_>, worker: &Worker) -> PodSpec {
    let options = plan.options;
    let mut secrets: Vec<LocalObjectReference> =
        options.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect();
    secrets.extend(worker.image_pull_secrets.iter().filter(|of_worker| !options.image_pull_secrets.contains(&of_worker.name)).cloned());
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        service_account_name: worker.service_account_name.clone(),
        image_pull_secrets: some(secrets),
        node_selector: (!worker.node_selector.is_empty()).then(|| worker.node_selector.clone()),
        tolerations: some(worker.tolerations.clone()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(plan, worker)],
        volumes: Some(mount::volumes(plan, worker)),
        ..PodSpec::default()
    }
}

fn container(plan: &Blueprint<'_>, worker: &Worker) -> Container {
    let options = plan.options;
    let own_image = worker.image.as_ref().filter(|_| options.allow_image_override);
    let mut args: Vec<String> =
        [word(plan.stage), "--document", mount::DOCUMENT_PATH, "--run", plan.run].into_iter().map(str::to_owned).collect();
    if let (Stage::Commit, Some(cause)) = (plan.stage, plan.cause_of_missing) {
        args.extend(["--cause-of-missing".to_owned(), cause.as_str().to_owned()]);
    }
    Container {
        name: CONTAINER.to_owned(),
        image: Some(own_image.unwrap_or(&options.converter_image).clone()),
        image_pull_policy: Some(options.image_pull_policy.as_str().to_owned()),
        args: Some(args),
        env: Some(mount::env(&plan.dataset.spec, worker)),
        resources: Some(mount::resources(options, worker)),
        volume_mounts: Some(mount::mounts(&plan.dataset.spec)),
        termination_message_policy: Some("File".to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}
