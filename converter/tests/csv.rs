//! CSV files that are not what they should be, packed cells, and the memory that batches take.
#![allow(clippy::unwrap_used)] // in a test a panic is the answer

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use converter::read::csv::{Look, open, open_packed};
use converter::read::{Input, ReadError, TableLimits, TableReader};
use crds::config::csv::{ColumnRef, DateColumns, Encoding, PandasOptions, PolarsOptions};
use crds::config::{ColumnType, CsvConfig, VariableSchema};
use crds::wire::Reason;

const LIMITS: TableLimits = TableLimits { batch_bytes: 8 << 20, threads: 2 };

fn schema(columns: &[(&str, ColumnType)]) -> Vec<VariableSchema> {
    let column = |(name, column_type): &(&str, ColumnType)| VariableSchema {
        name: (*name).to_owned(),
        column_type: *column_type,
        attributes: serde_json::Map::new(),
    };
    columns.iter().map(column).collect()
}

fn all(reader: &mut dyn TableReader) -> Result<RecordBatch, ReadError> {
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        batches.push(batch);
    }
    Ok(concat_batches(reader.schema(), &batches).unwrap())
}

fn read(text: &[u8], config: &CsvConfig, columns: &[(&str, ColumnType)]) -> Result<RecordBatch, ReadError> {
    all(&mut open(text.to_vec().into_input(), config, Some(&schema(columns)), LIMITS, Look::Whole)?)
}

trait IntoInput {
    fn into_input(self) -> Input;
}

impl IntoInput for Vec<u8> {
    fn into_input(self) -> Input {
        Input::Memory(self.into())
    }
}

fn pandas() -> PandasOptions {
    PandasOptions::default()
}

const AB: &[(&str, ColumnType)] = &[("a", ColumnType::Int32), ("b", ColumnType::Utf8)];

#[test]
fn what_is_wrong_with_a_file_is_told_by_line_and_column() {
    let pandas = |options: PandasOptions| CsvConfig::Pandas(options);
    let polars = |options: PolarsOptions| CsvConfig::Polars(options);
    let plain = || pandas(self::pandas());
    let plain_polars = || polars(PolarsOptions::default());
    let table: Vec<(&[u8], CsvConfig, Reason, &str)> = vec![
        (b"", plain(), Reason::EmptyFile, "the file is empty (0 bytes)"),
        (b"\n \n\n", plain(), Reason::EmptyFile, "empty"),
        (b"\xef\xbb\xbf", plain(), Reason::EmptyFile, "empty"),
        (b"a,b\n1,2\n3,4,5\n", plain(), Reason::MalformedCsv, "line 3: 3 fields, the columns are 2"),
        (b"a,b\n\"x\ny\",2\n3,4,5\n", plain(), Reason::MalformedCsv, "line 4: 3 fields"),
        (b"a,b\n1,2,3\n", plain_polars(), Reason::MalformedCsv, "`truncate_ragged_lines: true`"),
        (b"a;b\n1;2\n", plain(), Reason::MalformedCsv, "its lines are divided by ';': set the delimiter"),
        (b"a;b\n1;2\n", plain(), Reason::MalformedCsv, "with the delimiter ',' the file has 1 column(s): \"a;b\""),
        (b"x,y\n1,2\n", plain(), Reason::MalformedCsv, "none of them is in the config's `schema`"),
        (b"a,b\n1,caf\xe9\n", plain(), Reason::MalformedCsv, "line 2, column \"b\": the byte 0xe9 is no UTF-8; write `encoding: latin-1`"),
        (b"a,b\n1,x\n2,caf\xe9\n", plain_polars(), Reason::MalformedCsv, "line 3, column \"b\": the byte 0xe9"),
        (b"a,b\n1,x\0y\n", plain(), Reason::MalformedCsv, "line 2, column \"b\": a NUL byte"),
        (b"a,b\n1,x\n2,\"y\n3,z\n", plain(), Reason::MalformedCsv, "line 3, column \"b\": a quote that begins here is never closed"),
        (b"a,b\n1,x\n2,\"y\n3,z\n", plain_polars(), Reason::MalformedCsv, "line 3, column \"b\": a quote that begins here"),
        (b"a,\"b\n1,x\n", plain(), Reason::MalformedCsv, "line 1: a quote that begins here is never closed"),
        (b"a,b\n1,x\n1.0,y\n", plain_polars(), Reason::CastFailed, "line 3, column \"a\": \"1.0\" is no Int32"),
        (b"a,b\n1,x\n3000000000,y\n", plain_polars(), Reason::CastFailed, "line 3, column \"a\": \"3000000000\" is no Int32"),
        (
            b"a,b\n1,x\n",
            pandas(PandasOptions { index_col: Some(ColumnRef::Name("time".to_owned())), ..self::pandas() }),
            Reason::MalformedCsv,
            "`index_col` names the column \"time\", which the file does not have; it has \"a\", \"b\"",
        ),
        (
            b"a,b\n1,x\n",
            pandas(PandasOptions { parse_dates: DateColumns::These(vec![ColumnRef::Position(7)]), ..self::pandas() }),
            Reason::MalformedCsv,
            "`parse_dates` names the column number 7",
        ),
        (
            b"a,b\n1,\xe9\n",
            pandas(PandasOptions { encoding: Encoding::Ascii, ..self::pandas() }),
            Reason::MalformedCsv,
            "line 2, column \"b\": the byte 0xe9 is no ASCII",
        ),
        (
            b"a,b\n1,\x81\n",
            pandas(PandasOptions { encoding: Encoding::Cp1252, ..self::pandas() }),
            Reason::MalformedCsv,
            "line 2, column \"b\": the byte 0x81 is no cp1252 character",
        ),
    ];
    for (text, config, reason, message) in table {
        let error = read(text, &config, AB).unwrap_err();
        let shown = String::from_utf8_lossy(text);
        assert_eq!(error.reason(), reason, "{shown:?}: {error}");
        assert!(error.to_string().contains(message), "{shown:?}: {error}");
    }
}

