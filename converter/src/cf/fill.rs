//! The values that stand for "missing": `_FillValue` and `missing_value` together.

use crate::read::{Values, Variable};

/// The fill set of a variable.
#[derive(Clone, Debug, Default)]
pub(super) struct Fill {
    /// One of the attributes is there and counts: the decoded type can hold missing values.
    pub(super) present: bool,
    /// The numbers to mask, none of them NaN.
    pub(super) numbers: Vec<FillNumber>,
    /// Text values: they equal text.
    pub(super) texts: Vec<String>,
    /// Character values: they equal bytes.
    pub(super) bytes: Vec<Vec<u8>>,
    /// An attribute is there but holds nothing but NaN (on a float variable).
    pub(super) only_nan: bool,
}

/// A number of an attribute: exact when it is an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FillNumber {
    Integer(i128),
    Float(f64),
}

impl FillNumber {
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Integer(v) => v as f64,
            Self::Float(v) => v,
        }
    }
}

impl Fill {
    /// `integer` is the type of the stored values: fill attributes of nothing but NaN do not count there.
    pub(super) fn of(variable: &Variable, integer: bool) -> Self {
        let mut fill = Self::default();
        for name in ["missing_value", "_FillValue"] {
            let Some(values) = variable.attribute(name) else { continue };
            let before = fill.len();
            match values {
                Values::Text(texts) => fill.texts.extend(texts.iter().cloned()),
                Values::Char(bytes) => fill.bytes.push(bytes.clone()),
                numbers => {
                    if let Some(integers) = numbers.to_i128() {
                        fill.numbers.extend(integers.into_iter().map(FillNumber::Integer));
                    } else {
                        let floats = numbers.to_f64().unwrap_or_default();
                        fill.numbers.extend(floats.into_iter().filter(|v| !v.is_nan()).map(FillNumber::Float));
                    }
                }
            }
            if fill.len() > before {
                fill.present = true;
            } else if !integer {
                fill.only_nan = true;
            }
        }
        fill
    }

    fn len(&self) -> usize {
        self.numbers.len() + self.texts.len() + self.bytes.len()
    }
}
