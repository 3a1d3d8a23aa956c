//! Which dimensions make the rows, and which variables take part (spec 2.3 and 8; design section 6
//! for the fixed rule).

use std::collections::BTreeSet;

use crds::config::{DatasetConfig, Partition};
use crds::wire::Compat;

use super::FileError;
use super::handler;
use super::ragged;
use super::shape::{Axis, Shape};
use crate::cf::decoded_dimensions;
use crate::read::{Reader, Variable};

/// The rows of one file.
pub(super) struct Layout {
    pub(super) shape: Shape,
    /// The table's indexes by name, as far as the incumbent has them: one for each axis, or one
    /// without values where a special reader has rebuilt the table.
    pub(super) indexes: Vec<Index>,
    /// None: every variable on the table's dimensions.
    pub(super) only: Option<BTreeSet<usize>>,
    pub(super) notes: Vec<String>,
}

/// What the incumbent has for an index of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Index {
    /// A dimension and its variable.
    Dimension(usize),
    /// A row number.
    Counter,
}

impl Layout {
    pub(super) fn of(reader: &dyn Reader, config: &DatasetConfig, compat: Compat, key: &str) -> Result<Self, FileError> {
        let layout = match handler::special(config, reader, compat, key)? {
            Some(layout) => layout,
            None => generic(reader, config, compat)?,
        };
        layout.has_rows(reader)?;
        Ok(layout)
    }

    fn has_rows(&self, reader: &dyn Reader) -> Result<(), FileError> {
        if self.shape.axes.is_empty() {
            return Err(FileError::NoRows("the file has no dimension, so no rows".into()));
        }
        if self.shape.rows == 0 {
            let empty = self.shape.axes.iter().find(|axis| axis.length == 0).map(|axis| &reader.dimensions()[axis.dimension]);
            return Err(FileError::NoRows(format!("dimension {:?} has length 0, so there are no rows", empty.map_or("", |d| &d.name))));
        }
        Ok(())
    }

    /// Whether a variable has a place in this table at all.
    pub(super) fn takes(&self, index: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&index))
    }
}

fn generic(reader: &dyn Reader, config: &DatasetConfig, compat: Compat) -> Result<Layout, FileError> {
    let variables: Vec<&Variable> = reader.variables().iter().filter(|v| !config.drop_variables.contains(&v.name)).collect();
    let all = in_order(reader, variables.iter().copied());
    // A dimension the schema knows must have a variable, whatever the rows are.
    for &dimension in &all {
        let name = &reader.dimensions()[dimension].name;
        if config.schema.iter().any(|s| s.name == *name) && !variables.iter().any(|v| v.name == *name) {
            return Err(FileError::MissingDimensionVariable(name.clone()));
        }
    }
    let of = |&dimension: &usize| Axis::new(dimension, reader.dimensions()[dimension].length);
    let axes: Vec<Axis> = match compat {
        Compat::Incumbent => all.iter().map(of).collect(),
        Compat::Fixed => {
            let sampling = ragged::find(reader, config)?;
            let known = in_order(reader, variables.iter().copied().filter(|v| in_schema(config, v)));
            let rows = row_dimensions(reader, config, &variables, sampling.as_ref(), &known);
            let mut axes: Vec<Axis> = match (rows.is_empty(), known.is_empty()) {
                (false, _) => all.iter().filter(|d| rows.contains(d)).map(of).collect(),
                (true, false) => known.iter().map(of).collect(),
                (true, true) => all.iter().map(of).collect(),
            };
            if let Some(sampling) = sampling
                && let Some(sample) = axes.iter_mut().find(|axis| axis.dimension == sampling.dimension)
            {
                sample.instances = sampling.instances;
            }
            axes
        }
    };
    let indexes = axes.iter().map(|axis| Index::Dimension(axis.dimension)).collect();
    Ok(Layout { shape: Shape::new(axes)?, indexes, only: None, notes: Vec::new() })
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
/// Bounds of a coordinate do not count. An instance dimension stands for its samples. A file whose time
/// and position are scalars (one profile) has the rows of its other coordinate variables instead, and
/// without any those of all schema variables.
fn row_dimensions(
    reader: &dyn Reader,
    config: &DatasetConfig,
    variables: &[&Variable],
    sampling: Option<&ragged::Sampling>,
    known: &[usize],
) -> BTreeSet<usize> {
    let mut names: Vec<&str> = Vec::new();
    for partition in &config.partitioning {
        match partition {
            Partition::Time { time_varname, .. } => names.push(time_varname),
            Partition::Tile { lat_varname, lon_varname, .. } => names.extend([lat_varname.as_str(), lon_varname]),
            Partition::Column { .. } => {}
        }
    }
    let sampled = |dimension: usize| match sampling {
        Some(sampling) if sampling.instances.iter().any(|i| i.dimension == dimension) => sampling.dimension,
        _ => dimension,
    };
    let own = |variable: &Variable| decoded_dimensions(reader, variable).iter().map(|&d| sampled(d)).collect::<Vec<usize>>();
    let mut core: BTreeSet<usize> = variables.iter().filter(|v| names.contains(&v.name.as_str())).flat_map(|v| own(v)).collect();
    if core.is_empty() {
        let is_coordinate = |d: &&usize| variables.iter().any(|v| in_schema(config, v) && v.name == reader.dimensions()[**d].name);
        core = known.iter().filter(is_coordinate).copied().collect();
    }
    let bounds: Vec<&str> = variables.iter().flat_map(|v| [v.text("bounds"), v.text("climatology")]).flatten().collect();
    let mut rows = core.clone();
    for variable in variables.iter().filter(|v| in_schema(config, v) && !bounds.contains(&v.name.as_str())) {
        let own = own(variable);
        if own.iter().any(|d| core.contains(d)) {
            rows.extend(own);
        }
    }
    rows
}
