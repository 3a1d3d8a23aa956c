//! Paths and filters as a list of disjoint key ranges: no object is listed or met twice.

use crds::config::PathKind;
use fancy_regex::Regex;

/// One path of the config: a raw prefix and what its keys must pass.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub bucket: String,
    pub prefix: String,
    /// One of them must be found in the full URL; none keeps everything.
    pub filters: Vec<Regex>,
    /// Plain substring that a key must not hold.
    pub exclude: Option<String>,
    pub kind: PathKind,
}

/// A prefix to list once, with the patterns that lie in it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub bucket: String,
    pub prefix: String,
    patterns: Vec<Pattern>,
}

impl Span {
    /// # Errors
    /// A filter that gives up on this URL: whether the file is meant is not known then.
    pub fn keeps(&self, key: &str, url: &str) -> Result<bool, String> {
        for pattern in &self.patterns {
            // A Parquet path names one object.
            let other = pattern.kind == PathKind::Parquet && key != pattern.prefix;
            let excluded = pattern.exclude.as_ref().is_some_and(|word| key.contains(word.as_str()));
            if other || excluded || !key.starts_with(&pattern.prefix) {
                continue;
            }
            if pattern.filters.is_empty() {
                return Ok(true);
            }
            for filter in &pattern.filters {
                let found = filter
                    .is_match(url)
                    .map_err(|source| format!("the filter {filter} gives up on {url:?}: {source}; write a simpler one"))?;
                if found {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The path of a key in the innermost Hive folder that holds it.
    pub fn hive<'k>(&self, key: &'k str) -> Option<&'k str> {
        let folders = self.patterns.iter().filter(|pattern| pattern.kind == PathKind::Hive);
        folders.filter_map(|pattern| key.strip_prefix(&pattern.prefix)).min_by_key(|below| below.len())
    }
}

/// Sorts the patterns by their full prefix and merges each into the span whose prefix it starts with.
/// Prefixes of which none starts with another cover disjoint ranges of keys, in order.
pub(super) fn coalesce(mut patterns: Vec<Pattern>) -> Vec<Span> {
    let full = |bucket: &str, prefix: &str| format!("s3://{bucket}/{prefix}");
    patterns.sort_by_cached_key(|pattern| full(&pattern.bucket, &pattern.prefix));
    let mut spans: Vec<Span> = Vec::new();
    for pattern in patterns {
        match spans.last_mut() {
            Some(span) if span.bucket == pattern.bucket && pattern.prefix.starts_with(&span.prefix) => span.patterns.push(pattern),
            _ => spans.push(Span { bucket: pattern.bucket.clone(), prefix: pattern.prefix.clone(), patterns: vec![pattern] }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(bucket: &str, prefix: &str, filter: &str) -> Pattern {
        let filters = if filter.is_empty() { vec![] } else { vec![Regex::new(filter).unwrap()] };
        Pattern { bucket: bucket.into(), prefix: prefix.into(), filters, exclude: None, kind: PathKind::Files }
    }

    #[test]
    fn a_path_inside_another_is_listed_once() {
        let spans = coalesce(vec![pattern("b", "x/2020", ""), pattern("a", "y", ""), pattern("b", "x/", r"\.nc$"), pattern("b", "x2", "")]);
        let listed: Vec<_> = spans.iter().map(|span| (span.bucket.as_str(), span.prefix.as_str())).collect();
        assert_eq!(listed, [("a", "y"), ("b", "x/"), ("b", "x2")]);
        assert_eq!(spans[1].keeps("x/2020_old/a.csv", "s3://b/x/2020_old/a.csv"), Ok(true), "a raw prefix needs no slash");
        assert_eq!(spans[1].keeps("x/2019/a.nc", "s3://b/x/2019/a.nc"), Ok(true));
        assert_eq!(spans[1].keeps("x/2019/a.csv", "s3://b/x/2019/a.csv"), Ok(false));
    }

    #[test]
    fn buckets_are_in_the_order_of_their_full_keys() {
        let spans = coalesce(vec![pattern("a", "z", ""), pattern("a-b", "a", "")]);
        assert_eq!(spans[0].bucket, "a-b", "`-` sorts before `/`");
    }

    #[test]
    fn exclude_is_a_plain_word_and_look_around_works() {
        let mut with = pattern("b", "", r"^s3://b/(?!bad).*\.nc$");
        with.exclude = Some("e2".into());
        let spans = coalesce(vec![with]);
        assert_eq!(spans[0].keeps("file1.nc", "s3://b/file1.nc"), Ok(true));
        assert_eq!(spans[0].keeps("file2.nc", "s3://b/file2.nc"), Ok(false));
        assert_eq!(spans[0].keeps("bad.nc", "s3://b/bad.nc"), Ok(false));
    }

    #[test]
    fn a_parquet_path_is_one_object_and_a_hive_folder_many() {
        let of = |prefix: &str, kind| Pattern { kind, ..pattern("b", prefix, "") };
        let spans = coalesce(vec![of("x/one.parquet", PathKind::Parquet), of("y/", PathKind::Hive), of("y/deep/", PathKind::Hive)]);
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[0].keeps("x/one.parquet", ""), Ok(true));
        assert_eq!(spans[0].keeps("x/one.parquet.bak", ""), Ok(false));
        assert_eq!((spans[0].hive("x/one.parquet"), spans[1].keeps("y/a=1/p.parquet", "")), (None, Ok(true)));
        assert_eq!(spans[1].hive("y/a=1/p.parquet"), Some("a=1/p.parquet"));
        assert_eq!(spans[1].hive("y/deep/b=2/p.parquet"), Some("b=2/p.parquet"));
    }

    #[test]
    fn a_filter_that_gives_up_is_an_error_and_never_a_dropped_file() {
        let spans = coalesce(vec![pattern("b", "", r"(?:(a|aa)+)\1!|\.nc$")]);
        let url = format!("s3://b/{}.nc", "a".repeat(64));
        assert!(spans[0].keeps(&url[7..], &url).is_err());
    }
}
