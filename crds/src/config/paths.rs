//! `run_settings.paths`: where the config itself says its files are.

use serde_json::Value;

use super::finding::Findings;
use super::node::Node;
use super::{PathKind, SourceOptions, SourcePath};

/// The incumbent's bucket of relative `s3_uri`s when nothing names one.
pub const DEFAULT_SOURCE_BUCKET: &str = "imos-data";

#[derive(Debug, Default)]
pub(crate) struct RunSettings {
    pub paths: Vec<SourcePath>,
    pub exclude: Option<String>,
    pub source_bucket: String,
    pub force_previous_parquet_deletion: bool,
    pub source_options: SourceOptions,
}

pub(crate) fn run_settings(root: &Node<'_>, findings: &mut Findings) -> RunSettings {
    let mut out = RunSettings { source_bucket: DEFAULT_SOURCE_BUCKET.to_owned(), ..RunSettings::default() };
    let Some(run) = root.get("run_settings") else {
        findings.warn("run_settings.paths", "missing; without `spec.source.url` (or `--source`) there is nothing to list");
        return out;
    };
    if run.object(findings).is_none() {
        return out;
    }
    out.exclude = run.text_of("exclude", findings).filter(|text| !text.is_empty()).map(str::to_owned);
    out.force_previous_parquet_deletion = run.get("force_previous_parquet_deletion").is_some_and(|flag| flag.flag(findings));
    let raw = run.text_of("bucket_raw_default_name", findings);
    let input = run.get("s3_bucket_opts").and_then(|opts| opts.get("input_data"));
    let named = input.as_ref().and_then(|input| input.text_of("bucket", findings)).or(raw);
    if let Some(bucket) = named {
        bucket.clone_into(&mut out.source_bucket);
    }
    out.source_options = SourceOptions::of(&run, input.as_ref(), findings);

    let Some(list) = run.get("paths") else {
        findings.warn(run.at("paths"), "missing; without `spec.source.url` (or `--source`) there is nothing to list");
        return out;
    };
    for item in list.items(findings) {
        if item.object(findings).is_some() {
            path(&item, raw, named.is_some(), &mut out, findings);
        }
    }
    out
}

impl SourceOptions {
    fn of(run: &Node<'_>, input: Option<&Node<'_>>, findings: &mut Findings) -> Self {
        let levels = [input.and_then(|input| input.get("s3_fs_opts")), run.get("s3_fs_common_opts")];
        let mut out = Self::default();
        // The bucket's own options win over the common ones.
        for options in levels.into_iter().flatten() {
            if options.object(findings).is_none() {
                continue;
            }
            let client = options.get("client_kwargs");
            let text = |key: &str, findings: &mut Findings| client.as_ref()?.text_of(key, findings).map(str::to_owned);
            out.endpoint = out.endpoint.or_else(|| options.text_of("endpoint_url", findings).map(str::to_owned));
            out.endpoint = out.endpoint.or_else(|| text("endpoint_url", findings));
            out.region = out.region.or_else(|| text("region_name", findings));
            out.anonymous = out.anonymous.or_else(|| options.get("anon").map(|anon| anon.flag(findings)));
        }
        out
    }
}

fn path(item: &Node<'_>, raw: Option<&str>, bucket_named: bool, out: &mut RunSettings, findings: &mut Findings) {
    let filter = filter(item, findings);
    let years = years(item, findings);
    let Some(uri) = item.required_text("s3_uri", "`s3://bucket/prefix/`, or a prefix in the source bucket", findings) else { return };
    let kind = item.text_of("type", findings);
    match kind {
        Some("files" | "parquet") => {}
        None => {
            let spoken: Vec<&str> = filter.iter().map(String::as_str).chain([uri]).collect();
            if let Some(suffix) = [".parquet", ".zarr"].into_iter().find(|suffix| spoken.iter().any(|text| text.contains(suffix))) {
                findings.error(item.at("type"), format!("missing, and `{suffix}` occurs in the path; write `files`, `parquet` or `zarr`"));
            }
        }
        Some("zarr") => findings.unsupported(item.at("type"), "Zarr inputs are not converted; write `files`"),
        Some(other) => findings.error(item.at("type"), format!("`{other}` is not a type of path; write `files`, `parquet` or `zarr`")),
    }
    let hive = partitioning(item, kind, findings);
    if matches!(kind, Some("parquet" | "zarr")) {
        for (key, given) in [("filter", filter.is_some()), ("year_range", !years.is_empty())] {
            if given {
                findings.error(item.at(key), format!("has no meaning for `type: {}`; remove it", kind.unwrap_or_default()));
            }
        }
    }
    let Some((bucket, prefix)) = location(item, uri, raw, bucket_named, out, findings) else { return };
    let (kind, prefix) = match (kind, hive) {
        (Some("parquet"), hive) => {
            let key = prefix.trim_end_matches('/');
            if key.is_empty() && !hive {
                findings.error(item.at("s3_uri"), format!("`{uri}` names no object; write `s3://bucket/prefix/name.parquet`"));
                return;
            }
            match hive {
                true if key.is_empty() => (PathKind::Hive, String::new()),
                true => (PathKind::Hive, format!("{key}/")),
                false => (PathKind::Parquet, key.to_owned()),
            }
        }
        _ => (PathKind::Files, prefix),
    };
    let mut add = |prefix: String| {
        let path = SourcePath { bucket: bucket.clone(), prefix, filter: filter.clone(), kind };
        if !out.paths.contains(&path) {
            out.paths.push(path);
        }
    };
    if years.is_empty() {
        add(prefix);
    } else {
        // One folder a year below the path; no slash after it, as the incumbent lists.
        let parent = prefix.trim_end_matches('/');
        let parent = if parent.is_empty() { String::new() } else { format!("{parent}/") };
        for year in years {
            add(format!("{parent}{year}"));
        }
    }
}

