//! What a change of config means: three hashes over three parts of it.
//!
//! | hash | covers | a change means |
//! |---|---|---|
//! | layout | format, compat, naming of objects; of a table partitions and the type of each column; of a grid dimensions, those that are sorted, chunks, template, target grids, and type, dimensions and `drop_var` of each variable | `LayoutConflict` until a rebuild |
//! | content | of a table the order of columns, what is added, dropped, computed and how files are read, the valid range of the partition's position; of a grid what is added, sorted, not decoded and not written over | files are stale |
//! | metadata | attributes of variables, global attributes, dataset name, UUID | the sidecar, or the attributes of the store, are written again |
//!
//! `run_settings`, logging and the registry block are in none of them. The order of keys inside an
//! object never matters, but the order of a table's columns does (it is the order inside every file), and
//! so does the order of partitions. 90.0 and 90 are the same number, because the API server makes no
//! difference between them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::cast::whole;
use super::grid::{ChunkLength, GridConfig, GridSource, TargetGrid};
use super::{DatasetConfig, Partition, Source, VariableSchema};
use crate::wire::{Compat, Hashes, Naming};

/// The hashes of a merged and validated config.
#[must_use]
pub fn hashes(merged: &Value, config: &DatasetConfig, compat: Compat, naming: Naming) -> Hashes {
    let (layout, content, metadata) = match &config.grid {
        None => (table_layout(config), table_content(merged, config), table_metadata(config)),
        Some(grid) => (grid_layout(grid), grid_content(grid), grid_metadata(grid)),
    };
    Hashes {
        layout: hash(&all([
            json!({
                "format": config.format,
                "compat": compat,
                // Absent for the default: datasets are older than the choice.
                "naming": (naming != Naming::default()).then_some(naming),
            }),
            layout,
        ])),
        content: hash(&content),
        metadata: hash(&all([
            json!({
                "dataset_name": config.dataset_name,
                "metadata_uuid": config.metadata_uuid,
                "global_attributes": config.global_attributes,
            }),
            metadata,
        ])),
    }
}

/// One object with the keys of both.
fn all(parts: [Value; 2]) -> Value {
    parts.into_iter().filter_map(|part| if let Value::Object(map) = part { Some(map) } else { None }).flatten().collect()
}

fn table_layout(config: &DatasetConfig) -> Value {
    let types: Map<String, Value> =
        config.schema.iter().map(|column| (column.name.clone(), Value::from(column.column_type.as_str()))).collect();
    let dims: Map<String, Value> =
        config.schema.iter().filter_map(|column| Some((column.name.clone(), column.attributes.get("dims")?.clone()))).collect();
    json!({
        "partitioning": config.partitioning.iter().map(partition).collect::<Vec<_>>(),
        "types": types,
        "dims": dims,
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

fn table_content(merged: &Value, config: &DatasetConfig) -> Value {
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
    })
}

fn table_metadata(config: &DatasetConfig) -> Value {
    json!({
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

/// Order of dimensions and variables is left out: a store keeps the one that it has.
fn grid_layout(grid: &GridConfig) -> Value {
    let dimensions = grid.dimensions.iter().map(|dimension| {
        let chunk = match dimension.chunk {
            ChunkLength::Whole => Value::Null,
            ChunkLength::Length(length) => length.into(),
        };
        (dimension.name.clone(), json!({"chunk": chunk}))
    });
    // What is dropped has no type in the store.
    let variables = grid.variables.iter().map(|variable| {
        let kept = json!({"type": variable.grid_type.to_string(), "dims": variable.dims});
        (variable.name.clone(), if variable.dropped { json!("dropped") } else { kept })
    });
    let targets = grid.target_grids.iter().map(|(name, target)| {
        let target = match target {
            TargetGrid::Values(values) => json!(values),
            TargetGrid::Steps { min, max, step } => json!({"min": min, "max": max, "step": step}),
        };
        (name.clone(), target)
    });
    let mut layout = json!({
        "dimensions": dimensions.collect::<Map<_, _>>(),
        "append": grid.append_name(),
        "variables": variables.collect::<Map<_, _>>(),
        "template": grid.template,
        "target_grids": targets.collect::<Map<_, _>>(),
    });
    let rising: BTreeSet<&String> = grid.sort_by.iter().filter(|name| *name != grid.append_name()).collect();
    // Not there where there are none: hashes of other configs stay what they were.
    if !rising.is_empty() {
        layout["rising"] = json!(rising);
    }
    layout
}

fn grid_content(grid: &GridConfig) -> Value {
    let added = grid.variables.iter().filter(|variable| !variable.dropped).filter_map(|variable| {
        let source = match variable.source.as_ref()? {
            GridSource::Filename => json!("filename"),
            GridSource::GlobalAttribute(name) => json!({"global": name}),
        };
        Some((variable.name.clone(), source))
    });
    json!({
        "added": added.collect::<Map<_, _>>(),
        "incompatible_with_region": sorted(&grid.incompatible_with_region),
        "sort_by": grid.sort_by,
        "undecoded_times": sorted(&grid.undecoded_times),
    })
}

fn grid_metadata(grid: &GridConfig) -> Value {
    let variables = grid.variables.iter().filter(|variable| !variable.dropped);
    json!({
        "has_metadata_uuid": grid.has_metadata_uuid,
        "deleted_attributes": sorted(&grid.deleted_attributes),
        "variables": variables.map(|variable| (variable.name.clone(), variable.attributes.clone().into())).collect::<Map<_, _>>(),
    })
}

/// The names of a set: their order says nothing.
fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
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
