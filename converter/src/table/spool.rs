//! Rows that wait for their objects. What does not fit in memory goes to a scratch file, and each
//! object is written in one go at the end, in row groups that do not depend on how rows came.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use tokio::sync::SemaphorePermit;

use super::column::{Column, Picked};
use super::scratch::{Scratch, StoredGroup, StoredRows};
use super::{Allowance, ConvertedObject, FileError, Sink};
use crate::read;
use crate::write::{self, Cells, ChunkEncoder, ObjectFormat, ObjectWriter};

/// Rows of one row group (spec 6.2).
pub(super) const ROW_GROUP: usize = 20_000;

/// Threads that a file may borrow: each has an object in memory, an eighth of the allowance at most.
const LENT: usize = 3;

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

    /// The cells of some rows, column by column.
    fn cells(&self, ranges: &[Range<usize>]) -> Result<Vec<Cells>, FileError> {
        let mut picked = Picked::new(ranges);
        self.columns.iter().map(|column| Ok(picked.cells(column)?)).collect()
    }
}

/// Consecutive rows of one object.
enum Piece {
    Slab { columns: Arc<SlabColumns>, ranges: Vec<Range<usize>> },
    Scratch(StoredRows),
}

impl Piece {
    fn rows(&self) -> usize {
        match self {
            Self::Slab { ranges, .. } => ranges.iter().map(Range::len).sum(),
            Self::Scratch(stored) => stored.rows(),
        }
    }
}

/// The rows of one object.
struct Group {
    key: String,
    /// The row groups that are full and encoded.
    full: Vec<StoredGroup>,
    /// The rows behind them.
    pieces: Vec<Piece>,
}

/// The rows of a file, by the object they belong to.
pub(super) struct Spool<'a> {
    allowance: Allowance<'a>,
    schema: Option<SchemaRef>,
    /// A column changed its type on the way: the file is gone through again, nothing is kept.
    spoiled: bool,
    groups: Vec<Group>,
    positions: HashMap<String, usize>,
    /// Bytes of the slabs in memory.
    held: u64,
    scratch: Option<Scratch>,
}

impl<'a> Spool<'a> {
    pub(super) fn new(allowance: Allowance<'a>) -> Self {
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
            self.groups.push(Group { key: key.clone(), full: Vec::new(), pieces: Vec::new() });
            self.groups.len() - 1
        });
        self.groups[position].pieces.push(Piece::Slab { columns: Arc::clone(columns), ranges });
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
        let Some(schema) = &self.schema else { return Ok(()) };
        let format = ObjectFormat::new(schema)?;
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(Scratch::new()?),
        };
        // What a footer says of its chunks is in memory until the object is written.
        let footers: u64 = self.groups.iter().flat_map(|group| &group.full).map(StoredGroup::memory).sum();
        let ahead = footers < self.allowance.bytes / 16;
        let threads = self.allowance.threads.min(self.groups.len()).max(1);
        let groups = Mutex::new(self.groups.iter_mut());
        let work = || {
            let mut encoder = ChunkEncoder::default();
            loop {
                let next = groups.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(group) = next else { return Ok(()) };
                group.spill(&format, &mut encoder, scratch, ahead)?;
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(|| read::guarded(work))).collect();
            let own = work();
            let others = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a thread broke down".into())));
            others.fold(own, |all, other| all.and(other.unwrap_or_else(|panic| Err(FileError::GaveUp(panic)))))
        })
    }

    /// Writes the objects, on as many threads as allowed and on those that fall free meanwhile; they come in any order.
    pub(super) fn objects(self, sink: &mut Sink) -> Result<(), FileError> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let format = ObjectFormat::new(schema)?;
        let next = AtomicUsize::new(0);
        let mut encoder = ChunkEncoder::default();
        let one = |encoder: &mut ChunkEncoder| {
            let group = self.groups.get(next.fetch_add(1, Ordering::Relaxed))?;
            Some(group.object(&format, encoder, self.scratch.as_ref(), self.allowance))
        };
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(self.allowance.threads.max(2));
            let help = |lent: Option<SemaphorePermit<'a>>| {
                let (send, one) = (send.clone(), &one);
                scope.spawn(move || {
                    let _lent = lent;
                    let mut encoder = ChunkEncoder::default();
                    let mut next = || read::guarded(|| one(&mut encoder)).unwrap_or_else(|panic| Some(Err(FileError::GaveUp(panic))));
                    while let Some(object) = next() {
                        let failed = object.is_err();
                        if send.send(object).is_err() || failed {
                            break;
                        }
                    }
                });
            };
            if self.allowance.threads > 1 && self.groups.len() > 1 {
                (0..self.allowance.threads.min(self.groups.len())).for_each(|_| help(None));
                drop(send);
                // Leaving early drops the receiver, and with it the helpers stop.
                return receive.into_iter().try_for_each(|object| sink(object?));
            }
            let mut helpers = 0;
            loop {
                let left = self.groups.len().saturating_sub(next.load(Ordering::Relaxed));
                if helpers < LENT
                    && left > 1
                    && let Some(lent) = self.allowance.spare.and_then(|spare| spare.try_acquire().ok())
                {
                    help(Some(lent));
                    helpers += 1;
                }
                let Some(object) = one(&mut encoder) else { break };
                sink(object?)?;
                while let Ok(object) = receive.try_recv() {
                    sink(object?)?;
                }
            }
            drop(send);
            // Leaving early drops the receiver, and with it the helpers stop.
            receive.into_iter().try_for_each(|object| sink(object?))
        })
    }
}

