//! Bad input: refused by the API server where its rules can see it, otherwise `Stalled` with the path of the key.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::same;
use crate::support::bed::Bed;
use crate::support::dataset::{Dataset, condition, counts, message};
use crate::support::release::CRD;
use crate::support::resource::{config, manifest};

/// What is wrong, the fields that make it so, and words of the refusal.
type Refusal<'a> = (&'a str, &'a [(&'a str, Value)], &'a str);

fn set(target: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if let Some(parent) = target.pointer_mut(parent) {
        match (parent, value) {
            (Value::Object(map), Value::Null) => drop(map.shift_remove(key)),
            (Value::Array(items), value) => items[key.parse::<usize>().unwrap_or_default()] = value,
            (parent, value) => parent[key] = value,
        }
    }
}

/// Each rule is met by the API server itself: its words come back through kubectl.
pub async fn the_api_server_refuses_what_contradicts_itself(bed: &Bed) -> Result<()> {
    let namespace = bed.namespace("rules").await?;
    let good = manifest(bed, &namespace, "rules", &config(bed, &["moorings/".to_owned()])?);
    let create = ["create", "--dry-run=server", "--filename", "-"];
    bed.kubectl.run_with(&create, &good.to_string()).await?;
    let from = json!({"configMapKeyRef": {"name": "a", "key": "b"}});
    let rows: &[Refusal<'_>] = &[
        ("two configs", &[("/spec/configFrom", from.clone())], "must validate one and only one schema (oneOf)"),
        ("no config", &[("/spec/config", Value::Null)], "must validate one and only one schema (oneOf)"),
        ("a laptop's destination", &[("/spec/destination/url", json!("file:///data/"))], "write s3://bucket/prefix/"),
        ("no scheme", &[("/spec/destination/url", json!("bucket/prefix"))], "write s3://bucket/prefix/"),
        ("a laptop's source", &[("/spec/source/url", json!("file:///data/"))], "write s3://bucket/prefix/"),
        ("no destination", &[("/spec/destination", Value::Null)], "spec.destination: Required value"),
        ("an endpoint with a path", &[("/spec/source/endpoint", json!("http://s3.example.org/bucket"))], "without a path"),
        ("an endpoint that is none", &[("/spec/destination/endpoint", json!("s3.example.org"))], "write http://host:port"),
        ("source inside destination", &[("/spec/source/url", good["spec"]["destination"]["url"].clone())], "lie one inside the other"),
        ("destination inside source", &[("/spec/source/url", json!(bed.optimised.url("")))], "lie one inside the other"),
        (
            "a bucket beside a URL",
            &[("/spec/source/url", json!("s3://archive/moorings/")), ("/spec/source/bucket", json!("mirror"))],
            "both url and bucket; keep one of them",
        ),
        ("anonymous with a Secret", &[("/spec/source/anonymous", json!(true))], "keep one of them"),
        ("anonymous writer with a Secret", &[("/spec/destination/anonymous", json!(true))], "keep one of them"),
        ("a misspelt field", &[("/spec/parallellism", json!(2))], "unknown field \"spec.parallellism\""),
        ("no pods", &[("/spec/parallelism", json!(0))], "should be greater than or equal to 1"),
        ("empty batches", &[("/spec/batching/maxFiles", json!(0))], "should be greater than or equal to 1"),
        ("an unknown word", &[("/spec/onSourceDelete", json!("Forget"))], "Unsupported value: \"Forget\""),
    ];
    let mut met = String::new();
    for (what, changes, words) in rows {
        let mut bad = good.clone();
        changes.iter().for_each(|(pointer, value)| set(&mut bad, pointer, value.clone()));
        let said = bed.kubectl.refused(&create, &bad.to_string()).await?;
        ensure!(said.contains(words), "{what}: no `{words}` in\n{said}");
        met += &said;
    }

    // Of an update only the API server can tell. Suspended, so that nothing runs.
    let mut good = good;
    set(&mut good, "/spec/suspend", json!(true));
    bed.apply(&good.to_string()).await?;
    set(&mut good, "/spec/destination/url", json!(bed.optimised.url("elsewhere/")));
    let said = bed.kubectl.refused(&["apply", "--filename", "-"], &good.to_string()).await?;
    ensure!(said.contains("cannot be changed; create another resource for another place"), "{said}");
    met += &said;
    every_rule_was_met(bed, &met).await
}