fn location(
    item: &Node<'_>,
    uri: &str,
    raw: Option<&str>,
    bucket_named: bool,
    out: &RunSettings,
    findings: &mut Findings,
) -> Option<(String, String)> {
    let Some(rest) = uri.strip_prefix("s3://") else {
        if let Some((scheme, _)) = uri.split_once("://") {
            findings.error(item.at("s3_uri"), format!("`{scheme}://` is no S3 address; write `s3://bucket/prefix/`"));
            return None;
        }
        if !bucket_named {
            findings.warn(
                item.at("s3_uri"),
                format!("names no bucket, so `{DEFAULT_SOURCE_BUCKET}` is taken; write `s3://bucket/prefix/` or `spec.source.bucket`"),
            );
        }
        return Some((out.source_bucket.clone(), uri.trim_start_matches('/').to_owned()));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        findings.error(item.at("s3_uri"), format!("`{uri}` names no bucket; write `s3://bucket/prefix/`"));
        return None;
    }
    if let Some(raw) = raw.filter(|raw| *raw != bucket) {
        findings.error(
            item.at("s3_uri"),
            format!(
                "bucket `{bucket}` is not `bucket_raw_default_name` `{raw}`; write the same bucket, or remove `bucket_raw_default_name`"
            ),
        );
    }
    Some((bucket.to_owned(), prefix.to_owned()))
}

/// Whether a Parquet path is a Hive folder.
fn partitioning(item: &Node<'_>, kind: Option<&str>, findings: &mut Findings) -> bool {
    let Some(word) = item.text_of("partitioning", findings) else { return false };
    if kind != Some("parquet") {
        let kind = kind.unwrap_or("files");
        findings.error(item.at("partitioning"), format!("has no meaning for `type: {kind}`; remove it, or write `type: parquet`"));
    } else if word != "hive" {
        findings.error(item.at("partitioning"), format!("`{word}` is not a partitioning; write `hive` or null"));
    }
    word == "hive"
}

/// At most one regular expression, as text or as the only item of a list.
fn filter(item: &Node<'_>, findings: &mut Findings) -> Option<String> {
    let node = item.get("filter")?;
    let (regex, path) = match node.value {
        Value::String(text) => (text.clone(), node.path.clone()),
        Value::Array(items) if items.len() > 1 => {
            findings.error(&node.path, format!("{} regular expressions; join them into one: `(?:first)|(?:second)`", items.len()));
            return None;
        }
        Value::Array(_) => (node.texts(findings).pop()?, format!("{}[0]", node.path)),
        _ => {
            findings.error(&node.path, "write one regular expression, as text or in a list of one");
            return None;
        }
    };
    if regex.is_empty() {
        return None;
    }
    if let Err(message) = check_regex(&regex) {
        findings.error(path, message);
        return None;
    }
    Some(regex)
}

/// Whether a regular expression compiles; the message says where it does not.
pub fn check_regex(regex: &str) -> Result<(), String> {
    match fancy_regex::Regex::new(regex) {
        Ok(_) => Ok(()),
        Err(fancy_regex::Error::ParseError(position, error)) => {
            let character = regex.get(..position).map_or(position, |before| before.chars().count()) + 1;
            Err(format!("`{regex}` is not a regular expression, at character {character}: {error}"))
        }
        Err(error) => {
            let text = error.to_string();
            let detail = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(&text).trim();
            Err(format!("`{regex}` is not a regular expression: {detail}"))
        }
    }
}

/// None, one year, an inclusive range of two, or an explicit list of three and more.
fn years(item: &Node<'_>, findings: &mut Findings) -> Vec<i64> {
    let Some(node) = item.get("year_range") else { return Vec::new() };
    let mut years = Vec::new();
    for entry in node.items(findings) {
        match entry.value.as_i64() {
            Some(year) if (1..=9999).contains(&year) => years.push(year),
            _ => findings.error(entry.path, format!("{} is not a year; write a whole number such as 2009", entry.value)),
        }
    }
    match years[..] {
        [from, to] if from < to => (from..=to).collect(),
        [from, to] => {
            findings.error(node.path, format!("[{from}, {to}] is not a range; write the earlier year first, or one year alone"));
            Vec::new()
        }
        _ if years.windows(2).any(|pair| pair[0] >= pair[1]) => {
            findings.error(node.path, "a list of years must rise, each year once; sort it");
            Vec::new()
        }
        _ => years,
    }
}
