//! The archive changes, and the dataset of the first load follows: no more is touched than has to be.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use crds::resource::CloudOptimisedDatasetStatus;
use serde_json::json;
use tests::fixtures::{Fault, Mooring};

use crate::same;
use crate::support::archive::{basename, mooring_bytes};
use crate::support::bed::Bed;
use crate::support::books::audit;
use crate::support::bucket::Listing;
use crate::support::dataset::{condition, counts};
use crate::support::python::Readings;

async fn read(bed: &Bed) -> Result<Readings> {
    let dataset = &bed.first_load().await?.dataset;
    bed.python.read(&format!("{}/{}", bed.optimised.name, dataset.folder().trim_end_matches('/'))).await
}

fn last_run(status: &CloudOptimisedDatasetStatus) -> Result<&crds::resource::LastRun> {
    status.last_run.as_ref().context("no last run")
}

/// Keys of objects that came, that went, and that were written again.
fn touched(before: &Listing, after: &Listing) -> [BTreeSet<String>; 3] {
    let came = after.keys().filter(|key| !before.contains_key(*key)).cloned().collect();
    let went = before.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
    let rewritten = before.iter().filter(|(key, was)| after.get(*key).is_some_and(|is| is != *was)).map(|(key, _)| key.clone());
    [came, went, rewritten.collect()]
}

pub async fn nothing_changed_writes_nothing(bed: &Bed) -> Result<()> {
    let dataset = &bed.first_load().await?.dataset;
    let (before, objects) = (dataset.status().await?, dataset.objects(&bed.optimised).await?);
    let after = dataset.run_again("nothing-changed").await?;
    let [discovered, processed, failed] = counts(&before);
    same!(counts(&after), [discovered, processed, failed], "counts of the dataset");
    let last = last_run(&after)?;
    same!([last.discovered, last.processed, last.unchanged, last.failed], [discovered, 0, processed, failed], "counts of the run");
    same!(condition(&after, "Ready"), "Ready=True/RunSucceededWithErrors", "condition");
    same!(dataset.jobs(&last.id, Some("convert")).await?.len(), 0, "convert Jobs");
    same!(dataset.objects(&bed.optimised).await?, objects, "objects, their ETags and times");
    // Held with the reasons they were given.
    let lines = dataset.files_csv(bed, &last.id).await?;
    let held = lines.iter().filter(|line| line.outcome == "failed").map(|line| (line.key.clone(), line.reason.clone())).collect();
    same!(bed.files().await?.reasons(&bed.archive), held, "files that are held, and why");
    same!(lines.iter().filter(|line| line.outcome == "unchanged").count() as u64, processed, "unchanged lines of files.csv");
    audit(dataset, &bed.optimised).await?;
    Ok(())
}

/// How a run works is no reason for one.
pub async fn an_edit_of_parallelism_starts_nothing(bed: &Bed) -> Result<()> {
    let dataset = &bed.first_load().await?.dataset;
    let before = dataset.status().await?;
    let spec = json!({"parallelism": 3, "batching": {"maxFiles": 40}, "worker": {"resources": {"limits": {"memory": "900Mi"}}}});
    let generation = dataset.edit(&spec).await?.metadata.generation;
    let after = dataset.wait_for("the edit", 30, |_, status| status.observed_generation == generation).await?;
    same!((after.last_run, after.current_run), (before.last_run, None), "last run and current run");
    Ok(())
}

