//! From a spec and the texts it names to the one document every stage works from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::places::{Destination, Source};
use super::spec::CloudOptimisedDatasetSpec;
use super::url::{Place, folder, place};
use crate::config::finding::listed;
use crate::config::{
    ConfigError, DatasetConfig, Finding, SourceOptions, Validated, as_object_form, cast_attributes, check_regex, hashes, load, validate,
    with_parent,
};
use crate::wire::{Access, Batching, Class, Document, FailureBudget, Reason};

/// Retries of a batch and of a file when the spec names none.
pub const DEFAULT_RETRIES: u32 = 3;
/// `maxWithdrawnPercent` when the spec names none.
pub const DEFAULT_WITHDRAWN_PERCENT: u32 = 10;

/// What a document is made of. Nothing here is read from anywhere: the caller has fetched it.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `namespace/name` of the resource, or `user@laptop`.
    pub owner: &'a str,
    pub spec: &'a CloudOptimisedDatasetSpec,
    /// The text that `configFrom` names.
    pub config_text: Option<&'a str>,
    /// The texts that `parentFrom` names (or the files of `--parents`), by key or file name.
    pub parents: &'a BTreeMap<String, String>,
}

/// The document, and what is worth saying about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    pub document: Document,
    /// The document's config, typed.
    pub config: DatasetConfig,
    /// Paths begin with `spec`.
    pub warnings: Vec<Finding>,
    /// Paths of config keys that nothing reads.
    pub unknown_keys: Vec<String>,
    /// Paths of config keys without a meaning here.
    pub ignored: Vec<String>,
}

/// A spec that no run can use. Each variant holds *all* findings, their paths beginning with `spec`;
/// which variant it is says what must be mended first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("{}", listed(.0))]
    Config(Vec<Finding>),
    #[error("{}", listed(.0))]
    Spec(Vec<Finding>),
    #[error("{}", listed(.0))]
    Schedule(Vec<Finding>),
}

impl SpecError {
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Config(findings) | Self::Spec(findings) | Self::Schedule(findings) => findings,
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }

    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Config(_) => Reason::InvalidConfig,
            Self::Spec(_) => Reason::InvalidSpec,
            Self::Schedule(_) => Reason::InvalidSchedule,
        }
    }

    /// All findings in one line of at most `most` characters, with a count of those left out.
    #[must_use]
    pub fn summary(&self, most: usize) -> String {
        let full = self.to_string();
        if full.chars().count() <= most {
            return full;
        }
        let note = format!("… ({} problems in all)", self.findings().len());
        let kept: String = full.chars().take(most.saturating_sub(note.chars().count())).collect();
        kept + &note
    }
}

