//! The reader against netCDF's own C library: every variable of every file, bit for bit; and the
//! fixtures' broken files against the reasons they must get.

mod same;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use converter::table::{Allowance, Conversion};
use crds::config::{DatasetConfig, load, validate};
use crds::wire::Compat;
use same::compare;
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
        let opened = conversion.open(&basename.into(), Bytes::from(bytes));
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
