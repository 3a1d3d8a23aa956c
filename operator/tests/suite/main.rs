//! The operator's tests: tables over pure functions, golden Jobs, and the real reconcile against a
//! fake API server.

// In a test a panic is the answer, and a story is as long as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::too_many_lines)]

mod api;
mod golden;
mod runs;
mod tables;
mod trouble;
mod world;
