//! One of the two prefixes is suddenly empty. Under `onSourceDelete: Remove` that may be meant; a person says so.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::same;
use crate::support::archive::basename;
use crate::support::bed::Bed;
use crate::support::books::audit;
use crate::support::dataset::{condition, counts, message};

pub async fn an_emptied_prefix_is_guarded(bed: &Bed) -> Result<()> {
    let (load, files) = (bed.first_load().await?, bed.files().await?);
    let dataset = &load.dataset;
    let (before, objects) = (dataset.status().await?, bed.optimised.list(&dataset.folder()).await?);
    let prefixes = files.prefixes();
    let emptied = prefixes.last().context("no prefix")?;
    bed.archive.delete_below(emptied).await?;
    dataset.edit(&json!({"onSourceDelete": "Remove", "trigger": "emptied"})).await?;

    let guarded = dataset.wait_for("the guard", 60, |_, status| status.guard.is_some() && status.current_run.is_none()).await?;
    let guard = guarded.guard.clone().context("no guard")?;
    same!(guard.reason, "WithdrawalGuard", "reason of the guard");
    same!(condition(&guarded, "Stalled"), "Stalled=True/WithdrawalGuard", "condition");
    let said = message(&guarded, "Stalled");
    ensure!(said.contains(&guard.digest) && said.contains("spec.confirm"), "Stalled does not say what to do: {said}");
    same!(counts(&guarded)[1], counts(&before)[1], "processed");
    same!(dataset.objects(&bed.optimised).await?, objects, "nothing is deleted or written");
    audit(dataset, &bed.optimised).await?;

    // Another digest is no answer; the one that status shows is.
    dataset.edit(&json!({"confirm": "0000000000000000"})).await?;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    same!(dataset.objects(&bed.optimised).await?, objects, "nothing is deleted after a wrong digest");
    dataset.edit(&json!({"confirm": guard.digest})).await?;
    let after = dataset
        .wait_for("the confirmed run", 90, |_, status| {
            status.guard.is_none() && status.current_run.is_none() && condition(status, "Stalled").starts_with("Stalled=False")
        })
        .await?;
    same!(condition(&after, "Ready"), "Ready=True/RunSucceededWithErrors", "condition");
    let books = audit(dataset, &bed.optimised).await?;
    ensure!(books.records.iter().all(|record| !record.key.contains(emptied.as_str())), "records of the emptied prefix are left");
    let place = format!("{}/{}", bed.optimised.name, dataset.folder().trim_end_matches('/'));
    let found: BTreeSet<String> = bed.python.read(&place).await?.pyarrow.rows.into_keys().collect();
    let gone = |key: &str| key.starts_with(emptied.as_str());
    let left: BTreeSet<String> =
        books.records.iter().filter(|record| record.published.is_some()).map(|record| basename(&record.key).to_owned()).collect();
    same!(found, left, "files with rows");
    ensure!(
        files.sound().filter(|file| gone(&file.key)).all(|file| !found.contains(basename(&file.key))),
        "rows of the emptied prefix are left"
    );
    same!(counts(&after)[0], 100, "discovered");
    Ok(())
}
