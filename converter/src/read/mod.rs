//! Opens an input file: its dimensions, its variables in file order, their
//! attributes and their raw values. Nothing is decoded here.

mod byte;
mod classic;
mod codecs;
pub mod csv;
mod error;
mod filters;
mod input;
mod netcdf;
pub mod parquet;
mod remote;
mod superblock;
mod table;
mod texts;
mod unpacked;
mod values;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use error::ReadError;
pub use input::{Input, Positioned};
pub use remote::Remote;
pub use table::{TableLimits, TableReader};
pub use unpacked::{Unpacked, WithUnpacked};
pub(crate) use values::for_numbers;
pub use values::{Attribute, Kind, Values};

/// A dimension some variable uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    pub name: String,
    pub length: usize,
}

/// A variable of the root group.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: String,
    pub kind: Kind,
    /// Positions in [`Reader::dimensions`], slowest first.
    pub dimensions: Vec<usize>,
    pub attributes: Vec<Attribute>,
}

impl Variable {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Values> {
        self.attributes.iter().find(|a| a.name == name).map(|a| &a.values)
    }

    /// A text attribute.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attribute(name).and_then(Values::as_text)
    }
}

/// A file, open: its variables are read whole or in parts.
pub trait Reader {
    /// Dimensions in the order their first user stands in the file.
    fn dimensions(&self) -> &[Dimension];

    /// Variables in file creation order.
    fn variables(&self) -> &[Variable];

    /// Global attributes in file order.
    fn attributes(&self) -> &[Attribute];

    /// The values of the variable at `index` in a box, a range for each of its dimensions; C order. An
    /// unlimited dimension that is longer than what is stored is padded with the variable's fill value.
    fn read_part(&self, index: usize, selection: &[Range<usize>]) -> Result<Values, ReadError>;

    /// For each variable the shape of its chunks, where it is stored in chunks.
    fn chunks(&self) -> Vec<Option<Vec<usize>>> {
        vec![None; self.variables().len()]
    }

    /// All values of the variable at `index`.
    fn read(&self, index: usize) -> Result<Values, ReadError> {
        let selection: Vec<Range<usize>> = self.variables()[index].dimensions.iter().map(|&d| 0..self.dimensions()[d].length).collect();
        self.read_part(index, &selection)
    }

    /// Position of a variable.
    fn position(&self, name: &str) -> Option<usize> {
        self.variables().iter().position(|v| v.name == name)
    }

    /// Number of values of a variable.
    fn length(&self, variable: &Variable) -> usize {
        variable.dimensions.iter().map(|&d| self.dimensions()[d].length).fold(1, usize::saturating_mul)
    }
}

/// Runs work that a hostile file might bring to panic; the error is what the panic said.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "panic without a message".into())
    })
}

/// Opens a NetCDF file by its content.
pub fn open(input: impl Into<Input>) -> Result<Box<dyn Reader + Send + Sync>, ReadError> {
    open_with(input, CHUNK_CACHE)
}

/// The same with another cache than the default, in bytes: one that holds the chunks which several parts lie in has each
/// inflated once.
pub fn open_with(input: impl Into<Input>, chunk_cache: usize) -> Result<Box<dyn Reader + Send + Sync>, ReadError> {
    Ok(Box::new(netcdf::NetcdfReader::open(input.into(), chunk_cache)?))
}

/// What a chunk cache may hold of a file that is read in parts: an edge chunk is then inflated once.
const CHUNK_CACHE: usize = 16 << 20;
