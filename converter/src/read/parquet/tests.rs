use std::io::Write as _;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    BooleanArray, Date64Array, Decimal128Array, DictionaryArray, DurationMicrosecondArray, FixedSizeBinaryArray, Float32Array, Int8Array,
    Int64Array, LargeStringArray, StringArray, StringViewArray, Time32SecondArray, TimestampMillisecondArray, UInt64Array,
};
use bytes::Bytes;
use crds::wire::Reason;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use super::*;

const LIMITS: TableLimits = TableLimits { batch_bytes: 1 << 20, threads: 1 };

fn written_with(columns: Vec<(&str, ArrayRef)>, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn written(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    written_with(columns, WriterProperties::builder())
}

fn opened(bytes: Vec<u8>) -> Result<ParquetTable, ReadError> {
    open(Bytes::from(bytes).into(), None, LIMITS)
}

fn all(table: &mut ParquetTable) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    while let Some(batch) = table.next_batch().unwrap() {
        assert!(batch.num_rows() > 0 && batch.schema() == *table.schema());
        batches.push(batch);
    }
    batches
}

/// Types as pandas 2.3.3, xarray and pyarrow 22 hand them on.
#[test]
fn types_become_what_pandas_makes_of_them() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("a"), Some("b")]);
    list.append_null();
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    let columns: Vec<(&str, ArrayRef, &str)> = vec![
        ("i8", Arc::new(Int8Array::from(vec![1, 2])), "Int8"),
        ("i8_gap", Arc::new(Int8Array::from(vec![Some(1), None])), "Float64"),
        ("i64_gap", Arc::new(Int64Array::from(vec![Some(1), None])), "Float64"),
        ("i64_large_gap", Arc::new(Int64Array::from(vec![Some((1 << 53) + 1), None])), "Int64"),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX, 0])), "UInt64"),
        ("none", Arc::new(Int64Array::from(vec![None, None])), "Float64"),
        ("bool_gap", Arc::new(BooleanArray::from(vec![Some(true), None])), "Boolean"),
        ("f32", Arc::new(Float32Array::from(vec![f32::NAN, 1.5])), "Float32"),
        ("large", Arc::new(LargeStringArray::from(vec![Some("a"), None])), "Utf8"),
        ("view", Arc::new(StringViewArray::from(vec![Some("a"), None])), "Utf8"),
        ("dictionary", Arc::new(dictionary), "Utf8"),
        ("fixed", Arc::new(FixedSizeBinaryArray::try_from_iter([b"ab", b"cd"].into_iter()).unwrap()), "Binary"),
        ("ms", Arc::new(TimestampMillisecondArray::from(vec![Some(1), None])), "Timestamp(ms)"),
        ("zone", Arc::new(TimestampMillisecondArray::from(vec![Some(1), None]).with_timezone("+00:00")), "Timestamp(ns, \"+00:00\")"),
        ("date64", Arc::new(Date64Array::from(vec![Some(86_400_000), None])), "Date32"),
        ("time", Arc::new(Time32SecondArray::from(vec![Some(1), None])), "Time64(µs)"),
        ("duration", Arc::new(DurationMicrosecondArray::from(vec![Some(1), None])), "Duration(µs)"),
        ("list", Arc::new(list.finish()), "List(Utf8, field: 'element')"),
    ];
    let file = written(columns.iter().map(|(name, array, _)| (*name, Arc::clone(array))).collect());
    let mut table = opened(file).unwrap();
    for ((name, _, expected), field) in columns.iter().zip(table.schema().fields()) {
        assert_eq!((field.name().as_str(), field.data_type().to_string().as_str()), (*name, *expected));
    }
    let batch = all(&mut table).remove(0);
    let texts: Vec<String> = batch.columns().iter().map(|array| arrow_cast::display::array_value_to_string(array, 0).unwrap()).collect();
    let expected = [
        "1",
        "1.0",
        "1.0",
        "9007199254740993",
        "18446744073709551615",
        "",
        "true",
        "",
        "a",
        "a",
        "a",
        "6162",
        "1970-01-01T00:00:00.001",
        "1970-01-01T00:00:00.001Z",
        "1970-01-02",
        "00:00:01",
        "PT0.000001S",
        "[a, b]",
    ];
    assert_eq!(texts, expected);
    assert!(batch.column_by_name("f32").unwrap().is_null(0), "NaN is null");
}

#[test]
fn gaps_count_over_the_whole_file_with_and_without_statistics() {
    let values: Vec<Option<i64>> = (0..100).map(|i| (i != 99).then_some(i)).collect();
    for statistics in [EnabledStatistics::Chunk, EnabledStatistics::None] {
        for (values, expected) in [(&values[..99], DataType::Int64), (&values[..], DataType::Float64)] {
            let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
            let properties = WriterProperties::builder().set_statistics_enabled(statistics).set_max_row_group_row_count(Some(10));
            let mut table = opened(written_with(vec![("n", column)], properties)).unwrap();
            assert_eq!(*table.schema().field(0).data_type(), expected, "{statistics:?}");
            assert_eq!(all(&mut table).iter().map(RecordBatch::num_rows).sum::<usize>(), values.len());
        }
    }
}

