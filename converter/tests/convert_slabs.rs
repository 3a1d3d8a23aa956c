//! A file that memory cannot hold gives the very bytes of one that it can.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use std::sync::atomic::Ordering;

use convert_support::fake::{Fake, text};
use convert_support::{body, config, convert_fake_with, convert_with, shared};
use converter::read::Values;
use converter::table::{Allowance, ConvertedObject, FileReport};
use crds::wire::Compat;

const CONFIG: &str = r#"{
  "dataset_name": "slabs", "cloud_optimised_format": "parquet", "metadata_uuid": null,
  "run_settings": {"paths": []},
  "schema": {
    "TIME": {"type": "timestamp[ns]"}, "LATITUDE": {"type": "double"}, "LONGITUDE": {"type": "double"}, "DEPTH": {"type": "float"},
    "TEMP": {"type": "float"}, "FLAG": {"type": "string"}, "COUNT": {"type": "int32"}, "ABSENT": {"type": "string"}
  },
  "schema_transformation": {
    "drop_variables": [],
    "add_variables": {
      "filename": {"source": "@filename", "schema": {"type": "string", "units": "1"}},
      "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}},
      "polygon": {"source": "@partitioning:spatial_extent", "schema": {"type": "string", "units": "1"}}
    },
    "partitioning": [
      {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "TIME", "partition_period": "M"}},
      {"source_variable": "polygon", "type": "spatial_extent", "spatial_extent": {"lat_varname": "LATITUDE", "lon_varname": "LONGITUDE", "spatial_resolution": 5}}
    ]
  }
}"#;

/// Hours from 2019-04-01, positions that wander over tiles and sometimes out of range, gaps.
fn file(times: usize, depths: usize) -> Fake {
    let (time, depth) = (format!("TIME={times}"), format!("DEPTH={depths}"));
    let cells = times * depths;
    Fake::default()
        .variable("TIME", &[&time], Values::F64((0..times).map(|i| if i % 97 == 96 { f64::NAN } else { i as f64 }).collect()))
        .units("hours since 2019-04-01 00:00:00")
        .variable("DEPTH", &[&depth], Values::F32((0..depths).map(|i| i as f32 * 5.0).collect()))
        .variable("LATITUDE", &[&time], Values::F64((0..times).map(|i| -30.0 - (i % 400) as f64 / 100.0).collect()))
        .variable(
            "LONGITUDE",
            &[&time],
            Values::F64((0..times).map(|i| if i % 211 == 5 { 999.0 } else { 150.0 + (i / 300 % 9) as f64 }).collect()),
        )
        .variable("TEMP", &[&time, &depth], Values::F32((0..cells).map(|i| if i % 13 == 0 { f32::NAN } else { i as f32 / 7.0 }).collect()))
        .variable("FLAG", &[&depth, &time], Values::Text((0..cells).map(|i| format!("f{}", i % 5)).collect()))
        .variable("COUNT", &[&time], Values::I32((0..times as i32).collect()))
        .variable("site", &[], text("nowhere"))
}

fn allowed(bytes: u64, threads: usize) -> Allowance<'static> {
    Allowance::new(bytes, threads)
}

fn sorted(result: (FileReport, Vec<ConvertedObject>)) -> (FileReport, Vec<(String, bytes::Bytes, u64)>) {
    let (report, objects) = result;
    let mut objects: Vec<_> = objects.iter().map(|o| (o.key.clone(), body(o), o.rows)).collect();
    objects.sort_by(|a, b| a.0.cmp(&b.0));
    (report, objects)
}

#[test]
fn slabs_and_threads_change_no_byte() {
    let config = config(CONFIG);
    for (times, depths) in [(1_500, 8), (25_000, 1), (20, 900), (1, 16_000)] {
        let file = file(times, depths);
        for compat in [Compat::Fixed, Compat::Incumbent] {
            let convert = |allowance| sorted(convert_fake_with(&config, compat, &file, allowance).unwrap());
            let whole = convert(Allowance::UNBOUNDED);
            assert!(whole.0.rows > 0 && !whole.1.is_empty());
            for allowance in [allowed(300 << 10, 1), allowed(600 << 10, 3), allowed(1 << 20, 1)] {
                let parts = convert(allowance);
                assert_eq!(whole.0, parts.0, "{times} x {depths} {allowance:?}");
                assert!(whole.1 == parts.1, "{times} x {depths} {allowance:?}: other objects");
            }
        }
    }
}

