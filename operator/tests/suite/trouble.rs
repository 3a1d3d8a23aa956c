//! What stands in the way of a run, what is said of it, and what mends it.

use operator::error::Error;
use serde_json::json;

use crate::world::{World, dataset, denied, guarded};

#[tokio::test]
async fn access_denied_is_tried_again_until_it_is_mended() {
    let world = World::new(&json!({}));
    world.settle().await;
    let (run, plan) = (world.run(), world.job("plan"));
    world.api.stage_failed(&plan, 11, &denied());
    world.settle().await;
    assert_eq!(world.condition("SourceReachable"), "False/AccessDenied");
    assert_eq!(world.message("SourceReachable"), "source bucket in, ListObjectsV2: 403 Forbidden");
    assert_eq!(world.message("Ready"), "AccessDenied: source bucket in, ListObjectsV2: 403 Forbidden");
    assert_eq!(world.condition("Stalled"), "True/AccessDenied");
    assert_eq!(world.condition("Ready"), "False/AccessDenied");
    assert_eq!(world.jobs().len(), 1, "the next attempt waits");
    let mut attempts = 0;
    for wait in [5, 10, 20, 40] {
        world.api.pass(wait);
        world.settle().await;
        attempts += 1;
        let again = format!("{plan}-r{attempts}");
        assert!(world.jobs().contains(&again), "{:?}", world.jobs());
        assert_eq!(world.condition("Stalled"), "True/AccessDenied", "until an attempt has worked");
        if attempts < 4 {
            world.api.stage_failed(&again, 11, &denied());
            world.settle().await;
        }
    }
    assert!(world.jobs().len() <= 3, "old attempts go: {:?}", world.jobs());
    world.api.stage_done(&format!("{plan}-r4"), &world.planned(2));
    world.settle().await;
    assert_eq!(world.run(), run);
    let mended = [
        ("SourceReachable", "True/Listed"),
        ("Stalled", "False/Progressing"),
        ("Reconciling", "True/Converting"),
        ("Ready", "Unknown/NeverRun"),
    ];
    for (type_, expected) in mended {
        assert_eq!(world.condition(type_), expected);
    }
    assert_eq!(world.api.events(), ["RunStarted", "ConfigRemarks", "AccessDenied", "PlanReady"]);
}

#[tokio::test]
async fn an_edit_is_not_kept_waiting_by_a_backoff() {
    let world = World::new(&json!({}));
    world.settle().await;
    let (run, plan) = (world.run(), world.job("plan"));
    world.api.stage_failed(&plan, 11, &denied());
    world.settle().await;
    // Another Secret: the same run goes on at once, with a Job of today's spec.
    world.edit(&json!({"destination": {"credentialsSecretRef": {"name": "better"}}}));
    world.settle().await;
    let job = world.api.get("jobs", &format!("{plan}-r1")).unwrap().to_string();
    assert!(job.contains("better") && world.run() == run, "{job}");
    // Another bucket: the run can never see it, so it gives way to one that does.
    world.api.stage_failed(&format!("{plan}-r1"), 11, &denied());
    world.edit(&json!({"source": {"bucket": "right"}}));
    world.settle().await;
    assert_ne!(world.run(), run);
    assert_eq!(world.status().last_run.unwrap().reason.as_deref(), Some("AccessDenied"));
    assert_eq!(world.condition("Stalled"), "False/Progressing");
}

#[tokio::test]
async fn a_guard_stops_until_it_is_confirmed() {
    let world = World::new(&json!({"schedule": {"cron": "0 * * * *"}}));
    world.settle().await;
    let first = world.run();
    world.api.stage_failed(&world.job("plan"), 10, &guarded());
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "True/WithdrawalGuard");
    assert_eq!(world.condition("Ready"), "False/RunFailed");
    let status = world.status();
    assert_eq!((status.guard.unwrap().digest.as_str(), status.phase), ("abc123", Some(crds::resource::Phase::Stalled)));
    // Neither time nor a slot of the schedule starts another run.
    world.api.pass(7_200);
    world.settle().await;
    assert_eq!(world.status().current_run, None);
    world.edit(&json!({"confirm": "abc123"}));
    world.settle().await;
    assert_ne!(world.run(), first);
    assert_eq!(world.condition("Stalled"), "False/Progressing");
    assert_eq!(world.status().guard, None);
}

