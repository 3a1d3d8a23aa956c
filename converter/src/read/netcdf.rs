//! NetCDF-3 (classic, 64-bit offset, 64-bit data) and NetCDF-4 through `netcdf-reader`.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hdf5_reader::{Hdf5File, OpenOptions};
use netcdf_reader::{
    DynStorage, Error, NcAttrValue, NcFile, NcGroup, NcMetadataMode, NcOpenOptions, NcReadable, NcSliceInfo, NcSliceInfoElem, NcType,
    NcVariable, RangeRequestStorage,
};

use super::byte::Byte;
use super::classic::{self, BigEndian};
use super::superblock::declared_end;
use super::{Attribute, Dimension, Input, Kind, ReadError, Reader, Values, Variable};
use super::{filters, guarded, texts};

/// Enough for any superblock, and for a message that shows how a file begins.
const HEAD: usize = 128;
/// Bytes of references to texts that are kept inflated.
const REFERENCES: usize = 4 << 20;

pub(super) struct NetcdfReader {
    file: NcFile,
    input: Input,
    dimensions: Vec<Dimension>,
    variables: Vec<Variable>,
    attributes: Vec<Attribute>,
    /// Where the values of each variable of a classic file begin, if they lie together.
    offsets: Vec<Option<u64>>,
    hdf5: OnceLock<Option<Hdf5File>>,
}

impl NetcdfReader {
    pub(super) fn open(input: Input, chunk_cache: usize) -> Result<Self, ReadError> {
        if input.is_empty() {
            return Err(ReadError::Empty);
        }
        guarded(|| Self::open_unguarded(input, chunk_cache)).unwrap_or_else(|panic| Err(ReadError::Unreadable(panic)))
    }

    fn open_unguarded(input: Input, chunk_cache: usize) -> Result<Self, ReadError> {
        let head = input.read_at(0, HEAD).map_err(|error| ReadError::Unreadable(error.to_string()))?;
        if let Some(end) = declared_end(&head).filter(|&end| end > input.len()) {
            return Err(ReadError::Truncated(format!("{} bytes where the header says {end}", input.len())));
        }
        let file = open_file(&input, NcMetadataMode::Strict, chunk_cache).map_err(|e| open_error(&head, input.len(), &e))?;
        match Self::describe(&file, input.len()) {
            Ok((dimensions, variables, attributes)) => Self::new(file, input, dimensions, variables, attributes),
            // Text that is not UTF-8 in one attribute must not cost the file: the lossy mode leaves
            // out just that attribute.
            Err(Error::InvalidData(detail)) if detail.starts_with("attribute '") => {
                let file = open_file(&input, NcMetadataMode::Lossy, chunk_cache).map_err(|e| open_error(&head, input.len(), &e))?;
                let (dimensions, variables, attributes) =
                    Self::describe(&file, input.len()).map_err(|e| open_error(&head, input.len(), &e))?;
                Self::new(file, input, dimensions, variables, attributes)
            }
            Err(error) => Err(open_error(&head, input.len(), &error)),
        }
    }

    fn new(
        file: NcFile,
        input: Input,
        dimensions: Vec<Dimension>,
        variables: Vec<Variable>,
        attributes: Vec<Attribute>,
    ) -> Result<Self, ReadError> {
        let root = file.root_group().map_err(|error| ReadError::Unreadable(error.to_string()))?;
        let classic = file.as_classic().is_some();
        let offset = |variable: &NcVariable| (classic && !variable.is_record_var).then_some(variable.data_offset);
        let offsets = root.variables.iter().map(offset).collect();
        Ok(Self { file, input, dimensions, variables, attributes, offsets, hdf5: OnceLock::new() })
    }

    #[allow(clippy::type_complexity)] // taken apart at once by the two callers above
    fn describe(file: &NcFile, length: u64) -> Result<(Vec<Dimension>, Vec<Variable>, Vec<Attribute>), Error> {
        let root = file.root_group()?;
        let classic = file.as_classic().is_some();
        let mut dimensions: Vec<Dimension> = Vec::new();
        let mut variables = Vec::with_capacity(root.variables.len());
        for variable in &root.variables {
            let mut positions = Vec::with_capacity(variable.dimensions.len());
            for dimension in &variable.dimensions {
                if !classic && !root.dimensions.iter().any(|d| d.name == dimension.name) {
                    return Err(Error::InvalidData(format!("variable '{}' has no dimension scales", variable.name)));
                }
                let length = usize::try_from(dimension.size)
                    .map_err(|_| Error::InvalidData(format!("dimension '{}' is too long", dimension.name)))?;
                let position = dimensions.iter().position(|d| d.name == dimension.name).unwrap_or_else(|| {
                    dimensions.push(Dimension { name: dimension.name.clone(), length });
                    dimensions.len() - 1
                });
                if dimensions[position].length != length {
                    return Err(Error::InvalidData(format!("dimension '{}' has two lengths", dimension.name)));
                }
                positions.push(position);
            }
            variables.push(Variable {
                name: variable.name.clone(),
                kind: kind(&variable.dtype),
                dimensions: positions,
                attributes: attributes(&variable.attributes, classic),
            });
        }
        check_extent(file, root, length)?;
        Ok((dimensions, variables, attributes(&root.attributes, classic)))
    }

