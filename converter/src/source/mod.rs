//! What there is to convert: the objects below the config's paths, in the order of their ledger keys.

mod name;
mod paths;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crds::config::{DatasetConfig, PathKind};
use crds::wire::{Document, Naming, RequestCounts};
use fancy_regex::Regex;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use crate::error::StageError;
use crate::store::{Keys, Listed, Side, Store, StoreError, StoreErrorKind, Url, open};
pub use name::FileName;
use paths::{Pattern, Span};

/// All places a dataset's files come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// By bucket; a folder stands under the empty name.
    stores: BTreeMap<String, Store>,
    spans: Vec<Span>,
}

/// One object of the source.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The ledger's key: `s3://bucket/key`, or the path below a folder source.
    pub key: String,
    pub listed: Listed,
    /// In a Hive folder, below a name that begins with `_` or `.`.
    pub hidden: bool,
}

/// What stands after the last `/` of a key.
#[must_use]
pub fn basename(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Files of one name may have moved into each other's place; the name's hash finds candidates.
#[must_use]
pub fn name_hash(key: &str) -> u64 {
    hash_of(basename(key))
}

/// A text's hash, the same within one process.
pub(crate) fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Source {
    /// # Errors
    /// A URL, path or filter that does not hold; no place to read from at all.
    pub fn open(document: &Document, config: &DatasetConfig, keys: Option<&Keys>) -> Result<Self, StageError> {
        let access = &document.source;
        let mut patterns = Vec::new();
        let mut stores = BTreeMap::new();
        let filters = access.filter.iter().map(|text| regex("spec.source.filter", text)).collect::<Result<Vec<_>, _>>()?;
        if let Some(text) = &access.url {
            let url = Url::parse(text).map_err(|message| StageError::Config(format!("spec.source.url: {message}")))?;
            let (name, prefix, root) = match &url {
                Url::Bucket { bucket, prefix } => {
                    let bucket = access.bucket.clone().unwrap_or_else(|| bucket.clone());
                    (bucket.clone(), prefix.clone(), Url::Bucket { bucket, prefix: String::new() })
                }
                Url::Folder { .. } => (String::new(), String::new(), url),
            };
            // The URL stands for the config's paths: if all of them are Hive folders, so is it.
            let hive = !config.paths.is_empty() && config.paths.iter().all(|path| path.kind == PathKind::Hive);
            let kind = if hive { PathKind::Hive } else { PathKind::Files };
            patterns.push(Pattern { bucket: name.clone(), prefix, filters, exclude: None, kind });
            stores.insert(name, open(Side::Source, &root, access, keys)?);
        } else {
            for path in &config.paths {
                let bucket = access.bucket.clone().unwrap_or_else(|| path.bucket.clone());
                let filters = match (&filters[..], &path.filter) {
                    ([], None) => Vec::new(),
                    ([], Some(text)) => vec![regex("run_settings.paths", text)?],
                    (own, _) => own.to_vec(),
                };
                if !stores.contains_key(&bucket) {
                    let root = Url::Bucket { bucket: bucket.clone(), prefix: String::new() };
                    stores.insert(bucket.clone(), open(Side::Source, &root, access, keys)?);
                }
                patterns.push(Pattern { bucket, prefix: path.prefix.clone(), filters, exclude: config.exclude.clone(), kind: path.kind });
            }
        }
        if patterns.is_empty() {
            let message = "run_settings.paths: is empty and no source is given; name one with spec.source.url (or --source)";
            return Err(StageError::Config(message.to_owned()));
        }
        Ok(Self { stores, spans: paths::coalesce(patterns) })
    }

    /// Every object that a path asks for, once each, in the order of the ledger's keys.
    pub fn list(&self) -> BoxStream<'static, Result<SourceFile, StoreError>> {
        let source = self.clone();
        let spans = self.spans.clone();
        stream::iter(spans)
            .then(move |span| {
                let source = source.clone();
                async move { source.list_span(span) }
            })
            .flatten()
            .boxed()
    }

    fn list_span(&self, span: Span) -> BoxStream<'static, Result<SourceFile, StoreError>> {
        let Some(store) = self.stores.get(&span.bucket) else { return stream::empty().boxed() };
        let folder = matches!(store.url(), Url::Folder { .. });
        let url = store.url().clone();
        store
            .list(&span.prefix)
            .try_filter_map(move |listed| {
                let full = url.of(&listed.key);
                let key = if folder { listed.key.clone() } else { full.clone() };
                let kept = span.keeps(&listed.key, &full).map_err(|message| StoreError {
                    kind: StoreErrorKind::BadFilter,
                    side: Side::Source,
                    place: span.bucket.clone(),
                    operation: "Filter",
                    key: listed.key.clone(),
                    message,
                });
                let hidden = span.hive(&listed.key).is_some_and(name::is_hidden);
                let file = SourceFile { key, listed, hidden };
                async move { Ok(kept?.then_some(file)) }
            })
            .boxed()
    }

    /// What the file with this ledger key is called, and its columns if it lies in a Hive folder.
    #[must_use]
    pub fn name_of(&self, key: &str, naming: Naming) -> FileName {
        let (bucket, path) = match key.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
            Some(found) if !self.stores.contains_key("") => found,
            _ => ("", key),
        };
        let hive = self.spans.iter().filter(|span| span.bucket == bucket).find_map(|span| span.hive(path));
        hive.map_or_else(|| FileName::new(key, naming), |below| FileName::in_hive(key, below))
    }

    /// The store that holds a ledger key, and the key in it.
    ///
    /// # Errors
    /// `NotFound` for a key of a bucket that is no longer among the paths.
    pub fn locate<'a>(&self, key: &'a str) -> Result<(&Store, &'a str), StoreError> {
        if let Some(store) = self.stores.get("") {
            return Ok((store, key));
        }
        let found = key.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        found.and_then(|(bucket, key)| Some((self.stores.get(bucket)?, key))).ok_or_else(|| StoreError {
            kind: StoreErrorKind::NotFound,
            side: Side::Source,
            place: String::new(),
            operation: "GetObject",
            key: key.to_owned(),
            message: "its bucket is not among the sources".to_owned(),
        })
    }

    /// What all sources were asked so far.
    #[must_use]
    pub fn requests(&self) -> RequestCounts {
        let mut all = RequestCounts::default();
        for store in self.stores.values() {
            all += store.meter().used().requests;
        }
        all
    }

    /// Bytes read from all sources so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.stores.values().map(|store| store.meter().used().bytes_read).sum()
    }
}

fn regex(place: &str, text: &str) -> Result<Regex, StageError> {
    Regex::new(text).map_err(|source| StageError::Config(format!("{place}: {text:?} is no regular expression: {source}")))
}