#[test]
fn only_wanted_columns_are_read_and_all_are_named() {
    let numbers = || Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let decimal: ArrayRef = Arc::new(Decimal128Array::from(vec![1, 2, 3]));
    let file = written(vec![("b", numbers()), ("price", decimal), ("a", numbers())]);
    let wanted = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut table = open(Bytes::from(file.clone()).into(), Some(&wanted(&["a", "absent", "b"])), LIMITS).unwrap();
    let names: Vec<&str> = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!((names, table.names().to_vec(), table.index()), (vec!["b", "a"], wanted(&["b", "price", "a"]), None));
    assert_eq!(all(&mut table).len(), 1);
    let mut table = open(Bytes::from(file.clone()).into(), Some(&[]), LIMITS).unwrap();
    assert_eq!(all(&mut table).iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    let error = opened(file).err().unwrap();
    assert_eq!(error.reason(), Reason::UnsupportedFormat);
    assert!(error.to_string().contains("column \"price\" is of the type Decimal128(38, 10)"), "{error}");
}

#[test]
fn batches_keep_to_their_bytes_even_where_one_long_text_repeats() {
    let text = "x".repeat(100_000);
    let column: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 500]));
    let file = written(vec![("t", column)]);
    assert!(file.len() < 500_000, "a dictionary keeps it small");
    let mut table = opened(file).unwrap();
    let (mut rows, mut largest) = (0, 0);
    while let Some(batch) = table.next_batch().unwrap() {
        rows += batch.num_rows();
        largest = largest.max(batch.get_array_memory_size());
    }
    assert_eq!(rows, 500);
    assert!(largest <= 2 << 20, "{largest}");
}

#[test]
fn every_usual_compression_is_read_from_memory_and_from_a_file() {
    let column = || Arc::new(Int64Array::from_iter_values(0..50_000)) as ArrayRef;
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    for codec in codecs {
        let bytes = written_with(vec![("n", column())], WriterProperties::builder().set_compression(codec));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let on_disk = Input::File { file: Arc::new(file), length: bytes.len() as u64 };
        let mut from_memory = opened(bytes).unwrap();
        let mut from_file = open(on_disk, None, LIMITS).unwrap();
        assert_eq!(all(&mut from_memory), all(&mut from_file), "{codec}");
    }
}

#[test]
fn what_pandas_kept_as_index_is_known() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let entry = parquet::file::metadata::KeyValue::new("pandas".to_owned(), r#"{"index_columns": ["TIME"]}"#.to_owned());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![entry]));
    assert_eq!(opened(written_with(vec![("TIME", column)], properties)).unwrap().index(), Some("TIME"));
}

#[test]
fn what_is_no_parquet_file_says_so() {
    let good = written(vec![("n", Arc::new(Int64Array::from_iter_values(0..1_000)) as ArrayRef)]);
    let mut encrypted = good.clone();
    let end = encrypted.len();
    encrypted[end - 4..].copy_from_slice(b"PARE");
    let mut torn = good.clone();
    let end = torn.len();
    torn[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut scribbled = good.clone();
    let end = scribbled.len();
    scribbled[end - 60..end - 8].fill(0xff);
    for (name, bytes, reason, words) in [
        ("empty", Vec::new(), Reason::EmptyFile, "0 bytes"),
        ("text", b"a,b\n1,2\n".to_vec(), Reason::UnreadableFile, "no Parquet file: it begins with \"a,b\\n\""),
        ("cut", good[..good.len() / 2].to_vec(), Reason::TruncatedFile, "no footer"),
        ("short", b"PAR1".to_vec(), Reason::TruncatedFile, "no footer"),
        ("encrypted", encrypted, Reason::UnsupportedFormat, "encrypted"),
        ("footer beyond the start", torn, Reason::TruncatedFile, "ends too early"),
        ("footer of nonsense", scribbled, Reason::UnreadableFile, "cannot be"),
    ] {
        let error = opened(bytes).err().unwrap_or_else(|| panic!("{name} was opened"));
        assert_eq!(error.reason(), reason, "{name}: {error}");
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
}

#[test]
fn a_broken_page_names_its_column_and_row_group() {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|i| format!("text {i}"))));
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1_000)).set_compression(Compression::SNAPPY);
    let bytes = written_with(vec![("n", n), ("t", texts)], properties);
    let table = opened(bytes.clone()).unwrap();
    let (start, length) = table.metadata.metadata().row_group(1).column(1).byte_range();
    let mut broken = bytes.clone();
    broken[(start + 40) as usize..(start + length) as usize - 40].fill(0xff);
    let mut table = opened(broken).unwrap();
    let mut rows = 0;
    let error = loop {
        match table.next_batch() {
            Ok(Some(batch)) => rows += batch.num_rows(),
            Ok(None) => panic!("it was read"),
            Err(error) => break error,
        }
    };
    assert_eq!((rows, error.reason()), (1_000, Reason::UnreadableFile));
    assert!(error.to_string().contains("column \"t\" cannot be read in row group 2"), "{error}");
}

/// Whatever is changed in a file, it is read or refused.
#[test]
fn no_change_of_a_byte_takes_the_process_down() {
    let n: ArrayRef = Arc::new(Int64Array::from((0..50).map(|i| (i % 7 != 0).then_some(i)).collect::<Vec<_>>()));
    let t: ArrayRef = Arc::new(StringArray::from_iter_values((0..50).map(|i| format!("t{}", i % 3))));
    let good = written(vec![("n", n), ("t", t)]);
    for place in 0..good.len() {
        for change in [0xff, 0x01, 0x80] {
            let mut bytes = good.clone();
            bytes[place] ^= change;
            if let Ok(mut table) = opened(bytes) {
                while let Ok(Some(_)) = table.next_batch() {}
            }
        }
    }
}
