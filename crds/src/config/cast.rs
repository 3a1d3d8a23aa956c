//! Configs that came as an object: what the API server does to them, and how their numbers are mended.

use serde_json::{Map, Number, Value};

use super::ColumnType;

/// Attributes whose numbers have the type of their variable.
const NUMERIC: &[&str] = &["valid_min", "valid_max", "valid_range", "_FillValue", "missing_value", "flag_values"];

/// An object as the API server gives it back: keys sorted, whole numbers without a fraction. A
/// laptop applies this to a manifest's object, so that both see the same document.
#[must_use]
pub fn as_object_form(config: &Value) -> Value {
    match config {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), as_object_form(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(as_object_form).collect()),
        Value::Number(number) => Value::Number(whole(number)),
        other => other.clone(),
    }
}

/// 90.0 becomes 90, as Go writes it.
pub(crate) fn whole(number: &Number) -> Number {
    const BEYOND_U64: f64 = 18_446_744_073_709_551_616.0;
    const BELOW_I64: f64 = -9_223_372_036_854_775_808.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && !(float == 0.0 && float.is_sign_negative()) => {
            if (0.0..BEYOND_U64).contains(&float) {
                (float as u64).into()
            } else if (BELOW_I64..0.0).contains(&float) {
                (float as i64).into()
            } else {
                number.clone()
            }
        }
        _ => number.clone(),
    }
}

/// Gives the numeric attributes (`valid_min`, `_FillValue`, …) of floating-point variables back
/// their fraction: 90 becomes 90.0. For a config that came as an *object*, whose numbers the API
/// server has mangled, and only for that: a text keeps its numbers exactly, because the incumbent's
/// sidecar shows them as they were written (`'valid_min': 0` for a float variable).
///
/// Apply it to the child before its parent is merged under it.
pub fn cast_attributes(config: &mut Value) {
    if let Some(Value::Object(schema)) = config.get_mut("schema") {
        schema.values_mut().filter_map(Value::as_object_mut).for_each(cast_variable);
    }
    let added = config.get_mut("schema_transformation").and_then(|transform| transform.get_mut("add_variables"));
    for variable in added.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(Value::Object(schema)) = variable.get_mut("schema") {
            cast_variable(schema);
        }
    }
}

fn cast_variable(variable: &mut Map<String, Value>) {
    let is_float = variable.get("type").and_then(Value::as_str).and_then(ColumnType::from_name).is_some_and(ColumnType::is_float);
    if !is_float {
        return;
    }
    for name in NUMERIC {
        match variable.get_mut(*name) {
            Some(Value::Array(items)) => items.iter_mut().for_each(to_float),
            Some(value) => to_float(value),
            None => {}
        }
    }
}

fn to_float(value: &mut Value) {
    if let Some(float) = value.as_f64().and_then(Number::from_f64) {
        *value = Value::Number(float);
    }
}
