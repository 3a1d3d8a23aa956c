//! Part of the texts of a NetCDF-4 variable: the dependency reads them only as a whole, so the references to them are read,
//! and then those texts.

use std::ops::Range;

use hdf5_reader::error::{Error, Result};
use hdf5_reader::messages::datatype::{Datatype, StringPadding, StringSize, VarLenKind};
use hdf5_reader::{Dataset, H5Type, SliceInfo, SliceInfoElem};

/// Bytes of a reference in a file whose addresses have 8 bytes, as nearly all have.
const REFERENCE: usize = 16;

/// Where a text lies in the file's heaps.
#[derive(Clone, Copy, Debug)]
struct Reference([u8; REFERENCE]);

impl H5Type for Reference {
    fn hdf5_type() -> Datatype {
        u8::hdf5_type()
    }

    fn from_bytes(bytes: &[u8], _: &Datatype) -> Result<Self> {
        bytes.first_chunk().map(|bytes| Self(*bytes)).ok_or_else(|| Error::InvalidData("a reference to a text is cut short".into()))
    }

    fn element_size(_: &Datatype) -> usize {
        REFERENCE
    }
}

/// The texts of a box; none where they do not stand in heaps, are referred to in another way, or are not all there.
///
/// # Errors
/// What cannot be read; bytes that are no UTF-8.
pub(super) fn part(dataset: &Dataset, selection: &[Range<usize>]) -> Result<Option<Vec<String>>> {
    let padding = match dataset.dtype() {
        Datatype::String { size: StringSize::Variable, padding, .. } | Datatype::VarLen { kind: VarLenKind::String, padding, .. } => {
            *padding
        }
        _ => return Ok(None),
    };
    // Of an unlimited dimension another variable may have more.
    let stored =
        selection.len() == dataset.shape().len() && selection.iter().zip(dataset.shape()).all(|(r, &stored)| r.end as u64 <= stored);
    if dataset.vlen_reference_size() != REFERENCE || selection.is_empty() || !stored {
        return Ok(None);
    }
    let selections = selection.iter().map(|r| SliceInfoElem::Slice { start: r.start as u64, end: r.end as u64, step: 1 }).collect();
    let references = dataset.read_slice::<Reference>(&SliceInfo { selections })?;
    let text = |reference: &Reference| decoded(dataset.resolve_vlen_reference_bytes(&reference.0, 1)?, padding);
    references.iter().map(text).collect::<Result<_>>().map(Some)
}

fn decoded(mut bytes: Vec<u8>, padding: StringPadding) -> Result<String> {
    let behind = |filler: u8| bytes.iter().rposition(|&byte| byte != filler).map_or(0, |last| last + 1);
    let end = match padding {
        StringPadding::NullTerminate => bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()),
        StringPadding::NullPad => behind(0),
        StringPadding::SpacePad => behind(b' '),
    };
    bytes.truncate(end);
    String::from_utf8(bytes).map_err(|error| Error::InvalidData(format!("invalid string data: {error}")))
}