#[tokio::test]
async fn a_guard_confirmed_while_its_run_was_active_is_confirmed() {
    let world = World::new(&json!({}));
    world.settle().await;
    let first = world.run();
    world.edit(&json!({"confirm": "abc123"}));
    world.api.stage_failed(&world.job("plan"), 10, &guarded());
    world.settle().await;
    assert_ne!(world.run(), first);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_a_few_times() {
    let world = World::new(&json!({}));
    world.settle().await;
    for attempt in 0..=5_u32 {
        assert_eq!(world.status().current_run.expect("a run").attempt, attempt);
        let plan = world.job("plan");
        world.api.pod_ended(&plan, 0, 137, None);
        world.api.job_ended(&plan, "Failed", "FailedIndexes");
        world.settle().await;
        assert_eq!(world.condition("LastRunSucceeded"), "False/Crashed");
        assert_eq!(world.condition("Stalled"), "False/Progressing");
        assert_eq!(world.status().current_run, None);
        world.api.pass(600);
        world.settle().await;
    }
    assert_eq!(world.status().current_run, None, "five times are enough");
    world.edit(&json!({"trigger": "now"}));
    world.settle().await;
    assert_eq!(world.status().current_run.unwrap().attempt, 0);
}

#[tokio::test]
async fn a_commit_that_dies_is_tried_again_in_the_same_run() {
    let world = World::new(&json!({}));
    world.settle().await;
    world.api.stage_done(&world.job("plan"), &world.planned(2));
    world.settle().await;
    world.api.pod_ended(&world.job("convert"), 0, 137, None);
    world.api.job_ended(&world.job("convert"), "Failed", "DeadlineExceeded");
    world.settle().await;
    let (run, commit) = (world.run(), world.job("commit"));
    let args = |job: &str| world.api.get("jobs", job).unwrap()["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(args(&commit).ends_with(r#""--cause-of-missing","DeadlineExceeded"]"#), "{}", args(&commit));
    world.api.pod_ended(&commit, 0, 1, None);
    world.api.job_ended(&commit, "Failed", "FailedIndexes");
    world.settle().await;
    world.api.pass(31);
    world.settle().await;
    let again = format!("{commit}-r1");
    assert!(args(&again).contains("DeadlineExceeded"), "the cause is not forgotten");
    world.api.stage_done(&again, &world.committed(0, 6, 4));
    world.settle().await;
    assert_eq!(world.status().last_run.unwrap().id, run);
}

#[tokio::test]
async fn pods_that_do_not_start_are_named() {
    let waiting = |reason: &str, message: &str| {
        json!({"phase": "Pending", "containerStatuses": [{
            "name": "converter", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": message}},
        }]})
    };
    let unscheduled = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]});
    // (status of the pod, Stalled, Reconciling)
    let rows = [
        (waiting("CreateContainerConfigError", "secret \"writer\" not found"), "True/SecretNotFound", "False/SecretNotFound"),
        (waiting("ImagePullBackOff", "Back-off pulling image"), "True/ImagePullFailed", "False/ImagePullFailed"),
        (waiting("ContainerCreating", ""), "True/ConfigMapNotFound", "False/ConfigMapNotFound"),
        (unscheduled, "False/Progressing", "True/WaitingForNodes"),
        (json!({"phase": "Running"}), "False/Progressing", "True/Planning"),
    ];
    let world = World::new(&json!({}));
    world.settle().await;
    let plan = world.job("plan");
    world.api.job_started(&plan);
    for (status, stalled, reconciling) in rows {
        world.api.pod(&plan, 0, &status);
        world.settle().await;
        assert_eq!(world.condition("Stalled"), "False/Progressing", "it is too early to say");
        world.api.pass(61);
        world.settle().await;
        assert_eq!((world.condition("Stalled").as_str(), world.condition("Reconciling").as_str()), (stalled, reconciling));
        let name = world.api.names("pods").remove(0);
        world.api.remove("pods", &name);
    }
    world.settle().await;
    assert_eq!(world.condition("Reconciling"), "True/WaitingForQuota", "a Job that can make no pods");
    assert!(world.message("Reconciling").contains("kubectl describe job"));
}

