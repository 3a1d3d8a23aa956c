//! `kubectl get cod` is an interface: its text, exactly, for datasets in known states.

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::bed::Bed;
use crate::support::dataset::Dataset;
use crate::support::release::scale_operator;
use crate::support::resource::{config, manifest};

const NARROW: &str = "\
NAME           FORMAT    PHASE                 PROCESSED   FAILED   READY     LAST RUN   NEXT RUN               AGE
a-new                                                                                                           ?
b-converting   parquet   Converting            1234/5000   2        Unknown                                     ?
c-errors       parquet   CompletedWithErrors   196/200     4        True      5h         2031-01-01T16:15:00Z   ?
d-stalled      parquet   Stalled               200/200     0        False     5h                                ?
e-completed    zarr      Completed             12/12       0        True      5h                                ?
";

const WIDE: &str = "\
NAME           FORMAT    PHASE                 PROCESSED   FAILED   READY     LAST RUN   NEXT RUN               AGE   RUN                ROWS      MESSAGE
a-new                                                                                                           ?
b-converting   parquet   Converting            1234/5000   2        Unknown                                     ?     9a8b7c6d5e4f3021             no run has ended yet
c-errors       parquet   CompletedWithErrors   196/200     4        True      5h         2031-01-01T16:15:00Z   ?     0f1e2d3c4b5a6978   18816     196 of 200 files are in the dataset, 4 failed
d-stalled      parquet   Stalled               200/200     0        False     5h                                ?     0f1e2d3c4b5a6978   19200     source bucket archive, ListObjectsV2: access denied
e-completed    zarr      Completed             12/12       0        True      5h                                ?     0f1e2d3c4b5a6978   1000000   12 of 12 files are in the dataset
";

/// Statuses as the operator writes them, without an operator that would write others.
pub async fn are_an_interface(bed: &Bed) -> Result<()> {
    let namespace = bed.namespace("columns").await?;
    let config = config(bed, &["moorings/".to_owned()])?;
    scale_operator(bed, 0).await?;
    let shown = show(bed, &namespace, &config).await;
    scale_operator(bed, 1).await?;
    let (narrow, wide) = shown?;
    ensure!(narrow == NARROW, "kubectl get cod prints\n{narrow}\nand not\n{NARROW}");
    ensure!(wide == WIDE, "kubectl get cod --output wide prints\n{wide}\nand not\n{WIDE}");
    Ok(())
}

async fn show(bed: &Bed, namespace: &str, config: &Value) -> Result<(String, String)> {
    for (name, status) in states() {
        let mut manifest = manifest(bed, namespace, name, config);
        manifest["spec"]["suspend"] = json!(true);
        Dataset::apply(bed, &manifest).await?;
        if status != json!({}) {
            let patch = json!({"status": status}).to_string();
            let arguments = ["--namespace", namespace, "patch", "cod", name, "--subresource=status", "--type=merge", "--patch", &patch];
            bed.kubectl.run(&arguments).await?;
        }
    }
    let narrow = bed.kubectl.run(&["--namespace", namespace, "get", "cod"]).await?;
    let wide = bed.kubectl.run(&["--namespace", namespace, "get", "cod", "--output", "wide"]).await?;
    Ok((without_age(&narrow), without_age(&wide)))
}

/// The age of what was made a moment ago is a few seconds: `AGE` has room for them.
fn without_age(table: &str) -> String {
    let lines = table.lines().map(|line| {
        let words = line.split(' ').map(|word| {
            let is_age = word.len() <= 3 && word.strip_suffix('s').is_some_and(|seconds| seconds.parse::<u8>().is_ok());
            if is_age { format!("{:<width$}", "?", width = word.len()) } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
    });
    lines.collect()
}

fn states() -> Vec<(&'static str, Value)> {
    let ago = |hours: i64| (Timestamp::now() - SignedDuration::from_hours(hours)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let ready = |status: &str, reason: &str, message: &str| json!([{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": ago(5)}]);
    let last = |outcome: &str| {
        json!({
            "id": "0f1e2d3c4b5a6978", "cause": {"kind": "Creation", "value": ""}, "startTime": ago(6), "completionTime": ago(5),
            "outcome": outcome
        })
    };
    let files = |discovered: u64, processed: u64, failed: u64| {
        let pending = discovered - processed - failed;
        json!({"discovered": discovered, "processed": processed, "failed": failed, "pending": pending, "skipped": 0, "withdrawn": 0})
    };
    vec![
        ("a-new", json!({})),
        (
            "b-converting",
            json!({
                "format": "parquet", "phase": "Converting", "progress": "1234/5000", "run": "9a8b7c6d5e4f3021",
                "files": files(5_000, 1_234, 2), "conditions": ready("Unknown", "NeverRun", "no run has ended yet")
            }),
        ),
        (
            "c-errors",
            json!({
                "format": "parquet", "phase": "CompletedWithErrors", "progress": "196/200", "run": "0f1e2d3c4b5a6978", "rows": 18_816,
                "files": files(200, 196, 4), "lastRun": last("CompletedWithErrors"), "nextScheduleTime": "2031-01-01T16:15:00Z",
                "conditions": ready("True", "RunSucceededWithErrors", "196 of 200 files are in the dataset, 4 failed")
            }),
        ),
        (
            "d-stalled",
            json!({
                "format": "parquet", "phase": "Stalled", "progress": "200/200", "run": "0f1e2d3c4b5a6978", "rows": 19_200,
                "files": files(200, 200, 0), "lastRun": last("Failed"),
                "conditions": ready("False", "AccessDenied", "source bucket archive, ListObjectsV2: access denied")
            }),
        ),
        (
            "e-completed",
            json!({
                "format": "zarr", "phase": "Completed", "progress": "12/12", "run": "0f1e2d3c4b5a6978", "rows": 1_000_000,
                "files": files(12, 12, 0), "lastRun": last("Completed"), "conditions": ready("True", "UpToDate", "12 of 12 files are in the dataset")
            }),
        ),
    ]
}
