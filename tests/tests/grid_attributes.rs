//! What a store of a grid says of itself: attributes, coverage, masked rows, warnings; and files that a run loses on the way.

#![allow(clippy::expect_used)] // tests

mod bed;
mod grid_bed;
mod laptop;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use converter::convert::convert;
use converter::failpoint::{FailPoint, FailPoints};
use converter::plan::plan;
use converter::zarr::{ArrayMetadata, Attr, ZARRAY, parse_attributes, parse_zmetadata};
use crds::wire::{Compat, Digest, Outcome, Reason, Report};
use grid_bed::altered::{changed, put, respecify, run};
use grid_bed::history::days;
use grid_bed::model::Kind;
use grid_bed::{GridBed, Knobs, sample};
use laptop::seen;
use serde_json::{Value, json};
use tests::fixtures::Draft;

fn text(grid: &GridBed, name: &str) -> Result<Option<String>> {
    Ok(grid.attributes()?.get(name).and_then(Attr::as_text).map(str::to_owned))
}

#[tokio::test]
async fn coverage_follows_the_rows_and_the_config_has_the_last_word() -> Result<()> {
    let knobs = Knobs { removing: true, ..Knobs::default() };
    let mut grid = GridBed::new(knobs)?;
    let one_file_s = |file: &mut Draft| {
        file.attribute("time_coverage_start", "2000-01-01T00:00:00Z").attribute("time_coverage_end", "2000-01-02T00:00:00Z");
        file.attribute("geospatial_lat_min", -1.0_f32).attribute("date_created", "of the first");
    };
    put(&grid, "a.nc", &[0], one_file_s)?;
    put(&grid, "b.nc", &[1, 4], |_| {})?;
    run(&grid, "one").await?;
    let told = seen(&grid.folder())?;
    assert_eq!(json!([told["group"]["time_coverage_start"], told["group"]["time_coverage_end"]]), told["times"]);
    assert_eq!(told["times"], json!(["2002-11-09T00:00:00Z", "2002-11-13T00:00:00Z"]));
    assert_eq!((&told["group"]["geospatial_lat_min"], &told["group"]["geospatial_lon_max"]), (&json!(-40.0), &json!(140.5)));
    assert_eq!(told["group"]["date_created"], "of the first");
    std::fs::remove_file(grid.bed.archive().join("a.nc"))?;
    put(&grid, "c.nc", &[2], |file| _ = file.attribute("date_created", "of a later"))?;
    let Digest::Commit { totals, run: id, .. } = run(&grid, "two").await? else { panic!("no commit") };
    let told = seen(&grid.folder())?;
    assert_eq!(json!([told["group"]["time_coverage_start"], told["group"]["time_coverage_end"]]), told["times"]);
    assert_eq!(told["times"], json!(["2002-11-10T00:00:00Z", "2002-11-13T00:00:00Z"]), "a masked row covers nothing");
    assert_eq!(told["group"]["date_created"], "of the first");
    assert_eq!((totals.rows, totals.rows_masked), (3, 1));
    let context = grid.bed.context(&id, 0, FailPoints::none())?;
    let report: Report = serde_json::from_slice(&context.destination.get(&context.layout.report(&id)).await?)?;
    assert_eq!(report.rows_masked, 1);

    // Deleted stays deleted, set is what is set, and what neither names comes back.
    let delete = |config: &mut Value| {
        config["schema_transformation"]["global_attributes"] =
            json!({"delete": ["time_coverage_start"], "set": {"time_coverage_end": "ongoing", "geospatial_lat_min": -90}});
    };
    respecify(&mut grid, Compat::Fixed, delete)?;
    run(&grid, "three").await?;
    put(&grid, "d.nc", &[7], |_| {})?;
    run(&grid, "four").await?;
    assert_eq!((text(&grid, "time_coverage_start")?, text(&grid, "time_coverage_end")?), (None, Some("ongoing".to_owned())));
    assert_eq!(grid.attributes()?["geospatial_lat_min"], Attr::Integer(-90));
    respecify(&mut grid, Compat::Fixed, |_| {})?;
    let Digest::Commit { files, totals, .. } = run(&grid, "five").await? else { panic!("no commit") };
    assert_eq!((files.processed, totals.rows_masked), (0, 1));
    let told = seen(&grid.folder())?;
    assert_eq!(json!([told["group"]["time_coverage_start"], told["group"]["time_coverage_end"]]), told["times"]);
    assert_eq!(told["group"]["geospatial_lat_min"], -40.0);
    Ok(())
}