/// Merges, validates, hashes and lays the typed fields over `run_settings`.
pub fn document(inputs: &Inputs<'_>) -> Result<Effective, SpecError> {
    let spec = inputs.spec;
    let mut wrong = Vec::new();
    check_spec(spec, &mut wrong);
    let at = if spec.config_from.is_some() { "spec.configFrom" } else { "spec.config" };
    let config = config(inputs, &mut wrong).map(|result| result.map_err(|error| below(error.findings(), at)));
    let schedule = spec.schedule.as_ref().and_then(|schedule| schedule.clock().err()).unwrap_or_default();
    let (merged, validated) = match config {
        Some(Ok(found)) => found,
        Some(Err(mut findings)) => {
            findings.extend(wrong);
            findings.extend(schedule);
            return Err(SpecError::Config(findings));
        }
        None => {
            wrong.extend(schedule);
            return Err(SpecError::Spec(wrong));
        }
    };
    check_places(spec, &validated, at, &mut wrong);
    if !wrong.is_empty() {
        wrong.extend(schedule);
        return Err(SpecError::Spec(wrong));
    }
    if !schedule.is_empty() {
        return Err(SpecError::Schedule(schedule));
    }

    let (compat, naming) = (spec.compat.unwrap_or_default(), spec.naming.unwrap_or_default());
    let batching = spec.batching.clone().unwrap_or_default();
    let defaults = Batching::default();
    let document = Document {
        owner: inputs.owner.to_owned(),
        dataset_name: validated.config.dataset_name.clone(),
        format: validated.config.format,
        hashes: hashes(&merged, &validated.config, compat, naming),
        config: merged,
        source: source_access(spec.source.as_ref(), &validated.source_options),
        destination: destination_access(&spec.destination),
        batching: Batching {
            max_files: batching.max_files.unwrap_or(defaults.max_files),
            max_bytes: batching.max_bytes.unwrap_or(defaults.max_bytes),
        },
        retries: spec.retries.unwrap_or(DEFAULT_RETRIES),
        failure_budget: spec
            .failure_budget
            .as_ref()
            .map(|budget| FailureBudget { max_failed_files: budget.max_failed_files, max_failed_percent: budget.max_failed_percent }),
        on_source_delete: spec.on_source_delete.unwrap_or_default(),
        max_withdrawn_percent: spec.max_withdrawn_percent.unwrap_or(DEFAULT_WITHDRAWN_PERCENT),
        compat,
        naming,
        keep_sorted: spec.keep_sorted.unwrap_or_default(),
        take_over: spec.take_over.clone(),
        confirm: spec.confirm.clone(),
        rebuild: spec.rebuild.clone(),
    };
    let under = |path: &String| Finding::new(path, "").below(at).path;
    Ok(Effective {
        document,
        warnings: warnings(spec, &validated, at),
        unknown_keys: validated.unknown_keys.iter().map(under).collect(),
        ignored: validated.ignored.iter().map(under).collect(),
        config: validated.config,
    })
}

/// A missing path list is nothing to speak of when the source has a URL.
fn warnings(spec: &CloudOptimisedDatasetSpec, validated: &Validated, at: &str) -> Vec<Finding> {
    let has_url = spec.source.as_ref().is_some_and(|source| source.url.is_some());
    let kept = validated.warnings.iter().filter(|warning| !(has_url && warning.path == "run_settings.paths"));
    kept.map(|warning| warning.clone().below(at)).collect()
}

/// The merged config and its typed form; none when the spec names no config to begin with.
fn config(inputs: &Inputs<'_>, wrong: &mut Vec<Finding>) -> Option<Result<(Value, Validated), ConfigError>> {
    let spec = inputs.spec;
    let child = match (&spec.config, &spec.config_from) {
        (Some(_), Some(_)) => {
            wrong.push(Finding::new("spec.configFrom", "both `config` and `configFrom`; keep one of them"));
            return None;
        }
        (None, None) => {
            wrong.push(Finding::new("spec.config", "missing; paste the dataset config here, or name a ConfigMap in `configFrom`"));
            return None;
        }
        (None, Some(_)) => {
            let Some(text) = inputs.config_text else {
                let message = "its ConfigMap or key was not found; create it, or write the config into `config`";
                wrong.push(Finding::new("spec.configFrom", message));
                return None;
            };
            load(text)
        }
        (Some(Value::String(text)), None) => load(text),
        (Some(object @ Value::Object(_)), None) => {
            let mut config = as_object_form(object);
            cast_attributes(&mut config);
            Ok(config)
        }
        (Some(_), None) => {
            wrong.push(Finding::new("spec.config", "neither an object nor text; paste the dataset config as one of them"));
            return None;
        }
    };
    Some(child.and_then(|child| {
        let merged = with_parent(child.clone(), &parents(inputs, &child))?;
        let validated = validate(&merged)?.supported()?;
        Ok((merged, validated))
    }))
}

/// The only key of `parentFrom` is the parent, whatever its name.
fn parents(inputs: &Inputs<'_>, child: &Value) -> BTreeMap<String, String> {
    let mut parents = inputs.parents.clone();
    if let (1, 1, Some(Value::String(name))) = (inputs.spec.parent_from.len(), parents.len(), child.get("parent_config"))
        && let Some(text) = parents.values().next().cloned()
    {
        parents.insert(name.clone(), text);
    }
    parents
}

fn below(findings: &[Finding], at: &str) -> Vec<Finding> {
    findings.iter().map(|finding| finding.clone().below(at)).collect()
}

