//! The books over several runs, on a local folder: what runs ask for, and what they say of files that moved, left,
//! collided or failed.

#![allow(clippy::expect_used)] // tests

mod bed;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use bed::{Bed, costs, counts};
use converter::failpoint::FailPoints;
use crds::resource::CloudOptimisedDataset;
use crds::wire::{Digest, FileCounts, OnSourceDelete, Outcome, PartRef, Reason, Report};

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

/// Keys and outcomes of the lines of `files.csv`, none of which has a quoted field.
async fn lines(bed: &Bed, run: &str) -> Result<Vec<(String, String)>> {
    let context = bed.context(run, 0, FailPoints::none())?;
    let text = String::from_utf8(context.destination.get(&context.layout.files_csv(run)).await?.to_vec())?;
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    text.lines().skip(1).map(fields).map(|line| Ok((line[0].clone(), line.get(2).context("an outcome")?.clone()))).collect()
}

/// What a run costs does not grow with what it leaves alone.
#[tokio::test]
async fn parts_of_the_ledger_that_nothing_falls_into_are_not_read() -> Result<()> {
    let mut bed = Bed::new()?;
    bed.part_records = 1_000;
    bed.put("f0000.nc", 1, 10)?;
    let body = std::fs::read(bed.archive().join("f0000.nc"))?;
    for file in 1..2_300 {
        bed.put_bytes(&format!("f{file:04}.nc"), &body)?;
    }
    assert_eq!(bed.run("first").await?.files, counts(2_300, 2_300, 0, 0));
    let parts = bed.head().await?.parts;
    assert_eq!(parts.iter().map(|part| part.records).collect::<Vec<_>>(), [1_000, 650, 650]);
    assert!(parts.iter().all(|part| part.seal.is_some()));

    bed.put("f0500.nc", 2, 20)?;
    bed.put("f0500+.nc", 2, 20)?;
    bed.remove("f2100.nc")?;
    bed.put_bytes("f2200.nc", b"CDF\x01 and then nothing")?;
    let untouched = bed.out().join(&parts[1].key);
    let aside = untouched.with_extension("aside");
    std::fs::rename(&untouched, &aside)?;
    let digest = bed.attempt("second", 0, FailPoints::none()).await?;
    std::fs::rename(&aside, &untouched)?;
    let second = bed.check(&digest).await?;
    assert_eq!(second.files, FileCounts { withdrawn: 1, ..counts(2_300, 2, 2_297, 1) });
    assert_eq!((second.totals.rows, second.totals.objects), (2_299 * 10 + 40, 2_301), "the broken and the withdrawn stay published");
    let told = lines(&bed, "second").await?;
    assert!(told.is_sorted_by(|one, next| one.0 < next.0), "each file once, by key");
    for (outcome, expected) in [("processed", 2), ("unchanged", 2_297), ("failed", 1), ("withdrawn", 1)] {
        assert_eq!(told.iter().filter(|line| line.1 == outcome).count(), expected, "{outcome}");
    }
    let parts = bed.head().await?.parts;
    let sealed: Vec<(u64, bool)> = parts.iter().map(|part| (part.records, part.seal.is_some())).collect();
    assert_eq!(sealed, [(501, true), (500, true), (650, true), (650, false)], "what is withdrawn or failed is looked at in each run");

    for part in &parts[..3] {
        std::fs::remove_file(bed.out().join(&part.key))?;
    }
    let digest = bed.attempt("idle", 0, FailPoints::none()).await?;
    let Digest::Commit { files, totals, .. } = digest else { anyhow::bail!("{digest:?}") };
    assert_eq!((files, totals), (counts(2_300, 0, 2_299, 1), second.totals), "none of them was needed");
    assert_eq!(lines(&bed, "idle").await?.len(), 2_300);
    Ok(())
}

/// Each run that changes a part leaves its lines elsewhere, and yet the lines of all are not asked for one by one.
#[tokio::test]
async fn lines_that_lie_in_many_places_are_gathered() -> Result<()> {
    const FILES: u64 = 60;
    let bed = Bed::new()?;
    for file in 0..FILES {
        bed.put(&format!("{file:02}.nc"), 1, 10)?;
    }
    bed.run("first").await?;
    let (_, first) = costs::run(&bed, "idle").await?;
    let mut most = first.destination.get;
    for change in 0..14 {
        bed.put(&format!("{:02}.nc", change * 4), 2, 20)?;
        assert_eq!(bed.run(&format!("change-{change}")).await?.files, counts(FILES, 1, FILES - 1, 0));
        let idle = format!("idle-{change}");
        let (files, cost) = costs::run(&bed, &idle).await?;
        assert_eq!(files, counts(FILES, 0, FILES, 0));
        most = most.max(cost.destination.get);
        let told = lines(&bed, &idle).await?;
        assert!(told.iter().all(|line| line.1 == "unchanged"));
        assert_eq!(
            told.iter().map(|line| line.0.clone()).collect::<Vec<_>>(),
            (0..FILES).map(|file| format!("{file:02}.nc")).collect::<Vec<_>>()
        );
    }
    assert!(most > first.destination.get && most <= first.destination.get + 8, "{most}, {} at first", first.destination.get);
    // What nothing refers to goes after a day, and nothing else.
    let ledger = bed.out().join("_cod/mooring_temperature_demo.parquet/ledger");
    let objects = || -> Result<Vec<_>> {
        let folders = std::fs::read_dir(&ledger)?.map(|folder| Ok(std::fs::read_dir(folder?.path())?.collect::<Result<Vec<_>, _>>()?));
        Ok(folders.collect::<Result<Vec<_>>>()?.into_iter().flatten().map(|entry| entry.path()).collect())
    };
    let before = objects()?;
    for path in &before {
        std::fs::File::options().append(true).open(path)?.set_modified(SystemTime::now() - Duration::from_hours(48))?;
    }
    bed.run("swept").await?;
    let parts = bed.head().await?.parts;
    let lines = parts.iter().filter_map(|part| Some(&part.seal.as_ref()?.lines.as_ref()?.key));
    let named: BTreeSet<_> = parts.iter().map(|part| &part.key).chain(lines).map(|key| bed.out().join(key)).collect();
    assert_eq!(objects()?.into_iter().collect::<BTreeSet<_>>(), named);
    assert!(before.len() > named.len());
    Ok(())
}

