//! CSV as `pandas.read_csv` 2.3 or `polars.read_csv` 1.40 read it, value for value, without either.
//!
//! The file is cut into blocks of whole lines (`source`), each block is walked on its own thread
//! (`rows`, `scan`), and fields go straight from bytes into Arrow columns (`build`). pandas decides
//! a column's type over the whole file, so its files are walked twice: `infer`, then `build`; of a long
//! file the beginning is looked at first, and all of it only where the rest is a surprise.

mod build;
mod dialect;
mod header;
mod infer;
mod instants;
mod kind;
mod missing;
mod numbers;
mod packed;
mod reader;
mod rows;
mod scan;
mod select;
mod source;

pub use packed::{PackedReader, open_packed};
pub use reader::{CsvReader, Look, open};
