//! What a pod of a run is given: document, scratch, credentials, certificates, resources. Pure.

use crds::resource::{CloudOptimisedDatasetSpec, KeyRef, SecretRef, Worker};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, EnvVar, EnvVarSource, KeyToPath, ObjectFieldSelector, ResourceFieldSelector,
    ResourceRequirements, SecretKeySelector, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::document;
use crate::job::Blueprint;
use crate::options::Options;
use crate::pods::CONTAINER;

pub const DOCUMENT_PATH: &str = "/etc/cod/document.json";
const DOCUMENT_DIR: &str = "/etc/cod";
const SCRATCH: &str = "/scratch";
const CA_DIR: &str = "/etc/cod-ca";

/// The two stores of a run, as the converter's variables and paths name them.
#[derive(Clone, Copy)]
struct Side<'a> {
    word: &'static str,
    prefix: &'static str,
    credentials: Option<&'a SecretRef>,
    ca: Option<&'a KeyRef>,
}

fn sides(spec: &CloudOptimisedDatasetSpec) -> [Side<'_>; 2] {
    let source = spec.source.as_ref();
    [
        Side {
            word: "source",
            prefix: "SOURCE",
            credentials: source.and_then(|source| source.credentials_secret_ref.as_ref()),
            ca: source.and_then(|source| source.ca_bundle_ref.as_ref()),
        },
        Side {
            word: "destination",
            prefix: "DESTINATION",
            credentials: spec.destination.credentials_secret_ref.as_ref(),
            ca: spec.destination.ca_bundle_ref.as_ref(),
        },
    ]
}

/// Ours first; then `spec.worker.env`, which cannot replace any of ours.
pub(crate) fn env(spec: &CloudOptimisedDatasetSpec, worker: &Worker) -> Vec<EnvVar> {
    let mut env = vec![
        value("TMPDIR", SCRATCH),
        annotation("COD_FAILURE_COUNT", "batch.kubernetes.io/job-index-failure-count"),
        annotation("COD_IGNORED_FAILURE_COUNT", "batch.kubernetes.io/job-index-ignored-failure-count"),
        resource("COD_MEMORY_BYTES", "limits.memory"),
        resource("COD_THREADS", "limits.cpu"),
    ];
    for side in sides(spec) {
        if let Some(secret) = side.credentials {
            let key = |key: &str, optional: Option<bool>| credential(side.prefix, key, secret, optional);
            env.extend([key("AWS_ACCESS_KEY_ID", None), key("AWS_SECRET_ACCESS_KEY", None), key("AWS_SESSION_TOKEN", Some(true))]);
        }
        if side.ca.is_some() {
            env.push(value(&format!("{}_CA_BUNDLE", side.prefix), &format!("{CA_DIR}/{}/ca.crt", side.word)));
        }
    }
    let theirs: Vec<EnvVar> = worker
        .env
        .iter()
        .filter(|of_worker| env.iter().all(|ours| ours.name != of_worker.name))
        .map(|of_worker| value(&of_worker.name, &of_worker.value))
        .collect();
    env.extend(theirs);
    env
}

fn value(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() }
}

fn from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}

fn annotation(name: &str, annotation: &str) -> EnvVar {
    let field = ObjectFieldSelector { api_version: None, field_path: format!("metadata.annotations['{annotation}']") };
    from(name, EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() })
}

fn resource(name: &str, limit: &str) -> EnvVar {
    let field = ResourceFieldSelector {
        container_name: Some(CONTAINER.to_owned()),
        divisor: Some(Quantity("1".to_owned())),
        resource: limit.to_owned(),
    };
    from(name, EnvVarSource { resource_field_ref: Some(field), ..EnvVarSource::default() })
}

fn credential(prefix: &str, key: &str, secret: &SecretRef, optional: Option<bool>) -> EnvVar {
    let selector = SecretKeySelector { name: secret.name.clone(), key: key.to_owned(), optional };
    from(&format!("{prefix}_{key}"), EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() })
}

