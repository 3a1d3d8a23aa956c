//! `converter run`: a whole run in this process.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crds::wire::{Digest, Document, ExitCode, Plan, Report, Requests};

use super::args::RunArgs;
use super::document::Described;
use super::progress::Progress;
use super::signal::until_told;
use super::{complain, document, summary};
use crate::commit::commit;
use crate::context::{Context, Limits, short_hash};
use crate::convert::convert;
use crate::error::StageError;
use crate::plan::plan;
use crate::store::Secrets;

pub(super) async fn run(args: Box<RunArgs>) -> ExitCode {
    match Box::pin(until_told(runs(&args))).await {
        Ok(report) if report.files.failed > 0 => ExitCode::SomeFailed,
        Ok(_) => ExitCode::Done,
        Err(error) => complain(&error),
    }
}

/// One run after the other, until no file is left pending.
async fn runs(args: &RunArgs) -> Result<Report, StageError> {
    let Described { effective, secrets } = document::describe(args)?;
    if !args.quiet {
        for finding in effective.warnings.iter().map(ToString::to_string) {
            eprintln!("warning: {finding}");
        }
        for key in &effective.unknown_keys {
            eprintln!("warning: {key}: is not a key of the config; is it misspelt?");
        }
        if !effective.ignored.is_empty() {
            eprintln!("note: without meaning here: {}", effective.ignored.join(", "));
        }
    }
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let limits = Limits { threads: threads.max(1), memory_bytes: args.memory };
    let mut whole: Option<Report> = None;
    loop {
        let (report, pending) = one(args, effective.document.clone(), limits, &secrets).await?;
        let report = match whole {
            Some(before) => followed(before, report),
            None => report,
        };
        if pending == 0 || args.dry_run {
            if let Some(path) = &args.report {
                let body = serde_json::to_vec_pretty(&report).map_err(|source| StageError::corrupt("the report", source))?;
                std::fs::write(path, body).map_err(|source| StageError::Config(format!("--report {}: {source}", path.display())))?;
            }
            return Ok(report);
        }
        whole = Some(report);
    }
}

/// The account of a chain of runs: what the later ones found unchanged, the earlier ones processed.
fn followed(before: Report, mut last: Report) -> Report {
    last.files.processed += before.files.processed;
    last.files.unchanged -= before.files.processed.min(last.files.unchanged);
    last.rows += before.rows;
    last.bytes_read += before.bytes_read;
    last.bytes_written += before.bytes_written;
    last.objects += before.objects;
    last.seconds += before.seconds;
    if let (Some(all), Some(before)) = (&mut last.requests, before.requests) {
        all.source += before.source;
        all.destination += before.destination;
    }
    last.warnings.extend(before.warnings);
    for (reason, rows) in before.rows_left_out {
        *last.rows_left_out.entry(reason).or_default() += rows;
    }
    let told: std::collections::HashSet<String> = last.file_results.iter().map(|file| file.key.clone()).collect();
    last.file_results.extend(before.file_results.into_iter().filter(|file| !told.contains(&file.key)));
    last
}

async fn one(args: &RunArgs, document: Document, limits: Limits, secrets: &Secrets) -> Result<(Report, u64), StageError> {
    let started = Instant::now();
    let run = short_hash(&[&document.owner, &document.dataset_name, &jiff::Timestamp::now().as_nanosecond().to_string()]);
    let context = Context::open(document, run, limits, secrets)?;
    let progress = Progress::start(!args.quiet, std::io::stderr().is_terminal(), &context);
    let plan = plan(&context).await?;
    let planned: u64 = plan.batch_files.iter().map(|files| u64::from(*files)).sum();
    context.tally.planned.store(planned, Ordering::Relaxed);
    progress.planned(planned, plan.batch_bytes);
    if !args.quiet {
        progress.warn(&plan.warnings);
    }
    if args.dry_run {
        progress.finish();
        context.destination.delete_below(&context.layout.run(&context.run)).await?;
        if !args.quiet {
            summary::print_plan(&context, &plan);
        }
        return Ok((Report { requests: Some(requests(&context)), ..summary::planned_report(&plan) }, 0));
    }
    for index in 0..plan.batches {
        convert(&context, &plan, index).await?;
    }
    progress.committing();
    let digest = commit(&context, &plan).await?;
    progress.finish();
    let mut report = read_report(&context, &plan).await?;
    report.requests = Some(requests(&context));
    if !args.quiet {
        summary::print(&context, &plan, &report, started.elapsed());
    }
    let pending = if let Digest::Commit { files, .. } = digest { files.pending } else { 0 };
    Ok((report, pending))
}

/// What the run has asked of both sides.
fn requests(context: &Context) -> Requests {
    Requests { source: context.source.requests(), destination: context.destination.meter().used().requests }
}

async fn read_report(context: &Context, plan: &Plan) -> Result<Report, StageError> {
    let key = context.layout.report(&plan.run);
    let bytes = context.destination.get(&key).await?;
    serde_json::from_slice(&bytes).map_err(|source| StageError::corrupt(&key, source))
}
