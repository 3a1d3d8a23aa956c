//! Attributes: JSON as Python writes and reads it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

use std::collections::BTreeMap;

use converter::read::Values;
use converter::zarr::{Attr, Attributes, attributes_json, parse_attributes};
use serde_json::json;

fn parse(json: &str) -> Result<Attr, String> {
    Attr::parse(json.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn attributes_are_written_as_python_writes_them() {
    for (value, json) in [
        (Attr::Null, "null"),
        (true.into(), "true"),
        (false.into(), "false"),
        (Attr::Integer(i128::from(u64::MAX)), "18446744073709551615"),
        (i64::MIN.into(), "-9223372036854775808"),
        (f64::NAN.into(), "NaN"),
        (f64::INFINITY.into(), "Infinity"),
        (f64::NEG_INFINITY.into(), "-Infinity"),
        (0.0.into(), "0.0"),
        ((-0.0).into(), "-0.0"),
        (1e15.into(), "1000000000000000.0"),
        (1e16.into(), "1e+16"),
        (1e-4.into(), "0.0001"),
        (1.5e-5.into(), "1.5e-05"),
        (5e-324.into(), "5e-324"),
        (1.797_693_134_862_315_7e308.into(), "1.7976931348623157e+308"),
        (0.1_f32.into(), "0.10000000149011612"),
        ("".into(), r#""""#),
        ("a\"\\/\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}~".into(), r#""a\"\\/\n\r\t\b\f\u0000\u001f\u007f~""#),
        ("5 °C é \u{ffff}".into(), r#""5 \u00b0C \u00e9 \uffff""#),
        ("😀".into(), r#""\ud83d\ude00""#),
        (Attr::List(vec![]), "[]"),
        (Attr::Map(BTreeMap::new()), "{}"),
        (json!([[], [1, {}]]).into(), "[\n    [],\n    [\n        1,\n        {}\n    ]\n]"),
        (
            json!({"é": 1, "b": {"y": [null], "x": 2.0}, "Z": "", "a b": true}).into(),
            "{\n    \"Z\": \"\",\n    \"a b\": true,\n    \"b\": {\n        \"x\": 2.0,\n        \"y\": [\n            null\n        ]\n    },\n    \"\\u00e9\": 1\n}",
        ),
    ] {
        assert_eq!(value.to_json(), json);
        assert_eq!(parse(json).unwrap(), value, "{json}");
    }
    assert_ne!(Attr::from(-0.0), Attr::from(0.0));
    assert_ne!(Attr::from(1.0), Attr::from(1_i64));
}

#[test]
fn other_json_is_read_too() {
    for (json, value) in [
        (" \r\n\t[1,2 , 3]\n", json!([1, 2, 3])),
        (r#"{"a":{"b":[]},"a":"last wins"}"#, json!({"a": "last wins"})),
        ("1E3", json!(1000.0)),
        ("-1.5e+2", json!(-150.0)),
        ("-0", json!(0)),
        (r#""\u00E9 é \/ \ud83d\ude00 😀""#, json!("é é / 😀 😀")),
        (r#""\ud83d \ud83dx \ud83d\u0041 \ude00 \ud83d\ud83d\ude00""#, json!("\u{fffd} \u{fffd}x \u{fffd}A \u{fffd} \u{fffd}😀")),
    ] {
        assert_eq!(parse(json).unwrap(), value.into(), "{json}");
    }
    assert_eq!(parse("1e400").unwrap(), f64::INFINITY.into());
    assert_eq!(parse("[-Infinity, NaN]").unwrap(), Attr::List(vec![f64::NEG_INFINITY.into(), f64::NAN.into()]));
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    for (json, error) in [
        ("", "line 1, column 1: expected a value"),
        ("nan", "line 1, column 1: expected a value"),
        ("-", "line 1, column 1: expected a value"),
        ("+1", "line 1, column 1: expected a value"),
        ("01", "line 1, column 2: there is more after the end"),
        ("1.", "line 1, column 2: there is more after the end"),
        ("1e", "line 1, column 2: there is more after the end"),
        ("{} {}", "line 1, column 4: there is more after the end"),
        ("[1 2]", "line 1, column 4: expected \"]\""),
        ("[1,]", "line 1, column 4: expected a value"),
        ("{\"a\": 1,}", "line 1, column 9: expected a text"),
        ("{\n  \"é\" 1}", "line 2, column 7: expected \":\""),
        ("{\n  \"é\": nul}", "line 2, column 8: expected a value"),
        ("{\"a\": 1", "line 1, column 8: expected \"}\""),
        ("\"a", "line 1, column 3: a text without an end"),
        ("\"a\\", "line 1, column 4: an escape that JSON does not have"),
        ("\"\\x\"", "line 1, column 3: an escape that JSON does not have"),
        ("\"\\u12g4\"", "line 1, column 3: expected four hexadecimal digits"),
        ("\"\\ud83d\\u1\"", "line 1, column 9: expected four hexadecimal digits"),
        ("\"\\u+123\"", "line 1, column 3: expected four hexadecimal digits"),
        ("\"a\nb\"", "line 1, column 3: a control character in a text"),
        ("[1000000000000000000000000000000000000000]", "line 1, column 2: a whole number of more than 128 bits"),
    ] {
        assert_eq!(parse(json).unwrap_err(), format!("not JSON at {error}"), "{json}");
    }
    assert_eq!(Attr::parse(b"[\n\"\xff\"]").unwrap_err().to_string(), "not JSON at line 2, column 2: the text is not UTF-8");
    let nested = |depth: usize| parse(&("[".repeat(depth) + &"]".repeat(depth)));
    assert!(nested(64).is_ok());
    assert_eq!(nested(65).unwrap_err(), "not JSON at line 1, column 65: more than 64 levels");
    assert!(parse(&"[".repeat(1 << 20)).is_err() && parse(&"{\"\":".repeat(1 << 20)).is_err());
    assert!(parse_attributes(b"[]").is_err());
}

#[test]
fn values_become_attributes() {
    for (values, attr) in [
        (Values::I8(vec![-1]), json!(-1)),
        (Values::U64(vec![u64::MAX]), json!(u64::MAX)),
        (Values::I16(vec![1, 2]), json!([1, 2])),
        (Values::F32(vec![0.1]), json!(0.100_000_001_490_116_12)),
        (Values::F64(vec![0.1, 2.0]), json!([0.1, 2.0])),
        (Values::I32(vec![]), json!([])),
        (Values::Text(vec!["a °".into()]), json!("a °")),
        (Values::Text(vec!["a".into(), String::new()]), json!(["a", ""])),
        (Values::Char(b"chars".into()), json!("chars")),
        (Values::Char(b"5 \xb0C".into()), json!("5 \u{fffd}C")),
        (Values::Char(vec![]), json!("")),
    ] {
        assert_eq!(Attr::from(&values), attr.into());
    }
    assert_eq!(Attr::from(&Values::F32(vec![f32::NAN])), f64::NAN.into());
}

#[test]
fn attributes_survive_a_document() {
    let attributes = Attributes::from([
        ("nothing".to_owned(), Attr::Null),
        ("flag_values".to_owned(), Attr::from(&Values::I8(vec![0, 1, 2]))),
        ("valid_range".to_owned(), Attr::from(&Values::F32(vec![f32::NAN, f32::INFINITY]))),
    ]);
    let json = attributes_json(&attributes);
    assert_eq!(json, Attr::Map(attributes.clone()).to_json());
    assert_eq!(parse_attributes(json.as_bytes()).unwrap(), attributes);
}
