//! Pure functions as tables.

use crds::resource::status::MAX_STATUS_BYTES;
use crds::resource::{CloudOptimisedDataset, RunOutcome};
use crds::wire::{Digest, ErrorGroup, Reason};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use operator::decide::{Decision, Ending, Step, Trouble, decide};
use operator::observe::Observation;
use operator::{pods, stage, status};
use serde_json::{Value, json};

use crate::world::{committed, dataset, guarded};

const NOW: &str = "2026-06-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn job(condition: &str, reason: &str, message: &str) -> Job {
    let condition = json!({"type": condition, "status": "True", "reason": reason, "message": message, "lastTransitionTime": NOW});
    let labels = json!({"cloudoptimised.io/run": "r", "cloudoptimised.io/stage": "plan"});
    serde_json::from_value(json!({"metadata": {"name": "j", "labels": labels}, "status": {"conditions": [condition]}})).unwrap()
}

fn pod(code: i32, reason: Option<&str>, message: Option<&str>) -> Pod {
    let ended = json!({"exitCode": code, "reason": reason, "message": message, "finishedAt": NOW});
    let container =
        json!({"name": "converter", "image": "i", "imageID": "i", "ready": false, "restartCount": 0, "state": {"terminated": ended}});
    let labels = json!({"batch.kubernetes.io/job-name": "j"});
    serde_json::from_value(json!({"metadata": {"name": "p", "labels": labels}, "status": {"containerStatuses": [container]}})).unwrap()
}

#[test]
fn why_a_job_failed() {
    let said = guarded().to_message();
    let rule = "Container converter for pod data/p failed with exit code 11 matching FailJob rule at index 1";
    let rows: [(&str, &str, &str, Vec<Pod>, Reason); 10] = [
        ("what a pod said", "PodFailurePolicy", "", vec![pod(10, None, Some(&said))], Reason::WithdrawalGuard),
        ("no digest, exit 11", "PodFailurePolicy", "", vec![pod(11, None, None)], Reason::AccessDenied),
        ("exit 10", "PodFailurePolicy", "", vec![pod(10, None, None)], Reason::InvalidConfig),
        ("exit 2", "PodFailurePolicy", "", vec![pod(2, None, None)], Reason::InvalidConfig),
        ("exit 20", "FailedIndexes", "", vec![pod(20, None, None)], Reason::StoreUnavailable),
        ("exit 143", "FailedIndexes", "", vec![pod(143, None, None)], Reason::Terminated),
        ("exit 1 and no sense", "FailedIndexes", "", vec![pod(1, None, Some("panicked"))], Reason::Crashed),
        ("too much memory", "FailedIndexes", "", vec![pod(0, None, None), pod(137, Some("OOMKilled"), None)], Reason::OomKilled),
        ("too late", "DeadlineExceeded", "", vec![pod(137, None, None)], Reason::DeadlineExceeded),
        ("the pods are gone", "PodFailurePolicy", rule, vec![], Reason::AccessDenied),
    ];
    for (case, reason, message, pods, expected) in rows {
        assert_eq!(pods::failure(&job("Failed", reason, message), &pods).reason, expected, "{case}");
    }
}

/// Pods on a lost node are waited for until their deadline and two minutes more.
#[test]
fn when_a_job_is_over() {
    let rows = [
        ("Failed", 0, true),
        ("Complete", 0, true),
        ("FailureTarget", 60, false),
        ("FailureTarget", 121, true),
        ("SuccessCriteriaMet", 60, false),
        ("Suspended", 10_000, false),
    ];
    for (condition, seconds, over) in rows {
        let at = now() + SignedDuration::from_secs(seconds);
        let attempts = stage::attempts(&[job(condition, "", "")], &[], "r", crds::resource::Stage::Plan, at);
        let working = attempts.latest.unwrap().end == stage::End::Working;
        assert_eq!(working, !over, "{condition} after {seconds} s");
    }
}

/// A batch counts once, however many pods report it, and only for its own run.
#[test]
fn what_pods_have_converted() {
    let said = |run: &str, batch, processed| {
        let digest = Digest::Convert { run: run.to_owned(), batch, processed, failed: 1, skipped: 2, rows: 3 };
        pod(0, None, Some(&digest.to_message()))
    };
    let sum = pods::converted(&[said("r", 0, 10), said("r", 0, 10), said("r", 4, 5), said("other", 5, 7), pod(1, None, None)], "r");
    assert_eq!((sum.batches, sum.processed, sum.failed, sum.skipped, sum.rows), (2, 15, 2, 4, 6));
}

