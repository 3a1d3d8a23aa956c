//! How a file's bytes are cut into lines and fields, taken from either library's options.

use crds::config::CsvConfig;
use crds::config::csv::Encoding;

/// Whose rules hold where the two libraries differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    Pandas,
    Polars,
}

/// What becomes of a line with more fields than there are columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LongLines {
    Refuse,
    LeaveOut,
    Truncate,
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // options of the libraries
pub(super) struct Dialect {
    pub rules: Rules,
    pub delimiter: u8,
    pub newline: u8,
    pub quote: Option<u8>,
    pub doublequote: bool,
    pub escape: Option<u8>,
    /// Ends a line wherever it stands outside quotes (pandas).
    pub comment: Option<u8>,
    /// Makes a comment of a line that begins with it (polars).
    pub comment_prefix: Option<Vec<u8>>,
    pub skip_blank: bool,
    pub skip_initial_space: bool,
    pub decimal: u8,
    pub thousands: Option<u8>,
    pub encoding: Encoding,
    pub replace_invalid: bool,
    pub long_lines: LongLines,
    pub skip_lines: usize,
    pub skip_after_header: usize,
    pub max_rows: Option<usize>,
}

impl Dialect {
    pub fn new(config: &CsvConfig) -> Self {
        match config {
            CsvConfig::Pandas(options) => Self {
                rules: Rules::Pandas,
                delimiter: options.delimiter,
                newline: b'\n',
                quote: options.quotechar,
                doublequote: options.doublequote,
                escape: options.escapechar,
                comment: options.comment,
                comment_prefix: None,
                skip_blank: options.skip_blank_lines,
                skip_initial_space: options.skipinitialspace,
                decimal: options.decimal,
                thousands: options.thousands,
                encoding: options.encoding,
                replace_invalid: options.replace_invalid,
                // pandas looks at no field beyond those it was asked for.
                long_lines: match (options.usecols.is_some(), options.skip_bad_lines) {
                    (true, _) => LongLines::Truncate,
                    (false, true) => LongLines::LeaveOut,
                    (false, false) => LongLines::Refuse,
                },
                skip_lines: options.skiprows,
                skip_after_header: 0,
                max_rows: options.nrows,
            },
            CsvConfig::Polars(options) => Self {
                rules: Rules::Polars,
                delimiter: options.separator,
                newline: options.eol_char,
                quote: options.quote_char,
                doublequote: true,
                escape: None,
                comment: None,
                comment_prefix: options.comment_prefix.as_ref().map(|text| text.as_bytes().to_vec()),
                skip_blank: false,
                skip_initial_space: false,
                decimal: if options.decimal_comma { b',' } else { b'.' },
                thousands: None,
                encoding: options.encoding,
                replace_invalid: options.replace_invalid,
                long_lines: if options.truncate_ragged_lines { LongLines::Truncate } else { LongLines::Refuse },
                skip_lines: options.skip_rows,
                skip_after_header: options.skip_rows_after_header,
                max_rows: options.n_rows,
            },
        }
    }

    /// Whether a field ends at the first delimiter or line end, unless it begins with a quote.
    pub fn is_plain(&self) -> bool {
        self.comment.is_none() && self.escape.is_none() && !self.skip_initial_space
    }

    /// Whether `\r` on its own ends a line.
    pub fn bare_return(&self) -> bool {
        self.rules == Rules::Pandas
    }
}
