//! Rows that wait for their objects. What does not fit in memory goes to a scratch file, and each
//! object is written in one go at the end, in row groups that do not depend on how rows came.

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;

use super::column::{Column, Picked};
use super::{Allowance, ConvertedObject, FileError, Sink};
use crate::write::{self, Cells, ChunkEncoder, ObjectFormat, ObjectWriter, Strip, WriteError};

/// Rows of one row group (spec 6.2).
pub(super) const ROW_GROUP: usize = 20_000;
/// Rows that are made plain at once on their way to scratch. A piece is in memory until its row group is encoded.
const PIECE: usize = ROW_GROUP;

/// The columns of one slab.
pub(super) struct SlabColumns {
    columns: Vec<Column>,
    bytes: u64,
}

impl SlabColumns {
    pub(super) fn new(columns: Vec<Column>, rows: usize) -> Arc<Self> {
        let arrays: usize = columns.iter().filter_map(|c| c.values.as_ref()).map(|v| v.array.get_array_memory_size()).sum();
        Arc::new(Self { columns, bytes: (arrays + rows * 4) as u64 })
    }

    /// The one value of each column that has the same in all rows of the slab.
    fn constants(&self) -> Vec<Constant> {
        let constant = |column: &Column| match &column.values {
            None => Constant::Null,
            Some(placed) if placed.map.is_scalar() => Constant::Value(placed.array.slice(0, 1)),
            Some(_) => Constant::No,
        };
        self.columns.iter().map(constant).collect()
    }
}

enum Constant {
    Null,
    Value(ArrayRef),
    /// The column's values differ from row to row.
    No,
}

/// Consecutive rows of one object.
struct Piece {
    rows: usize,
    stored: Stored,
}

enum Stored {
    Slab {
        columns: Arc<SlabColumns>,
        ranges: Vec<Range<usize>>,
    },
    /// One IPC stream of the columns that are no constants.
    Scratch {
        offset: u64,
        length: usize,
        constants: Arc<Vec<Constant>>,
    },
}

struct Group {
    key: String,
    pieces: Vec<Piece>,
}

/// The rows of a file, by the object they belong to.
pub(super) struct Spool {
    allowance: Allowance,
    schema: Option<SchemaRef>,
    /// A column changed its type on the way: the file is gone through again, nothing is kept.
    spoiled: bool,
    groups: Vec<Group>,
    positions: HashMap<String, usize>,
    /// Bytes of the slabs in memory.
    held: u64,
    scratch: Option<Scratch>,
}

struct Scratch {
    file: File,
    length: u64,
}

impl Spool {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, schema: None, spoiled: false, groups: Vec::new(), positions: HashMap::new(), held: 0, scratch: None }
    }

    /// Says that a slab's columns are about to be pushed.
    pub(super) fn admit(&mut self, columns: &SlabColumns) {
        let schema = write::schema(columns.columns.iter().map(|c| (c.name.as_str(), c.data_type.clone())));
        match &self.schema {
            Some(known) if *known != schema => self.spoiled = true,
            Some(_) => {}
            None => self.schema = Some(schema),
        }
        self.held += columns.bytes;
    }

    /// Adds rows of a slab to an object.
    pub(super) fn push(&mut self, key: String, columns: &Arc<SlabColumns>, ranges: Vec<Range<usize>>) {
        if self.spoiled {
            return;
        }
        let position = *self.positions.entry(key).or_insert_with_key(|key| {
            self.groups.push(Group { key: key.clone(), pieces: Vec::new() });
            self.groups.len() - 1
        });
        let rows = ranges.iter().map(Range::len).sum();
        self.groups[position].pieces.push(Piece { rows, stored: Stored::Slab { columns: Arc::clone(columns), ranges } });
    }

    /// Makes room for the next slab.
    pub(super) fn make_room(&mut self) -> Result<(), FileError> {
        if self.spoiled {
            self.groups.clear();
            self.positions.clear();
        } else if self.held > self.allowance.bytes / 4 {
            self.spill()?;
        } else {
            return Ok(());
        }
        self.held = 0;
        Ok(())
    }

    fn spill(&mut self) -> Result<(), FileError> {
        let mut scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => Scratch { file: tempfile::tempfile().map_err(WriteError::scratch)?, length: 0 },
        };
        let mut constants: HashMap<*const SlabColumns, Arc<Vec<Constant>>> = HashMap::new();
        for group in &mut self.groups {
            let pieces = std::mem::take(&mut group.pieces);
            for piece in pieces {
                match piece.stored {
                    Stored::Scratch { .. } => group.pieces.push(piece),
                    Stored::Slab { columns, ranges } => {
                        let constants = constants.entry(Arc::as_ptr(&columns)).or_insert_with(|| Arc::new(columns.constants()));
                        for part in cut(&ranges, PIECE, PIECE) {
                            group.pieces.push(scratch.store(&columns, &part, constants)?);
                        }
                    }
                }
            }
        }
        self.scratch = Some(scratch);
        Ok(())
    }

    /// Writes the objects, on as many threads as allowed; they come in any order.
    pub(super) fn objects(self, sink: &mut Sink) -> Result<(), FileError> {
        let Some(schema) = self.schema else { return Ok(()) };
        let format = ObjectFormat::new(&schema)?;
        let (groups, scratch, allowance) = (self.groups, self.scratch, self.allowance);
        let threads = allowance.threads.min(groups.len()).max(1);
        if threads == 1 {
            let mut encoder = ChunkEncoder::default();
            for group in groups {
                sink(group.object(&format, &mut encoder, scratch.as_ref(), allowance)?)?;
            }
            return Ok(());
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(threads);
            for _ in 0..threads {
                let (send, next, groups, format, scratch) = (send.clone(), &next, &groups, &format, scratch.as_ref());
                scope.spawn(move || {
                    let mut encoder = ChunkEncoder::default();
                    while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let object = crate::read::guarded(|| group.object(format, &mut encoder, scratch, allowance))
                            .unwrap_or_else(|panic| Err(FileError::GaveUp(panic)));
                        let failed = object.is_err();
                        if send.send(object).is_err() || failed {
                            break;
                        }
                    }
                });
            }
            drop(send);
            // Leaving early drops the receiver, and with it the writers stop.
            receive.iter().try_for_each(|object| sink(object?))
        })
    }
}

