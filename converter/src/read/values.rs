use std::ops::Range;

/// The type of a variable's stored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
    /// Single bytes.
    Char,
    /// Variable-length text.
    Text,
    /// A type no column can hold: compound, opaque, variable-length.
    Other,
}

impl Kind {
    /// Bytes of one value, text by a guess.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Char => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Text | Self::Other => 64,
        }
    }

    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64 | Self::U8 | Self::U16 | Self::U32 | Self::U64)
    }
}

/// A named attribute of a variable or of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub name: String,
    pub values: Values,
}

/// Typed values: all of a variable, or those of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Char(Vec<u8>),
    Text(Vec<String>),
}

/// Runs one expression for whichever numeric vector stands in a [`Values`].
macro_rules! for_numbers {
    ($values:expr, $v:ident => $numbers:expr, $other:pat => $rest:expr) => {
        match $values {
            Values::I8($v) => $numbers,
            Values::I16($v) => $numbers,
            Values::I32($v) => $numbers,
            Values::I64($v) => $numbers,
            Values::U8($v) => $numbers,
            Values::U16($v) => $numbers,
            Values::U32($v) => $numbers,
            Values::U64($v) => $numbers,
            Values::F32($v) => $numbers,
            Values::F64($v) => $numbers,
            $other => $rest,
        }
    };
}
pub(crate) use for_numbers;

impl Values {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Char(v) => v.len(),
            Self::Text(v) => v.len(),
            other => for_numbers!(other, v => v.len(), _ => 0),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::I8(_) => Kind::I8,
            Self::I16(_) => Kind::I16,
            Self::I32(_) => Kind::I32,
            Self::I64(_) => Kind::I64,
            Self::U8(_) => Kind::U8,
            Self::U16(_) => Kind::U16,
            Self::U32(_) => Kind::U32,
            Self::U64(_) => Kind::U64,
            Self::F32(_) => Kind::F32,
            Self::F64(_) => Kind::F64,
            Self::Char(_) => Kind::Char,
            Self::Text(_) => Kind::Text,
        }
    }

    /// The text of a text attribute.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(v) if v.len() == 1 => v.first().map(String::as_str),
            Self::Char(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Each value widened to float64; none for text.
    #[must_use]
    #[allow(clippy::unnecessary_cast, clippy::cast_lossless)] // one body for ten types
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        for_numbers!(self, v => Some(v.iter().map(|&x| x as f64).collect()), _ => None)
    }

    /// Each value of an integer attribute, exact.
    #[must_use]
    pub fn to_i128(&self) -> Option<Vec<i128>> {
        Some(match self {
            Self::I8(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::I16(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::I32(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::I64(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::U8(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::U16(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::U32(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::U64(v) => v.iter().map(|&x| i128::from(x)).collect(),
            Self::F32(_) | Self::F64(_) | Self::Char(_) | Self::Text(_) => return None,
        })
    }

    /// Some of the numbers or characters as bytes, the least first, so many at a time, with the place of the first byte
    /// among all of them. Texts have none.
    ///
    /// # Errors
    /// What `take` says.
    pub fn each_le_bytes<E>(
        &self,
        some: Range<usize>,
        at_once: usize,
        mut take: impl FnMut(&[u8], usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bytes = Vec::new();
        for_numbers!(self, v => v[some].chunks(at_once.max(1)).try_fold(0, |at, block| {
            bytes.clear();
            bytes.extend(block.iter().flat_map(|number| number.to_le_bytes()));
            take(&bytes, at).map(|()| at + bytes.len())
        }).map(drop), other => match other {
            Self::Char(bytes) => take(&bytes[some], 0),
            _ => Ok(()),
        })
    }

    /// What [`Values::each_le_bytes`] made bytes of.
    #[must_use]
    pub fn from_le_bytes(kind: Kind, bytes: &[u8]) -> Self {
        macro_rules! numbers {
            ($variant:ident, $type:ty) => {
                Self::$variant(bytes.as_chunks().0.iter().map(|bytes| <$type>::from_le_bytes(*bytes)).collect())
            };
        }
        match kind {
            Kind::I8 => numbers!(I8, i8),
            Kind::I16 => numbers!(I16, i16),
            Kind::I32 => numbers!(I32, i32),
            Kind::I64 => numbers!(I64, i64),
            Kind::U8 => Self::U8(bytes.to_vec()),
            Kind::U16 => numbers!(U16, u16),
            Kind::U32 => numbers!(U32, u32),
            Kind::U64 => numbers!(U64, u64),
            Kind::F32 => numbers!(F32, f32),
            Kind::F64 => numbers!(F64, f64),
            Kind::Char => Self::Char(bytes.to_vec()),
            Kind::Text | Kind::Other => Self::Text(Vec::new()),
        }
    }

    /// The values in a box of a C-order array of these lengths.
    #[must_use]
    pub fn part(self, lengths: &[usize], selection: &[Range<usize>]) -> Self {
        if lengths.iter().zip(selection).all(|(&length, range)| *range == (0..length)) {
            return self;
        }
        let runs = runs(lengths, selection);
        match self {
            Self::Char(v) => Self::Char(taken(&v, &runs)),
            Self::U8(v) => Self::U8(taken(&v, &runs)),
            Self::I8(v) => Self::I8(taken(&v, &runs)),
            Self::I16(v) => Self::I16(taken(&v, &runs)),
            Self::I32(v) => Self::I32(taken(&v, &runs)),
            Self::I64(v) => Self::I64(taken(&v, &runs)),
            Self::U16(v) => Self::U16(taken(&v, &runs)),
            Self::U32(v) => Self::U32(taken(&v, &runs)),
            Self::U64(v) => Self::U64(taken(&v, &runs)),
            Self::F32(v) => Self::F32(taken(&v, &runs)),
            Self::F64(v) => Self::F64(taken(&v, &runs)),
            Self::Text(v) => Self::Text(taken(&v, &runs)),
        }
    }
}

fn taken<T: Clone>(values: &[T], runs: &[Range<usize>]) -> Vec<T> {
    runs.iter().flat_map(|run| values[run.clone()].iter().cloned()).collect()
}

/// The consecutive values that make up a box.
pub(super) fn runs(lengths: &[usize], selection: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = std::iter::once(0..1).collect();
    for (&length, range) in lengths.iter().zip(selection) {
        let whole = *range == (0..length);
        runs = runs
            .into_iter()
            .flat_map(|run| {
                let of_each = |at: usize| at * length + range.start..at * length + range.end;
                let (joined, apart) = if whole { (Some(run.start * length..run.end * length), 0..0) } else { (None, run) };
                joined.into_iter().chain(apart.map(of_each))
            })
            .collect();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_out_in_c_order() {
        let all = Values::I32((0..24).collect());
        let part = all.clone().part(&[2, 3, 4], &[1..2, 0..2, 1..3]);
        assert_eq!(part, Values::I32(vec![13, 14, 17, 18]));
        assert_eq!(all.clone().part(&[2, 3, 4], &[0..2, 0..3, 0..4]), all);
        assert_eq!(all.clone().part(&[2, 3, 4], &[0..1, 0..3, 0..4]), Values::I32((0..12).collect()));
        assert_eq!(all.part(&[24], std::slice::from_ref(&(3..5))), Values::I32(vec![3, 4]));
    }
}
