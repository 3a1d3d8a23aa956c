//! Each rule of the config model: what is refused, where, and in which words.

use crds::config::{ColumnType, ConfigError, Mode, Partition, PartitionPeriod, PathKind, Source, SourcePath, Validated, validate};
use crds::wire::{Class, Reason};
use serde_json::{Value, json};

use crate::{config, remove, set};

pub fn valid(config: &Value) -> Validated {
    validate(config).unwrap_or_else(|error| panic!("{error}"))
}

pub fn findings(config: &Value) -> Vec<(String, String)> {
    let error = validate(config).and_then(Validated::supported).unwrap_err();
    assert_eq!((error.class(), error.reason()), (Class::Terminal, Reason::InvalidConfig));
    error.findings().iter().map(|finding| (finding.path.clone(), finding.message.clone())).collect()
}

#[test]
fn a_valid_config_becomes_typed() {
    let Validated { config, warnings, unknown_keys, ignored, unsupported, .. } = valid(&config());
    assert_eq!((warnings, unknown_keys, ignored, unsupported), (vec![], vec![], vec![], vec![]));
    let columns: Vec<(&str, ColumnType)> = config.schema.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
    assert_eq!(
        columns,
        [
            ("TIME", ColumnType::TimestampNs),
            ("LATITUDE", ColumnType::Float64),
            ("LONGITUDE", ColumnType::Float64),
            ("TEMP", ColumnType::Float32),
            ("filename", ColumnType::Utf8),
            ("buoy", ColumnType::Utf8),
            ("timestamp", ColumnType::Int64),
            ("polygon", ColumnType::Utf8),
        ]
    );
    assert_eq!(config.schema[3].number("valid_min"), Some(-2.0));
    assert_eq!(Value::from(config.schema[5].attributes.clone()).to_string(), r#"{"type":"string","units":"1","_FillValue":"none"}"#);
    assert_eq!(config.add_variables[1].source, Source::GlobalAttribute("buoy".to_owned()));
    assert_eq!(config.add_variables[1].fill_value, Some(json!("none")));
    assert_eq!(
        config.partitioning,
        [
            Partition::Column { name: "buoy".to_owned() },
            Partition::Time { name: "timestamp".to_owned(), time_varname: "TIME".to_owned(), period: PartitionPeriod::Year },
            Partition::Tile {
                name: "polygon".to_owned(),
                lat_varname: "LATITUDE".to_owned(),
                lon_varname: "LONGITUDE".to_owned(),
                resolution: 10.0
            },
        ]
    );
    assert_eq!(config.paths, [path("archive", "buoys/")]);
    assert_eq!(config.global_attributes["title"], "Buoys");
}

fn path(bucket: &str, prefix: &str) -> SourcePath {
    SourcePath { bucket: bucket.to_owned(), prefix: prefix.to_owned(), filter: Some(r".*\.nc$".to_owned()), kind: PathKind::Files }
}

/// (pointer, value, path of the finding, words of its message)
#[test]
fn what_is_wrong_is_refused_where_it_stands() {
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("/dataset_name", json!("../x"), "dataset_name", "cannot name a folder"),
        ("/dataset_name", json!(7), "dataset_name", "a number stands here; write text"),
        ("/dataset_name", json!(""), "dataset_name", "empty; write the name of the dataset"),
        ("/cloud_optimised_format", json!("csv"), "cloud_optimised_format", "write `parquet` or `zarr`"),
        ("/schema", json!({}), "schema", "empty"),
        ("/schema", json!(["TIME: double"]), "schema", "a list stands here"),
        ("/schema", json!(null), "schema", "missing"),
        ("/schema/TEMP/type", json!("float16"), "schema.TEMP.type", "`float16` is not a type; write one of int8, "),
        ("/schema/TEMP", json!("float"), "schema.TEMP", "text stands here; write an object"),
        ("/schema/TEMP/comment", json!(" FILL UP MANUALLY - CHECK DOCUMENTATION "), "schema.TEMP.comment", "placeholder"),
        ("/run_settings/paths/0/s3_uri", json!("s3:///x/"), "run_settings.paths[0].s3_uri", "names no bucket"),
        ("/run_settings/paths/0/s3_uri", json!("https://x/y"), "run_settings.paths[0].s3_uri", "no S3 address"),
        ("/run_settings/paths/0/filter", json!(["a", "b"]), "run_settings.paths[0].filter", "2 regular expressions; join them"),
        (
            "/run_settings/paths/0/filter",
            json!(["a(b"]),
            "run_settings.paths[0].filter[0]",
            "`a(b` is not a regular expression, at character",
        ),
        ("/run_settings/paths/0/filter", json!("[z"), "run_settings.paths[0].filter", "is not a regular expression"),
        ("/run_settings/paths/0/filter", json!(5), "run_settings.paths[0].filter", "write one regular expression"),
        ("/run_settings/paths/0/partitioning", json!("hive"), "run_settings.paths[0].partitioning", "no meaning for `type: files`"),
        ("/run_settings/paths/0/type", json!("netcdf"), "run_settings.paths[0].type", "write `files`, `parquet` or `zarr`"),
        ("/run_settings/paths/0/type", json!("parquet"), "run_settings.paths[0].filter", "no meaning for `type: parquet`"),
        ("/run_settings/paths/0/year_range", json!([2020, 2020]), "run_settings.paths[0].year_range", "the earlier year first"),
        ("/run_settings/paths/0/year_range", json!([2001, 2000, 2002]), "run_settings.paths[0].year_range", "sort it"),
        ("/run_settings/paths/0/year_range", json!(["2001"]), "run_settings.paths[0].year_range[0]", "is not a year"),
        (
            "/run_settings/bucket_raw_default_name",
            json!("other"),
            "run_settings.paths[0].s3_uri",
            "`archive` is not `bucket_raw_default_name` `other`",
        ),
        ("/run_settings/s3_fs_common_opts", json!({"key": "A"}), "run_settings.s3_fs_common_opts.key", "`credentialsSecretRef`"),
        (
            "/run_settings/s3_bucket_opts",
            json!({"output_data": {"s3_fs_opts": {"client_kwargs": {"aws_session_token": "x"}}}}),
            "run_settings.s3_bucket_opts.output_data.s3_fs_opts.client_kwargs.aws_session_token",
            "put them in a Secret",
        ),
        (
            "/csv_config",
            json!({"pandas_read_csv_config": {"sep": ","}, "polars_read_csv_config": {"separator": ","}}),
            "csv_config",
            "keep one of them",
        ),
        ("/handler_class", json!("SpecialHandler"), "handler_class", "`SpecialHandler` is not known; remove it to use the generic handler"),
        ("/schema_transformation/partitioning", json!([]), "schema_transformation.partitioning", "`timestamp`"),
        (
            "/schema_transformation/partitioning/0/source_variable",
            json!("ship"),
            "schema_transformation.partitioning[0].source_variable",
            "`ship` is no column of the dataset; add it to `schema` or `add_variables`",
        ),
        (
            "/schema_transformation/partitioning/0/source_variable",
            json!("polygon"),
            "schema_transformation.partitioning[2].source_variable",
            "a partition already",
        ),
        (
            "/schema_transformation/partitioning/1/time_extent/partition_period",
            json!("D"),
            "schema_transformation.partitioning[1].time_extent.partition_period",
            "`D` is not a period; write one of M, Q, Y, h, min, s, ms, us, ns",
        ),
        (
            "/schema_transformation/partitioning/1/time_extent/time_varname",
            json!("JULD"),
            "schema_transformation.partitioning[1].time_extent.time_varname",
            "`JULD` is no column",
        ),
        (
            "/schema_transformation/partitioning/1/time_extent",
            json!(null),
            "schema_transformation.partitioning[1].type",
            "`time_extent` is missing",
        ),
        ("/schema_transformation/partitioning/1/type", json!("spatial_extent"), "schema_transformation.partitioning[1].type", "is missing"),
        ("/schema_transformation/partitioning/1/type", json!("time"), "schema_transformation.partitioning[1].type", "is not a type"),
        (
            "/schema_transformation/partitioning/2/spatial_extent/spatial_resolution",
            json!(2.5),
            "schema_transformation.partitioning[2].spatial_extent.spatial_resolution",
            "whole degrees",
        ),
        (
            "/schema_transformation/partitioning/2/spatial_extent/lat_varname",
            json!(" "),
            "schema_transformation.partitioning[2].spatial_extent.lat_varname",
            "empty",
        ),
        (
            "/schema_transformation/drop_variables",
            json!(["buoy"]),
            "schema_transformation.partitioning[0].source_variable",
            "it is in `drop_variables`",
        ),
        ("/schema_transformation/drop_variables", json!("buoy"), "schema_transformation.drop_variables", "write a list"),
        (
            "/schema_transformation/add_variables/buoy/source",
            json!("@folder:3"),
            "schema_transformation.add_variables.buoy.source",
            "is not a source; write `@filename`",
        ),
        (
            "/schema_transformation/add_variables/buoy/source",
            json!("@variable_attribute:TEMP"),
            "schema_transformation.add_variables.buoy.source",
            "names no attribute",
        ),
        (
            "/schema_transformation/add_variables/buoy/source",
            json!("@function:f"),
            "schema_transformation.add_variables.buoy.source",
            "`f` is not defined",
        ),
        ("/schema_transformation/add_variables/buoy/schema", json!(null), "schema_transformation.add_variables.buoy.schema", "missing"),
        (
            "/schema_transformation/add_variables/timestamp/schema/type",
            json!("double"),
            "schema_transformation.add_variables.timestamp.schema.type",
            "write `int64`",
        ),
        (
            "/schema_transformation/add_variables/polygon/schema/type",
            json!("int64"),
            "schema_transformation.add_variables.polygon.schema.type",
            "write `string`",
        ),
        ("/schema_transformation/global_attributes/title", json!("x"), "schema_transformation.global_attributes.title", "below `set`"),
    ];
    for (pointer, value, path, words) in cases {
        let mut config = config();
        set(&mut config, pointer, value.clone());
        let found = findings(&config);
        assert!(
            found.iter().any(|(at, message)| at == path && message.contains(words)),
            "{pointer} = {value}: expected {path}: …{words}…, found {found:#?}"
        );
    }
}

