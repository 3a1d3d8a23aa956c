//! The end: the operator goes, datasets and data stay, and a new operator takes them up where they were.

use anyhow::{Result, ensure};

use crate::same;
use crate::support::bed::Bed;
use crate::support::books::audit;
use crate::support::dataset::{Dataset, counts};
use crate::support::release::{CRD, RELEASE, SYSTEM, helm_apply, operator_is_gone, uninstall};
use crate::support::resource::{config, manifest};

pub async fn uninstall_keeps_definition_and_data(bed: &Bed) -> Result<()> {
    let dataset = &bed.first_load().await?.dataset;
    let (resource, objects) = (dataset.get().await?, bed.optimised.list(&dataset.prefix()).await?);
    uninstall(bed).await?;
    operator_is_gone(bed).await?;
    let left = bed.kubectl.run(&["--namespace", SYSTEM, "get", "deployments,pods,services", "--output", "name"]).await?;
    same!(left.trim(), "", "what is left of the release");
    let definition = bed.kubectl.run(&["get", "crd", CRD, "--output", "name"]).await?;
    ensure!(definition.contains(CRD), "the definition is gone");
    same!(dataset.get().await?.metadata.resource_version, resource.metadata.resource_version, "the dataset's version");
    same!(bed.optimised.list(&dataset.prefix()).await?, objects, "objects after the uninstall");
    Ok(())
}

/// The same release comes back, for one namespace only: it has rights there and nowhere else, finds
/// nothing to do, and does what it is asked to.
pub async fn a_new_operator_for_one_namespace_goes_on(bed: &Bed) -> Result<()> {
    let dataset = &bed.first_load().await?.dataset;
    let elsewhere = bed.namespace("elsewhere").await?;
    let before = dataset.status().await?;
    uninstall(bed).await?;
    helm_apply(bed, "install", &[&format!("watchNamespaces={{{}}}", dataset.namespace)]).await?;
    let releases = bed.helm.run(&["list", "--namespace", SYSTEM, "--short"]).await?;
    same!(releases.trim(), RELEASE, "releases");
    let account = format!("--as=system:serviceaccount:{SYSTEM}:cod-cloud-optimised");
    for (namespace, may) in [(&dataset.namespace, "yes"), (&elsewhere, "no")] {
        let arguments = ["auth", "can-i", "create", "jobs.batch", &account, "--namespace", namespace];
        same!(bed.kubectl.say(&arguments, "").await?.out.trim(), may, "may the operator create Jobs in {namespace}?");
    }
    let other = Dataset::apply(bed, &manifest(bed, &elsewhere, "other", &config(bed, &["moorings/".to_owned()])?)).await?;
    same!(dataset.status().await?, before, "status under the new operator");
    let after = dataset.run_again("back-again").await?;
    same!(counts(&after), counts(&before), "counts of the dataset");
    audit(dataset, &bed.optimised).await?;
    same!(other.get().await?.status, None, "status of a dataset that nobody watches");
    Ok(())
}
