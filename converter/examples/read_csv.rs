//! Times the CSV reader: `read_csv FILE [pandas|polars] [THREADS] [MIB]`. The columns are those that
//! `tests/bench/csv_readers.py` writes, and that script times pandas and polars on the same file.
#![allow(clippy::unwrap_used)] // a bench stops where it fails

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use converter::read::csv::{Look, open};
use converter::read::{Input, TableLimits, TableReader};
use crds::config::csv::{ColumnRef, DateColumns, PandasOptions, PolarsOptions};
use crds::config::{ColumnType, CsvConfig, VariableSchema};

fn schema() -> Vec<VariableSchema> {
    let columns = [
        ("time", ColumnType::TimestampNs),
        ("site", ColumnType::Utf8),
        ("lat", ColumnType::Float64),
        ("lon", ColumnType::Float64),
        ("depth", ColumnType::Float64),
        ("temp", ColumnType::Float64),
        ("flag", ColumnType::Int32),
        ("count", ColumnType::Int64),
        ("note", ColumnType::Utf8),
    ];
    let column = |(name, column_type): (&str, ColumnType)| {
        let attributes = serde_json::Map::new();
        VariableSchema { name: name.to_owned(), column_type, attributes }
    };
    columns.into_iter().map(column).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let file = Arc::new(File::open(&arguments[1]).unwrap());
    let length = file.metadata().unwrap().len();
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let limits = TableLimits { batch_bytes: number(4, 96) << 20, threads: number(3, 2) as usize };
    let config = if arguments.get(2).is_some_and(|reader| reader == "polars") {
        CsvConfig::Polars(PolarsOptions::default())
    } else {
        let parse_dates = DateColumns::These(vec![ColumnRef::Name("time".to_owned())]);
        CsvConfig::Pandas(PandasOptions { parse_dates, ..PandasOptions::default() })
    };
    for _ in 0..3 {
        let start = Instant::now();
        let mut reader = open(Input::File { file: file.clone(), length }, &config, Some(&schema()), limits, Look::Whole).unwrap();
        let opened = start.elapsed();
        let (mut rows, mut batches) = (0, 0);
        while let Some(batch) = reader.next_batch().unwrap() {
            rows += batch.num_rows();
            batches += 1;
        }
        let took = start.elapsed();
        let speed = length as f64 / 1e6 / took.as_secs_f64();
        println!("{rows} rows in {batches} batches: opened after {opened:.2?}, read after {took:.2?}, {speed:.0} MB/s");
    }
}
