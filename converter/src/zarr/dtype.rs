use std::borrow::Cow;

use super::ZarrError;

/// The type of an array's elements, always little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    /// One byte, 0 or 1.
    Bool,
    /// Text of any length.
    Object,
    /// Text of so many characters, four bytes each (UTF-32), zeros behind.
    Unicode(u32),
    /// So many bytes, zeros behind.
    Bytes(u32),
}

const NAMES: [(&str, Dtype); 12] = [
    ("|i1", Dtype::I8),
    ("<i2", Dtype::I16),
    ("<i4", Dtype::I32),
    ("<i8", Dtype::I64),
    ("|u1", Dtype::U8),
    ("<u2", Dtype::U16),
    ("<u4", Dtype::U32),
    ("<u8", Dtype::U64),
    ("<f4", Dtype::F32),
    ("<f8", Dtype::F64),
    ("|b1", Dtype::Bool),
    ("|O", Dtype::Object),
];

/// numpy counts the bytes of an element in 31 bits.
const MAX_WIDTH: u32 = i32::MAX as u32;

impl Dtype {
    /// As numpy names it.
    #[must_use]
    pub fn as_str(&self) -> Cow<'static, str> {
        match self {
            Self::Unicode(length) => Cow::Owned(format!("<U{length}")),
            Self::Bytes(length) => Cow::Owned(format!("|S{length}")),
            plain => Cow::Borrowed(NAMES.iter().find(|(_, dtype)| dtype == plain).map_or("", |(name, _)| name)),
        }
    }

    pub fn parse(name: &str) -> Result<Self, ZarrError> {
        if let Some((_, dtype)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*dtype);
        }
        if let Some(length) = length(name, "<U", MAX_WIDTH / 4) {
            return Ok(Self::Unicode(length));
        }
        if let Some(length) = length(name, "|S", MAX_WIDTH) {
            return Ok(Self::Bytes(length));
        }
        Err(ZarrError::document(format!("dtype {name:?} is not supported")))
    }

    /// Bytes of one element; 0 for texts of any length, which are no bytes until a chunk of them is encoded.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Object => 0,
            Self::Unicode(length) => 4 * length as usize,
            Self::Bytes(length) => length as usize,
        }
    }

    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// The least and the greatest whole number, for a type of whole numbers.
    pub const fn range(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::I8 => (i8::MIN as i128, i8::MAX as i128),
            Self::I16 => (i16::MIN as i128, i16::MAX as i128),
            Self::I32 => (i32::MIN as i128, i32::MAX as i128),
            Self::I64 => (i64::MIN as i128, i64::MAX as i128),
            Self::U8 => (0, u8::MAX as i128),
            Self::U16 => (0, u16::MAX as i128),
            Self::U32 => (0, u32::MAX as i128),
            Self::U64 => (0, u64::MAX as i128),
            _ => return None,
        })
    }

    /// One element of a fixed-length text type; what is longer is cut, as numpy cuts it. Empty for other types.
    #[must_use]
    pub fn text_bytes(self, text: &str) -> Vec<u8> {
        let mut bytes: Vec<u8> = match self {
            Self::Unicode(length) => text.chars().take(length as usize).flat_map(|c| u32::from(c).to_le_bytes()).collect(),
            Self::Bytes(length) => text.bytes().take(length as usize).collect(),
            _ => return Vec::new(),
        };
        bytes.resize(self.width(), 0);
        bytes
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.as_str())
    }
}

/// The number behind `prefix`: digits only, from 1 to `max`.
fn length(name: &str, prefix: &str, max: u32) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|length| plain && *length <= max)
}
