//! `converter run` on a folder, as on a laptop, and what its report says.

#![allow(dead_code)] // each suite uses a part of it

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::fixtures::draft::interpreter;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stderr: String,
    /// Null when there is none: the run did not come that far.
    pub report: Value,
}

impl Run {
    pub fn files(&self, word: &str) -> u64 {
        self.report["files"][word].as_u64().unwrap_or_default()
    }

    pub fn rows(&self) -> u64 {
        self.report["rows"].as_u64().unwrap_or_default()
    }

    pub fn rows_left_out(&self, reason: &str) -> u64 {
        self.report["rowsLeftOut"][reason].as_u64().unwrap_or_default()
    }

    /// The record of the only file.
    pub fn file(&self) -> Result<&Value> {
        let files = self.report["fileResults"].as_array().context(format!("no report:\n{}", self.stderr))?;
        ensure!(files.len() == 1, "{} files in the report\n{}", files.len(), self.stderr);
        Ok(&files[0])
    }
}

/// Runs `converter run --config CONFIG --source SOURCE --destination OUT --report …`.
pub fn run(config: &Path, source: &Path, out: &Path, more: &[&str]) -> Result<Run> {
    let report = out.with_extension("report.json");
    let _ = std::fs::remove_file(&report); // there may be none
    let output = Command::new(env!("CARGO_BIN_EXE_converter-under-test"))
        .arg("run")
        .arg("--config")
        .arg(config)
        .arg("--source")
        .arg(source)
        .arg("--destination")
        .arg(out)
        .arg("--report")
        .arg(&report)
        .args(["--quiet", "--threads", "1"])
        .args(more)
        .stdin(Stdio::null())
        .output()?;
    let report = match std::fs::read(&report) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => Value::Null,
    };
    Ok(Run { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned(), report })
}

/// A script of `tests/python`, given lines and giving a line of JSON for each.
pub fn python(script: &str, arguments: &[&str], input: &str) -> Result<Vec<Value>> {
    use std::io::Write;
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let mut child =
        Command::new(interpreter()?).arg("-B").arg(&script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("it has an input")?;
    let input = input.to_owned();
    // Both pipes are small: while the script reads, it may write.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    let _ = writer.join(); // a script that failed reads no more
    ensure!(output.status.success(), "{} failed", script.display());
    String::from_utf8(output.stdout)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// What xarray sees of a store: attributes, types, and the first value of each variable.
pub fn seen(store: &Path) -> Result<Value> {
    Ok(python("attributes.py", &[], &format!("{}\n", store.display()))?.remove(0))
}
