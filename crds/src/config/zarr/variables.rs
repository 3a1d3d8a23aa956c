//! `schema` and `add_variables` of a Zarr config.

use super::dimensions::Dimensions;
use super::{check_name, names};
use crate::config::finding::Findings;
use crate::config::grid::{GridSource, GridType, GridVariable};
use crate::config::node::{Node, shown};
use crate::config::variables::{schema_entries, units};

/// Keys of a variable's schema that are no attributes.
const STRUCTURE: &[&str] = &["type", "dims", "dimensions", "drop_var"];

pub(super) fn variables(
    root: &Node<'_>,
    transform: Option<&Node<'_>>,
    dimensions: &Dimensions<'_>,
    findings: &mut Findings,
) -> Vec<GridVariable> {
    let mut out = Vec::new();
    for (name, node) in schema_entries(root, findings) {
        out.extend(variable(name, &node, dimensions, findings));
    }
    let Some(entries) = transform.and_then(|transform| transform.get("add_variables")) else { return out };
    for (name, node) in entries.entries(findings) {
        let Some(variable) = added(name, &node, dimensions, findings) else { continue };
        match out.iter_mut().find(|known| known.name == name) {
            Some(place) => *place = variable,
            None => out.push(variable),
        }
    }
    out
}

fn variable(name: &str, node: &Node<'_>, dimensions: &Dimensions<'_>, findings: &mut Findings) -> Option<GridVariable> {
    let object = node.object(findings)?;
    check_name(name, &node.path, findings);
    let dropped = node.get("drop_var").is_some_and(|flag| flag.flag(findings));
    if dropped && dimensions.has(name) {
        findings.error(node.at("drop_var"), format!("`{}` is a dimension, and no file can do without; remove `drop_var`", shown(name)));
    }
    let dims = dims(node, dimensions, findings);
    let word = node.required_text("type", "a type such as `float32`, `double`, `int32` or `timestamp[ns]`", findings)?;
    let grid_type = GridType::from_name(word);
    if grid_type.is_none() {
        findings.error(node.at("type"), format!("`{}` is not a type; write one of {}", shown(word), GridType::NAMES));
    }
    Some(GridVariable {
        name: name.to_owned(),
        grid_type: grid_type?,
        dropped,
        dims,
        attributes: object
            .iter()
            .filter(|(key, _)| !STRUCTURE.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        source: None,
    })
}

/// The names under `dims`, or else `dimensions`; a label stands for the dimension that it labels.
fn dims(node: &Node<'_>, dimensions: &Dimensions<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let listed = node.get("dims").or_else(|| node.get("dimensions"))?;
    let mut out: Vec<String> = Vec::new();
    for (word, path) in names(&listed, findings) {
        let name = match dimensions.labelled(&word) {
            Some(name) if !dimensions.has(&word) => name.to_owned(),
            _ => word,
        };
        if !dimensions.has(&name) {
            findings.warn(&path, format!("`{}` is not the `name` of a dimension; write one of {}", shown(&name), dimensions.names()));
        }
        if out.contains(&name) {
            findings.error(&path, format!("`{}` stands there already; remove one of them", shown(&name)));
        }
        out.push(name);
    }
    Some(out)
}

fn added(name: &str, node: &Node<'_>, dimensions: &Dimensions<'_>, findings: &mut Findings) -> Option<GridVariable> {
    node.object(findings)?;
    let source = source(node, findings);
    let Some(schema) = node.get("schema") else {
        findings.error(node.at("schema"), "missing; write at least its `type` and `units`");
        return None;
    };
    if dimensions.has(name) {
        findings.error(&node.path, "a dimension, whose values come from the files; choose another name");
    }
    let mut variable = variable(name, &schema, dimensions, findings)?;
    units(&schema, findings);
    let source = source?;
    let append = dimensions.append_name().map(str::to_owned);
    let text = matches!(variable.grid_type, GridType::Text | GridType::FixedText(_));
    match &source {
        GridSource::Filename => {
            if !text && !matches!(variable.grid_type, GridType::FixedBytes(_)) {
                let message = format!("`{}` cannot hold the name of a file; write `object`", variable.grid_type);
                findings.error(schema.at("type"), message);
            }
            // A name stands for each row, whatever the config says.
            variable.dims = append.map(|append| vec![append]);
        }
        GridSource::GlobalAttribute(_) => {
            if !text {
                let message = format!("`{}` cannot hold a global attribute; write a text such as `<U64`", variable.grid_type);
                findings.error(schema.at("type"), message);
            }
            match variable.dims.as_deref() {
                Some([_]) => {}
                Some(_) => findings.error(schema.at("dimensions"), "a global attribute makes one dimension; write one name"),
                None => {
                    let message =
                        format!("missing, so it is `{}`; write the dimension of the variable", append.as_deref().unwrap_or("time"));
                    findings.warn(schema.at("dimensions"), message);
                    variable.dims = append.map(|append| vec![append]);
                }
            }
        }
    }
    variable.source = Some(source);
    Some(variable)
}

fn source(node: &Node<'_>, findings: &mut Findings) -> Option<GridSource> {
    const SOURCES: &str = "`@filename` or `@global_attribute:<name>`";
    let text = node.required_text("source", SOURCES, findings)?;
    match text.split_once(':') {
        None if text == "@filename" => Some(GridSource::Filename),
        Some(("@global_attribute", name)) if !name.is_empty() => Some(GridSource::GlobalAttribute(name.to_owned())),
        _ => {
            findings.error(node.at("source"), format!("`{}` has no meaning for zarr; write {SOURCES}", shown(text)));
            None
        }
    }
}
