//! The run protocol on a local folder: stopped after each of its side effects and taken up again,
//! counted after every run.

#![allow(clippy::expect_used)] // tests

mod bed;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use bed::{Bed, changed_source, counts, removing};
use converter::error::StageError;
use converter::failpoint::{FailPoint, FailPoints};
use crds::resource::CloudOptimisedDataset;
use crds::wire::{Digest, FileCounts, OnSourceDelete, Outcome, Reason};

fn sample(path: &Path, month: u32, rows: usize) -> Result<()> {
    let start: jiff::Timestamp = format!("2024-{month:02}-01T00:00:00Z").parse()?;
    tests::fixtures::mooring(path, &tests::fixtures::Mooring::new("SYD140", start.as_second(), rows))
}

#[tokio::test]
async fn a_second_run_over_unchanged_input_does_nothing() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("a/1.nc", 1, 20)?;
    bed.put("b/2.nc", 2, 20)?;
    bed.put_bytes("b/3.nc", b"")?;
    bed.put_bytes("b/readme.txt", b"hello")?;
    let first = bed.run("first").await?;
    assert_eq!(first.files, FileCounts { skipped: 1, ..counts(4, 2, 0, 1) });
    assert_eq!(first.reasons, ["EmptyFile 1"]);
    let objects = bed.objects().await?;
    let parts = bed.head().await?.parts;
    let second = bed.run("second").await?;
    assert_eq!(second.files, FileCounts { skipped: 1, ..counts(4, 0, 2, 1) });
    assert_eq!(second.reasons, ["EmptyFile 1"], "held with its reason");
    assert_eq!((second.totals.processed, second.totals.failed), (2, 1));
    assert_eq!(bed.objects().await?, objects, "no object was touched");
    assert_eq!(bed.head().await?.parts, parts, "no part of the ledger was written again");
    Ok(())
}

#[tokio::test]
async fn a_run_stopped_anywhere_ends_as_if_nothing_had_happened() -> Result<()> {
    bed::stopped_anywhere(|change| Bed::with(change)).await
}

#[tokio::test]
async fn a_commit_that_died_between_head_and_effects_is_finished_by_the_next_run() -> Result<()> {
    for point in
        [FailPoint::CommitHead, FailPoint::CommitCopied, FailPoint::CommitDeleted, FailPoint::CommitSettled, FailPoint::CommitSwept]
    {
        let bed = changed_source(Bed::with(bed::two_a_batch)?).await?;
        assert!(bed.attempt("second", 0, FailPoints::stop_at(point)).await.is_err());
        let next = bed.run("third").await?;
        assert_eq!((next.files.processed, next.files.unchanged, next.files.failed), (0, 3, 1), "{point}");
    }
    Ok(())
}

#[tokio::test]
async fn the_first_commit_publishes_the_sidecar_last() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 20)?;
    let sidecar = bed.out().join("mooring_temperature_demo.parquet/_common_metadata");
    assert!(bed.attempt("first", 0, FailPoints::stop_at(FailPoint::CommitCopied)).await.is_err());
    assert!(!sidecar.exists());
    assert!(bed.attempt("first", 0, FailPoints::stop_at(FailPoint::CommitSidecar)).await.is_err());
    assert!(sidecar.exists());
    let digest = bed.attempt("first", 0, FailPoints::none()).await?;
    assert_eq!(bed.check(&digest).await?.files, counts(1, 1, 0, 0));
    Ok(())
}

