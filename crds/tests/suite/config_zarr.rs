//! The rules of a Zarr config, and what it becomes.

use crds::config::{ChunkLength, GridConfig, GridSource, GridType, TargetGrid, Validated};
use serde_json::{Value, json};

use crate::config_rules::{findings, valid};
use crate::{remove, set};

/// A small Zarr config that is right in everything.
pub fn zarr() -> Value {
    json!({
        "dataset_name": "grid_demo", "cloud_optimised_format": "zarr", "metadata_uuid": null,
        "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://archive/grids/", "filter": []}]},
        "schema": {
            "TIME": {"type": "timestamp[ns]"}, "J": {"type": "int32"}, "I": {"type": "int32"},
            "SST": {"long_name": "surface temperature", "type": "float", "dims": ["TIME", "J", "I"], "units": "K", "valid_min": -2.0},
            "SPEED": {"type": "float32"},
            "STATION": {"type": "double", "dims": []},
            "OLD": {"type": "int32", "drop_var": true}
        },
        "schema_transformation": {
            "dimensions": {
                "time": {"name": "TIME", "chunk": 10, "append_dim": true, "rechunk": true},
                "y": {"name": "J", "chunk": 64}, "x": {"name": "I", "chunk": -1, "size": 40}
            },
            "var_template_shape": "SST", "vars_incompatible_with_region": ["J", "I"], "dataset_sort_by": ["TIME"],
            "add_variables": {
                "filename": {"source": "@filename", "schema": {"type": "object", "units": "1", "dimensions": "time"}},
                "platform": {"source": "@global_attribute:platform_code", "schema": {"type": "<U12", "units": "1", "dimensions": "TIME"}}
            },
            "global_attributes": {"set": {"title": "Grids"}, "delete": ["history"]}
        }
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut config = zarr();
    set(&mut config, pointer, value);
    config
}

fn grid(config: &Value) -> GridConfig {
    valid(config).supported().unwrap().config.grid.unwrap()
}

/// The warnings, which must not change the rest of the model.
fn warnings(config: &Value) -> Vec<(String, String)> {
    valid(config).warnings.into_iter().map(|finding| (finding.path, finding.message)).collect()
}

