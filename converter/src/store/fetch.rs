//! Reads an object at one version, whatever its size: in memory, as a file to be read by ranges, or by ranges of itself.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, GetRange};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;

use super::meter::Kind;
use super::{Store, StoreError, StoreErrorKind, Url, folder};
use crate::read::{Input, Remote};

/// How often a download that broke off is taken up again without having moved on.
const RESUMES: u32 = 4;

/// What went wrong with the store while an input was read by ranges.
#[derive(Clone, Debug, Default)]
pub struct Trouble(Arc<Mutex<Option<StoreError>>>);

impl Trouble {
    #[must_use]
    pub fn take(&self) -> Option<StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Store {
    /// The whole object, if it still has this `ETag`; `Changed` otherwise. One GET. What is larger than
    /// `in_memory_up_to` comes as a file: of a bucket an unlinked one in scratch space (`TMPDIR`), of
    /// a folder the very file, of which [`Store::still`] tells at the end whether it was left alone.
    ///
    /// # Errors
    /// Store trouble; `DiskFull`, with the bytes wanted, when scratch space cannot take the object.
    pub async fn fetch(&self, key: &str, etag: &str, in_memory_up_to: u64) -> Result<Input, StoreError> {
        match &self.url {
            Url::Folder { .. } => self.fetch_file(key, etag, in_memory_up_to).await,
            Url::Bucket { .. } => self.fetch_object(key, etag, in_memory_up_to).await,
        }
    }

    /// An object of `length` bytes for what its header says: what is larger than `whole_up_to` is read by ranges.
    ///
    /// # Errors
    /// Store trouble. What happens later, while ranges are read, stands in what is returned beside the input.
    pub async fn peek(&self, key: &str, etag: &str, length: u64, whole_up_to: u64) -> Result<(Input, Trouble), StoreError> {
        let trouble = Trouble::default();
        if matches!(self.url, Url::Folder { .. }) || length <= whole_up_to {
            return Ok((self.fetch(key, etag, whole_up_to).await?, trouble));
        }
        let (store, runtime, told) = (self.clone(), Handle::current(), trouble.clone());
        let (key, etag) = (key.to_owned(), etag.to_owned());
        let fetch = move |offset: u64, length: u64| {
            runtime.block_on(store.get_range(&key, &etag, offset..offset + length)).map_err(|error| {
                let message = error.to_string();
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                std::io::Error::other(message)
            })
        };
        Ok((Input::File { file: Arc::new(Remote::new(length, fetch)), length }, trouble))
    }

    async fn get_range(&self, key: &str, etag: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let path = self.path("GetObject", key)?;
        let options = GetOptions { if_match: Some(format!("\"{etag}\"")), range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let failed = |source: object_store::Error| self.wrap("GetObject", key, &source);
        let bytes = self.objects.get_opts(&path, options).await.map_err(failed)?.bytes().await.map_err(failed)?;
        self.meter.read(bytes.len() as u64);
        Ok(bytes)
    }

    /// Whether an object that was fetched at this `ETag` can be trusted now that it has been read: a
    /// file that is read in place may have been written meanwhile. A bucket is not asked again.
    pub async fn still(&self, key: &str, etag: &str) -> Result<bool, StoreError> {
        match &self.url {
            Url::Folder { .. } => Ok(self.version("GetObject", key).await?.is_some_and(|version| version.etag == etag)),
            Url::Bucket { .. } => Ok(true),
        }
    }

    /// The whole object in memory, if it still has this `ETag`; `Changed` otherwise.
    pub async fn get_if(&self, key: &str, etag: &str) -> Result<Bytes, StoreError> {
        match self.fetch(key, etag, u64::MAX).await? {
            Input::Memory(bytes) => Ok(bytes),
            Input::File { .. } => Err(self.error("GetObject", key, StoreErrorKind::Unavailable, "too large for memory".to_owned())),
        }
    }

    pub(super) async fn version(&self, operation: &'static str, key: &str) -> Result<Option<folder::Version>, StoreError> {
        let path = self.file(operation, key)?;
        self.on_disk(operation, key, move || folder::version(&path)).await
    }

    async fn fetch_file(&self, key: &str, etag: &str, in_memory_up_to: u64) -> Result<Input, StoreError> {
        let (path, wanted) = (self.file("GetObject", key)?, etag.to_owned());
        self.meter.asked(Kind::Get, 1);
        let read = self.on_disk("GetObject", key, move || folder::read(&path, &wanted, in_memory_up_to)).await?;
        let input = read.ok_or_else(|| self.error("GetObject", key, StoreErrorKind::Changed, "it is another version now".to_owned()))?;
        self.meter.read(input.len());
        Ok(input)
    }

    async fn fetch_object(&self, key: &str, etag: &str, in_memory_up_to: u64) -> Result<Input, StoreError> {
        let path = self.path("GetObject", key)?;
        let options = |range| GetOptions { if_match: Some(format!("\"{etag}\"")), range, ..GetOptions::default() };
        let failed = |source: object_store::Error| self.wrap("GetObject", key, &source);
        let answer = self.objects.get_opts(&path, options(None)).await.map_err(failed)?;
        let length = answer.meta.size;
        if length <= in_memory_up_to {
            let bytes = answer.bytes().await.map_err(failed)?;
            self.meter.read(bytes.len() as u64);
            return Ok(Input::Memory(bytes));
        }
        let scratch = |source: std::io::Error| self.scratch(key, length, &source);
        let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(scratch)?);
        let (mut written, mut resumes) = (0, 0);
        let mut chunks = answer.into_stream();
        while written < length {
            let broken = match chunks.try_next().await {
                Ok(Some(chunk)) => {
                    file.write_all(&chunk).await.map_err(scratch)?;
                    written += chunk.len() as u64;
                    self.meter.read(chunk.len() as u64);
                    resumes = 0;
                    continue;
                }
                Ok(None) => {
                    self.error("GetObject", key, StoreErrorKind::Unavailable, format!("it ended after {written} of {length} bytes"))
                }
                Err(source) => failed(source),
            };
            // A long download outlives the time that one request may take.
            resumes += 1;
            if resumes > RESUMES || broken.kind != StoreErrorKind::Unavailable {
                return Err(broken);
            }
            let rest = options(Some(GetRange::Offset(written)));
            chunks = self.objects.get_opts(&path, rest).await.map_err(failed)?.into_stream();
        }
        file.flush().await.map_err(scratch)?;
        Ok(Input::File { file: Arc::new(file.into_std().await), length })
    }

    /// What went wrong in scratch space, told with what was to be put there.
    pub(super) fn scratch(&self, key: &str, wanted: u64, source: &std::io::Error) -> StoreError {
        let place = std::env::temp_dir();
        let place = place.display();
        let full = matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let (kind, message) = if full {
            let message =
                format!("scratch space (TMPDIR, {place}) is full: {wanted} bytes were wanted; give the worker more (scratchSize)");
            (StoreErrorKind::DiskFull, message)
        } else {
            (StoreErrorKind::Unavailable, format!("scratch space (TMPDIR, {place}): {source}; {wanted} bytes were wanted"))
        };
        self.error("GetObject", key, kind, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Side, open};
    use crds::wire::{Access, Reason};

    #[test]
    fn full_scratch_space_says_how_much_was_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let url = Url::parse(&dir.path().display().to_string()).unwrap();
        let store = open(Side::Source, &url, &Access::default(), None).unwrap();
        let full = store.scratch("a.nc", 4_321, &std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!((full.kind, full.reason()), (StoreErrorKind::DiskFull, Reason::DiskFull));
        assert!(full.to_string().contains("4321 bytes were wanted") && full.to_string().contains("\"a.nc\""), "{full}");
        let other = store.scratch("a.nc", 1, &std::io::Error::other("broken"));
        assert_eq!(other.kind, StoreErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn bytes_of_an_object_come_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), b"0123456789").unwrap();
        let url = Url::parse(&dir.path().display().to_string()).unwrap();
        let store = open(Side::Destination, &url, &Access::default(), None).unwrap();
        for (key, range, expected) in [("x", 2..5, Some("234")), ("x", 0..10, Some("0123456789")), ("x", 8..12, None), ("y", 0..1, None)] {
            let bytes = store.try_get_range(key, range.clone()).await.unwrap();
            assert_eq!(bytes.as_deref(), expected.map(str::as_bytes), "{key} {range:?}");
        }
    }
}
