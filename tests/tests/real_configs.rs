//! Every Parquet config that is at hand, and the examples: a file in its shape is made, converted by the command
//! line, and read back by pyarrow and `DuckDB`.

mod laptop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use crds::config::{documents, load_with_parents};
use serde_json::{Value, json};
use tests::fixtures::{Made, from_configs, handlers};

/// A config with its parents merged.
struct Config {
    origin: String,
    merged: Value,
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|suffix| suffix == "json")).collect()
}

/// Those of `../shared`; none on a machine without it.
fn shared() -> Result<Vec<Config>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let mut configs = Vec::new();
    for folder in std::fs::read_dir(data).into_iter().flatten().flatten() {
        let files = json_files(&folder.path());
        let mut texts = BTreeMap::new();
        for path in &files {
            texts.insert(path.file_name().context("a file has a name")?.to_string_lossy().into_owned(), std::fs::read_to_string(path)?);
        }
        for (name, text) in &texts {
            let raw: Value = serde_json::from_str(text)?;
            let is_config = raw.get("run_settings").is_some() || raw.get("parent_config").is_some();
            if !is_config || name.ends_with("_main.json") {
                continue; // `expected*.json` is no config, a parent only part of one
            }
            let merged = load_with_parents(text, &texts)?;
            if merged["cloud_optimised_format"] == "parquet" {
                let origin = format!("{}/{name}", folder.file_name().to_string_lossy());
                configs.push(Config { origin, merged });
            }
        }
    }
    configs.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(configs)
}

fn examples() -> Result<Vec<Config>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples");
    let mut configs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        for resource in documents(&std::fs::read_to_string(&path)?)? {
            let Some(text) = resource["spec"]["config"].as_str() else { continue };
            let merged = load_with_parents(text, &BTreeMap::new())?;
            if merged["cloud_optimised_format"] == "parquet" {
                configs.push(Config { origin: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), merged });
            }
        }
    }
    configs.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(configs)
}

/// Shapes that no example has: the other handlers, and what real archives of them do.
fn shapes() -> Result<Vec<Config>> {
    let mut configs = Vec::new();
    for example in examples()? {
        if example.merged["handler_class"] == "ArgoHandler" {
            let mut merged = example.merged;
            merged["dataset_name"] = json!("animal_ctd_demo"); // tagged animals: times of the Julian calendar
            merged["schema"]["JULD_LOCATION"] = json!({"type": "string"});
            merged["schema_transformation"]["add_variables"]["species"] =
                json!({"source": "@global_attribute:species", "schema": {"type": "string", "units": "1"}});
            configs.push(Config { origin: "profiles of tags".to_owned(), merged });
        }
    }
    for merged in [handlers::floats(), handlers::hourly(), handlers::optics(false), handlers::optics(true), handlers::tags()] {
        configs.push(Config { origin: merged["dataset_name"].as_str().unwrap_or_default().to_owned(), merged });
    }
    for example in examples()? {
        if example.merged["run_settings"]["paths"][0]["type"] == "parquet" {
            let mut merged = example.merged;
            merged["dataset_name"] = json!("hive_demo");
            merged["run_settings"]["paths"][0] = json!({"type": "parquet", "s3_uri": "s3://archive/log", "partitioning": "hive"});
            configs.push(Config { origin: "a Hive folder".to_owned(), merged });
        }
    }
    Ok(configs)
}

/// Converts the file of each config and checks report and result; all that is wrong is told at once.
fn convert_all(configs: &[Config]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let places: Vec<PathBuf> = (0..configs.len()).map(|index| folder.path().join(index.to_string())).collect();
    let asked: Vec<(PathBuf, &Value)> = places.iter().zip(configs).map(|(place, c)| (place.join("in"), &c.merged)).collect();
    let made = from_configs(&asked.iter().map(|(source, config)| (source.as_path(), *config)).collect::<Vec<_>>())?;
    let mut wrong = Vec::new();
    let mut written = Vec::new();
    for ((config, made), place) in configs.iter().zip(&made).zip(&places) {
        match convert(config, made, place) {
            Ok(dataset) => written.push((config, made, dataset)),
            Err(error) => wrong.push(format!("{} ({:?}): {error:#}", config.origin, made.shape)),
        }
    }
    let lines: Vec<String> = written.iter().map(|(_, _, dataset)| dataset.display().to_string()).collect();
    let read = laptop::python("read_folder.py", &[], &lines.join("\n"))?;
    for ((config, made, _), read) in written.iter().zip(&read) {
        if let Err(error) = check(config, made, read) {
            wrong.push(format!("{} ({:?}): {error:#}", config.origin, made.shape));
        }
    }
    ensure!(wrong.is_empty(), "{} of {} configs:\n{}", wrong.len(), configs.len(), wrong.join("\n"));
    Ok(())
}

