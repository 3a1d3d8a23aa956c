//! The schema's casts against pyarrow's safe cast: every natural type of a NetCDF variable to every type of a config,
//! through whole conversions of files with one variable.

mod laptop;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use converter::table::{Allowance, Conversion};
use crds::config::validate;
use crds::wire::{Compat, Reason};
use serde_json::json;
use tests::fixtures::draft::write_all;
use tests::fixtures::{Cells, Container, Draft, Random, ragged};

const TARGETS: [&str; 20] = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float",
    "double",
    "string",
    "byte",
    "bool",
    "timestamp[ns]",
    "timestamp[ms]",
    "timedelta64[ns]",
    "date32[day]",
    "time32[s]",
    "time64[us]",
    "list<element: string>",
];

const TEXTS: [&str; 36] = [
    "1",
    "-1",
    "+1",
    "1.5",
    " 1",
    "1 ",
    "1.0",
    "1e5",
    "1E-3",
    ".5",
    "5.",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "",
    "true",
    "TRUE",
    "False",
    "0",
    "255",
    "256",
    "0123",
    "0x10",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "2017-07-14 02:40:00",
    "2017-07-14T02:40:00.123456789",
    "2017-07-14T02:40:00Z",
    "2017-07-14 02:40",
    "2017-07-14",
    "2017-02-30",
    "12:30:15",
    "warm",
    "ß",
];

/// A file with the variable `V` of these values on TIME, and what else a row needs.
fn file(container: Container, values: Cells, decorate: impl Fn(&mut Draft)) -> Draft {
    let mut draft = Draft::new(container);
    let rows = values.len();
    draft.dimension("TIME", rows);
    let times: Vec<f64> = (0..rows).map(|i| 1_546_300_800.0 + i as f64).collect();
    draft.variable("TIME", &["TIME"], times).set("units", "seconds since 1970-01-01");
    draft.variable("LATITUDE", &[], -43.1f64);
    draft.variable("LONGITUDE", &[], 147.2f64);
    match values {
        Cells::Char(_) => unreachable!("characters have a dimension of their own"),
        values => draft.variable("V", &["TIME"], values),
    };
    decorate(&mut draft);
    draft
}

fn texts_as_characters(texts: &[&str]) -> Draft {
    let mut draft = file(Container::Netcdf3, Cells::I8(vec![0; texts.len()]), |_| {});
    draft.remove("V");
    draft.characters("V", &["TIME"], ("string40", 40), texts);
    // NULs vanish, spaces stay.
    if let Cells::Char(bytes) = &mut draft.at("V").values {
        for cell in bytes.chunks_exact_mut(40) {
            let end = cell.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
            cell[end..].fill(0);
        }
    }
    draft
}

fn numbers(random: &mut Random) -> Vec<Cells> {
    let mut all: Vec<Cells> = vec![
        vec![0i8, 1, -1].into(),
        vec![i8::MIN, i8::MAX].into(),
        vec![u8::MAX, 0].into(),
        vec![i16::MIN, i16::MAX].into(),
        vec![u16::MAX, 1].into(),
        vec![i32::MIN, i32::MAX].into(),
        vec![16_777_216i32, -16_777_216].into(),
        vec![16_777_217i32].into(),
        vec![u32::MAX, 7].into(),
        vec![i64::MIN].into(),
        vec![i64::MAX].into(),
        vec![1i64 << 53].into(),
        vec![(1i64 << 53) + 1].into(),
        vec![86_400_000_000_000i64, 0].into(),
        vec![1_500_000_000_000_000_000i64].into(),
        vec![u64::MAX].into(),
        vec![3u64, 4].into(),
        vec![0.0f32, -0.0, 1.0].into(),
        vec![1.5f32].into(),
        vec![f32::NAN, 2.0].into(),
        vec![f32::INFINITY].into(),
        vec![1e15f32, 1e-7, 0.1, 16_777_216.0].into(),
        vec![f32::MAX].into(),
        vec![0.0f64, -0.0, 1.0, 255.0].into(),
        vec![1.5f64, 0.1, 1e15, 1e16, 1e-7, 123_456_789.0].into(),
        vec![f64::NAN, 2.0].into(),
        vec![f64::NEG_INFINITY].into(),
        vec![9_007_199_254_740_992.0f64].into(),
        vec![9_223_372_036_854_775_808.0f64].into(),
        vec![-9_223_372_036_854_775_808.0f64].into(),
        vec![1e300f64].into(),
        vec![-1.0f64, 300.0].into(),
    ];
    for _ in 0..6 {
        all.push((0..5).map(|_| (random.unit() - 0.5) * 10f64.powi(random.below(40) as i32 - 20)).collect::<Vec<f64>>().into());
        all.push((0..5).map(|_| (random.unit() - 0.5) as f32 * 10f32.powi(random.below(40) as i32 - 20)).collect::<Vec<f32>>().into());
        all.push((0..5).map(|_| random.bits().cast_signed() >> random.below(62)).collect::<Vec<i64>>().into());
    }
    all
}