fn observation(status: &Value) -> Observation {
    let mut object = dataset(&json!({}));
    object["metadata"] = json!({"name": "mooring", "namespace": "data", "uid": "u", "generation": 4});
    object["status"] = status.clone();
    let dataset: CloudOptimisedDataset = serde_json::from_value(object).unwrap();
    let effective = crds::resource::document(&crds::resource::Inputs {
        owner: "data/mooring",
        spec: &dataset.spec,
        config_text: None,
        parents: &std::collections::BTreeMap::new(),
    });
    let described = operator::document::describe("mooring", effective.unwrap()).unwrap();
    Observation {
        now: now(),
        dataset,
        described: Ok(described),
        rival: None,
        jobs: vec![],
        pods: Some(vec![]),
        grace: SignedDuration::from_secs(60),
        pause: SignedDuration::from_secs(5),
    }
}

fn running() -> Value {
    json!({"currentRun": {
        "id": "0123456789abcdef", "cause": {"kind": "Creation", "value": ""}, "startTime": NOW, "stage": "Commit",
        "attempt": 0, "documentConfigMap": "mooring-0123456789",
    }})
}

fn finish(digest: Digest) -> Decision {
    let ending = Ending::Committed(digest);
    Decision { step: Step::Finish(ending), chores: vec![], trouble: Trouble::None, look_again: SignedDuration::ZERO }
}

#[test]
fn how_a_run_ends() {
    // (processed, unchanged, failed, over budget) → outcome, reason, Ready
    let rows = [
        ((5, 0, 0, false), RunOutcome::Completed, None, "True/RunSucceeded"),
        ((0, 5, 0, false), RunOutcome::Completed, None, "True/UpToDate"),
        ((4, 0, 1, false), RunOutcome::CompletedWithErrors, None, "True/RunSucceededWithErrors"),
        // A held failure of an older run does not make a dataset that is there unready.
        ((0, 4, 1, false), RunOutcome::CompletedWithErrors, None, "True/RunSucceededWithErrors"),
        ((0, 0, 5, false), RunOutcome::Failed, Some("BadTime"), "False/RunFailed"),
        ((4, 0, 1, true), RunOutcome::Failed, Some("BudgetExceeded"), "False/BudgetExceeded"),
    ];
    for ((processed, unchanged, failed, over), outcome, reason, ready) in rows {
        let mut digest = committed("0123456789abcdef", processed, unchanged, failed, 0);
        if let Digest::Commit { budget_exceeded, .. } = &mut digest {
            *budget_exceeded = over;
        }
        let status = status::after(&observation(&running()), &finish(digest));
        let last = status.last_run.unwrap();
        assert_eq!((last.outcome, last.reason.as_deref()), (outcome, reason));
        let condition = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        assert_eq!(format!("{}/{}", condition.status, condition.reason), ready);
        assert!(!status.conditions.iter().any(|condition| condition.type_ == "Stalled" && condition.status == "True"));
    }
}

#[test]
fn a_status_is_never_too_heavy() {
    let mut heavy = running();
    let run = json!({"id": "0123456789abcdef", "startTime": NOW, "completionTime": NOW, "outcome": "CompletedWithErrors",
        "discovered": u64::MAX >> 1, "processed": u64::MAX >> 1, "failed": 1, "rows": u64::MAX >> 1});
    heavy["runs"] = json!([run, run, run, run, run]);
    let mut digest = committed("0123456789abcdef", 1, 2, 300, 0);
    if let Digest::Commit { errors, report, .. } = &mut digest {
        let wide = "\u{1F40B}".repeat(300);
        *errors = Reason::ALL.iter().take(20).map(|reason| ErrorGroup::new(*reason, 15, &wide, &wide)).collect();
        *report = format!("s3://{}", "r".repeat(1_000));
    }
    let status = status::after(&observation(&heavy), &finish(digest));
    let bytes = serde_json::to_string(&status).unwrap().len();
    assert!(bytes <= MAX_STATUS_BYTES, "{bytes}");
    assert!(!status.runs.is_empty() && !status.errors.is_empty());
}

#[test]
fn an_older_dataset_has_the_destination() {
    let mut seen = observation(&json!({}));
    seen.rival = Some("data/elder".to_owned());
    let decision = decide(&seen);
    assert_eq!(decision.step, Step::Rest);
    let status = status::after(&seen, &decision);
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    assert_eq!(stalled.reason, "DestinationConflict");
    assert!(stalled.message.contains("data/elder"));
}
