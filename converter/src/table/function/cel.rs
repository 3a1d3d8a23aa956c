//! CEL expressions, evaluated on every row, or once for the file if they name no column.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, DurationNanosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampNanosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, NullArray, StringArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::{DataType, TimeUnit};
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Context, Program, Value};
use crds::config::{AddedVariable, Expression};

use super::{Columns, FileFacts, Made, failed};
use crate::read::Values;
use crate::table::FileError;

pub(super) struct Evaluation<'a> {
    program: Program,
    expression: &'a Expression,
    /// Rows done so far: a message names the row of the file.
    done: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(expression: &'a Expression) -> Result<Self, String> {
        let program = Program::compile(&expression.text).map_err(|errors| format!("its expression does not parse: {errors}"))?;
        Ok(Self { program, expression, done: 0 })
    }

    pub(super) fn evaluate(
        &mut self,
        added: &AddedVariable,
        file: FileFacts<'_>,
        column: &mut Columns<'_>,
        rows: usize,
    ) -> Result<Made, FileError> {
        let mut columns = BTreeMap::new();
        for name in &self.expression.columns {
            let array = column(name)?;
            if let Some(array) = &array
                && !readable(array.data_type())
            {
                return Err(failed(added, format!("column {name:?} holds {}, which an expression cannot use", array.data_type())));
            }
            columns.insert(name.as_str(), array);
        }
        let once = columns.is_empty();
        let row = Row { columns, row: AtomicUsize::new(0) };
        let mut context = Context::default();
        context.add_variable_from_value("key", file.name.key.clone());
        context.add_variable_from_value("filename", file.name.basename.clone());
        context.add_variable_from_value("bucket", file.name.bucket.clone());
        let attributes = file.attributes.iter().filter_map(|a| Some((Key::from(a.name.clone()), attribute(&a.values)?)));
        context.add_variable_from_value("global", Value::Map(cel::objects::Map { map: Arc::new(attributes.collect::<HashMap<_, _>>()) }));
        context.set_variable_resolver(&row);
        let mut made = Vec::with_capacity(if once { 1 } else { rows });
        for index in 0..if once { 1 } else { rows } {
            row.row.store(index, Ordering::Relaxed);
            let value = self.program.execute(&context).map_err(|error| failed(added, self.trouble(once, index, &error.to_string())))?;
            made.push(value);
        }
        let array = array(&made).map_err(|(index, detail)| failed(added, self.trouble(once, index, &detail)))?;
        self.done += rows;
        Ok(if once { Made::Scalar(array) } else { Made::Rows(array) })
    }

    fn trouble(&self, once: bool, index: usize, detail: &str) -> String {
        let text = &self.expression.text;
        let detail: String = detail.chars().take(200).collect();
        if once {
            return format!("`{text}`: {detail}");
        }
        format!(
            "`{text}`, row {}: {detail}; test for missing values (`x == null ? null : …`) and for types (`2.0`, not `2`, beside a float)",
            self.done + index + 1
        )
    }
}

/// The columns at one row.
struct Row<'a> {
    columns: BTreeMap<&'a str, Option<ArrayRef>>,
    row: AtomicUsize,
}

impl VariableResolver for Row<'_> {
    fn resolve(&self, name: &str) -> Option<Value> {
        let array = self.columns.get(name)?;
        Some(array.as_ref().map_or(Value::Null, |array| value(array, self.row.load(Ordering::Relaxed))))
    }
}

fn readable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null | DataType::Boolean | DataType::Utf8 | DataType::Binary | DataType::Date32 => true,
        DataType::Float16 => false,
        DataType::Timestamp(unit, _) | DataType::Duration(unit) => *unit == TimeUnit::Nanosecond,
        other => other.is_integer() || other.is_floating(),
    }
}

fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    macro_rules! number {
        ($kind:ty, $variant:ident) => {
            Value::$variant(array.as_primitive::<$kind>().value(row).into())
        };
    }
    match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Value::String(Arc::new(array.as_string::<i32>().value(row).to_owned())),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            match std::str::from_utf8(bytes) {
                Ok(text) => Value::String(Arc::new(text.to_owned())),
                Err(_) => Value::Bytes(Arc::new(bytes.to_vec())),
            }
        }
        DataType::Int8 => number!(Int8Type, Int),
        DataType::Int16 => number!(Int16Type, Int),
        DataType::Int32 => number!(Int32Type, Int),
        DataType::Int64 => number!(Int64Type, Int),
        // An unsigned number is a plain one wherever it can be: CEL does not add the two kinds.
        DataType::UInt8 => number!(UInt8Type, Int),
        DataType::UInt16 => number!(UInt16Type, Int),
        DataType::UInt32 => number!(UInt32Type, Int),
        DataType::UInt64 => unsigned(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => number!(Float32Type, Float),
        DataType::Float64 => number!(Float64Type, Float),
        DataType::Date32 => timestamp(i64::from(array.as_primitive::<Date32Type>().value(row)) * 86_400_000_000_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => timestamp(array.as_primitive::<TimestampNanosecondType>().value(row)),
        DataType::Duration(TimeUnit::Nanosecond) => {
            Value::Duration(chrono::Duration::nanoseconds(array.as_primitive::<DurationNanosecondType>().value(row)))
        }
        _ => Value::Null,
    }
}

