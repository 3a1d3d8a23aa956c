//! Characters as bytes: the dependency reads parts of numeric variables, and hands out text decoded.

use hdf5_reader::H5Type;
use hdf5_reader::messages::datatype::Datatype;
use netcdf_reader::NcType;
use netcdf_reader::classic::data::NcReadType;

/// One stored character.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Byte(pub(super) u8);

impl NcReadType for Byte {
    fn nc_type() -> NcType {
        NcType::Char
    }

    fn from_be_bytes(bytes: &[u8]) -> netcdf_reader::Result<Self> {
        bytes.first().map(|&byte| Self(byte)).ok_or_else(|| netcdf_reader::Error::InvalidData("a character is missing".into()))
    }

    fn element_size() -> usize {
        1
    }
}

impl H5Type for Byte {
    fn hdf5_type() -> Datatype {
        u8::hdf5_type()
    }

    fn from_bytes(bytes: &[u8], _: &Datatype) -> hdf5_reader::error::Result<Self> {
        bytes.first().map(|&byte| Self(byte)).ok_or_else(|| hdf5_reader::error::Error::InvalidData("a character is missing".into()))
    }

    fn element_size(_: &Datatype) -> usize {
        1
    }
}
