//! The CF decode rule by rule; the values are those of xarray 2025.6.1.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use arrow_array::cast::AsArray;
use arrow_array::types::{DurationNanosecondType, Float32Type, Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use convert_support::fake::{Fake, text};
use converter::cf::{CfError, decode, decoded_dimensions, joined_dimension, of_some_length};
use converter::read::{Reader, Values};
use crds::wire::Compat;

const NS: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

/// Decodes the last variable of a file.
fn last(file: &Fake, compat: Compat) -> Result<ArrayRef, CfError> {
    let index = file.variables().len() - 1;
    let variable = &file.variables()[index];
    let joined = joined_dimension(file, variable).map(|d| d.length);
    let places = decoded_dimensions(file, variable).iter().map(|&d| file.dimensions()[d].length).product();
    let (raw, joined) = of_some_length(file.read(index).unwrap(), joined, places);
    Ok(decode(variable, raw, joined, compat.into())?.array)
}

fn natural(file: &Fake) -> ArrayRef {
    last(file, Compat::Incumbent).unwrap()
}

fn one(values: Values) -> Fake {
    let n = format!("n={}", values.len());
    Fake::default().variable("v", &[&n], values)
}

fn times(file: &Fake) -> Vec<Option<i64>> {
    let array = natural(file);
    assert_eq!(array.data_type(), &NS);
    array.as_primitive::<TimestampNanosecondType>().iter().collect()
}

fn f32s(array: &ArrayRef) -> Vec<Option<f32>> {
    array.as_primitive::<Float32Type>().iter().collect()
}

fn f64s(array: &ArrayRef) -> Vec<Option<f64>> {
    array.as_primitive::<Float64Type>().iter().collect()
}

fn bytes(array: &ArrayRef) -> Vec<Option<&[u8]>> {
    array.as_binary::<i32>().iter().collect()
}

#[test]
fn characters_join_along_a_dimension_only_text_uses() {
    let letters = || Values::Char(b"ab\0 b \0\0\0a\0b".to_vec());
    let file = Fake::default().variable("c", &["n=4", "length=3"], letters());
    let array = natural(&file);
    assert_eq!(bytes(&array), [Some(&b"ab"[..]), Some(b" b "), Some(b""), Some(b"a\0b")], "trailing NULs vanish, nothing else");
    assert_eq!(decoded_dimensions(&file, &file.variables()[0]).len(), 1);

    // Another variable on that dimension, or one of its name, keeps the bytes apart.
    let shared = Fake::default().variable("x", &["length=3"], Values::I32(vec![1, 2, 3])).variable("c", &["n=4", "length=3"], letters());
    assert_eq!(natural(&shared).len(), 12);
    let named = Fake::default().variable("length", &[], Values::I32(vec![3])).variable("c", &["n=4", "length=3"], letters());
    assert_eq!(natural(&named).len(), 12);
    let not_last = Fake::default().variable("d", &["length=3", "n=4"], letters()).variable("c", &["n=4", "length=3"], letters());
    assert_eq!(natural(&not_last).len(), 12);
}

#[test]
fn texts_of_no_length_are_empty_and_as_many_as_their_places() {
    let file = Fake::default().variable("NAME", &["n=3", "length=0"], Values::Char(vec![]));
    assert_eq!(natural(&file).as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(&b""[..]); 3]);
}

#[test]
fn text_is_masked_as_a_whole() {
    let fill = |file: Fake| file.with("_FillValue", Values::Char(b" ".to_vec()));
    let numbers = Fake::default().variable("x", &["n=3"], Values::I8(vec![0; 3]));
    let single = fill(numbers.variable("c", &["n=3"], Values::Char(b"A B".to_vec())));
    assert_eq!(bytes(&natural(&single)), [Some(&b"A"[..]), None, Some(b"B")]);
    let joined = fill(Fake::default().variable("c", &["n=2", "length=2"], Values::Char(b"  A ".to_vec())));
    assert_eq!(bytes(&natural(&joined)), [Some(&b"  "[..]), Some(b"A ")], "a blank of two is not the fill of one");
    let encoded = one(Values::Char(b"AB".to_vec())).with("_Encoding", text("utf-8"));
    assert_eq!(natural(&encoded).data_type(), &DataType::Utf8);
    let strings = one(Values::Text(vec!["a".into(), String::new()])).with("missing_value", text("a"));
    assert_eq!(natural(&strings).as_string::<i32>().iter().collect::<Vec<_>>(), [None, Some("")]);
}

