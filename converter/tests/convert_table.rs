//! Rows, added variables, partitions and casts on files made of values.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use std::sync::Arc;

use convert_support::fake::{Fake, text};
use convert_support::{column, config, convert_fake, rows};
use converter::read::Values;
use crds::config::DatasetConfig;
use crds::wire::{Compat, Reason};
use serde_json::{Value, json};

const BOTH: [Compat; 2] = [Compat::Fixed, Compat::Incumbent];
const DAYS: &str = "days since 1970-01-01";

/// A config with TIME, LATITUDE and LONGITUDE, partitioned by month and tile; `edit` changes it.
fn demo(edit: impl FnOnce(&mut Value)) -> Arc<DatasetConfig> {
    let mut value = json!({
        "dataset_name": "demo",
        "cloud_optimised_format": "parquet",
        "metadata_uuid": null,
        "run_settings": {"paths": [{"s3_uri": "s3://archive/demo/"}]},
        "schema": {
            "TIME": {"type": "timestamp[ns]"},
            "LATITUDE": {"type": "double"},
            "LONGITUDE": {"type": "double"},
            "TEMP": {"type": "float"}
        },
        "schema_transformation": {
            "drop_variables": [],
            "add_variables": {
                "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}},
                "polygon": {"source": "@partitioning:spatial_extent", "schema": {"type": "string", "units": "1"}}
            },
            "partitioning": [
                {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "TIME", "partition_period": "M"}},
                {"source_variable": "polygon", "type": "spatial_extent", "spatial_extent": {"lat_varname": "LATITUDE", "lon_varname": "LONGITUDE", "spatial_resolution": 5}}
            ],
            "global_attributes": {}
        }
    });
    edit(&mut value);
    config(&value.to_string())
}

fn add(config: &mut Value, name: &str, source: &str, schema: &Value) {
    config["schema_transformation"]["add_variables"][name] = json!({"source": source, "schema": schema});
}

fn period(config: &mut Value, period: &str) {
    config["schema_transformation"]["partitioning"][0]["time_extent"]["partition_period"] = json!(period);
}

/// Days of TIME, one position, TEMP 0, 1, 2 …
fn series(days: &[f64]) -> Fake {
    let n = format!("TIME={}", days.len());
    Fake::default()
        .variable("TIME", &[&n], Values::F64(days.to_vec()))
        .units(DAYS)
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &[], Values::F64(vec![151.4]))
        .variable("TEMP", &[&n], Values::F32((0..days.len()).map(|i| i as f32).collect()))
}

fn folders(objects: &[converter::table::ConvertedObject], level: usize) -> Vec<String> {
    objects.iter().map(|o| o.key.split('/').nth(level).unwrap().to_owned()).collect()
}

fn refused(config: &Arc<DatasetConfig>, compat: Compat, file: &Fake) -> (Reason, String) {
    let error = convert_fake(config, compat, file).unwrap_err();
    (error.reason(), error.to_string())
}

#[test]
fn rows_are_the_product_of_the_dimensions_first_slowest() {
    let file = Fake::default()
        .variable("TIME", &["TIME=2"], Values::F64(vec![0.0, 1.0]))
        .units(DAYS)
        .variable("DEPTH", &["DEPTH=3"], Values::F32(vec![0.0, 5.0, 10.0]))
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &["TIME=2"], Values::F64(vec![151.4, 151.5]))
        .variable("TEMP", &["DEPTH=3", "TIME=2"], Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let config = demo(|c| c["schema"]["DEPTH"] = json!({"type": "float"}));
    for compat in BOTH {
        let (report, objects) = convert_fake(&config, compat, &file).unwrap();
        assert_eq!(report.rows, 6);
        assert_eq!(column(&objects, "TEMP"), ["1.0", "3.0", "5.0", "2.0", "4.0", "6.0"]);
        assert_eq!(column(&objects, "DEPTH"), ["0.0", "5.0", "10.0", "0.0", "5.0", "10.0"]);
        assert_eq!(column(&objects, "LONGITUDE"), ["151.4", "151.4", "151.4", "151.5", "151.5", "151.5"]);
    }
}

