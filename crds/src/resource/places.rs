//! The parts of a spec that say where things are: config, source, destination.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// A config that stands in a ConfigMap.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFrom {
    /// The ConfigMap's name and the key that holds the text (JSON or YAML).
    pub config_map_key_ref: KeyRef,
}

/// A key of an object in the same namespace.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A Secret in the same namespace, by name.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Where the files are, and how to get at them.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(schema::SIGNED_OR_NOT).message(schema::SIGNED_OR_NOT_MESSAGE).field_path(".anonymous"))]
#[x_kube(validation = Rule::new("!has(self.url) || !has(self.bucket)").message("both url and bucket; keep one of them, a URL names its bucket").field_path(".bucket"))]
pub struct Source {
    /// List here instead of the config's paths: `s3://bucket/prefix/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(schema::S3_URL).message(schema::S3_URL_MESSAGE))]
    pub url: Option<String>,

    /// Regular expressions instead of the config's; a file is taken if one of them is found in `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 1024)))]
    pub filter: Vec<String>,

    /// Replaces the bucket of every path of the config, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 255))]
    pub bucket: Option<String>,

    /// URL of an S3 service other than Amazon's, such as `https://s3.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(schema::HTTP_URL).message(schema::HTTP_URL_MESSAGE))]
    pub endpoint: Option<String>,

    /// Region of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,

    /// Put the bucket into the path of a request instead of the host name. Default: true with an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,

    /// Send requests unsigned, for public buckets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,

    /// Secret with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if need be, `AWS_SESSION_TOKEN`.
    /// Without it, the identity of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// ConfigMap key with the certificates to trust, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<KeyRef>,

    /// Leave files alone that are younger than this, because they may still be being delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub min_age_seconds: Option<u64>,
}

/// Where the dataset is written.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(schema::SIGNED_OR_NOT).message(schema::SIGNED_OR_NOT_MESSAGE).field_path(".anonymous"))]
pub struct Destination {
    /// `s3://bucket/prefix/`. Cannot be changed: create another resource for another place.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new(schema::S3_URL).message(schema::S3_URL_MESSAGE),
        validation = Rule::new("self == oldSelf").message("cannot be changed; create another resource for another place")
    )]
    pub url: String,

    /// URL of an S3 service other than Amazon's, such as `https://s3.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(schema::HTTP_URL).message(schema::HTTP_URL_MESSAGE))]
    pub endpoint: Option<String>,

    /// Region of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,

    /// Put the bucket into the path of a request instead of the host name. Default: true with an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,

    /// Send requests unsigned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,

    /// Secret with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if need be, `AWS_SESSION_TOKEN`.
    /// Without it, the identity of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// ConfigMap key with the certificates to trust, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<KeyRef>,
}
