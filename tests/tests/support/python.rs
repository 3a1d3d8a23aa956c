//! What users read the result with: the readers of `tests/python`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::tool::Tool;

#[derive(Clone, Debug)]
pub struct Python {
    interpreter: Tool,
    scripts: PathBuf,
}

/// What `read_dataset.py` found.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readings {
    pub pyarrow: Reading,
    pub duckdb: Reading,
    /// Different schemas among the objects, the sidecar's included.
    pub schemas: usize,
    /// Columns of the objects in their order, partitions left out.
    pub columns: Vec<String>,
    /// Rows that stand in the dataset more than once.
    pub duplicates: u64,
    /// Hash of the rows of each source file, in the order of time.
    pub content: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reading {
    /// Rows by source file.
    pub rows: BTreeMap<String, u64>,
}

impl Reading {
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }
}

impl Python {
    pub fn new(interpreter: &Path) -> Self {
        Self { interpreter: Tool::new(interpreter), scripts: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python") }
    }

    pub async fn run(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let script = self.scripts.join(script);
        let script = script.to_str().context("the checkout's path is not UTF-8")?;
        let arguments: Vec<&str> = [&["-B", script], arguments].concat();
        self.interpreter.run(&arguments).await
    }

    /// Reads `bucket/prefix/dataset.parquet`.
    pub async fn read(&self, place: &str) -> Result<Readings> {
        let text = self.run("read_dataset.py", &[place]).await?;
        serde_json::from_str(&text).with_context(|| format!("not what read_dataset.py prints: {text}"))
    }
}
