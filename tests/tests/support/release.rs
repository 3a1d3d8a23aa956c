//! The product as a person installs it: the chart, through helm.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::bed::Bed;

pub const RELEASE: &str = "cod";
pub const SYSTEM: &str = "cod-e2e-system";
pub const DEPLOYMENT: &str = "deployment/cod-cloud-optimised";
pub const CRD: &str = "cloudoptimiseddatasets.cloudoptimised.io";

/// Where the chart stands.
pub fn chart() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/cloud-optimised")
}

/// Settings of the suite: its images, small pods, progress by the second.
pub fn settings(bed: &Bed) -> Result<Vec<String>> {
    let mut settings = vec![
        "operator.progressSeconds=1".to_owned(),
        "operator.pendingGraceSeconds=5".to_owned(),
        "converter.resources.requests.cpu=100m".to_owned(),
        "converter.resources.requests.memory=128Mi".to_owned(),
    ];
    for (part, image) in [("operator", &bed.surroundings.operator_image), ("converter", &bed.surroundings.converter_image)] {
        let (repository, tag) = image.rsplit_once(':').with_context(|| format!("the image {image} has no tag"))?;
        settings.push(format!("{part}.image.repository={repository}"));
        settings.push(format!("{part}.image.tag={tag}"));
    }
    Ok(settings)
}

/// `helm install` or `helm upgrade` with the suite's settings and `more`; what helm prints, notes included.
pub async fn helm_apply(bed: &Bed, verb: &str, more: &[&str]) -> Result<String> {
    let chart = chart();
    let chart = chart.to_str().context("the checkout's path is not UTF-8")?;
    let settings = settings(bed)?;
    let mut arguments = vec![verb, RELEASE, chart, "--namespace", SYSTEM, "--wait", "--timeout", "120s"];
    for setting in settings.iter().map(String::as_str).chain(more.iter().copied()) {
        arguments.extend(["--set", setting]);
    }
    bed.helm.run(&arguments).await
}

/// Installs into a namespace that enforces the `restricted` level; gives the notes.
pub async fn install(bed: &Bed) -> Result<String> {
    bed.make_namespace(SYSTEM).await?;
    uninstall(bed).await?;
    helm_apply(bed, "install", &[]).await
}

pub async fn uninstall(bed: &Bed) -> Result<()> {
    bed.helm.run(&["uninstall", RELEASE, "--namespace", SYSTEM, "--ignore-not-found", "--wait", "--timeout", "60s"]).await?;
    Ok(())
}

/// Ends the operator, or starts it again; comes back when that is done.
pub async fn scale_operator(bed: &Bed, replicas: u8) -> Result<()> {
    bed.kubectl.run(&["--namespace", SYSTEM, "scale", DEPLOYMENT, &format!("--replicas={replicas}")]).await?;
    if replicas == 0 {
        return operator_is_gone(bed).await;
    }
    bed.kubectl.run(&["--namespace", SYSTEM, "rollout", "status", DEPLOYMENT, "--timeout=60s"]).await?;
    Ok(())
}

/// Waits until its pod has ended, which it does when it is told.
pub async fn operator_is_gone(bed: &Bed) -> Result<()> {
    let arguments = ["--namespace", SYSTEM, "wait", "pod", "--selector", SELECTOR, "--for=delete", "--timeout=20s"];
    bed.kubectl.run(&arguments).await?;
    Ok(())
}

pub const SELECTOR: &str = "app.kubernetes.io/instance=cod";

/// What the operator exposes for Prometheus, through the chart's Service.
pub async fn metrics(bed: &Bed) -> Result<String> {
    let services = bed.kubectl.run(&["--namespace", SYSTEM, "get", "service", "--selector", SELECTOR, "--output", "json"]).await?;
    let services: Value = serde_json::from_str(&services)?;
    let name = services["items"][0]["metadata"]["name"].as_str().context("the chart made no Service")?;
    bed.kubectl.run(&["get", "--raw", &format!("/api/v1/namespaces/{SYSTEM}/services/{name}:http/proxy/metrics")]).await
}

/// The value of a metric without labels.
pub fn metric(text: &str, name: &str) -> Result<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.with_context(|| format!("no metric {name} in\n{text}"))?;
    Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
}
