//! `_common_metadata` (spec 7): the dataset's schema, with every attribute of the config.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use crds::config::DatasetConfig;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::{CREATED_BY, arrow_type, python_repr, python_str};

/// The bytes of the sidecar: a Parquet file without row groups.
#[must_use]
pub fn sidecar(config: &DatasetConfig) -> Vec<u8> {
    let fields: Vec<Field> = config
        .schema
        .iter()
        .map(|entry| {
            let metadata: HashMap<String, String> = entry.attributes.iter().map(|(k, v)| (k.clone(), python_str(v))).collect();
            Field::new(&entry.name, arrow_type(entry.column_type), true).with_metadata(metadata)
        })
        .collect();
    let mut texts: Vec<(String, String)> =
        config.schema.iter().map(|entry| (entry.name.clone(), python_repr(&Value::Object(entry.attributes.clone())))).collect();
    texts.push(("global_attributes".into(), python_repr(&Value::Object(global_attributes(config)))));

    let key_values = texts.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
    let properties = WriterProperties::builder().set_created_by(CREATED_BY.to_owned()).set_key_value_metadata(Some(key_values)).build();
    let schema = Schema::new_with_metadata(fields, texts.into_iter().collect::<HashMap<String, String>>());
    let options = ArrowWriterOptions::new().with_properties(properties).with_schema_root("schema".to_owned());
    // Every config type has a Parquet form, and memory takes all bytes.
    ArrowWriter::try_new_with_options(Vec::new(), Arc::new(schema), options).and_then(ArrowWriter::into_inner).unwrap_or_default()
}

fn global_attributes(config: &DatasetConfig) -> Map<String, Value> {
    let mut attributes = Map::new();
    if let Some(uuid) = &config.metadata_uuid {
        attributes.insert("metadata_uuid".into(), Value::String(uuid.clone()));
    }
    attributes.insert("dataset_name".into(), Value::String(config.dataset_name.clone()));
    attributes.extend(config.global_attributes.clone());
    attributes
}
