//! The chart as helm takes it, before any dataset is there.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::same;
use crate::support::bed::Bed;
use crate::support::release::{CRD, DEPLOYMENT, RELEASE, SELECTOR, SYSTEM, chart, helm_apply};
use crate::support::tool::Tool;

/// `helm lint` and `helm template`, for every preset, and the flags against the real operator.
pub async fn is_sound_without_a_cluster(bed: &Bed) -> Result<()> {
    let operator = bed.surroundings.converter.with_file_name("operator");
    let environment = [
        format!("HELM={}", bed.surroundings.helm.display()),
        format!("OPERATOR={}", operator.display()),
        chart().with_file_name("test").display().to_string(),
    ];
    let arguments: Vec<&str> = environment.iter().map(String::as_str).collect();
    let said = Tool::new("env".as_ref()).run(&arguments).await?;
    ensure!(said.contains(" 0 failed"), "{said}");
    Ok(())
}

pub async fn installs_into_a_restricted_namespace_and_says_what_comes_next(bed: &Bed) -> Result<()> {
    let notes = bed.installed().await?;
    for line in [
        format!("kubectl --namespace {SYSTEM} rollout status {DEPLOYMENT}"),
        "kubectl --namespace default get cod --watch".to_owned(),
        "kubectl --namespace default wait --for=condition=Ready cod/my-dataset --timeout=1h".to_owned(),
    ] {
        ensure!(notes.contains(&line), "the notes do not say `{line}`:\n{notes}");
    }
    // The first command of the notes, as it stands there.
    bed.kubectl.run(&["--namespace", SYSTEM, "rollout", "status", DEPLOYMENT, "--timeout=60s"]).await?;
    bed.kubectl.run(&["wait", "--for=condition=Established", &format!("crd/{CRD}"), "--timeout=30s"]).await?;
    let label = bed.kubectl.run(&["get", "namespace", SYSTEM, "--output", "jsonpath={.metadata.labels}"]).await?;
    ensure!(label.contains(r#""pod-security.kubernetes.io/enforce":"restricted""#), "{label}");
    short_name(bed).await?;
    no_more_rights_than_needed(bed).await
}

async fn short_name(bed: &Bed) -> Result<()> {
    let resources = bed.kubectl.run(&["api-resources", "--api-group=cloudoptimised.io", "--no-headers"]).await?;
    let words: Vec<&str> = resources.split_whitespace().collect();
    same!(words, ["cloudoptimiseddatasets", "cod", "cloudoptimised.io/v1alpha1", "true", "CloudOptimisedDataset"], "api-resources");
    Ok(())
}

/// What the operator's account may do, as the API server sees it.
async fn no_more_rights_than_needed(bed: &Bed) -> Result<()> {
    let pods = bed.kubectl.run(&["--namespace", SYSTEM, "get", "pods", "--selector", SELECTOR, "--output", "json"]).await?;
    let pods: Value = serde_json::from_str(&pods)?;
    let account = pods["items"][0]["spec"]["serviceAccountName"].as_str().context("the operator has no pod")?;
    let account = format!("--as=system:serviceaccount:{SYSTEM}:{account}");
    for (verb, resource, may) in [
        ("create", "jobs.batch", true),
        ("patch", "cloudoptimiseddatasets.cloudoptimised.io/status", true),
        ("get", "secrets", false),
        ("list", "secrets", false),
        ("get", "pods/log", false),
        ("create", "pods/exec", false),
        ("delete", "cloudoptimiseddatasets.cloudoptimised.io", false),
        ("create", "customresourcedefinitions.apiextensions.k8s.io", false),
    ] {
        let said = bed.kubectl.say(&["auth", "can-i", verb, resource, &account, "--namespace", "default"], "").await?;
        same!(said.out.trim(), if may { "yes" } else { "no" }, "may the operator {verb} {resource}?");
    }
    Ok(())
}

/// The operator is replaced by one with the new settings; what the API server knows of datasets stays.
pub async fn upgrades(bed: &Bed) -> Result<()> {
    bed.installed().await?;
    let of_definition = ["get", "crd", CRD, "--output", "jsonpath={.metadata.uid}"];
    let before = bed.kubectl.run(&of_definition).await?;
    helm_apply(bed, "upgrade", &["operator.log=debug\\,kube=warn\\,hyper=warn\\,tower=warn\\,rustls=warn"]).await?;
    let arguments = ["--namespace", SYSTEM, "get", DEPLOYMENT, "--output", "jsonpath={.spec.template.spec.containers[0].args}"];
    let arguments = bed.kubectl.run(&arguments).await?;
    ensure!(arguments.contains("--log=debug,kube=warn"), "{arguments}");
    same!(bed.kubectl.run(&of_definition).await?, before, "the definition is the same object");
    let history = bed.helm.run(&["history", RELEASE, "--namespace", SYSTEM, "--output", "json"]).await?;
    let history: Value = serde_json::from_str(&history)?;
    same!(history.as_array().map(Vec::len), Some(2), "revisions");
    Ok(())
}
