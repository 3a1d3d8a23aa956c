//! Where a column's values come from: the file's own, or added by the config.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use crds::config::{AddedVariable, DatasetConfig, Function, Source};
use serde_json::Value;

use super::broadcast::Broadcast;
use super::column::Placed;
use super::function::{Computed, FileFacts, Made};
use super::notes::Notes;
use super::rows::Rows;
use super::{Conversion, FileError, added};
use crate::read::Values;
use crate::source::FileName;

/// Computed columns of a file, by their place among the added variables: they go through its slabs in
/// order.
pub(super) type Functions<'b> = BTreeMap<usize, Computed<'b>>;

/// The natural values of the columns of one slab.
pub(super) struct Sources<'a, 'b> {
    pub(super) conversion: &'b Conversion,
    pub(super) name: &'a FileName,
    pub(super) rows: Rows<'a>,
    functions: &'a mut Functions<'b>,
    /// Computed columns of this slab, by their place among the added variables.
    made: BTreeMap<usize, Placed>,
    /// Values that stand in a column's place.
    replaced: BTreeMap<String, ArrayRef>,
    pub(super) notes: &'a mut Notes,
}

impl<'a, 'b> Sources<'a, 'b> {
    pub(super) fn new(
        conversion: &'b Conversion,
        name: &'a FileName,
        rows: Rows<'a>,
        functions: &'a mut Functions<'b>,
        notes: &'a mut Notes,
    ) -> Self {
        Self { conversion, name, rows, functions, made: BTreeMap::new(), replaced: BTreeMap::new(), notes }
    }

    fn config(&self) -> &'b DatasetConfig {
        &self.conversion.config
    }

    /// The natural values of a column: an added variable, or a column of the file.
    pub(super) fn column(&mut self, name: &str) -> Result<Option<Placed>, FileError> {
        let mut placed = self.column_of(name, self.config().add_variables.len())?;
        if let (Some(placed), Some(array)) = (&mut placed, self.replaced.get(name)) {
            placed.array = Arc::clone(array);
        }
        Ok(placed)
    }

    /// The same, as the added variable at `before` sees it: of the added variables only those above it,
    /// so that its own name means the file's column and no two of them wait for each other.
    fn column_of(&mut self, name: &str, before: usize) -> Result<Option<Placed>, FileError> {
        let config = self.config();
        if let Some(position) = config.add_variables[..before].iter().position(|a| a.name == name) {
            let added = &config.add_variables[position];
            return match &added.source {
                Source::Function(function) => self.computed(function, added, position).map(Some),
                _ => Ok(added::value(added, self)?.map(Placed::constant)),
            };
        }
        if self.rows.has(name) {
            return Ok(self.rows.values(name, self.notes)?);
        }
        let hive = self.name.hive.iter().find(|(key, _)| key == name);
        Ok(hive.map(|(_, value)| Placed::constant(Arc::new(StringArray::from(vec![value.clone()])))))
    }

    fn computed(&mut self, function: &'b Function, added: &'b AddedVariable, position: usize) -> Result<Placed, FileError> {
        if let Some(placed) = self.made.get(&position) {
            return Ok(placed.clone());
        }
        let mut computed = match self.functions.remove(&position) {
            Some(computed) => computed,
            None => Computed::new(function, added)?,
        };
        let attributes = match &self.rows {
            Rows::Variables(rows) => rows.reader.attributes(),
            Rows::Table(_) => &[],
        };
        let (facts, rows) = (FileFacts { name: self.name, attributes }, self.rows.count());
        let mut columns = |name: &str| Ok(self.column_of(name, position)?.map(|placed| placed.expanded(rows)).transpose()?);
        let placed = match computed.evaluate(facts, &mut columns, rows)? {
            Made::Scalar(array) => Placed::constant(array),
            Made::Rows(array) => Placed { array, map: Broadcast::identity(rows) },
        };
        self.functions.insert(position, computed);
        self.made.insert(position, placed.clone());
        Ok(placed)
    }

    /// Puts other values in a column's place.
    pub(super) fn replace(&mut self, name: &str, array: ArrayRef) {
        self.replaced.insert(name.to_owned(), array);
    }

    /// A global attribute of the file; a table has none.
    pub(super) fn global_attribute(&self, name: &str) -> Option<Values> {
        match &self.rows {
            Rows::Variables(rows) if self.keeps_attributes() => {
                rows.reader.attributes().iter().find(|a| a.name == name).map(|a| a.values.clone())
            }
            _ => None,
        }
    }

    /// An attribute of a variable; those of a table's columns stand in the config.
    pub(super) fn variable_attribute(&self, variable: &str, attribute: &str) -> Option<Values> {
        match &self.rows {
            Rows::Variables(rows) if self.keeps_attributes() => {
                let found = rows.reader.variables().iter().find(|v| v.name == variable)?;
                found.attribute(attribute).cloned()
            }
            Rows::Variables(_) => None,
            Rows::Table(_) => {
                let entry = self.config().schema.iter().find(|s| s.name == variable)?;
                entry.attributes.get(attribute).filter(|_| attribute != "type").and_then(as_values)
            }
        }
    }

    /// The incumbent loses all attributes where it rebuilds a table of spectra.
    fn keeps_attributes(&self) -> bool {
        self.is_fixed() || !matches!(self.config().mode, crds::config::Mode::Bodbaw { .. })
    }

    pub(super) fn is_fixed(&self) -> bool {
        self.conversion.is_fixed()
    }
}

fn as_values(value: &Value) -> Option<Values> {
    Some(match value {
        Value::Null => return None,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Values::I64(vec![whole]),
            (None, Some(float)) => Values::F64(vec![float]),
            (None, None) => return None,
        },
        other => Values::Text(vec![crate::write::python_str(other)]),
    })
}
