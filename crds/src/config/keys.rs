//! Which keys a config may have: the rest is reported, never dropped in silence.

use serde_json::Value;

use super::Format;
use super::finding::Findings;
use super::functions::{self, method_keys};
use super::node::{Node, is_comment, join};

const TOP: &[&str] = &[
    "dataset_name",
    "cloud_optimised_format",
    "schema",
    "run_settings",
    "schema_transformation",
    "metadata_uuid",
    "logger_name",
    "handler_class",
    "parent_config",
    "csv_config",
    "netcdf_read_config",
    "aws_opendata_registry",
];
/// Of the incumbent's older layout; its code reads none of them either.
const LEGACY: &[&str] = &[
    "dataset_gattrs",
    "gattrs_to_variables",
    "partition_keys",
    "partition_timestamp_period",
    "time_extent",
    "spatial_extent",
    "force_old_pq_del",
];
/// Known, and without a meaning here: what they asked for is asked for in the resource's own fields.
const IGNORED_TOP: &[&str] = &["logger_name", "aws_opendata_registry"];
const RUN: &[&str] =
    &["paths", "exclude", "bucket_raw_default_name", "s3_bucket_opts", "s3_fs_common_opts", "force_previous_parquet_deletion"];
const IGNORED_RUN: &[&str] = &[
    "cluster",
    "clear_existing_data",
    "raise_error",
    "batch_size",
    "suffix",
    "optimised_bucket_name",
    "root_prefix_cloud_optimised_path",
    "coiled_cluster_options",
    "ec2_cluster_options",
    "ec2_adapt_options",
    "prefect",
];
const PATH: &[&str] = &["s3_uri", "type", "partitioning", "filter", "year_range"];
const BUCKET_OPTS: &[&str] = &["input_data", "output_data"];
const BUCKET_SIDE: &[&str] = &["bucket", "s3_fs_opts"];
const TRANSFORM: &[&str] = &["add_variables", "global_attributes", "drop_variables", "functions"];
const TRANSFORM_PARQUET: &[&str] = &["partitioning", "skip_partitioning_validation"];
const TRANSFORM_ZARR: &[&str] = &[
    "dimensions",
    "var_template_shape",
    "vars_incompatible_with_region",
    "dataset_sort_by",
    "target_dimension_grids",
    "skip_cftime_decode",
];
const ADDED: &[&str] = &["source", "schema"];
const FUNCTION: &[&str] = &["extract_method", "method"];
const PARTITION: &[&str] = &["source_variable", "type", "time_extent", "spatial_extent"];
const TIME_EXTENT: &[&str] = &["time_varname", "partition_period"];
const SPATIAL_EXTENT: &[&str] = &["lat_varname", "lon_varname", "spatial_resolution"];
pub(super) const TARGET_GRID: &[&str] = &["values", "min", "max", "step"];
const DIMENSION: &[&str] = &["name", "chunk", "append_dim", "rechunk", "size"];
const CSV: &[&str] = &["pandas_read_csv_config", "polars_read_csv_config"];

/// The words a config generator writes where a person must decide.
pub const PLACEHOLDER: &str = "FILL UP MANUALLY - CHECK DOCUMENTATION";

/// Lists the keys that nothing reads, and those that have no meaning here.
pub(crate) fn check(config: &Value, format: Option<Format>, findings: &mut Findings) {
    let root = Node::root(config);
    let zarr = format == Some(Format::Zarr);
    let ignored_top = [IGNORED_TOP, if zarr { &["csv_config"] } else { &[] }].concat();
    level(&root, &[TOP], &ignored_top, findings);
    if let Some(run) = root.get("run_settings") {
        level(&run, &[RUN, IGNORED_RUN], IGNORED_RUN, findings);
        for path in list(&run, "paths") {
            level(&path, &[PATH], &[], findings);
        }
        if let Some(opts) = run.get("s3_bucket_opts") {
            level(&opts, &[BUCKET_OPTS], &["output_data"], findings);
            for side in BUCKET_OPTS.iter().filter_map(|side| opts.get(side)) {
                level(&side, &[BUCKET_SIDE], &[], findings);
            }
        }
    }
    if let Some(csv) = root.get("csv_config").filter(|_| !zarr) {
        level(&csv, &[CSV], &[], findings);
    }
    // The incumbent documents more of these than it reads.
    if let Some(Value::Object(options)) = config.get("netcdf_read_config") {
        let others = options.keys().filter(|key| *key != "spectral_flatten" && !key.starts_with('_'));
        findings.ignored.extend(others.map(|key| join("netcdf_read_config", key)));
    }
    let Some(transform) = root.get("schema_transformation") else { return };
    let other_format = match format {
        Some(Format::Parquet) => TRANSFORM_ZARR,
        Some(Format::Zarr) => TRANSFORM_PARQUET,
        None => &[],
    };
    level(&transform, &[TRANSFORM, TRANSFORM_PARQUET, TRANSFORM_ZARR], other_format, findings);
    if let Some(Value::Object(added)) = transform.get("add_variables").map(|node| node.value) {
        for (name, value) in added.iter().filter(|(name, value)| !is_comment(name, value)) {
            let path = join(&transform.at("add_variables"), name);
            level(&Node { value, path }, &[ADDED], &[], findings);
        }
    }
    if let Some(Value::Object(defined)) = transform.get("functions").map(|node| node.value) {
        for (name, value) in defined.iter().filter(|(name, _)| !name.starts_with('_')) {
            let function = Node { value, path: join(&transform.at("functions"), name) };
            level(&function, &[FUNCTION], &[], findings);
            if let Some(method) = function.get("method") {
                level(&method, &[method_keys(&function)], &[], findings);
            }
        }
        functions::unused(&transform, transform.value.get("add_variables").and_then(Value::as_object), findings);
    }
    for item in list(&transform, "partitioning") {
        level(&item, &[PARTITION], &[], findings);
        item.get("time_extent").iter().for_each(|extent| level(extent, &[TIME_EXTENT], &[], findings));
        item.get("spatial_extent").iter().for_each(|extent| level(extent, &[SPATIAL_EXTENT], &[], findings));
    }
    if let Some(Value::Object(dimensions)) = transform.get("dimensions").map(|node| node.value) {
        for (label, value) in dimensions.iter().filter(|(label, _)| !label.starts_with('_')) {
            let path = join(&transform.at("dimensions"), label);
            level(&Node { value, path }, &[DIMENSION], &["rechunk", "size"], findings);
        }
    }
    if let Some(Value::Object(grids)) = transform.get("target_dimension_grids").filter(|_| zarr).map(|node| node.value) {
        for (name, value) in grids.iter().filter(|(name, _)| !name.starts_with('_')) {
            let path = join(&transform.at("target_dimension_grids"), name);
            level(&Node { value, path }, &[TARGET_GRID], &[], findings);
        }
    }
}

