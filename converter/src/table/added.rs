//! Added variables (spec 3.4): one value for the whole file, made by the rules of the incumbent's
//! `cast` before the schema cast sees it.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use crds::config::{AddedVariable, Source};
use serde_json::Value;

use super::FileError;
use super::python;
use super::source::Sources;
use crate::read::Values;

/// The value of an added variable; none when its column is not there (it becomes null).
pub(super) fn value(added: &AddedVariable, sources: &mut Sources) -> Result<Option<ArrayRef>, FileError> {
    match &added.source {
        Source::Filename => Ok(Some(Arc::new(StringArray::from(vec![sources.name.basename.as_str()])))),
        // Made elsewhere: where the partitions are, and for the rows of each slab (`function`).
        Source::TimeExtent | Source::SpatialExtent | Source::Function(_) => Ok(None),
        Source::GlobalAttribute(name) => {
            let Some(attribute) = sources.global_attribute(name) else {
                sources.notes.say(format!("global attribute {name:?} is absent: column {:?} is null", added.name));
                return Ok(None);
            };
            cast(added, Some(&attribute)).map(Some)
        }
        Source::VariableAttribute { variable, attribute } => {
            cast(added, sources.variable_attribute(variable, attribute).as_ref()).map(Some)
        }
    }
}

/// What the config's type name makes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Text,
    Integer,
    Float,
    Bool,
}

impl Target {
    /// Any name but these makes text, which the schema cast then parses.
    fn of(type_name: &str) -> Self {
        match type_name {
            "int32" | "int64" => Self::Integer,
            "float" | "float32" | "float64" => Self::Float,
            "bool" => Self::Bool,
            _ => Self::Text,
        }
    }
}

pub(super) fn cast(added: &AddedVariable, value: Option<&Values>) -> Result<ArrayRef, FileError> {
    let target = Target::of(&added.type_name);
    let blank = value.is_none_or(|v| v.is_empty() || v.as_text().is_some_and(|t| t.trim().is_empty()));
    let Some(value) = value.filter(|_| !blank) else { return fill(added, target) };
    let made: Option<ArrayRef> = match target {
        Target::Text => Some(text(python::text(value))),
        Target::Integer => integer(value).map(|v| Arc::new(Int64Array::from(vec![v])) as ArrayRef),
        // As everywhere: NaN is null.
        Target::Float => float(value).map(|v| Arc::new(Float64Array::from(vec![Some(v).filter(|v| !v.is_nan())])) as ArrayRef),
        Target::Bool => Some(boolean(truth(value))),
    };
    made.map_or_else(|| fill(added, target), Ok)
}

/// The value of a missing, blank or unreadable attribute: `_FillValue`, else the type's own.
fn fill(added: &AddedVariable, target: Target) -> Result<ArrayRef, FileError> {
    let configured = added.fill_value.as_ref().filter(|v| !v.is_null());
    let bad = |value: &Value| FileError::AddedVariable { name: added.name.clone(), detail: format!("its _FillValue is {value}") };
    Ok(match (target, configured) {
        (Target::Text, None) => text(String::new()),
        (Target::Text, Some(value)) => text(crate::write::python_str(value)),
        (Target::Integer, None) => Arc::new(Int64Array::from(vec![-9_999])),
        (Target::Integer, Some(value)) => Arc::new(Int64Array::from(vec![json_integer(value).ok_or_else(|| bad(value))?])),
        (Target::Float, None) => Arc::new(Float64Array::from(vec![-9_999.0])),
        (Target::Float, Some(value)) => Arc::new(Float64Array::from(vec![json_float(value).ok_or_else(|| bad(value))?])),
        (Target::Bool, None) => boolean(false),
        (Target::Bool, Some(value)) => boolean(json_truth(value)),
    })
}

fn text(value: String) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn boolean(value: bool) -> ArrayRef {
    Arc::new(BooleanArray::from(vec![value]))
}

/// Numbers truncate, text is parsed, and `16m` is 16.
fn integer(value: &Values) -> Option<i64> {
    if let Some(text) = value.as_text() {
        let text = text.trim();
        return text.parse().ok().or_else(|| whole(leading_number(text)?));
    }
    match value.to_i128().as_deref() {
        Some(&[integer]) => i64::try_from(integer).ok(),
        _ => whole(float(value)?),
    }
}

fn whole(value: f64) -> Option<i64> {
    (value.abs() < 9.2e18).then_some(value as i64)
}

fn float(value: &Values) -> Option<f64> {
    if let Some(text) = value.as_text() {
        return text.trim().parse().ok().or_else(|| leading_number(text.trim()));
    }
    match value.to_f64().as_deref() {
        Some(&[value]) => Some(value),
        _ => None,
    }
}

/// `[-+]?\d*\.?\d+` at the start of a text.
fn leading_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digits_from = |start: usize| bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits_from(sign);
    let mut end = sign + whole;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits_from(end + 1);
        if fraction > 0 {
            end += 1 + fraction;
        }
    }
    text.get(..end)?.parse().ok()
}

fn truth(value: &Values) -> bool {
    match value.to_f64() {
        Some(numbers) => numbers.iter().any(|&v| v != 0.0),
        None => true, // text that is not blank, even "False"
    }
}

fn json_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(value) => Some(i64::from(*value)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn json_float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn json_truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
    }
}
