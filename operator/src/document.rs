//! The effective document as pods get it: an immutable `ConfigMap`, named by its hash. Pure.

use std::collections::BTreeMap;

use crds::config::hash::hash;
use crds::resource::{CloudOptimisedDataset, Effective, SpecError};
use crds::wire::{Document, Reason, StageFailure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::core::ObjectMeta;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::error::Class;
use crate::job;
use crate::run;

/// The key of the document in its `ConfigMap`, and its file name in a pod.
pub const KEY: &str = "document.json";
/// What a `ConfigMap` holds, less some room for its metadata.
const MAX_BYTES: usize = 1_000_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.summary(1_024))]
    Spec(#[from] SpecError),
    #[error("ConfigMap {name} has no key {key}; create it or correct {field}")]
    TextNotFound { field: String, name: String, key: String },
    #[error("the merged config has {bytes} bytes; a ConfigMap carries {MAX_BYTES}: shorten it")]
    TooLarge { bytes: usize },
    #[error("the merged config cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }

    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Spec(error) => error.reason(),
            Self::TextNotFound { .. } => Reason::ConfigMapNotFound,
            Self::TooLarge { .. } | Self::Json(_) => Reason::InvalidConfig,
        }
    }

    /// As a condition shows it.
    #[must_use]
    pub fn failure(&self) -> StageFailure {
        StageFailure { reason: self.reason(), bucket: None, operation: None, message: self.to_string(), side: None, confirm: None }
    }
}

/// The document of a spec, ready for pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub document: Document,
    pub json: String,
    /// Name of its `ConfigMap`.
    pub config_map: String,
    /// Hash of all of it whose edit starts a run: source, content, metadata, layout. Neither
    /// batching nor retries nor budget nor what a person confirms.
    pub edit: String,
    /// What is worth saying to the author of the config, one line.
    pub remarks: Option<String>,
}

/// # Errors
/// When the document is larger than a `ConfigMap`.
pub fn describe(dataset: &str, effective: Effective) -> Result<Described, Error> {
    let Effective { document, config, warnings, unknown_keys, ignored } = effective;
    let edit = hash(&json!({
        "hashes": document.hashes,
        "source": document.source,
        "paths": config.paths,
        "exclude": config.exclude,
        "destination": document.destination,
        "onSourceDelete": document.on_source_delete,
    }));
    let json = serde_json::to_string(&document)?;
    if json.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: json.len() });
    }
    let digest = hex::encode(Sha256::digest(&json));
    let head: String = dataset.chars().take(200).collect();
    let mut remarks: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    if !unknown_keys.is_empty() {
        remarks.push(format!("unknown keys: {}", unknown_keys.join(", ")));
    }
    if !ignored.is_empty() {
        remarks.push(format!("without a meaning here: {}", ignored.join(", ")));
    }
    Ok(Described {
        config_map: format!("{}-{}", head.trim_end_matches(['-', '.']), &digest[..10]),
        document,
        json,
        edit,
        remarks: (!remarks.is_empty()).then(|| remarks.join("; ").chars().take(900).collect()),
    })
}

/// The `ConfigMap` of a document, owned by its dataset.
#[must_use]
pub fn config_map(dataset: &CloudOptimisedDataset, described: &Described) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(described.config_map.clone()),
            namespace: dataset.namespace(),
            labels: Some(BTreeMap::from([
                (run::LABEL_MANAGED_BY.to_owned(), run::MANAGER.to_owned()),
                (run::LABEL_DATASET.to_owned(), run::dataset_label(&dataset.name_any())),
            ])),
            owner_references: job::owner(dataset),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(KEY.to_owned(), described.json.clone())])),
        ..ConfigMap::default()
    }
}