/// A row each minute, behind what a file has already.
fn minutes(file: Fake, dimension: &str, rows: i32) -> Fake {
    file.variable("TIME", &[dimension], Values::F64((0..rows).map(f64::from).collect())).units("minutes since 2019-04-01 00:00:00")
}

/// All rows at one place.
fn here(file: Fake) -> Fake {
    file.variable("LATITUDE", &[], Values::F64(vec![-33.0])).variable("LONGITUDE", &[], Values::F64(vec![151.0]))
}

/// However many slabs lie in a chunk, it is inflated once.
#[test]
fn chunks_larger_than_slabs_are_inflated_once() {
    let config = config(CONFIG);
    let rows = 60_000;
    let time = format!("TIME={rows}");
    let file = |chunk: usize| {
        here(minutes(Fake::default(), &time, rows).chunked(&[chunk]))
            .variable("TEMP", &[&time], Values::F32((0..rows).map(|i| i as f32 / 7.0).collect()))
            .chunked(&[chunk])
            .variable("COUNT", &[&time], Values::I32((0..rows).collect()))
            .chunked(&[chunk])
    };
    for (chunk, chunks) in [(60_000, 1), (25_000, 3)] {
        let (file, in_parts) = (file(chunk), file(chunk));
        let whole = sorted(convert_fake_with(&config, Compat::Fixed, &file, Allowance::UNBOUNDED).unwrap());
        let parts = sorted(convert_fake_with(&config, Compat::Fixed, &in_parts, allowed(1 << 20, 1)).unwrap());
        assert!(whole == parts);
        let inflated = [&file, &in_parts].map(|file| file.inflated.load(Ordering::Relaxed));
        assert_eq!(inflated, [3 * chunks, 3 * chunks], "of three variables in {chunks} chunks");
    }
}

/// Rows that run along the second dimension of a variable: each slab lies in every row of its chunks.
#[test]
fn a_variable_that_lies_across_the_rows_is_inflated_once() {
    let config = config(CONFIG);
    let (times, depths) = (3_000, 12);
    let (time, depth) = (format!("TIME={times}"), format!("DEPTH={depths}"));
    let file = || {
        let depths_first = Fake::default().variable("DEPTH", &[&depth], Values::F32((0..depths).map(|i| i as f32).collect()));
        here(minutes(depths_first, &time, times))
            .variable("TEMP", &[&time, &depth], Values::F32((0..times * depths).map(|i| i as f32 / 7.0).collect()))
            .chunked(&[1, depths as usize])
    };
    let (whole, in_parts) = (file(), file());
    let expected = sorted(convert_fake_with(&config, Compat::Fixed, &whole, Allowance::UNBOUNDED).unwrap());
    let parts = sorted(convert_fake_with(&config, Compat::Fixed, &in_parts, allowed(1 << 20, 1)).unwrap());
    assert_eq!(expected.0, parts.0);
    assert!(expected == parts);
    assert_eq!([&whole, &in_parts].map(|file| file.inflated.load(Ordering::Relaxed)), [3_000; 2]);
}

/// A cast that fails late: the incumbent keeps the column's own type in the whole file.
#[test]
fn what_only_the_last_slab_shows_holds_for_the_whole_file() {
    let config = config(CONFIG);
    let times = 30_000;
    let time = format!("TIME={times}");
    let base = |count: Values| here(minutes(Fake::default(), &time, times)).variable("COUNT", &[&time], count);
    let file = base(Values::F64((0..times).map(|i| if i == times - 1 { 2.5 } else { f64::from(i) }).collect()));
    let whole = sorted(convert_fake_with(&config, Compat::Incumbent, &file, Allowance::UNBOUNDED).unwrap());
    let parts = sorted(convert_fake_with(&config, Compat::Incumbent, &file, allowed(1 << 20, 1)).unwrap());
    assert!(whole == parts);
    assert!(whole.0.notes.iter().any(|note| note.contains("CastFailed") && note.contains("COUNT")), "{:?}", whole.0.notes);
    let error = convert_fake_with(&config, Compat::Fixed, &file, allowed(1 << 20, 1)).unwrap_err().to_string();
    assert!(error.contains("COUNT") && error.contains("2.5"), "{error}");
}

