//! A dataset, an operator and the fake API server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use crds::resource::{CloudOptimisedDataset, CloudOptimisedDatasetStatus};
use crds::wire::{ClassCounts, Digest, ErrorGroup, FileCounts, Reason, StageFailure, Totals};
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::{reflector, watcher};
use operator::context::Context;
use operator::error::Error;
use operator::metrics::Metrics;
use operator::options::Options;
use operator::reconcile::reconcile;
use serde_json::{Value, json};

use crate::api::Api;

pub const NAME: &str = "mooring";
const RESOURCE: &str = "cloudoptimiseddatasets";

pub struct World {
    pub api: Api,
    pub ctx: Arc<Context>,
}

pub fn options() -> Options {
    Options::parse_from(["operator", "--converter-image", "converter:test", "--pending-grace-seconds", "60"])
}

/// A dataset with `spec` over a small one that is right in everything.
pub fn dataset(spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "cloudoptimised.io/v1alpha1", "kind": "CloudOptimisedDataset",
        "metadata": {"name": NAME},
        "spec": {
            "config": {
                "dataset_name": "mooring", "cloud_optimised_format": "parquet",
                "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://in/moorings/", "filter": [".*\\.nc$"]}]},
                "schema": {
                    "TIME": {"type": "timestamp[ns]", "standard_name": "time"},
                    "LATITUDE": {"type": "double", "standard_name": "latitude", "units": "degrees_north"},
                    "LONGITUDE": {"type": "double", "standard_name": "longitude", "units": "degrees_east"},
                    "TEMP": {"type": "float", "standard_name": "sea_water_temperature", "units": "degrees_Celsius"},
                },
                "schema_transformation": {
                    "add_variables": {
                        "filename": {"source": "@filename", "schema": {"type": "string", "units": "1"}},
                        "timestamp": {"source": "@partitioning:time_extent", "schema": {"type": "int64", "units": "1"}},
                        "polygon": {"source": "@partitioning:spatial_extent", "schema": {"type": "string", "units": "1"}},
                    },
                    "partitioning": [
                        {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "TIME", "partition_period": "M"}},
                        {"source_variable": "polygon", "type": "spatial_extent",
                         "spatial_extent": {"lat_varname": "LATITUDE", "lon_varname": "LONGITUDE", "spatial_resolution": 5}},
                    ],
                    "global_attributes": {"delete": [], "set": {}},
                },
            },
            "destination": {"url": "s3://out/data/", "credentialsSecretRef": {"name": "writer"}},
        },
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}

impl World {
    pub fn new(spec: &Value) -> Self {
        let api = Api::new("2026-06-01T00:00:00Z");
        api.add(RESOURCE, dataset(spec));
        let ctx = Self::operator(&api);
        Self { api, ctx }
    }

    fn operator(api: &Api) -> Arc<Context> {
        Arc::new(Self::context(api))
    }

    fn context(api: &Api) -> Context {
        let clock = api.clock.clone();
        Context::new(api.client(), options(), Arc::new(Metrics::default()), Arc::new(move || *clock.lock().unwrap()))
    }

    /// An operator whose watches know of these datasets.
    pub fn knowing(mut self, others: &[Value]) -> Self {
        let (store, mut writer) = reflector::store();
        for other in others {
            writer.apply_watcher_event(&watcher::Event::Apply(serde_json::from_value(other.clone()).unwrap()));
        }
        let mut ctx = Self::context(&self.api);
        ctx.stores = vec![store];
        self.ctx = Arc::new(ctx);
        self
    }

    /// The operator is killed and started again.
    pub fn restart(&mut self) {
        self.ctx = Self::operator(&self.api);
    }

    pub async fn pass(&self) -> Result<Action, Error> {
        let object = self.api.get(RESOURCE, NAME).unwrap_or_else(|| dataset(&json!({})));
        let guarded: DeserializeGuard<CloudOptimisedDataset> = serde_json::from_value(object).unwrap();
        reconcile(Arc::new(guarded), self.ctx.clone()).await
    }