    /// The bytes of a part of a classic file's variable, if they lie together.
    fn together(&self, index: usize, selection: &[Range<usize>], width: usize) -> Result<Option<Bytes>, Error> {
        let Some(offset) = self.offsets[index] else { return Ok(None) };
        let lengths = self.variables[index].dimensions.iter().map(|&d| self.dimensions[d].length);
        let Some((first, count)) = classic::together(selection, lengths) else { return Ok(None) };
        let bytes = self.input.read_at(offset + (first * width) as u64, count * width)?;
        if bytes.len() == count * width { Ok(Some(bytes)) } else { Ok(None) }
    }

    fn numbers<T: NcReadable + BigEndian>(&self, index: usize, selection: &[Range<usize>]) -> Result<Vec<T>, Error> {
        let variable = &self.variables[index];
        let length = selection.iter().map(Range::len).product();
        // Memory that is not there must be an error, not an abort.
        Vec::<T>::new().try_reserve_exact(length).map_err(|e| Error::InvalidData(format!("{length} values: {e}")))?;
        if let Some(bytes) = self.together(index, selection, size_of::<T>())? {
            return Ok(T::all(&bytes));
        }
        if self.is_whole(variable, selection) {
            return Ok(self.file.read_variable::<T>(&variable.name)?.into_raw_vec_and_offset().0);
        }
        let selections =
            selection.iter().map(|r| NcSliceInfoElem::Slice { start: r.start as u64, end: r.end as u64, step: 1 }).collect::<Vec<_>>();
        let array = self.file.read_variable_slice::<T>(&variable.name, &NcSliceInfo { selections })?;
        Ok(array.into_raw_vec_and_offset().0)
    }

    /// Whether all of a variable is wanted, of a file in memory. Of others the dependency would keep what is read whole, up
    /// to 32 MiB of each variable, whatever its cache may hold.
    fn is_whole(&self, variable: &Variable, selection: &[Range<usize>]) -> bool {
        matches!(self.input, Input::Memory(_))
            && variable.dimensions.iter().zip(selection).all(|(&d, range)| *range == (0..self.dimensions[d].length))
    }

    fn read_unguarded(&self, index: usize, selection: &[Range<usize>]) -> Result<Values, Error> {
        let variable = &self.variables[index];
        if selection.iter().any(Range::is_empty) {
            return Ok(empty(variable.kind));
        }
        Ok(match variable.kind {
            Kind::I8 => Values::I8(self.numbers(index, selection)?),
            Kind::I16 => Values::I16(self.numbers(index, selection)?),
            Kind::I32 => Values::I32(self.numbers(index, selection)?),
            Kind::I64 => Values::I64(self.numbers(index, selection)?),
            Kind::U8 => Values::U8(self.numbers(index, selection)?),
            Kind::U16 => Values::U16(self.numbers(index, selection)?),
            Kind::U32 => Values::U32(self.numbers(index, selection)?),
            Kind::U64 => Values::U64(self.numbers(index, selection)?),
            Kind::F32 => Values::F32(self.numbers(index, selection)?),
            Kind::F64 => Values::F64(self.numbers(index, selection)?),
            Kind::Char => Values::Char(self.characters(index, selection)?),
            Kind::Text => self.texts(variable, selection)?,
            Kind::Other => return Err(Error::UnsupportedFeature("its type is compound, opaque or variable-length".into())),
        })
    }

    fn texts(&self, variable: &Variable, selection: &[Range<usize>]) -> Result<Values, Error> {
        let lengths: Vec<usize> = variable.dimensions.iter().map(|&d| self.dimensions[d].length).collect();
        let cut = selection.iter().zip(&lengths).any(|(range, &length)| *range != (0..length));
        if cut
            && let Some(file) = self.hdf5()
            // What a part of them cannot be, all of them may be: the dependency is not so strict there.
            && let Ok(Some(part)) = file.dataset(&variable.name).and_then(|dataset| texts::part(&dataset, selection))
        {
            return Ok(Values::Text(part));
        }
        Ok(Values::Text(self.file.read_variable_as_strings(&variable.name)?).part(&lengths, selection))
    }

