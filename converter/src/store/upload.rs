//! Writes an object of any size in bounded memory.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::{ObjectStoreExt, PutPayload, PutResult, UploadPart};

use super::meter::Kind;
use super::{Head, Store, StoreError, Url, folder};
use crate::read::{Input, Positioned};

const MIB: u64 = 1 << 20;
/// The largest object that is written by one request.
const ONE_REQUEST: u64 = 64 * MIB;
const PART: u64 = 8 * MIB;
/// What S3 takes at most.
const MOST_PARTS: u64 = 10_000;
const PARTS_AT_ONCE: usize = 3;
/// What bodies out of scratch files may take in memory together, in MiB.
pub(super) const BUFFERS: usize = 64;

/// What an object is made of.
#[derive(Clone, Debug)]
pub enum Body {
    Memory(Bytes),
    /// A range of a scratch file, read at its positions: others may read the file too.
    Scratch {
        file: Arc<dyn Positioned>,
        offset: u64,
        length: u64,
    },
}

impl Body {
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Scratch { length, .. } => *length,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn read(&self, at: u64, length: u64) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => {
                let (at, length) =
                    (usize::try_from(at).map_err(std::io::Error::other)?, usize::try_from(length).map_err(std::io::Error::other)?);
                Ok(bytes.slice(at..at + length))
            }
            Self::Scratch { file, offset, .. } => {
                let (file, at) = (Arc::clone(file), offset + at);
                let length = usize::try_from(length).map_err(std::io::Error::other)?;
                let read = tokio::task::spawn_blocking(move || file.read_range(at, length));
                read.await.map_err(std::io::Error::other)?
            }
        }
    }
}

impl From<Input> for Body {
    fn from(input: Input) -> Self {
        match input {
            Input::Memory(bytes) => Self::Memory(bytes),
            Input::File { file, length } => Self::Scratch { file, offset: 0, length },
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl Store {
    /// Writes the object, replacing what stands there: in one request up to 64 MiB, in parts beyond.
    /// All bodies that come out of scratch files take 64 MiB of memory together.
    pub async fn put_body(&self, key: &str, body: Body) -> Result<Head, StoreError> {
        let (length, folder) = (body.len(), matches!(self.url, Url::Folder { .. }));
        match &body {
            Body::Memory(bytes) if length <= ONE_REQUEST || folder => self.put(key, bytes.clone()).await,
            Body::Scratch { .. } if length <= PART || (length <= ONE_REQUEST && !folder) => {
                let _buffer = self.buffer(length).await;
                let bytes = body.read(0, length).await.map_err(|source| self.scratch(key, length, &source))?;
                self.put(key, bytes).await
            }
            _ => self.put_in_parts(key, &body).await,
        }
    }

    /// Writes objects that nobody looks for yet, at keys where nothing stands. In a folder those in memory are written
    /// one after the other on one thread, and in place: a stop in the midst of one leaves a part of it there.
    pub async fn put_new(&self, objects: Vec<(String, Body)>) -> Result<Vec<Head>, StoreError> {
        let in_memory = |(_, body): &(String, Body)| matches!(body, Body::Memory(_));
        if matches!(self.url, Url::Bucket { .. }) || !objects.iter().all(in_memory) {
            return self.put_each(objects).await;
        }
        let mut files = Vec::with_capacity(objects.len());
        for (key, body) in objects {
            if let Body::Memory(bytes) = body {
                self.asked(Kind::Put);
                files.push((key.clone(), (self.file("PutObject", &key)?, bytes)));
            }
        }
        let written = self.each_on_disk("PutObject", files, |(path, bytes)| folder::write(&path, &bytes)).await?;
        let told = written.into_iter().map(|folder::Version { etag, bytes, .. }| {
            self.meter.wrote(bytes);
            Head { etag, bytes }
        });
        Ok(told.collect())
    }

    async fn put_each(&self, objects: Vec<(String, Body)>) -> Result<Vec<Head>, StoreError> {
        let mut heads = Vec::with_capacity(objects.len());
        for (key, body) in objects {
            heads.push(self.put_body(&key, body).await?);
        }
        Ok(heads)
    }

    async fn put_in_parts(&self, key: &str, body: &Body) -> Result<Head, StoreError> {
        let (path, length) = (self.path("PutObject", key)?, body.len());
        let part = PART.max(length.div_ceil(MOST_PARTS));
        let _buffers = match body {
            Body::Scratch { .. } => self.buffer(part * PARTS_AT_ONCE as u64).await,
            Body::Memory(_) => None,
        };
        let failed = |source| self.wrap("PutObject", key, &source);
        self.asked(Kind::Put);
        let mut upload = self.objects.put_multipart(&path).await.map_err(failed)?;
        let sent = async {
            let mut sending: FuturesUnordered<UploadPart> = FuturesUnordered::new();
            let mut at = 0;
            while at < length {
                if sending.len() >= PARTS_AT_ONCE
                    && let Some(sent) = sending.next().await
                {
                    sent.map_err(failed)?;
                }
                let bytes = body.read(at, part.min(length - at)).await.map_err(|source| self.scratch(key, length, &source))?;
                at += bytes.len() as u64;
                sending.push(upload.put_part(PutPayload::from_bytes(bytes)));
            }
            while let Some(sent) = sending.next().await {
                sent.map_err(failed)?;
            }
            upload.complete().await.map_err(failed)
        };
        let PutResult { e_tag, .. } = match sent.await {
            Ok(put) => put,
            Err(error) => {
                // Parts that nobody completes would be kept, and paid for.
                if let Err(source) = upload.abort().await {
                    tracing::warn!(key, error = super::chain(&source), "an upload that failed could not be taken back");
                }
                return Err(error);
            }
        };
        self.meter.wrote(length);
        self.told(key, e_tag.as_deref(), length).await
    }

    /// Waits until this many more bytes may be in memory.
    async fn buffer(&self, bytes: u64) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX).min(BUFFERS as u32);
        Arc::clone(&self.buffers).acquire_many_owned(wanted).await.ok()
    }
}
