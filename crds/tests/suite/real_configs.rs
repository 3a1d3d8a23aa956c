//! Every real config that is at hand, of tables and of grids, loads, merges and validates, or says which feature it waits for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crds::config::{ChunkLength, ConfigError, Format, Function, GridConfig, Source, hashes, load, load_with_parents, validate};
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
    let (mut seen, mut grids) = (0, 0);
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
        let format = validated.config.format;
        match &validated.config.grid {
            None => assert!(format == Format::Parquet && !validated.config.schema.is_empty(), "{name}: no columns"),
            Some(grid) => {
                assert!(format == Format::Zarr && validated.unsupported.is_empty(), "{name}: {:?}", validated.unsupported);
                grids += 1;
                check_grid(grid, &merged).unwrap_or_else(|what| panic!("{name}: {what}"));
            }
        }
        for warning in &validated.warnings {
            println!("{name}: {warning}");
        }
        println!("{name}: ignored {:?}", validated.ignored);
        println!("{name}: {:?}", hashes(&merged, &validated.config, Compat::Fixed, Naming::Basename));
        match validated.supported() {
            Ok(_) => {}
            Err(ConfigError::Unsupported(findings)) => {
                println!("{name}: {}", findings[0]);
                for finding in &findings {
                    assert_eq!(finding.path, "csv_config", "{name}: {finding}");
                }
            }
            Err(error) => panic!("{name}: {error}"),
        }
        seen += 1;
    }
    println!("{seen} real configs, {grids} of them grids");
}

/// Nothing of the config is lost on the way to the model.
fn check_grid(grid: &GridConfig, merged: &Value) -> Result<(), String> {
    let ensure = |right: bool, what: &str| if right { Ok(()) } else { Err(what.to_owned()) };
    let transform = &merged["schema_transformation"];
    let dimensions = transform["dimensions"].as_object().ok_or("no dimensions")?;
    let names: Vec<&Value> = dimensions.values().map(|dimension| &dimension["name"]).collect();
    ensure(grid.dimensions.iter().map(|dimension| &dimension.name).eq(names), "other dimensions")?;
    ensure(grid.append_name().eq_ignore_ascii_case("time"), "grows along another dimension")?;
    for (label, dimension) in dimensions {
        let chunk = grid.dimension(dimension["name"].as_str().unwrap_or_default()).map(|dimension| dimension.chunk);
        ensure(chunk == dimension["chunk"].as_u64().map(ChunkLength::Length), label)?;
    }
    let schema = merged["schema"].as_object().ok_or("no schema")?;
    let added = transform["add_variables"].as_object().into_iter().flatten().map(|(name, _)| name);
    let expected: Vec<&String> = schema.keys().chain(added.filter(|name| !schema.contains_key(*name))).collect();
    ensure(grid.variables.iter().map(|variable| &variable.name).eq(expected), "other variables")?;
    for (name, variable) in schema {
        let typed = grid.variable(name).ok_or(name.as_str())?;
        ensure(typed.dropped == (variable["drop_var"] == true), name)?;
        ensure(typed.source.is_some() || typed.attributes.iter().all(|(key, value)| variable[key] == *value), name)?;
    }
    ensure(!grid.template.is_empty(), "no template")
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
