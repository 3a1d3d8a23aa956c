use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Float32Array, TimestampNanosecondArray};
use crds::config::{ColumnType, Expression, Source};
use serde_json::json;

use super::*;

fn added(type_name: &str) -> AddedVariable {
    AddedVariable {
        name: "x".into(),
        source: Source::Filename,
        type_name: type_name.into(),
        column_type: ColumnType::Utf8,
        fill_value: None,
    }
}

fn name() -> FileName {
    FileName::from("s3://archive/IMOS/campaign 7/16m/x.nc")
}

fn cel(text: &str, columns: &[&str]) -> Function {
    Function::Cel(Expression { text: text.into(), columns: columns.iter().map(ToString::to_string).collect() })
}

#[allow(clippy::unnecessary_wraps)] // as columns are asked for
fn table(column: &str) -> Result<Option<ArrayRef>, FileError> {
    Ok(match column {
        "temp" => Some(Arc::new(Float32Array::from(vec![Some(1.5), None, Some(3.0)]))),
        "n" => Some(Arc::new(Int64Array::from(vec![Some(1), Some(2), None]))),
        "name" => Some(Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]))),
        "when" => Some(Arc::new(TimestampNanosecondArray::from(vec![Some(1), None, Some(1_700_000_000_123_456_789)]))),
        _ => None,
    })
}

fn made(function: &Function, type_name: &str) -> Result<Made, FileError> {
    let attributes = [
        Attribute { name: "site".into(), values: Values::Text(vec!["SYD".into()]) },
        Attribute { name: "depth".into(), values: Values::F32(vec![12.5]) },
        Attribute { name: "range".into(), values: Values::I16(vec![1, 2]) },
    ];
    let (added, name) = (added(type_name), name());
    Computed::new(function, &added)?.evaluate(FileFacts { name: &name, attributes: &attributes }, &mut table, 3)
}

fn scalar(function: &Function, type_name: &str) -> ArrayRef {
    match made(function, type_name).unwrap() {
        Made::Scalar(array) if array.len() == 1 => array,
        other => panic!("{other:?}"),
    }
}

fn rows(function: &Function) -> ArrayRef {
    match made(function, "string").unwrap() {
        Made::Rows(array) if array.len() == 3 => array,
        other => panic!("{other:?}"),
    }
}

fn refused(function: &Function) -> String {
    made(function, "string").unwrap_err().to_string()
}

#[test]
fn a_segment_counts_from_either_end_and_takes_the_type_of_the_config() {
    let segment = |index| Function::PathSegment { index };
    assert_eq!(scalar(&segment(-3), "string").as_string::<i32>().value(0), "campaign 7");
    assert_eq!(scalar(&segment(0), "string").as_string::<i32>().value(0), "archive");
    assert_eq!(scalar(&segment(-2), "int32").as_primitive::<Int64Type>().value(0), 16);
    assert_eq!(scalar(&segment(-1), "int32").as_primitive::<Int64Type>().value(0), -9_999);
    assert!(refused(&segment(-6)).contains("has 5 parts, and none at -6"));
    assert!(refused(&segment(5)).contains("none at 5"));
}

#[test]
fn a_constant_is_what_it_is() {
    let of = |value| scalar(&Function::Constant(value), "int64");
    assert_eq!(of(json!(1)).as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(of(json!(1.5)).as_primitive::<Float64Type>().value(0).to_bits(), 1.5_f64.to_bits());
    assert_eq!(of(json!("raw")).as_string::<i32>().value(0), "raw");
    assert!(of(json!(true)).as_boolean().value(0));
}

#[test]
fn an_expression_without_columns_is_evaluated_once() {
    let text = |expression: &str| scalar(&cel(expression, &[]), "string").as_string::<i32>().value(0).to_owned();
    assert_eq!(text("bucket + '|' + filename + '|' + global.site"), "archive|x.nc|SYD");
    assert_eq!(text("key.startsWith('archive/IMOS/') ? 'imos' : 'other'"), "imos");
    assert_eq!(text("has(global.vessel) ? global.vessel : 'none'"), "none");
    assert_eq!(
        scalar(&cel("global.depth * 2.0 + double(global.range[1])", &[]), "double").as_primitive::<Float64Type>().value(0).to_bits(),
        27.0_f64.to_bits()
    );
    assert!(refused(&cel("global.vessel", &[])).contains("`global.vessel`: No such key: vessel"));
}

#[test]
fn an_expression_sees_each_row_with_its_nulls() {
    let floats = |expression: &str, columns: &[&str]| {
        let array = rows(&cel(expression, columns));
        array.as_primitive::<Float64Type>().iter().collect::<Vec<_>>()
    };
    assert_eq!(floats("temp == null ? null : temp + 273.15", &["temp"]), [Some(274.65), None, Some(276.15)]);
    assert_eq!(floats("temp == null ? n : temp", &["n", "temp"]), [Some(1.5), Some(2.0), Some(3.0)]);
    assert_eq!(floats("n == null || n > 1 ? 0.0 / 0.0 : 1.0", &["n"]), [Some(1.0), None, None]);
    let texts = rows(&cel("name == null ? filename : name + '!'", &["name"]));
    assert_eq!(texts.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a!", "x.nc", "c!"]);
    let nothing = rows(&cel("absent", &["absent"]));
    assert_eq!(nothing.logical_null_count(), 3);
    let when = rows(&cel("when == null ? timestamp('2020-01-01T00:00:00Z') : when", &["when"]));
    assert_eq!(when.as_primitive::<TimestampNanosecondType>().values().to_vec(), [1, 1_577_836_800_000_000_000, 1_700_000_000_123_456_789]);
    let years = rows(&cel("when == null ? 0 : when.getFullYear()", &["when"]));
    assert_eq!(years.as_primitive::<Int64Type>().values().to_vec(), [1970, 0, 2023]);
}

#[test]
fn a_row_that_cannot_be_computed_is_named() {
    assert!(refused(&cel("temp * 2.0", &["temp"])).contains("`temp * 2.0`, row 2: "));
    assert!(refused(&cel("n == 1 ? 'one' : 2", &["n"])).contains("row 2: the result is a int, and a string before"));
    assert!(refused(&cel("[n]", &["n"])).contains("row 1: the result is no single value"));
    assert!(refused(&cel("n / 0", &["n"])).contains("row 1: Division by zero"));
}

#[test]
fn dates_need_their_column() {
    let function = Function::DateTime { date: "absent".into(), time: None };
    assert!(refused(&function).contains("there is no column \"absent\""));
    let function = Function::DateTime { date: "n".into(), time: None };
    assert!(refused(&function).contains("column \"n\" holds Int64 and no text with a date"));
}
