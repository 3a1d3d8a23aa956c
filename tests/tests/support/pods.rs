//! Pods of a run, and those of them that wait at a fail point.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};

use super::bed::Bed;
use super::dataset::{Dataset, LABEL_STAGE};
use super::wait::until;

const HELD: &str = "held at a fail point";

/// Names of the pods of a stage that wait at a fail point now.
pub async fn held(bed: &Bed, dataset: &Dataset, stage: &str) -> Result<Vec<String>> {
    let pods: Api<Pod> = Api::namespaced(bed.client().await?, &dataset.namespace);
    let labels = format!("cloudoptimised.io/dataset={},{LABEL_STAGE}={stage}", dataset.name);
    let mut held = Vec::new();
    for pod in pods.list(&ListParams::default().labels(&labels)).await? {
        let runs = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        if runs && pod.metadata.deletion_timestamp.is_none() {
            // A pod that ends while we look has no more to say.
            let log = pods.logs(&pod.name_any(), &LogParams::default()).await.unwrap_or_default();
            if log.contains(HELD) {
                held.push(pod.name_any());
            }
        }
    }
    Ok(held)
}

/// Waits until this many pods of a stage are held.
pub async fn until_held(bed: &Bed, dataset: &Dataset, stage: &str, number: usize) -> Result<Vec<String>> {
    until(&format!("{number} held {stage} pods of {}", dataset.name), 90, async || {
        let held = held(bed, dataset, stage).await?;
        Ok((held.len() >= number).then_some(held))
    })
    .await
}

/// `kubectl delete pod`
pub async fn delete(bed: &Bed, dataset: &Dataset, pod: &str, more: &[&str]) -> Result<()> {
    let arguments = [&["--namespace", &dataset.namespace, "delete", "pod", pod, "--wait=false"], more].concat();
    bed.kubectl.run(&arguments).await?;
    Ok(())
}
