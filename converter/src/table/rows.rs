//! One slab of a file's rows: the file's own columns in their natural types.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow_select::concat::concat;

use super::broadcast::Broadcast;
use super::column::Placed;
use super::layout::{Index, Layout};
use super::notes::Notes;
use super::shape::Slab;
use super::{Conversion, FileError, handler};
use crate::cf::{self, CfError, Rules};
use crate::read::{ReadError, Reader, Variable};

/// Why a variable gives no values.
pub(super) enum SourceError {
    Read(ReadError),
    Decode(CfError),
    Mend(FileError),
}

impl From<SourceError> for FileError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Read(error) => Self::Read(error),
            SourceError::Decode(error) => Self::Decode(error),
            SourceError::Mend(error) => error,
        }
    }
}

impl SourceError {
    /// The same trouble, in the variable that gives the time.
    pub(super) fn of_time(self) -> FileError {
        match self {
            Self::Read(error) => FileError::Read(error),
            Self::Decode(error) => FileError::TimeDecode(error),
            Self::Mend(error) => error,
        }
    }
}

/// The rows at hand.
pub(super) enum Rows<'a> {
    Variables(VariableRows<'a>),
    Table(TableRows<'a>),
}

impl Rows<'_> {
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Variables(rows) => rows.slab.rows,
            Self::Table(rows) => rows.batch.num_rows(),
        }
    }

    /// The position of this slab's first row in the whole table.
    pub(super) fn first(&self) -> usize {
        match self {
            Self::Variables(rows) => rows.slab.first_row,
            Self::Table(rows) => rows.first_row,
        }
    }

    /// The position in its column of a placed array's first value.
    pub(super) fn first_of(&self, placed: &Placed) -> usize {
        if placed.map.is_identity() { self.first() } else { 0 }
    }

    /// Whether the file has a column of this name, with a place in the rows or without.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Variables(rows) => rows.variable(name).is_some(),
            Self::Table(rows) => rows.batch.column_by_name(name).is_some(),
        }
    }

    /// Whether a column has a value of its own in each row of the table, whatever the rows at hand are.
    pub(super) fn has_one_in_each(&self, name: &str) -> bool {
        match self {
            Self::Variables(rows) => rows.variable(name).is_none_or(|(_, variable)| {
                let axes = rows.layout.shape.axes.iter().filter(|axis| axis.length > 1).map(|axis| axis.dimension);
                let own = cf::decoded_dimensions(rows.reader, variable).iter().copied();
                own.filter(|&dimension| rows.reader.dimensions()[dimension].length > 1).eq(axes)
            }),
            Self::Table(_) => true,
        }
    }

    /// The units a column says it has.
    pub(super) fn units(&self, name: &str) -> Option<&str> {
        match self {
            Self::Variables(rows) => rows.variable(name).and_then(|(_, variable)| variable.text("units")),
            Self::Table(_) => None,
        }
    }

    /// The values of a column of the file; none when it has none, or has them on other dimensions.
    pub(super) fn values(&mut self, name: &str, notes: &mut Notes) -> Result<Option<Placed>, SourceError> {
        match self {
            Self::Variables(rows) => match rows.variable(name) {
                Some((index, _)) => rows.place(index, notes),
                None => Ok(None),
            },
            Self::Table(rows) => Ok(rows.column(name)),
        }
    }

    /// Lets go of a column nobody will ask for again.
    pub(super) fn forget(&mut self, name: &str) {
        if let Self::Variables(rows) = self
            && let Some((index, _)) = rows.variable(name)
        {
            rows.decoded.remove(&index);
        }
    }

    /// Names of the table's indexes.
    pub(super) fn indexes(&self) -> Vec<String> {
        match self {
            Self::Variables(rows) => rows.layout.indexes.iter().map(|index| rows.index_name(index).to_owned()).collect(),
            Self::Table(rows) => vec![rows.index.unwrap_or(UNNAMED).to_owned()],
        }
    }

    /// The values of an index by position: those of its variable, or a counter.
    pub(super) fn index(&mut self, position: usize, notes: &mut Notes) -> Result<Option<Placed>, SourceError> {
        match self {
            Self::Variables(rows) => {
                let Some(index) = rows.layout.indexes.get(position) else { return Ok(None) };
                let name = rows.index_name(index).to_owned();
                match (index, rows.variable(&name)) {
                    (_, Some((variable, _))) => rows.place(variable, notes),
                    (Index::Counter, None) => Ok(Some(counter(rows.slab.first_row, rows.slab.rows))),
                    (&Index::Dimension(dimension), None) => Ok(rows.dimension_counter(dimension)),
                }
            }
            Self::Table(rows) => Ok(match rows.index {
                Some(name) => rows.column(name),
                None => Some(counter(rows.first_row, rows.batch.num_rows())),
            }),
        }
    }
}

const UNNAMED: &str = "index";

fn counter(first: usize, rows: usize) -> Placed {
    let values = Int64Array::from_iter_values((first as i64..).take(rows));
    Placed { array: Arc::new(values), map: Broadcast::identity(rows) }
}