#[test]
fn unrelated_dimensions_multiply_rows_only_for_the_incumbent() {
    let file = series(&[0.0, 1.0]).variable("history", &["lines=3", "length=2"], Values::Char(b"a\0b\0\0\0".to_vec())).variable(
        "TIME_bounds",
        &["TIME=2", "two=2"],
        Values::F64(vec![0.0; 4]),
    );
    let known = demo(|c| {
        c["schema"]["history"] = json!({"type": "string"});
    });
    let (report, objects) = convert_fake(&known, Compat::Incumbent, &file).unwrap();
    assert_eq!(report.rows, 12, "2 times, 3 lines, 2 bounds");
    assert_eq!(column(&objects, "history")[..4], ["a", "a", "b", "b"]);
    let (report, objects) = convert_fake(&known, Compat::Fixed, &file).unwrap();
    assert_eq!(report.rows, 2);
    assert_eq!(column(&objects, "history"), ["-", "-"]);
    assert!(report.notes.iter().any(|n| n.starts_with("UnrelatedDimension: variable \"history\" on (lines)")), "{:?}", report.notes);
    // A dropped variable does not count in either.
    let dropped = demo(|c| c["schema_transformation"]["drop_variables"] = json!(["history", "TIME_bounds"]));
    assert_eq!(convert_fake(&dropped, Compat::Incumbent, &file).unwrap().0.rows, 2);
}

#[test]
fn bounds_the_schema_has_do_not_multiply_the_default_rows() {
    let file = Fake::default()
        .variable("TIME", &["TIME=2"], Values::F64(vec![0.0, 1.0]))
        .units(DAYS)
        .with("bounds", text("TIME_bounds"))
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &[], Values::F64(vec![151.4]))
        .variable("TIME_bounds", &["TIME=2", "two=2"], Values::F64(vec![0.0; 4]));
    let config = demo(|c| c["schema"]["TIME_bounds"] = json!({"type": "double"}));
    assert_eq!(convert_fake(&config, Compat::Fixed, &file).unwrap().0.rows, 2);
    assert_eq!(convert_fake(&config, Compat::Incumbent, &file).unwrap().0.rows, 4);
}

#[test]
fn files_without_rows_are_refused() {
    for compat in BOTH {
        let (reason, message) = refused(&demo(|_| ()), compat, &series(&[]));
        assert_eq!((reason, message.as_str()), (Reason::NoRows, "dimension \"TIME\" has length 0, so there are no rows"));
        let scalars = Fake::default().variable("TIME", &[], Values::F64(vec![0.0])).units(DAYS);
        assert_eq!(refused(&demo(|_| ()), compat, &scalars).0, Reason::NoRows);
        let no_variable = Fake::default().variable("TEMP", &["TIME=2"], Values::F32(vec![1.0, 2.0]));
        let (reason, message) = refused(&demo(|_| ()), compat, &no_variable);
        assert_eq!(reason, Reason::MissingDimensionVariable);
        assert!(message.contains("\"TIME\""));
    }
}

#[test]
fn every_period_starts_where_its_calendar_says() {
    // 2019-05-17T13:47:29.123456789Z and a moment in 1969
    let days = [18_033.574_642_632_6, -40.25];
    for (name, first, second) in [
        ("M", "1556668800", "-5270400"),
        ("Q", "1554076800", "-7948800"),
        ("Y", "1546300800", "-31536000"),
        ("h", "1558098000", "-3477600"),
        ("min", "1558100820", "-3477600"),
        ("s", "1558100849", "-3477600"),
    ] {
        let config = demo(|c| period(c, name));
        let (_, objects) = convert_fake(&config, Compat::Fixed, &series(&days)).unwrap();
        assert_eq!(folders(&objects, 0), [format!("timestamp={first}"), format!("timestamp={second}")], "{name}");
    }
    // Fractions of a second cannot be int64: the folder shows them.
    let (_, objects) = convert_fake(&demo(|c| period(c, "ms")), Compat::Fixed, &series(&[0.0, 1.5 / 86_400.0])).unwrap();
    assert_eq!(folders(&objects, 0), ["timestamp=0", "timestamp=1.5"]);
}

