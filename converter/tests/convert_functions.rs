//! Computed columns and names of objects, on files made of values.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use std::sync::Arc;

use convert_support::fake::{Fake, text};
use convert_support::{config, conversion, rows};
use converter::read::Values;
use converter::source::FileName;
use converter::table::{Allowance, ConvertedObject, FileError, OpenFile};
use crds::config::DatasetConfig;
use crds::wire::{Compat, Naming, Reason};
use serde_json::{Value, json};

/// A config without time and tile, partitioned by the first computed column.
fn computed(functions: &[(&str, &str, Value)]) -> Arc<DatasetConfig> {
    let mut config = json!({
        "dataset_name": "demo",
        "cloud_optimised_format": "parquet",
        "metadata_uuid": null,
        "run_settings": {"paths": [{"s3_uri": "s3://archive/demo/"}]},
        "schema": {"TEMP": {"type": "float"}},
        "schema_transformation": {
            "skip_partitioning_validation": true,
            "add_variables": {},
            "functions": {},
            "partitioning": [{"source_variable": functions[0].0}]
        }
    });
    for (name, type_name, function) in functions {
        let transform = &mut config["schema_transformation"];
        transform["add_variables"][name] = json!({"source": format!("@function:{name}_f"), "schema": {"type": type_name, "units": "1"}});
        transform["functions"][format!("{name}_f")] = function.clone();
    }
    self::config(&config.to_string())
}

fn cel(text: &str) -> Value {
    json!({"extract_method": "cel", "method": {"expression": text}})
}

fn convert(config: &Arc<DatasetConfig>, name: &FileName) -> Result<Vec<ConvertedObject>, FileError> {
    let file = Fake::default()
        .global("site", text("SYD"))
        .variable("TEMP", &["TIME=3"], Values::F32(vec![0.0, f32::NAN, 10.0]))
        .variable("DEPTH", &[], Values::I16(vec![5]))
        .variable("DAY", &["TIME=3"], Values::Text(["2020-01-01", "2020-01-02", ""].map(String::from).to_vec()))
        .variable("HOUR", &["TIME=3"], Values::Text(["06:00:00", "6 am", "x"].map(String::from).to_vec()));
    let mut objects = Vec::new();
    let open = OpenFile::new(Box::new(file), 1 << 20);
    conversion(config, Compat::Fixed).convert(name, &open, Allowance::UNBOUNDED, &mut |object| {
        objects.push(object);
        Ok(())
    })?;
    Ok(objects)
}

#[test]
fn each_form_fills_its_column() {
    let config = computed(&[
        ("campaign", "string", json!({"extract_method": "path_segment", "method": {"index": -3}})),
        ("level", "int32", json!({"extract_method": "constant", "method": {"value": 1}})),
        ("when", "timestamp[ns]", json!({"extract_method": "datetime", "method": {"date": "DAY", "time": "HOUR"}})),
        ("where", "string", cel("global.site + '@' + string(DEPTH)")),
        ("TEMP", "double", cel("TEMP == null ? null : TEMP + 273.0")),
        ("twice", "double", cel("TEMP == null ? double(level) : TEMP * 2.0")),
    ]);
    let objects = convert(&config, &FileName::from("s3://archive/demo/trip 7/dive 1/x.nc")).unwrap();
    let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["campaign=trip%207/x.nc-0.parquet"]);
    assert_eq!(
        rows(&objects[0]),
        [
            "TEMP=273.0 level=1 when=2020-01-01T06:00:00 where=SYD@5 twice=546.0",
            "TEMP=- level=1 when=2020-01-02T00:00:00 where=SYD@5 twice=1.0",
            "TEMP=283.0 level=1 when=- where=SYD@5 twice=566.0",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_computed_fails_and_says_where() {
    let segment = |index| json!({"extract_method": "path_segment", "method": {"index": index}});
    for (function, words) in [
        (segment(-9), "the path \"archive/x.nc\" has 2 parts, and none at -9"),
        (cel("TEMP * 2.0"), "row 2: "),
        (json!({"extract_method": "datetime", "method": {"date": "absent"}}), "there is no column \"absent\""),
    ] {
        let error = convert(&computed(&[("x", "string", function)]), &FileName::from("s3://archive/x.nc")).unwrap_err();
        assert_eq!(error.reason(), Reason::CastFailed);
        assert!(error.to_string().contains("added variable \"x\" cannot be made: ") && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn objects_named_after_the_full_key_never_meet() {
    let config = computed(&[("x", "string", json!({"extract_method": "constant", "method": {"value": "a"}}))]);
    let key = |file: &str, naming| convert(&config, &FileName::new(file, naming)).unwrap().remove(0).key;
    let (one, other) = ("s3://archive/one/x.nc", "s3://archive/other/x.nc");
    assert_eq!(key(one, Naming::Basename), key(other, Naming::Basename));
    let (one, other) = (key(one, Naming::FullKey), key(other, Naming::FullKey));
    assert!(one.starts_with("x=a/x.nc~") && one.ends_with("-0.parquet") && one != other, "{one} {other}");
}
