//! The same load, disturbed: it ends with the counts and the very objects of the undisturbed one.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use crds::resource::CloudOptimisedDatasetStatus;
use serde_json::{Value, json};

use crate::same;
use crate::support::bed::Bed;
use crate::support::books::{Books, audit};
use crate::support::bucket::Listing;
use crate::support::dataset::{Dataset, counts};
use crate::support::load::FirstLoad;
use crate::support::pods::{delete, held, until_held};
use crate::support::release::scale_operator;
use crate::support::resource::{config, hold_at, manifest};
use crate::support::wait::until;

/// The 200 files in four batches, in a dataset of its own, whose pods wait at a fail point.
async fn held_load(bed: &Bed, name: &str, point: &str) -> Result<Dataset> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace(name).await?;
    let mut manifest = manifest(bed, &namespace, name, &config(bed, &prefixes)?);
    manifest["spec"]["batching"] = json!({"maxFiles": 50});
    hold_at(&mut manifest, point);
    Dataset::apply(bed, &manifest).await
}

/// Pods that are made from now on wait nowhere.
async fn let_go(dataset: &Dataset) -> Result<()> {
    dataset.edit(&json!({"worker": {"env": Value::Null}})).await?;
    Ok(())
}

/// Same counts, same objects, no row twice, nothing that nobody owns.
async fn ends_as_if_undisturbed(bed: &Bed, dataset: &Dataset, status: &CloudOptimisedDatasetStatus) -> Result<()> {
    let load = bed.first_load().await?;
    let undisturbed = &load.status;
    same!(counts(status), counts(undisturbed), "discovered, processed, failed");
    same!(status.rows, undisturbed.rows, "rows");
    same!(status.last_run.as_ref().map(|run| run.outcome), undisturbed.last_run.as_ref().map(|run| run.outcome), "outcome");
    let reasons = |status: &CloudOptimisedDatasetStatus| -> BTreeMap<String, u64> {
        status.errors.iter().map(|group| (group.reason.clone(), group.count)).collect()
    };
    same!(reasons(status), reasons(undisturbed), "reasons");
    audit(dataset, &bed.optimised).await?;
    same_objects(bed, dataset, load).await
}

/// Equal bytes under equal names, which are relative to the destination.
async fn same_objects(bed: &Bed, dataset: &Dataset, load: &FirstLoad) -> Result<()> {
    let relative = |listing: Listing, folder: &str| -> BTreeMap<String, (String, u64)> {
        let strip = |key: String| key.strip_prefix(folder).map(str::to_owned).unwrap_or(key);
        listing.into_iter().map(|(key, listed)| (strip(key), (listed.etag, listed.bytes))).collect()
    };
    let found = relative(dataset.objects(&bed.optimised).await?, &dataset.folder());
    let expected = relative(load.objects.clone(), &load.dataset.folder());
    same!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "names of the objects");
    for (key, listed) in &found {
        if expected.get(key) != Some(listed) {
            let (ours, theirs) = (format!("{}{key}", dataset.folder()), format!("{}{key}", load.dataset.folder()));
            let equal = bed.optimised.get(&ours).await? == bed.optimised.get(&theirs).await?;
            ensure!(equal, "{key} has other bytes than in the undisturbed load");
        }
    }
    Ok(())
}

/// Each batch loses its first pod while it works; the second one does the work.
pub async fn convert_pods_deleted_in_mid_work(bed: &Bed) -> Result<()> {
    let dataset = held_load(bed, "pods", "convert.staged").await?;
    let mut deleted = BTreeSet::new();
    let status = until("the end of a run whose pods are deleted", 180, async || {
        for pod in held(bed, &dataset, "convert").await? {
            if deleted.insert(pod.clone()) {
                delete(bed, &dataset, &pod, &[]).await?;
            }
        }
        let status = dataset.status().await?;
        Ok((status.last_run.is_some() && status.current_run.is_none()).then_some(status))
    })
    .await?;
    same!(deleted.len(), 4, "pods that were deleted");
    ends_as_if_undisturbed(bed, &dataset, &status).await
}

