//! One dataset: its resource, its objects, what Kubernetes has of it.

use anyhow::{Context, Result};
use crds::resource::{CloudOptimisedDataset, CloudOptimisedDatasetStatus};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::bed::Bed;
use super::bucket::{Bucket, Listing};
use super::resource::{DATASET_NAME, destination};
use super::wait::until;

pub const LABEL_RUN: &str = "cloudoptimised.io/run";
pub const LABEL_STAGE: &str = "cloudoptimised.io/stage";

#[derive(Clone)]
pub struct Dataset {
    pub namespace: String,
    pub name: String,
    /// `dataset_name` of its config.
    data: String,
    format: String,
    pub api: Api<CloudOptimisedDataset>,
    client: kube::Client,
}

/// What a config says under a key, whether it stands there as a text or as an object.
fn said(config: &Value, key: &str) -> Option<String> {
    let parsed: Option<Value> = config.as_str().and_then(|text| serde_json::from_str(text).ok());
    parsed.as_ref().unwrap_or(config)[key].as_str().map(str::to_owned)
}

impl Dataset {
    /// The dataset of a manifest, which may not be applied yet.
    pub async fn of(bed: &Bed, manifest: &Value) -> Result<Self> {
        let text = |key: &str| manifest["metadata"][key].as_str().map(str::to_owned);
        let namespace = text("namespace").context("no namespace")?;
        let client = bed.client().await?;
        let api = Api::namespaced(client.clone(), &namespace);
        let config = &manifest["spec"]["config"];
        let data = said(config, "dataset_name").unwrap_or_else(|| DATASET_NAME.to_owned());
        let format = said(config, "cloud_optimised_format").unwrap_or_else(|| "parquet".to_owned());
        Ok(Self { name: text("name").context("no name")?, data, format, api, client, namespace })
    }

    /// `kubectl apply`
    pub async fn apply(bed: &Bed, manifest: &Value) -> Result<Self> {
        bed.apply(&manifest.to_string()).await?;
        Self::of(bed, manifest).await
    }

    /// Its prefix in the bucket of datasets: dataset and state lie below.
    pub fn prefix(&self) -> String {
        destination(&self.namespace, &self.name)
    }

    /// The folder that readers read.
    pub fn folder(&self) -> String {
        format!("{}{}.{}/", self.prefix(), self.data, self.format)
    }

    /// The folder of its state.
    pub fn state(&self) -> String {
        format!("{}_cod/{}.{}/", self.prefix(), self.data, self.format)
    }

    pub async fn get(&self) -> Result<CloudOptimisedDataset> {
        Ok(self.api.get(&self.name).await?)
    }

    pub async fn status(&self) -> Result<CloudOptimisedDatasetStatus> {
        Ok(self.get().await?.status.unwrap_or_default())
    }

    /// Changes the spec.
    pub async fn edit(&self, spec: &Value) -> Result<CloudOptimisedDataset> {
        Ok(self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await?)
    }

    /// Waits for a status; the complaint holds the last one.
    pub async fn wait_for(
        &self,
        what: &str,
        seconds: u64,
        fits: impl Fn(&CloudOptimisedDataset, &CloudOptimisedDatasetStatus) -> bool,
    ) -> Result<CloudOptimisedDatasetStatus> {
        let what = format!("{}: {what}", self.name);
        until(&what, seconds, async || {
            let dataset = self.get().await?;
            let status = dataset.status.clone().unwrap_or_default();
            anyhow::ensure!(fits(&dataset, &status), "status is {}", serde_json::to_string(&status)?);
            Ok(Some(status))
        })
        .await
    }

    /// Waits until the first run has ended.
    pub async fn first_run(&self, seconds: u64) -> Result<CloudOptimisedDatasetStatus> {
        self.wait_for("the end of the first run", seconds, |_, status| status.last_run.is_some() && status.current_run.is_none()).await
    }

    /// A new trigger, and what status says when its run has ended.
    pub async fn run_again(&self, token: &str) -> Result<CloudOptimisedDatasetStatus> {
        self.edit(&json!({"trigger": token})).await?;
        self.triggered(token).await
    }

    pub async fn triggered(&self, token: &str) -> Result<CloudOptimisedDatasetStatus> {
        self.wait_for(&format!("the run of the trigger {token}"), 120, |dataset, status| {
            status.last_trigger.as_deref() == Some(token)
                && status.current_run.is_none()
                && status.observed_generation == dataset.metadata.generation
        })
        .await
    }

    /// The objects that readers see.
    pub async fn objects(&self, bucket: &Bucket) -> Result<Listing> {
        bucket.list(&self.folder()).await
    }

    pub async fn jobs(&self, run: &str, stage: Option<&str>) -> Result<Vec<Job>> {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        let stage = stage.map(|stage| format!(",{LABEL_STAGE}={stage}")).unwrap_or_default();
        Ok(jobs.list(&ListParams::default().labels(&format!("{LABEL_RUN}={run}{stage}"))).await?.items)
    }

    /// Reasons and notes of the events about it, in no order.
    pub async fn events(&self) -> Result<Vec<(String, String)>> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = events.list(&ListParams::default()).await?.items;
        let ours = found.into_iter().filter(|event| {
            event.regarding.as_ref().is_some_and(|about| {
                about.kind.as_deref() == Some("CloudOptimisedDataset") && about.name.as_deref() == Some(self.name.as_str())
            })
        });
        Ok(ours.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect())
    }

    /// The lines of `files.csv` of a run, as Python's csv reads them: key, outcome, reason, rows.
    pub async fn files_csv(&self, bed: &Bed, run: &str) -> Result<Vec<FileLine>> {
        let key = format!("{}reports/{run}/files.csv", self.state());
        let text = bed.python.run("files_csv.py", &[&format!("{}/{key}", bed.optimised.name)]).await?;
        serde_json::from_str(&text).with_context(|| format!("not what files_csv.py prints: {text}"))
    }
}

/// A line of `files.csv`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct FileLine {
    pub key: String,
    pub outcome: String,
    pub reason: String,
    pub rows: u64,
    pub message: String,
}

/// Status and reason of a condition, as `Ready=True/RunSucceeded`.
pub fn condition(status: &CloudOptimisedDatasetStatus, type_: &str) -> String {
    let found = find(status, type_);
    found.map_or_else(|| format!("{type_} is not there"), |found| format!("{type_}={}/{}", found.status, found.reason))
}

pub fn message(status: &CloudOptimisedDatasetStatus, type_: &str) -> String {
    find(status, type_).map(|found| found.message.clone()).unwrap_or_default()
}

fn find<'a>(status: &'a CloudOptimisedDatasetStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// discovered, processed, failed of the dataset.
pub fn counts(status: &CloudOptimisedDatasetStatus) -> [u64; 3] {
    let files = status.files.unwrap_or_default();
    [files.discovered, files.processed, files.failed]
}