#[tokio::test]
async fn a_batch_that_never_reports_is_fenced_and_comes_back_in_smaller_batches() -> Result<()> {
    let bed = Bed::with(|resource| resource.spec.batching.get_or_insert_default().max_files = Some(4))?;
    for index in 0..8 {
        bed.put(&format!("{index}.nc"), 1, 10)?;
    }
    let context = bed.context("first", 0, FailPoints::none())?;
    let plan = converter::plan::plan(&context).await?;
    assert_eq!(plan.batches, 2);
    converter::convert::convert(&context, &plan, 0).await?;
    let digest = converter::commit::commit(&context, &plan).await?;
    let first = bed.check(&digest).await?;
    assert_eq!(first.files, counts(8, 4, 0, 4));
    assert_eq!(first.reasons, ["NotReached 4"]);

    // A late pod of the fenced batch finds its verdict and adds nothing.
    let late = converter::convert::convert(&context, &plan, 1).await?;
    assert!(late.fence && late.files.iter().all(|file| file.outcome == Outcome::Failed));

    let context = bed.context("second", 0, FailPoints::none())?;
    assert_eq!(converter::plan::plan(&context).await?.batch_files, [1, 1, 1, 1]);
    let second = bed.run("second").await?;
    assert_eq!(second.files, counts(8, 4, 4, 0));
    Ok(())
}

#[tokio::test]
async fn a_file_that_kills_its_process_is_quarantined_alone() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    bed.put("2.nc", 1, 10)?;
    // The second attempt dies at its first file, breadcrumb written.
    assert!(bed.attempt("first", 1, FailPoints::stop_at(FailPoint::ConvertCrumb)).await.is_err());
    let digest = bed.attempt("first", 2, FailPoints::none()).await?;
    let finished = bed.check(&digest).await?;
    assert_eq!((finished.files, finished.reasons), (counts(2, 1, 0, 1), vec!["Quarantined 1".to_owned()]));
    let held = bed.run("second").await?;
    assert_eq!(held.files, counts(2, 0, 1, 1));
    bed.put("1.nc", 2, 10)?;
    assert_eq!(bed.run("third").await?.files, counts(2, 1, 1, 0), "mended, it is converted");
    Ok(())
}

#[tokio::test]
async fn twins_count_once() -> Result<()> {
    let bed = changed_source(Bed::with(bed::two_a_batch)?).await?;
    let (one, other) = (bed.context("second", 0, FailPoints::none())?, bed.context("second", 0, FailPoints::none())?);
    let (plan, same) = tokio::join!(converter::plan::plan(&one), converter::plan::plan(&other));
    let (plan, same) = (plan?, same?);
    assert_eq!(plan, same, "one plan wins");
    for index in 0..plan.batches {
        let (a, b) = tokio::join!(converter::convert::convert(&one, &plan, index), converter::convert::convert(&other, &plan, index));
        assert_eq!(a?, b?, "one manifest wins");
    }
    let (a, b) = tokio::join!(converter::commit::commit(&one, &plan), converter::commit::commit(&other, &plan));
    let digests: Vec<Digest> = [a, b].into_iter().flatten().collect();
    assert!(!digests.is_empty());
    for digest in digests {
        assert_eq!(bed.check(&digest).await?.files, FileCounts { withdrawn: 1, ..counts(4, 2, 1, 1) });
    }
    Ok(())
}

#[tokio::test]
async fn a_run_that_was_overtaken_changes_nothing() -> Result<()> {
    let bed = changed_source(Bed::with(bed::two_a_batch)?).await?;
    let slow = bed.context("slow", 0, FailPoints::none())?;
    let plan = converter::plan::plan(&slow).await?;
    for index in 0..plan.batches {
        converter::convert::convert(&slow, &plan, index).await?;
    }
    bed.run("fast").await?;
    let objects = bed.objects().await?;
    let lost = converter::commit::commit(&slow, &plan).await;
    assert!(matches!(&lost, Err(error) if error.reason() == Reason::LedgerSwapLost), "{lost:?}");
    assert_eq!(bed.objects().await?, objects);
    Ok(())
}