/// The head names the effects, none of them is done, and the pod is gone without a word.
pub async fn a_commit_pod_killed_between_head_and_effects(bed: &Bed) -> Result<()> {
    let dataset = held_load(bed, "commit", "commit.head").await?;
    let pods = until_held(bed, &dataset, "commit", 1).await?;
    let books = Books::read(&dataset, &bed.optimised).await?;
    ensure!(books.head.pending.is_some(), "the head names no pending effects");
    same!(dataset.objects(&bed.optimised).await?, Listing::new(), "objects before the effects");
    for pod in &pods {
        delete(bed, &dataset, pod, &["--grace-period=0", "--force"]).await?;
    }
    let status = dataset.first_run(120).await?;
    ends_as_if_undisturbed(bed, &dataset, &status).await
}

/// The plan ends while no operator is there; the next one goes on with the same run.
pub async fn the_operator_deleted_between_plan_and_convert(bed: &Bed) -> Result<()> {
    let dataset = held_load(bed, "operator", "plan.written").await?;
    let pods = until_held(bed, &dataset, "plan", 1).await?;
    let run = dataset.status().await?.current_run.context("no current run")?.id;
    scale_operator(bed, 0).await?;
    for pod in &pods {
        delete(bed, &dataset, pod, &[]).await?;
    }
    until("the plan Job to end without an operator", 60, async || {
        let jobs = dataset.jobs(&run, Some("plan")).await?;
        let done = jobs.iter().any(|job| job.status.as_ref().is_some_and(|status| status.completion_time.is_some()));
        Ok(done.then_some(()))
    })
    .await?;
    same!(dataset.jobs(&run, Some("convert")).await?.len(), 0, "convert Jobs without an operator");
    let_go(&dataset).await?;
    scale_operator(bed, 1).await?;
    let status = dataset.first_run(120).await?;
    same!(status.last_run.as_ref().map(|last| last.id.clone()), Some(run), "the run");
    ends_as_if_undisturbed(bed, &dataset, &status).await
}

/// Somebody deletes the convert Job, pods and all: what is missing is done by another one.
pub async fn a_job_deleted_by_hand(bed: &Bed) -> Result<()> {
    let dataset = held_load(bed, "job", "convert.staged").await?;
    until_held(bed, &dataset, "convert", 2).await?;
    let_go(&dataset).await?;
    let run = dataset.status().await?.current_run.context("no current run")?.id;
    let jobs = dataset.jobs(&run, Some("convert")).await?;
    let job = jobs.first().and_then(|job| job.metadata.name.clone()).context("no convert Job")?;
    bed.kubectl.run(&["--namespace", &dataset.namespace, "delete", "job", &job]).await?;
    let status = dataset.first_run(180).await?;
    same!(status.last_run.as_ref().map(|last| last.id.clone()), Some(run), "the run");
    ends_as_if_undisturbed(bed, &dataset, &status).await
}

/// Nothing of the run was published, nothing of it is left at work, and nothing keeps the resource.
pub async fn the_dataset_deleted_in_mid_run(bed: &Bed) -> Result<()> {
    let dataset = held_load(bed, "leaving", "convert.staged").await?;
    until_held(bed, &dataset, "convert", 2).await?;
    let finalizers = dataset.get().await?.metadata.finalizers.unwrap_or_default();
    ensure!(!finalizers.is_empty(), "nothing would abort the run");
    let delete = ["--namespace", &dataset.namespace, "delete", "cod", &dataset.name, "--timeout=60s"];
    bed.kubectl.run(&delete).await?;
    until("Jobs and pods to go with their dataset", 60, async || {
        let left = [
            "--namespace",
            &dataset.namespace,
            "get",
            "jobs,pods,configmaps",
            "--selector",
            "cloudoptimised.io/dataset",
            "--output",
            "name",
        ];
        let left = bed.kubectl.run(&left).await?;
        ensure!(left.trim().is_empty(), "left: {left}");
        Ok(Some(()))
    })
    .await?;
    same!(dataset.objects(&bed.optimised).await?, Listing::new(), "objects");
    Ok(())
}
