//! What is said of a dataset after a decision. Pure.

use crds::resource::status::{MAX_ERRORS, MAX_RUNS, MAX_STATUS_BYTES};
use crds::resource::{CauseKind, CloudOptimisedDatasetStatus, CurrentRun, ErrorSummary, Files, Guard, LastRun, Phase, RunOutcome, Stage};
use crds::wire::{ClassCounts, Digest, ErrorGroup, FileCounts, StageFailure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions;
use crate::decide::{Decision, Ending, Launch, Step};
use crate::observe::Observation;
use crate::pods;

/// The status that says what has been seen and decided. Equal to the old one when nothing has
/// changed: no field holds the time of the pass.
#[must_use]
pub fn after(seen: &Observation, decision: &Decision) -> CloudOptimisedDatasetStatus {
    let mut status = seen.status().clone();
    status.observed_generation = seen.dataset.metadata.generation;
    if let Ok(described) = &seen.described {
        status.format = Some(described.document.format.as_str().to_owned());
        status.hashes = Some(described.document.hashes.clone());
    }
    schedule(&mut status, seen, &decision.step);
    match &decision.step {
        Step::Start(start) => {
            status.current_run = Some(start.run.clone());
            status.guard = None;
        }
        Step::Launch(launch) => advance(&mut status, launch),
        Step::Await => progress(&mut status, seen),
        Step::Finish(Ending::Committed(digest)) => committed(&mut status, seen, digest),
        Step::Finish(Ending::Failed(why)) => failed(&mut status, seen, why),
        Step::Rest | Step::Leave { .. } => {}
    }
    status.run = status.current_run.as_ref().map(|run| run.id.clone()).or_else(|| Some(status.last_run.as_ref()?.id.clone()));
    status.progress = status.files.map(|files| format!("{}/{}", files.processed, files.discovered));
    status.conditions = conditions::after(seen, decision, &status);
    status.phase = Some(phase(&status, seen));
    fit(status)
}

/// A slot stays announced until a run has taken it.
fn schedule(status: &mut CloudOptimisedDatasetStatus, seen: &Observation, step: &Step) {
    let slots = seen.slots();
    let taken = matches!(step, Step::Start(_));
    let promised =
        if taken { slots.next } else { slots.due.and(seen.status().next_schedule_time.as_ref().map(|time| time.0)).or(slots.next) };
    status.next_schedule_time = promised.map(Time);
    if let Step::Start(start) = step
        && let Some((slot, _)) = start.slot
    {
        status.last_schedule_time = Some(Time(slot));
    }
}

fn advance(status: &mut CloudOptimisedDatasetStatus, launch: &Launch) {
    let Some(run) = &mut status.current_run else { return };
    run.stage = launch.stage;
    if let Some(plan) = &launch.plan {
        run.files_total = Some(plan.batch_files);
        run.batches_total = Some(plan.batches);
        (run.files_done, run.files_failed, run.batches_done) = (Some(0), Some(0), Some(0));
        status.files = Some(planned(&plan.classes, status.files));
    }
}

/// The dataset's files as the plan found them, before anything of the run is published.
fn planned(classes: &ClassCounts, before: Option<Files>) -> Files {
    Files {
        discovered: classes.discovered,
        pending: classes.to_convert() + classes.pending,
        processed: classes.unchanged,
        failed: classes.held + classes.failed,
        skipped: classes.skipped,
        withdrawn: before.unwrap_or_default().withdrawn,
    }
}

/// What the pods have reported so far. It only grows, even when pods that reported are gone.
fn progress(status: &mut CloudOptimisedDatasetStatus, seen: &Observation) {
    let Some(run) = status.current_run.as_mut().filter(|run| run.stage == Stage::Convert && seen.pods.is_some()) else { return };
    let done = pods::converted(seen.pods(), &run.id);
    let grow = |old: Option<u64>, new: u64| Some(new.max(old.unwrap_or_default()));
    run.files_done = grow(run.files_done, done.processed + done.failed + done.skipped);
    run.files_failed = grow(run.files_failed, done.failed);
    run.batches_done = grow(run.batches_done.map(u64::from), done.batches).and_then(|batches| u32::try_from(batches).ok());
    if let (Some(files), Some(classes)) = (&mut status.files, seen.planned(run)) {
        let base = planned(&classes, None);
        files.processed = files.processed.max(base.processed + done.processed);
        files.failed = files.failed.max(base.failed + done.failed);
        files.skipped = files.skipped.max(base.skipped + done.skipped);
        files.pending = files.discovered.saturating_sub(files.processed + files.failed + files.skipped);
    }
}

fn committed(status: &mut CloudOptimisedDatasetStatus, seen: &Observation, digest: &Digest) {
    let Digest::Commit { files, totals, rows, budget_exceeded, errors, report, .. } = digest else { return };
    let Some(run) = status.current_run.take() else { return };
    let (outcome, reason, message) = outcome(files, *budget_exceeded, errors);
    let mut last = ended(&run, seen, outcome);
    last.count(files);
    last.rows = *rows;
    last.reason = reason;
    last.message = Some(message);
    status.files = Some(Files {
        discovered: files.discovered,
        pending: files.pending,
        processed: files.processed + files.unchanged,
        failed: files.failed,
        skipped: files.skipped,
        withdrawn: totals.withdrawn,
    });
    status.rows = Some(totals.rows);
    status.rows_masked = Some(totals.rows_masked).filter(|rows| *rows > 0);
    status.bytes = Some(totals.bytes);
    status.report = Some(report.clone());
    status.errors = errors.iter().take(MAX_ERRORS).map(|group| ErrorSummary::new(group, Time(seen.now))).collect();
    end(status, run, last);
}

fn failed(status: &mut CloudOptimisedDatasetStatus, seen: &Observation, why: &StageFailure) {
    let Some(run) = status.current_run.take() else { return };
    // What the pods converted was not published.
    if let Some(classes) = seen.planned(&run) {
        status.files = Some(planned(&classes, status.files));
    }
    let mut last = ended(&run, seen, RunOutcome::Failed);
    last.reason = Some(why.reason.as_str().to_owned());
    last.message = Some(conditions::tell(why));
    status.guard = why.confirm.as_ref().map(|digest| Guard {
        reason: why.reason.as_str().to_owned(),
        digest: digest.clone(),
        message: conditions::tell(why),
    });
    end(status, run, last);
}

/// How a committed run ended. Without a budget, a run is a failure only when nothing of the dataset is current.
fn outcome(files: &FileCounts, budget_exceeded: bool, errors: &[ErrorGroup]) -> (RunOutcome, Option<String>, String) {
    let current = files.processed + files.unchanged;
    let message = summary(files, current, errors);
    if budget_exceeded {
        return (
            RunOutcome::Failed,
            Some("BudgetExceeded".to_owned()),
            format!("more files failed than the failure budget allows: {message}"),
        );
    }
    if files.failed == 0 {
        (RunOutcome::Completed, None, message)
    } else if current == 0 {
        (RunOutcome::Failed, errors.first().map(|group| group.reason.as_str().to_owned()), format!("no file could be converted: {message}"))
    } else {
        (RunOutcome::CompletedWithErrors, None, message)
    }
}

/// `196 of 200 files are in the dataset, 4 failed (EmptyFile 1, NotNetcdf 1, …)`
fn summary(files: &FileCounts, current: u64, errors: &[ErrorGroup]) -> String {
    let mut parts = vec![format!("{current} of {} files are in the dataset", files.discovered)];
    if files.failed > 0 {
        let mut groups: Vec<String> = errors.iter().take(3).map(|group| format!("{} {}", group.reason, group.count)).collect();
        if errors.len() > groups.len() {
            groups.push("…".to_owned());
        }
        parts.push(if groups.is_empty() {
            format!("{} failed", files.failed)
        } else {
            format!("{} failed ({})", files.failed, groups.join(", "))
        });
    }
    if files.pending > 0 {
        parts.push(format!("{} wait for the next run", files.pending));
    }
    parts.join(", ")
}

fn ended(run: &CurrentRun, seen: &Observation, outcome: RunOutcome) -> LastRun {
    LastRun {
        id: run.id.clone(),
        cause: run.cause.clone(),
        start_time: run.start_time.clone(),
        completion_time: Time(seen.now),
        outcome,
        reason: None,
        message: None,
        discovered: 0,
        processed: 0,
        unchanged: 0,
        failed: 0,
        skipped: 0,
        pending: 0,
        withdrawn: 0,
        rows: 0,
    }
}

fn end(status: &mut CloudOptimisedDatasetStatus, run: CurrentRun, last: LastRun) {
    match run.cause.kind {
        CauseKind::Trigger => status.last_trigger = Some(run.cause.value),
        CauseKind::Rebuild => status.last_rebuild = Some(run.cause.value),
        CauseKind::Creation | CauseKind::Schedule | CauseKind::Edit | CauseKind::Pending | CauseKind::Retry | CauseKind::Unknown => {}
    }
    if let Some(before) = status.last_run.replace(last) {
        status.runs.insert(0, before.summary());
        status.runs.truncate(MAX_RUNS);
    }
}

/// One word for people, out of what has just been said.
fn phase(status: &CloudOptimisedDatasetStatus, seen: &Observation) -> Phase {
    if conditions::is_true(&status.conditions, conditions::types::STALLED) {
        return Phase::Stalled;
    }
    if seen.dataset.spec.suspend {
        return Phase::Suspended;
    }
    match (&status.current_run, &status.last_run) {
        (Some(_), _) if conditions::is_true(&status.conditions, conditions::types::SUSPENDED) => Phase::Queued,
        (Some(run), _) => match run.stage {
            Stage::Plan | Stage::Unknown => Phase::Planning,
            Stage::Convert => Phase::Converting,
            Stage::Commit => Phase::Finalising,
        },
        (None, Some(last)) => match last.outcome {
            RunOutcome::Completed => Phase::Completed,
            RunOutcome::CompletedWithErrors => Phase::CompletedWithErrors,
            RunOutcome::Failed | RunOutcome::Aborted | RunOutcome::Unknown => Phase::Failed,
        },
        (None, None) => Phase::Pending,
    }
}

/// Old runs and small groups go first when a status would be too heavy. The newest of the runs
/// before stays: the id of the last one was made with it.
fn fit(mut status: CloudOptimisedDatasetStatus) -> CloudOptimisedDatasetStatus {
    let heavy = |status: &CloudOptimisedDatasetStatus| serde_json::to_string(status).map_or(0, |json| json.len()) > MAX_STATUS_BYTES;
    while heavy(&status) && status.runs.len() > 1 {
        status.runs.pop();
    }
    while heavy(&status) && !status.errors.is_empty() {
        status.errors.pop();
    }
    if heavy(&status) {
        for condition in &mut status.conditions {
            condition.message = condition.message.chars().take(200).collect();
        }
    }
    status
}
