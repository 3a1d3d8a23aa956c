//! Opens a store from a URL and what the document says of its access.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crds::wire::Access;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::client::HttpConnector;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};

use super::bucket::{Bucket, Encryption};
use super::keys::{Keys, setting};
use super::meter::MeteredConnector;
use super::upload::BUFFERS;
use super::{Meter, Side, Store, StoreError, StoreErrorKind};

/// Where a store's root lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// `s3://bucket/prefix/`; the prefix is empty or ends with `/`.
    Bucket { bucket: String, prefix: String },
    /// `file:///dir/`, or a plain path.
    Folder { root: PathBuf, text: String },
}

impl Url {
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(format!("{text:?} names no bucket; write s3://bucket/prefix/"));
            }
            let prefix = prefix.trim_matches('/');
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            return Ok(Self::Bucket { bucket: bucket.to_owned(), prefix });
        }
        let path = match text.strip_prefix("file://") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(format!("{text:?} is not absolute; write file:///dir/")),
            None if text.contains("://") => return Err(format!("{text:?} is neither s3:// nor file:// nor a path")),
            None => text,
        };
        let root = std::path::absolute(path).map_err(|source| format!("{text:?}: {source}"))?;
        Ok(Self::Folder { text: root.display().to_string().trim_end_matches('/').to_owned(), root })
    }

    /// The bucket, or the folder.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::Bucket { bucket, .. } => bucket,
            Self::Folder { text, .. } => text,
        }
    }

    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Bucket { prefix, .. } => prefix,
            Self::Folder { .. } => "",
        }
    }

    /// The full URL of a key below this root.
    #[must_use]
    pub fn of(&self, key: &str) -> String {
        match self {
            Self::Bucket { bucket, prefix } => format!("s3://{bucket}/{prefix}{key}"),
            Self::Folder { text, .. } => format!("file://{text}/{key}"),
        }
    }
}

/// Opens one side's store. A destination folder is made when it is missing; a source folder must be
/// there. Without `keys` the environment has them.
///
/// # Errors
/// A missing folder, or access settings the client library refuses.
pub fn open(side: Side, url: &Url, access: &Access, keys: Option<&Keys>) -> Result<Store, StoreError> {
    match url {
        Url::Folder { root, .. } => open_folder(side, url, root),
        Url::Bucket { bucket, .. } => open_bucket(side, url, bucket, access, keys),
    }
}

fn failed(side: Side, url: &Url, kind: StoreErrorKind, message: String) -> StoreError {
    StoreError { kind, side, place: url.place().to_owned(), operation: "Open", key: String::new(), message }
}

fn open_folder(side: Side, url: &Url, root: &PathBuf) -> Result<Store, StoreError> {
    let io = |source: std::io::Error| {
        let kind = match StoreError::kind_of_io(&source) {
            StoreErrorKind::NotFound => StoreErrorKind::BucketMissing,
            kind => kind,
        };
        failed(side, url, kind, source.to_string())
    };
    if side == Side::Destination {
        std::fs::create_dir_all(root).map_err(io)?;
    }
    std::fs::read_dir(root).map_err(io)?;
    let objects = LocalFileSystem::new_with_prefix(root)
        .map_err(|source| failed(side, url, StoreError::kind_of(&source, ""), super::chain(&source)))?
        .with_automatic_cleanup(true);
    Ok(store(side, url, Arc::new(objects), None, Meter::default()))
}

