//! The examples are resources that work.

use std::collections::BTreeMap;

use crds::config::{Partition, PartitionPeriod, documents};
use crds::resource::{Inputs, document, manifest};

fn example() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/mooring.yaml");
    documents(&std::fs::read_to_string(path).unwrap()).unwrap().pop().unwrap()
}

#[test]
fn the_mooring_example_is_accepted_without_a_word() {
    let dataset = manifest::dataset(&example()).unwrap();
    dataset.validate_cel().unwrap();
    let inputs = Inputs { owner: "moorings/demo", spec: &dataset.spec, config_text: None, parents: &BTreeMap::new() };
    let effective = document(&inputs).unwrap();
    assert_eq!((effective.warnings, effective.unknown_keys, effective.ignored), (vec![], vec![], vec![]));
    let config = effective.config;
    assert_eq!(config.dataset_name, "mooring_temperature_demo");
    let names: Vec<&str> = config.schema.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "TIME",
            "LATITUDE",
            "LONGITUDE",
            "NOMINAL_DEPTH",
            "TEMP",
            "TEMP_quality_control",
            "PSAL",
            "PSAL_quality_control",
            "filename",
            "site_code",
            "timestamp",
            "polygon"
        ]
    );
    assert!(matches!(&config.partitioning[1], Partition::Time { period: PartitionPeriod::Month, .. }));
}

#[test]
fn a_manifest_with_a_slip_is_refused_by_its_path() {
    let mut manifest = example();
    manifest["spec"]["batching"]["maxFile"] = 3.into();
    manifest["spec"]["source"]["filters"] = "x".into();
    let error = manifest::dataset(&manifest).unwrap_err();
    let paths: Vec<&str> = error.findings().iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["spec.source.filters", "spec.batching.maxFile"]);

    let mut manifest = example();
    manifest["apiVersion"] = "cloudoptimised.io/v9".into();
    assert!(manifest::dataset(&manifest).unwrap_err().to_string().contains("write `cloudoptimised.io/v1alpha1`"));
    manifest["kind"] = "Dataset".into();
    assert!(manifest::dataset(&manifest).unwrap_err().to_string().contains("`Dataset` is not a dataset"));
    let mut manifest = example();
    manifest["spec"]["parallelism"] = "many".into();
    assert!(manifest::dataset(&manifest).unwrap_err().to_string().contains("many"));
}
