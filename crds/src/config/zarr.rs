//! A Zarr config, checked and turned into a [`GridConfig`].

mod dimensions;
mod targets;
mod variables;

use serde_json::Value;

use self::dimensions::Dimensions;
use super::finding::Findings;
use super::grid::{GridConfig, GridVariable};
use super::node::{Node, shown};

/// The grid; none when there was an error. `deleted` are the global attributes that go.
pub(crate) fn grid(root: &Node<'_>, deleted: Vec<String>, findings: &mut Findings) -> Option<GridConfig> {
    input_paths(root, findings);
    let transform = root.get("schema_transformation");
    let dimensions = transform.as_ref().map(|transform| Dimensions::of(transform, findings)).unwrap_or_default();
    let variables = variables::variables(root, transform.as_ref(), &dimensions, findings);
    let Some(transform) = transform else {
        findings.error("schema_transformation", "missing; a Zarr dataset needs `dimensions` and `var_template_shape`");
        return None;
    };
    let template = template(&transform, &variables, findings);
    let sort_by = names_of(&transform, "dataset_sort_by", findings);
    for (name, path) in &sort_by {
        if !dimensions.has(name) {
            findings.error(path, format!("`{name}` is not the `name` of a dimension; write one of {}", dimensions.names()));
        }
    }
    if let Some(list) = transform.get("drop_variables")
        && !list.texts(findings).is_empty()
    {
        findings.warn(list.path, "has no effect on Zarr; write `drop_var: true` into the schema of each variable");
    }
    let incompatible_with_region = in_schema(&transform, "vars_incompatible_with_region", &variables, findings);
    let undecoded_times = in_schema(&transform, "skip_cftime_decode", &variables, findings);
    let target_grids = targets::target_grids(&transform, &dimensions, findings);
    Some(GridConfig {
        append: dimensions.append?,
        dimensions: dimensions.list,
        variables,
        template,
        incompatible_with_region,
        sort_by: sort_by.into_iter().map(|(name, _)| name).collect(),
        undecoded_times,
        target_grids,
        deleted_attributes: deleted,
        has_metadata_uuid: root.value.get("metadata_uuid").is_some(),
    })
}

/// Only NetCDF files have a grid.
fn input_paths(root: &Node<'_>, findings: &mut Findings) {
    let paths = root.value.pointer("/run_settings/paths").and_then(Value::as_array);
    for (index, path) in paths.into_iter().flatten().enumerate() {
        if path.get("type").and_then(Value::as_str) == Some("parquet") {
            let at = format!("run_settings.paths[{index}].type");
            findings
                .error(at, "Parquet files have no grid; write `files` and a path of NetCDF files, or `cloud_optimised_format: parquet`");
        }
    }
}

fn template(transform: &Node<'_>, variables: &[GridVariable], findings: &mut Findings) -> Vec<String> {
    let path = transform.at("var_template_shape");
    let template = in_schema(transform, "var_template_shape", variables, findings);
    match transform.get("var_template_shape") {
        None => findings.error(&path, "missing; write the variable whose shape is the template"),
        Some(Node { value: Value::Array(names), .. }) if names.is_empty() => {
            findings.error(&path, "empty; write the variable whose shape is the template");
        }
        Some(_) => {}
    }
    for variable in variables.iter().filter(|variable| variable.dropped && template.contains(&variable.name)) {
        findings.warn(&path, format!("`{}` has `drop_var`, so no file gives its shape; write a variable that is kept", variable.name));
    }
    template
}

/// The variables under a key; those with `drop_var` are in the schema too, only not in the store.
fn in_schema(transform: &Node<'_>, key: &str, variables: &[GridVariable], findings: &mut Findings) -> Vec<String> {
    let listed = names_of(transform, key, findings);
    for (name, path) in &listed {
        if !variables.iter().any(|variable| variable.name == *name) {
            findings.error(path, format!("`{name}` is not in `schema`; add it there"));
        }
    }
    listed.into_iter().map(|(name, _)| name).collect()
}

fn names_of(node: &Node<'_>, key: &str, findings: &mut Findings) -> Vec<(String, String)> {
    node.get(key).map(|listed| names(&listed, findings)).unwrap_or_default()
}

/// One name or a list of them, each with its path.
fn names(node: &Node<'_>, findings: &mut Findings) -> Vec<(String, String)> {
    match node.value {
        Value::String(name) => vec![(name.clone(), node.path.clone())],
        Value::Array(_) => {
            node.items(findings).iter().filter_map(|item| Some((item.text(findings)?.to_owned(), item.path.clone()))).collect()
        }
        _ => {
            findings.error(&node.path, "write a name, or a list of names");
            Vec::new()
        }
    }
}

/// Whether a name can be a folder of the store, as the names of variables and dimensions are.
fn check_name(name: &str, path: &str, findings: &mut Findings) {
    let odd = name.chars().any(|c| matches!(c, '/' | '\\') || c.is_control());
    if name.is_empty() || name.starts_with('.') || name.len() > 255 || odd {
        let message = format!("`{}` cannot name an array; write a name without slashes that does not begin with a dot", shown(name));
        findings.error(path, message);
    }
}
