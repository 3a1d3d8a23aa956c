//! 200 files under two prefixes, four of them broken: counted while they are converted, and at the end.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use crds::resource::{CloudOptimisedDatasetStatus, Phase, RunOutcome};

use crate::same;
use crate::support::bed::Bed;
use crate::support::books::audit;
use crate::support::dataset::{condition, counts};
use crate::support::load::FirstLoad;

pub async fn counts_two_hundred_files(bed: &Bed) -> Result<()> {
    let load = bed.first_load().await?;
    eprint!("[loaded in {:.1} s, {} writes of status] ", load.took.as_secs_f64(), load.seen.len());
    ensure!(load.waited.contains("cloudoptimiseddataset.cloudoptimised.io/mooring condition met"), "{}", load.waited);
    progress_only_grows(load)?;
    the_end(&load.status)?;
    every_failure_has_its_reason(bed, load).await?;
    events_tell_the_story(load).await?;
    jobs_are_as_planned(load).await?;
    let books = audit(&load.dataset, &bed.optimised).await?;
    same!(books.head.totals.processed, 196, "processed of the head");
    keep_the_table(load)
}

fn progress_only_grows(load: &FirstLoad) -> Result<()> {
    let said = |status: &CloudOptimisedDatasetStatus| -> Option<(u64, u64)> {
        let (done, all) = status.progress.as_deref()?.split_once('/')?;
        Some((done.parse().ok()?, all.parse().ok()?))
    };
    let seen: Vec<(u64, u64)> = load.seen.iter().filter_map(said).collect();
    ensure!(seen.windows(2).all(|two| two[0].0 <= two[1].0), "progress went back: {seen:?}");
    ensure!(seen.iter().all(|(_, all)| *all == 200), "progress speaks of other files: {seen:?}");
    let steps: std::collections::BTreeSet<u64> = seen.iter().map(|(done, _)| *done).collect();
    ensure!(steps.len() >= 3, "progress was hardly to be seen: {seen:?}");
    same!(seen.last(), Some(&(196, 200)), "progress at the end");
    let rows: Vec<&str> = load.table.lines().filter_map(|line| line.split_whitespace().find(|word| word.ends_with("/200"))).collect();
    ensure!(rows.len() >= 3, "kubectl get --watch showed too little:\n{}", load.table);
    Ok(())
}

fn the_end(status: &CloudOptimisedDatasetStatus) -> Result<()> {
    same!(counts(status), [200, 196, 4], "discovered, processed, failed");
    let files = status.files.context("no files")?;
    same!([files.pending, files.skipped, files.withdrawn], [0, 0, 0], "pending, skipped, withdrawn");
    same!(status.rows, Some(196 * 96), "rows");
    same!(status.phase, Some(Phase::CompletedWithErrors), "phase");
    for expected in [
        "Ready=True/RunSucceededWithErrors",
        "Reconciling=False/Idle",
        "Stalled=False/Progressing",
        "SourceReachable=True/Listed",
        "DestinationReachable=True/Written",
        "LastRunSucceeded=True/CompletedWithErrors",
        "Suspended=False/NotSuspended",
    ] {
        let type_ = expected.split('=').next().unwrap_or_default();
        same!(condition(status, type_), expected, "condition");
    }
    let last = status.last_run.as_ref().context("no last run")?;
    same!(last.outcome, RunOutcome::CompletedWithErrors, "outcome");
    same!([last.discovered, last.processed, last.unchanged, last.failed, last.skipped], [200, 196, 0, 4, 0], "counts of the run");
    ensure!(status.errors.len() <= 4, "{} groups of errors", status.errors.len());
    same!(status.errors.iter().map(|group| group.count).sum::<u64>(), 4, "errors in groups");
    same!(status.observed_generation, Some(1), "generation");
    Ok(())
}

async fn every_failure_has_its_reason(bed: &Bed, load: &FirstLoad) -> Result<()> {
    let run = load.status.last_run.as_ref().map(|run| run.id.clone()).context("no last run")?;
    let lines = load.dataset.files_csv(bed, &run).await?;
    same!(lines.len(), 200, "lines of files.csv");
    let failed: BTreeMap<String, String> =
        lines.iter().filter(|line| line.outcome == "failed").map(|line| (line.key.clone(), line.reason.clone())).collect();
    same!(failed, bed.files().await?.reasons(&bed.archive), "failed files and their reasons");
    let grouped: Vec<&str> = load.status.errors.iter().map(|group| group.reason.as_str()).collect();
    for line in lines.iter().filter(|line| line.outcome == "failed") {
        ensure!(!line.message.is_empty(), "{} failed without a message", line.key);
        ensure!(grouped.contains(&line.reason.as_str()), "{} is in no group of status: {grouped:?}", line.reason);
    }
    let report = load.status.report.as_deref().context("status names no report")?;
    ensure!(report.ends_with(&format!("/reports/{run}/report.json")), "{report}");
    Ok(())
}

async fn events_tell_the_story(load: &FirstLoad) -> Result<()> {
    let events = load.dataset.events().await?;
    for reason in ["RunStarted", "PlanReady", "RunCompletedWithErrors"] {
        let found = events.iter().filter(|(found, _)| found == reason).count();
        same!(found, 1, "events {reason} among {events:?}");
    }
    Ok(())
}

/// Eight batches of 25, two at a time, and one pod before and after; nothing left for the finalizer.
async fn jobs_are_as_planned(load: &FirstLoad) -> Result<()> {
    let run = load.status.last_run.as_ref().map(|run| run.id.clone()).context("no last run")?;
    for (stage, completions, parallelism) in [("plan", 1, 1), ("convert", 8, 2), ("commit", 1, 1)] {
        let jobs = load.dataset.jobs(&run, Some(stage)).await?;
        let [job] = &jobs[..] else { anyhow::bail!("{} {stage} Jobs", jobs.len()) };
        let spec = job.spec.as_ref().context("a Job without spec")?;
        same!((spec.completions, spec.parallelism), (Some(completions), Some(parallelism)), "completions and parallelism of {stage}");
        let succeeded = job.status.as_ref().and_then(|status| status.succeeded);
        same!(succeeded, Some(completions), "pods of {stage} that ended well");
    }
    same!(load.dataset.get().await?.metadata.finalizers.unwrap_or_default(), Vec::<String>::new(), "finalizers");
    Ok(())
}

/// The README quotes what was really seen.
fn keep_the_table(load: &FirstLoad) -> Result<()> {
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-get-cod.txt"), &load.table)?;
    Ok(())
}

pub async fn is_read_by_pyarrow_and_duckdb_with_one_schema(bed: &Bed) -> Result<()> {
    let load = bed.first_load().await?;
    let expected = bed.files().await?.rows();
    let found = bed.python.read(&format!("{}/{}", bed.optimised.name, load.dataset.folder().trim_end_matches('/'))).await?;
    same!(found.pyarrow.rows, expected, "rows by file, read by pyarrow");
    same!(found.duckdb.rows, expected, "rows by file, read by DuckDB");
    same!(found.schemas, 1, "schemas");
    same!(found.duplicates, 0, "rows that are there twice");
    same!(found.pyarrow.total(), 196 * 96, "rows");
    Ok(())
}
