//! Text to value, without loss: the order of keys, 90.0 apart from 90, and never a key twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{ConfigError, Finding, merge};

/// Reads a config from JSON or YAML. JSON is tried first when the text begins like JSON.
pub fn load(text: &str) -> Result<Value, ConfigError> {
    let text = text.trim_start_matches('\u{feff}');
    let value = if text.trim_start().starts_with('{') {
        // A flow mapping of YAML begins with a brace too; when both fail, JSON says it better.
        match serde_json::from_str::<Exact>(text) {
            Ok(value) => value.0,
            Err(json) => match serde_yaml::from_str_with_options::<Exact>(text, yaml()) {
                Ok(value) => value.0,
                Err(_) => return Err(unreadable(&format!("not valid JSON: {json}"))),
            },
        }
    } else {
        serde_yaml::from_str_with_options::<Exact>(text, yaml())
            .map_err(|error| unreadable(&format!("not valid YAML: {}", one_line(&error.to_string()))))?
            .0
    };
    if value.is_object() {
        Ok(value)
    } else {
        Err(unreadable("a dataset config is an object (`dataset_name: …`, `schema: …`), this is something else"))
    }
}

/// Reads the documents of a YAML stream (or one JSON document), each without loss. Empty ones are left out.
pub fn documents(text: &str) -> Result<Vec<Value>, ConfigError> {
    let text = text.trim_start_matches('\u{feff}');
    let documents = serde_yaml::from_multiple_with_options::<Exact>(text, yaml())
        .map_err(|error| unreadable(&format!("not valid YAML: {}", one_line(&error.to_string()))))?;
    Ok(documents.into_iter().map(|document| document.0).filter(|document| !document.is_null()).collect())
}

/// Reads a config and merges its parent under it. `parents` holds the texts that may be named,
/// by file name or `ConfigMap` key; the incumbent's `parent_config` is a file beside the child.
pub fn load_with_parents(text: &str, parents: &BTreeMap<String, String>) -> Result<Value, ConfigError> {
    with_parent(load(text)?, parents)
}

/// Merges the parent that `parent_config` names, one level only. Without that key, the child itself.
pub fn with_parent(child: Value, parents: &BTreeMap<String, String>) -> Result<Value, ConfigError> {
    let name = match child.get("parent_config") {
        None | Some(Value::Null) => return Ok(child),
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err(parent_error("not text: write the file name of the parent config, or null")),
    };
    let file = name.rsplit('/').next().unwrap_or(&name);
    let Some(text) = parents.get(&name).or_else(|| parents.get(file)) else {
        let given = parents.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let given = if given.is_empty() { "no parent was given".to_owned() } else { format!("given: {given}") };
        return Err(parent_error(&format!(
            "`{name}` was not found ({given}): name its ConfigMap key in `spec.parentFrom`, or its folder with `--parents DIR`"
        )));
    };
    let parent = load(text).map_err(|error| parent_error(&format!("`{name}`: {error}")))?;
    Ok(merge(&parent, &child))
}

/// YAML 1.2, where `Y` (a year's partitions), `no` and `off` are words; numbers are those of JSON.
fn yaml() -> serde_yaml::Options {
    serde_yaml::options! { strict_booleans: true, leading_zero_numbers_as_strings: true, underscored_numbers_as_strings: true }
}

fn unreadable(message: &str) -> ConfigError {
    ConfigError::Unreadable(Finding::new("", message))
}

fn parent_error(message: &str) -> ConfigError {
    ConfigError::Parent(Finding::new("parent_config", message))
}

/// Error texts of the YAML reader show the source in several lines; the first names the trouble.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(text).to_owned()
}

/// A JSON value whose objects hold no key twice and whose numbers are all finite.
struct Exact(Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Exactly;
        impl<'de> Visitor<'de> for Exactly {
            type Value = Exact;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Exact, E> {
                Ok(Exact(Value::Bool(value)))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Exact, E> {
                Ok(Exact(value.into()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Exact, E> {
                Ok(Exact(value.into()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Exact, E> {
                let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is not finite; write a finite one or null"))?;
                Ok(Exact(Value::Number(number)))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Exact, E> {
                Ok(Exact(value.into()))
            }
            fn visit_string<E: Error>(self, value: String) -> Result<Exact, E> {
                Ok(Exact(value.into()))
            }
            fn visit_unit<E: Error>(self) -> Result<Exact, E> {
                Ok(Exact(Value::Null))
            }
            fn visit_none<E: Error>(self) -> Result<Exact, E> {
                Ok(Exact(Value::Null))
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Exact, D::Error> {
                Exact::deserialize(deserializer)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Exact, A::Error> {
                let mut items = Vec::new();
                while let Some(Exact(item)) = access.next_element()? {
                    items.push(item);
                }
                Ok(Exact(items.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Exact, A::Error> {
                let mut map = Map::new();
                while let Some(key) = access.next_key::<String>()? {
                    if map.contains_key(&key) {
                        return Err(A::Error::custom(format!("the key `{key}` stands twice in one object; keep one of them")));
                    }
                    let Exact(value) = access.next_value()?;
                    map.insert(key, value);
                }
                Ok(Exact(Value::Object(map)))
            }
        }
        deserializer.deserialize_any(Exactly)
    }
}
