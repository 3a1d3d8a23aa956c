//! The rules of a Zarr config: read and checked, and refused by name until this version writes Zarr.

use crds::config::{ColumnType, ConfigError};
use serde_json::{Value, json};

use crate::config_rules::{findings, valid};
use crate::set;

fn zarr() -> Value {
    json!({
        "dataset_name": "grid_demo", "cloud_optimised_format": "zarr", "metadata_uuid": null,
        "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://archive/grids/", "filter": []}]},
        "schema": {"TIME": {"type": "timestamp[ns]"}, "SST": {"type": "float", "dims": ["TIME", "I"]}, "OLD": {"type": "int32", "drop_var": true}},
        "schema_transformation": {
            "dimensions": {"time": {"name": "TIME", "chunk": 10, "append_dim": true, "rechunk": true}, "x": {"name": "I", "chunk": 0}},
            "var_template_shape": "SST", "vars_incompatible_with_region": ["OLD"], "dataset_sort_by": ["TIME"],
            "add_variables": {"filename": {"source": "@filename", "schema": {"type": "<U256", "units": "1", "dimensions": "time"}}}
        }
    })
}

#[test]
fn a_zarr_config_is_understood_and_refused_by_name() {
    let validated = valid(&zarr());
    assert_eq!(validated.ignored, ["schema_transformation.dimensions.time.rechunk"]);
    let types: Vec<(&str, ColumnType)> = validated.config.schema.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
    assert_eq!(types, [("TIME", ColumnType::TimestampNs), ("SST", ColumnType::Float64), ("filename", ColumnType::Utf8)]);
    let Err(ConfigError::Unsupported(findings)) = validated.supported() else { panic!("supported") };
    assert!(findings[0].message.contains("zarr output comes in a later version"));
}

#[test]
fn a_zarr_config_has_rules_of_its_own() {
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("/schema_transformation/dimensions/x/append_dim", json!(true), "schema_transformation.dimensions", "exactly one"),
        ("/schema_transformation/dimensions/x/chunk", json!("all"), "schema_transformation.dimensions.x.chunk", "whole number"),
        ("/schema_transformation/var_template_shape", json!("WIND"), "schema_transformation.var_template_shape", "not in `schema`"),
        ("/schema_transformation/var_template_shape", json!(null), "schema_transformation.var_template_shape", "missing"),
        ("/schema_transformation/dataset_sort_by", json!(["time"]), "schema_transformation.dataset_sort_by[0]", "write one of TIME, I"),
        (
            "/schema_transformation/add_variables/filename/source",
            json!("@partitioning:time_extent"),
            "schema_transformation.add_variables.filename.source",
            "no meaning for zarr",
        ),
    ];
    for (pointer, value, path, words) in cases {
        let mut config = zarr();
        set(&mut config, pointer, value);
        let found = findings(&config);
        assert!(found.iter().any(|(at, message)| at == path && message.contains(words)), "{pointer}: {found:#?}");
    }
}
