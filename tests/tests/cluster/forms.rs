//! One config in three forms, on the cluster and on a laptop.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::same;
use crate::support::bed::Bed;
use crate::support::books::audit;
use crate::support::dataset::{Dataset, counts};
use crate::support::resource::{DATASET_NAME, config, manifest};

/// 25 files of one station, one of them empty.
const FEW: &str = "-00[0-4][0-9]\\.nc$";
/// `converter run`: finished, some files failed.
const SOME_FAILED: i32 = 3;

type Objects = BTreeMap<String, Bytes>;

/// The objects of a dataset by their keys relative to the destination.
async fn objects(bed: &Bed, prefix: &str) -> Result<Objects> {
    let folder = format!("{prefix}{DATASET_NAME}.parquet/");
    let mut objects = Objects::new();
    for key in bed.optimised.list(&folder).await?.into_keys() {
        let body = bed.optimised.get(&key).await?;
        objects.insert(key.strip_prefix(prefix).unwrap_or(&key).to_owned(), body);
    }
    ensure!(!objects.is_empty(), "no objects below {folder}");
    Ok(objects)
}

/// Byte for byte; the complaint names keys only.
fn equal(found: &Objects, expected: &Objects, what: &str) -> Result<()> {
    same!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}: names of objects");
    let other: Vec<&String> = found.iter().filter(|(key, body)| expected.get(*key) != Some(body)).map(|(key, _)| key).collect();
    ensure!(other.is_empty(), "{what}: other bytes in {other:?}");
    Ok(())
}

/// `converter run` on the manifest that was applied, but for the place; keys come from the environment.
async fn on_a_laptop(bed: &Bed, manifest: &Value, resources: &Value, prefix: &str) -> Result<Objects> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, value: &Value| -> Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, serde_yaml::to_string(value)?)?;
        Ok(path.to_str().context("the temporary folder is not UTF-8")?.to_owned())
    };
    let mut manifest = manifest.clone();
    manifest["spec"]["destination"]["url"] = json!(bed.optimised.url(prefix));
    let (dataset, resources) = (write("dataset.yaml", &manifest)?, write("resources.yaml", resources)?);
    let said = bed.converter.say(&["run", &dataset, "--resources", &resources], "").await?;
    same!(said.code, Some(SOME_FAILED), "exit code of the laptop run, which said\n{}{}", said.out, said.err);
    objects(bed, prefix).await
}

pub async fn object_text_config_map_and_laptop_agree(bed: &Bed) -> Result<()> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace("forms").await?;
    let config = config(bed, &prefixes[1..])?;
    let texts = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mooring", "namespace": namespace},
        "data": {"config.json": format!("{config:#}")}
    });
    bed.apply(&texts.to_string()).await?;
    let form = |name: &str, key: &str, value: Value| {
        let mut manifest = manifest(bed, &namespace, name, &config);
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.shift_remove("config");
            spec.insert(key.to_owned(), value);
        }
        manifest["spec"]["source"]["filter"] = json!([FEW]);
        manifest
    };
    let manifests = [
        form("text", "config", json!(format!("{config:#}"))),
        form("map", "configFrom", json!({"configMapKeyRef": {"name": "mooring", "key": "config.json"}})),
        form("object", "config", config.clone()),
    ];
    let mut datasets = Vec::new();
    for manifest in &manifests {
        datasets.push(Dataset::apply(bed, manifest).await?);
    }
    let mut results = Vec::new();
    for (dataset, manifest) in datasets.iter().zip(&manifests) {
        same!(counts(&dataset.first_run(90).await?), [25, 24, 1], "counts of the form {}", dataset.name);
        audit(dataset, &bed.optimised).await?;
        let on_cluster = objects(bed, &dataset.prefix()).await?;
        let on_laptop = on_a_laptop(bed, manifest, &texts, &format!("{namespace}/laptop-{}/", dataset.name)).await?;
        // An object sent to the API server loses its order there; on a laptop it must come out the same.
        equal(&on_laptop, &on_cluster, &format!("laptop and cluster, config as {}", dataset.name))?;
        results.push(on_cluster);
    }
    equal(&results[1], &results[0], "ConfigMap and text block")?;
    columns(bed, &config, &datasets).await
}

/// The text forms keep the schema's order; an object's columns are in the order of the alphabet.
async fn columns(bed: &Bed, config: &Value, datasets: &[Dataset]) -> Result<()> {
    let names = |key: &str| config.pointer(key).and_then(Value::as_object).map(|map| map.keys().cloned().collect::<Vec<String>>());
    let schema = names("/schema").context("the config has no schema")?;
    for dataset in datasets {
        let place = format!("{}/{}", bed.optimised.name, dataset.folder().trim_end_matches('/'));
        let found = bed.python.read(&place).await?;
        let in_schema: Vec<String> = found.columns.iter().filter(|column| schema.contains(column)).cloned().collect();
        let mut expected = schema.clone();
        if dataset.name == "object" {
            expected.sort();
        }
        same!(in_schema, expected, "columns of the form {}", dataset.name);
        same!(found.schemas, 1, "schemas of the form {}", dataset.name);
    }
    Ok(())
}
