//! Chunks that several parts of a variable lie in: inflated once, into scratch, and read from there.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::values::runs;
use super::{Attribute, Dimension, Kind, ReadError, Reader, Values, Variable};

/// Values that are written at once.
const BLOCK: usize = 1 << 16;

/// One variable of a file, whose parts will be read along its first dimension again and again.
#[derive(Debug)]
pub struct Unpacked {
    index: usize,
    /// The shape of its chunks, of so many rows of them as are inflated together.
    chunk: Vec<usize>,
    /// Bytes that are inflated at once, unless chunks are larger.
    piece: usize,
    /// By row of chunks.
    slabs: Mutex<BTreeMap<usize, Arc<Slab>>>,
    places: Mutex<Places>,
}

/// A row of chunks.
#[derive(Debug, Default)]
struct Slab {
    /// Parts that will be read from it.
    wanted: Mutex<usize>,
    /// Where it lies in scratch.
    place: Mutex<Option<usize>>,
}

/// One scratch file, in places that are as long as a row of chunks.
#[derive(Debug, Default)]
struct Places {
    file: Option<Arc<File>>,
    free: Vec<usize>,
    all: usize,
}

impl Unpacked {
    /// The bytes that may be inflated at once where so many may be taken in all.
    #[must_use]
    pub fn piece(memory: u64) -> usize {
        (memory / 16).clamp(1 << 20, 32 << 20) as usize
    }

    /// None of a variable that is not in chunks of numbers. `parts` are the rows of all parts that will be read, `piece` the
    /// bytes that may be inflated at once.
    pub fn new(reader: &dyn Reader, index: usize, chunk: &[usize], parts: &[Range<usize>], piece: usize) -> Option<Self> {
        let variable = &reader.variables()[index];
        if matches!(variable.kind, Kind::Text | Kind::Other) || chunk.len() != variable.dimensions.len() || chunk.contains(&0) {
            return None;
        }
        let lengths = variable.dimensions.iter().map(|&dimension| reader.dimensions()[dimension].length);
        let line = lengths.skip(1).fold(variable.kind.width(), usize::saturating_mul);
        // Small rows of chunks are taken together: to look each of them up would take longer than to inflate it.
        let together = (piece / 4 / line.saturating_mul(chunk[0]).max(1)).max(1);
        let mut chunk = chunk.to_vec();
        chunk[0] = chunk[0].saturating_mul(together);
        let unpacked = Self { index, chunk, piece, slabs: Mutex::default(), places: Mutex::default() };
        {
            let mut slabs = unpacked.slabs.lock().unwrap_or_else(PoisonError::into_inner);
            for number in parts.iter().flat_map(|rows| unpacked.numbers(rows)) {
                let slab = slabs.entry(number).or_default();
                *slab.wanted.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        }
        Some(unpacked)
    }

    /// Those rows of chunks that some rows lie in.
    fn numbers(&self, rows: &Range<usize>) -> Range<usize> {
        if rows.is_empty() { 0..0 } else { rows.start / self.chunk[0]..(rows.end - 1) / self.chunk[0] + 1 }
    }

    /// The variable.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// A part with these rows has been read: what nobody else wants is given up.
    pub fn release(&self, rows: &Range<usize>) {
        let mut slabs = self.slabs.lock().unwrap_or_else(PoisonError::into_inner);
        for number in self.numbers(rows) {
            let done = slabs.get(&number).is_some_and(|slab| {
                let mut wanted = slab.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                *wanted = wanted.saturating_sub(1);
                *wanted == 0
            });
            if done && let Some(slab) = slabs.remove(&number) {
                let place = slab.place.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.places.lock().unwrap_or_else(PoisonError::into_inner).free.extend(place);
            }
        }
    }

    /// The same values as [`Reader::read_part`].
    fn read(&self, reader: &dyn Reader, selection: &[Range<usize>]) -> Result<Values, ReadError> {
        let variable = &reader.variables()[self.index];
        let lengths: Vec<usize> = variable.dimensions.iter().map(|&d| reader.dimensions()[d].length).collect();
        let width = variable.kind.width();
        let mut bytes = Vec::with_capacity(selection.iter().map(Range::len).product::<usize>() * width);
        for number in self.numbers(&selection[0]) {
            let slab = self.slabs.lock().unwrap_or_else(PoisonError::into_inner).get(&number).map(Arc::clone);
            // One that nobody had announced.
            let Some(slab) = slab else { return reader.read_part(self.index, selection) };
            let first = number * self.chunk[0];
            let rows = first..(first + self.chunk[0]).min(lengths[0]);
            let (file, place) = {
                let mut place = slab.place.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(place) = *place {
                    (self.file()?, place)
                } else {
                    let (file, free) = self.free()?;
                    self.unpack(reader, &lengths, &rows, &file, free)?;
                    (file, *place.insert(free))
                }
            };
            let begin = self.begin(&lengths, width, place);
            let wanted = selection[0].start.max(rows.start) - first..selection[0].end.min(rows.end) - first;
            let inner: Vec<Range<usize>> = std::iter::once(wanted).chain(selection[1..].iter().cloned()).collect();
            let inner_lengths: Vec<usize> = std::iter::once(rows.len()).chain(lengths[1..].iter().copied()).collect();
            for run in runs(&inner_lengths, &inner) {
                let at = bytes.len();
                bytes.resize(at + run.len() * width, 0);
                file.read_exact_at(&mut bytes[at..], begin + (run.start * width) as u64).map_err(scratch)?;
            }
        }
        Ok(Values::from_le_bytes(variable.kind, &bytes))
    }

    /// The first byte of a place.
    fn begin(&self, lengths: &[usize], width: usize, place: usize) -> u64 {
        lengths[1..].iter().chain([&self.chunk[0], &width]).fold(place as u64, |bytes, &length| bytes * length as u64)
    }

    fn file(&self) -> Result<Arc<File>, ReadError> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match &places.file {
            Some(file) => Ok(Arc::clone(file)),
            None => Ok(Arc::clone(places.file.insert(Arc::new(tempfile::tempfile().map_err(scratch)?)))),
        }
    }

