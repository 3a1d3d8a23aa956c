//! The options of `polars.read_csv` (1.40).

use serde_json::{Value, json};

use super::super::finding::Findings;
use super::super::node::Node;
use super::PolarsOptions;
use super::values::{Setting, each, unknown};

const SUPPORTED: &[&str] = &[
    "separator",
    "has_header",
    "columns",
    "new_columns",
    "null_values",
    "missing_utf8_is_empty_string",
    "skip_rows",
    "skip_lines",
    "skip_rows_after_header",
    "n_rows",
    "comment_prefix",
    "quote_char",
    "eol_char",
    "encoding",
    "truncate_ragged_lines",
    "decimal_comma",
    "try_parse_dates",
    "infer_schema_length",
];

pub(super) fn options(reader: &Node<'_>, findings: &mut Findings) -> PolarsOptions {
    let mut options = PolarsOptions::default();
    each(reader, findings, |key, setting| match key {
        "separator" => setting.delimiter(&mut options.separator),
        "has_header" => setting.flag(&mut options.has_header),
        "columns" => options.columns = setting.columns(),
        "new_columns" => options.new_columns = setting.texts().unwrap_or_default(),
        "null_values" => options.null_values = setting.missing(false),
        "missing_utf8_is_empty_string" => setting.flag(&mut options.missing_utf8_is_empty_string),
        "skip_rows" | "skip_lines" => options.skip_rows += setting.count().unwrap_or(0),
        "skip_rows_after_header" => options.skip_rows_after_header = setting.count().unwrap_or(0),
        "n_rows" => options.n_rows = setting.count(),
        "comment_prefix" => match setting.node.value {
            Value::Null => {}
            Value::String(text) if !text.is_empty() => options.comment_prefix = Some(text.clone()),
            _ => setting.refuse("the text that comment lines begin with"),
        },
        "quote_char" => options.quote_char = setting.character(),
        "eol_char" => options.eol_char = setting.character().unwrap_or(options.eol_char),
        "encoding" => {
            if let Some((encoding, lossy)) = setting.encoding() {
                (options.encoding, options.replace_invalid) = (encoding, lossy);
            }
        }
        "truncate_ragged_lines" => setting.flag(&mut options.truncate_ragged_lines),
        "decimal_comma" => setting.flag(&mut options.decimal_comma),
        _ => rest(key, setting),
    });
    if options.quote_char == Some(options.separator) {
        findings.error(reader.at("quote_char"), "the separator too; write another");
    }
    options
}

/// Options that change nothing here, because every column has its type from `schema`, and those that cannot be had.
fn rest(key: &str, setting: &mut Setting<'_, '_>) {
    match key {
        "infer_schema_length" | "n_threads" | "batch_size" => drop(setting.count()),
        "try_parse_dates" | "low_memory" | "rechunk" | "glob" | "raise_if_empty" | "infer_schema" => setting.flag(&mut false),
        "ignore_errors" => {
            setting.only(&[json!(false)], "false: values that do not parse would become missing; name them in `null_values`");
        }
        "use_pyarrow" => setting.only(&[json!(false)], "false, or leave it out"),
        "row_index_offset" => setting.only(&[json!(0)], "0, or leave it out"),
        "schema" | "schema_overrides" | "dtypes" => {
            if !setting.is_null() {
                setting.unsupported("remove it: the types are those of the config's `schema`");
            }
        }
        "row_index_name" | "row_count_name" | "sample_size" | "storage_options" | "with_column_names" => {
            if !setting.is_null() {
                setting.unsupported("remove it");
            }
        }
        _ => unknown(setting, "polars.read_csv", SUPPORTED),
    }
}
