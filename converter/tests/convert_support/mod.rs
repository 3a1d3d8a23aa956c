//! What the conversion tests share.
#![allow(dead_code)] // each test binary uses a part

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::Array as _;
use bytes::Bytes;
use converter::table::{Allowance, Conversion, ConvertedObject, FileError, FileReport, OpenFile};
use crds::config::{DatasetConfig, load, validate};
use crds::wire::Compat;

/// Real files and the incumbent's recorded output, when this machine has them.
pub fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    root.join("data").is_dir().then_some(root)
}

pub fn config(text: &str) -> Arc<DatasetConfig> {
    Arc::new(validate(&load(text).expect("the config loads")).expect("the config is valid").config)
}

pub fn conversion(config: &Arc<DatasetConfig>, compat: Compat) -> Conversion {
    Conversion::new(config, compat, "2026-06-01T00:00:00Z".parse().expect("a time"))
}

pub fn convert(conversion: &Conversion, basename: &str, bytes: Vec<u8>) -> Result<(FileReport, Vec<ConvertedObject>), FileError> {
    convert_with(conversion, basename, bytes, Allowance::UNBOUNDED)
}

pub fn convert_with(
    conversion: &Conversion,
    name: &str,
    bytes: Vec<u8>,
    allowance: Allowance,
) -> Result<(FileReport, Vec<ConvertedObject>), FileError> {
    converted(conversion, name, &conversion.open(&name.into(), Bytes::from(bytes))?, allowance)
}

pub fn converted(
    conversion: &Conversion,
    name: &str,
    file: &OpenFile,
    allowance: Allowance,
) -> Result<(FileReport, Vec<ConvertedObject>), FileError> {
    let mut objects = Vec::new();
    let report = conversion.convert(&name.into(), file, allowance, &mut |object| {
        objects.push(object);
        Ok(())
    })?;
    Ok((report, objects))
}

/// Writes a dataset as it would be published.
pub fn publish(out: &Path, config: &DatasetConfig, objects: &[ConvertedObject]) {
    let folder = out.join(format!("{}.parquet", config.dataset_name));
    for object in objects {
        let path = folder.join(&object.key);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("the folder is made");
        std::fs::write(path, body(object)).expect("the object is written");
    }
    std::fs::create_dir_all(&folder).expect("the folder is made");
    std::fs::write(folder.join("_common_metadata"), converter::write::sidecar(config)).expect("the sidecar is written");
}

pub mod fake;

/// Converts a file made of values.
pub fn convert_fake(
    config: &Arc<DatasetConfig>,
    compat: Compat,
    file: &fake::Fake,
) -> Result<(FileReport, Vec<ConvertedObject>), FileError> {
    convert_fake_with(config, compat, file, Allowance::UNBOUNDED)
}

pub fn convert_fake_with(
    config: &Arc<DatasetConfig>,
    compat: Compat,
    file: &fake::Fake,
    allowance: Allowance,
) -> Result<(FileReport, Vec<ConvertedObject>), FileError> {
    let open = OpenFile::new(Box::new(file.clone()), 1 << 20);
    converted(&conversion(config, compat), "x.nc", &open, allowance)
}

/// The bytes of an object.
pub fn body(object: &ConvertedObject) -> Bytes {
    object.body.read_at(0, usize::MAX).expect("the object's bytes")
}

/// The rows of an object as text, a line each: `name=value` in column order, null as `-`.
pub fn rows(object: &ConvertedObject) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches(object) {
        let columns: Vec<Vec<String>> = batch.columns().iter().map(texts).collect();
        for row in 0..batch.num_rows() {
            let schema = batch.schema();
            let cells: Vec<String> = columns.iter().zip(schema.fields()).map(|(c, f)| format!("{}={}", f.name(), c[row])).collect();
            lines.push(cells.join(" "));
        }
    }
    lines
}

/// One column over all rows of all objects.
pub fn column(objects: &[ConvertedObject], name: &str) -> Vec<String> {
    let values = objects.iter().flat_map(batches).flat_map(|batch| texts(batch.column_by_name(name).expect("the column")));
    values.collect()
}

pub fn batches(object: &ConvertedObject) -> Vec<arrow_array::RecordBatch> {
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(body(object)).expect("a parquet object");
    reader.build().expect("a reader").map(|batch| batch.expect("rows")).collect()
}

fn texts(array: &arrow_array::ArrayRef) -> Vec<String> {
    let options = arrow_cast::display::FormatOptions::default().with_null("-");
    let formatter = arrow_cast::display::ArrayFormatter::try_new(array.as_ref(), &options).expect("a formatter");
    (0..array.len()).map(|i| formatter.value(i).to_string()).collect()
}
