//! Whole runs: when all goes well, and when operators and Jobs come and go.

use std::collections::BTreeSet;

use crds::wire::Digest;
use serde_json::json;

use crate::world::{World, committed};

#[tokio::test]
async fn a_run_from_apply_to_counts() {
    let world = World::new(&json!({"parallelism": 2, "batching": {"maxFiles": 25}}));
    world.settle().await;
    let (plan, convert, commit) = (world.job("plan"), world.job("convert"), world.job("commit"));
    assert_eq!(world.jobs(), BTreeSet::from([plan.clone()]));
    assert_eq!(world.condition("Reconciling"), "True/Planning");
    assert_eq!(world.condition("Ready"), "Unknown/NeverRun");
    assert_eq!(world.api.names("configmaps"), [world.status().current_run.unwrap().document_config_map]);

    world.api.stage_done(&plan, &world.planned(8));
    world.settle().await;
    assert_eq!(world.jobs(), BTreeSet::from([plan, convert.clone()]));
    let spec = world.api.get("jobs", &convert).unwrap()["spec"].clone();
    assert_eq!((&spec["completions"], &spec["parallelism"], &spec["backoffLimitPerIndex"]), (&json!(8), &json!(2), &json!(3)));
    assert_eq!(world.status().progress.as_deref(), Some("6/200"));
    assert_eq!(world.condition("SourceReachable"), "True/Listed");

    // Progress only grows, also when the pods that reported are gone.
    world.api.pod_ended(&convert, 0, 0, Some(&world.converted(0, 25)));
    world.api.pass(10);
    world.settle().await;
    assert_eq!(world.status().progress.as_deref(), Some("31/200"));
    world.api.remove("pods", &world.api.names("pods").into_iter().find(|name| name.starts_with(&convert)).unwrap());
    world.api.pass(10);
    world.settle().await;
    assert_eq!(world.status().progress.as_deref(), Some("31/200"));

    // A Job with a failed index is over all the same: what it has is committed.
    world.api.job_ended(&convert, "Failed", "FailedIndexes");
    world.settle().await;
    assert_eq!(world.condition("Reconciling"), "True/Finalising");
    world.api.stage_done(&commit, &world.committed(190, 6, 4));
    world.settle().await;

    let status = world.status();
    let files = status.files.unwrap();
    assert_eq!((files.discovered, files.processed, files.failed, files.pending), (200, 196, 4, 0));
    assert_eq!(status.progress.as_deref(), Some("196/200"));
    assert_eq!((status.rows, status.errors.len(), status.current_run), (Some(1_000), 1, None));
    assert_eq!(world.condition("Ready"), "True/RunSucceededWithErrors");
    assert_eq!(world.message("Ready"), "196 of 200 files are in the dataset, 4 failed (BadTime 4)");
    assert_eq!(world.condition("LastRunSucceeded"), "True/CompletedWithErrors");
    assert_eq!(world.api.events(), ["RunStarted", "ConfigRemarks", "PlanReady", "RunCompletedWithErrors"]);

    // Nothing holds the dataset any more, and the Jobs may go after a while.
    assert_eq!(world.finalizers(), json!([]));
    assert_eq!(world.api.get("jobs", &commit).unwrap()["spec"]["ttlSecondsAfterFinished"], json!(86_400));

    // An idle dataset costs no writes.
    world.api.take_requests();
    for _ in 0..3 {
        world.api.pass(3_600);
        world.settle().await;
    }
    let requests = world.api.take_requests();
    let reads = |request: &&String| request.starts_with("get") || request.starts_with("list");
    assert_eq!(requests.iter().filter(reads).count(), requests.len(), "{requests:?}");
}

#[tokio::test]
async fn what_a_plan_finds_in_a_config_is_told_once_and_masked_rows_are_counted() {
    for batches in [1, 2] {
        let world = World::new(&json!({"trigger": "now"}));
        world.settle().await;
        let (plan, convert, commit) = (world.job("plan"), world.job("convert"), world.job("commit"));
        let warned = |mut digest: Digest| {
            match &mut digest {
                Digest::Plan { warnings, .. } => warnings.push("a last chunk of 1".to_owned()),
                Digest::Commit { warnings, totals, .. } => {
                    warnings.push("a last chunk of 1".to_owned());
                    totals.rows_masked = 7;
                }
                Digest::Convert { .. } | Digest::Failed(_) => {}
            }
            digest
        };
        let mut told = vec!["RunStarted"];
        if batches > 1 {
            world.api.stage_done(&plan, &warned(world.planned(batches)));
            world.settle().await;
            world.api.stage_done(&convert, &world.converted(0, 3));
            world.settle().await;
            told.extend(["PlanReady", "ConfigRemarks"]);
        }
        world.api.stage_done(if batches > 1 { &commit } else { &plan }, &warned(world.committed(3, 0, 0)));
        world.settle().await;
        told.extend(if batches > 1 { &["RunCompleted"][..] } else { &["ConfigRemarks", "RunCompleted"] });
        assert_eq!(world.api.events(), told);
        assert_eq!((world.status().rows, world.status().rows_masked), (Some(1_000), Some(7)));
    }
}

