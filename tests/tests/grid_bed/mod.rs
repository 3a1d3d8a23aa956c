//! A grid driven stage by stage, held against the model after every run.

#![allow(dead_code)] // each suite uses a part of it

pub mod altered;
pub mod history;
pub mod journeys;
pub mod model;
pub mod regrid;
pub mod sorted;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use converter::zarr::{Attr, Attributes, Fill, ZATTRS, chunk_indices, chunk_key, parse_attributes};
use crds::resource::CloudOptimisedDataset;
use crds::wire::{Compat, Digest, OnSourceDelete};
use futures::TryStreamExt;
use serde_json::{Value, json};
use tests::fixtures::{Slice, draft};

use super::bed::Bed;
use model::{Expected, Kind, Model, Row, Version};
use store::Found;

/// Microseconds.
const DAY: i64 = 86_400_000_000;

/// What a bed puts where it is asked for a file of so many rows.
pub fn sample(path: &Path, month: u32, rows: usize) -> Result<()> {
    let times: Vec<i64> = (0..rows as i64).map(|row| (i64::from(month) * 30 + row) * DAY).collect();
    Slice::new(&times, u64::from(month)).write(path)
}

/// The knobs of a dataset.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    pub latitudes: usize,
    pub longitudes: usize,
    /// Chunk lengths along time, latitude and longitude.
    pub chunks: [u64; 3],
    pub removing: bool,
    pub sorted: bool,
    pub max_files: u32,
    pub incumbent: bool,
    /// Those of the files that the config asks for, beside TEMP.
    pub others: &'static [&'static str],
}

/// All variables that files have beside TEMP.
pub const OTHERS: [&str; 5] = ["COUNT", "DEPTH", "EXTRA", "NOTE", "SPEED"];

impl Default for Knobs {
    fn default() -> Self {
        Self {
            latitudes: 2,
            longitudes: 3,
            chunks: [3, 2, 2],
            removing: false,
            sorted: false,
            max_files: 2,
            incumbent: false,
            others: &OTHERS,
        }
    }
}

impl Knobs {
    fn config(&self) -> Value {
        let [time, latitude, longitude] = self.chunks;
        let everywhere = json!(["TIME", "LATITUDE", "LONGITUDE"]);
        let mut config = json!({
            "dataset_name": "grid_model", "cloud_optimised_format": "zarr", "metadata_uuid": null,
            "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://archive/grids/", "filter": []}]},
            "schema": {
                "TIME": {"type": "timestamp[ns]"}, "LATITUDE": {"type": "double"}, "LONGITUDE": {"type": "double"},
                "TEMP": {"type": "float32", "dims": everywhere}, "SPEED": {"type": "double", "dims": everywhere},
                "COUNT": {"type": "int32", "dims": everywhere}, "EXTRA": {"type": "float32", "dims": everywhere},
                "DEPTH": {"type": "double", "dims": ["LATITUDE", "LONGITUDE"]}, "NOTE": {"type": "object", "dims": ["TIME", "LATITUDE"]}
            },
            "schema_transformation": {
                "dimensions": {
                    "time": {"name": "TIME", "chunk": time, "append_dim": true},
                    "latitude": {"name": "LATITUDE", "chunk": latitude}, "longitude": {"name": "LONGITUDE", "chunk": longitude}
                },
                "var_template_shape": "TEMP",
                "add_variables": {"filename": {"source": "@filename", "schema": {"type": "object", "units": "1", "dimensions": "TIME"}}}
            }
        });
        if let Some(schema) = config["schema"].as_object_mut() {
            schema.retain(|name, _| !OTHERS.contains(&name.as_str()) || self.others.contains(&name.as_str()));
        }
        config
    }

    pub fn change(&self, resource: &mut CloudOptimisedDataset) {
        resource.spec.config = Some(Value::String(self.config().to_string()));
        resource.spec.max_withdrawn_percent = Some(100);
        resource.spec.failure_budget = None;
        resource.spec.compat = self.incumbent.then_some(Compat::Incumbent);
        resource.spec.on_source_delete = self.removing.then_some(OnSourceDelete::Remove);
        resource.spec.keep_sorted = Some(self.sorted);
        resource.spec.batching.get_or_insert_default().max_files = Some(self.max_files);
    }
}

/// A dataset, its source, and what the rules make of it.
pub struct GridBed {
    pub bed: Bed,
    pub knobs: Knobs,
    pub model: Model,
    /// The source as it is.
    pub source: BTreeMap<String, Version>,
    versions: u64,
    runs: u64,
}