#[test]
fn integers_stay_integers_unless_a_fill_value_is_named() {
    assert_eq!(natural(&one(Values::I8(vec![1, -127]))).data_type(), &DataType::Int8, "library defaults are not masked");
    for (values, fill) in [(Values::I8(vec![1, 99]), Values::I8(vec![99])), (Values::U16(vec![1, 99]), Values::U16(vec![99]))] {
        assert_eq!(f32s(&natural(&one(values).with("_FillValue", fill))), [Some(1.0), None]);
    }
    for (values, fill) in [(Values::I32(vec![1, 99]), Values::I32(vec![99])), (Values::I64(vec![1, 99]), Values::I64(vec![99]))] {
        assert_eq!(f64s(&natural(&one(values).with("missing_value", fill))), [Some(1.0), None]);
    }
    let both = one(Values::I16(vec![1, 2, 3, 4])).with("_FillValue", Values::I16(vec![2])).with("missing_value", Values::I16(vec![3, 4]));
    assert_eq!(f32s(&natural(&both)), [Some(1.0), None, None, None], "both attributes, arrays too");
    let nan = one(Values::I16(vec![1])).with("_FillValue", Values::F32(vec![f32::NAN]));
    assert_eq!(natural(&nan).data_type(), &DataType::Int16, "a fill of nothing but NaN is ignored");
}

#[test]
fn floats_are_compared_in_their_own_type_and_nan_is_null() {
    let file = one(Values::F32(vec![1.0, 9.969_21e36, f32::NAN])).with("_FillValue", Values::F64(vec![9.969_209_968_386_869e36]));
    assert_eq!(f32s(&natural(&file)), [Some(1.0), None, None]);
    assert_eq!(f64s(&natural(&one(Values::F64(vec![f64::NAN, 1.0])))), [None, Some(1.0)]);
    let valid = one(Values::F32(vec![1.0, 500.0])).with("valid_max", Values::F32(vec![40.0]));
    assert_eq!(natural(&valid).null_count(), 0, "valid ranges never mask");
}

#[test]
fn unsigned_turns_the_sign_first() {
    let file = one(Values::I8(vec![-1, -2, 3])).with("_Unsigned", text("true")).with("_FillValue", Values::I8(vec![-1]));
    assert_eq!(f32s(&natural(&file)), [None, Some(254.0), Some(3.0)]);
    let file = one(Values::U8(vec![255, 3])).with("_Unsigned", text("false"));
    assert_eq!(natural(&file).data_type(), &DataType::Int8);
}

#[test]
fn packed_values_take_the_type_rule_three_names() {
    let packed = |values: Values, scale: Option<Values>, offset: Option<Values>| {
        let mut file = one(values);
        if let Some(scale) = scale {
            file = file.with("scale_factor", scale);
        }
        if let Some(offset) = offset {
            file = file.with("add_offset", offset);
        }
        natural(&file)
    };
    let (single, double) = (|v: f32| Some(Values::F32(vec![v])), |v: f64| Some(Values::F64(vec![v])));
    assert_eq!(f32s(&packed(Values::I16(vec![3]), single(0.1), single(5.0))), [Some(3.0f32 * 0.1 + 5.0)]);
    assert_eq!(f64s(&packed(Values::I32(vec![3]), single(0.1), single(5.0))), [Some(3.0 * f64::from(0.1f32) + 5.0)]);
    assert_eq!(f64s(&packed(Values::I16(vec![3]), single(0.1), double(5.0))), [Some(3.0 * f64::from(0.1f32) + 5.0)]);
    assert_eq!(f64s(&packed(Values::I16(vec![3]), None, single(5.0))), [Some(8.0)]);
    assert_eq!(f32s(&packed(Values::F64(vec![3.0]), single(0.1), None)), [Some(3.0f32 * 0.1)]);
    assert_eq!(f64s(&packed(Values::F32(vec![3.0]), double(0.1), None)), [Some(3.0 * 0.1)]);
    let masked = one(Values::I16(vec![3, -1])).with("scale_factor", Values::F32(vec![0.5])).with("_FillValue", Values::I16(vec![-1]));
    assert_eq!(f32s(&natural(&masked)), [Some(1.5), None]);
}