#[test]
fn rows_with_a_bad_time_are_left_out_and_counted() {
    let days = [f64::NAN, -25_567.0 - 0.5, -25_567.0, 18_000.0];
    for compat in BOTH {
        let (report, objects) = convert_fake(&demo(|_| ()), compat, &series(&days)).unwrap();
        assert_eq!(report.rows, 2, "1900 stays, 1899 and null go");
        assert_eq!(report.rows_left_out[&Reason::BadRowTime], 2);
        assert_eq!(folders(&objects, 0), ["timestamp=-2208988800", "timestamp=1554076800"]);
        let (reason, message) = refused(&demo(|_| ()), compat, &series(&days[..2]));
        assert_eq!((reason, message.as_str()), (Reason::NoRows, "none of 2 rows has a valid time in \"TIME\""));
    }
}

#[test]
fn far_future_rows_cost_the_incumbent_the_file() {
    // The test clock says 2026: 2027 is allowed, 2028 is not.
    let days = [20_819.0, 21_184.0, 21_184.9];
    assert_eq!(convert_fake(&demo(|_| ()), Compat::Incumbent, &series(&days[..1])).unwrap().0.rows, 1);
    let (reason, message) = refused(&demo(|_| ()), Compat::Incumbent, &series(&days));
    assert_eq!(reason, Reason::FutureTime);
    assert!(message.starts_with("time issues with the input file") && message.contains("2028"), "{message}");
    let (report, _) = convert_fake(&demo(|_| ()), Compat::Fixed, &series(&days)).unwrap();
    assert_eq!((report.rows, report.rows_left_out[&Reason::BadRowTime]), (1, 2));
    // With two dimensions the incumbent does not look.
    let two = series(&days).variable("other", &["n=2"], Values::I8(vec![0, 1]));
    assert_eq!(convert_fake(&demo(|_| ()), Compat::Incumbent, &two).unwrap().0.rows, 6);
    assert_eq!(convert_fake(&demo(|_| ()), Compat::Fixed, &two).unwrap().0.rows, 1);
}

#[test]
fn a_time_beyond_timestamps_costs_the_incumbent_the_file() {
    let days = [18_000.0, 1.5e6];
    let (reason, message) = refused(&demo(|_| ()), Compat::Incumbent, &series(&days));
    assert_eq!(reason, Reason::BadTime);
    assert!(message.contains("1500000 days since 1970-01-01"), "{message}");
    let (report, _) = convert_fake(&demo(|_| ()), Compat::Fixed, &series(&days)).unwrap();
    assert_eq!((report.rows, report.rows_left_out[&Reason::BadRowTime]), (1, 1));
}

#[test]
fn a_time_without_units_is_no_time_by_default() {
    let file = Fake::default()
        .variable("TIME", &["TIME=2"], Values::F64(vec![25_000.0, 25_001.0]))
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &[], Values::F64(vec![151.4]));
    let (reason, message) = refused(&demo(|_| ()), Compat::Fixed, &file);
    assert_eq!(reason, Reason::BadTime);
    assert!(message.contains("\"TIME\" has no units"), "{message}");
    // The incumbent takes the numbers for nanoseconds and keeps the column as it is.
    let (report, objects) = convert_fake(&demo(|_| ()), Compat::Incumbent, &file).unwrap();
    assert_eq!(folders(&objects, 0), ["timestamp=0"]);
    assert_eq!(column(&objects, "TIME"), ["25000.0", "25001.0"]);
    assert!(report.notes.iter().any(|n| n.starts_with("CastFailed: column \"TIME\" stays Float64")));
    let months = file.clone().variable("X", &[], Values::I8(vec![0]));
    let config = demo(|c| c["schema"]["X"] = json!({"type": "timestamp[ns]"}));
    let months = months.with("units", text("months since 1970-01-01"));
    assert_eq!(refused(&config, Compat::Incumbent, &months).0, Reason::UnreadableFile);
}

#[test]
fn a_dimension_that_only_contains_the_name_is_taken_by_the_incumbent_alone() {
    let file = Fake::default()
        .variable("TIME", &["TIMESERIES=2"], Values::F64(vec![18_000.0, 18_001.0]))
        .units(DAYS)
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &[], Values::F64(vec![151.4]));
    let (_, objects) = convert_fake(&demo(|_| ()), Compat::Incumbent, &file).unwrap();
    assert_eq!(folders(&objects, 0), ["timestamp=0"]);
    let (_, objects) = convert_fake(&demo(|_| ()), Compat::Fixed, &file).unwrap();
    assert_eq!(folders(&objects, 0), ["timestamp=1554076800"]);
}

