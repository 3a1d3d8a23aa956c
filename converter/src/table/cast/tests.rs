//! Each line of spec 5.3, held against what pyarrow 22 gave.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, DurationNanosecondArray, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, NullArray, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, TimeUnit};
use arrow_select::nullif::nullif;

use super::{cast, scalar_text};

const NS: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);
const MS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);
const DURATION: DataType = DataType::Duration(TimeUnit::Nanosecond);
const TIME32: DataType = DataType::Time32(TimeUnit::Millisecond);
const TIME64: DataType = DataType::Time64(TimeUnit::Microsecond);

/// The texts of a cast, `null` for null; none when it fails.
fn texts(array: &ArrayRef, to: &DataType) -> Option<String> {
    let out = cast(array, to).ok()?;
    assert_eq!(out.data_type(), to);
    assert_eq!(out.len(), array.len());
    Some((0..out.len()).map(|i| scalar_text(&out, i).unwrap_or_else(|| "null".into())).collect::<Vec<_>>().join("|"))
}

fn gives(array: impl Array + 'static, to: &DataType, expected: &str) {
    let array: ArrayRef = Arc::new(array);
    assert_eq!(texts(&array, to).as_deref(), Some(expected), "{} to {to}", array.data_type());
}

fn fails(array: impl Array + 'static, to: &DataType) {
    let array: ArrayRef = Arc::new(array);
    assert_eq!(texts(&array, to), None, "{} to {to}", array.data_type());
}

fn strings(values: &[&str]) -> StringArray {
    StringArray::from(values.to_vec())
}

#[test]
fn float_to_int_only_when_integral_and_in_range() {
    gives(Float64Array::from(vec![Some(1.0), None, Some(127.0), Some(-128.0), Some(-0.0)]), &DataType::Int8, "1|null|127|-128|0");
    for value in [1.5, 128.0, -129.0, f64::INFINITY, f64::NAN] {
        fails(Float64Array::from(vec![value]), &DataType::Int8);
    }
    gives(
        Float64Array::from(vec![-9_223_372_036_854_775_808.0, 4_611_686_018_427_387_904.0]),
        &DataType::Int64,
        "-9223372036854775808|4611686018427387904",
    );
    fails(Float64Array::from(vec![9_223_372_036_854_775_808.0]), &DataType::Int64);
    gives(Float64Array::from(vec![9_223_372_036_854_775_808.0]), &DataType::UInt64, "9223372036854775808");
    fails(Float64Array::from(vec![-1.0]), &DataType::UInt64);
    gives(Float32Array::from(vec![1.0, 16_777_216.0]), &DataType::Int32, "1|16777216");
}

#[test]
fn int_to_narrower_int_is_range_checked() {
    gives(Int32Array::from(vec![127, -128]), &DataType::Int8, "127|-128");
    fails(Int32Array::from(vec![128]), &DataType::Int8);
    fails(Int16Array::from(vec![-1]), &DataType::UInt16);
    gives(Int8Array::from(vec![-1]), &DataType::Int64, "-1");
}

#[test]
fn int_to_float_needs_an_exact_mantissa() {
    let edge = 1i64 << 53;
    gives(Int64Array::from(vec![edge, -edge]), &DataType::Float64, "9.007199254740992e+15|-9.007199254740992e+15");
    fails(Int64Array::from(vec![edge + 1]), &DataType::Float64);
    fails(Int64Array::from(vec![-edge - 1]), &DataType::Float64);
    fails(UInt64Array::from(vec![(1 << 53) + 1]), &DataType::Float64);
    gives(Int32Array::from(vec![1 << 24, -(1 << 24)]), &DataType::Float32, "16777216|-16777216");
    fails(Int32Array::from(vec![(1 << 24) + 1]), &DataType::Float32);
    fails(UInt32Array::from(vec![(1 << 24) + 1]), &DataType::Float32);
    fails(Int64Array::from(vec![(1 << 24) + 1]), &DataType::Float32);
    gives(Int32Array::from(vec![i32::MAX]), &DataType::Float64, "2147483647");
    gives(UInt16Array::from(vec![u16::MAX]), &DataType::Float32, "65535");
}

#[test]
fn float64_to_float32_always_works() {
    gives(Float64Array::from(vec![Some(0.1), Some(1e300), Some(1e-300), None]), &DataType::Float32, "0.1|inf|0|null");
    gives(Float32Array::from(vec![0.1]), &DataType::Float64, "0.10000000149011612");
}

#[test]
fn numbers_become_text() {
    gives(Int64Array::from(vec![-2_208_988_800]), &DataType::Utf8, "-2208988800");
    gives(
        Float64Array::from(vec![Some(1.0), Some(1.5), Some(0.1), Some(1e15), Some(1e-7), Some(123.0), None]),
        &DataType::Utf8,
        "1|1.5|0.1|1e+15|1e-7|123|null",
    );
    gives(Float32Array::from(vec![0.1, 1e10]), &DataType::Utf8, "0.1|1e+10");
    fails(Int64Array::from(vec![1]), &DataType::Binary);
}

