//! Our column chunks against those of the `parquet` crate: the same rows, the same statistics.
#![allow(clippy::unwrap_used)] // a test stops where it fails

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, DurationNanosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time64MicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat;
use bytes::Bytes;
use converter::read::Input;
use converter::write::{Cells, ChunkEncoder, ObjectFormat, ObjectWriter, Strip};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{ColumnOrder, Compression, Encoding};
use parquet::column::page::Page;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::{Statistics, ValueStatistics};

/// Numbers without a pattern, the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn numbers<T: ArrowPrimitiveType>(random: &mut Random, count: usize, make: impl Fn(u64) -> T::Native) -> ArrayRef {
    let (distinct, gaps) = ([1, 3, 100, u64::MAX][random.below(4)], random.below(3));
    let values = (0..count)
        .map(|_| (gaps == 0 || random.below(10 * gaps) > 0).then(|| make((random.next() % distinct).wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    Arc::new(values.collect::<Vec<_>>().into_iter().collect::<PrimitiveArray<T>>())
}

fn texts(random: &mut Random, count: usize) -> Vec<Option<String>> {
    let (kind, gaps) = (random.below(5), random.below(3));
    let text = |random: &mut Random| match kind {
        0 => ["1", "4", "9", " "][random.below(4)].to_owned(),
        1 => "x".repeat(random.below(3)),
        2 => format!("station {}", random.below(7)),
        3 => format!("é{:016x} is unlike the others", random.next()),
        _ => ["", "1", "22", "the same long text again and again"][random.below(4)].to_owned(),
    };
    (0..count).map(|_| (gaps == 0 || random.below(10 * gaps) > 0).then(|| text(random))).collect()
}

fn columns(random: &mut Random, count: usize) -> Vec<ArrayRef> {
    let f32s = |bits: u64| match bits % 50 {
        0 => f32::NAN,
        1 => -0.0,
        2 => 0.0,
        3 => f32::NEG_INFINITY,
        _ => (bits % 100_000) as f32 / 7.0 - 5_000.0,
    };
    let text = texts(random, count);
    let binary = texts(random, count);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for _ in 0..count {
        (0..random.below(3)).for_each(|i| lists.values().append_value(format!("item {i}")));
        lists.append(random.below(5) > 0);
    }
    vec![
        numbers::<Int8Type>(random, count, |v| v as i8),
        numbers::<Int16Type>(random, count, |v| v as i16),
        numbers::<Int32Type>(random, count, |v| v as i32),
        numbers::<Int64Type>(random, count, |v| v as i64),
        numbers::<UInt8Type>(random, count, |v| v as u8),
        numbers::<UInt16Type>(random, count, |v| v as u16),
        numbers::<UInt32Type>(random, count, |v| v as u32),
        numbers::<UInt64Type>(random, count, |v| v),
        numbers::<Float32Type>(random, count, f32s),
        numbers::<Float64Type>(random, count, |v| f64::from(f32s(v))),
        numbers::<Date32Type>(random, count, |v| (v % 40_000) as i32),
        numbers::<Time32MillisecondType>(random, count, |v| (v % 86_400_000) as i32),
        numbers::<Time64MicrosecondType>(random, count, |v| (v % 86_400_000_000) as i64),
        numbers::<TimestampNanosecondType>(random, count, |v| v as i64),
        numbers::<TimestampMillisecondType>(random, count, |v| (v % 1_000_000_000_000) as i64),
        numbers::<DurationNanosecondType>(random, count, |v| v as i64),
        Arc::new(StringArray::from(text)),
        Arc::new(binary.iter().map(|text| text.as_ref().map(String::as_bytes)).collect::<BinaryArray>()),
        Arc::new((0..count).map(|_| (random.below(9) > 0).then(|| random.below(2) == 1)).collect::<BooleanArray>()),
        Arc::new(lists.finish()),
        Arc::new(PrimitiveArray::<Float32Type>::new_null(count)),
        Arc::new(std::iter::repeat_n(f64::NAN, count).collect::<PrimitiveArray<Float64Type>>()),
    ]
}

/// Rows taken from values in every way there is.
fn strips(random: &mut Random, values: usize) -> Arc<[Strip]> {
    let strip = |random: &mut Random| {
        let first = random.below(values);
        let left = values - first;
        match random.below(4) {
            0 => Strip::run(first, random.below(200)),
            1 => Strip { first, step: 3, rows: random.below(left.div_ceil(3)) },
            _ => Strip::slice(first, random.below(left + 1)),
        }
    };
    (0..=random.below(6)).map(|_| strip(random)).collect()
}

fn schema(columns: &[ArrayRef]) -> SchemaRef {
    let field = |(i, array): (usize, &ArrayRef)| Field::new(format!("c{i}"), array.data_type().clone(), true);
    Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()))
}