#[test]
fn a_sole_time_index_of_another_name_serves_when_there_is_no_time() {
    let file = Fake::default()
        .variable("JULD", &["JULD=2"], Values::I32(vec![18_000, 18_001]))
        .units(DAYS)
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &[], Values::F64(vec![151.4]));
    for compat in BOTH {
        let (_, objects) = convert_fake(&demo(|_| ()), compat, &file).unwrap();
        assert_eq!(folders(&objects, 0), ["timestamp=1554076800"]);
    }
}

#[test]
fn rows_with_a_bad_position_are_left_out_and_counted() {
    let file = Fake::default()
        .variable("TIME", &["TIME=6"], Values::F64(vec![0.0; 6]))
        .units(DAYS)
        .variable("LATITUDE", &["TIME=6"], Values::F64(vec![0.1, 90.0, 90.1, f64::NAN, 0.0, 0.0]))
        .variable("LONGITUDE", &["TIME=6"], Values::F64(vec![-0.1, 180.0, 0.0, 0.0, 190.0, 361.0]));
    let (report, objects) = convert_fake(&demo(|_| ()), Compat::Incumbent, &file).unwrap();
    assert_eq!((report.rows, report.rows_left_out[&Reason::BadRowPosition]), (2, 4));
    assert_eq!(objects.len(), 2);
    let (report, objects) = convert_fake(&demo(|_| ()), Compat::Fixed, &file).unwrap();
    assert_eq!((report.rows, report.rows_left_out[&Reason::BadRowPosition]), (3, 3));
    assert_eq!(column(&objects, "LONGITUDE"), ["-0.1", "180.0", "-170.0"]);
    assert!(report.notes.iter().any(|n| n.contains("1 longitudes beyond 180 were wrapped")), "{:?}", report.notes);

    let all_bad = series(&[0.0]).variable("x", &[], Values::I8(vec![0]));
    let config = demo(|c| c["schema"]["LATITUDE"]["valid_max"] = json!(-40.0));
    let (reason, message) = refused(&config, Compat::Fixed, &all_bad);
    assert_eq!(reason, Reason::NoRows);
    assert!(message.starts_with("The dataframe is now empty after removing invalid spatial data"), "{message}");
    let nowhere = Fake::default().variable("TIME", &["TIME=1"], Values::F64(vec![0.0])).units(DAYS);
    assert_eq!(refused(&demo(|_| ()), Compat::Fixed, &nowhere).0, Reason::MissingVariable);
}

#[test]
fn plain_columns_make_folders_after_the_cast() {
    let config = |kind: &str| {
        let kind = kind.to_owned();
        demo(move |c| {
            c["schema"]["site"] = json!({"type": kind});
            c["schema_transformation"]["partitioning"].as_array_mut().unwrap().insert(0, json!({"source_variable": "site"}));
        })
    };
    let with = |values: Values| series(&[0.0, 0.0, 0.0]).variable("site", &["TIME=3"], values);
    for (kind, values, expected) in [
        ("string", Values::Text(vec!["Cape Sorell".into(), "a/b".into(), String::new()]), ["Cape%20Sorell", "a%2Fb", ""]),
        ("float", Values::F64(vec![1.0, 1e10, f64::NAN]), ["1", "1e%2B10", "__HIVE_DEFAULT_PARTITION__"]),
        ("int64", Values::I16(vec![-5, 0, 7]), ["-5", "0", "7"]),
        ("string", Values::F32(vec![0.1, 2.5, 3.0]), ["0.1", "2.5", "3"]),
    ] {
        let (report, objects) = convert_fake(&config(kind), Compat::Fixed, &with(values)).unwrap();
        assert_eq!(report.rows, 3);
        let folders = folders(&objects, 0);
        assert_eq!(folders, expected.map(|e| format!("site={e}")));
        assert!(rows(&objects[0])[0].starts_with("TIME="), "partition columns are not in the file");
    }
    for compat in BOTH {
        let (reason, message) = refused(&config("float"), compat, &with(Values::F64(vec![f64::NAN; 3])));
        assert_eq!((reason, message.as_str()), (Reason::EmptyPartitionColumn, "partition column \"site\" has no value in any row"));
        assert_eq!(refused(&config("float"), compat, &series(&[0.0])).0, Reason::EmptyPartitionColumn);
    }
}

