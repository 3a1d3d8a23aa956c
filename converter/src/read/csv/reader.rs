//! A CSV file, open: its columns' types are known, its rows come in batches.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use crds::config::csv::Encoding;
use crds::config::{CsvConfig, VariableSchema};

use super::build::{Columns, Types};
use super::dialect::{Dialect, Rules};
use super::header::{Header, header};
use super::infer::{FirstValue, FirstValues, Inference};
use super::kind::{Kind, Role, Whole};
use super::rows::{Fault, FieldFault, Passed, Sink, walk};
use super::scan::Cursor;
use super::select::{Selection, select};
use super::source::{Block, Source, decode, line_ends};
use crate::read::{Input, ReadError, TableLimits, TableReader};

/// Blocks of the first pass: small enough to stay in a core's cache.
const INFER_BLOCK: usize = 1 << 20;
const SMALLEST_BLOCK: u64 = 1 << 10;
const LARGEST_BLOCK: u64 = 64 << 20;

/// Reads a CSV file in batches.
pub struct CsvReader {
    /// From the first row on.
    start: Source,
    rows: Source,
    file: File,
    kinds: Vec<Kind>,
    guessed: bool,
    schema: SchemaRef,
    threads: usize,
    rows_left: usize,
    left_out: u64,
    /// Lines with too few fields, and the number of the first.
    short: Option<(u64, u64)>,
    ready: VecDeque<RecordBatch>,
}

/// What is known of a file before its rows are read.
struct File {
    dialect: Arc<Dialect>,
    names: Vec<String>,
    selection: Selection,
    /// Every byte has been looked at by the first pass.
    checked: bool,
}

/// What tells the types of columns, where pandas' rules ask for all their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// All of the file, before any of its rows.
    Whole,
    /// So many bytes, if they settle it; where the rest is other than they promised, rows end with [`ReadError::Surprise`].
    Beginning(u64),
}

/// Opens a CSV file. Only the columns of `schema` and the index are read; without a schema, all are.
///
/// # Errors
/// When the file is empty, has none of the columns, or (by pandas' rules) when any of its lines cannot be read.
pub fn open(
    input: Input,
    config: &CsvConfig,
    schema: Option<&[VariableSchema]>,
    limits: TableLimits,
    look: Look,
) -> Result<CsvReader, ReadError> {
    if input.is_empty() {
        return Err(ReadError::Empty);
    }
    let dialect = Arc::new(Dialect::new(config));
    let threads = if dialect.max_rows.is_some() { 1 } else { limits.threads.max(1) };
    let share = limits.batch_bytes / (2 * threads as u64);
    let block_bytes = share.clamp(SMALLEST_BLOCK, LARGEST_BLOCK) as usize;
    let longest = usize::try_from(share).unwrap_or(usize::MAX).max(block_bytes);
    let at_start = Source::new(input, &dialect, INFER_BLOCK, longest)?;
    let Header { names, rows } = header(&at_start, config, &dialect)?;
    let rows = rows.with_blocks_of(INFER_BLOCK.min(block_bytes));
    let selection = select(&names, config, schema, &dialect)?;
    let rows_left = dialect.max_rows.unwrap_or(usize::MAX);
    let mut file = File { dialect, names, selection, checked: false };
    let (kinds, guessed) = file.kinds(&rows, threads, look)?;
    let fields: Vec<Field> =
        file.selection.wanted.iter().zip(&kinds).map(|(column, kind)| Field::new(&column.name, kind.data_type(), true)).collect();
    let width = kinds.iter().map(|kind| kind.width()).sum::<u64>().max(1);
    let start = rows.clone();
    let mut rows = rows.with_blocks_of(block_bytes);
    rows.limit_lines(share / width);
    let schema = Arc::new(Schema::new(fields));
    Ok(CsvReader { start, rows, file, kinds, guessed, schema, threads, rows_left, left_out: 0, short: None, ready: VecDeque::new() })
}

impl File {
    /// The type of each wanted column: forced, or told by its values. Whether not all of these were looked at.
    fn kinds(&mut self, rows: &Source, threads: usize, look: Look) -> Result<(Vec<Kind>, bool), ReadError> {
        let forced = |role: Role| match role {
            Role::Forced(kind) => Some(kind),
            Role::Inferred | Role::Date => None,
        };
        let all: Option<Vec<Kind>> = self.selection.wanted.iter().map(|column| forced(column.role)).collect();
        if let (Some(kinds), Rules::Polars) = (all, self.dialect.rules) {
            return Ok((kinds, false));
        }
        let first = self.first_values(rows)?;
        if let Look::Beginning(bytes) = look {
            let (inference, end) = self.infer(rows, threads, &first, rows.offset() + bytes)?;
            if inference.is_settled() && !end.is_done() && self.dialect.rules == Rules::Pandas {
                return Ok((inference.kinds(), true));
            }
        }
        let (inference, _) = self.infer(rows, threads, &first, u64::MAX)?;
        let gaps = |kind| if self.dialect.rules == Rules::Polars && kind == Kind::WholeWithGaps { Kind::Whole(Whole::I64) } else { kind };
        let kinds = inference.kinds().into_iter().map(gaps).collect();
        self.checked = true;
        Ok((kinds, false))
    }

