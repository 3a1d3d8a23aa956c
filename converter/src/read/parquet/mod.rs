//! Parquet files as tables: row group after row group, the wanted columns only, a bounded number of
//! bytes at a time. Types and gaps become what pandas makes of them (spec 2.8).

mod natural;
mod source;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::{Input, ReadError, TableLimits, TableReader, guarded};
use natural::Form;

/// Most rows of a batch, however narrow they are.
const MOST_ROWS: usize = 1 << 15;

/// An open Parquet file.
pub struct ParquetTable {
    input: Input,
    metadata: ArrowReaderMetadata,
    columns: Vec<Column>,
    schema: SchemaRef,
    names: Vec<String>,
    index: Option<String>,
    batch_bytes: usize,
    /// Row groups not begun, in order.
    waiting: VecDeque<usize>,
    reading: Option<(usize, ParquetRecordBatchReader)>,
    /// What was read and not handed out, from a row on.
    held: Option<(RecordBatch, usize)>,
}

/// A wanted column.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    /// Its place among the columns of the file.
    root: usize,
    form: Form,
}

/// Opens a Parquet file; `wanted` names the columns to read (those that are there), none means all.
///
/// # Errors
/// Not a Parquet file, a broken or encrypted one, or a wanted column of a kind no table can hold.
pub fn open(input: Input, wanted: Option<&[String]>, limits: TableLimits) -> Result<ParquetTable, ReadError> {
    guarded(|| open_unguarded(input, wanted, limits)).unwrap_or_else(|panic| Err(ReadError::Unreadable(panic)))
}

fn open_unguarded(input: Input, wanted: Option<&[String]>, limits: TableLimits) -> Result<ParquetTable, ReadError> {
    source::check_marks(&input)?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = ArrowReaderMetadata::load(&input, options.clone()).map_err(footer)?;
    let names: Vec<String> = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
    if let Some(twice) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        return Err(ReadError::Unreadable(format!("the column {:?} stands twice in it", twice.1)));
    }
    let mut columns = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    for (root, field) in metadata.schema().fields().iter().enumerate() {
        let form = Form::of(field.data_type());
        let read_as = form.map_or_else(|| field.data_type().clone(), |form| form.read_as(field.data_type()));
        fields.push(field.as_ref().clone().with_data_type(read_as));
        if wanted.is_some_and(|wanted| !wanted.contains(field.name())) {
            continue;
        }
        let name = field.name().clone();
        let Some(form) = form else {
            let message = format!("column {name:?} is of the type {}, which no column of a dataset can hold", field.data_type());
            return Err(ReadError::Unsupported(message));
        };
        check_compression(&metadata, root, &name)?;
        columns.push(Column { name, root, form });
    }
    let supplied = Arc::new(Schema::new_with_metadata(fields, metadata.schema().metadata().clone()));
    let index = pandas_index(&metadata, &names);
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(supplied)).map_err(footer)?;
    let waiting = (0..metadata.metadata().num_row_groups()).collect();
    let batch_bytes = usize::try_from(limits.batch_bytes).unwrap_or(usize::MAX).max(1);
    let schema = Arc::new(Schema::empty());
    let mut table = ParquetTable { input, metadata, columns, schema, names, index, batch_bytes, waiting, reading: None, held: None };
    for place in 0..table.columns.len() {
        table.find_gaps(place)?;
    }
    let schema = table.columns.iter().map(|column| {
        let field = table.metadata.schema().field(column.root);
        Field::new(&column.name, column.form.natural(field.data_type()), true)
    });
    table.schema = Arc::new(Schema::new(schema.collect::<Vec<_>>()));
    Ok(table)
}

/// What is wrong with the file's own description of itself.
#[allow(clippy::needless_pass_by_value)] // as map_err gives it
fn footer(error: ParquetError) -> ReadError {
    let said = said(&error);
    match error {
        ParquetError::EOF(_) | ParquetError::NeedMoreData(_) | ParquetError::NeedMoreDataRange(_) => ReadError::Truncated(said),
        _ => ReadError::Unreadable(format!("its footer cannot be read: {said}")),
    }
}

