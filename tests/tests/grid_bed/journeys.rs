//! Single journeys of a grid, each with a name.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use converter::commit::commit;
use converter::convert::convert;
use converter::failpoint::FailPoints;
use converter::plan::plan;
use crds::wire::{Digest, FailureBudget, Outcome, Reason};
use tests::fixtures::draft::{self, Draft};
use tests::fixtures::{Cells, Slice};

use super::history::days;
use super::model::Kind;
use super::{GridBed, Knobs};

/// A file for each of some days.
fn put_days(grid: &mut GridBed, days_of: &[i64], modified: i64) -> Result<()> {
    for &day in days_of {
        let slice = grid.slice(&days(&[day]), 1 + (day as u64 + modified.unsigned_abs()) % 7);
        grid.put(&format!("{day:02}.nc"), slice, Kind::Good, modified)?;
    }
    Ok(())
}

pub async fn small_batches_write_what_one_batch_writes() -> Result<()> {
    let mut stores = Vec::new();
    for max_files in [1, 3, 100] {
        let mut grid = GridBed::new(Knobs { max_files, chunks: [4, 2, 2], ..Knobs::default() })?;
        put_days(&mut grid, &(0..30).collect::<Vec<_>>(), 1_000)?;
        grid.run().await?;
        let mut bytes = BTreeMap::new();
        for key in grid.bed.objects().await?.into_keys() {
            bytes.insert(key.clone(), std::fs::read(grid.bed.out().join(&key))?);
        }
        stores.push(bytes);
    }
    assert!(stores[0] == stores[1] && stores[1] == stores[2], "the same objects, byte for byte");
    Ok(())
}

pub async fn an_overwrite_of_scattered_days_touches_their_chunks_only() -> Result<()> {
    let mut grid = GridBed::new(Knobs { removing: true, ..Knobs::default() })?;
    put_days(&mut grid, &(0..12).collect::<Vec<_>>(), 1_000)?;
    grid.run().await?;
    let before = grid.bed.objects().await?;
    put_days(&mut grid, &[1, 5, 9], 2_000)?;
    grid.run().await?;
    let after = grid.bed.objects().await?;
    let touched: BTreeSet<&str> = after.iter().filter(|(key, etag)| before.get(*key) != Some(*etag)).map(|(key, _)| key.as_str()).collect();
    let count: Vec<&str> = touched.iter().copied().filter_map(|key| key.strip_prefix("grid_model.zarr/COUNT/")).collect();
    assert_eq!(count, [".zarray", "0.0.0", "0.0.1", "1.0.0", "1.0.1", "3.0.0", "3.0.1"]);
    grid.withdraw("07.nc")?;
    grid.run().await?;
    assert_eq!(grid.model.rows.iter().filter(|row| row.owner.is_none()).count(), 1, "a withdrawn day is masked");
    put_days(&mut grid, &[7], 500)?;
    grid.run().await?;
    assert_eq!(grid.model.rows.len(), 12, "and filled when it comes again");
    grid.idle().await
}

pub async fn a_loser_comes_back_when_the_winner_leaves() -> Result<()> {
    let mut grid = GridBed::new(Knobs { removing: true, ..Knobs::default() })?;
    grid.put("old.nc", grid.slice(&days(&[1, 2]), 3), Kind::Good, 1_000)?;
    grid.run().await?;
    grid.put("new.nc", grid.slice(&days(&[1, 2]), 4), Kind::Good, 2_000)?;
    assert_eq!(grid.run().await?.files.skipped, 1, "superseded");
    grid.withdraw("new.nc")?;
    assert_eq!(grid.run().await?.files.processed, 1);
    grid.put("one.nc", grid.slice(&days(&[5]), 5), Kind::Good, 2_000)?;
    grid.put("two.nc", grid.slice(&days(&[5]), 6), Kind::Good, 2_000)?;
    grid.run().await?;
    let owner = grid.model.rows[2].owner.as_ref().map(|(key, _)| key.as_str());
    assert_eq!(owner, Some("two.nc"), "of two of one date the higher key");
    grid.idle().await
}

