//! The names of the columns, and where the rows begin.

use std::collections::{HashMap, HashSet};

use crds::config::CsvConfig;

use super::dialect::{Dialect, Rules};
use super::scan::{After, Cursor, OpenQuote};
use super::source::{Source, decode, line_ends};
use crate::read::ReadError;

/// The head of a file.
pub(super) struct Header {
    /// One for each column, all different.
    pub names: Vec<String>,
    /// The file from its first row on.
    pub rows: Source,
}

/// Reads the head of the file; `source` stands at its start.
pub(super) fn header(source: &Source, config: &CsvConfig, dialect: &Dialect) -> Result<Header, ReadError> {
    let mut source = source.clone();
    let start = source.offset();
    let Some(block) = source.next()? else { return Err(ReadError::Empty) };
    let mut cursor = Cursor::new(&block.bytes, dialect);
    let open = |OpenQuote(at): OpenQuote| {
        ReadError::csv(block.line + line_ends(&block.bytes[..at], dialect), "a quote that begins here is never closed".to_owned())
    };
    for _ in 0..dialect.skip_lines {
        if !cursor.at_end() {
            cursor.skip_record().map_err(open)?;
        }
    }
    let (line, given) = match config {
        CsvConfig::Pandas(options) => (options.header, options.names.clone()),
        CsvConfig::Polars(options) => (options.has_header.then_some(0), None),
    };
    skip_blank_lines(&mut cursor, dialect);
    for _ in 0..line.unwrap_or(0) {
        if !cursor.at_end() {
            cursor.skip_record().map_err(open)?;
            cursor.skip_lines_without_fields();
        }
    }
    if cursor.at_end() {
        return Err(if dialect.skip_lines == 0 && line.unwrap_or(0) == 0 {
            ReadError::Empty
        } else {
            ReadError::CsvColumns(format!(
                "the file ends before line {} of its options, so it has no columns",
                cursor_line(&cursor, dialect)
            ))
        });
    }
    let first = cursor.pos;
    let fields = fields(&mut cursor, dialect, block.line).map_err(|error| match error {
        HeaderFault::OpenQuote(at) => open(OpenQuote(at)),
        HeaderFault::Read(error) => error,
    })?;
    let names = match (line, given) {
        (_, Some(names)) => names,
        (Some(_), None) => distinct(&fields, dialect.rules),
        (None, None) => (0..fields.len()).map(|i| unnamed(i, dialect.rules)).collect(),
    };
    if line.is_none() {
        cursor.pos = first;
    }
    for _ in 0..dialect.skip_after_header {
        if !cursor.at_end() {
            cursor.skip_record().map_err(open)?;
        }
    }
    let rows = source.at(start, cursor.pos, block.line + line_ends(&block.bytes[..cursor.pos], dialect));
    Ok(Header { names: renamed(names, config), rows })
}

fn cursor_line(cursor: &Cursor<'_>, dialect: &Dialect) -> u64 {
    line_ends(&cursor.bytes[..cursor.pos], dialect) + 1
}

/// Before the names both libraries pass over blank lines.
fn skip_blank_lines(cursor: &mut Cursor<'_>, dialect: &Dialect) {
    cursor.skip_lines_without_fields();
    while dialect.rules == Rules::Polars && cursor.bytes.get(cursor.pos).is_some_and(|b| *b == dialect.newline || *b == b'\r') {
        cursor.pos += 1;
        cursor.skip_lines_without_fields();
    }
}

enum HeaderFault {
    OpenQuote(usize),
    Read(ReadError),
}

fn fields(cursor: &mut Cursor<'_>, dialect: &Dialect, line: u64) -> Result<Vec<String>, HeaderFault> {
    let mut names = Vec::new();
    loop {
        let at = cursor.pos;
        let field = cursor.field().map_err(|open| HeaderFault::OpenQuote(open.0))?;
        let undecodable = |found: super::source::Undecodable| {
            let line = line + line_ends(&cursor.bytes[..at], dialect);
            HeaderFault::Read(ReadError::csv(line, format!("in the name of column {}, {}", names.len() + 1, found.detail)))
        };
        let text = decode(&field.text, dialect).map_err(undecodable)?;
        names.push(String::from_utf8_lossy(&text).into_owned());
        if cursor.after_field() == After::Line {
            return Ok(names);
        }
    }
}

fn unnamed(position: usize, rules: Rules) -> String {
    match rules {
        Rules::Pandas => position.to_string(),
        Rules::Polars => format!("column_{}", position + 1),
    }
}

/// Equal names get a number, each library in its own way.
fn distinct(fields: &[String], rules: Rules) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    if rules == Rules::Polars {
        let numbered = |name: &String| {
            let seen = counts.entry(name.clone()).and_modify(|n| *n += 1).or_insert(0);
            if *seen == 0 { name.clone() } else { format!("{name}_duplicated_{}", *seen - 1) }
        };
        return fields.iter().map(numbered).collect();
    }
    let written = |(i, name): (usize, &String)| if name.is_empty() { format!("Unnamed: {i}") } else { name.clone() };
    let mut names: Vec<String> = fields.iter().enumerate().map(written).collect();
    let all: HashSet<String> = names.iter().cloned().collect();
    for name in &mut names {
        let first = name.clone();
        let mut count = counts.get(&first).copied().unwrap_or(0);
        while count > 0 {
            counts.insert(first.clone(), count + 1);
            *name = format!("{first}.{count}");
            count = if all.contains(name) { count + 1 } else { counts.get(name).copied().unwrap_or(0) };
        }
        counts.insert(name.clone(), count + 1);
    }
    names
}

fn renamed(mut names: Vec<String>, config: &CsvConfig) -> Vec<String> {
    if let CsvConfig::Polars(options) = config {
        for (name, new) in names.iter_mut().zip(&options.new_columns) {
            name.clone_from(new);
        }
    }
    names
}