impl GridBed {
    pub fn new(knobs: Knobs) -> Result<Self> {
        Ok(Self::of(Bed::with(|resource| knobs.change(resource))?, knobs))
    }

    /// The same with another destination than a folder, for what is seen in the books and the objects.
    pub fn on(destination: String, knobs: Knobs) -> Result<Self> {
        Ok(Self::of(Bed::on(tempfile::tempdir()?, destination, |resource| knobs.change(resource))?, knobs))
    }

    fn of(bed: Bed, knobs: Knobs) -> Self {
        Self { bed, knobs, model: Model::new(knobs.removing, knobs.sorted), source: BTreeMap::new(), versions: 0, runs: 0 }
    }

    /// The same dataset with other chunks, and a token that asks to write it anew.
    pub fn rebuild(&mut self, chunks: [u64; 3], token: &str) -> Result<()> {
        self.knobs.chunks = chunks;
        let knobs = self.knobs;
        self.bed.respecify(|resource| {
            knobs.change(resource);
            resource.spec.rebuild = Some(token.to_owned());
        })
    }

    pub fn folder(&self) -> PathBuf {
        self.bed.out().join("grid_model.zarr")
    }

    /// The name of the next run.
    pub fn next_run(&mut self) -> String {
        self.runs += 1;
        format!("run-{}", self.runs)
    }

    /// A slice of this dataset's grid.
    pub fn slice(&self, times: &[i64], seed: u64) -> Slice {
        let (latitudes, longitudes) = (self.knobs.latitudes, self.knobs.longitudes);
        Slice { latitudes, longitudes, notes: self.knobs.others.contains(&"NOTE"), ..Slice::new(times, seed) }
    }

    /// Puts a new version of a file into the source.
    pub fn put(&mut self, key: &str, slice: Slice, kind: Kind, modified: i64) -> Result<()> {
        self.versions += 1;
        let version = Version { number: self.versions, modified, slice, kind };
        self.write(key, &version)?;
        self.source.insert(key.to_owned(), version);
        Ok(())
    }

    /// Puts back a version that was there before, with its old date.
    pub fn restore(&mut self, key: &str, version: Version) -> Result<()> {
        self.write(key, &version)?;
        self.source.insert(key.to_owned(), version);
        Ok(())
    }

    pub fn withdraw(&mut self, key: &str) -> Result<()> {
        self.source.remove(key);
        self.bed.remove(key)
    }

    fn write(&self, key: &str, version: &Version) -> Result<()> {
        let path = self.bed.archive().join(key);
        let slice = &version.slice;
        match version.kind {
            Kind::Texts => draft::write(&path, &slice.with_texts())?,
            Kind::Shifted => {
                let mut made = slice.draft();
                made.at("LATITUDE").values = (0..slice.latitudes).map(|y| Slice::latitude(y) + 0.1).collect::<Vec<f64>>().into();
                draft::write(&path, &made)?;
            }
            Kind::Reversed => draft::write(&path, slice.draft().reverse("LATITUDE"))?,
            Kind::Good | Kind::Cut => slice.write(&path)?,
        }
        if version.kind == Kind::Cut {
            let bytes = std::fs::read(&path)?;
            std::fs::write(&path, &bytes[..bytes.len() / 2])?;
        }
        // The microseconds make each version another one, the milliseconds say which is newer.
        let since = Duration::from_millis(version.modified.unsigned_abs()) + Duration::from_micros(version.number % 1_000);
        Ok(File::options().write(true).open(path)?.set_modified(SystemTime::UNIX_EPOCH + since)?)
    }

    /// A whole run that nothing disturbs.
    pub async fn run(&mut self) -> Result<Expected> {
        let run = self.next_run();
        let digest = self.bed.attempt(&run, 0, converter::failpoint::FailPoints::none()).await?;
        let expected = self.model.run(&self.source, &BTreeSet::new());
        self.check(&digest, &expected).await?;
        Ok(expected)
    }

    /// A run over what the last one saw: nothing is staged and nothing changes.
    pub async fn idle(&mut self) -> Result<()> {
        let before = self.bed.objects().await?;
        let state = self.bed.head().await?.grid;
        let expected = self.run().await?;
        ensure!(expected.files.processed == 0, "the model sees work: {expected:?}");
        ensure!(before == self.bed.objects().await?, "an idle run changed objects");
        ensure!(state == self.bed.head().await?.grid, "an idle run wrote the grid's state again");
        Ok(())
    }

