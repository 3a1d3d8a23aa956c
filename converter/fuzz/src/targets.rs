//! What is fuzzed: a function of bytes each, which returns whatever they are. `tests/tests/fuzz.rs` runs the same ones.

use std::sync::Arc;

use bytes::Bytes;
use converter::cf::{self, Rules};
use converter::read;
use converter::table::{Allowance, Conversion, FileError};
use crds::config::{DatasetConfig, load, validate};
use crds::wire::Compat;
use serde_json::{Value, json};

/// Values a variable may have before it is left alone: the budget stops such a file.
const MOST_VALUES: usize = 1 << 20;

/// Header, attributes and values of a NetCDF file, and its rows.
///
/// # Panics
/// When there is a defect.
pub fn reader(bytes: &[u8]) {
    let Ok(reader) = read::open(Bytes::copy_from_slice(bytes)) else { return };
    for (index, variable) in reader.variables().iter().enumerate() {
        if reader.length(variable) > MOST_VALUES {
            return;
        }
        let joined = cf::joined_dimension(reader.as_ref(), variable).map(|dimension| dimension.length);
        if let Ok(values) = reader.read(index) {
            for compat in [Compat::Fixed, Compat::Incumbent] {
                let _ = cf::decode(variable, values.clone(), joined, Rules::from(compat)); // an error will do
            }
        }
    }
    rows("x.nc", bytes, &schema(&json!({"TEMP": {"type": "float"}, "text": {"type": "string"}})));
}

/// A first line of options, then a CSV file.
///
/// # Panics
/// When there is a defect.
pub fn csv(bytes: &[u8]) {
    let end = bytes.iter().position(|&b| b == b'\n').unwrap_or(bytes.len());
    let (options, text) = bytes.split_at(end);
    let Ok(options) = serde_json::from_slice::<Value>(options) else { return };
    let mut config = schema(&json!({"TEMP": {"type": "float"}, "n": {"type": "int32"}, "text": {"type": "string"}}));
    config["csv_config"] = options;
    rows("x.csv", text.get(1..).unwrap_or_default(), &config);
}

/// A config's text, loaded and validated. What is accepted must be accepted again from its own JSON.
///
/// # Panics
/// When there is a defect.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(value) = load(text) else { return };
    let again = load(&value.to_string());
    assert_eq!(again.as_ref().ok(), Some(&value), "loaded with loss");
    let Ok(validated) = validate(&value) else { return };
    assert_eq!(validate(&value).map(|v| v.config).ok(), Some(validated.config), "two readings of one config");
}

fn schema(more: &Value) -> Value {
    let mut schema = json!({
        "TIME": {"type": "timestamp[ns]"},
        "LATITUDE": {"type": "double"},
        "LONGITUDE": {"type": "double"},
    });
    for (name, column) in more.as_object().into_iter().flatten() {
        schema[name] = column.clone();
    }
    json!({
        "dataset_name": "fuzz",
        "cloud_optimised_format": "parquet",
        "metadata_uuid": null,
        "run_settings": {"paths": [{"s3_uri": "s3://archive/x/", "filter": []}]},
        "schema": schema,
        "schema_transformation": {
            "drop_variables": [],
            "add_variables": {
                "filename": {"source": "@filename", "schema": {"type": "string", "units": "1"}},
                "site": {"source": "@global_attribute:site_code", "schema": {"type": "string", "units": "1"}},
                "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}},
                "polygon": {"source": "@partitioning:spatial_extent", "schema": {"type": "string", "units": "1"}}
            },
            "partitioning": [
                {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "TIME", "partition_period": "M"}},
                {"source_variable": "polygon", "type": "spatial_extent",
                 "spatial_extent": {"lat_varname": "LATITUDE", "lon_varname": "LONGITUDE", "spatial_resolution": 5}}
            ],
            "global_attributes": {"set": {}}
        }
    })
}

fn typed(config: &Value) -> Option<Arc<DatasetConfig>> {
    Some(Arc::new(validate(config).ok()?.supported().ok()?.config))
}

/// Converts the file; a conversion that gave up has panicked inside.
fn rows(name: &str, bytes: &[u8], config: &Value) {
    let Some(config) = typed(config) else { return };
    let Ok(now) = "2026-06-01T00:00:00Z".parse() else { return };
    let conversion = Conversion::new(&config, Compat::Fixed, now);
    let (name, allowance) = (name.into(), Allowance::new(64 << 20, 1));
    let Ok(file) = conversion.open(&name, Bytes::copy_from_slice(bytes)) else { return };
    if let Err(FileError::GaveUp(panic)) = conversion.convert(&name, &file, allowance, &mut |_| Ok(())) {
        panic!("gave up: {panic}");
    }
}
