//! Resources as a person would write them: the example of the repository, pointed at the suite's servers.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::bed::{Bed, READER, WRITER};

const EXAMPLE: &str = include_str!("../../../crds/examples/mooring.yaml");

/// Name of the dataset that the example's config describes.
pub const DATASET_NAME: &str = "mooring_temperature_demo";

/// The example's config, reading these prefixes of the archive. Keys stay in their order.
pub fn config(bed: &Bed, prefixes: &[String]) -> Result<Value> {
    let example: Value = serde_yaml::from_str(EXAMPLE)?;
    let text = example["spec"]["config"].as_str().context("the example's config is no text block")?;
    let mut config: Value = serde_json::from_str(text)?;
    let path = |prefix: &String| json!({"type": "files", "s3_uri": bed.archive.url(prefix), "filter": [".*\\.nc$"]});
    config["run_settings"]["paths"] = prefixes.iter().map(path).collect();
    Ok(config)
}

/// A dataset that takes `config` and writes below `optimised/<namespace>/<name>/`.
pub fn manifest(bed: &Bed, namespace: &str, name: &str, config: &Value) -> Value {
    let (endpoint, region) = (&bed.surroundings.endpoint, &bed.surroundings.region);
    json!({
        "apiVersion": "cloudoptimised.io/v1alpha1",
        "kind": "CloudOptimisedDataset",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"endpoint": endpoint, "region": region, "credentialsSecretRef": {"name": READER}},
            "destination": {
                "url": bed.optimised.url(&destination(namespace, name)),
                "endpoint": endpoint,
                "region": region,
                "credentialsSecretRef": {"name": WRITER}
            },
            "batching": {"maxFiles": 25},
            "parallelism": 2,
            "config": format!("{config:#}")
        }
    })
}

/// The prefix of a resource's destination in its bucket.
pub fn destination(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}/")
}

/// Every pod of a run stops at this fail point the first time, and waits there.
pub fn hold_at(manifest: &mut Value, point: &str) {
    manifest["spec"]["worker"]["env"] = json!([
        {"name": "COD_FAIL_AT", "value": point},
        {"name": "COD_FAIL_HOW", "value": "hold"}
    ]);
}
