//! What there is: all API reads of a pass, in the order that makes them safe.

use std::collections::BTreeMap;

use crds::resource::condition::types;
use crds::resource::{CloudOptimisedDataset, CloudOptimisedDatasetStatus, ConfigFrom, CurrentRun, Inputs, Stage, url};
use crds::wire::{ClassCounts, Digest, Reason, StageFailure};
use jiff::{SignedDuration, Timestamp, Unit};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;

use crate::context::Context;
use crate::document::{self, Described};
use crate::error::Error;
use crate::run::{LABEL_DATASET, LABEL_RUN, dataset_label};
use crate::schedule::{self, Slots};
use crate::stage::{self, Attempts};

/// All that a decision is made of.
#[derive(Clone, Debug)]
pub struct Observation {
    pub now: Timestamp,
    pub dataset: CloudOptimisedDataset,
    pub described: Result<Described, StageFailure>,
    /// An older dataset with the same destination.
    pub rival: Option<String>,
    /// All Jobs of the dataset.
    pub jobs: Vec<Job>,
    /// The pods of the current run; none when it is too early to look again.
    pub pods: Option<Vec<Pod>>,
    /// Age from which a pod that has not started is looked at.
    pub grace: SignedDuration,
    /// The least time between two looks at the pods of a convert Job.
    pub pause: SignedDuration,
}

/// A resource as it stands in the API server; one that cannot be read as ours says why.
pub enum Seen {
    Gone,
    Unreadable { object: Box<DynamicObject>, error: String },
    Read(Box<Observation>),
}

/// Jobs are listed before the dataset is read: a run stands in status before its first Job is
/// created, so no Job of a current run can look like a left-over.
pub async fn observe(namespace: &str, name: &str, ctx: &Context) -> Result<Seen, Error> {
    let jobs = jobs(namespace, name, ctx).await?;
    let datasets: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), namespace, &ApiResource::erase::<CloudOptimisedDataset>(&()));
    let Some(object) = datasets.get_opt(name).await.map_err(Error::api("get", format!("dataset {name}")))? else {
        return Ok(Seen::Gone);
    };
    let dataset: CloudOptimisedDataset = match object.clone().try_parse() {
        Ok(dataset) => dataset,
        Err(error) => return Ok(Seen::Unreadable { object: Box::new(object), error: error.to_string() }),
    };
    let uid = dataset.uid().unwrap_or_default();
    let jobs = jobs.into_iter().filter(|job| job.owner_references().iter().any(|owner| owner.uid == uid)).collect();
    let mut seen = Observation {
        now: ctx.now().round(Unit::Second).unwrap_or_else(|_| ctx.now()),
        described: Err(unknown()),
        rival: None,
        jobs,
        pods: None,
        grace: SignedDuration::from_secs(i64::from(ctx.options.pending_grace_seconds)),
        pause: ctx.pause(),
        dataset,
    };
    if seen.dataset.metadata.deletion_timestamp.is_some() {
        return Ok(Seen::Read(Box::new(seen)));
    }
    seen.described = describe(&seen.dataset, &ctx.client).await?.map_err(|error| error.failure());
    match seen.current_run().cloned() {
        None => seen.rival = rival(&seen, ctx).await?,
        Some(run) => {
            if !seen.is_at_work(&run) || ctx.may_look_at_pods(&uid) {
                seen.pods = Some(pods(namespace, &run.id, ctx).await?);
            }
        }
    }
    Ok(Seen::Read(Box::new(seen)))
}

fn unknown() -> StageFailure {
    StageFailure { reason: Reason::InvalidSpec, bucket: None, operation: None, message: String::new(), side: None, confirm: None }
}

async fn jobs(namespace: &str, name: &str, ctx: &Context) -> Result<Vec<Job>, Error> {
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), namespace);
    let of_dataset = ListParams::default().labels(&format!("{LABEL_DATASET}={}", dataset_label(name)));
    Ok(api.list(&of_dataset).await.map_err(Error::api("list", "Jobs"))?.items)
}

async fn pods(namespace: &str, run: &str, ctx: &Context) -> Result<Vec<Pod>, Error> {
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
    Ok(api.list(&ListParams::default().labels(&format!("{LABEL_RUN}={run}"))).await.map_err(Error::api("list", "pods"))?.items)
}

/// The document of a dataset, its texts read from where the spec says.
async fn describe(dataset: &CloudOptimisedDataset, client: &Client) -> Result<Result<Described, document::Error>, Error> {
    let (namespace, name, spec) = (dataset.namespace().unwrap_or_default(), dataset.name_any(), &dataset.spec);
    let config_text = match &spec.config_from {
        None => None,
        Some(from) => match text(client, &namespace, from, "spec.configFrom").await? {
            Ok(text) => Some(text),
            Err(missing) => return Ok(Err(missing)),
        },
    };
    let mut parents = BTreeMap::new();
    for (index, from) in spec.parent_from.iter().enumerate() {
        match text(client, &namespace, from, &format!("spec.parentFrom[{index}]")).await? {
            Ok(text) => drop(parents.insert(from.config_map_key_ref.key.clone(), text)),
            Err(missing) => return Ok(Err(missing)),
        }
    }
    let inputs = Inputs { owner: &format!("{namespace}/{name}"), spec, config_text: config_text.as_deref(), parents: &parents };
    Ok(crds::resource::document(&inputs).map_err(document::Error::from).and_then(|effective| document::describe(&name, effective)))
}

