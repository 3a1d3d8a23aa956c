//! A cluster where nothing happens costs no writes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::same;
use crate::support::bed::Bed;
use crate::support::release::{metric, metrics};
use crate::support::wait::until;

const WHILE: Duration = Duration::from_secs(40);

/// Versions of all that the operator may write, in the namespaces of the suite.
async fn versions(bed: &Bed) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    for namespace in bed.namespaces() {
        let arguments = ["--namespace", &namespace, "get", "cod,jobs,configmaps,events", "--output", "json"];
        let list: Value = serde_json::from_str(&bed.kubectl.run(&arguments).await?)?;
        for item in list["items"].as_array().into_iter().flatten() {
            let text = |key: &str| item["metadata"][key].as_str().unwrap_or_default();
            versions.insert(
                format!("{namespace}/{}/{}", item["kind"].as_str().unwrap_or_default(), text("name")),
                text("resourceVersion").to_owned(),
            );
        }
    }
    Ok(versions)
}

/// Requests that changed a dataset, by whomever, as the API server counts them.
async fn writes(bed: &Bed) -> Result<u64> {
    let text = bed.kubectl.run(&["get", "--raw", "/metrics"]).await?;
    let ours = text.lines().filter(|line| line.starts_with("apiserver_request_total{") && line.contains("group=\"cloudoptimised.io\""));
    let writing =
        ours.filter(|line| ["POST", "PUT", "PATCH", "APPLY", "DELETE"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\""))));
    Ok(writing.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64)
}

pub async fn costs_no_writes(bed: &Bed) -> Result<()> {
    bed.first_load().await?;
    until("all datasets to be at rest", 60, async || {
        for namespace in bed.namespaces() {
            let runs = ["--namespace", &namespace, "get", "cod", "--output", "jsonpath={.items[*].status.currentRun.id}"];
            let runs = bed.kubectl.run(&runs).await?;
            ensure!(runs.is_empty(), "runs in {namespace}: {runs}");
        }
        Ok(Some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let status_writes = async || metric(&metrics(bed).await?, "cloud_optimised_operator_status_writes_total");
    let before = (versions(bed).await?, writes(bed).await?, status_writes().await?);
    tokio::time::sleep(WHILE).await;
    let after = (versions(bed).await?, writes(bed).await?, status_writes().await?);
    let written: Vec<_> = after.0.iter().filter(|(key, version)| before.0.get(*key) != Some(version)).collect();
    same!(written, Vec::new(), "datasets, Jobs, ConfigMaps and events that were written");
    same!(after.1, before.1, "writes of datasets that the API server counts");
    same!(after.2.to_bits(), before.2.to_bits(), "writes of status that the operator counts");
    Ok(())
}
