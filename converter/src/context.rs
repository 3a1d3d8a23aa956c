//! What every stage of a run is given.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crds::config::DatasetConfig;
use crds::wire::Document;
use crds::wire::layout::StateLayout;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::error::StageError;
use crate::failpoint::FailPoints;
use crate::ledger::PART_RECORDS;
use crate::source::Source;
use crate::store::{Secrets, Side, Store, Url, open};

/// The version that stands in ledger and plan.
pub const CONVERTER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a process may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub threads: usize,
    pub memory_bytes: u64,
}

/// What has been done so far, for whoever watches.
#[derive(Debug, Default)]
pub struct Tally {
    pub planned: AtomicU64,
    pub processed: AtomicU64,
    pub failed: AtomicU64,
    pub skipped: AtomicU64,
    pub rows: AtomicU64,
    pub bytes: AtomicU64,
}

impl Tally {
    #[must_use]
    pub fn done(&self) -> u64 {
        [&self.processed, &self.failed, &self.skipped].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// One stage of one run.
#[derive(Clone, Debug)]
pub struct Context {
    pub run: String,
    /// Marks what this process wrote.
    pub nonce: String,
    pub document: Arc<Document>,
    pub config: Arc<DatasetConfig>,
    pub source: Source,
    pub destination: Store,
    pub layout: StateLayout,
    pub limits: Limits,
    /// How often this batch (or stage) has failed before.
    pub failures: u32,
    /// Why batches lack a result, where the operator knows.
    pub cause_of_missing: Option<String>,
    pub fail: FailPoints,
    pub tally: Arc<Tally>,
    /// Records in a full part of the ledger.
    pub part_records: usize,
    pub now: Timestamp,
}

impl Context {
    /// Opens both sides of the document's dataset.
    ///
    /// # Errors
    /// A config that does not hold, or a store that cannot be opened.
    pub fn open(document: Document, run: String, limits: Limits, secrets: &Secrets) -> Result<Self, StageError> {
        let config = crate::document::typed(&document)?;
        let source = Source::open(&document, &config, secrets.source.as_ref())?;
        let url = document.destination.url.as_deref().ok_or_else(|| StageError::Config("spec.destination.url: is required".to_owned()))?;
        let url = Url::parse(url).map_err(|message| StageError::Config(format!("spec.destination.url: {message}")))?;
        let destination = open(Side::Destination, &url, &document.destination, secrets.destination.as_ref())?;
        let layout = StateLayout::new(&folder(&document));
        let now = Timestamp::now();
        Ok(Self {
            nonce: nonce(&run, now),
            run,
            document: Arc::new(document),
            config: Arc::new(config),
            source,
            destination,
            layout,
            limits,
            failures: 0,
            cause_of_missing: None,
            fail: FailPoints::none(),
            tally: Arc::default(),
            part_records: PART_RECORDS,
            now,
        })
    }

    /// `<dataset>.<format>`: the dataset's folder below the destination.
    #[must_use]
    pub fn folder(&self) -> String {
        folder(&self.document)
    }
}

fn folder(document: &Document) -> String {
    format!("{}.{}", document.dataset_name, document.format.as_str())
}

/// Differs between any two processes, whatever their clocks say.
fn nonce(run: &str, now: Timestamp) -> String {
    let random = RandomState::new().build_hasher().finish();
    short_hash(&[run, &now.as_nanosecond().to_string(), &random.to_string()])
}

/// The first 16 hexadecimal digits of the SHA-256 of some texts.
#[must_use]
pub fn short_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hex::encode(&hasher.finalize()[..8])
}