type Change = fn(&mut CloudOptimisedDataset);

#[tokio::test]
async fn a_seal_says_nothing_of_what_a_run_asks_anew() -> Result<()> {
    let mut bed = Bed::new()?;
    for month in 1..4 {
        bed.put(&format!("{month}.nc"), month, 10)?;
    }
    bed.run("first").await?;
    let rebuild: Change = |resource| resource.spec.rebuild = Some("token".to_owned());
    let cases: [(&str, Change, FileCounts); 7] = [
        ("nothing", |_| (), counts(3, 0, 3, 0)),
        (
            "an age that none has",
            |resource| resource.spec.source.get_or_insert_default().min_age_seconds = Some(1_000_000),
            FileCounts { skipped: 3, ..counts(3, 0, 0, 0) },
        ),
        (
            "fewer files",
            |resource| resource.spec.source.get_or_insert_default().filter = vec!["[12].nc".to_owned()],
            FileCounts { withdrawn: 1, ..counts(2, 0, 2, 0) },
        ),
        ("all again", |_| (), counts(3, 0, 3, 0)),
        ("all anew", rebuild, counts(3, 3, 0, 0)),
        ("the same token", rebuild, counts(3, 0, 3, 0)),
        ("no token", |_| (), counts(3, 0, 3, 0)),
    ];
    for (number, (what, change, expected)) in cases.into_iter().enumerate() {
        bed.respecify(change)?;
        assert_eq!(bed.run(&format!("case-{number}")).await?.files, expected, "{what}");
    }
    bed.put("1.nc", 1, 20)?;
    assert_eq!(bed.run("changed").await?.files, counts(3, 1, 2, 0));
    assert!(bed.head().await?.parts.iter().all(|part| part.seal.is_some()), "files of two tokens are sealed together");
    bed.respecify(rebuild)?;
    assert_eq!(bed.run("token").await?.files, counts(3, 1, 2, 0), "the one that was converted without it");

    // What a part's lines say stands in the part too.
    let lines_of = |part: PartRef| part.seal.and_then(|seal| seal.lines).map(|lines| lines.key).context("lines");
    let objects: BTreeSet<String> = bed.head().await?.parts.into_iter().map(lines_of).collect::<Result<_>>()?;
    for object in objects {
        std::fs::remove_file(bed.out().join(object))?;
    }
    bed.put("4.nc", 4, 10)?;
    assert_eq!(bed.run("without lines").await?.files, counts(4, 1, 3, 0));
    assert_eq!(lines(&bed, "without lines").await?.len(), 4);

    bed.document.hashes.content = "an edit".to_owned();
    assert_eq!(bed.run("edited").await?.files, counts(4, 4, 0, 0));
    Ok(())
}

#[tokio::test]
async fn files_that_are_no_input_open_no_part() -> Result<()> {
    let bed = Bed::new()?;
    for number in 0..6 {
        bed.put(&format!("{number}.nc"), 1, 10)?;
    }
    bed.run("first").await?;
    for key in ["0.txt", "0/a.png", "1.nc.md5", "3.txt", "9.txt"] {
        bed.put_bytes(key, b"no input")?;
    }
    let parts = bed.head().await?.parts;
    assert_eq!(parts.len(), 3);
    for part in &parts {
        std::fs::rename(bed.out().join(&part.key), bed.out().join(&part.key).with_extension("aside"))?;
    }
    let digest = bed.attempt("idle", 0, FailPoints::none()).await?;
    let Digest::Commit { files, totals, .. } = digest else { anyhow::bail!("{digest:?}") };
    assert_eq!(files, FileCounts { skipped: 5, ..counts(11, 0, 6, 0) });
    assert_eq!((totals.processed, totals.skipped), (6, 5));
    let mut told = lines(&bed, "idle").await?;
    told.sort();
    assert_eq!(told.iter().filter(|line| line.1 == "skipped").count(), 5);
    assert!(told.len() == 11 && told.windows(2).all(|two| two[0].0 != two[1].0), "{told:?}");
    for part in &parts {
        std::fs::rename(bed.out().join(&part.key).with_extension("aside"), bed.out().join(&part.key))?;
    }
    bed.put("3.nc", 2, 20)?;
    bed.remove("5.nc")?;
    let changed = bed.run("changed").await?;
    assert_eq!(changed.files, FileCounts { skipped: 5, withdrawn: 1, ..counts(10, 1, 4, 0) });
    Ok(())
}
