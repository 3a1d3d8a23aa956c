//! From a spec to the document: precedence, forms of the config, and what is refused.

use std::collections::BTreeMap;

use crds::resource::{CloudOptimisedDatasetSpec, Effective, Inputs, Schedule, SpecError, document};
use crds::wire::{Batching, Class, Compat, FailureBudget, OnSourceDelete, Reason};
use serde_json::{Value, json};

use crate::{config, remove, set};

fn spec() -> Value {
    json!({"config": config().to_string(), "destination": {"url": "s3://optimised/datasets"}})
}

fn run(spec: &Value, config_text: Option<&str>, parents: &BTreeMap<String, String>) -> Result<Effective, SpecError> {
    let spec: CloudOptimisedDatasetSpec = serde_json::from_value(spec.clone()).unwrap();
    document(&Inputs { owner: "team/buoys", spec: &spec, config_text, parents })
}

fn accepted(spec: &Value) -> Effective {
    run(spec, None, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(spec: &Value) -> SpecError {
    run(spec, None, &BTreeMap::new()).unwrap_err()
}

#[test]
fn defaults_are_the_documented_ones() {
    let document = accepted(&spec()).document;
    assert_eq!(document.owner, "team/buoys");
    assert_eq!(document.dataset_name, "buoy_demo");
    assert_eq!(document.destination.url.as_deref(), Some("s3://optimised/datasets/"));
    assert_eq!(document.source.url, None);
    assert_eq!(document.batching, Batching::default());
    assert_eq!((document.retries, document.max_withdrawn_percent), (3, 10));
    assert_eq!((document.compat, document.on_source_delete), (Compat::Fixed, OnSourceDelete::Keep));
    assert_eq!((document.failure_budget, document.confirm, document.rebuild, document.take_over), (None, None, None, None));
    assert_eq!(document.config.to_string(), config().to_string(), "the text is kept as it was");
}

#[test]
fn typed_fields_win() {
    let mut raw = config();
    set(
        &mut raw,
        "/run_settings/s3_fs_common_opts",
        json!({"anon": true, "client_kwargs": {"endpoint_url": "http://common", "region_name": "r"}}),
    );
    let mut spec = spec();
    set(&mut spec, "/config", Value::String(raw.to_string()));
    let source = accepted(&spec).document.source;
    assert_eq!((source.endpoint.as_deref(), source.region.as_deref(), source.anonymous), (Some("http://common"), Some("r"), true));

    set(
        &mut spec,
        "/source",
        json!({"endpoint": "http://own", "region": "q", "credentialsSecretRef": {"name": "reader"}, "filter": ["A"], "minAgeSeconds": 60, "pathStyle": false, "bucket": "mirror"}),
    );
    for (key, value) in [
        ("batching", json!({"maxFiles": 7})),
        ("retries", json!(1)),
        ("failureBudget", json!({"maxFailedPercent": 5})),
        ("onSourceDelete", json!("Remove")),
        ("maxWithdrawnPercent", json!(50)),
        ("compat", json!("Incumbent")),
        ("keepSorted", json!(true)),
        ("takeOver", json!("x/y")),
        ("confirm", json!("c")),
        ("rebuild", json!("r1")),
    ] {
        set(&mut spec, &format!("/{key}"), value);
    }
    let document = accepted(&spec).document;
    let source = &document.source;
    assert_eq!((source.endpoint.as_deref(), source.region.as_deref(), source.anonymous), (Some("http://own"), Some("q"), false));
    assert_eq!((&source.filter[..], source.min_age_seconds, source.path_style), (&["A".to_owned()][..], 60, Some(false)));
    assert_eq!(source.bucket.as_deref(), Some("mirror"));
    assert_eq!(document.batching, Batching { max_files: 7, ..Batching::default() });
    assert_eq!(document.failure_budget, Some(FailureBudget { max_failed_files: None, max_failed_percent: Some(5) }));
    assert_eq!((document.retries, document.max_withdrawn_percent), (1, 50));
    assert_eq!((document.compat, document.on_source_delete), (Compat::Incumbent, OnSourceDelete::Remove));
    assert!(document.keep_sorted);
    assert_eq!(
        (document.take_over.as_deref(), document.confirm.as_deref(), document.rebuild.as_deref()),
        (Some("x/y"), Some("c"), Some("r1"))
    );
}

#[test]
fn text_object_and_config_map_are_one_config() {
    let text = accepted(&spec());
    let mut from = spec();
    remove(&mut from, "/config");
    set(&mut from, "/configFrom", json!({"configMapKeyRef": {"name": "configs", "key": "buoys.json"}}));
    let from = run(&from, Some(&config().to_string()), &BTreeMap::new()).unwrap();
    assert_eq!(from.document, text.document);

    // The API server sorts the keys and turns -90.0 into -90; the laptop's manifest has them as written.
    let mut on_laptop = spec();
    set(&mut on_laptop, "/config", config());
    let mut in_cluster = spec();
    set(&mut in_cluster, "/config", crds::config::as_object_form(&config()));
    let (on_laptop, in_cluster) = (accepted(&on_laptop), accepted(&in_cluster));
    assert_eq!(on_laptop.document.config.to_string(), in_cluster.document.config.to_string());
    let names: Vec<&str> = in_cluster.config.schema.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["LATITUDE", "LONGITUDE", "TEMP", "TIME", "buoy", "filename", "polygon", "timestamp"]);
    assert_eq!(in_cluster.config.schema[0].attributes["valid_min"].to_string(), "-90.0");
    assert_eq!(in_cluster.document.hashes.layout, text.document.hashes.layout);
    assert_eq!(in_cluster.document.hashes.metadata, text.document.hashes.metadata);
    assert_ne!(in_cluster.document.hashes.content, text.document.hashes.content, "the order of the columns is another");
}

#[test]
fn a_parent_comes_by_name_or_alone() {
    let parents: BTreeMap<String, String> = [("family.json".to_owned(), config().to_string())].into();
    let mut spec = spec();
    set(&mut spec, "/config", json!(r#"{"parent_config": "family.json", "dataset_name": "child"}"#));
    assert_eq!(run(&spec, None, &parents).unwrap().document.dataset_name, "child");

    let alone: BTreeMap<String, String> = [("parent".to_owned(), config().to_string())].into();
    let error = run(&spec, None, &alone).unwrap_err();
    assert_eq!(error.findings()[0].path, "spec.config.parent_config");
    set(&mut spec, "/parentFrom", json!([{"configMapKeyRef": {"name": "parents", "key": "parent"}}]));
    assert_eq!(run(&spec, None, &alone).unwrap().document.dataset_name, "child");
}

#[test]
fn warnings_carry_the_path_in_the_resource() {
    let mut raw = config();
    set(&mut raw, "/typo", json!(1));
    set(&mut raw, "/run_settings/batch_size", json!(1));
    let mut spec = spec();
    set(&mut spec, "/config", Value::String(raw.to_string()));
    let effective = accepted(&spec);
    assert_eq!(effective.unknown_keys, ["spec.config.typo"]);
    assert_eq!(effective.ignored, ["spec.config.run_settings.batch_size"]);
    assert_eq!(effective.warnings[0].path, "spec.config.typo");
}

#[test]
fn missing_paths_are_fine_with_a_source_url_and_an_error_without() {
    let mut raw = config();
    remove(&mut raw, "/run_settings/paths");
    let mut spec = spec();
    set(&mut spec, "/config", Value::String(raw.to_string()));
    assert_eq!(refused(&spec).findings()[0].path, "spec.config.run_settings.paths");
    set(&mut spec, "/source", json!({"url": "s3://archive/x/"}));
    assert_eq!(accepted(&spec).warnings, []);
}

/// (pointer, value, reason, path, words)
#[test]
fn what_is_refused_says_where_and_what_to_write() {
    let mut broken = config();
    set(&mut broken, "/schema/TEMP/type", json!("real"));
    let cases: Vec<(&str, Value, Reason, &str, &str)> = vec![
        ("/config", json!(null), Reason::InvalidSpec, "spec.config", "missing; paste the dataset config"),
        ("/config", json!(5), Reason::InvalidSpec, "spec.config", "neither an object nor text"),
        ("/config", json!("{"), Reason::InvalidConfig, "spec.config", "not valid JSON"),
        ("/config", json!(broken.to_string()), Reason::InvalidConfig, "spec.config.schema.TEMP.type", "is not a type"),
        ("/config", broken.clone(), Reason::InvalidConfig, "spec.config.schema.TEMP.type", "is not a type"),
        ("/configFrom", json!({"configMapKeyRef": {"name": "c", "key": "k"}}), Reason::InvalidSpec, "spec.configFrom", "keep one of them"),
        ("/destination/url", json!("optimised"), Reason::InvalidSpec, "spec.destination.url", "write `s3://bucket/prefix/`"),
        ("/destination/url", json!("file://tmp"), Reason::InvalidSpec, "spec.destination.url", "is not absolute"),
        ("/destination/url", json!("s3://archive/"), Reason::InvalidSpec, "spec.config.run_settings.paths", "lie one inside the other"),
        (
            "/destination/url",
            json!("s3://archive/buoys/out"),
            Reason::InvalidSpec,
            "spec.config.run_settings.paths",
            "lie one inside the other",
        ),
        ("/source", json!({"url": "s3://optimised/datasets/raw/"}), Reason::InvalidSpec, "spec.source.url", "lie one inside the other"),
        ("/source", json!({"url": "s3://optimised/data"}), Reason::InvalidSpec, "spec.source.url", "lie one inside the other"),
        (
            "/source",
            json!({"bucket": "optimised", "filter": ["ok", "a)"]}),
            Reason::InvalidSpec,
            "spec.source.filter[1]",
            "is not a regular expression",
        ),
        ("/source", json!({"url": "s3://a/b/", "bucket": "c"}), Reason::InvalidSpec, "spec.source.bucket", "keep one of them"),
        ("/schedule", json!({"cron": "every day"}), Reason::InvalidSchedule, "spec.schedule.cron", "write five fields"),
        ("/schedule", json!({"cron": "0 15 */6 * * *"}), Reason::InvalidSchedule, "spec.schedule.cron", "write five fields"),
        ("/schedule", json!({"cron": "0 0 30 2 *"}), Reason::InvalidSchedule, "spec.schedule.cron", "never comes"),
        ("/schedule", json!({"cron": "0 0 * * *", "timeZone": "Hobart"}), Reason::InvalidSchedule, "spec.schedule.timeZone", "IANA name"),
    ];
    for (pointer, value, reason, path, words) in cases {
        let mut spec = spec();
        set(&mut spec, pointer, value.clone());
        let error = refused(&spec);
        assert_eq!((error.reason(), error.class()), (reason, Class::Terminal), "{value}: {error}");
        let found = error.findings().iter().any(|finding| finding.path == path && finding.message.contains(words));
        assert!(found, "{pointer} = {value}: {error}");
    }
}

#[test]
fn all_problems_come_at_once_and_fit_a_condition() {
    let mut broken = config();
    set(&mut broken, "/schema/TEMP/type", json!("real"));
    let mut spec = spec();
    set(&mut spec, "/config", broken);
    set(&mut spec, "/destination/url", json!("nowhere"));
    set(&mut spec, "/schedule", json!({"cron": "x", "timeZone": "y"}));
    let error = refused(&spec);
    let paths: Vec<&str> = error.findings().iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["spec.config.schema.TEMP.type", "spec.destination.url", "spec.schedule.cron", "spec.schedule.timeZone"]);
    assert_eq!(error.reason(), Reason::InvalidConfig);
    let summary = error.summary(200);
    assert_eq!(summary.chars().count(), 200);
    assert!(summary.ends_with("… (4 problems in all)"), "{summary}");
}

#[test]
fn a_folder_is_a_place_on_a_laptop() {
    let mut spec = spec();
    set(&mut spec, "/destination/url", json!("file:///tmp/out"));
    set(&mut spec, "/source", json!({"url": "file:///tmp/in/"}));
    assert_eq!(accepted(&spec).document.destination.url.as_deref(), Some("file:///tmp/out/"));
    set(&mut spec, "/source/url", json!("file:///tmp/out/in/"));
    assert_eq!(refused(&spec).findings()[0].path, "spec.source.url");
    set(&mut spec, "/source/url", json!("file:///tmp/outer/"));
    accepted(&spec);
}

#[test]
fn a_schedule_knows_its_slots_and_summer_time() {
    let clock = |cron: &str, zone: Option<&str>| Schedule { cron: cron.to_owned(), time_zone: zone.map(str::to_owned) }.clock().unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let utc = clock("15 */6 * * *", None);
    assert_eq!(utc.next_after(at("2026-01-01T00:15:00Z")), Some(at("2026-01-01T06:15:00Z")));
    assert_eq!(utc.last_until(at("2026-01-01T00:15:00Z")), Some(at("2026-01-01T00:15:00Z")));
    assert_eq!(utc.last_until(at("2026-01-01T06:14:59Z")), Some(at("2026-01-01T00:15:00Z")));
    let hobart = clock("0 9 * * *", Some("Australia/Hobart"));
    assert_eq!(hobart.next_after(at("2026-01-01T00:00:00Z")), Some(at("2026-01-01T22:00:00Z")));
    assert_eq!(hobart.next_after(at("2026-07-01T00:00:00Z")), Some(at("2026-07-01T23:00:00Z")));
}
