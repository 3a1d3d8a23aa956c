//! What is put in order beside the step of a pass: Jobs that are too many, too old or out of date. Pure.

use std::collections::BTreeMap;

use crds::resource::{CurrentRun, Stage};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use crate::job;
use crate::observe::Observation;
use crate::run::{FINALIZER, LABEL_RUN};
use crate::stage::{Attempt, is_finished, is_of_run, number};

/// A deleted dataset waits for its pods no longer than this: they can do no harm.
pub const ABORT_PATIENCE: SignedDuration = SignedDuration::from_secs(90);
const DEFAULT_JOB_TTL: u32 = 86_400;
const DEFAULT_HISTORY: u32 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chore {
    /// The run is told: its Job may go after a while.
    Expire {
        job: String,
        seconds: u32,
    },
    /// With its pods, and only if it is still the one we saw.
    Delete {
        job: String,
        uid: String,
    },
    Scale {
        job: String,
        parallelism: i32,
    },
    Suspend {
        job: String,
        suspend: bool,
    },
    /// No run is active: nothing keeps the dataset from being deleted.
    Release,
}

impl Chore {
    /// The Job's place is taken by a new one.
    #[must_use]
    pub fn replace(job: &Job) -> Self {
        Self::Delete { job: job.name_any(), uid: job.uid().unwrap_or_default() }
    }
}

/// What is left over from runs that are over, and from earlier attempts of the one that is not. A
/// dataset whose next run `starts` in this pass stays held.
pub(crate) fn tidy(seen: &Observation, starts: bool) -> Vec<Chore> {
    let mut chores = Vec::new();
    let current = seen.current_run().map(|run| run.id.as_str());
    let (ours, past): (Vec<&Job>, Vec<&Job>) = seen
        .jobs
        .iter()
        .filter(|job| job.metadata.deletion_timestamp.is_none())
        .partition(|job| current.is_some_and(|run| is_of_run(job, run)));
    if let Some(run) = seen.current_run() {
        let latest = seen.attempts(run, run.stage).latest.map_or(0, |latest| latest.number);
        let superseded = ours.iter().filter(|job| is_finished(job) && number(job, run.stage).is_some_and(|number| number + 1 < latest));
        chores.extend(superseded.map(|job| Chore::replace(job)));
    }
    let spared = spared_runs(seen, &past);
    for job in past {
        if !is_finished(job) || !spared.contains(&label(job)) {
            chores.push(Chore::replace(job));
        } else if job.spec.as_ref().is_some_and(|spec| spec.ttl_seconds_after_finished.is_none()) {
            chores.push(Chore::Expire { job: job.name_any(), seconds: ttl(seen) });
        }
    }
    if current.is_none() && !starts && seen.dataset.finalizers().iter().any(|name| name == FINALIZER) {
        chores.push(Chore::Release);
    }
    chores
}

fn history(seen: &Observation) -> (Option<u32>, Option<u32>) {
    seen.dataset.spec.history.as_ref().map_or((None, None), |history| (history.runs, history.job_ttl_seconds))
}

fn ttl(seen: &Observation) -> u32 {
    history(seen).1.unwrap_or(DEFAULT_JOB_TTL)
}

fn label(job: &Job) -> String {
    job.labels().get(LABEL_RUN).cloned().unwrap_or_default()
}

/// The latest of the runs that are over, as many as are kept.
fn spared_runs(seen: &Observation, past: &[&Job]) -> Vec<String> {
    let mut born: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    for job in past {
        let created = job.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let latest = born.entry(label(job)).or_default();
        *latest = created.max(*latest);
    }
    let mut runs: Vec<(Option<Timestamp>, String)> = born.into_iter().map(|(run, born)| (born, run)).collect();
    runs.sort_unstable();
    runs.into_iter().rev().take(history(seen).0.unwrap_or(DEFAULT_HISTORY) as usize).map(|(_, run)| run).collect()
}

/// A convert Job at work follows the spec's parallelism and suspension; with a queue, the queue's suspension.
pub(crate) fn adjust(seen: &Observation, run: &CurrentRun, latest: &Attempt) -> Vec<Chore> {
    if run.stage != Stage::Convert {
        return Vec::new();
    }
    let (spec, name) = (&seen.dataset.spec, latest.job.name_any());
    let Some(of_job) = &latest.job.spec else { return Vec::new() };
    let mut chores = Vec::new();
    let parallelism = job::parallelism(spec, run.batches_total.unwrap_or(1));
    if of_job.parallelism != Some(parallelism) {
        chores.push(Chore::Scale { job: name.clone(), parallelism });
    }
    if !job::is_queued(spec) && of_job.suspend.unwrap_or_default() != spec.suspend {
        chores.push(Chore::Suspend { job: name, suspend: spec.suspend });
    }
    chores
}

/// The dataset is being deleted: nothing of it goes on.
pub(crate) fn abort(seen: &Observation) -> Vec<Chore> {
    seen.jobs.iter().filter(|job| job.metadata.deletion_timestamp.is_none() && !is_finished(job)).map(Chore::replace).collect()
}
