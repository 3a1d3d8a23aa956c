//! Spectra whose files have wavelengths of their own, and a store that has those of the config.

use anyhow::{Context as _, Result, ensure};
use converter::failpoint::FailPoints;
use converter::zarr::{Attr, Dtype};
use crds::wire::{Compat, Digest, Reason};
use serde_json::{Value, json};
use tests::fixtures::Container;
use tests::fixtures::draft::{self, Cells, Draft};

use super::history::days;
use super::store::{self, Found};
use crate::bed::Bed;

const NAN: f64 = f64::NAN;

/// Wavelengths from 400 to 403, by the half.
fn config(target: &Value) -> Value {
    json!({
        "dataset_name": "spectra", "cloud_optimised_format": "zarr", "metadata_uuid": null,
        "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://archive/spectra/", "filter": []}]},
        "schema": {
            "TIME": {"type": "timestamp[ns]"}, "WAVELENGTH": {"type": "double"},
            "LIGHT": {"type": "double"}, "FLAG": {"type": "int32"}, "HUE": {"type": "float32"}
        },
        "schema_transformation": {
            "dimensions": {"time": {"name": "TIME", "chunk": 2, "append_dim": true}, "WAVELENGTH": {"name": "WAVELENGTH", "chunk": 3}},
            "var_template_shape": "LIGHT",
            "target_dimension_grids": {"WAVELENGTH": target, "DEPTH": {"values": [1, 2]}},
        }
    })
}

fn bed(compat: Compat, target: &Value) -> Result<Bed> {
    Bed::with(|resource| {
        resource.spec.config = Some(Value::String(config(target).to_string()));
        resource.spec.compat = Some(compat);
        resource.spec.failure_budget = None;
    })
}

fn halves() -> Value {
    json!({"min": 400, "max": 403, "step": 0.5})
}

/// `LIGHT` is twice the wavelength, and a thousand more with each row. `FLAG` is the same less 800, in whole numbers, `HUE`
/// too, packed, the dimensions the other way round, and missing at 401.5. `BAND` is no variable of the schema.
fn spectra(of: &[i64], wavelengths: &[f64], single: bool) -> Draft {
    let rows = of.len();
    let mut file = Draft::new(Container::Netcdf4);
    file.dimension("TIME", rows).dimension("WAVELENGTH", wavelengths.len());
    let numbers: Vec<f64> = days(of).iter().map(|&time| time as f64 / 1e6).collect();
    file.variable("TIME", &["TIME"], numbers).set("units", "seconds since 1970-01-01 00:00:00");
    let axis: Cells = if single { wavelengths.iter().map(|&at| at as f32).collect::<Vec<_>>().into() } else { wavelengths.to_vec().into() };
    file.variable("WAVELENGTH", &["WAVELENGTH"], axis).set("units", "nm");
    file.variable("BAND", &["WAVELENGTH"], wavelengths.iter().map(|&at| at as f32 * 2.0).collect::<Vec<f32>>()).set("units", "1");
    let light = (0..rows).flat_map(|row| wavelengths.iter().map(move |at| at * 2.0 + 1_000.0 * row as f64)).collect::<Vec<_>>();
    let flags = light.iter().map(|light| (light - 800.0) as i32).collect::<Vec<_>>();
    file.variable("LIGHT", &["TIME", "WAVELENGTH"], light).set("coordinates", "BAND");
    file.variable("FLAG", &["TIME", "WAVELENGTH"], flags);
    let hue = |at: f64, row: usize| if (at - 401.5).abs() < 1e-9 { -99 } else { ((at - 400.0) * 2.0) as i16 + 1_000 * row as i16 };
    let hues = wavelengths.iter().flat_map(|&at| (0..rows).map(move |row| hue(at, row))).collect::<Vec<_>>();
    file.variable("HUE", &["WAVELENGTH", "TIME"], hues).set("_FillValue", -99_i16).set("scale_factor", 0.5_f32);
    file
}

/// What has no time is held against the store's, and interpolated from other positions it is another.
fn without_band(mut file: Draft) -> Draft {
    file.remove("BAND").at("LIGHT").unset("coordinates");
    file
}

async fn run(bed: &Bed, run: &str, processed: u64, failed: u64) -> Result<()> {
    let Digest::Commit { files, .. } = bed.attempt(run, 0, FailPoints::none()).await? else { anyhow::bail!("no commit") };
    let why: Vec<_> = bed.ledger().await?.into_iter().filter_map(|record| record.last.message).collect();
    ensure!((files.processed, files.failed) == (processed, failed), "{run}: {files:?}, {why:?}");
    Ok(())
}

fn holds(found: &Found, expected: &[f64]) -> Result<()> {
    same(found.numbers(), expected)
}

fn same(numbers: &[f64], expected: &[f64]) -> Result<()> {
    let same = |one: f64, two: f64| (one - two).abs() < 1e-9 || (one.is_nan() && two.is_nan());
    ensure!(
        numbers.len() == expected.len() && numbers.iter().zip(expected).all(|(one, two)| same(*one, *two)),
        "{numbers:?}\n{expected:?}"
    );
    Ok(())
}