    /// What the dependency hides of a NetCDF-4 file: its chunks, and texts in parts.
    fn hdf5(&self) -> Option<&Hdf5File> {
        let options = || OpenOptions {
            chunk_cache_bytes: REFERENCES,
            filter_registry: Some(filters::registry(&self.input)),
            ..OpenOptions::default()
        };
        let open = || Hdf5File::from_storage_with_options(storage(&self.input), options()).ok();
        if self.file.as_classic().is_some() { None } else { self.hdf5.get_or_init(open).as_ref() }
    }

    fn characters(&self, index: usize, selection: &[Range<usize>]) -> Result<Vec<u8>, Error> {
        let variable = &self.variables[index];
        if let Some(bytes) = self.together(index, selection, 1)? {
            return Ok(bytes.into());
        }
        if self.file.as_classic().is_none() && self.is_whole(variable, selection) {
            return self.file.read_variable_native_bytes(&variable.name);
        }
        Ok(self.numbers::<Byte>(index, selection)?.into_iter().map(|byte| byte.0).collect())
    }
}

impl Reader for NetcdfReader {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn read_part(&self, index: usize, selection: &[Range<usize>]) -> Result<Values, ReadError> {
        let variable = &self.variables[index];
        let name = || variable.name.clone();
        let values = guarded(|| self.read_unguarded(index, selection))
            .map_err(|detail| ReadError::Variable { variable: name(), detail })?
            .map_err(|error| variable_error(&variable.name, &error))?;
        let expected: usize = selection.iter().map(Range::len).product();
        if values.len() == expected {
            Ok(values)
        } else {
            let detail = format!("it has {} values where its dimensions say {expected}", values.len());
            Err(ReadError::Variable { variable: name(), detail })
        }
    }

    fn chunks(&self) -> Vec<Option<Vec<usize>>> {
        let none = || vec![None; self.variables.len()];
        let shapes = guarded(|| {
            let file = self.hdf5()?;
            let shape = |variable: &Variable| {
                let chunks = file.dataset(&variable.name).ok()?.chunks()?;
                Some(chunks.into_iter().map(|length| length as usize).collect::<Vec<usize>>())
            };
            Some(self.variables.iter().map(shape).collect::<Vec<_>>())
        });
        shapes.ok().flatten().unwrap_or_else(none)
    }
}

fn open_file(input: &Input, metadata_mode: NcMetadataMode, chunk_cache_bytes: usize) -> Result<NcFile, Error> {
    let filter_registry = Some(filters::registry(input));
    // In memory each variable is read once and whole: a chunk cache would only hold memory.
    match input {
        Input::Memory(bytes) => NcFile::from_owner(
            bytes.clone(),
            NcOpenOptions { metadata_mode, chunk_cache_bytes: 0, chunk_cache_slots: 1, filter_registry, ..NcOpenOptions::default() },
        ),
        Input::File { .. } => NcFile::from_storage_with_options(
            storage(input),
            NcOpenOptions { metadata_mode, chunk_cache_bytes, filter_registry, ..NcOpenOptions::default() },
        ),
    }
}

pub(super) fn storage(input: &Input) -> DynStorage {
    let source = input.clone();
    Arc::new(RangeRequestStorage::new(input.len(), move |offset, length| Ok(Vec::from(source.read_at(offset, length)?))))
}

fn is_truncation(error: &Error) -> bool {
    match error {
        Error::UnexpectedEof { .. } => true,
        Error::InvalidData(detail) => detail.contains("but the file has only") || detail.contains("beyond the end of the file"),
        Error::Hdf5(error) => {
            let text = error.to_string();
            text.contains("unexpected end of data") || text.contains("out of bounds")
        }
        _ => false,
    }
}

fn open_error(head: &[u8], length: u64, error: &Error) -> ReadError {
    let head = &head[..head.len().min(8)];
    let starts_as_netcdf = head.starts_with(b"CDF") || head.starts_with(b"\x89HDF");
    match error {
        _ if !starts_as_netcdf && !b"\x89HDF\r\n\x1a\n".starts_with(head) && !b"CDF".starts_with(head) => {
            ReadError::NotNetcdf(format!("{:?}", String::from_utf8_lossy(head)))
        }
        Error::InvalidMagic | Error::Hdf5(_) if length < 96 => ReadError::Truncated(format!("{length} bytes, less than any header")),
        error if is_truncation(error) => ReadError::Truncated(error.to_string()),
        error => ReadError::Unreadable(error.to_string()),
    }
}

