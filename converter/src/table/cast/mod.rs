//! The schema cast (spec 5.3): Arrow's safe cast as pyarrow does it, each column alone.

mod format;
mod numbers;
mod parse;
#[cfg(test)]
mod tests;
mod times;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, StringArray, new_null_array};
use arrow_schema::DataType;
use crds::config::ColumnType;

pub(super) use format::scalar_text;

/// Why a cast fails: the first value that cannot be held, or the pair of types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CastError {
    detail: String,
    /// The value's position in the array.
    index: Option<usize>,
}

impl CastError {
    fn value(value: impl std::fmt::Display, index: usize) -> Self {
        Self { detail: format!("value {value}"), index: Some(index) }
    }

    fn types(from: &DataType, to: &DataType) -> Self {
        Self { detail: format!("{from} never becomes {to}"), index: None }
    }

    /// What is said of it; the array begins at value `first` of its column.
    pub(super) fn text(&self, first: usize) -> String {
        self.index.map_or_else(|| self.detail.clone(), |index| format!("{} (number {})", self.detail, first + index))
    }
}

/// The Arrow type of a config type.
pub(super) fn arrow_type(column_type: ColumnType) -> DataType {
    crate::write::arrow_type(column_type)
}

/// Casts a whole array, or says why not.
pub(super) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, CastError> {
    use DataType::{Binary, Boolean, Null, Utf8};
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (Null, _) => Ok(new_null_array(to, array.len())),
        (_, Null) => Err(CastError::types(from, to)),
        (Binary, Utf8) => binary_to_text(array),
        (Utf8, Binary) => Ok(Arc::new(BinaryArray::from(array.as_string::<i32>().clone()))),
        (Utf8, _) => parse::cast(array.as_string::<i32>(), to),
        (Binary, to) if to.is_numeric() || *to == Boolean => {
            let text = binary_to_text(array)?;
            parse::cast(text.as_string::<i32>(), to)
        }
        (from, Utf8) if format::has_text(from) => Ok(format::to_text(array)),
        (Boolean, to) if to.is_numeric() => numbers::from_bool(array.as_boolean(), to),
        (from, Boolean) if from.is_numeric() => numbers::to_bool(array),
        (from, to) if from.is_numeric() && to.is_numeric() => numbers::cast(array, to),
        (from, to) => times::cast(array, to).unwrap_or_else(|| Err(CastError::types(from, to))),
    }
}

fn binary_to_text(array: &ArrayRef) -> Result<ArrayRef, CastError> {
    let bytes = array.as_binary::<i32>();
    if let Ok(text) = StringArray::try_from_binary(bytes.clone()) {
        return Ok(Arc::new(text));
    }
    // One by one: what stands under a null does not count.
    let text = |(index, value): (usize, Option<&[u8]>)| match value.map(std::str::from_utf8) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => {
            let shown = String::from_utf8_lossy(value.unwrap_or_default());
            Err(CastError::value(format!("{shown:?}, which is not UTF-8"), index))
        }
    };
    Ok(Arc::new(bytes.iter().enumerate().map(text).collect::<Result<StringArray, _>>()?))
}

/// Boolean values as an array.
fn booleans(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}