#[test]
fn the_incumbent_loses_missing_values_to_a_whole_scale() {
    let decoded = |values: Values, scale: Values, compat| {
        let file = one(values).with("scale_factor", scale).with("_FillValue", Values::I16(vec![-1]));
        last(&file, compat).unwrap()
    };
    let i64s = |array: ArrayRef| array.as_primitive::<Int64Type>().values().to_vec();
    let (stored, long) = (Values::I16(vec![3, -1]), |scale| Values::I64(vec![scale]));
    assert_eq!(f64s(&decoded(stored.clone(), long(2), Compat::Fixed)), [Some(6.0), None]);
    assert_eq!(i64s(decoded(stored.clone(), long(2), Compat::Incumbent)), [6, 0], "the least number, doubled, in 64 bits");
    assert_eq!(i64s(decoded(stored.clone(), long(1), Compat::Incumbent)), [3, i64::MIN]);
    assert_eq!(i64s(decoded(stored.clone(), Values::I32(vec![3]), Compat::Incumbent)), [9, i64::from(i32::MIN)]);
    assert_eq!(i64s(decoded(stored, Values::I16(vec![20_000]), Compat::Incumbent)), [-5_536, 0], "60,000 in 16 bits");
    let floats = Values::F32(vec![3.75, f32::NAN, -1.0]);
    assert_eq!(i64s(decoded(floats, long(1), Compat::Incumbent)), [3, i64::MIN, i64::MIN]);
}

#[test]
fn exact_plural_units_are_durations() {
    let ns = |file: &Fake, compat| -> Vec<Option<i64>> {
        let array = last(file, compat).unwrap();
        array.as_primitive::<DurationNanosecondType>().iter().collect()
    };
    assert_eq!(
        ns(&one(Values::F64(vec![1.5, f64::NAN, 2.25])).units("seconds"), Compat::Incumbent),
        [Some(1_500_000_000), None, Some(2_250_000_000)]
    );
    assert_eq!(ns(&one(Values::I16(vec![2, 3])).units("milliseconds"), Compat::Incumbent), [Some(2_000_000), Some(3_000_000)]);
    // float32 days are multiplied in float64, hours in float32.
    assert_eq!(ns(&one(Values::F32(vec![22.223_871])).units("days"), Compat::Incumbent), [Some(1_920_142_474_365_234)]);
    // Small integers wrap in the incumbent: 87 hours are not -14,480 seconds.
    let hours = one(Values::I16(vec![7, 87])).units("hours");
    assert_eq!(ns(&hours, Compat::Incumbent), [Some(25_200_000_000_000), Some(-14_480_000_000_000)]);
    assert_eq!(ns(&hours, Compat::Fixed), [Some(25_200_000_000_000), Some(313_200_000_000_000)]);
    // An unmasked fill is missing to both; what only nanoseconds cannot hold costs the incumbent the file.
    for fill in [Values::F32(vec![1.5, 9.969_21e36]), Values::F64(vec![1.5, f64::NEG_INFINITY])] {
        for compat in [Compat::Fixed, Compat::Incumbent] {
            assert_eq!(ns(&one(fill.clone()).units("seconds"), compat), [Some(1_500_000_000), None]);
        }
    }
    for large in [Values::F64(vec![1.0, 1e10]), Values::I64(vec![1, 10_000_000_000])] {
        let large = one(large).units("seconds");
        assert_eq!(ns(&large, Compat::Fixed), [Some(1_000_000_000), None]);
        assert!(matches!(last(&large, Compat::Incumbent), Err(CfError::DurationRange { .. })));
    }
    for units in ["s", "second", "Seconds"] {
        assert_eq!(natural(&one(Values::F32(vec![1.0])).units(units)).data_type(), &DataType::Float32, "{units}");
    }
}

#[test]
fn times_are_one_truncated_product() {
    let days = one(Values::F64(vec![26_050.791_678_240_756, f64::NAN])).units("days since 1950-01-01 00:00:00 UTC");
    assert_eq!(times(&days), [Some(1_619_636_401_000_001_280), None], "the noise is part of the output");
    assert_eq!(
        times(&one(Values::I32(vec![1])).units("Hour since 2000-01-01T00:00:00+10:00")),
        [Some(946_648_800_000_000_000 + 3_600_000_000_000)]
    );
    let masked = one(Values::I64(vec![1, -9])).units("seconds since 1970-01-01").with("_FillValue", Values::I64(vec![-9]));
    assert_eq!(times(&masked), [Some(1_000_000_000), None]);
    assert_eq!(times(&one(Values::F32(vec![0.1])).units("days since 1970-01-01")), [Some((f64::from(0.1f32) * 86_400e9) as i64)]);
}