fn variable_error(variable: &str, error: &Error) -> ReadError {
    let (variable, detail) = (variable.to_owned(), error.to_string());
    if is_truncation(error) { ReadError::TruncatedVariable { variable, detail } } else { ReadError::Variable { variable, detail } }
}

/// Refuses a file whose header declares more than its bytes can hold, so that no later read
/// allocates for values that cannot be there.
fn check_extent(file: &NcFile, root: &NcGroup, length: u64) -> Result<(), Error> {
    if file.as_classic().is_none() {
        return Ok(()); // HDF5 checks its end-of-file address; compressed chunks are smaller than their values
    }
    for variable in root.variables.iter().filter(|v| !v.is_record_var) {
        let width = u64::try_from(kind(&variable.dtype).width()).unwrap_or(8);
        let size = variable.dimensions.iter().try_fold(width, |size, d| size.checked_mul(d.size));
        let end = size.and_then(|size| size.checked_add(variable.data_offset)).unwrap_or(u64::MAX);
        if end > length {
            return Err(Error::InvalidData(format!(
                "variable '{}' ends at byte {end}, beyond the end of the file at {length}",
                variable.name
            )));
        }
    }
    Ok(())
}

fn kind(dtype: &NcType) -> Kind {
    match dtype {
        NcType::Byte => Kind::I8,
        NcType::Short => Kind::I16,
        NcType::Int => Kind::I32,
        NcType::Int64 => Kind::I64,
        NcType::UByte => Kind::U8,
        NcType::UShort => Kind::U16,
        NcType::UInt => Kind::U32,
        NcType::UInt64 => Kind::U64,
        NcType::Float => Kind::F32,
        NcType::Double => Kind::F64,
        NcType::Char => Kind::Char,
        NcType::String => Kind::Text,
        NcType::Enum { .. } | NcType::Compound { .. } | NcType::Opaque { .. } | NcType::Array { .. } | NcType::VLen { .. } => Kind::Other,
    }
}

fn empty(kind: Kind) -> Values {
    match kind {
        Kind::I8 => Values::I8(Vec::new()),
        Kind::I16 => Values::I16(Vec::new()),
        Kind::I32 => Values::I32(Vec::new()),
        Kind::I64 => Values::I64(Vec::new()),
        Kind::U8 => Values::U8(Vec::new()),
        Kind::U16 => Values::U16(Vec::new()),
        Kind::U32 => Values::U32(Vec::new()),
        Kind::U64 => Values::U64(Vec::new()),
        Kind::F32 => Values::F32(Vec::new()),
        Kind::F64 => Values::F64(Vec::new()),
        Kind::Char => Values::Char(Vec::new()),
        Kind::Text | Kind::Other => Values::Text(Vec::new()),
    }
}

/// Characters of a fill value stay bytes: they are compared with bytes (a classic file's
/// `missing_value` is text for the incumbent, so it never equals any).
fn attributes(attributes: &[netcdf_reader::NcAttribute], classic: bool) -> Vec<Attribute> {
    let text = |s: &String| s.trim_end_matches('\0').to_owned();
    let convert = |name: &str, value: &NcAttrValue| {
        Some(match value {
            NcAttrValue::Bytes(v) => Values::I8(v.clone()),
            NcAttrValue::Chars(v) if name == "_FillValue" || (name == "missing_value" && !classic) => Values::Char(text(v).into_bytes()),
            NcAttrValue::Chars(v) => Values::Text(vec![text(v)]),
            NcAttrValue::Shorts(v) => Values::I16(v.clone()),
            NcAttrValue::Ints(v) => Values::I32(v.clone()),
            NcAttrValue::Floats(v) => Values::F32(v.clone()),
            NcAttrValue::Doubles(v) => Values::F64(v.clone()),
            NcAttrValue::UBytes(v) => Values::U8(v.clone()),
            NcAttrValue::UShorts(v) => Values::U16(v.clone()),
            NcAttrValue::UInts(v) => Values::U32(v.clone()),
            NcAttrValue::Int64s(v) => Values::I64(v.clone()),
            NcAttrValue::UInt64s(v) => Values::U64(v.clone()),
            NcAttrValue::Strings(v) => Values::Text(v.iter().map(text).collect()),
            NcAttrValue::UserDefined { .. } => return None,
        })
    };
    attributes.iter().filter_map(|a| Some(Attribute { name: a.name.clone(), values: convert(&a.name, &a.value)? })).collect()
}
