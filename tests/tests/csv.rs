//! The CSV reader against pandas and polars themselves, on files in random dialects, bit for bit.
//! `COD_PYTHON` names an interpreter that has both; without it there is nothing to hold the reader against.
#![allow(clippy::expect_used)] // in a test a panic is the answer

mod dialects;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_select::concat::concat_batches;
use converter::read::csv::{Look, open};
use converter::read::{Input, ReadError, TableLimits, TableReader};
use crds::config::{ColumnType, CsvConfig, VariableSchema, load, validate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

use dialects::{Case, case};

const CASES: u64 = 600;

/// The options as a config has them.
fn config(reader: &str, options: &Map<String, Value>) -> Result<CsvConfig> {
    let resource = load(&std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/mooring.yaml"))?)?;
    let mut config = load(resource["spec"]["config"].as_str().context("the config is a text block")?)?;
    config["csv_config"] = json!({format!("{reader}_read_csv_config"): options});
    validate(&config)?.supported()?.config.csv.context("no csv_config")
}

fn schema(types: &Map<String, Value>) -> Result<Vec<VariableSchema>> {
    let column = |(name, kind): (&String, &Value)| {
        let column_type = kind.as_str().and_then(ColumnType::from_name).context("a type")?;
        Ok(VariableSchema { name: name.clone(), column_type, attributes: Map::new() })
    };
    types.iter().map(column).collect()
}

fn read(text: Vec<u8>, config: &CsvConfig, schema: Option<&[VariableSchema]>, limits: TableLimits) -> Result<RecordBatch, ReadError> {
    let input = Input::Memory(text.into());
    let whole = rows(input.clone(), config, schema, limits, Look::Whole);
    // Types that the beginning settles are those of the whole, or the reader says that they are not.
    let guessed = rows(input, config, schema, limits, Look::Beginning(1));
    if let (Ok(whole), Ok(guessed)) = (&whole, &guessed) {
        assert_eq!(difference(guessed, whole), None, "the beginning promised other columns");
    } else {
        assert!(guessed.is_err(), "read after a look at the beginning alone");
    }
    whole
}

fn rows(
    input: Input,
    config: &CsvConfig,
    schema: Option<&[VariableSchema]>,
    limits: TableLimits,
    look: Look,
) -> Result<RecordBatch, ReadError> {
    let mut reader = open(input, config, schema, limits, look)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        assert!(batch.num_rows() > 0, "an empty batch");
        batches.push(batch);
    }
    Ok(concat_batches(reader.schema(), &batches).expect("batches of one schema"))
}

fn expected(path: &Path) -> Result<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path)?)?.build()?;
    let schema = reader.schema();
    Ok(concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)?)
}

fn difference(ours: &RecordBatch, theirs: &RecordBatch) -> Option<String> {
    let shape = |batch: &RecordBatch| -> Vec<String> {
        batch.schema().fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect()
    };
    if shape(ours) != shape(theirs) {
        return Some(format!("types\n  ours   {:?}\n  theirs {:?}", shape(ours), shape(theirs)));
    }
    if ours.num_rows() != theirs.num_rows() {
        return Some(format!("{} rows, theirs {}", ours.num_rows(), theirs.num_rows()));
    }
    for (index, (one, two)) in ours.columns().iter().zip(theirs.columns()).enumerate() {
        let row = (0..one.len()).find(|&row| one.slice(row, 1).as_ref() != two.slice(row, 1).as_ref());
        if let Some(row) = row {
            return Some(format!("column {index}, row {row}:\n  ours   {:?}\n  theirs {:?}", one.slice(row, 1), two.slice(row, 1)));
        }
    }
    None
}

