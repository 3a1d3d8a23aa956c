//! Where a column's values come from: the file's own, or added by the config.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use crds::config::DatasetConfig;
use serde_json::Value;

use super::column::Placed;
use super::notes::Notes;
use super::rows::Rows;
use super::{Conversion, FileError, FileName, added};
use crate::read::Values;

/// The natural values of the columns of one slab.
pub(super) struct Sources<'a> {
    pub(super) conversion: &'a Conversion,
    pub(super) name: FileName<'a>,
    pub(super) rows: Rows<'a>,
    /// Values that stand in a column's place.
    replaced: BTreeMap<String, ArrayRef>,
    pub(super) notes: &'a mut Notes,
}

impl<'a> Sources<'a> {
    pub(super) fn new(conversion: &'a Conversion, name: FileName<'a>, rows: Rows<'a>, notes: &'a mut Notes) -> Self {
        Self { conversion, name, rows, replaced: BTreeMap::new(), notes }
    }

    fn config(&self) -> &'a DatasetConfig {
        &self.conversion.config
    }

    /// The natural values of a column: an added variable, or a column of the file.
    pub(super) fn column(&mut self, name: &str) -> Result<Option<Placed>, FileError> {
        let config = self.config();
        let mut placed = match config.add_variables.iter().find(|a| a.name == name) {
            Some(added) => added::value(added, self)?.map(Placed::constant),
            None => self.rows.values(name, self.notes)?,
        };
        if let (Some(placed), Some(array)) = (&mut placed, self.replaced.get(name)) {
            placed.array = Arc::clone(array);
        }
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
