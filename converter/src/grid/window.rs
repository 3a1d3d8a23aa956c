//! A box of an array: filled from files and from chunks of the store, and cut into chunks.

use std::ops::Range;

use arrow_array::Array as _;
use arrow_schema::DataType;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crds::config::{GridConfig, GridType};
use crds::wire::{Compat, Place};

use super::axes::{Along, Axes};
use super::regrid::reverse;
use super::texts::{self, Texts};
use super::{Form, GridError, arrays, cells, differ, form};
use crate::cf::{self, Rules};
use crate::read::{Reader, Values, Variable};
use crate::zarr::{
    Array, ArrayMetadata, Attr, Dtype, MOST_TEXT, ZarrError, chunk_key, chunks_of, decode_chunk, decode_texts, encode_chunk, encode_texts,
    is_all_fill,
};

/// Values that may be read at once, however small the box is that they are for.
const MOST_READ: usize = 1 << 20;

/// A file, how its values come to the store's positions, and where its rows go.
pub struct Source<'a> {
    pub reader: &'a dyn Reader,
    pub axes: &'a Axes,
    pub places: &'a [Place],
}

/// Elements of one array in a box whose edges are those of chunks, or of the array.
pub struct Window<'a> {
    name: &'a str,
    array: &'a Array,
    dimensions: Vec<&'a str>,
    /// Of each dimension. The append dimension's rows may lie beyond the end of the store.
    ranges: Vec<Range<u64>>,
    bytes: Vec<u8>,
    /// Those that `bytes` has the numbers of, in an array of texts of any length.
    texts: Texts,
}

impl<'a> Window<'a> {
    /// A box that says nothing yet.
    ///
    /// # Errors
    /// When the array's dimensions have no names.
    pub fn new(name: &'a str, array: &'a Array, ranges: Vec<Range<u64>>) -> Result<Self, GridError> {
        let dimensions = array.dimensions()?;
        let count = ranges.iter().map(|range| (range.end - range.start) as usize).product();
        let bytes = nothing(&array.metadata).repeat(count);
        Ok(Self { name, array, dimensions, ranges, bytes, texts: Texts::default() })
    }

    /// Bytes of an element in the box.
    fn width(&self) -> usize {
        if self.has_texts() { texts::WIDTH } else { self.array.metadata.dtype.width() }
    }

    fn has_texts(&self) -> bool {
        self.array.metadata.dtype == Dtype::Object
    }

    /// The bytes of one text.
    fn text(&mut self, text: &str) -> Vec<u8> {
        if self.has_texts() { self.texts.number(text).into() } else { self.array.metadata.dtype.text_bytes(text) }
    }

    fn lengths(&self) -> Vec<usize> {
        self.ranges.iter().map(|range| (range.end - range.start) as usize).collect()
    }

    /// Puts a file's rows where they belong. What the file lacks stays unsaid.
    ///
    /// # Errors
    /// What cannot be read, decoded or cast; dimensions that are not the array's.
    pub fn put(&mut self, source: &Source<'_>, config: &GridConfig, rules: Rules) -> Result<(), GridError> {
        let mut targets = self.ranges.clone();
        let Some(axis) = self.array.axis(config.append_name()) else {
            return self.put_box(source, config, rules, &targets, None);
        };
        let rows = self.ranges[axis].clone();
        for place in source.places.iter().filter_map(|place| place.within(&rows)) {
            targets[axis] = place.rows();
            self.put_box(source, config, rules, &targets, Some((axis, place.from)))?;
        }
        Ok(())
    }

