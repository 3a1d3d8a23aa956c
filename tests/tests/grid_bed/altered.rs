//! A grid whose config and files a test changes as it likes, beyond what the model knows.

use anyhow::Result;
use converter::failpoint::FailPoints;
use crds::wire::{Compat, Digest};
use serde_json::Value;
use tests::fixtures::draft::{self, Draft};

use super::history::days;
use super::{GridBed, Knobs};

/// A bed whose config is changed by the test; `respecify` does it again.
pub fn changed(knobs: Knobs, compat: Compat, change: impl Fn(&mut Value)) -> Result<GridBed> {
    let mut grid = GridBed::new(knobs)?;
    respecify(&mut grid, compat, change)?;
    Ok(grid)
}

pub fn respecify(grid: &mut GridBed, compat: Compat, change: impl Fn(&mut Value)) -> Result<()> {
    let knobs = grid.knobs;
    grid.bed.respecify(|resource| {
        knobs.change(resource);
        resource.spec.compat = Some(compat);
        let text = resource.spec.config.as_ref().and_then(Value::as_str).unwrap_or_default();
        let mut config: Value = serde_json::from_str(text).unwrap_or_default();
        change(&mut config);
        resource.spec.config = Some(Value::String(config.to_string()));
    })
}

/// Writes a file of a day, changed by the test.
pub fn put(grid: &GridBed, key: &str, day: &[i64], change: impl Fn(&mut Draft)) -> Result<()> {
    let mut file = grid.slice(&days(day), 3).draft();
    change(&mut file);
    draft::write(&grid.bed.archive().join(key), &file)
}

pub async fn run(grid: &GridBed, run: &str) -> Result<Digest> {
    Ok(grid.bed.attempt(run, 0, FailPoints::none()).await?)
}