/// The message without the library's own head.
fn said(error: &ParquetError) -> String {
    match error {
        ParquetError::General(text) | ParquetError::NYI(text) | ParquetError::EOF(text) | ParquetError::ArrowError(text) => text.clone(),
        other => other.to_string(),
    }
}

fn check_compression(metadata: &ArrowReaderMetadata, root: usize, name: &str) -> Result<(), ReadError> {
    for group in metadata.metadata().row_groups() {
        let descriptor = group.schema_descr();
        let chunks = group.columns().iter().enumerate().filter(|(leaf, _)| descriptor.get_column_root_idx(*leaf) == root);
        for (_, chunk) in chunks {
            let known = matches!(
                chunk.compression(),
                Compression::UNCOMPRESSED
                    | Compression::SNAPPY
                    | Compression::GZIP(_)
                    | Compression::ZSTD(_)
                    | Compression::LZ4
                    | Compression::LZ4_RAW
            );
            if !known {
                let codec = chunk.compression();
                return Err(ReadError::Unsupported(format!(
                    "column {name:?} is compressed with {codec}; write the file with snappy or zstd"
                )));
            }
        }
    }
    Ok(())
}

/// The one named column that pandas kept its index in.
fn pandas_index(metadata: &ArrowReaderMetadata, names: &[String]) -> Option<String> {
    let text = metadata.metadata().file_metadata().key_value_metadata()?.iter().find(|entry| entry.key == "pandas")?.value.as_deref()?;
    let pandas: serde_json::Value = serde_json::from_str(text).ok()?;
    match pandas.get("index_columns")?.as_array()?.as_slice() {
        [serde_json::Value::String(name)] if names.contains(name) => Some(name.clone()),
        _ => None,
    }
}

impl ParquetTable {
    /// Upper bound of what the file's largest row group takes, decoded, in bytes.
    #[must_use]
    pub fn largest_row_group(&self) -> u64 {
        let of_group = |group: usize| -> u64 {
            let metadata = self.metadata.metadata().row_group(group);
            self.leaves(group).map(|leaf| u64::try_from(metadata.column(leaf).uncompressed_size()).unwrap_or(0)).sum()
        };
        (0..self.metadata.metadata().num_row_groups()).map(of_group).max().unwrap_or(0)
    }

    /// The places of the wanted columns among the column chunks of a row group.
    fn leaves(&self, group: usize) -> impl Iterator<Item = usize> {
        let metadata = self.metadata.metadata().row_group(group);
        let descriptor = metadata.schema_descr();
        (0..metadata.num_columns()).filter(move |&leaf| self.columns.iter().any(|c| c.root == descriptor.get_column_root_idx(leaf)))
    }

    /// Rows that keep a batch within its bytes, as far as the file's own sizes tell; text is not copied
    /// until the batch is cut.
    fn rows_at_once(&self, group: usize) -> usize {
        let metadata = self.metadata.metadata().row_group(group);
        let rows = usize::try_from(metadata.num_rows()).unwrap_or(0).max(1);
        let stored: usize = self.leaves(group).map(|leaf| usize::try_from(metadata.column(leaf).uncompressed_size()).unwrap_or(0)).sum();
        let width = stored / rows + 17 * self.columns.len();
        (self.batch_bytes / width.max(1)).clamp(1, MOST_ROWS)
    }

    fn reader(&self, group: usize, roots: Vec<usize>, rows: usize) -> Result<ParquetRecordBatchReader, ParquetError> {
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.input.clone(), self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(rows)
            .build()
    }

