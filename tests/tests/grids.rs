//! The run protocol of grids: random histories of a source, held against a model after every run, and single journeys.

#![allow(clippy::expect_used)] // tests

mod bed;
mod grid_bed;

use anyhow::Result;
use converter::failpoint::FailPoints;
use crds::wire::{Digest, Reason};
use grid_bed::history::days;
use grid_bed::model::Kind;
use grid_bed::{GridBed, Knobs, journeys, regrid, sample, sorted};
use tests::fixtures::{Draft, draft};

/// Histories of one test.
const SEEDS: u64 = 1_000;
#[tokio::test]
async fn a_first_write_and_a_late_day() -> Result<()> {
    let mut grid = GridBed::new(Knobs::default())?;
    for day in [0, 1, 2, 4, 5] {
        grid.put(&format!("{day}.nc"), grid.slice(&days(&[day]), 1 + day as u64), Kind::Good, 1_000)?;
    }
    grid.run().await?;
    grid.idle().await?;
    grid.put("late.nc", grid.slice(&days(&[3]), 77), Kind::Good, 2_000)?;
    grid.run().await?;
    assert_eq!(grid.model.rows.last().expect("a row").time, days(&[3])[0], "a late day in the middle goes behind");
    grid.idle().await
}

/// Histories with the seeds from `first`; `COD_GRID_HISTORIES` asks for more of them.
async fn histories(first: u64) -> Result<()> {
    let more = std::env::var("COD_GRID_HISTORIES").ok().and_then(|count| count.parse().ok());
    for seed in first..first + more.unwrap_or(SEEDS) {
        grid_bed::history::play(seed).await.map_err(|error| error.context(format!("history of seed {seed}")))?;
    }
    Ok(())
}

#[tokio::test]
async fn random_histories_one() -> Result<()> {
    histories(0).await
}

#[tokio::test]
async fn random_histories_two() -> Result<()> {
    histories(1_000_000).await
}

/// A test of each name.
macro_rules! journeys {
    ($($place:ident { $($name:ident,)* })*) => {
        $($(#[tokio::test]
        async fn $name() -> Result<()> {
            $place::$name().await
        })*)*
    };
}

journeys! {
    journeys {
        small_batches_write_what_one_batch_writes,
        an_overwrite_of_scattered_days_touches_their_chunks_only,
        a_loser_comes_back_when_the_winner_leaves,
        a_file_gets_back_the_rows_that_it_lost,
        a_store_is_written_anew_when_that_is_asked_for,
        a_rebuild_does_not_lose_a_row_with_the_file_that_won_it,
        a_store_without_files_keeps_its_layout,
        two_sites_do_not_share_a_time,
        of_two_runs_planned_on_one_head_the_second_changes_nothing,
        what_does_not_fit_is_refused_by_name_and_the_others_go_on,
        a_file_that_runs_the_other_way_lands_where_the_store_has_it,
        a_time_that_whole_numbers_cannot_hold_is_refused,
    }
    regrid {
        files_of_other_positions_are_interpolated_to_the_configs,
        positions_that_are_close_stay_where_they_are,
        many_positions_become_few,
    }
    sorted {
        positions_rise_where_the_config_sorts_by_them,
    }
}

/// What the journeys do not have: each alone, since a file that is found out late has had its place.
#[tokio::test]
async fn a_file_that_does_not_fit_is_refused_with_the_numbers() -> Result<()> {
    type Spoil = fn(&mut Draft);
    let cases: [(&str, Spoil, Reason, &[&str]); 3] = [
        ("a position that is none", |d| d.at("LATITUDE").values = vec![-40.0, f64::NAN].into(), Reason::GridMismatch, &["LATITUDE", "NaN"]),
        ("times without units", |d| d.at("TIME").attributes.retain(|(name, _)| name != "units"), Reason::BadTime, &["TIME", "units"]),
        (
            "another static field",
            |d| d.at("DEPTH").values = vec![7.0; 6].into(),
            Reason::StaticChanged,
            &["DEPTH", "7 instead of 0.25 at [0, 0]"],
        ),
    ];
    for (what, spoil, reason, words) in cases {
        let mut grid = GridBed::new(Knobs::default())?;
        grid.put("a.nc", grid.slice(&days(&[0]), 1), Kind::Good, 1_000)?;
        grid.run().await?;
        let slice = grid.slice(&days(&[1, 2]), 2);
        let mut draft = slice.draft();
        spoil(&mut draft);
        draft::write(&grid.bed.archive().join("spoilt.nc"), &draft)?;
        grid.put("b.nc", grid.slice(&days(&[3]), 3), Kind::Good, 1_000)?;
        let Digest::Commit { files, .. } = grid.bed.attempt("spoilt", 0, FailPoints::none()).await? else { panic!("no commit") };
        assert_eq!((files.processed, files.unchanged, files.failed), (1, 1, 1), "{what}: {files:?}");
        let record = grid.bed.ledger().await?.into_iter().find(|record| record.key == "spoilt.nc").expect("a record");
        let message = record.last.message.unwrap_or_default();
        assert_eq!(record.last.reason, Some(reason), "{what}: {message}");
        assert!(words.iter().all(|word| message.contains(word)), "{what}: {message}");
    }
    Ok(())
}