fn written(schema: &SchemaRef, encoder: &mut ChunkEncoder, groups: &[Vec<Vec<Cells>>]) -> Bytes {
    let format = ObjectFormat::new(schema).unwrap();
    let mut writer = ObjectWriter::new(&format, encoder, u64::MAX).unwrap();
    for group in groups {
        for cells in group {
            writer.write(cells.iter().cloned());
        }
        writer.end_row_group().unwrap();
    }
    match writer.finish().unwrap() {
        Input::Memory(bytes) => bytes,
        Input::File { .. } => unreachable!("it was to stay in memory"),
    }
}

/// What the `parquet` crate makes of the same rows.
fn reference(schema: &SchemaRef, groups: &[RecordBatch]) -> Bytes {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties)).unwrap();
    for group in groups {
        writer.write(group).unwrap();
        writer.flush().unwrap();
    }
    writer.into_inner().unwrap().into()
}

/// The rows of the row groups, one batch each.
fn expanded(schema: &SchemaRef, groups: &[Vec<Vec<Cells>>]) -> Vec<RecordBatch> {
    let batch = |group: &Vec<Vec<Cells>>| {
        let column = |i: usize| {
            let parts: Vec<ArrayRef> = group.iter().map(|cells| cells[i].expanded(schema.field(i).data_type()).unwrap()).collect();
            concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
        };
        RecordBatch::try_new(Arc::clone(schema), (0..schema.fields().len()).map(column).collect()).unwrap()
    };
    groups.iter().map(batch).collect()
}

/// Statistics of floats as readers take them that do not know of IEEE 754's order: NaN is no extreme, and
/// zeros are of either sign.
fn in_type_order(statistics: &Statistics) -> Statistics {
    macro_rules! floats {
        ($known:expr) => {{
            let least = $known.min_opt().copied().filter(|v| !v.is_nan()).map(|v| if v == 0.0 { -0.0 } else { v });
            let most = $known.max_opt().copied().filter(|v| !v.is_nan()).map(|v| if v == 0.0 { 0.0 } else { v });
            ValueStatistics::new(least, most, None, $known.null_count_opt(), least.is_none()).with_nan_count($known.nan_count_opt()).into()
        }};
    }
    match statistics {
        Statistics::Float(known) => floats!(known),
        Statistics::Double(known) => floats!(known),
        other => other.clone(),
    }
}