#[test]
fn what_looks_wrong_and_is_not() {
    let text = |batch: &RecordBatch, column: &str| -> Vec<Option<String>> {
        let column = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
        column.iter().map(|text| text.map(ToOwned::to_owned)).collect()
    };
    let batch = read(b"a,b\n", &CsvConfig::Pandas(pandas()), AB).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, 2));
    let batch = read(b"a,b\n1\n2,y\n", &CsvConfig::Pandas(pandas()), AB).unwrap();
    assert_eq!(text(&batch, "b"), [None, Some("y".to_owned())]);
    let latin = PandasOptions { encoding: Encoding::Latin1, ..pandas() };
    let batch = read(b"a,b\n1,caf\xe9\n", &CsvConfig::Pandas(latin), AB).unwrap();
    assert_eq!(text(&batch, "b"), [Some("café".to_owned())]);
    let lossy = PandasOptions { replace_invalid: true, ..pandas() };
    let batch = read(b"a,b\n1,caf\xe9\n", &CsvConfig::Pandas(lossy), AB).unwrap();
    assert_eq!(text(&batch, "b"), [Some("caf\u{fffd}".to_owned())]);
    let named = [("a", ColumnType::Int32), ("a.1", ColumnType::Int32)];
    let batch = read(b"a,a\n1,2\n", &CsvConfig::Pandas(pandas()), &named).unwrap();
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(0), 2);
    let mut reader = open(
        b"a,b\n1,x\n2,y,z\n3,w\n".to_vec().into_input(),
        &CsvConfig::Pandas(PandasOptions { skip_bad_lines: true, ..pandas() }),
        Some(&schema(AB)),
        LIMITS,
        Look::Whole,
    )
    .unwrap();
    assert_eq!(text(&all(&mut reader).unwrap(), "b"), [Some("x".to_owned()), Some("w".to_owned())]);
    assert_eq!(reader.lines_left_out(), 1);
}

