//! Computed columns (spec 3.4): how each form makes its values for some rows.

mod cel;
mod dates;

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use crds::config::{AddedVariable, Function};
use serde_json::Value;

use super::{FileError, added};
use crate::read::{Attribute, Values};
use crate::source::FileName;

/// What a computed column may know of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileFacts<'a> {
    pub(super) name: &'a FileName,
    /// Global attributes.
    pub(super) attributes: &'a [Attribute],
}

/// The values of a computed column, in their natural type.
#[derive(Clone, Debug)]
pub(super) enum Made {
    /// One value, for all rows of the file.
    Scalar(ArrayRef),
    /// A value for each of the rows that were asked for.
    Rows(ArrayRef),
}

/// A column's natural values in the rows that are made, one each; none if there is no such column.
pub(super) type Columns<'a> = dyn FnMut(&str) -> Result<Option<ArrayRef>, FileError> + 'a;

/// A computed column of one file. It is asked for the file's rows in order: the first date decides how
/// the later ones are read.
pub(super) struct Computed<'a> {
    added: &'a AddedVariable,
    kind: Kind<'a>,
}

enum Kind<'a> {
    PathSegment(i64),
    Constant(&'a Value),
    DateTime { date: &'a str, time: Option<&'a str>, fallback: dates::Fallback },
    Cel(cel::Evaluation<'a>),
}

impl<'a> Computed<'a> {
    /// # Errors
    /// An expression that was checked by another version and no longer parses.
    pub(super) fn new(function: &'a Function, added: &'a AddedVariable) -> Result<Self, FileError> {
        let kind = match function {
            Function::PathSegment { index } => Kind::PathSegment(*index),
            Function::Constant(value) => Kind::Constant(value),
            Function::DateTime { date, time } => Kind::DateTime { date, time: time.as_deref(), fallback: dates::Fallback::default() },
            Function::Cel(expression) => Kind::Cel(cel::Evaluation::new(expression).map_err(|detail| failed(added, detail))?),
        };
        Ok(Self { added, kind })
    }

    /// The values in the next `rows` rows.
    ///
    /// # Errors
    /// A column it cannot do without is missing, or a row's value cannot be computed.
    pub(super) fn evaluate(&mut self, file: FileFacts<'_>, column: &mut Columns<'_>, rows: usize) -> Result<Made, FileError> {
        let added = self.added;
        match &mut self.kind {
            Kind::PathSegment(index) => {
                let segment = path_segment(&file.name.key, *index).map_err(|detail| failed(added, detail))?;
                added::cast(added, Some(&Values::Text(vec![segment.to_owned()]))).map(Made::Scalar)
            }
            Kind::Constant(value) => constant(value).map(Made::Scalar).ok_or_else(|| failed(added, format!("{value} is no plain value"))),
            Kind::DateTime { date, time, fallback } => {
                let Some(dates) = column(date)? else { return Err(failed(added, format!("there is no column {date:?}"))) };
                let times = match time {
                    Some(time) => column(time)?,
                    None => None,
                };
                dates::combine(&dates, times.as_ref(), fallback)
                    .map(Made::Rows)
                    .map_err(|detail| failed(added, format!("column {date:?} {detail}")))
            }
            Kind::Cel(evaluation) => evaluation.evaluate(added, file, column, rows),
        }
    }
}

fn failed(added: &AddedVariable, detail: String) -> FileError {
    FileError::AddedVariable { name: added.name.clone(), detail }
}

/// `parts[index]` of Python.
fn path_segment(key: &str, index: i64) -> Result<&str, String> {
    let parts: Vec<&str> = key.split('/').collect();
    let place = if index < 0 { parts.len() as i64 + index } else { index };
    let found = usize::try_from(place).ok().and_then(|place| parts.get(place).copied());
    found.ok_or_else(|| format!("the path {key:?} has {} parts, and none at {index}", parts.len()))
}

fn constant(value: &Value) -> Option<ArrayRef> {
    Some(match value {
        Value::Bool(value) => Arc::new(BooleanArray::from(vec![*value])),
        Value::String(text) => Arc::new(StringArray::from(vec![text.as_str()])),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Arc::new(Int64Array::from(vec![integer])),
            None => Arc::new(Float64Array::from(vec![number.as_f64()?])),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests;