/// Positions in two dimensions, packed; positions that change with time; and a height.
#[tokio::test]
async fn extents_are_those_of_the_coordinates() -> Result<()> {
    let grid = changed(Knobs::default(), Compat::Fixed, |config| {
        config["schema"]["DEEP"] = json!({"type": "float32", "dims": ["TIME", "LATITUDE", "LONGITUDE"]});
    })?;
    put(&grid, "a.nc", &[0], |file| {
        for (name, from) in [("geospatial_lat_min", 1.0), ("geospatial_lat_max", 2.0), ("geospatial_lon_min", 3.0)] {
            file.attribute(name, from);
        }
        file.attribute("geospatial_vertical_min", 7.0);
        // Rows and columns of a radar: no positions, whatever the config's label says.
        file.at("LATITUDE").set("standard_name", "grid_latitude").set("units", "degrees_north");
        file.at("LONGITUDE").set("standard_name", "projection_x_coordinate").set("units", "m").set("axis", "X");
        file.variable("NORTH", &["LATITUDE", "LONGITUDE"], vec![10_i16, 20, -32768, 40, 50, -60])
            .set("standard_name", "latitude")
            .set("_FillValue", -32_768_i16)
            .set("scale_factor", 0.5_f64);
        file.variable("EAST", &["TIME"], vec![150.5_f64]).set("units", "degrees_east");
        file.at("TEMP").set("coordinates", "NORTH EAST");
    })?;
    run(&grid, "one").await?;
    let told = seen(&grid.folder())?;
    let group = |name: &str| told["group"][name].clone();
    assert_eq!((group("geospatial_lat_min"), group("geospatial_lat_max")), (json!(-30.0), json!(25.0)), "decoded, missing ones left out");
    assert_eq!(group("geospatial_lon_min"), Value::Null, "one file's position is not the store's");
    assert_eq!(group("geospatial_vertical_min"), 7.0, "no height is known: the file's stands");

    let grid = GridBed::new(Knobs::default())?;
    put(&grid, "a.nc", &[0], |file| {
        file.at("LATITUDE").set("units", "m").set("positive", "down").set("standard_name", "depth");
    })?;
    run(&grid, "one").await?;
    let attributes = grid.attributes()?;
    assert_eq!(attributes["geospatial_vertical_min"], Attr::Float(-40.0));
    assert_eq!(attributes["geospatial_vertical_max"], Attr::Float(-39.5));
    assert!(!attributes.contains_key("geospatial_lat_min"), "a depth is no latitude, whatever its name");
    Ok(())
}

