//! One side's objects: an S3 bucket prefix or a folder, behind the handful of operations the
//! protocol needs. Keys are relative to the store's root and use `/`.

mod error;
mod folder;
mod keys;
mod list;
mod meter;
mod open;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path};
use tokio::io::AsyncWriteExt;

pub use error::{Side, StoreError, StoreErrorKind, chain};
pub use keys::{Keys, Secrets};
pub use list::Listed;
pub use meter::{Meter, Used};
pub use open::{Url, open};

const CREATE_ATTEMPTS: u32 = 3;
const DELETES_AT_ONCE: usize = 16;
/// The library writes `name#1` before it renames.
const HALF_WRITTEN_MARK: usize = 4;

/// An object's ETag (quotes stripped) and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub etag: String,
    pub bytes: u64,
}

/// How a create-if-absent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object is ours.
    Won,
    /// Somebody else's bytes stand there.
    Lost(Bytes),
}

/// A bucket prefix or a folder.
#[derive(Clone, Debug)]
pub struct Store {
    side: Side,
    url: Url,
    objects: Arc<dyn ObjectStore>,
    lister: Option<Arc<list::S3Lister>>,
    meter: Meter,
}

impl Store {
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    fn path(&self, operation: &'static str, key: &str) -> Result<Path, StoreError> {
        let full = format!("{}{key}", self.url.prefix());
        let path = Path::parse(&full).map_err(|source| self.error(operation, key, StoreErrorKind::HostileKey, source.to_string()))?;
        // `Path` drops an outer `/`; a key that does not survive the round trip names another object.
        if path.as_ref() == full {
            Ok(path)
        } else {
            Err(self.error(operation, key, StoreErrorKind::HostileKey, "no client library can hold this key".to_owned()))
        }
    }

    fn error(&self, operation: &'static str, key: &str, kind: StoreErrorKind, message: String) -> StoreError {
        StoreError { kind, side: self.side, place: self.url.place().to_owned(), operation, key: key.to_owned(), message }
    }

    fn wrap(&self, operation: &'static str, key: &str, error: &object_store::Error) -> StoreError {
        self.error(operation, key, StoreError::kind_of(error, key), chain(error))
    }