    /// `targets` are those of the store; `rows` the append dimension, and the first of its rows in the file.
    fn put_box(
        &mut self,
        source: &Source<'_>,
        config: &GridConfig,
        rules: Rules,
        targets: &[Range<u64>],
        rows: Option<(usize, u64)>,
    ) -> Result<(), GridError> {
        let Source { reader, axes, .. } = *source;
        let Some(index) = reader.position(self.name) else {
            if let Some(text) = config.variable(self.name).and_then(|v| arrays::added_text(reader, v.source.as_ref()?)) {
                let one = self.text(&text);
                self.copy_in(&one, &vec![0; targets.len()], targets);
            }
            return Ok(());
        };
        let width = self.width();
        if self.dimensions == [self.name]
            && let Some(positions) = axes.target(self.name)
        {
            let bytes: Vec<u8> = positions[place(&targets[0])].iter().flat_map(|position| position.to_le_bytes()).collect();
            self.copy_in(&bytes, &[width], targets);
            return Ok(());
        }
        let variable = &reader.variables()[index];
        let joined = cf::joined_dimension(reader, variable).map(|dimension| dimension.length);
        // Of each of the variable's dimensions: the store's, and what is read along it.
        let mut own = Vec::new();
        let mut selection = Vec::new();
        for &dimension in cf::decoded_dimensions(reader, variable) {
            let dimension = &reader.dimensions()[dimension];
            let name = dimension.name.as_str();
            let Some(axis) = self.dimensions.iter().position(|known| *known == name) else {
                let detail = format!("variable {:?} has the dimension {name:?}, in the store it has {:?}", self.name, self.dimensions);
                return Err(GridError::Mismatch(detail));
            };
            let wanted = place(&targets[axis]);
            selection.push(match (rows, axes.along(name)) {
                (Some((append, from)), _) if append == axis => from as usize..from as usize + wanted.len(),
                (_, None) => wanted,
                (_, Some(Along::Reversed)) => dimension.length - wanted.end..dimension.length - wanted.start,
                (_, Some(Along::Sorted(order))) => order.span(&wanted),
                (_, Some(Along::Regridded { regrid, .. })) => regrid.span(&wanted),
            });
            own.push(axis);
        }
        let mut lengths: Vec<usize> = selection.iter().map(Range::len).collect();
        // Where the file's positions lie closer than the store's, it is the store's that memory is there for.
        let room = (self.bytes.len() / width).max(MOST_READ);
        let letters = joined.unwrap_or(1).max(1);
        if lengths.iter().product::<usize>().saturating_mul(letters) > 2 * room
            && let Some(halves) = Self::halves(&own, &lengths, targets, letters > 1)
        {
            return halves.iter().try_for_each(|half| self.put_box(source, config, rules, half, rows));
        }
        selection.extend(joined.map(|length| 0..length));
        let (raw, joined) = cf::of_some_length(reader.read_part(index, &selection)?, joined, lengths.iter().product());
        let mut bytes = match form(config, self.name, &self.dimensions) {
            Form::Raw => {
                self.check_raw(reader, variable)?;
                match raw {
                    Values::Text(texts) => self.texts.numbers(texts),
                    numbers => cells::raw(numbers),
                }
            }
            Form::Decoded => {
                let variable = undecoded(variable, config, rules.compat);
                let mut decoded = cf::decode(&variable, raw, joined, rules)?.array;
                for (name, _) in &config.target_grids {
                    let Some(Along::Regridded { regrid, .. }) = axes.along(name) else { continue };
                    let Some(at) = own.iter().position(|&axis| self.dimensions[axis] == name) else { continue };
                    let inner = lengths[at + 1..].iter().product();
                    let wanted = place(&targets[own[at]]);
                    // What has this dimension alone went through numpy's `interp`, which is exact.
                    let plain = own.len() == 1 && !regrid.is_single() && *decoded.data_type() == DataType::Float64;
                    decoded = regrid.apply(self.name, &decoded, inner, &wanted, rules.compat == Compat::Fixed || plain)?;
                    lengths[at] = wanted.len();
                }
                if self.has_texts() {
                    self.texts.numbers(cells::texts(self.name, &decoded)?)
                } else {
                    cells::cast(self.name, &decoded, self.array.metadata.dtype)?
                }
            }
        };
        let expected = lengths.iter().product::<usize>() * width;
        if bytes.len() != expected {
            let detail =
                format!("variable {:?} has {} bytes, {expected} were expected: its type is not that of the store", self.name, bytes.len());
            return Err(GridError::Mismatch(detail));
        }
        for at in 0..own.len() {
            if let Some(Along::Sorted(order)) = axes.along(self.dimensions[own[at]]) {
                let wanted = place(&targets[own[at]]);
                bytes = order.sorted(&bytes, lengths[at + 1..].iter().product::<usize>() * width, &wanted);
                lengths[at] = wanted.len();
            }
        }
        let mut strides = vec![0; self.dimensions.len()];
        for (at, (&axis, stride)) in own.iter().zip(strides_of(&lengths, width)).enumerate() {
            strides[axis] = stride;
            if axes.along(self.dimensions[axis]) == Some(&Along::Reversed) {
                reverse(&mut bytes, lengths[at], stride);
            }
        }
        self.copy_in(&bytes, &strides, targets);
        Ok(())
    }

