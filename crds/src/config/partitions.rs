//! `schema_transformation.partitioning`: the folders of a Parquet dataset.

use super::finding::Findings;
use super::node::Node;
use super::types::PERIOD_NAMES;
use super::variables::Variables;
use super::{Partition, PartitionPeriod, Source};

pub(crate) fn partitions(root: &Node<'_>, variables: &Variables, findings: &mut Findings) -> Vec<Partition> {
    let transform = root.get("schema_transformation");
    let Some(list) = transform.as_ref().and_then(|transform| transform.get("partitioning")) else {
        findings.error("schema_transformation.partitioning", "missing; a Parquet dataset needs a list of partition columns");
        return Vec::new();
    };
    let mut out: Vec<Partition> = Vec::new();
    let mut columns = Vec::new();
    for item in list.items(findings) {
        if item.object(findings).is_none() {
            continue;
        }
        let Some(name) = item.required_text("source_variable", "the column to partition by", findings) else { continue };
        columns.push(name.to_owned());
        if out.iter().any(|partition| partition.name() == name) {
            findings.error(item.at("source_variable"), format!("`{name}` is a partition already; remove one of them"));
            continue;
        }
        must_be_column(name, item.at("source_variable"), variables, findings);
        if let Some(partition) = partition(name, &item, variables, findings) {
            out.push(partition);
        }
    }
    let skip = transform.and_then(|transform| transform.get("skip_partitioning_validation")).is_some_and(|node| node.flag(findings));
    if !skip {
        for wanted in ["timestamp", "polygon"].iter().filter(|wanted| !columns.iter().any(|name| name == *wanted)) {
            findings.error(
                &list.path,
                format!("no partition has the `source_variable` `{wanted}`; add one, or set `skip_partitioning_validation` to true"),
            );
        }
    }
    only_one(&out, |partition| matches!(partition, Partition::Time { .. }), "time_extent", &list.path, findings);
    only_one(&out, |partition| matches!(partition, Partition::Tile { .. }), "spatial_extent", &list.path, findings);
    added_without_partition(&out, variables, findings);
    out
}

fn partition(name: &str, item: &Node<'_>, variables: &Variables, findings: &mut Findings) -> Option<Partition> {
    let (time_extent, spatial_extent) = (item.get("time_extent"), item.get("spatial_extent"));
    // The presence of the object is what counts to the incumbent; a contradicting `type` is refused.
    let kind = item.text_of("type", findings);
    let wrong = match (kind, time_extent.is_some(), spatial_extent.is_some()) {
        (_, true, true) => Some("`time_extent` and `spatial_extent` in one partition; keep one of them".to_owned()),
        (Some("time_extent"), false, _) => Some("`time_extent` is missing; write its `time_varname` and `partition_period`".to_owned()),
        (Some("spatial_extent"), _, false) => {
            Some("`spatial_extent` is missing; write its `lat_varname`, `lon_varname` and `spatial_resolution`".to_owned())
        }
        (Some("time_extent" | "spatial_extent") | None, _, _) => None,
        (Some(other), _, _) => Some(format!("`{other}` is not a type; write `time_extent`, `spatial_extent`, or leave it out")),
    };
    if let Some(message) = wrong {
        findings.error(item.at("type"), message);
        return None;
    }
    let name = name.to_owned();
    if let Some(extent) = time_extent {
        extent.object(findings)?;
        let time_varname = extent.required_text("time_varname", "the name of the time variable", findings);
        let period = extent.required_text("partition_period", &format!("one of {PERIOD_NAMES}"), findings);
        if let Some(variable) = time_varname {
            must_be_column(variable, extent.at("time_varname"), variables, findings);
        }
        let parsed = period.and_then(PartitionPeriod::from_name);
        if let (Some(word), None) = (period, parsed) {
            findings.error(extent.at("partition_period"), format!("`{word}` is not a period; write one of {PERIOD_NAMES}"));
        }
        return Some(Partition::Time { name, time_varname: time_varname?.to_owned(), period: parsed? });
    }
    if let Some(extent) = spatial_extent {
        extent.object(findings)?;
        let lat = extent.required_text("lat_varname", "the name of the latitude variable", findings);
        let lon = extent.required_text("lon_varname", "the name of the longitude variable", findings);
        for (variable, key) in [(lat, "lat_varname"), (lon, "lon_varname")] {
            if let Some(variable) = variable {
                must_be_column(variable, extent.at(key), variables, findings);
            }
        }
        let resolution = resolution(&extent, findings);
        return Some(Partition::Tile { name, lat_varname: lat?.to_owned(), lon_varname: lon?.to_owned(), resolution: resolution? });
    }
    Some(Partition::Column { name })
}

fn resolution(extent: &Node<'_>, findings: &mut Findings) -> Option<f64> {
    let path = extent.at("spatial_resolution");
    let Some(node) = extent.get("spatial_resolution") else {
        findings.error(path, "missing; write the side of a cell in whole degrees, such as 5");
        return None;
    };
    let degrees = node.value.as_f64().filter(|degrees| degrees.fract() == 0.0 && (1.0..=180.0).contains(degrees));
    if degrees.is_none() {
        findings.error(path, format!("{} is not a resolution; write whole degrees from 1 to 180", node.value));
    }
    degrees
}

fn must_be_column(name: &str, path: String, variables: &Variables, findings: &mut Findings) {
    if variables.get(name).is_some() {
        return;
    }
    let advice = if variables.dropped.iter().any(|dropped| dropped == name) {
        "it is in `drop_variables`; remove it there"
    } else {
        "add it to `schema` or `add_variables`"
    };
    findings.error(path, format!("`{name}` is no column of the dataset; {advice}"));
}

fn only_one(partitions: &[Partition], is: impl Fn(&Partition) -> bool, what: &str, path: &str, findings: &mut Findings) {
    let names: Vec<&str> = partitions.iter().filter(|partition| is(partition)).map(Partition::name).collect();
    if names.len() > 1 {
        findings.error(path, format!("more than one partition has a `{what}` ({}); keep one of them", names.join(", ")));
    }
}

/// `@partitioning:` sources only declare a column; a partition of that kind must fill it.
fn added_without_partition(partitions: &[Partition], variables: &Variables, findings: &mut Findings) {
    for variable in &variables.added {
        let filled = match variable.source {
            Source::TimeExtent => partitions.iter().any(|p| matches!(p, Partition::Time { name, .. } if *name == variable.name)),
            Source::SpatialExtent => partitions.iter().any(|p| matches!(p, Partition::Tile { name, .. } if *name == variable.name)),
            _ => true,
        };
        if !filled {
            findings.warn(
                format!("{}.source", super::node::join("schema_transformation.add_variables", &variable.name)),
                "no partition of that kind fills it, so the column stays empty; add it to `partitioning`",
            );
        }
    }
}