fn convert(config: &Config, made: &Made, place: &Path) -> Result<PathBuf> {
    let path = place.join("config.json");
    std::fs::write(&path, serde_json::to_vec(&config.merged)?)?;
    let out = place.join("out");
    let run = laptop::run(&path, &made.source, &out, &[])?;
    let record = run.file()?;
    ensure!(run.code == Some(0), "exit code {:?}: {} {}\n{}", run.code, record["reason"], record["message"], run.stderr);
    ensure!((run.files("processed"), run.files("failed")) == (1, 0), "{}", run.report);
    ensure!(run.rows() == made.rows as u64, "{} rows instead of {}", run.rows(), made.rows);
    let left_out = run.rows_left_out("BadRowTime") + run.rows_left_out("BadRowPosition");
    ensure!(left_out == made.left_out as u64, "{left_out} rows left out instead of {}", made.left_out);
    let name = config.merged["dataset_name"].as_str().context("no name")?;
    Ok(out.join(format!("{name}.parquet")))
}

fn check(config: &Config, made: &Made, read: &Value) -> Result<()> {
    for reader in ["pyarrow", "hive", "duckdb"] {
        ensure!(read[reader] == made.rows, "{reader} reads {} rows instead of {}", read[reader], made.rows);
    }
    ensure!(read["dataset_name"] == config.merged["dataset_name"], "the sidecar names {}", read["dataset_name"]);
    ensure!(read["wrong"] == serde_json::json!([]), "types: {}", read["wrong"]);
    ensure!(read["missing"] == serde_json::json!([]), "objects lack {}", read["missing"]);
    ensure!(read["blind"] == serde_json::json!([]), "pyarrow knows no extremes of {}", read["blind"]);
    let partitions = config.merged["schema_transformation"]["partitioning"].as_array().context("no partitioning")?;
    for partition in partitions {
        let list = read["partitions"].as_array().context("partitions are a list")?;
        ensure!(list.contains(&partition["source_variable"]), "no partition {}", partition["source_variable"]);
        // What the partitions are made of has no gap.
        let (time, space) = (&partition["time_extent"], &partition["spatial_extent"]);
        for name in [&time["time_varname"], &space["lat_varname"], &space["lon_varname"]].into_iter().filter_map(Value::as_str) {
            ensure!(read["gaps"][name] == 0, "{} gaps in {name}", read["gaps"][name]);
        }
    }
    Ok(())
}

#[test]
fn the_examples_convert_what_they_describe() -> Result<()> {
    let configs = examples()?;
    ensure!(configs.len() >= 4, "{} examples", configs.len());
    convert_all(&configs)
}

#[test]
fn the_shapes_of_the_handlers_convert() -> Result<()> {
    convert_all(&shapes()?)
}

#[test]
fn real_configs_convert_what_they_describe() -> Result<()> {
    let configs = shared()?;
    if configs.is_empty() {
        println!("no real configs on this machine");
        return Ok(());
    }
    println!("{} real configs", configs.len());
    convert_all(&configs)
}

/// The fixtures of a config are the same bytes each time: what failed once can be looked at again.
#[test]
fn the_same_config_makes_the_same_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for config in examples()? {
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        let made = from_configs(&[(&one, &config.merged), (&two, &config.merged)])?;
        ensure!(std::fs::read(made[0].path())? == std::fs::read(made[1].path())?, "{}", config.origin);
    }
    Ok(())
}
