//! The first load of the 200 files, watched from apply to end. Later journeys go on from it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use crds::resource::CloudOptimisedDatasetStatus;
use futures::TryStreamExt;
use kube::runtime::{WatchStreamExt, watcher};

use super::bed::Bed;
use super::bucket::Listing;
use super::dataset::Dataset;
use super::resource::{config, manifest};

pub struct FirstLoad {
    pub dataset: Dataset,
    /// Every status that was written, in order.
    pub seen: Vec<CloudOptimisedDatasetStatus>,
    /// What `kubectl get cod --watch` printed meanwhile.
    pub table: String,
    /// What the documented `kubectl wait` printed.
    pub waited: String,
    pub status: CloudOptimisedDatasetStatus,
    /// The objects that readers saw then.
    pub objects: Listing,
    pub took: Duration,
}

impl Bed {
    /// The first load; made by the first journey that asks for it.
    pub async fn first_load(&self) -> Result<&FirstLoad> {
        let load = self.load.get_or_init(|| async { Box::pin(run(self)).await.map_err(|error| format!("{error:#}")) });
        load.await.as_ref().map_err(|error| anyhow!("the first load failed: {error}"))
    }
}

async fn run(bed: &Bed) -> Result<FirstLoad> {
    let prefixes = bed.files().await?.prefixes();
    let namespace = bed.namespace("first").await?;
    let manifest = manifest(bed, &namespace, "mooring", &config(bed, &prefixes)?);
    let dataset = Dataset::of(bed, &manifest).await?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = tokio::spawn(collect(dataset.clone(), seen.clone()));
    let began = Instant::now();
    bed.apply(&manifest.to_string()).await?;

    let table = bed.kubectl.start(&["--namespace", &namespace, "get", "cod", "--watch"])?;
    let waiting = ["--namespace", &namespace, "wait", "--for=condition=Ready", "cod/mooring", "--timeout=5m"];
    let waited = bed.kubectl.run(&waiting).await?;
    let status = dataset.first_run(60).await?;
    let took = began.elapsed();
    watch.abort();
    let table = table.stop().await?;
    let objects = dataset.objects(&bed.optimised).await?;
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    Ok(FirstLoad { dataset, seen, table, waited, status, objects, took })
}

/// Writes down every status until it is stopped.
async fn collect(dataset: Dataset, seen: Arc<Mutex<Vec<CloudOptimisedDatasetStatus>>>) -> Result<()> {
    let only = watcher::Config::default().fields(&format!("metadata.name={}", dataset.name));
    let mut changes = Box::pin(watcher(dataset.api.clone(), only).default_backoff().applied_objects());
    while let Some(changed) = changes.try_next().await? {
        if let (Some(status), Ok(mut seen)) = (changed.status, seen.lock()) {
            seen.push(status);
        }
    }
    Ok(())
}
