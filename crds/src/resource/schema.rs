//! Pieces of the CRD's schema that the derive cannot write by itself.

use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// Accepted by the API server as a structural schema although it has no type: object and text alike.
/// CEL cannot see such a field, so "exactly one of config and configFrom" is a `oneOf`.
pub(super) fn config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

pub(super) const S3_URL: &str = "self.matches('^s3://[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9](/.*)?$')";
pub(super) const S3_URL_MESSAGE: &str = "write s3://bucket/prefix/ (file:// works on a laptop only, with `converter run`)";
pub(super) const HTTP_URL: &str = "self.matches('^https?://[^/ ]+/?$')";
pub(super) const HTTP_URL_MESSAGE: &str = "write http://host:port or https://host:port, without a path";

pub(super) const SIGNED_OR_NOT: &str = "!has(self.credentialsSecretRef) || !has(self.anonymous) || !self.anonymous";
pub(super) const SIGNED_OR_NOT_MESSAGE: &str = "anonymous, and yet credentialsSecretRef; keep one of them";

/// Neither may begin with the other, both taken as folders, when both are in one store.
pub(super) const SOURCE_APART: &str = "!has(self.source) || !has(self.source.url) || \
(has(self.source.endpoint) ? self.source.endpoint : '') != (has(self.destination.endpoint) ? self.destination.endpoint : '') || \
!((self.source.url.endsWith('/') ? self.source.url : self.source.url + '/')\
.startsWith(self.destination.url.endsWith('/') ? self.destination.url : self.destination.url + '/') || \
(self.destination.url.endsWith('/') ? self.destination.url : self.destination.url + '/')\
.startsWith(self.source.url.endsWith('/') ? self.source.url : self.source.url + '/'))";

/// What the API server should not be told, or not like this:
/// - integer formats other than `int32` and `int64`: it warns of them;
/// - defaults: they are the operator's, so that they can change with a version;
/// - that an optional field may be null: it then prunes a null, and no rule ever meets one;
/// - where a line of source ends: `kubectl explain` breaks lines by itself;
/// - a page about quantities wherever there is one.
pub(super) fn structural(schema: &mut Schema) {
    RecursiveTransform(|schema: &mut Schema| {
        schema.remove("default");
        without_null(schema);
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
        }
        if schema.get("x-kubernetes-int-or-string").is_some() {
            let text = schema.get("description").and_then(Value::as_str).filter(|text| text.len() < 200);
            let text = text.unwrap_or("A quantity, such as `500m` or `4Gi`.").to_owned();
            schema.insert("description".to_owned(), Value::String(text));
        }
        if let Some(Value::String(format)) = schema.get_mut("format")
            && format.starts_with("uint")
        {
            "int64".clone_into(format);
        }
    })
    .transform(schema);
}

/// "This or null" becomes "this".
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let only = schema.get("type").and_then(Value::as_array).and_then(|types| match &types[..] {
        [Value::String(name), Value::String(null)] if null == "null" => Some(name.clone()),
        _ => None,
    });
    if let Some(name) = only {
        schema.insert("type".to_owned(), Value::String(name));
    }
    let some = schema.get("anyOf").and_then(Value::as_array).and_then(|choices| match &choices[..] {
        [Value::Object(some), null] if null.get("type") == Some(&"null".into()) => Some(some.clone()),
        _ => None,
    });
    if let Some(some) = some {
        schema.remove("anyOf");
        for (key, value) in some {
            if schema.get(&key).is_none() {
                schema.insert(key, value);
            }
        }
    }
}
