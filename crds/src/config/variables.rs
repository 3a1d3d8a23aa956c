//! `schema`, `add_variables` and `drop_variables`: the columns of a table.

use serde_json::{Map, Value};

use super::finding::Findings;
use super::functions;
use super::node::{Node, join, kind};
use super::types::TYPE_NAMES;
use super::{AddedVariable, ColumnType, Source, VariableSchema};

/// The columns as the incumbent builds them: `schema` in order, added variables set or appended, dropped ones out.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    pub schema: Vec<VariableSchema>,
    pub added: Vec<AddedVariable>,
    pub dropped: Vec<String>,
}

impl Variables {
    pub fn get(&self, name: &str) -> Option<&VariableSchema> {
        self.schema.iter().find(|variable| variable.name == name)
    }
}

pub(crate) fn variables(root: &Node<'_>, findings: &mut Findings) -> Variables {
    let mut out = Variables { schema: schema(root, findings), ..Variables::default() };
    let Some(transform) = root.get("schema_transformation") else { return out };
    if let Some(entries) = transform.get("add_variables") {
        for (name, node) in entries.entries(findings) {
            let Some((variable, attributes)) = added(name, &node, &transform, findings) else { continue };
            let column = VariableSchema { name: name.to_owned(), column_type: variable.column_type, attributes };
            match out.schema.iter_mut().find(|known| known.name == name) {
                Some(place) => *place = column,
                None => out.schema.push(column),
            }
            out.added.push(variable);
        }
    }
    if let Some(list) = transform.get("drop_variables") {
        out.dropped = list.texts(findings);
    }
    for variable in out.added.iter().filter(|variable| out.dropped.contains(&variable.name)) {
        let path = join(&transform.at("add_variables"), &variable.name);
        findings.warn(path, "also in `drop_variables`, so it is not written; remove it from one of them");
    }
    out.schema.retain(|variable| !out.dropped.contains(&variable.name));
    out
}

/// The variables under `schema`, comments left out.
pub(super) fn schema_entries<'a>(root: &Node<'a>, findings: &mut Findings) -> Vec<(&'a str, Node<'a>)> {
    let Some(node) = root.get("schema") else {
        let advice = if root.get("dataset_schema").is_some() {
            "missing; rename `dataset_schema` to `schema`"
        } else {
            "missing; write an object with the `type` and attributes of each variable"
        };
        findings.error("schema", advice);
        return Vec::new();
    };
    let Value::Object(map) = node.value else {
        findings.error("schema", format!("{} stands here; write an object: variable name → {{type, attributes}}", kind(node.value)));
        return Vec::new();
    };
    if map.is_empty() {
        findings.error("schema", "empty; write the `type` and attributes of each variable");
    }
    node.entries(findings)
}

fn schema(root: &Node<'_>, findings: &mut Findings) -> Vec<VariableSchema> {
    let mut out = Vec::new();
    for (name, variable) in schema_entries(root, findings) {
        let Some(attributes) = variable.object(findings) else { continue };
        if let Some((_, column_type)) = type_of(&variable, findings) {
            out.push(VariableSchema { name: name.to_owned(), column_type, attributes: attributes.clone() });
        }
    }
    out
}

fn type_of<'a>(variable: &Node<'a>, findings: &mut Findings) -> Option<(&'a str, ColumnType)> {
    let name = variable.required_text("type", "a type such as `float`, `double`, `int32`, `string` or `timestamp[ns]`", findings)?;
    let column_type = ColumnType::from_name(name);
    if column_type.is_none() {
        findings.error(variable.at("type"), format!("`{name}` is not a type; write one of {}", TYPE_NAMES.join(", ")));
    }
    Some((name, column_type?))
}

fn added(name: &str, node: &Node<'_>, transform: &Node<'_>, findings: &mut Findings) -> Option<(AddedVariable, Map<String, Value>)> {
    node.object(findings)?;
    let source = source(name, node, transform, findings);
    let Some(schema) = node.get("schema") else {
        findings.error(node.at("schema"), "missing; write at least its `type` and `units`");
        return None;
    };
    let attributes = schema.object(findings)?;
    let (type_name, column_type) = type_of(&schema, findings)?;
    match (&source, column_type) {
        (Some(Source::TimeExtent), other) if other != ColumnType::Int64 => {
            findings.error(schema.at("type"), format!("`{type_name}` cannot hold a time partition; write `int64`"));
        }
        (Some(Source::SpatialExtent), other) if other != ColumnType::Utf8 => {
            findings.error(schema.at("type"), format!("`{type_name}` cannot hold a polygon; write `string`"));
        }
        _ => {}
    }
    units(&schema, findings);
    // What the sidecar shows of an added variable: its type first.
    let mut ordered = Map::new();
    ordered.insert("type".to_owned(), Value::from(type_name));
    ordered.extend(attributes.iter().filter(|(key, _)| *key != "type").map(|(key, value)| (key.clone(), value.clone())));
    let variable = AddedVariable {
        name: name.to_owned(),
        source: source?,
        type_name: type_name.to_owned(),
        column_type,
        fill_value: attributes.get("_FillValue").filter(|value| !value.is_null()).cloned(),
    };
    Some((variable, ordered))
}

/// Each added variable should have some.
pub(super) fn units(schema: &Node<'_>, findings: &mut Findings) {
    match schema.get("units") {
        None => findings.warn(schema.at("units"), "missing; the variable gets none (write `1` for a variable without a dimension)"),
        Some(units) => drop(units.text(findings)),
    }
}

const SOURCES: &str = "`@filename`, `@global_attribute:<name>`, `@variable_attribute:<variable>.<attribute>`, \
    `@partitioning:time_extent`, `@partitioning:spatial_extent` or `@function:<name>`";

fn source(variable: &str, node: &Node<'_>, transform: &Node<'_>, findings: &mut Findings) -> Option<Source> {
    let text = node.required_text("source", &format!("one of {SOURCES}"), findings)?;
    let path = node.at("source");
    let source = match text.split_once(':') {
        None if text == "@filename" => Source::Filename,
        Some(("@partitioning", "time_extent")) => Source::TimeExtent,
        Some(("@partitioning", "spatial_extent")) => Source::SpatialExtent,
        Some(("@global_attribute", name)) if !name.is_empty() => Source::GlobalAttribute(name.to_owned()),
        Some(("@function", name)) if !name.is_empty() => Source::Function(functions::function(transform, name, variable, &path, findings)?),
        Some(("@variable_attribute", rest)) => match rest.split_once('.') {
            Some((variable, attribute)) if !variable.is_empty() && !attribute.is_empty() => {
                Source::VariableAttribute { variable: variable.to_owned(), attribute: attribute.to_owned() }
            }
            _ => {
                findings.error(path, format!("`{text}` names no attribute; write `@variable_attribute:<variable>.<attribute>`"));
                return None;
            }
        },
        _ => {
            findings.error(path, format!("`{text}` is not a source; write {SOURCES}"));
            return None;
        }
    };
    Some(source)
}