fn open_bucket(side: Side, url: &Url, bucket: &str, access: &Access, keys: Option<&Keys>) -> Result<Store, StoreError> {
    let endpoint = access.endpoint.clone().or_else(|| setting(side, "AWS_ENDPOINT_URL_S3")).or_else(|| setting(side, "AWS_ENDPOINT_URL"));
    let region = access.region.clone().or_else(|| setting(side, "AWS_REGION")).or_else(|| setting(side, "AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let path_style = access.path_style.unwrap_or(endpoint.is_some());

    let mut client = ClientOptions::new().with_connect_timeout(Duration::from_secs(10)).with_timeout(Duration::from_mins(5));
    client = client.with_allow_http(endpoint.as_deref().is_some_and(|url| url.starts_with("http://")));
    let bundle = match side {
        Side::Source => "SOURCE_CA_BUNDLE",
        Side::Destination => "DESTINATION_CA_BUNDLE",
    };
    if let Ok(path) = env::var(bundle).or_else(|_| env::var("AWS_CA_BUNDLE")) {
        let pem = std::fs::read(&path).map_err(|source| failed(side, url, StoreErrorKind::Unavailable, format!("{path}: {source}")))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|source| failed(side, url, StoreErrorKind::Unavailable, format!("{path}: {}", super::chain(&source))))?;
        client = certificates.into_iter().fold(client, ClientOptions::with_root_certificate);
    }

    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_region(&region)
        .with_virtual_hosted_style_request(!path_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_skip_signature(access.anonymous)
        // Plain DELETE works on every server, and its errors name one key.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig {
            backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(10), base: 2.0 },
            max_retries: 8,
            retry_timeout: Duration::from_secs(90),
        })
        .with_client_options(client.clone());
    let base = match (&endpoint, path_style) {
        (Some(endpoint), true) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
        (Some(endpoint), false) => endpoint.trim_end_matches('/').to_owned(),
        (None, true) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
        (None, false) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
    };
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(keys) = keys.cloned().or_else(|| Keys::from_env(side)) {
        builder = builder.with_access_key_id(keys.id).with_secret_access_key(keys.secret);
        if let Some(token) = keys.token {
            builder = builder.with_token(token);
        }
    }
    let unusable = |source: object_store::Error| failed(side, url, StoreErrorKind::Unavailable, super::chain(&source));
    let (meter, asked) = (Meter::default(), |name: &str| builder.get_config_value(&name.parse().ok()?));
    let encryption = Encryption {
        kind: asked("aws_server_side_encryption"),
        kms_key: asked("aws_sse_kms_key_id"),
        bucket_key: asked("aws_sse_bucket_key_enabled"),
        customer_key: asked("aws_sse_customer_key_base64"),
    };
    let requester_pays = asked("aws_request_payer").as_deref() == Some("true");
    let connector = MeteredConnector::new(&meter, &base);
    let direct = connector.connect(&client).map_err(unusable)?;
    let objects = builder.with_http_connector(connector).build().map_err(unusable)?;
    let bucket = Bucket { encryption, requester_pays, ..Bucket::new(direct, &objects, access.anonymous, bucket, base, region) };
    Ok(store(side, url, Arc::new(objects), Some(Arc::new(bucket)), meter))
}

fn store(side: Side, url: &Url, objects: Arc<dyn ObjectStore>, bucket: Option<Arc<Bucket>>, meter: Meter) -> Store {
    let buffers = Arc::new(tokio::sync::Semaphore::new(BUFFERS));
    Store { side, url: url.clone(), objects, bucket, meter, deletes: Arc::default(), buffers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_parse_or_say_what_to_write() {
        let bucket = |bucket: &str, prefix: &str| Ok(Url::Bucket { bucket: bucket.into(), prefix: prefix.into() });
        assert_eq!(Url::parse("s3://archive"), bucket("archive", ""));
        assert_eq!(Url::parse("s3://archive/a/b"), bucket("archive", "a/b/"));
        assert_eq!(Url::parse("s3://archive/a/b/"), bucket("archive", "a/b/"));
        assert!(Url::parse("s3://").unwrap_err().contains("s3://bucket/prefix/"));
        assert!(Url::parse("gs://x/y").is_err());
        assert!(Url::parse("file://relative").is_err());
        assert_eq!(Url::parse("file:///tmp/out/").unwrap().of("k"), "file:///tmp/out/k");
    }
}
