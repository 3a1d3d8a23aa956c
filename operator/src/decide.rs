//! What to do next for one dataset. Pure: an observation in, a decision out.

use crds::resource::{CauseKind, CurrentRun, Stage};
use crds::wire::{ClassCounts, Digest, Reason, StageFailure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::cause::{self, Next};
use crate::chores::{self, Chore};
use crate::error::Class;
use crate::job::ANNOTATION_GENERATION;
use crate::observe::Observation;
use crate::pods;
use crate::run;
use crate::stage::{self, Attempt, Attempts, End};

/// A commit (or a plan whose digest got lost) is tried this often before its run counts as failed.
const MAX_ATTEMPTS: u32 = 5;
/// A look at nothing in particular, in case an event got lost.
const HEARTBEAT: SignedDuration = SignedDuration::from_hours(1);
/// Nobody tells us when a `ConfigMap` named by the spec changes.
const TEXT_HEARTBEAT: SignedDuration = SignedDuration::from_mins(5);
/// Something outside is in the way: look again soon.
const SOON: SignedDuration = SignedDuration::from_secs(30);
const NOW: SignedDuration = SignedDuration::ZERO;

#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub step: Step,
    pub chores: Vec<Chore>,
    pub trouble: Trouble,
    pub look_again: SignedDuration,
}

/// The one step of this pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing to do.
    Rest,
    /// Put a run into status; its first Job comes next.
    Start(Start),
    /// Create the Job of a stage.
    Launch(Launch),
    /// A Job is at work, or something is waited for.
    Await,
    /// The run is over.
    Finish(Ending),
    /// The dataset is being deleted: let it go once nothing of it is at work.
    Leave { done: bool },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    pub run: CurrentRun,
    /// The slot of the schedule that this run takes, and whether earlier ones were missed.
    pub slot: Option<(Timestamp, bool)>,
    /// What is worth saying of a config that is new.
    pub remarks: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    pub stage: Stage,
    pub attempt: u32,
    pub batches: u32,
    /// What the plan found, when this comes right after it.
    pub plan: Option<Planned>,
    pub cause_of_missing: Option<Reason>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub classes: ClassCounts,
    pub batches: u32,
    pub batch_files: u64,
    /// What is worth saying to the author of the config, now that files were looked at.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// What commit said, or the plan pod that committed by itself.
    Committed(Digest),
    Failed(StageFailure),
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    None,
    /// A person must act, or it passes by itself: its reason's class says which.
    Some(StageFailure),
    /// Not looked for in this pass: what status says of it stays.
    Unseen,
}

impl Decision {
    fn new(step: Step, trouble: Trouble, look_again: SignedDuration) -> Self {
        Self { step, chores: Vec::new(), trouble, look_again }
    }

    /// The API server will not have the Job of this step: that is said, and tried again.
    #[must_use]
    pub fn refused(self, why: StageFailure) -> Self {
        Self { chores: self.chores, ..Self::new(Step::Await, Trouble::Some(why), SOON) }
    }

    fn launch(launch: Launch) -> Self {
        Self::new(Step::Launch(launch), Trouble::None, NOW)
    }

    fn finish(ending: Ending) -> Self {
        Self::new(Step::Finish(ending), Trouble::None, NOW)
    }
}

/// The decision of this pass.
#[must_use]
pub fn decide(seen: &Observation) -> Decision {
    if let Some(deleted) = seen.dataset.metadata.deletion_timestamp.as_ref() {
        return leave(seen, deleted.0);
    }
    let mut decision = match seen.current_run() {
        Some(run) => proceed(seen, run),
        None => consider(seen),
    };
    let starts = matches!(decision.step, Step::Start(_));
    decision.chores.extend(chores::tidy(seen, starts));
    decision
}

fn leave(seen: &Observation, deleted: Timestamp) -> Decision {
    let chores = chores::abort(seen);
    let gone = seen.jobs.iter().all(stage::is_finished);
    let done = gone || seen.now.duration_since(deleted) > chores::ABORT_PATIENCE;
    Decision { step: Step::Leave { done }, chores, trouble: Trouble::Unseen, look_again: SignedDuration::from_secs(5) }
}