#[test]
fn all_problems_are_listed_at_once() {
    let mut config = config();
    set(&mut config, "/schema/TEMP/type", json!("real"));
    set(&mut config, "/schema_transformation/partitioning/1/time_extent/partition_period", json!("W"));
    set(&mut config, "/run_settings/paths/0/filter", json!(["("]));
    remove(&mut config, "/dataset_name");
    let Err(ConfigError::Invalid(findings)) = validate(&config) else { panic!("accepted") };
    let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "dataset_name",
            "schema.TEMP.type",
            "schema_transformation.partitioning[1].time_extent.partition_period",
            "run_settings.paths[0].filter[0]"
        ]
    );
}

#[test]
fn a_message_never_shows_a_secret() {
    let mut config = config();
    set(&mut config, "/run_settings/s3_fs_common_opts", json!({"secret": "hunter2", "anon": false}));
    assert!(!validate(&config).unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn unknown_keys_are_named_and_comments_are_not() {
    let mut config = config();
    set(&mut config, "/metdata_uuid", json!("x"));
    set(&mut config, "/_comment", json!("x"));
    set(&mut config, "/partition_keys", json!([]));
    set(&mut config, "/run_settings/__note", json!("x"));
    set(&mut config, "/run_settings/paths/0/filters", json!("x"));
    set(&mut config, "/schema/_comment", json!("the variables of the buoy"));
    set(&mut config, "/schema/TEMP/_Anything", json!(1));
    set(&mut config, "/schema_transformation/partitioning/1/time_extent/period", json!("M"));
    let validated = valid(&config);
    assert_eq!(
        validated.unknown_keys,
        ["metdata_uuid", "partition_keys", "run_settings.paths[0].filters", "schema_transformation.partitioning[1].time_extent.period"]
    );
    let said: Vec<String> = validated.warnings.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("did you mean `metadata_uuid`?"), "{said:?}");
    assert!(said[1].contains("older layout"), "{said:?}");
    assert!(said[2].contains("did you mean `filter`?"), "{said:?}");
    assert_eq!(validated.config.schema.len(), 8, "a comment is no variable");
    assert!(validated.config.schema[3].attributes.contains_key("_Anything"), "an attribute is no comment");
}

#[test]
fn what_has_no_meaning_here_is_listed_once() {
    let mut config = config();
    set(&mut config, "/run_settings/cluster", json!({"mode": "coiled", "restart_every_path": true}));
    set(&mut config, "/run_settings/batch_size", json!(1));
    set(&mut config, "/run_settings/clear_existing_data", json!(false));
    set(&mut config, "/run_settings/prefect", json!({}));
    set(&mut config, "/logger_name", json!("buoys"));
    set(&mut config, "/schema_transformation/skip_cftime_decode", json!(["TIME"]));
    let validated = valid(&config);
    assert_eq!(
        validated.ignored,
        ["logger_name", "run_settings.cluster", "run_settings.batch_size", "schema_transformation.skip_cftime_decode"]
    );
    assert_eq!(validated.unknown_keys, [""; 0]);
}

#[test]
fn rules_that_real_configs_break_only_warn() {
    let mut config = config();
    remove(&mut config, "/run_settings/paths");
    remove(&mut config, "/metadata_uuid");
    remove(&mut config, "/schema_transformation/add_variables/buoy/schema/units");
    set(&mut config, "/schema_transformation/drop_variables", Value::Null);
    set(&mut config, "/schema_transformation/functions", Value::Null);
    let validated = valid(&config);
    let warned: Vec<&str> = validated.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warned, ["schema_transformation.add_variables.buoy.schema.units", "metadata_uuid", "run_settings.paths"]);
    assert_eq!(validated.config.drop_variables, [""; 0]);
    assert_eq!(validated.config.paths, []);
}