/// Dates before 1677 fit no column of nanoseconds, and one fraction of a second no column of seconds.
#[test]
fn a_column_of_times_stays_text_when_one_does_not_fit() {
    let options = PandasOptions { parse_dates: DateColumns::These(vec![ColumnRef::Position(0)]), ..pandas() };
    let config = CsvConfig::Pandas(options);
    for (text, data_type) in [
        ("1500-01-01\n1500-01-01\n", DataType::Utf8),
        ("2012-01-07 20:55:24\n2012-01-07 20:55:24.5\n", DataType::Utf8),
        ("2012-01-07T20:55:24Z\n2012-01-07T20:55:24\n", DataType::Utf8),
        ("2012-02-30\n", DataType::Utf8),
        ("07/01/2012\n13/01/2012\n", DataType::Utf8),
        ("13/01/2012\nNaT\n", DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, None)),
        ("7 Jan 2012\n17 Feb 2012\n", DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, None)),
        ("2012-01-07T20:55:24Z\n\n", DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, Some("UTC".into()))),
    ] {
        let batch = read(format!("t\n{text}").as_bytes(), &config, &[("t", ColumnType::TimestampNs)]).unwrap();
        assert_eq!(*batch.column(0).data_type(), data_type, "{text}");
    }
}

const TAGS: &[(&str, ColumnType)] = &[
    ("ref", ColumnType::Utf8),
    ("temp_dbar", ColumnType::Float64),
    ("temp_vals", ColumnType::Float64),
    ("n", ColumnType::Int32),
    ("depth", ColumnType::Float32),
];

fn packed(text: &str, options: PandasOptions, limits: TableLimits) -> Result<RecordBatch, ReadError> {
    all(&mut open_packed(text.as_bytes().to_vec().into_input(), &CsvConfig::Pandas(options), &schema(TAGS), limits)?)
}

#[test]
fn packed_cells_become_rows() {
    let options = PandasOptions { index_col: Some(ColumnRef::Name("n".to_owned())), ..pandas() };
    let text = "ref,temp_dbar,temp_vals,n\nx,\"4,10,12\",\"5.4,5.3,5.1\",1\ny,,,2\nz,\"7,8\",,3\nw,12.5,8.0,4\nv,\"1, ,2\",\"3,4\",5\n";
    for batch_bytes in [8 << 20, 4 << 10] {
        let batch = packed(text, options.clone(), TableLimits { batch_bytes, threads: 1 }).unwrap();
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["n", "ref", "temp_dbar", "temp_vals"]);
        let floats = |column: usize| -> Vec<Option<f64>> { batch.column(column).as_primitive::<Float64Type>().iter().collect() };
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, 1, 1, 2, 3, 3, 4, 5, 5]);
        assert_eq!(floats(2), [Some(4.0), Some(10.0), Some(12.0), None, Some(7.0), Some(8.0), Some(12.5), Some(1.0), Some(2.0)]);
        assert_eq!(floats(3), [Some(5.4), Some(5.3), Some(5.1), None, None, None, Some(8.0), Some(3.0), Some(4.0)]);
    }
}

