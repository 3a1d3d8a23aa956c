//! Each rule of the CRD, once kept and once broken. The same rules run in the API server.

use crds::resource::{CloudOptimisedDataset, CloudOptimisedDatasetSpec};
use serde_json::{Value, json};

use crate::{remove, set};

fn spec() -> Value {
    json!({
        "config": "dataset_name: demo",
        "source": {"url": "s3://archive/moorings/", "endpoint": "http://s3:7070"},
        "destination": {"url": "s3://optimised/datasets/", "endpoint": "http://s3:7070"}
    })
}

fn dataset(spec: &Value) -> CloudOptimisedDataset {
    let spec: CloudOptimisedDatasetSpec = serde_json::from_value(spec.clone()).unwrap();
    CloudOptimisedDataset::new("demo", spec)
}

fn refusal(spec: &Value) -> Option<String> {
    dataset(spec).validate_cel().err().map(|errors| format!("{errors:?}"))
}

/// (pointer, value that is accepted, value that is refused, words of the refusal)
#[test]
fn rules_of_creation() {
    let cases = [
        ("/destination/url", json!("s3://optimised"), json!("file:///tmp/x/"), "works on a laptop only"),
        ("/destination/url", json!("s3://a.b-c_D/é ü/"), json!("optimised/datasets/"), "write s3://bucket/prefix/"),
        ("/source/url", json!("s3://archive/x"), json!("s3://"), "write s3://bucket/prefix/"),
        ("/source/url", json!("s3://archive/"), json!("file:///data/"), "works on a laptop only"),
        ("/source/url", json!("s3://optimised/datasets2/"), json!("s3://optimised/datasets/raw/"), "lie one inside the other"),
        ("/source/url", json!("s3://optimised/data/"), json!("s3://optimised/"), "lie one inside the other"),
        ("/source/url", json!("s3://optimised2/datasets"), json!("s3://optimised/datasets"), "lie one inside the other"),
        ("/source/endpoint", json!("https://s3.example.org/"), json!("https://s3.example.org/bucket/"), "without a path"),
        ("/source/endpoint", json!("http://10.0.0.1:9000"), json!("s3.example.org"), "write http://host:port"),
        ("/destination/endpoint", json!("http://[::1]:9000"), json!("ftp://x"), "write http://host:port"),
    ];
    assert_eq!(refusal(&spec()), None);
    for (pointer, good, bad, words) in cases {
        let mut spec = spec();
        set(&mut spec, pointer, good.clone());
        assert_eq!(refusal(&spec), None, "{pointer} = {good}");
        set(&mut spec, pointer, bad.clone());
        let refused = refusal(&spec).unwrap_or_else(|| panic!("{pointer} = {bad} was accepted"));
        assert!(refused.contains(words), "{pointer} = {bad}: {refused}");
    }
}

#[test]
fn one_bucket_name_in_two_stores_is_two_places() {
    let mut spec = spec();
    set(&mut spec, "/source/url", json!("s3://optimised/datasets/"));
    assert!(refusal(&spec).is_some());
    set(&mut spec, "/source/endpoint", json!("http://elsewhere:7070"));
    assert_eq!(refusal(&spec), None);
    remove(&mut spec, "/source/endpoint");
    assert_eq!(refusal(&spec), None);
    remove(&mut spec, "/destination/endpoint");
    assert!(refusal(&spec).is_some());
}

#[test]
fn a_source_without_url_is_left_to_the_config() {
    let mut spec = spec();
    remove(&mut spec, "/source/url");
    assert_eq!(refusal(&spec), None);
    remove(&mut spec, "/source");
    assert_eq!(refusal(&spec), None);
}

#[test]
fn contradictions_within_one_side() {
    for side in ["source", "destination"] {
        let mut spec = spec();
        set(&mut spec, &format!("/{side}/credentialsSecretRef"), json!({"name": "writer"}));
        assert_eq!(refusal(&spec), None);
        set(&mut spec, &format!("/{side}/anonymous"), json!(true));
        assert!(refusal(&spec).unwrap().contains("keep one of them"));
        remove(&mut spec, &format!("/{side}/credentialsSecretRef"));
        assert_eq!(refusal(&spec), None);
    }
    let mut spec = spec();
    set(&mut spec, "/source/bucket", json!("mirror"));
    assert!(refusal(&spec).unwrap().contains("both url and bucket"));
    remove(&mut spec, "/source/url");
    assert_eq!(refusal(&spec), None);
}

#[test]
fn the_destination_cannot_be_changed_and_the_rest_can() {
    let old = dataset(&spec());
    let mut changed = spec();
    set(&mut changed, "/source/url", json!("s3://archive/other/"));
    set(&mut changed, "/trigger", json!("again"));
    set(&mut changed, "/destination/region", json!("ap-southeast-2"));
    assert!(dataset(&changed).validate_cel_update(&old).is_ok());
    set(&mut changed, "/destination/url", json!("s3://optimised/elsewhere/"));
    let refused = format!("{:?}", dataset(&changed).validate_cel_update(&old).unwrap_err());
    assert!(refused.contains("cannot be changed"), "{refused}");
}