    /// Books and store are what the model says.
    pub async fn check(&self, digest: &Digest, expected: &Expected) -> Result<()> {
        let Digest::Commit { files, totals, run, .. } = digest else { anyhow::bail!("{digest:?} is no commit") };
        ensure!(files.balanced(), "{files:?} does not add up");
        ensure!(*files == expected.files, "the run tells {files:?}\nthe model      {:?}", expected.files);
        let head = self.bed.head().await?;
        ensure!(head.pending.is_none(), "effects are pending after the commit");
        ensure!(head.totals == *totals, "head and digest have other totals");
        let with_rows = self.model.rows.iter().filter(|row| row.owner.is_some()).count() as u64;
        let masked = self.model.rows.len() as u64 - with_rows;
        let told = [totals.processed, totals.failed, totals.skipped, totals.withdrawn, totals.rows, totals.rows_masked];
        let right = [files.processed + files.unchanged, files.failed, files.skipped, expected.kept, with_rows, masked];
        ensure!(told == right, "totals (processed, failed, skipped, withdrawn, rows, masked): {told:?}, the model {right:?}");
        let context = self.bed.context(run, 0, converter::failpoint::FailPoints::none())?;
        let left: Vec<_> = context.destination.list(&context.layout.staged_all(run)).try_collect().await?;
        ensure!(left.is_empty(), "left behind: {left:?}");
        self.check_store()
    }

    pub fn check_store(&self) -> Result<()> {
        let rows = &self.model.rows;
        if rows.is_empty() {
            ensure!(!self.folder().exists(), "a store without rows");
            return Ok(());
        }
        let arrays = store::read(&self.folder())?;
        let found = |name: &str| arrays.get(name).with_context(|| format!("no array {name}"));
        let all = BTreeSet::from(["LATITUDE", "LONGITUDE", "TEMP", "TIME", "filename"]);
        let all: BTreeSet<&str> = all.into_iter().chain(self.knobs.others.iter().copied()).collect();
        ensure!(arrays.keys().eq(&all), "arrays {:?}", arrays.keys());
        // The incumbent says none.
        if !self.knobs.incumbent {
            self.check_coverage()?;
        }
        let (ny, nx) = (self.knobs.latitudes, self.knobs.longitudes);
        let names: Vec<String> = rows.iter().map(basename).collect();
        ensure!(found("filename")?.texts() == names, "filename is {:?}, the model has {names:?}", found("filename")?.texts());
        let times: Vec<f64> = rows.iter().map(|row| row.time as f64).collect();
        let clock = Self::clock(found("TIME")?)?;
        let told: Vec<f64> = found("TIME")?.numbers().iter().map(|&number| clock(number)).collect();
        let same = told.len() == times.len() && told.iter().zip(&times).all(|(told, time)| (told - time).abs() < 10.0);
        ensure!(same, "TIME is {told:?}, the model has {times:?}");
        let field = |value: &dyn Fn(&Slice, i64, usize, usize) -> f64, nothing: f64| -> Vec<f64> {
            let of = |row: &Row, y, x| row.owner.as_ref().map_or(nothing, |(_, version)| value(&version.slice, row.at, y, x));
            rows.iter().flat_map(|row| (0..ny).flat_map(move |y| (0..nx).map(move |x| of(row, y, x)))).collect()
        };
        let here = [rows.len() as u64, ny as u64, nx as u64];
        let everywhere = ["TIME", "LATITUDE", "LONGITUDE"];
        let nan = f64::NAN;
        let asked = |name: &str| self.knobs.others.contains(&name);
        hold(found("TEMP")?, &everywhere, &here, &field(&Slice::temp, nan)).context("TEMP")?;
        if asked("SPEED") {
            hold(found("SPEED")?, &everywhere, &here, &field(&Slice::speed, nan)).context("SPEED")?;
        }
        if asked("EXTRA") {
            hold(found("EXTRA")?, &everywhere, &here, &field(&Slice::extra, nan)).context("EXTRA")?;
        }
        if asked("COUNT") {
            let count = field(&|slice, time, y, x| slice.count(time, y, x).into(), i32::MIN.into());
            hold(found("COUNT")?, &everywhere, &here, &count).context("COUNT")?;
        }
        if asked("NOTE") {
            let note = |row: &Row, y| row.owner.as_ref().map_or_else(String::new, |(_, version)| version.slice.note(row.at, y));
            let notes: Vec<String> = rows.iter().flat_map(|row| (0..ny).map(move |y| note(row, y))).collect();
            hold_texts(found("NOTE")?, &everywhere[..2], &here[..2], &notes).context("NOTE")?;
        }
        if asked("DEPTH") {
            let depth: Vec<f64> = (0..ny).flat_map(|y| (0..nx).map(move |x| Slice::depth(y, x))).collect();
            hold(found("DEPTH")?, &everywhere[1..], &here[1..], &depth).context("DEPTH")?;
        }
        hold(found("LATITUDE")?, &everywhere[1..2], &here[1..2], &(0..ny).map(Slice::latitude).collect::<Vec<_>>()).context("LATITUDE")?;
        hold(found("LONGITUDE")?, &everywhere[2..], &here[2..], &(0..nx).map(Slice::longitude).collect::<Vec<_>>()).context("LONGITUDE")
    }

