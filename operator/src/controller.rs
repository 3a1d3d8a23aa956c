//! The wiring: one controller for each watched namespace (or one for all), all on one context.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crds::resource::CloudOptimisedDataset;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::{Config, Controller, Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Client, Resource};

use crate::context::Context;
use crate::error::Error;
use crate::reconcile::{on_error, reconcile};
use crate::run::{LABEL_MANAGED_BY, MANAGER};
use crate::server::Health;

const GAUGE_PERIOD: Duration = Duration::from_secs(10);

type Guarded = DeserializeGuard<CloudOptimisedDataset>;

/// Fails when the custom resource cannot be listed: better at the start than in a log nobody reads.
pub async fn check(client: &Client, namespaces: &[String]) -> Result<(), Error> {
    for api in apis::<Guarded>(client, namespaces) {
        let one = kube::api::ListParams::default().limit(1);
        api.list(&one).await.map_err(Error::api("list", "CloudOptimisedDatasets (is the CustomResourceDefinition installed?)"))?;
    }
    Ok(())
}

fn apis<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

/// Reconciles until `stop` resolves and what is in hand is done.
pub async fn run(mut ctx: Context, health: Health, stop: impl Future<Output = ()> + Send + 'static) {
    let namespaces = ctx.options.watch_namespaces.clone();
    let datasets = apis::<Guarded>(&ctx.client, &namespaces);
    let jobs = apis::<Job>(&ctx.client, &namespaces);
    let (stores, writers): (Vec<_>, Vec<Writer<Guarded>>) = datasets.iter().map(|_| reflector::store()).unzip();
    ctx.stores.clone_from(&stores);
    let share = u16::try_from(datasets.len()).unwrap_or(u16::MAX).max(1);
    let config = Config::default().concurrency((ctx.options.concurrency / share).max(1));
    let ctx = Arc::new(ctx);
    let stop = stop.boxed().shared();
    let mut at_work: Vec<BoxFuture<'static, ()>> = Vec::new();
    for (((api, jobs), store), writer) in datasets.into_iter().zip(jobs).zip(stores).zip(writers) {
        let changes = watcher(api, watcher::Config::default())
            .default_backoff()
            .modify(|dataset| dataset.meta_mut().managed_fields = None)
            .reflect(writer)
            .inspect_ok(tell_listed(health.clone()))
            .applied_objects()
            .predicate_filter(news, PredicateConfig::default());
        let ours = watcher::Config::default().labels(&format!("{LABEL_MANAGED_BY}={MANAGER}"));
        let controller = Controller::for_stream(changes, store)
            .with_config(config.clone())
            .owns(jobs, ours)
            .graceful_shutdown_on(stop.clone())
            .run(reconcile, |dataset, error, ctx| on_error(&dataset, error, &ctx), ctx.clone())
            .for_each(|result| async {
                if let Err(error) = result {
                    tracing::debug!(%error, "controller");
                }
            });
        at_work.push(controller.boxed());
    }
    let gauge = ctx.clone();
    let counting = tokio::spawn(async move {
        loop {
            gauge.metrics.set_active(&gauge.active_runs());
            tokio::time::sleep(GAUGE_PERIOD).await;
        }
    });
    join_all(at_work).await;
    counting.abort();
    health.set_dead();
}

/// Says once that a watch's first listing is in. (`Store::wait_until_ready` wakes only one of those
/// who wait, and the controller waits.)
fn tell_listed<K>(health: Health) -> impl FnMut(&watcher::Event<K>) {
    let mut untold = true;
    move |event| {
        if matches!(event, watcher::Event::InitDone) && std::mem::take(&mut untold) {
            health.listed();
        }
    }
}

/// Our own writes of status are no news; an edit, a deletion and a finalizer are.
fn news(dataset: &Guarded) -> Option<u64> {
    let deletion = |dataset: &Guarded| dataset.meta().deletion_timestamp.as_ref().map(|time| time.0.as_second().unsigned_abs());
    predicates::generation.combine(predicates::finalizers).combine(deletion).hash_property(dataset)
}