impl Group {
    /// Takes its rows out of memory: what fills row groups is encoded if that may be done `ahead`, the
    /// rest is kept as it is.
    fn spill(&mut self, format: &ObjectFormat, encoder: &mut ChunkEncoder, scratch: &Scratch, ahead: bool) -> Result<(), FileError> {
        let pieces = std::mem::take(&mut self.pieces);
        let mut whole = if ahead { pieces.iter().map(Piece::rows).sum::<usize>() / ROW_GROUP } else { 0 };
        if whole == 0 {
            for piece in pieces {
                match piece {
                    Piece::Scratch(_) => self.pieces.push(piece),
                    Piece::Slab { columns, ranges } => {
                        for part in cut(&ranges, ROW_GROUP, ROW_GROUP) {
                            self.pieces.push(Piece::Scratch(scratch.store_rows(&columns.cells(&part)?)?));
                        }
                    }
                }
            }
            return Ok(());
        }
        let (mut at_hand, mut room) = (Vec::new(), ROW_GROUP);
        parts(&pieces, Some(scratch), &mut |cells, rows| {
            if whole == 0 {
                self.pieces.push(Piece::Scratch(scratch.store_rows(&cells)?));
                return Ok(());
            }
            at_hand.push(cells);
            room -= rows;
            if room > 0 {
                return Ok(());
            }
            if let Some(chunks) = format.encode(encoder, &by_columns(&at_hand))? {
                self.full.push(scratch.store_group(chunks)?);
                at_hand.clear();
                (whole, room) = (whole - 1, ROW_GROUP);
            } else {
                // A type that is encoded only together with its object: this and the rest waits as it is.
                for cells in at_hand.drain(..) {
                    self.pieces.push(Piece::Scratch(scratch.store_rows(&cells)?));
                }
                whole = 0;
            }
            Ok(())
        })
    }

    fn object(
        &self,
        format: &ObjectFormat,
        encoder: &mut ChunkEncoder,
        scratch: Option<&Scratch>,
        allowance: Allowance,
    ) -> Result<ConvertedObject, FileError> {
        let mut writer = ObjectWriter::new(format, encoder, allowance.object_bytes())?;
        for group in &self.full {
            writer.append(scratch.ok_or_else(no_scratch)?.load_group(group)?)?;
        }
        let (mut room, mut all) = (ROW_GROUP, self.full.len() * ROW_GROUP);
        parts(&self.pieces, scratch, &mut |cells, rows| {
            writer.write(cells);
            (room, all) = (room - rows, all + rows);
            if room == 0 {
                writer.end_row_group()?;
                room = ROW_GROUP;
            }
            Ok(())
        })?;
        Ok(ConvertedObject { key: self.key.clone(), body: writer.finish()?, rows: all as u64 })
    }
}

fn no_scratch() -> FileError {
    FileError::GaveUp("the scratch file is gone".into())
}

