//! The options of `pandas.read_csv` (2.3).

use serde_json::{Value, json};

use super::super::ColumnType;
use super::super::finding::Findings;
use super::super::node::Node;
use super::values::{ByColumn, Setting, each, twice, unknown};
use super::{ColumnRef, DateColumns, ForcedTypes, PandasOptions};

const SUPPORTED: &[&str] = &[
    "sep",
    "delimiter",
    "header",
    "names",
    "index_col",
    "usecols",
    "dtype",
    "true_values",
    "false_values",
    "skipinitialspace",
    "skiprows",
    "nrows",
    "na_values",
    "keep_default_na",
    "na_filter",
    "skip_blank_lines",
    "parse_dates",
    "dayfirst",
    "thousands",
    "decimal",
    "quotechar",
    "quoting",
    "doublequote",
    "escapechar",
    "comment",
    "encoding",
    "encoding_errors",
    "on_bad_lines",
];

pub(super) fn options(reader: &Node<'_>, findings: &mut Findings) -> PandasOptions {
    let mut options = PandasOptions::default();
    let (mut header, mut unquoted) = (None, false);
    each(reader, findings, |key, setting| match key {
        "header" => header = Some(header_of(setting)),
        "quoting" => match setting.node.value.as_u64() {
            Some(0) => {}
            Some(3) => unquoted = true,
            _ => setting.only(&[], "0 (quotes where needed) or 3 (quotes are plain characters)"),
        },
        _ => layout(key, setting, &mut options),
    });
    twice(reader, ["sep", "delimiter"], findings);
    options.header = header.unwrap_or(if options.names.is_some() { None } else { Some(0) });
    if unquoted {
        options.quotechar = None;
    }
    consistent(reader, &options, findings);
    options
}

/// `None` is `header: null`, a file without names.
fn header_of(setting: &mut Setting<'_, '_>) -> Option<usize> {
    match setting.node.value {
        Value::Null => None,
        Value::String(text) if text == "infer" => Some(0),
        Value::Array(_) => {
            setting.refuse("one line: names in several lines are not supported");
            Some(0)
        }
        _ => setting.count(),
    }
}

/// How lines and fields are told apart.
fn layout(key: &str, setting: &mut Setting<'_, '_>, options: &mut PandasOptions) {
    match key {
        "sep" | "delimiter" => setting.delimiter(&mut options.delimiter),
        "names" => options.names = setting.texts(),
        "skiprows" => options.skiprows = setting.count().unwrap_or(0),
        "nrows" => options.nrows = setting.count(),
        "comment" => options.comment = setting.character(),
        "quotechar" => options.quotechar = setting.character().or(options.quotechar),
        "doublequote" => setting.flag(&mut options.doublequote),
        "escapechar" => options.escapechar = setting.character(),
        "skip_blank_lines" => setting.flag(&mut options.skip_blank_lines),
        "skipinitialspace" => setting.flag(&mut options.skipinitialspace),
        "encoding" => {
            if let Some((encoding, _)) = setting.encoding() {
                options.encoding = encoding;
            }
        }
        "encoding_errors" => {
            setting.only(&[json!("strict"), json!("replace")], "strict or replace");
            options.replace_invalid = setting.node.value == "replace";
        }
        "on_bad_lines" => {
            setting.only(&[json!("error"), json!("skip")], "error or skip");
            options.skip_bad_lines = setting.node.value == "skip";
        }
        _ => meaning(key, setting, options),
    }
}

/// What the fields mean.
fn meaning(key: &str, setting: &mut Setting<'_, '_>, options: &mut PandasOptions) {
    match key {
        // The incumbent's default; `false` only asks that no column is guessed to be one.
        "index_col" if setting.node.value == &Value::Bool(false) => {}
        "index_col" => options.index_col = setting.column(),
        "usecols" => options.usecols = setting.columns(),
        "parse_dates" => match setting.node.value {
            Value::Bool(true) => options.parse_dates = DateColumns::Index,
            Value::Null | Value::Bool(false) => {}
            Value::Array(items) if !items.iter().any(Value::is_array) => {
                options.parse_dates = setting.columns().map_or(DateColumns::None, DateColumns::These);
            }
            _ => setting.refuse("true, or a list of columns, each with the whole date"),
        },
        "dayfirst" => setting.flag(&mut options.dayfirst),
        "na_values" => options.na_values = setting.missing(true),
        "keep_default_na" => setting.flag(&mut options.keep_default_na),
        "na_filter" => setting.flag(&mut options.na_filter),
        "thousands" => options.thousands = setting.character(),
        "decimal" => options.decimal = setting.character().unwrap_or(options.decimal),
        "true_values" => options.true_values = setting.texts().unwrap_or_default(),
        "false_values" => options.false_values = setting.texts().unwrap_or_default(),
        "dtype" => options.dtype = types(setting),
        _ => rest(key, setting),
    }
}

