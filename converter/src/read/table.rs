//! Files that are tables already (CSV, Parquet).

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::ReadError;

/// A table, open: its rows come in file order, a batch at a time, each column in its natural type
/// (spec 2.4), the same in every batch.
pub trait TableReader: Send {
    /// The columns that were asked for and are there, in file order.
    fn schema(&self) -> &SchemaRef;

    /// All columns of the file, in file order, asked for or not.
    fn names(&self) -> &[String];

    /// The column that is the table's index (pandas `index_col`), if it has one.
    fn index(&self) -> Option<&str> {
        None
    }

    /// Lines that the config leaves out because they have too many fields, as far as they were met.
    fn lines_left_out(&self) -> u64 {
        0
    }

    /// Lines with too few fields, met so far (the missing ones are null), and the number of the first.
    fn short_lines(&self) -> Option<(u64, u64)> {
        None
    }

    /// The next rows, about as many as the memory given at opening allows; none at the end. Never an
    /// empty batch.
    ///
    /// # Errors
    /// A line or value that cannot be read: the message names line and column.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError>;
}

/// What a table reader may use.
#[derive(Clone, Copy, Debug)]
pub struct TableLimits {
    /// Bytes a batch may take, decoded; what the reader needs beside it stays below that too.
    pub batch_bytes: u64,
    /// Threads one file may be read with.
    pub threads: usize,
}