/// What can be said of the spec's own fields without the config.
fn check_spec(spec: &CloudOptimisedDatasetSpec, wrong: &mut Vec<Finding>) {
    if let Err(message) = place(&spec.destination.url) {
        wrong.push(Finding::new("spec.destination.url", message));
    }
    if spec.destination.anonymous && spec.destination.credentials_secret_ref.is_some() {
        wrong.push(Finding::new("spec.destination.anonymous", "anonymous, and yet `credentialsSecretRef`; keep one of them"));
    }
    if spec.batching.as_ref().is_some_and(|batching| batching.max_files == Some(0)) {
        wrong.push(Finding::new("spec.batching.maxFiles", "0 files a batch; write 1 or more"));
    }
    let Some(source) = &spec.source else { return };
    if let Some(Err(message)) = source.url.as_deref().map(place) {
        wrong.push(Finding::new("spec.source.url", message));
    }
    if source.anonymous && source.credentials_secret_ref.is_some() {
        wrong.push(Finding::new("spec.source.anonymous", "anonymous, and yet `credentialsSecretRef`; keep one of them"));
    }
    if source.url.is_some() && source.bucket.is_some() {
        wrong.push(Finding::new("spec.source.bucket", "both `url` and `bucket`; keep one of them, a URL names its bucket"));
    }
    for (index, regex) in source.filter.iter().enumerate() {
        if let Err(message) = check_regex(regex) {
            wrong.push(Finding::new(format!("spec.source.filter[{index}]"), message));
        }
    }
}

/// Something to list, and the destination neither inside it nor around it.
fn check_places(spec: &CloudOptimisedDatasetSpec, validated: &Validated, at: &str, wrong: &mut Vec<Finding>) {
    let Ok(destination) = place(&folder(&spec.destination.url)) else { return };
    let source = spec.source.clone().unwrap_or_default();
    let endpoint = source.endpoint.as_ref().or(validated.source_options.endpoint.as_ref());
    let same_store = endpoint == spec.destination.endpoint.as_ref();
    let advice = "choose another prefix or bucket for the destination";
    if let Some(url) = &source.url {
        let overlaps = place(url).is_ok_and(|place| place.overlaps(&destination));
        if overlaps && (same_store || matches!(destination, Place::File { .. })) {
            let message = format!("`{url}` and the destination `{}` lie one inside the other; {advice}", spec.destination.url);
            wrong.push(Finding::new("spec.source.url", message));
        }
        return;
    }
    if validated.config.paths.is_empty() {
        let message = "no paths and no `spec.source.url`, so there is nothing to list; write one of them";
        wrong.push(Finding::new("run_settings.paths", message).below(at));
    }
    for (index, path) in validated.config.paths.iter().enumerate().filter(|_| same_store) {
        let bucket = source.bucket.as_ref().unwrap_or(&path.bucket);
        let listed = Place::S3 { bucket: bucket.clone(), prefix: path.prefix.clone() };
        if listed.overlaps(&destination) {
            let message = format!(
                "path {} (`s3://{bucket}/{}`) and the destination `{}` lie one inside the other; {advice}",
                index + 1,
                path.prefix,
                spec.destination.url
            );
            wrong.push(Finding::new("run_settings.paths", message).below(at));
        }
    }
}

fn source_access(source: Option<&Source>, options: &SourceOptions) -> Access {
    let source = source.cloned().unwrap_or_default();
    let signed = source.credentials_secret_ref.is_some();
    Access {
        url: source.url,
        filter: source.filter,
        bucket: source.bucket,
        endpoint: source.endpoint.or_else(|| options.endpoint.clone()),
        region: source.region.or_else(|| options.region.clone()),
        path_style: source.path_style,
        anonymous: source.anonymous || (!signed && options.anonymous == Some(true)),
        min_age_seconds: source.min_age_seconds.unwrap_or(0),
    }
}

fn destination_access(destination: &Destination) -> Access {
    Access {
        url: Some(folder(&destination.url)),
        endpoint: destination.endpoint.clone(),
        region: destination.region.clone(),
        path_style: destination.path_style,
        anonymous: destination.anonymous,
        ..Access::default()
    }
}
