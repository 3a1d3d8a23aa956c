//! The real files of `../shared`, held against the incumbent's recorded output.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops where it fails

mod convert_support;

use std::path::Path;
use std::process::Command;

use convert_support::{config, conversion, convert, publish, shared};
use crds::wire::{Compat, Reason};

/// Converts some files of a folder of `../shared/data` and has `compare.py` judge them.
fn judged(folder: &str, config_name: &str, files: &[&str], compat: Compat) {
    let Some(root) = shared() else { return eprintln!("skipped: no ../shared here") };
    let data = root.join("data").join(folder);
    let config = config(&std::fs::read_to_string(data.join(config_name)).unwrap());
    let conversion = conversion(&config, compat);
    let out = tempfile::tempdir().unwrap();
    for name in files {
        let (report, objects) = convert(&conversion, name, std::fs::read(data.join(name)).unwrap()).unwrap();
        eprintln!("{name}: {report:?}");
        publish(out.path(), &config, &objects);
    }
    compare(&root, &data.join("expected.json"), out.path());
}

fn compare(root: &Path, expected: &Path, out: &Path) {
    let python = std::env::var("COD_PYTHON").unwrap_or_else(|_| "/tmp/venv/bin/python".into());
    let Ok(output) = Command::new(&python).arg(root.join("tools/compare.py")).arg(expected).arg(out).output() else {
        return eprintln!("skipped: no {python} with pyarrow here (COD_PYTHON)");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("equal"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

const CTD: &str =
    "IMOS_ANMN-NSW_CDSTZ_20210429T015500Z_SYD140_FV01_SYD140-2104-SBE37SM-RS232-128_END-20210812T011500Z_C-20210827T074819Z.nc";
const SST: &str = "IMOS_SOOP-SST_MT_20110101T000000Z_9HA2479_FV01_C-20120528T071958Z.nc";
const SST_NO_TIME: &str = "IMOS_SOOP-SST_ST_20130612T000000Z_VMQ9273_FV01_C-20130613T005515Z.nc";
const SST_YEAR_6062: &str = "IMOS_SOOP-SST_ST_20131229T235800Z_VMQ9273_FV01_C-20131230T005523Z.nc";

#[test]
fn mooring_ctd_is_equal_in_either_mode() {
    for compat in [Compat::Fixed, Compat::Incumbent] {
        judged("mooring_ctd", "mooring_ctd_delayed_qc.json", &[CTD], compat);
    }
}

#[test]
fn vessel_sst_is_equal_when_the_incumbent_is_repeated() {
    judged("vessel_sst", "vessel_sst_delayed_qc.json", &[SST], Compat::Incumbent);
}

#[test]
fn argo_is_equal_when_the_incumbent_is_repeated() {
    judged("argo", "argo.json", &["2902093_prof.nc"], Compat::Incumbent);
}

/// Rows and notes of a vessel file, or its reason and message; none without ../shared.
type Outcome = Option<Result<(u64, Vec<String>), (Reason, String)>>;

fn vessel(name: &str, compat: Compat) -> Outcome {
    let data = shared()?.join("data/vessel_sst");
    let config = config(&std::fs::read_to_string(data.join("vessel_sst_delayed_qc.json")).unwrap());
    let result = convert(&conversion(&config, compat), name, std::fs::read(data.join(name)).unwrap());
    Some(result.map(|(report, _)| (report.rows, report.notes)).map_err(|e| (e.reason(), e.to_string())))
}

#[test]
fn the_default_does_not_multiply_observations_by_lines_of_history() {
    let Some(result) = vessel(SST, Compat::Fixed) else { return };
    let (rows, notes) = result.unwrap();
    assert_eq!(rows, 21);
    assert!(notes.iter().any(|n| n.starts_with("UnrelatedDimension") && n.contains("history")), "{notes:?}");
}

#[test]
fn the_two_broken_vessel_files_are_refused_for_their_own_reasons() {
    for compat in [Compat::Fixed, Compat::Incumbent] {
        let Some(result) = vessel(SST_NO_TIME, compat) else { return };
        let (reason, message) = result.unwrap_err();
        assert_eq!(reason, Reason::MissingDimensionVariable);
        assert_eq!(message, "dimension \"TIME\" is defined in schema but missing as a variable in dataset");
    }
    let (reason, message) = vessel(SST_YEAR_6062, Compat::Incumbent).unwrap().unwrap_err();
    assert_eq!(reason, Reason::BadTime);
    assert!(message.starts_with("time issues with the input file"), "{message}");
    // By default the rows with a year such as 6062 are left out; no other row is in the file.
    eprintln!("{:?}", vessel(SST_YEAR_6062, Compat::Fixed));
}

#[test]
fn a_zero_byte_file_is_empty() {
    let Some(root) = shared() else { return };
    let config = config(&std::fs::read_to_string(root.join("data/mooring_ctd/mooring_ctd_delayed_qc.json")).unwrap());
    let error =
        convert(&conversion(&config, Compat::Fixed), "DUMMY.nc", std::fs::read(root.join("data/broken/DUMMY.nc")).unwrap()).unwrap_err();
    assert_eq!(error.reason(), Reason::EmptyFile);
}
