//! A resource out of a file, for the laptop: what the API server would say of it, said here.

use serde_json::Value;

use super::{CloudOptimisedDataset, SpecError};
use crate::config::Finding;
use crate::config::node::join;

const API_VERSION: &str = "cloudoptimised.io/v1alpha1";
const KIND: &str = "CloudOptimisedDataset";

/// Whether a document is of this kind, in whatever version.
#[must_use]
pub fn is_dataset(document: &Value) -> bool {
    document.get("kind").and_then(Value::as_str) == Some(KIND)
}

/// The typed resource of one document. Fields that nothing reads are errors, as `kubectl apply` has it.
pub fn dataset(document: &Value) -> Result<CloudOptimisedDataset, SpecError> {
    let word = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    if word("kind") != KIND {
        return Err(wrong("kind", format!("`{}` is not a dataset; write `{KIND}`", word("kind"))));
    }
    if word("apiVersion") != API_VERSION {
        return Err(wrong("apiVersion", format!("`{}` is not a version this program knows; write `{API_VERSION}`", word("apiVersion"))));
    }
    let dataset: CloudOptimisedDataset =
        serde_json::from_value(document.clone()).map_err(|error| wrong("spec", format!("not a {KIND}: {error}")))?;
    let read = serde_json::to_value(&dataset.spec).map_err(|error| wrong("spec", error.to_string()))?;
    let mut unknown = Vec::new();
    if let Some(spec) = document.get("spec") {
        lost(spec, &read, "spec", &mut unknown);
    }
    if unknown.is_empty() { Ok(dataset) } else { Err(SpecError::Spec(unknown)) }
}

fn wrong(path: &str, message: String) -> SpecError {
    SpecError::Spec(vec![Finding::new(path, message)])
}

/// What stands in the file and did not come back from the typed form.
fn lost(written: &Value, read: &Value, path: &str, out: &mut Vec<Finding>) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (key, value) in written.iter().filter(|(key, _)| !(path == "spec" && *key == "config")) {
                let here = join(path, key);
                match read.get(key) {
                    Some(found) => lost(value, found, &here, out),
                    None if says_nothing(value) => {}
                    None => out.push(Finding::new(here, "unknown field; correct its name or remove it")),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) => {
            written.iter().zip(read).enumerate().for_each(|(index, (value, found))| lost(value, found, &format!("{path}[{index}]"), out));
        }
        _ => {}
    }
}

/// Values that the typed form leaves out when it writes.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(says_nothing),
        _ => false,
    }
}
