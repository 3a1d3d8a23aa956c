//! NetCDF-3 (classic, 64-bit offset, 64-bit data) and NetCDF-4 through `netcdf-reader`.

use bytes::Bytes;
use netcdf_reader::classic::data::compute_record_stride;
use netcdf_reader::{Error, NcAttrValue, NcFile, NcGroup, NcMetadataMode, NcOpenOptions, NcReadable, NcType, NcVariable};

use super::guarded;
use super::superblock::declared_end;
use super::{Attribute, Dimension, Kind, ReadError, Reader, Values, Variable};

pub(super) struct NetcdfReader {
    file: NcFile,
    bytes: Bytes,
    dimensions: Vec<Dimension>,
    variables: Vec<Variable>,
    attributes: Vec<Attribute>,
}

impl NetcdfReader {
    pub(super) fn open(bytes: Bytes) -> Result<Self, ReadError> {
        if bytes.is_empty() {
            return Err(ReadError::Empty);
        }
        guarded(|| Self::open_unguarded(bytes)).unwrap_or_else(|panic| Err(ReadError::Unreadable(panic)))
    }

    fn open_unguarded(bytes: Bytes) -> Result<Self, ReadError> {
        if let Some(end) = declared_end(&bytes).filter(|&end| end > bytes.len() as u64) {
            return Err(ReadError::Truncated(format!("{} bytes where the header says {end}", bytes.len())));
        }
        let file = open_file(&bytes, NcMetadataMode::Strict).map_err(|e| open_error(&bytes, &e))?;
        match Self::describe(&file, &bytes) {
            Ok((dimensions, variables, attributes)) => Ok(Self { file, bytes, dimensions, variables, attributes }),
            // Text that is not UTF-8 in one attribute must not cost the file: the lossy mode leaves
            // out just that attribute.
            Err(Error::InvalidData(detail)) if detail.starts_with("attribute '") => {
                let file = open_file(&bytes, NcMetadataMode::Lossy).map_err(|e| open_error(&bytes, &e))?;
                let (dimensions, variables, attributes) = Self::describe(&file, &bytes).map_err(|e| open_error(&bytes, &e))?;
                Ok(Self { file, bytes, dimensions, variables, attributes })
            }
            Err(error) => Err(open_error(&bytes, &error)),
        }
    }

    #[allow(clippy::type_complexity)] // taken apart at once by the two callers above
    fn describe(file: &NcFile, bytes: &Bytes) -> Result<(Vec<Dimension>, Vec<Variable>, Vec<Attribute>), Error> {
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
                positions.push(position);
            }
            variables.push(Variable {
                name: variable.name.clone(),
                kind: kind(&variable.dtype),
                dimensions: positions,
                attributes: attributes(&variable.attributes, classic),
            });
        }
        check_extent(file, root, bytes)?;
        Ok((dimensions, variables, attributes(&root.attributes, classic)))
    }

    fn numbers<T: NcReadable + Default>(&self, name: &str, length: usize) -> Result<Vec<T>, Error> {
        // Memory that is not there must be an error, not an abort.
        Vec::<T>::new().try_reserve_exact(length).map_err(|e| Error::InvalidData(format!("{length} values: {e}")))?;
        let mut values = vec![T::default(); length];
        self.file.read_variable_into(name, &mut values)?;
        Ok(values)
    }

    fn read_unguarded(&self, index: usize) -> Result<Values, Error> {
        let variable = &self.variables[index];
        let (name, length) = (variable.name.as_str(), self.length(variable));
        if length == 0 {
            return Ok(empty(variable.kind));
        }
        Ok(match variable.kind {
            Kind::I8 => Values::I8(self.numbers(name, length)?),
            Kind::I16 => Values::I16(self.numbers(name, length)?),
            Kind::I32 => Values::I32(self.numbers(name, length)?),
            Kind::I64 => Values::I64(self.numbers(name, length)?),
            Kind::U8 => Values::U8(self.numbers(name, length)?),
            Kind::U16 => Values::U16(self.numbers(name, length)?),
            Kind::U32 => Values::U32(self.numbers(name, length)?),
            Kind::U64 => Values::U64(self.numbers(name, length)?),
            Kind::F32 => Values::F32(self.numbers(name, length)?),
            Kind::F64 => Values::F64(self.numbers(name, length)?),
            Kind::Char => Values::Char(self.characters(index, length)?),
            Kind::Text => Values::Text(self.file.read_variable_as_strings(name)?),
            Kind::Other => return Err(Error::UnsupportedFeature("its type is compound, opaque or variable-length".into())),
        })
    }

    fn characters(&self, index: usize, length: usize) -> Result<Vec<u8>, Error> {
        match self.file.as_classic() {
            None => self.file.read_variable_native_bytes(&self.variables[index].name),
            Some(classic) => {
                let root = classic.root_group();
                let stride = compute_record_stride(&root.variables)?;
                classic_bytes(&self.bytes, &root.variables[index], length, classic.numrecs(), stride)
            }
        }
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

    fn read(&self, index: usize) -> Result<Values, ReadError> {
        let variable = &self.variables[index];
        let name = || variable.name.clone();
        let values = guarded(|| self.read_unguarded(index))
            .map_err(|detail| ReadError::Variable { variable: name(), detail })?
            .map_err(|error| variable_error(&variable.name, &error))?;
        if values.len() == self.length(variable) {
            Ok(values)
        } else {
            let detail = format!("it has {} values where its dimensions say {}", values.len(), self.length(variable));
            Err(ReadError::Variable { variable: name(), detail })
        }
    }
}