fn unsigned(value: u64) -> Value {
    i64::try_from(value).map_or(Value::UInt(value), Value::Int)
}

fn timestamp(nanoseconds: i64) -> Value {
    Value::Timestamp(chrono::DateTime::from_timestamp_nanos(nanoseconds).fixed_offset())
}

/// A global attribute: a number, a text, or a list of them.
fn attribute(values: &Values) -> Option<Value> {
    if let Some(text) = values.as_text() {
        return Some(Value::String(Arc::new(text.to_owned())));
    }
    let all: Vec<Value> = match (values, values.to_i128()) {
        (Values::Text(texts), _) => texts.iter().map(|text| Value::String(Arc::new(text.clone()))).collect(),
        (_, Some(integers)) => integers.into_iter().map(|v| i64::try_from(v).map_or_else(|_| Value::UInt(v as u64), Value::Int)).collect(),
        _ => values.to_f64()?.into_iter().map(Value::Float).collect(),
    };
    match <[Value; 1]>::try_from(all) {
        Ok([one]) => Some(one),
        Err(all) => Some(Value::List(Arc::new(all))),
    }
}

/// The results as one array: all of one kind, but for null; integers beside floats become floats.
fn array(values: &[Value]) -> Result<ArrayRef, (usize, String)> {
    let kind = |value: &Value| match value {
        Value::Null => None,
        Value::Int(_) => Some("int"),
        Value::UInt(_) => Some("uint"),
        Value::Float(_) => Some("double"),
        Value::Bool(_) => Some("bool"),
        Value::String(_) => Some("string"),
        Value::Bytes(_) => Some("bytes"),
        Value::Timestamp(_) => Some("timestamp"),
        Value::Duration(_) => Some("duration"),
        Value::List(_) | Value::Map(_) | Value::Function(..) | Value::Opaque(_) => Some("list or map"),
    };
    let numeric = |kind| matches!(kind, "int" | "uint" | "double");
    let mut found: Option<&'static str> = None;
    for (index, value) in values.iter().enumerate() {
        let Some(this) = kind(value) else { continue };
        if this == "list or map" {
            return Err((index, "the result is no single value".to_owned()));
        }
        found = match found {
            None => Some(this),
            Some(before) if before == this => found,
            Some(before) if numeric(before) && numeric(this) => Some("double"),
            Some(before) => return Err((index, format!("the result is a {this}, and a {before} before"))),
        };
    }
    // NaN is null in every table.
    let float = |value: &Value| match value {
        Value::Int(v) => Some(*v as f64),
        Value::UInt(v) => Some(*v as f64),
        Value::Float(v) => Some(*v).filter(|v| !v.is_nan()),
        _ => None,
    };
    macro_rules! of {
        ($array:ty, $pattern:pat => $value:expr) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        $pattern => $value,
                        _ => None,
                    })
                    .collect::<$array>(),
            ) as ArrayRef
        };
    }
    Ok(match found {
        None => Arc::new(NullArray::new(values.len())),
        Some("int") => of!(Int64Array, Value::Int(v) => Some(*v)),
        Some("uint") => of!(UInt64Array, Value::UInt(v) => Some(*v)),
        Some("double") => Arc::new(values.iter().map(float).collect::<Float64Array>()),
        Some("bool") => of!(BooleanArray, Value::Bool(v) => Some(*v)),
        Some("bytes") => of!(BinaryArray, Value::Bytes(v) => Some(v.as_slice())),
        Some("timestamp") => of!(TimestampNanosecondArray, Value::Timestamp(v) => v.timestamp_nanos_opt()),
        Some("duration") => of!(DurationNanosecondArray, Value::Duration(v) => v.num_nanoseconds()),
        Some(_) => of!(StringArray, Value::String(v) => Some(v.as_str())),
    })
}