/// A newer version whose rows fall in another partition, and a broken file mended.
pub async fn a_replaced_file_moves_and_a_mended_one_comes(bed: &Bed) -> Result<()> {
    let (load, files) = (bed.first_load().await?, bed.files().await?);
    let dataset = &load.dataset;
    let (before, objects, rows) = (dataset.status().await?, dataset.objects(&bed.optimised).await?, read(bed).await?);
    let books = audit(dataset, &bed.optimised).await?;

    let replaced = files.sound().next().context("no sound file")?;
    let newer = Mooring { start: replaced.mooring.start + 2 * 366 * 86_400, rows: 50, ..replaced.mooring.clone() };
    bed.archive.put(&replaced.key, mooring_bytes(&newer)?).await?;
    let mended = files.broken(Fault::Truncated)?;
    bed.archive.put(&mended.key, mooring_bytes(&mended.mooring)?).await?;
    let after = dataset.run_again("replaced-and-mended").await?;

    let [discovered, processed, failed] = counts(&before);
    same!(counts(&after), [discovered, processed + 1, failed - 1], "counts of the dataset");
    let last = last_run(&after)?;
    same!([last.processed, last.unchanged, last.failed], [2, processed - 1, failed - 1], "counts of the run");

    let old: BTreeSet<String> = books.objects_of(&bed.archive.url(&replaced.key))?.into_iter().map(|object| object.key).collect();
    let books = audit(dataset, &bed.optimised).await?;
    let mut new: BTreeSet<String> = BTreeSet::new();
    for key in [&replaced.key, &mended.key] {
        new.extend(books.objects_of(&bed.archive.url(key))?.into_iter().map(|object| object.key));
    }
    let full = |keys: BTreeSet<String>| -> BTreeSet<String> { keys.into_iter().map(|key| format!("{}{key}", dataset.prefix())).collect() };
    let [came, went, rewritten] = touched(&objects, &dataset.objects(&bed.optimised).await?);
    same!(went, full(old), "objects that went: those of the old version");
    same!(came, full(new), "objects that came: those of the new version and of the mended file");
    same!(rewritten, BTreeSet::new(), "other objects that were written again");

    let found = read(bed).await?;
    let mut expected = rows.pyarrow.clone();
    expected.rows.insert(basename(&replaced.key).to_owned(), 50);
    expected.rows.insert(basename(&mended.key).to_owned(), mended.mooring.rows as u64);
    same!(found.pyarrow, expected, "rows by file");
    same!((found.duplicates, found.schemas), (0, 1), "rows that are there twice, and schemas");
    let others = |rows: &Readings| {
        let mut content = rows.content.clone();
        for key in [&replaced.key, &mended.key] {
            content.remove(basename(key));
        }
        content
    };
    same!(others(&found), others(&rows), "rows of all other files");
    Ok(())
}

/// The second file would own the objects of the first: it loses, and the first one's rows stay.
pub async fn a_second_file_of_one_basename_loses(bed: &Bed) -> Result<()> {
    let (load, files) = (bed.first_load().await?, bed.files().await?);
    let dataset = &load.dataset;
    let (before, objects) = (dataset.status().await?, dataset.objects(&bed.optimised).await?);

    let owner = files.sound().nth(2).context("no sound file")?;
    let other = files.prefixes().into_iter().find(|prefix| !owner.key.starts_with(prefix)).context("one prefix only")?;
    let twin = format!("{other}{}", basename(&owner.key));
    let values = Mooring { variant: 4_711, ..owner.mooring.clone() };
    bed.archive.put(&twin, mooring_bytes(&values)?).await?;
    let after = dataset.run_again("two-of-one-name").await?;

    let [discovered, processed, failed] = counts(&before);
    same!(counts(&after), [discovered + 1, processed, failed + 1], "counts of the dataset");
    let group = after.errors.iter().find(|group| group.reason == "BasenameCollision").context("no group BasenameCollision")?;
    same!((group.count, &group.sample_key), (1, &bed.archive.url(&twin)), "the loser");
    ensure!(group.message.contains(&owner.key), "the message does not name the winner: {}", group.message);
    same!(dataset.objects(&bed.optimised).await?, objects, "objects, their ETags and times");
    audit(dataset, &bed.optimised).await?;

    // Without the second file the account is as before.
    bed.archive.delete(&twin).await?;
    same!(counts(&dataset.run_again("one-of-one-name").await?), [discovered, processed, failed], "counts without the second file");
    same!(dataset.objects(&bed.optimised).await?, objects, "objects, their ETags and times");
    audit(dataset, &bed.optimised).await?;
    Ok(())
}
