//! Where a dataset's state lies: `<destination>/_cod/<dataset>.<format>/…`.

/// Keys below the state root of a dataset. All relative to the destination's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLayout {
    root: String,
}

impl StateLayout {
    /// `folder` is `<dataset>.<format>`.
    #[must_use]
    pub fn new(folder: &str) -> Self {
        Self { root: format!("_cod/{folder}") }
    }
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }
    #[must_use]
    pub fn heads(&self) -> String {
        format!("{}/head/", self.root)
    }
    /// Zero-padded, so that the highest name is the highest generation.
    #[must_use]
    pub fn head(&self, generation: u64) -> String {
        format!("{}/head/{generation:020}", self.root)
    }
    #[must_use]
    pub fn probe(&self, nonce: &str) -> String {
        format!("{}/probe/{nonce}", self.root)
    }
    #[must_use]
    pub fn ledger_parts(&self) -> String {
        format!("{}/ledger/", self.root)
    }
    #[must_use]
    pub fn ledger_part(&self, run: &str, nonce: &str, part: usize) -> String {
        format!("{}{nonce}-{part:05}.jsonl", self.ledger_of(run))
    }
    /// Where the ledger parts lie that a run wrote.
    #[must_use]
    pub fn ledger_of(&self, run: &str) -> String {
        format!("{}/ledger/{run}/", self.root)
    }
    /// Lines of `files.csv` that stand for sealed parts.
    #[must_use]
    pub fn ledger_lines(&self, run: &str, nonce: &str, number: usize) -> String {
        format!("{}{nonce}-lines-{number:05}.csv", self.ledger_of(run))
    }
    #[must_use]
    pub fn runs(&self) -> String {
        format!("{}/runs/", self.root)
    }
    #[must_use]
    pub fn run(&self, run: &str) -> String {
        format!("{}/runs/{run}/", self.root)
    }
    #[must_use]
    pub fn plan(&self, run: &str) -> String {
        format!("{}/runs/{run}/plan.json", self.root)
    }
    #[must_use]
    pub fn batch(&self, run: &str, nonce: &str, batch: u32) -> String {
        format!("{}/runs/{run}/plan/{nonce}/batch-{batch:05}.json", self.root)
    }
    #[must_use]
    pub fn others(&self, run: &str, nonce: &str, part: u32) -> String {
        format!("{}/runs/{run}/plan/{nonce}/others-{part:05}.jsonl", self.root)
    }
    #[must_use]
    pub fn staged_all(&self, run: &str) -> String {
        format!("{}/runs/{run}/staged/", self.root)
    }
    #[must_use]
    pub fn staged_sidecar(&self, run: &str, nonce: &str) -> String {
        format!("{}/runs/{run}/staged/sidecar-{nonce}", self.root)
    }
    #[must_use]
    pub fn staged(&self, run: &str, batch: u32, nonce: &str, object: u64) -> String {
        format!("{}/runs/{run}/staged/{batch:05}/{nonce}/{object:08}", self.root)
    }
    #[must_use]
    pub fn manifest(&self, run: &str, batch: u32) -> String {
        format!("{}/runs/{run}/manifest/{batch:05}.json", self.root)
    }
    #[must_use]
    pub fn crumbs(&self, run: &str) -> String {
        format!("{}/runs/{run}/crumb/", self.root)
    }
    #[must_use]
    pub fn crumb(&self, run: &str, batch: u32, failures: u32) -> String {
        format!("{}/runs/{run}/crumb/{batch:05}-{failures:03}", self.root)
    }
    #[must_use]
    pub fn effects(&self, run: &str, kind: &str, nonce: &str, part: usize) -> String {
        format!("{}/runs/{run}/effects/{kind}-{nonce}-{part:05}.jsonl", self.root)
    }
    /// Where the states of a grid lie.
    #[must_use]
    pub fn grids(&self) -> String {
        format!("{}/grid/", self.root)
    }
    /// A grid's state after a run.
    #[must_use]
    pub fn grid(&self, run: &str, nonce: &str) -> String {
        format!("{}/grid/{run}-{nonce}.json", self.root)
    }
    #[must_use]
    pub fn planned_grid(&self, run: &str, nonce: &str) -> String {
        format!("{}/runs/{run}/plan/{nonce}/grid.json", self.root)
    }
    /// What a stage (the plan, the commit) stages of a grid.
    #[must_use]
    pub fn staged_grid(&self, run: &str, stage: &str, nonce: &str, object: usize) -> String {
        format!("{}/runs/{run}/staged/{stage}/{nonce}/{object:05}", self.root)
    }
    #[must_use]
    pub fn report(&self, run: &str) -> String {
        format!("{}/reports/{run}/report.json", self.root)
    }
    #[must_use]
    pub fn files_csv(&self, run: &str) -> String {
        format!("{}/reports/{run}/files.csv", self.root)
    }
}