    /// A box in two, along the dimension of which the most is read for the least; `long`: each element is many letters.
    fn halves(own: &[usize], read: &[usize], targets: &[Range<u64>], long: bool) -> Option<[Vec<Range<u64>>; 2]> {
        let length = |axis: usize| place(&targets[axis]).len();
        let wide = own.iter().copied().zip(read).filter(|&(axis, &read)| length(axis) > 1 && (long || read > length(axis)));
        let (axis, _) = wide.max_by_key(|&(axis, &read)| (read / length(axis), length(axis)))?;
        let middle = targets[axis].start + length(axis) as u64 / 2;
        let half =
            |range: Range<u64>| targets.iter().enumerate().map(move |(at, whole)| if at == axis { range.clone() } else { whole.clone() });
        Some([targets[axis].start..middle, middle..targets[axis].end].map(|range| half(range).collect()))
    }

    /// A coordinate is taken as it is, so it must be written as the store's is.
    fn check_raw(&self, reader: &dyn Reader, variable: &Variable) -> Result<(), GridError> {
        let (dtype, _) = arrays::untyped(reader, variable)?;
        if dtype != self.array.metadata.dtype {
            let detail = format!("coordinate {:?} is {dtype}, in the store it is {}", self.name, self.array.metadata.dtype);
            return Err(GridError::Mismatch(detail));
        }
        for name in ["scale_factor", "add_offset", "units"] {
            let own = variable.attribute(name).map(Attr::from);
            if own.as_ref() != self.array.attributes.get(name) {
                let shown = |attribute: Option<&Attr>| attribute.map_or("none".to_owned(), Attr::to_json);
                let store = shown(self.array.attributes.get(name));
                let detail = format!("coordinate {:?} has {name} {}, in the store {store}", self.name, shown(own.as_ref()));
                return Err(GridError::Mismatch(detail));
            }
        }
        Ok(())
    }

    /// Copies elements in: `strides` in bytes for each dimension, 0 where all positions have the same.
    fn copy_in(&mut self, bytes: &[u8], strides: &[usize], targets: &[Range<u64>]) {
        let width = self.width();
        let lengths = self.lengths();
        let own = strides_of(&lengths, width);
        let first: usize = targets.iter().zip(&self.ranges).zip(&own).map(|((t, r), stride)| (t.start - r.start) as usize * stride).sum();
        let counts: Vec<usize> = targets.iter().map(|target| (target.end - target.start) as usize).collect();
        copy(bytes, 0, strides, &mut self.bytes, first, &own, &counts, width);
    }

