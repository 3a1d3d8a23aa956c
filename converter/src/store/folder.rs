//! A folder as S3 would show it: files only, in the byte order of their keys, read at a version.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use jiff::Timestamp;

use super::list::shown;
use super::{Side, Url};
use crate::read::Input;

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub key: String,
    /// Not valid UTF-8: `key` only shows it.
    pub garbled: bool,
    pub version: Version,
}

/// What tells a file's content from another's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    /// Time and size, as the client library writes them; without its inode: a folder that was moved or
    /// restored has other inodes, and is the same.
    pub etag: String,
    pub bytes: u64,
    pub modified: Timestamp,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Self {
            etag: format!("{:x}-{:x}", since.as_micros(), metadata.len()),
            bytes: metadata.len(),
            modified: modified.and_then(|modified| Timestamp::try_from(modified).ok()).unwrap_or_default(),
        }
    }
}

/// All files whose key starts with `prefix` (or one of them), and how many folders were read.
pub(super) fn walk(side: Side, url: &Url, prefix: &str, first_only: bool) -> io::Result<(Vec<Entry>, u64)> {
    let Url::Folder { root, .. } = url else { return Ok((Vec::new(), 0)) };
    // Only whole folders can be walked: start at the last one the prefix names.
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let (mut found, mut read) = (Vec::new(), 0);
    let mut folders: Vec<(PathBuf, String, bool)> = vec![(root.join(folder), folder.to_owned(), false)];
    while let Some((path, at, garbled)) = folders.pop() {
        read += 1;
        let entries = match fs::read_dir(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let (name, odd) = shown(entry.file_name().as_bytes());
            let (key, garbled) = (if at.is_empty() { name } else { format!("{at}/{name}") }, garbled || odd);
            // Asked of the folder that is open, a file costs half as much; what a link leads to is asked by its path.
            let metadata = match entry.file_type().and_then(|of| if of.is_symlink() { fs::metadata(&path) } else { entry.metadata() }) {
                // It went away meanwhile, or is a link that leads nowhere.
                Err(source) if source.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            if metadata.is_dir() {
                folders.push((path, key, garbled));
            } else if key.starts_with(prefix) && !(side == Side::Destination && half_written(&key)) {
                found.push(Entry { key, garbled, version: Version::of(&metadata) });
                if first_only {
                    return Ok((found, read));
                }
            }
        }
    }
    found.sort();
    Ok((found, read))
}

/// The client library writes `name#1` and renames it.
pub(super) fn half_written(key: &str) -> bool {
    key.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The version of a file now; none when there is no such file.
pub(super) fn version(path: &Path) -> io::Result<Option<Version>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok((!metadata.is_dir()).then(|| Version::of(&metadata))),
        Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(source),
    }
}

/// Writes a file, and the folders that it lies in if they are not there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<Version> {
    match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, bytes)?;
        }
        written => written?,
    }
    Ok(Version::of(&fs::metadata(path)?))
}

/// How often a file is tried to be moved.
const MOVES: usize = 10;

/// Moves a file over what stands at its new place; none when there is no such file.
pub(super) fn move_to(from: &Path, to: &Path) -> io::Result<Option<Version>> {
    for _ in 0..MOVES {
        match fs::rename(from, to) {
            Ok(()) => return Ok(Some(Version::of(&fs::metadata(to)?))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) if version(from)?.is_none() => return Ok(None),
            // The folder that it shall go to; it may be empty, and be taken away again before the file is in.
            Err(_) => fs::create_dir_all(to.parent().unwrap_or(to))?,
        }
    }
    Err(io::Error::other("the folder it goes to vanishes again and again"))
}

/// A file at one version: its bytes, or, if they are more than `in_memory_up_to`, the open file
/// itself. None when it is another version now.
pub(super) fn read(path: &Path, etag: &str, in_memory_up_to: u64) -> io::Result<Option<Input>> {
    if !fs::metadata(path)?.is_file() {
        // A pipe would be waited for.
        return Err(io::Error::new(io::ErrorKind::NotFound, "it is not a file"));
    }
    let mut file = File::open(path)?;
    let before = Version::of(&file.metadata()?);
    if before.etag != etag {
        return Ok(None);
    }
    if before.bytes > in_memory_up_to {
        return Ok(Some(Input::File { file: Arc::new(file), length: before.bytes }));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.bytes).unwrap_or_default());
    // One byte more shows that it has grown.
    (&mut file).take(before.bytes + 1).read_to_end(&mut bytes)?;
    let same = bytes.len() as u64 == before.bytes && Version::of(&file.metadata()?) == before;
    Ok(same.then(|| Input::Memory(Bytes::from(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_moved_into_folders_that_are_not_there_yet() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to, other] = ["from", "a/b/to", "c/to"].map(|name| dir.path().join(name));
        fs::write(&from, b"new").unwrap();
        assert_eq!(move_to(&from, &to).unwrap().unwrap().bytes, 3);
        fs::write(&from, b"newer").unwrap();
        assert_eq!(move_to(&from, &to).unwrap().unwrap().bytes, 5);
        assert_eq!(move_to(&from, &other).unwrap(), None);
        assert!(!from.exists() && !dir.path().join("c").exists());
        assert_eq!(fs::read(&to).unwrap(), b"newer");
    }

    #[test]
    fn keys_come_in_byte_order_below_a_raw_prefix() {
        let dir = tempfile::tempdir().unwrap();
        for key in ["a/b.nc", "a-b.nc", "a/c/d.nc", "ab.nc", "b.nc#1"] {
            let path = dir.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", dir.path().join("broken.nc")).unwrap();
        let url = Url::parse(&dir.path().display().to_string()).unwrap();
        let keys = |side, prefix: &str| {
            let (entries, _) = walk(side, &url, prefix, false).unwrap();
            entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(Side::Source, ""), ["a-b.nc", "a/b.nc", "a/c/d.nc", "ab.nc", "b.nc#1"]);
        assert_eq!(keys(Side::Destination, "b"), Vec::<String>::new());
        assert_eq!(keys(Side::Source, "a/"), ["a/b.nc", "a/c/d.nc"]);
        assert_eq!(keys(Side::Source, "a"), ["a-b.nc", "a/b.nc", "a/c/d.nc", "ab.nc"]);
        assert_eq!(keys(Side::Source, "missing/"), Vec::<String>::new());
        assert_eq!(walk(Side::Source, &url, "a/", true).unwrap().0.len(), 1);
    }

    #[test]
    fn a_file_is_read_at_its_version_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert_eq!(version(&path).unwrap(), None);
        fs::write(&path, b"seven b").unwrap();
        let etag = version(&path).unwrap().unwrap().etag;
        assert!(matches!(read(&path, &etag, 7).unwrap(), Some(Input::Memory(bytes)) if bytes == "seven b"));
        assert!(matches!(read(&path, &etag, 6).unwrap(), Some(Input::File { length: 7, .. })));
        assert!(read(&path, "0-7", 7).unwrap().is_none());
        assert_eq!(read(dir.path(), &etag, 7).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
