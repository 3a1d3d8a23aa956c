//! Files cut short and files with changed bytes: an error or rows, never a panic, never a wait.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use converter::table::{Allowance, Conversion, FileError};
use crds::config::{DatasetConfig, load, validate};
use crds::wire::{Compat, Reason};
use tests::fixtures::{Container, Mooring, Random, mooring};

fn config(text: &str) -> Result<Arc<DatasetConfig>> {
    Ok(Arc::new(validate(&load(text)?)?.config))
}

fn example() -> Result<Arc<DatasetConfig>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/mooring.yaml");
    let resource = load(&std::fs::read_to_string(path)?)?;
    config(resource["spec"]["config"].as_str().context("the config is a text block")?)
}

/// Files worth hurting, with the config that reads them.
fn subjects(folder: &Path) -> Result<Vec<(Vec<u8>, Arc<DatasetConfig>)>> {
    let mut subjects = Vec::new();
    for (container, name) in [(Container::Netcdf4, "4.nc"), (Container::Netcdf3, "3.nc")] {
        let path = folder.join(name);
        mooring(&path, &Mooring::new("SYD140", 1_546_300_800, 60).container(container))?;
        subjects.push((std::fs::read(path)?, example()?));
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    for (folder, file) in [("mooring_ctd", "mooring_ctd_delayed_qc.json"), ("vessel_sst", "vessel_sst_delayed_qc.json")] {
        let Ok(entries) = std::fs::read_dir(data.join(folder)) else { continue };
        let config = config(&std::fs::read_to_string(data.join(folder).join(file))?)?;
        for entry in entries.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "nc")) {
            subjects.push((std::fs::read(entry.path())?, Arc::clone(&config)));
        }
    }
    Ok(subjects)
}

fn convert(conversion: &Conversion, bytes: Vec<u8>) -> Result<u64, FileError> {
    let (name, allowance) = ("x.nc".into(), Allowance::new(64 << 20, 1));
    Ok(conversion.convert(&name, &conversion.open(&name, Bytes::from(bytes))?, allowance, &mut |_| Ok(()))?.rows)
}

#[test]
fn hurt_files_give_errors_and_never_panic() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut random = Random::new(7);
    for (bytes, config) in subjects(folder.path())? {
        let conversion = Conversion::new(&config, Compat::Fixed, "2026-06-01T00:00:00Z".parse()?);
        let whole = convert(&conversion, bytes.clone()).ok();
        let cuts = (0..40).map(|i| i * bytes.len() / 40).chain((0..200.min(bytes.len())).step_by(7)).chain([bytes.len() - 1]);
        for cut in cuts {
            match convert(&conversion, bytes[..cut].to_vec()) {
                Ok(rows) => assert_eq!(Some(rows), whole, "cut at {cut} of {}", bytes.len()),
                Err(error) if cut == 0 => assert_eq!(error.reason(), Reason::EmptyFile),
                Err(error) => {
                    let expected =
                        [Reason::TruncatedFile, Reason::UnreadableFile, Reason::MissingDimensionVariable, Reason::NoRows, Reason::BadTime];
                    assert!(expected.contains(&error.reason()), "cut at {cut} of {}: {error}", bytes.len());
                }
            }
        }
        for _ in 0..150 {
            let mut hurt = bytes.clone();
            for _ in 0..=random.below(8) {
                // Half of the hits go to the header, where they do most harm.
                let end = if random.below(2) == 0 { hurt.len().min(4_096) } else { hurt.len() };
                let at = usize::try_from(random.below(end as u64))?;
                hurt[at] = u8::try_from(random.below(256))?;
            }
            let started = Instant::now();
            let _ = convert(&conversion, hurt); // rows or an error, both will do
            assert!(started.elapsed() < Duration::from_secs(20), "one file must not hold a worker");
        }
    }
    Ok(())
}