/// Rows that a newer file took are not lost with it: neither when it leaves, nor when it cannot be converted.
pub async fn a_file_gets_back_the_rows_that_it_lost() -> Result<()> {
    let mut grid = GridBed::new(Knobs { removing: true, max_files: 1, ..Knobs::default() })?;
    grid.put("a.nc", grid.slice(&days(&[1, 2, 3]), 3), Kind::Good, 1_000)?;
    grid.put("b.nc", grid.slice(&days(&[3, 4]), 4), Kind::Good, 2_000)?;
    grid.run().await?;
    let owners = |grid: &GridBed| {
        grid.model.rows.iter().map(|row| row.owner.clone().map_or('-', |(key, _)| char::from(key.as_bytes()[0]))).collect()
    };
    let shown: String = owners(&grid);
    assert_eq!(shown, "aabb");
    grid.withdraw("b.nc")?;
    assert_eq!(grid.run().await?.files.processed, 1, "a.nc is read again");
    let shown: String = owners(&grid);
    assert_eq!(shown, "aaa-");
    // Both come at once, and the one that has the row fails when it is read.
    grid.put("c.nc", grid.slice(&days(&[5, 6]), 5), Kind::Good, 3_000)?;
    grid.put("d.nc", grid.slice(&days(&[6]), 6), Kind::Texts, 4_000)?;
    grid.run().await?;
    let shown: String = owners(&grid);
    assert_eq!(shown, "aaa-c-");
    assert_eq!(grid.run().await?.files.processed, 1, "c.nc fills the row that is nobody's");
    let shown: String = owners(&grid);
    assert_eq!(shown, "aaa-cc");
    grid.idle().await
}

/// Other chunks are refused without a new token, and with one that would lose rows; masked rows go with a rebuild.
pub async fn a_store_is_written_anew_when_that_is_asked_for() -> Result<()> {
    let mut grid = GridBed::new(Knobs { removing: true, ..Knobs::default() })?;
    put_days(&mut grid, &[1, 0, 2], 1_000)?;
    grid.run().await?;
    grid.withdraw("01.nc")?;
    grid.run().await?;
    let knobs = Knobs { chunks: [1, 1, 3], ..grid.knobs };
    grid.bed.respecify(|resource| knobs.change(resource))?;
    let refused = grid.bed.attempt("no token", 0, FailPoints::none()).await;
    assert!(matches!(&refused, Err(error) if error.reason() == Reason::LayoutConflict), "{refused:?}");
    grid.rebuild([2, 2, 1], "anew")?;
    let digest = grid.bed.attempt("anew", 0, FailPoints::none()).await?;
    let expected = grid.model.rebuild(&grid.source);
    assert_eq!(grid.model.rows.len(), 2, "the masked row is gone");
    grid.check(&digest, &expected).await?;
    grid.idle().await?;
    // A file that cannot be converted would take its rows with it.
    let slice = grid.source["00.nc"].slice.clone();
    grid.put("00.nc", slice, Kind::Cut, 1_000)?;
    let before = grid.bed.objects().await?;
    grid.rebuild([3, 2, 1], "again")?;
    let refused = grid.bed.attempt("again", 0, FailPoints::none()).await;
    assert!(matches!(&refused, Err(error) if error.reason() == Reason::BudgetExceeded), "{refused:?}");
    assert_eq!(before, grid.bed.objects().await?);
    // Nor is a store given up for one without rows, whatever is accepted to fail.
    let slice = grid.source["02.nc"].slice.clone();
    grid.put("02.nc", slice, Kind::Cut, 1_000)?;
    grid.rebuild([3, 2, 1], "all of it")?;
    grid.bed.document.failure_budget = Some(FailureBudget { max_failed_files: None, max_failed_percent: Some(100) });
    let refused = grid.bed.attempt("all of it", 0, FailPoints::none()).await;
    assert!(matches!(&refused, Err(error) if error.reason() == Reason::BudgetExceeded), "{refused:?}");
    assert_eq!(before, grid.bed.objects().await?);
    Ok(())
}

