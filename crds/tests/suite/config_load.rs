//! Text to value and parent under child.

use std::collections::BTreeMap;

use crds::config::{ConfigError, as_object_form, cast_attributes, documents, load, load_with_parents, merge};
use serde_json::{Value, json};

#[test]
fn order_and_numbers_are_kept_in_both_forms() {
    let expected = r#"{"zulu":90.0,"alpha":90,"small":1e-7,"list":[-90.0,0],"text":"90.0","nothing":null,"yes":true}"#;
    let yaml = "zulu: 90.0\nalpha: 90\nsmall: 1e-7\nlist: [-90.0, 0]\ntext: '90.0'\nnothing: null\nyes: true\n";
    assert_eq!(load(expected).unwrap().to_string(), expected);
    assert_eq!(load(yaml).unwrap().to_string(), expected);
    assert_eq!(load(&format!("\u{feff}{expected}")).unwrap().to_string(), expected);
}

#[test]
fn yaml_words_stay_words() {
    let value = load("period: Y\nno: off\nflag: 'yes'\nversion: 1.10.0\nday: 2020-01-01\nflow: {a: [x, y]}\n").unwrap();
    assert_eq!(
        value,
        json!({"period": "Y", "no": "off", "flag": "yes", "version": "1.10.0", "day": "2020-01-01", "flow": {"a": ["x", "y"]}})
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let cases = [
        ("{\"a\": 1, \"a\": 2}", "the key `a` stands twice"),
        ("a: 1\na: 2\n", "a"),
        ("{\"a\": 1,, }", "line 1 column 9"),
        ("[1, 2]", "a dataset config is an object"),
        ("just words", "a dataset config is an object"),
        ("", "a dataset config is an object"),
        ("a: .nan", "non-finite"),
        ("a: [1, 2", "not valid YAML"),
    ];
    for (text, words) in cases {
        let error = load(text).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable(_)));
        assert!(error.to_string().contains(words), "{text:?}: {error}");
    }
}

#[test]
fn a_stream_of_documents_is_read_in_order() {
    let found = documents("a: 1\n---\nb: 2.0\n---\n").unwrap();
    assert_eq!(found, [json!({"a": 1}), json!({"b": 2.0})]);
}

/// (parent, child, merged); the text shows the order of keys.
#[test]
fn a_child_lies_over_its_parent() {
    let cases = [
        (r#"{"a":1,"b":2}"#, r#"{"c":3,"a":4}"#, r#"{"a":4,"b":2,"c":3}"#),
        (r#"{"a":{"x":1,"y":2}}"#, r#"{"a":{"y":3}}"#, r#"{"a":{"x":1,"y":3}}"#),
        (r#"{"a":[1,2]}"#, r#"{"a":[3]}"#, r#"{"a":[3]}"#),
        (r#"{"a":{"x":1}}"#, r#"{"a":null}"#, r#"{"a":null}"#),
        (r#"{"a":1}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"x":1}}"#),
        (r#"{"schema":{"x":1,"y":2}}"#, r#"{"schema":{"y":3}}"#, r#"{"schema":{"y":3}}"#),
        (r#"{"schema":{"x":1}}"#, r#"{"schema":{}}"#, r#"{"schema":{"x":1}}"#),
        (
            r#"{"add":{"v":{"source":"s","schema":{"type":"a","units":"1"}}}}"#,
            r#"{"add":{"v":{"schema":{"type":"b"}}}}"#,
            r#"{"add":{"v":{"source":"s","schema":{"type":"b"}}}}"#,
        ),
    ];
    for (parent, child, merged) in cases {
        let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(merge(&of(parent), &of(child)).to_string(), merged, "{child} over {parent}");
    }
}

#[test]
fn the_parent_is_found_by_its_file_name_and_only_one_level_deep() {
    let parents: BTreeMap<String, String> = [
        ("family.json".to_owned(), r#"{"a": 1, "parent_config": "grandparent.json"}"#.to_owned()),
        ("grandparent.json".to_owned(), r#"{"b": 1}"#.to_owned()),
        ("torn.json".to_owned(), "{".to_owned()),
    ]
    .into();
    let merged = load_with_parents(r#"{"parent_config": "configs/family.json"}"#, &parents).unwrap();
    assert_eq!(merged, json!({"a": 1, "parent_config": "configs/family.json"}));
    assert_eq!(load_with_parents(r#"{"parent_config": null}"#, &parents).unwrap(), json!({"parent_config": null}));
    for (text, words) in [
        (r#"{"parent_config": "lost.json"}"#, "given: family.json"),
        (r#"{"parent_config": "torn.json"}"#, "not valid JSON"),
        (r#"{"parent_config": 1}"#, "not text"),
    ] {
        let error = load_with_parents(text, &parents).unwrap_err();
        assert!(matches!(error, ConfigError::Parent(_)));
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn an_object_is_seen_as_the_api_server_gives_it() {
    let object =
        serde_json::from_str::<Value>(r#"{"b":-90.0,"a":{"d":0.5,"c":[1.0,1e20]},"zero":-0.0,"big":18446744073709551615}"#).unwrap();
    assert_eq!(as_object_form(&object).to_string(), r#"{"a":{"c":[1,1e+20],"d":0.5},"b":-90,"big":18446744073709551615,"zero":-0.0}"#);
}

#[test]
fn numbers_of_float_variables_are_mended_and_no_others() {
    let mut config = json!({
        "schema": {
            "TEMP": {"type": "float", "valid_min": -90, "valid_range": [0, 1], "_FillValue": 999, "flag_values": [1, 2], "ancillary": 3, "missing_value": "x"},
            "COUNT": {"type": "int32", "valid_min": 0}
        },
        "schema_transformation": {"add_variables": {"x": {"schema": {"type": "double", "_FillValue": 1}}}}
    });
    cast_attributes(&mut config);
    assert_eq!(
        config.to_string(),
        r#"{"schema":{"TEMP":{"type":"float","valid_min":-90.0,"valid_range":[0.0,1.0],"_FillValue":999.0,"flag_values":[1.0,2.0],"ancillary":3,"missing_value":"x"},"COUNT":{"type":"int32","valid_min":0}},"schema_transformation":{"add_variables":{"x":{"schema":{"type":"double","_FillValue":1.0}}}}}"#
    );
}