#[tokio::test]
async fn equal_basenames_have_one_owner() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("b/1.nc", 1, 10)?;
    bed.run("first").await?;
    let objects = bed.objects().await?;
    bed.put("a/1.nc", 1, 99)?;
    let collided = bed.run("second").await?;
    assert_eq!((collided.files, collided.reasons), (counts(2, 0, 1, 1), vec!["BasenameCollision 1".to_owned()]));
    assert_eq!(bed.objects().await?, objects, "the owner's rows are untouched");
    bed.remove("b/1.nc")?;
    let moved = bed.run("third").await?;
    assert_eq!(moved.files, FileCounts { withdrawn: 1, ..counts(1, 1, 0, 0) }, "a withdrawn owner gives way");
    assert_eq!(moved.totals.rows, 99);
    Ok(())
}

#[tokio::test]
async fn withdrawn_files_are_kept_or_removed_and_guarded() -> Result<()> {
    let mut bed = Bed::new()?;
    for index in 0..4 {
        bed.put(&format!("{index}.nc"), 1, 10)?;
    }
    bed.run("first").await?;
    bed.remove("0.nc")?;
    let kept = bed.run("second").await?;
    assert_eq!(kept.files, FileCounts { withdrawn: 1, ..counts(3, 0, 3, 0) });
    assert_eq!((kept.totals.withdrawn, kept.totals.rows), (1, 40));

    bed.respecify(|resource| resource.spec.on_source_delete = Some(OnSourceDelete::Remove))?;
    bed.remove("1.nc")?;
    let objects = bed.objects().await?;
    let Err(StageError::Guard { reason, confirm: Some(digest), .. }) = bed.attempt("third", 0, FailPoints::none()).await else {
        panic!("one of three live files is more than a tenth")
    };
    assert_eq!(reason, Reason::WithdrawalGuard);
    assert_eq!(bed.objects().await?, objects, "nothing deleted");
    bed.document.confirm = Some(digest);
    let removed = bed.run("fourth").await?;
    assert_eq!((removed.files.withdrawn, removed.totals.rows), (1, 30), "the confirmed one goes, the one kept before stays");

    bed.put("1.nc", 1, 10)?;
    bed.put("0.nc", 1, 12)?;
    assert_eq!(bed.run("fifth").await?.files, counts(4, 2, 2, 0), "what returns is converted");
    for index in 0..4 {
        bed.remove(&format!("{index}.nc"))?;
    }
    let emptied = bed.attempt("sixth", 0, FailPoints::none()).await;
    assert!(matches!(emptied, Err(StageError::Guard { reason: Reason::WithdrawalGuard, .. })));
    Ok(())
}

#[tokio::test]
async fn a_newer_version_that_fails_leaves_the_older_one_published() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    bed.run("first").await?;
    let (path, kept) = (bed.archive().join("1.nc"), bed.archive().with_file_name("kept"));
    std::fs::rename(&path, &kept)?;
    bed.put_bytes("1.nc", b"CDF\x01 and then nothing")?;
    let failed = bed.run("second").await?;
    assert_eq!(failed.files, counts(1, 0, 0, 1));
    assert_eq!((failed.totals.rows, failed.totals.processed, failed.totals.failed), (10, 0, 1));
    assert_eq!(bed.run("third").await?.files, counts(1, 0, 0, 1), "held");
    std::fs::rename(kept, &path)?;
    let back = bed.run("back").await?;
    assert_eq!((back.files, back.totals.processed, back.totals.failed), (counts(1, 0, 1, 0), 1, 0), "taken back");
    bed.remove("1.nc")?;
    bed.put("1.nc", 1, 11)?;
    assert_eq!(bed.run("fourth").await?.totals.rows, 11);
    Ok(())
}

