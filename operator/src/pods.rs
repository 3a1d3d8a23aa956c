//! What the pods of a stage say: their digests, why they failed, why they have not started. Pure.

use std::collections::BTreeMap;

use crds::wire::{Digest, ExitCode, Reason, StageFailure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod};

pub const CONTAINER: &str = "converter";

/// The sum of what the pods of a convert Job have reported so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    pub batches: u64,
    pub processed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub rows: u64,
}

/// The pods of one Job.
pub fn of_job<'a>(pods: &'a [Pod], job: &'a str) -> impl Iterator<Item = &'a Pod> {
    pods.iter().filter(move |pod| {
        pod.metadata.labels.as_ref().and_then(|labels| labels.get("batch.kubernetes.io/job-name")).is_some_and(|name| name == job)
    })
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == CONTAINER)?.state.as_ref()
}

fn ended(pod: &Pod) -> Option<&ContainerStateTerminated> {
    state(pod)?.terminated.as_ref()
}

/// What a pod that has ended said.
#[must_use]
pub fn digest(pod: &Pod) -> Option<Digest> {
    Digest::from_message(ended(pod)?.message.as_deref()?).ok()
}

/// The digest of a stage of one pod: that of a pod which ended well.
#[must_use]
pub fn stage_digest(pods: &[Pod], job: &str) -> Option<Digest> {
    of_job(pods, job).filter(|pod| ended(pod).is_some_and(|end| end.exit_code == 0)).find_map(digest)
}

/// A batch counts once, however many pods report it.
#[must_use]
pub fn converted(pods: &[Pod], run: &str) -> Converted {
    let batches: BTreeMap<u32, [u64; 4]> = pods
        .iter()
        .filter_map(|pod| match digest(pod)? {
            Digest::Convert { run: of, batch, processed, failed, skipped, rows } if of == run => {
                Some((batch, [processed, failed, skipped, rows]))
            }
            _ => None,
        })
        .collect();
    let sum = |field: usize| batches.values().map(|counts| counts[field]).sum();
    Converted { batches: batches.len() as u64, processed: sum(0), failed: sum(1), skipped: sum(2), rows: sum(3) }
}

/// Why a Job that has failed did so: what its last pod to speak said, or what its end looked like.
#[must_use]
pub fn failure(job: &Job, pods: &[Pod]) -> StageFailure {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let mut ends: Vec<(&Pod, &ContainerStateTerminated)> = of_job(pods, name).filter_map(|pod| Some((pod, ended(pod)?))).collect();
    ends.sort_by_key(|(_, end)| end.finished_at.as_ref().map(|time| time.0));
    let condition = failed_condition(job);
    let told = condition.as_ref().map(|(_, message)| message.clone()).unwrap_or_default();
    if condition.is_some_and(|(reason, _)| reason == "DeadlineExceeded") {
        return plain(Reason::DeadlineExceeded, format!("Job {name} was not done before its deadline"));
    }
    let said = ends.iter().rev().find_map(|(pod, _)| match digest(pod)? {
        Digest::Failed(failure) => Some(failure),
        Digest::Plan { .. } | Digest::Convert { .. } | Digest::Commit { .. } => None,
    });
    if let Some(failure) = said {
        return failure;
    }
    if ends.iter().any(|(_, end)| end.reason.as_deref() == Some("OOMKilled")) {
        return plain(Reason::OomKilled, format!("a pod of Job {name} needed more memory than its limit: raise spec.worker.resources"));
    }
    let code = ends.iter().rev().map(|(_, end)| end.exit_code).find(|code| *code != 0).or_else(|| told_exit_code(&told));
    plain(
        reason_of(code),
        format!("Job {name}: {}", code.map_or(told, |code| format!("the converter ended with exit code {code} and no digest"))),
    )
}

fn plain(reason: Reason, message: String) -> StageFailure {
    StageFailure { reason, bucket: None, operation: None, message, side: None, confirm: None }
}

fn failed_condition(job: &Job) -> Option<(String, String)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed =
        conditions.iter().find(|condition| matches!(condition.type_.as_str(), "Failed" | "FailureTarget") && condition.status == "True")?;
    Some((failed.reason.clone().unwrap_or_default(), failed.message.clone().unwrap_or_default()))
}

/// `… failed with exit code 11 matching FailJob rule …`: all that is left when the pods are gone.
fn told_exit_code(message: &str) -> Option<i32> {
    message.split("exit code ").nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn reason_of(code: Option<i32>) -> Reason {
    let is = |exit: ExitCode| code == Some(i32::from(exit.code()));
    if is(ExitCode::Access) {
        Reason::AccessDenied
    } else if is(ExitCode::Config) || is(ExitCode::Usage) {
        Reason::InvalidConfig
    } else if is(ExitCode::Transient) {
        Reason::StoreUnavailable
    } else if is(ExitCode::Terminated) {
        Reason::Terminated
    } else {
        Reason::Crashed
    }
}

/// Why a Job's batches may lack a manifest, for the fences that commit writes.
#[must_use]
pub fn cause_of_missing(job: &Job, pods: &[Pod]) -> Option<Reason> {
    failed_condition(job)?;
    Some(failure(job, pods).reason)
}

/// Why a Job is at work and yet nothing happens, once that has lasted for `grace`.
#[must_use]
pub fn waiting(job: &Job, pods: &[Pod], now: Timestamp, grace: SignedDuration) -> Option<StageFailure> {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let old = |since: Option<Timestamp>| since.is_some_and(|since| now.duration_since(since) >= grace);
    let mut any = false;
    for pod in of_job(pods, name) {
        any = true;
        let pending = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending");
        if pending
            && old(pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
            && let Some(trouble) = pending_trouble(pod)
        {
            return Some(trouble);
        }
    }
    let status = job.status.as_ref();
    let started = status.and_then(|status| status.start_time.as_ref()).map(|time| time.0);
    let counted =
        status.map_or(0, |status| [status.active, status.succeeded, status.failed, status.terminating].into_iter().flatten().sum::<i32>());
    let suspended = job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or_default();
    (!any && counted == 0 && !suspended && old(started)).then(|| {
        plain(
            Reason::QuotaExceeded,
            format!("Job {name} cannot create its pods: a quota, a limit range, an admission rule or a missing service account refuses them; `kubectl describe job {name}` shows which"),
        )
    })
}

fn pending_trouble(pod: &Pod) -> Option<StageFailure> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let waiting = state(pod).and_then(|state| state.waiting.as_ref());
    if let Some(waiting) = waiting {
        let told = waiting.message.clone().unwrap_or_default();
        return match waiting.reason.as_deref().unwrap_or_default() {
            "CreateContainerConfigError" if told.to_ascii_lowercase().contains("configmap") => Some(plain(Reason::ConfigMapNotFound, told)),
            "CreateContainerConfigError" => Some(plain(Reason::SecretNotFound, told)),
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => Some(plain(Reason::ImagePullFailed, told)),
            "ContainerCreating" => Some(plain(
                Reason::ConfigMapNotFound,
                format!("pod {name} waits for its volumes: is the object of caBundleRef there? `kubectl describe pod {name}` tells"),
            )),
            _ => None,
        };
    }
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    Some(plain(Reason::Unschedulable, scheduled.message.clone().unwrap_or_else(|| format!("no node takes pod {name}"))))
}
