//! What has become of the stages of a run, as its Jobs and their pods tell. Pure.

use crds::resource::Stage;
use crds::wire::{Digest, StageFailure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;

use crate::pods;
use crate::run::{LABEL_ATTEMPT, LABEL_RUN, LABEL_STAGE, word};

/// A Job that is over but for pods on a lost node is waited for no longer than this: such pods can
/// do no harm, for only commit writes into the dataset.
const LOST_POD_PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// The Jobs of one stage of one run: the latest attempt, and why the one before it failed.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    pub latest: Option<Attempt>,
    pub failed_before: Option<StageFailure>,
}

/// One Job of a stage.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub number: u32,
    pub job: Job,
    pub end: End,
}

#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// At work, or held by `suspend`.
    Working,
    /// Being deleted: what comes next waits until its name is free.
    Leaving,
    /// Ended well; what its pod said, if it is still there (of a stage of one pod).
    Done(Option<Digest>),
    Failed {
        why: StageFailure,
        at: Timestamp,
    },
}

impl Attempt {
    /// Whether one of its pods ended well.
    #[must_use]
    pub fn has_success(&self) -> bool {
        self.job.status.as_ref().and_then(|status| status.succeeded).unwrap_or_default() > 0
    }

    /// Whether one of its pods works or has ended well.
    #[must_use]
    pub fn has_worked(&self) -> bool {
        self.has_success() || self.job.status.as_ref().and_then(|status| status.ready).unwrap_or_default() > 0
    }
}

/// Whether a Job has its final condition.
#[must_use]
pub fn is_finished(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True")
}

/// The number of the attempt a Job is, if it is one at `stage`.
#[must_use]
pub fn number(job: &Job, stage: Stage) -> Option<u32> {
    (label(job, LABEL_STAGE) == Some(word(stage))).then(|| attempt_of(job))
}

/// Whether a Job is of this run.
#[must_use]
pub fn is_of_run(job: &Job, run: &str) -> bool {
    label(job, LABEL_RUN) == Some(run)
}

fn label<'a>(job: &'a Job, key: &str) -> Option<&'a str> {
    job.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

fn attempt_of(job: &Job) -> u32 {
    label(job, LABEL_ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The attempts at `stage` of `run` among `jobs`.
#[must_use]
pub fn attempts(jobs: &[Job], pods: &[Pod], run: &str, stage: Stage, now: Timestamp) -> Attempts {
    let mut of_stage: Vec<&Job> = jobs.iter().filter(|job| is_of_run(job, run) && number(job, stage).is_some()).collect();
    of_stage.sort_by_key(|job| std::cmp::Reverse(attempt_of(job)));
    let latest = of_stage.first().map(|job| Attempt { number: attempt_of(job), job: (*job).clone(), end: end(job, pods, now) });
    let failed_before = of_stage.get(1).and_then(|job| match end(job, pods, now) {
        End::Failed { why, .. } => Some(why),
        End::Working | End::Leaving | End::Done(_) => None,
    });
    Attempts { latest, failed_before }
}

fn end(job: &Job, pods: &[Pod], now: Timestamp) -> End {
    if job.metadata.deletion_timestamp.is_some() {
        return End::Leaving;
    }
    let Some(status) = job.status.as_ref() else { return End::Working };
    let name = job.metadata.name.as_deref().unwrap_or_default();
    match (over(status, "Complete", "SuccessCriteriaMet", now), over(status, "Failed", "FailureTarget", now)) {
        (Some(_), _) => End::Done(pods::stage_digest(pods, name)),
        (None, Some(at)) => End::Failed { why: pods::failure(job, pods), at },
        (None, None) => End::Working,
    }
}

/// When a Job was over: its final condition stands, or the interim one has stood for too long.
fn over(status: &JobStatus, last: &str, interim: &str, now: Timestamp) -> Option<Timestamp> {
    let since = |type_: &str| {
        let conditions = status.conditions.as_ref()?;
        let condition = conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")?;
        Some(condition.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0))
    };
    since(last).or_else(|| since(interim).filter(|at| now.duration_since(*at) > LOST_POD_PATIENCE))
}

/// How long to wait before the next attempt at a stage to which a store denied access: 5 s, 10 s, … 10 min.
#[must_use]
pub fn access_backoff(attempt: u32) -> SignedDuration {
    SignedDuration::from_secs(5 * (1 << attempt.min(7))).min(SignedDuration::from_mins(10))
}

/// How long to wait before what failed for a passing reason is tried again: 30 s, 1 min, … 8 min.
#[must_use]
pub fn transient_backoff(attempt: u32) -> SignedDuration {
    SignedDuration::from_secs(30 * (1 << attempt.min(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_bound() {
        let seconds: Vec<i64> = (0..9).map(|attempt| access_backoff(attempt).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        let seconds: Vec<i64> = (0..6).map(|attempt| transient_backoff(attempt).as_secs()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 480]);
    }
}