#[test]
fn bools_become_text_and_numbers_and_back() {
    let both = || BooleanArray::from(vec![Some(true), Some(false), None]);
    gives(both(), &DataType::Utf8, "true|false|null");
    gives(both(), &DataType::Int32, "1|0|null");
    gives(both(), &DataType::Float32, "1|0|null");
    gives(Float64Array::from(vec![Some(0.0), Some(0.5), None]), &DataType::Boolean, "false|true|null");
    gives(Int8Array::from(vec![0, 1, -3]), &DataType::Boolean, "false|true|true");
}

#[test]
fn text_becomes_a_number_only_as_a_whole() {
    gives(strings(&["1", "-1", "007", "-0", "0x1F", "0X1f", "0xFFFFFFFF"]), &DataType::Int32, "1|-1|7|0|31|31|-1");
    for text in ["", " 1", "1 ", "+1", "1.0", "1e3", "2147483648", "1_0", "0x", "-0x1F", "0x1FFFFFFFF"] {
        fails(strings(&[text]), &DataType::Int32);
    }
    gives(strings(&["0x10", "255"]), &DataType::UInt8, "16|255");
    fails(strings(&["-0"]), &DataType::UInt8);
    let floats = ["1", "1.5", "-1.5", "1e3", "nan", "NaN", "inf", "-inf", "infinity", ".5", "5.", "1e400", "1e-400", "1.e5"];
    gives(strings(&floats), &DataType::Float64, "1|1.5|-1.5|1000|nan|nan|inf|-inf|inf|0.5|5|inf|0|100000");
    for text in ["", " 1", "1 ", "4,10,12", "1e", "e1", ".", "-", "0x1p3", "1d3"] {
        fails(strings(&[text]), &DataType::Float64);
    }
    gives(strings(&["0.1", "1e39"]), &DataType::Float32, "0.1|inf");
}

#[test]
fn text_becomes_bool_in_any_case() {
    gives(strings(&["true", "True", "tRuE", "1", "0", "FALSE"]), &DataType::Boolean, "true|true|true|true|false|false");
    for text in ["", "yes", "t", " true"] {
        fails(strings(&[text]), &DataType::Boolean);
    }
}

#[test]
fn bytes_become_text_when_they_are_utf8_and_numbers_when_that_text_is() {
    gives(BinaryArray::from_opt_vec(vec![Some(b"Z"), None, Some("é ".as_bytes())]), &DataType::Utf8, "Z|null|é ");
    fails(BinaryArray::from_vec(vec![b"\xff"]), &DataType::Utf8);
    let one_left_out = nullif(&BinaryArray::from_vec(vec![b"Z", b"\xff"]), &vec![false, true].into()).unwrap();
    gives(one_left_out.as_binary::<i32>().clone(), &DataType::Utf8, "Z|null");
    gives(BinaryArray::from_vec(vec![b"42"]), &DataType::Int32, "42");
    gives(BinaryArray::from_vec(vec![b"1"]), &DataType::Boolean, "true");
    fails(BinaryArray::from_vec(vec![b"2017-07-14"]), &NS);
    gives(strings(&["a"]), &DataType::Binary, "a");
}

#[test]
fn timestamps_become_text_and_back() {
    let time = TimestampNanosecondArray::from(vec![1_500_000_000_000_000_000, -1, 1_619_636_401_000_001_280]);
    gives(time, &DataType::Utf8, "2017-07-14 02:40:00.000000000|1969-12-31 23:59:59.999999999|2021-04-28 19:00:01.000001280");
    let texts = [
        "2017-07-14",
        "2017-07-14T02:40:00",
        "2017-07-14 02:40",
        "2017-07-14 02",
        "2017-07-14 02:40:00.1",
        "2017-07-14 02:40:00.123456789",
    ];
    gives(
        strings(&texts),
        &NS,
        "2017-07-14 00:00:00.000000000|2017-07-14 02:40:00.000000000|2017-07-14 02:40:00.000000000|2017-07-14 02:00:00.000000000|2017-07-14 02:40:00.100000000|2017-07-14 02:40:00.123456789",
    );
    for text in [
        "",
        " 2017-07-14",
        "2017-07",
        "20170714",
        "2017-7-4",
        "2017-07-14T02:40:00Z",
        "2017-07-14 02:40:00+01:00",
        "2017-07-14 24:00:00",
        "2017-02-30",
        "2017-07-14 02:40:60",
        "2017-07-14 02:40:00.1234567890",
        "0001-01-01",
        "2300-01-01",
    ] {
        fails(strings(&[text]), &NS);
    }
    gives(strings(&["0001-01-01", "2017-07-14 02:40:00.1"]), &MS, "0001-01-01 00:00:00.000|2017-07-14 02:40:00.100");
    fails(strings(&["2017-07-14 02:40:00.1234"]), &MS);
    gives(strings(&["2017-07-14"]), &DataType::Date32, "2017-07-14");
    fails(strings(&["2017-07-14 00:00:00"]), &DataType::Date32);
}

