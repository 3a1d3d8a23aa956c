//! One Parquet object (spec 6.2).

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::{CREATED_BY, WriteError};
use crate::read::Input;

/// Writes row groups to memory, and to a scratch file what memory shall not hold.
pub struct ObjectWriter {
    writer: ArrowWriter<Body>,
}

impl ObjectWriter {
    /// `in_memory`: bytes of the object above which it goes to a scratch file.
    ///
    /// # Errors
    /// When a type has no Parquet form.
    pub fn new(schema: &SchemaRef, in_memory: u64) -> Result<Self, WriteError> {
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(true)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_statistics_truncate_length(None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(None)
            .set_created_by(CREATED_BY.to_owned());
        for field in schema.fields().iter().filter(|f| *f.data_type() == DataType::Boolean) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_schema_root("schema".to_owned());
        let body = Body { memory: Vec::new(), in_memory: usize::try_from(in_memory).unwrap_or(usize::MAX), file: None };
        Ok(Self { writer: ArrowWriter::try_new_with_options(body, Arc::clone(schema), options)? })
    }

    /// Adds rows to the row group at hand. A column may come as a dictionary of its type.
    ///
    /// # Errors
    /// When an array does not have its column's type; when scratch space ends.
    pub fn write(&mut self, arrays: Vec<ArrayRef>) -> Result<(), WriteError> {
        // The file's schema has the plain types; the batch may have dictionaries of them.
        let fields: Vec<Field> = arrays.iter().map(|a| Field::new("", a.data_type().clone(), true)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        Ok(self.writer.write(&batch)?)
    }

    /// Closes the row group at hand.
    ///
    /// # Errors
    /// When it cannot be encoded; when scratch space ends.
    pub fn end_row_group(&mut self) -> Result<(), WriteError> {
        Ok(self.writer.flush()?)
    }

    /// # Errors
    /// When the footer cannot be encoded; when scratch space ends.
    pub fn finish(self) -> Result<Input, WriteError> {
        self.writer.into_inner()?.finish()
    }
}

/// An object's bytes: the beginning in a scratch file once there are many.
struct Body {
    memory: Vec<u8>,
    in_memory: usize,
    file: Option<(File, u64)>,
}

impl Body {
    fn spill(&mut self) -> io::Result<()> {
        let (file, length) = match &mut self.file {
            Some(file) => file,
            None => self.file.insert((tempfile::tempfile()?, 0)),
        };
        file.write_all(&self.memory)?;
        *length += self.memory.len() as u64;
        self.memory.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Input, WriteError> {
        if self.file.is_some() {
            self.spill().map_err(WriteError::scratch)?;
        }
        Ok(match self.file {
            Some((file, length)) => Input::File { file: Arc::new(file), length },
            None => Input::Memory(Bytes::from(self.memory)),
        })
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > self.in_memory {
            self.spill()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
