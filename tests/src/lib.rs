//! What the suites share. Fixtures are written here with netCDF's own C library, so that the reader
//! under test never reads what it wrote itself.

pub mod fixtures;