    /// An integer column with a gap anywhere in the file becomes floats in all of it, as pandas has it;
    /// unless a float would change a value: then it stays, and only its type differs.
    fn find_gaps(&mut self, place: usize) -> Result<(), ReadError> {
        let column = self.columns[place].clone();
        let field = self.metadata.schema().field(column.root);
        if column.form != Form::Integer || !field.is_nullable() {
            return Ok(());
        }
        let wide = matches!(field.data_type(), DataType::Int64 | DataType::UInt64);
        let groups = self.metadata.metadata().num_row_groups();
        let known: Option<u64> = (0..groups)
            .map(|group| {
                let leaf = self.leaf(group, column.root)?;
                self.metadata.metadata().row_group(group).column(leaf).statistics()?.null_count_opt()
            })
            .sum();
        let float = match known {
            Some(0) => false,
            Some(_) if !wide => true,
            _ => {
                let (mut gap, mut exact) = (false, true);
                for group in 0..groups {
                    let reader =
                        self.reader(group, vec![column.root], MOST_ROWS).map_err(|error| self.broken(&column, group, &said(&error)))?;
                    for batch in reader {
                        let batch = batch.map_err(|error| self.broken(&column, group, &error.to_string()))?;
                        gap |= batch.column(0).null_count() > 0;
                        exact &= natural::exact(batch.column(0));
                    }
                }
                gap && exact
            }
        };
        if float {
            self.columns[place].form = Form::Gapped;
        }
        Ok(())
    }

    fn leaf(&self, group: usize, root: usize) -> Option<usize> {
        let metadata = self.metadata.metadata().row_group(group);
        (0..metadata.num_columns()).find(|&leaf| metadata.schema_descr().get_column_root_idx(leaf) == root)
    }

    #[allow(clippy::unused_self)]
    fn broken(&self, column: &Column, group: usize, detail: &str) -> ReadError {
        ReadError::Column { column: column.name.clone(), row_group: group + 1, detail: detail.to_owned() }
    }

    /// Which column it is that stops a row group.
    fn culprit(&self, group: usize, detail: &str) -> ReadError {
        for column in &self.columns {
            let result = guarded(|| -> Result<(), String> {
                let mut reader = self.reader(group, vec![column.root], 1_024).map_err(|error| said(&error))?;
                reader.try_for_each(|batch| batch.map(drop).map_err(|error| error.to_string()))
            });
            if let Ok(Err(detail)) | Err(detail) = result {
                return self.broken(column, group, &detail);
            }
        }
        ReadError::Unreadable(format!("row group {}: {detail}", group + 1))
    }

    /// The next rows as they are stored.
    fn stored(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            if let Some((group, reader)) = &mut self.reading {
                let group = *group;
                match guarded(|| reader.next()) {
                    Ok(Some(Ok(batch))) if batch.num_rows() == 0 => continue,
                    Ok(Some(Ok(batch))) => return Ok(Some(batch)),
                    Ok(None) => self.reading = None,
                    Ok(Some(Err(error))) => return Err(self.culprit(group, &error.to_string())),
                    Err(panic) => return Err(self.culprit(group, &panic)),
                }
            }
            let Some(group) = self.waiting.pop_front() else { return Ok(None) };
            let roots = self.columns.iter().map(|column| column.root).collect();
            let rows = self.rows_at_once(group);
            let opened = guarded(|| self.reader(group, roots, rows).map_err(|error| said(&error))).unwrap_or_else(Err);
            match opened {
                Ok(reader) => self.reading = Some((group, reader)),
                Err(detail) => return Err(self.culprit(group, &detail)),
            }
        }
    }
}

impl TableReader for ParquetTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn index(&self) -> Option<&str> {
        self.index.as_deref()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        let (batch, from) = match self.held.take() {
            Some(held) => held,
            None => match self.stored()? {
                Some(batch) => (batch, 0),
                None => return Ok(None),
            },
        };
        let rows = natural::rows_within(&batch, from, self.batch_bytes);
        let part = batch.slice(from, rows);
        if from + rows < batch.num_rows() {
            self.held = Some((batch, from + rows));
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            let failed = |detail| ReadError::Variable { variable: column.name.clone(), detail };
            let stored = part.column_by_name(&column.name).ok_or_else(|| failed("it is not in this row group".to_owned()))?;
            arrays.push(column.form.convert(stored, field.data_type()).map_err(failed)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let made = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        made.map(Some).map_err(|error| ReadError::Unreadable(error.to_string()))
    }
}
