//! The bytes: row groups, statistics, schema, and the sidecar.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use std::collections::HashMap;

use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use convert_support::fake::Fake;
use convert_support::{body, config, convert_fake};
use converter::read::Values;
use converter::write::sidecar;
use crds::wire::Compat;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

const CONFIG: &str = r#"{
  "dataset_name": "demo",
  "cloud_optimised_format": "parquet",
  "metadata_uuid": "b299cdcd-3dee-48aa-abdd-e0fcdbb9cadc",
  "run_settings": {"paths": [{"s3_uri": "s3://archive/demo/"}]},
  "schema": {
    "TIME": {"type": "timestamp[ns]", "valid_max": 90000.0, "valid_min": 0, "comment": "it's \"so\""},
    "LAST": {"type": "timestamp[ms]"},
    "RAIN": {"type": "timedelta64[ns]"},
    "FLAG": {"type": "bool", "flag_values": [0, 1, 2.5], "good": true, "none": null},
    "DAY": {"type": "date32[day]"},
    "CLOCK": {"type": "time32[s]"},
    "FINE": {"type": "time64[us]"},
    "NAMES": {"type": "list<element: string>"},
    "SMALL": {"type": "uint8"},
    "RAW": {"type": "byte"},
    "TEMP": {"type": "float", "long_name": "temp\u00e9rature"}
  },
  "schema_transformation": {
    "drop_variables": [],
    "skip_partitioning_validation": true,
    "add_variables": {
      "filename": {"source": "@filename", "schema": {"type": "string", "units": "1"}},
      "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}}
    },
    "partitioning": [{"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "TIME", "partition_period": "Y"}}],
    "global_attributes": {"set": {"title": "A title", "levels": [1, 2]}, "delete": ["x"]}
  }
}"#;

fn file(rows: usize) -> Fake {
    let n = format!("TIME={rows}");
    Fake::default()
        .variable("TIME", &[&n], Values::I64((0..rows).map(|i| i as i64).collect()))
        .units("seconds since 2020-01-01")
        .variable("TEMP", &[&n], Values::F32((0..rows).map(|i| i as f32 / 7.0).collect()))
        .variable("SMALL", &[], Values::U8(vec![7]))
        .variable("FLAG", &[&n], Values::I8(vec![1; rows]))
        .variable("RAIN", &[&n], Values::I32(vec![60; rows]))
        .units("seconds")
}

fn object(rows: usize, compat: Compat) -> Bytes {
    let (report, mut objects) = convert_fake(&config(CONFIG), compat, &file(rows)).unwrap();
    assert_eq!((report.rows, objects.len()), (rows as u64, 1));
    body(&objects.remove(0))
}

#[test]
fn objects_are_written_as_the_incumbents_are() {
    let body = object(45_000, Compat::Fixed);
    let reader = SerializedFileReader::new(body.clone()).unwrap();
    let metadata = reader.metadata();
    let rows: Vec<i64> = metadata.row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect();
    assert_eq!(rows, [20_000, 20_000, 5_000]);
    assert_eq!(metadata.file_metadata().created_by(), Some("cloudoptimised.io converter"));
    let keys: Vec<&str> = metadata.file_metadata().key_value_metadata().unwrap().iter().map(|kv| kv.key.as_str()).collect();
    assert_eq!(keys, ["ARROW:schema"]);
    for column in metadata.row_group(0).columns() {
        assert_eq!(column.compression(), Compression::SNAPPY);
        assert!(column.statistics().is_some(), "{}", column.column_path());
        assert!(column.column_index_offset().is_none() && column.offset_index_offset().is_none(), "no page index");
        let name = column.column_path().string();
        let dictionary = column.encodings().any(|e| matches!(e, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY));
        // Booleans have none; what differs in each row has nothing to gain.
        let differs = ["TIME", "TEMP", "LAST", "FLAG"].contains(&name.as_str());
        let empty = column.statistics().and_then(Statistics::null_count_opt) == Some(20_000);
        assert!(empty || dictionary != differs, "{name}");
    }
    let schema = ParquetRecordBatchReaderBuilder::try_new(body).unwrap().schema().clone();
    let types: HashMap<&str, &DataType> = schema.fields().iter().map(|f| (f.name().as_str(), f.data_type())).collect();
    assert!(schema.metadata().is_empty() && schema.fields().iter().all(|f| f.metadata().is_empty() && f.is_nullable()));
    assert_eq!(types["TIME"], &DataType::Timestamp(TimeUnit::Nanosecond, None));
    assert_eq!(types["LAST"], &DataType::Timestamp(TimeUnit::Millisecond, None));
    assert_eq!(types["RAIN"], &DataType::Duration(TimeUnit::Nanosecond));
    assert_eq!(types["DAY"], &DataType::Date32);
    assert_eq!(types["FINE"], &DataType::Time64(TimeUnit::Microsecond));
    assert_eq!(types["SMALL"], &DataType::UInt8);
    assert_eq!(types["RAW"], &DataType::Binary);
    assert_eq!(types["filename"], &DataType::Utf8);
    assert!(matches!(types["NAMES"], DataType::List(f) if f.data_type() == &DataType::Utf8));
    assert!(!types.contains_key("timestamp"));
}

#[test]
fn equal_input_gives_equal_bytes() {
    assert_eq!(object(1_000, Compat::Fixed), object(1_000, Compat::Fixed));
    assert_eq!(sidecar(&config(CONFIG)), sidecar(&config(CONFIG)));
}

#[test]
fn the_sidecar_shows_the_config_as_python_prints_it() {
    let body = Bytes::from(sidecar(&config(CONFIG)));
    let reader = SerializedFileReader::new(body.clone()).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 0);
    let texts: HashMap<String, String> = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap()
        .iter()
        .map(|kv| (kv.key.clone(), kv.value.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        texts["global_attributes"],
        "{'metadata_uuid': 'b299cdcd-3dee-48aa-abdd-e0fcdbb9cadc', 'dataset_name': 'demo', 'title': 'A title', 'levels': [1, 2]}"
    );
    assert_eq!(texts["TIME"], r#"{'type': 'timestamp[ns]', 'valid_max': 90000.0, 'valid_min': 0, 'comment': 'it\'s "so"'}"#);
    assert_eq!(texts["FLAG"], "{'type': 'bool', 'flag_values': [0, 1, 2.5], 'good': True, 'none': None}");
    assert_eq!(texts["TEMP"], "{'type': 'float', 'long_name': 'température'}");
    assert_eq!(texts["filename"], "{'type': 'string', 'units': '1'}");
    let schema = ParquetRecordBatchReaderBuilder::try_new(body).unwrap().schema().clone();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let expected = ["TIME", "LAST", "RAIN", "FLAG", "DAY", "CLOCK", "FINE", "NAMES", "SMALL", "RAW", "TEMP", "filename", "timestamp"];
    assert_eq!(names, expected, "every entry in order, partition columns included");
    let time = schema.field_with_name("TIME").unwrap().metadata();
    assert_eq!((time["valid_max"].as_str(), time["valid_min"].as_str(), time["comment"].as_str()), ("90000.0", "0", "it's \"so\""));
    assert_eq!(schema.field_with_name("FLAG").unwrap().metadata()["flag_values"], "[0, 1, 2.5]");
}
