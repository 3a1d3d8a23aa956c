//! Values from bytes: numbers of classic files, whose bytes lie together most significant first; and
//! characters, since the dependency reads parts of numeric variables only, and hands out text decoded.

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

/// A number of a classic file.
pub(super) trait BigEndian: Sized {
    fn all(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! big_endian {
    ($($type:ty),*) => {$(
        impl BigEndian for $type {
            fn all(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|&bytes| Self::from_be_bytes(bytes)).collect()
            }
        }
    )*};
}
big_endian!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

impl BigEndian for Byte {
    fn all(bytes: &[u8]) -> Vec<Self> {
        bytes.iter().map(|&byte| Self(byte)).collect()
    }
}
