//! What a change of config means: three hashes over three parts of it.
//!
//! | hash | covers | a change means |
//! |---|---|---|
//! | layout | format, partitions, the type of each column, Zarr dimensions, chunks and template, compat, naming of objects | `LayoutConflict` until a rebuild |
//! | content | the order of columns, what is added, dropped, computed and how files are read, the valid range of the partition's position | files are stale |
//! | metadata | attributes of variables, global attributes, dataset name, UUID | the sidecar is rewritten |
//!
//! `run_settings`, logging and the registry block are in none of them. The order of keys inside an
//! object never matters, but the order of the columns does (it is the order inside every file), and
//! so does the order of partitions. 90.0 and 90 are the same number, because the API server makes no
//! difference between them.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::cast::whole;
use super::{DatasetConfig, Partition, Source, VariableSchema};
use crate::wire::{Compat, Hashes, Naming};

/// The hashes of a merged and validated config.
#[must_use]
pub fn hashes(merged: &Value, config: &DatasetConfig, compat: Compat, naming: Naming) -> Hashes {
    Hashes {
        layout: hash(&layout(merged, config, compat, naming)),
        content: hash(&content(merged, config)),
        metadata: hash(&metadata(config)),
    }
}

fn layout(merged: &Value, config: &DatasetConfig, compat: Compat, naming: Naming) -> Value {
    let types: Map<String, Value> =
        config.schema.iter().map(|column| (column.name.clone(), Value::from(column.column_type.as_str()))).collect();
    let dims: Map<String, Value> =
        config.schema.iter().filter_map(|column| Some((column.name.clone(), column.attributes.get("dims")?.clone()))).collect();
    json!({
        "format": config.format,
        "compat": compat,
        // Absent for the default: datasets are older than the choice.
        "naming": (naming != Naming::default()).then_some(naming),
        "partitioning": config.partitioning.iter().map(partition).collect::<Vec<_>>(),
        "types": types,
        "dims": dims,
        "dimensions": transform(merged, "dimensions"),
        "var_template_shape": transform(merged, "var_template_shape"),
    })
}

fn partition(partition: &Partition) -> Value {
    match partition {
        Partition::Time { name, time_varname, period } => json!({"time": name, "of": time_varname, "period": period.as_str()}),
        Partition::Tile { name, lat_varname, lon_varname, resolution } => {
            json!({"tile": name, "of": [lat_varname, lon_varname], "resolution": resolution})
        }
        Partition::Column { name } => json!({"column": name}),
    }
}

fn content(merged: &Value, config: &DatasetConfig) -> Value {
    let mut dropped = config.drop_variables.clone();
    dropped.sort();
    json!({
        "order": config.schema.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
        "added": config.add_variables.iter().map(|added| {
            let value = json!({"source": source(&added.source), "type": added.type_name, "fill": added.fill_value});
            (added.name.clone(), value)
        }).collect::<Map<_, _>>(),
        "dropped": dropped,
        "valid": position_columns(config).map(|column| {
            let limits = json!([column.attributes.get("valid_min"), column.attributes.get("valid_max")]);
            (column.name.clone(), limits)
        }).collect::<Map<_, _>>(),
        "mode": config.mode.canonical(),
        "drop_var": dropped_from_schema(merged),
        "csv_config": merged.get("csv_config"),
        "vars_incompatible_with_region": transform(merged, "vars_incompatible_with_region"),
        "dataset_sort_by": transform(merged, "dataset_sort_by"),
        "skip_cftime_decode": transform(merged, "skip_cftime_decode"),
        "target_dimension_grids": transform(merged, "target_dimension_grids"),
    })
}

fn metadata(config: &DatasetConfig) -> Value {
    json!({
        "dataset_name": config.dataset_name,
        "metadata_uuid": config.metadata_uuid,
        "global_attributes": config.global_attributes,
        "variables": config.schema.iter().map(|column| (column.name.clone(), column.attributes.clone().into())).collect::<Map<_, _>>(),
    })
}

fn source(source: &Source) -> Value {
    match source {
        Source::Filename => json!("filename"),
        Source::TimeExtent => json!("time_extent"),
        Source::SpatialExtent => json!("spatial_extent"),
        Source::GlobalAttribute(name) => json!({"global": name}),
        Source::VariableAttribute { variable, attribute } => json!({"of": variable, "attribute": attribute}),
        Source::Function(function) => json!({"function": function.canonical()}),
    }
}

/// The latitude and longitude of the tile: their valid range decides which rows stay.
fn position_columns(config: &DatasetConfig) -> impl Iterator<Item = &VariableSchema> {
    let is_position = |name: &str| {
        config.partitioning.iter().any(
            |partition| matches!(partition, Partition::Tile { lat_varname, lon_varname, .. } if name == lat_varname || name == lon_varname),
        )
    };
    config.schema.iter().filter(move |column| is_position(&column.name))
}

fn dropped_from_schema(merged: &Value) -> Vec<&str> {
    let schema = merged.get("schema").and_then(Value::as_object);
    let mut names: Vec<&str> = schema
        .into_iter()
        .flatten()
        .filter(|(_, variable)| variable.get("drop_var") == Some(&Value::Bool(true)))
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    names
}

fn transform<'a>(merged: &'a Value, key: &str) -> Option<&'a Value> {
    merged.get("schema_transformation")?.get(key)
}

/// The first 16 hexadecimal digits of the SHA-256 of the canonical text.
#[must_use]
pub fn hash(value: &Value) -> String {
    let mut text = hex::encode(Sha256::digest(canonical(value).to_string()));
    text.truncate(16);
    text
}

/// Keys sorted, whole numbers without a fraction; absent, null and -0.0 have one form.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => 0.into(),
            _ => Value::Number(whole(number)),
        },
        other => other.clone(),
    }
}
