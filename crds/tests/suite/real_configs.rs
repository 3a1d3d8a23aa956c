//! Every real config that is at hand loads, merges and validates, or says which feature it waits for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crds::config::{ConfigError, Format, Function, Source, hashes, load, load_with_parents, validate};
use crds::wire::{Compat, Naming};
use serde_json::Value;

fn configs() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(&data).into_iter().flatten().flatten() {
        let files = std::fs::read_dir(folder.path()).into_iter().flatten().flatten().map(|file| file.path());
        found.extend(files.filter(|file| file.extension().is_some_and(|suffix| suffix == "json")));
    }
    found.sort();
    found
}

/// The other files of the folder, which may be named as parents.
fn siblings(path: &Path) -> BTreeMap<String, String> {
    let folder = path.parent().unwrap();
    let files = configs().into_iter().filter(|file| file.parent() == Some(folder));
    files.map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(file).unwrap())).collect()
}

fn is_config(value: &Value) -> bool {
    value.get("run_settings").is_some() || value.get("parent_config").is_some()
}

#[test]
fn real_configs_are_understood() {
    let mut seen = 0;
    for path in configs() {
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(raw) = load(&text) else { panic!("{}: does not load", path.display()) };
        assert_eq!(raw, serde_json::from_str::<Value>(&text).unwrap(), "{}: loaded with loss", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // `expected*.json` is no config; a parent (`*_main`) is only part of one.
        if !is_config(&raw) || name.ends_with("_main") {
            continue;
        }
        let merged = load_with_parents(&text, &siblings(&path)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let validated = validate(&merged).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(validated.config.dataset_name, name);
        assert!(!validated.config.schema.is_empty(), "{name}: no columns");
        for warning in &validated.warnings {
            println!("{name}: {warning}");
        }
        println!("{name}: ignored {:?}", validated.ignored);
        println!("{name}: {:?}", hashes(&merged, &validated.config, Compat::Fixed, Naming::Basename));
        let format = validated.config.format;
        match validated.supported() {
            Ok(validated) => assert_eq!(validated.config.format, Format::Parquet, "{name}"),
            Err(ConfigError::Unsupported(findings)) => {
                println!("{name}: {}", findings[0]);
                for finding in &findings {
                    assert!(["cloud_optimised_format", "csv_config"].contains(&finding.path.as_str()), "{name}: {finding}");
                }
                assert!(format == Format::Zarr || findings.iter().all(|finding| finding.path != "cloud_optimised_format"), "{name}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
        seen += 1;
    }
    println!("{seen} real configs");
}

/// Their snippets of Python are recognised, each for what it does.
#[test]
fn the_functions_of_real_configs_have_a_meaning() {
    for path in configs() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let merged = load(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if merged.pointer("/schema_transformation/functions").is_none_or(Value::is_null) {
            continue;
        }
        let config = validate(&merged).unwrap_or_else(|error| panic!("{name}: {error}")).config;
        for added in &config.add_variables {
            let Source::Function(function) = &added.source else { continue };
            println!("{name}: {} = {function:?}", added.name);
            match added.name.as_str() {
                "campaign_name" => assert_eq!(*function, Function::PathSegment { index: -4 }),
                "dive_name" => assert_eq!(*function, Function::PathSegment { index: -3 }),
                _ => assert!(matches!(function, Function::DateTime { .. } | Function::Constant(_)), "{name}: {function:?}"),
            }
        }
    }
}
