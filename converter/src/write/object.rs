//! One Parquet object (spec 6.2).

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::chunk::{Cells, Chunk, ChunkEncoder};
use super::{CREATED_BY, WriteError};
use crate::read::Input;

/// What all objects with the same columns have in common.
#[derive(Debug)]
pub struct ObjectFormat {
    schema: SchemaRef,
    columns: SchemaDescriptor,
    properties: WriterPropertiesPtr,
}

impl ObjectFormat {
    /// # Errors
    /// When a type has no Parquet form; when there is no column, so that nothing would tell how many rows there are.
    pub fn new(schema: &SchemaRef) -> Result<Self, WriteError> {
        if schema.fields().is_empty() {
            return Err(WriteError::Encode("the schema has no column but those of the partitions; add one".to_owned()));
        }
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
        let mut properties = properties.build();
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let columns = ArrowSchemaConverter::new().schema_root("schema").convert(schema)?;
        Ok(Self { schema: Arc::clone(schema), columns, properties: Arc::new(properties) })
    }

    /// A row group from the cells of each column, ahead of its object; none where a column's type is left
    /// to the `parquet` crate.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn encode(&self, encoder: &mut ChunkEncoder, cells: &[Vec<Cells>]) -> Result<Option<Vec<Chunk>>, WriteError> {
        let mut chunks = Vec::with_capacity(cells.len());
        for (index, (field, cells)) in self.schema.fields().iter().zip(cells).enumerate() {
            match encoder.encode(&self.columns.column(index), field.data_type(), cells)? {
                Some(chunk) => chunks.push(chunk),
                None => return Ok(None),
            }
        }
        Ok(Some(chunks))
    }
}

/// Writes row groups to memory, and to a scratch file what memory shall not hold.
pub struct ObjectWriter<'a> {
    format: &'a ObjectFormat,
    encoder: &'a mut ChunkEncoder,
    writer: SerializedFileWriter<Body>,
    /// The row group at hand, by columns.
    cells: Vec<Vec<Cells>>,
}

impl<'a> ObjectWriter<'a> {
    /// `in_memory`: bytes of the object above which it goes to a scratch file.
    ///
    /// # Errors
    /// When the file cannot be begun.
    pub fn new(format: &'a ObjectFormat, encoder: &'a mut ChunkEncoder, in_memory: u64) -> Result<Self, WriteError> {
        let body = Body { memory: Vec::new(), in_memory: usize::try_from(in_memory).unwrap_or(usize::MAX), file: None };
        let writer = SerializedFileWriter::new(body, format.columns.root_schema_ptr(), Arc::clone(&format.properties))?;
        let cells = vec![Vec::new(); format.schema.fields().len()];
        Ok(Self { format, encoder, writer, cells })
    }

    /// Adds rows to the row group at hand: for each column its cells.
    pub fn write(&mut self, cells: impl IntoIterator<Item = Cells>) {
        for (column, cells) in self.cells.iter_mut().zip(cells) {
            column.push(cells);
        }
    }

