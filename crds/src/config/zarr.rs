//! What a Zarr config must say. The converter does not write Zarr yet; the model already reads it.

use serde_json::Value;

use super::finding::Findings;
use super::node::{Node, is_comment};
use super::variables::Variables;

pub(crate) fn check(root: &Node<'_>, variables: &Variables, findings: &mut Findings) {
    let known = schema_names(root, variables);
    let Some(transform) = root.get("schema_transformation") else {
        findings.error("schema_transformation", "missing; a Zarr dataset needs `dimensions` and `var_template_shape`");
        return;
    };
    let dimensions = dimensions(&transform, findings);
    if transform.get("var_template_shape").is_none() {
        findings.error(transform.at("var_template_shape"), "missing; write the variable whose shape is the template");
    }
    for key in ["var_template_shape", "vars_incompatible_with_region", "skip_cftime_decode"] {
        for (name, path) in names(&transform, key, findings) {
            if !known.contains(&name) {
                findings.error(path, format!("`{name}` is not in `schema`; add it there"));
            }
        }
    }
    for (name, path) in names(&transform, "dataset_sort_by", findings) {
        if !dimensions.contains(&name) {
            findings.error(path, format!("`{name}` is not the `name` of a dimension; write one of {}", dimensions.join(", ")));
        }
    }
}

/// Variables with `drop_var` count: they are in the schema, only not in the store.
fn schema_names(root: &Node<'_>, variables: &Variables) -> Vec<String> {
    let schema = root.get("schema").and_then(|node| node.value.as_object());
    let listed = schema.into_iter().flatten().filter(|(name, value)| !is_comment(name, value)).map(|(name, _)| name.clone());
    listed.chain(variables.added.iter().map(|variable| variable.name.clone())).collect()
}

fn dimensions(transform: &Node<'_>, findings: &mut Findings) -> Vec<String> {
    let Some(node) = transform.get("dimensions") else {
        findings.error(transform.at("dimensions"), "missing; write `name` and `chunk` of each dimension");
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut append = Vec::new();
    let mut spoken = false;
    for (label, dimension) in node.entries(findings) {
        if dimension.object(findings).is_none() {
            continue;
        }
        if let Some(name) = dimension.required_text("name", "the dimension's name in the files", findings) {
            names.push(name.to_owned());
        }
        if let Some(chunk) = dimension.get("chunk")
            && chunk.value.as_u64().is_none()
        {
            findings.error(&chunk.path, format!("{} is not a chunk length; write a whole number, 0 for automatic", chunk.value));
        }
        if let Some(flag) = dimension.get("append_dim") {
            spoken = true;
            if flag.flag(findings) {
                append.push(label);
            }
        }
    }
    match (spoken, append.len()) {
        (false, _) => findings.warn(&node.path, "no dimension has `append_dim`, so the one labelled `time` is taken"),
        (true, 1) => {}
        (true, _) => findings.error(&node.path, "exactly one dimension must have `append_dim: true`"),
    }
    names
}

/// The names under a key that holds one name or a list of them.
fn names(transform: &Node<'_>, key: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let Some(node) = transform.get(key) else { return Vec::new() };
    match node.value {
        Value::String(name) => vec![(name.clone(), node.path)],
        Value::Array(_) => {
            node.items(findings).iter().filter_map(|item| Some((item.text(findings)?.to_owned(), item.path.clone()))).collect()
        }
        _ => {
            findings.error(&node.path, "write the name of a variable, or a list of names");
            Vec::new()
        }
    }
}