#[test]
fn a_failed_cast_costs_the_file_by_default() {
    let config = demo(|c| c["schema"]["TEMP"] = json!({"type": "int32"}));
    let file = series(&[0.0, 40_000.0, 1.0]);
    let mut half = file.clone();
    half = half.variable("DEPTH", &["TIME=3"], Values::F32(vec![1.0, 2.5, 3.0]));
    let config_half = demo(|c| c["schema"]["DEPTH"] = json!({"type": "int32"}));
    assert_eq!(convert_fake(&config, Compat::Fixed, &file).unwrap().0.rows, 2);
    // 2.5 stands in a row that is left out (year 2079): it does not count.
    let (_, objects) = convert_fake(&config_half, Compat::Fixed, &half).unwrap();
    assert_eq!(column(&objects, "DEPTH"), ["1", "3"]);

    let file = series(&[0.0, 1.0]).variable("DEPTH", &["TIME=2"], Values::F32(vec![1.0, 2.5]));
    let (reason, message) = refused(&config_half, Compat::Fixed, &file);
    assert_eq!((reason, message.as_str()), (Reason::CastFailed, "column \"DEPTH\" cannot become Int32: value 2.5 (number 1)"));
    let (report, objects) = convert_fake(&config_half, Compat::Incumbent, &file).unwrap();
    assert_eq!(column(&objects, "DEPTH"), ["1.0", "2.5"], "the natural type stays");
    assert!(report.notes.iter().any(|n| n == "CastFailed: column \"DEPTH\" stays Float32: value 2.5 (number 1)"), "{:?}", report.notes);
}

#[test]
fn seconds_stay_numbers_where_the_schema_wants_numbers() {
    let config = demo(|c| c["schema"]["PERIOD"] = json!({"type": "float"}));
    let file = series(&[0.0, 1.0]).variable("PERIOD", &["TIME=2"], Values::F32(vec![7.5, 8.0])).units("seconds");
    let (_, objects) = convert_fake(&config, Compat::Fixed, &file).unwrap();
    assert_eq!(column(&objects, "PERIOD"), ["7.5", "8.0"]);
    let (report, _) = convert_fake(&config, Compat::Incumbent, &file).unwrap();
    assert!(report.notes.iter().any(|n| n.starts_with("CastFailed: column \"PERIOD\" stays Duration(ns)")), "{:?}", report.notes);
    let config = demo(|c| c["schema"]["PERIOD"] = json!({"type": "timedelta64[ns]"}));
    let (_, objects) = convert_fake(&config, Compat::Fixed, &file).unwrap();
    assert_eq!(column(&objects, "PERIOD"), ["PT7.5S", "PT8S"]);
}

#[test]
fn absent_columns_are_null_and_stand_last_only_for_the_incumbent() {
    let config = demo(|c| {
        c["schema"] = json!({"ABSENT": {"type": "string"}, "TIME": {"type": "timestamp[ns]"}, "LATITUDE": {"type": "double"}, "LONGITUDE": {"type": "double"}, "TEMP": {"type": "float"}});
    });
    let names = |compat| {
        let (report, objects) = convert_fake(&config, compat, &series(&[0.0])).unwrap();
        assert!(report.notes.contains(&"columns without a source, null: ABSENT".to_owned()));
        let schema = convert_support::batches(&objects[0])[0].schema();
        schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(Compat::Fixed), ["ABSENT", "TIME", "LATITUDE", "LONGITUDE", "TEMP"]);
    assert_eq!(names(Compat::Incumbent), ["TIME", "LATITUDE", "LONGITUDE", "TEMP", "ABSENT"]);
}

