//! Profiles of many floats, each in a small file: batches are packed by bytes, and every level is a row.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::fixtures::from_config;

use crate::same;
use crate::support::bed::Bed;
use crate::support::books::audit;
use crate::support::dataset::{Dataset, counts};
use crate::support::resource::manifest;

const EXAMPLE: &str = include_str!("../../../crds/examples/float.yaml");
const FILES: u64 = 24;
/// Files that fit one batch by their bytes.
const TOGETHER: u64 = 5;

pub async fn are_packed_by_bytes_and_counted(bed: &Bed) -> Result<()> {
    bed.files().await?; // makes the buckets
    let namespace = bed.namespace("floats").await?;
    let example: Value = serde_yaml::from_str(EXAMPLE)?;
    let text = example["spec"]["config"].as_str().context("the example's config is no text block")?;
    let mut config: Value = serde_json::from_str(text)?;
    let folder = tempfile::tempdir()?;
    let made = from_config(folder.path(), &config)?;
    let bytes = std::fs::read(made.path())?;
    let prefix = format!("{namespace}/floats/");
    for float in 0..FILES {
        bed.archive.put(&format!("{prefix}{}/{float:07}_prof.nc", 5_900_000 + float), bytes.clone()).await?;
    }
    bed.archive.put(&format!("{prefix}5900000/broken_prof.nc"), bytes[..bytes.len() / 2].to_vec()).await?;
    config["run_settings"]["paths"][0]["s3_uri"] = json!(bed.archive.url(&prefix));

    let mut manifest = manifest(bed, &namespace, "floats", &config);
    manifest["spec"]["batching"] = json!({"maxFiles": 1_000, "maxBytes": bytes.len() as u64 * TOGETHER + 1});
    let dataset = Dataset::apply(bed, &manifest).await?;
    let status = dataset.first_run(180).await?;
    same!(counts(&status), [FILES + 1, FILES, 1], "discovered, processed, failed");
    same!(status.rows, Some(FILES * made.rows as u64), "rows");
    same!(status.errors.first().map(|group| group.reason.as_str()), Some("TruncatedFile"), "reason");

    let run = status.last_run.as_ref().map(|run| run.id.clone()).context("no last run")?;
    let jobs = dataset.jobs(&run, Some("convert")).await?;
    let [job] = &jobs[..] else { anyhow::bail!("{} convert Jobs", jobs.len()) };
    let batches = job.spec.as_ref().and_then(|spec| spec.completions).context("no completions")?;
    ensure!(u64::try_from(batches)? == (FILES + 1).div_ceil(TOGETHER), "{batches} batches");

    audit(&dataset, &bed.optimised).await?;
    let found = bed.python.read(&format!("{}/{}", bed.optimised.name, dataset.folder().trim_end_matches('/'))).await?;
    same!(found.pyarrow.total(), FILES * made.rows as u64, "rows read by pyarrow");
    same!(found.duckdb.rows, found.pyarrow.rows, "rows by file, read by DuckDB");
    // Levels of padding are equal rows: they are not looked for here.
    same!(found.schemas, 1, "schemas");
    let again = dataset.run_again("again").await?;
    let last = again.last_run.as_ref().context("no last run")?;
    same!([last.processed, last.unchanged, last.failed], [0, FILES, 1], "a second run over unchanged input");
    Ok(())
}