#[tokio::test]
async fn changed_attributes_reach_the_store_and_nothing_else_changes() -> Result<()> {
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let mut grid = changed(Knobs::default(), compat, |_| {})?;
        let told_by_file = |file: &mut Draft| {
            file.attribute("history", "made by hand").attribute("comment", "of the file");
            file.at("TEMP").set("long_name", "of the file").set("valid_max", 40.0_f64);
            file.at("LATITUDE").set("units", "degrees_north").set("axis", "Y");
        };
        put(&grid, "a.nc", &[0, 1], told_by_file)?;
        run(&grid, "one").await?;
        let before = seen(&grid.folder())?;
        assert_eq!(before["variables"]["TEMP"], json!({"long_name": "of the file", "units": "degrees_Celsius", "valid_max": 40.0}));
        let objects = grid.bed.objects().await?;
        run(&grid, "two").await?;
        assert_eq!(grid.bed.objects().await?, objects, "the same config: nothing changes");

        let described = |config: &mut Value| {
            config["schema"]["TEMP"]["standard_name"] = json!("sea_water_temperature");
            config["schema"]["TEMP"]["scale_factor"] = json!(3);
            config["schema"]["TIME"]["units"] = json!("hours since 1950-01-01");
            config["schema"]["TIME"]["long_name"] = json!("time of the slice");
            config["schema"]["LATITUDE"]["units"] = json!("degrees");
            config["schema"]["LATITUDE"]["valid_min"] = json!(-90.0);
            config["schema_transformation"]["global_attributes"] = json!({"delete": ["history"], "set": {"title": "Described"}});
        };
        respecify(&mut grid, compat, described)?;
        let Digest::Commit { files, .. } = run(&grid, "three").await? else { panic!("no commit") };
        assert_eq!((files.processed, files.unchanged), (0, 1));
        let after = seen(&grid.folder())?;
        assert_eq!((&after["types"], &after["firsts"]), (&before["types"], &before["firsts"]), "all is decoded as before");
        assert_eq!(after["variables"]["TEMP"], json!({"standard_name": "sea_water_temperature", "units": "degrees_Celsius"}));
        assert_eq!(after["variables"]["TIME"], json!({"long_name": "time of the slice"}));
        assert_eq!(after["variables"]["LATITUDE"], json!({"units": "degrees_north", "valid_min": -90.0}));
        assert_eq!((&after["group"]["title"], &after["group"]["history"]), (&json!("Described"), &Value::Null));
        assert_eq!(after["group"]["comment"], "of the file");
        let changed: BTreeSet<String> =
            grid.bed.objects().await?.into_iter().filter(|(key, etag)| objects.get(key) != Some(etag)).map(|(key, _)| key).collect();
        assert!(changed.contains("grid_model.zarr/TEMP/.zattrs") && !changed.iter().any(|key| key.ends_with("/0.0.0")), "{changed:?}");
        check_documents(&grid)?;

        let objects = grid.bed.objects().await?;
        run(&grid, "four").await?;
        assert_eq!(grid.bed.objects().await?, objects, "the same config again: nothing changes");
        put(&grid, "b.nc", &[2], told_by_file)?;
        run(&grid, "five").await?;
        let appended = seen(&grid.folder())?;
        assert_eq!(appended["variables"], after["variables"], "an append does not change what variables say");
        assert_eq!((&appended["group"]["title"], &appended["group"]["history"]), (&json!("Described"), &Value::Null));
        // The same stop anywhere before the metadata leaves the old ones; the run taken up again brings the new ones.
        respecify(&mut grid, compat, |config| config["schema"]["TEMP"]["long_name"] = json!("again"))?;
        for point in [FailPoint::PlanWritten, FailPoint::CommitHead, FailPoint::CommitCopied] {
            assert!(grid.bed.attempt("six", 0, FailPoints::stop_at(point)).await.is_err(), "{point}");
        }
        run(&grid, "six").await?;
        assert_eq!(seen(&grid.folder())?["variables"]["TEMP"]["long_name"], "again");
        check_documents(&grid)?;
    }
    Ok(())
}

/// The documents of arrays and group are those of `.zmetadata`.
fn check_documents(grid: &GridBed) -> Result<()> {
    let (attributes, arrays) = parse_zmetadata(&std::fs::read(grid.folder().join(".zmetadata"))?)?;
    assert_eq!(grid.attributes()?, attributes);
    for (name, array) in arrays {
        let folder = grid.folder().join(&name);
        assert_eq!(ArrayMetadata::parse(&std::fs::read(folder.join(ZARRAY))?)?, array.metadata, "{name}");
        assert_eq!(parse_attributes(&std::fs::read(folder.join(".zattrs"))?)?, array.attributes, "{name}");
    }
    Ok(())
}