/// The definition that is served has no rule whose words have not come back.
async fn every_rule_was_met(bed: &Bed, met: &str) -> Result<()> {
    fn messages(schema: &Value, found: &mut Vec<String>) {
        let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
        found.extend(rules.into_iter().flatten().filter_map(|rule| Some(rule["message"].as_str()?.to_owned())));
        match schema {
            Value::Object(map) => map.values().for_each(|value| messages(value, found)),
            Value::Array(items) => items.iter().for_each(|value| messages(value, found)),
            _ => {}
        }
    }
    let definition: Value = serde_json::from_str(&bed.kubectl.run(&["get", "crd", CRD, "--output", "json"]).await?)?;
    let mut found = Vec::new();
    messages(&definition["spec"]["versions"][0]["schema"], &mut found);
    ensure!(!found.is_empty(), "the served definition has no rules");
    for message in found {
        ensure!(met.contains(&message), "no resource of this test breaks the rule `{message}`");
    }
    Ok(())
}

/// A bad resource: what is changed in spec or config, the reason, and words of the message.
struct Row {
    name: &'static str,
    spec: Vec<(&'static str, Value)>,
    config: Vec<(&'static str, Value)>,
    reason: &'static str,
    words: &'static [&'static str],
}

fn rows(bed: &Bed) -> Vec<Row> {
    let row = |name, reason, words| Row { name, spec: vec![], config: vec![], reason, words };
    let of_config = |name, pointer, value, words| Row { config: vec![(pointer, value)], ..row(name, "InvalidConfig", words) };
    let of_spec = |name, pointer, value, reason, words| Row { spec: vec![(pointer, value)], ..row(name, reason, words) };
    vec![
        of_config("no-schema", "/schema", Value::Null, &["spec.config.schema"]),
        of_config("no-format", "/cloud_optimised_format", json!("netcdf"), &["spec.config.cloud_optimised_format", "write `parquet`"]),
        of_config("regex", "/run_settings/paths/0/filter", json!(["*.nc("]), &["spec.config.run_settings.paths[0].filter[0]"]),
        of_config(
            "period",
            "/schema_transformation/partitioning/1/time_extent/partition_period",
            json!("Z"),
            &["spec.config.schema_transformation.partitioning[1].time_extent.partition_period"],
        ),
        of_config(
            "column",
            "/schema_transformation/partitioning/0/source_variable",
            json!("station"),
            &["spec.config.schema_transformation.partitioning[0]"],
        ),
        of_config(
            "secret-key",
            "/run_settings/s3_fs_common_opts",
            json!({"secret": "hush"}),
            &["spec.config.run_settings.s3_fs_common_opts.secret", "credentialsSecretRef"],
        ),
        Row {
            reason: "InvalidSpec",
            ..of_config(
                "inside",
                "/run_settings/paths/0/s3_uri",
                json!(bed.optimised.url("")),
                &["spec.config.run_settings.paths", "lie one inside the other"],
            )
        },
        of_spec("text", "/spec/config", json!("{\"dataset_name\": "), "InvalidConfig", &["spec.config"]),
        of_spec("cron", "/spec/schedule", json!({"cron": "61 * * * *"}), "InvalidSchedule", &["spec.schedule.cron", "five fields"]),
        of_spec(
            "zone",
            "/spec/schedule",
            json!({"cron": "1 * * * *", "timeZone": "Tasmania"}),
            "InvalidSchedule",
            &["spec.schedule.timeZone", "IANA"],
        ),
        of_spec("filter", "/spec/source/filter", json!(["("]), "InvalidSpec", &["spec.source.filter[0]"]),
    ]
}

pub async fn what_only_the_operator_can_see_stalls_with_its_path(bed: &Bed) -> Result<()> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace("stalled").await?;
    let config = config(bed, &prefixes)?;
    let rows = rows(bed);
    let mut datasets = Vec::new();
    for row in &rows {
        let mut config = config.clone();
        row.config.iter().for_each(|(pointer, value)| set(&mut config, pointer, value.clone()));
        let mut bad = manifest(bed, &namespace, row.name, &config);
        row.spec.iter().for_each(|(pointer, value)| set(&mut bad, pointer, value.clone()));
        datasets.push(Dataset::apply(bed, &bad).await?);
    }
    for (row, dataset) in rows.iter().zip(&datasets) {
        let expected = format!("Stalled=True/{}", row.reason);
        let status = dataset.wait_for(&expected, 30, |_, status| condition(status, "Stalled") == expected).await?;
        let said = message(&status, "Stalled");
        for words in row.words {
            ensure!(said.contains(words), "{}: no `{words}` in {said}", row.name);
        }
        same!(condition(&status, "Ready"), format!("Ready=False/{}", row.reason), "condition of {}", row.name);
    }
    rivals(bed, &namespace, &config).await?;
    let jobs = bed.kubectl.run(&["--namespace", &namespace, "get", "jobs", "--output", "name"]).await?;
    ensure!(!jobs.contains("/rival-"), "a Job of a stalled dataset: {jobs}");
    mended(bed, &namespace, &datasets).await
}

