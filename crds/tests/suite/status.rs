//! The weight of a status, and how old and new versions of it get along.

use crds::resource::condition::types;
use crds::resource::status::{MAX_ERRORS, MAX_RUNS, MAX_STATUS_BYTES};
use crds::resource::{
    Cause, CauseKind, CloudOptimisedDatasetStatus, CurrentRun, ErrorSummary, Files, Guard, LastRun, Phase, RunOutcome, Stage,
};
use crds::wire::{ErrorGroup, FileCounts, Hashes, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

fn now() -> Time {
    Time(Timestamp::from_second(1_767_225_600).unwrap())
}

fn cause() -> Cause {
    Cause { kind: CauseKind::Schedule, value: "v".repeat(128) }
}

fn last_run() -> LastRun {
    let mut run = LastRun {
        id: "r".repeat(32),
        cause: cause(),
        start_time: now(),
        completion_time: now(),
        outcome: RunOutcome::CompletedWithErrors,
        reason: Some(Reason::ConditionalPutUnsupported.to_string()),
        message: Some("m".repeat(512)),
        discovered: 0,
        processed: 0,
        unchanged: 0,
        failed: 0,
        skipped: 0,
        pending: 0,
        withdrawn: 0,
        rows: u64::MAX,
    };
    let most = u64::MAX;
    run.count(&FileCounts {
        discovered: most,
        processed: most,
        unchanged: most,
        failed: most,
        skipped: most,
        pending: most,
        withdrawn: most,
    });
    run
}

/// Every field as heavy as the fields' own limits allow; `text` is what messages are made of.
fn heaviest(text: &str) -> CloudOptimisedDatasetStatus {
    let most = u64::MAX;
    let conditions = types::ALL.iter().map(|name| Condition {
        type_: (*name).to_owned(),
        status: "Unknown".to_owned(),
        reason: Reason::ConditionalPutUnsupported.to_string(),
        message: text.repeat(512),
        last_transition_time: now(),
        observed_generation: Some(i64::MAX),
    });
    let group = ErrorGroup::new(Reason::ConditionalPutUnsupported, most, &text.repeat(200), &text.repeat(500));
    CloudOptimisedDatasetStatus {
        observed_generation: Some(i64::MAX),
        conditions: conditions.collect(),
        phase: Some(Phase::CompletedWithErrors),
        progress: Some(format!("{most}/{most}")),
        run: Some("r".repeat(32)),
        format: Some("parquet".to_owned()),
        hashes: Some(Hashes { layout: "h".repeat(16), content: "h".repeat(16), metadata: "h".repeat(16) }),
        files: Some(Files { discovered: most, pending: most, processed: most, failed: most, skipped: most, withdrawn: most }),
        rows: Some(most),
        rows_masked: Some(most),
        bytes: Some(most),
        current_run: Some(CurrentRun {
            id: "r".repeat(32),
            cause: cause(),
            start_time: now(),
            stage: Stage::Convert,
            attempt: u32::MAX,
            document_config_map: "c".repeat(253),
            files_total: Some(most),
            files_done: Some(most),
            files_failed: Some(most),
            batches_total: Some(u32::MAX),
            batches_done: Some(u32::MAX),
        }),
        last_run: Some(last_run()),
        runs: vec![last_run().summary(); MAX_RUNS],
        errors: vec![ErrorSummary::new(&group, now()); MAX_ERRORS],
        report: Some("s".repeat(1200)),
        last_trigger: Some("t".repeat(128)),
        last_rebuild: Some("t".repeat(128)),
        last_schedule_time: Some(now()),
        next_schedule_time: Some(now()),
        guard: Some(Guard { reason: Reason::KeptRowsWouldBeLost.to_string(), digest: "d".repeat(64), message: text.repeat(512) }),
    }
}

#[test]
fn the_heaviest_usual_status_fits_uncut() {
    let whole = heaviest("m");
    let mut fitted = whole.clone();
    fitted.fit();
    assert_eq!(fitted, whole);
    let bytes = serde_json::to_vec(&whole).unwrap();
    assert!(bytes.len() <= MAX_STATUS_BYTES, "{} bytes", bytes.len());
    assert_eq!(serde_json::from_slice::<CloudOptimisedDatasetStatus>(&bytes).unwrap(), whole);
}

#[test]
fn whatever_texts_it_is_given_it_stays_within_its_limit() {
    for text in ["é", "🌊", "\u{1}", "\"", "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"] {
        let mut status = heaviest(text);
        status.fit();
        let bytes = serde_json::to_vec(&status).unwrap();
        assert!(bytes.len() <= MAX_STATUS_BYTES, "{text:?}: {} bytes", bytes.len());
        assert_eq!(status.conditions.len(), types::ALL.len());
        assert!(status.errors.len() >= 4, "{text:?}: {} errors", status.errors.len());
    }
}

#[test]
fn an_empty_status_is_empty_and_a_newer_one_is_read() {
    assert_eq!(serde_json::to_value(CloudOptimisedDatasetStatus::default()).unwrap(), json!({}));
    let newer = json!({"phase": "Dreaming", "novelty": 1, "files": {"processed": 3, "imagined": 1}});
    let status: CloudOptimisedDatasetStatus = serde_json::from_value(newer).unwrap();
    assert_eq!(status.phase, Some(Phase::Unknown));
    assert_eq!(status.files.map(|files| files.processed), Some(3));
}