/// What has no variable to stand at stands at the group, and is not in any file's attributes.
#[tokio::test]
async fn the_incumbent_keeps_the_coordinates_of_the_group_when_it_takes_over_a_file_s_attributes() -> Result<()> {
    let grid = changed(Knobs::default(), Compat::Incumbent, |_| {})?;
    let with_alone = |title: &'static str| {
        move |file: &mut Draft| {
            file.dimension("PAIR", 2).variable("ALONE", &["PAIR"], vec![1.0_f64, 2.0]);
            file.variable("PAIR", &["PAIR"], vec![0.0_f64, 1.0]);
            file.attribute("title", title).attribute("coordinates", "ALONE").attribute("time_coverage_start", "one file's");
        }
    };
    put(&grid, "a.nc", &[0], with_alone("first"))?;
    run(&grid, "one").await?;
    assert_eq!((text(&grid, "title")?, text(&grid, "coordinates")?), (Some("first".into()), Some("ALONE".into())));
    put(&grid, "b.nc", &[1], with_alone("second"))?;
    run(&grid, "two").await?;
    assert_eq!((text(&grid, "title")?, text(&grid, "coordinates")?), (Some("second".into()), Some("ALONE".into())));
    assert_eq!(text(&grid, "time_coverage_start")?.as_deref(), Some("one file's"), "the incumbent computes nothing");
    assert!(!grid.attributes()?.contains_key("geospatial_lat_min"));
    Ok(())
}

/// The incumbent cuts its files into batches and takes what a store says from the earliest file of one: of the first
/// for the variables, of the last that brought a time for the group.
#[tokio::test]
async fn the_incumbent_s_attributes_are_those_of_its_batches() -> Result<()> {
    let named = |grid: &GridBed, key: &'static str, day: &[i64]| {
        put(grid, key, day, |file| _ = file.attribute("title", key).at("TEMP").set("comment", key))
    };
    let said = |grid: &GridBed| -> Result<(Option<String>, Value)> {
        Ok((text(grid, "title")?, seen(&grid.folder())?["variables"]["TEMP"]["comment"].clone()))
    };
    for (size, title, comment) in [(None, "c.nc", "c.nc"), (Some(1), "d.nc", "a.nc"), (Some(2), "c.nc", "b.nc"), (Some(3), "d.nc", "c.nc")]
    {
        let grid = changed(Knobs::default(), Compat::Incumbent, |config| {
            config["run_settings"]["batch_size"] = json!(size);
        })?;
        for (key, day) in [("a.nc", 3), ("b.nc", 2), ("c.nc", 1), ("d.nc", 4)] {
            named(&grid, key, &[day])?;
        }
        run(&grid, "one").await?;
        assert_eq!(said(&grid)?, (Some(title.to_owned()), json!(comment)), "batches of {size:?}");
    }

    // A batch speaks with its earliest file, even if that one's time is known; one without a new time says nothing.
    let grid = changed(Knobs::default(), Compat::Incumbent, |config| config["run_settings"]["batch_size"] = json!(2))?;
    named(&grid, "a.nc", &[1])?;
    run(&grid, "one").await?;
    for (key, days) in [("b.nc", &[1][..]), ("c.nc", &[2]), ("d.nc", &[1])] {
        named(&grid, key, days)?;
    }
    run(&grid, "two").await?;
    assert_eq!(said(&grid)?, (Some("b.nc".to_owned()), json!("a.nc")));
    Ok(())
}