/// One object's keys: unknown ones are reported, ignored ones listed (unless they say nothing).
fn level(node: &Node<'_>, known: &[&[&str]], ignored: &[&str], findings: &mut Findings) {
    let Some(object) = node.value.as_object() else { return };
    for (key, value) in object.iter().filter(|(key, _)| !key.starts_with('_')) {
        let path = node.at(key);
        if ignored.contains(&key.as_str()) {
            if !says_nothing(value) {
                findings.ignored.push(path);
            }
        } else if !known.iter().any(|names| names.contains(&key.as_str())) {
            let advice = match nearest(key, known) {
                _ if node.path.is_empty() && LEGACY.contains(&key.as_str()) => "it belongs to an older layout of configs".to_owned(),
                Some(name) => format!("did you mean `{name}`?"),
                None => "remove it, or begin its name with `_` if it is a comment".to_owned(),
            };
            findings.warn(&path, format!("unknown key, nothing reads it; {advice}"));
            findings.unknown_keys.push(path);
        }
    }
}

fn list<'a>(node: &Node<'a>, key: &str) -> Vec<Node<'a>> {
    let Some(found) = node.get(key) else { return Vec::new() };
    let items = found.value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().enumerate().map(|(index, value)| Node { value, path: format!("{}[{index}]", found.path) }).collect()
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// The known key that is at most two slips away.
fn nearest<'a>(key: &str, known: &[&[&'a str]]) -> Option<&'a str> {
    known
        .iter()
        .flat_map(|names| names.iter().copied())
        .map(|name| (distance(key, name), name))
        .filter(|(slips, name)| *slips <= 2 && name.len() > 3)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance, letter case ignored.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.to_lowercase(), right.to_lowercase());
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

/// Every string that is still the generator's placeholder. The registry block is exempt.
pub(crate) fn placeholders(config: &Value, findings: &mut Findings) {
    fn walk(value: &Value, path: &str, findings: &mut Findings) {
        match value {
            Value::String(text) if text.trim() == PLACEHOLDER => {
                findings.error(path, "still the generator's placeholder; write the value");
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{path}[{index}]"), findings));
            }
            Value::Object(map) => map.iter().for_each(|(key, item)| walk(item, &join(path, key), findings)),
            _ => {}
        }
    }
    let Some(object) = config.as_object() else { return };
    for (key, value) in object.iter().filter(|(key, _)| *key != "aws_opendata_registry") {
        walk(value, &join("", key), findings);
    }
}

/// Credentials belong in a Secret. `s3_fs_common_opts` and `s3_bucket_opts.*.s3_fs_opts` may hold none.
pub(crate) fn secrets(config: &Value, findings: &mut Findings) {
    const SECRET: &[&str] =
        &["key", "secret", "token", "username", "password", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
    fn walk(value: &Value, path: &str, findings: &mut Findings) {
        let Value::Object(map) = value else { return };
        for (key, item) in map {
            let here = join(path, key);
            if SECRET.contains(&key.to_lowercase().as_str()) && !item.is_null() {
                findings.error(here, "credentials may not stand in a config; put them in a Secret and name it in `credentialsSecretRef`");
            } else {
                walk(item, &here, findings);
            }
        }
    }
    let Some(run) = Node::root(config).get("run_settings") else { return };
    run.get("s3_fs_common_opts").iter().for_each(|opts| walk(opts.value, &opts.path, findings));
    let Some(sides) = run.get("s3_bucket_opts") else { return };
    for side in BUCKET_OPTS.iter().filter_map(|side| sides.get(side)?.get("s3_fs_opts")) {
        walk(side.value, &side.path, findings);
    }
}
