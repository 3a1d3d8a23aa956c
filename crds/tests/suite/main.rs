//! The tests of the crate, in one binary because linking is what takes the time.

// In a test a panic is the answer, and a table is as long as it is.
#![allow(clippy::unwrap_used, clippy::too_many_lines)]

mod cel;
mod config_csv;
mod config_load;
mod config_rules;
mod config_zarr;
mod crd;
mod effective;
mod example;
mod functions;
mod hashes;
mod real_configs;
mod status;

use serde_json::{Value, json};

/// A small config that is right in everything.
fn config() -> Value {
    json!({
        "dataset_name": "buoy_demo",
        "cloud_optimised_format": "parquet",
        "metadata_uuid": null,
        "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://archive/buoys/", "filter": [".*\\.nc$"]}]},
        "schema": {
            "TIME": {"type": "timestamp[ns]"},
            "LATITUDE": {"type": "double", "valid_min": -90.0, "valid_max": 90.0},
            "LONGITUDE": {"type": "double"},
            "TEMP": {"type": "float", "units": "degrees_Celsius", "valid_min": -2.0, "_FillValue": 999.0}
        },
        "schema_transformation": {
            "add_variables": {
                "filename": {"source": "@filename", "schema": {"type": "string", "units": "1"}},
                "buoy": {"source": "@global_attribute:buoy", "schema": {"units": "1", "type": "string", "_FillValue": "none"}},
                "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}},
                "polygon": {"source": "@partitioning:spatial_extent", "schema": {"type": "string", "units": "1"}}
            },
            "partitioning": [
                {"source_variable": "buoy"},
                {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "TIME", "partition_period": "Y"}},
                {"source_variable": "polygon", "type": "spatial_extent",
                    "spatial_extent": {"lat_varname": "LATITUDE", "lon_varname": "LONGITUDE", "spatial_resolution": 10}}
            ],
            "global_attributes": {"set": {"title": "Buoys"}, "delete": []}
        }
    })
}

/// The place a JSON pointer names, made if need be.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match parent {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => other[key] = value,
    }
}

fn remove(document: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().shift_remove(key).unwrap();
}
