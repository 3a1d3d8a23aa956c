//! `schema_transformation.target_dimension_grids`

use serde_json::Value;

use super::dimensions::Dimensions;
use crate::config::finding::Findings;
use crate::config::grid::TargetGrid;
use crate::config::keys::TARGET_GRID;
use crate::config::node::Node;

/// Positions of one dimension; the limit only keeps a slip of the pen from filling the memory.
const MOST: f64 = 1_000_000.0;

pub(super) fn target_grids(transform: &Node<'_>, dimensions: &Dimensions<'_>, findings: &mut Findings) -> Vec<(String, TargetGrid)> {
    let Some(node) = transform.get("target_dimension_grids") else { return Vec::new() };
    let mut out = Vec::new();
    for (name, entry) in node.entries(findings) {
        if entry.value.is_null() || entry.object(findings).is_none() || TARGET_GRID.iter().all(|key| entry.get(key).is_none()) {
            continue;
        }
        if dimensions.append_name() == Some(name) {
            findings.error(&entry.path, "the dataset grows along this dimension, so it has no fixed grid; remove it");
        } else if !dimensions.has(name) {
            findings.warn(&entry.path, format!("`{name}` is not the `name` of a dimension; write one of {}", dimensions.names()));
        }
        if let Some(grid) = target_grid(&entry, findings) {
            out.push((name.to_owned(), grid));
        }
    }
    out
}

fn target_grid(entry: &Node<'_>, findings: &mut Findings) -> Option<TargetGrid> {
    let steps = ["min", "max", "step"];
    if let Some(values) = entry.get("values") {
        if steps.iter().any(|key| entry.get(key).is_some()) {
            findings.warn(&values.path, "taken, and `min`, `max` and `step` are not; remove them");
        }
        return positions(&values, findings);
    }
    let [min, max, step] = steps.map(|key| number(entry, key, findings));
    let (min, max, step) = (min?, max?, step?);
    if step <= 0.0 || max < min {
        findings.error(&entry.path, "`min`, `max` and `step` make no rising grid; write a positive `step`, and the smaller end as `min`");
        return None;
    }
    let count = TargetGrid::steps(min, max, step);
    if count > MOST || min + step <= min || max + step <= max {
        findings.error(&entry.path, format!("more than {MOST} positions, or a step too small to tell them apart; write a longer `step`"));
        return None;
    }
    Some(TargetGrid::Steps { min, max, step })
}

fn number(entry: &Node<'_>, key: &str, findings: &mut Findings) -> Option<f64> {
    let Some(node) = entry.get(key) else {
        findings.error(entry.at(key), "missing; write `min`, `max` and `step`, or all positions as `values`");
        return None;
    };
    let number = node.value.as_f64().filter(|number| number.is_finite());
    if number.is_none() {
        findings.error(node.path, format!("{} is not a number; write one", node.value));
    }
    number
}

fn positions(node: &Node<'_>, findings: &mut Findings) -> Option<TargetGrid> {
    let items = node.items(findings);
    let values: Vec<f64> = items.iter().filter_map(|item| item.value.as_f64()).filter(|value| value.is_finite()).collect();
    let rising = values.windows(2).all(|pair| pair[0] < pair[1]);
    let falling = values.windows(2).all(|pair| pair[0] > pair[1]);
    if values.len() < items.len() || values.is_empty() || !(rising || falling) {
        if matches!(node.value, Value::Array(_)) {
            findings.error(&node.path, "not a list of positions; write numbers that rise from one to the next, or fall");
        }
        return None;
    }
    Some(TargetGrid::Values(values))
}