#[test]
fn a_dataset_without_time_is_possible_on_request() {
    let mut config = config();
    set(&mut config, "/schema_transformation/partitioning", json!([{"source_variable": "buoy"}]));
    assert!(validate(&config).is_err());
    set(&mut config, "/schema_transformation/skip_partitioning_validation", json!(true));
    assert_eq!(valid(&config).config.partitioning, [Partition::Column { name: "buoy".to_owned() }]);
}

#[test]
fn an_added_variable_takes_the_place_of_a_schema_variable_and_dropped_ones_go() {
    let mut config = config();
    set(
        &mut config,
        "/schema_transformation/add_variables/LONGITUDE",
        json!({"source": "@variable_attribute:TEMP.lon", "schema": {"type": "double", "units": "1"}}),
    );
    set(&mut config, "/schema_transformation/drop_variables", json!(["TEMP"]));
    let names: Vec<String> = valid(&config).config.schema.iter().map(|column| column.name.clone()).collect();
    assert_eq!(names, ["TIME", "LATITUDE", "LONGITUDE", "filename", "buoy", "timestamp", "polygon"]);
}

#[test]
fn paths_become_bucket_prefix_and_years() {
    let table: Vec<(Value, Vec<SourcePath>)> = vec![
        (json!("s3://b/x"), vec![path("b", "x")]),
        (json!("s3://b/x/"), vec![path("b", "x/")]),
        (json!("s3://b"), vec![path("b", "")]),
        (json!("x/y"), vec![path("imos-data", "x/y")]),
    ];
    for (uri, expected) in table {
        let mut config = config();
        set(&mut config, "/run_settings/paths/0/s3_uri", uri.clone());
        assert_eq!(valid(&config).config.paths, expected, "{uri}");
    }
    let years: Vec<(Value, Vec<&str>)> = vec![
        (json!([]), vec!["x/"]),
        (json!(null), vec!["x/"]),
        (json!([2009]), vec!["x/2009"]),
        (json!([2009, 2011]), vec!["x/2009", "x/2010", "x/2011"]),
        (json!([2009, 2011, 2020]), vec!["x/2009", "x/2011", "x/2020"]),
    ];
    for (range, expected) in years {
        let mut config = config();
        set(&mut config, "/run_settings/paths/0/s3_uri", json!("s3://b/x/"));
        set(&mut config, "/run_settings/paths/0/year_range", range.clone());
        let expected: Vec<SourcePath> = expected.into_iter().map(|prefix| path("b", prefix)).collect();
        assert_eq!(valid(&config).config.paths, expected, "{range}");
    }
}

