//! The special readers (spec 8) and ragged arrays (CF 9.3) on files made of values.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use std::sync::Arc;

use convert_support::fake::{Fake, text};
use convert_support::{column, config, conversion, convert_fake_with, converted};
use converter::read::Values;
use converter::table::{Allowance, ConvertedObject, FileError, FileReport, OpenFile};
use crds::config::DatasetConfig;
use crds::wire::{Compat, Reason};
use serde_json::{Map, Value, json};

const BOTH: [Compat; 2] = [Compat::Fixed, Compat::Incumbent];
const SECONDS: &str = "days since 1970-01-01";

/// A config of these columns (`name: type`), by year and tile, read by a handler.
fn demo(handler: Option<&str>, time: &str, columns: &[(&str, &str)], edit: impl FnOnce(&mut Value)) -> Arc<DatasetConfig> {
    let mut schema = Map::new();
    schema.insert(time.to_owned(), json!({"type": "timestamp[ns]"}));
    schema.insert("LATITUDE".to_owned(), json!({"type": "double"}));
    schema.insert("LONGITUDE".to_owned(), json!({"type": "double"}));
    schema.extend(columns.iter().map(|(name, kind)| ((*name).to_owned(), json!({"type": kind}))));
    let mut value = json!({
        "dataset_name": "demo",
        "cloud_optimised_format": "parquet",
        "metadata_uuid": null,
        "handler_class": handler,
        "run_settings": {"paths": [{"s3_uri": "s3://archive/demo/"}]},
        "schema": schema,
        "schema_transformation": {
            "drop_variables": [],
            "add_variables": {
                "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}},
                "polygon": {"source": "@partitioning:spatial_extent", "schema": {"type": "string", "units": "1"}}
            },
            "partitioning": [
                {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": time, "partition_period": "Y"}},
                {"source_variable": "polygon", "type": "spatial_extent", "spatial_extent": {"lat_varname": "LATITUDE", "lon_varname": "LONGITUDE", "spatial_resolution": 90}}
            ],
            "global_attributes": {}
        }
    });
    edit(&mut value);
    config(&value.to_string())
}

type Converted = Result<(FileReport, Vec<ConvertedObject>), FileError>;

fn convert(config: &Arc<DatasetConfig>, compat: Compat, name: &str, file: &Fake) -> Converted {
    converted(&conversion(config, compat), name, &OpenFile::new(Box::new(file.clone()), 1 << 20), Allowance::UNBOUNDED)
}

fn values(config: &Arc<DatasetConfig>, compat: Compat, name: &str, file: &Fake, columns: &[&str]) -> Vec<String> {
    let (_, objects) = convert(config, compat, name, file).unwrap();
    columns.iter().map(|c| column(&objects, c).join(" ")).collect()
}

fn refused(config: &Arc<DatasetConfig>, compat: Compat, name: &str, file: &Fake) -> (Reason, String) {
    let error = convert(config, compat, name, file).unwrap_err();
    (error.reason(), error.to_string())
}

const ARGO: &[(&str, &str)] =
    &[("PLATFORM_NUMBER", "string"), ("PRES", "float"), ("PRES_QC", "string"), ("HISTORY_ACTION", "string"), ("DATA_TYPE", "string")];

fn argo() -> Arc<DatasetConfig> {
    demo(Some("ArgoHandler"), "JULD", ARGO, |config| {
        config["schema_transformation"]["partitioning"].as_array_mut().unwrap().insert(1, json!({"source_variable": "PLATFORM_NUMBER"}));
    })
}

/// Two profiles of three levels; the last level of the second is padding.
fn profiles(juld: Vec<f64>, platforms: &[u8; 16]) -> Fake {
    let (p, l) = ("N_PROF=2", "N_LEVELS=3");
    Fake::default()
        .variable("DATA_TYPE", &["STRING16=16"], Values::Char(b"Argo profile    ".to_vec()))
        .variable("PLATFORM_NUMBER", &[p, "STRING8=8"], Values::Char(platforms.to_vec()))
        .variable("JULD", &[p], Values::F64(juld))
        .units(SECONDS)
        .with("_FillValue", Values::F64(vec![999_999.0]))
        .variable("LATITUDE", &[p], Values::F64(vec![-10.0, -11.0]))
        .variable("LONGITUDE", &[p], Values::F64(vec![150.0, 151.0]))
        .variable("PRES", &[p, l], Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 99_999.0]))
        .with("_FillValue", Values::F32(vec![99_999.0]))
        .variable("PRES_QC", &[p, l], Values::Char(b"1111 4".to_vec()))
        .with("_FillValue", Values::Char(b" ".to_vec()))
        .variable("HISTORY_ACTION", &["N_HISTORY=5", p, "STRING4=4"], Values::Char(vec![b'x'; 40]))
}