#[test]
fn random_dialects_are_read_as_the_libraries_read_them() -> Result<()> {
    let Ok(python) = std::env::var("COD_PYTHON") else {
        eprintln!("COD_PYTHON is not set: nothing is compared");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let cases: Vec<Case> = (0..CASES).map(case).collect();
    let mut list = Vec::new();
    for (seed, case) in cases.iter().enumerate() {
        let file = folder.path().join(format!("{seed}.csv"));
        std::fs::write(&file, &case.text)?;
        let out = folder.path().join(format!("{seed}.parquet"));
        list.push(json!({"file": file, "reader": case.reader, "options": case.options, "schema": case.schema, "out": out}));
    }
    let manifest = folder.path().join("cases.json");
    std::fs::write(&manifest, serde_json::to_vec(&list)?)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/read_csv.py");
    let output = Command::new(python).arg("-B").arg(script).arg(&manifest).output()?;
    ensure!(output.status.success(), "read_csv.py: {}", String::from_utf8_lossy(&output.stderr));
    let errors: Vec<Option<String>> = serde_json::from_slice(&output.stdout)?;

    let (mut compared, mut wrong) = (0, Vec::new());
    for (seed, (case, error)) in cases.into_iter().zip(errors).enumerate() {
        let told = format!("seed {seed}, {} {}", case.reader, Value::Object(case.options.clone()));
        let config = config(case.reader, &case.options)?;
        let types = schema(&case.schema)?;
        let types = (case.reader == "polars").then_some(types.as_slice());
        let limits = TableLimits { batch_bytes: [4 << 10, 64 << 10, 8 << 20][seed % 3], threads: 1 + seed % 3 };
        let ours = read(case.text, &config, types, limits);
        match (ours, error) {
            (Ok(ours), None) => {
                compared += 1;
                wrong.extend(difference(&ours, &expected(&folder.path().join(format!("{seed}.parquet")))?).map(|d| format!("{told}: {d}")));
            }
            (Err(_), Some(_)) => {}
            (Ok(_), Some(error)) => wrong.push(format!("{told}: read, but theirs says {error}")),
            (Err(error), None) => wrong.push(format!("{told}: {error}")),
        }
    }
    let shown = wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    ensure!(wrong.is_empty(), "{} of {CASES} differ:\n{shown}", wrong.len());
    ensure!(compared > CASES as usize * 3 / 4, "only {compared} of {CASES} were read by both");
    Ok(())
}

/// The facts of the specification (10.1, 10.3) about a real file, when this machine has it.
#[test]
fn a_real_file_says_what_the_specification_says() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/acoustic_csv");
    let Ok(text) = std::fs::read(folder.join("A69-1105-135_107799906_130722039.csv")) else { return Ok(()) };
    let config = load(&std::fs::read_to_string(folder.join("animal_acoustic_tracking_delayed_qc.json"))?)?;
    let config = validate(&config)?.config;
    let limits = TableLimits { batch_bytes: 1 << 20, threads: 2 };
    let batch = read(text, config.csv.as_ref().context("csv_config")?, Some(&config.schema), limits)?;
    assert_eq!((batch.num_rows(), batch.num_columns()), (984, 17));
    let column = |name: &str| batch.column_by_name(name).with_context(|| format!("no {name}"));
    let times = column("detection_timestamp")?.as_primitive::<TimestampNanosecondType>();
    assert_eq!(times.null_count(), 0);
    assert_eq!(times.values().iter().min(), Some(&1_325_969_724_000_000_000));
    assert_eq!(times.values().iter().max(), Some(&1_383_798_967_000_000_000));
    let latitudes: f64 = column("latitude")?.as_primitive::<Float64Type>().iter().flatten().sum();
    assert!((latitudes + 12_041.211_044_4).abs() < 1e-6, "{latitudes}");
    let sensor = arrow_cast::cast(column("sensor_value")?, &arrow_schema::DataType::Float64)?;
    assert!((sensor.as_primitive::<Float64Type>().iter().flatten().sum::<f64>() - 29_123.0).abs() < 1e-6);
    let transmitters: std::collections::BTreeSet<&str> = column("transmitter_id")?.as_string::<i32>().iter().flatten().collect();
    assert_eq!(transmitters.into_iter().collect::<Vec<_>>(), ["A69-1105-135", "A69-1105-136"]);
    Ok(())
}
