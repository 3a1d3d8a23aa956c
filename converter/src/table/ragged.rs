//! Ragged arrays of a file, found by the attributes of CF 9.3: `sample_dimension` on the counts of a
//! contiguous one, `instance_dimension` on the indices of an indexed one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use crds::config::DatasetConfig;
use crds::wire::Compat;

use super::FileError;
use super::cast;
use super::shape::Instances;
use crate::cf::{self, geometry};
use crate::read::{Reader, Variable};

/// The samples of a file and the instances they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sampling {
    /// The sample dimension: a row of the table for each.
    pub(super) dimension: usize,
    pub(super) instances: Vec<Instances>,
}

/// The ragged array whose samples the schema wants; none when the file has none.
pub(super) fn find(reader: &dyn Reader, config: &DatasetConfig) -> Result<Option<Sampling>, FileError> {
    let named = |name: &str| reader.dimensions().iter().position(|d| d.name == name);
    let mut links: Vec<Link> = Vec::new();
    for (index, variable) in reader.variables().iter().enumerate() {
        let &[own] = variable.dimensions.as_slice() else { continue };
        let dimension = |name: &str| {
            let detail = format!("it speaks of the dimension {name:?}, which no variable has");
            named(name).ok_or_else(|| cf::CfError::Ragged { variable: variable.name.clone(), detail })
        };
        if let Some(samples) = variable.text("sample_dimension") {
            links.push(Link { variable: index, samples: dimension(samples)?, instance: own, counts: true });
        } else if let Some(instance) = variable.text("instance_dimension") {
            links.push(Link { variable: index, samples: own, instance: dimension(instance)?, counts: false });
        }
    }
    // The finest samples are those that are nobody's instances.
    let finest = |link: &&Link| !links.iter().any(|other| other.instance == link.samples);
    let wanted = |link: &&Link| {
        let uses = |v: &Variable| v.dimensions.contains(&link.samples) && config.schema.iter().any(|s| s.name == v.name);
        reader.variables().iter().any(uses)
    };
    let Some(start) = links.iter().filter(finest).find(wanted) else { return Ok(None) };
    let dimension = start.samples;
    let mut instances: Vec<Instances> = Vec::new();
    // Each link adds one instance dimension: at most as many rounds as there are links.
    for _ in 0..links.len() {
        let reached = |samples: usize| samples == dimension || instances.iter().any(|i| i.dimension == samples);
        let next = links.iter().find(|link| reached(link.samples) && !reached(link.instance));
        let Some(link) = next else { break };
        let of = link.of(reader)?;
        let through = instances.iter().find(|i| i.dimension == link.samples);
        let of = through.map_or_else(|| of.clone(), |through| geometry::chained(&through.of, &of));
        instances.push(Instances { dimension: link.instance, length: reader.dimensions()[link.instance].length, of: Arc::new(of) });
    }
    Ok(Some(Sampling { dimension, instances }))
}

/// One step from samples to instances.
struct Link {
    variable: usize,
    samples: usize,
    instance: usize,
    /// Counts on the instances, or indices on the samples.
    counts: bool,
}

impl Link {
    fn of(&self, reader: &dyn Reader) -> Result<Vec<u32>, FileError> {
        let name = &reader.variables()[self.variable].name;
        let values = integers(reader, self.variable)?;
        Ok(if self.counts {
            geometry::contiguous(name, &values, reader.dimensions()[self.samples].length)?
        } else {
            geometry::indexed(name, &values, 0, reader.dimensions()[self.instance].length, geometry::Outside::Refused)?
        })
    }
}

/// The values of a count or index variable; missing ones are none.
pub(super) fn integers(reader: &dyn Reader, index: usize) -> Result<Vec<Option<i64>>, FileError> {
    let variable = &reader.variables()[index];
    let rules = cf::Rules { compat: Compat::Fixed, durations: false };
    let decoded = cf::decode(variable, reader.read(index)?, None, rules)?;
    let whole = cast::cast(&decoded.array, &DataType::Int64);
    let whole = whole.map_err(|error| cf::CfError::Ragged { variable: variable.name.clone(), detail: error.text(0) })?;
    Ok(whole.as_primitive::<Int64Type>().iter().collect())
}