    fn first_values(&self, rows: &Source) -> Result<Vec<FirstValue>, ReadError> {
        let mut first = FirstValues::new(&self.selection.wanted, self.selection.dayfirst);
        let mut rows = rows.clone();
        let mut left = self.dialect.max_rows.unwrap_or(usize::MAX);
        while !first.is_done() && left > 0 {
            let Some(block) = rows.next()? else { break };
            left -= self.walk(&block, left, &mut first)?.rows;
        }
        Ok(first.found)
    }

    /// Looks at the rows that begin in front of `end`; tells what it saw, and where it stopped.
    fn infer(&self, rows: &Source, threads: usize, first: &[FirstValue], end: u64) -> Result<(Inference<'_>, Source), ReadError> {
        let source = Mutex::new(rows.clone());
        let empty = Inference::new(&self.selection.wanted, &self.dialect, &self.selection.words, first);
        let look = || {
            let mut seen = empty.clone();
            let mut left = self.dialect.max_rows.unwrap_or(usize::MAX);
            while left > 0 {
                let block = {
                    let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
                    if source.offset() < end { source.next().map_err(|error| (u64::MAX, error))? } else { None }
                };
                let Some(block) = block else { break };
                seen.sequence = block.sequence;
                let passed = self.walk(&block, left, &mut seen).map_err(|error| (block.sequence, error))?;
                seen.rows += passed.rows as u64;
                left -= passed.rows;
            }
            Ok(seen)
        };
        let parts = on_threads(threads, look);
        let mut whole = empty.clone();
        for part in first_failure(parts)? {
            whole.merge(&part);
        }
        Ok((whole, source.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Walks over a block, whatever its encoding, and tells faults by line and column.
    fn walk(&self, block: &Block, max_rows: usize, sink: &mut impl Sink) -> Result<Passed, ReadError> {
        let line = |bytes: &[u8], at: usize| block.line + line_ends(&bytes[..at.min(bytes.len())], &self.dialect);
        if !self.checked
            && let Some(at) = memchr::memchr(0, &block.bytes)
        {
            let detail = "a NUL byte: the file is damaged, or it is no text (UTF-16?)".to_owned();
            return Err(ReadError::Csv { line: line(&block.bytes, at), column: self.column_at(&block.bytes, at), detail });
        }
        let plain = self.checked && self.dialect.encoding == Encoding::Utf8 && !self.dialect.replace_invalid;
        let text = if plain {
            Cow::Borrowed(block.bytes.as_ref())
        } else {
            decode(&block.bytes, &self.dialect).map_err(|found| ReadError::Csv {
                line: line(&block.bytes, found.at),
                column: self.column_at(&block.bytes, found.at),
                detail: found.detail,
            })?
        };
        walk(&text, &self.dialect, &self.selection.slots, max_rows, sink).map_err(|fault| match fault {
            Fault::OpenQuote { at } => ReadError::Csv {
                line: line(&text, at),
                column: self.column_at(&text, at),
                detail: "a quote that begins here is never closed".to_owned(),
            },
            Fault::Value { at, slot, detail } => {
                ReadError::CsvValue { line: line(&text, at), column: self.selection.wanted[slot].name.clone(), detail }
            }
            Fault::Surprise => ReadError::Surprise,
            Fault::LongLine { at, fields } => ReadError::csv(
                line(&text, at),
                format!(
                    "{fields} fields, the columns are {}; check the delimiter and quotes of this line, {}",
                    self.names.len(),
                    match self.dialect.rules {
                        Rules::Pandas => "or write `on_bad_lines: skip` to leave such lines out",
                        Rules::Polars => "or write `truncate_ragged_lines: true` to cut such lines short",
                    }
                ),
            ),
        })
    }

    /// The column that a byte stands in.
    fn column_at(&self, bytes: &[u8], at: usize) -> Option<String> {
        let mut finder = Finder { at, found: None };
        let all: Vec<usize> = (0..self.names.len()).collect();
        // A fault elsewhere in the block is of no interest here.
        walk(bytes, &self.dialect, &all, usize::MAX, &mut finder).ok();
        finder.found.and_then(|slot| self.names.get(slot).cloned())
    }
}

/// Takes no field, and only passes over them.
struct Nothing;

impl Sink for Nothing {
    fn field(&mut self, _slot: usize, cursor: &mut Cursor<'_>) -> Result<(), FieldFault> {
        Ok(cursor.skip_field()?)
    }

    fn absent(&mut self, _slot: usize) -> Result<(), FieldFault> {
        Ok(())
    }
}

/// Finds the column that a byte stands in.
struct Finder {
    at: usize,
    found: Option<usize>,
}

impl Sink for Finder {
    fn field(&mut self, slot: usize, cursor: &mut Cursor<'_>) -> Result<(), FieldFault> {
        let start = cursor.pos;
        let passed = cursor.skip_field();
        if self.found.is_none() && (passed.is_err() || (start..=cursor.pos).contains(&self.at)) {
            self.found = Some(slot);
        }
        Ok(passed?)
    }

    fn absent(&mut self, _slot: usize) -> Result<(), FieldFault> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.found.is_some()
    }
}

/// Runs the same work on some threads, one of them this one.
fn on_threads<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    if threads == 1 {
        return vec![work()];
    }
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut results = vec![work()];
        for other in others {
            match other.join() {
                Ok(result) => results.push(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

/// The results, or the failure that stands first in the file.
fn first_failure<T>(parts: Vec<Result<T, (u64, ReadError)>>) -> Result<Vec<T>, ReadError> {
    let (mut done, mut failed) = (Vec::new(), None);
    for part in parts {
        match part {
            Ok(part) => done.push(part),
            Err(failure) => {
                if failed.as_ref().is_none_or(|(sequence, _)| failure.0 < *sequence) {
                    failed = Some(failure);
                }
            }
        }
    }
    failed.map_or(Ok(done), |(_, error)| Err(error))
}

impl CsvReader {
    /// The line that a row (from 0) begins on.
    pub(super) fn line_of_row(&self, row: u64) -> Result<u64, ReadError> {
        let (mut rows, mut left, mut line) = (self.start.clone(), usize::try_from(row).unwrap_or(usize::MAX), 1);
        while let Some(block) = rows.next()? {
            let passed = self.file.walk(&block, left, &mut Nothing)?;
            line = block.line + line_ends(&block.bytes[..passed.end.min(block.bytes.len())], &self.file.dialect);
            if passed.end < block.bytes.len() {
                break;
            }
            left -= passed.rows;
        }
        Ok(line)
    }

    fn read_block(&self, block: &Block) -> Result<(Passed, Vec<ArrayRef>), ReadError> {
        let selection = &self.file.selection;
        let rows = usize::try_from(block.lines).unwrap_or(0).min(self.rows_left);
        let types = Types { kinds: &self.kinds, guessed: self.guessed };
        let mut columns = Columns::new(&selection.wanted, types, &self.file.dialect, &selection.words, selection.empty_is_text, rows);
        let passed = self.file.walk(block, self.rows_left, &mut columns)?;
        let columns = columns.finish().map_err(|error| ReadError::csv(block.line, format!("the lines from here on: {error}")))?;
        Ok((passed, columns))
    }

    /// Reads a block on each thread.
    fn read_blocks(&mut self) -> Result<(), ReadError> {
        let source = Mutex::new(self.rows.clone());
        let reader = &*self;
        let read = || {
            let block = source.lock().unwrap_or_else(PoisonError::into_inner).next().map_err(|error| (u64::MAX, error))?;
            let Some(block) = block else { return Ok(None) };
            let (passed, columns) = reader.read_block(&block).map_err(|error| (block.sequence, error))?;
            // The line is counted here, where the block still is.
            let line = |at: usize| block.line + line_ends(&block.bytes[..at.min(block.bytes.len())], &reader.file.dialect);
            let short = passed.short.map(|(count, at)| (count, line(at)));
            Ok(Some((block.sequence, passed, short, columns)))
        };
        let mut parts: Vec<_> = first_failure(on_threads(self.threads, read))?.into_iter().flatten().collect();
        self.rows = source.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_by_key(|(sequence, ..)| *sequence);
        for (_, passed, short, columns) in parts {
            if let Some((count, line)) = short {
                let (before, first) = self.short.unwrap_or((0, line));
                self.short = Some((before + count, first));
            }
            self.rows_left -= passed.rows;
            self.left_out += passed.left_out;
            if passed.rows > 0 {
                let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
                self.ready.push_back(batch.map_err(|error| ReadError::Unreadable(format!("columns that do not fit together: {error}")))?);
            }
        }
        Ok(())
    }
}

impl TableReader for CsvReader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn names(&self) -> &[String] {
        &self.file.names
    }

    fn lines_left_out(&self) -> u64 {
        self.left_out
    }

    fn short_lines(&self) -> Option<(u64, u64)> {
        self.short
    }

    fn index(&self) -> Option<&str> {
        self.file.selection.index.as_deref()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        while self.ready.is_empty() && self.rows_left > 0 && !self.rows.is_done() {
            self.read_blocks()?;
        }
        Ok(self.ready.pop_front())
    }
}
