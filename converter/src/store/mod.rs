//! One side's objects: an S3 bucket prefix or a folder, behind the handful of operations the
//! protocol needs. Keys are relative to the store's root and use `/`.

mod answers;
mod bucket;
mod delete;
mod error;
mod fetch;
mod folder;
mod keys;
mod list;
mod meter;
mod open;
mod upload;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path};

use bucket::{Patience, Refused};
use meter::Kind;

pub use delete::DELETE_GROUP;
pub use error::{Side, StoreError, StoreErrorKind, chain};
pub use fetch::Trouble;
pub use keys::{Keys, Secrets};
pub use list::Listed;
pub use meter::{Meter, Used};
pub use open::{Url, open};
pub use upload::Body;

const CREATE_ATTEMPTS: u32 = 3;
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
    /// None of a folder.
    bucket: Option<Arc<bucket::Bucket>>,
    meter: Meter,
    deletes: Arc<delete::Deletes>,
    /// A permit is a MiB of a body on its way from a scratch file.
    buffers: Arc<tokio::sync::Semaphore>,
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

    /// Counts what a folder is asked; requests to a bucket are counted as they leave.
    fn asked(&self, kind: Kind) {
        if self.bucket.is_none() {
            self.meter.asked(kind, 1);
        }
    }

    /// The file of a key.
    fn file(&self, operation: &'static str, key: &str) -> Result<PathBuf, StoreError> {
        self.path(operation, key)?;
        match &self.url {
            Url::Folder { root, .. } => Ok(root.join(key)),
            Url::Bucket { .. } => Err(self.error(operation, key, StoreErrorKind::Unavailable, "a bucket has no files".to_owned())),
        }
    }

    /// Work on a file, away from the threads that wait for the network.
    async fn on_disk<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
        done.and_then(|done| done).map_err(|source| self.io(operation, key, &source))
    }

    /// The same of many files, one after the other: to hand each to another thread takes longer than the work. Each is
    /// told by its key.
    async fn each_on_disk<W: Send + 'static, T: Send + 'static>(
        &self,
        operation: &'static str,
        files: Vec<(String, W)>,
        work: impl Fn(W) -> std::io::Result<T> + Send + 'static,
    ) -> Result<Vec<T>, StoreError> {
        let work = move || files.into_iter().map(|(key, file)| work(file).map_err(|source| (key, source))).collect();
        let done: Result<Vec<T>, (String, std::io::Error)> =
            tokio::task::spawn_blocking(work).await.map_err(|source| self.io(operation, "", &std::io::Error::other(source)))?;
        done.map_err(|(key, source)| self.io(operation, &key, &source))
    }

    fn refused(&self, operation: &'static str, key: &str, refused: Refused) -> StoreError {
        self.error(operation, key, refused.kind, refused.message)
    }

    fn io(&self, operation: &'static str, key: &str, error: &std::io::Error) -> StoreError {
        self.error(operation, key, StoreError::kind_of_io(error), error.to_string())
    }

    fn wrap(&self, operation: &'static str, key: &str, error: &object_store::Error) -> StoreError {
        self.error(operation, key, StoreError::kind_of(error, key), chain(error))
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

    /// The whole object.
    pub async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        self.get_opts(key, GetOptions::default()).await
    }

    async fn get_opts(&self, key: &str, options: GetOptions) -> Result<Bytes, StoreError> {
        let path = self.path("GetObject", key)?;
        self.asked(Kind::Get);
        let read = async { self.objects.get_opts(&path, options).await?.bytes().await };
        let bytes = read.await.map_err(|source| self.wrap("GetObject", key, &source))?;
        self.meter.read(bytes.len() as u64);
        Ok(bytes)
    }

    /// None when nothing stands at the key.
    pub async fn try_get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        absent_as_none(self.get(key).await)
    }

    /// Bytes of an object; none when nothing stands at the key, or it ends among them.
    pub async fn try_get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        let wanted = range.end - range.start;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let bytes = absent_as_none(self.get_opts(key, options).await)?;
        Ok(bytes.filter(|bytes| bytes.len() as u64 == wanted))
    }

    pub async fn head(&self, key: &str) -> Result<Option<Head>, StoreError> {
        let path = self.path("HeadObject", key)?;
        self.asked(Kind::Head);
        let meta = self.objects.head(&path).await.map_err(|source| self.wrap("HeadObject", key, &source));
        Ok(absent_as_none(meta)?.map(|meta| Head { etag: self.bare(meta.e_tag.as_deref()), bytes: meta.size }))
    }

    /// Writes the object, replacing what stands there.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<Head, StoreError> {
        let path = self.path("PutObject", key)?;
        let bytes = body.len() as u64;
        self.asked(Kind::Put);
        let put = self.objects.put(&path, PutPayload::from_bytes(body)).await;
        let put = put.map_err(|source| self.wrap("PutObject", key, &source))?;
        self.meter.wrote(bytes);
        self.told(key, put.e_tag.as_deref(), bytes).await
    }

    /// What was written, with the `ETag` that the answer told, or else the one that stands there.
    async fn told(&self, key: &str, etag: Option<&str>, bytes: u64) -> Result<Head, StoreError> {
        match etag {
            Some(etag) => Ok(Head { etag: self.bare(Some(etag)), bytes }),
            None => self.must_head(key).await,
        }
    }

    /// Writes the object only if none stands there. A lost answer looks like a refusal, so after
    /// a refusal the object is read back: our own bytes mean that we won.
    pub async fn create(&self, key: &str, body: Bytes) -> Result<Created, StoreError> {
        let path = self.path("PutObject", key)?;
        for _ in 0..CREATE_ATTEMPTS {
            self.asked(Kind::Put);
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.objects.put_opts(&path, PutPayload::from_bytes(body.clone()), options).await {
                Ok(_) => {
                    self.meter.wrote(body.len() as u64);
                    return Ok(Created::Won);
                }
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

    /// Puts staged objects at their final keys, in order: renames in a folder, server-side copies on S3. Each
    /// pair is where an object lies and where it goes. Returns the `ETag`s of what stands there now, `None` where
    /// there is nothing to be put.
    pub async fn publish(&self, pairs: &[(&str, &str)]) -> Result<Vec<Option<String>>, StoreError> {
        let Some(bucket) = &self.bucket else { return self.move_all(pairs).await };
        let mut published = Vec::with_capacity(pairs.len());
        for (from, to) in pairs {
            published.push(self.copy(bucket, from, to).await?);
        }
        Ok(published)
    }

    async fn move_all(&self, pairs: &[(&str, &str)]) -> Result<Vec<Option<String>>, StoreError> {
        let mut files = Vec::with_capacity(pairs.len());
        for (from, to) in pairs {
            self.asked(Kind::Copy);
            files.push(((*to).to_owned(), (self.file("CopyObject", from)?, self.file("CopyObject", to)?)));
        }
        let moved = self.each_on_disk("CopyObject", files, |(from, to)| folder::move_to(&from, &to)).await?;
        Ok(moved.into_iter().map(|version| Some(version?.etag)).collect())
    }

    async fn copy(&self, bucket: &bucket::Bucket, from: &str, to: &str) -> Result<Option<String>, StoreError> {
        let (source, target) = (self.path("CopyObject", from)?, self.path("CopyObject", to)?);
        let mut patience = Patience::default();
        let copied = loop {
            match bucket.copy(source.as_ref(), target.as_ref()).await {
                Ok(copied) => break Ok(copied),
                Err(refused) => {
                    if let Err(refused) = patience.bear(refused).await {
                        break Err(self.refused("CopyObject", to, refused));
                    }
                }
            }
        };
        match absent_as_none(copied)? {
            Some(Some(etag)) => Ok(Some(etag)),
            Some(None) => Ok(Some(self.must_head(to).await?.etag)),
            None => Ok(None),
        }
    }

    /// Small requests that are worth being made at once: a disk is not faster with more, and threads stand in
    /// each other's way.
    #[must_use]
    pub fn at_once(&self) -> usize {
        match &self.url {
            Url::Bucket { .. } => 16,
            Url::Folder { .. } => 2,
        }
    }

    /// Small requests of one kind that are worth being made together: those of a folder take less time than it
    /// takes to hand them to another thread.
    #[must_use]
    pub fn together(&self) -> usize {
        match &self.url {
            Url::Bucket { .. } => 1,
            Url::Folder { .. } => 16,
        }
    }

    async fn must_head(&self, key: &str) -> Result<Head, StoreError> {
        self.head(key).await?.ok_or_else(|| self.vanished(key))
    }

    fn vanished(&self, key: &str) -> StoreError {
        self.error("HeadObject", key, StoreErrorKind::NotFound, "written a moment ago, and gone".to_owned())
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
