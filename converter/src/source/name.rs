//! What a file is called: in its columns, for computed columns, and in the keys of its objects.

use crds::wire::Naming;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

/// A file's names, all made from its ledger key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// `bucket/path/name`, as the incumbent's functions see it; below a folder the path in it.
    pub key: String,
    /// Empty below a folder.
    pub bucket: String,
    /// What stands after the last `/`.
    pub basename: String,
    /// What its objects are named after: `<stem>-0.parquet`.
    pub stem: String,
    /// Columns out of the folders of a Hive path, in their order; text, or null.
    pub hive: Vec<(String, Option<String>)>,
}

/// What a null is called in a folder name.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// Longest name of one folder entry, and what follows a stem.
const LONGEST: usize = 255 - "-0.parquet".len();
/// `~` and 16 hexadecimal digits.
const MARK: usize = 17;

impl FileName {
    #[must_use]
    pub fn new(ledger_key: &str, naming: Naming) -> Self {
        let remote = ledger_key.strip_prefix("s3://");
        let key = remote.unwrap_or(ledger_key);
        let bucket = remote.and_then(|rest| rest.split_once('/')).map_or("", |(bucket, _)| bucket);
        let basename = super::basename(key);
        let stem = match naming {
            Naming::Basename => basename.to_owned(),
            Naming::FullKey => full_key(ledger_key),
        };
        Self { key: key.to_owned(), bucket: bucket.to_owned(), basename: basename.to_owned(), stem, hive: Vec::new() }
    }

    /// The same, of a file in a Hive folder; `below` is its path in that folder. Its basename (often
    /// `part-0.parquet`) says little, so its objects are always named after the full key.
    #[must_use]
    pub fn in_hive(ledger_key: &str, below: &str) -> Self {
        Self { hive: hive_columns(below), ..Self::new(ledger_key, Naming::FullKey) }
    }
}

impl From<&str> for FileName {
    fn from(ledger_key: &str) -> Self {
        Self::new(ledger_key, Naming::Basename)
    }
}

/// `<basename>~<16 hex of the key's SHA-256>`: one path segment, different for any two keys, and short
/// enough for a folder whatever the basename (a long one is cut).
fn full_key(ledger_key: &str) -> String {
    let mut mark = hex::encode(Sha256::digest(ledger_key));
    mark.truncate(MARK - 1);
    let basename = super::basename(ledger_key);
    let mut end = basename.len().min(LONGEST - MARK);
    while !basename.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{mark}", &basename[..end])
}

/// The parts `key=value` of a path in a Hive folder.
fn hive_columns(below: &str) -> Vec<(String, Option<String>)> {
    let folders = below.rsplit_once('/').map_or("", |(folders, _)| folders);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned);
    let parts = folders.split('/').filter_map(|part| part.split_once('=')).filter(|(key, _)| !key.is_empty());
    parts.map(|(key, value)| (decoded(key), (value != NULL).then(|| decoded(value)))).collect()
}

/// Whether a path in a Hive folder has a part that begins with `_` or `.`.
pub(super) fn is_hidden(below: &str) -> bool {
    below.split('/').any(|part| part.starts_with(['_', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_all_names() {
        let name = FileName::from("s3://archive/IMOS/AUV/dive/x.nc");
        assert_eq!((name.key.as_str(), name.bucket.as_str()), ("archive/IMOS/AUV/dive/x.nc", "archive"));
        assert_eq!((name.basename.as_str(), name.stem.as_str()), ("x.nc", "x.nc"));
        let name = FileName::from("dive/x.nc");
        assert_eq!((name.key.as_str(), name.bucket.as_str(), name.basename.as_str()), ("dive/x.nc", "", "x.nc"));
        assert_eq!(FileName::from("x.nc").basename, "x.nc");
    }

    #[test]
    fn full_keys_never_collide_and_fit_a_folder() {
        let stem = |key: &str| FileName::new(key, Naming::FullKey).stem;
        let (a, b) = (stem("s3://a/2020/x.nc"), stem("s3://a/2021/x.nc"));
        assert!(a.starts_with("x.nc~") && a.len() == "x.nc~".len() + 16 && a != b, "{a} {b}");
        let long = format!("s3://a/{}.nc", "é".repeat(200));
        let cut = stem(&long);
        assert!(cut.len() <= 245 && cut.starts_with('é'), "{}", cut.len());
        assert_ne!(cut, stem(&format!("{long}2")));
    }

    #[test]
    fn folders_of_a_hive_path_are_columns() {
        let name = FileName::in_hive(
            "s3://a/d/year=2020/site=Cape%20Sorell/n=__HIVE_DEFAULT_PARTITION__/x/part-0.parquet",
            "year=2020/site=Cape%20Sorell/n=__HIVE_DEFAULT_PARTITION__/x/part-0.parquet",
        );
        let columns: Vec<(&str, Option<&str>)> = name.hive.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        assert_eq!(columns, [("year", Some("2020")), ("site", Some("Cape Sorell")), ("n", None)]);
        assert!(name.stem.starts_with("part-0.parquet~"));
        assert_eq!(hive_columns("a=b=c/a=%FF/=x/file=1.parquet"), [("a".into(), Some("b=c".into())), ("a".into(), Some("%FF".into()))]);
        assert!(is_hidden("_temporary/x.parquet") && is_hidden("a=1/.x.parquet") && !is_hidden("a=1/x_.parquet"));
    }
}
