//! The table a run ends with.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::wire::{FileCounts, Plan, Report, RequestCounts};

use super::progress::size;
use crate::context::Context;

pub(super) fn print(context: &Context, plan: &Plan, report: &Report, elapsed: Duration) {
    let files = &report.files;
    let mut lines = vec![
        ("discovered".to_owned(), files.discovered.to_string()),
        ("processed".to_owned(), files.processed.to_string()),
        ("unchanged".to_owned(), files.unchanged.to_string()),
        ("failed".to_owned(), files.failed.to_string()),
    ];
    lines.extend(
        report.errors.iter().map(|group| (format!("  {}", group.reason), format!("{}  such as {}", group.count, group.sample_key))),
    );
    lines.push(("skipped".to_owned(), files.skipped.to_string()));
    if files.withdrawn > 0 {
        lines.push(("withdrawn".to_owned(), files.withdrawn.to_string()));
    }
    if files.pending > 0 {
        lines.push(("pending".to_owned(), files.pending.to_string()));
    }
    lines.push(("rows".to_owned(), report.rows.to_string()));
    lines.extend(report.rows_left_out.iter().map(|(reason, rows)| (format!("  left out, {reason}"), rows.to_string())));
    if report.rows_masked > 0 {
        lines.push(("  masked".to_owned(), report.rows_masked.to_string()));
    }
    lines.push(("objects".to_owned(), report.objects.to_string()));
    lines.push(("read".to_owned(), size(report.bytes_read)));
    lines.push(("written".to_owned(), size(report.bytes_written)));
    if let Some(requests) = report.requests {
        lines.push(("requests, source".to_owned(), told(requests.source)));
        lines.push(("requests, destination".to_owned(), told(requests.destination)));
    }
    lines.push(("seconds".to_owned(), format!("{:.2}", elapsed.as_secs_f64())));
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    println!("{}", context.destination.url().of(&context.folder()));
    for (name, value) in lines {
        println!("  {name:width$}  {value}");
    }
    println!("  {:width$}  {}", "files", context.destination.url().of(&context.layout.files_csv(&plan.run)));
}

/// What a store was asked, the kinds that occurred.
fn told(counts: RequestCounts) -> String {
    let kinds = [
        ("GET", counts.get),
        ("PUT", counts.put),
        ("multipart", counts.multipart),
        ("copy", counts.copy),
        ("DELETE", counts.delete),
        ("LIST", counts.list),
        ("HEAD", counts.head),
    ];
    let asked: Vec<String> = kinds.iter().filter(|(_, count)| *count > 0).map(|(kind, count)| format!("{count} {kind}")).collect();
    if asked.is_empty() { "none".to_owned() } else { asked.join(", ") }
}

pub(super) fn print_plan(context: &Context, plan: &Plan) {
    let counts = &plan.counts;
    println!("{} (nothing was done)", context.destination.url().of(&context.folder()));
    let lines = [
        ("discovered", counts.discovered),
        ("new", counts.new),
        ("changed", counts.changed),
        ("stale", counts.stale),
        ("tried again", counts.retried),
        ("unchanged", counts.unchanged),
        ("held", counts.held),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("pending", counts.pending),
        ("withdrawn", counts.withdrawn),
        ("batches", u64::from(plan.batches)),
    ];
    for (name, count) in lines {
        println!("  {name:12}  {count}");
    }
    println!("  {:12}  {}", "to convert", size(plan.batch_bytes));
}

/// The report of a run that only planned.
pub(super) fn planned_report(plan: &Plan) -> Report {
    let counts = &plan.counts;
    Report {
        dataset: plan.document.dataset_name.clone(),
        format: plan.document.format,
        run: plan.run.clone(),
        files: FileCounts { discovered: counts.discovered, pending: counts.discovered, ..FileCounts::default() },
        rows: 0,
        rows_left_out: BTreeMap::new(),
        rows_masked: 0,
        bytes_read: 0,
        bytes_written: 0,
        objects: 0,
        seconds: 0.0,
        requests: None,
        errors: Vec::new(),
        warnings: plan.warnings.clone(),
        file_results: Vec::new(),
        file_results_omitted: 0,
    }
}