#[test]
fn added_variables_follow_the_incumbents_cast() {
    let file = series(&[0.0])
        .with("units", text("Celsius"))
        .with("height", Values::F64(vec![16.9]))
        .global("site_code", text("SYD140"))
        .global("depth", text("16m"))
        .global("blank", text("  "))
        .global("offset", Values::F64(vec![12.0]))
        .global("pair", Values::F64(vec![1.5, 2.0]))
        .global("word", text("False"))
        .global("unknown", text("nan"));
    for (source, schema, expected) in [
        ("@filename", json!({"type": "string"}), "x.nc"),
        ("@global_attribute:site_code", json!({"type": "string"}), "SYD140"),
        ("@global_attribute:offset", json!({"type": "string"}), "12.0"),
        ("@global_attribute:pair", json!({"type": "string"}), "[1.5 2. ]"),
        ("@global_attribute:depth", json!({"type": "int32"}), "16"),
        ("@global_attribute:depth", json!({"type": "float"}), "16.0"),
        ("@global_attribute:site_code", json!({"type": "int32"}), "-9999"),
        ("@global_attribute:site_code", json!({"type": "int32", "_FillValue": 7}), "7"),
        ("@global_attribute:blank", json!({"type": "string"}), ""),
        ("@global_attribute:blank", json!({"type": "string", "_FillValue": "none"}), "none"),
        ("@global_attribute:blank", json!({"type": "float64"}), "-9999.0"),
        ("@global_attribute:word", json!({"type": "bool"}), "true"),
        ("@global_attribute:unknown", json!({"type": "float32"}), "-"),
        ("@global_attribute:unknown", json!({"type": "double"}), "NaN"), // a text until the schema's cast
        ("@global_attribute:absent", json!({"type": "string", "_FillValue": ""}), "-"),
        ("@global_attribute:offset", json!({"type": "double"}), "12.0"),
        ("@variable_attribute:TEMP.units", json!({"type": "string"}), "Celsius"),
        ("@variable_attribute:TEMP.height", json!({"type": "int64"}), "16"),
        ("@variable_attribute:TEMP.absent", json!({"type": "string", "_FillValue": ""}), ""),
        ("@variable_attribute:ABSENT.units", json!({"type": "int32"}), "-9999"),
        ("@variable_attribute:ABSENT.units", json!({"type": "bool"}), "false"),
    ] {
        let mut schema = schema;
        schema["units"] = json!("1");
        let config = demo(|c| add(c, "added", source, &schema));
        for compat in BOTH {
            let (_, objects) = convert_fake(&config, compat, &file).unwrap();
            assert_eq!(column(&objects, "added"), [expected], "{source} as {schema}");
        }
    }
    let config = demo(|c| add(c, "added", "@variable_attribute:ABSENT.x", &json!({"type": "int32", "units": "1", "_FillValue": "no"})));
    let (reason, message) = refused(&config, Compat::Incumbent, &file);
    assert_eq!(reason, Reason::CastFailed);
    assert!(message.contains("\"added\"") && message.contains("\"no\""), "{message}");
}

/// A table needs no order: rows stay, and the note says that the time goes back.
#[test]
fn time_that_goes_back_is_said_once() {
    for compat in BOTH {
        let (report, objects) = convert_fake(&demo(|_| {}), compat, &series(&[18_000.0, 18_002.0, 18_001.0, 18_003.0, 18_000.0])).unwrap();
        assert_eq!(report.rows, 5);
        assert_eq!(column(&objects, "TEMP"), ["0.0", "1.0", "2.0", "3.0", "4.0"]);
        assert!(
            report.notes.iter().any(|n| n.starts_with("NonMonotonicTime") && n.contains("\"TIME\" goes back 2 times")),
            "{:?}",
            report.notes
        );
    }
}

/// One profile: time and position are scalars, the levels are rows, lines of history are not.
#[test]
fn a_profile_has_the_rows_of_its_vertical_coordinate() {
    let file = Fake::default()
        .variable("TIME", &[], Values::F64(vec![18_000.0]))
        .units(DAYS)
        .variable("LATITUDE", &[], Values::F64(vec![-33.9]))
        .variable("LONGITUDE", &[], Values::F64(vec![151.4]))
        .variable("history", &["N_HISTORY=4"], Values::Text(vec!["x".into(); 4]))
        .variable("DEPTH", &["DEPTH=3"], Values::F32(vec![0.0, 5.0, 10.0]))
        .variable("TEMP", &["DEPTH=3"], Values::F32(vec![1.0, 2.0, 3.0]));
    let config = demo(|config| {
        config["schema"]["DEPTH"] = json!({"type": "float"});
        config["schema"]["history"] = json!({"type": "string"});
    });
    let (report, objects) = convert_fake(&config, Compat::Fixed, &file).unwrap();
    assert_eq!((report.rows, column(&objects, "TEMP")), (3, vec!["1.0".into(), "2.0".into(), "3.0".into()]));
    assert_eq!(column(&objects, "history"), ["-", "-", "-"]);
    assert_eq!(convert_fake(&config, Compat::Incumbent, &file).unwrap().0.rows, 12);
}
