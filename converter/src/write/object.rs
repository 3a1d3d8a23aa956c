//! One Parquet object (spec 6.2).

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

/// Writes row groups to memory.
pub struct ObjectWriter {
    writer: ArrowWriter<Vec<u8>>,
}

impl ObjectWriter {
    /// # Errors
    /// When a type has no Parquet form.
    pub fn new(schema: &SchemaRef) -> Result<Self, WriteError> {
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
        Ok(Self { writer: ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options)? })
    }

    /// Writes one row group. A column may come as a dictionary of its type.
    ///
    /// # Errors
    /// When an array does not have its column's type.
    pub fn write(&mut self, arrays: Vec<ArrayRef>) -> Result<(), WriteError> {
        // The file's schema has the plain types; the batch may have dictionaries of them.
        let fields: Vec<Field> = arrays.iter().map(|a| Field::new("", a.data_type().clone(), true)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        self.writer.write(&batch)?;
        self.writer.flush()?;
        Ok(())
    }

    /// # Errors
    /// When the footer cannot be encoded.
    pub fn finish(self) -> Result<Bytes, WriteError> {
        Ok(Bytes::from(self.writer.into_inner()?))
    }
}
