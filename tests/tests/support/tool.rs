//! Programs that users use, run as users run them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// kubectl, helm, Python or the converter.
#[derive(Clone, Debug)]
pub struct Tool {
    program: PathBuf,
}

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Tool {
    pub fn new(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }

    /// Runs to the end, whatever that is.
    pub async fn say(&self, arguments: &[&str], input: &str) -> Result<Said> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input may have closed it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs, must succeed, and gives what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with(arguments, "").await
    }

    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let said = self.say(arguments, input).await?;
        ensure!(said.code == Some(0), "{} ended with {:?}\n{}{}", self.shown(arguments), said.code, said.out, said.err);
        Ok(said.out)
    }

    /// Runs, must fail, and gives what it complained about.
    pub async fn refused(&self, arguments: &[&str], input: &str) -> Result<String> {
        let said = self.say(arguments, input).await?;
        if said.code == Some(0) {
            bail!("{} succeeded and should not have\n{}", self.shown(arguments), said.out);
        }
        Ok(said.err)
    }

    /// Starts a program that goes on until it is stopped.
    pub fn start(&self, arguments: &[&str]) -> Result<Running> {
        let child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", self.program.display()))?;
        Ok(Running { child })
    }

    fn shown(&self, arguments: &[&str]) -> String {
        let name = self.program.file_name().unwrap_or_default().to_string_lossy();
        format!("`{name} {}`", arguments.join(" "))
    }
}

/// A program at work. Its output must fit a pipe (64 KiB).
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Ends it and gives what it had printed.
    pub async fn stop(mut self) -> Result<String> {
        self.child.start_kill()?;
        Ok(String::from_utf8_lossy(&self.child.wait_with_output().await?.stdout).into_owned())
    }
}