fn open_file(bytes: &Bytes, metadata_mode: NcMetadataMode) -> Result<NcFile, Error> {
    // Each variable is read once and whole: a chunk cache would only hold memory.
    NcFile::from_owner(
        bytes.clone(),
        NcOpenOptions { metadata_mode, chunk_cache_bytes: 0, chunk_cache_slots: 1, ..NcOpenOptions::default() },
    )
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

fn open_error(bytes: &Bytes, error: &Error) -> ReadError {
    let head = &bytes[..bytes.len().min(8)];
    let starts_as_netcdf = head.starts_with(b"CDF") || head.starts_with(b"\x89HDF");
    match error {
        _ if !starts_as_netcdf && !b"\x89HDF\r\n\x1a\n".starts_with(head) && !b"CDF".starts_with(head) => {
            ReadError::NotNetcdf(format!("{:?}", String::from_utf8_lossy(head)))
        }
        Error::InvalidMagic | Error::Hdf5(_) if bytes.len() < 96 => {
            ReadError::Truncated(format!("{} bytes, less than any header", bytes.len()))
        }
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
fn check_extent(file: &NcFile, root: &NcGroup, bytes: &Bytes) -> Result<(), Error> {
    if file.as_classic().is_none() {
        return Ok(()); // HDF5 checks its end-of-file address; compressed chunks are smaller than their values
    }
    for variable in root.variables.iter().filter(|v| !v.is_record_var) {
        let width = u64::try_from(kind(&variable.dtype).width()).unwrap_or(8);
        let size = variable.dimensions.iter().try_fold(width, |size, d| size.checked_mul(d.size));
        let end = size.and_then(|size| size.checked_add(variable.data_offset)).unwrap_or(u64::MAX);
        if end > bytes.len() as u64 {
            return Err(Error::InvalidData(format!(
                "variable '{}' ends at byte {end}, beyond the end of the file at {}",
                variable.name,
                bytes.len()
            )));
        }
    }
    Ok(())
}

/// The bytes of a classic character variable (the dependency only hands out decoded text).
fn classic_bytes(bytes: &Bytes, variable: &NcVariable, length: usize, records: u64, stride: u64) -> Result<Vec<u8>, Error> {
    let missing = || Error::InvalidData("its data lie beyond the end of the file".into());
    let slice = |start: u64, count: usize| {
        let start = usize::try_from(start).map_err(|_| missing())?;
        start.checked_add(count).and_then(|end| bytes.get(start..end)).ok_or_else(missing)
    };
    if !variable.is_record_var {
        return Ok(slice(variable.data_offset, length)?.to_vec());
    }
    let records = usize::try_from(records).map_err(|_| missing())?;
    let per_record = length.checked_div(records).unwrap_or(0);
    let mut values = Vec::with_capacity(length);
    for record in 0..records {
        let offset = stride.checked_mul(record as u64).and_then(|o| o.checked_add(variable.data_offset)).ok_or_else(missing)?;
        values.extend_from_slice(slice(offset, per_record)?);
    }
    Ok(values)
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