    /// The whole object.
    pub async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.get_with(key, GetOptions::default()).await
    }

    /// The whole object, if it still has this ETag; `Changed` otherwise.
    pub async fn get_if(&self, key: &str, etag: &str) -> Result<Bytes, StoreError> {
        let condition = match &self.url {
            Url::Bucket { .. } => format!("\"{etag}\""),
            Url::Folder { .. } => self.full_etag(key, etag).await?,
        };
        self.get_with(key, GetOptions { if_match: Some(condition), ..GetOptions::default() }).await
    }

    /// The library's own ETag of a file, which names the inode too.
    async fn full_etag(&self, key: &str, etag: &str) -> Result<String, StoreError> {
        let path = self.path("GetObject", key)?;
        let meta = self.objects.head(&path).await.map_err(|source| self.wrap("GetObject", key, &source))?;
        if self.bare(meta.e_tag.as_deref()) == etag {
            Ok(meta.e_tag.unwrap_or_default())
        } else {
            Err(self.error("GetObject", key, StoreErrorKind::Changed, "it is another version now".to_owned()))
        }
    }

    /// An ETag without its quotes. Of a file only time and size: a folder that was moved or restored
    /// has other inodes, and is the same.
    fn bare(&self, etag: Option<&str>) -> String {
        let bare = bare(etag);
        match (&self.url, bare.split_once('-')) {
            (Url::Folder { .. }, Some((_, rest))) => rest.to_owned(),
            _ => bare,
        }
    }

    async fn get_with(&self, key: &str, options: GetOptions) -> Result<Bytes, StoreError> {
        let path = self.path("GetObject", key)?;
        let read = async { self.objects.get_opts(&path, options).await?.bytes().await };
        let bytes = read.await.map_err(|source| self.wrap("GetObject", key, &source))?;
        self.meter.read(bytes.len());
        Ok(bytes)
    }

    /// None when nothing stands at the key.
    pub async fn try_get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        absent_as_none(self.get(key).await)
    }

    pub async fn head(&self, key: &str) -> Result<Option<Head>, StoreError> {
        let path = self.path("HeadObject", key)?;
        self.meter.asked();
        let meta = self.objects.head(&path).await.map_err(|source| self.wrap("HeadObject", key, &source));
        Ok(absent_as_none(meta)?.map(|meta| Head { etag: self.bare(meta.e_tag.as_deref()), bytes: meta.size }))
    }

    /// Writes the object, replacing what stands there.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<Head, StoreError> {
        let path = self.path("PutObject", key)?;
        let bytes = body.len();
        self.meter.wrote(bytes);
        let put = self.objects.put(&path, PutPayload::from_bytes(body)).await;
        let etag = put.map_err(|source| self.wrap("PutObject", key, &source))?.e_tag;
        match etag {
            Some(etag) => Ok(Head { etag: self.bare(Some(&etag)), bytes: bytes as u64 }),
            None => self.must_head(key).await,
        }
    }

    /// Writes the object only if none stands there. A lost answer looks like a refusal, so after
    /// a refusal the object is read back: our own bytes mean that we won.
    pub async fn create(&self, key: &str, body: Bytes) -> Result<Created, StoreError> {
        let path = self.path("PutObject", key)?;
        self.meter.wrote(body.len());
        for _ in 0..CREATE_ATTEMPTS {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.objects.put_opts(&path, PutPayload::from_bytes(body.clone()), options).await {
                Ok(_) => return Ok(Created::Won),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
                Err(source) => return Err(self.wrap("PutObject", key, &source)),
            }
            // A transient 409 looks like a refusal, and leaves nothing to read back.
            if let Some(there) = self.try_get(key).await? {
                return Ok(if there == body { Created::Won } else { Created::Lost(there) });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(self.error("PutObject", key, StoreErrorKind::Unavailable, "refused as present, and yet absent".to_owned()))
    }

    /// Writes a file of any size, in pieces.
    pub async fn upload(&self, key: &str, file: &std::path::Path) -> Result<(), StoreError> {
        let path = self.path("PutObject", key)?;
        let failed = |source: std::io::Error| self.error("PutObject", key, StoreErrorKind::Unavailable, source.to_string());
        let mut reader = tokio::fs::File::open(file).await.map_err(failed)?;
        let mut writer = BufWriter::new(Arc::clone(&self.objects), path);
        let copied = async {
            let bytes = tokio::io::copy(&mut reader, &mut writer).await?;
            writer.shutdown().await?;
            Ok(bytes)
        };
        let bytes = copied.await.map_err(|source: std::io::Error| {
            let kind = source
                .get_ref()
                .and_then(|inner| inner.downcast_ref())
                .map_or(StoreErrorKind::Unavailable, |inner| StoreError::kind_of(inner, key));
            self.error("PutObject", key, kind, chain(&source))
        })?;
        self.meter.wrote(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Puts a staged object at its final key: a rename in a folder, a server-side copy on S3.
    /// Returns `None` when there is nothing at `from`.
    pub async fn publish(&self, from: &str, to: &str) -> Result<Option<Head>, StoreError> {
        let (source, target) = (self.path("CopyObject", from)?, self.path("CopyObject", to)?);
        self.meter.asked();
        let moved = match self.url {
            Url::Folder { .. } => self.objects.rename(&source, &target).await,
            Url::Bucket { .. } => self.objects.copy(&source, &target).await,
        };
        match absent_as_none(moved.map_err(|source| self.wrap("CopyObject", to, &source)))? {
            Some(()) => Ok(Some(self.must_head(to).await?)),
            None => Ok(None),
        }
    }

    async fn must_head(&self, key: &str) -> Result<Head, StoreError> {
        let head = self.head(key).await?;
        head.ok_or_else(|| self.error("HeadObject", key, StoreErrorKind::NotFound, "written a moment ago, and gone".to_owned()))
    }

    /// Deletes the object; one that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path("DeleteObject", key)?;
        self.meter.asked();
        let gone = self.objects.delete(&path).await.map_err(|source| self.wrap("DeleteObject", key, &source));
        absent_as_none(gone).map(|_| ())
    }

    /// Deletes the object only while it has this ETag. Says whether it did.
    pub async fn delete_if(&self, key: &str, etag: &str) -> Result<bool, StoreError> {
        match self.head(key).await? {
            Some(head) if head.etag == etag => self.delete(key).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// Deletes all below a prefix.
    pub async fn delete_below(&self, prefix: &str) -> Result<(), StoreError> {
        self.delete_where(prefix, |_| true).await
    }

    /// Deletes those objects below a prefix that are meant.
    pub async fn delete_where(&self, prefix: &str, meant: impl Fn(&Listed) -> bool) -> Result<(), StoreError> {
        let listed = self.list(prefix).try_filter(|object| std::future::ready(meant(object)));
        listed.try_for_each_concurrent(DELETES_AT_ONCE, |object| async move { self.delete(&object.key).await }).await
    }

    /// Whether an object can stand at a key: S3 holds 1,024 bytes, a folder 255 a name.
    #[must_use]
    pub fn holds(&self, key: &str) -> bool {
        let fits = match &self.url {
            Url::Bucket { prefix, .. } => prefix.len() + key.len() <= 1_024,
            Url::Folder { .. } => key.split('/').all(|name| name.len() <= 255 - HALF_WRITTEN_MARK),
        };
        fits && self.path("PutObject", key).is_ok()
    }
}

/// "Not found" is an answer where the caller asks whether something is there.
fn absent_as_none<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An ETag without its quotes.
fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}