/// No run is active: is there a cause for one?
fn consider(seen: &Observation) -> Decision {
    let spec = &seen.dataset.spec;
    let reads_texts = spec.config_from.is_some() || !spec.parent_from.is_empty();
    let described = match &seen.described {
        Ok(described) => described,
        Err(failure) => return Decision::new(Step::Rest, Trouble::Some(failure.clone()), if reads_texts { SOON } else { HEARTBEAT }),
    };
    if let Some(rival) = &seen.rival {
        let message = format!("{rival} has the same destination and is older; choose another destination, or delete one of the two");
        return Decision::new(Step::Rest, Trouble::Some(failure(Reason::DestinationConflict, message)), SOON);
    }
    let heartbeat = if reads_texts { TEXT_HEARTBEAT } else { HEARTBEAT };
    if spec.suspend {
        return Decision::new(Step::Rest, Trouble::None, heartbeat);
    }
    let slots = seen.slots();
    match cause::next(seen, described, slots.due) {
        Next::Start(cause) => {
            let after = seen.status().last_run.as_ref().map(|last| last.id.as_str());
            let run = CurrentRun {
                id: run::id(&seen.uid(), &described.edit, &cause, after),
                attempt: cause::attempt(&cause),
                cause,
                start_time: Time(seen.now),
                stage: Stage::Plan,
                document_config_map: described.config_map.clone(),
                files_total: None,
                files_done: None,
                files_failed: None,
                batches_total: None,
                batches_done: None,
            };
            let is_new = matches!(run.cause.kind, CauseKind::Creation | CauseKind::Edit);
            let remarks = described.remarks.clone().filter(|_| is_new);
            let slot = slots.due.map(|due| (due, slots.missed));
            Decision::new(Step::Start(Start { run, slot, remarks }), Trouble::None, NOW)
        }
        Next::Wait(until) => {
            let soonest = [until, slots.next].into_iter().flatten().min();
            let wait = soonest.map_or(heartbeat, |at| at.duration_since(seen.now).clamp(SignedDuration::from_secs(1), heartbeat));
            Decision::new(Step::Rest, Trouble::None, wait)
        }
    }
}

/// A run is active: where does it stand?
fn proceed(seen: &Observation, run: &CurrentRun) -> Decision {
    let attempts = seen.attempts(run, run.stage);
    let first = Launch { stage: run.stage, attempt: 0, batches: run.batches_total.unwrap_or(1), plan: None, cause_of_missing: None };
    let Some(latest) = &attempts.latest else { return launch(seen, run, first) };
    let again = Launch { attempt: latest.number + 1, ..first };
    match (&latest.end, run.stage) {
        (End::Leaving, _) => Decision::new(Step::Await, Trouble::Unseen, SOON),
        (End::Working, _) => working(seen, run, &attempts, latest),
        (End::Done(Some(Digest::Plan { classes, batches, batch_files, warnings, .. })), Stage::Plan | Stage::Unknown) => {
            let plan = Planned { classes: *classes, batches: *batches, batch_files: *batch_files, warnings: warnings.clone() };
            let stage = if plan.batches == 0 { Stage::Commit } else { Stage::Convert };
            launch(seen, run, Launch { stage, attempt: 0, batches: plan.batches, plan: Some(plan), cause_of_missing: None })
        }
        (End::Done(Some(digest @ Digest::Commit { .. })), Stage::Plan | Stage::Unknown | Stage::Commit) => {
            Decision::finish(Ending::Committed(digest.clone()))
        }
        (End::Done(_), Stage::Convert) => launch(seen, run, commit(seen, latest)),
        (End::Failed { why, at }, _) => failed(seen, run, latest, why, *at),
        (End::Done(_), Stage::Plan | Stage::Commit | Stage::Unknown) if latest.number + 1 < MAX_ATTEMPTS => launch(seen, run, again),
        (End::Done(_), Stage::Plan | Stage::Commit | Stage::Unknown) => {
            let message = "the pod ended well and left no digest; is its image that of this operator?".to_owned();
            Decision::finish(Ending::Failed(failure(Reason::Crashed, message)))
        }
    }
}

/// No new Job is created for a suspended dataset.
fn launch(seen: &Observation, run: &CurrentRun, mut launch: Launch) -> Decision {
    if seen.dataset.spec.suspend {
        return Decision::new(Step::Await, Trouble::None, HEARTBEAT);
    }
    if launch.stage == Stage::Commit && launch.cause_of_missing.is_none() {
        let convert = seen.attempts(run, Stage::Convert);
        launch.cause_of_missing = convert.latest.and_then(|latest| pods::cause_of_missing(&latest.job, seen.pods()));
    }
    Decision::launch(launch)
}