/// What says how numbers are to be read says so of the numbers that are there.
#[tokio::test]
async fn times_in_other_places_say_how_they_are_to_be_read() -> Result<()> {
    let grid = changed(Knobs::default(), Compat::Incumbent, |_| {})?;
    put(&grid, "a.nc", &[0], |file| {
        file.variable("SEEN", &["TIME"], vec![1.5_f64]).set("units", "hours since 2000-01-01");
        file.at("SPEED").set("coordinates", "SEEN").set("units", "days since 2000-01-01").set("calendar", "standard");
    })?;
    run(&grid, "one").await?;
    let (_, arrays) = parse_zmetadata(&std::fs::read(grid.folder().join(".zmetadata"))?)?;
    assert_eq!(arrays["SEEN"].attributes["calendar"].as_text(), Some("standard"));
    assert!(!arrays["SPEED"].attributes.contains_key("units") && !arrays["SPEED"].attributes.contains_key("calendar"));
    assert_eq!(seen(&grid.folder())?["types"]["SPEED"], "float64", "nanoseconds, as their type says");
    Ok(())
}

#[tokio::test]
async fn chunks_that_are_large_or_leave_slivers_are_told_when_a_store_is_founded() -> Result<()> {
    let knobs = Knobs { latitudes: 21, longitudes: 3, chunks: [1_400_000, 20, 3], max_files: 1, ..Knobs::default() };
    let grid = GridBed::new(knobs)?;
    put(&grid, "a.nc", &[0], |_| {})?;
    let context = grid.bed.context("one", 0, FailPoints::none())?;
    let plan_of = plan(&context).await?;
    let told = plan_of.warnings.join("\n");
    assert_eq!(plan_of.warnings.len(), 2, "{told}");
    assert!(told.contains("\"LATITUDE\": 21 positions in chunks of 20 leave a last chunk of 1; 21 would be better"), "{told}");
    assert!(told.contains("\"SPEED\": a chunk (and of 3 more variables) of [1400000, 20, 3] values of 8 bytes"), "{told}");

    let grid = GridBed::new(Knobs { latitudes: 21, chunks: [3, 20, 3], ..Knobs::default() })?;
    put(&grid, "a.nc", &[0], |_| {})?;
    let Digest::Commit { warnings, .. } = run(&grid, "one").await? else { panic!("no commit") };
    let context = grid.bed.context("one", 0, FailPoints::none())?;
    let report: Report = serde_json::from_slice(&context.destination.get(&context.layout.report("one")).await?)?;
    assert!(warnings.len() == 1 && warnings == report.warnings, "{warnings:?} {:?}", report.warnings);
    put(&grid, "b.nc", &[1], |_| {})?;
    let Digest::Commit { warnings, .. } = run(&grid, "two").await? else { panic!("no commit") };
    assert!(warnings.is_empty(), "the store is there: {warnings:?}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_kills_its_process_is_quarantined_and_its_row_is_masked() -> Result<()> {
    let mut grid = GridBed::new(Knobs { max_files: 4, ..Knobs::default() })?;
    for (key, day) in [("1.nc", 0), ("2.nc", 1), ("3.nc", 2)] {
        grid.put(key, grid.slice(&days(&[day]), 3), Kind::Good, 1_000)?;
    }
    // The second attempt dies at its first file, breadcrumb written; the third leaves that one out.
    assert!(grid.bed.attempt("first", 1, FailPoints::stop_at(FailPoint::ConvertCrumb)).await.is_err());
    let Digest::Commit { files, totals, errors, .. } = grid.bed.attempt("first", 2, FailPoints::none()).await? else { panic!("no commit") };
    assert_eq!((files.processed, files.failed, totals.rows, totals.rows_masked), (2, 1, 2, 1));
    assert_eq!(errors.iter().map(|group| (group.reason, group.count)).collect::<Vec<_>>(), [(Reason::Quarantined, 1)]);
    // The model: as if that file had been found out late.
    grid.source.get_mut("1.nc").expect("a file").kind = Kind::Texts;
    grid.model.run(&grid.source, &BTreeSet::new());
    grid.check_store()?;
    let Digest::Commit { files, .. } = grid.bed.attempt("held", 0, FailPoints::none()).await? else { panic!("no commit") };
    assert_eq!((files.processed, files.unchanged, files.failed), (0, 2, 1), "it is held");
    grid.model.run(&grid.source, &BTreeSet::new());
    grid.put("1.nc", grid.slice(&days(&[0]), 4), Kind::Good, 2_000)?;
    assert_eq!(grid.run().await?.files.processed, 1, "mended, it has its row");
    assert!(grid.model.rows.iter().all(|row| row.owner.is_some()));
    grid.idle().await
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_left_to_the_next_run() -> Result<()> {
    let knobs = Knobs { latitudes: 12, longitudes: 12, chunks: [3, 1, 1], max_files: 4, ..Knobs::default() };
    let mut grid = GridBed::new(knobs)?;
    grid.put("a.nc", grid.slice(&days(&[0]), 3), Kind::Good, 1_000)?;
    grid.put("b.nc", grid.slice(&days(&[1]), 5), Kind::Good, 1_000)?;
    // Before it is fetched, and while its chunks are made.
    for (name, late) in [("early", false), ("late", true)] {
        let context = grid.bed.context(name, 0, FailPoints::none())?;
        let planned = plan(&context).await?;
        let staged = grid.bed.out().join("_cod/grid_model.zarr/runs").join(name).join("staged/00000");
        let slice = grid.slice(&days(&[1]), 6 + u64::from(late));
        let replace = async {
            while late && !staged.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            grid.put("b.nc", slice, Kind::Good, 2_000)
        };
        let converted = if late {
            let (converted, replaced) = tokio::join!(convert(&context, &planned, 0), replace);
            replaced.and(Ok(converted?))?
        } else {
            replace.await?;
            convert(&context, &planned, 0).await?
        };
        let changed = converted.files.iter().find(|file| file.key == "b.nc").expect("its record");
        assert_eq!((changed.outcome, changed.reason), (Outcome::Skipped, Some(Reason::ChangedDuringRead)), "{name}");
        let Digest::Commit { files, totals, .. } = converter::commit::commit(&context, &planned).await? else { panic!("no commit") };
        assert_eq!((files.skipped, totals.rows, totals.rows_masked), (1, 1, 1), "{name}: its row waits for it");
    }
    // The model: the row was given to a file that never came.
    grid.model.run(&grid.source, &BTreeSet::from(["b.nc".to_owned()]));
    grid.check_store()?;
    assert_eq!(grid.run().await?.files.processed, 1);
    grid.idle().await
}

/// Commit has to make chunks anew, without a file of which another batch never reported, and finds that a neighbour is no
/// longer the one that was converted.
#[tokio::test]
async fn a_file_that_changes_before_its_chunks_are_made_anew_is_left_to_the_next_run() -> Result<()> {
    let mut grid = GridBed::new(Knobs { max_files: 3, ..Knobs::default() })?;
    for (key, on) in [("a.nc", &[0][..]), ("b.nc", &[1, 4]), ("c.nc", &[2]), ("d.nc", &[3]), ("e.nc", &[5])] {
        grid.put(key, grid.slice(&days(on), 3), Kind::Good, 1_000)?;
    }
    let context = grid.bed.context("first", 0, FailPoints::none())?;
    let planned = plan(&context).await?;
    assert_eq!(planned.batches, 2, "b.nc stands in both");
    convert(&context, &planned, 1).await?;
    grid.put("d.nc", grid.slice(&days(&[3]), 4), Kind::Good, 2_000)?;
    let Digest::Commit { files, totals, errors, .. } = converter::commit::commit(&context, &planned).await? else { panic!("no commit") };
    assert_eq!((files.processed, files.skipped, files.failed), (1, 1, 3), "{errors:?}");
    assert_eq!((totals.rows, totals.rows_masked), (1, 5));
    assert_eq!(errors.iter().map(|group| (group.reason, group.count)).collect::<Vec<_>>(), [(Reason::NotReached, 3)]);
    let lost = ["a.nc", "b.nc", "c.nc", "d.nc"].map(str::to_owned);
    grid.model.run(&grid.source, &BTreeSet::from(lost));
    grid.check_store()?;
    assert_eq!(grid.run().await?.files.processed, 4);
    grid.idle().await
}