    /// A place that nobody has.
    fn free(&self) -> Result<(Arc<File>, usize), ReadError> {
        let file = self.file()?;
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let free = places.free.pop().unwrap_or(places.all);
        places.all = places.all.max(free + 1);
        Ok((file, free))
    }

    /// Puts rows of a variable into scratch, in C order.
    fn unpack(&self, reader: &dyn Reader, lengths: &[usize], rows: &Range<usize>, file: &File, place: usize) -> Result<(), ReadError> {
        let width = reader.variables()[self.index].kind.width();
        let (begin, count) = (self.begin(lengths, width, place), rows.len());
        let within: Vec<usize> = std::iter::once(count).chain(lengths[1..].iter().copied()).collect();
        let steps = self.steps(&within, width);
        for part in pieces(&within, &steps) {
            let selection: Vec<Range<usize>> = std::iter::once(rows.clone()).chain(part[1..].iter().cloned()).collect();
            let values = reader.read_part(self.index, &selection)?;
            let mut from = 0;
            for run in runs(&within, &part) {
                let to = begin + (run.start * width) as u64;
                values
                    .each_le_bytes(from..from + run.len(), BLOCK, |bytes, at| file.write_all_at(bytes, to + at as u64))
                    .map_err(scratch)?;
                from += run.len();
            }
        }
        Ok(())
    }

    /// Lengths of what is inflated at once: whole chunks, along the last dimension first.
    fn steps(&self, within: &[usize], width: usize) -> Vec<usize> {
        let mut steps: Vec<usize> = within.iter().zip(&self.chunk).map(|(&length, &chunk)| chunk.min(length).max(1)).collect();
        for at in (1..within.len()).rev() {
            let bytes = steps.iter().fold(width, |bytes, &step| bytes.saturating_mul(step));
            steps[at] *= (self.piece / bytes.max(1)).clamp(1, within[at].div_ceil(steps[at]).max(1));
        }
        steps
    }
}

/// All boxes of these steps within lengths, in C order.
fn pieces(within: &[usize], steps: &[usize]) -> Vec<Vec<Range<usize>>> {
    within.iter().zip(steps).fold(vec![Vec::new()], |pieces, (&length, &step)| {
        let along = || (0..length).step_by(step).map(|start| start..(start + step).min(length));
        pieces.iter().flat_map(|piece| along().map(|range| [&piece[..], &[range]].concat())).collect()
    })
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn scratch(error: std::io::Error) -> ReadError {
    ReadError::Scratch(error.to_string())
}

/// A file of which some variables are read out of scratch.
pub struct WithUnpacked<'a> {
    pub reader: &'a dyn Reader,
    pub unpacked: &'a [Unpacked],
}

