//! The 200 files: two stations, three years, four of them broken.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use tests::fixtures::{self, ArchiveFile, ArchiveOptions, Fault, Mooring, mooring, write_archive};

use super::bucket::Bucket;

/// Uploads at the same time.
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub struct Archive {
    /// Removed with the suite.
    _folder: TempDir,
    pub written: fixtures::Archive,
}

impl Archive {
    pub fn write() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let written = write_archive(folder.path(), &ArchiveOptions::default())?;
        Ok(Self { _folder: folder, written })
    }

    pub fn bytes(&self, file: &ArchiveFile) -> Result<Vec<u8>> {
        let path = self.written.folder.join(&file.key);
        std::fs::read(&path).with_context(|| path.display().to_string())
    }

    pub async fn upload(&self, bucket: &Bucket) -> Result<()> {
        futures::stream::iter(&self.written.files)
            .map(|file| async move { bucket.put(&file.key, self.bytes(file)?).await })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    pub fn sound(&self) -> impl Iterator<Item = &ArchiveFile> {
        self.written.files.iter().filter(|file| file.fault.is_none())
    }

    pub fn broken(&self, fault: Fault) -> Result<&ArchiveFile> {
        self.written.files.iter().find(|file| file.fault == Some(fault)).with_context(|| format!("no file is {fault:?}"))
    }

    /// The prefixes the files lie under, one for each station.
    pub fn prefixes(&self) -> Vec<String> {
        let folders = self.written.files.iter().filter_map(|file| Some(file.key.rsplit_once('/')?.0));
        folders.map(|folder| format!("{folder}/")).collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// Rows by basename, as the column `filename` names files.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        self.sound().map(|file| (basename(&file.key).to_owned(), file.mooring.rows as u64)).collect()
    }

    /// The reason each broken file must be given, by its URL.
    pub fn reasons(&self, bucket: &Bucket) -> BTreeMap<String, String> {
        let broken = self.written.files.iter().filter_map(|file| Some((file, file.fault?)));
        broken.map(|(file, fault)| (bucket.url(&file.key), fault.reason().to_owned())).collect()
    }
}

pub fn basename(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

/// The bytes of one mooring file.
pub fn mooring_bytes(what: &Mooring) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file.nc");
    mooring(&path, what)?;
    Ok(std::fs::read(path)?)
}