#[tokio::test]
async fn what_fits_one_batch_needs_the_plan_pod_alone() {
    let world = World::new(&json!({"trigger": "now"}));
    world.settle().await;
    let (plan, run) = (world.job("plan"), world.run());
    world.api.stage_done(&plan, &world.committed(3, 0, 0));
    world.settle().await;
    assert_eq!(world.jobs(), BTreeSet::from([plan]));
    let status = world.status();
    assert_eq!((status.last_trigger.as_deref(), status.last_run.unwrap().id), (Some("now"), run.clone()));
    assert_eq!(world.condition("Ready"), "True/RunSucceeded");

    // An edit of parallelism, batches or budget starts nothing; tokens and the source do, each another run.
    world.edit(&json!({"parallelism": 7, "batching": {"maxFiles": 3}, "failureBudget": {"maxFailedFiles": 0}}));
    world.settle().await;
    assert_eq!(world.status().current_run, None);
    let mut runs = BTreeSet::from([run]);
    let edits = [
        json!({"trigger": "again"}),
        json!({"source": {"bucket": "other"}}),
        json!({"source": null}),
        json!({"rebuild": "all"}),
        json!({"trigger": "now"}),
    ];
    for edit in edits {
        world.edit(&edit);
        world.settle().await;
        assert!(runs.insert(world.run()), "{edit} started no new run");
        world.api.stage_done(&world.job("plan"), &world.committed(0, 3, 0));
        world.settle().await;
        assert_eq!(world.status().current_run, None, "after {edit}");
        assert_eq!(world.condition("Ready"), "True/UpToDate");
        world.api.pass(60);
    }
    let status = world.status();
    assert_eq!((status.last_trigger.as_deref(), status.last_rebuild.as_deref(), status.runs.len()), (Some("now"), Some("all"), 5));
    assert_eq!(world.jobs().len(), 3, "of the runs that are over, the Jobs of three are kept");
}

#[tokio::test]
async fn another_operator_takes_the_run_over_at_every_step() {
    let mut world = World::new(&json!({}));
    let mut ids = BTreeSet::new();
    for _ in 0..4 {
        world.restart();
        world.pass().await.unwrap();
        ids.insert(world.run());
    }
    world.api.stage_done(&world.job("plan"), &world.planned(2));
    // The Job is created, and the operator dies before status says so.
    world.lose_next_status();
    assert!(world.pass().await.unwrap_err().is_conflict());
    assert_eq!(world.jobs().len(), 2);
    assert_eq!(world.condition("Reconciling"), "True/Planning");
    world.restart();
    world.settle().await;
    assert_eq!(world.condition("Reconciling"), "True/Converting");
    ids.insert(world.run());
    assert_eq!((ids.len(), world.jobs().len()), (1, 2));
}

#[tokio::test]
async fn jobs_deleted_by_hand_are_made_again_in_the_same_run() {
    let world = World::new(&json!({}));
    world.settle().await;
    let run = world.run();
    let (plan, convert, commit) = (world.job("plan"), world.job("convert"), world.job("commit"));
    world.api.remove("jobs", &plan);
    world.settle().await;
    world.api.stage_done(&plan, &world.planned(4));
    world.settle().await;
    world.api.remove("jobs", &convert);
    world.settle().await;
    assert_eq!(world.api.get("jobs", &convert).unwrap()["spec"]["completions"], json!(4));
    world.api.job_ended(&convert, "Complete", "CompletionsReached");
    world.settle().await;
    world.api.remove("jobs", &commit);
    world.settle().await;
    assert_eq!(world.run(), run);
    world.api.stage_done(&commit, &world.committed(190, 6, 4));
    world.settle().await;
    assert_eq!(world.status().last_run.unwrap().id, run);
}

#[tokio::test]
async fn a_pod_that_is_gone_is_asked_again() {
    let world = World::new(&json!({}));
    world.settle().await;
    let plan = world.job("plan");
    world.api.job_ended(&plan, "Complete", "CompletionsReached");
    world.settle().await;
    let again = format!("{plan}-r1");
    assert!(world.jobs().contains(&again));
    world.api.stage_done(&again, &world.planned(2));
    world.settle().await;
    assert_eq!(world.condition("Reconciling"), "True/Converting");
}

#[tokio::test]
async fn a_chain_of_runs_takes_what_was_pending() {
    let world = World::new(&json!({}));
    world.settle().await;
    let first = world.run();
    world.api.stage_done(&world.job("plan"), &committed(&first, 10, 0, 0, 5));
    world.settle().await;
    let second = world.run();
    assert_eq!(world.status().current_run.unwrap().cause.value, first);
    world.api.stage_done(&world.job("plan"), &committed(&second, 5, 10, 0, 0));
    world.settle().await;
    assert_eq!((world.status().current_run, world.status().last_run.unwrap().id), (None, second));
}