#[test]
fn packed_cells_that_do_not_fit_refuse_the_file() {
    for (text, message) in [
        (
            "ref,temp_dbar,temp_vals\nx,\"4,10\",\"5,6\"\n\ny,\"1,2,3\",\"5,6\"\n",
            "line 4, column \"temp_vals\": 2 elements, and 3 in column \"temp_dbar\"",
        ),
        ("ref,temp_dbar\nx,\"4,10\"\ny,\"1,two\"\n", "line 3, column \"temp_dbar\": \"two\" is no number"),
    ] {
        let error = packed(text, pandas(), LIMITS).unwrap_err();
        assert_eq!(error.reason(), Reason::MalformedCsv);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn texts_that_are_all_numbers_become_numbers_where_the_schema_wants_them() {
    let text = |options: &mut PandasOptions| options.dtype.everywhere = Some(ColumnType::Utf8);
    let mut options = pandas();
    text(&mut options);
    let batch = packed("ref,temp_vals,n,depth\n1,12.5,7,1\n2,8.0,8,junk\n", options, LIMITS).unwrap();
    let types: Vec<DataType> = batch.columns().iter().map(|column| column.data_type().clone()).collect();
    assert_eq!(types, [DataType::Utf8, DataType::Float64, DataType::Int64, DataType::Utf8]);
    // The first value with a comma decides: this is a list of words.
    let batch = packed("ref,temp_vals\n1,\"Coral Bay, WA\"\n2,\"1,2\"\n", pandas(), LIMITS).unwrap();
    assert_eq!((batch.num_rows(), batch.column(1).data_type()), (2, &DataType::Utf8));
}

/// A look at the beginning settles types only where whatever follows would be noticed.
#[test]
fn a_beginning_that_promises_another_type_is_found_out() {
    let dates = || CsvConfig::Pandas(PandasOptions { parse_dates: DateColumns::These(vec![ColumnRef::Position(1)]), ..pandas() });
    let usual = || CsvConfig::Pandas(pandas());
    // What each line of the beginning has, what one line far behind it has, and whether that is a surprise.
    for (config, beginning, later, surprise) in [
        (usual(), "1", "2", false),
        (usual(), "1", "", true),
        (usual(), "1", "2.5", true),
        (usual(), "1", "word", true),
        (usual(), "1", "9223372036854775808", true),
        (usual(), "1.5", "2", false),
        (usual(), "1.5", "", false),
        (usual(), "1.5", "word", true),
        (usual(), "True", "", false),
        (usual(), "True", "yes", true),
        (usual(), "word", "", false),
        (usual(), "word", "1", false),
        (dates(), "2020-01-31 00:00:00", "2020-02-01 00:00:00", false),
        (dates(), "2020-01-31 00:00:00", "", false),
        (dates(), "2020-01-31 00:00:00", "2020-02-01T00:00:00Z", true),
        (dates(), "2020-01-31 00:00:00", "never", true),
        // These settle nothing, so all is looked at before the rows.
        (usual(), "", "1", false),
        (usual(), "9223372036854775808", "word", false),
        (dates(), "2020-01-31 00:00:00Z", "2020-01-31 00:00:00+10:00", false),
    ] {
        let mut text = "a,b\n".to_owned();
        text.push_str(&format!("x,{beginning}\n").repeat(5_000));
        text = format!("{text}x,{later}\n");
        let limits = TableLimits { batch_bytes: 4 << 10, threads: 2 };
        let rows = |look| {
            let input = text.clone().into_bytes().into_input();
            open(input, &config, Some(&schema(AB)), limits, look).and_then(|mut reader| all(&mut reader))
        };
        let whole = rows(Look::Whole).unwrap();
        match rows(Look::Beginning(1)) {
            Ok(guessed) => assert!(!surprise && guessed == whole, "{beginning} then {later}"),
            Err(error) => assert!(surprise && error == ReadError::Surprise, "{beginning} then {later}: {error}"),
        }
    }
}

/// Batches stay within their memory, whatever the lines are like, and from a file as from memory.
#[test]
fn batches_keep_to_their_memory() {
    let limits = TableLimits { batch_bytes: 1 << 20, threads: 2 };
    let mut wide = String::from("a,b,c,d,e,f,g,h,i,j\n");
    // Short lines: each takes two bytes in the file and ten values in memory.
    for row in 0..200_000 {
        wide.push_str(if row % 2 == 0 { "1\n" } else { "2\n" });
    }
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|name| (name, ColumnType::Int32));
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(wide.as_bytes()).unwrap();
    let file: Arc<File> = Arc::new(file);
    for config in [CsvConfig::Pandas(pandas()), CsvConfig::Polars(PolarsOptions::default())] {
        let input = Input::File { file: file.clone(), length: wide.len() as u64 };
        let mut reader = open(input, &config, Some(&schema(&names)), limits, Look::Whole).unwrap();
        let (mut rows, mut batches) = (0, 0);
        while let Some(batch) = reader.next_batch().unwrap() {
            assert!(batch.get_array_memory_size() as u64 <= limits.batch_bytes, "{}", batch.get_array_memory_size());
            rows += batch.num_rows();
            batches += 1;
        }
        assert_eq!(rows, 200_000);
        assert!(batches > 4, "{batches}");
    }
    let long = format!("a,b\n1,{}\n", "x".repeat(4 << 20));
    let error = open(long.into_bytes().into_input(), &CsvConfig::Pandas(pandas()), Some(&schema(AB)), limits, Look::Whole)
        .and_then(|mut reader| all(&mut reader))
        .unwrap_err();
    assert!(error.to_string().contains("line 2: a line is longer than"), "{error}");
}