#[test]
fn argo_repeats_profile_values_over_levels_and_keeps_the_padding() {
    for compat in BOTH {
        let file = profiles(vec![10.0, 20.0], b"0001902 2902093 ");
        let got = values(&argo(), compat, "dac/2902093_prof.nc", &file, &["LATITUDE", "PRES", "PRES_QC", "HISTORY_ACTION", "DATA_TYPE"]);
        assert_eq!(got, ["-10.0 -10.0 -10.0 -11.0 -11.0 -11.0", "1.0 2.0 3.0 4.0 5.0 -", "1 1 1 1 - 4", "- - - - - -", "- - - - - -"]);
        let (_, objects) = convert(&argo(), compat, "x_prof.nc", &file).unwrap();
        let folders: Vec<&str> = objects.iter().map(|o| o.key.split('/').nth(1).unwrap()).collect();
        assert_eq!(folders, ["PLATFORM_NUMBER=1902", "PLATFORM_NUMBER=2902093"], "leading zeros go");
    }
}

#[test]
fn argo_leaves_out_profiles_without_a_time() {
    let (report, objects) = convert(&argo(), Compat::Fixed, "x_prof.nc", &profiles(vec![999_999.0, 20.0], b"2902093 2902093 ")).unwrap();
    assert_eq!((report.rows, report.rows_left_out.get(&Reason::BadRowTime)), (3, Some(&3)));
    assert_eq!(column(&objects, "PRES"), ["4.0", "5.0", "-"]);
}

#[test]
fn argo_refuses_what_is_no_profile_file() {
    let file = profiles(vec![10.0, 20.0], b"2902093 2902093 ");
    let (reason, message) = refused(&argo(), Compat::Fixed, "2902093_traj.nc", &file);
    assert!(reason == Reason::UnreadableFile && message.contains("_prof.nc"), "{message}");
    let (reason, message) = refused(&argo(), Compat::Fixed, "x_prof.nc", &profiles(vec![10.0, 20.0], b"2902093         "));
    assert!(reason == Reason::CastFailed && message.contains("PLATFORM_NUMBER") && message.contains("profile 1"), "{message}");
    let (_, message) =
        refused(&argo(), Compat::Fixed, "x_prof.nc", &Fake::default().variable("JULD", &["N_PROF=1"], Values::F64(vec![1.0])));
    assert!(message.contains("N_LEVELS"), "{message}");
}

/// Coordinates (`coordinates` attributes, dimension variables) are not data to the incumbent's reader.
#[test]
fn argo_does_not_take_coordinates() {
    // That the file lacks one of them changes nothing for the others.
    for list in ["PRES JULD", "NO_VARIABLE JULD"] {
        let file = profiles(vec![10.0, 20.0], b"2902093 2902093 ")
            .variable("PSAL", &["N_PROF=2", "N_LEVELS=3"], Values::F32(vec![0.0; 6]))
            .with("coordinates", text(list));
        let (reason, message) = refused(&argo(), Compat::Incumbent, "x_prof.nc", &file);
        assert!(reason == Reason::BadTime && message.contains("JULD"), "{message}");
    }
}

const HOURLY: &[(&str, &str)] =
    &[("TEMP", "float"), ("instrument_index", "int32"), ("instrument_id", "string"), ("NOMINAL_DEPTH", "float")];

