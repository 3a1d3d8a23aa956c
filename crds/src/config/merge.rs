//! `parent_config`: a child laid over its parent.

use serde_json::Value;

/// Lays `child` over `parent` as the incumbent does: objects merge key by key, everything else
/// (lists, scalars, `null`) replaces; a key called `schema`, at any depth, replaces the parent's
/// whole value unless the child's is empty. One level only: the parent's own `parent_config` is
/// not followed.
#[must_use]
pub fn merge(parent: &Value, child: &Value) -> Value {
    let mut merged = parent.clone();
    lay_over(&mut merged, child);
    merged
}

fn lay_over(below: &mut Value, above: &Value) {
    let (Value::Object(below_map), Value::Object(above_map)) = (&mut *below, above) else {
        *below = above.clone();
        return;
    };
    for (key, value) in above_map {
        let whole = key == "schema" && !is_empty(value);
        match below_map.get_mut(key) {
            Some(place) if !whole => lay_over(place, value),
            Some(place) => *place = value.clone(),
            None => {
                below_map.insert(key.clone(), value.clone());
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
