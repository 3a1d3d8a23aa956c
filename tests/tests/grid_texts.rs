//! Texts in grids: variables of any length, coordinates that nobody asked for, and those that no chunk holds.

#![allow(clippy::expect_used)] // tests

mod bed;
mod grid_bed;
mod laptop;

use anyhow::Result;
use crds::wire::{Compat, Digest, Reason};
use grid_bed::altered::{changed, put, run};
use grid_bed::{Knobs, sample};
use laptop::seen;
use serde_json::json;
use tests::fixtures::Container;
use tests::fixtures::draft::Cells;

/// In the schema as `object` or `string`, of characters or of strings, static or by row, missing in one file; and as a
/// coordinate that nobody asked for.
#[tokio::test]
async fn texts_have_any_length() -> Result<()> {
    let long = "a remark that is longer than all before";
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let grid = changed(Knobs::default(), compat, |config| {
            config["schema"]["SITE"] = json!({"type": "object", "dims": ["LATITUDE"]});
            config["schema"]["REMARK"] = json!({"type": "string", "dims": ["TIME"]});
        })?;
        let sites = Cells::characters(&["south", "north of it"], 12, 0);
        put(&grid, "a.nc", &[0], |file| {
            file.dimension("letters", 12);
            // As xarray writes it; of letters it must not stay.
            file.variable("SITE", &["LATITUDE", "letters"], sites.clone()).set("_Encoding", "utf-8");
        })?;
        put(&grid, "b.nc", &[1], |file| {
            file.dimension("letters", 12).dimension("more_letters", 40);
            file.variable("SITE", &["LATITUDE", "letters"], sites.clone());
            file.variable("REMARK", &["TIME", "more_letters"], Cells::characters(&[long], 40, 0)).set("_Encoding", "utf-8");
        })?;
        let Digest::Commit { files, .. } = run(&grid, "one").await? else { panic!("no commit") };
        assert_eq!(files.processed, 2, "{compat:?}");
        let arrays = grid_bed::store::read(&grid.folder())?;
        assert_eq!(arrays["SITE"].texts(), ["south", "north of it"]);
        assert_eq!(arrays["REMARK"].texts(), ["", long]);
        let told = seen(&grid.folder())?;
        assert_eq!(json!([told["types"]["SITE"], told["firsts"]["SITE"]]), json!([told["types"]["filename"], "south"]));
        assert_eq!(json!([told["types"]["REMARK"], told["firsts"]["REMARK"]]), json!([told["types"]["filename"], ""]));

        // Another site is no more of this store than another depth is.
        put(&grid, "c.nc", &[2], |file| {
            file.dimension("letters", 12);
            file.variable("SITE", &["LATITUDE", "letters"], Cells::characters(&["south", "east"], 12, 0));
        })?;
        let Digest::Commit { files, errors, .. } = run(&grid, "two").await? else { panic!("no commit") };
        let reasons: Vec<Reason> = errors.iter().map(|group| group.reason).collect();
        let expected = if compat == Compat::Fixed { (0, 1, vec![Reason::StaticChanged]) } else { (1, 0, vec![]) };
        assert_eq!((files.processed, files.failed, reasons), expected, "{compat:?}");
    }
    Ok(())
}

/// Texts in the margin cost no file: along positions that are interpolated, or another name of a scene in each.
#[tokio::test]
async fn texts_beside_the_data_refuse_no_file() -> Result<()> {
    let grid = changed(Knobs::default(), Compat::Fixed, |config| {
        config["schema_transformation"]["target_dimension_grids"] = json!({"LATITUDE": {"min": -40.0, "max": -39.5, "step": 0.5}});
    })?;
    for (key, day, first) in [("a.nc", 0, -40.0), ("b.nc", 1, -40.25)] {
        put(&grid, key, &[day], |file| {
            file.container = Container::Netcdf4;
            file.at("LATITUDE").values = vec![first, first + 0.75].into();
            file.variables.retain(|variable| variable.name != "DEPTH");
            file.variable("LABEL", &["LATITUDE"], Cells::Text(vec!["south".into(), "north".into()]));
            file.variable("SCENE", &[], Cells::Text(vec![format!("scene {day}")]));
            file.dimension("letters", 6);
            file.variable("PASS", &["letters"], Cells::characters(&[format!("pass {day}")], 6, 0));
            file.dimension("none", 0);
            file.variable("EMPTY", &["LONGITUDE", "none"], Cells::Char(vec![]));
            file.at("SPEED").set("coordinates", "LABEL SCENE PASS EMPTY");
        })?;
    }
    let Digest::Commit { files, errors, .. } = run(&grid, "one").await? else { panic!("no commit") };
    assert_eq!(files.processed, 2, "{errors:?}");
    let firsts = &seen(&grid.folder())?["firsts"];
    assert_eq!(json!([firsts["LABEL"], firsts["SCENE"], firsts["PASS"], firsts["EMPTY"]]), json!(["south", "scene 0", "b'pass 0'", "b''"]));
    Ok(())
}

/// A chunk takes no texts without end: the file that has them is refused, the others go on.
#[tokio::test]
async fn texts_too_long_for_a_chunk_refuse_their_file() -> Result<()> {
    let knobs = Knobs { latitudes: 300, longitudes: 1, chunks: [1, 300, 1], ..Knobs::default() };
    let grid = changed(knobs, Compat::Fixed, |config| config["schema"]["STORY"] = json!({"type": "object", "dims": ["TIME", "LATITUDE"]}))?;
    for (key, day, letters) in [("a.nc", 0, 3), ("b.nc", 1, 250_000)] {
        put(&grid, key, &[day], |file| {
            file.dimension("letters", letters);
            file.variable("STORY", &["TIME", "LATITUDE", "letters"], Cells::Char(vec![b'x'; 300 * letters]));
        })?;
    }
    let Digest::Commit { files, errors, .. } = run(&grid, "one").await? else { panic!("no commit") };
    assert_eq!((files.processed, files.failed), (1, 1), "{errors:?}");
    assert!(errors[0].message.contains("STORY") && errors[0].message.contains("bytes"), "{errors:?}");
    Ok(())
}

#[tokio::test]
async fn a_coordinate_of_texts_that_nobody_asked_for_stays_one() -> Result<()> {
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let grid = changed(Knobs::default(), compat, |_| {})?;
        for (key, day, label) in [("a.nc", 0, "calm"), ("b.nc", 1, "rather windy")] {
            put(&grid, key, &[day], |file| {
                file.container = Container::Netcdf4;
                file.variable("LABEL", &["TIME"], Cells::Text(vec![label.to_owned()]));
                file.at("SPEED").set("coordinates", "LABEL");
            })?;
        }
        let Digest::Commit { files, .. } = run(&grid, "one").await? else { panic!("no commit") };
        assert_eq!(files.processed, 2, "{compat:?}");
        let arrays = grid_bed::store::read(&grid.folder())?;
        assert_eq!(arrays["LABEL"].texts(), ["calm", "rather windy"]);
        assert_eq!(arrays["SPEED"].array.attributes["coordinates"].as_text(), Some("LABEL"));
        assert_eq!(seen(&grid.folder())?["firsts"]["LABEL"], "calm");
    }
    Ok(())
}
