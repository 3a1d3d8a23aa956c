//! The books over several runs, on a local folder: what runs ask for, and what they say of files that moved, left,
//! collided or failed.

#![allow(clippy::expect_used)] // tests

mod bed;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context as _, Result};
use bed::{Bed, costs, counts};
use converter::failpoint::FailPoints;
use crds::wire::{FileCounts, OnSourceDelete, Outcome, Reason, Report};

fn sample(path: &Path, month: u32, rows: usize) -> Result<()> {
    let start: jiff::Timestamp = format!("2024-{month:02}-01T00:00:00Z").parse()?;
    tests::fixtures::mooring(path, &tests::fixtures::Mooring::new("SYD140", start.as_second(), rows))
}

#[tokio::test]
async fn a_file_costs_one_get_and_an_object_one_put_and_one_copy() -> Result<()> {
    costs::of_files(|change| Bed::with(change)).await
}

#[tokio::test]
async fn a_run_that_has_nothing_to_do_publishes_nothing() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    let (_, first) = costs::run(&bed, "first").await?;
    assert_eq!(first.destination.copy, 2, "an object and the sidecar");
    let sidecar = bed.out().join("mooring_temperature_demo.parquet/_common_metadata");
    let before = std::fs::metadata(&sidecar)?;
    let (files, idle) = costs::run(&bed, "second").await?;
    assert_eq!((files, idle.source.get, idle.destination.copy, idle.destination.head), (counts(1, 0, 1, 0), 0, 0, 0));
    bed.put("2.nc", 1, 10)?;
    let (_, third) = costs::run(&bed, "third").await?;
    assert_eq!(third.destination.copy, 1, "the object alone");
    let after = std::fs::metadata(&sidecar)?;
    assert_eq!((after.ino(), after.mtime_nsec()), (before.ino(), before.mtime_nsec()), "the sidecar was left in peace");
    Ok(())
}

/// Ledger and report go by keys, and the files of a batch end as they may.
#[tokio::test]
async fn a_file_that_takes_long_keeps_its_place() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 300_000)?;
    let small = ["2.nc", "3.nc", "4.nc", "5.nc"];
    for (month, name) in (2..).zip(small) {
        bed.put(name, month, 10)?;
    }
    assert_eq!(bed.run("first").await?.files, counts(5, 5, 0, 0));
    let keys: Vec<String> = bed.ledger().await?.into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["1.nc", "2.nc", "3.nc", "4.nc", "5.nc"]);
    assert_eq!(bed.run("second").await?.files, counts(5, 0, 5, 0));
    Ok(())
}

#[tokio::test]
async fn a_newer_version_that_fails_says_that_the_older_one_stays() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    bed.run("first").await?;
    let published = bed.ledger().await?.remove(0).published.context("published")?;
    bed.put_bytes("1.nc", b"CDF\x01 and then nothing")?;
    for run in ["second", "held"] {
        let failed = bed.run(run).await?;
        assert_eq!((failed.files, failed.totals.rows), (counts(1, 0, 0, 1), 10));
        let record = bed.ledger().await?.remove(0);
        assert_eq!(record.published.as_ref(), Some(&published));
        let context = bed.context(run, 0, FailPoints::none())?;
        let report: Report = serde_json::from_slice(&context.destination.get(&context.layout.report(run)).await?)?;
        let (told, kept) = (report.file_results[0].message.clone(), record.last.message);
        assert_eq!(told, kept, "{run}");
        let said = format!("the version that was converted before stays published (10 rows, ETag {})", published.etag);
        assert_eq!(told.context("a message")?.matches(&said).count(), 1, "{run}");
    }
    Ok(())
}

#[tokio::test]
async fn equal_names_collide_only_at_the_same_object() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("a/1.nc", 1, 10)?;
    bed.put("b/1.nc", 3, 11)?;
    assert_eq!(bed.run("apart").await?.totals.rows, 21, "January and March are different objects");
    bed.put("c/1.nc", 3, 12)?;
    for run in ["collided", "again"] {
        let collided = bed.run(run).await?;
        assert_eq!((collided.files, collided.totals.rows), (counts(3, 0, 2, 1), 21), "{run}");
        assert_eq!(collided.reasons, ["BasenameCollision 1"]);
        let loser = bed.ledger().await?.pop().context("a record")?;
        assert_eq!((loser.key.as_str(), loser.last.outcome, loser.last.attempts), ("c/1.nc", Outcome::Failed, 0), "not held");
        assert_eq!((loser.last.reason, loser.published), (Some(Reason::BasenameCollision), None));
    }
    bed.put("b/1.nc", 5, 11)?;
    assert_eq!(bed.run("freed").await?.totals.rows, 33, "who finds the place free takes it");
    Ok(())
}

#[tokio::test]
async fn a_file_that_moved_is_converted_again_and_nobody_has_to_confirm() -> Result<()> {
    let bed = Bed::with(|resource| {
        resource.spec.on_source_delete = Some(OnSourceDelete::Remove);
        resource.spec.max_withdrawn_percent = Some(10);
    })?;
    bed.put("old/1.nc", 1, 10)?;
    bed.put("old/2.nc", 1, 10)?;
    bed.run("first").await?;
    let keys: Vec<String> = bed.objects().await?.into_keys().collect();
    for name in ["1.nc", "2.nc"] {
        bed.remove(&format!("old/{name}"))?;
        bed.put(&format!("new/{name}"), 1, 10)?;
    }
    let moved = bed.run("moved").await?;
    assert_eq!(FileCounts { withdrawn: 0, ..moved.files }, counts(2, 2, 0, 0));
    assert_eq!((moved.totals.rows, moved.totals.withdrawn), (20, 0));
    assert_eq!(bed.objects().await?.into_keys().collect::<Vec<_>>(), keys);
    assert!(bed.ledger().await?.iter().all(|record| record.key.starts_with("new/")));
    Ok(())
}

#[tokio::test]
async fn what_left_stays_under_keep_and_goes_under_remove() -> Result<()> {
    for (policy, rows, withdrawn) in [(OnSourceDelete::Keep, 20, 1), (OnSourceDelete::Remove, 10, 0)] {
        let bed = Bed::with(|resource| {
            resource.spec.on_source_delete = Some(policy);
            resource.spec.max_withdrawn_percent = Some(50);
        })?;
        bed.put("1.nc", 1, 10)?;
        bed.put("2.nc", 1, 10)?;
        bed.run("first").await?;
        bed.remove("2.nc")?;
        let left = bed.run("second").await?;
        assert_eq!(left.files, FileCounts { withdrawn: 1, ..counts(1, 0, 1, 0) });
        assert_eq!((left.totals.rows, left.totals.withdrawn), (rows, withdrawn), "{policy:?}");
        assert_eq!(bed.objects().await?.len() as u64, left.totals.objects);
    }
    Ok(())
}
