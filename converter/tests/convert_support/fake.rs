//! A file made of values, without any container.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use converter::read::{Attribute, Dimension, ReadError, Reader, Values, Variable};

#[derive(Clone, Default)]
pub struct Fake {
    dimensions: Vec<Dimension>,
    variables: Vec<Variable>,
    values: Vec<Values>,
    attributes: Vec<Attribute>,
    chunks: BTreeMap<usize, Vec<usize>>,
    /// Chunks of variables that have any, each as often as it was inflated.
    pub inflated: Arc<AtomicUsize>,
}

impl Fake {
    /// A variable on the named dimensions, each `name=length`.
    pub fn variable(mut self, name: &str, dimensions: &[&str], values: Values) -> Self {
        let position = |all: &mut Vec<Dimension>, text: &str| {
            let (name, length) = text.split_once('=').expect("name=length");
            let length = length.parse().expect("a length");
            all.iter().position(|d| d.name == name).unwrap_or_else(|| {
                all.push(Dimension { name: name.into(), length });
                all.len() - 1
            })
        };
        let dimensions = dimensions.iter().map(|text| position(&mut self.dimensions, text)).collect();
        self.variables.push(Variable { name: name.into(), kind: values.kind(), dimensions, attributes: Vec::new() });
        self.values.push(values);
        self
    }

    /// An attribute of the last variable.
    pub fn with(mut self, name: &str, values: Values) -> Self {
        self.variables.last_mut().expect("a variable").attributes.push(Attribute { name: name.into(), values });
        self
    }

    pub fn units(self, units: &str) -> Self {
        self.with("units", text(units))
    }

    /// The chunks of the last variable.
    pub fn chunked(mut self, lengths: &[usize]) -> Self {
        self.chunks.insert(self.variables.len() - 1, lengths.to_vec());
        self
    }

    /// A global attribute.
    pub fn global(mut self, name: &str, values: Values) -> Self {
        self.attributes.push(Attribute { name: name.into(), values });
        self
    }
}

pub fn text(text: &str) -> Values {
    Values::Text(vec![text.into()])
}

impl Reader for Fake {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn chunks(&self) -> Vec<Option<Vec<usize>>> {
        (0..self.variables.len()).map(|index| self.chunks.get(&index).cloned()).collect()
    }

    fn read_part(&self, index: usize, selection: &[Range<usize>]) -> Result<Values, ReadError> {
        if let Some(chunk) = self.chunks.get(&index) {
            let along = selection.iter().zip(chunk).map(|(range, length)| (range.end - 1) / length - range.start / length + 1);
            self.inflated.fetch_add(along.product(), Ordering::Relaxed);
        }
        let lengths: Vec<usize> = self.variables[index].dimensions.iter().map(|&d| self.dimensions[d].length).collect();
        Ok(self.values[index].clone().part(&lengths, selection))
    }
}
