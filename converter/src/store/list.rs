//! Lists raw keys below a raw prefix, in key order.
//!
//! The client library lists whole path segments only and fails a page on one key it cannot hold;
//! the incumbent's paths are string prefixes (`X` also lists `X2/`), and one hostile key must cost
//! one file. So `ListObjectsV2` is asked directly.

use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::answers::Page;
use super::bucket::{Bucket, From, Patience};
use super::folder::{self, Entry};
use super::meter::Kind;
use super::{Store, StoreError, StoreErrorKind};

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the store's root; may hold anything a store lets through.
    pub key: String,
    pub etag: String,
    pub bytes: u64,
    pub modified: Timestamp,
    /// No client library can hold the key (not UTF-8, an empty segment, …): `key` only shows it, and
    /// it has no place in the order of keys.
    pub garbled: bool,
}

impl Store {
    /// All objects whose key starts with `prefix`, in key order. A folder is sorted in memory.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        match &self.bucket {
            Some(bucket) => self.list_bucket(Arc::clone(bucket), prefix),
            None => self.list_folder(prefix.to_owned()),
        }
    }

    /// Whether any key starts with `prefix`, at a cost that does not grow with their number.
    pub async fn has_any(&self, prefix: &str) -> Result<bool, StoreError> {
        match &self.bucket {
            Some(bucket) => {
                let full = format!("{}{prefix}", self.url.prefix());
                let page = self.page(bucket, &full, None, Some(1)).await?;
                Ok(!page.listed(self.url.prefix().len()).is_empty())
            }
            None => Ok(!self.walk(prefix.to_owned(), true).await?.is_empty()),
        }
    }

    fn list_folder(&self, prefix: String) -> BoxStream<'static, Result<Listed, StoreError>> {
        let store = self.clone();
        let listing = async move {
            let entries = store.walk(prefix, false).await?;
            Ok(stream::iter(entries.into_iter().map(move |entry| Ok(store.listed(entry)))))
        };
        stream::once(listing).try_flatten().boxed()
    }

    async fn walk(&self, prefix: String, first_only: bool) -> Result<Vec<Entry>, StoreError> {
        let (side, root) = (self.side, self.url.clone());
        let walked = tokio::task::spawn_blocking(move || folder::walk(side, &root, &prefix, first_only)).await;
        let walked = walked.map_err(|source| self.error("ListObjectsV2", "", StoreErrorKind::Unavailable, source.to_string()))?;
        let (entries, folders) = walked.map_err(|source| self.io("ListObjectsV2", "", &source))?;
        self.meter.asked(Kind::List, folders);
        Ok(entries)
    }

    fn listed(&self, entry: Entry) -> Listed {
        let Entry { key, garbled, version } = entry;
        // The client library takes `name#1` for a file that is being written.
        if garbled || folder::half_written(&key) || self.path("HeadObject", &key).is_err() {
            return Listed { key, etag: String::new(), bytes: 0, modified: Timestamp::UNIX_EPOCH, garbled: true };
        }
        Listed { key, etag: version.etag, bytes: version.bytes, modified: version.modified, garbled: false }
    }

    fn list_bucket(&self, bucket: Arc<Bucket>, prefix: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        let store = self.clone();
        let full = format!("{}{prefix}", self.url.prefix());
        // The page to ask for; none when all have been told.
        let pages = stream::try_unfold(Some(None), move |from: Option<Option<From>>| {
            let (store, bucket, full) = (store.clone(), Arc::clone(&bucket), full.clone());
            async move {
                let Some(from) = from else { return Ok(None) };
                let page = store.page(&bucket, &full, from.as_ref(), None).await?;
                let next = page.next().map_err(|message| store.error("ListObjectsV2", &full, StoreErrorKind::Unavailable, message))?;
                let found: Vec<_> = page.listed(store.url.prefix().len()).into_iter().map(Ok).collect();
                Ok(Some((stream::iter(found), next.map(Some))))
            }
        });
        pages.try_flatten().boxed()
    }

    pub(super) async fn page(&self, bucket: &Bucket, prefix: &str, from: Option<&From>, most: Option<u32>) -> Result<Page, StoreError> {
        let mut patience = Patience::default();
        loop {
            match bucket.page(prefix, from, most).await {
                Ok(page) => return Ok(page),
                Err(refused) => patience.bear(refused).await.map_err(|refused| self.refused("ListObjectsV2", prefix, refused))?,
            }
        }
    }
}

/// A key as text; bytes that are not UTF-8 are shown as `\xNN`, so that different keys stay different.
pub(super) fn shown(raw: &[u8]) -> (String, bool) {
    let mut key = String::with_capacity(raw.len());
    let mut garbled = false;
    for chunk in raw.utf8_chunks() {
        key.push_str(chunk.valid());
        for byte in chunk.invalid() {
            garbled = true;
            key.extend(["\\x", &hex::encode([*byte])]);
        }
    }
    (key, garbled)
}
