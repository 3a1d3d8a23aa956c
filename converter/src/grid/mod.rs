//! Grids: which arrays a store has, where the rows of files go, and what their values are.
//!
//! `header` reads what a plan must know of a file, `axes` holds its positions against the store's, `sites` refuses
//! what another site measured at one time, `lay` decides where its rows go, `units` which chunks go together, `arrays` which arrays there are, `advice` what is to be said of their chunks, `extent` what they cover,
//! `cells` what lies in them, `regrid` what lies between them, `window` cuts boxes out of files and puts them into chunks.

mod advice;
mod arrays;
mod axes;
mod cells;
mod differ;
mod error;
mod extent;
mod header;
mod lay;
mod order;
mod regrid;
mod sites;
mod texts;
mod times;
mod units;
mod window;

use crds::wire::Compat;

use crate::cf::Rules;

pub use advice::advise;
pub use arrays::{
    FILENAME, Form, Group, added_text, configure, form, group_attributes, is_own, new_group, reconfigure, row_chunk, unwritten,
};
pub use axes::Axes;
pub use cells::{cast, nothing, raw};
pub use error::GridError;
pub use extent::{cover, extents};
pub use header::Header;
pub use lay::{Incoming, Laid, Numbers, SAME_TIME, lay, returning, sort};
pub use sites::{Sites, conflicts};
pub use times::TimeCode;
pub use units::{Unit, units};
pub use window::{Source, Window, static_window};

/// How values are decoded: numbers that only look like durations stay numbers, unless all is to be as it was.
#[must_use]
pub fn rules(compat: Compat) -> Rules {
    Rules { compat, durations: compat == Compat::Incumbent }
}