/// Options that change nothing here, and those that cannot be had.
fn rest(key: &str, setting: &mut Setting<'_, '_>) {
    match key {
        "engine" => setting.only(&[json!("c"), json!("python")], "`c`, or leave it out"),
        "low_memory" | "memory_map" | "cache_dates" | "verbose" => setting.flag(&mut false),
        "float_precision" => setting.only(&[json!("high")], "`high`, or leave it out"),
        "compression" => setting.only(&[json!("infer")], "`infer`: compressed files are not read"),
        "delim_whitespace" | "iterator" | "infer_datetime_format" | "keep_date_col" => {
            setting.only(&[json!(false)], "false, or leave it out");
        }
        "skipfooter" => setting.only(&[json!(0)], "0: lines at the end are not left out"),
        "lineterminator" => setting.only(&[json!("\n")], "nothing: \\n, \\r\\n and \\r all end a line"),
        "date_format" | "date_parser" | "converters" | "dialect" | "chunksize" | "storage_options" | "dtype_backend" => {
            if !setting.is_null() {
                setting.unsupported("remove it");
            }
        }
        _ => unknown(setting, "pandas.read_csv", SUPPORTED),
    }
}

fn types(setting: &mut Setting<'_, '_>) -> ForcedTypes {
    let advice = "one of str, object, float64, float32, int8 to int64, uint8 to uint64, bool";
    let mut types = ForcedTypes::default();
    match setting.node.value {
        Value::Null => {}
        Value::Object(map) => {
            let mut by_column = ByColumn::new();
            for (column, value) in map {
                match value.as_str().and_then(type_of) {
                    Some(column_type) => drop(by_column.insert(column.clone(), column_type)),
                    None => setting.refuse(&format!("for {column:?} {advice}")),
                }
            }
            types.by_column = by_column;
        }
        value => match value.as_str().and_then(type_of) {
            Some(column_type) => types.everywhere = Some(column_type),
            None => setting.refuse(&format!("{advice}, or an object: column → type")),
        },
    }
    types
}

fn type_of(name: &str) -> Option<ColumnType> {
    Some(match name {
        "str" | "object" | "string" => ColumnType::Utf8,
        "float" | "float64" => ColumnType::Float64,
        "float32" => ColumnType::Float32,
        "int" | "int64" => ColumnType::Int64,
        "int32" => ColumnType::Int32,
        "int16" => ColumnType::Int16,
        "int8" => ColumnType::Int8,
        "uint64" => ColumnType::UInt64,
        "uint32" => ColumnType::UInt32,
        "uint16" => ColumnType::UInt16,
        "uint8" => ColumnType::UInt8,
        "bool" => ColumnType::Bool,
        _ => return None,
    })
}

/// Characters with two meanings, and names that say nothing.
fn consistent(reader: &Node<'_>, options: &PandasOptions, findings: &mut Findings) {
    let marks = [
        ("quotechar", options.quotechar),
        ("escapechar", options.escapechar),
        ("comment", options.comment),
        ("decimal", Some(options.decimal)),
    ];
    for (name, mark) in marks {
        if mark == Some(options.delimiter) {
            findings.error(reader.at(name), format!("`{}` is the delimiter too; write another", options.delimiter.escape_ascii()));
        }
    }
    if options.thousands == Some(options.decimal) {
        findings.error(reader.at("thousands"), "the same as `decimal`; write another");
    }
    let dates: &[ColumnRef] = if let DateColumns::These(columns) = &options.parse_dates { columns } else { &[] };
    let named = |column: &ColumnRef| matches!(column, ColumnRef::Name(name) if options.dtype.by_column.contains_key(name));
    if dates.iter().any(named) || (!dates.is_empty() && options.dtype.everywhere.is_some()) {
        findings.error(reader.at("dtype"), "gives a column of `parse_dates` a type; keep one of the two");
    }
    if let Some(names) = &options.names
        && let Some(name) = names.iter().enumerate().find_map(|(i, name)| names[..i].contains(name).then_some(name))
    {
        findings.error(reader.at("names"), format!("{name:?} stands there twice; write each name once"));
    }
}
