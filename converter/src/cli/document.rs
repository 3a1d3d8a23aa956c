//! The effective document of a laptop run: from a resource and the YAML around it, or from flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crds::resource::effective::{self, Effective, Inputs};
use crds::resource::{CloudOptimisedDatasetSpec, Destination, SecretRef, Source, manifest, secret};
use crds::wire::{Compat, Naming};
use serde_json::Value;

use super::args::{CompatArg, NamingArg, RunArgs};
use crate::error::StageError;
use crate::store::{Keys, Secrets};

fn config_error(message: impl Into<String>) -> StageError {
    StageError::Config(message.into())
}

fn read(path: &Path) -> Result<String, StageError> {
    std::fs::read_to_string(path).map_err(|source| config_error(format!("{}: {source}", path.display())))
}

/// A dataset as the command line describes it.
#[derive(Debug)]
pub(super) struct Described {
    pub effective: Effective,
    /// Out of the Secrets the spec refers to, where they are among the YAML.
    pub secrets: Secrets,
}

pub(super) fn describe(args: &RunArgs) -> Result<Described, StageError> {
    let Parts { owner, mut spec, config_text, parents, documents } = match (&args.dataset, &args.config) {
        (Some(path), _) => from_resource(path, &args.resources)?,
        (None, Some(path)) => from_flags(args, path)?,
        (None, None) => return Err(config_error("name a resource, or a config with --config")),
    };
    if let Some(compat) = args.compat {
        spec.compat = Some(match compat {
            CompatArg::Fixed => Compat::Fixed,
            CompatArg::Incumbent => Compat::Incumbent,
        });
    }
    if let Some(naming) = args.naming {
        spec.naming = Some(match naming {
            NamingArg::Basename => Naming::Basename,
            NamingArg::FullKey => Naming::FullKey,
        });
    }
    if let Some(url) = &args.source {
        spec.source = Some(Source { url: Some(url_of(url)?), ..Source::default() });
    }
    if !args.filter.is_empty() {
        spec.source.get_or_insert_default().filter.clone_from(&args.filter);
    }
    if let Some(url) = &args.destination {
        spec.destination = Destination { url: url_of(url)?, ..Destination::default() };
    }
    if args.keep_sorted {
        spec.keep_sorted = Some(true);
    }
    if args.rebuild {
        spec.rebuild = Some(jiff::Timestamp::now().to_string());
    }
    spec.confirm = args.confirm.clone().or(spec.confirm);
    spec.take_over = args.take_over.clone().or(spec.take_over);
    let inputs = Inputs { owner: &owner, spec: &spec, config_text: config_text.as_deref(), parents: &parents };
    let effective = effective::document(&inputs).map_err(|error| config_error(error.to_string()))?;
    let keys = |reference: Option<&SecretRef>| Keys::from_secret(&secret(&documents, &reference?.name)?);
    let secrets = Secrets {
        source: keys(spec.source.as_ref().and_then(|source| source.credentials_secret_ref.as_ref())),
        destination: keys(spec.destination.credentials_secret_ref.as_ref()),
    };
    Ok(Described { effective, secrets })
}

struct Parts {
    owner: String,
    spec: CloudOptimisedDatasetSpec,
    config_text: Option<String>,
    parents: BTreeMap<String, String>,
    /// All other YAML: where `ConfigMap`s and Secrets are looked up.
    documents: Vec<Value>,
}

fn from_flags(args: &RunArgs, path: &Path) -> Result<Parts, StageError> {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    let spec = CloudOptimisedDatasetSpec { config: Some(Value::String(read(path)?)), ..CloudOptimisedDatasetSpec::default() };
    let folder = args.parents.clone().or_else(|| path.parent().map(Path::to_path_buf)).unwrap_or_default();
    Ok(Parts { owner: format!("{user}@laptop"), spec, config_text: None, parents: configs_in(&folder)?, documents: Vec::new() })
}

/// The configs of a folder by file name: only the one a child names is ever looked at.
fn configs_in(folder: &Path) -> Result<BTreeMap<String, String>, StageError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).map_err(|source| config_error(format!("{}: {source}", folder.display())))?;
    let mut found = BTreeMap::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_config = path.extension().is_some_and(|suffix| suffix == "json" || suffix == "yaml" || suffix == "yml");
        if let (true, Some(name)) = (is_config, path.file_name().and_then(|name| name.to_str())) {
            found.insert(name.to_owned(), read(&path)?);
        }
    }
    Ok(found)
}

/// A plain path becomes a `file://` URL.
fn url_of(text: &str) -> Result<String, StageError> {
    if text.contains("://") {
        return Ok(text.to_owned());
    }
    let path = std::path::absolute(text).map_err(|source| config_error(format!("{text:?}: {source}")))?;
    Ok(format!("file://{}", path.display()))
}

fn from_resource(path: &Path, resources: &[PathBuf]) -> Result<Parts, StageError> {
    let mut documents = documents(path)?;
    let at = documents
        .iter()
        .position(manifest::is_dataset)
        .ok_or_else(|| config_error(format!("{}: holds no CloudOptimisedDataset", path.display())))?;
    let resource = manifest::dataset(&documents.swap_remove(at)).map_err(|error| config_error(format!("{}: {error}", path.display())))?;
    for more in resources {
        documents.extend(self::documents(more)?);
    }
    let namespace = resource.metadata.namespace.as_deref().unwrap_or("default");
    let owner = format!("{namespace}/{}", resource.metadata.name.as_deref().unwrap_or_default());
    let spec = resource.spec;
    let config_text = match &spec.config_from {
        Some(from) => Some(config_map_key(&documents, &from.config_map_key_ref.name, &from.config_map_key_ref.key)?),
        None => None,
    };
    let mut parents = BTreeMap::new();
    for key in &spec.parent_from {
        let reference = &key.config_map_key_ref;
        parents.insert(reference.key.clone(), config_map_key(&documents, &reference.name, &reference.key)?);
    }
    Ok(Parts { owner, spec, config_text, parents, documents })
}

fn documents(path: &Path) -> Result<Vec<Value>, StageError> {
    let text = read(path)?;
    crds::config::documents(&text).map_err(|error| config_error(format!("{}: {error}", path.display())))
}

fn config_map_key(documents: &[Value], name: &str, key: &str) -> Result<String, StageError> {
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap" && document["metadata"]["name"] == name);
    let text = map.and_then(|map| map["data"][key].as_str());
    text.map(str::to_owned).ok_or_else(|| config_error(format!("the ConfigMap {name} with the key {key} is not among --resources")))
}
