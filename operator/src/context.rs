//! What every pass needs and no pass owns.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::resource::CloudOptimisedDataset;
use jiff::{SignedDuration, Timestamp};
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};

use crate::metrics::Metrics;
use crate::options::Options;
use crate::run::MANAGER;

pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub struct Context {
    pub client: Client,
    pub options: Options,
    pub recorder: Recorder,
    pub metrics: Arc<Metrics>,
    /// All datasets of the watched namespaces, as the watches know them.
    pub stores: Vec<Store<DeserializeGuard<CloudOptimisedDataset>>>,
    clock: Clock,
    /// When the pods of a dataset's run were looked at last.
    looked: Mutex<HashMap<String, Timestamp>>,
    /// Passes that failed in a row, by dataset.
    failures: Mutex<HashMap<String, u32>>,
}

impl Context {
    #[must_use]
    pub fn new(client: Client, options: Options, metrics: Arc<Metrics>, clock: Clock) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: std::env::var("HOSTNAME").ok() };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, options, recorder, metrics, stores: Vec::new(), clock, looked: Mutex::default(), failures: Mutex::default() }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// At most once per `--progress-seconds`, for a convert Job may have a thousand pods.
    pub fn may_look_at_pods(&self, uid: &str) -> bool {
        let (now, least) = (self.now(), self.pause());
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.retain(|_, at| now.duration_since(*at) < SignedDuration::from_hours(1));
        if looked.get(uid).is_some_and(|at| now.duration_since(*at) < least) {
            return false;
        }
        looked.insert(uid.to_owned(), now);
        true
    }

    /// The least time between two looks at the pods of a run.
    #[must_use]
    pub fn pause(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.options.progress_seconds))
    }

    /// How long to wait after another pass that failed: 1 s, 2 s, … 4 min, each a little longer or
    /// shorter, so that all datasets do not come back at once.
    pub fn backoff(&self, uid: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let base = Duration::from_secs(1 << (*count).min(8));
        *count += 1;
        let spread = u32::try_from(self.now().subsec_nanosecond().rem_euclid(1_000)).unwrap_or_default();
        base * (750 + spread / 2) / 1_000
    }

    /// A pass went well.
    pub fn well(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// The datasets of all watched namespaces.
    #[must_use]
    pub fn known(&self) -> Vec<Arc<DeserializeGuard<CloudOptimisedDataset>>> {
        self.stores.iter().flat_map(Store::state).collect()
    }

    /// Runs at work, by namespace.
    #[must_use]
    pub fn active_runs(&self) -> BTreeMap<String, i64> {
        let mut runs = BTreeMap::new();
        for dataset in self.known() {
            let Ok(dataset) = &dataset.0 else { continue };
            let active = dataset.status.as_ref().is_some_and(|status| status.current_run.is_some());
            *runs.entry(dataset.namespace().unwrap_or_default()).or_default() += i64::from(active);
        }
        runs
    }
}
