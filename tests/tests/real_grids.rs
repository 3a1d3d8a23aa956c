//! Every Zarr config that is at hand: files in its shape are made, converted by the command line in one run and in
//! three, and the store is held against the files by xarray.

mod laptop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use crds::config::load_with_parents;
use serde_json::{Value, json};

/// A grid of ours: a packed variable, whole numbers, a time that is no coordinate, a static field.
fn own() -> Value {
    json!({
        "dataset_name": "sea_demo",
        "cloud_optimised_format": "zarr",
        "run_settings": {},
        "metadata_uuid": null,
        "schema": {
            "TIME": {"type": "timestamp[ns]"},
            "LAT": {"type": "double"},
            "LON": {"type": "double"},
            "TEMP": {"type": "float", "units": "degree_Celsius"},
            "FLAG": {"type": "int32"},
            "SEEN": {"type": "timestamp[ns]"},
            "DEPTH": {"type": "float32", "dims": ["LAT", "LON"]},
            "SPARE": {"type": "float32", "long_name": "a variable that some files lack"},
        },
        "schema_transformation": {
            "dimensions": {
                "time": {"name": "TIME", "chunk": 3, "append_dim": true},
                "latitude": {"name": "LAT", "chunk": 2},
                "longitude": {"name": "LON", "chunk": 10},
            },
            "var_template_shape": "TEMP",
            "global_attributes": {"set": {"title": "Sea"}, "delete": ["history"]},
        },
    })
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|suffix| suffix == "json")).collect()
}

/// Those of `../shared`, with their parents merged; none on a machine without it.
fn shared() -> Result<Vec<Value>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let mut configs = Vec::new();
    for folder in std::fs::read_dir(data).into_iter().flatten().flatten() {
        let mut texts = BTreeMap::new();
        for path in json_files(&folder.path()) {
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            texts.insert(name, std::fs::read_to_string(path)?);
        }
        for (name, text) in &texts {
            let raw: Value = serde_json::from_str(text)?;
            let is_config = raw.get("run_settings").is_some() || raw.get("parent_config").is_some();
            if is_config && !name.ends_with("_main.json") {
                let mut merged = load_with_parents(text, &texts)?;
                merged.as_object_mut().context("a config is an object")?.remove("parent_config");
                if merged["cloud_optimised_format"] == "zarr" {
                    configs.push(merged);
                }
            }
        }
    }
    Ok(configs)
}

/// All that is wrong is told at once.
fn convert_all(configs: &[Value]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let places: Vec<PathBuf> = (0..configs.len()).map(|index| folder.path().join(index.to_string())).collect();
    let source = |index: usize| places[index].join("in");
    let asked = |index: usize| json!({"config": configs[index], "folder": source(index)});
    let lines: Vec<String> = (0..configs.len()).map(|index| asked(index).to_string()).collect();
    let made = laptop::python("grids.py", &["make"], &lines.join("\n"))?;
    let mut wrong = Vec::new();
    let mut checks = Vec::new();
    for (index, config) in configs.iter().enumerate() {
        let name = config["dataset_name"].as_str().context("no name")?;
        let path = places[index].join("config.json");
        std::fs::write(&path, config.to_string())?;
        let (at_once, in_turn) = (places[index].join("out"), places[index].join("turns"));
        let mut converted = converted(&path, &source(index), &at_once, 3);
        // The same files one after another, in the order of their times, so that rows are where they are at once.
        let arriving = places[index].join("arriving");
        std::fs::create_dir(&arriving)?;
        for file in [1, 0, 2] {
            let file = made[index][file].as_str().context("a file's name")?;
            std::fs::copy(source(index).join(file), arriving.join(file))?;
            converted = converted.and_then(|()| self::converted(&path, &arriving, &in_turn, 1));
        }
        match converted {
            Ok(()) => {
                for out in [at_once, in_turn] {
                    let store = out.join(format!("{name}.zarr"));
                    checks.push((name, json!({"config": config, "folder": source(index), "store": store}).to_string()));
                }
            }
            Err(error) => wrong.push(format!("{name}: {error:#}")),
        }
    }
    let lines: Vec<&str> = checks.iter().map(|(_, line)| line.as_str()).collect();
    let found = laptop::python("grids.py", &["check"], &lines.join("\n"))?;
    for ((name, _), found) in checks.iter().zip(&found).filter(|(_, found)| **found != json!([])) {
        wrong.push(format!("{name}: {found}"));
    }
    ensure!(wrong.is_empty(), "{} of {} configs:\n{}", wrong.len(), configs.len(), wrong.join("\n"));
    Ok(())
}

/// A run that converts so many files, and a second one that finds all of them unchanged.
fn converted(config: &Path, source: &Path, out: &Path, files: u64) -> Result<()> {
    let run = laptop::run(config, source, out, &[])?;
    ensure!(run.code == Some(0), "exit code {:?}: {}\n{}", run.code, run.report["errors"], run.stderr);
    ensure!((run.files("processed"), run.files("failed")) == (files, 0), "{}", run.report);
    let again = laptop::run(config, source, out, &[])?;
    ensure!((again.files("processed"), again.files("unchanged")) == (0, run.files("discovered")), "{}", again.report);
    ensure!(again.report["objects"] == 0, "the second run wrote {} objects", again.report["objects"]);
    Ok(())
}

#[test]
fn a_grid_of_ours_is_what_its_files_are() -> Result<()> {
    convert_all(&[own()])
}

#[test]
fn real_configs_make_the_grids_they_describe() -> Result<()> {
    let configs = shared()?;
    println!("{} real configs of grids", configs.len());
    if configs.is_empty() { Ok(()) } else { convert_all(&configs) }
}
