//! Where a column's values come from: decoded once, kept for all who ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use crds::wire::Compat;

use super::column::Placed;
use super::shape::Shape;
use super::{Conversion, FileError, added};
use crate::cf::{self, CfError, Rules};
use crate::read::{ReadError, Reader, Variable};

/// The natural values of a file's columns.
pub(super) struct Sources<'a> {
    pub(super) conversion: &'a Conversion,
    pub(super) reader: &'a dyn Reader,
    pub(super) shape: &'a Shape,
    basename: &'a str,
    decoded: BTreeMap<usize, ArrayRef>,
    pub(super) notes: Vec<String>,
}

/// Why a variable gives no values.
pub(super) enum SourceError {
    Read(ReadError),
    Decode(CfError),
}

impl From<SourceError> for FileError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Read(error) => Self::Read(error),
            SourceError::Decode(error) => Self::Decode(error),
        }
    }
}

impl SourceError {
    /// The same trouble, in the variable that gives the time.
    pub(super) fn of_time(self) -> FileError {
        match self {
            Self::Read(error) => FileError::Read(error),
            Self::Decode(error) => FileError::TimeDecode(error),
        }
    }
}

impl<'a> Sources<'a> {
    pub(super) fn new(conversion: &'a Conversion, reader: &'a dyn Reader, shape: &'a Shape, basename: &'a str) -> Self {
        Self { conversion, reader, shape, basename, decoded: BTreeMap::new(), notes: Vec::new() }
    }

    /// A variable that was not dropped.
    pub(super) fn variable(&self, name: &str) -> Option<(usize, &'a Variable)> {
        if self.conversion.config.drop_variables.iter().any(|d| d == name) {
            return None;
        }
        self.reader.variables().iter().enumerate().find(|(_, v)| v.name == name)
    }

    /// The decoded values of a variable, at its own dimensions.
    pub(super) fn decode(&mut self, index: usize) -> Result<ArrayRef, SourceError> {
        if let Some(array) = self.decoded.get(&index) {
            return Ok(Arc::clone(array));
        }
        let variable = &self.reader.variables()[index];
        let raw = self.reader.read(index).map_err(SourceError::Read)?;
        let joined = cf::joined_dimension(self.reader, variable).map(|d| d.length);
        let decoded = cf::decode(variable, raw, joined, self.rules(variable)).map_err(SourceError::Decode)?;
        if decoded.out_of_range > 0 {
            self.notes.push(format!("variable {:?}: {} times no timestamp can hold became null", variable.name, decoded.out_of_range));
        }
        self.decoded.insert(index, Arc::clone(&decoded.array));
        Ok(decoded.array)
    }

    /// By default a column that the schema wants as a number is not turned into a duration.
    fn rules(&self, variable: &Variable) -> Rules {
        let wanted = self.conversion.config.schema.iter().find(|s| s.name == variable.name);
        let number = wanted.is_some_and(|s| crate::write::arrow_type(s.column_type).is_numeric());
        Rules { compat: self.conversion.compat, durations: !(number && self.is_fixed()) }
    }

    /// Puts other values in a variable's place.
    pub(super) fn replace(&mut self, index: usize, array: ArrayRef) {
        self.decoded.insert(index, array);
    }

    /// Lets go of a variable nobody will ask for again.
    pub(super) fn forget(&mut self, index: usize) {
        self.decoded.remove(&index);
    }

    /// A variable's values and their place in the rows; none when it stands on other dimensions.
    pub(super) fn place(&mut self, index: usize) -> Result<Option<Placed>, SourceError> {
        let variable = &self.reader.variables()[index];
        let dimensions = cf::decoded_dimensions(self.reader, variable);
        if let Some(map) = self.shape.broadcast(dimensions) {
            return Ok(Some(Placed { array: self.decode(index)?, map }));
        }
        let names: Vec<&str> = dimensions.iter().map(|&d| self.reader.dimensions()[d].name.as_str()).collect();
        let (variable, names) = (&variable.name, names.join(", "));
        self.notes.push(format!("UnrelatedDimension: variable {variable:?} on ({names}) has no place in the rows and is null"));
        Ok(None)
    }

    /// The natural values of a column: an added variable, or a variable of the file.
    pub(super) fn column(&mut self, name: &str) -> Result<Option<Placed>, FileError> {
        if let Some(added) = self.conversion.config.add_variables.iter().find(|a| a.name == name) {
            let value = added::value(added, self.reader, self.basename, &mut self.notes)?;
            return Ok(value.map(Placed::constant));
        }
        match self.variable(name) {
            Some((index, _)) => Ok(self.place(index)?),
            None => Ok(None),
        }
    }

    /// The values of a dimension: its variable's, or a counter.
    pub(super) fn axis(&mut self, dimension: usize) -> Result<Option<Placed>, SourceError> {
        let (name, length) = {
            let dimension = &self.reader.dimensions()[dimension];
            (dimension.name.as_str(), dimension.length)
        };
        if let Some((index, _)) = self.variable(name) {
            return self.place(index);
        }
        let counter: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(length)));
        Ok(self.shape.broadcast(&[dimension]).map(|map| Placed { array: counter, map }))
    }

    pub(super) fn is_fixed(&self) -> bool {
        self.conversion.compat == Compat::Fixed
    }
}