    /// The chunks that the box covers.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<u64>> + use<'a> {
        chunks_of(&self.ranges, &self.array.metadata.chunks)
    }

    /// SHA-256 of what is in the box, hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        if !self.has_texts() {
            return hex::encode(Sha256::digest(&self.bytes));
        }
        let mut digest = Sha256::new();
        for text in self.texts.of(&self.bytes) {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        hex::encode(digest.finalize())
    }

    /// Where the box first differs from what the store has there, and how: `get` gives the object of a chunk. Nothing where
    /// that cannot be had or told.
    #[must_use]
    pub fn difference(&self, get: &dyn Fn(&[u64]) -> Option<Bytes>) -> Option<String> {
        let metadata = &self.array.metadata;
        let mut store = Self::new(self.name, self.array, self.ranges.clone()).ok()?;
        let chunks: Vec<usize> = metadata.chunks.iter().map(|&length| length as usize).collect();
        for index in self.chunks() {
            // One that is not there says nothing.
            let Some(object) = get(&index) else { continue };
            let raw = store.decoded(&object).ok()?;
            let targets = store.chunk_box(&index);
            store.copy_in(&raw, &strides_of(&chunks, self.width()), &targets);
        }
        let (at, own, there) = differ::first(metadata.dtype, (&self.bytes, &self.texts), (&store.bytes, &store.texts))?;
        let mut rest = at as u64;
        let mut place = vec![0; self.ranges.len()];
        for (place, range) in place.iter_mut().zip(&self.ranges).rev() {
            let length = (range.end - range.start).max(1);
            (*place, rest) = (range.start + rest % length, rest / length);
        }
        Some(if place.is_empty() { format!("{own} instead of {there}") } else { format!("{own} instead of {there} at {place:?}") })
    }

    /// The elements of a chunk, as the box has them.
    fn decoded(&mut self, object: &[u8]) -> Result<Vec<u8>, ZarrError> {
        let metadata = &self.array.metadata;
        if self.has_texts() { Ok(self.texts.numbers(decode_texts(metadata, object)?)) } else { decode_chunk(metadata, object) }
    }

    /// Takes rows of a chunk that the store has, from the chunk's object: of `rows` those that are in it, each with where
    /// it goes.
    ///
    /// # Errors
    /// An object that is no chunk of this array.
    pub fn keep(&mut self, append: &str, chunk: &[u64], object: &[u8], rows: impl Iterator<Item = (u64, u64)>) -> Result<(), ZarrError> {
        let raw = self.decoded(object)?;
        let metadata = &self.array.metadata;
        let Some(axis) = self.array.axis(append) else { return Ok(()) };
        let mut targets = self.chunk_box(chunk);
        let length = metadata.chunks[axis];
        let chunks: Vec<usize> = metadata.chunks.iter().map(|&length| length as usize).collect();
        let strides = strides_of(&chunks, self.width());
        for (from, to) in rows.filter(|(from, _)| from / length == chunk[axis]) {
            targets[axis] = to..to + 1;
            self.copy_in(&raw[(from % length) as usize * strides[axis]..], &strides, &targets);
        }
        Ok(())
    }

    /// The part of the box that a chunk covers.
    fn chunk_box(&self, chunk: &[u64]) -> Vec<Range<u64>> {
        let of = |((index, length), range): ((&u64, &u64), &Range<u64>)| (index * length)..((index + 1) * length).min(range.end);
        chunk.iter().zip(&self.array.metadata.chunks).zip(&self.ranges).map(of).collect()
    }

    /// Whether chunks hold the texts that were put into the box.
    ///
    /// # Errors
    /// The first chunk that does not, with the bytes that they have.
    pub fn check_texts(&self) -> Result<(), GridError> {
        if !self.has_texts() {
            return Ok(());
        }
        for chunk in self.chunks() {
            let bytes: usize = self.texts.of(&self.chunk(&chunk)).map(|text| 4 + text.len()).sum();
            if bytes > MOST_TEXT {
                let detail =
                    format!("its texts have {bytes} bytes, {MOST_TEXT} are the most; write smaller chunks, or shorter texts (`<U64`)");
                return Err(GridError::Cast { variable: self.name.to_owned(), to: format!("chunk {}", chunk_key(&chunk)), detail });
            }
        }
        Ok(())
    }

    /// A chunk's object; none where all of it is the fill value.
    ///
    /// # Errors
    /// A chunk larger than any may be.
    pub fn object(&self, chunk: &[u64]) -> Result<Option<Vec<u8>>, ZarrError> {
        let (metadata, bytes) = (&self.array.metadata, self.chunk(chunk));
        if self.has_texts() {
            return encode_texts(metadata, &self.texts.of(&bytes).collect::<Vec<_>>()).map(Some);
        }
        if is_all_fill(metadata, &bytes) { Ok(None) } else { encode_chunk(metadata, &bytes).map(Some) }
    }

    /// The elements of a whole chunk, filled up where it reaches beyond the box.
    fn chunk(&self, chunk: &[u64]) -> Vec<u8> {
        let width = self.width();
        let shape: Vec<usize> = self.array.metadata.chunks.iter().map(|&length| length as usize).collect();
        let boxes = self.chunk_box(chunk);
        let counts: Vec<usize> = boxes.iter().map(|range| (range.end - range.start) as usize).collect();
        let whole = counts == shape;
        let elements: usize = shape.iter().product();
        let mut bytes = if whole { vec![0; elements * width] } else { nothing(&self.array.metadata).repeat(elements) };
        let own = strides_of(&self.lengths(), width);
        let first: usize = boxes.iter().zip(&self.ranges).zip(&own).map(|((b, r), stride)| (b.start - r.start) as usize * stride).sum();
        copy(&self.bytes, first, &own, &mut bytes, 0, &strides_of(&shape, width), &counts, width);
        bytes
    }
}

