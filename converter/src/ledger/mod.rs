//! The ledger as it lies in the store: heads, and parts of records sorted by key.

mod cursor;
mod head;
mod line;
mod parts;
mod seal;
mod stretch;

pub use cursor::LedgerCursor;
pub use head::{Heads, Swap};
pub use line::{FileLine, HEADER};
pub use parts::{PART_RECORDS, PartWriter, read_part};
pub(crate) use parts::{push_line, read_lines, search};
#[cfg(test)]
pub(crate) use seal::tests::record as sample;
pub use seal::{digest, seal};
pub(crate) use stretch::{LinesWriter, MOST_BYTES, Stretch, stretches};