    /// Passes until nothing more is to be done at once.
    pub async fn settle(&self) {
        for _ in 0..12 {
            if self.pass().await.unwrap() != Action::requeue(Duration::ZERO) {
                return;
            }
        }
        panic!("does not settle");
    }

    pub fn status(&self) -> CloudOptimisedDatasetStatus {
        let object = self.api.get(RESOURCE, NAME).expect("the dataset");
        serde_json::from_value(object["status"].clone()).unwrap()
    }

    pub fn finalizers(&self) -> Value {
        self.api.get(RESOURCE, NAME).expect("the dataset")["metadata"]["finalizers"].clone()
    }

    /// `status/reason` of a condition.
    pub fn condition(&self, type_: &str) -> String {
        let status = self.status();
        let condition = status.conditions.iter().find(|condition| condition.type_ == type_).expect("the condition");
        format!("{}/{}", condition.status, condition.reason)
    }

    pub fn message(&self, type_: &str) -> String {
        self.status().conditions.into_iter().find(|condition| condition.type_ == type_).expect("the condition").message
    }

    pub fn run(&self) -> String {
        self.status().current_run.expect("a current run").id
    }

    pub fn job(&self, stage: &str) -> String {
        format!("{NAME}-{}-{stage}", &self.run()[..10])
    }

    pub fn jobs(&self) -> BTreeSet<String> {
        self.api.names("jobs").into_iter().collect()
    }

    pub fn edit(&self, spec: &Value) {
        self.api.edit(RESOURCE, NAME, &json!({"spec": spec}));
    }

    pub fn delete(&self) {
        self.api.delete(RESOURCE, NAME);
    }

    pub fn is_gone(&self) -> bool {
        self.api.get(RESOURCE, NAME).is_none()
    }

    /// The next write of a status meets a newer version.
    pub fn lose_next_status(&self) {
        let request = "patch cloudoptimiseddatasets.cloudoptimised.io/status";
        self.api.refuse(request, 409, "the object has been modified");
    }

    pub fn planned(&self, batches: u32) -> Digest {
        let classes = ClassCounts { discovered: 200, new: 190, unchanged: 6, held: 4, ..ClassCounts::default() };
        Digest::Plan { run: self.run(), classes, totals: Totals::default(), batches, batch_files: 190, warnings: vec![] }
    }

    pub fn converted(&self, batch: u32, processed: u64) -> Digest {
        Digest::Convert { run: self.run(), batch, processed, failed: 0, skipped: 0, rows: 10 }
    }

    pub fn committed(&self, processed: u64, unchanged: u64, failed: u64) -> Digest {
        committed(&self.run(), processed, unchanged, failed, 0)
    }
}

pub fn committed(run: &str, processed: u64, unchanged: u64, failed: u64, pending: u64) -> Digest {
    let group = ErrorGroup::new(Reason::BadTime, failed, "s3://in/moorings/a.nc", "TIME has no units");
    let discovered = processed + unchanged + failed + pending;
    Digest::Commit {
        run: run.to_owned(),
        generation: 1,
        files: FileCounts { discovered, processed, unchanged, failed, pending, ..FileCounts::default() },
        totals: Totals { processed: processed + unchanged, failed, rows: 1_000, bytes: 9_000, ..Totals::default() },
        rows: 1_000,
        bytes_read: 1,
        bytes_written: 1,
        objects: 1,
        budget_exceeded: false,
        errors: if failed > 0 { vec![group] } else { vec![] },
        errors_omitted: 0,
        report: "s3://out/data/_cod/mooring.parquet/reports/r/report.json".to_owned(),
        warnings: vec![],
    }
}

pub fn denied() -> Digest {
    Digest::Failed(StageFailure {
        reason: Reason::AccessDenied,
        bucket: Some("in".into()),
        operation: Some("ListObjectsV2".into()),
        message: "403 Forbidden".into(),
        side: Some("source".into()),
        confirm: None,
    })
}

pub fn guarded() -> Digest {
    Digest::Failed(StageFailure {
        reason: Reason::WithdrawalGuard,
        bucket: None,
        operation: None,
        message: "100 of 200 files would be removed".into(),
        side: None,
        confirm: Some("abc123".into()),
    })
}