fn check(schema: &SchemaRef, encoder: &mut ChunkEncoder, groups: &[Vec<Vec<Cells>>]) -> Bytes {
    let bytes = written(schema, encoder, groups);
    let expected = expanded(schema, groups);
    let ours = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap();
    let theirs = ParquetRecordBatchReaderBuilder::try_new(reference(schema, &expected)).unwrap();
    assert_eq!(ours.schema(), schema);
    let orders = ours.metadata().file_metadata().column_orders().unwrap();
    assert!(orders.iter().all(|order| matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_))), "{orders:?}");
    for (i, (ours, theirs)) in ours.metadata().row_groups().iter().zip(theirs.metadata().row_groups()).enumerate() {
        assert_eq!(ours.num_rows(), theirs.num_rows());
        for (ours, theirs) in ours.columns().iter().zip(theirs.columns()) {
            let (told, expected) = (ours.statistics().unwrap(), in_type_order(theirs.statistics().unwrap()));
            // As text, where zeros have signs.
            assert_eq!(format!("{told:?}"), format!("{expected:?}"), "row group {i}, column {}", ours.column_path());
            assert_eq!(ours.num_values(), theirs.num_values());
        }
    }
    for (i, group) in expected.iter().enumerate() {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().with_row_groups(vec![i]);
        let batches: Vec<RecordBatch> = reader.with_batch_size(usize::MAX >> 1).build().unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), group.num_rows());
        for (number, column) in group.columns().iter().enumerate() {
            for read in &batches {
                // Bit for bit, NaN and the sign of zero too.
                assert_eq!(read.column(number).to_data(), column.to_data(), "row group {i}, column {number}: {}", column.data_type());
            }
        }
    }
    bytes
}

#[test]
fn any_rows_of_any_type_are_read_back_with_the_same_statistics() {
    let mut random = Random(7);
    let mut encoder = ChunkEncoder::default();
    for turn in 0..60 {
        let count = [1, 2, 7, 64, 1_000, 6_000][turn % 6];
        let mut groups = Vec::new();
        let mut first = None;
        for _ in 0..=random.below(3) {
            let mut group = Vec::new();
            for _ in 0..=random.below(2) {
                let values = columns(&mut random, count);
                let strips = strips(&mut random, count);
                first.get_or_insert_with(|| schema(&values));
                group.push(values.into_iter().map(|values| Cells { values: Some(values), strips: Arc::clone(&strips) }).collect());
            }
            let group: Vec<Vec<Cells>> = group;
            if group.iter().any(|cells| cells[0].rows() > 0) {
                groups.push(group);
            }
        }
        check(&first.unwrap(), &mut encoder, &groups);
    }
}

#[test]
fn null_cells_stand_beside_values() {
    let values: ArrayRef = Arc::new(PrimitiveArray::<Int32Type>::from_iter_values(0..50));
    let nulls = Cells { values: None, strips: [Strip::run(0, 13)].into() };
    let some = Cells { values: Some(Arc::clone(&values)), strips: [Strip::slice(3, 40)].into() };
    let groups = [vec![vec![nulls.clone()], vec![some.clone()], vec![nulls.clone()]], vec![vec![nulls]], vec![vec![some]]];
    check(&schema(&[values]), &mut ChunkEncoder::default(), &groups);
}

#[test]
fn texts_beyond_a_page_take_several_and_no_dictionary() {
    let long: ArrayRef = Arc::new((0..3_000).map(|i| (i % 10 != 9).then(|| format!("{i:04}").repeat(300))).collect::<StringArray>());
    let cells = Cells { values: Some(Arc::clone(&long)), strips: [Strip::slice(0, 3_000)].into() };
    let bytes = check(&schema(&[long]), &mut ChunkEncoder::default(), &[vec![vec![cells]]]);
    let reader = SerializedFileReader::new(bytes).unwrap();
    let pages: Vec<Page> = reader.get_row_group(0).unwrap().get_column_page_reader(0).unwrap().map(Result::unwrap).collect();
    assert!(pages.len() > 2 && pages.iter().all(|page| page.encoding() == Encoding::PLAIN));
    assert_eq!(pages.iter().map(Page::num_values).sum::<u32>(), 3_000);
}

