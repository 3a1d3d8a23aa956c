//! Days of a grid, converted by four pods at once: each chunk has one owner, and the store is what the files are.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::fixtures::Slice;

use crate::same;
use crate::support::bed::Bed;
use crate::support::dataset::{Dataset, counts};
use crate::support::resource::manifest;

const EXAMPLE: &str = include_str!("../../../crds/examples/sea.yaml");
const DAY: i64 = 86_400_000_000;
/// 2024-01-01
const FIRST: i64 = 1_704_067_200_000_000;
const DAYS: i64 = 23;
/// Days of one chunk.
const CHUNK: i64 = 5;

fn day(number: i64, seed: u64) -> Slice {
    Slice { latitudes: 7, longitudes: 11, ..Slice::new(&[FIRST + number * DAY], seed) }
}

async fn put(bed: &Bed, prefix: &str, number: i64, seed: u64) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    day(number, seed).write(file.path())?;
    bed.archive.put(&format!("{prefix}day-{number:03}.nc"), std::fs::read(file.path())?).await
}

/// Every value of the store is that of the file which its row names.
async fn check(bed: &Bed, dataset: &Dataset, expected: &[(i64, u64)]) -> Result<()> {
    let text = bed.python.run("read_grid.py", &[&format!("{}/{}", bed.optimised.name, dataset.folder().trim_end_matches('/'))]).await?;
    let read: Value = serde_json::from_str(&text)?;
    same!(read["times"].as_array().map(Vec::len), Some(expected.len()), "rows");
    let number = |value: f64| if value.is_nan() { Value::Null } else { json!(value) };
    for (row, &(number_of_day, seed)) in expected.iter().enumerate() {
        let slice = day(number_of_day, seed);
        let time = slice.times[0];
        same!(read["times"][row], json!(time), "time of row {row}");
        same!(read["files"][row], json!(format!("day-{number_of_day:03}.nc")), "file of row {row}");
        for y in 0..slice.latitudes {
            for x in 0..slice.longitudes {
                let at = y * slice.longitudes + x;
                let value = |name: &str| &read["fields"][name][row][at];
                same!(*value("TEMP"), number(slice.temp(time, y, x)), "TEMP of row {row} at {y}, {x}");
                same!(*value("SPEED"), number(slice.speed(time, y, x)), "SPEED of row {row} at {y}, {x}");
                same!(*value("COUNT"), number(f64::from(slice.count(time, y, x))), "COUNT of row {row} at {y}, {x}");
                same!(*value("EXTRA"), number(slice.extra(time, y, x)), "EXTRA of row {row} at {y}, {x}");
                same!(read["depth"][at], json!(Slice::depth(y, x)), "DEPTH at {y}, {x}");
            }
        }
    }
    Ok(())
}

pub async fn grow_by_four_pods_at_once(bed: &Bed) -> Result<()> {
    bed.files().await?; // makes the buckets
    let namespace = bed.namespace("grids").await?;
    let example: Value = serde_yaml::from_str(EXAMPLE)?;
    let text = example["spec"]["config"].as_str().context("the example's config is no text block")?;
    let mut config: Value = serde_json::from_str(text)?;
    let prefix = format!("{namespace}/sea/");
    for number in 0..DAYS {
        put(bed, &prefix, number, 1 + number.unsigned_abs()).await?;
    }
    bed.archive.put(&format!("{prefix}broken.nc"), b"no grid at all".to_vec()).await?;
    config["run_settings"]["paths"][0]["s3_uri"] = json!(bed.archive.url(&prefix));

    let mut manifest = manifest(bed, &namespace, "sea", &config);
    manifest["spec"]["batching"] = json!({"maxFiles": CHUNK});
    manifest["spec"]["parallelism"] = json!(4);
    let dataset = Dataset::apply(bed, &manifest).await?;
    let status = dataset.first_run(240).await?;
    same!(counts(&status), [DAYS as u64 + 1, DAYS as u64, 1], "discovered, processed, failed");
    same!(status.rows, Some(DAYS as u64), "rows");
    same!(status.errors.first().map(|group| group.reason.as_str()), Some("NotNetcdf"), "reason");
    let run = status.last_run.as_ref().map(|run| run.id.clone()).context("no last run")?;
    let jobs = dataset.jobs(&run, Some("convert")).await?;
    let [job] = &jobs[..] else { anyhow::bail!("{} convert Jobs", jobs.len()) };
    let spec = job.spec.as_ref().context("no spec")?;
    same!((spec.completions, spec.parallelism), (Some((DAYS as u64).div_ceil(CHUNK as u64) as i32), Some(4)), "batches, pods at once");
    let mut rows: Vec<(i64, u64)> = (0..DAYS).map(|number| (number, 1 + number.unsigned_abs())).collect();
    check(bed, &dataset, &rows).await?;

    // A day more, and one that was issued again.
    put(bed, &prefix, DAYS, 900).await?;
    put(bed, &prefix, 7, 901).await?;
    let again = dataset.run_again("more").await?;
    let last = again.last_run.as_ref().context("no last run")?;
    same!([last.processed, last.unchanged, last.failed], [2, DAYS as u64 - 1, 1], "a day more and one again");
    rows[7].1 = 901;
    rows.push((DAYS, 900));
    check(bed, &dataset, &rows).await?;

    let before = dataset.objects(&bed.optimised).await?;
    let idle = dataset.run_again("idle").await?;
    let last = idle.last_run.as_ref().context("no last run")?;
    same!([last.processed, last.unchanged, last.failed], [0, DAYS as u64 + 1, 1], "nothing new");
    let after = dataset.objects(&bed.optimised).await?;
    ensure!(before.keys().eq(after.keys()), "objects came or went");
    Ok(())
}
