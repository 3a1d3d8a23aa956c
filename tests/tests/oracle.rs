//! The reader against netCDF's own C library: every variable of every file, bit for bit; and the
//! fixtures' broken files against the reasons they must get.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use converter::read::{self, Input, Kind, Reader, Values};
use converter::table::{Allowance, Conversion};
use crds::config::{DatasetConfig, load, validate};
use crds::wire::Compat;
use netcdf::types::{FloatType, IntType, NcVariableType};
use tests::fixtures::{ArchiveOptions, Container, Mooring, mooring, write_archive};

fn real_files() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(data).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|e| e == "nc") && file.metadata().is_ok_and(|m| m.len() > 0) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn open(path: &Path) -> Result<Box<dyn Reader + Send>> {
    Ok(read::open(Bytes::from(std::fs::read(path)?))?)
}

/// A part of a file is that part of the whole, from memory and by ranges.
fn compare_parts(path: &Path) -> Result<()> {
    let whole = open(path)?;
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let ranged = read::open(Input::File { file: Arc::new(file), length })?;
    for (index, variable) in whole.variables().iter().enumerate() {
        let lengths: Vec<usize> = variable.dimensions.iter().map(|&d| whole.dimensions()[d].length).collect();
        let all = whole.read(index)?;
        anyhow::ensure!(same_bits(&all, &ranged.read(index)?), "{}: {} differs by ranges", path.display(), variable.name);
        // The middle third, and the last value of each dimension.
        let middle: Vec<_> = lengths.iter().map(|&n| n / 3..n - n / 3).collect();
        let last: Vec<_> = lengths.iter().map(|&n| n.saturating_sub(1)..n).collect();
        for part in [middle, last] {
            let expected = all.clone().part(&lengths, &part);
            for reader in [&whole, &ranged] {
                let got = reader.read_part(index, &part).with_context(|| format!("{}: {} {part:?}", path.display(), variable.name))?;
                anyhow::ensure!(same_bits(&got, &expected), "{}: {} in {part:?}", path.display(), variable.name);
            }
        }
    }
    Ok(())
}

/// NaN equals NaN.
fn same_bits(a: &Values, b: &Values) -> bool {
    match (a, b) {
        (Values::F32(a), Values::F32(b)) => a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits())),
        (Values::F64(a), Values::F64(b)) => a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits())),
        (a, b) => a == b,
    }
}

/// Compares one file, and says how many variables it has.
fn compare(path: &Path) -> Result<usize> {
    compare_parts(path)?;
    let reader = open(path)?;
    let file = netcdf::open(path)?;
    let oracle: Vec<netcdf::Variable> = file.variables().collect();
    let names: Vec<String> = oracle.iter().map(netcdf::Variable::name).collect();
    let ours: Vec<&str> = reader.variables().iter().map(|v| v.name.as_str()).collect();
    assert_eq!(ours, names, "{}: variables in file order", path.display());
    for (index, (variable, expected)) in reader.variables().iter().zip(&oracle).enumerate() {
        let shape: Vec<(String, usize)> = expected.dimensions().iter().map(|d| (d.name(), d.len())).collect();
        let own: Vec<(String, usize)> =
            variable.dimensions.iter().map(|&d| (reader.dimensions()[d].name.clone(), reader.dimensions()[d].length)).collect();
        assert_eq!(own, shape, "{}: dimensions of {}", path.display(), variable.name);
        compare_values(&reader.read(index)?, expected).with_context(|| format!("{}: {}", path.display(), variable.name))?;
        let attributes: Vec<String> = expected.attributes().map(|a| a.name().to_owned()).collect();
        let own: Vec<&str> = variable.attributes.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(own, attributes, "{}: attributes of {}", path.display(), variable.name);
    }
    Ok(oracle.len())
}