/// A time that two files have goes to the newer one, and would be lost with it: the store has it from the older one.
pub async fn a_rebuild_does_not_lose_a_row_with_the_file_that_won_it() -> Result<()> {
    let mut grid = GridBed::new(Knobs::default())?;
    grid.put("a.nc", grid.slice(&days(&[0]), 1), Kind::Good, 1_000)?;
    grid.put("b.nc", grid.slice(&days(&[1]), 2), Kind::Good, 1_000)?;
    grid.run().await?;
    // Its header is in order, so it wins; that it cannot be converted is found out too late.
    grid.put("c.nc", grid.slice(&days(&[0]), 3), Kind::Texts, 2_000)?;
    let before = grid.bed.objects().await?;
    grid.rebuild([2, 1, 3], "again")?;
    let refused = grid.bed.attempt("again", 0, FailPoints::none()).await;
    assert!(matches!(&refused, Err(error) if error.reason() == Reason::BudgetExceeded), "{refused:?}");
    assert_eq!(before, grid.bed.objects().await?);
    grid.rebuild([2, 1, 3], "accepted")?;
    grid.bed.document.failure_budget = Some(FailureBudget { max_failed_files: None, max_failed_percent: Some(50) });
    let Digest::Commit { files, totals, .. } = grid.bed.attempt("accepted", 0, FailPoints::none()).await? else { panic!("no commit") };
    assert_eq!((files.processed, files.failed, files.skipped, totals.rows, totals.rows_masked), (1, 1, 1, 1, 1));
    // The loser has its row again as soon as the winner is known to be none.
    let Digest::Commit { files, totals, .. } = grid.bed.attempt("next", 0, FailPoints::none()).await? else { panic!("no commit") };
    assert_eq!((files.processed, files.unchanged, files.failed, totals.rows, totals.rows_masked), (1, 1, 1, 2, 0));
    Ok(())
}

/// A store whose rows are all masked has its chunks still.
pub async fn a_store_without_files_keeps_its_layout() -> Result<()> {
    let mut grid = GridBed::new(Knobs { removing: true, ..Knobs::default() })?;
    put_days(&mut grid, &[0], 1_000)?;
    grid.run().await?;
    grid.withdraw("00.nc")?;
    std::fs::write(grid.bed.archive().join("notes.txt"), "an archive that is not empty")?;
    grid.bed.attempt("emptied", 0, FailPoints::none()).await?;
    assert_eq!(grid.bed.head().await?.totals.rows, 0);
    let knobs = Knobs { chunks: [1, 1, 3], ..grid.knobs };
    grid.bed.respecify(|resource| knobs.change(resource))?;
    let refused = grid.bed.attempt("relaid", 0, FailPoints::none()).await;
    assert!(matches!(&refused, Err(error) if error.reason() == Reason::LayoutConflict), "{refused:?}");
    Ok(())
}

pub async fn of_two_runs_planned_on_one_head_the_second_changes_nothing() -> Result<()> {
    let mut grid = GridBed::new(Knobs::default())?;
    put_days(&mut grid, &[0, 1], 1_000)?;
    grid.run().await?;
    put_days(&mut grid, &[2], 1_000)?;
    let slow = grid.bed.context("slow", 0, FailPoints::none())?;
    let planned = plan(&slow).await?;
    for index in 0..planned.batches {
        convert(&slow, &planned, index).await?;
    }
    // The faster one has a file more: both would write the row behind the last.
    put_days(&mut grid, &[3], 1_000)?;
    grid.withdraw("02.nc")?;
    grid.run().await?;
    let lost = commit(&slow, &planned).await;
    assert!(matches!(&lost, Err(error) if error.reason() == Reason::LedgerSwapLost), "{lost:?}");
    grid.check_store()?;
    put_days(&mut grid, &[2], 1_000)?;
    assert_eq!(grid.run().await?.files.processed, 1, "the next run picks it up");
    grid.idle().await
}

/// Spoils a file of two days.
type Spoil = fn(&mut Draft);

