//! A bucket, seen from outside of the product.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::surroundings::Surroundings;

/// What a listing says of an object: equal twice means that nobody has written it in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub etag: String,
    pub bytes: u64,
    pub modified: String,
}

/// Objects by key.
pub type Listing = BTreeMap<String, Listed>;

#[derive(Debug)]
pub struct Bucket {
    pub name: String,
    store: AmazonS3,
}

impl Bucket {
    pub fn open(surroundings: &Surroundings, name: &str) -> Result<Self> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&surroundings.endpoint)
            .with_allow_http(true)
            .with_region(&surroundings.region)
            .with_access_key_id(&surroundings.access_key)
            .with_secret_access_key(&surroundings.secret_key)
            .with_virtual_hosted_style_request(false)
            .with_bucket_name(name)
            .build()?;
        Ok(Self { name: name.to_owned(), store })
    }

    pub fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    pub async fn put(&self, key: &str, body: impl Into<Bytes>) -> Result<()> {
        self.store.put(&Path::parse(key)?, body.into().into()).await.with_context(|| format!("put {key}"))?;
        Ok(())
    }

    pub async fn get(&self, key: &str) -> Result<Bytes> {
        let found = self.store.get(&Path::parse(key)?).await.with_context(|| format!("get {key}"))?;
        Ok(found.bytes().await?)
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        self.store.delete(&Path::parse(key)?).await.with_context(|| format!("delete {key}"))
    }

    /// All objects below a folder.
    pub async fn list(&self, folder: &str) -> Result<Listing> {
        let prefix = Path::parse(folder.trim_end_matches('/'))?;
        let objects: Vec<_> = self.store.list(Some(&prefix)).try_collect().await.with_context(|| format!("list {folder}"))?;
        let listed = objects.into_iter().map(|object| {
            let etag = object.e_tag.unwrap_or_default();
            (object.location.to_string(), Listed { etag, bytes: object.size, modified: object.last_modified.to_rfc3339() })
        });
        Ok(listed.collect())
    }

    pub async fn delete_below(&self, folder: &str) -> Result<()> {
        for key in self.list(folder).await?.into_keys() {
            self.delete(&key).await?;
        }
        Ok(())
    }
}

/// A suffix that no run before this one had.
pub fn fresh_suffix() -> String {
    format!("{:x}", Timestamp::now().as_millisecond() & 0xfff_ffff)
}
