//! A run: what started it, its id, and the names its objects bear. Pure.

use crds::resource::{Cause, Stage};
use sha2::{Digest as _, Sha256};

pub const LABEL_DATASET: &str = "cloudoptimised.io/dataset";
pub const LABEL_RUN: &str = "cloudoptimised.io/run";
pub const LABEL_STAGE: &str = "cloudoptimised.io/stage";
pub const LABEL_ATTEMPT: &str = "cloudoptimised.io/attempt";
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Field manager of every write, and value of [`LABEL_MANAGED_BY`].
pub const MANAGER: &str = "cloud-optimised-operator";
pub const FINALIZER: &str = "cloudoptimised.io/run";

/// A Job's pods are named after it and their index, which must stay one DNS label of 63 characters:
/// 63, less `-` and 10 of the run id, `-convert`, `-r9999` and an index of three digits with its `-`.
const MAX_NAME: usize = 63 - 11 - 8 - 6 - 4;

/// The stages of a run, in order.
pub const STAGES: [Stage; 3] = [Stage::Plan, Stage::Convert, Stage::Commit];

/// The word for a stage in names, labels and the converter's command line.
#[must_use]
pub const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Plan | Stage::Unknown => "plan",
        Stage::Convert => "convert",
        Stage::Commit => "commit",
    }
}

/// The same run has the same id, whoever works it out and how often. `edit` is the hash of what an
/// edit of starts a run; `after` is the run before, so that a token or a config that comes back
/// starts another run. The id thus tells, later, whether the run was of the document of today.
#[must_use]
pub fn id(uid: &str, edit: &str, cause: &Cause, after: Option<&str>) -> String {
    let mut hash = Sha256::new();
    for part in [uid, edit, cause.kind.as_str(), &cause.value, after.unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())[..16].to_owned()
}

/// `<dataset cut to fit>-<first 10 of the run>-<stage>[-r<attempt>]`.
#[must_use]
pub fn job_name(dataset: &str, run: &str, stage: Stage, attempt: u32) -> String {
    let head: String = dataset.replace('.', "-").chars().take(MAX_NAME).collect();
    let tail = if attempt == 0 { String::new() } else { format!("-r{attempt}") };
    format!("{}-{}-{}{tail}", head.trim_end_matches('-'), run.get(..10).unwrap_or(run), word(stage))
}

/// A resource's name as a label value: at most 63 characters, the long ones told apart by a hash.
#[must_use]
pub fn dataset_label(name: &str) -> String {
    if name.len() <= 63 {
        return name.to_owned();
    }
    let head: String = name.chars().take(52).collect();
    format!("{}-{}", head.trim_end_matches(['-', '.']), &hex::encode(Sha256::digest(name))[..10])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::resource::CauseKind;

    #[test]
    fn an_id_is_stable_and_tells_runs_apart() {
        let cause = |kind: CauseKind, value: &str| Cause { kind, value: value.to_owned() };
        let creation = cause(CauseKind::Creation, "");
        let base = id("uid", "doc", &creation, None);
        assert_eq!(base.len(), 16);
        assert_eq!(base, id("uid", "doc", &creation, None));
        let others = [
            id("uid2", "doc", &creation, None),
            id("uid", "doc2", &creation, None),
            id("uid", "doc", &cause(CauseKind::Trigger, "a"), None),
            id("uid", "doc", &cause(CauseKind::Trigger, "a"), Some("before")),
            id("uid", "doc", &cause(CauseKind::Rebuild, "a"), None),
            id("uid", "doc", &cause(CauseKind::Schedule, "2026-01-01T00:00:00Z"), None),
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(*other, base);
            assert!(!others[..index].contains(other));
        }
    }

    #[test]
    fn names_fit_a_pod_of_an_indexed_job() {
        let long = "a.very.long.name.".repeat(15);
        for stage in STAGES {
            let name = job_name(&long, "0123456789abcdef", stage, 9_999);
            assert!(format!("{name}-999").len() <= 63, "{name}");
            assert!(!name.contains('.') && !name.contains("--"), "{name}");
        }
        assert_eq!(job_name("argo", "0123456789abcdef", Stage::Plan, 0), "argo-0123456789-plan");
        assert_eq!(job_name("argo", "0123456789abcdef", Stage::Commit, 2), "argo-0123456789-commit-r2");
        assert_eq!(dataset_label("argo"), "argo");
        assert!(dataset_label(&"x".repeat(200)).len() <= 63);
        assert_ne!(dataset_label(&"x".repeat(200)), dataset_label(&"x".repeat(201)));
    }
}