#[test]
fn a_zarr_config_becomes_a_grid() {
    let Validated { config, warnings, unknown_keys, ignored, unsupported, .. } = valid(&zarr());
    assert_eq!((warnings, unknown_keys, unsupported), (vec![], vec![], vec![]));
    assert_eq!(ignored, ["schema_transformation.dimensions.time.rechunk", "schema_transformation.dimensions.x.size"]);
    assert_eq!((config.schema, config.partitioning, config.csv), (vec![], vec![], None));
    assert_eq!((config.global_attributes["title"].as_str(), config.paths.len()), (Some("Grids"), 1));

    let grid = config.grid.unwrap();
    let dimensions: Vec<(&str, ChunkLength)> = grid.dimensions.iter().map(|d| (d.name.as_str(), d.chunk)).collect();
    assert_eq!(dimensions, [("TIME", ChunkLength::Length(10)), ("J", ChunkLength::Length(64)), ("I", ChunkLength::Whole)]);
    assert_eq!((grid.append, grid.append_name()), (0, "TIME"));
    assert_eq!(grid.dimension("J").map(|dimension| dimension.chunk), Some(ChunkLength::Length(64)));
    assert!(grid.dimension("y").is_none() && grid.variable("WIND").is_none());

    let types: Vec<(&str, GridType)> = grid.variables.iter().map(|v| (v.name.as_str(), v.grid_type)).collect();
    assert_eq!(
        types,
        [
            ("TIME", GridType::TimestampNs),
            ("J", GridType::I32),
            ("I", GridType::I32),
            ("SST", GridType::F64),
            ("SPEED", GridType::F32),
            ("STATION", GridType::F64),
            ("OLD", GridType::I32),
            ("filename", GridType::Text),
            ("platform", GridType::FixedText(12)),
        ]
    );
    let dropped: Vec<&str> = grid.variables.iter().filter(|v| v.dropped).map(|v| v.name.as_str()).collect();
    assert_eq!(dropped, ["OLD"]);
    let sst = grid.variable("SST").unwrap();
    assert_eq!(Value::from(sst.attributes.clone()).to_string(), r#"{"long_name":"surface temperature","units":"K","valid_min":-2.0}"#);
    let dims = |name: &str| grid.variable(name).unwrap().dims.clone().map(|dims| dims.join(" "));
    assert_eq!(["SST", "SPEED", "STATION"].map(dims), [Some("TIME J I".to_owned()), None, Some(String::new())]);
    // A label stands for its dimension.
    assert_eq!(["filename", "platform"].map(dims), [Some("TIME".to_owned()), Some("TIME".to_owned())]);
    assert_eq!(grid.variable("filename").unwrap().source, Some(GridSource::Filename));
    assert_eq!(grid.variable("platform").unwrap().source, Some(GridSource::GlobalAttribute("platform_code".to_owned())));
    assert_eq!(sst.source, None);

    assert_eq!((grid.template, grid.sort_by, grid.undecoded_times), (vec!["SST".to_owned()], vec!["TIME".to_owned()], vec![]));
    assert_eq!((grid.incompatible_with_region, grid.deleted_attributes), (vec!["J".into(), "I".into()], vec!["history".into()]));
    assert!(grid.has_metadata_uuid && config.metadata_uuid.is_none());
}

#[test]
fn an_added_variable_takes_the_place_of_its_namesake() {
    let own = json!({"source": "@filename", "schema": {"type": "<U64", "units": "1"}});
    let grid = grid(&with("/schema_transformation/add_variables/SPEED", own));
    assert_eq!(grid.variables.len(), 9);
    assert_eq!((grid.variables[4].name.as_str(), grid.variables[4].grid_type), ("SPEED", GridType::FixedText(64)));
}

#[test]
fn a_missing_uuid_is_not_a_null_one() {
    let mut config = zarr();
    remove(&mut config, "/metadata_uuid");
    assert!(!grid(&config).has_metadata_uuid);
    set(&mut config, "/metadata_uuid", json!(""));
    assert!(grid(&config).has_metadata_uuid);
}

#[test]
fn each_type_name_has_its_meaning() {
    let cases = [
        ("int8", Some(GridType::I8)),
        ("byte", Some(GridType::I8)),
        ("int16", Some(GridType::I16)),
        ("int64", Some(GridType::I64)),
        ("uint8", Some(GridType::U8)),
        ("uint16", Some(GridType::U16)),
        ("uint32", Some(GridType::U32)),
        ("uint64", Some(GridType::U64)),
        ("float32", Some(GridType::F32)),
        ("float", Some(GridType::F64)),
        ("float64", Some(GridType::F64)),
        ("double", Some(GridType::F64)),
        ("datetime64[ns]", Some(GridType::TimestampNs)),
        ("timedelta64[ns]", Some(GridType::TimedeltaNs)),
        ("bool", Some(GridType::Bool)),
        ("string", Some(GridType::Text)),
        ("str", Some(GridType::Text)),
        ("<U4", Some(GridType::FixedText(4))),
        ("<U 4", Some(GridType::FixedText(4))),
        ("|S12", Some(GridType::FixedBytes(12))),
        ("<U65535", Some(GridType::FixedText(65_535))),
        ("<U65536", None),
        ("<U", None),
        ("<U0", None),
        ("<U+4", None),
        ("<Ux", None),
        ("|S-1", None),
        ("timestamp[ms]", None),
        ("list<element: string>", None),
        ("", None),
    ];
    for (name, expected) in cases {
        assert_eq!(GridType::from_name(name), expected, "{name}");
        if let Some(known) = expected {
            assert_eq!(GridType::from_name(&known.to_string()), expected, "{known}");
        }
    }
}

#[test]
fn a_zarr_config_has_rules_of_its_own() {
    let transform = "/schema_transformation";
    let cases: Vec<(String, Value, &str, &str)> = vec![
        (format!("{transform}/dimensions/x/append_dim"), json!(true), "schema_transformation.dimensions", "exactly one"),
        (format!("{transform}/dimensions/time/append_dim"), json!(false), "schema_transformation.dimensions", "exactly one"),
        (format!("{transform}/dimensions/x/chunk"), json!("all"), "schema_transformation.dimensions.x.chunk", "whole number"),
        (format!("{transform}/dimensions/x/chunk"), json!(-2), "schema_transformation.dimensions.x.chunk", "-1 for the whole"),
        (format!("{transform}/dimensions/x/chunk"), json!(1.5), "schema_transformation.dimensions.x.chunk", "whole number"),
        (format!("{transform}/dimensions/time/chunk"), json!(-1), "schema_transformation.dimensions.time.chunk", "such as 100"),
        (format!("{transform}/dimensions/x/name"), json!(""), "schema_transformation.dimensions.x.name", "empty"),
        (format!("{transform}/dimensions/x/name"), json!("J"), "schema_transformation.dimensions.x.name", "a dimension already"),
        (format!("{transform}/dimensions/x/name"), json!("a/b"), "schema_transformation.dimensions.x.name", "cannot name an array"),
        (format!("{transform}/dimensions"), json!(null), "schema_transformation.dimensions", "missing"),
        (transform.to_owned(), json!(null), "schema_transformation", "needs `dimensions` and `var_template_shape`"),
        (format!("{transform}/var_template_shape"), json!("WIND"), "schema_transformation.var_template_shape", "not in `schema`"),
        (format!("{transform}/var_template_shape"), json!(null), "schema_transformation.var_template_shape", "missing"),
        (format!("{transform}/var_template_shape"), json!([]), "schema_transformation.var_template_shape", "empty"),
        (format!("{transform}/var_template_shape"), json!(["SST", 1]), "schema_transformation.var_template_shape[1]", "write text"),
        (
            format!("{transform}/vars_incompatible_with_region"),
            json!(["WIND"]),
            "schema_transformation.vars_incompatible_with_region[0]",
            "add it",
        ),
        (format!("{transform}/skip_cftime_decode"), json!("WIND"), "schema_transformation.skip_cftime_decode", "not in `schema`"),
        (format!("{transform}/dataset_sort_by"), json!(["time"]), "schema_transformation.dataset_sort_by[0]", "write one of TIME, J, I"),
        (format!("{transform}/dataset_sort_by"), json!({}), "schema_transformation.dataset_sort_by", "a list of names"),
        ("/schema/TIME/drop_var".to_owned(), json!(true), "schema.TIME.drop_var", "is a dimension"),
        ("/schema/SST/type".to_owned(), json!("timestamp[ms]"), "schema.SST.type", "timedelta64[ns]"),
        ("/schema/SST/type".to_owned(), json!(null), "schema.SST.type", "missing"),
        ("/schema/SST/dims".to_owned(), json!(["J", "J"]), "schema.SST.dims[1]", "stands there already"),
        ("/schema/.zattrs".to_owned(), json!({"type": "float"}), r#"schema[".zattrs"]"#, "cannot name an array"),
        ("/schema".to_owned(), json!({}), "schema", "empty"),
        ("/handler_class".to_owned(), json!("ArgoHandler"), "handler_class", "makes tables only"),
        ("/run_settings/paths/0".to_owned(), json!({"type": "parquet", "s3_uri": "s3://b/x"}), "run_settings.paths[0].type", "no grid"),
    ];
    let added = "schema_transformation.add_variables.";
    let more: Vec<(&str, Value, String, &str)> = vec![
        ("filename/source", json!("@partitioning:time_extent"), format!("{added}filename.source"), "no meaning for zarr"),
        ("filename/source", json!("@function:f"), format!("{added}filename.source"), "no meaning for zarr"),
        ("filename/schema", json!(null), format!("{added}filename.schema"), "missing"),
        ("filename/schema/type", json!("float"), format!("{added}filename.schema.type"), "name of a file"),
        ("platform/schema/type", json!("|S12"), format!("{added}platform.schema.type"), "such as `<U64`"),
        ("platform/schema/dimensions", json!(["TIME", "I"]), format!("{added}platform.schema.dimensions"), "one name"),
        ("TIME", json!({"source": "@filename", "schema": {"type": "<U9", "units": "1"}}), format!("{added}TIME"), "another name"),
    ];
    let more = more.into_iter().map(|(at, value, path, words)| (format!("{transform}/add_variables/{at}"), value, path, words));
    for (pointer, value, path, words) in cases.into_iter().map(|(a, b, path, d)| (a, b, path.to_owned(), d)).chain(more) {
        let found = findings(&with(&pointer, value));
        assert!(found.iter().any(|(at, message)| *at == path && message.contains(words)), "{pointer}: {found:#?}");
    }
}

#[test]
fn what_real_configs_leave_out_is_a_warning() {
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("/schema_transformation/dimensions/x/chunk", json!(0), "schema_transformation.dimensions.x.chunk", "0 is automatic"),
        ("/schema_transformation/dimensions/x/chunk", json!(null), "schema_transformation.dimensions.x.chunk", "spans the whole"),
        ("/schema_transformation/dimensions/time/append_dim", json!(null), "schema_transformation.dimensions", "labelled `time`"),
        ("/schema/SST/dims", json!(["TIME", "Z"]), "schema.SST.dims[1]", "`Z` is not the `name` of a dimension"),
        ("/schema_transformation/var_template_shape", json!(["OLD", "SST"]), "schema_transformation.var_template_shape", "`drop_var`"),
        ("/schema_transformation/drop_variables", json!(["SPEED"]), "schema_transformation.drop_variables", "no effect on Zarr"),
        (
            "/schema_transformation/target_dimension_grids",
            json!({"Z": {"values": [1]}}),
            "schema_transformation.target_dimension_grids.Z",
            "write one of TIME, J, I",
        ),
        (
            "/schema_transformation/target_dimension_grids",
            json!({"J": {"value": [1]}}),
            "schema_transformation.target_dimension_grids.J.value",
            "did you mean `values`?",
        ),
        (
            "/schema_transformation/add_variables/platform/schema",
            json!({"type": "<U12", "units": "1"}),
            "schema_transformation.add_variables.platform.schema.dimensions",
            "so it is `TIME`",
        ),
        (
            "/schema_transformation/add_variables/platform/schema/units",
            json!(null),
            "schema_transformation.add_variables.platform.schema.units",
            "gets none",
        ),
    ];
    for (pointer, value, path, words) in cases {
        let found = warnings(&with(pointer, value));
        assert!(found.iter().any(|(at, message)| at == path && message.contains(words)), "{pointer}: {found:#?}");
    }
    let config = with("/schema_transformation/dimensions/x/chunk", json!(0));
    assert_eq!(grid(&config).dimensions[2].chunk, ChunkLength::Whole);
    let config = with("/schema_transformation/dimensions/time/append_dim", json!(null));
    assert_eq!(grid(&config).append_name(), "TIME");
    let config = with("/csv_config", json!({"pandas_read_csv_config": {"sep": ";"}}));
    assert!(valid(&config).ignored.contains(&"csv_config".to_owned()));
}

#[test]
fn the_dimension_that_grows_is_the_one_that_says_so() {
    let mut config = zarr();
    config["schema_transformation"]["dimensions"] = json!({"time": {"name": "J", "chunk": 4}, "hours": {"name": "TIME", "chunk": 5, "append_dim": true}, "x": {"name": "I", "chunk": 6}});
    assert_eq!((grid(&config).append, grid(&config).append_name()), (1, "TIME"));
    config["schema_transformation"]["dimensions"] = json!({"y": {"name": "J", "chunk": 4}, "hours": {"name": "TIME", "chunk": 5}});
    assert!(findings(&config)[0].1.contains("write `append_dim: true` into one"));
}

#[test]
fn target_grids_are_values_or_steps() {
    let target = |value: Value| with("/schema_transformation/target_dimension_grids", json!({"J": value}));
    for nothing in [json!(null), json!({}), json!({"values": null})] {
        assert_eq!(grid(&target(nothing)).target_grids, []);
    }
    let steps = grid(&target(json!({"min": 400, "max": 403, "step": 0.5}))).target_grids;
    assert_eq!(steps, [("J".to_owned(), TargetGrid::Steps { min: 400.0, max: 403.0, step: 0.5 })]);
    assert_eq!(steps[0].1.positions(), [400.0, 400.5, 401.0, 401.5, 402.0, 402.5, 403.0]);
    let values = grid(&target(json!({"values": [3, 2.5, 1]}))).target_grids;
    assert_eq!(values[0].1.positions(), [3.0, 2.5, 1.0]);
    // numpy.arange(400.1, 401.15, 0.1) ends so, and not at 400.1 + 10 * 0.1.
    let tenths = TargetGrid::Steps { min: 400.1, max: 401.1, step: 0.1 }.positions();
    assert_eq!(
        (tenths.len(), tenths[1].to_string(), tenths[10].to_string()),
        (11, "400.20000000000005".into(), "401.10000000000025".into())
    );
    // A half step beyond the end still counts, more does not.
    assert_eq!(TargetGrid::Steps { min: 0.0, max: 1.2, step: 1.0 }.positions(), [0.0, 1.0]);
    assert_eq!(TargetGrid::Steps { min: 0.0, max: 1.6, step: 1.0 }.positions(), [0.0, 1.0, 2.0]);

    let at = "schema_transformation.target_dimension_grids.J";
    let cases = [
        (json!([1, 2]), at.to_owned(), "write an object"),
        (json!({"values": []}), format!("{at}.values"), "rise"),
        (json!({"values": [1, 1]}), format!("{at}.values"), "rise"),
        (json!({"values": [1, 3, 2]}), format!("{at}.values"), "rise"),
        (json!({"values": [1, "2"]}), format!("{at}.values"), "rise"),
        (json!({"values": 1}), format!("{at}.values"), "write a list"),
        (json!({"min": 1, "max": 2}), format!("{at}.step"), "missing"),
        (json!({"min": 1, "max": "2", "step": 1}), format!("{at}.max"), "not a number"),
        (json!({"min": 1, "max": 2, "step": 0}), at.to_owned(), "positive `step`"),
        (json!({"min": 2, "max": 1, "step": 1}), at.to_owned(), "positive `step`"),
        (json!({"min": 0, "max": 1, "step": 1e-9}), at.to_owned(), "1000000"),
        (json!({"min": 1e300, "max": 1e300, "step": 1}), at.to_owned(), "too small"),
    ];
    for (value, path, words) in cases {
        let found = findings(&target(value.clone()));
        assert!(found.iter().any(|(at, message)| *at == path && message.contains(words)), "{value}: {found:#?}");
    }
    let growing = with("/schema_transformation/target_dimension_grids", json!({"TIME": {"values": [1]}}));
    assert!(findings(&growing)[0].1.contains("no fixed grid"));
}