const SPOILT: [(&str, Spoil, Reason, &str); 6] = [
    ("shifted", |file| file.at("LATITUDE").values = vec![-39.9, -39.4].into(), Reason::GridMismatch, "\"LATITUDE\" is -39.9"),
    ("calendar", |file| _ = file.at("TIME").set("calendar", "noleap"), Reason::BadTime, "noleap"),
    ("nan", |file| spoil_time(file, f64::NAN), Reason::BadTime, "no time at row 1"),
    ("twice", |file| spoil_time(file, 4_400.0), Reason::BadTime, "rows 0 and 1"),
    ("texts", spoil_temp, Reason::CastFailed, "\"TEMP\""),
    ("no positions", |file| _ = file.remove("LONGITUDE"), Reason::MissingDimensionVariable, "\"LONGITUDE\""),
];

fn spoil_time(file: &mut Draft, second: f64) {
    file.at("TIME").values = vec![4_400.0, second].into();
}

fn spoil_temp(file: &mut Draft) {
    file.container = tests::fixtures::Container::Netcdf4;
    let temp = file.at("TEMP");
    temp.values = Cells::Text(vec!["warm".to_owned(); temp.values.len()]);
    temp.attributes.clear();
}

pub async fn what_does_not_fit_is_refused_by_name_and_the_others_go_on() -> Result<()> {
    let mut grid = GridBed::new(Knobs::default())?;
    put_days(&mut grid, &[0, 1, 2], 1_000)?;
    grid.run().await?;
    put_days(&mut grid, &[3], 1_000)?;
    grid.model.run(&grid.source, &BTreeSet::new());
    let archive = grid.bed.archive();
    for (name, spoil, ..) in SPOILT {
        let mut file = grid.slice(&days(&[50, 51]), 3).draft();
        spoil(&mut file);
        draft::write(&archive.join(format!("{name}.nc")), &file)?;
    }
    let larger = Slice { latitudes: 3, ..grid.slice(&days(&[52]), 3) };
    larger.write(&archive.join("larger.nc"))?;
    for table in ["table.csv", "table.parquet"] {
        std::fs::write(archive.join(table), "TIME,TEMP\n1,2\n")?;
    }
    let digest = grid.bed.attempt("spoilt", 0, FailPoints::none()).await?;
    let Digest::Commit { files, .. } = &digest else { anyhow::bail!("{digest:?}") };
    let refused = SPOILT.len() as u64 + 3;
    assert_eq!((files.discovered, files.processed, files.unchanged, files.failed), (4 + refused, 1, 3, refused));

    let ledger = grid.bed.ledger().await?;
    let holds = |key: &str, reason: Reason, words: &str| {
        let last = &ledger.iter().find(|record| record.key == key).with_context(|| format!("{key} is in no ledger"))?.last;
        let message = last.message.as_deref().unwrap_or_default();
        assert!(last.outcome == Outcome::Failed && last.reason == Some(reason) && message.contains(words), "{key}: {last:?}");
        anyhow::Ok(())
    };
    for (name, _, reason, words) in SPOILT {
        holds(&format!("{name}.nc"), reason, words)?;
    }
    holds("larger.nc", Reason::GridMismatch, "3 positions where the store has 2")?;
    holds("table.csv", Reason::UnsupportedFormat, "NetCDF")?;
    holds("table.parquet", Reason::UnsupportedFormat, "NetCDF")?;
    // The file of texts had a place before its values were seen: its rows are masked.
    for day in [50, 51] {
        grid.model.mask(days(&[day])[0]);
    }
    grid.check_store()
}