fn compare_values(ours: &Values, expected: &netcdf::Variable) -> Result<()> {
    macro_rules! same {
        ($variant:ident, $type:ty) => {{
            let Values::$variant(ours) = ours else { anyhow::bail!("read as {:?}", ours.kind()) };
            let theirs: Vec<$type> = expected.get_values(..)?;
            anyhow::ensure!(ours.iter().map(|v| v.to_ne_bytes()).eq(theirs.iter().map(|v| v.to_ne_bytes())), "values differ");
        }};
    }
    match expected.vartype() {
        NcVariableType::Int(IntType::I8) => same!(I8, i8),
        NcVariableType::Int(IntType::U8) => same!(U8, u8),
        NcVariableType::Int(IntType::I16) => same!(I16, i16),
        NcVariableType::Int(IntType::U16) => same!(U16, u16),
        NcVariableType::Int(IntType::I32) => same!(I32, i32),
        NcVariableType::Int(IntType::U32) => same!(U32, u32),
        NcVariableType::Int(IntType::I64) => same!(I64, i64),
        NcVariableType::Int(IntType::U64) => same!(U64, u64),
        NcVariableType::Float(FloatType::F32) => same!(F32, f32),
        NcVariableType::Float(FloatType::F64) => same!(F64, f64),
        NcVariableType::Char => {
            let Values::Char(ours) = ours else { anyhow::bail!("read as {:?}", ours.kind()) };
            anyhow::ensure!(*ours == expected.get_raw_values(..)?, "characters differ");
        }
        NcVariableType::String => anyhow::ensure!(ours.kind() == Kind::Text, "read as {:?}", ours.kind()),
        other => anyhow::bail!("no test for {other:?}"),
    }
    Ok(())
}

/// One test, so one thread: HDF5 keeps its complaints to itself only on the thread that started it.
#[test]
fn the_reader_agrees_with_the_c_library() -> Result<()> {
    fixtures_read_bit_identical()?;
    real_files_read_bit_identical()?;
    an_archive_converts_but_for_its_broken_files()
}

fn real_files_read_bit_identical() -> Result<()> {
    let mut variables = 0;
    for path in real_files() {
        variables += compare(&path)?;
    }
    eprintln!("{variables} variables are the same");
    Ok(())
}

fn fixtures_read_bit_identical() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (index, container) in [Container::Netcdf4, Container::Netcdf3].into_iter().enumerate() {
        for rows in [1, 7, 5_000] {
            let path = folder.path().join(format!("{index}-{rows}.nc"));
            mooring(&path, &Mooring::new("SYD140", 1_546_300_800, rows).container(container))?;
            assert_eq!(compare(&path)?, 8);
        }
    }
    Ok(())
}

fn example() -> Result<Arc<DatasetConfig>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/mooring.yaml");
    let resource = load(&std::fs::read_to_string(path)?)?;
    let config = load(resource["spec"]["config"].as_str().context("the config is a text block")?)?;
    Ok(Arc::new(validate(&config)?.config))
}

fn an_archive_converts_but_for_its_broken_files() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let archive = write_archive(folder.path(), &ArchiveOptions { files: 40, ..ArchiveOptions::default() })?;
    let conversion = Conversion::new(&example()?, Compat::Fixed, "2026-06-01T00:00:00Z".parse()?);
    let (mut rows, mut keys) = (0, std::collections::BTreeSet::new());
    for file in &archive.files {
        let bytes = std::fs::read(folder.path().join(&file.key))?;
        let basename = file.key.rsplit('/').next().unwrap_or_default();
        let opened = conversion.open(Bytes::from(bytes));
        let result = opened.and_then(|opened| {
            conversion.convert(&basename.into(), &opened, Allowance::UNBOUNDED, &mut |object| {
                assert!(keys.insert(object.key.clone()), "{} is written twice", object.key);
                Ok(())
            })
        });
        match (file.fault, result) {
            (None, Ok(report)) => rows += report.rows,
            (Some(fault), Err(error)) => assert_eq!(error.reason().as_str(), fault.reason(), "{}: {error}", file.key),
            (fault, result) => panic!("{}: {fault:?} gave {result:?}", file.key),
        }
    }
    assert_eq!(rows, archive.rows() as u64);
    assert_eq!(archive.files.iter().filter(|f| f.fault.is_some()).count(), 4);
    assert!(keys.iter().any(|k| k.starts_with("site_code=NRSROT/timestamp=")));
    Ok(())
}
