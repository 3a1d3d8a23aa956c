//! Random NetCDF files: read as netCDF's C library reads them, bit for bit, and decoded as xarray decodes them.

mod laptop;
mod same;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use arrow_array::{ArrayRef, RecordBatch};
use converter::cf::{self, Rules};
use converter::read;
use crds::wire::Compat;
use parquet::arrow::ArrowWriter;
use serde_json::json;
use tests::fixtures::draft::write_all;
use tests::fixtures::{Cells, Container, Draft, random_file};

/// netCDF's C library is used by one test at a time: HDF5 may give up when two threads are in it.
static C_LIBRARY: Mutex<()> = Mutex::new(());

/// `COD_SEEDS=1000-2000` asks for others.
fn seeds() -> Result<std::ops::Range<u64>> {
    let Ok(text) = std::env::var("COD_SEEDS") else { return Ok(0..120) };
    let (from, to) = text.split_once('-').context("COD_SEEDS is FROM-TO")?;
    Ok(from.parse()?..to.parse()?)
}

fn written(folder: &Path) -> Result<Vec<PathBuf>> {
    let drafts: Vec<(PathBuf, Draft)> = seeds()?.map(|seed| (folder.join(format!("{seed}.nc")), random_file(seed))).collect();
    write_all(&drafts.iter().map(|(path, draft)| (path.as_path(), draft)).collect::<Vec<_>>())?;
    Ok(drafts.into_iter().map(|(path, _)| path).collect())
}

fn stored(path: &Path, array: ArrayRef) -> Result<()> {
    let batch = RecordBatch::try_from_iter_with_nullable([("v", array, true)])?;
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// A file with times of one calendar.
fn of_calendar(calendar: &str, units: &str, values: Cells) -> Draft {
    let mut draft = Draft::new(Container::Netcdf3);
    draft.dimension("TIME", values.len());
    draft.variable("TIME", &["TIME"], values).set("units", units).set("calendar", calendar);
    draft
}

/// What no timestamp can hold is refused by name; Julian dates are those of cftime.
#[test]
fn calendars_are_exact_or_refused() -> Result<()> {
    let _alone = C_LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file.nc");
    let mut lines = Vec::new();
    let units = ["days since 1950-01-01 00:00:00 UTC", "hours since 2000-02-28 12:00:00", "seconds since 1970-01-01"];
    let days: [Cells; 3] = [vec![0.0f64, 0.25, 7_305.123_456_789].into(), vec![0.5f32, 10_000.125].into(), vec![0i32, 59, 20_000].into()];
    for (index, (units, values)) in units.iter().flat_map(|units| days.iter().map(move |values| (units, values))).enumerate() {
        for calendar in ["noleap", "365_day", "all_leap", "366_day", "360_day", "julian", "Gregorian"] {
            write_all(&[(&path, &of_calendar(calendar, units, values.clone()))])?;
            let reader = read::open(bytes::Bytes::from(std::fs::read(&path)?))?;
            let decoded = cf::decode(&reader.variables()[0], reader.read(0)?, None, Rules::from(Compat::Fixed));
            match (calendar, decoded) {
                ("julian" | "Gregorian", decoded) => {
                    let kept = folder.path().join(format!("{index}-{calendar}.nc"));
                    std::fs::copy(&path, &kept)?;
                    let ours = kept.with_extension("parquet");
                    stored(&ours, decoded?.array)?;
                    lines.push(json!({"file": kept, "variable": "TIME", "ours": ours, "error": null}).to_string());
                }
                (_, Ok(decoded)) => anyhow::bail!("{calendar}, {units}: decoded as {:?}", decoded.array),
                (_, Err(error)) => {
                    let text = error.to_string();
                    ensure!(text.contains("TIME") && text.contains(calendar), "{calendar}: {text}");
                }
            }
        }
    }
    let differ = laptop::python("compare_decoded.py", &[], &lines.join("\n"))?;
    ensure!(differ.is_empty(), "{} of {} decoded otherwise: {differ:#?}", differ.len(), lines.len());
    Ok(())
}

/// One test: HDF5 keeps its complaints to itself only on the thread that started it.
#[test]
fn random_files_are_read_and_decoded_like_the_others_do() -> Result<()> {
    let _alone = C_LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir()?;
    let files = written(folder.path())?;
    let mut wrong = Vec::new();
    for path in &files {
        if let Err(error) = same::compare(path) {
            wrong.push(format!("{error:#}"));
        }
    }
    ensure!(wrong.is_empty(), "read otherwise than by the C library:\n{}", wrong.join("\n"));
    let mut lines = Vec::new();
    for path in &files {
        let reader = read::open(bytes::Bytes::from(std::fs::read(path)?))?;
        for (index, variable) in reader.variables().iter().enumerate() {
            let joined = cf::joined_dimension(reader.as_ref(), variable).map(|dimension| dimension.length);
            let places = cf::decoded_dimensions(reader.as_ref(), variable).iter().map(|&d| reader.dimensions()[d].length).product();
            let (raw, joined) = cf::of_some_length(reader.read(index)?, joined, places);
            let decoded = cf::decode(variable, raw, joined, Rules::from(Compat::Fixed));
            let ours = path.with_extension(format!("{index}.parquet"));
            let error = match decoded {
                Ok(decoded) => {
                    stored(&ours, Arc::clone(&decoded.array))?;
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            lines.push(json!({"file": path, "variable": variable.name, "ours": ours, "error": error}).to_string());
        }
    }
    let differ = laptop::python("compare_decoded.py", &[], &lines.join("\n"))?;
    let differ: Vec<String> = differ.iter().map(ToString::to_string).collect();
    ensure!(differ.is_empty(), "{} of {} variables decoded otherwise:\n{}", differ.len(), lines.len(), differ.join("\n"));
    println!("{} variables of {} files", lines.len(), files.len());
    Ok(())
}