/// Rows made of variables.
pub(super) struct VariableRows<'a> {
    conversion: &'a Conversion,
    pub(super) reader: &'a dyn Reader,
    layout: &'a Layout,
    slab: Slab,
    /// Of this slab.
    decoded: BTreeMap<usize, ArrayRef>,
    /// Variables that no slab cuts: decoded once.
    kept: &'a mut BTreeMap<usize, ArrayRef>,
}

impl<'a> VariableRows<'a> {
    pub(super) fn new(
        conversion: &'a Conversion,
        reader: &'a dyn Reader,
        layout: &'a Layout,
        slab: Slab,
        kept: &'a mut BTreeMap<usize, ArrayRef>,
    ) -> Self {
        Self { conversion, reader, layout, slab, decoded: BTreeMap::new(), kept }
    }

    /// A variable that was not dropped. The special readers drop only what is not in the schema.
    fn variable(&self, name: &str) -> Option<(usize, &'a Variable)> {
        if self.conversion.config.drop_variables.iter().any(|d| d == name) && self.layout.only.is_none() {
            return None;
        }
        let reader: &'a dyn Reader = self.reader;
        reader.variables().iter().enumerate().find(|(index, v)| v.name == name && self.layout.takes(*index))
    }

    fn index_name(&self, index: &Index) -> &'a str {
        let reader: &'a dyn Reader = self.reader;
        match index {
            Index::Dimension(dimension) => &reader.dimensions()[*dimension].name,
            Index::Counter => UNNAMED,
        }
    }

    /// The numbers of a dimension that has no variable.
    fn dimension_counter(&self, dimension: usize) -> Option<Placed> {
        let placement = self.slab.place(&[dimension])?;
        let values = Int64Array::from_iter_values(placement.selection[0].clone().map(|v| v as i64));
        Some(Placed { array: Arc::new(values), map: placement.map })
    }

    /// A variable's values and their place in the rows; none when it stands on other dimensions.
    fn place(&mut self, index: usize, notes: &mut Notes) -> Result<Option<Placed>, SourceError> {
        let reader: &'a dyn Reader = self.reader;
        let variable = &reader.variables()[index];
        let dimensions = cf::decoded_dimensions(reader, variable);
        let Some(placement) = self.slab.place(dimensions) else {
            let names: Vec<&str> = dimensions.iter().map(|&d| reader.dimensions()[d].name.as_str()).collect();
            let (variable, names) = (&variable.name, names.join(", "));
            notes.say(format!("UnrelatedDimension: variable {variable:?} on ({names}) has no place in the rows and is null"));
            return Ok(None);
        };
        if let Some(array) = self.decoded.get(&index).or_else(|| self.kept.get(&index)) {
            return placed(Arc::clone(array), placement.map).map(Some);
        }
        let mut selection = placement.selection;
        let joined = cf::joined_dimension(reader, variable).map(|d| d.length);
        let texts = selection.iter().map(Range::len).product();
        selection.extend(joined.map(|length| 0..length));
        let raw = reader.read_part(index, &selection).map_err(SourceError::Read)?;
        let (raw, joined) = cf::of_some_length(raw, joined, texts);
        let decoded = cf::decode(variable, raw, joined, self.rules(variable)).map_err(SourceError::Decode)?;
        notes.count(
            format!("variable {:?}: ", variable.name),
            decoded.out_of_range,
            " times that 64 bits of nanoseconds cannot hold became null",
        );
        let config = &self.conversion.config;
        let array = handler::mended(config, self.conversion.compat, variable, decoded.array).map_err(SourceError::Mend)?;
        let whole = selection.iter().zip(&variable.dimensions).all(|(range, &d)| *range == (0..reader.dimensions()[d].length));
        let cut = dimensions.iter().any(|&d| self.layout.shape.axes.iter().any(|axis| axis.dimension == d));
        let store = if whole && !cut { &mut *self.kept } else { &mut self.decoded };
        store.insert(index, Arc::clone(&array));
        placed(array, placement.map).map(Some)
    }

    /// By default a column that the schema wants as a number is not turned into a duration.
    fn rules(&self, variable: &Variable) -> Rules {
        let wanted = self.conversion.config.schema.iter().find(|s| s.name == variable.name);
        let number = wanted.is_some_and(|s| crate::write::arrow_type(s.column_type).is_numeric());
        Rules { compat: self.conversion.compat, durations: !(number && self.conversion.is_fixed()) }
    }
}

/// Values in their place, with a null for the rows of this slab that have no instance.
fn placed(array: ArrayRef, map: Broadcast) -> Result<Placed, SourceError> {
    let array = if map.has_missing() { with_null(&array).map_err(SourceError::Mend)? } else { array };
    Ok(Placed { array, map })
}

fn with_null(array: &ArrayRef) -> Result<ArrayRef, FileError> {
    let null = new_null_array(array.data_type(), 1);
    Ok(concat(&[array.as_ref(), null.as_ref()]).map_err(crate::write::WriteError::from)?)
}

/// Rows that are a table already.
pub(super) struct TableRows<'a> {
    pub(super) batch: RecordBatch,
    pub(super) index: Option<&'a str>,
    pub(super) first_row: usize,
}

impl TableRows<'_> {
    fn column(&self, name: &str) -> Option<Placed> {
        let array = Arc::clone(self.batch.column_by_name(name)?);
        let map = Broadcast::identity(array.len());
        Some(Placed { array, map })
    }
}