impl Group {
    fn object(
        &self,
        format: &ObjectFormat,
        encoder: &mut ChunkEncoder,
        scratch: Option<&Scratch>,
        allowance: Allowance,
    ) -> Result<ConvertedObject, FileError> {
        let mut writer = ObjectWriter::new(format, encoder, allowance.object_bytes())?;
        let mut room = ROW_GROUP;
        let mut rows = 0;
        for piece in &self.pieces {
            rows += piece.rows as u64;
            match &piece.stored {
                Stored::Slab { columns, ranges } => {
                    for part in cut(ranges, room, ROW_GROUP) {
                        let count: usize = part.iter().map(Range::len).sum();
                        let mut picked = Picked::new(&part);
                        writer.write(columns.columns.iter().map(|column| picked.cells(column)));
                        room = after(&mut writer, room, count)?;
                    }
                }
                Stored::Scratch { offset, length, constants } => {
                    let stored = scratch.ok_or_else(|| FileError::GaveUp("the scratch file is gone".into()))?.load(*offset, *length)?;
                    let mut start = 0;
                    while start < piece.rows {
                        let count = room.min(piece.rows - start);
                        writer.write(completed(&stored, constants, start, count)?);
                        start += count;
                        room = after(&mut writer, room, count)?;
                    }
                }
            }
        }
        Ok(ConvertedObject { key: self.key.clone(), body: writer.finish()?, rows })
    }
}

/// The room left in a row group after some rows; a full one is closed.
fn after(writer: &mut ObjectWriter, room: usize, rows: usize) -> Result<usize, WriteError> {
    if rows < room {
        return Ok(room - rows);
    }
    writer.end_row_group()?;
    Ok(ROW_GROUP)
}

/// The columns of some rows: the stored ones and, in their places, the constants.
fn completed(stored: &[ArrayRef], constants: &[Constant], start: usize, count: usize) -> Result<Vec<Cells>, WriteError> {
    let mut stored = stored.iter();
    let column = |constant: &Constant| {
        let (values, strip) = match constant {
            Constant::Null => (None, Strip::run(0, count)),
            Constant::Value(one) => (Some(Arc::clone(one)), Strip::run(0, count)),
            Constant::No => {
                let array = stored.next().ok_or_else(|| WriteError::Scratch("a column is missing".into()))?;
                (Some(Arc::clone(array)), Strip::slice(start, count))
            }
        };
        Ok(Cells { values, strips: [strip].into() })
    };
    constants.iter().map(column).collect()
}

impl Scratch {
    fn store(&mut self, columns: &SlabColumns, ranges: &[Range<usize>], constants: &Arc<Vec<Constant>>) -> Result<Piece, FileError> {
        let rows = ranges.iter().map(Range::len).sum();
        let varying = columns.columns.iter().zip(constants.iter()).filter(|(_, constant)| matches!(constant, Constant::No));
        let mut picked = Picked::new(ranges);
        let arrays = varying
            .map(|(column, _)| picked.cells(column).expanded(&column.data_type))
            .collect::<Result<Vec<_>, _>>()
            .map_err(WriteError::from)?;
        let fields: Vec<Field> = arrays.iter().map(|a| Field::new("", a.data_type().clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut bytes = Vec::new();
        if !arrays.is_empty() {
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(WriteError::from)?;
            let mut writer = StreamWriter::try_new(&mut bytes, &schema).map_err(WriteError::from)?;
            writer.write(&batch).and_then(|()| writer.finish()).map_err(WriteError::from)?;
        }
        self.file.write_all_at(&bytes, self.length).map_err(WriteError::scratch)?;
        let stored = Stored::Scratch { offset: self.length, length: bytes.len(), constants: Arc::clone(constants) };
        self.length += bytes.len() as u64;
        Ok(Piece { rows, stored })
    }

    fn load(&self, offset: u64, length: usize) -> Result<Vec<ArrayRef>, FileError> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(WriteError::scratch)?;
        let reader = StreamReader::try_new(Cursor::new(Bytes::from(bytes)), None).map_err(WriteError::from)?;
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(WriteError::from)?;
        Ok(batches.first().map(|batch| batch.columns().to_vec()).unwrap_or_default())
    }
}

/// Rows in parts: at most `first` in the first, `most` in each other.
fn cut(ranges: &[Range<usize>], first: usize, most: usize) -> Vec<Vec<Range<usize>>> {
    let (mut parts, mut current, mut room) = (Vec::new(), Vec::new(), first);
    for range in ranges {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + room);
            current.push(start..end);
            room -= end - start;
            start = end;
            if room == 0 {
                parts.push(std::mem::take(&mut current));
                room = most;
            }
        }
    }
    if !current.is_empty() {
        parts.push(current);
    }
    parts
}