#[tokio::test]
async fn a_dataset_has_one_owner_and_one_layout() -> Result<()> {
    let mut bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    bed.run("first").await?;
    let guarded = async |bed: &Bed, run: &str| match bed.attempt(run, 0, FailPoints::none()).await {
        Err(StageError::Guard { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let owner = std::mem::replace(&mut bed.document.owner, "somebody/else".into());
    assert_eq!(guarded(&bed, "stolen").await, Reason::OwnerConflict);
    bed.document.take_over = Some(owner.clone());
    bed.run("taken-over").await?;
    bed.document.owner = owner;
    bed.document.take_over = Some("somebody/else".into());
    bed.run("taken-back").await?;

    let by_year = |resource: &mut CloudOptimisedDataset| {
        let text = resource.spec.config.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        resource.spec.config = Some(serde_json::Value::String(text.replace("\"partition_period\": \"M\"", "\"partition_period\": \"Y\"")));
    };
    bed.respecify(by_year)?;
    assert_eq!(guarded(&bed, "relaid").await, Reason::LayoutConflict);
    bed.document.rebuild = Some("now by year".into());
    let before: Vec<String> = bed.objects().await?.into_keys().collect();
    let rebuilt = bed.run("rebuilt").await?;
    assert_eq!((rebuilt.files, rebuilt.totals.rows), (counts(1, 1, 0, 0), 10));
    let after: Vec<String> = bed.objects().await?.into_keys().collect();
    assert!(before.iter().all(|key| !after.contains(key)) || before == after, "{before:?} {after:?}");
    assert_eq!(bed.run("again").await?.files, counts(1, 0, 1, 0));
    Ok(())
}

#[tokio::test]
async fn a_folder_that_no_ledger_knows_is_left_alone() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    let foreign = bed.out().join("mooring_temperature_demo.parquet/precious.parquet");
    std::fs::create_dir_all(foreign.parent().expect("a parent"))?;
    std::fs::write(&foreign, b"somebody's")?;
    let refused = bed.attempt("first", 0, FailPoints::none()).await;
    assert!(matches!(refused, Err(StageError::Guard { reason: Reason::NotAdopted, .. })), "{refused:?}");
    assert_eq!(std::fs::read(foreign)?, b"somebody's");
    Ok(())
}

#[tokio::test]
async fn new_attributes_rewrite_the_sidecar_only() -> Result<()> {
    let mut bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    bed.run("first").await?;
    let objects = bed.objects().await?;
    let sidecar = bed.out().join("mooring_temperature_demo.parquet/_common_metadata");
    let before = std::fs::read(&sidecar)?;
    bed.respecify(|resource| {
        let text = resource.spec.config.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        let text = text.replacen("\"standard_name\": \"time\"", "\"standard_name\": \"time\", \"comment\": \"said anew\"", 1);
        assert!(text.contains("said anew"));
        resource.spec.config = Some(serde_json::Value::String(text));
    })?;
    assert_eq!(bed.run("second").await?.files, counts(1, 0, 1, 0));
    assert_ne!(std::fs::read(&sidecar)?, before);
    assert_eq!(bed.objects().await?, objects);
    Ok(())
}

#[tokio::test]
async fn hostile_names_are_data() -> Result<()> {
    let bed = Bed::new()?;
    let names = ["a b+c.nc", "per%20cent.nc", "new\nline.nc", "quote'\".nc", "ünï.nc", "semi;colon=equals.nc"];
    for name in names {
        bed.put("plain.nc", 1, 5)?;
        std::fs::rename(bed.archive().join("plain.nc"), bed.archive().join(name))?;
    }
    for garbled in [&b"caf\xe8.nc"[..], b"caf\xe9.nc"] {
        std::fs::write(bed.archive().join(std::ffi::OsStr::from_bytes(garbled)), b"whatever")?;
    }
    bed.put(&format!("{}.nc", "long".repeat(61)), 1, 5)?;
    for run in ["first", "second"] {
        let finished = bed.run(run).await?;
        assert_eq!(finished.files.discovered, names.len() as u64 + 3);
        assert_eq!(finished.files.processed + finished.files.unchanged, names.len() as u64 - 1, "{:?}", finished.reasons);
        assert_eq!((finished.reasons, finished.totals.failed), (vec!["HostileKey 4".to_owned()], 4));
    }
    Ok(())
}

#[tokio::test]
async fn a_token_counts_once_and_only_while_it_is_there() -> Result<()> {
    let mut bed = Bed::new()?;
    bed.put("1.nc", 1, 10)?;
    bed.run("first").await?;
    bed.document.rebuild = Some("again".into());
    assert_eq!(bed.run("rebuilt").await?.files, counts(1, 1, 0, 0));
    assert_eq!(bed.run("same token").await?.files, counts(1, 0, 1, 0));
    bed.document.rebuild = None;
    assert_eq!(bed.run("taken away").await?.files, counts(1, 0, 1, 0));
    Ok(())
}

#[tokio::test]
async fn a_rebuild_that_would_lose_rows_is_not_published() -> Result<()> {
    let mut bed = Bed::with(|resource| resource.spec.failure_budget = None)?;
    bed.put("1.nc", 1, 10)?;
    bed.put("2.nc", 1, 10)?;
    bed.run("first").await?;
    let objects = bed.objects().await?;
    bed.respecify(|resource| {
        let text = resource.spec.config.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        resource.spec.config = Some(serde_json::Value::String(text.replace("\"partition_period\": \"M\"", "\"partition_period\": \"Q\"")));
        resource.spec.rebuild = Some("by quarter".into());
        resource.spec.failure_budget = None;
    })?;
    let context = bed.context("second", 0, FailPoints::none())?;
    let plan = converter::plan::plan(&context).await?;
    assert!(plan.relayout);
    // No batch was converted: every file is NotReached.
    let refused = converter::commit::commit(&context, &plan).await;
    assert!(matches!(refused, Err(StageError::Guard { reason: Reason::BudgetExceeded, .. })), "{refused:?}");
    assert_eq!(bed.objects().await?, objects);
    assert_eq!(bed.run("third").await?.files, counts(2, 2, 0, 0));
    Ok(())
}

#[tokio::test]
async fn files_of_one_name_never_share_an_object() -> Result<()> {
    let bed = Bed::new()?;
    bed.put("a/f.nc", 1, 10)?;
    bed.put("b/f.nc", 5, 10)?;
    bed.run("first").await?;
    bed.put("a/f.nc", 5, 11)?;
    bed.put("b/f.nc", 5, 12)?;
    let both = bed.run("second").await?;
    assert_eq!((both.files, both.totals.rows), (counts(2, 1, 0, 1), 22), "a keeps its January, b has its May");
    Ok(())
}

#[tokio::test]
async fn what_failed_and_was_taken_back_counts_once() -> Result<()> {
    let mut bed = Bed::with(|resource| resource.spec.failure_budget = None)?;
    bed.put("1.nc", 1, 10)?;
    bed.run("first").await?;
    let config = bed.document.config.clone();
    bed.document.hashes.content = "an edit".into();
    bed.document.config["schema"]["TEMP"]["type"] = "int32".into();
    let failed = bed.run("second").await?;
    assert_eq!((failed.totals.processed, failed.totals.failed, failed.totals.rows), (0, 1, 10), "{:?}", failed.reasons);
    bed.respecify(|resource| resource.spec.failure_budget = None)?;
    bed.document.config = config;
    let back = bed.run("third").await?;
    assert_eq!((back.totals.processed, back.totals.failed, back.totals.rows), (1, 0, 10));
    Ok(())
}

#[tokio::test]
async fn a_moved_file_is_not_missed_until_it_has_arrived() -> Result<()> {
    let bed = Bed::with(removing)?;
    bed.put("old/1.nc", 1, 10)?;
    bed.put("old/2.nc", 1, 10)?;
    bed.run("first").await?;
    std::fs::create_dir(bed.archive().join("new"))?;
    bed.remove("old/1.nc")?;
    bed.put_bytes("new/1.nc", b"not yet written in full, by the look of it")?;
    let waiting = bed.run("second").await?;
    assert_eq!((waiting.files.failed, waiting.totals.rows), (1, 20), "the rows stay");
    bed.put("new/1.nc", 1, 10)?;
    let moved = bed.run("third").await?;
    assert_eq!((moved.files, moved.totals.rows, moved.totals.withdrawn), (counts(2, 1, 1, 0), 20, 0));
    Ok(())
}
