//! A Secret out of a file, for the laptop: the cluster never reads one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

/// The texts of the Secret `name` among some documents: `data`, overlaid by `stringData`. None when
/// there is no such Secret, or it is malformed.
#[must_use]
pub fn secret(documents: &[Value], name: &str) -> Option<BTreeMap<String, String>> {
    let named = |document: &&Value| document["kind"] == "Secret" && document["metadata"]["name"] == name;
    let secret: Secret = serde_json::from_value(documents.iter().find(named)?.clone()).ok()?;
    let data = secret.data.unwrap_or_default().into_iter();
    let mut texts: BTreeMap<String, String> = data.filter_map(|(key, bytes)| Some((key, String::from_utf8(bytes.0).ok()?))).collect();
    texts.extend(secret.string_data.unwrap_or_default());
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_secret_are_read() {
        let documents = [serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"},
            "data": {"AWS_ACCESS_KEY_ID": "dXNlcg==", "AWS_SECRET_ACCESS_KEY": "b2xk"}, "stringData": {"AWS_SECRET_ACCESS_KEY": "new"},
        })];
        let texts = secret(&documents, "s3").unwrap();
        assert_eq!((texts["AWS_ACCESS_KEY_ID"].as_str(), texts["AWS_SECRET_ACCESS_KEY"].as_str()), ("user", "new"));
        assert_eq!(secret(&documents, "other"), None);
    }
}