    /// The group's attributes.
    pub fn attributes(&self) -> Result<Attributes> {
        Ok(parse_attributes(&std::fs::read(self.folder().join(ZATTRS))?)?)
    }

    /// The attributes say what the rows that are not masked cover, and where the grid lies.
    fn check_coverage(&self) -> Result<()> {
        let attributes = self.attributes()?;
        let times = || self.model.rows.iter().filter(|row| row.owner.is_some()).map(|row| row.time);
        for (name, time) in [("time_coverage_start", times().min()), ("time_coverage_end", times().max())] {
            let told = attributes.get(name).and_then(Attr::as_text);
            let told = told.map(|text| Ok::<_, jiff::Error>(text.parse::<jiff::Timestamp>()?.as_microsecond())).transpose()?;
            // To the millisecond.
            let same = told.is_none() == time.is_none() && told.zip(time).is_none_or(|(told, time)| (told - time).abs() <= 510);
            ensure!(same, "{name} is {told:?}, the model has {time:?}");
        }
        for (name, position) in [
            ("geospatial_lat_min", Slice::latitude(0)),
            ("geospatial_lat_max", Slice::latitude(self.knobs.latitudes - 1)),
            ("geospatial_lon_min", Slice::longitude(0)),
            ("geospatial_lon_max", Slice::longitude(self.knobs.longitudes - 1)),
        ] {
            ensure!(attributes.get(name) == Some(&Attr::Float(position)), "{name} is {:?} instead of {position}", attributes.get(name));
        }
        Ok(())
    }

    /// Makes microseconds since 1970 of numbers of the store.
    fn clock(times: &Found) -> Result<impl Fn(f64) -> f64 + use<>> {
        let units = times.array.attributes.get("units").and_then(|units| units.as_text()).context("TIME has no units")?;
        let (origin, unit) = match units {
            "days since 1990-01-01 00:00:00" => (631_152_000_000_000.0, 86_400_000_000.0),
            "seconds since 1970-01-01 00:00:00" => (0.0, 1e6),
            other => anyhow::bail!("TIME is in {other:?}"),
        };
        Ok(move |number: f64| number * unit + origin)
    }
}

fn basename(row: &Row) -> String {
    row.owner.as_ref().map(|(key, _)| key.rsplit('/').next().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// An array has these dimensions and texts.
fn hold_texts(found: &Found, dimensions: &[&str], shape: &[u64], expected: &[String]) -> Result<()> {
    ensure!(found.array.dimensions()? == dimensions, "dimensions {:?}", found.array.dimensions()?);
    ensure!(found.array.metadata.shape == shape, "its shape is {:?}, the model has {shape:?}", found.array.metadata.shape);
    ensure!(found.texts() == expected, "its texts are {:?}, the model has {expected:?}", found.texts());
    Ok(())
}

/// An array has these dimensions and values, and no chunk more than it needs.
fn hold(found: &Found, dimensions: &[&str], shape: &[u64], expected: &[f64]) -> Result<()> {
    let metadata = &found.array.metadata;
    ensure!(found.array.dimensions()? == dimensions, "dimensions {:?}", found.array.dimensions()?);
    ensure!(metadata.shape == shape, "its shape is {:?}, the model has {shape:?}", metadata.shape);
    let same = |found: f64, expected: f64| found.total_cmp(&expected).is_eq() || (found.is_nan() && expected.is_nan());
    let differs = found.numbers().iter().zip(expected).position(|(found, expected)| !same(*found, *expected));
    if let Some(at) = differs {
        anyhow::bail!("element {at} of {shape:?} is {}, the model has {}", found.numbers()[at], expected[at]);
    }
    let mut needed = BTreeSet::new();
    for index in chunk_indices(&metadata.grid()) {
        let mut says = metadata.fill == Fill::Null;
        store::each(metadata, &index, |_, to| says |= !expected[to].is_nan());
        if says {
            needed.insert(chunk_key(&index));
        }
    }
    ensure!(found.chunks == needed, "chunks {:?}, needed are {needed:?}", found.chunks);
    Ok(())
}
