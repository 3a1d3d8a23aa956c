//! A merged config, checked once and turned into what every stage uses.

use serde_json::{Map, Value};

use super::finding::Findings;
use super::node::{Node, shown};
use super::variables::Variables;
use super::{ConfigError, DatasetConfig, Format, Validated, csv, keys, mode, partitions, paths, variables, zarr};

/// Checks a merged config. All problems are found in one pass, not only the first.
pub fn validate(config: &Value) -> Result<Validated, ConfigError> {
    let mut findings = Findings::default();
    let root = Node::root(config);
    let name = dataset_name(&root, &mut findings);
    let format = format(&root, &mut findings);
    keys::placeholders(config, &mut findings);
    keys::secrets(config, &mut findings);
    keys::check(config, format, &mut findings);

    let (global_attributes, deleted) = global_attributes(&root, &mut findings);
    let mut variables = Variables::default();
    let (mut partitioning, mut grid) = (Vec::new(), None);
    match format {
        Some(Format::Zarr) => grid = zarr::grid(&root, deleted, &mut findings),
        Some(Format::Parquet) => {
            variables = variables::variables(&root, &mut findings);
            partitioning = partitions::partitions(&root, &variables, &mut findings);
        }
        None => variables = variables::variables(&root, &mut findings),
    }
    let metadata_uuid = root.text_of("metadata_uuid", &mut findings).map(str::to_owned);
    if config.get("metadata_uuid").is_none() {
        findings.warn("metadata_uuid", "missing; the dataset gets none (write null to say so)");
    }
    let mode = mode::mode(&root, format, &mut findings);
    let csv = if format == Some(Format::Zarr) { None } else { csv::csv(&root, &mut findings) };
    let run = paths::run_settings(&root, &mut findings);

    let (Some(dataset_name), Some(format)) = (name, format) else { return Err(invalid(findings)) };
    if !findings.errors.is_empty() {
        return Err(invalid(findings));
    }
    Ok(Validated {
        config: DatasetConfig {
            dataset_name,
            format,
            metadata_uuid,
            mode,
            schema: variables.schema,
            drop_variables: variables.dropped,
            add_variables: variables.added,
            partitioning,
            global_attributes,
            paths: run.paths,
            exclude: run.exclude,
            source_bucket: run.source_bucket,
            csv,
            grid,
            force_previous_parquet_deletion: run.force_previous_parquet_deletion,
        },
        source_options: run.source_options,
        warnings: findings.warnings,
        unknown_keys: findings.unknown_keys,
        ignored: findings.ignored,
        unsupported: findings.unsupported,
    })
}

fn invalid(findings: Findings) -> ConfigError {
    let mut errors = findings.errors;
    errors.extend(findings.unsupported);
    ConfigError::Invalid(errors)
}

/// The name is a folder, a part of keys and of state: letters, digits, `_`, `-`, `.`.
fn dataset_name(root: &Node<'_>, findings: &mut Findings) -> Option<String> {
    let name = root.required_text("dataset_name", "the name of the dataset, such as `mooring_temperature_demo`", findings)?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !starts || !plain || name.len() > 128 {
        let message =
            format!("`{}` cannot name a folder; write at most 128 of A-Z a-z 0-9 _ - . and begin with a letter or digit", shown(name));
        findings.error("dataset_name", message);
        return None;
    }
    Some(name.to_owned())
}

fn format(root: &Node<'_>, findings: &mut Findings) -> Option<Format> {
    match root.required_text("cloud_optimised_format", "`parquet` or `zarr`", findings)? {
        "parquet" => Some(Format::Parquet),
        "zarr" => Some(Format::Zarr),
        other => {
            findings.error("cloud_optimised_format", format!("`{}` is not a format; write `parquet` or `zarr`", shown(other)));
            None
        }
    }
}

/// What is set, and the names of what is deleted.
fn global_attributes(root: &Node<'_>, findings: &mut Findings) -> (Map<String, Value>, Vec<String>) {
    let (mut set, mut deleted) = (Map::new(), Vec::new());
    let Some(node) = root.get("schema_transformation").and_then(|transform| transform.get("global_attributes")) else {
        return (set, deleted);
    };
    for (key, entry) in node.entries(findings) {
        match key {
            "set" | "delete" if entry.value.is_null() => {}
            "set" => set = entry.object(findings).cloned().unwrap_or_default(),
            "delete" => deleted = entry.texts(findings),
            _ => findings.error(entry.path, "not one of `set` and `delete`; move the attribute below `set`"),
        }
    }
    (set, deleted)
}
