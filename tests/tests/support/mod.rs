//! What the journeys of the cluster suite stand on.

pub mod archive;
pub mod bed;
pub mod books;
pub mod bucket;
pub mod dataset;
pub mod load;
pub mod pods;
pub mod python;
pub mod release;
pub mod resource;
pub mod surroundings;
pub mod tool;
pub mod trouble;
pub mod wait;

/// Ends the journey, with both values, when they differ.
#[macro_export]
macro_rules! same {
    ($found:expr, $expected:expr, $($what:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => anyhow::ensure!(
                found == expected,
                "{}\n     found: {found:?}\n  expected: {expected:?}",
                format_args!($($what)+)
            ),
        }
    };
}