    /// Puts a row group behind the others that was encoded ahead, by the same format.
    ///
    /// # Errors
    /// When scratch space ends.
    pub fn append(&mut self, chunks: Vec<Chunk>) -> Result<(), WriteError> {
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            group.append_column(&chunk.bytes, chunk.close)?;
        }
        group.close()?;
        Ok(())
    }

    /// Encodes the row group at hand.
    ///
    /// # Errors
    /// When it cannot be encoded; when scratch space ends.
    pub fn end_row_group(&mut self) -> Result<(), WriteError> {
        let row_groups = self.writer.flushed_row_groups().len();
        let mut general: Vec<Option<ArrowColumnWriter>> = Vec::new();
        let mut leaf = 0;
        let factory = ArrowRowGroupWriterFactory::new(&self.writer, Arc::clone(&self.format.schema));
        let mut group = self.writer.next_row_group()?;
        for (field, cells) in self.format.schema.fields().iter().zip(&mut self.cells) {
            let cells = std::mem::take(cells);
            let column = self.format.columns.column(leaf);
            if let Some(chunk) = self.encoder.encode(&column, field.data_type(), &cells)? {
                group.append_column(&chunk.bytes, chunk.close)?;
                leaf += 1;
                continue;
            }
            if general.is_empty() {
                general = factory.create_column_writers(row_groups)?.into_iter().map(Some).collect();
            }
            for chunk in in_general(field, &cells, &mut general, &mut leaf)? {
                chunk.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
        Ok(())
    }

    /// # Errors
    /// When the footer cannot be encoded; when scratch space ends.
    pub fn finish(mut self) -> Result<Input, WriteError> {
        if self.cells.iter().flatten().any(|cells| cells.rows() > 0) {
            self.end_row_group()?;
        }
        let columns = self.format.columns.num_columns();
        self.writer.into_inner()?.finish(columns)
    }
}

/// The end of a file: its last bytes as the format has them, behind the order of each column.
const TRAILER: usize = 8;
/// A column order: one field of a union, which is an empty struct.
const ORDER: usize = 3;
const TYPE_DEFINED: [u8; ORDER] = [0x1c, 0, 0];
const IEEE_754: [u8; ORDER] = [0x2c, 0, 0];

/// Bytes at the end of a file that `tell_type_order` looks at.
fn end_of(columns: usize) -> usize {
    columns * ORDER + 1 + TRAILER
}

/// Says that floats are in the order of their type. The `parquet` crate knows only one order for them,
/// IEEE 754's total one, which is newer than the readers that there are: pyarrow takes no statistics of such
/// columns, and so reads every row group where positions are asked for. Our statistics keep to what both
/// orders say. The orders are the last field of the footer, an equal number of bytes each.
fn tell_type_order(end: &mut [u8]) {
    let Some(last) = end.len().checked_sub(TRAILER + 1) else { return };
    let orders = end[..last].as_chunks_mut::<ORDER>().0;
    // Anything else would be a footer of another form: it is left as it is.
    if orders.iter().all(|order| [TYPE_DEFINED, IEEE_754].contains(order)) {
        orders.fill(TYPE_DEFINED);
    }
}

/// The chunks of a column whose type is left to the `parquet` crate.
fn in_general(
    field: &Field,
    cells: &[Cells],
    writers: &mut [Option<ArrowColumnWriter>],
    leaf: &mut usize,
) -> Result<Vec<ArrowColumnChunk>, WriteError> {
    let first = *leaf;
    for cells in cells {
        let array = cells.expanded(field.data_type())?;
        for (writer, leaf) in writers[first..].iter_mut().zip(compute_leaves(field, &array)?) {
            writer.as_mut().ok_or_else(|| WriteError::Encode("a column comes twice".to_owned()))?.write(&leaf)?;
        }
    }
    *leaf += leaves(field.data_type());
    writers[first..*leaf].iter_mut().filter_map(Option::take).map(|writer| Ok(writer.close()?)).collect()
}

/// Parquet columns of an Arrow type.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(of) => leaves(of.data_type()),
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        _ => 1,
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

    fn finish(mut self, columns: usize) -> Result<Input, WriteError> {
        if self.file.is_some() {
            self.spill().map_err(WriteError::scratch)?;
        }
        let Some((file, length)) = self.file else {
            let at = self.memory.len().saturating_sub(end_of(columns));
            tell_type_order(&mut self.memory[at..]);
            return Ok(Input::Memory(Bytes::from(self.memory)));
        };
        let mut end = vec![0; end_of(columns)];
        let at = length.saturating_sub(end.len() as u64);
        file.read_exact_at(&mut end, at).map_err(WriteError::scratch)?;
        tell_type_order(&mut end);
        file.write_all_at(&end, at).map_err(WriteError::scratch)?;
        Ok(Input::File { file: Arc::new(file), length })
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