/// Two resources, one destination: the older one works, the other says who is in its place.
async fn rivals(bed: &Bed, namespace: &str, config: &Value) -> Result<()> {
    let mut elder = manifest(bed, namespace, "elder", config);
    elder["spec"]["suspend"] = json!(true);
    let dataset = Dataset::apply(bed, &elder).await?;
    dataset.wait_for("Suspended", 30, |_, status| condition(status, "Suspended") == "Suspended=True/SuspendedBySpec").await?;
    // Creation times have seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let mut rival = manifest(bed, namespace, "rival", config);
    rival["spec"]["destination"] = elder["spec"]["destination"].clone();
    let rival = Dataset::apply(bed, &rival).await?;
    let expected = "Stalled=True/DestinationConflict";
    let status = rival.wait_for(expected, 30, |_, status| condition(status, "Stalled") == expected).await?;
    let said = message(&status, "Stalled");
    ensure!(said.contains(&format!("{namespace}/elder")), "the older one is not named: {said}");
    same!(condition(&dataset.status().await?, "Stalled"), "Stalled=False/Progressing", "condition of the older one");
    rival.edit(&json!({"suspend": true})).await?;
    Ok(())
}

/// An edit is enough to go on.
async fn mended(bed: &Bed, namespace: &str, datasets: &[Dataset]) -> Result<()> {
    let jobs = bed.kubectl.run(&["--namespace", namespace, "get", "jobs", "--output", "name"]).await?;
    same!(jobs.trim(), "", "Jobs of stalled datasets");
    let cron = datasets.iter().find(|dataset| dataset.name == "cron");
    let Some(cron) = cron else { return Ok(()) };
    cron.edit(&json!({"schedule": {"cron": "15 */6 * * *"}, "suspend": true})).await?;
    let status = cron.wait_for("no longer Stalled", 30, |_, status| condition(status, "Stalled") == "Stalled=False/Progressing").await?;
    ensure!(condition(&status, "Ready") == "Ready=Unknown/Suspended", "{}", condition(&status, "Ready"));
    Ok(())
}

/// What nothing reads is said, and does no harm.
pub async fn an_unknown_key_is_reported_and_stops_nothing(bed: &Bed) -> Result<()> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace("unknown").await?;
    let mut config = config(bed, &prefixes[..1])?;
    set(&mut config, "/schema_transformation/partitionning", json!([]));
    set(&mut config, "/run_settings/clear_existing_data", json!(true));
    let mut manifest = manifest(bed, &namespace, "unknown", &config);
    manifest["spec"]["source"]["filter"] = json!(["-000[0-9]\\.nc$"]);
    let dataset = Dataset::apply(bed, &manifest).await?;
    let status = dataset.first_run(60).await?;
    same!(counts(&status), [5, 5, 0], "discovered, processed, failed");
    same!(condition(&status, "Ready"), "Ready=True/RunSucceeded", "condition");
    let events = dataset.events().await?;
    let remarks = events.iter().find(|(reason, _)| reason == "ConfigRemarks").map(|(_, note)| note.as_str()).unwrap_or_default();
    for words in
        ["spec.config.schema_transformation.partitionning", "did you mean `partitioning`?", "spec.config.run_settings.clear_existing_data"]
    {
        ensure!(remarks.contains(words), "no `{words}` in the remarks `{remarks}`");
    }
    Ok(())
}