async fn text(client: &Client, namespace: &str, from: &ConfigFrom, field: &str) -> Result<Result<String, document::Error>, Error> {
    let key = &from.config_map_key_ref;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(&key.name).await.map_err(Error::api("get", format!("ConfigMap {}", key.name)))?;
    Ok(found.and_then(|map| map.data?.remove(&key.key)).ok_or_else(|| document::Error::TextNotFound {
        field: field.to_owned(),
        name: key.name.clone(),
        key: key.key.clone(),
    }))
}

/// Of all datasets with one destination, the oldest has it.
async fn rival(seen: &Observation, ctx: &Context) -> Result<Option<String>, Error> {
    let Ok(described) = &seen.described else { return Ok(None) };
    let ours = described.document.destination.clone();
    for other in ctx.known() {
        let Ok(other) = &other.0 else { continue };
        let destination = &other.spec.destination;
        let same = Some(url::folder(&destination.url)) == ours.url && destination.endpoint == ours.endpoint;
        if !same || age(other) >= age(&seen.dataset) || other.metadata.deletion_timestamp.is_some() {
            continue;
        }
        if let Ok(theirs) = describe(other, &ctx.client).await?
            && (&theirs.document.dataset_name, theirs.document.format) == (&described.document.dataset_name, described.document.format)
        {
            return Ok(Some(theirs.document.owner));
        }
    }
    Ok(None)
}

fn age(dataset: &CloudOptimisedDataset) -> (Option<Timestamp>, Option<String>, String) {
    (dataset.metadata.creation_timestamp.as_ref().map(|time| time.0), dataset.namespace(), dataset.name_any())
}

impl Observation {
    #[must_use]
    pub fn status(&self) -> &CloudOptimisedDatasetStatus {
        static NONE: std::sync::LazyLock<CloudOptimisedDatasetStatus> = std::sync::LazyLock::new(CloudOptimisedDatasetStatus::default);
        self.dataset.status.as_ref().unwrap_or(&NONE)
    }

    #[must_use]
    pub fn current_run(&self) -> Option<&CurrentRun> {
        self.status().current_run.as_ref()
    }

    #[must_use]
    pub fn uid(&self) -> String {
        self.dataset.uid().unwrap_or_default()
    }

    #[must_use]
    pub fn pods(&self) -> &[Pod] {
        self.pods.as_deref().unwrap_or_default()
    }

    #[must_use]
    pub fn attempts(&self, run: &CurrentRun, stage: Stage) -> Attempts {
        stage::attempts(&self.jobs, self.pods(), &run.id, stage, self.now)
    }

    /// What the plan of the run said, while its pod is there.
    #[must_use]
    pub fn planned(&self, run: &CurrentRun) -> Option<ClassCounts> {
        match self.attempts(run, Stage::Plan).latest?.end {
            stage::End::Done(Some(Digest::Plan { classes, .. })) => Some(classes),
            stage::End::Done(_) | stage::End::Working | stage::End::Leaving | stage::End::Failed { .. } => None,
        }
    }

    /// The convert Job of the run is at work: its pods are many, and looked at now and then.
    fn is_at_work(&self, run: &CurrentRun) -> bool {
        run.stage == Stage::Convert && self.attempts(run, Stage::Convert).latest.is_some_and(|latest| latest.end == stage::End::Working)
    }

    /// What the schedule says now; nothing while it is suspended, so that no slot is made up for later.
    #[must_use]
    pub fn slots(&self) -> Slots {
        let clock = self.dataset.spec.schedule.as_ref().filter(|_| !self.dataset.spec.suspend).and_then(|schedule| schedule.clock().ok());
        let promised = self.status().next_schedule_time.as_ref().map(|time| time.0);
        clock.map(|clock| schedule::slots(&clock, promised, self.now)).unwrap_or_default()
    }

    fn stalled(&self) -> Option<&Condition> {
        self.status().conditions.iter().find(|condition| condition.type_ == types::STALLED && condition.status == "True")
    }

    #[must_use]
    pub fn stalled_reason(&self) -> Option<Reason> {
        reason(&self.stalled()?.reason)
    }

    #[must_use]
    pub fn stalled_generation(&self) -> Option<i64> {
        self.stalled()?.observed_generation
    }
}

/// A word of the closed list.
#[must_use]
pub fn reason(word: &str) -> Option<Reason> {
    let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    Reason::deserialize(word).ok()
}