/// Rows of consecutive pieces, cut where row groups end.
fn parts(
    pieces: &[Piece],
    scratch: Option<&Scratch>,
    take: &mut dyn FnMut(Vec<Cells>, usize) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut give = |cells, rows, room: usize| {
        take(cells, rows)?;
        Ok::<_, FileError>(if rows == room { ROW_GROUP } else { room - rows })
    };
    let mut room = ROW_GROUP;
    for piece in pieces {
        match piece {
            Piece::Slab { columns, ranges } => {
                for part in cut(ranges, room, ROW_GROUP) {
                    room = give(columns.cells(&part)?, part.iter().map(Range::len).sum(), room)?;
                }
            }
            Piece::Scratch(stored) => {
                let loaded = scratch.ok_or_else(no_scratch)?.load_rows(stored)?;
                let mut start = 0;
                while start < stored.rows() {
                    let rows = room.min(stored.rows() - start);
                    room = give(loaded.iter().map(|cells| cells.slice(start, rows)).collect(), rows, room)?;
                    start += rows;
                }
            }
        }
    }
    Ok(())
}

/// Cells by columns, of parts that have the columns each.
fn by_columns(parts: &[Vec<Cells>]) -> Vec<Vec<Cells>> {
    let columns = parts.first().map_or(0, Vec::len);
    (0..columns).map(|column| parts.iter().map(|part| part[column].clone()).collect()).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, StringArray};
    use tokio::sync::Semaphore;

    use super::super::broadcast::Broadcast;
    use super::super::column::Placed;
    use super::*;

    /// Slabs of rows that go to one object in runs and to another one by one.
    fn objects(allowance: Allowance<'_>, with_flags: bool) -> BTreeMap<String, (u64, Vec<u8>)> {
        const ROWS: usize = 15_000;
        let mut spool = Spool::new(allowance);
        for slab in 0..10 {
            let values: ArrayRef = Arc::new((0..ROWS).map(|i| (i % 7 > 0).then_some((slab * ROWS + i) as f64)).collect::<Float64Array>());
            let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|i| format!("station {}", i % 11))));
            let mut columns = vec![("VALUE", values), ("STATION", texts)];
            if with_flags {
                columns.push(("FLAG", Arc::new((0..ROWS).map(|i| Some(i % 3 == 0)).collect::<BooleanArray>())));
            }
            let column = |(name, array): (&str, ArrayRef)| Column {
                name: name.to_owned(),
                data_type: array.data_type().clone(),
                values: Some(Placed { array, map: Broadcast::identity(ROWS) }),
            };
            let file = Column { name: "FILE".to_owned(), data_type: arrow_schema::DataType::Utf8, values: None };
            let columns = SlabColumns::new(columns.into_iter().map(column).chain([file]).collect(), ROWS);
            spool.make_room().unwrap();
            spool.admit(&columns);
            spool.push("runs".to_owned(), &columns, vec![0..4_000, 4_100..9_000]);
            spool.push("scattered".to_owned(), &columns, (9_000..ROWS).step_by(2).map(|row| row..row + 1).collect());
        }
        let mut objects = BTreeMap::new();
        spool
            .objects(&mut |object| {
                objects.insert(object.key, (object.rows, object.body.read_at(0, object.body.len() as usize).unwrap().to_vec()));
                Ok(())
            })
            .unwrap();
        objects
    }

    #[test]
    fn objects_have_the_same_bytes_whatever_waited_on_scratch() {
        for with_flags in [false, true] {
            let expected = objects(Allowance::UNBOUNDED, with_flags);
            assert_eq!(
                expected.iter().map(|(key, (rows, _))| (key.as_str(), *rows)).collect::<Vec<_>>(),
                [("runs", 89_000), ("scattered", 30_000)]
            );
            // Every slab spills; the footers of full row groups are soon too much for the smallest.
            for (bytes, threads) in [(64 << 10, 1), (1 << 20, 1), (1 << 20, 2)] {
                assert!(objects(Allowance::new(bytes, threads), with_flags) == expected, "{bytes} bytes, {threads} threads");
            }
            let spare = Semaphore::new(1);
            let lent = Allowance { spare: Some(&spare), ..Allowance::new(1 << 20, 1) };
            assert!(objects(lent, with_flags) == expected, "a thread that fell free");
            assert_eq!(spare.available_permits(), 1, "it is given back");
        }
    }
}