#[tokio::test]
async fn slots_of_the_schedule_start_runs_and_missed_ones_are_one() {
    let world = World::new(&json!({"schedule": {"cron": "0 * * * *"}}));
    world.settle().await;
    world.api.stage_done(&world.job("plan"), &world.committed(3, 0, 0));
    world.settle().await;
    let announced = |world: &World| world.status().next_schedule_time.unwrap().0.to_string();
    assert_eq!(announced(&world), "2026-06-01T01:00:00Z");
    world.api.pass(3 * 3_600 + 60);
    world.settle().await;
    let status = world.status();
    assert_eq!(status.current_run.unwrap().cause.value, "2026-06-01T03:00:00Z");
    assert_eq!(status.last_schedule_time.unwrap().0.to_string(), "2026-06-01T03:00:00Z");
    assert_eq!(announced(&world), "2026-06-01T04:00:00Z");
    assert!(world.api.events().contains(&"ScheduleMissed".to_owned()));
    // A slot that comes during a run is taken when the run has ended.
    world.api.pass(3_600);
    world.settle().await;
    assert_eq!(announced(&world), "2026-06-01T04:00:00Z");
    world.api.stage_done(&world.job("plan"), &world.committed(0, 3, 0));
    world.settle().await;
    assert_eq!(world.status().current_run.unwrap().cause.value, "2026-06-01T04:00:00Z");
}

#[tokio::test]
async fn suspend_holds_the_pods_and_starts_nothing() {
    let world = World::new(&json!({"suspend": true}));
    world.settle().await;
    assert!(world.jobs().is_empty());
    assert_eq!((world.condition("Suspended").as_str(), world.condition("Ready").as_str()), ("True/SuspendedBySpec", "Unknown/Suspended"));
    world.edit(&json!({"suspend": false}));
    world.settle().await;
    world.api.stage_done(&world.job("plan"), &world.planned(3));
    world.settle().await;
    let convert = world.job("convert");
    world.edit(&json!({"suspend": true, "parallelism": 1}));
    world.api.pass(10);
    world.settle().await;
    let spec = world.api.get("jobs", &convert).unwrap()["spec"].clone();
    assert_eq!((&spec["suspend"], &spec["parallelism"]), (&json!(true), &json!(1)));
    assert_eq!(world.condition("Reconciling"), "False/Suspended");
    world.edit(&json!({"suspend": false}));
    world.api.pass(10);
    world.settle().await;
    assert_eq!(world.api.get("jobs", &convert).unwrap()["spec"]["suspend"], json!(false));
}

#[tokio::test]
async fn a_deleted_dataset_stops_its_pods_and_goes() {
    let world = World::new(&json!({}));
    world.settle().await;
    world.delete();
    world.settle().await;
    assert!(world.jobs().is_empty());
    world.api.pass(5);
    world.settle().await;
    assert!(world.is_gone());
    assert_eq!(world.api.events(), ["RunStarted", "ConfigRemarks", "RunAborted"]);
}

/// The rights that the chart has to grant, and no more.
#[tokio::test]
async fn verbs_used_in_a_run() {
    let world = World::new(&json!({}));
    world.settle().await;
    world.api.stage_done(&world.job("plan"), &world.planned(2));
    world.lose_next_status();
    world.pass().await.unwrap_err();
    world.settle().await;
    world.api.job_ended(&world.job("convert"), "Complete", "CompletionsReached");
    world.settle().await;
    world.api.stage_done(&world.job("commit"), &world.committed(1, 0, 0));
    world.settle().await;
    for token in ["one", "two"] {
        world.edit(&json!({"trigger": token}));
        world.settle().await;
        world.api.stage_done(&world.job("plan"), &world.committed(0, 1, 0));
        world.settle().await;
    }
    world.edit(&json!({"trigger": "three"}));
    world.settle().await;
    let used: BTreeSet<String> = world.api.take_requests().into_iter().collect();
    world.delete();
    world.api.take_requests();
    world.settle().await;
    let used: BTreeSet<String> = used.into_iter().chain(world.api.take_requests()).collect();
    let rights = [
        "create configmaps",
        "create events.events.k8s.io",
        "create jobs.batch",
        "delete jobs.batch",
        "get cloudoptimiseddatasets.cloudoptimised.io",
        "get jobs.batch",
        "list jobs.batch",
        "list pods",
        "patch cloudoptimiseddatasets.cloudoptimised.io",
        "patch cloudoptimiseddatasets.cloudoptimised.io/status",
        "patch events.events.k8s.io",
        "patch jobs.batch",
    ];
    assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), rights);
}
