//! `csv_config`: the options of `pandas.read_csv` or `polars.read_csv` that have a meaning here, typed.
//!
//! Every other option is refused by its name, because a reader that drops an option in silence
//! gives other values.

mod pandas;
mod polars;
mod values;

use std::collections::BTreeMap;

use super::ColumnType;
use super::finding::Findings;
use super::node::Node;

/// How CSV files are read: which of the two libraries' rules, and with which options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvConfig {
    Pandas(PandasOptions),
    Polars(PolarsOptions),
}

/// A column, by name or by position from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnRef {
    Name(String),
    Position(usize),
}

/// The bytes of the file as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Latin1,
    Cp1252,
    Ascii,
}

/// Texts that mean a missing value, beside the reader's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingTexts {
    pub everywhere: Vec<String>,
    pub by_column: BTreeMap<String, Vec<String>>,
}

/// `parse_dates`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DateColumns {
    #[default]
    None,
    /// `true`: the index column
    Index,
    These(Vec<ColumnRef>),
}

/// `dtype`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForcedTypes {
    pub everywhere: Option<ColumnType>,
    pub by_column: BTreeMap<String, ColumnType>,
}

/// Options of `pandas.read_csv`; the defaults are pandas' own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // the library's own options
pub struct PandasOptions {
    pub delimiter: u8,
    /// The line of the names, counted from 0 without skipped and blank ones; `None` is `header: null`.
    pub header: Option<usize>,
    pub names: Option<Vec<String>>,
    pub index_col: Option<ColumnRef>,
    pub usecols: Option<Vec<ColumnRef>>,
    pub parse_dates: DateColumns,
    pub dayfirst: bool,
    pub na_values: MissingTexts,
    pub keep_default_na: bool,
    pub na_filter: bool,
    pub skiprows: usize,
    pub nrows: Option<usize>,
    pub comment: Option<u8>,
    pub quotechar: Option<u8>,
    pub doublequote: bool,
    pub escapechar: Option<u8>,
    pub skip_blank_lines: bool,
    pub skipinitialspace: bool,
    pub thousands: Option<u8>,
    pub decimal: u8,
    pub encoding: Encoding,
    /// `encoding_errors: replace`
    pub replace_invalid: bool,
    pub true_values: Vec<String>,
    pub false_values: Vec<String>,
    pub dtype: ForcedTypes,
    /// `on_bad_lines: skip`: lines with too many fields are left out.
    pub skip_bad_lines: bool,
}

impl Default for PandasOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            header: Some(0),
            names: None,
            index_col: None,
            usecols: None,
            parse_dates: DateColumns::None,
            dayfirst: false,
            na_values: MissingTexts::default(),
            keep_default_na: true,
            na_filter: true,
            skiprows: 0,
            nrows: None,
            comment: None,
            quotechar: Some(b'"'),
            doublequote: true,
            escapechar: None,
            skip_blank_lines: true,
            skipinitialspace: false,
            thousands: None,
            decimal: b'.',
            encoding: Encoding::Utf8,
            replace_invalid: false,
            true_values: Vec::new(),
            false_values: Vec::new(),
            dtype: ForcedTypes::default(),
            skip_bad_lines: false,
        }
    }
}

/// Options of `polars.read_csv`; the defaults are polars' own. Types come from the config's `schema`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // the library's own options
pub struct PolarsOptions {
    pub separator: u8,
    pub has_header: bool,
    pub columns: Option<Vec<ColumnRef>>,
    pub new_columns: Vec<String>,
    pub null_values: MissingTexts,
    pub missing_utf8_is_empty_string: bool,
    pub skip_rows: usize,
    pub skip_rows_after_header: usize,
    pub n_rows: Option<usize>,
    pub comment_prefix: Option<String>,
    pub quote_char: Option<u8>,
    pub eol_char: u8,
    pub encoding: Encoding,
    /// `encoding: utf8-lossy`
    pub replace_invalid: bool,
    pub truncate_ragged_lines: bool,
    pub decimal_comma: bool,
}

impl Default for PolarsOptions {
    fn default() -> Self {
        Self {
            separator: b',',
            has_header: true,
            columns: None,
            new_columns: Vec::new(),
            null_values: MissingTexts::default(),
            missing_utf8_is_empty_string: false,
            skip_rows: 0,
            skip_rows_after_header: 0,
            n_rows: None,
            comment_prefix: None,
            quote_char: Some(b'"'),
            eol_char: b'\n',
            encoding: Encoding::Utf8,
            replace_invalid: false,
            truncate_ragged_lines: false,
            decimal_comma: false,
        }
    }
}

/// Reads `csv_config`; none when neither reader has an option, which only a CSV file minds.
pub(crate) fn csv(root: &Node<'_>, findings: &mut Findings) -> Option<CsvConfig> {
    let node = root.get("csv_config")?;
    node.object(findings)?;
    let given = |key: &str| node.get(key).filter(|reader| reader.value.as_object().is_none_or(|map| !map.is_empty()));
    match (given("pandas_read_csv_config"), given("polars_read_csv_config")) {
        (Some(_), Some(_)) => {
            findings.error(&node.path, "both `pandas_read_csv_config` and `polars_read_csv_config`; keep one of them");
            None
        }
        (Some(reader), None) => Some(CsvConfig::Pandas(pandas::options(&reader, findings))),
        (None, Some(reader)) => Some(CsvConfig::Polars(polars::options(&reader, findings))),
        (None, None) => None,
    }
}