fn hourly(index: Vec<i32>) -> Fake {
    let (o, i) = ("OBSERVATION=3", "INSTRUMENT=2");
    Fake::default()
        .variable("TIME", &[o], Values::F64(vec![1.0, 2.0, 3.0]))
        .units(SECONDS)
        .variable("TEMP", &[o], Values::F32(vec![10.0, 11.0, 12.0]))
        .variable("instrument_index", &[o], Values::I32(index))
        .variable("instrument_id", &[i, "strlen=4"], Values::Char(b"ab  \0\0\0\0".to_vec()))
        .with("_FillValue", Values::Char(Vec::new()))
        .variable("LATITUDE", &[i], Values::F64(vec![-30.0, -31.0]))
        .variable("LONGITUDE", &[i], Values::F64(vec![150.0, 151.0]))
        .variable("NOMINAL_DEPTH", &[i], Values::F32(vec![5.0, 50.0]))
}

#[test]
fn hourly_series_are_joined_with_their_instruments() {
    let config = demo(Some("AnmnHourlyTsHandler"), "TIME", HOURLY, |_| {});
    for (compat, missing) in [(Compat::Fixed, "-"), (Compat::Incumbent, "nan")] {
        let got = values(&config, compat, "x.nc", &hourly(vec![1, 0, 1]), &["TEMP", "LATITUDE", "NOMINAL_DEPTH", "instrument_id"]);
        let ids = format!("{missing} ab   {missing}");
        assert_eq!(got, ["10.0 11.0 12.0", "-31.0 -30.0 -31.0", "50.0 5.0 50.0", ids.as_str()]);
    }
}

#[test]
fn an_instrument_that_is_not_there_fails_the_file_or_loses_its_rows() {
    let config = demo(Some("AnmnHourlyTsHandler"), "TIME", HOURLY, |_| {});
    let (reason, message) = refused(&config, Compat::Fixed, "x.nc", &hourly(vec![0, 2, 1]));
    assert_eq!(reason, Reason::RaggedMismatch);
    assert!(message.contains("instrument_index") && message.contains("value 1 is 2"), "{message}");
    let (report, _) = convert(&config, Compat::Incumbent, "x.nc", &hourly(vec![0, 2, 1])).unwrap();
    assert_eq!(report.rows_left_out.get(&Reason::BadRowPosition), Some(&1), "its position is missing");
    let both = hourly(vec![0, 1, 0]).variable("X", &["OBSERVATION=3", "INSTRUMENT=2"], Values::F32(vec![0.0; 6]));
    assert!(refused(&config, Compat::Fixed, "x.nc", &both).1.contains("both OBSERVATION and INSTRUMENT"));
    let other = hourly(vec![0, 1, 0]).variable("X", &["Z=2"], Values::F32(vec![0.0; 2]));
    assert!(refused(&config, Compat::Fixed, "x.nc", &other).1.contains("\"Z\""));
}

const SPECTRA: &[(&str, &str)] = &[
    ("DEPTH", "float"),
    ("station_name", "string"),
    ("ag", "float"),
    ("chl", "float"),
    ("wavelength", "float"),
    ("station_index", "int32"),
];

