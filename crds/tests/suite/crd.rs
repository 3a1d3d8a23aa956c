//! The CRD itself: what is committed is what the types say, and it is what an API server accepts.

use crds::resource::{CloudOptimisedDataset, crd};
use kube::CustomResourceExt;
use serde_json::{Value, json};

#[test]
fn the_committed_files_are_current() {
    let text = crd::yaml().unwrap();
    for path in crd::committed().into_iter().filter(|path| path.parent().unwrap().is_dir()) {
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} has drifted: run `cargo run -p crds --bin crdgen -- --write`", path.display());
    }
}

#[test]
fn the_yaml_says_the_same_as_the_type() {
    let read: Value = serde_yaml::from_str(&crd::yaml().unwrap()).unwrap();
    let typed = serde_json::to_value(CloudOptimisedDataset::crd()).unwrap();
    assert_eq!(numbers_as_floats(&read), numbers_as_floats(&typed));
}

fn numbers_as_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(numbers_as_floats).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), numbers_as_floats(value))).collect(),
        other => other.clone(),
    }
}

fn schema() -> Value {
    let crd = serde_json::to_value(CloudOptimisedDataset::crd()).unwrap();
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap().clone()
}

#[test]
fn names_and_columns_are_the_interface() {
    let crd = serde_json::to_value(CloudOptimisedDataset::crd()).unwrap();
    assert_eq!(crd["spec"]["group"], "cloudoptimised.io");
    assert_eq!(crd["spec"]["scope"], "Namespaced");
    assert_eq!(
        crd["spec"]["names"],
        json!({"categories": ["cloudoptimised"], "kind": "CloudOptimisedDataset", "plural": "cloudoptimiseddatasets",
            "shortNames": ["cod"], "singular": "cloudoptimiseddataset"})
    );
    let version = &crd["spec"]["versions"][0];
    assert_eq!((&version["name"], &version["subresources"]), (&json!("v1alpha1"), &json!({"status": {}})));
    let columns: Vec<(String, String, i64)> = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            let text = |key: &str| column[key].as_str().unwrap_or_default().to_owned();
            (text("name"), text("type"), column["priority"].as_i64().unwrap_or(0))
        })
        .collect();
    let expected = [
        ("Format", "string", 0),
        ("Phase", "string", 0),
        ("Processed", "string", 0),
        ("Failed", "integer", 0),
        ("Ready", "string", 0),
        ("Last Run", "date", 0),
        ("Next Run", "string", 0),
        ("Age", "date", 0),
        ("Run", "string", 1),
        ("Rows", "integer", 1),
        ("Message", "string", 1),
    ];
    assert_eq!(columns, expected.map(|(name, kind, priority)| (name.to_owned(), kind.to_owned(), priority)));
}

/// CEL cannot see a field without a type, so "exactly one of" is said in JSON Schema.
#[test]
fn config_takes_object_and_text_and_excludes_config_from() {
    let schema = schema();
    let spec = &schema["properties"]["spec"];
    assert_eq!(spec["oneOf"], json!([{"required": ["config"]}, {"required": ["configFrom"]}]));
    assert_eq!(spec["required"], json!(["destination"]));
    let mut config = spec["properties"]["config"].clone();
    config.as_object_mut().unwrap().shift_remove("description");
    assert_eq!(config, json!({"x-kubernetes-preserve-unknown-fields": true}));
}

#[test]
fn conditions_merge_by_type() {
    let schema = schema();
    let conditions = &schema["properties"]["status"]["properties"]["conditions"];
    assert_eq!(conditions["x-kubernetes-list-type"], "map");
    assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
}

/// Structural, explained, bounded, and free of what makes an API server warn.
#[test]
fn every_field_is_structural_described_and_bounded() {
    fn walk(schema: &Value, path: &str, ours: bool) {
        let map = schema.as_object().unwrap();
        let free = map.contains_key("x-kubernetes-preserve-unknown-fields") || map.contains_key("x-kubernetes-int-or-string");
        assert!(map.contains_key("type") || free, "{path}: no type");
        for key in ["anyOf", "allOf", "$ref", "default", "additionalItems", "patternProperties", "uniqueItems"] {
            assert!(!map.contains_key(key), "{path}: {key}");
        }
        if let Some(format) = map.get("format").and_then(Value::as_str) {
            assert!(["int32", "int64", "date-time", "double"].contains(&format), "{path}: format {format}");
        }
        if ours {
            let described = map.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(!described.is_empty(), "{path}: not explained");
            let bound = match map.get("type").and_then(Value::as_str) {
                Some("string") => map.contains_key("maxLength") || map.contains_key("enum"),
                Some("array") => map.contains_key("maxItems"),
                Some("integer") => map.contains_key("minimum"),
                _ => true,
            };
            assert!(bound || !path.starts_with(".spec"), "{path}: no bound");
        }
        for (key, child) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            // Types of Kubernetes itself are explained by itself.
            let foreign = ["resources", "tolerations", "imagePullSecrets", "conditions", "metadata"].contains(&key.as_str());
            walk(child, &format!("{path}.{key}"), ours && !foreign);
        }
        if let Some(items) = map.get("items") {
            walk(items, &format!("{path}[]"), ours && items["type"] == "object");
        }
    }
    let schema = schema();
    walk(&schema["properties"]["spec"], ".spec", true);
    walk(&schema["properties"]["status"], ".status", true);
}
