//! Which dimensions make the rows (spec 2.3; design section 6 for the fixed rule).

use std::collections::BTreeSet;

use crds::config::{DatasetConfig, Partition};
use crds::wire::Compat;

use super::FileError;
use super::shape::Shape;
use crate::cf::decoded_dimensions;
use crate::read::{Reader, Variable};

/// The rows of one file.
pub(super) struct Layout {
    pub(super) shape: Shape,
}

impl Layout {
    pub(super) fn of(reader: &dyn Reader, config: &DatasetConfig, compat: Compat) -> Result<Self, FileError> {
        let variables: Vec<&Variable> = reader.variables().iter().filter(|v| !config.drop_variables.contains(&v.name)).collect();
        let all = in_order(reader, variables.iter().copied());
        // A dimension the schema knows must have a variable, whatever the rows are.
        for &dimension in &all {
            let name = &reader.dimensions()[dimension].name;
            if config.schema.iter().any(|s| s.name == *name) && !variables.iter().any(|v| v.name == *name) {
                return Err(FileError::MissingDimensionVariable(name.clone()));
            }
        }
        let dimensions = match compat {
            Compat::Incumbent => all,
            Compat::Fixed => {
                // A file whose time and position are scalars has the rows of its schema variables.
                let rows = row_dimensions(reader, config, &variables);
                let known = in_order(reader, variables.iter().copied().filter(|v| in_schema(config, v)));
                match (rows.is_empty(), known.is_empty()) {
                    (false, _) => all.into_iter().filter(|d| rows.contains(d)).collect(),
                    (true, false) => known,
                    (true, true) => all,
                }
            }
        };
        let shape = Shape::new(reader.dimensions(), dimensions)?;
        if shape.dimensions.is_empty() {
            return Err(FileError::NoRows("the file has no dimension, so no rows".into()));
        }
        if shape.rows == 0 {
            let empty = shape.dimensions.iter().map(|&d| &reader.dimensions()[d]).find(|d| d.length == 0);
            return Err(FileError::NoRows(format!("dimension {:?} has length 0, so there are no rows", empty.map_or("", |d| &d.name))));
        }
        Ok(Self { shape })
    }
}

fn in_schema(config: &DatasetConfig, variable: &Variable) -> bool {
    config.schema.iter().any(|s| s.name == variable.name)
}

/// Dimensions in order of first use.
fn in_order<'a>(reader: &dyn Reader, variables: impl Iterator<Item = &'a Variable>) -> Vec<usize> {
    let mut dimensions = Vec::new();
    for variable in variables {
        for &dimension in decoded_dimensions(reader, variable) {
            if !dimensions.contains(&dimension) {
                dimensions.push(dimension);
            }
        }
    }
    dimensions
}

/// Those of time, latitude and longitude, and those of schema variables that share one of them.
/// Bounds of a coordinate do not count.
fn row_dimensions(reader: &dyn Reader, config: &DatasetConfig, variables: &[&Variable]) -> BTreeSet<usize> {
    let mut names: Vec<&str> = Vec::new();
    for partition in &config.partitioning {
        match partition {
            Partition::Time { time_varname, .. } => names.push(time_varname),
            Partition::Tile { lat_varname, lon_varname, .. } => names.extend([lat_varname.as_str(), lon_varname]),
            Partition::Column { .. } => {}
        }
    }
    let core: BTreeSet<usize> =
        variables.iter().filter(|v| names.contains(&v.name.as_str())).flat_map(|v| decoded_dimensions(reader, v)).copied().collect();
    let bounds: Vec<&str> = variables.iter().flat_map(|v| [v.text("bounds"), v.text("climatology")]).flatten().collect();
    let mut rows = core.clone();
    for variable in variables.iter().filter(|v| in_schema(config, v) && !bounds.contains(&v.name.as_str())) {
        let own = decoded_dimensions(reader, variable);
        if own.iter().any(|d| core.contains(d)) {
            rows.extend(own);
        }
    }
    rows
}
