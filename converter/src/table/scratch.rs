//! A file that rows wait in where memory shall not hold them: as they are, or as row groups that are
//! encoded already.

use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;

use super::FileError;
use crate::write::{Cells, Chunk, Strip, WriteError};

pub(super) struct Scratch {
    file: File,
    length: AtomicU64,
}

/// Rows in scratch.
pub(super) struct StoredRows {
    rows: usize,
    /// One IPC stream of the columns that are no constants.
    offset: u64,
    length: usize,
    constants: Vec<Constant>,
}

enum Constant {
    Null,
    Value(ArrayRef),
    /// The column's values differ from row to row.
    No,
}

/// A row group in scratch: its chunks one behind the other, and what a footer says of them.
pub(super) struct StoredGroup {
    offset: u64,
    chunks: Vec<(usize, ColumnCloseResult)>,
}

impl Scratch {
    pub(super) fn new() -> Result<Self, FileError> {
        let file = tempfile::tempfile().map_err(WriteError::scratch)?;
        Ok(Self { file, length: AtomicU64::new(0) })
    }

    fn append(&self, bytes: &[u8]) -> Result<u64, FileError> {
        let offset = self.length.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(bytes, offset).map_err(WriteError::scratch)?;
        Ok(offset)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, FileError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(WriteError::scratch)?;
        Ok(bytes.into())
    }

    /// Keeps rows: the cells of each column.
    pub(super) fn store_rows(&self, columns: &[Cells]) -> Result<StoredRows, FileError> {
        let rows = columns.first().map_or(0, Cells::rows);
        let constants: Vec<Constant> = columns.iter().map(constant).collect();
        let varying = columns.iter().zip(&constants).filter(|(_, constant)| matches!(constant, Constant::No));
        let arrays = varying
            .filter_map(|(cells, _)| Some(cells.expanded(cells.values.as_ref()?.data_type())))
            .collect::<Result<Vec<_>, _>>()
            .map_err(WriteError::from)?;
        let mut bytes = Vec::new();
        if !arrays.is_empty() {
            let fields: Vec<Field> = arrays.iter().map(|a| Field::new("", a.data_type().clone(), true)).collect();
            let schema = Arc::new(Schema::new(fields));
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(WriteError::from)?;
            let mut writer = StreamWriter::try_new(&mut bytes, &schema).map_err(WriteError::from)?;
            writer.write(&batch).and_then(|()| writer.finish()).map_err(WriteError::from)?;
        }
        Ok(StoredRows { rows, offset: self.append(&bytes)?, length: bytes.len(), constants })
    }

    /// The rows' cells, column by column.
    pub(super) fn load_rows(&self, stored: &StoredRows) -> Result<Vec<Cells>, FileError> {
        let mut arrays = Vec::new();
        if stored.length > 0 {
            let bytes = self.read(stored.offset, stored.length)?;
            let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(WriteError::from)?;
            let batches = reader.collect::<Result<Vec<_>, _>>().map_err(WriteError::from)?;
            arrays = batches.first().map(|batch| batch.columns().to_vec()).unwrap_or_default();
        }
        let mut arrays = arrays.into_iter();
        let column = |constant: &Constant| {
            let (values, strip) = match constant {
                Constant::Null => (None, Strip::run(0, stored.rows)),
                Constant::Value(one) => (Some(Arc::clone(one)), Strip::run(0, stored.rows)),
                Constant::No => {
                    let array = arrays.next().ok_or_else(|| WriteError::Scratch("a column is missing".into()))?;
                    (Some(array), Strip::slice(0, stored.rows))
                }
            };
            Ok(Cells { values, strips: [strip].into() })
        };
        stored.constants.iter().map(column).collect()
    }

    pub(super) fn store_group(&self, chunks: Vec<Chunk>) -> Result<StoredGroup, FileError> {
        let bytes: Vec<&[u8]> = chunks.iter().map(|chunk| &*chunk.bytes).collect();
        let offset = self.append(&bytes.concat())?;
        Ok(StoredGroup { offset, chunks: chunks.into_iter().map(|chunk| (chunk.bytes.len(), chunk.close)).collect() })
    }

    pub(super) fn load_group(&self, stored: &StoredGroup) -> Result<Vec<Chunk>, FileError> {
        let mut bytes = self.read(stored.offset, stored.chunks.iter().map(|(length, _)| length).sum())?;
        let chunk = |(length, close): &(usize, ColumnCloseResult)| Chunk { bytes: bytes.split_to(*length), close: close.clone() };
        Ok(stored.chunks.iter().map(chunk).collect())
    }
}

impl StoredRows {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

impl StoredGroup {
    /// Memory it holds while its pages are in scratch.
    pub(super) fn memory(&self) -> u64 {
        /// The least and the greatest value, and what allocations cost.
        const BESIDES: usize = 512;
        (self.chunks.len() * (size_of::<ColumnCloseResult>() + BESIDES)) as u64
    }
}

/// The one value that all these rows have, if it is one that is held anyway.
fn constant(cells: &Cells) -> Constant {
    match &cells.values {
        None => Constant::Null,
        Some(values) if values.len() == 1 => Constant::Value(Arc::clone(values)),
        Some(_) => Constant::No,
    }
}