fn files() -> Vec<Draft> {
    let mut files: Vec<Draft> = numbers(&mut Random::new(11)).into_iter().map(|values| file(Container::Netcdf4, values, |_| {})).collect();
    for text in TEXTS {
        files.push(file(Container::Netcdf4, Cells::Text(vec![text.to_owned()]), |_| {}));
        files.push(texts_as_characters(&[text]));
    }
    // Gaps make floats of integers.
    files.push(file(Container::Netcdf4, vec![123i32, -99, 7].into(), |draft| {
        draft.at("V").set("_FillValue", -99i32);
    }));
    files.push(file(Container::Netcdf4, vec![1i8, 0, 1].into(), |draft| {
        draft.at("V").set("dtype", "bool");
    }));
    for (values, units) in [
        (vec![0.0f64, 1.0], "seconds since 2017-07-14 02:40:00"),
        (vec![0.5f64], "seconds since 2017-07-14 02:40:00"),
        (vec![1e-9f64], "seconds since 2017-07-14 02:40:00"),
        (vec![0.0f64], "days since 2017-07-14"),
        (vec![-40_000.0f64], "days since 2017-07-14"),
        (vec![0.0f64, 1.0], "days"),
        (vec![0.5f64, 1e-9], "seconds"),
    ] {
        files.push(file(Container::Netcdf4, values.into(), |draft| {
            draft.at("V").set("units", units);
        }));
    }
    files
}

/// Where the object went, or why there is none.
fn converted(path: &Path, target: &str, out: &Path) -> Result<Result<PathBuf, String>> {
    let config = ragged::config("casts", &[("TIME", "timestamp[ns]"), ("V", target)]);
    let config = Arc::new(validate(&config)?.config);
    let conversion = Conversion::new(&config, Compat::Fixed, "2026-06-01T00:00:00Z".parse()?);
    let mut objects = Vec::new();
    let opened = conversion.open(&"file.nc".into(), bytes::Bytes::from(std::fs::read(path)?))?;
    let result = conversion.convert(&"file.nc".into(), &opened, Allowance::UNBOUNDED, &mut |object| {
        objects.push(object);
        Ok(())
    });
    if let Err(error) = result {
        ensure!(error.reason() == Reason::CastFailed, "{}: {error}", path.display());
        ensure!(error.to_string().contains("\"V\""), "it names no column: {error}");
        return Ok(Err(error.to_string()));
    }
    ensure!(objects.len() == 1, "{} objects", objects.len());
    std::fs::write(out, objects[0].body.read_at(0, usize::MAX)?)?;
    Ok(Ok(out.to_owned()))
}

#[test]
fn casts_are_those_of_pyarrow() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let drafts: Vec<(PathBuf, Draft)> =
        files().into_iter().enumerate().map(|(i, draft)| (folder.path().join(format!("{i}.nc")), draft)).collect();
    write_all(&drafts.iter().map(|(path, draft)| (path.as_path(), draft)).collect::<Vec<_>>())?;
    let mut lines = Vec::new();
    for (path, _) in &drafts {
        for target in TARGETS {
            let out = folder.path().join(format!("{}.parquet", lines.len()));
            let result = converted(path, target, &out)?;
            let (ours, error) = (result.as_ref().ok(), result.as_ref().err());
            lines.push(json!({"file": path, "variable": "V", "target": target, "ours": ours, "error": error}).to_string());
        }
    }
    let differ = laptop::python("compare_casts.py", &[], &lines.join("\n"))?;
    let differ: Vec<String> = differ.iter().map(ToString::to_string).collect();
    ensure!(differ.is_empty(), "{} of {} casts differ:\n{}", differ.len(), lines.len(), differ.join("\n"));
    println!("{} casts", lines.len());
    Ok(())
}
