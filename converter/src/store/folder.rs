//! Walks a folder as S3 would list it: files only, in the byte order of their keys.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::list::shown;
use super::{Side, Url};

/// A file's name as a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub key: String,
    /// Not valid UTF-8: `key` only shows it.
    pub garbled: bool,
}

/// All files whose key starts with `prefix`.
pub(super) fn walk(side: Side, url: &Url, prefix: &str) -> io::Result<Vec<Name>> {
    let Url::Folder { root, .. } = url else { return Ok(Vec::new()) };
    // Only whole folders can be walked: start at the last one the prefix names.
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    let mut folders: Vec<(PathBuf, Name)> = vec![(root.join(folder), Name { key: folder.to_owned(), garbled: false })];
    while let Some((path, at)) = folders.pop() {
        for (path, name) in entries(&path, &at)? {
            if path.is_dir() {
                folders.push((path, name));
            } else if name.key.starts_with(prefix) && !(side == Side::Destination && half_written(&name.key)) {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(path: &Path, at: &Name) -> io::Result<Vec<(PathBuf, Name)>> {
    let entries = match fs::read_dir(path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    entries
        .map(|entry| {
            let entry = entry?;
            let file_name = entry.file_name();
            let (file_name, odd) = shown(file_name.as_bytes());
            let garbled = at.garbled || odd;
            let key = if at.key.is_empty() { file_name } else { format!("{}/{file_name}", at.key) };
            Ok((entry.path(), Name { key, garbled }))
        })
        .collect()
}

/// The client library writes `name#1` and renames it.
fn half_written(key: &str) -> bool {
    key.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_byte_order_below_a_raw_prefix() {
        let dir = tempfile::tempdir().unwrap();
        for key in ["a/b.nc", "a-b.nc", "a/c/d.nc", "ab.nc", "b.nc#1"] {
            let path = dir.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        let url = Url::parse(&dir.path().display().to_string()).unwrap();
        let keys = |side, prefix: &str| walk(side, &url, prefix).unwrap().into_iter().map(|name| name.key).collect::<Vec<_>>();
        assert_eq!(keys(Side::Source, ""), ["a-b.nc", "a/b.nc", "a/c/d.nc", "ab.nc", "b.nc#1"]);
        assert_eq!(keys(Side::Destination, "b"), Vec::<String>::new());
        assert_eq!(keys(Side::Source, "a/"), ["a/b.nc", "a/c/d.nc"]);
        assert_eq!(keys(Side::Source, "a"), ["a-b.nc", "a/b.nc", "a/c/d.nc", "ab.nc"]);
        assert_eq!(keys(Side::Source, "missing/"), Vec::<String>::new());
    }
}