fn spectra(sizes: Vec<i32>) -> Fake {
    let (s, p, o, w) = ("station=2", "profile=2", "obs=3", "wavelength=2");
    Fake::default()
        .variable("TIME", &[p], Values::F64(vec![1.0, 2.0]))
        .units(SECONDS)
        .variable("LATITUDE", &[s], Values::F64(vec![-30.0, -31.0]))
        .variable("LONGITUDE", &[s], Values::F64(vec![150.0, 151.0]))
        .variable("station_name", &[s, "name_strlen=4"], Values::Char(b"one two ".to_vec()))
        .variable("station_index", &[p], Values::I32(vec![2, 1]))
        .variable("row_size", &[p], Values::I32(sizes))
        .variable("DEPTH", &[o], Values::F32(vec![0.0, 5.0, 0.0]))
        .variable("chl", &[o], Values::F32(vec![0.1, 0.2, 0.3]))
        .variable("wavelength", &[w], Values::F32(vec![400.0, 500.0]))
        .variable("ag", &[o, w], Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
}

fn bodbaw(flatten: bool) -> Arc<DatasetConfig> {
    demo(Some("BODBAWHandler"), "TIME", SPECTRA, |config| config["netcdf_read_config"] = json!({"spectral_flatten": flatten}))
}

#[test]
fn samples_have_the_profile_of_the_counts_and_the_station_of_the_profile() {
    for compat in BOTH {
        let got = values(
            &bodbaw(false),
            compat,
            "x.nc",
            &spectra(vec![2, 1]),
            &["DEPTH", "LATITUDE", "station_name", "chl", "ag", "station_index"],
        );
        assert_eq!(got, ["0.0 5.0 0.0", "-31.0 -31.0 -30.0", "two two one", "0.1 0.2 0.3", "- - -", "- - -"]);
    }
}

#[test]
fn spectra_are_flattened_with_the_wavelength_fastest() {
    for compat in BOTH {
        let got = values(&bodbaw(true), compat, "x.nc", &spectra(vec![2, 1]), &["chl", "wavelength", "ag", "station_name"]);
        assert_eq!(
            got,
            ["0.1 0.1 0.2 0.2 0.3 0.3", "400.0 500.0 400.0 500.0 400.0 500.0", "1.0 2.0 3.0 4.0 5.0 6.0", "two two two two one one"]
        );
    }
}

#[test]
fn counts_that_do_not_add_up_are_mended_as_the_incumbent_does_it_and_said() {
    for sizes in [vec![2, 2], vec![5, 1], vec![-1, 1], vec![1, 1]] {
        for compat in BOTH {
            let (report, _) = convert(&bodbaw(false), compat, "x.nc", &spectra(sizes.clone())).unwrap();
            let said = |note: &String| note.starts_with("RaggedMismatch") && note.contains("row_size");
            assert!(report.rows == 3 && report.notes.iter().any(said), "{report:?}");
        }
    }
    let got = values(&bodbaw(false), Compat::Incumbent, "x.nc", &spectra(vec![-1, 1]), &["station_name"]);
    assert_eq!(got, ["one one one"], "the last profile takes the rest");
}

/// The incumbent rebuilds the table without its attributes.
#[test]
fn attributes_of_spectra_are_lost_only_to_the_incumbent() {
    let config = demo(Some("BODBAWHandler"), "TIME", SPECTRA, |config| {
        let added = json!({"source": "@global_attribute:cruise", "schema": {"type": "string", "units": "1"}});
        config["schema_transformation"]["add_variables"]["cruise"] = added;
    });
    let file = spectra(vec![2, 1]).global("cruise", text("SS2010"));
    assert_eq!(values(&config, Compat::Fixed, "x.nc", &file, &["cruise"]), ["SS2010 SS2010 SS2010"]);
    assert_eq!(values(&config, Compat::Incumbent, "x.nc", &file, &["cruise"]), ["- - -"]);
}

const TRAJECTORY: &[(&str, &str)] = &[("TEMP", "float"), ("trip", "string"), ("count", "int32")];

/// CF 9.3.3: counts on the instances name the sample dimension.
fn contiguous(counts: Vec<i32>) -> Fake {
    let (o, t) = ("obs=4", "trajectory=2");
    Fake::default()
        .variable("count", &[t], Values::I32(counts))
        .with("sample_dimension", text("obs"))
        .variable("trip", &[t, "strlen=2"], Values::Char(b"AABB".to_vec()))
        .variable("TIME", &[o], Values::F64(vec![1.0, 2.0, 3.0, 4.0]))
        .units(SECONDS)
        .variable("LATITUDE", &[o], Values::F64(vec![-30.0; 4]))
        .variable("LONGITUDE", &[o], Values::F64(vec![150.0; 4]))
        .variable("TEMP", &[o], Values::F32(vec![1.0, 2.0, 3.0, 4.0]))
}

#[test]
fn a_contiguous_ragged_array_gives_each_sample_its_instance() {
    let config = demo(None, "TIME", TRAJECTORY, |_| {});
    let got = values(&config, Compat::Fixed, "x.nc", &contiguous(vec![1, 3]), &["trip", "count", "TEMP"]);
    assert_eq!(got, ["AA BB BB BB", "1 3 3 3", "1.0 2.0 3.0 4.0"]);
    let (report, _) = convert(&config, Compat::Incumbent, "x.nc", &contiguous(vec![1, 3])).unwrap();
    assert_eq!(report.rows, 8, "the incumbent multiplies samples and instances");
    let (reason, message) = refused(&config, Compat::Fixed, "x.nc", &contiguous(vec![1, 4]));
    assert!(reason == Reason::RaggedMismatch && message.contains("\"count\"") && message.contains("add up to 5"), "{message}");
}

/// CF 9.3.4: indices on the samples name the instance dimension.
fn indexed(indices: Vec<i32>) -> Fake {
    let (o, s) = ("obs=3", "station=2");
    Fake::default()
        .variable("index", &[o], Values::I32(indices))
        .with("instance_dimension", text("station"))
        .with("_FillValue", Values::I32(vec![-1]))
        .variable("trip", &[s], Values::Text(vec!["A".into(), "B".into()]))
        .variable("LATITUDE", &[s], Values::F64(vec![-30.0, -31.0]))
        .variable("LONGITUDE", &[s], Values::F64(vec![150.0, 151.0]))
        .variable("TIME", &[o], Values::F64(vec![1.0, 2.0, 3.0]))
        .units(SECONDS)
        .variable("TEMP", &[o], Values::F32(vec![1.0, 2.0, 3.0]))
}

#[test]
fn an_indexed_ragged_array_finds_the_instance_of_each_sample() {
    let config = demo(None, "TIME", TRAJECTORY, |_| {});
    let got = values(&config, Compat::Fixed, "x.nc", &indexed(vec![1, 0, 1]), &["trip", "LATITUDE", "TEMP"]);
    assert_eq!(got, ["B A B", "-31.0 -30.0 -31.0", "1.0 2.0 3.0"]);
    let (report, _) = convert(&config, Compat::Fixed, "x.nc", &indexed(vec![1, -1, 0])).unwrap();
    assert_eq!(
        (report.rows, report.rows_left_out.get(&Reason::BadRowPosition)),
        (2, Some(&1)),
        "a sample without a station has no position"
    );
    let (reason, message) = refused(&config, Compat::Fixed, "x.nc", &indexed(vec![0, 7, 0]));
    assert!(reason == Reason::RaggedMismatch && message.contains("\"index\"") && message.contains("value 1 is 7"), "{message}");
}

/// CF 9.3.3 and 9.3.4 together: profiles of stations, samples of profiles.
#[test]
fn instances_of_instances_are_found_through_both_steps() {
    let file = Fake::default()
        .variable("count", &["profile=3"], Values::I32(vec![1, 0, 2]))
        .with("sample_dimension", text("obs"))
        .variable("index", &["profile=3"], Values::I32(vec![1, 0, 0]))
        .with("instance_dimension", text("station"))
        .variable("TIME", &["profile=3"], Values::F64(vec![1.0, 2.0, 3.0]))
        .units(SECONDS)
        .variable("trip", &["station=2"], Values::Text(vec!["A".into(), "B".into()]))
        .variable("LATITUDE", &["station=2"], Values::F64(vec![-30.0, -31.0]))
        .variable("LONGITUDE", &["station=2"], Values::F64(vec![150.0, 151.0]))
        .variable("TEMP", &["obs=3"], Values::F32(vec![1.0, 2.0, 3.0]));
    let config = demo(None, "TIME", TRAJECTORY, |_| {});
    let (_, objects) = convert(&config, Compat::Fixed, "x.nc", &file).unwrap();
    assert_eq!(column(&objects, "trip"), ["B", "A", "A"]);
    assert_eq!(column(&objects, "LATITUDE"), ["-31.0", "-30.0", "-30.0"]);
    assert_eq!(column(&objects, "TIME"), ["1970-01-02T00:00:00", "1970-01-04T00:00:00", "1970-01-04T00:00:00"]);
}

#[test]
fn ragged_arrays_go_in_slabs_too() {
    let samples = 40_000usize;
    let profiles = 200usize;
    let (o, p) = (format!("obs={samples}"), format!("profile={profiles}"));
    let file = Fake::default()
        .variable("count", &[&p], Values::I32(vec![(samples / profiles) as i32; profiles]))
        .with("sample_dimension", text("obs"))
        .variable("TIME", &[&p], Values::F64((0..profiles).map(|i| i as f64 * 9.0).collect()))
        .units(SECONDS)
        .variable("LATITUDE", &[&p], Values::F64(vec![-30.0; profiles]))
        .variable("LONGITUDE", &[&p], Values::F64(vec![150.0; profiles]))
        .variable("TEMP", &[&o], Values::F32((0..samples).map(|i| i as f32).collect()));
    let config = demo(None, "TIME", TRAJECTORY, |_| {});
    let convert = |bytes| {
        let (report, mut objects) = convert_fake_with(&config, Compat::Fixed, &file, Allowance::new(bytes, 1)).unwrap();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        let temperatures = column(&objects, "TEMP");
        (report, objects.iter().map(convert_support::body).collect::<Vec<_>>(), temperatures)
    };
    let (whole, parts) = (convert(u64::MAX), convert(2 << 20));
    assert_eq!(whole.2.len(), samples);
    assert!(whole == parts);
}

/// The stations are read with the first slab; only the last one has a sample without any.
#[test]
fn a_gap_that_only_a_later_slab_has_is_a_null_there() {
    let (samples, stations) = (40_000usize, 50usize);
    let (o, s) = (format!("obs={samples}"), format!("station={stations}"));
    let index = |i: usize| if i == samples - 1 { -1 } else { (i * stations / samples) as i32 };
    let file = Fake::default()
        .variable("index", &[&o], Values::I32((0..samples).map(index).collect()))
        .with("instance_dimension", text("station"))
        .with("_FillValue", Values::I32(vec![-1]))
        .variable("trip", &[&s], Values::Text((0..stations).map(|i| format!("trip {i}")).collect()))
        .variable("TIME", &[&o], Values::F64((0..samples).map(|i| i as f64 / 2_000.0).collect()))
        .units(SECONDS)
        .variable("LATITUDE", &[], Values::F64(vec![-30.0]))
        .variable("LONGITUDE", &[], Values::F64(vec![150.0]))
        .variable("TEMP", &[&o], Values::F32((0..samples).map(|i| i as f32).collect()));
    let config = demo(None, "TIME", TRAJECTORY, |_| {});
    let convert = |bytes| {
        let (_, mut objects) = convert_fake_with(&config, Compat::Fixed, &file, Allowance::new(bytes, 1)).unwrap();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        objects.iter().flat_map(|object| column(std::slice::from_ref(object), "trip")).collect::<Vec<_>>()
    };
    let (whole, parts) = (convert(u64::MAX), convert(2 << 20));
    assert_eq!((whole.len(), whole[0].as_str(), whole[samples - 1].as_str()), (samples, "trip 0", "-"));
    assert!(whole == parts);
}

/// Tags are read with an index that then becomes a column: it is not held against the current year, and a zoned one
/// may have no gaps.
#[test]
fn the_time_of_tags_is_a_column_to_the_incumbent() {
    let config = demo(Some("AatamsSatelliteTaggingHandler"), "d_date", &[("ref", "string")], |config| {
        config["csv_config"] = json!({"pandas_read_csv_config": {"index_col": "d_date", "parse_dates": ["d_date"]}});
    });
    let convert = |compat, times: [&str; 2]| {
        let text = times.map(|time| format!("ct1,{time},-40,147\n")).concat();
        convert_support::convert(&conversion(&config, compat), "x.csv", format!("ref,d_date,LATITUDE,LONGITUDE\n{text}").into_bytes())
    };
    let later = ["2020-01-01 00:00:00", "2039-01-01 00:00:00"];
    assert_eq!(convert(Compat::Incumbent, later).unwrap().0.rows, 2);
    let (report, _) = convert(Compat::Fixed, later).unwrap();
    assert_eq!((report.rows, report.rows_left_out.get(&Reason::BadRowTime)), (1, Some(&1)));
    let zoned = ["2020-01-01T00:00:00Z", ""];
    let error = convert(Compat::Incumbent, zoned).unwrap_err();
    assert!(error.reason() == Reason::BadTime && error.to_string().contains("missing values"), "{error}");
    assert_eq!(convert(Compat::Fixed, zoned).unwrap().0.rows, 1);
}