pub async fn files_of_other_positions_are_interpolated_to_the_configs() -> Result<()> {
    let axis = [400.5, 401.0, 401.5, 402.0, 402.5];
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let bed = bed(compat, &halves())?;
        let write = |name: &str, draft: &Draft| draft::write(&bed.archive().join(name), draft);
        write("a.nc", &spectra(&[0, 1], &axis, true))?;
        run(&bed, "first", 1, 0).await?;
        let put = |name: &str, draft: Draft| write(name, &without_band(draft));
        put("falling.nc", spectra(&[2], &[404.0, 401.25, 399.0], false))?;
        put("mixed.nc", spectra(&[3], &[402.5, 400.5, 402.0, 401.5, 401.0], false))?;
        put("few.nc", spectra(&[4], &[401.0], false))?;
        // Close to the target in numpy's eyes, so that the values are taken as they are.
        put("close.nc", spectra(&[5], &[400.002, 400.5, 401.0, 401.502, 402.0, 402.5, 403.001], true))?;
        put("twice.nc", spectra(&[6], &[401.0, 402.0, 401.0], false))?;
        run(&bed, "second", 4, 1).await?;
        run(&bed, "third", 0, 1).await?;
        let ledger = bed.ledger().await?;
        let last = &ledger.iter().find(|record| record.key == "twice.nc").context("no record")?.last;
        let words = last.message.as_deref().unwrap_or_default();
        ensure!(last.reason == Some(Reason::GridMismatch) && words.contains("WAVELENGTH") && words.contains("twice"), "{last:?}");

        let arrays = store::read(&bed.out().join("spectra.zarr"))?;
        let found = |name: &str| arrays.get(name).with_context(|| format!("no {name} in the store"));
        let positions = found("WAVELENGTH")?;
        holds(positions, &[400.0, 400.5, 401.0, 401.5, 402.0, 402.5, 403.0])?;
        ensure!(positions.array.metadata.dtype == Dtype::F64, "{:?}", positions.array.metadata);
        ensure!(positions.array.attributes.get("units").and_then(Attr::as_text) == Some("nm"), "{:?}", positions.array.attributes);
        holds(found("BAND")?, &[NAN, 801.0, 802.0, 803.0, 804.0, 805.0, NAN]).context("BAND")?;
        ensure!(found("BAND")?.array.metadata.dtype == Dtype::F64, "as xarray's interp leaves it");
        let first = [NAN, 801.0, 802.0, 803.0, 804.0, 805.0, NAN];
        let one = if compat == Compat::Fixed { [NAN, NAN, 802.0, NAN, NAN, NAN, NAN] } else { [NAN; 7] };
        let mut light: Vec<f64> = first.iter().copied().chain(first.iter().map(|light| light + 1_000.0)).collect();
        light.extend([800.0, 801.0, 802.0, 803.0, 804.0, 805.0, 806.0]);
        light.extend(first);
        light.extend(one);
        light.extend([400.002, 400.5, 401.0, 401.502, 402.0, 402.5, 403.001].map(|at| at * 2.0));
        holds(found("LIGHT")?, &light).context("LIGHT")?;
        let none = f64::from(i32::MIN);
        let flags = [[none, 1.0, 2.0, 3.0, 4.0, 5.0, none], [none, 1_001.0, 1_002.0, 1_003.0, 1_004.0, 1_005.0, none]].concat();
        same(&found("FLAG")?.numbers()[..14], &flags).context("FLAG")?;
        // The incumbent's hole eats the position above it.
        let above = if compat == Compat::Fixed { 2.0 } else { NAN };
        let hue: Vec<f64> = found("HUE")?.numbers().chunks(6).map(|rows| rows[0]).collect();
        same(&hue, &[NAN, 0.5, 1.0, NAN, above, 2.5, NAN]).context("HUE")?;
    }
    Ok(())
}

pub async fn positions_that_are_close_stay_where_they_are() -> Result<()> {
    let bed = bed(Compat::Fixed, &halves())?;
    let close = [400.002, 400.5, 401.0, 401.5, 402.0, 402.5, 403.0];
    let put = |name: &str, draft: Draft| draft::write(&bed.archive().join(name), &without_band(draft));
    put("close.nc", spectra(&[0], &close, true))?;
    run(&bed, "first", 1, 0).await?;
    put("other.nc", spectra(&[1], &[400.0, 403.0], false))?;
    run(&bed, "second", 1, 0).await?;
    let arrays = store::read(&bed.out().join("spectra.zarr"))?;
    let positions = arrays.get("WAVELENGTH").context("no WAVELENGTH")?;
    ensure!(positions.array.metadata.dtype == Dtype::F32, "{:?}", positions.array.metadata);
    holds(positions, &close.map(|at| f64::from(at as f32)))?;
    let target = [400.0, 400.5, 401.0, 401.5, 402.0, 402.5, 403.0];
    let light: Vec<f64> = close.into_iter().chain(target).map(|at| at * 2.0).collect();
    holds(arrays.get("LIGHT").context("no LIGHT")?, &light)
}

/// So many that no box reads them all at once.
pub async fn many_positions_become_few() -> Result<()> {
    let bed = bed(Compat::Fixed, &json!({"values": [500.0, 450.0, 402.25]}))?;
    let many: Vec<f64> = (0..1_500_000).map(|at| 400.0 + f64::from(at) / 10_000.0).collect();
    let mut file = spectra(&[0, 1], &many, false);
    file.remove("FLAG").remove("HUE");
    draft::write(&bed.archive().join("many.nc"), &file)?;
    run(&bed, "first", 1, 0).await?;
    let arrays = store::read(&bed.out().join("spectra.zarr"))?;
    holds(arrays.get("LIGHT").context("no LIGHT")?, &[1_000.0, 900.0, 804.5, 2_000.0, 1_900.0, 1_804.5])
}
