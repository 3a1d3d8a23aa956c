//! The three Jobs of a run as they are sent: `tests/golden/*.json`. `UPDATE_GOLDEN=1` writes them anew.

use std::path::PathBuf;

use crds::resource::{CloudOptimisedDataset, Stage};
use crds::wire::Reason;
use operator::job::{Blueprint, build};
use operator::options::Options;
use serde_json::{Value, json};

use crate::world::{dataset, options};

fn full() -> CloudOptimisedDataset {
    let mut object = dataset(&json!({
        "parallelism": 2,
        "retries": 1,
        "source": {"credentialsSecretRef": {"name": "reader"}, "caBundleRef": {"name": "ca", "key": "bundle.pem"}},
        "worker": {
            "image": "somebody/else:1",
            "imagePullSecrets": [{"name": "pull"}],
            "resources": {"limits": {"cpu": "2", "memory": "4Gi"}},
            "scratchSize": "5Gi",
            "serviceAccountName": "reader-of-s3",
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "spot", "operator": "Exists"}],
            "labels": {"team": "moorings", "cloudoptimised.io/run": "not yours"},
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}, {"name": "TMPDIR", "value": "/tmp"}],
        },
    }));
    object["metadata"] = json!({"name": "mooring", "namespace": "data", "uid": "0000-1111", "generation": 3});
    serde_json::from_value(object).unwrap()
}

fn made(dataset: &CloudOptimisedDataset, options: &Options, stage: Stage) -> Value {
    let cause_of_missing = (stage == Stage::Commit).then_some(Reason::OomKilled);
    let attempt = u32::from(stage == Stage::Commit);
    let run = "0123456789abcdef";
    let plan = Blueprint { dataset, options, run, document: "mooring-aaaaaaaaaa", stage, attempt, batches: 8, cause_of_missing };
    serde_json::to_value(build(&plan)).unwrap()
}

#[test]
fn the_jobs_of_a_run() {
    let (dataset, options) = (full(), options());
    for (name, stage) in [("plan", Stage::Plan), ("convert", Stage::Convert), ("commit", Stage::Commit)] {
        let text = format!("{}\n", serde_json::to_string_pretty(&made(&dataset, &options, stage)).unwrap());
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{} is out of date", path.display());
    }
}

#[test]
fn an_image_is_overridden_only_where_that_is_allowed() {
    let image = |allow: bool| {
        let options = Options { allow_image_override: allow, ..options() };
        made(&full(), &options, Stage::Plan)["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!((image(false), image(true)), (json!("converter:test"), json!("somebody/else:1")));
}

#[test]
fn deadlines_grow_with_the_work() {
    let seconds = |parallelism: u32, batches: u32| {
        let mut dataset = full();
        dataset.spec.parallelism = Some(parallelism);
        let options = options();
        let plan = Blueprint {
            dataset: &dataset,
            options: &options,
            run: "0123456789abcdef",
            document: "d",
            stage: Stage::Convert,
            attempt: 0,
            batches,
            cause_of_missing: None,
        };
        build(&plan).spec.unwrap().active_deadline_seconds.unwrap()
    };
    assert_eq!([seconds(4, 1), seconds(4, 100), seconds(1, 1_000)], [6 * 3_600, 25 * 1_800, 7 * 86_400]);
}

/// A queue, not the operator, releases the Job.
#[test]
fn a_queued_job_is_created_suspended() {
    let mut dataset = full();
    dataset.spec.worker.as_mut().unwrap().queue_name = Some("batch".to_owned());
    let job = made(&dataset, &options(), Stage::Plan);
    assert_eq!((&job["spec"]["suspend"], &job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]), (&json!(true), &json!("batch")));
}