fn commit(seen: &Observation, convert: &Attempt) -> Launch {
    let cause_of_missing = pods::cause_of_missing(&convert.job, seen.pods());
    Launch { stage: Stage::Commit, attempt: 0, batches: 1, plan: None, cause_of_missing }
}

/// A Job is at work. Whether its pods are is another question.
fn working(seen: &Observation, run: &CurrentRun, attempts: &Attempts, latest: &Attempt) -> Decision {
    if seen.pods.is_none() {
        return Decision { chores: chores::adjust(seen, run, latest), ..Decision::new(Step::Await, Trouble::Unseen, seen.pause) };
    }
    let look_again = seen.grace.clamp(SignedDuration::from_secs(1), SOON);
    if let Some(trouble) = pods::waiting(&latest.job, seen.pods(), seen.now, seen.grace) {
        // The pods of a Job keep the template it was created with: an edit that may mend this needs a new one.
        let replace = is_outdated(seen, latest) && !latest.has_worked();
        let chores = if replace { vec![Chore::replace(&latest.job)] } else { chores::adjust(seen, run, latest) };
        return Decision { chores, ..Decision::new(Step::Await, Trouble::Some(trouble), look_again) };
    }
    let unmended = attempts.failed_before.clone().filter(|before| is_awaited(before.reason) && !latest.has_success());
    let trouble = unmended.map_or(Trouble::None, Trouble::Some);
    Decision { chores: chores::adjust(seen, run, latest), ..Decision::new(Step::Await, trouble, look_again) }
}

fn failed(seen: &Observation, run: &CurrentRun, latest: &Attempt, why: &StageFailure, at: Timestamp) -> Decision {
    let why = never_started(seen, why);
    let again = Launch {
        stage: run.stage,
        attempt: latest.number + 1,
        batches: run.batches_total.unwrap_or(1),
        plan: None,
        cause_of_missing: None,
    };
    if is_awaited(why.reason) {
        let edited = seen.described.as_ref().is_ok_and(|described| described.config_map != run.document_config_map);
        if edited {
            // The run can only be mended by a document it will never see.
            return Decision::finish(Ending::Failed(why));
        }
        let due = at + stage::access_backoff(latest.number);
        return retry(seen, run, again, if is_outdated(seen, latest) { at } else { due }, Trouble::Some(why));
    }
    match run.stage {
        Stage::Convert => launch(seen, run, commit(seen, latest)),
        Stage::Commit
            if why.reason.class() == Class::Transient && why.reason != Reason::LedgerSwapLost && latest.number + 1 < MAX_ATTEMPTS =>
        {
            retry(seen, run, again, at + stage::transient_backoff(latest.number), Trouble::Some(why))
        }
        Stage::Plan | Stage::Commit | Stage::Unknown => Decision::finish(Ending::Failed(why)),
    }
}

fn retry(seen: &Observation, run: &CurrentRun, again: Launch, due: Timestamp, trouble: Trouble) -> Decision {
    let wait = due.duration_since(seen.now);
    let decision = if wait.is_positive() { Decision::new(Step::Await, Trouble::None, wait) } else { launch(seen, run, again) };
    Decision { trouble, ..decision }
}

/// A Job whose deadline came while its pods could not start failed for what kept them from starting.
fn never_started(seen: &Observation, why: &StageFailure) -> StageFailure {
    let known = seen.stalled_reason().filter(|reason| is_awaited(*reason));
    match known {
        Some(reason) if why.reason == Reason::DeadlineExceeded => failure(reason, why.message.clone()),
        _ => why.clone(),
    }
}

/// What a person mends outside of the resource, without telling us: tried again for as long as it takes.
#[must_use]
pub fn is_awaited(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AccessDenied | Reason::BucketNotFound | Reason::SecretNotFound | Reason::ConfigMapNotFound | Reason::ImagePullFailed
    )
}

fn is_outdated(seen: &Observation, attempt: &Attempt) -> bool {
    let built_from =
        attempt.job.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_GENERATION)).and_then(|text| text.parse().ok());
    built_from.is_some_and(|generation: i64| Some(generation) != seen.dataset.metadata.generation)
}

fn failure(reason: Reason, message: String) -> StageFailure {
    StageFailure { reason, bucket: None, operation: None, message, side: None, confirm: None }
}
