//! The CRD as YAML, and where it is committed.

use std::path::{Path, PathBuf};

use kube::CustomResourceExt;

use super::CloudOptimisedDataset;

const HEADER: &str = "# Generated from crds/src/resource by `cargo run -p crds --bin crdgen -- --write`. Do not edit.\n";

/// The CRD as it is committed.
pub fn yaml() -> Result<String, serde_yaml::ser_error::Error> {
    Ok(format!("{HEADER}{}", serde_yaml::to_string(&CloudOptimisedDataset::crd())?))
}

/// The files that hold it: beside this crate, and in the chart when that is checked out.
#[must_use]
pub fn committed() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chart = here.join("../charts/cloud-optimised");
    let mut paths = vec![here.join("cloudoptimiseddatasets.yaml")];
    if chart.is_dir() {
        paths.push(chart.join("files/crd.yaml"));
    }
    paths
}