#[test]
fn old_references_and_short_units_go_through_the_calendar() {
    // The mixed calendar: two days earlier than proleptic counting.
    let days = one(Values::F64(vec![738_579.75])).units("days since 0001-01-01");
    assert_eq!(times(&days), [Some(1_677_693_600_000_000_000 - 172_800_000_000_000)]);
    let proleptic = days.clone().with("calendar", text("proleptic_gregorian"));
    assert_eq!(times(&proleptic), [Some(1_677_693_600_000_000_000)]);
    // To the nearest microsecond.
    assert_eq!(times(&one(Values::F64(vec![10_958.402_600_61])).units("secs since 1970-01-01")), [Some(10_958_402_601_000)]);
}

#[test]
fn julian_dates_are_repaired_to_whole_seconds() {
    let file = one(Values::F64(vec![3_636.363_636_363_636])).units("days since 1950-01-01").with("calendar", text("julian"));
    assert_eq!(times(&file), [Some(-316_970_182_000_000_000)]);
    let gap = one(Values::F64(vec![0.0, f64::NAN])).units("days since 1950-01-01").with("calendar", text("julian"));
    assert!(matches!(last(&gap, Compat::Incumbent), Err(CfError::Calendar { .. })));
    assert_eq!(last(&gap, Compat::Fixed).unwrap().null_count(), 1);
}

#[test]
fn what_is_no_time_names_variable_and_units() {
    for (units, calendar) in [
        ("months since 1970-01-01", "standard"),
        ("seconds_since_epoch", "standard"),
        ("days since the beginning", "standard"),
        ("days since 1970-01-01", "martian"),
        ("days since 0000-01-01", "standard"),
        ("days since 1582-10-10", "standard"),
    ] {
        let file = one(Values::F64(vec![1.0])).units(units).with("calendar", text(calendar));
        for compat in [Compat::Fixed, Compat::Incumbent] {
            let error = last(&file, compat).unwrap_err();
            assert!(matches!(&error, CfError::Units { variable, units: u, .. } if variable == "v" && u == units), "{error}");
        }
    }
    for calendar in ["noleap", "365_day", "all_leap", "360_day"] {
        let file = one(Values::F64(vec![1.0])).units("days since 1970-01-01").with("calendar", text(calendar));
        assert!(matches!(last(&file, Compat::Fixed), Err(CfError::Calendar { .. })), "{calendar}");
    }
}

#[test]
fn times_no_timestamp_can_hold_are_null_by_default() {
    let file = one(Values::F64(vec![1.5, 2e6])).units("days since 1950-01-01");
    assert!(matches!(last(&file, Compat::Incumbent), Err(CfError::TimeRange { .. })));
    let array = last(&file, Compat::Fixed).unwrap();
    assert_eq!(array.as_primitive::<TimestampNanosecondType>().iter().collect::<Vec<_>>(), [Some(-631_022_400_000_000_000), None]);
    // One missing value, and the incumbent no longer notices.
    let gap = one(Values::F64(vec![1.5, 2e6, -9_999.0])).units("days since 1950-01-01").with("_FillValue", Values::F64(vec![-9_999.0]));
    assert_eq!(times(&gap), [Some(-631_022_400_000_000_000), None, None]);
}

#[test]
fn the_dtype_attribute_makes_bools() {
    let file = one(Values::I8(vec![0, 1, 2])).with("dtype", text("bool"));
    assert_eq!(natural(&file).as_boolean().iter().collect::<Vec<_>>(), [Some(false), Some(true), Some(true)]);
}

/// A classic file of one variable on two dimensions (NetCDF Classic Format).
fn classic(names: [&str; 2]) -> Vec<u8> {
    let mut file = b"CDF\x01".to_vec();
    let name = |name: &str| [&1u32.to_be_bytes()[..], name.as_bytes(), &[0; 3]].concat();
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    file.extend(words(&[0, 10, 2]));
    file.extend([name(names[0]), words(&[10]), name(names[1]), words(&[3])].concat());
    file.extend(words(&[0, 0, 11, 1]));
    file.extend([name("v"), words(&[2, 0, 1, 0, 0, 4, 120])].concat());
    let begin = file.len() as u32 + 4;
    file.extend(words(&[begin]));
    file.extend((0..30).flat_map(u32::to_be_bytes));
    file.extend([0; 512]); // bytes that are not the variable's
    file
}

#[test]
fn a_dimension_with_two_lengths_is_refused() {
    let reader = converter::read::open(bytes::Bytes::from(classic(["x", "y"]))).unwrap();
    assert_eq!(reader.read(0).unwrap(), Values::I32((0..30).collect()));
    let error = converter::read::open(bytes::Bytes::from(classic(["x", "x"]))).err().unwrap().to_string();
    assert!(error.contains("\"x\"") || error.contains("'x'"), "{error}");
    assert!(error.contains("two lengths"), "{error}");
}
