//! Grids: which arrays a store has, where the rows of files go, and what their values are.
//!
//! `header` reads what a plan must know of a file, `lay` decides where its rows go, `store` which arrays
//! there are, `cells` what lies in them, `window` cuts boxes out of files and puts them into chunks.

mod cells;
mod error;
mod header;
mod lay;
mod store;
mod times;
mod window;

pub use cells::{cast, nothing, raw};
pub use error::GridError;
pub use header::Header;
pub use lay::{Incoming, Laid, Unit, lay, numbered, units};
pub use store::{FILENAME, Form, Store, added_text, configure, form, group_attributes, new_store};
pub use times::TimeCode;
pub use window::{Source, Window, static_window};