pub(crate) fn volumes(plan: &Blueprint<'_>, worker: &Worker) -> Vec<Volume> {
    let size = worker.scratch_size.clone().unwrap_or_else(|| Quantity(plan.options.worker_scratch_size.clone()));
    let mut volumes = vec![
        config_map("document", plan.document, document::KEY, document::KEY),
        Volume {
            name: "scratch".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource { medium: None, size_limit: Some(size) }),
            ..Volume::default()
        },
    ];
    for side in sides(&plan.dataset.spec) {
        if let Some(ca) = side.ca {
            volumes.push(config_map(&format!("ca-{}", side.word), &ca.name, &ca.key, "ca.crt"));
        }
    }
    volumes
}

fn config_map(volume: &str, name: &str, key: &str, path: &str) -> Volume {
    Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: name.to_owned(),
            items: Some(vec![KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None }]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(crate) fn mounts(spec: &CloudOptimisedDatasetSpec) -> Vec<VolumeMount> {
    let mount = |name: String, path: String, read_only: bool| VolumeMount {
        name,
        mount_path: path,
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut mounts =
        vec![mount("document".to_owned(), DOCUMENT_DIR.to_owned(), true), mount("scratch".to_owned(), SCRATCH.to_owned(), false)];
    for side in sides(spec).into_iter().filter(|side| side.ca.is_some()) {
        mounts.push(mount(format!("ca-{}", side.word), format!("{CA_DIR}/{}", side.word), true));
    }
    mounts
}

/// The operator's defaults under what `spec.worker.resources` says; a default that would contradict
/// it (a request above the limit) gives way.
pub(crate) fn resources(options: &Options, worker: &Worker) -> ResourceRequirements {
    let theirs = worker.resources.clone().unwrap_or_default();
    let (mut requests, mut limits) = (theirs.requests.unwrap_or_default(), theirs.limits.unwrap_or_default());
    let defaults = [
        ("cpu", &options.worker_cpu_request, &options.worker_cpu_limit),
        ("memory", &options.worker_memory_request, &options.worker_memory_limit),
    ];
    for (key, request, limit) in defaults {
        let (asked, most) = (requests.get(key).cloned(), limits.get(key).cloned());
        if most.is_none() {
            let default = Quantity(limit.clone());
            limits.insert(key.to_owned(), asked.clone().filter(|asked| amount(asked) > amount(&default)).unwrap_or(default));
        }
        if asked.is_none() {
            let default = Quantity(request.clone());
            requests.insert(key.to_owned(), most.filter(|most| amount(most) < amount(&default)).unwrap_or(default));
        }
    }
    ResourceRequirements { requests: Some(requests), limits: Some(limits), claims: None }
}

/// A quantity as a number; one that cannot be read counts as nothing, and the API server refuses it.
fn amount(quantity: &Quantity) -> f64 {
    const SUFFIXES: [(&str, f64); 10] = [
        ("Ki", 1_024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("", 1.0),
    ];
    let text = quantity.0.as_str();
    SUFFIXES.iter().find_map(|(suffix, factor)| Some(text.strip_suffix(suffix)?.parse::<f64>().ok()? * factor)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use clap::Parser;

    type Pairs = &'static [(&'static str, &'static str)];

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Quantity((*value).to_owned()))).collect()
    }

    #[test]
    fn a_default_never_contradicts_the_spec() {
        let options = Options::parse_from(["operator", "--converter-image", "i"]);
        // (requests, limits of the spec; requests, limits of the pod)
        let rows: [(Pairs, Pairs, Pairs, Pairs); 4] = [
            (&[], &[], &[("cpu", "500m"), ("memory", "512Mi")], &[("cpu", "1"), ("memory", "1Gi")]),
            (&[("memory", "4Gi")], &[], &[("cpu", "500m"), ("memory", "4Gi")], &[("cpu", "1"), ("memory", "4Gi")]),
            (&[("cpu", "100m")], &[("memory", "256Mi")], &[("cpu", "100m"), ("memory", "256Mi")], &[("cpu", "1"), ("memory", "256Mi")]),
            (&[], &[("cpu", "4"), ("memory", "8G")], &[("cpu", "500m"), ("memory", "512Mi")], &[("cpu", "4"), ("memory", "8G")]),
        ];
        for (requests, limits, of_pod, at_most) in rows {
            let resources_ = ResourceRequirements { requests: Some(map(requests)), limits: Some(map(limits)), claims: None };
            let worker = Worker { resources: Some(resources_), ..Worker::default() };
            let made = resources(&options, &worker);
            assert_eq!((made.requests, made.limits), (Some(map(of_pod)), Some(map(at_most))));
        }
    }
}
