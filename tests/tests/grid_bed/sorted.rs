//! Positions in the order that the config asks for.

use anyhow::Result;
use converter::failpoint::FailPoints;
use crds::wire::{Compat, Digest, Reason};
use serde_json::{Value, json};
use tests::fixtures::draft;

use super::Knobs;
use super::altered::{changed, put, respecify, run};
use super::history::days;
use super::model::Kind;

/// The config wants positions to rise: the first file's fall, another's are in no order at all.
pub async fn positions_rise_where_the_config_sorts_by_them() -> Result<()> {
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let knobs = Knobs { latitudes: 5, chunks: [2, 2, 2], incumbent: compat == Compat::Incumbent, ..Knobs::default() };
        let mut grid = changed(knobs, compat, |config| config["schema_transformation"]["dataset_sort_by"] = json!(["LATITUDE", "TIME"]))?;
        for (key, day, places) in [("a.nc", 0, [4, 3, 2, 1, 0]), ("b.nc", 1, [2, 0, 4, 1, 3]), ("c.nc", 2, [0, 1, 2, 3, 4])] {
            let slice = grid.slice(&days(&[day]), 3 + day as u64);
            grid.put(key, slice.clone(), Kind::Good, 1_000)?;
            draft::write(&grid.bed.archive().join(key), slice.draft().reorder("LATITUDE", &places))?;
        }
        assert_eq!(grid.run().await?.files.processed, 3, "{compat:?}");
        // Another grid is another grid, in whatever order.
        put(&grid, "d.nc", &[3], |file| file.at("LATITUDE").values = vec![-38.0, -38.5, -39.0, -39.5, -41.0].into())?;
        let Digest::Commit { errors, .. } = run(&grid, "shifted").await? else { panic!("no commit") };
        assert_eq!(errors.iter().map(|group| (group.reason, group.count)).collect::<Vec<_>>(), [(Reason::GridMismatch, 1)]);
        grid.check_store()?;
    }
    // A store that was there before the config sorted has its own order: nothing changes without a rebuild.
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let knobs = Knobs { latitudes: 3, incumbent: compat == Compat::Incumbent, ..Knobs::default() };
        let mut grid = changed(knobs, compat, |_| {})?;
        put(&grid, "a.nc", &[0], |file| {
            file.reorder("LATITUDE", &[1, 2, 0]);
        })?;
        run(&grid, "one").await?;
        let sort = |config: &mut Value| config["schema_transformation"]["dataset_sort_by"] = json!(["LATITUDE", "TIME"]);
        respecify(&mut grid, compat, sort)?;
        let refused = grid.bed.attempt("two", 0, FailPoints::none()).await;
        assert!(matches!(&refused, Err(error) if error.reason() == Reason::LayoutConflict), "{refused:?}");
    }
    Ok(())
}
