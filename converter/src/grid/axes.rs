//! A file's positions held against those of the store: taken as they are, the other way round, or interpolated.

use std::collections::BTreeMap;

use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use crds::config::GridConfig;
use crds::wire::Compat;

use super::order::Order;
use super::regrid::Regrid;
use super::{GridError, cells};
use crate::cf::{self, Rules};
use crate::read::{Kind, Reader, Variable};

/// A file's positions along one dimension.
#[derive(Clone, Debug, PartialEq)]
struct Own {
    positions: Vec<f64>,
    /// In single precision.
    single: bool,
}

/// How values of a file come to the store's positions along one dimension, where they do not lie there already.
#[derive(Clone, Debug, PartialEq)]
pub enum Along {
    Reversed,
    Sorted(Order),
    Regridded { target: Vec<f64>, regrid: Regrid },
}

/// The same for each dimension of a file; those that are as the store has them are not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes(BTreeMap<String, Along>);

impl Axes {
    /// # Errors
    /// Positions that are missing, or that are not the store's.
    pub fn of(reader: &dyn Reader, config: &GridConfig, compat: Compat, store: &BTreeMap<String, Vec<f64>>) -> Result<Self, GridError> {
        let mut axes = BTreeMap::new();
        for (name, own) in all_positions(reader, config)? {
            let known = known(store, &name)?;
            let along = match target(config, &name) {
                Some(target) if !close(&own.positions, &target) => {
                    Some(Along::Regridded { regrid: regrid(&name, &own, known)?, target: known.clone() })
                }
                Some(_) => None,
                None if config.sorts(&name) => rising(&name, &own.positions, known)?,
                None => runs_back(&name, &own.positions, known, compat)?.then_some(Along::Reversed),
            };
            axes.extend(along.map(|along| (name, along)));
        }
        Ok(Self(axes))
    }

    #[must_use]
    pub fn along(&self, dimension: &str) -> Option<&Along> {
        self.0.get(dimension)
    }

    /// The positions that a dimension is interpolated to.
    #[must_use]
    pub fn target(&self, dimension: &str) -> Option<&[f64]> {
        match self.along(dimension)? {
            Along::Regridded { target, .. } => Some(target),
            Along::Reversed | Along::Sorted(_) => None,
        }
    }
}

/// The positions that a file's values have in the store, if it is the first: its own, or those the config asks for.
///
/// # Errors
/// Positions that are missing, or that nothing can be interpolated between.
pub(super) fn coordinates(reader: &dyn Reader, config: &GridConfig) -> Result<BTreeMap<String, Vec<f64>>, GridError> {
    let all = all_positions(reader, config)?.into_iter().map(|(name, own)| match target(config, &name) {
        // Close ones stay where they are, yet they are the target's to all that is held against them.
        Some(target) if close(&own.positions, &target) => Ok((name, target)),
        Some(target) => regrid(&name, &own, &target).map(|_| (name, target)),
        None if config.sorts(&name) => Ok((name, Order::of(&own.positions).positions(&own.positions))),
        None => Ok((name, own.positions)),
    });
    all.collect()
}

/// Holds positions against those of the store.
///
/// # Errors
/// Where they differ, with the first numbers that do.
pub(super) fn check(own: &BTreeMap<String, Vec<f64>>, store: &BTreeMap<String, Vec<f64>>, compat: Compat) -> Result<(), GridError> {
    own.iter().try_for_each(|(name, own)| runs_back(name, own, known(store, name)?, compat).map(|_| ()))
}

/// Whether positions are the store's the other way round; the incumbent takes no such file (spec 9).
///
/// # Errors
/// When they are not the store's.
fn runs_back(name: &str, own: &[f64], known: &[f64], compat: Compat) -> Result<bool, GridError> {
    if own.len() != known.len() {
        let detail = format!("dimension {name:?} has {} positions where the store has {}", own.len(), known.len());
        return Err(GridError::Mismatch(detail));
    }
    let cell = cell(known);
    let Some((at, (here, there))) = own.iter().zip(known).enumerate().find(|(_, (own, known))| !near(**own, **known, cell)) else {
        return Ok(false);
    };
    let back = own.iter().rev().zip(known).all(|(own, known)| near(*own, *known, cell));
    if back && compat == Compat::Fixed {
        return Ok(true);
    }
    let how = if back { ": it runs the other way" } else { "" };
    Err(GridError::Mismatch(format!("position {at} of dimension {name:?} is {here} where the store has {there}{how}")))
}

/// How positions come into rising order, as the store has them.
///
/// # Errors
/// When they are not the store's.
fn rising(name: &str, own: &[f64], known: &[f64]) -> Result<Option<Along>, GridError> {
    let order = Order::of(own);
    runs_back(name, &order.positions(own), known, Compat::Incumbent)?;
    Ok(if order.is_kept() {
        None
    } else if order.is_reverse() {
        Some(Along::Reversed)
    } else {
        Some(Along::Sorted(order))
    })
}

fn known<'a>(store: &'a BTreeMap<String, Vec<f64>>, name: &str) -> Result<&'a Vec<f64>, GridError> {
    store.get(name).ok_or_else(|| GridError::Mismatch(format!("dimension {name:?} is not in the store")))
}

fn target(config: &GridConfig, name: &str) -> Option<Vec<f64>> {
    config.target_grids.iter().find(|(known, _)| known == name).map(|(_, target)| target.positions())
}