#[test]
fn buckets_and_store_options_follow_the_order_of_precedence() {
    let mut config = config();
    set(&mut config, "/run_settings/paths/0/s3_uri", json!("x/"));
    set(&mut config, "/run_settings/bucket_raw_default_name", json!("raw"));
    set(
        &mut config,
        "/run_settings/s3_fs_common_opts",
        json!({"anon": true, "client_kwargs": {"endpoint_url": "http://common", "region_name": "r"}}),
    );
    assert_eq!(valid(&config).config.paths, [path("raw", "x/")]);
    set(
        &mut config,
        "/run_settings/s3_bucket_opts",
        json!({"input_data": {"bucket": "own", "s3_fs_opts": {"endpoint_url": "http://own"}}}),
    );
    let validated = valid(&config);
    assert_eq!(validated.config.source_bucket, "own");
    assert_eq!(validated.config.paths, [path("own", "x/")]);
    assert_eq!(validated.source_options.endpoint.as_deref(), Some("http://own"));
    assert_eq!(validated.source_options.region.as_deref(), Some("r"));
    assert_eq!(validated.source_options.anonymous, Some(true));
}

#[test]
fn a_filter_may_look_ahead_and_be_plain_text() {
    let mut config = config();
    set(&mut config, "/run_settings/paths/0/filter", json!(r"^s3://.*/(?!.*test).*\.nc$"));
    assert_eq!(valid(&config).config.paths[0].filter.as_deref(), Some(r"^s3://.*/(?!.*test).*\.nc$"));
    set(&mut config, "/run_settings/paths/0/filter", json!([]));
    assert_eq!(valid(&config).config.paths[0].filter, None);
}