#[test]
fn real_files_come_out_the_same_in_parts() {
    let Some(root) = shared() else { return };
    for (dataset, allowance) in [("mooring_ctd", 2 << 20), ("argo", 4 << 20), ("vessel_sst", 1 << 20)] {
        let folder = root.join("data").join(dataset);
        let text = std::fs::read_dir(&folder).unwrap().flatten().map(|e| e.path());
        let text = text
            .filter(|p| p.extension().is_some_and(|e| e == "json") && !p.file_name().unwrap().to_string_lossy().starts_with("expected"));
        let config = config(&std::fs::read_to_string(text.last().unwrap()).unwrap());
        for entry in std::fs::read_dir(&folder).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "nc")) {
            let (bytes, name) = (std::fs::read(entry.path()).unwrap(), entry.file_name().into_string().unwrap());
            let conversion = convert_support::conversion(&config, Compat::Incumbent);
            let whole = convert_with(&conversion, &name, bytes.clone(), Allowance::UNBOUNDED);
            let parts = convert_with(&conversion, &name, bytes, allowed(allowance, 2));
            match (whole, parts) {
                (Ok(whole), Ok(parts)) => assert!(sorted(whole) == sorted(parts), "{name}"),
                (Err(whole), Err(parts)) => assert_eq!(whole.reason(), parts.reason(), "{name}"),
                (whole, parts) => panic!("{name}: {:?} and {:?}", whole.map(|w| w.0), parts.map(|p| p.0)),
            }
        }
    }
}

/// A table whose batches are read on one thread and converted on another.
#[test]
fn tables_come_out_the_same_on_one_thread_and_on_more() {
    let config = config(&CONFIG.replacen(
        "\"metadata_uuid\": null,",
        r#""metadata_uuid": null, "csv_config": {"pandas_read_csv_config": {"parse_dates": ["TIME"]}},"#,
        1,
    ));
    let conversion = convert_support::conversion(&config, Compat::Fixed);
    let line = |i: usize| format!("2019-0{}-01 00:00:{:02},{}.5,150,{}.25,f{}\n", 4 + i % 3, i % 60, -(30 + (i % 12) as i32), i, i % 5);
    let lines: String = (0..30_000).map(line).collect();
    let table = |lines: &str| format!("TIME,LATITUDE,LONGITUDE,TEMP,FLAG\n{lines}").into_bytes();
    let convert = |bytes: &[u8], allowance| convert_with(&conversion, "x.csv", bytes.to_vec(), allowance);
    let whole = sorted(convert(&table(&lines), Allowance::UNBOUNDED).unwrap());
    assert!(whole.0.rows == 30_000 && whole.1.len() > 3);
    for allowance in [allowed(2 << 20, 1), allowed(2 << 20, 2), allowed(8 << 20, 3)] {
        let parts = sorted(convert(&table(&lines), allowance).unwrap());
        assert!(whole == parts, "{allowance:?}");
    }
    // What goes wrong in the reader, and what goes wrong behind it, is told the same.
    for (wrong, says) in [("2019-04-01,-30,150,warm,f0\n", "TEMP"), ("no time,-30,150,1.5,f0\n", "\"no time\" (number 30000)")] {
        let errors = [1, 2].map(|threads| convert(&table(&format!("{lines}{wrong}{lines}")), allowed(2 << 20, threads)).unwrap_err());
        assert_eq!(errors[0].to_string(), errors[1].to_string());
        assert!(errors[0].to_string().contains(says), "{}", errors[0]);
    }
}
