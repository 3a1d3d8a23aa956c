use std::collections::BTreeMap;

use serde_json::Value;

use super::ZarrError;
use crate::read::{Values, for_numbers};

/// The attribute that names an array's dimensions, slowest first.
pub const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// What `.zattrs` holds, in the order in which it is written.
pub type Attributes = BTreeMap<String, Attr>;

/// A JSON value as Python has it: integers and floats differ, and a float may be NaN or infinite.
#[derive(Clone, Debug)]
pub enum Attr {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Attr>),
    Map(BTreeMap<String, Attr>),
}

/// Equal is what is written alike: NaN is NaN, but -0.0 is not 0.0 and 1.0 is not 1.
impl PartialEq for Attr {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Attr {}

impl Attr {
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    #[must_use]
    pub fn as_integer(&self) -> Option<i128> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// A number, as a float.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_list(&self) -> Option<&[Attr]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<String, Attr>> {
        if let Self::Map(items) = self { Some(items) } else { None }
    }
}

impl From<Value> for Attr {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match number.as_i128() {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(items) => Self::Map(items.into_iter().map(|(name, value)| (name, Self::from(value))).collect()),
        }
    }
}

/// One value becomes a scalar, several a list, none an empty list. Characters become text; what is not UTF-8 in them is
/// replaced, as xarray does.
impl From<&Values> for Attr {
    fn from(values: &Values) -> Self {
        let items: Vec<Self> = match values {
            Values::Char(bytes) => return Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            Values::Text(texts) => texts.iter().map(|text| Self::Text(text.clone())).collect(),
            numbers => for_numbers!(numbers, v => v.iter().map(|&number| number.into()).collect(), _ => Vec::new()),
        };
        match <[Self; 1]>::try_from(items) {
            Ok([only]) => only,
            Err(items) => Self::List(items),
        }
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {
        $(impl From<$integer> for Attr {
            fn from(number: $integer) -> Self {
                Self::Integer(number.into())
            }
        })*
    };
}
from_integers!(i8 i16 i32 i64 u8 u16 u32 u64);

impl From<f32> for Attr {
    fn from(number: f32) -> Self {
        Self::Float(number.into())
    }
}

impl From<f64> for Attr {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Attr {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Attr {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Attr {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// The names of an array's dimensions, slowest first; an error where there are none.
pub fn dimensions(attributes: &Attributes) -> Result<Vec<&str>, ZarrError> {
    let names = attributes.get(DIMENSIONS).ok_or_else(|| ZarrError::document(format!("there is no attribute {DIMENSIONS}")))?;
    let names: Option<Vec<&str>> = names.as_list().and_then(|names| names.iter().map(Attr::as_text).collect());
    names.ok_or_else(|| ZarrError::document(format!("attribute {DIMENSIONS} is not a list of names")))
}

/// Names an array's dimensions, slowest first.
pub fn set_dimensions<N: Into<String>>(attributes: &mut Attributes, names: impl IntoIterator<Item = N>) {
    let names = names.into_iter().map(|name| Attr::Text(name.into())).collect();
    attributes.insert(DIMENSIONS.to_owned(), Attr::List(names));
}