#[tokio::test]
async fn an_edit_replaces_a_job_whose_pods_cannot_start() {
    let world = World::new(&json!({}));
    world.settle().await;
    let plan = world.job("plan");
    world.api.job_started(&plan);
    let waiting = json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"writer\" not found"}});
    let container = json!({"name": "converter", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": waiting});
    world.api.pod(&plan, 0, &json!({"phase": "Pending", "containerStatuses": [container]}));
    world.edit(&json!({"destination": {"credentialsSecretRef": {"name": "there"}}}));
    world.settle().await;
    let names = |world: &World| world.api.get("jobs", &plan).unwrap()["spec"]["template"].to_string();
    assert!(names(&world).contains("writer"), "it is too early to say");
    world.api.pass(61);
    world.settle().await;
    world.settle().await;
    assert!(names(&world).contains("there"), "{}", names(&world));
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let world = World::new(&json!({"schedule": {"cron": "now and then"}}));
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "True/InvalidSchedule");
    assert!(world.message("Stalled").contains("spec.schedule.cron"), "{}", world.message("Stalled"));
    world.edit(&json!({"schedule": null, "config": null, "configFrom": {"configMapKeyRef": {"name": "configs", "key": "mooring.json"}}}));
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "True/ConfigMapNotFound");
    assert!(world.jobs().is_empty());
    let config = dataset(&json!({}))["spec"]["config"].to_string();
    world.api.add("configmaps", json!({"metadata": {"name": "configs"}, "data": {"mooring.json": config}}));
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "False/Progressing");
    // What the API server itself refuses.
    for (code, message, type_, expected) in [
        (403, "exceeded quota: jobs", "Reconciling", "True/WaitingForQuota"),
        (422, "memory: request above limit", "Stalled", "True/InvalidSpec"),
    ] {
        world.api.remove("jobs", &world.job("plan"));
        world.api.refuse("create jobs.batch", code, message);
        world.settle().await;
        assert_eq!(world.condition(type_), expected);
        world.settle().await;
        assert_eq!(world.condition("Reconciling"), "True/Planning");
    }
}

#[tokio::test]
async fn of_two_datasets_with_one_destination_the_older_has_it() {
    let other = |created: &str, destination: &str| {
        let mut other = dataset(&json!({"destination": {"url": destination}}));
        other["metadata"] = json!({"name": "other", "namespace": "elsewhere", "uid": "other", "creationTimestamp": created});
        other
    };
    let world =
        World::new(&json!({})).knowing(&[other("2027-01-01T00:00:00Z", "s3://out/data/"), other("2025-01-01T00:00:00Z", "s3://out/more/")]);
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "False/Progressing", "neither a younger one nor another place is a rival");
    let world = World::new(&json!({})).knowing(&[other("2025-01-01T00:00:00Z", "s3://out/data")]);
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "True/DestinationConflict");
    assert!(world.message("Stalled").contains("elsewhere/other"));
    let world = world.knowing(&[]);
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "False/Progressing");
}

#[tokio::test]
async fn a_namespace_that_goes_away_is_left_in_peace() {
    let world = World::new(&json!({}));
    world.pass().await.unwrap();
    world.api.refuse("create jobs.batch", 403, "namespace data is being terminated");
    world.settle().await;
    assert!(world.jobs().is_empty());
}

#[tokio::test]
async fn a_resource_that_cannot_be_read_is_stalled() {
    let world = World::new(&json!({"parallelism": "many"}));
    world.settle().await;
    assert_eq!(world.condition("Stalled"), "True/InvalidSpec");
    world.api.take_requests();
    world.settle().await;
    assert!(world.api.take_requests().iter().all(|request| !request.starts_with("patch")));
}

#[tokio::test]
async fn a_name_that_is_taken_by_somebody_else_is_not_ours() {
    let world = World::new(&json!({}));
    world.pass().await.unwrap();
    let owner = json!([{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "other"}]);
    world.api.add("jobs", json!({"metadata": {"name": world.job("plan"), "ownerReferences": owner}}));
    assert!(matches!(world.pass().await, Err(Error::NameTaken { .. })));
}