#[test]
fn times_are_rescaled_without_loss() {
    let ns = |values: Vec<i64>| TimestampNanosecondArray::from(values);
    gives(ns(vec![1_000_000, -1_000_000]), &MS, "1970-01-01 00:00:00.001|1969-12-31 23:59:59.999");
    fails(ns(vec![1]), &MS);
    gives(ns(vec![-1, 86_400_000_000_000]), &DataType::Date32, "1969-12-31|1970-01-02");
    gives(ns(vec![1_000_000_000, -1_000_000_000]), &TIME32, "00:00:01|23:59:59");
    fails(ns(vec![1]), &TIME32);
    gives(ns(vec![1_000_001_000]), &TIME64, "00:00:01.000001");
    fails(ns(vec![1]), &TIME64);
}

#[test]
fn times_of_other_units_and_zones_keep_their_instant() {
    let us = |zone: Option<&str>| TimestampMicrosecondArray::from(vec![Some(1_500_000_000_123_456), None]).with_timezone_opt(zone);
    gives(us(None), &NS, "2017-07-14 02:40:00.123456000|null");
    gives(us(Some("+10:00")), &NS, "2017-07-14 02:40:00.123456000|null");
    gives(us(None), &DataType::Utf8, "2017-07-14 02:40:00.123456|null");
    fails(us(None), &MS);
    gives(TimestampSecondArray::from(vec![-1]), &DataType::Utf8, "1969-12-31 23:59:59");
    gives(TimestampSecondArray::from(vec![-1]), &MS, "1969-12-31 23:59:59.000");
    gives(TimestampMillisecondArray::from(vec![1_500]), &MS, "1970-01-01 00:00:01.500");
    gives(TimestampNanosecondArray::from(vec![1]).with_timezone("UTC"), &NS, "1970-01-01 00:00:00.000000001");
    gives(TimestampNanosecondArray::from(vec![1]).with_timezone("UTC"), &DataType::Utf8, "1970-01-01 00:00:00.000000001Z");
    gives(Date32Array::from(vec![1, -1]), &NS, "1970-01-02 00:00:00.000000000|1969-12-31 00:00:00.000000000");
    gives(Date32Array::from(vec![1]), &MS, "1970-01-02 00:00:00.000");
    gives(Date32Array::from(vec![1]), &DataType::Utf8, "1970-01-02");
}

#[test]
fn int64_is_reinterpreted_as_times_and_back() {
    gives(Int64Array::from(vec![Some(1), None]), &NS, "1970-01-01 00:00:00.000000001|null");
    gives(Int64Array::from(vec![1]), &MS, "1970-01-01 00:00:00.001");
    gives(Int64Array::from(vec![-5]), &DURATION, "-5");
    gives(Int64Array::from(vec![1]), &TIME64, "00:00:00.000001");
    gives(TimestampNanosecondArray::from(vec![7]), &DataType::Int64, "7");
    gives(DurationNanosecondArray::from(vec![7]), &DataType::Int64, "7");
    gives(DurationNanosecondArray::from(vec![-5]), &DataType::Utf8, "-5");
    gives(Int32Array::from(vec![1]), &DataType::Date32, "1970-01-02");
    gives(Int32Array::from(vec![1, 86_399]), &TIME32, "00:00:01|23:59:59");
}

#[test]
fn other_pairs_have_no_cast() {
    fails(Float64Array::from(vec![1.0]), &NS);
    fails(Float64Array::from(vec![1.0]), &DURATION);
    fails(Float32Array::from(vec![1.0]), &DataType::Date32);
    fails(TimestampNanosecondArray::from(vec![1]), &DataType::Int32);
    fails(TimestampNanosecondArray::from(vec![1]), &DataType::Float64);
    fails(TimestampNanosecondArray::from(vec![1]), &DURATION);
    fails(TimestampNanosecondArray::from(vec![1]), &DataType::Boolean);
    fails(TimestampNanosecondArray::from(vec![1]), &DataType::Binary);
    fails(DurationNanosecondArray::from(vec![1]), &DataType::Float32); // "seconds" configured as float
    fails(DurationNanosecondArray::from(vec![1]), &NS);
    fails(Int32Array::from(vec![1]), &NS);
    fails(Int64Array::from(vec![1]), &DataType::Date32);
    fails(BooleanArray::from(vec![true]), &NS);
    let list = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
    fails(strings(&["a"]), &list);
    fails(Int32Array::from(vec![1]), &list);
}

#[test]
fn nulls_become_anything() {
    let list = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
    for to in [DataType::Int8, DataType::Float32, DataType::Utf8, NS, DURATION, DataType::Date32, TIME32, TIME64, list] {
        gives(NullArray::new(2), &to, "null|null");
    }
}

#[test]
fn a_failure_names_the_value() {
    let array: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.5]));
    assert_eq!(cast(&array, &DataType::Int32).unwrap_err().text(0), "value 2.5 (number 1)");
    let array: ArrayRef = Arc::new(strings(&["4,10,12"]));
    assert_eq!(cast(&array, &DataType::Float64).unwrap_err().text(0), "value \"4,10,12\" (number 0)");
}