impl Reader for WithUnpacked<'_> {
    fn dimensions(&self) -> &[Dimension] {
        self.reader.dimensions()
    }

    fn variables(&self) -> &[Variable] {
        self.reader.variables()
    }

    fn attributes(&self) -> &[Attribute] {
        self.reader.attributes()
    }

    fn chunks(&self) -> Vec<Option<Vec<usize>>> {
        self.reader.chunks()
    }

    fn read_part(&self, index: usize, selection: &[Range<usize>]) -> Result<Values, ReadError> {
        match self.unpacked.iter().find(|unpacked| unpacked.index == index) {
            Some(unpacked) if !selection.iter().any(Range::is_empty) => unpacked.read(self.reader, selection),
            _ => self.reader.read_part(index, selection),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts what is read of it.
    struct Counted {
        dimensions: Vec<Dimension>,
        variables: Vec<Variable>,
        values: Values,
        read: AtomicUsize,
    }

    impl Reader for Counted {
        fn dimensions(&self) -> &[Dimension] {
            &self.dimensions
        }

        fn variables(&self) -> &[Variable] {
            &self.variables
        }

        fn attributes(&self) -> &[Attribute] {
            &[]
        }

        fn read_part(&self, _: usize, selection: &[Range<usize>]) -> Result<Values, ReadError> {
            self.read.fetch_add(selection.iter().map(Range::len).product(), Ordering::Relaxed);
            let lengths: Vec<usize> = self.dimensions.iter().map(|d| d.length).collect();
            Ok(self.values.clone().part(&lengths, selection))
        }
    }

    #[test]
    fn what_parts_share_is_read_once_and_given_up_after_the_last() {
        let lengths = [7_usize, 5, 6];
        let dimensions = ["t", "y", "x"].iter().zip(lengths).map(|(name, length)| Dimension { name: (*name).into(), length }).collect();
        let variables = vec![Variable { name: "v".into(), kind: Kind::I16, dimensions: vec![0, 1, 2], attributes: vec![] }];
        let values = Values::I16((0..7 * 5 * 6).map(|number| number as i16 - 100).collect());
        let file = Counted { dimensions, variables, values: values.clone(), read: AtomicUsize::new(0) };
        let parts = [[0..4, 0..2, 0..6], [0..4, 2..5, 0..3], [0..4, 2..5, 3..6], [4..7, 0..5, 1..4]];
        let rows: Vec<Range<usize>> = parts.iter().map(|part| part[0].clone()).collect();
        // In one piece, and in pieces of one chunk.
        for piece in [1 << 20, 1] {
            file.read.store(0, Ordering::Relaxed);
            let unpacked = Unpacked::new(&file, 0, &[3, 2, 2], &rows, piece).expect("numbers in chunks");
            let reader = WithUnpacked { reader: &file, unpacked: std::slice::from_ref(&unpacked) };
            for part in &parts {
                assert_eq!(reader.read_part(0, part).expect("readable"), values.clone().part(&lengths, part), "{part:?}");
                unpacked.release(&part[0]);
            }
            assert_eq!(file.read.load(Ordering::Relaxed), 7 * 5 * 6, "each value once");
            assert!(unpacked.slabs.lock().expect("no panic").is_empty());
            let places = unpacked.places.lock().expect("no panic");
            // Three rows of chunks: the place of the first is used again. Or all of them as one.
            let expected = if piece == 1 { 2 } else { 1 };
            assert_eq!((places.all, places.free.len()), (expected, expected));
        }
        let unpacked = Unpacked::new(&file, 0, &[3, 2, 6], &rows, 1).expect("numbers in chunks");
        for part in &parts {
            unpacked.release(&part[0]);
        }
        let reader = WithUnpacked { reader: &file, unpacked: std::slice::from_ref(&unpacked) };
        // Nobody had announced this one.
        assert_eq!(reader.read_part(0, &parts[0]).expect("readable"), values.part(&lengths, &parts[0]));
        assert!(Unpacked::new(&file, 0, &[3, 2], &rows, 1).is_none(), "chunks of another shape");
    }
}
