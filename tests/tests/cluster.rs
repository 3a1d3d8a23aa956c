//! The product on a real cluster: the chart through helm, resources through kubectl, files on a real
//! S3 server, and the results read by the tools that users use. A journey is a function of `cluster/`;
//! they run one after the other, in this order, and share one release and one archive.
//!
//! `tests/run cluster` prepares what they need. One of them alone:
//! `cargo test --workspace --test cluster -- the_first_load`

mod support;

mod cluster {
    pub mod access;
    pub mod chart;
    pub mod columns;
    pub mod disturbed;
    pub mod farewell;
    pub mod floats;
    pub mod forms;
    pub mod grids;
    pub mod idle;
    pub mod later_runs;
    pub mod refusals;
    pub mod the_first_load;
    pub mod unsafe_store;
    pub mod withdrawal;
}

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Trial};
use support::bed::Bed;
use support::surroundings::Surroundings;
use support::trouble;
use tokio::runtime::Runtime;

type Journey = for<'a> fn(&'a Bed) -> LocalBoxFuture<'a, Result<()>>;

macro_rules! journeys {
    ($($module:ident::$name:ident,)*) => {
        [$((concat!(stringify!($module), "::", stringify!($name)), (|bed| Box::pin(cluster::$module::$name(bed))) as Journey),)*]
    };
}

const JOURNEYS: &[(&str, Journey)] = &journeys![
    chart::is_sound_without_a_cluster,
    chart::installs_into_a_restricted_namespace_and_says_what_comes_next,
    chart::upgrades,
    refusals::the_api_server_refuses_what_contradicts_itself,
    refusals::what_only_the_operator_can_see_stalls_with_its_path,
    refusals::an_unknown_key_is_reported_and_stops_nothing,
    columns::are_an_interface,
    the_first_load::counts_two_hundred_files,
    the_first_load::is_read_by_pyarrow_and_duckdb_with_one_schema,
    disturbed::convert_pods_deleted_in_mid_work,
    disturbed::a_commit_pod_killed_between_head_and_effects,
    disturbed::the_operator_deleted_between_plan_and_convert,
    disturbed::a_job_deleted_by_hand,
    disturbed::the_dataset_deleted_in_mid_run,
    later_runs::nothing_changed_writes_nothing,
    later_runs::an_edit_of_parallelism_starts_nothing,
    later_runs::a_replaced_file_moves_and_a_mended_one_comes,
    later_runs::a_second_file_of_one_basename_loses,
    access::a_wrong_key_is_named_and_a_mended_secret_is_enough,
    access::a_missing_secret_is_named_and_making_it_is_enough,
    unsafe_store::is_refused_at_plan,
    floats::are_packed_by_bytes_and_counted,
    grids::grow_by_four_pods_at_once,
    forms::object_text_config_map_and_laptop_agree,
    idle::costs_no_writes,
    withdrawal::an_emptied_prefix_is_guarded,
    farewell::uninstall_keeps_definition_and_data,
    farewell::a_new_operator_for_one_namespace_goes_on,
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    if arguments.list {
        let trials = JOURNEYS.iter().map(|(name, _)| Trial::test(*name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    match prepare() {
        Ok((runtime, bed)) => travel(&arguments, &Arc::new(runtime), &Arc::new(bed)),
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<(Runtime, Bed), String> {
    let surroundings = Surroundings::read()?;
    // The one TLS provider of the process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bed = Bed::new(surroundings).map_err(|error| format!("{error:#}"))?;
    let runtime = Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    Ok((runtime, bed))
}

fn travel(arguments: &Arguments, runtime: &Arc<Runtime>, bed: &Arc<Bed>) -> ExitCode {
    let trials = JOURNEYS.iter().map(|(name, journey)| {
        let (runtime, bed) = (runtime.clone(), bed.clone());
        Trial::test(*name, move || {
            let began = Instant::now();
            let ended = runtime.block_on(journey(&bed));
            eprint!("[{:.1} s] ", began.elapsed().as_secs_f64());
            ended.map_err(|error| {
                runtime.block_on(trouble::show(&bed));
                format!("{error:#}").into()
            })
        })
    });
    let conclusion = libtest_mimic::run(arguments, trials.collect());
    // After a failure a cluster of ours is left as it is, to be looked at; tests/run stops it anyway.
    let keep = conclusion.has_failed() && bed.surroundings.ours;
    if !keep && let Err(error) = runtime.block_on(bed.clear()) {
        eprintln!("the journeys are over, but not everything could be removed: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