#[test]
fn a_dictionary_is_taken_where_it_is_smaller() {
    let few: ArrayRef = Arc::new((0..20_000).map(|i| f64::from(i % 50)).collect::<PrimitiveArray<Float64Type>>());
    let many: ArrayRef = Arc::new((0..20_000).map(f64::from).collect::<PrimitiveArray<Float64Type>>());
    let cells = |values: &ArrayRef| Cells { values: Some(Arc::clone(values)), strips: [Strip::slice(0, 20_000)].into() };
    let groups = [vec![vec![cells(&few), cells(&many)]]];
    let bytes = check(&schema(&[few, many]), &mut ChunkEncoder::default(), &groups);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let group = reader.metadata().row_group(0);
    assert!(group.column(0).dictionary_page_offset().is_some() && group.column(0).compressed_size() < 20_000);
    assert!(group.column(1).dictionary_page_offset().is_none());
}

#[test]
fn the_same_rows_give_the_same_bytes_whatever_strips_they_come_in() {
    let mut random = Random(3);
    let mut encoder = ChunkEncoder::default();
    for distinct in [3, 4_000, 30_000] {
        let values = (0..20_000).map(|i| (i % 7 != 3).then(|| random.below(distinct) as f32)).collect::<Vec<_>>();
        let values: ArrayRef = Arc::new(values.into_iter().collect::<PrimitiveArray<Float32Type>>());
        let text: ArrayRef = Arc::new((0..20_000).map(|_| Some(format!("{}", random.below(distinct)))).collect::<StringArray>());
        let schema = schema(&[Arc::clone(&values), Arc::clone(&text)]);
        let cut = |random: &mut Random| {
            let (mut strips, mut at) = (Vec::new(), 0);
            while at < 20_000 {
                let most = [4, 100, 9_000][random.below(3)];
                let rows = (1 + random.below(most)).min(20_000 - at);
                strips.push(if rows == 1 { Strip::run(at, 1) } else { Strip::slice(at, rows) });
                at += rows;
            }
            let strips: Arc<[Strip]> = strips.into();
            [&values, &text].map(|values| Cells { values: Some(Arc::clone(values)), strips: Arc::clone(&strips) }).to_vec()
        };
        let first = written(&schema, &mut encoder, &[vec![cut(&mut random)]]);
        for _ in 0..5 {
            assert!(first == written(&schema, &mut encoder, &[vec![cut(&mut random)]]), "{distinct} values");
        }
    }
}

#[test]
fn a_scratch_file_holds_what_memory_would() {
    let values: ArrayRef = Arc::new((0..5_000).map(|i| f64::from(i) / 3.0).collect::<PrimitiveArray<Float64Type>>());
    let schema = schema(&[Arc::clone(&values)]);
    let cells = Cells { values: Some(values), strips: [Strip::slice(0, 5_000)].into() };
    let mut encoder = ChunkEncoder::default();
    let memory = written(&schema, &mut encoder, &[vec![vec![cells.clone()]]]);
    let format = ObjectFormat::new(&schema).unwrap();
    let mut writer = ObjectWriter::new(&format, &mut encoder, 0).unwrap();
    writer.write([cells]);
    let scratch = writer.finish().unwrap();
    assert!(matches!(scratch, Input::File { .. }));
    assert!(memory == scratch.read_at(0, usize::MAX).unwrap());
}

#[test]
fn a_file_without_columns_is_an_error() {
    assert!(ObjectFormat::new(&schema(&[])).unwrap_err().to_string().contains("no column"));
}

#[test]
fn a_row_outside_the_values_is_an_error() {
    let values: ArrayRef = Arc::new(PrimitiveArray::<Int32Type>::from_iter_values(0..5));
    let format = ObjectFormat::new(&schema(&[Arc::clone(&values)])).unwrap();
    let mut encoder = ChunkEncoder::default();
    let mut writer = ObjectWriter::new(&format, &mut encoder, u64::MAX).unwrap();
    writer.write([Cells { values: Some(values), strips: [Strip::slice(3, 3)].into() }]);
    assert!(writer.end_row_group().unwrap_err().to_string().contains("outside"));
}
