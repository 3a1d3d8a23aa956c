//! The access key is wrong: the condition says which bucket and what was tried. The Secret is mended: no more is needed.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::same;
use crate::support::bed::{Bed, READER, WRITER};
use crate::support::books::audit;
use crate::support::dataset::{Dataset, condition, counts, message};
use crate::support::resource::{config, manifest};

/// 25 files of one station, one of them empty.
const FEW: &str = "-00[0-4][0-9]\\.nc$";

pub async fn a_wrong_key_is_named_and_a_mended_secret_is_enough(bed: &Bed) -> Result<()> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace("access").await?;
    let mut manifest = manifest(bed, &namespace, "access", &config(bed, &prefixes[1..])?);
    manifest["spec"]["source"]["filter"] = json!([FEW]);
    let dataset = Dataset::apply(bed, &manifest).await?;
    let first = dataset.first_run(60).await?;
    same!(counts(&first), [25, 24, 1], "discovered, processed, failed");

    for (secret, type_, bucket, operations) in [
        (READER, "SourceReachable", &bed.archive.name, &["ListObjectsV2"][..]),
        (WRITER, "DestinationReachable", &bed.optimised.name, &["PutObject", "ListObjectsV2", "GetObject"]),
    ] {
        let (before, objects) = (dataset.status().await?, bed.optimised.list(&dataset.prefix()).await?);
        bed.set_secret(&namespace, secret, "this-is-not-the-key").await?;
        dataset.edit(&json!({"trigger": secret})).await?;
        let denied = format!("{type_}=False/AccessDenied");
        let status = dataset.wait_for(&denied, 60, |_, status| condition(status, type_) == denied).await?;
        for said in [message(&status, type_), message(&status, "Stalled"), message(&status, "Ready")] {
            ensure!(said.contains(bucket.as_str()), "no bucket {bucket} in {said}");
            ensure!(operations.iter().any(|operation| said.contains(operation)), "none of {operations:?} in {said}");
            ensure!(!said.contains(&bed.surroundings.access_key), "the access key is told to everybody: {said}");
        }
        same!(condition(&status, "Stalled"), "Stalled=True/AccessDenied", "condition");
        same!((status.files, status.rows, status.last_run), (before.files, before.rows, before.last_run), "the rest of status");
        same!(dataset.objects(&bed.optimised).await?, in_folder(&dataset, &objects), "objects");
        let heads = |listing: &crate::support::bucket::Listing| listing.keys().filter(|key| key.contains("/head/")).count();
        same!(heads(&bed.optimised.list(&dataset.prefix()).await?), heads(&objects), "heads");

        bed.set_secret(&namespace, secret, &bed.surroundings.secret_key).await?;
        let after = dataset.triggered(secret).await?;
        same!(condition(&after, type_).split('/').next(), Some(format!("{type_}=True").as_str()), "condition");
        same!(condition(&after, "Stalled"), "Stalled=False/Progressing", "condition");
        same!(condition(&after, "Ready"), "Ready=True/RunSucceededWithErrors", "condition");
        let last = after.last_run.as_ref().context("no last run")?;
        same!([last.processed, last.unchanged, last.failed], [0, 24, 1], "counts of the run");
        audit(&dataset, &bed.optimised).await?;
    }
    Ok(())
}

/// A Secret that is not there: pods cannot start, and the condition says what they wait for.
pub async fn a_missing_secret_is_named_and_making_it_is_enough(bed: &Bed) -> Result<()> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace("secret").await?;
    let mut manifest = manifest(bed, &namespace, "secret", &config(bed, &prefixes[1..])?);
    manifest["spec"]["source"]["filter"] = json!([FEW]);
    manifest["spec"]["source"]["credentialsSecretRef"] = json!({"name": "not-yet"});
    let dataset = Dataset::apply(bed, &manifest).await?;
    let expected = "Stalled=True/SecretNotFound";
    let status = dataset.wait_for(expected, 60, |_, status| condition(status, "Stalled") == expected).await?;
    ensure!(message(&status, "Stalled").contains("not-yet"), "the Secret is not named: {}", message(&status, "Stalled"));
    bed.set_secret(&namespace, "not-yet", &bed.surroundings.secret_key).await?;
    let after = dataset.first_run(90).await?;
    same!(counts(&after), [25, 24, 1], "discovered, processed, failed");
    same!(condition(&after, "Stalled"), "Stalled=False/Progressing", "condition");
    Ok(())
}

fn in_folder(dataset: &Dataset, all: &crate::support::bucket::Listing) -> crate::support::bucket::Listing {
    let folder = dataset.folder();
    all.iter().filter(|(key, _)| key.starts_with(&folder)).map(|(key, listed)| (key.clone(), listed.clone())).collect()
}
