use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Attr, Dtype, ZarrError};

/// The value of elements that no chunk holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// None: what readers see in a missing chunk is undefined, so no chunk may be missing.
    Null,
    Nan,
    Bool(bool),
    /// Of a type of whole numbers.
    Integer(i128),
    /// Of a float type; for `<f4` a value that it holds exactly.
    Float(f64),
    /// Of `|O` and `<Un`.
    Text(String),
    /// Of `|Sn`.
    Bytes(Vec<u8>),
}

impl Fill {
    /// One element, little-endian; zeros for a fill of null. A number is converted to the type as `as` does.
    /// For `|O` it is the text's UTF-8.
    #[must_use]
    pub fn bytes(&self, dtype: Dtype) -> Vec<u8> {
        match dtype {
            Dtype::I8 => (self.integer() as i8).to_le_bytes().into(),
            Dtype::I16 => (self.integer() as i16).to_le_bytes().into(),
            Dtype::I32 => (self.integer() as i32).to_le_bytes().into(),
            Dtype::I64 => (self.integer() as i64).to_le_bytes().into(),
            Dtype::U8 => (self.integer() as u8).to_le_bytes().into(),
            Dtype::U16 => (self.integer() as u16).to_le_bytes().into(),
            Dtype::U32 => (self.integer() as u32).to_le_bytes().into(),
            Dtype::U64 => (self.integer() as u64).to_le_bytes().into(),
            Dtype::F32 => (self.float() as f32).to_le_bytes().into(),
            Dtype::F64 => self.float().to_le_bytes().into(),
            Dtype::Bool => vec![u8::from(self.integer() != 0)],
            Dtype::Object => self.text().into(),
            Dtype::Unicode(_) => dtype.text_bytes(self.text()),
            Dtype::Bytes(length) => {
                let mut bytes = if let Self::Bytes(bytes) = self { bytes.clone() } else { Vec::new() };
                bytes.resize(length as usize, 0);
                bytes
            }
        }
    }

    #[must_use]
    pub fn is_nan(&self) -> bool {
        matches!(self, Self::Nan) || matches!(self, Self::Float(number) if number.is_nan())
    }

    fn integer(&self) -> i128 {
        match self {
            Self::Bool(value) => i128::from(*value),
            Self::Integer(number) => *number,
            Self::Float(number) => *number as i128,
            _ => 0,
        }
    }

    fn float(&self) -> f64 {
        match self {
            Self::Nan => f64::NAN,
            Self::Float(number) => *number,
            other => other.integer() as f64,
        }
    }

    fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// As `.zarray` has it: floats that JSON has no number for are texts, bytes are base64.
    pub(super) fn to_attr(&self, dtype: Dtype) -> Attr {
        match self {
            Self::Null => Attr::Null,
            Self::Text(text) => Attr::Text(text.clone()),
            Self::Bytes(bytes) => Attr::Text(STANDARD.encode(bytes)),
            _ if dtype.is_float() => match self.float() {
                number if number.is_nan() => "NaN".into(),
                f64::INFINITY => "Infinity".into(),
                f64::NEG_INFINITY => "-Infinity".into(),
                number => number.into(),
            },
            Self::Nan => "NaN".into(),
            Self::Bool(value) => (*value).into(),
            Self::Integer(number) => Attr::Integer(*number),
            Self::Float(number) => (*number).into(),
        }
    }

    pub(super) fn from_attr(fill: &Attr, dtype: Dtype) -> Result<Self, ZarrError> {
        let parsed = match (fill, dtype) {
            (Attr::Null, _) => Some(Self::Null),
            (fill, Dtype::F32 | Dtype::F64) => float_of(fill).and_then(|number| float_fill(number, dtype)),
            (Attr::Bool(value), Dtype::Bool) => Some(Self::Bool(*value)),
            (Attr::Integer(number @ (0 | 1)), Dtype::Bool) => Some(Self::Bool(*number == 1)),
            (Attr::Text(text), Dtype::Object | Dtype::Unicode(_)) => Some(Self::Text(text.clone())),
            (Attr::Text(text), Dtype::Bytes(length)) => {
                STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= length as usize).map(Self::Bytes)
            }
            (fill, dtype) => dtype.range().and_then(|range| whole(fill, range)).map(Self::Integer),
        };
        parsed.ok_or_else(|| ZarrError::document(format!("fill_value {} does not fit dtype {dtype}", fill.to_json())))
    }
}

fn float_of(fill: &Attr) -> Option<f64> {
    match fill {
        Attr::Text(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        number => number.as_f64(),
    }
}

fn float_fill(number: f64, dtype: Dtype) -> Option<Fill> {
    if number.is_nan() {
        return Some(Fill::Nan);
    }
    let held = if dtype == Dtype::F32 { f64::from(number as f32) } else { number };
    (held.is_infinite() == number.is_infinite()).then_some(Fill::Float(held))
}

fn whole(fill: &Attr, (least, greatest): (i128, i128)) -> Option<i128> {
    let number = match fill {
        Attr::Integer(number) => *number,
        Attr::Float(number) if number.fract() == 0.0 => *number as i128,
        _ => return None,
    };
    (least..=greatest).contains(&number).then_some(number)
}
