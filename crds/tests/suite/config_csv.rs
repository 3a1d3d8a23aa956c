//! `csv_config`: each option is typed or refused by its name.

use crds::config::csv::{ColumnRef, DateColumns, Encoding, MissingTexts, PandasOptions, PolarsOptions};
use crds::config::{ColumnType, CsvConfig, validate};
use serde_json::{Value, json};

use crate::config;

fn with(reader: &str, options: &Value) -> Value {
    let mut config = config();
    config["csv_config"] = json!({format!("{reader}_read_csv_config"): options});
    config
}

fn pandas(options: &Value) -> PandasOptions {
    match validate(&with("pandas", options)).unwrap().supported().unwrap().config.csv {
        Some(CsvConfig::Pandas(options)) => options,
        other => panic!("{other:?}"),
    }
}

fn polars(options: &Value) -> PolarsOptions {
    match validate(&with("polars", options)).unwrap().supported().unwrap().config.csv {
        Some(CsvConfig::Polars(options)) => options,
        other => panic!("{other:?}"),
    }
}

fn name(name: &str) -> ColumnRef {
    ColumnRef::Name(name.to_owned())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_options_in_use_are_typed() {
    let options = pandas(&json!({
        "delimiter": ";", "header": 0, "index_col": "time", "parse_dates": ["time", 3], "na_values": ["N/A", "NaN", -999],
        "encoding": "utf-8",
    }));
    let expected = PandasOptions {
        delimiter: b';',
        index_col: Some(name("time")),
        parse_dates: DateColumns::These(vec![name("time"), ColumnRef::Position(3)]),
        na_values: MissingTexts { everywhere: texts(&["N/A", "NaN", "-999"]), ..MissingTexts::default() },
        ..PandasOptions::default()
    };
    assert_eq!(options, expected);
    let options = polars(&json!({
        "separator": ",", "has_header": true, "null_values": ["N/A", "NaN"], "try_parse_dates": false, "infer_schema_length": 1000,
        "encoding": "utf-8",
    }));
    let null_values = MissingTexts { everywhere: texts(&["N/A", "NaN"]), ..MissingTexts::default() };
    assert_eq!(options, PolarsOptions { null_values, ..PolarsOptions::default() });
}

#[test]
fn options_of_pandas() {
    type Check = fn(&PandasOptions) -> bool;
    let table: &[(Value, Check)] = &[
        (json!({"sep": "\t"}), |o| o.delimiter == b'\t'),
        (json!({"header": null}), |o| o.header.is_none()),
        (json!({"header": 2}), |o| o.header == Some(2)),
        (json!({"header": "infer"}), |o| o.header == Some(0)),
        (json!({"names": ["a", "b"]}), |o| o.header.is_none() && o.names.is_some()),
        (json!({"names": ["a", "b"], "header": 0}), |o| o.header == Some(0)),
        (json!({"index_col": 1}), |o| o.index_col == Some(ColumnRef::Position(1))),
        (json!({"index_col": false}), |o| o.index_col.is_none()),
        (json!({"usecols": ["a", 2]}), |o| o.usecols == Some(vec![name("a"), ColumnRef::Position(2)])),
        (json!({"parse_dates": true}), |o| o.parse_dates == DateColumns::Index),
        (json!({"na_values": "x"}), |o| o.na_values.everywhere == ["x"]),
        (json!({"na_values": {"a": [1, "x"]}}), |o| o.na_values.by_column["a"] == ["1", "x"]),
        (json!({"keep_default_na": false, "na_filter": false}), |o| !o.keep_default_na && !o.na_filter),
        (json!({"skiprows": 3, "nrows": 7}), |o| o.skiprows == 3 && o.nrows == Some(7)),
        (json!({"comment": "#", "escapechar": "\\"}), |o| o.comment == Some(b'#') && o.escapechar == Some(b'\\')),
        (json!({"quotechar": "'", "doublequote": false}), |o| o.quotechar == Some(b'\'') && !o.doublequote),
        (json!({"quoting": 3}), |o| o.quotechar.is_none()),
        (json!({"quoting": 0}), |o| o.quotechar == Some(b'"')),
        (json!({"skip_blank_lines": false, "skipinitialspace": true}), |o| !o.skip_blank_lines && o.skipinitialspace),
        (json!({"sep": ";", "decimal": ",", "thousands": "."}), |o| o.decimal == b',' && o.thousands == Some(b'.')),
        (json!({"encoding": "ISO-8859-1"}), |o| o.encoding == Encoding::Latin1),
        (json!({"encoding": "utf-8-sig"}), |o| o.encoding == Encoding::Utf8),
        (json!({"encoding": "cp1252", "encoding_errors": "replace"}), |o| o.encoding == Encoding::Cp1252 && o.replace_invalid),
        (json!({"true_values": ["Y"], "false_values": ["N"]}), |o| o.true_values == ["Y"] && o.false_values == ["N"]),
        (json!({"dtype": "str"}), |o| o.dtype.everywhere == Some(ColumnType::Utf8)),
        (json!({"dtype": {"a": "int32"}}), |o| o.dtype.by_column["a"] == ColumnType::Int32),
        (json!({"on_bad_lines": "skip"}), |o| o.skip_bad_lines),
        (json!({"low_memory": false, "engine": "c", "memory_map": true, "skipfooter": 0}), |o| *o == PandasOptions::default()),
        (json!({"_comment": "a note", "dayfirst": true}), |o| o.dayfirst),
    ];
    for (options, check) in table {
        let typed = pandas(options);
        assert!(check(&typed), "{options}: {typed:?}");
    }
}

#[test]
fn options_of_polars() {
    type Check = fn(&PolarsOptions) -> bool;
    let table: &[(Value, Check)] = &[
        (json!({"separator": "|"}), |o| o.separator == b'|'),
        (json!({"has_header": false, "new_columns": ["a"]}), |o| !o.has_header && o.new_columns == ["a"]),
        (json!({"null_values": "NA"}), |o| o.null_values.everywhere == ["NA"]),
        (json!({"null_values": {"a": "NA"}}), |o| o.null_values.by_column["a"] == ["NA"]),
        (json!({"encoding": "utf8-lossy"}), |o| o.replace_invalid),
        (json!({"skip_rows": 1, "skip_rows_after_header": 2, "n_rows": 3}), |o| {
            (o.skip_rows, o.skip_rows_after_header, o.n_rows) == (1, 2, Some(3))
        }),
        (json!({"comment_prefix": "//", "quote_char": null}), |o| o.comment_prefix.as_deref() == Some("//") && o.quote_char.is_none()),
        (json!({"eol_char": ";"}), |o| o.eol_char == b';'),
        (json!({"columns": ["a", 0]}), |o| o.columns == Some(vec![name("a"), ColumnRef::Position(0)])),
        (json!({"missing_utf8_is_empty_string": true}), |o| o.missing_utf8_is_empty_string),
        (json!({"truncate_ragged_lines": true, "decimal_comma": true}), |o| o.truncate_ragged_lines && o.decimal_comma),
        (json!({"try_parse_dates": true, "low_memory": true, "ignore_errors": false}), |o| *o == PolarsOptions::default()),
    ];
    for (options, check) in table {
        let typed = polars(options);
        assert!(check(&typed), "{options}: {typed:?}");
    }
}

#[test]
fn what_has_no_mapping_is_refused_by_name() {
    let table = [
        ("pandas", json!({"seperator": ","}), "seperator", "not an option of pandas.read_csv; write one of sep, delimiter"),
        ("pandas", json!({"header": [0, 1]}), "header", "names in several lines are not supported"),
        ("pandas", json!({"sep": "\\s+"}), "sep", "write one ASCII character"),
        ("pandas", json!({"sep": ",", "delimiter": ";"}), "delimiter", "means the same as `sep`"),
        ("pandas", json!({"skipfooter": 2}), "skipfooter", "`2` is not supported here; write 0"),
        ("pandas", json!({"encoding": "utf-16"}), "encoding", "one of utf-8, utf-8-sig, latin-1, cp1252, ascii"),
        ("pandas", json!({"parse_dates": [["day", "hour"]]}), "parse_dates", "a list of columns"),
        ("pandas", json!({"date_format": "%d"}), "date_format", "this option is not supported"),
        ("pandas", json!({"converters": {"a": "f"}}), "converters", "this option is not supported"),
        ("pandas", json!({"on_bad_lines": "warn"}), "on_bad_lines", "`\"warn\"` is not supported here; write error or skip"),
        ("pandas", json!({"dtype": {"a": "category"}}), "dtype", "one of str, object"),
        ("pandas", json!({"parse_dates": ["a"], "dtype": "str"}), "dtype", "keep one of the two"),
        ("pandas", json!({"decimal": ","}), "decimal", "is the delimiter too"),
        ("pandas", json!({"names": ["a", "a"]}), "names", "stands there twice"),
        ("pandas", json!({"nrows": -1}), "nrows", "a whole number"),
        ("pandas", json!({"skiprows": [1, 2]}), "skiprows", "a whole number"),
        ("pandas", json!({"na_filter": "no"}), "na_filter", "true or false"),
        ("polars", json!({"sep": ","}), "sep", "not an option of polars.read_csv"),
        ("polars", json!({"ignore_errors": true}), "ignore_errors", "name them in `null_values`"),
        ("polars", json!({"schema_overrides": {"a": "Int64"}}), "schema_overrides", "the types are those of the config's `schema`"),
        ("polars", json!({"row_index_name": "i"}), "row_index_name", "this option is not supported"),
        ("polars", json!({"null_values": [1]}), "null_values", "a text, a list of texts"),
        ("polars", json!({"quote_char": ","}), "quote_char", "the separator too"),
    ];
    for (reader, options, option, message) in table {
        let error = validate(&with(reader, &options)).and_then(crds::config::Validated::supported).unwrap_err();
        let path = format!("csv_config.{reader}_read_csv_config.{option}");
        let found = error.findings().iter().any(|finding| finding.path == path && finding.message.contains(message));
        assert!(found, "{options}: {error}");
    }
}

#[test]
fn no_reader_is_no_error_of_the_config() {
    let mut config = config();
    config["csv_config"] = json!({"pandas_read_csv_config": {}, "polars_read_csv_config": null});
    assert_eq!(validate(&config).unwrap().config.csv, None);
}