#[test]
fn a_path_without_type_must_not_speak_of_parquet() {
    let mut config = config();
    remove(&mut config, "/run_settings/paths/0/type");
    valid(&config);
    set(&mut config, "/run_settings/paths/0/s3_uri", json!("s3://b/x.parquet/"));
    assert!(findings(&config)[0].1.contains("write `files`, `parquet` or `zarr`"));
}

#[test]
fn the_generic_handlers_may_be_named() {
    for name in [Value::Null, json!("GenericParquetHandler"), json!("GenericParquetHandler.GenericHandler")] {
        let mut config = config();
        set(&mut config, "/handler_class", name);
        assert!(valid(&config).supported().is_ok());
    }
}

#[test]
fn handlers_become_modes() {
    let mode = |name: &str, options: Value| {
        let mut config = config();
        set(&mut config, "/handler_class", json!(name));
        set(&mut config, "/netcdf_read_config", options);
        valid(&config)
    };
    for (name, expected) in [
        ("ArgoHandler", Mode::Argo),
        ("ArgoHandler.ArgoHandler", Mode::Argo),
        ("AnmnHourlyTsHandler", Mode::AnmnHourly),
        ("BODBAWHandler", Mode::Bodbaw { spectral_flatten: false }),
        ("AatamsSatelliteTaggingHandler", Mode::Aatams),
        ("GenericParquetHandler", Mode::Generic),
    ] {
        let validated = mode(name, Value::Null).supported().unwrap();
        assert_eq!((validated.config.mode, validated.warnings), (expected, vec![]), "{name}");
    }
    let flat = json!({"spectral_flatten": true, "engine": "x"});
    let validated = mode("BODBAWHandler", flat.clone());
    assert_eq!(validated.config.mode, Mode::Bodbaw { spectral_flatten: true });
    assert_eq!((validated.warnings, validated.ignored), (vec![], vec!["netcdf_read_config.engine".to_owned()]));
    let validated = mode("ArgoHandler", flat);
    assert_eq!(validated.config.mode, Mode::Argo);
    assert!(validated.warnings[0].to_string().contains("netcdf_read_config.spectral_flatten: has no effect"));
}

#[test]
fn parquet_paths_are_an_object_or_a_hive_folder() {
    let path = |entry: Value| {
        let mut config = config();
        set(&mut config, "/run_settings/paths/0", entry);
        valid(&config).supported().unwrap().config.paths
    };
    let expected = |prefix: &str, kind| vec![SourcePath { bucket: "b".to_owned(), prefix: prefix.to_owned(), filter: None, kind }];
    let uri = "s3://b/x/data.parquet/";
    assert_eq!(path(json!({"type": "parquet", "s3_uri": uri})), expected("x/data.parquet", PathKind::Parquet));
    assert_eq!(path(json!({"type": "parquet", "s3_uri": uri, "partitioning": "hive"})), expected("x/data.parquet/", PathKind::Hive));
    assert_eq!(path(json!({"type": "parquet", "s3_uri": "s3://b", "partitioning": "hive"})), expected("", PathKind::Hive));
    let mut config = config();
    set(&mut config, "/run_settings/paths/0", json!({"type": "parquet", "s3_uri": "s3://b/"}));
    assert!(findings(&config)[0].1.contains("names no object"));
}