fn regrid(name: &str, own: &Own, target: &[f64]) -> Result<Regrid, GridError> {
    let detail = || format!("dimension {name:?} has no position, or one twice, so nothing lies between its positions");
    Regrid::between(&own.positions, target, own.single).ok_or_else(|| GridError::Mismatch(detail()))
}

/// Along the dimensions other than the append one that the config's variables use.
fn all_positions(reader: &dyn Reader, config: &GridConfig) -> Result<BTreeMap<String, Own>, GridError> {
    let mut all = BTreeMap::new();
    let used = reader.variables().iter().filter(|v| config.variable(&v.name).is_some_and(|known| !known.dropped));
    for &dimension in used.flat_map(|v| cf::decoded_dimensions(reader, v)) {
        let name = &reader.dimensions()[dimension].name;
        if name != config.append_name() && !all.contains_key(name) {
            all.insert(name.clone(), positions(reader, name)?);
        }
    }
    Ok(all)
}

/// The decoded numbers of a variable, where it has such.
pub(super) fn numbers(reader: &dyn Reader, index: usize) -> Option<Vec<f64>> {
    cells::numbers(&reader.variables()[index].name, &decoded(reader, index).ok()?).ok()
}

fn decoded(reader: &dyn Reader, index: usize) -> Result<ArrayRef, GridError> {
    let rules = Rules { compat: Compat::Fixed, durations: false };
    Ok(cf::decode(&reader.variables()[index], reader.read(index)?, None, rules)?.array)
}

fn positions(reader: &dyn Reader, name: &str) -> Result<Own, GridError> {
    let decoded = decoded(reader, coordinate(reader, name)?.0)?;
    let positions = cells::numbers(name, &decoded)?;
    match positions.iter().position(|position| !position.is_finite()) {
        None => Ok(Own { positions, single: *decoded.data_type() == DataType::Float32 }),
        Some(at) => Err(GridError::Mismatch(format!("position {at} of dimension {name:?} is {}", positions[at]))),
    }
}

/// The variable that says where a dimension's positions are.
pub(super) fn coordinate<'a>(reader: &'a dyn Reader, name: &str) -> Result<(usize, &'a Variable), GridError> {
    let found = reader.variables().iter().enumerate().find(|(_, v)| {
        v.name == name && matches!(v.dimensions[..], [one] if reader.dimensions()[one].name == name) && v.kind != Kind::Other
    });
    found.ok_or_else(|| GridError::MissingCoordinate(name.to_owned()))
}

/// The smallest distance between neighbours.
fn cell(positions: &[f64]) -> f64 {
    positions.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min)
}

/// Whether a position is the store's: within a millionth of a cell, or what single precision makes of it
/// (archives change the type of their coordinates), but never more than a hundredth of a cell.
fn near(own: f64, known: f64, cell: f64) -> bool {
    let single = 4.0 * f64::from(f32::EPSILON) * known.abs();
    let tolerance = (cell * 1e-6).max(single.min(cell * 1e-2));
    (own - known).abs() <= if tolerance.is_finite() { tolerance } else { single }
}

/// numpy's `allclose` with the incumbent's tolerances (spec 1.4).
fn close(own: &[f64], target: &[f64]) -> bool {
    own.len() == target.len() && own.iter().zip(target).all(|(own, target)| (own - target).abs() <= 1e-6 + 1e-5 * target.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What, positions, and what becomes of them: fixed, and as the incumbent has it.
    type Case = (&'static str, &'static [f64], Result<bool, &'static str>, Result<bool, &'static str>);

    #[test]
    fn positions_run_as_the_store_has_them_or_back() {
        let store = [-40.0, -39.5, -39.0];
        let cases: [Case; 6] = [
            ("the same", &[-40.0, -39.5, -39.0], Ok(false), Ok(false)),
            ("of single precision", &[-40.000_003, -39.5, -39.0], Ok(false), Ok(false)),
            ("reversed", &[-39.0, -39.5, -40.0], Ok(true), Err("runs the other way")),
            ("reversed and shifted", &[-38.9, -39.4, -39.9], Err("position 0"), Err("position 0")),
            ("shifted", &[-40.0, -39.5, -38.9], Err("position 2 of dimension \"Y\" is -38.9 where the store has -39"), Err("position 2")),
            ("fewer", &[-40.0], Err("1 positions where the store has 3"), Err("1 positions")),
        ];
        for (what, own, fixed, incumbent) in cases {
            for (compat, expected) in [(Compat::Fixed, fixed), (Compat::Incumbent, incumbent)] {
                let found = runs_back("Y", own, &store, compat).map_err(|error| error.to_string());
                let holds = match (&found, expected) {
                    (Ok(found), Ok(expected)) => *found == expected,
                    (Err(found), Err(words)) => found.contains(words),
                    _ => false,
                };
                assert!(holds, "{what}, {compat:?}: {found:?}");
            }
        }
        assert_eq!(runs_back("Y", &[5.0], &[5.0], Compat::Fixed), Ok(false), "one position runs nowhere");
    }

    #[test]
    fn a_target_is_close_as_numpy_says() {
        for (own, expected) in [(vec![400.003, 750.0], true), (vec![400.005, 750.0], false), (vec![400.0], false)] {
            assert_eq!(close(&own, &[400.0, 750.0]), expected, "{own:?}");
        }
    }
}