/// What two sites measured at one time does not overwrite each other; other times of both go into one store.
pub async fn two_sites_do_not_share_a_time() -> Result<()> {
    let grid = GridBed::new(Knobs::default())?;
    let write = |key: &str, site: &str, of: &[i64]| {
        let mut file = grid.slice(&days(of), 3).draft();
        file.attributes.push(("site_code".to_owned(), Cells::Text(vec![site.to_owned()])));
        draft::write(&grid.bed.archive().join(key), &file)
    };
    write("a.nc", "NRSMAI", &[0, 1])?;
    write("b.nc", "NRSDAR", &[1, 2])?;
    write("c.nc", "NRSDAR", &[3])?;
    let digest = grid.bed.attempt("first", 0, FailPoints::none()).await?;
    let Digest::Commit { files, totals, .. } = digest else { anyhow::bail!("{digest:?}") };
    assert_eq!((files.processed, files.failed, totals.rows), (2, 1, 3));
    let failed = grid.bed.ledger().await?.swap_remove(1).last;
    let message = failed.message.unwrap_or_default();
    assert_eq!(failed.reason, Some(Reason::TimeConflict), "{message}");
    assert!(["NRSMAI", "NRSDAR", "a.nc"].iter().all(|word| message.contains(word)), "{message}");
    Ok(())
}

/// In the first run too, where it counts for the grid that most files have. The incumbent takes none.
pub async fn a_file_that_runs_the_other_way_lands_where_the_store_has_it() -> Result<()> {
    let knobs = Knobs { latitudes: 3, ..Knobs::default() };
    let mut grid = GridBed::new(knobs)?;
    for (day, kind) in [(0, Kind::Shifted), (1, Kind::Good), (2, Kind::Reversed)] {
        grid.put(&format!("{day}.nc"), grid.slice(&days(&[day]), 1 + day as u64), kind, 1_000)?;
    }
    let expected = grid.run().await?;
    assert_eq!((expected.files.processed, expected.files.failed), (2, 1));
    // Its rows are now another file's, then its own again.
    grid.put("3.nc", grid.slice(&days(&[2, 3]), 5), Kind::Good, 2_000)?;
    grid.run().await?;
    grid.put("2.nc", grid.slice(&days(&[2, 3]), 6), Kind::Reversed, 3_000)?;
    grid.run().await?;
    grid.idle().await?;

    let mut grid = GridBed::new(Knobs { incumbent: true, ..knobs })?;
    put_days(&mut grid, &[0, 1], 1_000)?;
    grid.run().await?;
    draft::write(&grid.bed.archive().join("reversed.nc"), grid.slice(&days(&[2]), 3).draft().reverse("LATITUDE"))?;
    let Digest::Commit { files, .. } = grid.bed.attempt("reversed", 0, FailPoints::none()).await? else { anyhow::bail!("no commit") };
    assert_eq!((files.unchanged, files.failed), (2, 1));
    let ledger = grid.bed.ledger().await?;
    let last = &ledger.iter().find(|record| record.key == "reversed.nc").context("no record")?.last;
    let message = last.message.as_deref().unwrap_or_default();
    assert!(last.reason == Some(Reason::GridMismatch) && message.contains("runs the other way"), "{last:?}");
    grid.check_store()
}

/// Whole days cannot hold an hour.
pub async fn a_time_that_whole_numbers_cannot_hold_is_refused() -> Result<()> {
    let grid = GridBed::new(Knobs::default())?;
    let write = |key: &str, units: &str, numbers: Vec<i32>| {
        let mut file = grid.slice(&days(&[0, 1]), 3).draft();
        file.at("TIME").set("units", units).values = numbers.into();
        draft::write(&grid.bed.archive().join(key), &file)
    };
    write("days.nc", "days since 1990-01-01 00:00:00", vec![10, 11])?;
    write("hours.nc", "hours since 1990-01-01 00:00:00", vec![13 * 24, 14 * 24])?;
    write("odd.nc", "hours since 1990-01-01 00:00:00", vec![16 * 24, 17 * 24 + 1])?;
    grid.bed.attempt("first", 0, FailPoints::none()).await?;
    let ledger = grid.bed.ledger().await?;
    let told: Vec<(Outcome, Option<Reason>)> = ledger.iter().map(|record| (record.last.outcome, record.last.reason)).collect();
    let processed = (Outcome::Processed, None);
    assert_eq!(told, [processed, processed, (Outcome::Failed, Some(Reason::BadTime))], "{ledger:#?}");
    let message = ledger[2].last.message.clone().unwrap_or_default();
    assert!(message.contains("whole number") && message.contains("days since"), "{message}");
    Ok(())
}