/// All of an array without rows, from a file.
///
/// # Errors
/// What cannot be read, decoded or cast; dimensions that are not the array's.
pub fn static_window<'a>(
    name: &'a str,
    array: &'a Array,
    source: &Source<'_>,
    config: &GridConfig,
    rules: Rules,
) -> Result<Window<'a>, GridError> {
    let ranges = array.metadata.shape.iter().map(|&length| 0..length).collect();
    let mut window = Window::new(name, array, ranges)?;
    window.put(source, config, rules)?;
    Ok(window)
}

/// One element of a box that says nothing.
fn nothing(metadata: &ArrayMetadata) -> Vec<u8> {
    if metadata.dtype == Dtype::Object { vec![0; texts::WIDTH] } else { cells::nothing(metadata.dtype, &metadata.fill) }
}

/// A range of positions in memory.
fn place(range: &Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// A time that the config wants as the number it is has no units for the decoder: one that it names, one that it does
/// not know, and one whose type is that of a number (where the incumbent makes nanoseconds of it and leaves the units;
/// spec 8, A14).
fn undecoded(variable: &Variable, config: &GridConfig, compat: Compat) -> Variable {
    let mut variable = variable.clone();
    let number = config.variable(&variable.name).is_none_or(|known| known.grid_type != GridType::TimestampNs && compat == Compat::Fixed);
    if number || config.undecoded_times.contains(&variable.name) {
        variable.attributes.retain(|attribute| attribute.name != "units");
    }
    variable
}

/// Bytes from one position to the next along each dimension, in C order.
fn strides_of(lengths: &[usize], width: usize) -> Vec<usize> {
    let mut strides = vec![width; lengths.len()];
    for at in (1..lengths.len()).rev() {
        strides[at - 1] = strides[at] * lengths[at];
    }
    strides
}

#[allow(clippy::too_many_arguments)] // two places with strides, and what is common to both
fn copy(from: &[u8], at: usize, strides: &[usize], to: &mut [u8], into: usize, own: &[usize], counts: &[usize], width: usize) {
    let (Some(&stride), Some(&own_stride), Some(&count)) = (strides.first(), own.first(), counts.first()) else {
        to[into..into + width].copy_from_slice(&from[at..at + width]);
        return;
    };
    if counts.len() == 1 && stride == width && own_stride == width {
        to[into..into + count * width].copy_from_slice(&from[at..at + count * width]);
        return;
    }
    for i in 0..count {
        copy(from, at + i * stride, &strides[1..], to, into + i * own_stride, &own[1..], &counts[1..], width);
    }
}
